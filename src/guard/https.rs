//! Requests that came over plain http, where the policy wants https.

use super::{Request, cookies};
use crate::{
    error::Error,
    policy::{Policy, is_https},
    session::cookie,
};

/// What becomes of a request that did not come over https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insecure {
    /// It is told to come again, to this URL.
    Redirected(String),
    /// It is refused.
    Refused(Error),
}

/// What becomes of the request if the policy wants https and it came otherwise; `None`: it may go on. The scheme is that of the
/// URL that the platform saw, never a header's.
///
/// Whatever carries a credential is refused, also where others are redirected: a client that is redirected works, and goes on
/// sending its credential in the clear first.
#[must_use]
pub fn insecure(policy: &Policy, request: &Request<'_>) -> Option<Insecure> {
    let https = policy.https?;
    let url = request.url.unwrap_or_default();
    if is_https(url) {
        return None;
    }
    if carries_credential(policy, request) {
        return Some(Insecure::Refused(Error::CredentialInClear));
    }
    Some(match url.split_once("://") {
        Some((_, rest)) if https.redirects(request.method) => {
            Insecure::Redirected(format!("https://{rest}"))
        }
        _ => Insecure::Refused(Error::HttpsRequired),
    })
}

fn carries_credential(policy: &Policy, request: &Request<'_>) -> bool {
    let header = request.authorization.or(request.dpop).or(request.api_key).is_some();
    let own = policy.browser_sessions().map(|_| [cookie::ACCESS, cookie::REFRESH]);
    let mut names = policy.cookie.as_deref().into_iter().chain(own.into_iter().flatten());
    let cookie = request
        .cookie
        .is_some_and(|header| names.any(|name| cookies::named(name, header).next().is_some()));
    let of_proxies = request.credential_headers.iter().any(Option::is_some);
    header || of_proxies || cookie
}
