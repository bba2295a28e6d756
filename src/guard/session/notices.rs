//! What has ended is made known where revocations are kept, and then acknowledged. Until then the subject's writer repeats it.

use crate::{
    error::Error,
    guard::{Backend, Sessions, backend::unavailable},
    policy::SessionPolicy,
    revocation::{Entry, Target},
    session::{
        ObjectName,
        record::Notice,
        step::{Acknowledge, Outcome, Step},
    },
    store::{
        RevocationStore as _,
        sessions::{Patience, SessionStore as _},
    },
    time::UnixMillis,
};

/// The entry of a notice.
#[must_use]
pub fn entry_of(own: &SessionPolicy, notice: &Notice) -> Option<Entry> {
    let iss = own.issuer.clone();
    let target = match (notice.sid, &notice.sub) {
        (Some(sid), _) => Target::Session { iss, sid: sid.to_string() },
        (None, Some(sub)) => Target::Subject { iss, sub: sub.clone() },
        (None, None) => return None,
    };
    Some(Entry::of_gate(target, notice.before, notice.until, notice.created_at))
}

/// Writes the entries, then acknowledges. From now on the tokens are refused within the bound of the policy's mode.
///
/// # Errors
/// [`Error::StoreUnavailable`]: they may be written or not, and are written again.
pub async fn deliver<B: Backend>(
    own: &SessionPolicy,
    backend: &B,
    (object, notices): (ObjectName, Vec<Notice>),
    now: UnixMillis,
) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    let entries: Vec<Entry> = notices.iter().filter_map(|notice| entry_of(own, notice)).collect();
    let written = backend.revocations().revoke_all(entries, now).await;
    written.map_err(|fault| unavailable("revocation", &fault))?;
    // That they are written is what counts. What is not acknowledged is written again.
    let step = Step::Acknowledge(Acknowledge { notices });
    let store = backend.sessions().store();
    store.apply(&object, &step, Patience::Usual).await.map(drop).or(Ok(()))
}

/// Takes a step that may end something, and makes it known; whether it is known.
pub(super) async fn apply<B: Backend>(
    own: &SessionPolicy,
    backend: &B,
    (object, step): (ObjectName, &Step),
    now: UnixMillis,
) -> Result<(Outcome, bool), Error> {
    let sessions = backend.sessions();
    let outcome = sessions.store().apply(&object, step, Patience::Usual).await;
    let outcome = outcome.map_err(|fault| unavailable("sessions", &fault))?;
    sessions.memory().note_ended(&outcome.ended, now);
    let notices = (object, outcome.notices.clone());
    let known = deliver(own, backend, notices, now).await.is_ok();
    Ok((outcome, known))
}
