//! `GET /auth/admin/dashboard`: the page for operators. It holds no data: it asks the endpoints of administration, with the secret that is
//! typed into it.

use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::Response;

use crate::{call::Call, host, reply};
use edgegate::error::Error;

#[wasm_bindgen(module = "/src/dashboard.js")]
extern "C" {
    /// JavaScript keeps the texts, so that no isolate copies them into its memory before somebody asks.
    fn dashboard() -> String;
    /// Its Content Security Policy, with the hashes of its script and style.
    #[wasm_bindgen(js_name = "dashboardPolicy")]
    fn content_policy() -> String;
}

/// The page, where the policy has an administrator. Nobody keeps or frames it.
pub(crate) fn answer(call: &Call<'_>) -> worker::Result<Response> {
    if call.gate.policy.admin.is_none() {
        return reply::refusal(call.request, &Error::NotFound, None);
    }
    let policy = content_policy();
    let fields = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy.as_str()),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("X-Robots-Tag", "noindex"),
    ];
    host::respond(200, fields, Some(&dashboard()))
}
