//! The rules: what each step changes.

use super::{
    record::{GRANT_VERSION, GrantRow, Lease, MAX_GRANTS, Reconnect},
    seal::{SealedToken, TokenField},
    state::OwnerGrants,
    step::{
        EndGrants, EndedGrant, FreshTokens, GrantEvent, GrantOutcome, GrantRefused, GrantStep,
        ListedGrant, PutGrant, RefreshAnswer, RefreshFault, RefreshOrder, ResealToken, UsableToken,
        UseGrant,
    },
};
use crate::time::UnixTime;

impl OwnerGrants {
    /// Takes a step. `now` is the writer's clock, the only one that decides.
    ///
    /// What has changed is in [`OwnerGrants::take_changes`], and has to be stored before the outcome is told: a lease before the provider is
    /// asked, tokens before they are used.
    pub fn apply(&mut self, step: &GrantStep, now: UnixTime) -> GrantOutcome {
        match step {
            GrantStep::Put(step) => self.put(step, now),
            GrantStep::Use(step) => self.use_one(step, now),
            GrantStep::Answer(step) => self.answer(step, now),
            GrantStep::Reseal(step) => self.reseal(step),
            GrantStep::End(step) => self.end(step, now),
            GrantStep::List => self.list(now),
        }
    }

    fn put(&mut self, step: &PutGrant, now: UnixTime) -> GrantOutcome {
        let name = (step.provider.as_str(), step.account.as_str());
        let known = self.grants.iter().position(|row| row.is_of(name.0, name.1));
        if self.ends.forbid(name, step.began_at, now) {
            // Where it was connected once more since, the provider is told nothing: it could end that, too.
            let ended = if known.is_some() { Vec::new() } else { vec![too_late(step)] };
            return GrantOutcome { ended, ..GrantOutcome::refused(GrantRefused::EndedSince) };
        }
        let before = match known {
            Some(at) => Some(self.grants.remove(at)),
            None if self.grants.len() < MAX_GRANTS => None,
            None => {
                // One that is of no use makes room.
                let Some(at) = self.grants.iter().position(|row| row.reconnect.is_some()) else {
                    return GrantOutcome::refused(GrantRefused::Full);
                };
                self.grants.remove(at);
                None
            }
        };
        self.grants.push(connected(before, step, now));
        GrantOutcome::default()
    }

    fn use_one(&mut self, step: &UseGrant, now: UnixTime) -> GrantOutcome {
        let UseGrant { provider, account, newest } = step;
        // The last is the one that was connected last.
        let row = self.grants.iter_mut().rev().find(|row| {
            row.provider == *provider && account.as_ref().is_none_or(|own| row.account == *own)
        });
        let Some(row) = row else { return GrantOutcome::refused(GrantRefused::NotConnected) };
        if row.reconnect.is_some() {
            return GrantOutcome::refused(GrantRefused::Reconnect);
        }
        if row.is_fresh(now) {
            return usable(row, *newest);
        }
        if row.live_lease(now).is_some() {
            return GrantOutcome { wait: true, ..GrantOutcome::default() };
        }
        match (row.refresh.is_some(), row.is_over(now), row.pause_secs(now)) {
            (false, false, _) => usable(row, *newest),
            (false, true, _) => {
                row.give_up(Reconnect::Expired);
                GrantOutcome::refused(GrantRefused::Reconnect)
            }
            // It may still be used: at some providers the old token lives on.
            (true, false, Some(_)) => usable(row, *newest),
            (true, true, Some(secs)) => GrantOutcome {
                retry_after_secs: secs,
                ..GrantOutcome::refused(GrantRefused::Unavailable)
            },
            (true, _, None) => begin(row, now),
        }
    }

