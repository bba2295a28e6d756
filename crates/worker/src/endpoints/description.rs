//! `GET /auth/openapi.json`: what the endpoints are. It is the same for every policy, but for the prefix of the paths.

use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::Response;

use crate::{call::Call, host};

#[wasm_bindgen(module = "/src/openapi.js")]
extern "C" {
    /// JavaScript keeps the text, so that no isolate copies it into its memory before somebody asks.
    fn description(prefix: &str) -> String;
}

pub(crate) fn answer(call: &Call<'_>) -> worker::Result<Response> {
    let fields = [
        ("Content-Type", "application/json"),
        // A deployment changes it.
        ("Cache-Control", "public, max-age=600"),
        ("Access-Control-Allow-Origin", "*"),
    ];
    host::respond(200, fields, Some(&description(&call.gate.policy.auth_prefix)))
}
