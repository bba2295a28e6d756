//! The gate of an isolate: a policy, and what is remembered between requests.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures_util::FutureExt as _;
use worker::{Context, Delay, Env};

use super::{
    background, clock, counter_object,
    counters::{Counters, LocalCounters},
    facts,
    host::Names,
    jwks,
    kv::{self, Kv, Namespace},
    ledger_object,
    proxy::Target,
    replays::CountedReplays,
    revocations::Revocations,
    web_crypto::ImportedKeys,
};
use edgegate::{
    api_key::KeyId,
    bounded::BoundedMap,
    client_address::UnreadableAddresses,
    error::{Error, StoreError},
    guard::{Attempts, Backend, Failures, Identity},
    http::caching::CACHING_FIELDS,
    jose::{jws::HostCheck, keys::KeySet},
    policy::{self, CacheSecs, Policy, Records, Secrets},
    revocation::{DenyKey, Entry, snapshot::Holder},
    secret::Secret,
    store::{
        keyed::{LateWrite, Remembered},
        memory::MemoryReplays,
        published::{Fetched, Issuers, PublishedKeySets, SealedKeys},
        questions::Questions,
        replays::Placed,
    },
    time::UnixMillis,
};

/// How often the last use of a key is written down, for each isolate and key. KV takes one write a
/// second for each key, and nobody needs it finer.
const NOTE_USE_EVERY_MILLIS: u64 = 5 * 60 * 1000;

/// Keys whose last use this isolate remembers to have noted.
const MAX_NOTED: usize = 10_000;

/// Entries of the ledger that this isolate remembers, where each request asks.
const MAX_REVOKED: usize = 10_000;
/// What they take at most: enough for so many of some 400 bytes.
const MAX_REVOKED_BYTES: usize = 4_000_000;

/// What the ledger answers: the entries under some keys.
type Entries = Result<Vec<Option<Entry>>, StoreError>;

/// The gate as one policy has it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) policy: Policy,
    /// Where admitted requests go.
    pub(super) target: Target,
    pub(super) names: facts::Headers,
    /// What is read of answers that caches have to be told about.
    pub(super) caching: Names,
    pub(super) memory: Rc<Memory>,
}

/// What an isolate remembers, whichever policy is in force: a new one begins with no empty counters, and
/// asks no store anew.
#[derive(Debug)]
pub(super) struct Memory {
    failures: Attempts,
    replays: MemoryReplays,
    counters: LocalCounters,
    imported: ImportedKeys,
    published: PublishedKeySets,
    pub(super) remembered: Remembered,
    pub(super) snapshots: RefCell<Holder>,
    /// What the ledger was found to have, where it is asked each time.
    pub(super) revoked: RefCell<BoundedMap<DenyKey, Entry>>,
    /// What it is being asked.
    pub(super) questions: RefCell<Questions<Vec<DenyKey>, Entries>>,
    noted: RefCell<BoundedMap<KeyId, ()>>,
    unreadable_addresses: UnreadableAddresses,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            failures: Attempts::default(),
            replays: MemoryReplays::default(),
            counters: LocalCounters::default(),
            imported: ImportedKeys::default(),
            published: PublishedKeySets::default(),
            remembered: Remembered::default(),
            snapshots: RefCell::default(),
            revoked: RefCell::new(BoundedMap::weighing(
                MAX_REVOKED,
                MAX_REVOKED_BYTES,
                Entry::weight,
            )),
            questions: RefCell::default(),
            noted: RefCell::new(BoundedMap::new(MAX_NOTED)),
            unreadable_addresses: UnreadableAddresses::default(),
        }
    }
}

impl Gate {
    /// The gate with the policy of this JSON.
    ///
    /// # Errors
    /// [`Error::Config`] if the policy is faulty or something it needs is not bound.
    pub(super) fn new(policy: &str, env: &Env, memory: &Rc<Memory>) -> Result<Self, Error> {
        let policy = Policy::from_json(policy, &EnvSecrets(env))?;
        check_bindings(&policy, env)?;
        let (target, names) = (Target::of(&policy, env), facts::Headers::of(&policy));
        let caching = Names::new(CACHING_FIELDS);
        Ok(Self { target, names, caching, policy, memory: Rc::clone(memory) })
    }

    /// The limit on failed authentication.
    pub(super) fn failures(&self) -> Failures<'_> {
        Failures::new(&self.policy, &self.memory.failures)
    }

    /// Tells the log, once in a while, that addresses cannot be read.
    pub(super) fn note_address(&self, facts: &facts::Facts<'_>) {
        let (address, named) = facts.address();
        if let Some(fault) = self.memory.unreadable_addresses.fault(address, named, clock::now()) {
            super::fault::report(&fault);
        }
    }

    /// KV, seen through this isolate's memory.
    pub(super) fn kv<'a>(&'a self, env: &'a Env) -> Kv<'a> {
        let no_cache = CacheSecs(0);
        Kv::new(
            Namespace::new(env),
            &self.memory.remembered,
            self.policy.revocation.map_or(no_cache, |policy| policy.cache_secs),
            self.policy.api_keys.as_ref().map_or(no_cache, |keys| keys.cache_secs),
        )
    }

    /// Revocations, as the policy looks them up.
    pub(super) fn revocations<'a>(&'a self, env: &'a Env, context: &'a Context) -> Revocations<'a> {
        let policy = self.policy.revocation;
        Revocations { kv: self.kv(env), env, context, memory: &self.memory, policy }
    }

    /// Notes the use of an API key after the answer, at most every few minutes.
    pub(super) fn note_use(&self, identity: &Identity, env: &Env, context: &Context) {
        let Some(id) = identity.api_key_id() else { return };
        let kept = self.policy.api_keys.as_ref().is_some_and(|keys| keys.records != Records::None);
        let now = clock::now();
        let mut noted = self.memory.noted.borrow_mut();
        if !kept || noted.get(id, now).is_some() {
            return;
        }
        noted.insert(*id, (), now.saturating_add(NOTE_USE_EVERY_MILLIS), now);
        let write = LateWrite::of_use(id, now.to_unix_time());
        kv::write_later(env, context, write, "last use not noted");
    }
}

