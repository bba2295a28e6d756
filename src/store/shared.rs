//! Exact counters over a store that can compare and swap: several processes count together, and of any
//! number of requests at once exactly as many as the limit says pass.
//!
//! All limits of a group lie under one name, so one swap takes from all of them or from none.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{CounterStore, StoreError};
use crate::{
    json::document,
    limit::{self, Charge, CounterGroup, Limit, Verdict},
    time::UnixMillis,
};

/// Where the cells of a group lie.
const PREFIX: &str = "count/v1/";
/// The version of the stored form.
const VERSION: u8 = 1;
/// How often a step is tried again because another process was faster. One of them gets through each
/// time, so this many have to be faster in a row.
const MAX_ATTEMPTS: u32 = 64;

/// A store of texts that can compare and swap.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait SwapStore {
    /// The value under the name. Until [`SwapStore::swap`] has succeeded or [`SwapStore::release`] was
    /// called, others in this process who load it wait: only other processes contend.
    async fn load(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Puts `next` in the place of `expected`, and says whether that was still there. It is gone from
    /// `until` on.
    async fn swap(
        &self,
        name: &str,
        expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// Nothing will be swapped.
    fn release(&self, name: &str);
}

/// The turn of a step: other steps of this process for the same name wait for its end, which is a swap or the drop.
pub(super) struct Turn<'s, S: SwapStore> {
    store: &'s S,
    name: String,
    /// Whether a swap has ended it.
    is_over: bool,
}

impl<'s, S: SwapStore> Turn<'s, S> {
    pub(super) const fn new(store: &'s S, name: String) -> Self {
        Self { store, name, is_over: false }
    }

    pub(super) async fn load(&self) -> Result<Option<String>, StoreError> {
        self.store.load(&self.name).await
    }

    pub(super) async fn swap(
        &mut self,
        expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        let is_swapped = self.store.swap(&self.name, expected, next, until).await?;
        self.is_over |= is_swapped;
        Ok(is_swapped)
    }
}

impl<S: SwapStore> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        if !self.is_over {
            self.store.release(&self.name);
        }
    }
}

/// The counters in such a store.
#[derive(Debug)]
pub struct SharedCounters<S> {
    store: S,
}

/// The cells of a group, by the name of the limit.
#[derive(Debug, Serialize, Deserialize)]
struct Cells {
    v: u8,
    cells: BTreeMap<String, Stored>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    cell: limit::Cell,
    /// Milliseconds since 1970; from then on the cell says what no cell says.
    until: UnixMillis,
}

impl<S: SwapStore> SharedCounters<S> {
    /// The counters in `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// Loads, steps and swaps until it is done. A step that says no writes nothing.
    async fn change<T>(
        &self,
        group: &CounterGroup,
        now: UnixMillis,
        step: impl Fn(&mut Cells) -> (Write, T),
    ) -> Result<T, StoreError> {
        let name = format!("{PREFIX}{group}");
        for _ in 0..MAX_ATTEMPTS {
            let found = self.store.load(&name).await?;
            let mut cells = match Cells::read(found.as_deref(), now) {
                Ok(cells) => cells,
                Err(fault) => {
                    self.store.release(&name);
                    return Err(fault);
                }
            };
            let (write, answer) = step(&mut cells);
            let Some(until) = cells.until().filter(|_| write == Write::Yes) else {
                self.store.release(&name);
                return Ok(answer);
            };
            let next = serde_json::to_string(&cells)
                .map_err(|_| StoreError::new("cells cannot be written as JSON"))?;
            if self.store.swap(&name, found.as_deref(), &next, until).await? {
                return Ok(answer);
            }
        }
        self.store.release(&name);
        Err(StoreError::own_bound("too many processes count the same thing at once"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Yes,
    No,
}

impl Cells {
    /// Cells that cannot be read are a fault, and what follows is the limit's `on_error` to say.
    /// Counting afresh would make damage a way around the limit.
    fn read(text: Option<&str>, now: UnixMillis) -> Result<Self, StoreError> {
        let Some(text) = text else { return Ok(Self { v: VERSION, cells: BTreeMap::new() }) };
        let mut cells: Self = document::deserialize(text.as_bytes())
            .map_err(|fault| StoreError::new(format!("cells are not ours: {}", fault.problem)))?;
        if cells.v != VERSION {
            return Err(StoreError::new("cells are of a later version"));
        }
        cells.cells.retain(|_, stored| now < stored.until);
        Ok(cells)
    }

    fn until(&self) -> Option<UnixMillis> {
        self.cells.values().map(|stored| stored.until).max()
    }

    fn meters<'l>(&self, limits: &'l [Limit]) -> Vec<(&'l Limit, Option<limit::Cell>)> {
        let cell = |limit: &Limit| self.cells.get(limit.name()).map(|stored| stored.cell.clone());
        limits.iter().map(|limit| (limit, cell(limit))).collect()
    }

    fn keep(&mut self, meters: Vec<(&Limit, Option<limit::Cell>)>) {
        for (limit, cell) in meters {
            if let Some(cell) = cell {
                let until = limit::expires_at(&cell, limit);
                self.cells.insert(limit.name().to_owned(), Stored { cell, until });
            }
        }
    }
}

/// The limits without their leases: nothing is lent here, so that no bucket has to be smaller by what is spent late.
fn unlent(limits: &[Limit]) -> Cow<'_, [Limit]> {
    if limits.iter().all(|limit| limit.lease().is_none()) {
        return Cow::Borrowed(limits);
    }
    Cow::Owned(limits.iter().map(Limit::without_lease).collect())
}

impl<S: SwapStore> CounterStore for SharedCounters<S> {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let limits = unlent(limits);
        self.change(group, now, |cells| {
            let mut meters = cells.meters(&limits);
            let verdicts = limit::step_all(&mut meters, cost, now);
            if !verdicts.iter().all(|verdict| verdict.admitted) {
                return (Write::No, verdicts);
            }
            cells.keep(meters);
            (Write::Yes, verdicts)
        })
        .await
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let limits = unlent(limits);
        self.change(group, now, |cells| {
            let mut meters = cells.meters(&limits);
            for (limit, cell) in &mut meters {
                *cell = cell.take().map(|cell| limit::refund(&cell, limit, cost, now));
            }
            cells.keep(meters);
            (Write::Yes, ())
        })
        .await
    }
}
