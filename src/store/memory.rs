//! Stores that live in memory: the reference for what every store has to do, the counters of
//! `store = "memory"`, and the stores of tests.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use super::{CounterStore, KeyRecordStore, Page, ReplayStore, RevocationStore, StoreError};
use crate::bounded::BoundedMap;
use crate::{
    api_key::{KeyId, record::KeyRecord},
    jose::dpop::ReplayKey,
    limit::{self, Cell, Charge, CounterGroup, Limit, Verdict},
    revocation::{DenyKey, Entry},
    time::UnixMillis,
};

/// Counters that are kept in one isolate. At about 200 bytes each, the most take 4 MB of the 128 MB
/// that an isolate has.
const MAX_CELLS: usize = 20_000;

/// Counters in memory.
#[derive(Debug)]
pub struct MemoryCounters {
    cells: RefCell<BoundedMap<(CounterGroup, String), Cell>>,
}

impl Default for MemoryCounters {
    fn default() -> Self {
        Self { cells: RefCell::new(BoundedMap::new(MAX_CELLS)) }
    }
}

impl MemoryCounters {
    /// [`CounterStore::take`], which needs no waiting here.
    pub fn take_now(&self, charge: Charge<'_>) -> Vec<Verdict> {
        let Charge { group, limits, cost, now } = charge;
        if let [limit] = limits {
            return vec![self.take_from_one(group, limit, cost, now)];
        }
        let mut meters = self.load(group, limits, now);
        let verdicts = limit::step_all(&mut meters, cost, now);
        self.save(group, meters, now);
        verdicts
    }

    /// The same of one limit, as most requests have it: nothing has to be looked at before it is taken.
    fn take_from_one(
        &self,
        group: &CounterGroup,
        limit: &Limit,
        cost: u32,
        now: UnixMillis,
    ) -> Verdict {
        let mut cells = self.cells.borrow_mut();
        let name = cell_name(group, limit);
        let (cell, verdict) = limit::step(cells.get(&name, now), limit, cost, now);
        if verdict.admitted {
            let until = limit::expires_at(&cell, limit);
            cells.insert(name, cell, until, now);
        }
        verdict
    }

    /// What [`MemoryCounters::take_now`] would answer for one limit; nothing is taken.
    pub fn peek_now(
        &self,
        group: &CounterGroup,
        limit: &Limit,
        cost: u32,
        now: UnixMillis,
    ) -> Verdict {
        let cells = self.cells.borrow();
        limit::peek(cells.get(&cell_name(group, limit), now), limit, cost, now)
    }

    /// [`CounterStore::refusal_unasked`]: here all is known.
    pub fn refusal_now(&self, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        let Charge { group, limits, cost, now } = charge;
        let peek = |limit| self.peek_now(group, limit, cost, now);
        let verdicts: Vec<Verdict> = limits.iter().map(peek).collect();
        verdicts.iter().any(|verdict| !verdict.admitted).then_some(verdicts)
    }

    /// [`CounterStore::refund`], which needs no waiting here.
    pub fn refund_now(&self, charge: Charge<'_>) {
        let Charge { group, limits, cost, now } = charge;
        let mut meters = self.load(group, limits, now);
        for (limit, cell) in &mut meters {
            *cell = cell.take().map(|cell| limit::refund(&cell, limit, cost, now));
        }
        self.save(group, meters, now);
    }

    fn load<'l>(
        &self,
        group: &CounterGroup,
        limits: &'l [Limit],
        now: UnixMillis,
    ) -> Vec<(&'l Limit, Option<Cell>)> {
        let cells = self.cells.borrow();
        limits
            .iter()
            .map(|limit| (limit, cells.get(&cell_name(group, limit), now).cloned()))
            .collect()
    }

    fn save(&self, group: &CounterGroup, meters: Vec<(&Limit, Option<Cell>)>, now: UnixMillis) {
        let mut cells = self.cells.borrow_mut();
        for (limit, cell) in meters {
            if let Some(cell) = cell {
                let until = limit::expires_at(&cell, limit);
                cells.insert(cell_name(group, limit), cell, until, now);
            }
        }
    }
}

fn cell_name(group: &CounterGroup, limit: &Limit) -> (CounterGroup, String) {
    (*group, limit.name().to_owned())
}

impl CounterStore for MemoryCounters {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        Ok(self.take_now(charge))
    }

    fn refusal_unasked(&self, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        self.refusal_now(charge)
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        self.refund_now(charge);
        Ok(())
    }
}

/// Revocation entries in memory. Those whose end has come are forgotten with the next write.
#[derive(Debug, Default)]
pub struct MemoryRevocations {
    entries: RefCell<BTreeMap<String, (DenyKey, Entry)>>,
}

