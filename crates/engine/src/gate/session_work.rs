//! What is done with sessions beside checks: what answers have left, and what an application asks by `gate.sessions`.

use std::rc::Rc;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::accounts::GateAccounts;
use super::backend::Gate;
use super::grants;
use super::late::{self, Late, LateStep};
use super::task::{HostJobs, Job, Outcome};
use edgegate::error::Error;
use edgegate::guard::accounts::Accounts as _;
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::session::{NOT_ENDED_YET, notices};
use edgegate::guard::{Event, Request, SessionNote};
use edgegate::session::ObjectName;
use edgegate::session::record::Device;
use edgegate::session::step::{End, Step, Which};
use edgegate::store::key_ring::RingReader as _;
use edgegate::store::sessions::{Patience, SessionStore as _};

/// Takes what a decision leaves to be done: tells the log at once, the rest once the answer is out.
pub(super) fn work_off(gate: &Gate, jobs: &HostJobs, note: &SessionNote) {
    if note.is_done() {
        return;
    }
    for event in &note.events {
        let event = Event::fault(event.told()).at(jobs.now());
        jobs.tell(&Job::Note { event });
    }
    let confirm = note.confirm.map(|(object, seen)| Late::Confirm(object, seen));
    let deliver = note.notices.clone().map(|(object, notices)| Late::Deliver(object, notices));
    let end = note.end.clone().map(|(object, end)| {
        let event = Event::fault(NOT_ENDED_YET).at(jobs.now());
        jobs.tell(&Job::Note { event });
        Late::End(object, end)
    });
    late::do_later(&gate.late, jobs, confirm.into_iter().chain(deliver).chain(end));
}

/// How many providers are told at once of what has ended.
const TOLD_AT_ONCE: usize = 6;

/// Does what answers have left.
///
/// # Errors
/// None: what fails is done by a later request.
pub(super) async fn do_late(gate: Rc<Gate>, jobs: Rc<HostJobs>) -> Result<Outcome, Error> {
    let all = core::mem::take(&mut *gate.late.borrow_mut());
    let sessions = gate.sessions(&jobs);
    let mut ended = Vec::new();
    for one in all {
        match one {
            Late::Confirm(object, seen) => {
                let step = Step::Confirm(seen);
                if let Ok(outcome) = sessions.apply(&object, &step, Patience::Usual).await {
                    gate.memory.sessions.note_told(&seen, &outcome, jobs.now());
                }
            }
            // If it fails, the guess counts.
            Late::Account(LateStep { shard, step }) => {
                let accounts = GateAccounts { gate: &gate, jobs: &jobs };
                drop(accounts.apply(shard, step).await);
            }
            // Providers are slow: they come last, side by side.
            Late::Revoke(revocation) => ended.push(revocation),
            // A failure is in the log already.
            Late::ReadRing(asked_at) => drop(sessions.read(asked_at).await),
            Late::End(object, end) => {
                if end_again(&gate, &jobs, object, end.clone()).await.is_err() {
                    // The next request that leaves something does it again.
                    gate.late.borrow_mut().push(Late::End(object, end));
                }
            }
            Late::Deliver(object, notices) => {
                let Some(own) = &gate.policy.sessions else { continue };
                let backend = gate.backend(&jobs);
                drop(notices::deliver(own, &backend, (object, notices), jobs.now()).await);
            }
        }
    }
    for some in ended.chunks(TOLD_AT_ONCE) {
        join_all(some.iter().map(|one| grants::revoke(&gate, &jobs, one))).await;
    }
    Ok(Outcome { text: "null".to_owned(), claims: None })
}

async fn end_again(
    gate: &Gate,
    jobs: &HostJobs,
    object: ObjectName,
    end: End,
) -> Result<(), Error> {
    let request = Request::bare("POST", "/");
    let backend = gate.backend(jobs);
    Endpoints::new(&gate.policy, &backend, &request, jobs.now())?.end_again(object, end).await
}

/// What `gate.sessions` asks for. `body` is the body that the Worker's endpoint takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Sessions {
    Open { body: Box<RawValue>, agent: Option<String>, network: Option<String> },
    List { subject: String },
    End { subject: String, id: String },
    EndOthers { subject: String, id: String },
    EndAll { subject: String },
    Narrow { id: String, body: Box<RawValue> },
    Disable { body: Box<RawValue> },
    Enable { body: Box<RawValue> },
    Forget { subject: String },
}

pub(super) async fn administer(
    gate: Rc<Gate>,
    asked: Sessions,
    jobs: Rc<HostJobs>,
) -> Result<Outcome, Error> {
    let policy = &gate.policy;
    if policy.sessions.is_none() {
        let problem = "the policy has none, so there is nothing to administer";
        return Err(Error::config("sessions", problem));
    }
    // An application asks, not a caller.
    let request = Request::bare("POST", "/");
    let backend = gate.backend(&jobs);
    let endpoints = Endpoints::new(policy, &backend, &request, jobs.now())?;
    let answer = match asked {
        Sessions::Open { body, agent, network } => {
            let device = Device { agent, country: None, network };
            endpoints.open(body.get().as_bytes(), device).await?
        }
        Sessions::List { subject } => endpoints.list_of(&subject).await?,
        Sessions::End { subject, id } => endpoints.end_for(&subject, Which::One, &id).await?,
        Sessions::EndOthers { subject, id } => {
            endpoints.end_for(&subject, Which::Others, &id).await?
        }
        Sessions::EndAll { subject } => endpoints.end_all_of(&subject).await?,
        Sessions::Narrow { id, body } => endpoints.narrow(&id, body.get().as_bytes()).await?,
        Sessions::Disable { body } => endpoints.disable(body.get().as_bytes()).await?,
        Sessions::Enable { body } => endpoints.enable(body.get().as_bytes()).await?,
        Sessions::Forget { subject } => {
            // Sessions first: without one nobody connects an account. Should the grants fail, the whole can be asked again.
            let answer = endpoints.forget(&subject).await?;
            grants::forget(&gate, &jobs, &subject).await?;
            answer
        }
    };
    let Answer { body, note, .. } = answer;
    work_off(&gate, &jobs, &note);
    let text = if body.is_empty() { "null".to_owned() } else { body };
    Ok(Outcome { text, claims: None })
}
