//! Counters in an eventually consistent key-value store (`store = "kv"`): advisory, cheap to ask.
//!
//! The store cannot increment a number, and the last write wins. Counting works there only if no two isolates write
//! the same key. So each isolate keeps a **component** of its own for each limit and caller: the cell with what
//! this isolate admitted. From time to time it writes that component and reads those of the others. It decides by
//! the sum ([`limit::sum`]). Both happen in the background: no request waits for them.
//!
//! **Error.** What other isolates admitted counts only after it was written, has travelled, and was read. This takes
//! `Δ` = [`write_every_millis`] + the store's own delay (on Workers KV 60 s and sometimes more) + [`read_every_millis`].
//! One isolate alone never admits more than the limit. All together may admit more, by what they see of each other too
//! late. A caller with a steady rate gets at most that rate times `Δ` too much in a window, and never more than the
//! limit times the number of isolates. Nobody gets less than the limit.
//!
//! Nothing here waits, and there is no I/O. [`AdvisoryCounters::take`] decides, [`AdvisoryCounters::jobs`] says what
//! to read and write, and the edge does it and reports back. STORAGE.md describes the keys.

use std::{
    cell::{Cell as Number, RefCell},
    collections::BTreeMap,
};

use crate::{
    bounded::BoundedMap,
    error::StoreError,
    limit::{self, Cell, CounterGroup, Limit, Verdict},
    time::UnixMillis,
};

/// The beginning of each key. Group, limit and component follow.
const PREFIX: &str = "tally/v1/";
/// Workers KV takes one write a second for each key.
const MIN_WRITE_EVERY_MILLIS: u64 = 1_000;
/// Workers give a background task 30 seconds after the answer, so the last write of a burst must not wait longer.
const MAX_WRITE_EVERY_MILLIS: u64 = 20_000;
const MIN_READ_EVERY_MILLIS: u64 = 2_000;
const MAX_READ_EVERY_MILLIS: u64 = 60_000;
/// The shortest time to live that Workers KV takes.
const MIN_TTL_SECS: u64 = 60;
/// The longest pause after faults.
const MAX_BACK_OFF_MILLIS: u64 = 60_000;
/// A store that does not answer for so long is a fault. Until then, what was read last counts.
const GRACE_MILLIS: u64 = 10_000;
/// A fault that is older says nothing about now.
const FAULT_STANDS_MILLIS: u64 = 120_000;
/// A write that has not ended by then is lost.
const WRITE_LOST_MILLIS: u64 = 10_000;
/// How many callers an isolate counts. At about 1 KB each, they take 10 MB of its 128 MB.
const MAX_GROUPS: usize = 10_000;

/// How often a component is written, at most: a hundredth of the window, 1 to 20 seconds.
#[must_use]
pub fn write_every_millis(limit: &Limit) -> u64 {
    u64::from(limit.window_secs())
        .saturating_mul(10)
        .clamp(MIN_WRITE_EVERY_MILLIS, MAX_WRITE_EVERY_MILLIS)
}

/// How often the others' components are read, at most: a twentieth of the window, 2 to 60 seconds.
#[must_use]
pub fn read_every_millis(limit: &Limit) -> u64 {
    u64::from(limit.window_secs())
        .saturating_mul(50)
        .clamp(MIN_READ_EVERY_MILLIS, MAX_READ_EVERY_MILLIS)
}

/// The counters of one isolate.
#[derive(Debug)]
pub struct AdvisoryCounters {
    isolate: String,
    groups: RefCell<BoundedMap<CounterGroup, Group>>,
    /// A number for each component of this isolate: a component that it has forgotten must not be overwritten.
    components: Number<u64>,
}

#[derive(Debug)]
struct Group {
    component: String,
    limits: BTreeMap<String, Counted>,
    next_read: UnixMillis,
    reads: Health,
}

#[derive(Debug)]
struct Counted {
    limit: Limit,
    own: Option<Cell>,
    others: Option<Cell>,
    unwritten: bool,
    next_write: UnixMillis,
    writing_until: UnixMillis,
    writes: Health,
}

/// The faults of an operation: how many in a row, since when, and when the last one was.
#[derive(Debug, Clone, Copy, Default)]
struct Health {
    failed: u32,
    since: UnixMillis,
    last: UnixMillis,
}

/// Something to be done in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// List all keys with this prefix, with their cells, and report to [`AdvisoryCounters::read`].
    Read {
        /// The prefix.
        prefix: String,
    },
    /// Wait for this time, write what [`AdvisoryCounters::to_write`] then returns, and report to [`AdvisoryCounters::wrote`].
    Write {
        /// The limit.
        limit: String,
        /// How long.
        after_millis: u64,
    },
}

/// A component as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The key.
    pub key: String,
    /// The cell, JSON, at most 300 bytes.
    pub cell: String,
    /// Its time to live in seconds: at least 60.
    pub ttl_secs: u64,
}