impl RevocationStore for MemoryRevocations {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let entries = self.entries.borrow();
        Ok(keys
            .iter()
            .map(|key| entries.get(&key.storage_name()).map(|(_, entry)| entry.clone()))
            .collect())
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        let mut entries = self.entries.borrow_mut();
        entries.retain(|_, (_, kept)| kept.is_in_force(now.to_unix_time()));
        entries.insert(key.storage_name(), (*key, entry.clone()));
        Ok(())
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        self.entries.borrow_mut().remove(&key.storage_name());
        Ok(())
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let entries = self.entries.borrow();
        Ok(page(entries.iter(), cursor, limit))
    }
}

/// Records of API keys in memory.
#[derive(Debug, Default)]
pub struct MemoryKeyRecords {
    records: RefCell<BTreeMap<String, KeyRecord>>,
}

impl KeyRecordStore for MemoryKeyRecords {
    async fn record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.records.borrow().get(&id.to_string()).cloned())
    }

    async fn put(&self, record: &KeyRecord, _now: UnixMillis) -> Result<(), StoreError> {
        self.records.borrow_mut().insert(record.id.to_string(), record.clone());
        Ok(())
    }

    async fn list(
        &self,
        owner: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyRecord>, StoreError> {
        let records = self.records.borrow();
        let wanted =
            records.iter().filter(|(_, record)| owner.is_none_or(|owner| record.owner == owner));
        Ok(page(wanted, cursor, limit))
    }
}

/// Proofs that one isolate remembers. At about 110 bytes each, the most take 22 MB of the 128 MB that an isolate
/// has; with proofs of at most a minute they are full at 2,000 requests a second.
pub const MAX_PROOFS: usize = 200_000;

/// Beyond half of the capacity a key has this part of it left: one client cannot fill the memory for all.
pub const SHARE: usize = 32;
/// A full memory is searched for what can be forgotten at most that often.
pub const SEARCH_EVERY_MILLIS: u64 = 250;

/// Proofs of possession that have been used, in memory: one isolate does not see what another has. When it is full of
/// what must not be forgotten yet, it fails.
///
/// Any key may use the first half. Of the second half each key has only its share, so that a caller who makes very many
/// proofs is refused before the others are.
#[derive(Debug)]
pub struct MemoryReplays {
    capacity: usize,
    state: RefCell<ReplayState>,
}

#[derive(Debug, Default)]
struct ReplayState {
    seen: HashMap<ReplayKey, UnixMillis>,
    /// How many there are of each key.
    holders: HashMap<u64, usize>,
    /// Before this there is nothing more to forget, or it is not searched for.
    search_at: UnixMillis,
}

impl Default for MemoryReplays {
    fn default() -> Self {
        Self::new(MAX_PROOFS)
    }
}

impl MemoryReplays {
    /// A store of at most this many proofs.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, state: RefCell::default() }
    }

    fn has_room(&self, state: &ReplayState, holder: u64) -> bool {
        let all = state.seen.len();
        let own = state.holders.get(&holder).copied().unwrap_or(0);
        let share = self.capacity.checked_div(SHARE).unwrap_or(0).max(1);
        all < self.capacity && (all < self.capacity.div_ceil(2) || own < share)
    }
}

impl ReplayState {
    fn forget(&mut self, now: UnixMillis) {
        self.seen.retain(|_, until| now < *until);
        self.holders.clear();
        for key in self.seen.keys() {
            let count = self.holders.entry(key.holder()).or_default();
            *count = count.saturating_add(1);
        }
        let next = self.seen.values().min().copied().unwrap_or(now);
        self.search_at = next.max(now.saturating_add(SEARCH_EVERY_MILLIS));
    }
}

impl ReplayStore for MemoryReplays {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut state = self.state.borrow_mut();
        if let Some(known) = state.seen.get_mut(key) {
            if now < *known {
                return Ok(false);
            }
            *known = until;
            return Ok(true);
        }
        if !self.has_room(&state, key.holder()) && state.search_at <= now {
            state.forget(now);
        }
        if !self.has_room(&state, key.holder()) {
            return Err(StoreError::new("no room for more proofs of possession"));
        }
        state.seen.insert(*key, until);
        let count = state.holders.entry(key.holder()).or_default();
        *count = count.saturating_add(1);
        Ok(true)
    }
}

/// The items after `cursor`, which is the last name of the page before.
fn page<'a, T: Clone + 'a>(
    sorted: impl Iterator<Item = (&'a String, &'a T)>,
    cursor: Option<&str>,
    limit: usize,
) -> Page<T> {
    let mut rest =
        sorted.skip_while(|(name, _)| cursor.is_some_and(|cursor| name.as_str() <= cursor));
    let mut items = Vec::new();
    let mut last = None;
    for (name, item) in rest.by_ref().take(limit) {
        items.push(item.clone());
        last = Some(name.clone());
    }
    let cursor = if rest.next().is_some() { last } else { None };
    Page { items, cursor }
}
