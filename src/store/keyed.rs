//! Revocation entries and the records of API keys over any store of texts by name, seen through the
//! memory of an isolate. STORAGE.md lists the names and the values.
//!
//! The store behind may show a write late: Workers KV takes 60 seconds or more to show it in another
//! location, and caches missing keys there as well. On top of that an isolate believes what it has read
//! for `cache_secs`. The isolate that writes corrects its own memory at once.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use super::{KeyRecordStore, Page, RevocationStore, StoreError};
use crate::bounded::BoundedMap;
use crate::{
    api_key::{
        KeyId,
        record::{KEEP_ENDED_SECS, KeyRecord},
    },
    base64url,
    policy::CacheSecs,
    revocation::{DenyKey, Entry},
    time::{UnixMillis, UnixTime},
};

const DENY_PREFIX: &str = "deny/v1/";
const KEY_PREFIX: &str = "key/v1/";
const OWNER_PREFIX: &str = "owner/v1/";
const USED_PREFIX: &str = "used/v1/";
const HEALTH: &str = "health/v1";

/// What an isolate remembers of each kind.
const MAX_REMEMBERED: usize = 20_000;
/// What that takes at most, of the 128 MB that an isolate on Workers has: enough for so many of some 400 bytes. Names of
/// 8 KB are possible.
const MAX_REMEMBERED_BYTES: usize = 8_000_000;
/// What an absent value, the name and the map take, about.
const ABSENT_BYTES: usize = 64;

/// Writes of many entries that are under way at once: a Worker has six connections.
const WRITES_AT_ONCE: usize = 6;

/// How long the last use of a key is kept.
const KEEP_USED_SECS: u64 = 400 * 24 * 60 * 60;

/// A write that is made after the answer to a request. Nothing is lost if it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateWrite {
    /// Where.
    pub name: String,
    /// What.
    pub value: String,
    /// When it may be forgotten.
    pub expires_at: UnixTime,
}

impl LateWrite {
    /// That a key was used now: under a name of its own, so that it cannot overwrite a change of the record.
    /// It may be forgotten after 400 days, so that a key that is used once a year stays known.
    #[must_use]
    pub fn of_use(id: &KeyId, now: UnixTime) -> Self {
        Self {
            name: used_name(id),
            value: now.as_secs().to_string(),
            expires_at: now.saturating_add(KEEP_USED_SECS),
        }
    }
}

/// A store of texts by name: Workers KV, or what the npm package is given.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait KeyValue {
    /// The time.
    fn now(&self) -> UnixMillis;

    /// The values of these names, in their order; `None` where there is none.
    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError>;

    /// Writes a value, which is gone from `expires_at` on. A store may keep it somewhat longer: whatever
    /// must not be believed then says so itself.
    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError>;

    /// Removes a name; removing what is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// Names below a prefix, in no meaningful order.
    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError>;
}

/// What an isolate has read lately, misses included.
#[derive(Debug)]
pub struct Remembered {
    entries: RefCell<BoundedMap<DenyKey, Option<Entry>>>,
    records: RefCell<BoundedMap<KeyId, Option<KeyRecord>>>,
    /// Counts the writes of this isolate. A read that one of them overtook may have the old answer: it
    /// is used, since it could as well have come first, but not remembered.
    writes: Cell<u64>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            entries: RefCell::new(BoundedMap::weighing(
                MAX_REMEMBERED,
                MAX_REMEMBERED_BYTES,
                |entry| entry.as_ref().map_or(0, Entry::weight).saturating_add(ABSENT_BYTES),
            )),
            records: RefCell::new(BoundedMap::weighing(
                MAX_REMEMBERED,
                MAX_REMEMBERED_BYTES,
                |record| record.as_ref().map_or(0, KeyRecord::weight).saturating_add(ABSENT_BYTES),
            )),
            writes: Cell::new(0),
        }
    }
}

impl Remembered {
    /// To be called after a write and before what it wrote is remembered.
    fn note_write(&self) {
        self.writes.set(self.writes.get().wrapping_add(1));
    }
}

/// Revocation entries and key records in such a store.
#[derive(Debug)]
pub struct Keyed<'a, S> {
    store: S,
    remembered: &'a Remembered,
    entries_cache: CacheSecs,
    records_cache: CacheSecs,
}

impl<'a, S: KeyValue> Keyed<'a, S> {
    /// The values in `store`, seen through `remembered`: entries are believed for `entries_cache`, records
    /// for `records_cache`.
    pub const fn new(
        store: S,
        remembered: &'a Remembered,
        entries_cache: CacheSecs,
        records_cache: CacheSecs,
    ) -> Self {
        Self { store, remembered, entries_cache, records_cache }
    }

