//! The gate's own sessions over the host: its store keeps the subjects, it signs, and it gives random bytes.
//!
//! No process is there to make up for one that died: revocations are written before the row goes ([`Sessions::has_alarm`]).

use core::pin::pin;
use std::rc::Rc;

use futures_util::future::{self, Either};
use wasm_bindgen::prelude::wasm_bindgen;

use super::stores::HostSwap;
use super::task::{HostJobs, Job};
use edgegate::base64url;
use edgegate::error::{Error, StoreError};
use edgegate::guard::{SessionMemory, Sessions};
use edgegate::jose::{dpop::ReplayKey, keys::KeySet, sign::Signing};
use edgegate::policy::SessionPolicy;
use edgegate::session::ObjectName;
use edgegate::session::key_ring::{KeyRing, RingKey};
use edgegate::session::record::Notice;
use edgegate::session::step::{Confirm, Outcome, Step};
use edgegate::store::ReplayStore as _;
use edgegate::store::replays::SharedReplays;
use edgegate::store::sessions::{Patience, SessionStore, SharedPaces, SharedSessions};
use edgegate::time::UnixMillis;

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Fills the bytes at an address with random ones. 0 if the host has none.
    #[wasm_bindgen(js_name = randomBytes)]
    safe fn random_bytes(address: usize, length: usize) -> u32;
}

/// The store of subjects.
const SESSIONS: &str = "sessions";

/// Something to be done once the answer is out.
#[derive(Debug)]
pub(super) enum Late {
    /// A token was seen in use.
    Confirm(ObjectName, Confirm),
    /// A session was ended.
    Deliver(ObjectName, Vec<Notice>),
}

/// The sessions of one check.
#[derive(Debug)]
pub(super) struct GateSessions<'a> {
    /// `None`: the policy has none.
    pub(super) own: Option<&'a SessionPolicy>,
    pub(super) memory: &'a SessionMemory,
    pub(super) paces: &'a Rc<SharedPaces>,
    pub(super) jobs: &'a HostJobs,
}

impl<'a> GateSessions<'a> {
    fn swap(&self) -> HostSwap<'a> {
        HostSwap { jobs: self.jobs, store: SESSIONS }
    }

    fn ring(&self) -> Result<&'a KeyRing, Error> {
        let ring = self.own.and_then(|own| own.keys.as_ref());
        ring.ok_or_else(|| unavailable("the policy has no keys for sessions"))
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

fn unavailable(problem: &str) -> Error {
    Error::KeysUnavailable { issuer: SESSIONS.to_owned(), problem: problem.to_owned() }
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
            // A host that cannot wait says so at once.
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
        match random_bytes(bytes.as_mut_ptr().addr(), bytes.len()) {
            1 => Ok(()),
            _ => Err(StoreError::new("the host gives no random bytes")),
        }
    }

    async fn first_use(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        SharedReplays::new(self.swap()).is_first(key, until, now).await
    }

    async fn verifying_keys(&self, _: Option<&str>, _: UnixMillis) -> Result<Rc<KeySet>, Error> {
        Ok(self.ring()?.verifying())
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        let key = self.ring()?.signing_key(now.to_unix_time())?;
        match key.sign(claims, typ)? {
            Signing::Done(token) => Ok(token),
            Signing::NeedsHost(unsigned) => {
                let alg = unsigned.algorithm().as_str();
                let signature = self.sign_at_host(key, alg, unsigned.message()).await?;
                unsigned.finish(&signature)
            }
        }
    }
}
