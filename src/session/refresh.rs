//! The refresh step and the confirmation, which make the guarantee: nobody is logged out by lost answers, tabs, phones or clocks; a
//! copied session ends at the second holder's first refresh after the other's generation was seen in use for 30 s.
//!
//! | the token is | its successor | then |
//! |---|---|---|
//! | of this generation, made and last given again more than 30 s ago, or the first | – | the next generation |
//! | of this generation, younger | – | the same refresh token, a fresh access token |
//! | one behind | not seen in use | the byte-identical successor, a fresh access token |
//! | one behind, in a cookie, its successor made or given again less than 120 s ago | seen in use | refused; nothing ends |
//! | two behind, in a cookie, the one behind made or given again less than 120 s ago | – | the same |
//! | one behind, or older | seen in use | the session ends |
//! | of a login that is `recheck_secs` old, or with a provider that the policy has no more | – | the session ends |
//! | ahead | – | the store was put back: the row moves up, and goes on |
//! | the first, without the key that another has bound by the first proof | – | the session ends |
//!
//! Client, key, scopes and audience are compared before anything moves.

use super::{
    id::SessionId,
    record::SessionRow,
    scopes::are_held,
    state::{Paces, SubjectState},
    step::{Carried, Confirm, Outcome, REFRESH_PACE, Refresh, Refused, Reuse, SessionEvent},
};
use crate::time::{UnixMillis, UnixTime};

/// How long a generation has to be in use before it counts as having arrived: an application may use the new access token and be
/// killed before it has saved the new refresh token.
pub const CONFIRM_SECS: u64 = 30;

/// How long a generation is not rotated again, so that a tab or an interceptor that refreshes twice is never two behind.
const MIN_AGE_SECS: u64 = CONFIRM_SECS;

/// How far apart repeats have to be to be counted.
const REPEAT_GAP_SECS: u64 = 30;

/// From so many repeats on, any use of an access token confirms: else whoever repeats keeps the window open for ever.
pub const MAX_REPEATS: u32 = 3;

/// How long a cookie may have been on its way.
const STRAGGLER_SECS: u64 = 120;

/// What the comparison of generations comes to.
enum Finding {
    Rotate,
    Same,
    Repeat,
    Superseded,
    Theft,
    Ahead,
}

impl SubjectState {
    pub(super) fn refresh(
        &mut self,
        step: &Refresh,
        paces: &mut Paces,
        now: UnixMillis,
    ) -> Outcome {
        let time = now.to_unix_time();
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        let Some(row) = self.sessions.get_mut(&step.id) else {
            return Outcome::refused(Refused::Ended);
        };
        if row.salt != step.salt {
            // Genuine by its tag, and never issued: it must not end anything.
            let events = vec![SessionEvent::SaltDiffers];
            return Outcome { events, ..Outcome::refused(Refused::NeverIssued) };
        }
        if let Some(refused) = refused_before_all(row, step) {
            if refused == Refused::Key && row.bound_by_proof && step.generation == 0 {
                return self.end_reused(step.id, time);
            }
            // Without the key of a bound session, somebody else has its token.
            let shared = (refused == Refused::Key).then_some(SessionEvent::RefreshShared);
            let events = shared.into_iter().collect();
            return Outcome { events, ..Outcome::refused(refused) };
        }
        if row.ends_at(&step.terms) <= time {
            let mut outcome = Outcome::refused(Refused::Ended);
            self.expire(step.id, time, &mut outcome);
            return outcome;
        }
        if is_of_no_provider(row, step) {
            let mut outcome = Outcome::refused(Refused::Ended);
            self.end_one(step.id, time, &mut outcome);
            return outcome;
        }
        if !paces.take(step.id, REFRESH_PACE, now) {
            return Outcome::refused(Refused::TooFast);
        }
        let mut outcome = Outcome::default();
        let given_at = given_at(row, paces);
        let changed = match find(row, step, (given_at, time)) {
            Finding::Theft => return self.end_reused(step.id, time),
            Finding::Superseded => return Outcome::refused(Refused::Superseded),
            Finding::Rotate => {
                rotate(row, step, (given_at, time));
                true
            }
            Finding::Ahead => {
                row.generation = step.generation;
                rotate(row, step, (given_at, time));
                outcome.events.push(SessionEvent::StoreBehind);
                true
            }
            Finding::Same => see(row, step, time),
            Finding::Repeat => {
                if row.place.is_some() && step.place.is_some() && row.place != step.place {
                    outcome.events.push(SessionEvent::RefreshShared);
                }
                paces.note_given_again(step.id, time);
                let counted = count_repeat(row, time);
                see(row, step, time) || counted
            }
        };
        self.changed |= changed;
        let mut grant = self.grant(step.id, &step.terms, time);
        if let Some(grant) = &mut grant {
            if let Some(scopes) = &step.scopes {
                grant.opening.scopes = scopes.iter().map(|asked| asked.scope.clone()).collect();
            }
            if let Some(audience) = &step.audience {
                grant.opening.audience.clone_from(audience);
            }
        }
        Outcome { grant: grant.map(Box::new), ..outcome }
    }

    /// Somebody has a copy.
    fn end_reused(&mut self, id: SessionId, now: UnixTime) -> Outcome {
        let events = vec![SessionEvent::RefreshReused];
        let mut outcome = Outcome { events, ..Outcome::refused(Refused::Reused) };
        self.end_one(id, now, &mut outcome);
        outcome
    }

