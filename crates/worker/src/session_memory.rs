//! What an isolate remembers of sessions.

use edgegate::{guard::SessionMemory, store::key_ring::RingMemory};

/// What an isolate remembers of sessions.
#[derive(Debug, Default)]
pub(super) struct LocalSessions {
    pub(super) known: SessionMemory,
    pub(super) ring: RingMemory,
}
