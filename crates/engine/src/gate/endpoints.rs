//! The endpoints of sessions, for `gate.handle`, and the way to those of logins, accounts and the watch. What each does is [`Endpoints`]'s to say; here a request is
//! read, and the answer written, as `crates/worker/src/endpoints/session.rs` does.

use std::rc::Rc;

use super::account_endpoints;
use super::backend::{Gate, HostBackend};
use super::decision::Asked;
use super::login_endpoints;
use super::own_endpoint::{
    MORE, More, OwnAnswer, body_is_wanted, check_method, cookie_fields, is_for_the_application,
};
use super::session_work;
use super::task::{HostJobs, Job, Outcome};
use super::watch_endpoints::{self, WatchEndpoint};
use super::watching;
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::{Decision, Event, Request, SessionNote};
use edgegate::http::account_endpoints::{AccountEndpoint, AtLogin, LOGIN_PATH};
use edgegate::http::cors;
use edgegate::http::login_endpoints::LoginEndpoint;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::http::session_endpoints::{
    Asked as Question, SessionEndpoint, answer_fields, carrier_of, matched,
};
use edgegate::policy::{Cors, Policy};
use edgegate::session::metadata::CACHE_SECS;

#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Session(SessionEndpoint),
    Login(LoginEndpoint),
    Watch(WatchEndpoint),
    Account(AccountEndpoint),
    AtLogin,
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
    let below = path.strip_prefix(policy.auth_prefix.as_str());
    let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(endpoint) = below.and_then(|below| WatchEndpoint::of(policy, below)) {
        return Some((Endpoint::Watch(endpoint), ""));
    }
    policy.sessions.as_ref()?;
    let Some(below) = below else {
        let (_, endpoint) = AT_ROOT.iter().find(|(name, _)| *name == path)?;
        return Some((*endpoint, ""));
    };
    let of_sessions = SessionEndpoint::ALL.into_iter().find_map(|endpoint| {
        let id = matched(endpoint.path(), below)?;
        let is_missing = endpoint == SessionEndpoint::One && id.is_empty();
        (!is_missing).then_some((Endpoint::Session(endpoint), id))
    });
    of_sessions.or_else(|| of_accounts(policy, below)).or_else(|| {
        policy.login.as_ref()?;
        let with_id = |endpoint: LoginEndpoint| Some((endpoint, matched(endpoint.path(), below)?));
        let (endpoint, id) = LoginEndpoint::ALL.into_iter().find_map(with_id)?;
        Some((Endpoint::Login(endpoint), id))
    })
}

fn of_accounts<'p>(policy: &Policy, below: &'p str) -> Option<(Endpoint, &'p str)> {
    policy.accounts.as_ref()?;
    if below == LOGIN_PATH {
        return Some((Endpoint::AtLogin, ""));
    }
    AccountEndpoint::ALL
        .into_iter()
        .find_map(|endpoint| Some((Endpoint::Account(endpoint), matched(endpoint.path(), below)?)))
}

pub(super) fn parse(text: &str) -> Result<Asked, Error> {
    Asked::with_more(text, MORE)
}

/// Answers a request for an endpoint of sessions, logins, accounts or the watch.
pub(super) async fn handle(gate: Rc<Gate>, asked: Asked, jobs: Rc<HostJobs>) -> Outcome {
    let policy = &gate.policy;
    let target = asked.target();
    let path = target.split_once('?').map_or(&*target, |(path, _)| path);
    let Some((endpoint, id)) = find(policy, path) else {
        return is_for_the_application();
    };
    let (address, named) = asked.address(policy);
    if let Some(detail) = gate.memory.address_fault(address, named, jobs.now()) {
        jobs.tell(&Job::Note { event: Event::fault(detail).at(jobs.now()) });
    }
    let credential_headers = asked.credential_headers();
    let request = asked.request(&target, &credential_headers, address);
    if let Endpoint::Watch(endpoint) = endpoint {
        let call = (&asked, &request);
        return watch_endpoints::answered(&gate, call, endpoint, &jobs).await.outcome();
    }
    let more = More::of(&asked);
    if !more.has_body && request.preflight.is_none() && matches!(request.method, "POST") {
        return body_is_wanted();
    }
    let Some(own) = &policy.sessions else {
        return OwnAnswer::refused(&Error::NotFound, None, &asked).outcome();
    };
    let call = (&asked, &request, &more);
    let document = match (endpoint, check_method(PUBLISHED_METHODS, request.method)) {
        (Endpoint::Session(endpoint), _) => {
            return answered(&gate, call, (endpoint, id), &jobs).await.outcome();
        }
        (Endpoint::Login(endpoint), _) => {
            let answered = login_endpoints::answered(&gate, call, (endpoint, id), &jobs);
            return answered.await.outcome();
        }
        (Endpoint::Account(endpoint), _) => {
            let answered = account_endpoints::answered(&gate, call, (endpoint, id), &jobs);
            return answered.await.outcome();
        }
        (Endpoint::AtLogin, _) => match AtLogin::of(policy, request.method) {
            Ok(AtLogin::Providers) => {
                let answered =
                    login_endpoints::answered(&gate, call, (LoginEndpoint::Choose, id), &jobs);
                return answered.await.outcome();
            }
            Ok(AtLogin::Accounts) => {
                let at = (AccountEndpoint::LogIn, id);
                return account_endpoints::answered(&gate, call, at, &jobs).await.outcome();
            }
            Err(error) => Err(error),
        },
        (_, Err(error)) => Err(error),
        (Endpoint::Watch(_), Ok(())) => Err(Error::NotFound),
        (Endpoint::Metadata, Ok(())) => Ok(own.server(&own.base(&policy.auth_prefix)).document()),
        (Endpoint::Jwks, Ok(())) => gate.sessions(&jobs).jwks(jobs.now()).await,
    };
    match document {
        Ok(document) => published(document).outcome(),
        Err(error) => OwnAnswer::refused(&error, None, &asked).outcome(),
    }
}