impl AdvisoryCounters {
    /// The counters of one isolate. Its name is random: at most 64 letters, digits, `-` and `_`.
    #[must_use]
    pub fn new(isolate: impl Into<String>) -> Self {
        Self {
            isolate: isolate.into(),
            groups: RefCell::new(BoundedMap::new(MAX_GROUPS)),
            components: Number::new(0),
        }
    }

    /// Decides by the sum of all components that are known here. It takes the cost from all limits or from none.
    ///
    /// # Errors
    /// [`StoreError`] if the store has not answered for ten seconds, or has something else than a counter for this
    /// group. The policy's `on_error` decides what happens then.
    pub fn take(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.with(group, limits, now, |known| {
            let mut writes = known.limits.values().map(|counted| counted.writes);
            if known.reads.is_at_fault(now) || writes.any(|writes| writes.is_at_fault(now)) {
                return Err(StoreError::new("advisory counters: the store does not answer"));
            }
            let mut meters: Vec<(&Limit, Option<Cell>)> =
                limits.iter().map(|limit| (limit, known.sum(limit, now))).collect();
            let verdicts = limit::step_all(&mut meters, cost, now);
            if cost > 0 && verdicts.iter().all(|verdict| verdict.admitted) {
                for limit in limits {
                    known.change(limit, |own| Some(limit::count(own, limit, cost, now)));
                }
            }
            Ok(verdicts)
        })
    }

    /// The verdicts by which [`AdvisoryCounters::take`] would refuse.
    #[must_use]
    pub fn refusal(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        self.with(group, limits, now, |known| {
            let peek = |limit| limit::peek(known.sum(limit, now).as_ref(), limit, cost, now);
            let verdicts: Vec<Verdict> = limits.iter().map(peek).collect();
            verdicts.iter().any(|verdict| !verdict.admitted).then_some(verdicts)
        })
    }

    /// Gives back what was just taken.
    pub fn refund(&self, group: &CounterGroup, limits: &[Limit], cost: u32, now: UnixMillis) {
        self.with(group, limits, now, |known| {
            for limit in limits {
                known.change(limit, |own| Some(limit::refund(own?, limit, cost, now)));
            }
        });
    }

    /// What is due for these limits. Each job is given out once: whoever asks has to do it.
    #[must_use]
    pub fn jobs(&self, group: &CounterGroup, limits: &[Limit], now: UnixMillis) -> Vec<Job> {
        self.with(group, limits, now, |known| {
            let mut jobs = Vec::new();
            if known.next_read <= now {
                let every = limits.iter().map(read_every_millis).min();
                known.next_read = now.saturating_add(every.unwrap_or(MAX_READ_EVERY_MILLIS));
                jobs.push(Job::Read { prefix: format!("{PREFIX}{group}/") });
            }
            for counted in known.limits.values_mut() {
                if !counted.unwritten || now < counted.writing_until {
                    continue;
                }
                let after_millis = counted.next_write.millis_since(now);
                // A pause after faults is longer than a background task lives; then a later request writes.
                if after_millis > MAX_WRITE_EVERY_MILLIS {
                    continue;
                }
                counted.writing_until =
                    now.saturating_add(after_millis).saturating_add(WRITE_LOST_MILLIS);
                jobs.push(Job::Write { limit: counted.limit.name().to_owned(), after_millis });
            }
            jobs
        })
    }

    /// The component to write now; `None` if nothing has changed.
    #[must_use]
    pub fn to_write(
        &self,
        group: &CounterGroup,
        limit: &str,
        now: UnixMillis,
    ) -> Option<Component> {
        let mut groups = self.groups.borrow_mut();
        let known = groups.get_mut(group, now)?;
        let counted = known.limits.get_mut(limit).filter(|counted| counted.unwritten)?;
        let cell = counted.own.as_ref()?;
        let lives = limit::expires_at(cell, &counted.limit).millis_since(now).div_ceil(1000);
        let component = Component {
            key: format!("{PREFIX}{group}/{limit}/{}", known.component),
            cell: serde_json::to_string(cell).ok()?,
            ttl_secs: lives.max(MIN_TTL_SECS),
        };
        // What is taken from now on is written the next time.
        counted.unwritten = false;
        counted.next_write = now.saturating_add(write_every_millis(&counted.limit));
        Some(component)
    }

    /// Takes note of how the write went. After each fault (such as 429 of Workers KV) the next write waits twice as long.
    pub fn wrote(&self, group: &CounterGroup, limit: &str, went_well: bool, now: UnixMillis) {
        let mut groups = self.groups.borrow_mut();
        let Some(known) = groups.get_mut(group, now) else { return };
        let Some(counted) = known.limits.get_mut(limit) else { return };
        counted.writing_until = UnixMillis::default();
        counted.writes.note(went_well, now);
        if !went_well {
            counted.unwritten = true;
            counted.next_write = now.saturating_add(counted.writes.back_off_millis());
        }
    }

