//! The limit on failed authentication, by client address, in the memory of one isolate.

use core::net::IpAddr;

use super::limits;
use crate::{
    error::Error,
    policy::{FailedAuthentication, Policy},
    rate::{Limit, Verdict},
    store::{CounterGroup, memory::MemoryCounters},
    time::UnixMillis,
};

/// Counts failed authentication as the policy wants it.
#[derive(Debug)]
pub struct Failures<'a> {
    policy: Option<&'a FailedAuthentication>,
    counters: &'a MemoryCounters,
}

impl<'a> Failures<'a> {
    /// The failures of a policy, counted in `counters`.
    #[must_use]
    pub fn new(policy: &'a Policy, counters: &'a MemoryCounters) -> Self {
        Self { policy: policy.failed_authentication.as_ref(), counters }
    }

    /// Counts a failure, and gives the error to answer with: `error` itself, or
    /// [`Error::RateLimited`] if the address has had too many. The first that is too many begins the penalty.
    /// Errors that are no failed authentication are not counted, nor are those during a penalty.
    #[must_use]
    pub fn count(&self, error: Error, client_ip: Option<IpAddr>, now: UnixMillis) -> Error {
        let Some(policy) = self.policy else { return error };
        if !error.is_failed_authentication() {
            return error;
        }
        if let Err(refused) = self.check_penalty(policy, client_ip, now) {
            return refused;
        }
        let one = core::slice::from_ref(&policy.limit);
        let verdicts = self.counters.take_now(&group(client_ip), one, 1, now);
        let Some(refused) = limits::refusal(one, &verdicts) else { return error };
        if let Some(penalty) = &policy.penalty {
            let penalty = core::slice::from_ref(penalty);
            let _ = self.counters.take_now(&group(client_ip), penalty, 1, now);
        }
        self.check(client_ip, now).err().unwrap_or(refused)
    }

    /// Refuses an address that has had too many failures already.
    ///
    /// # Errors
    /// [`Error::RateLimited`], with the longer of the waits for the penalty's end and for the limit.
    pub fn check(&self, client_ip: Option<IpAddr>, now: UnixMillis) -> Result<(), Error> {
        let Some(policy) = self.policy else { return Ok(()) };
        let all: Vec<Limit> =
            core::iter::once(&policy.limit).chain(&policy.penalty).cloned().collect();
        let verdicts: Vec<_> = all.iter().map(|limit| self.peek(limit, client_ip, now)).collect();
        limits::refusal(&all, &verdicts).map_or(Ok(()), Err)
    }

    fn check_penalty(
        &self,
        policy: &FailedAuthentication,
        client_ip: Option<IpAddr>,
        now: UnixMillis,
    ) -> Result<(), Error> {
        match &policy.penalty {
            Some(penalty) if !self.peek(penalty, client_ip, now).admitted => {
                self.check(client_ip, now)
            }
            _ => Ok(()),
        }
    }

    fn peek(&self, limit: &Limit, client_ip: Option<IpAddr>, now: UnixMillis) -> Verdict {
        self.counters.peek_now(&group(client_ip), limit, 1, now)
    }
}

fn group(client_ip: Option<IpAddr>) -> CounterGroup {
    CounterGroup::new(&["failed-authentication", &limits::address(client_ip)])
}
