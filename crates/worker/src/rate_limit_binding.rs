//! The platform's rate-limiting binding: cheap, counted for each location, and only yes or no. How many
//! requests it admits is set where the binding is declared; the policy's numbers are what callers are
//! told.

use worker::Env;

use super::deadline;
use edgegate::{
    error::StoreError,
    limit::{Charge, Verdict},
    store::limit_stores::BoundCounters,
};

/// The bindings of this environment.
#[derive(Debug)]
pub(super) struct Bindings<'a>(pub(super) &'a Env);

impl BoundCounters for Bindings<'_> {
    async fn take(&self, binding: &str, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let failed =
            |fault: worker::Error| StoreError::new(format!("rate-limiting binding: {fault}"));
        let limiter = self.0.rate_limiter(binding).map_err(failed)?;
        let mut verdicts = Vec::new();
        for limit in charge.limits {
            let asked = limiter.limit(format!("{}:{}", limit.name(), charge.group));
            let outcome = deadline::within(deadline::STORE, asked)
                .await
                .ok_or_else(|| StoreError::new("rate-limiting binding: no answer in time"))?
                .map_err(failed)?;
            // Nothing is known but the answer, so a refused caller waits for a whole window at most.
            verdicts.push(Verdict {
                admitted: outcome.success,
                limit: limit.capacity(),
                remaining: 0,
                reset_after_secs: limit.window_secs(),
                retry_after_secs: if outcome.success { 0 } else { limit.window_secs() },
            });
        }
        Ok(verdicts)
    }
}
