//! The rules of the ledger: the one writer of revocations, without its storage.
//!
//! Whoever has the rows (a Durable Object in SQLite, a map in a test) asks here what a request does to them, and
//! what has to be published when. All of it is steps on a [`Ledger`], which is stored beside the rows
//! and changes together with them.
//!
//! Each change gets a number. The filter that was last made holds all rows up to a number; the head lists
//! exactly the rows with a greater one. A row that is written again gets a new number, so that it is listed, and
//! readers who had learned that it is not revoked ask again.

use super::{
    entry::Entry,
    filter::{Layout, MAX_ENTRIES},
    snapshot::{Base, Head, MAX_DELTA},
    wire::Reader,
};
use crate::time::{UnixMillis, UnixTime};

/// The least time between two writes of the head: KV takes one write a second for each key.
pub const HEAD_EVERY_MILLIS: u64 = 1_000;
/// The head is written this often even if nothing changed: its time shows that nothing did.
///
/// It has to be well below `max_staleness_secs`, and each writing costs.
pub const HEARTBEAT_MILLIS: u64 = 20_000;
/// As many rows as the head lists before a new filter is made. Half of what it may list, so that there is
/// time to make one.
pub const REBASE_AT: u64 = 8_192;
/// A filter is rebuilt at least this often (a day), even if nothing asks for it.
pub const BASE_MAX_AGE_MILLIS: u64 = 86_400_000;
/// How long KV keeps a shard: a week. It is replaced long before, so old ones vanish by themselves.
pub const SHARD_TTL_SECS: u64 = 7 * 86_400;
/// How often rows that are over are swept out.
pub const SWEEP_EVERY_MILLIS: u64 = 600_000;
/// The longest pause between two tries of a write that fails.
const MAX_BACKOFF_MILLIS: u64 = 30_000;
/// Rows of the filter that were removed before a new one is made, beyond a quarter of all: each costs
/// its owner's requests a question to the ledger.
const MIN_REMOVED: u64 = 1_024;
const MAGIC: &[u8; 4] = b"EGL1";

/// What a revocation does to the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// Nothing: this is there already, and says all of it.
    Unchanged(Entry),
    /// This has to be written, with this number.
    Written(Entry, u64),
}

impl Revoked {
    /// The entry that is in force now.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        match self {
            Self::Unchanged(entry) | Self::Written(entry, _) => entry,
        }
    }
}

/// The ledger holds as many rows as a filter can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What the ledger has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Nothing, until [`Ledger::wake_at`].
    Nothing,
    /// Write the head: [`Ledger::head`], then [`Ledger::head_written`] or [`Ledger::head_failed`].
    WriteHead,
    /// Make a new filter: [`Ledger::begin_base`], then [`Ledger::base_made`] or [`Ledger::base_failed`].
    MakeBase,
}

/// A filter that is being made: of all rows up to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseOrder {
    /// Rows with a greater number are listed in the head.
    pub seq: u64,
    /// The generation that names it.
    pub generation: u64,
    /// How to spread its keys. `None`: no filter is needed, the head can list everything.
    pub layout: Option<Layout>,
}

/// When something was tried, and how often in a row in vain. Not stored: a restarted ledger tries at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Attempts {
    last: UnixMillis,
    failures: u32,
}

impl Attempts {
    fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    fn next_at(self, least: u64) -> UnixMillis {
        let wait = match self.failures {
            0 => least,
            failures => least
                .max(500)
                .saturating_mul(1_u64.checked_shl(failures.min(10)).unwrap_or(u64::MAX))
                .min(MAX_BACKOFF_MILLIS),
        };
        self.last.saturating_add(wait)
    }
}

/// The ledger, but for its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The number of the last change.
    seq: u64,
    /// Rows.
    entries: u64,
    /// Rows with a greater number than the filter's.
    delta: u64,
    /// Rows of the filter that are gone.
    removed: u64,
    /// Of the head that was last tried.
    generation: u64,
    /// What the head that was last written covers, and when that was.
    published_seq: u64,
    published_at: UnixMillis,
    /// Whether anybody reads snapshots.
    publishing: bool,
    base: Option<Base>,
    base_seq: u64,
    base_at: UnixMillis,
    head_attempts: Attempts,
    base_attempts: Attempts,
}

