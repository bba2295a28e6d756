//! Workers KV: revocation entries and the records of API keys. STORAGE.md lists every key.
//!
//! KV is eventually consistent: a write may take 60 seconds or more to be seen in another location, and
//! a missing key is cached there as well. On top of that an isolate believes what it has read for
//! `cache_secs`. The isolate that writes corrects its own memory at once.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
};

use sha2::{Digest as _, Sha256};
use worker::{
    Env,
    kv::{KvError, KvStore},
};

use super::{clock, deadline};
use crate::{
    api_key::{KeyId, record::KeyRecord},
    base64url,
    policy::CacheSecs,
    revocation::{DenyKey, Entry},
    store::{KeyRecordStore, Page, RevocationStore, StoreError, bounded::BoundedMap},
    time::{UnixMillis, UnixTime},
};

/// The KV namespace of the gate.
pub(super) const BINDING: &str = "EDGEGATE_KV";

const DENY_PREFIX: &str = "deny/v1/";
const KEY_PREFIX: &str = "key/v1/";
const OWNER_PREFIX: &str = "owner/v1/";
const USED_PREFIX: &str = "used/v1/";

/// KV reads that many keys in one operation, at most.
pub(super) const MAX_BULK: usize = 100;

/// What an isolate remembers of KV. At some 300 bytes each, both take at most about 12 MB of the
/// 128 MB that an isolate has.
const MAX_REMEMBERED: usize = 20_000;

/// How long the record of a key outlives its expiry, so that its owner is told "expired" rather than
/// "unknown": 30 days.
const KEEP_EXPIRED_SECS: u64 = 30 * 24 * 60 * 60;

/// What this isolate has read lately, misses included.
#[derive(Debug)]
pub(super) struct Remembered {
    entries: RefCell<BoundedMap<DenyKey, Option<Entry>>>,
    records: RefCell<BoundedMap<KeyId, Option<KeyRecord>>>,
    /// Counts the writes of this isolate. A read that one of them overtook may have the old answer: it
    /// is used, since it could as well have come first, but not remembered.
    writes: Cell<u64>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            entries: RefCell::new(BoundedMap::new(MAX_REMEMBERED)),
            records: RefCell::new(BoundedMap::new(MAX_REMEMBERED)),
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

/// Revocation entries and key records in KV, seen through an isolate's memory.
#[derive(Debug)]
pub(super) struct Kv<'a> {
    pub(super) env: &'a Env,
    /// The binding, looked up when it is first needed: most requests are answered from memory.
    pub(super) store: OnceCell<KvStore>,
    pub(super) remembered: &'a Remembered,
    pub(super) entries_cache: CacheSecs,
    pub(super) records_cache: CacheSecs,
}

impl Kv<'_> {
    fn store(&self) -> Result<&KvStore, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store =
            self.env.kv(BINDING).map_err(|_| StoreError::new("there is no KV namespace"))?;
        Ok(self.store.get_or_init(|| store))
    }

    /// The values of keys, in one operation for each [`MAX_BULK`]; keys without a value are left out.
    async fn read(&self, names: &[String]) -> Result<HashMap<String, String>, StoreError> {
        let mut found = HashMap::new();
        for names in names.chunks(MAX_BULK) {
            let values = bounded(self.store()?.get_bulk(names).text()).await?;
            found.extend(values.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        Ok(found)
    }

    async fn read_one(&self, name: String) -> Result<Option<String>, StoreError> {
        Ok(self.read(&[name]).await?.into_values().next())
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let mut put = self.store()?.put(name, value).map_err(|fault| failed(&fault))?;
        if let Some(at) = expires_at {
            put = put.expiration(u64::try_from(at.as_secs()).unwrap_or(0));
        }
        bounded(put.execute()).await
    }

    /// Names below a prefix.
    async fn names(
        &self,
        prefix: String,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut list = self.store()?.list().prefix(prefix).limit(limit);
        if let Some(cursor) = cursor {
            list = list.cursor(cursor.to_owned());
        }
        let found = bounded(list.execute()).await?;
        let cursor = found.cursor.filter(|cursor| !found.list_complete && !cursor.is_empty());
        Ok(Page { items: found.keys.into_iter().map(|key| key.name).collect(), cursor })
    }

    /// When a key was last used, where that is known.
    pub(super) async fn last_used(&self, id: &KeyId) -> Result<Option<UnixTime>, StoreError> {
        let found = self.read_one(format!("{USED_PREFIX}{id}")).await?;
        Ok(found.and_then(|secs| secs.parse().ok()).map(UnixTime::from_secs))
    }

    /// One entry as it is in KV now, past the isolate's memory.
    pub(super) async fn entry(&self, key: &DenyKey) -> Result<Option<Entry>, StoreError> {
        let found = self.read_one(key.storage_name()).await?;
        found.map(|value| read_entry(key, &value)).transpose()
    }

    /// One record as it is in KV now, past the isolate's memory.
    pub(super) async fn fresh_record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let found = self.read_one(id.storage_name()).await?;
        found.map(|value| read_record(*id, &value)).transpose()
    }

    /// Takes a record out of the listing of an owner it no longer belongs to.
    pub(super) async fn forget_owner(&self, owner: &str, id: &KeyId) -> Result<(), StoreError> {
        bounded(self.store()?.delete(&format!("{}{id}", owner_prefix(owner)))).await
    }

    /// Whether KV answers.
    pub(super) async fn answers(&self) -> Result<(), StoreError> {
        self.read_one("health/v1".to_owned()).await.map(|_| ())
    }
}

