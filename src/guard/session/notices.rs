//! What has ended is made known where revocations are kept, and then acknowledged. Until then the subject's writer repeats it.

use crate::{
    error::Error,
    guard::{Backend, Sessions, backend::unavailable, revocation},
    policy::{Policy, RevocationMode, SessionPolicy},
    revocation::{Entry, Revocable, Target},
    session::{
        ObjectName, SessionId,
        record::{LoginRow, NOTICE_MARGIN_SECS, Notice},
        step::{Acknowledge, End, Grant, Outcome, Step, Which},
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
        login: None,
        kid: None,
        issued_at: None,
    };
    let mode = policy.revocation.map(|policy| policy.mode).unwrap_or_default();
    let at = (backend.digests(), now);
    let found = revocation::check(policy, backend.revocations(), &credential, mode, at).await;
    found.verdict.map_err(|error| match error {
        Error::TokenRevoked { .. } => Error::SessionEnded,
        fault => fault,
    })
}

/// Whether the provider has ended the session of its own that these tokens come of. Where there is a ledger, it is asked itself.
pub(super) async fn is_ended_at_provider<B: Backend>(
    (policy, own, backend): (&Policy, &SessionPolicy, &B),
    login: Option<&LoginRow>,
    now: UnixMillis,
) -> Result<bool, Error> {
    let Some(session) = login.and_then(|login| login.session) else { return Ok(false) };
    let session = session.to_string();
    let credential = Revocable::Token {
        iss: &own.issuer,
        jti: None,
        sub: None,
        sid: None,
        login: Some(&session),
        kid: None,
        issued_at: Some(now.to_unix_time()),
    };
    let mode = if policy.needs_ledger() { RevocationMode::Ledger } else { RevocationMode::Entries };
    let at = (backend.digests(), now);
    let found = revocation::check(policy, backend.revocations(), &credential, mode, at).await;
    match found.verdict {
        Ok(()) => Ok(false),
        Err(Error::TokenRevoked { by }) => Ok(by == "session"),
        Err(fault) => Err(fault),
    }
}

/// Ends a session where the provider has ended the one that it came of. Its access tokens say of which one that is, and are refused by
/// themselves; fresh ones are made by a refresh alone.
///
/// # Errors
/// [`Error::SessionEnded`], [`Error::StoreUnavailable`].
pub(super) async fn follow_provider<B: Backend>(
    (policy, own, backend): (&Policy, &SessionPolicy, &B),
    (object, grant): (ObjectName, &Grant),
    now: UnixMillis,
) -> Result<(), Error> {
    let login = grant.opening.login.as_ref();
    if !is_ended_at_provider((policy, own, backend), login, now).await? {
        return Ok(());
    }
    backend.sessions().memory().note_ended(&[grant.id], now);
    // What fails here is found again by the next refresh.
    let step = Step::End(End::of(Which::One, grant.id));
    let _ = apply(own, backend, (object, &step), now).await;
    Err(Error::SessionEnded)
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
