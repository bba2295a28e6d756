//! Leases: part of what a limit still allows is lent to an isolate, which spends it without asking again.
//!
//! The counter [`lend`]s; the isolate holds a [`Lease`]. What is lent is counted when it is lent, so whatever
//! happens to the isolate, the limit is never exceeded; what it does not spend is lost to the caller until it would
//! have been free again anyway, unless it comes back with a later request ([`Unspent`]).
//!
//! **Time.** A lease has a *life*, a duration that the counter names and the isolate counts from before it
//! asked. So it ends, in true time, no later than the counter meant, however wrong either clock is: only
//! their rates have to agree, within the margin ([`MARGIN_MILLIS`] and a thousandth of the life). An isolate that sees
//! its clock run back by more than half of that margin ends the lease.
//!
//! **Never exceeded**, by algorithm:
//! - *fixed window*: a lease ends with its window. All that is spent of it is spent in the window that it was counted in.
//! - *sliding window*: a lease ends with the twentieth of the window in which it was counted, so it is counted in
//!   the part in which it is spent.
//! - *token bucket*: what is spent in any time `t` was counted in a time of `t` and one life, in which
//!   `burst + rate · (t + life)` could be counted. So the bucket of a limit with leases is smaller by `rate · life`, for
//!   every request, and `burst + rate · t` holds for what is spent.
//!
//! **Under-use.** A lease is at most [`Terms::requests`], and beyond the request at hand at most a quarter of what
//! is left: so leases shrink as the limit comes nearer, and the last requests are counted one by one. At any
//! moment each isolate holds at most one lease of a caller for each set of limits, for at most [`Terms::secs`].
//!
//! **What callers are told.** `remaining` is what the counter had left when it lent, the lease included, less what this
//! isolate has spent since: exact for a caller whose requests reach one isolate, otherwise as of the last time the
//! counter was asked. `reset_after_secs` and `retry_after_secs` are the counter's, less the time since.

use serde::Serialize;

use super::{
    Cell, Limit, LimitAlgorithm, MILLIS_PER_SEC, Verdict, peek, refund, saturate, step_all,
    with_meter,
};
use crate::{error::Error, json::object::object, time::UnixMillis};

/// How much earlier than its life says an isolate ends a lease: the clock of a Worker stands still while it
/// computes, and may run back a little. To this comes a thousandth of the life, for clocks that run at
/// different rates.
pub const MARGIN_MILLIS: u64 = 200;
/// How far the clock of an isolate may run back without ending its leases: each request of a Worker reads a clock
/// of its own, set when something happened to it last. It is part of the margin.
const STEP_BACK_MILLIS: u64 = 100;
/// Shorter lives are not worth lending for.
const MIN_LIFE_MILLIS: u64 = 500;
/// Of what is left, one part in so many is lent.
const SHARE: u32 = 4;
/// Shortest window of a limit with leases: a twentieth of it is a second.
const MIN_WINDOW_SECS: u32 = 20;
/// Longest life: what an isolate holds is lost with it, so it should not hold it for long.
const MAX_LIFE_SECS: u32 = 60;

object! {
    /// What may be lent of a limit: in a policy `lease = { requests = 50, secs = 10 }`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
    pub struct Terms, refused {
        /// The most that is lent at once, with what the request at hand costs; at least 2.
        pub requests: u32,
        /// The longest life of a lease in seconds, 1 to 60; 10 if nothing is said. A sliding window's end sooner: with
        /// the twentieth of the window.
        pub secs: u32 = Terms::default_secs(),
    }
}

impl Terms {
    const fn default_secs() -> u32 {
        10
    }

