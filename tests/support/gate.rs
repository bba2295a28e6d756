//! A gate for the tests: policies from JSON, stores in memory that note what they are asked and can be
//! broken, a clock that stands still, and an executor of ten lines.
#![allow(dead_code, unreachable_pub)]

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::rc::Rc;

use edgegate::api_key::KeyId;
use edgegate::api_key::record::{KeyRecord, NewKey};
use edgegate::error::Error;
use edgegate::guard::{
    Attempts, Backend, Decision, Guard, Request, SeenSignatures, SessionMemory, Sessions,
};
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::discovery::Location;
use edgegate::jose::dpop::ReplayKey;
use edgegate::jose::jws::HostCheck;
use edgegate::jose::keys::KeySet;
use edgegate::jose::sign::Signing;
use edgegate::known_digests::KnownDigests;
use edgegate::limit::{Charge, Limit, Verdict};
use edgegate::policy::{LimitStore, Policy, RevocationMode, Secrets};
use edgegate::revocation::{DenyKey, Entry, NewRevocation};
use edgegate::secret::Secret;
use edgegate::session::ObjectName;
use edgegate::session::key_ring::KeyRing;
use edgegate::session::step::{Outcome, Step};
use edgegate::store::ReplayStore;
use edgegate::store::memory::{MemoryCounters, MemoryKeyRecords, MemoryReplays, MemoryRevocations};
use edgegate::store::replays::Once;
use edgegate::store::sessions::{MemorySessions, Patience, SessionStore};
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{
    error::StoreError,
    store::{CounterStore, KeyRecordStore, Page, RevocationStore, limit_stores::LimitStores},
};
use serde_json::Value;

/// The clock, in seconds.
pub const NOW_SECS: i64 = 1_700_000_000;
/// The clock.
pub const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
/// The clock of claims and records.
pub const NOW_TIME: UnixTime = UnixTime::from_secs(NOW_SECS);

/// The clock, so much later.
pub fn later(millis: u64) -> UnixMillis {
    NOW.saturating_add(millis)
}

/// Runs a future that only ever waits for the stores below.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("a future waits for what never comes")
}

