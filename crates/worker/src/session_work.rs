//! What a decision leaves to be done for sessions: behind the answer, and on it.

use core::time::Duration;
use std::rc::Rc;

use worker::{Context, Delay, Env};

use super::{
    background, clock, deadline, fault, gate::Gate, objects::session_stub, session_cookies,
};
use edgegate::{
    guard::{
        SessionNote,
        session::{NOT_ENDED_YET, notices::entry_of},
    },
    http::reply::Fields,
    session::{
        ObjectName,
        record::Notice,
        step::{Acknowledge, Confirm, End, Step},
    },
};

/// How long is waited before a subject's object is asked once more to end sessions, in milliseconds: as long as the platform lets work go on
/// behind an answer.
const PAUSES: [u64; 4] = [500, 2_000, 5_000, 12_000];

/// Does what a decision leaves to be done behind the answer: tells the log and the object, and makes known what has ended.
#[inline(never)]
pub(super) fn work_off(gate: &Rc<Gate>, (env, context): (&Env, &Context), note: &SessionNote) {
    note.events.iter().for_each(|event| fault::report(event.told()));
    if let Some((object, seen)) = note.confirm {
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move { confirm(&gate, &env, object, seen).await });
    }
    if let Some((object, notices)) = note.notices.clone() {
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move { deliver(&gate, &env, object, notices).await });
    }
    if let Some((object, end)) = note.end.clone() {
        fault::report(NOT_ENDED_YET);
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move { end_again(&gate, &env, object, end).await });
    }
}

async fn confirm(gate: &Gate, env: &Env, object: ObjectName, seen: Confirm) {
    // What is not told is told by a later request.
    let told = session_stub::apply(env, &object, &Step::Confirm(seen), deadline::STORE).await;
    if let Ok(outcome) = told {
        gate.memory.sessions.known.note_told(&seen, &outcome, clock::now());
    }
}

async fn end_again(gate: &Gate, env: &Env, object: ObjectName, end: End) {
    let step = Step::End(end);
    for pause in PAUSES {
        Delay::from(Duration::from_millis(pause)).await;
        let ended = session_stub::apply(env, &object, &step, deadline::STORE).await;
        if let Ok(outcome) = ended {
            gate.memory.sessions.known.note_ended(&outcome.ended, clock::now());
            return deliver(gate, env, object, outcome.notices).await;
        }
    }
    fault::report("sessions: some were not ended although what ends them is done");
}

/// If it fails, the object does it.
async fn deliver(gate: &Gate, env: &Env, object: ObjectName, notices: Vec<Notice>) {
    let Some(own) = &gate.policy.sessions else { return };
    let entries = notices.iter().filter_map(|notice| entry_of(own, notice)).collect();
    if gate.revoke_all(env, entries).await.is_ok() {
        let step = Step::Acknowledge(Acknowledge { notices });
        drop(session_stub::apply(env, &object, &step, deadline::STORE).await);
    }
}

/// The fields of an answer that begins now: both cookies, where the note has them.
pub(super) fn cookie_fields(note: &SessionNote, gate: &Gate) -> Fields {
    session_cookies::fields(note.set_cookies(&gate.memory.sessions.known, clock::now()))
}
