//! Whether a caller has called too often: pure steps over a small cell per caller and limit.
//!
//! A store keeps one [`Cell`] for each limit and caller. It loads the cell, calls [`step`], and saves what comes
//! back. No other step may come in between: two steps from the same cell would count as one. Costs are in
//! requests; a request may cost more than one.
//!
//! | algorithm | never more than | cell |
//! |---|---|---|
//! | fixed-window | `requests` in each window aligned to the epoch (or each calendar day or month, UTC), so up to twice that around a boundary | a counter |
//! | sliding-window | `requests` in **any** window, the strongest promise; a place is free again after at most 5 % more than the window | up to 21 counters |
//! | token-bucket | `burst + requests · t / window` in any time `t` | two numbers |
//!
//! **Clocks.** The time of a limit is the latest time it has seen. So a clock that runs back (for instance, one of
//! another machine) gives no request back twice. A cell that is more than [`MAX_CLOCK_STEP_BACK_MILLIS`] ahead was
//! written by a wrong clock. It is read as if it was written now, with its counts, so it shuts no caller out for
//! longer than a window.
//!
//! **Changed limits.** A cell that was written under another limit or another algorithm is carried over: what was
//! used still counts, as if it was used late rather than early. A change gives nobody more than one allowance.
//!
//! **Far from the counter.** With the steps in [`lease`], an isolate borrows part of what is left and spends it
//! without asking again. [`sum`] adds up several counters of one limit that do not see each other.

pub mod advisory;
mod calendar;
mod charge;
mod fixed_window;
mod group;
pub mod held_leases;
pub mod lease;
mod sliding_window;
mod token_bucket;

pub use self::charge::Charge;
pub use self::group::CounterGroup;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use self::calendar::Calendar;
use crate::error::Error;
use crate::json::object::{object, word, words};
use crate::json::readable::{Readable, deserialize, from_value, members};
use crate::json::{document, fault::DocumentFault};
use crate::time::UnixMillis;

/// Longest window: 31 days, a month. Most stores do not keep a cell for longer.
pub const MAX_WINDOW_SECS: u32 = 31 * 86_400;
/// Longest name of a limit in bytes. The name is part of storage keys (512 bytes in KV) and of headers.
pub const MAX_NAME_BYTES: usize = 64;
/// How far a clock may run back: 5 minutes, the skew that Kerberos allows between machines (RFC 4120
/// §1.6). A cell that lies further ahead was written by a wrong clock.
pub const MAX_CLOCK_STEP_BACK_MILLIS: u64 = 300_000;

const MILLIS_PER_SEC: u64 = 1000;

/// How a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitAlgorithm {
    /// A counter per window, aligned to the epoch or to the calendar. Cheap; two windows' worth may meet at a boundary.
    FixedWindow,
    /// A counter for each twentieth of the window. The oldest one counts in full, also if only a part of it is still
    /// within the window, so the limit holds in any window.
    SlidingWindow,
    /// A bucket that fills evenly at `requests` per window (GCRA, ITU-T I.371), exact to the unit.
    TokenBucket {
        /// The size of the bucket: the most that is admitted at once.
        burst: u32,
    },
}

impl LimitAlgorithm {
    /// The name in the policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed-window",
            Self::SlidingWindow => "sliding-window",
            Self::TokenBucket { .. } => "token-bucket",
        }
    }
}

/// A limit: so many requests in so much time.
///
/// In JSON and TOML: `{name, requests, window_secs, algorithm?, burst?, lease?}`. `algorithm` is `fixed-window`,
/// `sliding-window` (the default) or `token-bucket`. `burst` is for `token-bucket` only, and is `requests` by default. A
/// fixed window may have `window`, which is `day` or `month`, in place of `window_secs`. `lease` is [`lease::Terms`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "Written")]
pub struct Limit {
    name: String,
    requests: u32,
    window: Window,
    algorithm: LimitAlgorithm,
    lease: Option<lease::Terms>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Window {
    Secs(u32),
    Calendar(Calendar),
}

impl Limit {
    /// A limit of `requests` in `window_secs`.
    ///
    /// # Errors
    /// [`Error::Config`] with the path `name` (`[a-z][a-z0-9_-]*`, at most [`MAX_NAME_BYTES`]), `requests` (at least 1),
    /// `window_secs` (1 to [`MAX_WINDOW_SECS`]) or `burst` (at least 1).
    pub fn new(
        name: impl Into<String>,
        requests: u32,
        window_secs: u32,
        algorithm: LimitAlgorithm,
    ) -> Result<Self, Error> {
        let limit = Self::named(name.into(), requests, Window::Secs(window_secs), algorithm)?;
        if !(1..=MAX_WINDOW_SECS).contains(&window_secs) {
            return Err(Error::config("window_secs", "expected 1 to 2678400 (31 days)"));
        }
        if matches!(algorithm, LimitAlgorithm::TokenBucket { burst: 0 }) {
            return Err(Error::config("burst", "expected at least 1"));
        }
        Ok(limit)
    }

