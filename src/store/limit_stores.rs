//! The counters of limits: each limit names its store, and is sent there by one dispatcher.

use super::CounterStore;
use crate::{
    error::StoreError,
    limit::{CounterGroup, Limit, Verdict},
    policy::LimitStore,
    time::UnixMillis,
};

/// Counters of limits, in the store that is named. What the methods do is said at [`CounterStore`].
pub trait LimitStores {
    /// [`CounterStore::take`] in this store.
    async fn take(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError>;

    /// [`CounterStore::refusal_unasked`] of this store.
    fn refusal_unasked(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>>;

    /// [`CounterStore::refund`] in this store.
    async fn refund(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<(), StoreError>;
}

/// The stores that an edge has. Where it has none of a kind, [`NoStore`] stands.
#[derive(Debug)]
pub struct CountersByStore<M, K, E, B> {
    /// [`LimitStore::Memory`].
    pub memory: M,
    /// [`LimitStore::Kv`].
    pub kv: K,
    /// [`LimitStore::DurableObject`], or what else is exact and shared.
    pub exact: E,
    /// [`LimitStore::Binding`].
    pub bindings: B,
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
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        match store {
            LimitStore::Memory => self.memory.take(group, limits, cost, now).await,
            LimitStore::Kv => self.kv.take(group, limits, cost, now).await,
            LimitStore::DurableObject => self.exact.take(group, limits, cost, now).await,
            LimitStore::Binding(name) => self.bindings.take(name, group, limits).await,
        }
    }

    fn refusal_unasked(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        match store {
            LimitStore::Memory => self.memory.refusal_unasked(group, limits, cost, now),
            LimitStore::Kv => self.kv.refusal_unasked(group, limits, cost, now),
            LimitStore::DurableObject => self.exact.refusal_unasked(group, limits, cost, now),
            // A binding counts each question.
            LimitStore::Binding(_) => None,
        }
    }

    async fn refund(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        match store {
            LimitStore::Memory => self.memory.refund(group, limits, cost, now).await,
            LimitStore::Kv => self.kv.refund(group, limits, cost, now).await,
            LimitStore::DurableObject => self.exact.refund(group, limits, cost, now).await,
            // A binding cannot give back, which is why it is asked last.
            LimitStore::Binding(_) => Ok(()),
        }
    }
}

/// Rate-limiting bindings of the platform. They answer yes or no, count each question as one, and give nothing back.
pub trait BoundCounters {
    /// Asks the binding of this name about each limit.
    async fn take(
        &self,
        binding: &str,
        group: &CounterGroup,
        limits: &[Limit],
    ) -> Result<Vec<Verdict>, StoreError>;
}

/// A store that an edge does not have. A policy that names it is refused before, so this is a fault, not a limit that
/// admits everybody.
#[derive(Debug, Clone, Copy)]
pub struct NoStore;

impl NoStore {
    const FAULT: &'static str = "there is no such store";
}

impl CounterStore for NoStore {
    async fn take(
        &self,
        _group: &CounterGroup,
        _limits: &[Limit],
        _cost: u32,
        _now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        Err(StoreError::new(Self::FAULT))
    }

    /// Nothing was taken.
    async fn refund(
        &self,
        _group: &CounterGroup,
        _limits: &[Limit],
        _cost: u32,
        _now: UnixMillis,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

impl BoundCounters for NoStore {
    async fn take(
        &self,
        _binding: &str,
        _group: &CounterGroup,
        _limits: &[Limit],
    ) -> Result<Vec<Verdict>, StoreError> {
        Err(StoreError::new(Self::FAULT))
    }
}
