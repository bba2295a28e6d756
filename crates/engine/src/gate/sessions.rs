//! The gate's own sessions over the host: its store keeps the subjects, it signs, and it gives random bytes.
//!
//! No process is there to make up for one that died: revocations are written before the row goes ([`Sessions::has_alarm`]).

use core::pin::pin;
use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{self, Either};
use wasm_bindgen::prelude::wasm_bindgen;

use super::late::{Late, do_later};
use super::stores::HostSwap;
use super::task::{HostJobs, Job};
use edgegate::base64url;
use edgegate::error::{Error, StoreError};
use edgegate::guard::{Event, SessionMemory, Sessions};
use edgegate::jose::{algorithm::Algorithm, dpop::ReplayKey, keys::KeySet, sign::Signing};
use edgegate::policy::SessionPolicy;
use edgegate::secret::Secret;
use edgegate::session::ObjectName;
use edgegate::session::key_ring::{KeyRing, RingKey};
use edgegate::session::step::{Outcome, Step};
use edgegate::store::ReplayStore as _;
use edgegate::store::key_ring::{
    self, RingCrypto, RingMemory, RingReader, SharedRing, unavailable,
};
use edgegate::store::replays::{Once, SharedReplays};
use edgegate::store::sessions::{Patience, SessionStore, SharedPaces, SharedSessions};
use edgegate::time::UnixMillis;

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Fills the bytes at an address with random ones. 0 if the host has none.
    #[wasm_bindgen(js_name = randomBytes)]
    safe fn random_bytes(address: usize, length: usize) -> u32;
}

/// Fills them with random ones.
///
/// # Errors
/// The host has none.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    match random_bytes(bytes.as_mut_ptr().addr(), bytes.len()) {
        1 => Ok(()),
        _ => Err(StoreError::new("the host gives no random bytes")),
    }
}

/// The store of subjects, and of their grants.
pub(super) const SESSIONS: &str = "sessions";

/// The sessions of one check. A managed key ring is in the same store as the subjects.
#[derive(Debug)]
pub(super) struct GateSessions<'a> {
    /// `None`: the policy has none.
    pub(super) own: Option<&'a SessionPolicy>,
    pub(super) memory: &'a SessionMemory,
    pub(super) ring: &'a RingMemory,
    pub(super) paces: &'a Rc<SharedPaces>,
    pub(super) late: &'a RefCell<Vec<Late>>,
    pub(super) jobs: &'a HostJobs,
}

impl<'a> GateSessions<'a> {
    fn swap(&self) -> HostSwap<'a> {
        HostSwap { jobs: self.jobs, store: SESSIONS }
    }

    fn own(&self) -> Result<&'a SessionPolicy, Error> {
        self.own.ok_or_else(|| unavailable("the policy has no sessions"))
    }

    /// The keys that anybody may have (RFC 7517 §5).
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    pub(super) async fn jwks(&self, now: UnixMillis) -> Result<String, Error> {
        match &self.own()?.keys {
            Some(ring) => Ok(ring.jwks()),
            None => Ok(key_ring::ring(self, now).await?.jwks()),
        }
    }

    async fn read_ring(&self) -> Result<KeyRing, Error> {
        let own = self.own()?;
        let stored = SharedRing::new(self.swap());
        let record = stored.current(self, own, || self.jobs.now()).await;
        let record = record.map_err(|fault| unavailable(&format!("key ring: {fault}")))?;
        key_ring::opened(self, own, &record).await
    }

    async fn sign_by(
        &self,
        ring: &KeyRing,
        (claims, typ): (&str, &str),
        now: UnixMillis,
    ) -> Result<String, Error> {
        let key = ring.signing_key(now.to_unix_time())?;
        match key.sign(claims, typ)? {
            Signing::Done(token) => Ok(token),
            Signing::NeedsHost(unsigned) => {
                let alg = unsigned.algorithm().as_str();
                let signature = self.sign_at_host(key, alg, unsigned.message()).await?;
                unsigned.finish(&signature)
            }
        }
    }

    async fn sign_at_host(
        &self,
        key: &RingKey,
        alg: &str,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let message = core::str::from_utf8(message).map_err(|_| unavailable("not text"))?;
        let kid = key.kid();
        let ask = || self.jobs.ask::<Option<String>>(Job::Sign { kid, alg, message });
        let mut signature = ask().await.map_err(|problem| unavailable(&problem))?;
        if signature.is_none() {
            let jwk = key.private_jwk().map_or(&[][..], |jwk| jwk.expose_secret());
            let jwk = core::str::from_utf8(jwk).map_err(|_| unavailable("not text"))?;
            let taken = self.jobs.ask::<()>(Job::TakeSigner { kid, alg, jwk }).await;
            taken.map_err(|problem| unavailable(&problem))?;
            signature = ask().await.map_err(|problem| unavailable(&problem))?;
        }
        let signature = signature.as_deref().and_then(base64url::decode);
        signature.ok_or_else(|| unavailable("the host has not signed"))
    }
}

