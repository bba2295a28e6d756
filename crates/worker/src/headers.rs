//! Headers that the gate adds to and removes from a request on its way to the upstream.

use web_sys::Headers;

use edgegate::{
    guard::{self, Carrier, Identity, cookies, session},
    http::{inbound, reply},
    policy::Policy,
};

/// Headers about one connection, not about the request (RFC 9110 §7.6.1). `Connection` can also name others
/// that the next proxy takes out: with `Connection: X-Auth-Subject` a caller could shed an identity.
const PER_CONNECTION: [&str; 4] =
    ["Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization"];

/// Takes out of a request what must not reach the upstream: whatever looks like an identity header or says another path,
/// method, host, scheme or address than was decided on ([`inbound`]), what could make another proxy drop a header, and
/// credentials, but for the `verified` one where the policy forwards it.
pub(super) fn strip_inbound(
    headers: &Headers,
    policy: &Policy,
    verified: Option<Carrier>,
) -> worker::Result<()> {
    let kept_back: Vec<String> = worker::Headers(headers.clone())
        .keys()
        .filter(|name| inbound::is_kept_back(name, policy))
        .collect();
    for name in kept_back {
        headers.delete(&name)?;
    }
    for name in PER_CONNECTION {
        headers.delete(name)?;
    }
    strip_credentials(headers, policy, verified)
}

/// Takes out every header that may carry a credential, but the one that was verified where the policy forwards it:
/// what the gate did not look at must not look as if it had.
fn strip_credentials(
    headers: &Headers,
    policy: &Policy,
    verified: Option<Carrier>,
) -> worker::Result<()> {
    let kept = verified.filter(|_| policy.forward_credential);
    if !matches!(kept, Some(Carrier::Bearer | Carrier::Basic | Carrier::Dpop)) {
        headers.delete("Authorization")?;
    }
    if kept != Some(Carrier::Dpop) {
        headers.delete("DPoP")?;
    }
    if kept != Some(Carrier::ApiKeyHeader) {
        headers.delete(policy.api_key_header.as_str())?;
    }
    if kept != Some(Carrier::CredentialHeader) {
        for header in &policy.credential_headers {
            headers.delete(header.name.as_str())?;
        }
    }
    if let (Some(name), Some(header)) = (&policy.cookie, headers.get("Cookie")?) {
        let others = if kept == Some(Carrier::Cookie) {
            cookies::without_other_spellings(name, &header)
        } else {
            cookies::without(name, &header)
        };
        set_cookies(headers, &header, others)?;
    }
    // Those of the gate's own sessions never travel on, whatever the policy forwards.
    if policy.sessions.is_some()
        && let Some(header) = headers.get("Cookie")?
    {
        set_cookies(headers, &header, session::without_cookies(&header))?;
    }
    Ok(())
}

fn set_cookies(headers: &Headers, header: &str, others: Option<String>) -> worker::Result<()> {
    match others {
        Some(others) if others == header => Ok(()),
        Some(others) => Ok(headers.set("Cookie", &others)?),
        None => Ok(headers.delete("Cookie")?),
    }
}

/// Says by which scheme and host the gate was asked, and by whom.
pub(super) fn set_forwarded(headers: &Headers, request: &guard::Request<'_>) -> worker::Result<()> {
    let url = request.url.unwrap_or_default();
    set(headers, &inbound::forwarded_fields(url, request.client_ip))
}

/// Sets the identity headers.
pub(super) fn set_identity(headers: &Headers, identity: &Identity) -> worker::Result<()> {
    set(headers, &reply::identity_fields(identity))?;
    identity.told().try_for_each(|(name, value)| Ok(headers.set(name, value)?))
}

/// Sets fields in place of what is there.
pub(super) fn set(headers: &Headers, fields: &reply::Fields) -> worker::Result<()> {
    fields.iter().try_for_each(|(name, value)| Ok(headers.set(name, value)?))
}
