//! The step that compares who it is with the issuers and claims of the route.

use super::Identity;
use crate::{
    error::Error,
    jose::claims::Claims,
    policy::{ClaimRule, RequestPath, Route},
};

/// Whether the route lets this caller through, whose scopes are another step's. An API key has no issuer and no claims, so it
/// is not let through where a route wants some.
///
/// # Errors
/// [`Error::IssuerNotAllowed`], [`Error::ClaimNotAllowed`].
pub(super) fn check(route: &Route, path: &RequestPath, identity: &Identity) -> Result<(), Error> {
    if !route.issuers.is_empty() {
        let issuer = identity.issuer();
        if !route.issuers.iter().any(|allowed| issuer == Some(allowed)) {
            return Err(Error::IssuerNotAllowed);
        }
    }
    if route.claims.is_empty() { Ok(()) } else { check_claims(&route.claims, path, identity) }
}

#[inline(never)]
fn check_claims(rules: &[ClaimRule], path: &RequestPath, identity: &Identity) -> Result<(), Error> {
    let claims = match identity {
        // It was read when it was verified.
        Identity::Token(token) => Claims::parse(token.payload()).ok(),
        Identity::Anonymous | Identity::ApiKey(_) => None,
    };
    let holds = |rule: &ClaimRule| claims.as_ref().is_some_and(|claims| rule.holds(claims, path));
    match rules.iter().find(|rule| !holds(rule)) {
        Some(rule) => Err(Error::ClaimNotAllowed { claim: rule.name().to_owned() }),
        None => Ok(()),
    }
}
