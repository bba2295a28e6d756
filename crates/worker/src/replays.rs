//! Used proofs of possession in counter objects.

use worker::Env;

use super::objects::counter as counter_object;
use edgegate::{
    error::StoreError,
    jose::dpop::ReplayKey,
    limit::lease::Borrow,
    store::{ReplayStore, replays::by_counting},
    time::UnixMillis,
};

/// Used proofs, in one counter object for each.
#[derive(Debug)]
pub(super) struct CountedReplays<'a>(pub(super) &'a Env);

impl ReplayStore for CountedReplays<'_> {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let take = async |group: &_, limits: &[_]| {
            let grant = counter_object::take(self.0, group, limits, Borrow::only(1)).await?;
            Ok(grant.verdicts)
        };
        by_counting(key, until, now, take).await
    }
}
