//! What a gate keeps between checks, and the guard's backend over the host.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::task::{Desk, Job};
use crate::host::{self, Verdict as SignatureVerdict};
use edgegate::api_key::KeyId;
use edgegate::bounded::BoundedMap;
use edgegate::client_address::UnreadableAddresses;
use edgegate::error::Error;
use edgegate::guard::{Attempts, Backend, Identity};
use edgegate::jose::jws::HostCheck;
use edgegate::jose::keys::KeySet;
use edgegate::limit::{Limit, Verdict};
use edgegate::policy::{CacheSecs, LimitStore, Policy, Records};
use edgegate::store::keyed::{KeyValue, Keyed, LateWrite, Remembered};
use edgegate::store::memory::{MemoryCounters, MemoryReplays};
use edgegate::store::published::{Fetched, Issuers, PublishedKeySets, SealedKeys};
use edgegate::store::replays::{Placed, SharedReplays};
use edgegate::store::shared::{SharedCounters, SwapStore};
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{
    error::StoreError,
    limit::CounterGroup,
    store::{CounterStore, Page},
};

/// How often the last use of a key is written down; nobody needs it finer.
const NOTE_USE_EVERY_MILLIS: u64 = 5 * 60 * 1000;

/// The store of issuers' keys.
const JWKS: &str = "jwks";

/// Keys whose last use this instance remembers to have noted.
const MAX_NOTED: usize = 10_000;

/// The state of a gate. It is gone with the instance.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) policy: Policy,
    /// Whether there is a store for the keys of issuers.
    shares_keys: bool,
    failures: Attempts,
    replays: MemoryReplays,
    counters: MemoryCounters,
    published: PublishedKeySets,
    entries: Remembered,
    records: Remembered,
    noted: RefCell<BoundedMap<KeyId, ()>>,
    pub(super) unreadable_addresses: UnreadableAddresses,
}

impl Gate {
    pub(super) fn new(policy: Policy, shares_keys: bool) -> Self {
        Self {
            policy,
            shares_keys,
            failures: Attempts::default(),
            replays: MemoryReplays::default(),
            counters: MemoryCounters::default(),
            published: PublishedKeySets::default(),
            entries: Remembered::default(),
            records: Remembered::default(),
            noted: RefCell::new(BoundedMap::new(MAX_NOTED)),
            unreadable_addresses: UnreadableAddresses::default(),
        }
    }

    /// Notes the use of an API key after the answer, at most every few minutes.
    pub(super) fn note_use(&self, identity: &Identity, desk: &Desk) {
        let Some(id) = identity.api_key_id() else { return };
        if self.policy.api_keys.as_ref().is_none_or(|keys| keys.records == Records::None) {
            return;
        }
        let now = desk.now();
        let mut noted = self.noted.borrow_mut();
        if noted.get(id, now).is_some() {
            return;
        }
        noted.insert(*id, (), now.saturating_add(NOTE_USE_EVERY_MILLIS), now);
        desk.write_later("keys", "last use not noted", &LateWrite::of_use(id, now.to_unix_time()));
    }
}

/// The stores and the crypto of one check.
#[derive(Debug)]
pub(super) struct HostBackend<'a> {
    gate: &'a Gate,
    desk: &'a Desk,
    keys: Keyed<'a, HostStore<'a>>,
    revocations: Keyed<'a, HostStore<'a>>,
    counters: Counters<'a>,
    replays: Placed<'a, SharedReplays<HostSwap<'a>>>,
}

impl<'a> HostBackend<'a> {
    pub(super) fn new(gate: &'a Gate, desk: &'a Desk) -> Self {
        let store = |name| HostStore { name, desk };
        let no_cache = CacheSecs(0);
        let entries_cache = gate.policy.revocation.map_or(no_cache, |policy| policy.cache_secs);
        let records_cache = gate.policy.api_keys.as_ref().map_or(no_cache, |keys| keys.cache_secs);
        Self {
            gate,
            desk,
            keys: Keyed::new(store("keys"), &gate.records, no_cache, records_cache),
            revocations: Keyed::new(store("revocation"), &gate.entries, entries_cache, no_cache),
            counters: Counters {
                memory: &gate.counters,
                shared: SharedCounters::new(HostSwap { desk }),
            },
            replays: Placed::new(
                gate.policy.replays,
                &gate.replays,
                SharedReplays::new(HostSwap { desk }),
            ),
        }
    }
}

impl<'a> Backend for HostBackend<'a> {
    type Keys = Keyed<'a, HostStore<'a>>;
    type Revocations = Keyed<'a, HostStore<'a>>;
    type Counters = Counters<'a>;
    type Replays = Placed<'a, SharedReplays<HostSwap<'a>>>;

    fn keys(&self) -> &Self::Keys {
        &self.keys
    }

    fn revocations(&self) -> &Self::Revocations {
        &self.revocations
    }

    fn counters(&self) -> &Self::Counters {
        &self.counters
    }

    fn failures(&self) -> &Attempts {
        &self.gate.failures
    }

