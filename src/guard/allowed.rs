//! The step that compares who it is with the issuers and claims of the route.

use super::Identity;
use crate::{
    error::Error,
    json,
    policy::{RequestPath, Route},
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
    if route.claims.is_empty() {
        return Ok(());
    }
    let claims = match identity {
        // It was read when it was verified.
        Identity::Token(token) => json::parse_object(token.payload()).unwrap_or_default(),
        Identity::Anonymous | Identity::ApiKey(_) => serde_json::Map::new(),
    };
    match route.claims.iter().find(|rule| !rule.holds(&claims, path)) {
        Some(rule) => Err(Error::ClaimNotAllowed { claim: rule.name().to_owned() }),
        None => Ok(()),
    }
}