    /// A quota of `requests` in each day or month of the calendar (UTC): a fixed window.
    ///
    /// # Errors
    /// As [`Limit::new`].
    pub fn calendar(
        name: impl Into<String>,
        requests: u32,
        window: Calendar,
    ) -> Result<Self, Error> {
        Self::named(name.into(), requests, Window::Calendar(window), LimitAlgorithm::FixedWindow)
    }

    fn named(
        name: String,
        requests: u32,
        window: Window,
        algorithm: LimitAlgorithm,
    ) -> Result<Self, Error> {
        if !is_limit_name(&name) {
            let problem = "expected 1 to 64 of a-z, 0-9, - and _, a letter first";
            return Err(Error::config("name", problem));
        }
        if requests == 0 {
            return Err(Error::config("requests", "expected at least 1"));
        }
        Ok(Self { name, requests, window, algorithm, lease: None })
    }

    /// The same limit with a lease: an exact counter may lend part of it.
    ///
    /// # Errors
    /// [`Error::Config`] with the path `lease`, `lease.requests` or `lease.secs` if that makes no sense:
    /// see [`lease::Terms`].
    pub fn with_lease(mut self, terms: lease::Terms) -> Result<Self, Error> {
        terms.check(&self)?;
        self.lease = Some(terms);
        Ok(self)
    }

    /// The same limit, of which nothing is lent.
    #[must_use]
    pub fn without_lease(&self) -> Self {
        Self { lease: None, ..self.clone() }
    }

    /// The same limit with another number of requests, as a key's record may ask for. A bucket's burst
    /// changes in proportion, rounded up. A limit that becomes too small for its lease loses the lease.
    ///
    /// # Errors
    /// [`Error::Config`] with the path `requests` if it is 0.
    pub fn with_requests(&self, requests: u32) -> Result<Self, Error> {
        let algorithm = match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => {
                let scaled = u64::from(burst).saturating_mul(u64::from(requests));
                let scaled = scaled.div_ceil(u64::from(self.requests.max(1)));
                LimitAlgorithm::TokenBucket { burst: saturate(scaled).max(1) }
            }
            other => other,
        };
        let mut limit = Self::named(self.name.clone(), requests, self.window, algorithm)?;
        limit.lease = self.lease.filter(|terms| terms.check(&limit).is_ok());
        Ok(limit)
    }

    /// Its name, unique within a policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much may be admitted in a window. For a bucket: how much flows in during a window.
    #[must_use]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// The window in seconds. For a month: 31 days.
    #[must_use]
    pub const fn window_secs(&self) -> u32 {
        match self.window {
            Window::Secs(secs) => secs,
            Window::Calendar(Calendar::Day) => 86_400,
            Window::Calendar(Calendar::Month) => MAX_WINDOW_SECS,
        }
    }

    /// The length in seconds of the window that is open at this moment. Months differ in length.
    #[must_use]
    pub fn window_secs_at(&self, now: UnixMillis) -> u32 {
        match self.window {
            Window::Calendar(calendar) => {
                let (start, end) = calendar.window(now.as_millis());
                whole_secs(end.saturating_sub(start))
            }
            Window::Secs(secs) => secs,
        }
    }

    /// How much of it may be lent; `None`: every request asks the counter.
    #[must_use]
    pub const fn lease(&self) -> Option<lease::Terms> {
        self.lease
    }

    /// How it counts.
    #[must_use]
    pub const fn algorithm(&self) -> LimitAlgorithm {
        self.algorithm
    }

    /// The most that can be admitted at once: `requests`. For a bucket: `burst`, less what flows in during a
    /// [`lease`].
    #[must_use]
    pub fn capacity(&self) -> u32 {
        match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => match self.lease {
                None => burst,
                Some(_) => saturate(
                    self.bucket_units().checked_div(self.window_millis()).unwrap_or_default(),
                ),
            },
            LimitAlgorithm::FixedWindow | LimitAlgorithm::SlidingWindow => self.requests,
        }
    }

    fn window_millis(&self) -> u64 {
        u64::from(self.window_secs()).saturating_mul(MILLIS_PER_SEC)
    }

    /// The fixed window that a moment lies in: its first millisecond, and the first after it.
    fn window_around(&self, moment: u64) -> (u64, u64) {
        match self.window {
            Window::Calendar(calendar) => calendar.window(moment),
            Window::Secs(_) => {
                let length = self.window_millis();
                let start = align(moment, length);
                (start, start.saturating_add(length))
            }
        }
    }

    /// The size of a bucket in units; `window_millis` units are one request. A lease may be spent as late as its life
    /// allows, and until then `requests` units flow in each millisecond. The bucket is smaller by that much, so that
    /// late spending stays within the bound.
    fn bucket_units(&self) -> u64 {
        let burst = match self.algorithm {
            LimitAlgorithm::TokenBucket { burst } => burst,
            LimitAlgorithm::FixedWindow | LimitAlgorithm::SlidingWindow => self.requests,
        };
        let reserve = self
            .lease
            .map_or(0, |terms| terms.life_millis().saturating_mul(u64::from(self.requests)));
        u64::from(burst).saturating_mul(self.window_millis()).saturating_sub(reserve)
    }
}

