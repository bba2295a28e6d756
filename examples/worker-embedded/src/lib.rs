//! A Worker that answers requests itself and has the gate in it.
//!
//! One path is answered without the gate. All others meet it: its own endpoints below `/auth`, and the application, which
//! only gets requests that the policy in `wrangler.toml` admits.
#![cfg(target_arch = "wasm32")]

use worker::{
    Context, Env, Result, event,
    web_sys::{Request, Response},
};

// The platform finds the classes of the Durable Objects in the exports of the module.
pub use edgegate_worker::{
    CounterObject, GrantObject, KeyRingObject, LoginObject, RevocationLedger, SessionObject,
    WatchObject,
};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    // Exactly this path: another spelling of it meets the gate.
    if edgegate_worker::path_of(&request) == "/about" {
        return text("a Worker with a gate in it");
    }
    let application = |admitted| -> edgegate_worker::Answering { Box::pin(application(admitted)) };
    Ok(edgegate_worker::answer_for(&request, &env, &context, &application).await)
}

/// Answers an admitted request. Who is calling stands in the identity headers: the gate has set them, and has taken out
/// what a caller sent under these names.
async fn application(admitted: Request) -> Result<Response> {
    let subject = admitted.headers().get("X-Auth-Subject")?;
    text(&format!("hello {}", subject.as_deref().unwrap_or("stranger")))
}

fn text(content: &str) -> Result<Response> {
    Ok(worker::Response::ok(content)?.into())
}
