//! The endpoints of sessions, for `gate.handle`. What each does is [`Endpoints`]'s to say; here a request is read, and the answer
//! written, as `crates/worker/src/endpoints/session.rs` does.

use std::rc::Rc;

use serde::Serialize;

use super::backend::{Gate, HostBackend};
use super::decision::Asked;
use super::session_work;
use super::task::{HostJobs, Outcome};
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::{Carrier, Decision, Event, Request, SessionNote};
use edgegate::http::cors;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::http::session_endpoints::{
    Asked as Question, SessionEndpoint, answer_fields, carrier_of, matched,
};
use edgegate::policy::Policy;
use edgegate::session::{metadata::CACHE_SECS, oauth::MAX_FORM_LENGTH, record::Device};

/// The lines behind those of a request: whether the body has been read, the body, and `User-Agent`.
const MORE: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Session(SessionEndpoint),
    Jwks,
    Metadata,
}

const AT_ROOT: &[(&str, Endpoint)] = &[
    ("/.well-known/jwks.json", Endpoint::Jwks),
    ("/.well-known/oauth-authorization-server", Endpoint::Metadata),
];

/// What is published is read.
const PUBLISHED_METHODS: &str = "GET, HEAD";

/// The endpoint that a path fits, and the segment in the place of `{id}`.
fn find<'p>(policy: &Policy, path: &'p str) -> Option<(Endpoint, &'p str)> {
    policy.sessions.as_ref()?;
    let below = path.strip_prefix(policy.auth_prefix.as_str());
    let Some(below) = below.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        let (_, endpoint) = AT_ROOT.iter().find(|(name, _)| *name == path)?;
        return Some((*endpoint, ""));
    };
    SessionEndpoint::ALL.into_iter().find_map(|endpoint| {
        let id = matched(endpoint.path(), below)?;
        let is_missing = endpoint == SessionEndpoint::One && id.is_empty();
        (!is_missing).then_some((Endpoint::Session(endpoint), id))
    })
}

fn check_method(methods: &'static str, method: &str) -> Result<(), Error> {
    let is_one = methods.split(", ").any(|allowed| allowed == method);
    if is_one { Ok(()) } else { Err(Error::MethodNotAllowed { allow: methods }) }
}

/// The answer as the shell sends it; `null` where the request is for no such endpoint.
#[derive(Serialize)]
#[serde(untagged)]
enum Handled<'a> {
    /// The shell reads the body, and asks again.
    Body {
        body: bool,
    },
    Answered {
        status: u16,
        headers: Fields,
        body: &'a str,
    },
}

impl Handled<'_> {
    fn outcome(&self) -> Outcome {
        Outcome { text: serde_json::to_string(self).unwrap_or_default(), claims: None }
    }
}

pub(super) fn parse(text: &str) -> Result<Asked, Error> {
    Asked::with_more(text, MORE)
}

/// Answers a request for an endpoint of sessions.
pub(super) async fn handle(gate: Rc<Gate>, asked: Asked, jobs: Rc<HostJobs>) -> Outcome {
    let policy = &gate.policy;
    let target = asked.target();
    let path = target.split_once('?').map_or(&*target, |(path, _)| path);
    let Some((endpoint, id)) = find(policy, path) else {
        return Outcome { text: "null".to_owned(), claims: None };
    };
    let (address, named) = asked.address(policy);
    if let Some(detail) = gate.memory.address_fault(address, named, jobs.now()) {
        jobs.tell(&super::task::Job::Note { event: Event::fault(detail).at(jobs.now()) });
    }
    let credential_headers = asked.credential_headers();
    let request = asked.request(&target, &credential_headers, address);
    if asked.more(0).is_none() && request.preflight.is_none() && matches!(request.method, "POST") {
        return Handled::Body { body: true }.outcome();
    }
    let Some(own) = &policy.sessions else {
        return refused(&Error::NotFound, None, &asked).outcome();
    };
    if let Endpoint::Session(endpoint) = endpoint {
        return answered(&gate, (&asked, &request), (endpoint, id), &jobs).await;
    }
    let document = match (check_method(PUBLISHED_METHODS, request.method), endpoint) {
        (Err(error), _) => Err(error),
        (Ok(()), Endpoint::Metadata) => Ok(own.server(&own.base(&policy.auth_prefix)).document()),
        (Ok(()), _) => gate.sessions(&jobs).jwks(jobs.now()).await,
    };
    match document {
        Ok(document) => published(document).outcome(),
        Err(error) => refused(&error, None, &asked).outcome(),
    }
}

