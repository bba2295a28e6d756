//! Used proofs of possession in stores that several processes share.
//!
//! Each proof is a thing of its own there, so nothing contends but those who bring the same proof. All keep it
//! [`CLOCK_DIFFERENCE_SECS`] longer than the gate that saw it first would take it.

use super::{ReplayStore, StoreError, memory::MemoryReplays, shared::SwapStore};
use crate::{
    jose::dpop::{LONGEST_LIFE_SECS, ReplayKey},
    limit::{CounterGroup, Limit, LimitAlgorithm, Verdict},
    login::{
        logout_token,
        state::{LIFETIME_SECS, REMEMBERED_SECS},
    },
    policy::Replays as Place,
    session::client::LONGEST_ASSERTION_SECS,
    time::UnixMillis,
};

/// How far the clocks of two gates may be apart, in seconds: what is too old for one is then still good for the
/// other. As much as is allowed to the clocks of clients.
pub const CLOCK_DIFFERENCE_SECS: u64 = 30;

/// Used proofs where a policy has them remembered ([`policy::Replays`](crate::policy::Replays)).
#[derive(Debug)]
pub enum Placed<'a, S> {
    /// In this isolate.
    Memory(&'a MemoryReplays),
    /// In what all isolates share.
    Shared(S),
}

impl<'a, S> Placed<'a, S> {
    /// The place that the policy names; `shared` is what stands there for a Durable Object.
    pub fn new(place: Place, memory: &'a MemoryReplays, shared: S) -> Self {
        match place {
            Place::Memory => Self::Memory(memory),
            Place::DurableObject => Self::Shared(shared),
        }
    }
}

impl<S: ReplayStore> ReplayStore for Placed<'_, S> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => memory.is_first(key, until, now).await,
            Self::Shared(shared) => shared.is_first(key, until, now).await,
        }
    }
}

/// Used proofs in a store of texts that can compare and swap, each under [`ReplayKey::storage_name`].
#[derive(Debug)]
pub struct SharedReplays<S> {
    store: S,
}

impl<S> SharedReplays<S> {
    /// The proofs in `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }
}

impl<S: SwapStore> ReplayStore for SharedReplays<S> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        _now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let until = until.saturating_add(CLOCK_DIFFERENCE_SECS.saturating_mul(1000));
        self.store.swap(&key.storage_name(), None, "1", until).await
    }
}

/// The answer of [`ReplayStore::is_first`] by an exact counter: `take` takes one of the limits of a group, and the
/// proof is used for the first time if there was one.
///
/// The bucket of one is empty for a fixed time that no proof outlives, by the counter's clock alone: a window that
/// came from the proof's own end would be another window for later requests.
///
/// # Errors
/// Those of `take`; and for a proof that could pass longer than the window, which the default rules have none of.
pub async fn by_counting(
    key: &ReplayKey,
    until: UnixMillis,
    now: UnixMillis,
    take: impl AsyncFnOnce(&CounterGroup, &[Limit]) -> Result<Vec<Verdict>, StoreError>,
) -> Result<bool, StoreError> {
    counted(("proof", LONGEST_LIFE_SECS), key, until, now, take).await
}

/// What else counts once, at all isolates or processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// The assertion of a client ([`crate::session::client`]).
    Assertion,
    /// A login ([`crate::login::state`]).
    Login,
    /// A logout token of a provider ([`crate::login::logout_token`]).
    Logout,
}

impl Once {
    const fn kind(self) -> &'static str {
        match self {
            Self::Assertion => "assertion",
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }

    /// How long one can be good, with the clock of its isolate a minute behind.
    const fn longest_secs(self) -> u64 {
        match self {
            Self::Assertion => LONGEST_ASSERTION_SECS,
            Self::Login => LIFETIME_SECS + 2 * REMEMBERED_SECS,
            Self::Logout => logout_token::REMEMBERED_SECS + 60,
        }
    }
}

/// The same of what lives longer.
///
/// # Errors
/// As [`by_counting`].
pub async fn once_by_counting(
    what: Once,
    key: &ReplayKey,
    until: UnixMillis,
    now: UnixMillis,
    take: impl AsyncFnOnce(&CounterGroup, &[Limit]) -> Result<Vec<Verdict>, StoreError>,
) -> Result<bool, StoreError> {
    counted((what.kind(), what.longest_secs()), key, until, now, take).await
}

async fn counted(
    (kind, longest_secs): (&str, u64),
    key: &ReplayKey,
    until: UnixMillis,
    now: UnixMillis,
    take: impl AsyncFnOnce(&CounterGroup, &[Limit]) -> Result<Vec<Verdict>, StoreError>,
) -> Result<bool, StoreError> {
    let window_secs = longest_secs.saturating_add(CLOCK_DIFFERENCE_SECS);
    let window_secs = u32::try_from(window_secs).unwrap_or(u32::MAX);
    let once = Limit::new("once", 1, window_secs, LimitAlgorithm::TokenBucket { burst: 1 })
        .map_err(|fault| StoreError::new(fault.to_string()))?;
    let group = CounterGroup::new(&[kind, &key.storage_name()]);
    match take(&group, &[once]).await?.as_slice() {
        [verdict] if !verdict.admitted => Ok(false),
        [_] if until.millis_since(now) <= longest_secs.saturating_mul(1000) => Ok(true),
        [_] => Err(StoreError::new("a proof would have to be remembered longer than it can be")),
        _ => Err(StoreError::new("expected one verdict")),
    }
}
