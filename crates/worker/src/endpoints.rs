//! Finds what answers a request: an endpoint of the gate (one file each) or the proxy.
//!
//! A new endpoint is a file here and a line in [`BELOW_PREFIX`] (or [`AT_ROOT`]).

mod account;
mod admin;
mod authorization_server;
mod dashboard;
mod description;
mod health;
pub(crate) mod login;
mod metrics;
mod proxied;
pub(crate) mod session;
mod verify;

use core::future::ready;

use futures_util::future::LocalBoxFuture;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use self::admin::{accounts, audit, explain, grants, keys, revocations, sessions, watch};
use super::{
    answered::Answered,
    application::Application,
    call::Call,
    host::{Names, RequestLines},
    isolate::{self, IsolateGate},
    reply,
    request::path_of,
};
use edgegate::{
    cold_path::cold,
    error::Error,
    guard::{administration::role_for, target_of},
    http::{
        account_endpoints::{
            AccountEndpoint, AdminAccountEndpoint, AtLogin, LOGIN_METHODS, LOGIN_PATH,
        },
        login_endpoints::LoginEndpoint,
        session_endpoints::{SessionEndpoint, matched},
    },
};

/// An endpoint of the gate's own.
struct Endpoint {
    /// `{id}` stands for any one segment.
    path: &'static str,
    /// As `Allow` lists them; [`ANY`]: all.
    methods: &'static str,
    handler: Handler,
}

/// What an endpoint needs before it answers.
#[derive(Clone, Copy)]
enum Handler {
    /// Nothing: it also answers while the policy is refused.
    Always(
        for<'a> fn(
            &'a IsolateGate,
            &'a Env,
            &'a Context,
        ) -> LocalBoxFuture<'a, worker::Result<Response>>,
    ),
    /// A valid policy.
    Open(for<'a> fn(&'a Call<'a>) -> LocalBoxFuture<'a, worker::Result<Response>>),
    /// A valid policy with sessions.
    Session(SessionEndpoint),
    /// A valid policy with logins.
    Login(LoginEndpoint),
    /// A valid policy with accounts.
    Account(AccountEndpoint),
    /// A valid policy with logins, or accounts, or both.
    AtLogin,
    /// A valid policy, and the secret of an administrator who has the role ([`role_for`]). A handler for each method, in the order of
    /// [`Endpoint::methods`].
    Admin(&'static [admin::Handler]),
}

/// For [`Endpoint::methods`].
const ANY: &str = "";

/// The paths of administration begin with it. The secret is checked first, so that a stranger does not learn which of them
/// exist; only the page of the dashboard, which holds nothing, is there for everybody.
const ADMIN: &str = "/admin";