impl RevocationStore for Kv<'_> {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let now = clock::now();
        let unknown: Vec<&DenyKey> = {
            let remembered = self.remembered.entries.borrow();
            keys.iter().filter(|key| remembered.get(*key, now).is_none()).collect()
        };
        let mut read = HashMap::new();
        if !unknown.is_empty() {
            let names: Vec<String> = unknown.iter().map(|key| key.storage_name()).collect();
            let writes = self.remembered.writes.get();
            let found = self.read(&names).await?;
            let mut remembered = self.remembered.entries.borrow_mut();
            for (key, name) in unknown.into_iter().zip(names) {
                let entry = found.get(&name).map(|value| read_entry(key, value)).transpose()?;
                if self.remembered.writes.get() == writes {
                    remembered.insert(*key, entry.clone(), until(now, self.entries_cache), now);
                }
                read.insert(*key, entry);
            }
        }
        let remembered = self.remembered.entries.borrow();
        Ok(keys
            .iter()
            .map(|key| match read.remove(key) {
                Some(entry) => entry,
                None => remembered.get(key, now).cloned().flatten(),
            })
            .collect())
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        let value = serde_json::to_string(entry)
            .map_err(|_| StoreError::new("the entry cannot be written as JSON"))?;
        let expires_at =
            entry.kv_ttl_secs(now.to_unix_time()).map(|ttl| now.to_unix_time().saturating_add(ttl));
        self.write(&key.storage_name(), &value, expires_at).await?;
        self.remembered.note_write();
        let until = until(now, self.entries_cache);
        self.remembered.entries.borrow_mut().insert(*key, Some(entry.clone()), until, now);
        Ok(())
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        bounded(self.store()?.delete(&key.storage_name())).await?;
        self.remembered.note_write();
        self.remembered.entries.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let names = self.names(DENY_PREFIX.to_owned(), cursor, limit).await?;
        let found = self.read(&names.items).await?;
        let mut items = Vec::new();
        for name in &names.items {
            // An entry may expire between the two operations.
            if let (Some(key), Some(value)) =
                (name.strip_prefix(DENY_PREFIX).and_then(DenyKey::parse), found.get(name))
            {
                items.push((key, read_entry(&key, value)?));
            }
        }
        Ok(Page { items, cursor: names.cursor })
    }
}

impl KeyRecordStore for Kv<'_> {
    async fn record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let now = clock::now();
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
        let expires_at = record
            .expires_at
            .map(|at| at.max(now.to_unix_time()).saturating_add(KEEP_EXPIRED_SECS));
        // The index first: a listing that names a record that is not there yet is repaired by reading.
        let index = format!("{}{}", owner_prefix(&record.owner), record.id);
        self.write(&index, "", expires_at).await?;
        self.write(&record.id.storage_name(), &value, expires_at).await?;
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
        let names = self.names(prefix.clone(), cursor, limit).await?;
        let ids: Vec<KeyId> = names
            .items
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .collect();
        let found = self.read(&ids.iter().map(KeyId::storage_name).collect::<Vec<_>>()).await?;
        let mut items = Vec::new();
        for id in ids {
            if let Some(value) = found.get(&id.storage_name()) {
                let record = read_record(id, value)?;
                if owner.is_none_or(|owner| record.owner == owner) {
                    items.push(record);
                }
            }
        }
        Ok(Page { items, cursor: names.cursor })
    }
}

/// Notes that a key was used. Its own KV key, so that it cannot overwrite a change of the record.
pub(super) async fn note_used(store: KvStore, id: KeyId, now: UnixTime) {
    let Ok(put) = store.put(&format!("{USED_PREFIX}{id}"), now.as_secs().to_string()) else {
        return;
    };
    // As long as a key that is used once a year stays known.
    let put = put.expiration_ttl(400 * 24 * 60 * 60);
    if let Err(fault) = bounded(put.execute()).await {
        worker::console_warn!("{{\"event\":\"fault\",\"detail\":\"last use not noted: {fault}\"}}");
    }
}

/// Owners are hashed: KV keys hold at most 512 bytes, and a `/` in a name must not look like a level.
fn owner_prefix(owner: &str) -> String {
    format!("{OWNER_PREFIX}{}/", base64url::encode(&Sha256::digest(owner.as_bytes())))
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

/// Waits for KV, but not for ever.
async fn bounded<T>(operation: impl Future<Output = Result<T, KvError>>) -> Result<T, StoreError> {
    match deadline::within(deadline::STORE, operation).await {
        Some(result) => result.map_err(|fault| failed(&fault)),
        None => Err(StoreError::new("KV did not answer in time")),
    }
}

fn failed(fault: &KvError) -> StoreError {
    StoreError::new(format!("KV: {fault}"))
}