/// What a store keeps for one limit and one caller.
///
/// Its serde form is short, with one-letter names. Store it as JSON text: some numbers need more than
/// the 53 bits of a JavaScript number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cell(Kept);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Kept {
    #[serde(rename = "f")]
    FixedWindow(fixed_window::Kept),
    #[serde(rename = "s")]
    SlidingWindow(sliding_window::Kept),
    #[serde(rename = "b")]
    TokenBucket(token_bucket::Kept),
}

impl Cell {
    /// Reads a stored cell. Any number is accepted, also one that no step would write: every step can handle it.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] of `counters` if it is not a cell. The policy's `on_error` decides what happens then.
    /// Counting from zero again would let a caller get around the limit by damaging the cell.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        document::parse(json).map_err(|fault| Error::StoreUnavailable {
            store: "counters",
            problem: format!("cell is not ours: {}", fault.problem),
        })
    }
}

impl Readable for Cell {
    fn blank() -> Self {
        Self(Kept::FixedWindow(fixed_window::Kept::blank()))
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let mut members = members(value)?.into_iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err(DocumentFault::of("expected one algorithm".to_owned()));
        };
        let kept = match word(&name, &["f", "s", "b"])? {
            0 => from_value(value).map(Kept::FixedWindow),
            1 => from_value(value).map(Kept::SlidingWindow),
            _ => from_value(value).map(Kept::TokenBucket),
        };
        *self = Self(kept.map_err(|fault| fault.within(&name))?);
        Ok(())
    }
}

deserialize!(Cell);

object! {
    /// What a limit says to one request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Verdict, ignored {
        /// Whether the request may go on.
        pub admitted: bool,
        /// The most that can be admitted at once ([`Limit::capacity`]).
        pub limit: u32,
        /// How much would still be admitted now, after this request.
        pub remaining: u32,
        /// Seconds, rounded up, until all of `limit` is free again if no other request comes; 0 if it is free now.
        pub reset_after_secs: u32,
        /// 0 if the request is admitted. If it is refused: after how many whole seconds, at least 1, the same request is
        /// admitted if no other one comes. A cost above `limit` is never admitted; then this is the window.
        pub retry_after_secs: u32,
    }
}

/// Decides on a request and takes its cost if it is admitted.
///
/// A cell of `None` is for a caller that was not seen lately. A cost of 0 is always admitted and takes nothing. A
/// refused request takes nothing.
#[must_use]
pub fn step(cell: Option<&Cell>, limit: &Limit, cost: u32, now: UnixMillis) -> (Cell, Verdict) {
    with_meter(cell, limit, now, |meter| {
        let verdict = judge(meter, limit, cost, Take::IfAdmitted);
        (Cell(meter.kept()), verdict)
    })
}

/// Says what [`step`] would decide, and takes nothing: `remaining` and `reset_after_secs` are those of now.
#[must_use]
pub fn peek(cell: Option<&Cell>, limit: &Limit, cost: u32, now: UnixMillis) -> Verdict {
    with_meter(cell, limit, now, |meter| judge(meter, limit, cost, Take::Nothing))
}

/// Decides on a request that has several limits. The cost is taken from every cell or, if one limit refuses,
/// from none.
///
/// The request is admitted if every verdict says so. If not, nothing is taken, and each verdict says what its limit
/// alone would decide. No two of the cells may be the same counter.
#[must_use]
pub fn step_all(meters: &mut [(&Limit, Option<Cell>)], cost: u32, now: UnixMillis) -> Vec<Verdict> {
    let seen: Vec<Verdict> =
        meters.iter().map(|(limit, cell)| peek(cell.as_ref(), limit, cost, now)).collect();
    if !seen.iter().all(|verdict| verdict.admitted) {
        return seen;
    }
    meters
        .iter_mut()
        .map(|(limit, cell)| {
            let (next, verdict) = step(cell.as_ref(), limit, cost, now);
            *cell = Some(next);
            verdict
        })
        .collect()
}

/// Gives back what a step took at `taken_at`, because the request was refused elsewhere after all.
///
/// At once, it gives back exactly the cost. Later it gives back only what still counts: nothing after the window has
/// passed, and not what has flowed back into a bucket since. If the clock ran back in between, the cost may stay
/// taken. It never gives back more than was taken, and no count goes below zero.
#[must_use]
pub fn refund(cell: &Cell, limit: &Limit, cost: u32, taken_at: UnixMillis) -> Cell {
    Cell(match (&cell.0, limit.algorithm) {
        (Kept::FixedWindow(kept), LimitAlgorithm::FixedWindow) => {
            Kept::FixedWindow(kept.refund(limit, cost, taken_at))
        }
        (Kept::SlidingWindow(kept), LimitAlgorithm::SlidingWindow) => {
            Kept::SlidingWindow(kept.refund(limit, cost, taken_at))
        }
        (Kept::TokenBucket(kept), LimitAlgorithm::TokenBucket { .. }) => {
            Kept::TokenBucket(kept.refund(limit, cost, taken_at))
        }
        // The algorithm was changed in between. What was taken stays taken.
        (other, _) => other.clone(),
    })
}

