//! The limit on failed authentication, by client address, in the memory of one isolate.

use core::net::IpAddr;

use super::limits;
use crate::{
    error::Error,
    policy::Policy,
    rate::Limit,
    store::{CounterGroup, memory::MemoryCounters},
    time::UnixMillis,
};

/// Counts failed authentication as the policy wants it.
#[derive(Debug)]
pub struct Failures<'a> {
    limit: Option<&'a Limit>,
    counters: &'a MemoryCounters,
}

impl<'a> Failures<'a> {
    /// The failures of a policy, counted in `counters`.
    #[must_use]
    pub fn new(policy: &'a Policy, counters: &'a MemoryCounters) -> Self {
        Self { limit: policy.failed_authentication.as_ref().map(|known| &known.limit), counters }
    }

    /// Counts a failure, and gives the error to answer with: `error` itself, or
    /// [`Error::RateLimited`] if the address has had too many. Errors that are no failed authentication
    /// are not counted.
    #[must_use]
    pub fn count(&self, error: Error, client_ip: Option<IpAddr>, now: UnixMillis) -> Error {
        let Some(limit) = self.limit else { return error };
        if !error.is_failed_authentication() {
            return error;
        }
        let one = core::slice::from_ref(limit);
        let verdicts = self.counters.take_now(&group(client_ip), one, 1, now);
        limits::refusal(one, &verdicts).unwrap_or(error)
    }

    /// Refuses an address that has had too many failures already.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn check(&self, client_ip: Option<IpAddr>, now: UnixMillis) -> Result<(), Error> {
        let Some(limit) = self.limit else { return Ok(()) };
        let verdict = self.counters.peek_now(&group(client_ip), limit, 1, now);
        limits::refusal(core::slice::from_ref(limit), &[verdict]).map_or(Ok(()), Err)
    }
}

fn group(client_ip: Option<IpAddr>) -> CounterGroup {
    CounterGroup::new(&["failed-authentication", &limits::address(client_ip)])
}
