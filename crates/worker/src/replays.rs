//! Used proofs of possession, and what else counts once, in counter objects.

use worker::Env;

use super::objects::counter as counter_object;
use edgegate::{
    error::StoreError,
    jose::dpop::ReplayKey,
    limit::{CounterGroup, Limit, Verdict, lease::Borrow},
    store::{
        ReplayStore,
        replays::{Once, by_counting, once_by_counting},
    },
    time::UnixMillis,
};

/// Used proofs, in one counter object for each.
#[derive(Debug)]
pub(super) struct CountedReplays<'a>(pub(super) &'a Env);

impl CountedReplays<'_> {
    /// Whether this is used for the first time.
    pub(super) async fn is_first_use(
        &self,
        what: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let take = async |group: &_, limits: &[_]| self.take(group, limits).await;
        once_by_counting(what, key, until, now, take).await
    }

    async fn take(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
    ) -> Result<Vec<Verdict>, StoreError> {
        let grant = counter_object::take(self.0, group, limits, Borrow::only(1)).await?;
        Ok(grant.verdicts)
    }
}

impl ReplayStore for CountedReplays<'_> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let take = async |group: &_, limits: &[_]| self.take(group, limits).await;
        by_counting(key, until, now, take).await
    }
}
