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
use edgegate::guard::{Carrier, Decision, Event, SessionNote};
use edgegate::http::cors;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::policy::{Cors, Policy};
use edgegate::session::{
    metadata::CACHE_SECS, oauth::MAX_FORM_LENGTH, record::Device, step::Which,
};

/// The lines behind those of a request: whether the body has been read, the body, and `User-Agent`.
const MORE: usize = 3;

/// The longest `User-Agent` that is kept for the list of sessions.
const MAX_AGENT_LENGTH: usize = 200;

/// Before the paths of these endpoints in the event log, whatever the prefix.
const LOGGED_BELOW: &str = "/auth";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Token,
    Revoke,
    Introspect,
    Refresh,
    Me,
    Start,
    Mine,
    Others,
    One,
    Logout,
    Jwks,
    Metadata,
}

/// The endpoints below the policy's `auth_prefix`, with their methods. Of two that fit, the first one counts.
const BELOW_PREFIX: &[(&str, &str, Endpoint)] = &[
    ("/token", "POST", Endpoint::Token),
    ("/revoke", "POST", Endpoint::Revoke),
    ("/introspect", "POST", Endpoint::Introspect),
    ("/refresh", "POST", Endpoint::Refresh),
    ("/session", "GET", Endpoint::Me),
    ("/session/start", "POST", Endpoint::Start),
    ("/sessions", "GET, DELETE", Endpoint::Mine),
    ("/sessions/others", "DELETE", Endpoint::Others),
    ("/sessions/", "DELETE", Endpoint::One),
    ("/logout", "POST", Endpoint::Logout),
];

const AT_ROOT: &[(&str, &str, Endpoint)] = &[
    ("/.well-known/jwks.json", "GET, HEAD", Endpoint::Jwks),
    ("/.well-known/oauth-authorization-server", "GET, HEAD", Endpoint::Metadata),
];

/// An endpoint that a path fits.
#[derive(Clone, Copy)]
struct Found<'p> {
    name: &'static str,
    methods: &'static str,
    endpoint: Endpoint,
    /// What follows a name that ends with a slash.
    id: &'p str,
}

fn find<'p>(policy: &Policy, path: &'p str) -> Option<Found<'p>> {
    policy.sessions.as_ref()?;
    let below = path.strip_prefix(policy.auth_prefix.as_str());
    let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let (endpoints, path) = below.map_or((AT_ROOT, path), |below| (BELOW_PREFIX, below));
    endpoints.iter().find_map(|&(name, methods, endpoint)| {
        let id = path.strip_prefix(name)?;
        let takes_id = endpoint == Endpoint::One;
        let fits = if takes_id { !id.is_empty() && !id.contains('/') } else { id.is_empty() };
        fits.then_some(Found { name, methods, endpoint, id })
    })
}

impl Endpoint {
    /// Whether refusals are written as RFC 6749 §5.2 has them.
    const fn is_oauth(self) -> bool {
        matches!(self, Self::Token | Self::Revoke | Self::Introspect)
    }

