//! Lines of the event log about requests. Other faults: `fault.rs`.

use super::{clock, request::RequestParts};
use edgegate::{
    error::Error,
    guard::{AccountEvent, AskedBy, Decision, Event, PassedOn},
    policy::Policy,
    time::UnixMillis,
};

/// Writes a decision, if the policy wants it logged.
pub(crate) fn decision(policy: &Policy, parts: &RequestParts<'_>, decision: &Decision) {
    if Event::is_wanted(policy.log, decision) {
        write(Event::of(policy.log, &parts.as_request(), decision, clock::now()));
    }
}

/// Writes the refusal of an admitted request whose upstream failed, if the policy wants it logged.
pub(crate) fn failure(request: &PassedOn<'_>, fault: &Error, now: UnixMillis) {
    write(request.failed(fault, now));
}

/// Writes what an administrator, by the name of its secret, did or failed to do, unless nothing is logged at all. The path names ids, never a key or a
/// token. A fault that came half-way says what was done before it.
pub(crate) fn administration(
    policy: &Policy,
    (parts, actor): (&RequestParts<'_>, &str),
    done: (u16, Option<&Error>),
) {
    let request = parts.as_request();
    write(Event::of_administration(policy.log, (&request, actor), done, clock::now()));
}

/// Writes what has become of an account, unless nothing is logged at all.
pub(crate) fn account(
    policy: &Policy,
    parts: &RequestParts<'_>,
    (by, done): (AskedBy<'_>, &AccountEvent),
) {
    write(Event::of_account(policy.log, &parts.as_request(), by, done, clock::now()));
}

fn write(event: Option<Event<'_>>) {
    if let Some(event) = event {
        worker::console_log!("{}", event.line());
    }
}