    /// Whether leases make sense for the limit: a window of at least 20 s, and a bucket that keeps at least
    /// half of its burst.
    pub(super) fn check(&self, limit: &Limit) -> Result<(), Error> {
        if self.requests < 2 {
            return Err(Error::config("lease.requests", "expected at least 2"));
        }
        if !(1..=MAX_LIFE_SECS).contains(&self.secs) {
            return Err(Error::config("lease.secs", "expected 1 to 60"));
        }
        if limit.window_secs() < MIN_WINDOW_SECS {
            return Err(Error::config("lease", "expected a window of at least 20 seconds"));
        }
        if let LimitAlgorithm::TokenBucket { burst } = limit.algorithm() {
            let window = u64::from(limit.window_secs());
            let all = u64::from(burst).saturating_mul(window);
            let flows_in = u64::from(limit.requests()).saturating_mul(u64::from(self.secs));
            if flows_in > all / 2 || all.saturating_sub(flows_in) < window {
                let problem = "more than half of the burst flows in meanwhile: expected fewer secs or a larger burst";
                return Err(Error::config("lease.secs", problem));
            }
        }
        Ok(())
    }

    pub(super) fn life_millis(&self) -> u64 {
        u64::from(self.secs).saturating_mul(MILLIS_PER_SEC)
    }
}

object! {
    /// What an isolate asks the counter of one or several limits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Borrow, ignored {
        /// What the request at hand takes from each limit.
        pub cost: u32,
        /// Whether the counter may lend more than that.
        #[serde(skip_serializing_if = "is_false")]
        pub lease: bool = false,
        /// What is left of the lease before, given back.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub returned: Option<Unspent> = None,
    }
}

impl Borrow {
    /// Only what the request at hand takes.
    #[must_use]
    pub const fn only(cost: u32) -> Self {
        Self { cost, lease: false, returned: None }
    }
}

object! {
    /// What was not spent of a lease, or taken for a request that was refused elsewhere.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Unspent, ignored {
        /// How much.
        pub units: u32,
        /// When it was counted, by the counter's clock ([`Grant::at`]).
        pub at: UnixMillis,
    }
}

object! {
    /// What the counter answers.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Grant, ignored {
        /// In the order of the limits. What is lent counts as left in [`Verdict::remaining`].
        pub verdicts: Vec<Verdict>,
        /// What is lent beyond the cost of the request at hand; 0 if it was refused.
        pub lent: u32 = 0,
        /// For how many milliseconds from the moment of asking.
        pub life_millis: u64 = 0,
        /// When it was counted, by the counter's clock. Nothing is decided by it but what is given back later.
        pub at: UnixMillis,
    }
}

impl Grant {
    /// Whether the request at hand was admitted.
    #[must_use]
    pub fn admitted(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.admitted)
    }
}

/// The counter's step: takes back what is returned, decides about the request at hand, and lends where that is
/// asked for and every limit has terms. All or nothing, as [`step_all`].
///
/// The cells changed if [`Borrow::returned`] is something or the request was admitted.
#[must_use]
pub fn lend(meters: &mut [(&Limit, Option<Cell>)], ask: &Borrow, now: UnixMillis) -> Grant {
    if let Some(unspent) = ask.returned {
        give_back(meters, unspent);
    }
    let life_millis = life_of(meters, now);
    let lent = if ask.lease && life_millis >= MIN_LIFE_MILLIS {
        meters
            .iter()
            .map(|(limit, cell)| share(cell.as_ref(), limit, ask.cost, now))
            .min()
            .unwrap_or(0)
    } else {
        0
    };
    // A share is part of what is left beyond the cost, so this refuses only what the cost alone would.
    let mut verdicts = step_all(meters, ask.cost.saturating_add(lent), now);
    if lent > 0 {
        for verdict in &mut verdicts {
            verdict.remaining = verdict.remaining.saturating_add(lent).min(verdict.limit);
        }
    }
    Grant { verdicts, lent, life_millis: if lent > 0 { life_millis } else { 0 }, at: now }
}

/// The counter's step for what is given back on its own.
pub fn give_back(meters: &mut [(&Limit, Option<Cell>)], unspent: Unspent) {
    for (limit, cell) in meters {
        *cell = cell.take().map(|cell| refund(&cell, limit, unspent.units, unspent.at));
    }
}