    fn answer(&mut self, step: &RefreshAnswer, now: UnixTime) -> GrantOutcome {
        let row = self.grants.iter_mut().find(|row| row.is_of(&step.provider, &step.account));
        let stale = || GrantOutcome::refused(GrantRefused::Stale);
        let Some(row) = row else { return GrantOutcome::refused(GrantRefused::Gone) };
        if row.generation != step.generation {
            return stale();
        }
        if let Some(tokens) = &step.tokens {
            // Also those of an attempt that counts as lost: they are the newest that there are.
            row.refresh_by(tokens, step.at.min(now), now);
            return told(GrantEvent::Refreshed);
        }
        let lease = row.lease.filter(|lease| lease.attempt == step.attempt);
        let (Some(lease), Some(fault)) = (lease, step.fault) else { return stale() };
        row.lease = None;
        match fault {
            RefreshFault::Ended => told(row.ended(lease)),
            RefreshFault::Refused => {
                row.back_off(now);
                told(GrantEvent::RefreshRefused)
            }
            RefreshFault::Unavailable => {
                row.back_off(now);
                GrantOutcome::default()
            }
            RefreshFault::NoAnswer => {
                row.back_off(now);
                row.lost = row.lost.saturating_add(1);
                told(GrantEvent::AnswerLost)
            }
        }
    }

    fn reseal(&mut self, step: &ResealToken) -> GrantOutcome {
        let ResealToken { provider, account, field, was, now } = step;
        let row = self.grants.iter_mut().find(|row| row.is_of(provider, account));
        let place = row.map(|row| match field {
            TokenField::Access => &mut row.access,
            TokenField::Refresh => &mut row.refresh,
        });
        match place {
            Some(place) if place.as_ref() == Some(was) => {
                *place = Some(now.clone());
                GrantOutcome::default()
            }
            _ => GrantOutcome::refused(GrantRefused::Stale),
        }
    }

    fn end(&mut self, which: &EndGrants, now: UnixTime) -> GrantOutcome {
        let EndGrants { provider, account } = which;
        self.ends.note(provider.as_deref(), account.as_deref(), now);
        let is_meant = |row: &GrantRow| {
            provider.as_ref().is_none_or(|meant| row.provider == *meant)
                && account.as_ref().is_none_or(|meant| row.account == *meant)
        };
        let (over, stay) = core::mem::take(&mut self.grants).into_iter().partition(is_meant);
        self.grants = stay;
        let over: Vec<GrantRow> = over;
        let ended = over.into_iter().map(|row| EndedGrant {
            provider: row.provider,
            account: row.account,
            access: row.access,
            refresh: row.refresh,
        });
        GrantOutcome { ended: ended.collect(), ..GrantOutcome::default() }
    }

    fn list(&self, now: UnixTime) -> GrantOutcome {
        let grants = self.grants.iter().map(|row| {
            let is_over = row.is_over(now) && row.refresh.is_none();
            ListedGrant {
                provider: row.provider.clone(),
                account: row.account.clone(),
                label: row.label.clone(),
                scopes: row.scopes.clone(),
                connected_at: row.connected_at,
                given_at: row.given_at,
                expires_at: row.expires_at,
                refreshable: row.refresh.is_some(),
                lost: row.lost,
                reconnect: row.reconnect.or(is_over.then_some(Reconnect::Expired)),
            }
        });
        GrantOutcome { grants: grants.collect(), ..GrantOutcome::default() }
    }
}

/// The row of an account that was connected now.
fn connected(before: Option<GrantRow>, step: &PutGrant, now: UnixTime) -> GrantRow {
    let fresh = GrantRow {
        v: GRANT_VERSION,
        provider: step.provider.clone(),
        account: step.account.clone(),
        label: step.label.clone(),
        scopes: step.scopes.clone(),
        access: Some(step.access.clone()),
        refresh: step.refresh.clone(),
        expires_at: step.expires_in_secs.map(|secs| now.saturating_add(secs)),
        lifetime_secs: step.expires_in_secs.unwrap_or_default(),
        given_at: now,
        connected_at: now,
        generation: u64::try_from(now.as_secs()).unwrap_or_default(),
        attempts: 0,
        lease: None,
        failures: 0,
        retry_at: None,
        lost: 0,
        reconnect: None,
    };
    let Some(before) = before else { return fresh };
    if step.refresh.is_some() {
        // An answer to a question with the old ones counts no more.
        let generation = before.generation.saturating_add(1).max(fresh.generation);
        return GrantRow { generation, attempts: before.attempts, ..fresh };
    }
    // Some providers give a refresh token at the first consent only (Google). So the one that is there stays, and with it what is
    // known of it: a refresh under way, and that an answer was lost.
    GrantRow {
        refresh: before.refresh,
        generation: before.generation,
        attempts: before.attempts,
        lease: before.lease,
        lost: before.lost,
        ..fresh
    }
}

