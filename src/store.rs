//! What the guard asks of storage. The edges implement these traits; [`memory`] is the reference.
//!
//! Reads and writes are asynchronous and single-threaded: an isolate, a Durable Object and a browser
//! tab each have one thread, so no future has to be `Send`.
#![allow(async_fn_in_trait, reason = "single-threaded runtimes only, see above")]

pub mod accounts;
pub mod grants;
pub mod key_ring;
pub mod keyed;
pub mod limit_stores;
pub mod memory;
pub mod memory_ledger;
pub mod published;
pub mod questions;
pub mod replays;
pub mod sessions;
pub mod shared;

use crate::{
    api_key::{KeyId, record::KeyRecord},
    error::StoreError,
    jose::dpop::ReplayKey,
    json::object::object,
    limit::{Charge, Verdict},
    policy::RevocationMode,
    revocation::{DenyKey, Entry},
    time::UnixMillis,
};
use serde::Serialize;

/// Part of a listing, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found, at most as many as asked for. A page may be short, or empty, and go on.
    pub items: Vec<T>,
    /// Pass it to get the next page; `None`: this was the last.
    pub cursor: Option<String>,
}

object! {
    /// Which snapshot of the revocations is in use, for events and health.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct SnapshotState, ignored {
        /// Its number.
        pub generation: u64,
        /// Seconds since the ledger wrote it.
        pub age_secs: u64,
    }
}

/// Revocation entries by hashed identity.
pub trait RevocationStore {
    /// The entries under these keys, in their order; `None` where there is none.
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError>;

    /// The same, looked up as a route wants it. The default ignores the mode.
    async fn entries_by(
        &self,
        _mode: RevocationMode,
        keys: &[DenyKey],
    ) -> Result<Vec<Option<Entry>>, StoreError> {
        self.entries(keys).await
    }

    /// Entries under these keys that were found not long ago, where each request asks the store anew: to refuse by, never
    /// to admit, since others may have come since. By default none is known.
    fn recalled(&self, _mode: RevocationMode, _keys: &[DenyKey]) -> Vec<Entry> {
        Vec::new()
    }

    /// The snapshot that answers were taken from, if any.
    fn snapshot(&self, _now: UnixMillis) -> Option<SnapshotState> {
        None
    }

    /// One entry as it is in the store now, past what an isolate remembers. The default suits a store that remembers nothing.
    async fn fresh(&self, key: &DenyKey) -> Result<Option<Entry>, StoreError> {
        Ok(self.entries(&[*key]).await?.into_iter().next().flatten())
    }

    /// Writes an entry. It disappears by itself once [`Entry::until`] has passed.
    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError>;

    /// Writes an entry, merged with what is there so that nothing gets weaker ([`Entry::merge`]), and returns what is there
    /// now. Of two at once the last write wins.
    async fn revoke(&self, entry: Entry, now: UnixMillis) -> Result<Entry, StoreError> {
        let key = entry.deny_key();
        let older = self.fresh(&key).await?;
        let entry = entry.merge(older.as_ref(), now.to_unix_time());
        self.put(&key, &entry, now).await?;
        Ok(entry)
    }

    /// The same of several, in one go where the store can do that.
    async fn revoke_all(&self, entries: Vec<Entry>, now: UnixMillis) -> Result<(), StoreError> {
        for entry in entries {
            self.revoke(entry, now).await?;
        }
        Ok(())
    }

    /// Removes an entry; removing what is not there is no error.
    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError>;

    /// The entries with their keys, in no meaningful order.
    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError>;
}

/// Records of API keys. They cannot be used to call.
pub trait KeyRecordStore {
    /// Whether this isolate knows the id: [`KeyRecordStore::record`] answers from memory, or found a record not long ago. Who
    /// asks for it is not guessing. By default no key is known.
    fn remembers(&self, _id: &KeyId) -> bool {
        false
    }

    /// The record of a key.
    async fn record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// Writes a record. The last write wins.
    async fn put(&self, record: &KeyRecord, now: UnixMillis) -> Result<(), StoreError>;

    /// The records, of one owner or of all, in no meaningful order.
    async fn list(
        &self,
        owner: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyRecord>, StoreError>;
}

/// One store of counters. Which store counts a limit is said in [`limit_stores`].
pub trait CounterStore {
    /// Takes the cost from all of the limits, or from none if one refuses. The verdicts are in the order
    /// of the limits.
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError>;

    /// The verdicts by which [`CounterStore::take`] would refuse, as far as that is known here without asking anybody. The
    /// guard asks nothing else then that is shared, and no other limit has to be taken from and given back. By default
    /// nothing is known.
    fn refusal_unasked(&self, _charge: Charge<'_>) -> Option<Vec<Verdict>> {
        None
    }

    /// Gives back what [`CounterStore::take`] took, after another limit refused the request.
    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError>;
}

/// A borrowed store is a store.
impl<S: CounterStore> CounterStore for &S {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        (**self).take(charge).await
    }

    fn refusal_unasked(&self, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        (**self).refusal_unasked(charge)
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        (**self).refund(charge).await
    }
}

/// Which proofs of possession have been used ([`crate::jose::dpop`]).
pub trait ReplayStore {
    /// Whether this key is seen for the first time; from now on it is not. In one step: of several who ask at once, one
    /// is told yes. `until` is the first moment at which it may be forgotten.
    ///
    /// A store that cannot remember must fail: to say yes would be to admit a proof that is used twice.
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError>;
}

impl<P: ReplayStore> ReplayStore for &P {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        (**self).is_first(key, until, now).await
    }
}
