//! Who keeps grants: one writer for each owner, which takes a step and stores what has changed before it answers.

use std::{cell::RefCell, collections::BTreeMap};

use super::{
    StoreError,
    shared::{SwapStore, Turn},
};
use crate::{
    grant::{
        state::OwnerGrants,
        step::{GrantOutcome, GrantStep},
    },
    session::ObjectName,
    time::UnixMillis,
};

/// The grants of all owners.
pub trait GrantStore {
    /// Takes a step, in one go, by one writer. What has changed is stored when this answers.
    ///
    /// # Errors
    /// The store did not answer, or is damaged. The step may have been taken.
    async fn apply(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
        now: UnixMillis,
    ) -> Result<GrantOutcome, StoreError>;
}

impl<S: GrantStore> GrantStore for &S {
    async fn apply(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
        now: UnixMillis,
    ) -> Result<GrantOutcome, StoreError> {
        (**self).apply(owner, step, now).await
    }
}

/// Grants in the memory of a process: the reference. A restart ends them all.
#[derive(Debug, Default)]
pub struct MemoryGrants {
    owners: RefCell<BTreeMap<ObjectName, OwnerGrants>>,
}

/// The most owners that a process keeps. None is forgotten to make room: beyond it none is added.
const MAX_OWNERS: usize = 100_000;

impl GrantStore for MemoryGrants {
    async fn apply(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
        now: UnixMillis,
    ) -> Result<GrantOutcome, StoreError> {
        let mut owners = self.owners.borrow_mut();
        let unix_time = now.to_unix_time();
        if !owners.contains_key(owner) && owners.len() >= MAX_OWNERS {
            owners.retain(|_, state| !state.is_over(unix_time));
        }
        if !owners.contains_key(owner) && owners.len() >= MAX_OWNERS {
            return Err(StoreError::own_bound("there are too many grants in this process"));
        }
        let state = owners.entry(*owner).or_default();
        let outcome = state.apply(step, unix_time);
        if state.is_over(unix_time) {
            owners.remove(owner);
        }
        Ok(outcome)
    }
}

/// Where grants lie in a store that compares and swaps.
const PREFIX: &str = "grant/v1/";

/// How often a step is tried again because another process was faster.
const MAX_ATTEMPTS: u32 = 64;

/// How long grants that nothing changes are kept, in milliseconds.
const KEPT_MILLIS: u64 = 10 * 365 * 86_400 * 1000;

/// How long it is remembered that nothing is left: nothing else may be put back in its place meanwhile.
const EMPTY_MILLIS: u64 = 60_000;

/// Grants in such a store. The clock is that of the process that takes the step: several processes have to have theirs set.
#[derive(Debug)]
pub struct SharedGrants<S> {
    store: S,
}

impl<S: SwapStore> SharedGrants<S> {
    /// The grants in `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }
}

impl<S: SwapStore> GrantStore for SharedGrants<S> {
    async fn apply(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
        now: UnixMillis,
    ) -> Result<GrantOutcome, StoreError> {
        let mut turn = Turn::new(&self.store, format!("{PREFIX}{owner}"));
        for _ in 0..MAX_ATTEMPTS {
            let found = turn.load().await?;
            let mut state = found
                .as_deref()
                .map_or_else(|| Ok(OwnerGrants::default()), OwnerGrants::from_text)?;
            let outcome = state.apply(step, now.to_unix_time());
            if !state.has_changed()? {
                return Ok(outcome);
            }
            let until = kept_until(&state, now);
            if turn.swap(found.as_deref(), &state.to_text()?, until).await? {
                return Ok(outcome);
            }
        }
        Err(StoreError::own_bound("too many processes change the same grants at once"))
    }
}

fn kept_until(state: &OwnerGrants, now: UnixMillis) -> UnixMillis {
    match state.over_at() {
        Some(at) => UnixMillis::from_unix_time(at).max(now.saturating_add(EMPTY_MILLIS)),
        None if state.is_over(now.to_unix_time()) => now.saturating_add(EMPTY_MILLIS),
        None => now.saturating_add(KEPT_MILLIS),
    }
}
