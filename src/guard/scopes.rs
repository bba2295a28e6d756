//! The step that compares scopes with those of the route.

use super::Identity;
use crate::{
    error::Error,
    policy::{Route, ScopeIncludes},
};

/// Whether the caller has all of the route's `all_scopes`, and one of its `any_scopes`: by itself, or by one that includes it.
///
/// # Errors
/// [`Error::InsufficientScope`].
pub(super) fn check(
    route: &Route,
    includes: &ScopeIncludes,
    identity: &Identity,
) -> Result<(), Error> {
    // An optional route without a credential: scopes are asked of those who say who they are.
    if matches!(identity, Identity::Anonymous) {
        return Ok(());
    }
    let has = |scope: &String| {
        let own = identity.scopes();
        own.contains(scope) || includes.holders_of(scope).iter().any(|holder| own.contains(holder))
    };
    let missing_all = !route.all_scopes.iter().all(has);
    let missing_any = !route.any_scopes.is_empty() && !route.any_scopes.iter().any(has);
    if missing_all || missing_any { Err(insufficient(route)) } else { Ok(()) }
}

#[inline(never)]
fn insufficient(route: &Route) -> Error {
    let required: Vec<&str> =
        route.all_scopes.iter().chain(&route.any_scopes).map(String::as_str).collect();
    Error::InsufficientScope { required: required.join(" ") }
}