/// The tokens of an account that is not to be kept.
fn too_late(step: &PutGrant) -> EndedGrant {
    EndedGrant {
        provider: step.provider.clone(),
        account: step.account.clone(),
        access: Some(step.access.clone()),
        refresh: step.refresh.clone(),
    }
}

fn usable(row: &GrantRow, newest: u8) -> GrantOutcome {
    let Some(access) = &row.access else {
        return GrantOutcome::refused(GrantRefused::Reconnect);
    };
    let is_old = |token: &SealedToken| token.by != newest;
    let one_is_old = is_old(access) || row.refresh.as_ref().is_some_and(is_old);
    let token = UsableToken {
        account: row.account.clone(),
        access: access.clone(),
        refresh: row.refresh.clone().filter(|_| one_is_old),
    };
    GrantOutcome { token: Some(token), ..GrantOutcome::default() }
}

/// Notes that the provider is asked, and gives the order for it.
fn begin(row: &mut GrantRow, now: UnixTime) -> GrantOutcome {
    let Some(refresh) = row.refresh.clone() else {
        return GrantOutcome::refused(GrantRefused::Reconnect);
    };
    let mut outcome = GrantOutcome::default();
    if row.lease.is_some() {
        // Who asked before has not come back: a crash.
        row.lost = row.lost.saturating_add(1);
        outcome.events.push(GrantEvent::AnswerLost);
    }
    row.attempts = row.attempts.saturating_add(1);
    row.lease = Some(Lease { attempt: row.attempts, began_at: now });
    outcome.order = Some(RefreshOrder {
        provider: row.provider.clone(),
        account: row.account.clone(),
        generation: row.generation,
        attempt: row.attempts,
        at: now,
        refresh,
    });
    outcome
}

impl GrantRow {
    /// Takes fresh tokens. Their life is counted from the question, so that it is never taken for longer than it is.
    fn refresh_by(&mut self, tokens: &FreshTokens, asked_at: UnixTime, now: UnixTime) {
        self.access = Some(tokens.access.clone());
        self.refresh = tokens.refresh.clone().or_else(|| self.refresh.take());
        self.expires_at = tokens.expires_in_secs.map(|secs| asked_at.saturating_add(secs));
        self.lifetime_secs = tokens.expires_in_secs.unwrap_or_default();
        self.given_at = now;
        if let Some(scopes) = &tokens.scopes {
            self.scopes.clone_from(scopes);
        }
        self.generation = self.generation.saturating_add(1);
        (self.lease, self.retry_at, self.reconnect) = (None, None, None);
        (self.failures, self.lost) = (0, 0);
    }

    /// The provider says that the refresh token is over.
    fn ended(&mut self, lease: Lease) -> GrantEvent {
        let (why, event) = match self.lost {
            0 => (Reconnect::Ended, GrantEvent::Ended),
            _ => (Reconnect::EndedAfterLoss, GrantEvent::EndedAfterLoss),
        };
        // A login since then has brought an access token of its own.
        if self.given_at >= lease.began_at {
            self.refresh = None;
        } else {
            self.give_up(why);
        }
        event
    }

    /// Nothing is left to use.
    fn give_up(&mut self, why: Reconnect) {
        (self.access, self.refresh, self.lease) = (None, None, None);
        self.reconnect = Some(why);
    }
}

fn told(event: GrantEvent) -> GrantOutcome {
    GrantOutcome { events: vec![event], ..GrantOutcome::default() }
}
