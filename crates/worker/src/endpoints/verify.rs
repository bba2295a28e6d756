//! `GET /auth/verify`: another proxy asks whether it may let a request through.

use web_sys::Response;

use crate::reply;
use edgegate::{
    guard::{Decision, Identity},
    http::reply::{Fields, IDENTITY_FIELDS, identity_fields, limit_fields},
    policy::Policy,
};

/// The answer for an admitted request: 200, no body, and the identity for the proxy to pass on.
///
/// A proxy that copies these headers overwrites what the client sent under the same names only for
/// those that are there, so an identity without a subject answers with an empty one.
pub(crate) fn admitted(
    identity: &Identity,
    decision: &Decision,
    policy: &Policy,
) -> worker::Result<Response> {
    let mut fields: Fields = IDENTITY_FIELDS.map(|name| (name, String::new())).into();
    fields.extend(identity_fields(identity));
    fields.extend(limit_fields(&decision.limits, policy.legacy_headers));
    reply::empty_with(200, &fields)
}
