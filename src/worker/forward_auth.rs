//! `GET /auth/verify`: another proxy asks whether it may let a request through.

use web_sys::Response;

use super::{headers, reply};
use crate::{
    guard::{Decision, Identity, reply::IDENTITY_FIELDS},
    policy::Policy,
};

/// The answer for an admitted request: 200, no body, and the identity for the proxy to pass on.
///
/// A proxy that copies these headers overwrites what the client sent under the same names only for
/// those that are there, so an identity without a subject answers with an empty one.
pub(super) fn admitted(
    identity: &Identity,
    decision: &Decision,
    policy: &Policy,
) -> worker::Result<Response> {
    let answer = reply::empty(200)?;
    let headers = answer.headers();
    for name in IDENTITY_FIELDS {
        headers.set(name, "")?;
    }
    headers::set_identity(&headers, identity)?;
    headers::set_limits(&headers, &decision.limits, policy.legacy_headers)?;
    Ok(answer)
}