    /// Takes what was found under the prefix: keys with their cells. `Err` if the store did not answer.
    pub fn read(
        &self,
        group: &CounterGroup,
        found: Result<&[(String, String)], StoreError>,
        now: UnixMillis,
    ) {
        let mut groups = self.groups.borrow_mut();
        let Some(known) = groups.get_mut(group, now) else { return };
        let others = found.ok().and_then(|found| others(group, found, &known.component));
        known.reads.note(others.is_some(), now);
        let Some(others) = others else {
            known.next_read = now.saturating_add(known.reads.back_off_millis());
            return;
        };
        for (name, counted) in &mut known.limits {
            let cells: Vec<&Cell> =
                others.iter().filter(|(limit, _)| limit == name).map(|(_, cell)| cell).collect();
            counted.others = limit::sum(&cells, &counted.limit, now);
        }
    }

    fn with<R>(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        now: UnixMillis,
        then: impl FnOnce(&mut Group) -> R,
    ) -> R {
        let mut groups = self.groups.borrow_mut();
        // It is taken out and put in again, so that it is kept for as long as its counts.
        let mut known = groups.take(group, now).unwrap_or_else(|| {
            self.components.set(self.components.get().saturating_add(1));
            Group::new(format!("{}-{}", self.isolate, self.components.get()))
        });
        for limit in limits {
            known.know(limit);
        }
        let result = then(&mut known);
        let until = known.expires_at(now);
        groups.insert(*group, known, until, now);
        result
    }
}

impl Group {
    fn new(component: String) -> Self {
        Self {
            component,
            limits: BTreeMap::new(),
            next_read: UnixMillis::default(),
            reads: Health::default(),
        }
    }

    /// A limit that is new here has to be read, also if other limits of the group were read just now.
    fn know(&mut self, limit: &Limit) {
        match self.limits.get_mut(limit.name()) {
            Some(counted) if counted.limit == *limit => {}
            Some(counted) => counted.limit = limit.clone(),
            None => {
                let counted = Counted {
                    limit: limit.clone(),
                    own: None,
                    others: None,
                    unwritten: false,
                    next_write: UnixMillis::default(),
                    writing_until: UnixMillis::default(),
                    writes: Health::default(),
                };
                self.limits.insert(limit.name().to_owned(), counted);
                if self.reads.failed == 0 {
                    self.next_read = UnixMillis::default();
                }
            }
        }
    }

    fn sum(&self, limit: &Limit, now: UnixMillis) -> Option<Cell> {
        let counted = self.limits.get(limit.name())?;
        let both: Vec<&Cell> = counted.own.iter().chain(&counted.others).collect();
        limit::sum(&both, limit, now)
    }

    fn change(&mut self, limit: &Limit, step: impl FnOnce(Option<&Cell>) -> Option<Cell>) {
        if let Some(counted) = self.limits.get_mut(limit.name()) {
            let next = step(counted.own.as_ref());
            if next != counted.own {
                counted.own = next;
                counted.unwritten = true;
            }
        }
    }

    /// It is kept as long as it counts something, and for a minute at least, since it also knows about reads and faults.
    fn expires_at(&self, now: UnixMillis) -> UnixMillis {
        self.limits
            .values()
            .filter_map(|counted| {
                counted.own.as_ref().map(|own| limit::expires_at(own, &counted.limit))
            })
            .fold(now.saturating_add(FAULT_STANDS_MILLIS), UnixMillis::max)
    }
}

impl Health {
    fn note(&mut self, went_well: bool, now: UnixMillis) {
        if went_well {
            *self = Self::default();
            return;
        }
        if self.failed == 0 || now.millis_since(self.last) >= FAULT_STANDS_MILLIS {
            self.since = now;
        }
        self.failed = self.failed.saturating_add(1);
        self.last = now;
    }

    /// Whether it has failed for longer than a moment, and lately.
    const fn is_at_fault(&self, now: UnixMillis) -> bool {
        self.failed > 0
            && now.millis_since(self.since) >= GRACE_MILLIS
            && now.millis_since(self.last) < FAULT_STANDS_MILLIS
    }

    /// 2, 4, 8 … seconds, at most a minute.
    fn back_off_millis(&self) -> u64 {
        1000_u64.checked_shl(self.failed.min(16)).unwrap_or(u64::MAX).min(MAX_BACK_OFF_MILLIS)
    }
}

/// The cells of the other components by limit; `None` if one of them is not a cell: a damaged counter is a fault.
fn others(
    group: &CounterGroup,
    found: &[(String, String)],
    own: &str,
) -> Option<Vec<(String, Cell)>> {
    let prefix = format!("{PREFIX}{group}/");
    let mut others = Vec::new();
    for (key, cell) in found {
        let (limit, component) = key.strip_prefix(&prefix)?.split_once('/')?;
        if component != own {
            others.push((limit.to_owned(), Cell::parse(cell.as_bytes()).ok()?));
        }
    }
    Some(others)
}
