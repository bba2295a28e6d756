//! The Worker that is deployed: the gate, and nothing else. Its Durable Objects are exported by the library.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::Request;
use worker::{Env, worker_sys};

/// What the entry calls when the module starts.
#[wasm_bindgen]
pub fn prepare(env: Env) {
    edgegate_worker::prepare(&env);
}

/// What the platform calls for each request: answers, or promises an answer.
#[wasm_bindgen]
pub fn fetch(request: Request, env: Env, context: worker_sys::Context) -> JsValue {
    edgegate_worker::fetch(request, env, context)
}
