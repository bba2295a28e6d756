//! What a decision leaves to be done for sessions: behind the answer, and on it.

use std::rc::Rc;

use worker::{Context, Env};

use super::{
    background, clock, deadline, fault, gate::Gate, objects::session_stub, session_cookies,
};
use edgegate::{
    guard::{SessionNote, session::notices::entry_of},
    http::reply::Fields,
    session::{
        ObjectName,
        record::Notice,
        step::{Acknowledge, Confirm, Step},
    },
};

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
}

async fn confirm(gate: &Gate, env: &Env, object: ObjectName, seen: Confirm) {
    // What is not told is told by a later request.
    let told = session_stub::apply(env, &object, &Step::Confirm(seen), deadline::STORE).await;
    if let Ok(outcome) = told {
        gate.memory.sessions.known.note_told(&seen, &outcome, clock::now());
    }
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