/// Adds up several cells of one limit that do not see each other's counts. Cells of fixed and sliding windows are
/// added for each part of the window. Cells of another algorithm, of windows that are over, and of far ahead are left
/// out. `None` if no cell is left.
///
/// Debts of buckets cannot be added, since each of them shrinks at the whole rate: only the first one counts.
#[must_use]
pub fn sum(cells: &[&Cell], limit: &Limit, now: UnixMillis) -> Option<Cell> {
    let kept = cells.iter().map(|cell| &cell.0);
    let sum = match limit.algorithm {
        LimitAlgorithm::FixedWindow => {
            let counters = kept.filter_map(|kept| match kept {
                Kept::FixedWindow(kept) => Some(kept),
                _ => None,
            });
            fixed_window::sum(counters, limit, now).map(Kept::FixedWindow)
        }
        LimitAlgorithm::SlidingWindow => {
            let counters = kept.filter_map(|kept| match kept {
                Kept::SlidingWindow(kept) => Some(kept),
                _ => None,
            });
            sliding_window::sum(counters, limit, now).map(Kept::SlidingWindow)
        }
        LimitAlgorithm::TokenBucket { .. } => {
            kept.into_iter().find(|kept| matches!(kept, Kept::TokenBucket(_))).cloned()
        }
    };
    sum.map(Cell)
}

/// Counts a cost that was admitted elsewhere, also if this cell alone would refuse it.
#[must_use]
pub fn count(cell: Option<&Cell>, limit: &Limit, cost: u32, now: UnixMillis) -> Cell {
    with_meter(cell, limit, now, |meter| {
        meter.take(cost);
        Cell(meter.kept())
    })
}

/// When the cell may be forgotten: from then on, the answers are the same without it.
#[must_use]
pub fn expires_at(cell: &Cell, limit: &Limit) -> UnixMillis {
    match &cell.0 {
        Kept::FixedWindow(kept) => kept.expires_at(limit),
        Kept::SlidingWindow(kept) => kept.expires_at(limit),
        Kept::TokenBucket(kept) => kept.expires_at(limit),
    }
}

/// Whether the text can be the name of a limit.
pub(crate) fn is_limit_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// One algorithm's view of a cell at one moment. Times are in milliseconds from that moment.
trait Meter {
    /// How much is used, as a cost.
    fn used(&self) -> u32;
    /// How much may still be taken.
    fn available(&self) -> u32;
    /// Takes the cost, which is at most [`available`](Self::available).
    fn take(&mut self, cost: u32);
    /// How long until `cost` is available. The cost is more than is available now, and at most the capacity.
    fn wait_millis(&self, cost: u32) -> u64;
    /// How long until nothing is used.
    fn full_after_millis(&self) -> u64;
    /// How long a lease may last: what is taken now may be spent until then.
    fn lendable_millis(&self) -> u64;
    /// The cell to store.
    fn kept(&self) -> Kept;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    IfAdmitted,
    Nothing,
}

fn judge(meter: &mut dyn Meter, limit: &Limit, cost: u32, take: Take) -> Verdict {
    let admitted = cost <= meter.available();
    if admitted && take == Take::IfAdmitted {
        meter.take(cost);
    }
    let retry_after_secs = if admitted {
        0
    } else if cost > limit.capacity() {
        limit.window_secs()
    } else {
        whole_secs(meter.wait_millis(cost)).max(1)
    };
    Verdict {
        admitted,
        limit: limit.capacity(),
        remaining: meter.available(),
        reset_after_secs: whole_secs(meter.full_after_millis()),
        retry_after_secs,
    }
}

fn with_meter<R>(
    cell: Option<&Cell>,
    limit: &Limit,
    now: UnixMillis,
    then: impl FnOnce(&mut dyn Meter) -> R,
) -> R {
    match (limit.algorithm, cell.map(|cell| &cell.0)) {
        (LimitAlgorithm::FixedWindow, Some(Kept::FixedWindow(kept))) => {
            then(&mut kept.at(limit, now))
        }
        (LimitAlgorithm::SlidingWindow, Some(Kept::SlidingWindow(kept))) => {
            then(&mut kept.at(limit, now))
        }
        (LimitAlgorithm::TokenBucket { .. }, Some(Kept::TokenBucket(kept))) => {
            then(&mut kept.at(limit, now))
        }
        (LimitAlgorithm::FixedWindow, other) => {
            then(carry(&mut fixed_window::Meter::unused(limit, now), other, limit, now))
        }
        (LimitAlgorithm::SlidingWindow, other) => {
            then(carry(&mut sliding_window::Meter::unused(limit, now), other, limit, now))
        }
        (LimitAlgorithm::TokenBucket { .. }, other) => {
            then(carry(&mut token_bucket::Meter::unused(limit, now), other, limit, now))
        }
    }
}