/// A request for an endpoint.
pub(super) type Call<'a> = (&'a Asked, &'a Request<'a>, &'a More<'a>);

/// What strangers have to know of the gate as an issuer. Any page may read it: there is nothing in it that a caller has.
fn published(body: String) -> OwnAnswer {
    let headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", format!("public, max-age={CACHE_SECS}")),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ];
    OwnAnswer { status: 200, headers, body }
}

async fn answered(
    gate: &Gate,
    (asked, request, more): Call<'_>,
    (endpoint, id): (SessionEndpoint, &str),
    jobs: &HostJobs,
) -> OwnAnswer {
    let policy = &gate.policy;
    let cors = endpoint.cors(policy);
    if request.preflight.is_some() {
        return preflight(asked, request, cors.as_ref());
    }
    if endpoint == SessionEndpoint::Logout
        && let Some(page) = login_endpoints::logout_asked(gate, asked, request)
    {
        return page;
    }
    let fields = cors::refusal_fields(cors.as_ref(), asked.get(Field::Origin));
    let backend = gate.backend(jobs);
    let (answered, note) = match Endpoints::new(policy, &backend, request, jobs.now()) {
        Ok(endpoints) => {
            let answered = if endpoint == SessionEndpoint::Logout && policy.login.is_some() {
                let with = (&backend, &endpoints);
                login_endpoints::log_out(gate, with, (asked, request, more), jobs).await
            } else {
                answer(&endpoints, (request, more), (endpoint, id)).await
            };
            (answered, endpoints.take_note())
        }
        Err(error) => (Err(error), SessionNote::default()),
    };
    match answered {
        Ok(answer) => written(gate, &answer, fields, jobs),
        Err(error) => {
            let refused = Refused {
                error,
                logged: endpoint.logged(),
                is_oauth: endpoint.is_oauth(),
                tried: None,
            };
            refusal(gate, (asked, request), refused, (note, fields), jobs)
        }
    }
}

/// What a preflight of an endpoint is told, of which other pages may read the answers so.
pub(super) fn preflight(asked: &Asked, request: &Request<'_>, cors: Option<&Cors>) -> OwnAnswer {
    let origin = asked.get(Field::Origin);
    let asked_for = cors.and_then(|_| asked.get(Field::RequestedHeaders));
    let mut headers = reply::preflight_fields();
    headers.extend(cors::preflight_fields(cors, origin, request.preflight, asked_for));
    OwnAnswer { status: reply::PREFLIGHT_STATUS, headers, body: String::new() }
}

/// A refusal of an endpoint.
pub(super) struct Refused {
    pub(super) error: Error,
    /// The endpoint in the event log.
    pub(super) logged: String,
    /// Whether it is one of OAuth's, which has a form of its own and counts for no address.
    pub(super) is_oauth: bool,
    /// A number for the name that somebody tried to log in by.
    pub(super) tried: Option<u64>,
}

/// Notes a refusal, and what it leaves to be done; returns its answer.
pub(super) fn refusal(
    gate: &Gate,
    (asked, request): (&Asked, &Request<'_>),
    Refused { error, logged, is_oauth, tried }: Refused,
    (note, mut fields): (SessionNote, Fields),
    jobs: &HostJobs,
) -> OwnAnswer {
    let policy = &gate.policy;
    session_work::work_off(gate, jobs, &note);
    fields.extend(cookie_fields(gate, &note, jobs));
    let carrier = carrier_of(request.authorization);
    let error = if is_oauth {
        error
    } else {
        gate.memory.failures(policy).count(error, request.client_ip, jobs.now())
    };
    let refused = Decision::refused(error.clone(), carrier, &logged);
    let decision = Decision { session: note, tried, ..refused };
    if let Some(event) = Event::of(policy.log, request, &decision, jobs.now()) {
        jobs.tell(&Job::Note { event });
    }
    watching::note(gate, request, &decision, jobs);
    let refusal = if is_oauth {
        Refusal::oauth(&error, request.authorization.is_some()).into()
    } else {
        OwnAnswer::refused(&error, carrier, asked)
    };
    fields.extend(refusal.headers);
    OwnAnswer { headers: fields, ..refusal }
}

async fn answer(
    endpoints: &Endpoints<'_, HostBackend<'_>>,
    (request, more): (&Request<'_>, &More<'_>),
    (endpoint, id): (SessionEndpoint, &str),
) -> Result<Answer, Error> {
    let method = request.method;
    check_method(endpoint.methods(), method)?;
    let body = more.bounded()?;
    let device = || more.device(request);
    endpoint.answer(endpoints, Question { method, id, body, device: &device }).await
}

pub(super) fn written(
    gate: &Gate,
    answer: &Answer,
    mut fields: Fields,
    jobs: &HostJobs,
) -> OwnAnswer {
    session_work::work_off(gate, jobs, &answer.note);
    let mut headers = answer_fields(answer);
    headers.append(&mut fields);
    headers.extend(cookie_fields(gate, &answer.note, jobs));
    OwnAnswer { status: answer.status, headers, body: answer.body.clone() }
}
