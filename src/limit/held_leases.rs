//! What one isolate knows about exact counters elsewhere: the leases that it holds, and the callers that were refused.
//!
//! Nothing here waits. For each request, an edge calls [`Leases::begin`]. If that cannot decide, the edge takes the
//! question to the counter ([`limit::lease::lend`](crate::limit::lease::lend)) and the answer to [`Leases::finish`]. Times are
//! those of the isolate's clock, read at that moment: a request may have waited, and a lease must not be spent
//! after its end.
//!
//! - One request at a time borrows for a caller. Requests that come in the meantime ask for their own cost only. So an
//!   isolate holds one lease for a caller, however many requests come at once.
//! - If the counter refuses, what another request of this isolate has borrowed in the meantime is spent first.
//! - A refused caller is refused again without asking the counter, for the seconds that it was told to wait, but for
//!   no longer than [`REFUSE_UNASKED_MILLIS`]: others may have given something back.

use core::hash::{Hash as _, Hasher as _};
use std::{cell::RefCell, collections::hash_map::DefaultHasher};

use crate::{
    bounded::BoundedMap,
    error::StoreError,
    limit::{
        CounterGroup, Limit, Verdict,
        lease::{self, Borrow, Grant, Lease, Unspent},
    },
    time::UnixMillis,
};

/// How long a refusal is repeated without asking the counter: one question a minute for each refused caller.
pub const REFUSE_UNASKED_MILLIS: u64 = 60_000;
/// After this time a question counts as lost, and another request may borrow.
const ASKING_MILLIS: u64 = 5_000;
/// How long the rest of a lease is kept, to be given back with the next question.
const KEEP_UNSPENT_MILLIS: u64 = 3_600_000;
/// For how many callers leases are held. At about 500 bytes each, they take 5 MB of an isolate's 128 MB.
const MAX_HELD: usize = 10_000;
/// How many refusals are remembered: one for each caller and cost.
const MAX_REFUSED: usize = 20_000;

/// A group, and a number for the limits that are asked together: a hash of their names, numbers, windows and terms.
type Key = (CounterGroup, u64);

/// What an isolate remembers about exact counters.
#[derive(Debug)]
pub struct Leases {
    held: RefCell<BoundedMap<Key, Held>>,
    refused: RefCell<BoundedMap<(Key, u32), Refused>>,
}

#[derive(Debug)]
struct Held {
    limits: Vec<Limit>,
    lease: Option<Lease>,
    /// Until then a request of this isolate is borrowing.
    asking_until: UnixMillis,
}

#[derive(Debug)]
struct Refused {
    limits: Vec<Limit>,
    verdicts: Vec<Verdict>,
    since: UnixMillis,
}

/// What to do first.
#[derive(Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// Decided without asking.
    Decided(Taken),
    /// Ask the counter, then call [`Leases::finish`].
    Ask(Borrow),
}

/// What was decided.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// In the order of the limits.
    pub verdicts: Vec<Verdict>,
    /// When the cost was counted, by the counter's clock; [`Leases::refund`] needs it. `None` if it was refused.
    pub at: Option<UnixMillis>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            held: RefCell::new(BoundedMap::new(MAX_HELD)),
            refused: RefCell::new(BoundedMap::new(MAX_REFUSED)),
        }
    }
}