/// Counts what another algorithm has counted, as if all of it was used now.
fn carry<'a>(
    meter: &'a mut dyn Meter,
    other: Option<&Kept>,
    limit: &Limit,
    now: UnixMillis,
) -> &'a mut dyn Meter {
    let used = match other {
        None => 0,
        Some(Kept::FixedWindow(kept)) => kept.at(limit, now).used(),
        Some(Kept::SlidingWindow(kept)) => kept.at(limit, now).used(),
        Some(Kept::TokenBucket(kept)) => kept.at(limit, now).used(),
    };
    meter.take(used.min(meter.available()));
    meter
}

/// The start of the part that `moment` lies in, if time since the epoch is cut into parts of `length`.
fn align(moment: u64, length: u64) -> u64 {
    moment.saturating_sub(moment.checked_rem(length).unwrap_or(0))
}

/// Whether a cell's time is further ahead of the clock than a clock may run back.
fn is_too_far_ahead(cell_time: u64, now: UnixMillis) -> bool {
    cell_time > now.as_millis().saturating_add(MAX_CLOCK_STEP_BACK_MILLIS)
}

fn whole_secs(millis: u64) -> u32 {
    saturate(millis.div_ceil(MILLIS_PER_SEC))
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

object! {
    /// A limit as it is written in JSON and TOML.
    #[derive(Serialize)]
    struct Written, refused {
        name: String,
        requests: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        window_secs: Option<u32> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        window: Option<Calendar> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        algorithm: Option<AlgorithmName> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        burst: Option<u32> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        lease: Option<lease::Terms> = None,
    }
}

/// The name of an algorithm as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AlgorithmName {
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

words!(AlgorithmName {
    "fixed-window" => AlgorithmName::FixedWindow,
    "sliding-window" => AlgorithmName::SlidingWindow,
    "token-bucket" => AlgorithmName::TokenBucket,
});

/// Reads an object, and nothing else.
impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Self::try_from(written).map_err(de::Error::custom)
    }
}

impl TryFrom<Written> for Limit {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self, Error> {
        let Written { name, requests, window_secs, window, algorithm, burst, lease } = written;
        let limit = Self::from_parts(name, requests, (window_secs, window), (algorithm, burst))?;
        match lease {
            Some(terms) => limit.with_lease(terms),
            None => Ok(limit),
        }
    }
}

impl Limit {
    /// A limit of the parts of a document: a window in seconds or by its name, an algorithm, and a burst if there is
    /// one.
    pub(crate) fn from_parts(
        name: String,
        requests: u32,
        window: (Option<u32>, Option<Calendar>),
        algorithm: (Option<AlgorithmName>, Option<u32>),
    ) -> Result<Self, Error> {
        let algorithm = match (algorithm, window) {
            ((Some(AlgorithmName::TokenBucket), burst), _) => {
                LimitAlgorithm::TokenBucket { burst: burst.unwrap_or(requests) }
            }
            ((_, Some(_)), _) => {
                return Err(Error::config("burst", "expected with token-bucket only"));
            }
            ((Some(AlgorithmName::FixedWindow), None), _) | ((None, None), (_, Some(_))) => {
                LimitAlgorithm::FixedWindow
            }
            ((Some(AlgorithmName::SlidingWindow) | None, None), _) => LimitAlgorithm::SlidingWindow,
        };
        match window {
            (Some(secs), None) => Self::new(name, requests, secs, algorithm),
            (None, Some(calendar)) if algorithm == LimitAlgorithm::FixedWindow => {
                Self::calendar(name, requests, calendar)
            }
            (None, Some(_)) => Err(Error::config("window", "expected with fixed-window only")),
            (Some(_), Some(_)) => {
                Err(Error::config("window", "expected window or window_secs, not both"))
            }
            (None, None) => Err(Error::config("window_secs", "expected window_secs or window")),
        }
    }
}

impl From<Limit> for Written {
    fn from(limit: Limit) -> Self {
        let (algorithm, burst) = match limit.algorithm {
            LimitAlgorithm::FixedWindow => (AlgorithmName::FixedWindow, None),
            LimitAlgorithm::SlidingWindow => (AlgorithmName::SlidingWindow, None),
            LimitAlgorithm::TokenBucket { burst } => (AlgorithmName::TokenBucket, Some(burst)),
        };
        let Limit { name, requests, window, lease, .. } = limit;
        let (window_secs, window) = match window {
            Window::Secs(secs) => (Some(secs), None),
            Window::Calendar(calendar) => (None, Some(calendar)),
        };
        Self { name, requests, window_secs, window, algorithm: Some(algorithm), burst, lease }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: LimitAlgorithm = LimitAlgorithm::TokenBucket { burst: 5 };

    fn limit(requests: u32, window_secs: u32, algorithm: LimitAlgorithm) -> Limit {
        Limit::new("per-caller", requests, window_secs, algorithm).unwrap()
    }

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(millis)
    }

