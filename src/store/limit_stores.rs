//! The counters of limits: each limit names its store, and is sent there by one dispatcher.

use super::CounterStore;
use crate::{
    error::StoreError,
    limit::{Charge, Verdict},
    policy::LimitStore,
};

/// Counters of limits, in the store that is named. What the methods do is said at [`CounterStore`].
pub trait LimitStores {
    /// [`CounterStore::take`] in this store.
    async fn take(
        &self,
        store: &LimitStore,
        charge: Charge<'_>,
    ) -> Result<Vec<Verdict>, StoreError>;

    /// [`CounterStore::refusal_unasked`] of this store.
    fn refusal_unasked(&self, store: &LimitStore, charge: Charge<'_>) -> Option<Vec<Verdict>>;

    /// [`CounterStore::refund`] in this store.
    async fn refund(&self, store: &LimitStore, charge: Charge<'_>) -> Result<(), StoreError>;
}

impl<C: LimitStores> LimitStores for &C {
    async fn take(
        &self,
        store: &LimitStore,
        charge: Charge<'_>,
    ) -> Result<Vec<Verdict>, StoreError> {
        (**self).take(store, charge).await
    }

    fn refusal_unasked(&self, store: &LimitStore, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        (**self).refusal_unasked(store, charge)
    }

    async fn refund(&self, store: &LimitStore, charge: Charge<'_>) -> Result<(), StoreError> {
        (**self).refund(store, charge).await
    }
}

/// The stores that an edge has. Where it has none of a kind, [`NoStore`] stands.
#[derive(Debug)]
pub struct CountersByStore<M, K = NoStore, E = NoStore, B = NoStore> {
    memory: M,
    kv: K,
    exact: E,
    bindings: B,
}

impl<M> CountersByStore<M> {
    /// Counters for [`LimitStore::Memory`], and none of another kind.
    pub const fn in_memory(memory: M) -> Self {
        Self { memory, kv: NoStore, exact: NoStore, bindings: NoStore }
    }
}

impl<M, K, E, B> CountersByStore<M, K, E, B> {
    /// With counters for [`LimitStore::Kv`].
    pub fn with_kv<S>(self, kv: S) -> CountersByStore<M, S, E, B> {
        let Self { memory, exact, bindings, .. } = self;
        CountersByStore { memory, kv, exact, bindings }
    }

    /// With counters for [`LimitStore::DurableObject`], or for what else is exact and shared.
    pub fn with_exact<S>(self, exact: S) -> CountersByStore<M, K, S, B> {
        let Self { memory, kv, bindings, .. } = self;
        CountersByStore { memory, kv, exact, bindings }
    }

    /// With counters for [`LimitStore::Binding`].
    pub fn with_bindings<S>(self, bindings: S) -> CountersByStore<M, K, E, S> {
        let Self { memory, kv, exact, .. } = self;
        CountersByStore { memory, kv, exact, bindings }
    }
}

impl<M, K, E, B> LimitStores for CountersByStore<M, K, E, B>
where
    M: CounterStore,
    K: CounterStore,
    E: CounterStore,
    B: BoundCounters,
{
    async fn take(
        &self,
        store: &LimitStore,
        charge: Charge<'_>,
    ) -> Result<Vec<Verdict>, StoreError> {
        match store {
            LimitStore::Memory => self.memory.take(charge).await,
            LimitStore::Kv => self.kv.take(charge).await,
            LimitStore::DurableObject => self.exact.take(charge).await,
            LimitStore::Binding(name) => self.bindings.take(name, charge).await,
        }
    }

    fn refusal_unasked(&self, store: &LimitStore, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        match store {
            LimitStore::Memory => self.memory.refusal_unasked(charge),
            LimitStore::Kv => self.kv.refusal_unasked(charge),
            LimitStore::DurableObject => self.exact.refusal_unasked(charge),
            // A binding counts each question.
            LimitStore::Binding(_) => None,
        }
    }

    async fn refund(&self, store: &LimitStore, charge: Charge<'_>) -> Result<(), StoreError> {
        match store {
            LimitStore::Memory => self.memory.refund(charge).await,
            LimitStore::Kv => self.kv.refund(charge).await,
            LimitStore::DurableObject => self.exact.refund(charge).await,
            // A binding cannot give back, which is why it is asked last.
            LimitStore::Binding(_) => Ok(()),
        }
    }
}

/// Rate-limiting bindings of the platform. They answer yes or no, count each question as one, and give nothing back.
pub trait BoundCounters {
    /// Asks the binding of this name about each limit.
    async fn take(&self, binding: &str, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError>;
}

/// A store that an edge does not have. A policy that names it is refused before, so this is a fault, not a limit that
/// admits everybody.
#[derive(Debug, Clone, Copy)]
pub struct NoStore;

impl NoStore {
    const FAULT: &'static str = "there is no such store";
}

impl CounterStore for NoStore {
    async fn take(&self, _charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        Err(StoreError::new(Self::FAULT))
    }

    /// Nothing was taken.
    async fn refund(&self, _charge: Charge<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl BoundCounters for NoStore {
    async fn take(&self, _binding: &str, _charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        Err(StoreError::new(Self::FAULT))
    }
}
