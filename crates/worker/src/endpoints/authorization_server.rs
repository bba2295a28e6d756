//! What strangers have to know of the gate as an issuer of tokens: `GET /.well-known/jwks.json` and
//! `GET /.well-known/oauth-authorization-server` (RFC 8414).

use web_sys::Response;

use crate::{call::Call, clock, host, reply};
use edgegate::{error::Error, session::metadata::CACHE_SECS};

/// The public keys. A gate without sessions signs nothing, and has none.
pub(crate) async fn jwks(call: &Call<'_>) -> worker::Result<Response> {
    if call.gate.policy.sessions.is_none() {
        return published(r#"{"keys":[]}"#, "no-store");
    }
    let sessions = call.gate.sessions(call.env, call.context);
    match sessions.jwks(clock::now()).await {
        Ok(keys) => published(&keys, &cached()),
        Err(fault) => reply::refusal(call.request, &fault, None),
    }
}

/// The metadata. All URLs in it are of the policy.
pub(crate) fn metadata(call: &Call<'_>) -> worker::Result<Response> {
    let policy = &call.gate.policy;
    match &policy.sessions {
        Some(own) => published(&own.server(&own.base(&policy.auth_prefix)).document(), &cached()),
        None => reply::refusal(call.request, &Error::NotFound, None),
    }
}

fn cached() -> String {
    format!("public, max-age={CACHE_SECS}")
}

/// Any page may read it: there is nothing in it that a caller has.
fn published(body: &str, cache_control: &str) -> worker::Result<Response> {
    let fields = [
        ("Content-Type", "application/json"),
        ("Cache-Control", cache_control),
        ("Access-Control-Allow-Origin", "*"),
    ];
    host::respond(200, fields, Some(body))
}
