//! Answers of the gate's own. What a refusal says is [`crate::guard::reply`]'s to say.

use serde::Serialize;
use web_sys::{Headers, Request, Response, ResponseInit};

use super::{facts::header, headers};
use crate::{
    error::Error,
    guard::{Carrier, reply},
};

/// The answer to a refused request, in the form it asks for. `carrier` is how the refused credential came.
pub(super) fn refusal(
    request: &Request,
    error: &Error,
    carrier: Option<Carrier>,
) -> worker::Result<Response> {
    let accept = header(&request.headers(), "Accept");
    let refusal = reply::Refusal::new(error, carrier, accept.as_deref());
    let headers = Headers::new()?;
    headers::set(&headers, &refusal.fields)?;
    response(refusal.status, Some(&refusal.body), &headers)
}

/// A JSON answer of the gate's own endpoints.
pub(super) fn json<T: Serialize>(status: u16, value: &T) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Content-Type", "application/json")?;
    headers.set("Cache-Control", "no-store")?;
    response(status, Some(&reply::json_line(value)), &headers)
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Cache-Control", "no-store")?;
    response(status, None, &headers)
}

pub(super) fn response(
    status: u16,
    body: Option<&str>,
    headers: &Headers,
) -> worker::Result<Response> {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    Ok(Response::new_with_opt_str_and_init(body, &init)?)
}
