//! The Cloudflare Worker, as a library: it knows KV, Durable Objects, WebCrypto and the clock; what is decided is
//! [`edgegate`]'s to say.
//!
//! A request goes one way: [`answer`] → an endpoint (`endpoints/`) or the proxy → the answer.

mod background;
mod body;
mod call;
mod clock;
mod counters;
mod deadline;
mod endpoints;
mod event_log;
mod fault;
mod fetch_jwks;
mod gate;
mod headers;
mod host;
mod isolate;
mod kv;
mod memory;
mod objects;
mod poll_once;
mod proxy;
mod rate_limit_binding;
mod replays;
mod reply;
mod request;
mod revocations;
mod web_crypto;

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env, worker_sys};

/// The gate's answer to a request.
pub async fn answer(request: &Request, env: &Env, context: &Context) -> Response {
    endpoints::answer(request, env, context).await.unwrap_or_else(|fault| {
        worker::console_error!("{fault}");
        failed()
    })
}

/// [`answer`] as the platform calls it: returns the response itself where nothing had to be waited for, else a promise of
/// it. A promise takes turns of the event loop, which take longer than most verdicts.
pub fn fetch(request: Request, env: Env, context: worker_sys::Context) -> JsValue {
    poll_once::run(async move { answer(&request, &env, &Context::new(context)).await })
}

/// The answer where the platform refuses what an answer is made of.
fn failed() -> Response {
    let init = web_sys::ResponseInit::new();
    init.set_status(500);
    let text = Some("INTERNAL SERVER ERROR");
    Response::new_with_opt_str_and_init(text, &init).unwrap_or_else(|_| Response::error())
}
