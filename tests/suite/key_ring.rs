//! The managed key ring in a store that processes share, and as a process knows it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use edgegate::error::{Error, StoreError};
use edgegate::jose::algorithm::Algorithm;
use edgegate::policy::{Policy, SessionPolicy};
use edgegate::secret::Secret;
use edgegate::session::key_ring::{ACTIVE_SECS, KeyRing, LEAD_SECS, RingRecord};
use edgegate::store::key_ring::{
    self, RingCrypto, RingMemory, RingReader, SharedRing, unavailable,
};
use edgegate::time::UnixMillis;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::gate::{self, NOW, a_moment, run};
use super::texts::Texts;

fn policy(changes: &Value) -> Policy {
    let mut sessions = json!({
        "issuer": "https://gate.example/", "audience": ["https://api.example.com"],
        "secret": "SESSION_SECRET", "algorithm": "HS256",
    });
    for (name, value) in changes.as_object().unwrap() {
        sessions[name] = value.clone();
    }
    sessions.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    gate::policy(&json!({
        "sessions": sessions, "revocation": {"mode": "entries"}, "routes": [{"path": "/*"}],
    }))
}

fn own(policy: &Policy) -> &SessionPolicy {
    policy.sessions.as_ref().unwrap()
}

/// Seals by writing beside each other what belongs together. Each key is another.
#[derive(Default)]
struct Crypto {
    made: Cell<u8>,
}

fn beside(key: &Secret, beside: &[u8]) -> String {
    edgegate::base64url::encode(&[key.expose_secret(), beside].concat())
}

impl RingCrypto for Crypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.made.set(self.made.get() + 1);
        bytes.fill(self.made.get());
        Ok(())
    }

    async fn generate(&self, _: Algorithm) -> Result<Secret, StoreError> {
        panic!("HS256 needs no host")
    }

    async fn seal(&self, key: &Secret, plain: &Secret, with: &[u8]) -> Result<String, StoreError> {
        a_moment().await;
        let plain = edgegate::base64url::encode(plain.expose_secret());
        Ok(format!("{}.{plain}", beside(key, with)))
    }

    async fn open(&self, key: &Secret, sealed: &str, with: &[u8]) -> Result<Secret, StoreError> {
        a_moment().await;
        let opened = sealed.strip_prefix(&format!("{}.", beside(key, with)));
        let opened = opened.ok_or_else(|| StoreError::new("sealed otherwise"))?;
        Ok(Secret::new(edgegate::base64url::decode(opened).unwrap()))
    }
}

fn kids(record: &RingRecord) -> Vec<&str> {
    record.keys.iter().map(|key| key.kid.as_str()).collect()
}

fn at(secs: u64) -> UnixMillis {
    NOW.saturating_add(secs * 1000)
}

#[test]
fn any_number_of_processes_come_to_one_key() {
    let policy = policy(&json!({}));
    let (store, crypto) = (Texts::default(), Crypto::default());
    let rings: Vec<_> = (0..50).map(|_| SharedRing::new(&store)).collect();
    let all = rings.iter().map(|ring| ring.current(&crypto, own(&policy), || NOW));
    let records: Vec<_> = run(join_all(all)).into_iter().map(Result::unwrap).collect();
    assert!(records.iter().all(|record| *record == records[0]));
    assert_eq!(records[0].keys.len(), 1);
    assert!(crypto.made.get() > 1 && store.lost.get() > 0, "they did not race");
    // What lies there is what they have been told.
    let values = store.values.borrow();
    let [(name, text)] = values.iter().collect::<Vec<_>>()[..] else { panic!("one name") };
    assert!(name.starts_with("keyring/v1/"));
    assert_eq!(RingRecord::from_text(text).unwrap(), records[0]);
    assert!(run(key_ring::opened(&crypto, own(&policy), &records[0])).is_ok());
}

#[test]
fn gates_of_two_issuers_have_a_ring_each() {
    let store = Texts::default();
    let crypto = Crypto::default();
    for issuer in ["https://a.example/", "https://b.example/"] {
        let policy = policy(&json!({"issuer": issuer}));
        run(SharedRing::new(&store).current(&crypto, own(&policy), || NOW)).unwrap();
    }
    assert_eq!(store.values.borrow().len(), 2);
}

#[test]
fn processes_that_rotate_at_once_come_to_one_next_key() {
    let policy = policy(&json!({}));
    let (store, crypto) = (Texts::default(), Crypto::default());
    let current =
        |now| run(SharedRing::new(&store).current(&crypto, own(&policy), || now)).unwrap();
    let first = current(NOW);
    assert_eq!(current(at(ACTIVE_SECS - LEAD_SECS - 1)), first);
    let due = at(ACTIVE_SECS - LEAD_SECS);
    let rings: Vec<_> = (0..20).map(|_| SharedRing::new(&store)).collect();
    let all = rings.iter().map(|ring| ring.current(&crypto, own(&policy), || due));
    let records: Vec<_> = run(join_all(all)).into_iter().map(Result::unwrap).collect();
    assert!(records.iter().all(|record| *record == records[0]));
    assert_eq!(records[0].keys.len(), 2);
    assert_eq!(kids(&records[0])[0], kids(&first)[0]);
}