impl Ledger {
    /// An empty one. Generations begin with the time, so that those of a ledger that was deleted and began
    /// again are greater than before.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        let never = UnixMillis::from_millis(0);
        Self {
            seq: 0,
            entries: 0,
            delta: 0,
            removed: 0,
            generation: now.as_millis(),
            published_seq: 0,
            published_at: never,
            publishing: false,
            base: None,
            base_seq: 0,
            base_at: now,
            head_attempts: Attempts::default(),
            base_attempts: Attempts::default(),
        }
    }

    /// Rows.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The generation of the last head.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// When the last head was written; the beginning of time if none was.
    #[must_use]
    pub const fn published_at(&self) -> UnixMillis {
        self.published_at
    }

    /// The rows that the head has to list: those with a greater number.
    #[must_use]
    pub const fn base_seq(&self) -> u64 {
        self.base_seq
    }

    /// Whether a write has failed since one succeeded.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.head_attempts.failures > 0 || self.base_attempts.failures > 0
    }

    /// Somebody wants snapshots: they are published from now on. True if that is new.
    pub const fn publish(&mut self) -> bool {
        !core::mem::replace(&mut self.publishing, true)
    }

    /// Revokes. `existing` is the row of the same key with its number.
    ///
    /// The later cut-off and the later end count ([`Entry::merge`]), so that neither order nor repetition of
    /// requests matters: what is there already is answered as it is.
    ///
    /// # Errors
    /// [`Full`]; nothing has changed then.
    pub fn revoke(
        &mut self,
        existing: Option<(&Entry, u64)>,
        new: Entry,
        now: UnixTime,
    ) -> Result<Revoked, Full> {
        let entry = new.merge(existing.map(|(entry, _)| entry), now);
        match existing {
            Some((old, _)) if *old == entry => return Ok(Revoked::Unchanged(entry)),
            Some((_, seq)) => {
                if seq <= self.base_seq {
                    self.delta = self.delta.saturating_add(1);
                }
            }
            None if self.entries >= MAX_ENTRIES => return Err(Full),
            None => {
                self.entries = self.entries.saturating_add(1);
                self.delta = self.delta.saturating_add(1);
            }
        }
        self.seq = self.seq.saturating_add(1);
        Ok(Revoked::Written(entry, self.seq))
    }

    /// A row with this number was removed: undone, or swept out when it was over.
    pub fn removed(&mut self, seq: u64, undone: bool) {
        self.entries = self.entries.saturating_sub(1);
        if seq <= self.base_seq {
            self.removed = self.removed.saturating_add(1);
        } else {
            self.delta = self.delta.saturating_sub(1);
            // Off the list with the next head. What was swept denies nobody, and can wait for it.
            if undone {
                self.seq = self.seq.saturating_add(1);
            }
        }
    }

    /// What to do now.
    #[must_use]
    pub fn task(&self, now: UnixMillis) -> Task {
        if self.publishing {
            if self.head_due_at().is_some_and(|at| at <= now) {
                return Task::WriteHead;
            }
            if self.base_due_at().is_some_and(|at| at <= now) {
                return Task::MakeBase;
            }
        }
        Task::Nothing
    }

    /// When to look again, where `first_end` is the earliest end of a row and `swept_at` the time of the last
    /// sweep. `None`: there is nothing to wait for.
    #[must_use]
    pub fn wake_at(
        &self,
        first_end: Option<UnixTime>,
        swept_at: UnixMillis,
        now: UnixMillis,
    ) -> Option<UnixMillis> {
        let sweep = first_end.map(|end| {
            let end = UnixMillis::from_millis(0)
                .saturating_add(end.secs_since(UnixTime::from_secs(0)).saturating_mul(1000));
            end.max(swept_at.saturating_add(SWEEP_EVERY_MILLIS))
        });
        let publish = [self.head_due_at(), self.base_due_at()];
        let publish = publish.into_iter().flatten().filter(|_| self.publishing);
        publish.chain(sweep).min().map(|at| at.max(now))
    }

    fn head_due_at(&self) -> Option<UnixMillis> {
        if self.delta > u64::try_from(MAX_DELTA).unwrap_or(u64::MAX) {
            // It does not fit: a new filter first.
            return None;
        }
        let allowed = self.head_attempts.next_at(HEAD_EVERY_MILLIS);
        if self.is_behind() {
            return Some(allowed);
        }
        Some(allowed.max(self.published_at.saturating_add(HEARTBEAT_MILLIS)))
    }

    fn base_due_at(&self) -> Option<UnixMillis> {
        let allowed = self.base_attempts.next_at(0);
        let worn = self.removed > self.entries.checked_div(4).unwrap_or(0).max(MIN_REMOVED);
        if self.delta > REBASE_AT || worn {
            return Some(allowed);
        }
        self.base.as_ref().map(|_| allowed.max(self.base_at.saturating_add(BASE_MAX_AGE_MILLIS)))
    }

    /// Whether the head that was last written does not say everything.
    const fn is_behind(&self) -> bool {
        self.seq != self.published_seq || self.published_at.as_millis() == 0
    }

    /// The head to write now, and the number of the last change it covers. `delta` are the fingerprints of the rows
    /// with a greater number than [`base_seq`](Self::base_seq), in any order.
    ///
    /// A head that says something else than one that may have arrived before gets another generation.
    pub fn head(&mut self, mut delta: Vec<u64>, now: UnixMillis) -> (Head, u64) {
        if self.is_behind() || self.head_attempts.failures > 0 {
            self.generation = self.generation.saturating_add(1);
        }
        delta.sort_unstable();
        delta.dedup();
        self.head_attempts.last = now;
        let head = Head {
            generation: self.generation,
            // Never back, whatever the clock does.
            published_at: now.max(self.published_at.saturating_add(1)),
            entries: self.entries,
            base: self.base.clone(),
            delta,
        };
        (head, self.seq)
    }

    /// What the head would say if it were written now, under a generation that no other head will have. `None`: it does not
    /// fit, a filter has to be made first.
    ///
    /// For readers that find none in KV.
    pub fn preview(&mut self, delta: Vec<u64>, now: UnixMillis) -> Option<Head> {
        if delta.len() > MAX_DELTA {
            return None;
        }
        let attempts = self.head_attempts;
        let (head, _) = self.head(delta, now);
        self.head_attempts = attempts;
        // Another change may come before the next head, which must not look like this one.
        self.published_seq = u64::MAX;
        Some(head)
    }

    /// The head was written; `seq` is what it covers.
    pub fn head_written(&mut self, head: &Head, seq: u64) {
        self.head_attempts.failures = 0;
        self.published_seq = seq;
        self.published_at = head.published_at;
    }

    /// The head was not written, or it is not known whether it was.
    pub fn head_failed(&mut self) {
        self.head_attempts.failed();
    }

    /// A new filter is begun.
    pub fn begin_base(&mut self, now: UnixMillis) -> BaseOrder {
        self.base_attempts.last = now;
        self.generation = self.generation.saturating_add(1);
        // With half of that, the next is not due at once.
        let listed = self.entries <= REBASE_AT.checked_div(2).unwrap_or(0);
        BaseOrder {
            seq: if listed { 0 } else { self.seq },
            generation: self.generation,
            layout: (!listed).then(|| Layout::for_entries(self.entries)),
        }
    }

    /// The filter was made, and all its shards are where the head says. `delta` is the number of rows with a greater
    /// number than the order's now.
    pub fn base_made(&mut self, order: BaseOrder, base: Option<Base>, delta: u64, now: UnixMillis) {
        self.base_attempts.failures = 0;
        self.base = base;
        self.base_seq = order.seq;
        self.base_at = now;
        self.delta = delta;
        self.removed = 0;
        // Readers shall have it.
        self.seq = self.seq.saturating_add(1);
    }

    /// The filter could not be made or stored.
    pub fn base_failed(&mut self) {
        self.base_attempts.failed();
    }

    /// As it is stored beside the rows.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [
            self.seq,
            self.entries,
            self.delta,
            self.removed,
            self.generation,
            self.published_seq,
            self.published_at.as_millis(),
            u64::from(self.publishing),
            self.base_seq,
            self.base_at.as_millis(),
        ] {
            bytes.extend(number.to_le_bytes());
        }
        Base::write(self.base.as_ref(), &mut bytes);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if &reader.array()? != MAGIC {
            return None;
        }
        let ledger = Self {
            seq: reader.u64()?,
            entries: reader.u64()?,
            delta: reader.u64()?,
            removed: reader.u64()?,
            generation: reader.u64()?,
            published_seq: reader.u64()?,
            published_at: UnixMillis::from_millis(reader.u64()?),
            publishing: reader.u64()? == 1,
            base_seq: reader.u64()?,
            base_at: UnixMillis::from_millis(reader.u64()?),
            base: Base::read(&mut reader)?,
            head_attempts: Attempts::default(),
            base_attempts: Attempts::default(),
        };
        reader.is_empty().then_some(ledger)
    }
}
