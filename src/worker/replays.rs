//! Used proofs of possession, where the policy has them remembered.

use worker::Env;

use super::counter_object;
use crate::{
    dpop::ReplayKey,
    rate::lease::Borrow,
    store::{ReplayStore, StoreError, memory::MemoryReplays, replays::by_counting},
    time::UnixMillis,
};

/// Used proofs, in the isolate or in one counter object for each.
#[derive(Debug)]
pub(super) enum Replays<'a> {
    Memory(&'a MemoryReplays),
    Exact(&'a Env),
}

impl ReplayStore for Replays<'_> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => memory.is_first(key, until, now).await,
            Self::Exact(env) => {
                let take = async |group: &_, limits: &[_]| {
                    let grant = counter_object::take(env, group, limits, Borrow::only(1)).await?;
                    Ok(grant.verdicts)
                };
                by_counting(key, until, now, take).await
            }
        }
    }
}
