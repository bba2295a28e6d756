//! What an edge gives the guard.

use std::rc::Rc;

use super::Attempts;
use crate::{
    error::{Error, StoreError},
    jose::{jws::HostCheck, keys::KeySet},
    store::{CounterStore, KeyRecordStore, ReplayStore, RevocationStore},
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
    type Counters: CounterStore;
    /// Proofs of possession that have been used.
    type Replays: ReplayStore;

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
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error>;
}

/// A fault of a store, as the error that the request is refused with.
pub(super) fn unavailable(store: &'static str, fault: &StoreError) -> Error {
    Error::StoreUnavailable { store, problem: fault.to_string() }
}