    /// Steps through `(time, cost)`; the last verdict and the cell.
    fn run(limit: &Limit, requests: &[(u64, u32)]) -> (Cell, Verdict) {
        let mut last = None;
        for (millis, cost) in requests {
            let cell = last.as_ref().map(|(cell, _)| cell);
            last = Some(step(cell, limit, *cost, at(*millis)));
        }
        last.unwrap()
    }

    #[track_caller]
    fn assert_verdict(verdict: Verdict, expected: (bool, u32, u32, u32)) {
        let Verdict { admitted, remaining, reset_after_secs, retry_after_secs, .. } = verdict;
        assert_eq!((admitted, remaining, reset_after_secs, retry_after_secs), expected);
    }

    #[test]
    fn a_fixed_window_begins_anew_at_its_boundary() {
        let limit = limit(5, 60, LimitAlgorithm::FixedWindow);
        assert_verdict(run(&limit, &[(59_000, 1)]).1, (true, 4, 1, 0));
        assert_verdict(run(&limit, &[(59_000, 5), (59_999, 1)]).1, (false, 0, 1, 1));
        assert_verdict(run(&limit, &[(59_000, 5), (60_000, 1)]).1, (true, 4, 60, 0));
        assert_verdict(run(&limit, &[(1, 3), (2, 3)]).1, (false, 2, 60, 60));
    }

    #[test]
    fn a_sliding_window_frees_a_place_when_its_twentieth_has_left_the_window() {
        let limit = limit(5, 60, LimitAlgorithm::SlidingWindow);
        // 59.0 s lies in the part from 57 to 60 s, which leaves at 57 + 63 = 120 s.
        assert_verdict(run(&limit, &[(59_000, 5)]).1, (true, 0, 61, 0));
        assert_verdict(run(&limit, &[(59_000, 5), (60_000, 1)]).1, (false, 0, 60, 60));
        assert_verdict(run(&limit, &[(59_000, 5), (119_999, 1)]).1, (false, 0, 1, 1));
        assert_verdict(run(&limit, &[(59_000, 5), (120_000, 1)]).1, (true, 4, 63, 0));
        assert_verdict(run(&limit, &[(0, 2), (30_000, 3), (40_000, 2)]).1, (false, 0, 53, 23));
        assert_verdict(run(&limit, &[(0, 2), (30_000, 3), (40_000, 3)]).1, (false, 0, 53, 53));
    }

    #[test]
    fn a_token_bucket_admits_its_burst_and_then_the_rate() {
        let limit = limit(10, 60, BUCKET);
        assert_verdict(run(&limit, &[(0, 5)]).1, (true, 0, 30, 0));
        assert_verdict(run(&limit, &[(0, 5), (0, 1)]).1, (false, 0, 30, 6));
        assert_verdict(run(&limit, &[(0, 5), (5_999, 1)]).1, (false, 0, 25, 1));
        assert_verdict(run(&limit, &[(0, 5), (6_000, 1)]).1, (true, 0, 30, 0));
        assert_verdict(run(&limit, &[(0, 5), (1_000, 3)]).1, (false, 0, 29, 17));
        assert_verdict(run(&limit, &[(0, 5), (3_600_000, 0)]).1, (true, 5, 0, 0));
    }

    #[test]
    fn a_bucket_does_not_drift_in_a_thousand_windows() {
        let limit = limit(7, 60, LimitAlgorithm::TokenBucket { burst: 7 });
        let (mut cell, mut admitted) = (None, 0);
        for millis in (0..=60_000_000_u64).step_by(250) {
            let (next, verdict) = step(cell.as_ref(), &limit, 1, at(millis));
            admitted += u32::from(verdict.admitted);
            cell = Some(next);
        }
        assert_eq!(admitted, 7 + 7 * 1000);
    }

    #[test]
    fn a_sliding_window_gives_at_least_20_of_21_parts_of_the_rate() {
        let limit = limit(20, 1, LimitAlgorithm::SlidingWindow);
        let (mut cell, mut admitted) = (None, 0);
        for millis in 0..105_000_u64 {
            let (next, verdict) = step(cell.as_ref(), &limit, 1, at(millis));
            admitted += u32::from(verdict.admitted);
            cell = Some(next);
        }
        assert_eq!(admitted, 20 * 100);
    }

    #[test]
    fn cost_zero_is_admitted_and_takes_nothing_even_when_nothing_is_left() {
        for algorithm in [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow, BUCKET] {
            let limit = limit(5, 60, algorithm);
            let (full, _) = run(&limit, &[(0, 5)]);
            let (after, verdict) = step(Some(&full), &limit, 0, at(0));
            assert!(verdict.admitted);
            assert_eq!((verdict.remaining, after), (0, full));
        }
    }

