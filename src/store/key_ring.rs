//! How the managed key ring is kept and read. Its rules are in [`crate::session::key_ring`]. Here a host makes, seals and opens its keys, a
//! store that compares and swaps keeps it, and an isolate or a process remembers it.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{StoreError, shared::SwapStore};
use crate::{
    base64url,
    error::Error,
    jose::{algorithm::Algorithm, keys::KeySet},
    policy::SessionPolicy,
    secret::Secret,
    session::{
        ObjectName,
        key_ring::{
            ASK_AGAIN_SECS, KeyRing, RING_CACHE_SECS, RingKey, RingPlan, RingRecord, StoredKey,
            associated_data,
        },
    },
    time::{UnixMillis, UnixTime},
};

/// The crypto of the host for the keys of the ring.
pub trait RingCrypto {
    /// Random bytes, good for keys.
    ///
    /// # Errors
    /// The host has none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError>;

    /// A new private key, as a JWK. The algorithm is not HMAC.
    ///
    /// # Errors
    /// The host does not make such keys.
    async fn generate(&self, algorithm: Algorithm) -> Result<Secret, StoreError>;

    /// Seals by AES-256-GCM: base64url of a random nonce of 12 bytes and the ciphertext.
    ///
    /// # Errors
    /// The host fails.
    async fn seal(&self, key: &Secret, plain: &Secret, beside: &[u8])
    -> Result<String, StoreError>;

    /// Opens a text that [`RingCrypto::seal`] has sealed.
    ///
    /// # Errors
    /// It was sealed by another key, or is damaged.
    async fn open(&self, key: &Secret, sealed: &str, beside: &[u8]) -> Result<Secret, StoreError>;
}

/// Makes a key that signs from then on, sealed by the newest secret. `now` is asked once it is made.
///
/// # Errors
/// The host's.
pub async fn new_key<C: RingCrypto>(
    crypto: &C,
    own: &SessionPolicy,
    active_from: UnixTime,
    now: impl Fn() -> UnixTime,
) -> Result<StoredKey, StoreError> {
    let algorithm = own.algorithm;
    let private = match algorithm.is_symmetric() {
        true => new_secret(crypto)?,
        false => crypto.generate(algorithm).await?,
    };
    let key = RingKey::from_private_jwk(&private, algorithm, None)
        .map_err(|error| StoreError::new(error.to_string()))?;
    let kid = key.kid().to_owned();
    let (sealed, sealed_by) = seal(crypto, own, &kid, &private).await?;
    let alg = algorithm.as_str().to_owned();
    Ok(StoredKey { kid, alg, sealed, sealed_by, published_at: now(), active_from })
}

