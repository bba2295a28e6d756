//! What an isolate remembers between requests.

use std::cell::RefCell;

use super::{
    counters::LocalCounters, local_tally::LocalTally, session_memory::LocalSessions,
    web_crypto::ImportedKeys,
};
use edgegate::{
    bounded::BoundedMap,
    error::StoreError,
    guard::IsolateMemory,
    revocation::{DenyKey, Entry, snapshot::Holder},
    store::{keyed::Remembered, questions::Questions},
};

/// How many entries of the ledger an isolate remembers, where each request asks it.
const MAX_REVOKED: usize = 10_000;
/// How many bytes they take at most: enough for that many of about 400 bytes.
const MAX_REVOKED_BYTES: usize = 4_000_000;

/// The ledger's answer: the entries under some keys.
type Entries = Result<Vec<Option<Entry>>, StoreError>;

/// What an isolate remembers. A change of the policy keeps it: counters go on from where they were, and what was read from a
/// store is not read again.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What every edge remembers.
    pub(crate) guard: IsolateMemory,
    pub(crate) counters: LocalCounters,
    pub(crate) imported: ImportedKeys,
    pub(crate) sessions: LocalSessions,
    pub(crate) watch: LocalTally,
    pub(crate) remembered: Remembered,
    pub(crate) snapshots: RefCell<Holder>,
    /// Entries found in the ledger, where each request asks it.
    pub(crate) revoked: RefCell<BoundedMap<DenyKey, Entry>>,
    /// Questions to the ledger under way.
    pub(crate) questions: RefCell<Questions<Vec<DenyKey>, Entries>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            guard: IsolateMemory::default(),
            counters: LocalCounters::default(),
            imported: ImportedKeys::default(),
            sessions: LocalSessions::default(),
            watch: LocalTally::default(),
            remembered: Remembered::default(),
            snapshots: RefCell::default(),
            revoked: RefCell::new(BoundedMap::weighing(
                MAX_REVOKED,
                MAX_REVOKED_BYTES,
                Entry::weight,
            )),
            questions: RefCell::default(),
        }
    }
}
