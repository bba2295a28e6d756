//! What an edge gives the guard.

use std::{cell::RefCell, rc::Rc};

use super::{Attempts, IsolateMemory, SeenSignatures, Sessions, Sparing, SparingSessions};
use crate::{
    error::{Error, StoreError},
    jose::{
        discovery::Location,
        jws::{HostCheck, LastHeader},
        keys::KeySet,
    },
    known_digests::KnownDigests,
    store::{
        KeyRecordStore, ReplayStore, RevocationStore, limit_stores::LimitStores, published::Issuers,
    },
    time::UnixMillis,
};

/// What an edge gives the guard: stores, and the crypto of the host.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Backend {
    /// Records of API keys.
    type Keys: KeyRecordStore;
    /// Revocation entries.
    type Revocations: RevocationStore;
    /// Counters of limits.
    type Counters: LimitStores;
    /// Proofs of possession that have been used.
    type Replays: ReplayStore;
    /// The gate's own sessions.
    type Sessions: Sessions;

    /// Records of API keys.
    fn keys(&self) -> &Self::Keys;
    /// Revocation entries.
    fn revocations(&self) -> &Self::Revocations;
    /// Counters of limits.
    fn counters(&self) -> &Self::Counters;
    /// Failed attempts, in this isolate.
    fn failures(&self) -> &Attempts;
    /// Proofs of possession that have been used, where the policy has them remembered.
    fn replays(&self) -> &Self::Replays;

    /// Where the header of the last token is kept, so that the same one is not read again; `None`: each is read.
    fn last_header(&self) -> Option<&RefCell<LastHeader>> {
        None
    }

    /// Digests of names that come again; `None`: each is computed.
    fn digests(&self) -> Option<&KnownDigests> {
        None
    }

    /// The signatures of tokens that the host has found to hold; `None`: the host is asked each time.
    fn seen_signatures(&self) -> Option<&SeenSignatures> {
        None
    }

    /// The gate's own sessions: the key ring, and who keeps the subjects.
    fn sessions(&self) -> &Self::Sessions;

    /// Whether the host is to be asked about Ed25519 too. Otherwise it is decided here.
    fn takes_ed25519(&self) -> bool {
        false
    }

    /// Whether a signature holds, by the crypto of the host.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if the host refuses the key, [`Error::AlgorithmUnavailable`] if it
    /// does not know the algorithm.
    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error>;

    /// The keys of an issuer that publishes them, fresh enough, and fetched anew if `key_id` is not
    /// among them.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    async fn remote_keys(
        &self,
        issuer: &str,
        at: Location<'_>,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error>;
}

/// The host of an edge: its crypto, and the way to issuers of keys.
pub trait Host: Issuers {
    /// [`Backend::takes_ed25519`].
    fn takes_ed25519(&self) -> bool;

    /// [`Backend::signature_holds`].
    #[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error>;
}

/// The backend of every edge, for one request: its host, its stores, and what the isolate remembers.
#[derive(Debug)]
pub struct StoreBackend<'a, H, K, R, L, P, S> {
    /// What the isolate remembers.
    pub memory: &'a IsolateMemory,
    /// Crypto, and the way to issuers.
    pub host: H,
    /// Records of API keys.
    pub keys: K,
    /// Revocation entries.
    pub revocations: R,
    /// Counters of limits.
    pub counters: Sparing<L>,
    /// Proofs of possession that have been used ([`IsolateMemory::replays`]).
    pub replays: Sparing<P>,
    /// The gate's own sessions; [`NoSessions`](super::NoSessions) where there are none.
    pub sessions: SparingSessions<S>,
    /// Failed attempts, where those of the isolate do not count.
    pub attempts: Option<Box<Attempts>>,
}

impl<H, K, R, L, P, S> Backend for StoreBackend<'_, H, K, R, L, P, S>
where
    H: Host,
    K: KeyRecordStore,
    R: RevocationStore,
    L: LimitStores,
    P: ReplayStore,
    S: Sessions,
{
    type Keys = K;
    type Revocations = R;
    type Counters = Sparing<L>;
    type Replays = Sparing<P>;
    type Sessions = SparingSessions<S>;

    fn keys(&self) -> &K {
        &self.keys
    }

    fn revocations(&self) -> &R {
        &self.revocations
    }

    fn counters(&self) -> &Sparing<L> {
        &self.counters
    }

    fn failures(&self) -> &Attempts {
        self.attempts.as_deref().unwrap_or(&self.memory.failures)
    }

    fn replays(&self) -> &Sparing<P> {
        &self.replays
    }

    fn last_header(&self) -> Option<&RefCell<LastHeader>> {
        Some(&self.memory.last_header)
    }

    fn digests(&self) -> Option<&KnownDigests> {
        Some(&self.memory.digests)
    }

    fn seen_signatures(&self) -> Option<&SeenSignatures> {
        Some(&self.memory.signatures)
    }

    fn sessions(&self) -> &SparingSessions<S> {
        &self.sessions
    }

    fn takes_ed25519(&self) -> bool {
        self.host.takes_ed25519()
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.host.signature_holds(issuer, check).await
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        at: Location<'_>,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.memory.published.keys(&self.host, issuer, at, key_id, now).await
    }
}

/// A fault of a store, as the error that the request is refused with.
pub(super) fn unavailable(store: &'static str, fault: &StoreError) -> Error {
    Error::StoreUnavailable { store, problem: fault.to_string() }
}