    pub(super) fn confirm(&mut self, step: &Confirm, now: UnixTime) -> Outcome {
        let Some(row) = self.sessions.get_mut(&step.id) else {
            return Outcome::refused(Refused::Ended);
        };
        let mut outcome = Outcome { confirmed: true, ..Outcome::default() };
        if row.generation != step.generation || row.confirmed {
            // Over, or known: there is nothing to tell again.
            return outcome;
        }
        // By the clock that has set `iat`. What an isolate thinks of its age counts for nothing.
        if now.secs_since(step.iat) >= CONFIRM_SECS || step.repeats >= MAX_REPEATS {
            row.confirmed = true;
            self.changed = true;
        } else {
            outcome.confirmed = false;
        }
        outcome
    }
}

/// What is compared before anything moves.
fn refused_before_all(row: &SessionRow, step: &Refresh) -> Option<Refused> {
    if row.opening.client != step.client {
        return Some(Refused::OtherClient);
    }
    if row.opening.jkt.is_some() && row.opening.jkt != step.jkt {
        return Some(Refused::Key);
    }
    let scopes = step.scopes.as_deref().unwrap_or_default();
    let audience = step.audience.as_deref().unwrap_or_default();
    // An empty audience stands for all of the policy's, of which the edge has taken some.
    let within = row.opening.audience.is_empty()
        || audience.iter().all(|one| row.opening.audience.contains(one));
    if !are_held(&row.opening.scopes, scopes) {
        return Some(Refused::Scope);
    }
    (!within).then_some(Refused::Audience)
}

/// When the generation was made, or last given again. Who got it by a repeat has had it for no longer: a tab that has left before
/// that is still on its way. A thief who repeats moves this too, but not for long: repeats are counted, and then they end.
fn given_at(row: &SessionRow, paces: &Paces) -> UnixTime {
    let again = row.repeated_at.max(paces.given_again_at(row.id));
    again.map_or(row.rotated_at, |again| again.max(row.rotated_at))
}

fn find(row: &SessionRow, step: &Refresh, (given_at, now): (UnixTime, UnixTime)) -> Finding {
    let age = now.secs_since(row.rotated_at);
    let is_young = row.generation > 0 && now.secs_since(given_at) < MIN_AGE_SECS;
    let is_straggler = |replaced_at: Option<UnixTime>| {
        step.carried == Carried::Cookie
            && replaced_at.is_some_and(|at| now.secs_since(at) < STRAGGLER_SECS)
    };
    // The same key as ever is no thief's, and of many holders each may be behind.
    let is_no_theft = row.opening.jkt.is_some() || step.reuse == Reuse::Many;
    let is_confirmed =
        row.confirmed || (step.reuse == Reuse::Grace && age >= u64::from(step.grace_secs));
    match row.generation.checked_sub(step.generation) {
        None => Finding::Ahead,
        Some(0) if is_young => Finding::Same,
        Some(0) => Finding::Rotate,
        Some(_) if is_no_theft => Finding::Repeat,
        Some(1) if !is_confirmed => Finding::Repeat,
        Some(1) if is_straggler(Some(given_at)) => Finding::Superseded,
        Some(2) if is_straggler(row.replaced_at) => Finding::Superseded,
        Some(_) => Finding::Theft,
    }
}

/// Whether it came of a login with a provider that the policy has no more: nobody answers for the person then.
fn is_of_no_provider(row: &SessionRow, step: &Refresh) -> bool {
    match (&row.opening.login, &step.providers) {
        (Some(login), Some(providers)) => !providers.contains(&login.provider),
        _ => false,
    }
}

fn rotate(row: &mut SessionRow, step: &Refresh, (given_at, now): (UnixTime, UnixTime)) {
    if row.generation == 0 && row.opening.jkt.is_none() && step.carried == Carried::Body {
        // The first proof binds the session, while nobody but its opener can have used it.
        row.opening.jkt.clone_from(&step.jkt);
        row.bound_by_proof = step.jkt.is_some();
    }
    row.generation = row.generation.saturating_add(1);
    row.replaced_at = Some(given_at).filter(|_| row.generation > 1);
    row.rotated_at = now;
    row.sealed_by = step.key_id;
    row.confirmed = false;
    row.repeats = 0;
    row.repeated_at = None;
    row.place = step.place;
    row.last_seen_at = now;
    row.idle_secs = step.terms.idle_secs;
}

/// Notes that the session is in use, at most once in the life of an access token. Whether the row changed.
fn see(row: &mut SessionRow, step: &Refresh, now: UnixTime) -> bool {
    let due = now.secs_since(row.last_seen_at) >= u64::from(step.terms.access_secs);
    if due {
        row.last_seen_at = now;
        row.idle_secs = step.terms.idle_secs;
    }
    due
}

/// Counts a repeat if it is far enough from the rotation and from the last one. Whether the row changed.
fn count_repeat(row: &mut SessionRow, now: UnixTime) -> bool {
    let last = row.repeated_at.unwrap_or(row.rotated_at).max(row.rotated_at);
    let counts = row.repeats < u32::MAX && now.secs_since(last) >= REPEAT_GAP_SECS;
    if counts {
        row.repeats = row.repeats.saturating_add(1);
        row.repeated_at = Some(now);
    }
    counts
}
