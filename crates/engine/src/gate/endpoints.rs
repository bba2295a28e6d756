//! The endpoints of sessions, for `gate.handle`, and the way to those of logins, accounts, their administration and the watch. What each does
//! is [`Endpoints`]'s to say; here a request is read, and the answer written, as `crates/worker/src/endpoints/session.rs` does.

use std::rc::Rc;

use super::account_administration;
use super::account_endpoints;
use super::backend::{Gate, HostBackend};
use super::decision::Asked;
use super::endpoint_answer::{Call, Refused, preflight, refusal, written};
use super::login_endpoints;
use super::own_endpoint::{
    MORE, More, OwnAnswer, body_is_wanted, check_method, is_for_the_application,
};
use super::task::{HostJobs, Job, Outcome};
use super::watch_endpoints::{self, WatchEndpoint};
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::{Event, Request, SessionNote};
use edgegate::http::account_endpoints::{
    AccountEndpoint, AdminAccountEndpoint, AtLogin, LOGIN_PATH,
};
use edgegate::http::cors;
use edgegate::http::login_endpoints::LoginEndpoint;
use edgegate::http::session_endpoints::{Asked as Question, SessionEndpoint, matched};
use edgegate::policy::Policy;
use edgegate::session::metadata::CACHE_SECS;

#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Session(SessionEndpoint),
    Login(LoginEndpoint),
    Watch(WatchEndpoint),
    Account(AccountEndpoint),
    Administration(AdminAccountEndpoint),
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
    if let Some((endpoint, id)) = account_administration::find(policy, below) {
        return Some((Endpoint::Administration(endpoint), id));
    }
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

/// Answers a request for an endpoint of sessions, logins, accounts, their administration or the watch.
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
    let call = (&asked, &request, &more);
    if let Endpoint::Administration(endpoint) = endpoint {
        let answered = account_administration::answered(&gate, call, (endpoint, id), &jobs).await;
        return answered.map_or_else(body_is_wanted, OwnAnswer::outcome);
    }
    // Who drops a factor shows the password.
    let has_own =
        matches!((request.method, endpoint), ("POST", _) | ("DELETE", Endpoint::Account(_)));
    if !more.has_body && request.preflight.is_none() && has_own {
        return body_is_wanted();
    }
    let Some(own) = &policy.sessions else {
        return OwnAnswer::refused(&Error::NotFound, None, &asked).outcome();
    };
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
        (Endpoint::Watch(_) | Endpoint::Administration(_), Ok(())) => Err(Error::NotFound),
        (Endpoint::Metadata, Ok(())) => Ok(own.server(&own.base(&policy.auth_prefix)).document()),
        (Endpoint::Jwks, Ok(())) => gate.sessions(&jobs).jwks(jobs.now()).await,
    };
    match document {
        Ok(document) => published(document).outcome(),
        Err(error) => OwnAnswer::refused(&error, None, &asked).outcome(),
    }
}

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