/// A secret for HS256, under a random name: a hash of it would help whoever guesses.
fn new_secret<C: RingCrypto>(crypto: &C) -> Result<Secret, StoreError> {
    let mut bytes = [0; 48];
    crypto.random(&mut bytes)?;
    let (secret, kid) = bytes.split_at(32);
    let (secret, kid) = (base64url::encode(secret), base64url::encode(kid));
    let alg = Algorithm::Hs256;
    let jwk = format!(r#"{{"kty":"oct","alg":"{alg}","kid":"{kid}","k":"{secret}"}}"#);
    Ok(Secret::new(jwk.into_bytes()))
}

async fn seal<C: RingCrypto>(
    crypto: &C,
    own: &SessionPolicy,
    kid: &str,
    private: &Secret,
) -> Result<(String, u8), StoreError> {
    let id = own.secrets.newest_id();
    let key = own.secrets.key_ring(id).ok_or_else(|| StoreError::new("there is no secret"))?;
    let sealed = crypto.seal(key, private, &associated_data(kid, id)).await?;
    Ok((sealed, id))
}

/// The private JWK of a stored key.
async fn open<C: RingCrypto>(
    crypto: &C,
    own: &SessionPolicy,
    stored: &StoredKey,
) -> Result<Secret, StoreError> {
    let StoredKey { kid, sealed, sealed_by, .. } = stored;
    let fault = |why: &str| {
        StoreError::new(format!("a key of the ring is sealed by secret {sealed_by}, {why}"))
    };
    let key = own.secrets.key_ring(*sealed_by).ok_or_else(|| fault("which is gone"))?;
    let opened = crypto.open(key, sealed, &associated_data(kid, *sealed_by)).await;
    opened.map_err(|_| fault("and does not open"))
}

/// Seals a key anew by the newest secret. Returns the sealed text and the id of that secret.
///
/// # Errors
/// It cannot be opened, or sealed.
pub async fn sealed_anew<C: RingCrypto>(
    crypto: &C,
    own: &SessionPolicy,
    stored: &StoredKey,
) -> Result<(String, u8), StoreError> {
    let private = open(crypto, own, stored).await?;
    seal(crypto, own, &stored.kid, &private).await
}

/// The ring, opened.
///
/// # Errors
/// [`Error::KeysUnavailable`] if one of its keys cannot be opened.
pub async fn opened<C: RingCrypto>(
    crypto: &C,
    own: &SessionPolicy,
    record: &RingRecord,
) -> Result<KeyRing, Error> {
    let mut private = Vec::with_capacity(record.keys.len());
    for stored in &record.keys {
        let one = open(crypto, own, stored).await;
        private.push(one.map_err(|fault| unavailable(&fault.to_string()))?);
    }
    let mut private = private.into_iter();
    KeyRing::from_record(record, |_| private.next().ok_or_else(|| unavailable("a key is missing")))
}

/// The error for a ring that cannot be read.
#[must_use]
pub fn unavailable(problem: &str) -> Error {
    Error::KeysUnavailable { issuer: "sessions".to_owned(), problem: problem.to_owned() }
}

/// Where rings lie in a store that compares and swaps, by a hash of the gate's issuer.
const PREFIX: &str = "keyring/v1/";

/// How often a change is tried again because another process was faster.
const MAX_ATTEMPTS: u32 = 64;

/// The most steps of one call: it makes a key, and seals each key of a full ring anew.
const MAX_STEPS: u32 = 32;

/// How long a ring is kept, in milliseconds. A new key is written every month.
const KEPT_MILLIS: u64 = 10 * 365 * 86_400 * 1000;

/// The ring in a store that compares and swaps.
///
/// Any number of processes come to one key: each makes one if there is none, and the first one that is swapped in counts. A ring that cannot be
/// read or opened is a fault. It is never made anew.
#[derive(Debug)]
pub struct SharedRing<S> {
    store: S,
}

impl<S: SwapStore> SharedRing<S> {
    /// The ring in `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// The ring. Before, a key that is due is made and stored.
    ///
    /// # Errors
    /// The store's and the host's, and a ring that cannot be read or opened.
    pub async fn current<C: RingCrypto>(
        &self,
        crypto: &C,
        own: &SessionPolicy,
        now: impl Fn() -> UnixMillis,
    ) -> Result<RingRecord, StoreError> {
        let time = || now().to_unix_time();
        for _ in 0..MAX_STEPS {
            let newest = own.secrets.newest_id();
            let due = |record: &mut RingRecord| record.plan(own.algorithm, newest, time());
            let (record, plan) = self.change(own, now(), due).await?;
            match plan {
                RingPlan::Keep => return Ok(record),
                RingPlan::Create { active_from } => {
                    let key = new_key(crypto, own, active_from, time).await?;
                    let add =
                        |record: &mut RingRecord| record.add(key.clone(), (own.algorithm, time()));
                    let (record, taken) = self.change(own, now(), add).await?;
                    // Another process was faster, or a full ring takes no more.
                    if !taken {
                        return Ok(record);
                    }
                }
                RingPlan::Reseal { kid } => {
                    let Some(stored) = record.keys.iter().find(|key| key.kid == kid) else {
                        return Err(StoreError::new("the key ring names a key that it has not"));
                    };
                    let (sealed, by) = sealed_anew(crypto, own, stored).await?;
                    let put = |record: &mut RingRecord| record.reseal(&kid, &sealed, by);
                    self.change(own, now(), put).await?;
                }
            }
        }
        Err(StoreError::own_bound("the key ring has more to do than a request waits for"))
    }

    /// A step without waiting. What has changed is stored when this answers.
    async fn change<T>(
        &self,
        own: &SessionPolicy,
        now: UnixMillis,
        step: impl Fn(&mut RingRecord) -> T,
    ) -> Result<(RingRecord, T), StoreError> {
        let name = format!("{PREFIX}{}", ObjectName::hash("edgegate-key-ring-v1", &[&own.issuer]));
        for _ in 0..MAX_ATTEMPTS {
            let found = self.store.load(&name).await?;
            let read =
                found.as_deref().map_or_else(|| Ok(RingRecord::default()), RingRecord::from_text);
            let old = match read {
                Ok(record) => record,
                Err(fault) => {
                    self.store.release(&name);
                    return Err(fault);
                }
            };
            let mut record = old.clone();
            record.note_life(own.terms.access_secs);
            record.drop_ended(now.to_unix_time());
            let done = step(&mut record);
            // A ring without keys could not be read again.
            if record == old || record.keys.is_empty() {
                self.store.release(&name);
                return Ok((record, done));
            }
            let until = now.saturating_add(KEPT_MILLIS);
            if self.store.swap(&name, found.as_deref(), &record.to_text(), until).await? {
                return Ok((record, done));
            }
        }
        self.store.release(&name);
        Err(StoreError::own_bound("too many processes change the key ring at once"))
    }
}

/// The pause between two looks whether another request has read the ring, in milliseconds.
const LOOK_MILLIS: u64 = 20;

/// The most such looks: as long as a store is waited for.
const MAX_LOOKS: u32 = 100;

/// For how long a ring that could not be read is not asked for again.
const PAUSE_MILLIS: u64 = 1000;

/// How long it may take to read the ring: a little longer than a store is waited for.
const LOST_MILLIS: u64 = 3000;

/// The ring as an isolate or a process knows it.
#[derive(Debug, Default)]
pub struct RingMemory {
    held: RefCell<Option<Held>>,
    /// When the ring was last asked for.
    asked_at: Cell<Option<UnixMillis>>,
    /// Whether an answer to that is still to come.
    is_asking: Cell<bool>,
}

#[derive(Debug, Clone)]
struct Held {
    ring: Rc<KeyRing>,
    read_at: UnixMillis,
}

impl RingMemory {
    /// Notes that the question of that time was answered, or will never be.
    pub fn end(&self, ring: Option<Rc<KeyRing>>, asked_at: UnixMillis) {
        self.is_asking.set(false);
        if let Some(ring) = ring {
            *self.held.borrow_mut() = Some(Held { ring, read_at: asked_at });
        }
    }

    /// Notes that the ring is asked for.
    fn begin(&self, now: UnixMillis) {
        self.asked_at.set(Some(now));
        self.is_asking.set(true);
    }

    /// The ring, if it was read in the last so many seconds.
    fn read_within(&self, secs: u64, now: UnixMillis) -> Option<Rc<KeyRing>> {
        let held = self.held.borrow();
        let held = held.as_ref()?;
        let is_fresh = now.millis_since(held.read_at) < secs.saturating_mul(1000);
        is_fresh.then(|| Rc::clone(&held.ring))
    }

    /// The ring, however old.
    fn any(&self) -> Option<Rc<KeyRing>> {
        self.held.borrow().as_ref().map(|held| Rc::clone(&held.ring))
    }

    /// Whether an answer is still to come. One that takes longer than it can was lost with its request.
    fn is_asking(&self, now: UnixMillis) -> bool {
        self.is_asking.get() && self.asked_within(LOST_MILLIS, now)
    }

    fn asked_within(&self, millis: u64, now: UnixMillis) -> bool {
        self.asked_at.get().is_some_and(|at| now.millis_since(at) < millis)
    }
}

/// How an edge reads the managed ring.
pub trait RingReader {
    /// What is remembered of the ring.
    fn memory(&self) -> &RingMemory;

    /// The time.
    fn now(&self) -> UnixMillis;

    /// Waits so many milliseconds.
    async fn pause(&self, millis: u64);

    /// Reads the ring from its store and calls [`RingMemory::end`]. That goes on if this request no longer waits, since others may wait too.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    async fn read(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error>;

    /// The same, after the answer.
    fn read_later(&self, now: UnixMillis);
}

/// The managed ring, fresh enough to sign by. It is read anew behind an answer once half its time is over.
///
/// # Errors
/// [`Error::KeysUnavailable`].
pub async fn ring<R: RingReader>(reader: &R, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
    let memory = reader.memory();
    if let Some(ring) = memory.read_within(RING_CACHE_SECS, now) {
        let is_old = memory.read_within(RING_CACHE_SECS.div_euclid(2), now).is_none();
        if is_old && !memory.is_asking(now) && !memory.asked_within(PAUSE_MILLIS, now) {
            memory.begin(now);
            reader.read_later(now);
        }
        return Ok(ring);
    }
    ask(reader, now).await
}

/// The keys that verify, asked anew if `kid` is not among them, but at most once in [`ASK_AGAIN_SECS`].
///
/// # Errors
/// [`Error::KeysUnavailable`] if none were ever read.
pub async fn verifying<R: RingReader>(
    reader: &R,
    kid: Option<&str>,
    now: UnixMillis,
) -> Result<Rc<KeySet>, Error> {
    let memory = reader.memory();
    // If the ring cannot be read, an older one still verifies.
    let known = match ring(reader, now).await {
        Ok(ring) => ring,
        Err(fault) => memory.any().ok_or(fault)?,
    };
    let is_unknown = kid.is_some_and(|kid| !known.verifying().answers_to(kid));
    if is_unknown && !memory.asked_within(ASK_AGAIN_SECS.saturating_mul(1000), now) {
        let newer = ask(reader, now).await;
        return Ok(newer.unwrap_or(known).verifying());
    }
    Ok(known.verifying())
}

/// Reads it, or waits for another request that does.
async fn ask<R: RingReader>(reader: &R, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
    let memory = reader.memory();
    if !memory.is_asking(now) {
        let failed = memory.read_within(RING_CACHE_SECS, now).is_none();
        if failed && memory.asked_within(PAUSE_MILLIS, now) {
            return Err(unavailable("the key ring did not answer a moment ago"));
        }
        memory.begin(now);
        return reader.read(now).await;
    }
    for _ in 0..MAX_LOOKS {
        reader.pause(LOOK_MILLIS).await;
        if !memory.is_asking(reader.now()) {
            break;
        }
    }
    let read = memory.read_within(RING_CACHE_SECS, reader.now());
    read.ok_or_else(|| unavailable("the key ring does not answer"))
}