impl Leases {
    /// Decides about a request by what this isolate holds, or says what to ask the counter.
    #[must_use]
    pub fn begin(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> LeaseStep {
        let key = key(group, limits);
        let leased = !limits.is_empty() && limits.iter().all(|limit| limit.lease().is_some());
        if leased && let Some(taken) = self.spend(&key, limits, cost, now) {
            return LeaseStep::Decided(taken);
        }
        if let Some(verdicts) = self.refusal(&key, limits, cost, now) {
            return LeaseStep::Decided(Taken { verdicts, at: None });
        }
        LeaseStep::Ask(if leased {
            self.borrow(key, limits, cost, now)
        } else {
            Borrow::only(cost)
        })
    }

    /// The verdicts by which [`Leases::begin`] would refuse.
    #[must_use]
    pub fn known_refusal(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        let key = key(group, limits);
        let verdicts = self.refusal(&key, limits, cost, now)?;
        let held = self.held.borrow();
        let held = held.get(&key, now).filter(|held| held.limits == limits);
        let mut lease = held.and_then(|held| held.lease.clone());
        let has_enough = lease.as_mut().is_some_and(|lease| lease.spend(cost, now).is_some());
        (!has_enough).then_some(verdicts)
    }

    /// Takes the counter's answer to the question of [`Leases::begin`]. `asked_at` is the isolate's time of the question.
    ///
    /// # Errors
    /// The fault of the counter, or a fault if it answered for other limits. What was given back with the question is
    /// then lost.
    pub fn finish(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        ask: &Borrow,
        (asked_at, now): (UnixMillis, UnixMillis),
        answer: Result<Grant, StoreError>,
    ) -> Result<Taken, StoreError> {
        let key = key(group, limits);
        if ask.lease
            && let Some(held) = self.held.borrow_mut().get_mut(&key, now)
        {
            held.asking_until = UnixMillis::default();
        }
        let grant = answer?;
        if grant.verdicts.len() != limits.len() {
            return Err(StoreError::new("the counter answered for other limits"));
        }
        if grant.admitted() {
            if ask.lease {
                self.hold(key, limits, &grant, asked_at, now);
            }
            return Ok(Taken { verdicts: grant.verdicts, at: Some(grant.at) });
        }
        if let Some(taken) = self.spend(&key, limits, ask.cost, now) {
            return Ok(taken);
        }
        self.remember_refusal(key, limits, ask.cost, &grant.verdicts, asked_at, now);
        Ok(Taken { verdicts: grant.verdicts, at: None })
    }

    /// Gives back a cost that was counted at `at`, after another limit refused the request. It goes to the lease that
    /// it came from. If that is no longer held, the counter has to be told what is returned here.
    #[must_use]
    pub fn refund(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        at: UnixMillis,
        now: UnixMillis,
    ) -> Option<Unspent> {
        let mut held = self.held.borrow_mut();
        let lease = held
            .get_mut(&key(group, limits), now)
            .filter(|held| held.limits == limits)
            .and_then(|held| held.lease.as_mut())
            .filter(|lease| lease.is_live(now) && lease.counted_at() == at);
        match lease {
            Some(lease) => {
                lease.unspend(cost);
                None
            }
            None => Some(Unspent { units: cost, at }),
        }
    }

    fn spend(&self, key: &Key, limits: &[Limit], cost: u32, now: UnixMillis) -> Option<Taken> {
        let mut held = self.held.borrow_mut();
        let held = held.get_mut(key, now).filter(|held| held.limits == limits)?;
        let lease = held.lease.as_mut()?;
        let verdicts = lease.spend(cost, now)?;
        Some(Taken { verdicts, at: Some(lease.counted_at()) })
    }

    fn refusal(
        &self,
        key: &Key,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        let refused = self.refused.borrow();
        let known = refused.get(&(*key, cost), now)?;
        // A clock that ran back would stretch the refusal.
        let good = known.limits == limits && known.since <= now;
        good.then(|| lease::aged(&known.verdicts, now.millis_since(known.since)))
    }

    /// The question if no lease is held, or not enough is left of it.
    fn borrow(&self, key: Key, limits: &[Limit], cost: u32, now: UnixMillis) -> Borrow {
        let mut all = self.held.borrow_mut();
        let before = all.get_mut(&key, now).filter(|held| held.limits == limits);
        if let Some(held) = before {
            let returned = held.lease.take().and_then(Lease::into_unspent);
            let lease = held.asking_until <= now;
            if lease {
                held.asking_until = now.saturating_add(ASKING_MILLIS);
            }
            return Borrow { cost, lease, returned };
        }
        let asking_until = now.saturating_add(ASKING_MILLIS);
        let held = Held { limits: limits.to_vec(), lease: None, asking_until };
        all.insert(key, held, now.saturating_add(KEEP_UNSPENT_MILLIS), now);
        Borrow { cost, lease: true, returned: None }
    }

    fn hold(
        &self,
        key: Key,
        limits: &[Limit],
        grant: &Grant,
        asked_at: UnixMillis,
        now: UnixMillis,
    ) {
        let Some(lease) = Lease::of(grant, asked_at, now) else { return };
        let held = Held {
            limits: limits.to_vec(),
            lease: Some(lease),
            asking_until: UnixMillis::default(),
        };
        let until = now.saturating_add(KEEP_UNSPENT_MILLIS);
        self.held.borrow_mut().insert(key, held, until, now);
    }

    fn remember_refusal(
        &self,
        key: Key,
        limits: &[Limit],
        cost: u32,
        verdicts: &[Verdict],
        asked_at: UnixMillis,
        now: UnixMillis,
    ) {
        let wait = verdicts.iter().map(|verdict| verdict.retry_after_secs).max().unwrap_or(0);
        let wait = u64::from(wait).saturating_mul(1000).min(REFUSE_UNASKED_MILLIS);
        // It counts from the question on: a caller that waits for as long as the answer says is not refused from memory.
        let refused =
            Refused { limits: limits.to_vec(), verdicts: verdicts.to_vec(), since: asked_at };
        let until = asked_at.saturating_add(wait);
        self.refused.borrow_mut().insert((key, cost), refused, until, now);
    }
}

/// A hash of the limits. Limits with the same hash are compared in full before anything is taken to be theirs.
fn key(group: &CounterGroup, limits: &[Limit]) -> Key {
    let mut hasher = DefaultHasher::new();
    limits.hash(&mut hasher);
    (*group, hasher.finish())
}
