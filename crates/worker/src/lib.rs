//! The Cloudflare Worker as a library. It knows KV, Durable Objects, WebCrypto and the clock; [`edgegate`] decides.
//!
//! A request goes one way: [`answer`] → an endpoint (`endpoints/`) or the proxy → the answer.
//!
//! # Embedding the gate in a Worker of your own
//!
//! `crates/worker/deployed` is the gate alone: it admits a request and passes it on to an upstream or to another Worker. A
//! Rust Worker can have the gate in itself instead. `examples/worker-embedded` is a whole one, and runs in the tests:
//!
//! ```ignore
//! use worker::{Context, Env, Result, event, web_sys::{Request, Response}};
//!
//! // The platform finds the classes of the Durable Objects in the exports of the module.
//! pub use edgegate_worker::{
//!     CounterObject, GrantObject, KeyRingObject, LoginObject, RevocationLedger, SessionObject, WatchObject,
//! };
//!
//! #[event(fetch)]
//! async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
//!     let application = |request| -> edgegate_worker::Answering { Box::pin(hello(request)) };
//!     Ok(edgegate_worker::answer_for(&request, &env, &context, &application).await)
//! }
//!
//! /// Gets admitted requests only.
//! async fn hello(request: Request) -> Result<Response> {
//!     let subject = request.headers().get("X-Auth-Subject")?.unwrap_or_default();
//!     Ok(worker::Response::ok(format!("hello {subject}"))?.into())
//! }
//! ```
//!
//! - The bindings, the migrations and the variable `POLICY` are those of the `wrangler.toml` of this repository.
//! - [`answer_for`] calls the application for admitted requests, [`answer`] passes them on as the policy says.
//! - Give the gate every request, and let routes with `auth = "none"` in the policy say what is open. If the Worker answers
//!   some paths itself, list those exactly ([`path_of`]) and give the gate all others: a path that is spelled in another
//!   way then meets the gate, and not the other way round.

mod accounts;
mod answered;
mod application;
mod background;
mod body;
mod call;
mod clock;
mod counters;
mod deadline;
mod delivery;
mod endpoints;
mod event_log;
mod fault;
mod fetch_jwks;
mod gate;
mod grants;
mod headers;
mod host;
mod isolate;
mod kv;
mod local_tally;
mod logins;
mod mail;
mod memory;
mod objects;
mod plan;
mod poll_once;
mod proxy;
mod rate_limit_binding;
mod replays;
mod reply;
mod request;
mod revocations;
mod session_cookies;
mod session_memory;
mod session_work;
mod sessions;
mod shadow;
mod watch;
mod web_crypto;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};
use worker::{Context, Env, js_sys::Promise, wasm_bindgen_futures::JsFuture, worker_sys};

pub use self::application::{Answering, Application};
pub use self::objects::{
    counter::CounterObject, grant::GrantObject, key_ring::KeyRingObject, ledger::RevocationLedger,
    login::LoginObject, session::SessionObject, watch::WatchObject,
};

/// The gate's answer to a request. An admitted one is passed on to the policy's `upstream` or to the service binding
/// `UPSTREAM`; without either, the answer is the identity.
///
/// It never fails: if the platform refuses what the answer is made of, the answer is a plain 500 and the log says why.
pub async fn answer(request: &Request, env: &Env, context: &Context) -> Response {
    settled(answered(request, env, context, None).await).await
}

/// The gate's answer to a request. An admitted one is answered by this application, whatever upstream there is.
pub async fn answer_for(
    request: &Request,
    env: &Env,
    context: &Context,
    application: Application<'_>,
) -> Response {
    settled(answered(request, env, context, Some(application)).await).await
}

/// The path that the gate decides on, without the query, for a Worker that answers some paths itself. Dots are resolved,
/// escapes are not.
#[must_use]
pub fn path_of(request: &Request) -> String {
    request::path_of(&edgegate::guard::target_of(&request.url())).to_owned()
}

async fn answered(
    request: &Request,
    env: &Env,
    context: &Context,
    application: Option<Application<'_>>,
) -> JsValue {
    endpoints::answer(request, env, context, application).await.unwrap_or_else(|fault| {
        worker::console_error!("{fault}");
        failed().into()
    })
}

/// The response itself, where JavaScript may have promised it.
async fn settled(answer: JsValue) -> Response {
    let answer = match answer.dyn_into::<Promise>() {
        Ok(promise) => JsFuture::from(promise).await,
        Err(answer) => Ok(answer),
    };
    answer.and_then(JsCast::dyn_into).unwrap_or_else(|fault| {
        worker::console_error!("{}", web_crypto::describe(&fault));
        failed()
    })
}

/// [`answer`] for an exported `fetch`. Returns the response itself if nothing had to be waited for, else a promise of it. A
/// promise takes turns of the event loop, which take longer than most verdicts.
pub fn fetch(request: Request, env: Env, context: worker_sys::Context) -> JsValue {
    poll_once::run(async move { answered(&request, &env, &Context::new(context), None).await })
}

/// Reads the policy, for a module that starts: the first request then finds it read. Without it the first request reads it.
pub fn prepare(env: &Env) {
    isolate::prepare(env);
}

/// The answer where the platform refuses what an answer is made of.
fn failed() -> Response {
    let init = web_sys::ResponseInit::new();
    init.set_status(500);
    let text = Some("INTERNAL SERVER ERROR");
    Response::new_with_opt_str_and_init(text, &init).unwrap_or_else(|_| Response::error())
}
