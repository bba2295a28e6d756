//! Lines of the event log about requests. Other faults: `fault.rs`.

use serde::Serialize;

use super::{
    clock,
    request::{self, RequestParts},
};
use edgegate::{
    error::Error,
    guard::{Decision, Event},
    policy::{Log, Policy},
    time::UnixMillis,
};

/// Writes a decision, if the policy wants it logged.
pub(crate) fn decision(policy: &Policy, parts: &RequestParts<'_>, decision: &Decision) {
    let request = parts.as_request();
    if let Some(event) = Event::of(policy.log, &request, decision, clock::now()) {
        match serde_json::to_string(&event) {
            Ok(line) => worker::console_log!("{line}"),
            Err(fault) => worker::console_error!("event not written: {fault}"),
        }
    }
}

/// A line of the event log.
#[derive(Serialize)]
struct Administered<'a> {
    event: &'a str,
    at: UnixMillis,
    method: &'a str,
    path: &'a str,
    status: u16,
    /// Why the request was not done, or not wholly.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    client: String,
}

/// Writes what an administrator did or failed to do, unless nothing is logged at all. The path names ids, never a key or a
/// token. A fault that came half-way says what was done before it.
pub(crate) fn administration(
    policy: &Policy,
    parts: &RequestParts<'_>,
    status: u16,
    fault: Option<&Error>,
) {
    if policy.log != Log::None {
        let line = Administered {
            event: "administered",
            at: clock::now(),
            method: parts.method,
            path: request::path_of(parts.target),
            status,
            code: fault.map(|error| error.code().as_str()),
            detail: fault.map(ToString::to_string),
            client: parts.as_request().client(),
        };
        worker::console_log!("{}", serde_json::to_string(&line).unwrap_or_default());
    }
}