    #[test]
    fn a_cost_above_the_limit_is_never_admitted_and_says_the_window() {
        for algorithm in [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow, BUCKET] {
            let limit = limit(5, 60, algorithm);
            assert_verdict(peek(None, &limit, 6, at(59_000)), (false, 5, 0, 60));
            assert_verdict(peek(None, &limit, u32::MAX, at(0)), (false, 5, 0, 60));
        }
    }

    #[test]
    fn several_limits_take_all_or_nothing() {
        let (minute, hour) = (
            limit(5, 60, LimitAlgorithm::SlidingWindow),
            limit(6, 3600, LimitAlgorithm::FixedWindow),
        );
        let mut meters = [(&minute, None), (&hour, None)];
        let verdicts = step_all(&mut meters, 5, at(0));
        assert_verdict(verdicts[0], (true, 0, 63, 0));
        assert_verdict(verdicts[1], (true, 1, 3600, 0));
        let before = meters.clone();
        let verdicts = step_all(&mut meters, 1, at(1));
        assert_verdict(verdicts[0], (false, 0, 63, 63));
        assert_verdict(verdicts[1], (true, 1, 3600, 0));
        assert_eq!(meters, before, "nothing is taken");
        assert_eq!(step_all(&mut [], 1, at(0)), []);
    }

    #[test]
    fn a_refund_gives_back_what_is_still_owed() {
        let fixed = limit(5, 60, LimitAlgorithm::FixedWindow);
        let (cell, _) = run(&fixed, &[(59_000, 3), (60_000, 2)]);
        let late = refund(&cell, &fixed, 3, at(59_000));
        assert_eq!(
            peek(Some(&late), &fixed, 0, at(60_000)).remaining,
            3,
            "of a window that is over"
        );
        let now = refund(&cell, &fixed, 9, at(60_000));
        assert_eq!(peek(Some(&now), &fixed, 0, at(60_000)).remaining, 5, "never below zero");

        let bucket = limit(10, 60, BUCKET);
        let (cell, _) = run(&bucket, &[(0, 1), (6_000, 4)]);
        let late = refund(&cell, &bucket, 1, at(0));
        assert_eq!(peek(Some(&late), &bucket, 0, at(6_000)).remaining, 1, "it flowed back already");

        let sliding = limit(5, 60, LimitAlgorithm::SlidingWindow);
        let other = refund(&cell, &sliding, 4, at(6_000));
        assert_eq!(other, cell, "a cell of another algorithm stays");
    }

    #[test]
    fn a_clock_that_runs_back_admits_nothing_twice() {
        for algorithm in [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow] {
            let limit = limit(5, 60, algorithm);
            let (cell, _) = run(&limit, &[(600_000, 5)]);
            let back = 600_000 - MAX_CLOCK_STEP_BACK_MILLIS;
            assert!(!peek(Some(&cell), &limit, 1, at(back)).admitted);
            let (cell, verdict) = step(Some(&cell), &limit, 1, at(back));
            assert_eq!(
                verdict.retry_after_secs,
                if algorithm == LimitAlgorithm::FixedWindow { 360 } else { 363 }
            );
            assert!(!peek(Some(&cell), &limit, 1, at(600_000)).admitted);
        }
    }

    #[test]
    fn a_cell_from_far_ahead_counts_as_of_now_and_locks_nobody_out_for_longer_than_the_window() {
        for algorithm in [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow, BUCKET] {
            let limit = limit(5, 60, algorithm);
            let (cell, _) = run(&limit, &[(u64::MAX / 2, 5)]);
            let (cell, verdict) = step(Some(&cell), &limit, 1, at(600_000));
            assert!(!verdict.admitted);
            assert!(verdict.retry_after_secs <= 63, "{verdict:?}");
            assert!(peek(Some(&cell), &limit, 1, at(663_000)).admitted);
        }
    }

