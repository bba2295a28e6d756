//! The gate's own answers. [`edgegate::http::reply`] decides what a refusal says.

use serde::Serialize;
use web_sys::{Request, Response};

use super::{host, request::header};
use edgegate::{
    error::Error,
    guard::Carrier,
    http::reply::{self, Fields},
    policy::{Policy, is_https},
};

const NOT_STORED: (&str, &str) = ("Cache-Control", "no-store");

/// The answer to a refused request, in the form it asks for. `carrier` is how the refused credential came.
pub(super) fn refusal(
    request: &Request,
    error: &Error,
    carrier: Option<Carrier>,
) -> worker::Result<Response> {
    refusal_with(request, error, carrier, Vec::new())
}

/// The same with more fields.
pub(super) fn refusal_with(
    request: &Request,
    error: &Error,
    carrier: Option<Carrier>,
    more: Vec<(&str, &str)>,
) -> worker::Result<Response> {
    let accept = header(&request.headers(), "Accept");
    let refusal = reply::Refusal::new(error, carrier, accept.as_deref());
    let fields = lent(&refusal.fields).chain(more);
    host::respond(refusal.status, fields, Some(&refusal.body))
}

/// A JSON answer of the gate's own endpoints.
pub(super) fn json<T: Serialize>(status: u16, value: &T) -> worker::Result<Response> {
    json_with(status, value, [])
}

/// The same with more fields.
pub(super) fn json_with<'a, T: Serialize>(
    status: u16,
    value: &T,
    more: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<Response> {
    let own = [("Content-Type", "application/json"), NOT_STORED];
    let body = reply::json_line(value);
    host::respond(status, own.into_iter().chain(more), Some(&body))
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> worker::Result<Response> {
    empty_with(status, [])
}

/// The same with more fields.
pub(super) fn empty_with<'a>(
    status: u16,
    more: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<Response> {
    host::respond(status, [NOT_STORED].into_iter().chain(more), None)
}

/// An answer of which everything is given.
pub(super) fn whole(status: u16, fields: &Fields, body: &str) -> worker::Result<Response> {
    host::respond(status, lent(fields), (!body.is_empty()).then_some(body))
}

/// What the policy adds to the answer to every request, this one with that URL.
pub(super) fn security_fields(policy: &Policy, url: &str) -> Fields {
    reply::security_fields(&policy.security_headers, is_https(url))
}

/// The gate's own answer with those of them that it does not have.
pub(super) fn secured(
    answer: Response,
    policy: &Policy,
    request: &Request,
) -> worker::Result<Response> {
    if !policy.security_headers.is_nothing() {
        host::complete(&answer, lent(&security_fields(policy, &request.url())))?;
    }
    Ok(answer)
}

/// The answer to a CORS preflight that goes no further.
pub(super) fn preflight(more: &Fields) -> worker::Result<Response> {
    let fields = reply::preflight_fields();
    host::respond(reply::PREFLIGHT_STATUS, lent(&fields).chain(lent(more)), None)
}

/// Fields as an answer takes them.
pub(super) fn lent(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str()))
}