/// The endpoints below the policy's `auth_prefix`. Of two that fit, the first one counts.
const BELOW_PREFIX: &[Endpoint] = &[
    Endpoint {
        path: "/health",
        methods: "GET, HEAD",
        handler: Handler::Always(|gate, env, context| Box::pin(health::answer(gate, env, context))),
    },
    Endpoint {
        path: "/verify",
        methods: ANY,
        handler: Handler::Open(|call| Box::pin(verify::answer(call))),
    },
    Endpoint {
        path: "/openapi.json",
        methods: "GET, HEAD",
        handler: Handler::Open(|call| Box::pin(ready(description::answer(call)))),
    },
    Endpoint {
        path: "/admin/explain",
        methods: "POST",
        handler: Handler::Admin(&[|admin| Box::pin(explain::answer(admin))]),
    },
    Endpoint {
        path: "/metrics",
        methods: "GET",
        handler: Handler::Open(|call| Box::pin(metrics::answer(call))),
    },
    Endpoint {
        path: "/admin/dashboard",
        methods: "GET, HEAD",
        handler: Handler::Open(|call| Box::pin(ready(dashboard::answer(call)))),
    },
    Endpoint {
        path: "/admin/watch",
        methods: "GET",
        handler: Handler::Admin(&[|admin| Box::pin(watch::read(admin))]),
    },
    Endpoint {
        path: "/admin/audit",
        methods: "GET",
        handler: Handler::Admin(&[|admin| Box::pin(audit::list(admin))]),
    },
    Endpoint {
        path: "/admin/keys",
        methods: "GET, POST",
        handler: Handler::Admin(&[
            |admin| Box::pin(keys::list(admin)),
            |admin| Box::pin(keys::mint(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/keys/{id}",
        methods: "GET, PATCH, DELETE",
        handler: Handler::Admin(&[
            |admin| Box::pin(keys::read(admin)),
            |admin| Box::pin(keys::change(admin)),
            |admin| Box::pin(keys::revoke(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/keys/{id}/rotate",
        methods: "POST",
        handler: Handler::Admin(&[|admin| Box::pin(keys::rotate(admin))]),
    },
    Endpoint {
        path: "/admin/revocations",
        methods: "GET, POST",
        handler: Handler::Admin(&[
            |admin| Box::pin(revocations::list(admin)),
            |admin| Box::pin(revocations::post(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/revocations/export",
        methods: "GET",
        handler: Handler::Admin(&[|admin| Box::pin(revocations::export(admin))]),
    },
    Endpoint {
        path: "/admin/revocations/{id}",
        methods: "GET, DELETE",
        handler: Handler::Admin(&[
            |admin| Box::pin(revocations::read(admin)),
            |admin| Box::pin(revocations::undo(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/sessions",
        methods: "GET, POST, DELETE",
        handler: Handler::Admin(&[
            |admin| Box::pin(sessions::list(admin)),
            |admin| Box::pin(sessions::open(admin)),
            |admin| Box::pin(sessions::end_all(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/sessions/{id}",
        methods: "PATCH, DELETE",
        handler: Handler::Admin(&[
            |admin| Box::pin(sessions::narrow(admin)),
            |admin| Box::pin(sessions::end(admin)),
        ]),
    },
    Endpoint {
        path: AdminAccountEndpoint::All.path(),
        methods: AdminAccountEndpoint::All.methods(),
        handler: Handler::Admin(&[|admin| Box::pin(accounts::create(admin))]),
    },
    Endpoint {
        path: AdminAccountEndpoint::Find.path(),
        methods: AdminAccountEndpoint::Find.methods(),
        handler: Handler::Admin(&[|admin| Box::pin(accounts::find(admin))]),
    },
    Endpoint {
        path: AdminAccountEndpoint::Invite.path(),
        methods: AdminAccountEndpoint::Invite.methods(),
        handler: Handler::Admin(&[|admin| Box::pin(accounts::invite(admin))]),
    },
    Endpoint {
        path: AdminAccountEndpoint::Prepare.path(),
        methods: AdminAccountEndpoint::Prepare.methods(),
        handler: Handler::Admin(&[|admin| Box::pin(accounts::prepare(admin))]),
    },
    Endpoint {
        path: AdminAccountEndpoint::One.path(),
        methods: AdminAccountEndpoint::One.methods(),
        handler: Handler::Admin(&[
            |admin| Box::pin(accounts::show(admin)),
            |admin| Box::pin(accounts::change(admin)),
            |admin| Box::pin(accounts::delete(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/grants",
        methods: "GET, DELETE",
        handler: Handler::Admin(&[
            |admin| Box::pin(grants::list(admin)),
            |admin| Box::pin(grants::end(admin)),
        ]),
    },
    Endpoint {
        path: "/admin/subjects",
        methods: "DELETE",
        handler: Handler::Admin(&[|admin| Box::pin(sessions::forget(admin))]),
    },
    Endpoint {
        path: "/admin/subjects/disable",
        methods: "POST",
        handler: Handler::Admin(&[|admin| Box::pin(sessions::disable(admin))]),
    },
    Endpoint {
        path: "/admin/subjects/enable",
        methods: "POST",
        handler: Handler::Admin(&[|admin| Box::pin(sessions::enable(admin))]),
    },
    of_sessions(SessionEndpoint::Token),
    of_sessions(SessionEndpoint::Revoke),
    of_sessions(SessionEndpoint::Introspect),
    of_sessions(SessionEndpoint::Refresh),
    of_sessions(SessionEndpoint::Me),
    of_sessions(SessionEndpoint::Start),
    of_sessions(SessionEndpoint::Mine),
    of_sessions(SessionEndpoint::Others),
    of_sessions(SessionEndpoint::One),
    of_sessions(SessionEndpoint::Logout),
    Endpoint { path: LOGIN_PATH, methods: LOGIN_METHODS, handler: Handler::AtLogin },
    of_accounts(AccountEndpoint::Password),
    of_accounts(AccountEndpoint::Mfa),
    of_accounts(AccountEndpoint::Totp),
    of_accounts(AccountEndpoint::ConfirmTotp),
    of_accounts(AccountEndpoint::RecoveryCodes),
    of_accounts(AccountEndpoint::AskReset),
    of_accounts(AccountEndpoint::Reset),
    of_accounts(AccountEndpoint::Register),
    of_accounts(AccountEndpoint::VerifyEmail),
    of_accounts(AccountEndpoint::PasskeyOptions),
    of_accounts(AccountEndpoint::Passkeys),
    of_accounts(AccountEndpoint::Passkey),
    of_accounts(AccountEndpoint::LogInOptions),
    of_accounts(AccountEndpoint::LogInByPasskey),
    of_accounts(AccountEndpoint::AskMagicLink),
    of_accounts(AccountEndpoint::MagicLink),
    of_accounts(AccountEndpoint::Account),
    of_logins(LoginEndpoint::Begin),
    of_logins(LoginEndpoint::Callback),
    of_logins(LoginEndpoint::Connect),
    of_logins(LoginEndpoint::Disconnect),
    of_logins(LoginEndpoint::BackchannelLogout),
    of_logins(LoginEndpoint::LoggedOut),
];

const fn of_accounts(endpoint: AccountEndpoint) -> Endpoint {
    Endpoint {
        path: endpoint.path(),
        methods: endpoint.methods(),
        handler: Handler::Account(endpoint),
    }
}

const fn of_logins(endpoint: LoginEndpoint) -> Endpoint {
    Endpoint {
        path: endpoint.path(),
        methods: endpoint.methods(),
        handler: Handler::Login(endpoint),
    }
}

const fn of_sessions(endpoint: SessionEndpoint) -> Endpoint {
    Endpoint {
        path: endpoint.path(),
        methods: endpoint.methods(),
        handler: Handler::Session(endpoint),
    }
}

/// The endpoints with a path of their own.
const AT_ROOT: &[Endpoint] = &[
    Endpoint {
        path: "/.well-known/jwks.json",
        methods: "GET, HEAD",
        handler: Handler::Open(|call| Box::pin(authorization_server::jwks(call))),
    },
    Endpoint {
        path: "/.well-known/oauth-authorization-server",
        methods: "GET, HEAD",
        handler: Handler::Open(|call| Box::pin(ready(authorization_server::metadata(call)))),
    },
];

/// Answers a request: with a response, or with the promise of one.
///
/// # Errors
/// If the platform refuses what an answer is made of.
pub(crate) async fn answer(
    request: &Request,
    env: &Env,
    context: &Context,
    application: Option<Application<'_>>,
) -> worker::Result<JsValue> {
    let gate = isolate::gate(env, context).await;
    match (answered(&gate, request, env, context, application).await?, &gate) {
        (Answered::Own(answer), Ok(gate)) => {
            reply::secured(answer, &gate.policy, request).map(JsValue::from)
        }
        (Answered::Own(answer), Err(_)) => Ok(answer.into()),
        (Answered::Finished(answer), _) => Ok(answer),
    }
}

async fn answered(
    gate: &IsolateGate,
    request: &Request,
    env: &Env,
    context: &Context,
    application: Option<Application<'_>>,
) -> worker::Result<Answered> {
    let lines = match gate {
        Ok(gate) => RequestLines::of(request, &gate.names.own)?,
        Err(_) => RequestLines::of(request, &Names::default())?,
    };
    let target = target_of(lines.url());
    let path = path_of(&target);
    let prefix = gate.as_ref().map_or("/auth", |gate| gate.policy.auth_prefix.as_str());
    let below = path.strip_prefix(prefix).filter(|rest| is_or_is_below("", rest));
    let found = match below {
        Some(below) => find(BELOW_PREFIX, below),
        None => find(AT_ROOT, path),
    };
    if let Some((Endpoint { methods, handler: Handler::Always(handler), .. }, _)) = found {
        let answer = match position(methods, lines.method()) {
            Ok(_) => cold(handler(gate, env, context)).await,
            Err(refusal) => reply::refusal(request, &refusal, None),
        };
        return answer.map(Answered::Own);
    }
    let gate = match gate {
        Ok(gate) => gate,
        Err(fault) => return reply::refusal(request, fault, None).map(Answered::Own),
    };
    let call = Call { request, env, context, gate, lines: &lines, target: &target, application };
    if gate.policy.https.is_some()
        && let Some(answer) = call.refuse_plain_http()?
    {
        return Ok(Answered::Own(answer));
    }
    match (found, below) {
        (None, None) => proxied::answer(&call).await,
        (found, below) => cold(own(&call, found, below)).await.map(Answered::Own),
    }
}

/// Whether the gate itself answers this path, so that no route is asked about it.
fn is_own(path: &str, prefix: &str) -> bool {
    is_or_is_below(prefix, path) || find(AT_ROOT, path).is_some()
}

/// Answers a request for a path that is the gate's own.
async fn own(
    call: &Call<'_>,
    found: Option<(&Endpoint, &str)>,
    below: Option<&str>,
) -> worker::Result<Response> {
    match found {
        Some((endpoint, id)) => by_endpoint(call, endpoint, id).await,
        None if below.is_some_and(|below| is_or_is_below(ADMIN, below)) => {
            admin::answer(call, "", Err(Error::NotFound)).await
        }
        None => reply::refusal(call.request, &Error::NotFound, None),
    }
}

async fn by_endpoint(call: &Call<'_>, endpoint: &Endpoint, id: &str) -> worker::Result<Response> {
    let position = position(endpoint.methods, call.lines.method());
    match endpoint.handler {
        Handler::Admin(handlers) => {
            let handler = position.and_then(|at| handlers.get(at).ok_or(Error::NotFound));
            let below = endpoint.path.strip_prefix(ADMIN).unwrap_or_default();
            let role = role_for(call.lines.method(), below);
            let action = format!("{} {below}", call.lines.method());
            let found = handler.map(|handler| admin::Found { handler: *handler, role, action });
            admin::answer(call, id, found).await
        }
        Handler::Session(endpoint) => {
            session::answer(call, (endpoint, id), position.map(drop)).await
        }
        Handler::Login(endpoint) => login::answer(call, (endpoint, id), position.map(drop)).await,
        Handler::Account(endpoint) => {
            account::answer(call, (endpoint, id), position.map(drop)).await
        }
        Handler::AtLogin => match AtLogin::of(&call.gate.policy, call.lines.method()) {
            Ok(AtLogin::Providers) => {
                login::answer(call, (LoginEndpoint::Choose, id), Ok(())).await
            }
            Ok(AtLogin::Accounts) => {
                account::answer(call, (AccountEndpoint::LogIn, id), position.map(drop)).await
            }
            Err(refusal) => reply::refusal(call.request, &refusal, None),
        },
        Handler::Open(handler) => match position {
            Ok(_) => handler(call).await,
            Err(refusal) => reply::refusal(call.request, &refusal, None),
        },
        // Answered already.
        Handler::Always(_) => reply::refusal(call.request, &Error::NotFound, None),
    }
}

/// The endpoint of a path, and the segment in the place of `{id}`.
fn find<'p>(endpoints: &'static [Endpoint], path: &'p str) -> Option<(&'static Endpoint, &'p str)> {
    // Administration does not mind a slash at the end.
    let path =
        if is_or_is_below(ADMIN, path) { path.strip_suffix('/').unwrap_or(path) } else { path };
    endpoints.iter().find_map(|endpoint| Some((endpoint, matched(endpoint.path, path)?)))
}

/// Where a list of methods has this one.
///
/// # Errors
/// [`Error::MethodNotAllowed`].
fn position(methods: &'static str, method: &str) -> Result<usize, Error> {
    if methods == ANY {
        return Ok(0);
    }
    let at = methods.split(", ").position(|allowed| allowed == method);
    at.ok_or(Error::MethodNotAllowed { allow: methods })
}

/// Whether a path is this one, or below it.
fn is_or_is_below(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
