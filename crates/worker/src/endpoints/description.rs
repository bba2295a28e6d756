//! `GET /auth/openapi.json`: what the endpoints are. It is the same for every policy, but for the prefix of the paths.

use std::borrow::Cow;

use web_sys::Response;

use crate::{call::Call, host};

/// The description, made by `crates/describe`. It lies in the module's data: JavaScript would look for the end of a text character by
/// character each time that an isolate starts.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// The prefix in it, as JSON. It is there once, as the URL of the server.
const PREFIX: &str = "\"/auth\"";

pub(crate) fn answer(call: &Call<'_>) -> worker::Result<Response> {
    let fields = [
        ("Content-Type", "application/json"),
        // A deployment changes it.
        ("Cache-Control", "public, max-age=600"),
        ("Access-Control-Allow-Origin", "*"),
    ];
    host::respond(200, fields, Some(&below(&call.gate.policy.auth_prefix)))
}

/// The description for this prefix, which has no character that JSON escapes.
fn below(prefix: &str) -> Cow<'static, str> {
    match DESCRIPTION.split_once(PREFIX) {
        Some((before, after)) if prefix != "/auth" => {
            Cow::Owned([before, "\"", prefix, "\"", after].concat())
        }
        _ => Cow::Borrowed(DESCRIPTION),
    }
}