    /// Which pages of other origins may read the answers.
    fn cors(self, policy: &Policy) -> Option<Cors> {
        match self {
            Self::Token | Self::Revoke => Some(Cors::any()),
            Self::Introspect | Self::Jwks | Self::Metadata => None,
            _ => Some(Cors::of_visitors(&policy.browser_sessions()?.origins)),
        }
    }
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
    let Some(found) = find(policy, path) else {
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
    match found.endpoint {
        Endpoint::Jwks | Endpoint::Metadata => published(policy, &asked, found).outcome(),
        _ => own(&gate, (&asked, &request), found, &jobs).await,
    }
}

/// What strangers have to know of the gate as an issuer. Any page may read it: there is nothing in it that a caller has.
fn published(policy: &Policy, asked: &Asked, found: Found<'_>) -> OwnedReply {
    let method = asked.get(Field::Method).unwrap_or_default();
    let Some(own) = &policy.sessions else { return refused(&Error::NotFound, None, asked) };
    if !found.methods.split(", ").any(|allowed| allowed == method) {
        return refused(&Error::MethodNotAllowed { allow: found.methods }, None, asked);
    }
    let body = match (found.endpoint, &own.keys) {
        (Endpoint::Jwks, Some(ring)) => ring.jwks(),
        (Endpoint::Jwks, None) => r#"{"keys":[]}"#.to_owned(),
        _ => own.server(&own.base(&policy.auth_prefix)).document(),
    };
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

async fn own(
    gate: &Gate,
    (asked, request): (&Asked, &edgegate::guard::Request<'_>),
    found: Found<'_>,
    jobs: &HostJobs,
) -> Outcome {
    let policy = &gate.policy;
    let origin = asked.get(Field::Origin);
    let cors = found.endpoint.cors(policy);
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
            let answered = answer(&endpoints, asked, found).await;
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
    let carrier = request.authorization.map(|value| match value.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("dpop ") => Carrier::Dpop,
        _ => Carrier::Bearer,
    });
    let is_oauth = found.endpoint.is_oauth();
    let error = if is_oauth {
        error
    } else {
        gate.memory.failures(policy).count(error, request.client_ip, jobs.now())
    };
    let decision = Decision {
        session: note,
        ..Decision::refused(error.clone(), carrier, &format!("{LOGGED_BELOW}{}", found.name))
    };
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
    asked: &Asked,
    found: Found<'_>,
) -> Result<Answer, Error> {
    let method = asked.get(Field::Method).unwrap_or_default();
    if !found.methods.split(", ").any(|allowed| allowed == method) {
        return Err(Error::MethodNotAllowed { allow: found.methods });
    }
    let body = asked.more(1).unwrap_or_default().as_bytes();
    if body.len() > MAX_FORM_LENGTH {
        let problem = format!("expected a body of at most {MAX_FORM_LENGTH} bytes");
        return Err(Error::invalid_field("", &problem));
    }
    match found.endpoint {
        Endpoint::Token => endpoints.token(body).await,
        Endpoint::Revoke => endpoints.revoke(body).await,
        Endpoint::Introspect => endpoints.introspect(body).await,
        Endpoint::Refresh => endpoints.refresh(body).await,
        Endpoint::Me => endpoints.session().await,
        Endpoint::Start => endpoints.start(body, device(asked)).await,
        Endpoint::Mine if method == "GET" => endpoints.sessions().await,
        Endpoint::Mine => endpoints.end_mine(Which::All, None).await,
        Endpoint::Others => endpoints.end_mine(Which::Others, None).await,
        Endpoint::One => endpoints.end_mine(Which::One, Some(found.id)).await,
        Endpoint::Logout => endpoints.logout(body).await,
        Endpoint::Jwks | Endpoint::Metadata => Err(Error::NotFound),
    }
}

/// From where a session is opened, as its owner is shown.
fn device(asked: &Asked) -> Device {
    let agent = asked.more(2).map(|agent| {
        agent.chars().filter(|one| !one.is_control()).take(MAX_AGENT_LENGTH).collect()
    });
    let network = asked.get(Field::ClientIp).map(str::to_owned);
    Device { agent, country: None, network }
}

fn written(gate: &Gate, answer: &Answer, mut fields: Fields, jobs: &HostJobs) -> OwnedReply {
    session_work::work_off(gate, jobs, &answer.note);
    let mut headers =
        vec![("Cache-Control", "no-store".to_owned()), ("Pragma", "no-cache".to_owned())];
    if !answer.body.is_empty() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    if answer.clears_cache {
        headers.push(("Clear-Site-Data", "\"cache\"".to_owned()));
    }
    headers.append(&mut fields);
    headers.extend(cookie_fields(gate, &answer.note, jobs));
    OwnedReply { status: answer.status, headers, body: answer.body.clone() }
}

fn cookie_fields(gate: &Gate, note: &SessionNote, jobs: &HostJobs) -> Fields {
    let values = note.set_cookies(&gate.memory.sessions, jobs.now());
    values.iter().map(|value| ("Set-Cookie", value.clone())).collect()
}