    fn replays(&self) -> &Self::Replays {
        &self.replays
    }

    fn takes_ed25519(&self) -> bool {
        true
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        match host::ask(check, issuer)? {
            SignatureVerdict::Holds => Ok(true),
            SignatureVerdict::Bad => Ok(false),
            SignatureVerdict::Pending => {
                let verdict = self.desk.ask::<Option<bool>>(Job::Signature).await;
                let verdict = verdict.and_then(|verdict| {
                    verdict.ok_or_else(|| "the host refuses the key".to_owned())
                });
                verdict.or_else(|problem| {
                    check.decide_here().ok_or_else(|| Error::KeysUnavailable {
                        issuer: issuer.to_owned(),
                        problem,
                    })
                })
            }
        }
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.gate.published.keys(self, issuer, uri, key_id, now).await
    }
}

impl<'a> Issuers for HostBackend<'a> {
    type Cache = HostStore<'a>;

    fn now(&self) -> UnixMillis {
        self.desk.now()
    }

    async fn pause(&self, millis: u64) {
        // A host that cannot wait is asked again at once.
        drop(self.desk.ask::<()>(Job::Pause { millis }).await);
    }

    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
        let answer: Published = self.desk.ask(Job::FetchKeys { uri, etag }).await?;
        Ok(answer.into())
    }

    fn cache(&self) -> Option<SealedKeys<'_, HostStore<'a>>> {
        let seal = self.gate.policy.jwks_cache.as_ref().filter(|_| self.gate.shares_keys)?;
        Some(SealedKeys::new(HostStore { name: JWKS, desk: self.desk }, seal))
    }

    fn write_later(&self, write: LateWrite) {
        self.desk.write_later(JWKS, "keys not cached", &write);
    }

    fn note_stale(&self, fault: &Error) {
        self.desk.tell(&Job::Note { detail: fault.to_string() });
    }
}

/// What an issuer answered. Without `jwks` it said that nothing has changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    jwks: Option<String>,
    etag: Option<String>,
    cache_control: Option<String>,
}

impl From<Published> for Fetched {
    fn from(Published { jwks, etag, cache_control }: Published) -> Self {
        match jwks {
            Some(jwks) => Self::Keys { jwks, etag, cache_control },
            None => Self::NotModified { cache_control },
        }
    }
}

/// One of the host's stores.
#[derive(Debug)]
pub(super) struct HostStore<'a> {
    name: &'static str,
    desk: &'a Desk,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<String>,
    cursor: Option<String>,
}

impl KeyValue for HostStore<'_> {
    fn now(&self) -> UnixMillis {
        self.desk.now()
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.desk.ask_store(Job::Get { store: self.name, names }).await
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let now = self.desk.now().to_unix_time();
        let ttl_secs = expires_at.map(|at| at.secs_since(now).max(1));
        let job = Job::Put { store: self.name, name, value, ttl_secs };
        self.desk.ask_store::<()>(job).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.desk.ask_store::<()>(Job::Delete { store: self.name, name }).await
    }

    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let job = Job::List { store: self.name, prefix, cursor, limit };
        let Listed { keys, cursor } = self.desk.ask_store(job).await?;
        Ok(Page { items: keys, cursor })
    }
}

/// The host's store of counters.
#[derive(Debug)]
pub(super) struct HostSwap<'a> {
    desk: &'a Desk,
}

impl SwapStore for HostSwap<'_> {
    async fn load(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.desk.ask_store(Job::Load { name }).await
    }

    async fn swap(
        &self,
        name: &str,
        expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        // Rounded up: kept somewhat longer does no harm.
        let ttl_secs = until.millis_since(self.desk.now()).div_ceil(1000).max(1);
        self.desk.ask_store(Job::Swap { name, expected, next, ttl_secs }).await
    }

    fn release(&self, name: &str) {
        self.desk.tell(&Job::Release { name });
    }
}

/// Counters by the store that a limit names.
#[derive(Debug)]
pub(super) struct Counters<'a> {
    memory: &'a MemoryCounters,
    shared: SharedCounters<HostSwap<'a>>,
}

impl CounterStore for Counters<'_> {
    async fn take(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        match store {
            LimitStore::Memory => self.memory.take(store, group, limits, cost, now).await,
            LimitStore::DurableObject => self.shared.take(store, group, limits, cost, now).await,
            LimitStore::Kv | LimitStore::Binding(_) => {
                Err(StoreError::new("there is no such store"))
            }
        }
    }

    fn refusal_unasked(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        match store {
            LimitStore::Memory => self.memory.refusal_now(group, limits, cost, now),
            LimitStore::DurableObject | LimitStore::Kv | LimitStore::Binding(_) => None,
        }
    }

    async fn refund(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        match store {
            LimitStore::Memory => self.memory.refund(store, group, limits, cost, now).await,
            LimitStore::DurableObject => self.shared.refund(store, group, limits, cost, now).await,
            LimitStore::Kv | LimitStore::Binding(_) => Ok(()),
        }
    }
}