/// Pending once: what every real store is.
pub async fn a_moment() {
    let mut waited = false;
    poll_fn(|context| {
        if core::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Secret bindings by name.
pub struct Bindings(pub BTreeMap<&'static str, Vec<u8>>);

impl Secrets for Bindings {
    fn secret(&self, name: &str) -> Option<Secret> {
        self.0.get(name).cloned().map(Secret::new)
    }
}

/// The secrets of the example policy, and some that are no good.
pub fn bindings() -> Bindings {
    Bindings(BTreeMap::from([
        ("JWT_SECRET", super::mint::SECRET.to_vec()),
        ("API_KEY_SECRET", b"api-key-secret-of-32-bytes-or-so".to_vec()),
        ("ADMIN_TOKEN", b"admin-token-that-has-32-bytes-yes".to_vec()),
        ("SESSION_SECRET", b"session-secret-that-has-32-bytes.".to_vec()),
        ("BATCH_CLIENT_SECRET", b"batch-client-secret-with-32-bytes".to_vec()),
        ("ACCOUNTS_SECRET", b"accounts-secret-that-has-32-byte".to_vec()),
        ("OTHER_SECRET", b"fedcba9876543210fedcba9876543210".to_vec()),
        ("SHORT", b"only-31-bytes-are-in-this-one..".to_vec()),
        ("EMPTY", Vec::new()),
        ("PEM", b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----".to_vec()),
    ]))
}

/// Reads a policy with [`bindings`].
pub fn read(policy: &Value) -> Result<Policy, Error> {
    Policy::from_json(&policy.to_string(), &bindings())
}

/// A policy that has to be valid.
#[track_caller]
pub fn policy(policy: &Value) -> Policy {
    read(policy).unwrap()
}

/// A request without a credential, from 192.0.2.1.
pub fn request<'a>(method: &'a str, path: &'a str) -> Request<'a> {
    Request { client_ip: Some("192.0.2.1".parse().unwrap()), ..Request::bare(method, path) }
}

/// Decides about one request at [`NOW`].
pub fn check(policy: &Policy, stores: &Stores, request: &Request<'_>) -> Decision {
    check_at(policy, stores, request, NOW)
}

/// Decides about one request.
pub fn check_at(
    policy: &Policy,
    stores: &Stores,
    request: &Request<'_>,
    now: UnixMillis,
) -> Decision {
    run(Guard::new(policy, stores).check(request, now))
}

/// The record that a request of an administrator makes of a key.
pub fn record_of(id: KeyId, fields: &Value) -> KeyRecord {
    let mut record = serde_json::json!({
        "v": 1, "id": id, "name": "n", "owner": "owner-1", "scopes": [], "created_at": NOW_SECS,
    });
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    KeyRecord::parse(id, record.to_string().as_bytes()).unwrap()
}

/// The record of a key of another system.
pub fn imported(body: &Value) -> KeyRecord {
    NewKey::parse(body.to_string().as_bytes()).unwrap().imported_record(NOW_TIME).unwrap()
}

/// The entry that a request of an administrator makes.
pub fn entry(body: &Value) -> Entry {
    match NewRevocation::parse(body.to_string().as_bytes()).unwrap() {
        NewRevocation::Entry(request) => request.entry(NOW_TIME).unwrap(),
        NewRevocation::Token(_) => panic!("a token"),
    }
}

/// What a host or an issuer is made to answer.
type HostAnswer = dyn Fn(&HostCheck<'_>) -> Result<bool, Error>;

/// Stores in memory, one for each kind of counter, and a host.
pub struct Stores {
    /// What was asked, in order: `record`, `entries`, `take memory a,b`, `refund …`, `host RS256`, `remote <kid>`.
    asked: RefCell<Vec<String>>,
    /// The first words of calls that fail: `record`, `entries`, `take memory`, `refund durable-object`, …
    broken: RefCell<Vec<&'static str>>,
    records: MemoryKeyRecords,
    revocations: MemoryRevocations,
    counters: [(LimitStore, MemoryCounters); 4],
    failures: Attempts,
    replays: MemoryReplays,
    host: Box<HostAnswer>,
    remote: Option<Rc<KeySet>>,
    short_answers: Cell<bool>,
    gives_up: Cell<bool>,
    known_to_refuse: Cell<Option<&'static str>>,
    remembers: Cell<bool>,
    recalls: RefCell<Vec<Entry>>,
    sessions: TestSessions,
    seen: Option<SeenSignatures>,
    digests: KnownDigests,
}

/// The gate's own sessions in memory, with a key ring of one fixed Ed25519 key: no host is needed.
pub struct TestSessions {
    memory: SessionMemory,
    subjects: MemorySessions,
    ring: KeyRing,
    /// What the writer's clock shows: isolates' clocks may be wrong, this one decides.
    pub clock: Cell<UnixMillis>,
    /// The steps that were asked for, by their first words.
    pub steps: RefCell<Vec<String>>,
    /// Whether the store answers.
    pub broken: Cell<bool>,
    random: Cell<u8>,
    assertions: MemoryReplays,
}

/// The key pair of RFC 8037 A.1.
pub const RING: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#;

impl Default for TestSessions {
    fn default() -> Self {
        let jwks = Secret::new(RING.as_bytes().to_vec());
        Self {
            memory: SessionMemory::default(),
            subjects: MemorySessions::default(),
            ring: KeyRing::from_secret(&jwks, Algorithm::EdDsa).unwrap(),
            clock: Cell::new(NOW),
            steps: RefCell::default(),
            broken: Cell::new(false),
            random: Cell::new(0),
            assertions: MemoryReplays::default(),
        }
    }
}

impl SessionStore for TestSessions {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        _: Patience,
    ) -> Result<Outcome, StoreError> {
        a_moment().await;
        let text = step.to_text();
        self.steps.borrow_mut().push(text.split(' ').next().unwrap().to_owned());
        if self.broken.get() {
            return Err(StoreError::new("does not answer"));
        }
        // As between an object and an isolate.
        let step = Step::from_text(&text)?;
        let outcome = self.subjects.apply_now(object, &step, self.clock.get())?;
        Outcome::from_text(&outcome.to_text())
    }
}

impl Sessions for TestSessions {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        &self.memory
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.random.set(self.random.get().wrapping_add(1));
        bytes.fill(self.random.get());
        Ok(())
    }

    async fn first_use(
        &self,
        _: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.assertions.is_first(key, until, now).await
    }

    async fn verifying_keys(&self, _: Option<&str>, _: UnixMillis) -> Result<Rc<KeySet>, Error> {
        Ok(self.ring.verifying())
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        match self.ring.signing_key(now.to_unix_time())?.sign(claims, typ)? {
            Signing::Done(token) => Ok(token),
            Signing::NeedsHost(_) => panic!("Ed25519 needs no host"),
        }
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self {
            asked: RefCell::default(),
            broken: RefCell::default(),
            records: MemoryKeyRecords::default(),
            revocations: MemoryRevocations::default(),
            counters: [
                (LimitStore::Memory, MemoryCounters::default()),
                (LimitStore::Kv, MemoryCounters::default()),
                (LimitStore::DurableObject, MemoryCounters::default()),
                (LimitStore::Binding("LIMITER".to_owned()), MemoryCounters::default()),
            ],
            failures: Attempts::default(),
            replays: MemoryReplays::default(),
            host: Box::new(|_| panic!("the host was asked")),
            remote: None,
            short_answers: Cell::new(false),
            gives_up: Cell::new(false),
            known_to_refuse: Cell::new(None),
            remembers: Cell::new(false),
            recalls: RefCell::default(),
            sessions: TestSessions::default(),
            seen: None,
            digests: KnownDigests::default(),
        }
    }
}

impl Stores {
    /// With a host that answers so.
    pub fn with_host(
        mut self,
        host: impl Fn(&HostCheck<'_>) -> Result<bool, Error> + 'static,
    ) -> Self {
        self.host = Box::new(host);
        self
    }

    /// Signatures that hold are kept.
    pub fn keeping_signatures(mut self) -> Self {
        self.seen = Some(SeenSignatures::default());
        self
    }

    /// With an issuer that publishes these keys.
    pub fn with_remote(mut self, keys: KeySet) -> Self {
        self.remote = Some(Rc::new(keys));
        self
    }

    /// Lets all calls fail that begin with these words.
    pub fn break_down(&self, call: &'static str) {
        self.broken.borrow_mut().push(call);
    }

    /// What fails does so by a bound of the gate's own.
    pub fn give_up(&self) {
        self.gives_up.set(true);
    }

    /// Everything works again.
    pub fn repair(&self) {
        self.broken.borrow_mut().clear();
    }

    /// Lets stores answer with nothing, whatever was asked for.
    pub fn answer_with_nothing(&self) {
        self.short_answers.set(true);
    }

    /// It is known without asking that this limit refuses.
    pub fn know_to_refuse(&self, limit: &'static str) {
        self.known_to_refuse.set(Some(limit));
    }

    /// This isolate found the entry not long ago.
    pub fn recall(&self, body: &Value) {
        self.recalls.borrow_mut().push(entry(body));
    }

    /// Every key is known from not long ago.
    pub fn remember_keys(&self) {
        self.remembers.set(true);
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        self.asked.take()
    }

    /// Stores a record.
    pub fn put_record(&self, record: &KeyRecord) {
        run(self.records.put(record, NOW)).unwrap();
    }

    /// Stores a revocation.
    pub fn revoke(&self, body: &Value) {
        let entry = entry(body);
        run(self.revocations.put(&entry.deny_key(), &entry, NOW)).unwrap();
    }

    async fn note(&self, call: String) -> Result<(), StoreError> {
        let fails = self.broken.borrow().iter().any(|broken| call.starts_with(broken));
        self.asked.borrow_mut().push(call);
        a_moment().await;
        match (fails, self.gives_up.get()) {
            (false, _) => Ok(()),
            (true, false) => Err(StoreError::new("is on fire")),
            (true, true) => Err(StoreError::own_bound("is asked by too many")),
        }
    }

    fn counters_of(&self, store: &LimitStore) -> &MemoryCounters {
        &self.counters.iter().find(|(known, _)| known == store).unwrap().1
    }
}

fn counted(call: &str, store: &LimitStore, limits: &[Limit]) -> String {
    let store = match store {
        LimitStore::Memory => "memory",
        LimitStore::Kv => "kv",
        LimitStore::DurableObject => "durable-object",
        LimitStore::Binding(_) => "binding",
    };
    let names: Vec<&str> = limits.iter().map(Limit::name).collect();
    format!("{call} {store} {}", names.join(","))
}

impl KeyRecordStore for Stores {
    fn remembers(&self, _id: &KeyId) -> bool {
        self.remembers.get()
    }

    async fn record(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.note("record".to_owned()).await?;
        self.records.record(id).await
    }

    async fn put(&self, record: &KeyRecord, now: UnixMillis) -> Result<(), StoreError> {
        self.records.put(record, now).await
    }

    async fn list(
        &self,
        owner: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyRecord>, StoreError> {
        self.records.list(owner, cursor, limit).await
    }
}

impl RevocationStore for Stores {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.note("entries".to_owned()).await?;
        if self.short_answers.get() {
            return Ok(Vec::new());
        }
        self.revocations.entries(keys).await
    }

    fn recalled(&self, _mode: RevocationMode, keys: &[DenyKey]) -> Vec<Entry> {
        let recalls = self.recalls.borrow();
        recalls.iter().filter(|entry| keys.contains(&entry.deny_key())).cloned().collect()
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        self.revocations.put(key, entry, now).await
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        self.revocations.remove(key).await
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        self.revocations.list(cursor, limit).await
    }
}

impl LimitStores for Stores {
    async fn take(
        &self,
        store: &LimitStore,
        charge: Charge<'_>,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.note(counted("take", store, charge.limits)).await?;
        if self.short_answers.get() {
            return Ok(Vec::new());
        }
        Ok(self.counters_of(store).take_now(charge))
    }

    fn refusal_unasked(&self, store: &LimitStore, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        let Charge { group, limits, cost, now } = charge;
        let counters = self.counters_of(store);
        let known = self.known_to_refuse.get();
        let told = limits.iter().any(|limit| Some(limit.name()) == known);
        if *store != LimitStore::Memory && !told {
            return None;
        }
        let peek = |limit| counters.peek_now(group, limit, cost, now);
        let real = counters.refusal_now(charge);
        real.or_else(|| told.then(|| limits.iter().map(peek).collect()))
    }

    async fn refund(&self, store: &LimitStore, charge: Charge<'_>) -> Result<(), StoreError> {
        self.note(counted("refund", store, charge.limits)).await?;
        match store {
            // As the platform's: it only ever counts up.
            LimitStore::Binding(_) => Ok(()),
            _ => self.counters_of(store).refund(charge).await,
        }
    }
}

impl Backend for Stores {
    type Keys = Self;
    type Revocations = Self;
    type Counters = Self;
    type Replays = MemoryReplays;
    type Sessions = TestSessions;

    fn sessions(&self) -> &TestSessions {
        &self.sessions
    }

    fn keys(&self) -> &Self {
        self
    }

    fn revocations(&self) -> &Self {
        self
    }

    fn counters(&self) -> &Self {
        self
    }

    fn failures(&self) -> &Attempts {
        &self.failures
    }

    fn replays(&self) -> &MemoryReplays {
        &self.replays
    }

    fn digests(&self) -> Option<&KnownDigests> {
        Some(&self.digests)
    }

    fn seen_signatures(&self) -> Option<&SeenSignatures> {
        self.seen.as_ref()
    }

    async fn signature_holds(&self, _issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.asked.borrow_mut().push(format!("host {}", check.algorithm()));
        a_moment().await;
        (self.host)(check)
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        _at: Location<'_>,
        key_id: Option<&str>,
        _now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.asked.borrow_mut().push(format!("remote {}", key_id.unwrap_or("-")));
        a_moment().await;
        self.remote.clone().ok_or_else(|| Error::KeysUnavailable {
            issuer: issuer.to_owned(),
            problem: "is on fire".to_owned(),
        })
    }
}
