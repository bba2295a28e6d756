//! What an isolate remembers between requests, on every edge.

use std::cell::RefCell;

use super::{
    Attempts, Failures, Identity, SessionMemory, accounts::AccountMemory, login::LoginMemory,
    signatures::SeenSignatures,
};
use crate::{
    api_key::KeyId,
    bounded::BoundedMap,
    client_address::{ClientAddress, UnreadableAddresses},
    jose::jws::LastHeader,
    known_digests::KnownDigests,
    policy::{Policy, Records},
    store::{
        keyed::LateWrite, memory::MemoryReplays, published::PublishedKeySets, replays::Placed,
    },
    time::UnixMillis,
};

/// How often the last use of a key is written down, for each isolate and key. Nobody needs it finer, and KV takes one
/// write a second for each key.
const NOTE_USE_EVERY_MILLIS: u64 = 5 * 60 * 1000;

/// Keys whose last use this isolate remembers to have noted.
const MAX_NOTED: usize = 10_000;

/// What an isolate remembers. It is gone with the isolate, and outlives a change of the policy: a new one begins with no
/// empty counters, and asks no issuer anew.
#[derive(Debug)]
pub struct IsolateMemory {
    pub(super) failures: Attempts,
    pub(super) replays: MemoryReplays,
    pub(super) published: PublishedKeySets,
    pub(super) last_header: RefCell<LastHeader>,
    pub(super) signatures: SeenSignatures,
    pub(super) digests: KnownDigests,
    noted: RefCell<BoundedMap<KeyId, ()>>,
    unreadable_addresses: UnreadableAddresses,
    /// What is remembered of the gate's own sessions.
    pub sessions: SessionMemory,
    /// What is remembered of the providers that people log in with.
    pub logins: LoginMemory,
    /// What is remembered of guesses at passwords.
    pub accounts: AccountMemory,
}

impl Default for IsolateMemory {
    fn default() -> Self {
        Self {
            failures: Attempts::default(),
            replays: MemoryReplays::default(),
            published: PublishedKeySets::default(),
            last_header: RefCell::default(),
            signatures: SeenSignatures::default(),
            digests: KnownDigests::default(),
            noted: RefCell::new(BoundedMap::new(MAX_NOTED)),
            unreadable_addresses: UnreadableAddresses::default(),
            sessions: SessionMemory::default(),
            logins: LoginMemory::default(),
            accounts: AccountMemory::default(),
        }
    }
}

impl IsolateMemory {
    /// A memory that has the keys of issuers and nothing else: what is done with it leaves no trace in this one.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { published: self.published.to_read(), ..Self::default() }
    }

    /// The limit on failed authentication.
    #[must_use]
    pub fn failures<'a>(&'a self, policy: &'a Policy) -> Failures<'a> {
        Failures::new(policy, &self.failures)
    }

    /// Used proofs where the policy has them remembered; `shared` is what all isolates share.
    pub fn replays<S>(&self, policy: &Policy, shared: S) -> Placed<'_, S> {
        Placed::new(policy.replays, &self.replays, shared)
    }

    /// The write by which the use of an API key is noted, after the answer; `None` for others, and if it was noted in
    /// the last few minutes.
    #[must_use]
    pub fn note_use(
        &self,
        policy: &Policy,
        identity: &Identity,
        now: UnixMillis,
    ) -> Option<LateWrite> {
        identity.api_key_id().and_then(|id| self.note_use_of(policy, id, now))
    }

    #[inline(never)]
    fn note_use_of(&self, policy: &Policy, id: &KeyId, now: UnixMillis) -> Option<LateWrite> {
        let kept = policy.api_keys.as_ref().is_some_and(|keys| keys.records != Records::None);
        let mut noted = self.noted.borrow_mut();
        if !kept || noted.get(id, now).is_some() {
            return None;
        }
        noted.insert(*id, (), now.saturating_add(NOTE_USE_EVERY_MILLIS), now);
        Some(LateWrite::of_use(id, now.to_unix_time()))
    }

    /// What the log is told, once in a while, of a client's address that cannot be read.
    pub fn address_fault(
        &self,
        address: ClientAddress,
        named: &str,
        now: UnixMillis,
    ) -> Option<String> {
        self.unreadable_addresses.fault(address, named, now)
    }
}
