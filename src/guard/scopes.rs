//! The step that compares scopes with those of the route.

use super::Identity;
use crate::{error::Error, policy::Route};

/// Whether the caller has all of the route's `all_scopes`, and one of its `any_scopes`.
///
/// # Errors
/// [`Error::InsufficientScope`].
pub(super) fn check(route: &Route, identity: &Identity) -> Result<(), Error> {
    // An optional route without a credential: scopes are asked of those who say who they are.
    if matches!(identity, Identity::Anonymous) {
        return Ok(());
    }
    let has = |scope: &String| identity.scopes().iter().any(|own| own == scope);
    let missing_all = !route.all_scopes.iter().all(has);
    let missing_any = !route.any_scopes.is_empty() && !route.any_scopes.iter().any(has);
    if missing_all || missing_any {
        let required: Vec<&str> =
            route.all_scopes.iter().chain(&route.any_scopes).map(String::as_str).collect();
        return Err(Error::InsufficientScope { required: required.join(" ") });
    }
    Ok(())
}
