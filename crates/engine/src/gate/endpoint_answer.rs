//! How what an endpoint has done is told: its answer, its refusal, and a preflight.

use super::backend::Gate;
use super::decision::Asked;
use super::own_endpoint::{More, OwnAnswer, cookie_fields};
use super::session_work;
use super::task::{HostJobs, Job};
use super::watch_work;
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::session::endpoints::Answer;
use edgegate::guard::{Decision, Event, Request, SessionNote};
use edgegate::http::cors;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::http::session_endpoints::{answer_fields, carrier_of};
use edgegate::policy::Cors;

/// A request for an endpoint.
pub(super) type Call<'a> = (&'a Asked, &'a Request<'a>, &'a More<'a>);

/// What a preflight of an endpoint is told, of which other pages may read the answers so.
pub(super) fn preflight(asked: &Asked, request: &Request<'_>, cors: Option<&Cors>) -> OwnAnswer {
    let origin = asked.get(Field::Origin);
    let asked_for = cors.and_then(|_| asked.get(Field::RequestedHeaders));
    let mut headers = reply::preflight_fields();
    headers.extend(cors::preflight_fields(cors, origin, request.preflight, asked_for));
    OwnAnswer { status: reply::PREFLIGHT_STATUS, headers, body: String::new() }
}

/// A refusal of an endpoint.
pub(super) struct Refused {
    pub(super) error: Error,
    /// The endpoint in the event log.
    pub(super) logged: String,
    /// Whether it is one of OAuth's, which has a form of its own and counts for no address.
    pub(super) is_oauth: bool,
    /// A number for the name that somebody tried to log in by.
    pub(super) tried: Option<u64>,
}

/// Notes a decision for the log, and for the watch.
pub(super) fn noted(gate: &Gate, request: &Request<'_>, decision: &Decision, jobs: &HostJobs) {
    if let Some(event) = Event::of(gate.policy.log, request, decision, jobs.now()) {
        jobs.tell(&Job::Note { event });
    }
    watch_work::note(gate, request, decision, jobs);
}

/// Notes a refusal, and what it leaves to be done; returns its answer.
pub(super) fn refusal(
    gate: &Gate,
    (asked, request): (&Asked, &Request<'_>),
    Refused { error, logged, is_oauth, tried }: Refused,
    (note, mut fields): (SessionNote, Fields),
    jobs: &HostJobs,
) -> OwnAnswer {
    let policy = &gate.policy;
    session_work::work_off(gate, jobs, &note);
    fields.extend(cookie_fields(gate, &note, jobs));
    let carrier = carrier_of(request.authorization);
    let error = if is_oauth {
        error
    } else {
        gate.memory.failures(policy).count(error, request.client_ip, jobs.now())
    };
    let refused = Decision::refused(error.clone(), carrier, &logged);
    let decision = Decision { session: note, tried, ..refused };
    noted(gate, request, &decision, jobs);
    let refusal = if is_oauth {
        Refusal::oauth(&error, request.authorization.is_some()).into()
    } else {
        OwnAnswer::refused(&error, carrier, asked)
    };
    fields.extend(refusal.headers);
    OwnAnswer { headers: fields, ..refusal }
}

pub(super) fn written(
    gate: &Gate,
    answer: &Answer,
    mut fields: Fields,
    jobs: &HostJobs,
) -> OwnAnswer {
    session_work::work_off(gate, jobs, &answer.note);
    let mut headers = answer_fields(answer);
    headers.append(&mut fields);
    headers.extend(cookie_fields(gate, &answer.note, jobs));
    OwnAnswer { status: answer.status, headers, body: answer.body.clone() }
}