/// What one limit would lend beyond the cost.
fn share(cell: Option<&Cell>, limit: &Limit, cost: u32, now: UnixMillis) -> u32 {
    let Some(terms) = limit.lease() else { return 0 };
    let left = peek(cell, limit, cost, now).remaining.saturating_sub(cost);
    (left / SHARE).min(terms.requests.saturating_sub(cost))
}

/// How long a lease of all of them may last: the shortest decides.
fn life_of(meters: &[(&Limit, Option<Cell>)], now: UnixMillis) -> u64 {
    meters
        .iter()
        .map(|(limit, cell)| {
            let longest = limit.lease().map_or(0, |terms| terms.life_millis());
            with_meter(cell.as_ref(), limit, now, |meter| meter.lendable_millis()).min(longest)
        })
        .min()
        .unwrap_or(0)
}

/// What an isolate holds. Times are by the isolate's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    left: u32,
    asked_at: UnixMillis,
    ends_at: UnixMillis,
    /// The latest time seen.
    seen: UnixMillis,
    counted_at: UnixMillis,
    /// What the counter said, as if nothing of the lease was spent.
    verdicts: Vec<Verdict>,
}

impl Lease {
    /// What a grant lends to the isolate that asked at `asked_at`, its time **before** it sent the
    /// question; `None` if it lends nothing, or took too long to come.
    #[must_use]
    pub fn of(grant: &Grant, asked_at: UnixMillis, now: UnixMillis) -> Option<Self> {
        let margin = MARGIN_MILLIS.saturating_add(grant.life_millis / 1000);
        let lease = Self {
            left: grant.lent,
            asked_at,
            ends_at: asked_at.saturating_add(grant.life_millis.saturating_sub(margin)),
            seen: asked_at,
            counted_at: grant.at,
            verdicts: grant.verdicts.clone(),
        };
        (lease.left > 0 && lease.is_live(now)).then_some(lease)
    }

    /// Spends the cost if so much is left and the lease lasts; gives the verdicts to answer with.
    pub fn spend(&mut self, cost: u32, now: UnixMillis) -> Option<Vec<Verdict>> {
        if !self.is_live(now) {
            // For good: a clock that ran back may run on.
            self.ends_at = self.asked_at;
            return None;
        }
        let now = now.max(self.seen);
        self.seen = now;
        self.left = self.left.checked_sub(cost)?;
        for verdict in &mut self.verdicts {
            verdict.remaining = verdict.remaining.saturating_sub(cost);
        }
        Some(aged(&self.verdicts, now.millis_since(self.asked_at)))
    }

    /// Puts back what was just spent for a request that was refused elsewhere.
    pub fn unspend(&mut self, cost: u32) {
        self.left = self.left.saturating_add(cost);
        for verdict in &mut self.verdicts {
            verdict.remaining = verdict.remaining.saturating_add(cost).min(verdict.limit);
        }
    }

    /// Whether it lasts.
    #[must_use]
    pub fn is_live(&self, now: UnixMillis) -> bool {
        self.seen.millis_since(now) <= STEP_BACK_MILLIS && now.max(self.seen) < self.ends_at
    }

    /// When it was counted, by the counter's clock: this tells a lease from the next one.
    #[must_use]
    pub const fn counted_at(&self) -> UnixMillis {
        self.counted_at
    }

    /// Ends the lease: what is left, to be given back to the counter. It is given back at most once, since the
    /// lease is gone with it, whether or not it arrives.
    #[must_use]
    pub fn into_unspent(self) -> Option<Unspent> {
        (self.left > 0).then_some(Unspent { units: self.left, at: self.counted_at })
    }
}

/// The same verdicts so much later, if nothing else came.
pub(crate) fn aged(verdicts: &[Verdict], millis: u64) -> Vec<Verdict> {
    let secs = saturate(millis / MILLIS_PER_SEC);
    verdicts
        .iter()
        .map(|verdict| Verdict {
            reset_after_secs: verdict.reset_after_secs.saturating_sub(secs),
            retry_after_secs: if verdict.admitted {
                0
            } else {
                verdict.retry_after_secs.saturating_sub(secs).max(1)
            },
            ..*verdict
        })
        .collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}