/// What strangers have to know of the gate as an issuer. Any page may read it: there is nothing in it that a caller has.
fn published(body: String) -> OwnedReply {
    let headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", format!("public, max-age={CACHE_SECS}")),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ];
    OwnedReply { status: 200, headers, body }
}

struct OwnedReply {
    status: u16,
    headers: Fields,
    body: String,
}

impl OwnedReply {
    fn outcome(self) -> Outcome {
        let Self { status, headers, body } = self;
        Handled::Answered { status, headers, body: &body }.outcome()
    }
}

fn refused(error: &Error, carrier: Option<Carrier>, asked: &Asked) -> OwnedReply {
    let Refusal { status, fields, body } = Refusal::new(error, carrier, asked.get(Field::Accept));
    OwnedReply { status, headers: fields, body }
}

async fn answered(
    gate: &Gate,
    (asked, request): (&Asked, &Request<'_>),
    (endpoint, id): (SessionEndpoint, &str),
    jobs: &HostJobs,
) -> Outcome {
    let policy = &gate.policy;
    let origin = asked.get(Field::Origin);
    let cors = endpoint.cors(policy);
    if request.preflight.is_some() {
        let asked_for = cors.as_ref().and_then(|_| asked.get(Field::RequestedHeaders));
        let mut headers = reply::preflight_fields();
        headers.extend(cors::preflight_fields(cors.as_ref(), origin, request.preflight, asked_for));
        return OwnedReply { status: reply::PREFLIGHT_STATUS, headers, body: String::new() }
            .outcome();
    }
    let mut fields = cors::refusal_fields(cors.as_ref(), origin);
    let backend = gate.backend(jobs);
    let (answered, note) = match Endpoints::new(policy, &backend, request, jobs.now()) {
        Ok(endpoints) => {
            let answered = answer(&endpoints, (asked, request), (endpoint, id)).await;
            (answered, endpoints.take_note())
        }
        Err(error) => (Err(error), SessionNote::default()),
    };
    let error = match answered {
        Ok(answer) => return written(gate, &answer, fields, jobs).outcome(),
        Err(error) => error,
    };
    session_work::work_off(gate, jobs, &note);
    fields.extend(cookie_fields(gate, &note, jobs));
    let carrier = carrier_of(request.authorization);
    let is_oauth = endpoint.is_oauth();
    let error = if is_oauth {
        error
    } else {
        gate.memory.failures(policy).count(error, request.client_ip, jobs.now())
    };
    let decision =
        Decision { session: note, ..Decision::refused(error.clone(), carrier, &endpoint.logged()) };
    if let Some(event) = Event::of(policy.log, request, &decision, jobs.now()) {
        jobs.tell(&super::task::Job::Note { event });
    }
    let refusal = if is_oauth {
        let Refusal { status, fields, body } =
            Refusal::oauth(&error, request.authorization.is_some());
        OwnedReply { status, headers: fields, body }
    } else {
        refused(&error, carrier, asked)
    };
    fields.extend(refusal.headers);
    OwnedReply { headers: fields, ..refusal }.outcome()
}

async fn answer(
    endpoints: &Endpoints<'_, HostBackend<'_>>,
    (asked, request): (&Asked, &Request<'_>),
    (endpoint, id): (SessionEndpoint, &str),
) -> Result<Answer, Error> {
    let method = request.method;
    check_method(endpoint.methods(), method)?;
    let body = asked.more(1).unwrap_or_default().as_bytes();
    if body.len() > MAX_FORM_LENGTH {
        let problem = format!("expected a body of at most {MAX_FORM_LENGTH} bytes");
        return Err(Error::invalid_field("", &problem));
    }
    // The host does not know the country.
    let device = || Device::seen(asked.more(2), None, request.client());
    endpoint.answer(endpoints, Question { method, id, body, device: &device }).await
}

fn written(gate: &Gate, answer: &Answer, mut fields: Fields, jobs: &HostJobs) -> OwnedReply {
    session_work::work_off(gate, jobs, &answer.note);
    let mut headers = answer_fields(answer);
    headers.append(&mut fields);
    headers.extend(cookie_fields(gate, &answer.note, jobs));
    OwnedReply { status: answer.status, headers, body: answer.body.clone() }
}

fn cookie_fields(gate: &Gate, note: &SessionNote, jobs: &HostJobs) -> Fields {
    let values = note.set_cookies(&gate.memory.sessions, jobs.now());
    values.iter().map(|value| ("Set-Cookie", value.clone())).collect()
}
