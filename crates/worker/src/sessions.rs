//! The gate's own sessions, for one request: who keeps the subjects, and the key ring as this isolate knows it.

use core::{future::Future, time::Duration};
use std::rc::Rc;

use worker::{Context, Delay, Env};

use super::{
    background, clock, deadline, fault,
    memory::Memory,
    objects::{key_ring_stub, session_stub},
    replays::CountedReplays,
    session_memory::LocalSessions,
    web_crypto,
};
use edgegate::{
    error::{Error, StoreError},
    guard::{SessionMemory, Sessions},
    jose::{dpop::ReplayKey, keys::KeySet, sign::Signing},
    policy::{Policy, SessionPolicy},
    session::{
        ObjectName,
        key_ring::{ASK_AGAIN_SECS, KeyRing, RING_CACHE_SECS},
        step::{Outcome, Step},
    },
    store::sessions::{Patience, SessionStore},
    time::UnixMillis,
};

/// The pause between two looks whether another request has read the ring.
const LOOK: Duration = Duration::from_millis(20);

/// The most such looks: as long as a store is waited for.
const MAX_LOOKS: u32 = 100;

/// For how long a ring that could not be read is not asked for again.
const PAUSE_MILLIS: u64 = 1000;

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
        &self.local().known
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        getrandom::fill(bytes).map_err(|_| StoreError::new("the runtime gives no random bytes"))
    }

    async fn first_use(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        CountedReplays(self.env).is_first_assertion(key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        if let Some(ring) = &self.own()?.keys {
            return Ok(ring.verifying());
        }
        // An older one than is signed by still verifies, where no newer one is to be had.
        let known = match self.ring(now).await {
            Ok(ring) => ring,
            Err(fault) => self.local().any_ring().ok_or(fault)?,
        };
        let is_unknown = kid.is_some_and(|kid| !known.verifying().answers_to(kid));
        if is_unknown && !self.local().asked_within(ASK_AGAIN_SECS.saturating_mul(1000), now) {
            let newer = self.ask(now).await;
            return Ok(newer.unwrap_or(known).verifying());
        }
        Ok(known.verifying())
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        let own = self.own()?;
        match &own.keys {
            Some(ring) => self.sign_by(ring, (claims, typ), now).await,
            None => self.sign_by(&*self.ring(now).await?, (claims, typ), now).await,
        }
    }
}

impl GateSessions<'_> {
    fn own(&self) -> Result<&SessionPolicy, Error> {
        self.policy.sessions.as_ref().ok_or_else(|| unavailable("the policy has no sessions"))
    }

    fn local(&self) -> &LocalSessions {
        &self.memory.sessions
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
            None => Ok(self.ring(now).await?.jwks()),
        }
    }

    /// The managed ring, fresh enough to sign by. It is read anew behind an answer once half its time is over.
    async fn ring(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        let local = self.local();
        if let Some(ring) = local.ring(RING_CACHE_SECS, now) {
            let is_old = local.ring(RING_CACHE_SECS.div_euclid(2), now).is_none();
            if is_old && !local.is_asking(now) && !local.asked_within(PAUSE_MILLIS, now) {
                drop(self.begin(now));
            }
            return Ok(ring);
        }
        self.ask(now).await
    }

    /// Asks the object, or waits for another request of this isolate that does.
    async fn ask(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        let local = self.local();
        if !local.is_asking(now) {
            if local.asked_within(PAUSE_MILLIS, now) && local.ring(RING_CACHE_SECS, now).is_none() {
                return Err(unavailable("the key ring did not answer a moment ago"));
            }
            return self.begin(now).await;
        }
        for _ in 0..MAX_LOOKS {
            Delay::from(LOOK).await;
            if !local.is_asking(clock::now()) {
                break;
            }
        }
        let read = local.ring(RING_CACHE_SECS, clock::now());
        read.ok_or_else(|| unavailable("the key ring does not answer"))
    }

    /// Begins to read it, which goes on whether or not it is waited for: others may.
    fn begin(&self, now: UnixMillis) -> impl Future<Output = Result<Rc<KeyRing>, Error>> {
        let (policy, memory) = (Rc::clone(self.policy), Rc::clone(self.memory));
        let env = self.env.clone();
        self.local().begin(now);
        background::outlive(self.context, async move {
            let read = read_ring(&policy, &env).await.map(Rc::new);
            memory.sessions.end(read.as_ref().ok().map(Rc::clone), now);
            if let Err(error) = &read {
                fault::report(&error.to_string());
            }
            read
        })
    }
}

async fn read_ring(policy: &Policy, env: &Env) -> Result<KeyRing, Error> {
    let own = policy.sessions.as_ref().ok_or_else(|| unavailable("there are no sessions"))?;
    let problem = |fault: StoreError| unavailable(&fault.to_string());
    let record = key_ring_stub::read(env, own.terms.access_secs).await.map_err(problem)?;
    let mut opened = Vec::with_capacity(record.keys.len());
    for stored in &record.keys {
        opened.push(key_ring_stub::open(own, stored).await.map_err(problem)?);
    }
    let mut opened = opened.into_iter();
    KeyRing::from_record(&record, |_| opened.next().ok_or_else(|| unavailable("a key is missing")))
}

fn unavailable(problem: &str) -> Error {
    Error::KeysUnavailable { issuer: "sessions".to_owned(), problem: problem.to_owned() }
}
