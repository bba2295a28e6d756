//! Models of what counters in other places are made of, with the real steps: an exact counter behind an isolate's
//! leases, and isolates over a key-value store.
#![allow(dead_code, unreachable_pub)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use edgegate::limit::advisory::{AdvisoryCounters, Job};
use edgegate::limit::held_leases::{LeaseStep, Leases};
use edgegate::limit::lease::{Borrow, Grant, Unspent, give_back, lend};
use edgegate::limit::{self, Charge, Limit, Verdict};
use edgegate::time::UnixMillis;
use edgegate::{error::StoreError, limit::CounterGroup, store::CounterStore};

/// An exact counter elsewhere, asked through what an isolate holds, as the Worker does.
#[derive(Default)]
pub struct ThroughLeases<C> {
    leases: Leases,
    taken: RefCell<Vec<(CounterGroup, UnixMillis)>>,
    pub asked: Cell<u32>,
    pub counter: C,
}

/// What is behind the leases.
pub trait Counter {
    fn take(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        ask: Borrow,
        now: UnixMillis,
    ) -> Result<Grant, StoreError>;

    fn give_back(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        unspent: Unspent,
    ) -> Result<(), StoreError>;
}

/// The steps of the counter over cells in memory, by the caller's clock.
#[derive(Default)]
pub struct Cells(RefCell<BTreeMap<(CounterGroup, String), limit::Cell>>);

impl Cells {
    fn with<R>(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        step: impl FnOnce(&mut [(&Limit, Option<limit::Cell>)]) -> R,
    ) -> R {
        let mut cells = self.0.borrow_mut();
        let name = |limit: &Limit| (*group, limit.name().to_owned());
        let mut meters: Vec<_> =
            limits.iter().map(|limit| (limit, cells.get(&name(limit)).cloned())).collect();
        let result = step(&mut meters);
        for (limit, cell) in meters {
            if let Some(cell) = cell {
                cells.insert(name(limit), cell);
            }
        }
        result
    }
}

impl Counter for Cells {
    fn take(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        ask: Borrow,
        now: UnixMillis,
    ) -> Result<Grant, StoreError> {
        Ok(self.with(group, limits, |meters| lend(meters, &ask, now)))
    }

    fn give_back(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        unspent: Unspent,
    ) -> Result<(), StoreError> {
        self.with(group, limits, |meters| give_back(meters, unspent));
        Ok(())
    }
}

impl<C: Counter> CounterStore for ThroughLeases<C> {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let taken = match self.leases.begin(group, limits, cost, now) {
            LeaseStep::Decided(taken) => taken,
            LeaseStep::Ask(ask) => {
                self.asked.set(self.asked.get() + 1);
                super::gate::a_moment().await;
                let answer = self.counter.take(group, limits, ask, now);
                super::gate::a_moment().await;
                self.leases.finish(group, limits, &ask, (now, now), answer)?
            }
        };
        if let Some(at) = taken.at {
            self.taken.borrow_mut().push((*group, at));
        }
        Ok(taken.verdicts)
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let taken = self.taken.borrow();
        let last = taken.iter().rev().find_map(|(of, at)| (of == group).then_some(*at));
        match self.leases.refund(group, limits, cost, last.unwrap_or(now), now) {
            Some(unspent) => self.counter.give_back(group, limits, unspent),
            None => Ok(()),
        }
    }
}

/// Isolates over a key-value store in which every write is seen at once. Each request goes to the next isolate,
/// and finds all that is due in the background done.
pub struct OverKv {
    isolates: Vec<AdvisoryCounters>,
    next: Cell<usize>,
    written: RefCell<BTreeMap<String, String>>,
}

impl OverKv {
    pub fn new(isolates: usize) -> Self {
        Self {
            isolates: (0..isolates).map(|name| AdvisoryCounters::new(name.to_string())).collect(),
            next: Cell::new(0),
            written: RefCell::default(),
        }
    }

    fn isolate(&self) -> &AdvisoryCounters {
        let next = self.next.get();
        self.next.set(next + 1);
        &self.isolates[next % self.isolates.len()]
    }

    /// Writes everything that is not written, and lets everybody read it: a store without any delay.
    fn settle(&self, group: &CounterGroup, limits: &[Limit], now: UnixMillis) {
        let mut written = self.written.borrow_mut();
        for isolate in &self.isolates {
            for limit in limits {
                if let Some(component) = isolate.to_write(group, limit.name(), now) {
                    assert!(component.key.len() <= 512 && component.ttl_secs >= 60);
                    written.insert(component.key, component.cell);
                    isolate.wrote(group, limit.name(), true, now);
                }
            }
        }
        for isolate in &self.isolates {
            let prefix = isolate.jobs(group, limits, now).into_iter().find_map(|job| match job {
                Job::Read { prefix } => Some(prefix),
                Job::Write { .. } => None,
            });
            let prefix = prefix.unwrap_or_else(|| format!("tally/v1/{group}/"));
            let found: Vec<(String, String)> = written
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix))
                .map(|(key, cell)| (key.clone(), cell.clone()))
                .collect();
            isolate.read(group, Ok(&found), now);
        }
    }
}

impl CounterStore for OverKv {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let Charge { group, limits, cost, now } = charge;
        // Whoever has heard of the limits reads of them.
        for isolate in &self.isolates {
            isolate.take(group, limits, 0, now)?;
        }
        self.settle(group, limits, now);
        let verdicts = self.isolate().take(group, limits, cost, now)?;
        self.settle(group, limits, now);
        super::gate::a_moment().await;
        Ok(verdicts)
    }

    /// By the isolate that took it, as in the Worker: the one before the next.
    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let last = self.next.get().saturating_sub(1) % self.isolates.len();
        self.isolates[last].refund(group, limits, cost, now);
        Ok(())
    }
}