#[test]
fn a_ring_that_cannot_be_read_or_opened_stays_what_it_is() {
    let policy = policy(&json!({}));
    let (store, crypto) = (Texts::default(), Crypto::default());
    let ring = SharedRing::new(&store);
    let record = run(ring.current(&crypto, own(&policy), || NOW)).unwrap();
    let name = store.values.borrow().keys().next().unwrap().clone();
    for damaged in
        ["", "{}", r#"{"v":1,"keys":[]}"#, &record.to_text().replace("\"v\":1", "\"v\":2")]
    {
        store.values.borrow_mut().insert(name.clone(), damaged.to_owned());
        let fault = run(ring.current(&crypto, own(&policy), || NOW)).unwrap_err();
        assert_eq!(fault.to_string(), "the key ring has a form that the gate does not write");
        assert_eq!(store.values.borrow()[&name], damaged);
    }
    // A key of one place is none in another.
    let mut moved = record.clone();
    moved.keys[0].kid = "other".to_owned();
    let fault = run(key_ring::opened(&crypto, own(&policy), &moved)).unwrap_err();
    assert_eq!(fault, unavailable("a key of the ring is sealed by secret 1, and does not open"),);
}

#[test]
fn a_new_secret_seals_the_ring_anew_and_an_old_one_that_is_gone_is_a_fault() {
    let store = Texts::default();
    let crypto = Crypto::default();
    let one = json!([{"id": 1, "secret": "SESSION_SECRET"}]);
    let both = json!([{"id": 1, "secret": "SESSION_SECRET"}, {"id": 2, "secret": "JWT_SECRET"}]);
    let other = json!([{"id": 2, "secret": "JWT_SECRET"}]);
    let of = |secrets: &Value| policy(&json!({"secret": null, "secrets": secrets}));
    let current = |policy: &Policy| {
        let record = run(SharedRing::new(&store).current(&crypto, own(policy), || NOW))?;
        run(key_ring::opened(&crypto, own(policy), &record))
            .map_err(|fault| StoreError::new(fault.to_string()))?;
        Ok::<_, StoreError>(record)
    };
    let first = current(&of(&one)).unwrap();
    let fault = current(&of(&other)).unwrap_err();
    assert!(fault.to_string().contains("sealed by secret 1, which is gone"), "{fault}");
    let resealed = current(&of(&both)).unwrap();
    assert_eq!(kids(&resealed), kids(&first));
    assert_eq!(resealed.keys[0].sealed_by, 2);
    assert_eq!(kids(&current(&of(&other)).unwrap()), kids(&first));
}

/// A process: it reads a ring when it is asked to, and the test says when that has come to an end.
struct Process {
    memory: RingMemory,
    clock: Cell<UnixMillis>,
    store: Texts,
    crypto: Crypto,
    policy: Policy,
    reads: Cell<u32>,
    later: RefCell<Vec<UnixMillis>>,
    broken: Cell<bool>,
}

impl Process {
    fn new() -> Self {
        Self {
            memory: RingMemory::default(),
            clock: Cell::new(NOW),
            store: Texts::default(),
            crypto: Crypto::default(),
            policy: policy(&json!({})),
            reads: Cell::new(0),
            later: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    fn after(&self, millis: u64) -> &Self {
        self.clock.set(self.clock.get().saturating_add(millis));
        self
    }
}

impl RingReader for Process {
    fn memory(&self) -> &RingMemory {
        &self.memory
    }

    fn now(&self) -> UnixMillis {
        self.clock.get()
    }

    async fn pause(&self, millis: u64) {
        self.after(millis);
        a_moment().await;
    }

    async fn read(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        self.reads.set(self.reads.get() + 1);
        a_moment().await;
        let read = if self.broken.get() {
            Err(unavailable("gone"))
        } else {
            let own = own(&self.policy);
            let current = SharedRing::new(&self.store).current(&self.crypto, own, || now).await;
            key_ring::opened(&self.crypto, own, &current.unwrap()).await.map(Rc::new)
        };
        self.memory.end(read.as_ref().ok().map(Rc::clone), now);
        read
    }

    fn read_later(&self, now: UnixMillis) {
        self.later.borrow_mut().push(now);
    }
}

#[test]
fn requests_at_once_read_the_ring_once() {
    let process = Process::new();
    let all = run(join_all((0..20).map(|_| key_ring::ring(&process, NOW))));
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(process.reads.get(), 1);
}

#[test]
fn a_ring_is_read_anew_behind_an_answer_and_known_keys_outlive_a_store_that_is_gone() {
    let process = Process::new();
    let ask = || run(key_ring::ring(&process, process.clock.get()));
    let verify = |kid| run(key_ring::verifying(&process, kid, process.clock.get()));
    ask().unwrap();
    process.after(149_000);
    ask().unwrap();
    assert!(process.later.borrow().is_empty());
    process.after(2000);
    ask().unwrap();
    assert_eq!(process.later.borrow().len(), 1);
    // It was lost: nobody waits for it for ever.
    process.broken.set(true);
    process.after(200_000);
    assert!(ask().is_err());
    assert!(verify(None).is_ok(), "known keys go on verifying");
    let reads = process.reads.get();
    assert_eq!(ask().unwrap_err(), unavailable("the key ring did not answer a moment ago"));
    assert_eq!(process.reads.get(), reads);
    process.broken.set(false);
    process.after(1001);
    assert!(ask().is_ok());
}

#[test]
fn an_unknown_kid_asks_at_most_once_in_ten_seconds() {
    let process = Process::new();
    let verify = |kid: &str| run(key_ring::verifying(&process, Some(kid), process.clock.get()));
    for index in 0..50 {
        verify(&format!("kid-{index}")).unwrap();
    }
    assert_eq!(process.reads.get(), 1);
    process.after(10_001);
    for index in 0..50 {
        verify(&format!("kid-{index}")).unwrap();
    }
    assert_eq!(process.reads.get(), 2);
}
