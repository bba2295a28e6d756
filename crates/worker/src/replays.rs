//! Used proofs of possession, and assertions of clients, in counter objects.

use worker::Env;

use super::objects::counter as counter_object;
use edgegate::{
    error::StoreError,
    jose::dpop::ReplayKey,
    limit::{CounterGroup, Limit, Verdict, lease::Borrow},
    store::{
        ReplayStore,
        replays::{assertion_by_counting, by_counting},
    },
    time::UnixMillis,
};

/// Used proofs, in one counter object for each.
#[derive(Debug)]
pub(super) struct CountedReplays<'a>(pub(super) &'a Env);

impl CountedReplays<'_> {
    /// Whether the assertion of a client is used for the first time.
    pub(super) async fn is_first_assertion(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let take = async |group: &_, limits: &[_]| self.take(group, limits).await;
        assertion_by_counting(key, until, now, take).await
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