    #[test]
    fn what_was_used_counts_on_after_a_change_of_the_limit() {
        let algorithms = [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow, BUCKET];
        for (before, after) in algorithms.into_iter().flat_map(|a| algorithms.map(|b| (a, b))) {
            let (cell, _) = run(&limit(5, 60, before), &[(1, 3)]);
            let seen = |window| peek(Some(&cell), &limit(5, window, after), 0, at(1)).remaining;
            assert_eq!((seen(60), seen(3600), seen(1)), (2, 2, 2), "{before:?} {after:?}");
            let lowered = peek(Some(&cell), &limit(2, 60, after), 1, at(1));
            assert_eq!(lowered.admitted, after == BUCKET, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_shorter_sliding_window_takes_what_was_used_as_used_late() {
        let (cell, _) = run(&limit(5, 3600, LimitAlgorithm::SlidingWindow), &[(170_000, 3)]);
        let shorter = limit(5, 60, LimitAlgorithm::SlidingWindow);
        // The old part reaches from 0 to 180 s; nothing says that it was not used just now.
        assert_eq!(peek(Some(&cell), &shorter, 0, at(171_000)).remaining, 2);
        assert_eq!(peek(Some(&cell), &shorter, 0, at(239_999)).remaining, 2);
        assert_eq!(peek(Some(&cell), &shorter, 0, at(240_000)).remaining, 5);
    }

    #[test]
    fn cells_have_this_compact_form() {
        let written = |algorithm| {
            let (cell, _) =
                run(&limit(5, 60, algorithm), &[(1_699_999_990_000, 2), (1_699_999_999_000, 1)]);
            let json = serde_json::to_string(&cell).unwrap();
            assert_eq!(Cell::parse(json.as_bytes()), Ok(cell));
            json
        };
        assert_eq!(written(LimitAlgorithm::FixedWindow), r#"{"f":{"s":1699999980000,"n":3}}"#);
        assert_eq!(
            written(LimitAlgorithm::SlidingWindow),
            r#"{"s":{"t":1699999998000,"l":3000,"c":[1,0,0,2]}}"#
        );
        assert_eq!(written(BUCKET), r#"{"b":{"t":1699999999000,"d":135000,"w":60000}}"#);
    }

    #[test]
    fn what_is_no_cell_is_a_fault_of_the_store() {
        for (json, problem) in [
            ("", "expected JSON: EOF while parsing a value at line 1 column 0"),
            (r#"{"f":{"s":-1,"n":3}}"#, "expected a whole number, found one out of range"),
            (r#"{"g":{}}"#, "expected one of f, s, b"),
        ] {
            assert_eq!(
                Cell::parse(json.as_bytes()).unwrap_err().to_string(),
                format!("store counters: cell is not ours: {problem}")
            );
        }
    }

    #[test]
    fn limits_are_refused_by_field() {
        let refused = |name: &str, requests, window_secs, algorithm| {
            Limit::new(name, requests, window_secs, algorithm).unwrap_err().to_string()
        };
        let name = "name: expected 1 to 64 of a-z, 0-9, - and _, a letter first";
        let long = "a".repeat(65);
        for wrong in ["", "A", "1a", "a b", "a\u{e9}", "a/b", &long] {
            assert_eq!(refused(wrong, 1, 1, BUCKET), name);
        }
        assert_eq!(refused("a", 0, 1, BUCKET), "requests: expected at least 1");
        for wrong in [0, MAX_WINDOW_SECS + 1] {
            let problem = "window_secs: expected 1 to 2678400 (31 days)";
            assert_eq!(refused("a", 1, wrong, BUCKET), problem);
        }
        let empty = LimitAlgorithm::TokenBucket { burst: 0 };
        assert_eq!(refused("a", 1, 1, empty), "burst: expected at least 1");
    }

    #[test]
    fn limits_are_written_as_in_the_policy() {
        let read = |json: &str| document::deserialize::<Limit>(json.as_bytes());
        for (json, algorithm) in [
            (
                r#"{"name":"a","requests":5,"window_secs":60,"algorithm":"fixed-window"}"#,
                LimitAlgorithm::FixedWindow,
            ),
            (
                r#"{"name":"a","requests":5,"window_secs":60,"algorithm":"sliding-window"}"#,
                LimitAlgorithm::SlidingWindow,
            ),
            (
                r#"{"name":"a","requests":5,"window_secs":60,"algorithm":"token-bucket","burst":5}"#,
                BUCKET,
            ),
        ] {
            let limit = read(json).unwrap();
            assert_eq!(limit.algorithm(), algorithm);
            assert_eq!(serde_json::to_string(&limit).unwrap(), json);
            assert!(json.contains(algorithm.as_str()));
        }
        let short = read(r#"{"name":"a","requests":5,"window_secs":60}"#).unwrap();
        assert_eq!(short.algorithm(), LimitAlgorithm::SlidingWindow);
        let bucket =
            read(r#"{"name":"a","requests":5,"window_secs":60,"algorithm":"token-bucket"}"#);
        assert_eq!(bucket.unwrap().algorithm(), BUCKET);
        for (json, problem) in [
            (r#"{"name":"a","requests":0,"window_secs":60}"#, "requests: expected at least 1"),
            (
                r#"{"name":"a","requests":5,"window_secs":60,"burst":9}"#,
                "burst: expected with token-bucket only",
            ),
        ] {
            assert_eq!(read(json).unwrap_err().problem, problem);
        }
    }

    #[test]
    fn an_override_scales_the_burst() {
        let bucket = limit(10, 60, BUCKET);
        let capacity = |requests| bucket.with_requests(requests).unwrap().capacity();
        assert_eq!((capacity(20), capacity(1), capacity(u32::MAX)), (10, 1, 2_147_483_648));
        let sliding = limit(10, 60, LimitAlgorithm::SlidingWindow).with_requests(3).unwrap();
        assert_eq!((sliding.requests(), sliding.capacity(), sliding.window_secs()), (3, 3, 60));
        assert!(bucket.with_requests(0).is_err());
    }
}
