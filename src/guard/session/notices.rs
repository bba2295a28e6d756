//! What has ended is made known where revocations are kept, and then acknowledged. Until then the subject's writer repeats it.

use crate::{
    error::Error,
    guard::{Backend, Sessions, backend::unavailable, revocation},
    policy::{Policy, SessionPolicy},
    revocation::{Entry, Revocable, Target},
    session::{
        ObjectName, SessionId,
        record::{NOTICE_MARGIN_SECS, Notice},
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

/// Where no alarm makes it up: the revocations of sessions that are about to end.
pub(super) async fn revoke_first<B: Backend>(
    own: &SessionPolicy,
    backend: &B,
    sessions: impl Iterator<Item = SessionId>,
    now: UnixMillis,
) -> Result<(), Error> {
    let time = now.to_unix_time();
    let secs = u64::from(own.terms.access_secs).saturating_add(NOTICE_MARGIN_SECS);
    let entries = sessions.map(|sid| {
        let target = Target::Session { iss: own.issuer.clone(), sid: sid.to_string() };
        Entry::of_gate(target, None, time.saturating_add(secs), time)
    });
    let written = backend.revocations().revoke_all(entries.collect(), now).await;
    written.map_err(|fault| unavailable("revocation", &fault))
}

/// Where no alarm makes it up: whether a session was revoked, and its row is still there since the process died in between.
pub(super) async fn ask_first<B: Backend>(
    policy: &Policy,
    own: &SessionPolicy,
    backend: &B,
    session: SessionId,
    now: UnixMillis,
) -> Result<(), Error> {
    if backend.sessions().has_alarm() {
        return Ok(());
    }
    let sid = session.to_string();
    let credential = Revocable::Token {
        iss: &own.issuer,
        jti: None,
        sub: None,
        sid: Some(&sid),
        kid: None,
        issued_at: None,
    };
    let mode = policy.revocation.map(|policy| policy.mode).unwrap_or_default();
    let found = revocation::check(policy, backend.revocations(), &credential, mode, now).await;
    found.verdict.map_err(|error| match error {
        Error::TokenRevoked { .. } => Error::SessionEnded,
        fault => fault,
    })
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
