//! The administration endpoints: API keys and revocations, for the bearer of the administrator's secret.

mod keys;
mod revocations;

use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::{clock, deadline, gate::Gate, kv::Kv, revocations::Revocations};
use edgegate::{
    error::{Error, StoreError},
    guard::administration::Paging,
    time::UnixMillis,
};

/// The largest request body. The largest that makes sense, a token of 8 KiB to revoke, is far smaller.
const MAX_BODY: usize = 64 * 1024;

/// What the endpoints work with.
struct Admin<'a> {
    gate: &'a Gate,
    env: &'a Env,
    context: &'a Context,
    kv: Kv<'a>,
    revocations: Revocations<'a>,
    now: UnixMillis,
}

/// Answers a request below `/auth/admin`; `path` is what follows that, with its leading slash.
pub(crate) async fn answer(
    gate: &Gate,
    env: &Env,
    context: &Context,
    request: &Request,
    path: &str,
) -> worker::Result<Result<Response, Error>> {
    let revocations = gate.revocations(env, context);
    let admin = Admin { gate, env, context, kv: gate.kv(env), revocations, now: clock::now() };
    let method = request.method();
    let path = path.strip_prefix('/').unwrap_or(path);
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let query = Query::of(&request.url());
    let done = async {
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["keys"]) => keys::mint(&admin, &body(request).await?).await,
            ("GET", ["keys"]) => keys::list(&admin, &query).await,
            (_, ["keys"]) => Err(Error::MethodNotAllowed { allow: "GET, POST" }.into()),
            ("GET", ["keys", id]) => keys::read(&admin, id).await,
            ("PATCH", ["keys", id]) => keys::change(&admin, id, &body(request).await?).await,
            ("DELETE", ["keys", id]) => keys::revoke(&admin, id).await,
            (_, ["keys", _]) => Err(Error::MethodNotAllowed { allow: "GET, PATCH, DELETE" }.into()),
            ("POST", ["keys", id, "rotate"]) => {
                keys::rotate(&admin, id, &body(request).await?).await
            }
            (_, ["keys", _, "rotate"]) => Err(Error::MethodNotAllowed { allow: "POST" }.into()),
            ("POST", ["revocations"]) => revocations::post(&admin, request).await,
            ("GET", ["revocations"]) => revocations::list(&admin, &query).await,
            (_, ["revocations"]) => Err(Error::MethodNotAllowed { allow: "GET, POST" }.into()),
            ("GET", ["revocations", "export"]) => revocations::export(&admin).await,
            (_, ["revocations", "export"]) => Err(Error::MethodNotAllowed { allow: "GET" }.into()),
            ("GET", ["revocations", id]) => revocations::read(&admin, id).await,
            ("DELETE", ["revocations", id]) => revocations::undo(&admin, id).await,
            (_, ["revocations", _]) => Err(Error::MethodNotAllowed { allow: "GET, DELETE" }.into()),
            _ => Err(Error::NotFound.into()),
        }
    };
    match done.await {
        Ok(response) => Ok(Ok(response)),
        Err(Failure::Refused(error)) => Ok(Err(error)),
        Err(Failure::Runtime(fault)) => Err(fault),
    }
}

/// Whether the request carries the administrator's secret, and is not one guess too many.
///
/// # Errors
/// [`Error::NotFound`] where the policy has no administrator, [`Error::MissingCredentials`], then those of
/// [`Failures::secret`](edgegate::guard::Failures::secret).
pub(crate) fn authenticate(
    gate: &Gate,
    request: &edgegate::guard::Request<'_>,
    now: UnixMillis,
) -> Result<(), Error> {
    let secret = gate.policy.admin.as_ref().ok_or(Error::NotFound)?;
    let Some(authorization) = request.authorization else { return Err(Error::MissingCredentials) };
    let presented = match authorization.trim().split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => return Err(Error::MissingCredentials),
    };
    let failures = gate.memory.guard.failures(&gate.policy);
    failures.secret(request.client_ip, now, || secret.matches(presented.as_bytes()))
}

/// Why an endpoint did not do what it was asked.
enum Failure {
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

type Answer = Result<Response, Failure>;

/// A fault of the store that a request wrote to or read from.
fn unavailable(store: &'static str) -> impl Fn(StoreError) -> Error {
    move |fault| Error::StoreUnavailable { store, problem: fault.to_string() }
}

/// The body, read piece by piece, no further than [`MAX_BODY`] and no longer than [`deadline::LONG`].
async fn body(request: &Request) -> Result<Vec<u8>, Failure> {
    body_of(request, MAX_BODY).await
}

async fn body_of(request: &Request, limit: usize) -> Result<Vec<u8>, Failure> {
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
        // What is no number is no limit either: 0 is refused as such.
        let limit = get("limit").map(|text| text.parse().unwrap_or(0));
        Self { owner: get("owner"), paging: Paging { cursor: get("cursor"), limit } }
    }
}