/// The stores and the crypto of one request.
#[derive(Debug)]
pub(super) struct RequestBackend<'a> {
    gate: &'a Gate,
    env: &'a Env,
    context: &'a Context,
    kv: Kv<'a>,
    revocations: Revocations<'a>,
    counters: Counters<'a>,
    replays: Placed<'a, CountedReplays<'a>>,
}

impl<'a> RequestBackend<'a> {
    pub(super) fn new(gate: &'a Gate, env: &'a Env, context: &'a Context) -> Self {
        Self {
            gate,
            env,
            context,
            kv: gate.kv(env),
            revocations: gate.revocations(env, context),
            counters: Counters::new(&gate.memory.counters, env, context),
            replays: Placed::new(gate.policy.replays, &gate.memory.replays, CountedReplays(env)),
        }
    }
}

impl<'a> Backend for RequestBackend<'a> {
    type Keys = Kv<'a>;
    type Revocations = Revocations<'a>;
    type Counters = Counters<'a>;
    type Replays = Placed<'a, CountedReplays<'a>>;

    fn keys(&self) -> &Self::Keys {
        &self.kv
    }

    fn revocations(&self) -> &Self::Revocations {
        &self.revocations
    }

    fn counters(&self) -> &Self::Counters {
        &self.counters
    }

    fn failures(&self) -> &Attempts {
        &self.gate.memory.failures
    }

    fn replays(&self) -> &Self::Replays {
        &self.replays
    }

    fn takes_ed25519(&self) -> bool {
        self.gate.memory.imported.takes_ed25519()
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.gate.memory.imported.signature_holds(issuer, check).await
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.gate.memory.published.keys(self, issuer, uri, key_id, now).await
    }
}

impl<'a> Issuers for RequestBackend<'a> {
    type Cache = Namespace<'a>;

    fn now(&self) -> UnixMillis {
        clock::now()
    }

    async fn pause(&self, millis: u64) {
        Delay::from(Duration::from_millis(millis)).await;
    }

    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
        let (uri, etag) = (uri.to_owned(), etag.map(str::to_owned));
        let fetch = async move { jwks::fetch(&uri, etag.as_deref()).await };
        let fetch = fetch.boxed_local().shared();
        // The request goes on with it though its client has gone: others wait for the keys.
        background::run(self.context, fetch.clone().map(drop));
        fetch.await
    }

    fn cache(&self) -> Option<SealedKeys<'_, Namespace<'a>>> {
        let seal = self.gate.policy.jwks_cache.as_ref()?;
        Some(SealedKeys::new(Namespace::new(self.env), seal))
    }

    fn write_later(&self, write: LateWrite) {
        kv::write_later(self.env, self.context, write, "keys not cached");
    }

    fn note_stale(&self, fault: &Error) {
        super::fault::report_stale_keys(&fault.to_string());
    }
}

struct EnvSecrets<'a>(&'a Env);

impl Secrets for EnvSecrets<'_> {
    fn secret(&self, name: &str) -> Option<Secret> {
        let value = self.0.secret(name).ok()?.to_string();
        Some(Secret::new(value.into_bytes()))
    }
}

/// What the policy uses has to be bound.
fn check_bindings(policy: &Policy, env: &Env) -> Result<(), Error> {
    let missing = |name: &str, what: &str| Error::Config {
        path: name.to_owned(),
        problem: format!("the policy needs this {what} binding"),
    };
    if policy.needs_kv() && env.kv(kv::BINDING).is_err() {
        return Err(missing(kv::BINDING, "KV namespace"));
    }
    if policy.replays == policy::Replays::DurableObject
        && env.durable_object(counter_object::BINDING).is_err()
    {
        return Err(Error::Config {
            path: "dpop.replays".to_owned(),
            problem: format!("expected the Durable Object binding {}", counter_object::BINDING),
        });
    }
    if policy.needs_durable_objects() && env.durable_object(counter_object::BINDING).is_err() {
        return Err(missing(counter_object::BINDING, "Durable Object"));
    }
    if policy.needs_ledger() && env.durable_object(ledger_object::BINDING).is_err() {
        return Err(missing(ledger_object::BINDING, "Durable Object"));
    }
    for name in policy.rate_limit_bindings() {
        if env.rate_limiter(name).is_err() {
            return Err(missing(name, "rate-limiting"));
        }
    }
    Ok(())
}
