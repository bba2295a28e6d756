//! The administration endpoints: API keys, revocations, sessions and explanations, for the bearers of administrators' secrets.

pub(crate) mod accounts;
pub(crate) mod audit;
mod audited;
pub(crate) mod explain;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod revocations;
pub(crate) mod sessions;
pub(crate) mod watch;

use core::cell::RefCell;

use futures_util::future::LocalBoxFuture;
use web_sys::{Request, Response};

use crate::{
    call::Call, clock, deadline, event_log, kv::Kv, request::path_of, revocations::Revocations,
    watch as watching,
};
use edgegate::{
    error::{Error, StoreError},
    guard::{
        Carrier, Decision,
        administration::{Paging, administrator},
    },
    policy::{Administrator, Role},
    time::UnixMillis,
};

/// The largest request body. The largest that makes sense, a token of 8 KiB to revoke, is far smaller.
const MAX_BODY: usize = 64 * 1024;

/// The path of administration in the event log, whatever the prefix and the endpoint.
const LOGGED_AS: &str = "/auth/admin";

/// A request of the administrator, and what the endpoints work with.
pub(crate) struct Admin<'a> {
    call: &'a Call<'a>,
    /// The segment in the place of `{id}`.
    id: &'a str,
    /// The name of the administrator's secret.
    actor: &'a str,
    kv: Kv<'a>,
    revocations: Revocations<'a>,
    now: UnixMillis,
    /// What it is about, for the audit.
    target: RefCell<String>,
}

/// What an endpoint of administration does.
pub(crate) type Handler = for<'a> fn(&'a Admin<'a>) -> LocalBoxFuture<'a, Answer>;

/// An endpoint that was found: what it does, and who may have it do so.
pub(crate) struct Found {
    pub(crate) handler: Handler,
    pub(crate) role: Role,
    /// Method and path, `POST /keys/{id}/rotate`.
    pub(crate) action: String,
}

/// Answers a request below `/admin`: asks for a secret first, then for the endpoint, then for its role, and writes to the log what
/// was done.
pub(crate) async fn answer(
    call: &Call<'_>,
    id: &str,
    found: Result<Found, Error>,
) -> worker::Result<Response> {
    let (parts, policy) = (call.parts(), &call.gate.policy);
    call.gate.note_address(&parts);
    let carrier = parts.as_request().authorization.map(|_| Carrier::Bearer);
    let failures = call.gate.memory.guard.failures(policy);
    let administrator = match administrator(policy, &failures, &parts.as_request(), clock::now()) {
        Ok(administrator) => administrator,
        Err(error) => {
            let decision = Decision::refused(error, carrier, LOGGED_AS);
            call.note_refusal(&parts, &decision);
            return call.refuse(&parts, &decision);
        }
    };
    let actor = (&parts, administrator.name());
    let (answer, fault) = match done(call, id, (found, administrator)).await {
        Ok(response) => (Ok(response), None),
        Err(Failure::Refused(error)) => {
            let decision = Decision::refused(error.clone(), carrier, LOGGED_AS);
            (call.refuse(&parts, &decision), Some(error))
        }
        Err(Failure::Runtime(fault)) => (Err(fault), None),
    };
    // The platform answers 500 where no answer can be made.
    let status = answer.as_ref().map_or(500, Response::status);
    let done = (status, fault.as_ref());
    event_log::administration(policy, actor, done);
    if !(status == 200 && is_the_watch(call)) {
        watching::note_administration(call.gate, (call.env, call.context), actor, done);
    }
    answer
}

/// Whether the watch itself is read. That is no event of it: a dashboard that is left open would push out all others with its own.
fn is_the_watch(call: &Call<'_>) -> bool {
    let path = path_of(call.target);
    path.strip_suffix('/').unwrap_or(path).ends_with("/admin/watch")
}

async fn done(
    call: &Call<'_>,
    id: &str,
    (found, administrator): (Result<Found, Error>, &Administrator),
) -> Answer {
    let Found { handler, role, action } = found?;
    administrator.require(role)?;
    let (gate, env) = (call.gate, call.env);
    let revocations = gate.revocations(env, call.context);
    let target = RefCell::new(id.to_owned());
    let actor = administrator.name();
    let admin = Admin { call, id, actor, kv: gate.kv(env), revocations, now: clock::now(), target };
    // What only tells is not in the audit.
    if role == Role::Read {
        return handler(&admin).await;
    }
    if let (true, Some(subject)) = (id.is_empty(), admin.query().subject) {
        admin.is_about_subject(&subject);
    }
    let begun = audited::begin(&admin, administrator.name(), &action).await?;
    let answer = handler(&admin).await;
    begun.end(&admin, &answer).await;
    answer
}

/// Why an endpoint did not do what it was asked.
pub(crate) enum Failure {
    Refused(Error),
    Runtime(worker::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<worker::Error> for Failure {
    fn from(fault: worker::Error) -> Self {
        Self::Runtime(fault)
    }
}

pub(crate) type Answer = Result<Response, Failure>;

/// A fault of the store that a request wrote to or read from.
fn unavailable(store: &'static str) -> impl Fn(StoreError) -> Error {
    move |fault| Error::StoreUnavailable { store, problem: fault.to_string() }
}

impl Admin<'_> {
    async fn body(&self) -> Result<Vec<u8>, Failure> {
        body_of(self.call.request, MAX_BODY).await
    }

    /// Says what the entry of the audit is about. It has no secret in it, and nobody's name.
    fn is_about(&self, target: impl Into<String>) {
        self.target.replace(target.into());
    }

    fn query(&self) -> Query {
        Query::of(self.call.lines.url())
    }
}

/// The body, read piece by piece, no further than this limit and no longer than [`deadline::LONG`].
pub(crate) async fn body_of(request: &Request, limit: usize) -> Result<Vec<u8>, Failure> {
    let Some(stream) = request.body() else { return Ok(Vec::new()) };
    let reading = crate::body::read_at_most(&stream, limit);
    let Some(read) = deadline::within(deadline::LONG, reading).await else {
        let problem = format!("expected the body within {} s", deadline::LONG.as_secs());
        return Err(Error::invalid_field("", &problem).into());
    };
    match read? {
        Some(body) => Ok(body),
        None => {
            let problem = format!("expected a body of at most {limit} bytes");
            Err(Error::invalid_field("", &problem).into())
        }
    }
}

/// The parameters of a listing.
struct Query {
    owner: Option<String>,
    subject: Option<String>,
    provider: Option<String>,
    account: Option<String>,
    window: Option<String>,
    after: Option<String>,
    paging: Paging,
}

impl Query {
    fn of(url: &str) -> Self {
        let query = url.split_once('?').map_or("", |(_, rest)| rest);
        let query = query.split('#').next().unwrap_or_default();
        let get = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        // 0 is refused, so anything else that is not a number is refused too.
        let limit = get("limit").map(|text| text.parse().unwrap_or(0));
        Self {
            owner: get("owner"),
            subject: get("subject"),
            provider: get("provider"),
            account: get("account"),
            window: get("window"),
            after: get("after"),
            paging: Paging { cursor: get("cursor"), limit },
        }
    }
}