    async fn read_one(&self, name: String) -> Result<Option<String>, StoreError> {
        Ok(self.read(&[name]).await?.into_iter().next().flatten())
    }

    /// A store that answers for fewer names than it was asked about has not said that nothing is under
    /// the others.
    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let values = self.store.read(names).await?;
        if values.len() == names.len() {
            return Ok(values);
        }
        let problem = format!("{} values, expected {}", values.len(), names.len());
        Err(StoreError::new(problem))
    }

    /// When a key was last used, where that is known.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    pub async fn last_used(&self, id: &KeyId) -> Result<Option<UnixTime>, StoreError> {
        let found = self.read_one(used_name(id)).await?;
        Ok(found.and_then(|secs| secs.parse().ok()).map(UnixTime::from_secs))
    }

    /// Writes many entries, none weaker than what is there. Answers how many were written, and how many
    /// were there already.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer; some may have been written then, and the same again
    /// does the rest.
    pub async fn put_all(
        &self,
        entries: Vec<Entry>,
        now: UnixMillis,
    ) -> Result<(u32, u32), StoreError> {
        let names: Vec<String> =
            entries.iter().map(|entry| entry.deny_key().storage_name()).collect();
        let found = self.read(&names).await?;
        // Each key once: KV takes one write a second for each.
        let mut merged: BTreeMap<DenyKey, Entry> = BTreeMap::new();
        let mut unchanged = 0_u32;
        for (entry, value) in entries.into_iter().zip(found) {
            let key = entry.deny_key();
            let older = match merged.get(&key) {
                Some(earlier) => Some(earlier.clone()),
                None => value.map(|value| read_entry(&key, &value)).transpose()?,
            };
            let entry = entry.merge(older.as_ref(), now.to_unix_time());
            if older.as_ref() == Some(&entry) {
                unchanged = unchanged.saturating_add(1);
            } else {
                merged.insert(key, entry);
            }
        }
        let written = u32::try_from(merged.len()).unwrap_or(u32::MAX);
        let mut writes = merged.iter();
        loop {
            let some: Vec<_> = writes.by_ref().take(WRITES_AT_ONCE).collect();
            if some.is_empty() {
                return Ok((written, unchanged));
            }
            let puts =
                some.into_iter().map(|(key, entry)| RevocationStore::put(self, key, entry, now));
            for done in join_all(puts).await {
                done?;
            }
        }
    }

    /// One record as it is in the store now, past the isolate's memory.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer, or what it holds is not ours.
    pub async fn fresh_record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let found = self.read_one(id.storage_name()).await?;
        found.map(|value| read_record(*id, &value)).transpose()
    }

    /// Takes a record out of the listing of an owner it no longer belongs to.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    pub async fn forget_owner(&self, owner: &str, id: &KeyId) -> Result<(), StoreError> {
        self.store.delete(&format!("{}{id}", owner_prefix(owner))).await
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`] if not.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.read_one(HEALTH.to_owned()).await.map(|_| ())
    }
}

impl<S: KeyValue> RevocationStore for Keyed<'_, S> {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let now = self.store.now();
        // Kept from here on: what is read next may take its place in the memory.
        let mut found: Vec<Option<Option<Entry>>> = {
            let remembered = self.remembered.entries.borrow();
            keys.iter().map(|key| remembered.get(key, now).cloned()).collect()
        };
        let missing = keys.iter().zip(&found).filter(|(_, known)| known.is_none());
        let names: Vec<String> = missing.map(|(key, _)| key.storage_name()).collect();
        if !names.is_empty() {
            let writes = self.remembered.writes.get();
            let values = self.read(&names).await?;
            let unknown = keys.iter().zip(&mut found).filter(|(_, known)| known.is_none());
            for ((key, known), value) in unknown.zip(values) {
                let entry = value.map(|value| read_entry(key, &value)).transpose()?;
                if self.remembered.writes.get() == writes {
                    let until = until(now, self.entries_cache);
                    self.remembered.entries.borrow_mut().insert(*key, entry.clone(), until, now);
                }
                *known = Some(entry);
            }
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }

    async fn fresh(&self, key: &DenyKey) -> Result<Option<Entry>, StoreError> {
        let found = self.read_one(key.storage_name()).await?;
        found.map(|value| read_entry(key, &value)).transpose()
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        let value = serde_json::to_string(entry)
            .map_err(|_| StoreError::new("the entry cannot be written as JSON"))?;
        let expires_at =
            entry.kv_ttl_secs(now.to_unix_time()).map(|ttl| now.to_unix_time().saturating_add(ttl));
        self.store.write(&key.storage_name(), &value, expires_at).await?;
        self.remembered.note_write();
        let until = until(now, self.entries_cache);
        self.remembered.entries.borrow_mut().insert(*key, Some(entry.clone()), until, now);
        Ok(())
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        self.store.delete(&key.storage_name()).await?;
        self.remembered.note_write();
        self.remembered.entries.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let names = self.store.names(DENY_PREFIX, cursor, limit).await?;
        let found = self.read(&names.items).await?;
        let mut items = Vec::new();
        for (name, value) in names.items.iter().zip(found) {
            // An entry may expire between the two operations.
            if let (Some(key), Some(value)) =
                (name.strip_prefix(DENY_PREFIX).and_then(DenyKey::parse), value)
            {
                items.push((key, read_entry(&key, &value)?));
            }
        }
        Ok(Page { items, cursor: names.cursor })
    }
}

impl<S: KeyValue> KeyRecordStore for Keyed<'_, S> {
    fn remembers(&self, id: &KeyId) -> bool {
        let records = self.remembered.records.borrow();
        records.get(id, self.store.now()).is_some()
            || matches!(records.get_stale(id), Some(Some(_)))
    }

    async fn record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let now = self.store.now();
        if let Some(record) = self.remembered.records.borrow().get(id, now) {
            return Ok(record.clone());
        }
        let writes = self.remembered.writes.get();
        let record = self.fresh_record(id).await?;
        if self.remembered.writes.get() == writes {
            let until = until(now, self.records_cache);
            self.remembered.records.borrow_mut().insert(*id, record.clone(), until, now);
        }
        Ok(record)
    }

    async fn put(&self, record: &KeyRecord, now: UnixMillis) -> Result<(), StoreError> {
        let value = serde_json::to_string(record)
            .map_err(|_| StoreError::new("the record cannot be written as JSON"))?;
        let soonest = now.to_unix_time().saturating_add(KEEP_ENDED_SECS);
        let expires_at = record.forgettable_from().map(|at| at.max(soonest));
        // The index first: a listing that names a record that is not there yet is repaired by reading.
        let index = format!("{}{}", owner_prefix(&record.owner), record.id);
        self.store.write(&index, "", expires_at).await?;
        self.store.write(&record.id.storage_name(), &value, expires_at).await?;
        self.remembered.note_write();
        let until = until(now, self.records_cache);
        self.remembered.records.borrow_mut().insert(record.id, Some(record.clone()), until, now);
        Ok(())
    }

    async fn list(
        &self,
        owner: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyRecord>, StoreError> {
        let prefix = owner.map_or_else(|| KEY_PREFIX.to_owned(), owner_prefix);
        let names = self.store.names(&prefix, cursor, limit).await?;
        let ids: Vec<KeyId> = names
            .items
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .collect();
        let found = self.read(&ids.iter().map(KeyId::storage_name).collect::<Vec<_>>()).await?;
        let mut items = Vec::new();
        for (id, value) in ids.into_iter().zip(found) {
            if let Some(value) = value {
                let record = read_record(id, &value)?;
                if owner.is_none_or(|owner| record.owner == owner) {
                    items.push(record);
                }
            }
        }
        Ok(Page { items, cursor: names.cursor })
    }
}

/// Owners are hashed: KV keys hold at most 512 bytes, and a `/` in a name must not look like a level.
fn owner_prefix(owner: &str) -> String {
    format!("{OWNER_PREFIX}{}/", base64url::encode(&Sha256::digest(owner.as_bytes())))
}

fn used_name(id: &KeyId) -> String {
    format!("{USED_PREFIX}{id}")
}

fn read_entry(key: &DenyKey, value: &str) -> Result<Entry, StoreError> {
    Entry::parse(key, value.as_bytes()).map_err(|fault| StoreError::new(fault.to_string()))
}

fn read_record(id: KeyId, value: &str) -> Result<KeyRecord, StoreError> {
    KeyRecord::parse(id, value.as_bytes()).map_err(|fault| StoreError::new(fault.to_string()))
}

fn until(now: UnixMillis, CacheSecs(secs): CacheSecs) -> UnixMillis {
    now.saturating_add(u64::from(secs).saturating_mul(1000))
}