impl SessionStore for GateSessions<'_> {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError> {
        let shared = SharedSessions::with_paces(self.swap(), Rc::clone(self.paces));
        let applied = shared.apply_at(object, step, self.jobs.now());
        let Patience::Millis(millis) = patience else { return applied.await };
        let waited = self.jobs.ask::<()>(Job::Pause { millis: millis.into() });
        match future::select(pin!(applied), pin!(waited)).await {
            Either::Left((done, _)) => done,
            // The host cannot wait, and says so at once.
            Either::Right((Err(_), applied)) => applied.await,
            Either::Right((Ok(()), _)) => Err(StoreError::new("no answer in time")),
        }
    }
}

impl Sessions for GateSessions<'_> {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        self.memory
    }

    fn has_alarm(&self) -> bool {
        false
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        random(bytes)
    }

    async fn first_use(
        &self,
        _: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        SharedReplays::new(self.swap()).is_first(key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        match &self.own()?.keys {
            Some(ring) => Ok(ring.verifying()),
            None => key_ring::verifying(self, kid, now).await,
        }
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        match &self.own()?.keys {
            Some(ring) => self.sign_by(ring, (claims, typ), now).await,
            None => self.sign_by(&*key_ring::ring(self, now).await?, (claims, typ), now).await,
        }
    }
}

impl RingReader for GateSessions<'_> {
    fn memory(&self) -> &RingMemory {
        self.ring
    }

    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn pause(&self, millis: u64) {
        // If the host cannot wait, the caller looks again at once.
        drop(self.jobs.ask::<()>(Job::Pause { millis }).await);
    }

    async fn read(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        let read = self.read_ring().await.map(Rc::new);
        self.ring.end(read.as_ref().ok().map(Rc::clone), now);
        if let Err(error) = &read {
            let event = Event::fault(error.to_string()).at(self.jobs.now());
            self.jobs.tell(&Job::Note { event });
        }
        read
    }

    fn read_later(&self, now: UnixMillis) {
        do_later(self.late, self.jobs, [Late::ReadRing(now)]);
    }
}

impl RingCrypto for GateSessions<'_> {
    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        Sessions::random(self, bytes)
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<Secret, StoreError> {
        let alg = algorithm.as_str();
        let jwk = self.jobs.ask::<String>(Job::GenerateKey { alg }).await;
        jwk.map(|jwk| Secret::new(jwk.into_bytes())).map_err(StoreError::new)
    }

    async fn seal(
        &self,
        key: &Secret,
        plain: &Secret,
        beside: &[u8],
    ) -> Result<String, StoreError> {
        let key = base64url::encode(key.expose_secret());
        let plain = base64url::encode(plain.expose_secret());
        let beside = base64url::encode(beside);
        let job = Job::Seal { key: &key, plain: &plain, beside: &beside };
        self.jobs.ask(job).await.map_err(StoreError::new)
    }

    async fn open(&self, key: &Secret, sealed: &str, beside: &[u8]) -> Result<Secret, StoreError> {
        let key = base64url::encode(key.expose_secret());
        let beside = base64url::encode(beside);
        let job = Job::Open { key: &key, sealed, beside: &beside };
        let opened = self.jobs.ask::<String>(job).await.map_err(StoreError::new)?;
        let plain = base64url::decode(&opened);
        plain.map(Secret::new).ok_or_else(|| StoreError::new("the host has opened no bytes"))
    }
}
