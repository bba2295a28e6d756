//! Headers that the gate adds and removes: identity towards the upstream, limits towards the caller.

use web_sys::Headers;

use crate::{
    guard::{Identity, LimitReport},
    policy::Policy,
};

/// The identity headers.
pub(super) const IDENTITY: [&str; 5] =
    ["X-Auth-Method", "X-Auth-Subject", "X-Auth-Issuer", "X-Auth-Scopes", "X-Auth-Key-Id"];

/// Headers about one connection, not about the request (RFC 9110 §7.6.1). `Connection` can also name others
/// that the next proxy takes out: with `Connection: X-Auth-Subject` a caller could shed an identity.
const PER_CONNECTION: [&str; 4] =
    ["Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization"];

/// Takes out of a request what must not reach the upstream: whatever looks like an identity header, what
/// could make another proxy drop one, and the credential unless the policy forwards it.
///
/// `X_Auth_Subject` goes too: CGI-style servers hand `-` and `_` to the application as the same name.
pub(super) fn strip_inbound(headers: &Headers, policy: &Policy) -> worker::Result<()> {
    let identity: Vec<String> = worker::Headers(headers.clone())
        .keys()
        .filter(|name| name.to_ascii_lowercase().replace('_', "-").starts_with("x-auth-"))
        .collect();
    for name in identity {
        headers.delete(&name)?;
    }
    for name in PER_CONNECTION {
        headers.delete(name)?;
    }
    if policy.forward_credential {
        return Ok(());
    }
    headers.delete("Authorization")?;
    headers.delete("X-API-Key")?;
    if let (Some(name), Some(cookies)) = (&policy.cookie, headers.get("Cookie")?) {
        let others: Vec<&str> = cookies
            .split(';')
            .map(str::trim)
            .filter(|pair| pair.split_once('=').is_none_or(|(given, _)| given != name))
            .collect();
        if others.is_empty() {
            headers.delete("Cookie")?;
        } else {
            headers.set("Cookie", &others.join("; "))?;
        }
    }
    Ok(())
}

/// Sets the identity headers.
pub(super) fn set_identity(headers: &Headers, identity: &Identity) -> worker::Result<()> {
    headers.set("X-Auth-Method", identity.method())?;
    if let Some(subject) = identity.subject() {
        headers.set("X-Auth-Subject", &header_text(subject))?;
    }
    if let Some(issuer) = identity.issuer() {
        headers.set("X-Auth-Issuer", &header_text(issuer))?;
    }
    if !identity.scopes().is_empty() {
        headers.set("X-Auth-Scopes", &header_text(&identity.scopes().join(" ")))?;
    }
    if let Some(id) = identity.api_key_id() {
        headers.set("X-Auth-Key-Id", &id.to_string())?;
    }
    Ok(())
}

/// A text as a header value that reads back as exactly one text: `%`, controls, non-ASCII, and spaces
/// at either end are percent-encoded, so `a%0a` and `a\n` stay apart.
fn header_text(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut encoded = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        let edge_space = byte == b' ' && (index == 0 || index == last);
        if (byte.is_ascii_graphic() || byte == b' ') && byte != b'%' && !edge_space {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Sets `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and
/// `X-RateLimit-*` of the tightest limit where the policy wants them. The names of limits are tokens,
/// so they need no escaping in a structured field.
pub(super) fn set_limits(
    headers: &Headers,
    limits: &[LimitReport],
    legacy: bool,
) -> worker::Result<()> {
    if limits.is_empty() {
        return Ok(());
    }
    let policies: Vec<String> = limits
        .iter()
        .map(|limit| format!("\"{}\";q={};w={}", limit.name, limit.requests, limit.window_secs))
        .collect();
    headers.set("RateLimit-Policy", &policies.join(", "))?;
    let known: Vec<_> =
        limits.iter().filter_map(|limit| limit.verdict.map(|verdict| (limit, verdict))).collect();
    let states: Vec<String> = known
        .iter()
        .map(|(limit, verdict)| {
            format!("\"{}\";r={};t={}", limit.name, verdict.remaining, verdict.reset_after_secs)
        })
        .collect();
    if !states.is_empty() {
        headers.set("RateLimit", &states.join(", "))?;
    }
    let tightest = known.iter().min_by_key(|(_, verdict)| verdict.remaining);
    if let (true, Some((limit, verdict))) = (legacy, tightest) {
        headers.set("X-RateLimit-Limit", &limit.requests.to_string())?;
        headers.set("X-RateLimit-Remaining", &verdict.remaining.to_string())?;
        headers.set("X-RateLimit-Reset", &verdict.reset_after_secs.to_string())?;
    }
    Ok(())
}
