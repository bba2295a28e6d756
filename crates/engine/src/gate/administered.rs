//! Administration over HTTP, for `gate.handle`: who is let in, and what is written of what was done, as
//! `crates/worker/src/endpoints/admin.rs` does it.

use super::backend::Gate;
use super::decision::Asked;
use super::endpoint_answer::noted;
use super::own_endpoint::OwnAnswer;
use super::task::{HostJobs, Job};
use super::watch_work;
use edgegate::error::Error;
use edgegate::guard::{Carrier, Decision, Event, Request};

/// The path of administration in the event log, whatever the prefix and the endpoint.
pub(super) const LOGGED_AS: &str = "/auth/admin";

/// What a request for administration brings, for the challenge of a refusal.
pub(super) fn carrier_of(request: &Request<'_>) -> Option<Carrier> {
    request.authorization.map(|_| Carrier::Bearer)
}

/// The answer to whoever has no secret for it. It is noted as any other refusal.
pub(super) fn shut_out(
    gate: &Gate,
    (asked, request): (&Asked, &Request<'_>),
    (error, logged): (Error, &str),
    jobs: &HostJobs,
) -> OwnAnswer {
    let carrier = carrier_of(request);
    let decision = Decision::refused(error, carrier, logged);
    noted(gate, request, &decision, jobs);
    let error = decision.outcome.err().unwrap_or(Error::NotFound);
    OwnAnswer::refused(&error, carrier, asked)
}

/// Notes what an administrator has done, or was refused. `is_told` says whether the watch hears of it.
pub(super) fn note(
    gate: &Gate,
    who: (&Request<'_>, &str),
    done: (u16, Option<&Error>),
    is_told: bool,
    jobs: &HostJobs,
) {
    if let Some(event) = Event::of_administration(gate.policy.log, who, done, jobs.now()) {
        jobs.tell(&Job::Note { event });
    }
    if is_told {
        watch_work::note_administration(gate, who, done, jobs);
    }
}
