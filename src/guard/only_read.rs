//! Stores of a request that is only asked about: read, and never written.
//!
//! They are the stores of every request, which can be told to spare what is behind them. So the pipeline is compiled once, and an
//! explanation adds little to what is downloaded and compiled.

use std::rc::Rc;

use super::{Attempts, Backend, SessionMemory, Sessions, StoreBackend};
use crate::{
    error::{Error, StoreError},
    jose::{discovery::Location, dpop::ReplayKey, jws::HostCheck, keys::KeySet},
    limit::{self, Charge, Verdict},
    policy::LimitStore,
    session::{
        ObjectName,
        step::{Outcome, Step},
    },
    store::{
        ReplayStore,
        limit_stores::LimitStores,
        replays::Once,
        sessions::{Patience, SessionStore},
    },
    time::UnixMillis,
};

/// A backend that is only read.
#[derive(Debug)]
pub struct OnlyRead<B>(B);

impl<B> OnlyRead<B> {
    pub(crate) const fn backend(&self) -> &B {
        &self.0
    }
}

impl<'a, B: Backend> OnlyRead<Borrowed<'a, B>> {
    /// Any backend, as it is read by an explanation.
    pub fn of(backend: &'a B) -> Self {
        Self(Borrowed {
            backend,
            counters: Sparing { store: backend.counters(), is_spared: true },
            replays: Sparing { store: backend.replays(), is_spared: true },
            sessions: SparingSessions::new(backend.sessions()).spared(),
            attempts: Attempts::default(),
        })
    }
}

impl<H, K, R, L, P, S: Sessions> StoreBackend<'_, H, K, R, L, P, S> {
    /// The same, only read. Failed attempts begin at none, since asking for them would count one.
    #[must_use]
    pub fn only_read(self) -> OnlyRead<Self> {
        OnlyRead(Self {
            counters: Sparing { is_spared: true, ..self.counters },
            replays: Sparing { is_spared: true, ..self.replays },
            sessions: self.sessions.spared(),
            attempts: Some(Box::default()),
            ..self
        })
    }
}

/// A store that is asked in earnest, unless it is to be spared.
#[derive(Debug)]
pub struct Sparing<T> {
    store: T,
    is_spared: bool,
}

impl<T> Sparing<T> {
    /// It is asked in earnest.
    pub const fn new(store: T) -> Self {
        Self { store, is_spared: false }
    }
}

/// Counters from which nothing is taken if they are spared: what is known to refuse refuses, all else is as if nothing had been counted
/// yet.
impl<C: LimitStores> LimitStores for Sparing<C> {
    async fn take(
        &self,
        store: &LimitStore,
        charge: Charge<'_>,
    ) -> Result<Vec<Verdict>, StoreError> {
        if !self.is_spared {
            return self.store.take(store, charge).await;
        }
        let fresh = |limit: &limit::Limit| limit::peek(None, limit, charge.cost, charge.now);
        let unasked = self.refusal_unasked(store, Charge { ..charge });
        Ok(unasked.unwrap_or_else(|| charge.limits.iter().map(fresh).collect()))
    }

    fn refusal_unasked(&self, store: &LimitStore, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        self.store.refusal_unasked(store, charge)
    }

    async fn refund(&self, store: &LimitStore, charge: Charge<'_>) -> Result<(), StoreError> {
        if self.is_spared { Ok(()) } else { self.store.refund(store, charge).await }
    }
}

/// No proof is used up if they are spared.
impl<P: ReplayStore> ReplayStore for Sparing<P> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        if self.is_spared { Ok(true) } else { self.store.is_first(key, until, now).await }
    }
}

/// Sessions of which nobody's writer is asked if they are spared.
#[derive(Debug)]
pub struct SparingSessions<S> {
    sessions: S,
    /// What the isolate remembers, to read.
    spared: Option<Box<SessionMemory>>,
}

impl<S: Sessions> SparingSessions<S> {
    /// They are asked in earnest.
    pub const fn new(sessions: S) -> Self {
        Self { sessions, spared: None }
    }

    fn spared(self) -> Self {
        let memory = self.sessions.memory().to_read();
        Self { spared: Some(Box::new(memory)), ..self }
    }
}

impl<S: Sessions> Sessions for SparingSessions<S> {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        self.spared.as_deref().unwrap_or_else(|| self.sessions.memory())
    }

    fn has_alarm(&self) -> bool {
        self.sessions.has_alarm()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.sessions.random(bytes)
    }

    async fn first_use(
        &self,
        what: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        if self.spared.is_some() {
            return Ok(true);
        }
        self.sessions.first_use(what, key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.sessions.verifying_keys(kid, now).await
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        if self.spared.is_none() {
            return self.sessions.sign(claims, typ, now).await;
        }
        Err(Error::KeysUnavailable {
            issuer: "sessions".to_owned(),
            problem: "an explanation signs nothing".to_owned(),
        })
    }
}

impl<S: Sessions> SessionStore for SparingSessions<S> {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError> {
        if self.spared.is_none() {
            return self.sessions.store().apply(object, step, patience).await;
        }
        Err(StoreError::new("would be asked: an explanation renews no session"))
    }
}

/// A backend of somebody else's, only read.
#[derive(Debug)]
pub struct Borrowed<'a, B: Backend> {
    backend: &'a B,
    counters: Sparing<&'a B::Counters>,
    replays: Sparing<&'a B::Replays>,
    sessions: SparingSessions<&'a B::Sessions>,
    attempts: Attempts,
}

impl<'a, B: Backend> Backend for Borrowed<'a, B> {
    type Keys = B::Keys;
    type Revocations = B::Revocations;
    type Counters = Sparing<&'a B::Counters>;
    type Replays = Sparing<&'a B::Replays>;
    type Sessions = SparingSessions<&'a B::Sessions>;

    fn keys(&self) -> &B::Keys {
        self.backend.keys()
    }

    fn revocations(&self) -> &B::Revocations {
        self.backend.revocations()
    }

    fn counters(&self) -> &Self::Counters {
        &self.counters
    }

    fn failures(&self) -> &Attempts {
        &self.attempts
    }

    fn replays(&self) -> &Self::Replays {
        &self.replays
    }

    fn sessions(&self) -> &Self::Sessions {
        &self.sessions
    }

    fn takes_ed25519(&self) -> bool {
        self.backend.takes_ed25519()
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.backend.signature_holds(issuer, check).await
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        at: Location<'_>,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.backend.remote_keys(issuer, at, key_id, now).await
    }
}
