//! Whose secret a request to the administration carries.

use crate::{
    error::Error,
    guard::{Failures, Request},
    policy::{Administrator, Policy, Role},
    time::UnixMillis,
};

/// What a request presents as a secret.
///
/// # Errors
/// [`Error::MissingCredentials`].
fn presented<'r>(request: &Request<'r>) -> Result<&'r str, Error> {
    match request.authorization.map(|text| text.trim().split_once(' ')) {
        Some(Some((scheme, rest))) if scheme.eq_ignore_ascii_case("bearer") => Ok(rest.trim()),
        _ => Err(Error::MissingCredentials),
    }
}

/// The administrator whose secret it is, if it is not one guess too many.
///
/// # Errors
/// [`Error::NotFound`] where the policy has no administrator, [`Error::MissingCredentials`], then those of [`Failures::secret`].
pub fn administrator<'p>(
    policy: &'p Policy,
    failures: &Failures<'_>,
    request: &Request<'_>,
    now: UnixMillis,
) -> Result<&'p Administrator, Error> {
    let admin = policy.admin.as_ref().ok_or(Error::NotFound)?;
    let presented = presented(request)?;
    let mut holder = None;
    failures.secret(request.client_ip, now, || {
        holder = admin.holder_of(presented.as_bytes());
        holder.is_some()
    })?;
    holder.ok_or(Error::AdministratorSecret)
}

/// Whether who asks may read the metrics: the holder of the secret for them, or an administrator who may read.
///
/// # Errors
/// [`Error::NotFound`] where nothing watches, or no secret may read; then as for [`administrator`], and those of [`Administrator::require`].
pub fn may_read_metrics(
    policy: &Policy,
    failures: &Failures<'_>,
    request: &Request<'_>,
    now: UnixMillis,
) -> Result<(), Error> {
    let watch = policy.watch.as_ref().ok_or(Error::NotFound)?;
    if watch.metrics.is_none() && policy.admin.is_none() {
        return Err(Error::NotFound);
    }
    let given = presented(request)?;
    let mut administrator = None;
    failures.secret(request.client_ip, now, || {
        // All are compared, so that time does not tell which it is like.
        administrator = policy.admin.as_ref().and_then(|admin| admin.holder_of(given.as_bytes()));
        let reads = watch.metrics.as_ref().is_some_and(|secret| secret.matches(given.as_bytes()));
        reads | administrator.is_some()
    })?;
    administrator.map_or(Ok(()), |administrator| administrator.require(Role::Read))
}
