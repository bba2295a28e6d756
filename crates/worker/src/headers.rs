//! Headers that the gate adds to and removes from a request on its way to the upstream.

use std::borrow::Cow;

use edgegate::{
    guard::{Carrier, Identity, cookies, session},
    http::{inbound, reply},
    policy::{Policy, RouteGrant},
};

use super::request::RequestParts;

/// Headers about one connection, not about the request (RFC 9110 §7.6.1). `Connection` can also name others
/// that the next proxy takes out: with `Connection: X-Auth-Subject` a caller could shed an identity.
const PER_CONNECTION: [&str; 4] =
    ["connection", "keep-alive", "proxy-connection", "proxy-authorization"];

/// So many headers of most requests change.
const USUAL_CHANGES: usize = 16;

/// A header and its new value; an empty one takes it out.
pub(super) type Change<'a> = (&'a str, Cow<'a, str>);

/// Takes out of a request with headers of these `names` what must not reach the upstream: whatever looks like an identity header
/// or says another path, method, host, scheme or address than was decided on ([`inbound`]), what could make another proxy
/// drop a header, and credentials, but for the `verified` one where the policy forwards it.
pub(super) fn strip_inbound<'a>(
    names: impl Iterator<Item = &'a str>,
    parts: &RequestParts<'a>,
    policy: &Policy,
    verified: Option<Carrier>,
) -> Vec<Change<'a>> {
    let kept = verified.filter(|_| policy.forward_credential);
    let mut changes = Vec::with_capacity(USUAL_CHANGES);
    for name in names {
        if is_taken_out(name, policy, kept) {
            changes.push((name, Cow::Borrowed("")));
        } else if name == "cookie" {
            let stripped = stripped_cookies(policy, parts.cookie(), kept);
            changes.extend(stripped.map(|others| (name, others)));
        }
    }
    changes
}

/// What a provider gets of a request that is made with an account of the caller's: what the grant lets through, and the token.
///
/// # Errors
/// The token is none that a header can have.
pub(super) fn to_provider<'a>(
    names: impl Iterator<Item = &'a str>,
    grant: &RouteGrant,
    token: &str,
) -> worker::Result<Vec<Change<'a>>> {
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token has characters that no header can have".into());
    }
    let kept_back = names.filter(|name| !grant.passes(name));
    let mut changes: Vec<Change<'_>> = kept_back.map(|name| (name, Cow::Borrowed(""))).collect();
    changes.push(("Authorization", Cow::Owned(format!("Bearer {token}"))));
    Ok(changes)
}

fn is_taken_out(name: &str, policy: &Policy, kept: Option<Carrier>) -> bool {
    PER_CONNECTION.contains(&name)
        || is_other_credential(name, policy, kept)
        || inbound::is_kept_back(name, policy)
}

/// Whether a header may carry a credential, and not the one that was verified where the policy forwards it: what the gate did not
/// look at must not look as if it had.
fn is_other_credential(name: &str, policy: &Policy, kept: Option<Carrier>) -> bool {
    let goes = |own: &str, carriers: &[Carrier]| {
        own.eq_ignore_ascii_case(name) && !kept.is_some_and(|carrier| carriers.contains(&carrier))
    };
    goes("Authorization", &[Carrier::Bearer, Carrier::Basic, Carrier::Dpop])
        || goes("DPoP", &[Carrier::Dpop])
        || goes(policy.api_key_header.as_str(), &[Carrier::ApiKeyHeader])
        || (policy.credential_headers.iter())
            .any(|header| goes(header.name.as_str(), &[Carrier::CredentialHeader]))
}

/// The `Cookie` header without the policy's own, if that changes it; empty if no other is left. Those of the gate's sessions never
/// travel on, whatever the policy forwards.
fn stripped_cookies<'a>(
    policy: &Policy,
    header: Option<&'a str>,
    kept: Option<Carrier>,
) -> Option<Cow<'a, str>> {
    let header = header?;
    let others = match (policy.cookie.as_deref(), kept) {
        (None, _) => Some(Cow::Borrowed(header)),
        (Some(own), Some(Carrier::Cookie)) => {
            cookies::without_other_spellings(own, header).map(Cow::Owned)
        }
        (Some(own), _) => cookies::without(own, header).map(Cow::Owned),
    };
    let others = match policy.browser_sessions() {
        Some(_) => others.and_then(|others| session::without_cookies(&others)).map(Cow::Owned),
        None => others,
    };
    match others {
        Some(others) if others == header => None,
        others => Some(others.unwrap_or_default()),
    }
}

/// Adds by which scheme and host the gate was asked, by whom, and who that is.
pub(super) fn tell<'a>(
    changes: &mut Vec<Change<'a>>,
    parts: &'a RequestParts<'_>,
    identity: &'a Identity,
) {
    let (url, address) = (parts.url(), parts.address().0.known());
    changes.extend(inbound::forwarded_fields(url, address));
    changes.extend(reply::lent_identity_fields(identity));
    changes.extend(identity.told().map(|(name, value)| (name, Cow::Borrowed(value))));
}
