//! The gate's own sessions, for one request: who keeps the subjects, and the key ring as this isolate knows it.

use core::{future::Future, time::Duration};
use std::rc::Rc;

use worker::{Context, Delay, Env};

use super::{
    background, clock, deadline, fault,
    memory::Memory,
    objects::{key_ring_stub, session_stub},
    replays::CountedReplays,
    web_crypto::{self, RuntimeCrypto},
};
use edgegate::{
    error::{Error, StoreError},
    guard::{SessionMemory, Sessions},
    jose::{dpop::ReplayKey, keys::KeySet, sign::Signing},
    policy::{Policy, SessionPolicy},
    session::{
        ObjectName,
        key_ring::KeyRing,
        step::{Outcome, Step},
    },
    store::{
        key_ring::{self, RingMemory, RingReader, unavailable},
        replays::Once,
        sessions::{Patience, SessionStore},
    },
    time::UnixMillis,
};

/// The sessions of a gate.
#[derive(Debug)]
pub(super) struct GateSessions<'a> {
    pub(super) policy: &'a Rc<Policy>,
    pub(super) memory: &'a Rc<Memory>,
    pub(super) env: &'a Env,
    pub(super) context: &'a Context,
}

impl SessionStore for GateSessions<'_> {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError> {
        let limit = match patience {
            Patience::Usual => deadline::STORE,
            Patience::Millis(millis) => Duration::from_millis(millis.into()),
        };
        session_stub::apply(self.env, object, step, limit).await
    }
}

impl Sessions for GateSessions<'_> {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        &self.memory.sessions.known
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        getrandom::fill(bytes).map_err(|_| StoreError::new("the runtime gives no random bytes"))
    }

    async fn first_use(
        &self,
        what: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        CountedReplays(self.env).is_first_use(what, key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        if let Some(ring) = &self.own()?.keys {
            return Ok(ring.verifying());
        }
        key_ring::verifying(self, kid, now).await
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        let own = self.own()?;
        match &own.keys {
            Some(ring) => self.sign_by(ring, (claims, typ), now).await,
            None => self.sign_by(&*key_ring::ring(self, now).await?, (claims, typ), now).await,
        }
    }
}

impl GateSessions<'_> {
    fn own(&self) -> Result<&SessionPolicy, Error> {
        self.policy.sessions.as_ref().ok_or_else(|| unavailable("the policy has no sessions"))
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
                let keys = &self.memory.imported;
                let signed = keys.sign(key, unsigned.algorithm(), unsigned.message()).await;
                let signed = signed.map_err(|fault| unavailable(&web_crypto::describe(&fault)))?;
                unsigned.finish(&signed)
            }
        }
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

    /// Begins to read it, which goes on whether or not it is waited for: others may.
    fn begin(&self, now: UnixMillis) -> impl Future<Output = Result<Rc<KeyRing>, Error>> {
        let (policy, memory) = (Rc::clone(self.policy), Rc::clone(self.memory));
        let env = self.env.clone();
        background::outlive(self.context, async move {
            let read = read_ring(&policy, &env).await.map(Rc::new);
            memory.sessions.ring.end(read.as_ref().ok().map(Rc::clone), now);
            if let Err(error) = &read {
                fault::report(&error.to_string());
            }
            read
        })
    }
}

impl RingReader for GateSessions<'_> {
    fn memory(&self) -> &RingMemory {
        &self.memory.sessions.ring
    }

    fn now(&self) -> UnixMillis {
        clock::now()
    }

    async fn pause(&self, millis: u64) {
        Delay::from(Duration::from_millis(millis)).await;
    }

    async fn read(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        self.begin(now).await
    }

    fn read_later(&self, now: UnixMillis) {
        drop(self.begin(now));
    }
}

async fn read_ring(policy: &Policy, env: &Env) -> Result<KeyRing, Error> {
    let own = policy.sessions.as_ref().ok_or_else(|| unavailable("there are no sessions"))?;
    let record = key_ring_stub::read(env, own.terms.access_secs).await;
    let record = record.map_err(|fault| unavailable(&fault.to_string()))?;
    key_ring::opened(&RuntimeCrypto, own, &record).await
}
