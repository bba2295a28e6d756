//! The ledger with its rows in memory: the reference for the one in a Durable Object, and what tests and
//! simulations run.

use std::{cell::RefCell, collections::BTreeMap};

use super::{Page, RevocationStore, StoreError};
use crate::{
    revocation::{
        DenyKey, Entry,
        filter::{BLOCKS_PER_SHARD, Block, FilterError, Layout, encode_shard},
        ledger::{BaseOrder, Full, Ledger, Revoked, Task},
        snapshot::{Base, HEAD_NAME, Head, ShardRef},
    },
    time::{UnixMillis, UnixTime},
};

/// A ledger in memory.
#[derive(Debug)]
pub struct MemoryLedger {
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    rows: BTreeMap<DenyKey, (Entry, u64)>,
    swept_at: UnixMillis,
}

/// What the ledger wants to be written: names with their bytes, all of them or it has failed.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Names and bytes. A head is alone; a filter without shards writes nothing.
    pub puts: Vec<(String, Vec<u8>)>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Head(Head, u64),
    Base(BaseOrder, Option<Base>),
}

impl MemoryLedger {
    /// An empty one.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        let inner = Inner { ledger: Ledger::new(now), rows: BTreeMap::new(), swept_at: now };
        Self { inner: RefCell::new(inner) }
    }

    /// Begins to publish.
    pub fn publish(&self) -> bool {
        self.inner.borrow_mut().ledger.publish()
    }

    /// The rules with their state.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.inner.borrow().ledger.clone()
    }

    /// Revokes: [`Ledger::revoke`].
    ///
    /// # Errors
    /// [`Full`].
    pub fn revoke(&self, new: Entry, now: UnixTime) -> Result<Entry, Full> {
        let inner = &mut *self.inner.borrow_mut();
        let key = new.deny_key();
        let existing = inner.rows.get(&key).map(|(entry, seq)| (entry, *seq));
        let revoked = inner.ledger.revoke(existing, new, now)?;
        let entry = revoked.entry().clone();
        if let Revoked::Written(entry, seq) = revoked {
            inner.rows.insert(key, (entry, seq));
        }
        Ok(entry)
    }

    /// The entry under a key.
    #[must_use]
    pub fn entry(&self, key: &DenyKey) -> Option<Entry> {
        self.inner.borrow().rows.get(key).map(|(entry, _)| entry.clone())
    }

    /// Undoes a revocation. True if there was one.
    pub fn undo(&self, key: &DenyKey) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        let removed = inner.rows.remove(key);
        removed.inspect(|(_, seq)| inner.ledger.removed(*seq, true)).is_some()
    }

    /// Removes what is over.
    pub fn sweep(&self, now: UnixMillis) {
        let inner = &mut *self.inner.borrow_mut();
        inner.swept_at = now;
        inner.rows.retain(|_, (entry, seq)| {
            let kept = entry.is_in_force(now.to_unix_time());
            if !kept {
                inner.ledger.removed(*seq, false);
            }
            kept
        });
    }

    /// When there is something to do again: [`Ledger::wake_at`].
    #[must_use]
    pub fn wake_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        let inner = self.inner.borrow();
        let first_end = inner.rows.values().filter_map(|(entry, _)| entry.until()).min();
        inner.ledger.wake_at(first_end, inner.swept_at, now)
    }

    /// The next publication to write, if one is due. Tell [`MemoryLedger::written`] how it went.
    ///
    /// # Errors
    /// A filter could not be built.
    pub fn next_publication(&self, now: UnixMillis) -> Result<Option<Publication>, FilterError> {
        let inner = &mut *self.inner.borrow_mut();
        let since = inner.ledger.base_seq();
        match inner.ledger.task(now) {
            Task::Nothing => Ok(None),
            Task::WriteHead => {
                let delta = inner.fingerprints(|seq| seq > since).collect();
                let (head, seq) = inner.ledger.head(delta, now);
                let puts = vec![(HEAD_NAME.to_owned(), head.encode())];
                Ok(Some(Publication { puts, what: What::Head(head, seq) }))
            }
            Task::MakeBase => {
                let order = inner.ledger.begin_base(now);
                let Some(layout) = order.layout else {
                    return Ok(Some(Publication {
                        puts: Vec::new(),
                        what: What::Base(order, None),
                    }));
                };
                let shards = inner.shards(order, layout)?;
                let references = shards.iter().map(|bytes| ShardRef::of(bytes)).collect();
                let base = Base { generation: order.generation, layout, shards: references };
                let names = (0..).map(|index| base.shard_name(index));
                let puts = names.zip(shards).collect();
                Ok(Some(Publication { puts, what: What::Base(order, Some(base)) }))
            }
        }
    }

    /// A publication was written, or not.
    pub fn written(&self, publication: Publication, succeeded: bool, now: UnixMillis) {
        let inner = &mut *self.inner.borrow_mut();
        match (publication.what, succeeded) {
            (What::Head(head, seq), true) => inner.ledger.head_written(&head, seq),
            (What::Head(..), false) => inner.ledger.head_failed(),
            (What::Base(order, base), true) => {
                let delta = inner.fingerprints(|seq| seq > order.seq).count();
                let delta = u64::try_from(delta).unwrap_or(u64::MAX);
                inner.ledger.base_made(order, base, delta, now);
            }
            (What::Base(..), false) => inner.ledger.base_failed(),
        }
    }
}

impl Inner {
    fn fingerprints(&self, wanted: impl Fn(u64) -> bool) -> impl Iterator<Item = u64> {
        self.rows.iter().filter(move |(_, (_, seq))| wanted(*seq)).map(|(key, _)| key.fingerprint())
    }

    fn shards(&self, order: BaseOrder, layout: Layout) -> Result<Vec<Vec<u8>>, FilterError> {
        let mut blocks = vec![Vec::new(); layout.blocks()];
        for fingerprint in self.fingerprints(|seq| seq <= order.seq) {
            if let Some(block) = blocks.get_mut(layout.block_of(fingerprint)) {
                block.push(fingerprint);
            }
        }
        let blocks = blocks.into_iter().map(Block::build).collect::<Result<Vec<_>, _>>()?;
        Ok(blocks.chunks(BLOCKS_PER_SHARD).map(encode_shard).collect())
    }
}

impl RevocationStore for MemoryLedger {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        Ok(keys.iter().map(|key| self.entry(key)).collect())
    }

    /// An entry that exists is never weakened: [`Ledger::revoke`].
    async fn put(&self, _key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        match self.revoke(entry.clone(), now.to_unix_time()) {
            Ok(_) => Ok(()),
            Err(Full) => Err(StoreError::new("the ledger is full")),
        }
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        self.undo(key);
        Ok(())
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let after = match cursor.map(DenyKey::parse) {
            None => None,
            Some(Some(key)) => Some(key),
            Some(None) => return Err(StoreError::new("no such cursor")),
        };
        let inner = self.inner.borrow();
        let mut rest = inner.rows.iter().filter(|(key, _)| after.is_none_or(|last| **key > last));
        let items: Vec<_> =
            rest.by_ref().take(limit).map(|(key, (entry, _))| (*key, entry.clone())).collect();
        let more = rest.next().is_some();
        let cursor = items.last().filter(|_| more).map(|(key, _)| key.to_string());
        Ok(Page { items, cursor })
    }
}
