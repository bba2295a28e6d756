//! `GET /auth/admin/dashboard`: the page for operators. It holds no data: it asks the endpoints of administration, with the secret that is
//! typed into it.

use web_sys::Response;

use crate::{call::Call, host, reply};
use edgegate::error::Error;

/// The page, made of `www/dashboard`. It lies in the module's data, as the description of the endpoints does.
const PAGE: &str = include_str!("../dashboard.html");

/// Its Content Security Policy, with the hashes of its script and style.
const CONTENT_POLICY: &str = include_str!("../dashboard.csp");

/// The page, where the policy has an administrator. Nobody keeps or frames it.
pub(crate) fn answer(call: &Call<'_>) -> worker::Result<Response> {
    if call.gate.policy.admin.is_none() {
        return reply::refusal(call.request, &Error::NotFound, None);
    }
    let fields = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CONTENT_POLICY),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("X-Robots-Tag", "noindex"),
    ];
    host::respond(200, fields, Some(PAGE))
}
