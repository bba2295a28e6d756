//! Leases: part of what a limit still allows is lent to an isolate, which spends it without asking again.
//!
//! The counter [`lend`]s; the isolate holds a [`Lease`]. A lease is counted when it is lent. So the limit is never
//! exceeded, whatever happens to the isolate. What the isolate does not spend is lost to the caller until it
//! would be free again anyway, unless it comes back with a later request ([`Unspent`]).
//!
//! **Time.** A lease has a *life*. The counter says how long it is, and the isolate counts it from the moment before it
//! asked. So the lease ends no later than the counter meant, even if both clocks are wrong. The clocks only have
//! to run at the same rate, within the margin ([`MARGIN_MILLIS`] and a thousandth of the life). An isolate ends the lease
//! if its clock runs back by more than half of that margin.
//!
//! **Never exceeded**, for each algorithm:
//! - *fixed window*: a lease ends with its window. So all of it is spent in the window in which it was counted.
//! - *sliding window*: a lease ends with the twentieth of the window in which it was counted. So all of it is spent in
//!   the part in which it was counted.
//! - *token bucket*: what is spent in any time `t` was counted in a time of `t` and one life, in which
//!   `burst + rate · (t + life)` could be counted. So the bucket of a limit with leases is smaller by `rate · life`, for
//!   every request, and `burst + rate · t` holds for what is spent.
//!
//! **Unused requests.** A lease is at most [`Terms::requests`]. Beside the cost of the request, it is at most a quarter of
//! what is left. So leases get smaller near the limit, and the last requests are counted one by one. At any moment
//! an isolate holds at most one lease for a caller and a set of limits, for at most [`Terms::secs`].
//!
//! **What callers are told.** `remaining` is what the counter had left when it lent, with the lease, less what this
//! isolate has spent since. It is exact for a caller whose requests reach one isolate. Otherwise it is as old as the
//! last question to the counter. `reset_after_secs` and `retry_after_secs` are the counter's, less the time since.

use serde::Serialize;

use super::{
    Cell, Limit, LimitAlgorithm, MILLIS_PER_SEC, Verdict, peek, refund, saturate, step_all,
    with_meter,
};
use crate::{
    error::Error,
    json::object::{described, object},
    time::UnixMillis,
};

/// How much before the end of its life an isolate ends a lease: the clock of a Worker stands still while it
/// computes, and may run back a little. A thousandth of the life is added, for clocks that run at different
/// rates.
pub const MARGIN_MILLIS: u64 = 200;
/// How far the clock of an isolate may run back without ending its leases. Each request of a Worker has a clock of its
/// own, which was set when the request last waited for something. This is part of the margin.
const STEP_BACK_MILLIS: u64 = 100;
/// The shortest life: for less, lending is not worth it.
const MIN_LIFE_MILLIS: u64 = 500;
/// What is left is divided by this: so much is lent.
const SHARE: u32 = 4;
/// Shortest window of a limit with leases: a twentieth of it is a second.
const MIN_WINDOW_SECS: u32 = 20;
/// Longest life. If an isolate ends, its leases are lost, so it should not hold them for long.
const MAX_LIFE_SECS: u32 = 60;

described! {
    /// How much of a limit may be lent: in a policy `lease = { requests = 50, secs = 10 }`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
    pub struct Terms as Lease, refused {
        /// The most that is lent at once, including the cost of the request.
        #[facts(minimum = 2)]
        pub requests: u32,
        /// The longest life of a lease. With a sliding window a lease may end sooner, with the twentieth of the window.
        #[facts(minimum = 1, maximum = MAX_LIFE_SECS)]
        pub secs: u32 = Terms::default_secs(),
    }
}

impl Terms {
    const fn default_secs() -> u32 {
        10
    }

    /// Whether the limit can have leases: its window has to be 20 s or longer, and a bucket has to keep at least half
    /// of its burst.
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
        /// What the request costs, for each limit.
        pub cost: u32,
        /// Whether the counter may lend more than that.
        #[serde(skip_serializing_if = "is_false")]
        pub lease: bool = false,
        /// The rest of the lease before, which is given back.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub returned: Option<Unspent> = None,
    }
}

impl Borrow {
    /// The cost of the request alone.
    #[must_use]
    pub const fn only(cost: u32) -> Self {
        Self { cost, lease: false, returned: None }
    }
}

object! {
    /// The rest of a lease, or what was taken for a request that was refused elsewhere.
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
        /// In the order of the limits. [`Verdict::remaining`] includes what is lent.
        pub verdicts: Vec<Verdict>,
        /// How much is lent beside the cost of the request; 0 if the request was refused.
        pub lent: u32 = 0,
        /// The life of the lease: so many milliseconds from the moment of asking.
        pub life_millis: u64 = 0,
        /// When it was counted, by the counter's clock. It is used only to give something back later.
        pub at: UnixMillis,
    }
}

impl Grant {
    /// Whether the request was admitted.
    #[must_use]
    pub fn admitted(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.admitted)
    }
}

/// The counter's step. It takes back what is returned, decides about the request, and lends if the isolate asks for it
/// and every limit has terms. It takes from all limits or from none, as [`step_all`] does.
///
/// The cells have changed if [`Borrow::returned`] was given, or if the request was admitted.
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
    // The share is part of what is left after the cost, so this refuses only if the cost alone would be refused.
    let mut verdicts = step_all(meters, ask.cost.saturating_add(lent), now);
    if lent > 0 {
        for verdict in &mut verdicts {
            verdict.remaining = verdict.remaining.saturating_add(lent).min(verdict.limit);
        }
    }
    Grant { verdicts, lent, life_millis: if lent > 0 { life_millis } else { 0 }, at: now }
}

/// The counter's step for something that is given back without a question.
pub fn give_back(meters: &mut [(&Limit, Option<Cell>)], unspent: Unspent) {
    for (limit, cell) in meters {
        *cell = cell.take().map(|cell| refund(&cell, limit, unspent.units, unspent.at));
    }
}

/// How much one limit would lend beside the cost.
fn share(cell: Option<&Cell>, limit: &Limit, cost: u32, now: UnixMillis) -> u32 {
    let Some(terms) = limit.lease() else { return 0 };
    let left = peek(cell, limit, cost, now).remaining.saturating_sub(cost);
    (left / SHARE).min(terms.requests.saturating_sub(cost))
}

/// How long a lease of all these limits may last: the shortest life counts.
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
    /// The counter's verdicts, as if nothing of the lease was spent.
    verdicts: Vec<Verdict>,
}

impl Lease {
    /// The lease of a grant. `asked_at` is the isolate's time **before** it sent the question. `None` if nothing is lent, or
    /// if the answer took too long.
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

    /// Spends the cost, if so much is left and the lease still lasts. Returns the verdicts to answer with.
    pub fn spend(&mut self, cost: u32, now: UnixMillis) -> Option<Vec<Verdict>> {
        if !self.is_live(now) {
            // It ends for good: a clock that ran back may run on.
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

    /// Puts back what was spent for a request that was refused elsewhere.
    pub fn unspend(&mut self, cost: u32) {
        self.left = self.left.saturating_add(cost);
        for verdict in &mut self.verdicts {
            verdict.remaining = verdict.remaining.saturating_add(cost).min(verdict.limit);
        }
    }

    /// Whether the lease still lasts.
    #[must_use]
    pub fn is_live(&self, now: UnixMillis) -> bool {
        self.seen.millis_since(now) <= STEP_BACK_MILLIS && now.max(self.seen) < self.ends_at
    }

    /// When it was counted, by the counter's clock. No two leases have the same time.
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
