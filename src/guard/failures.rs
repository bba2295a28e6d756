//! The limit on failed authentication, by client address, in the memory of one isolate.
//!
//! An address that fails too often is refused the costly things: further failing attempts, look-ups of imported keys, and
//! the comparison with the administrator's or a client's secret. A request that was verified without any of these is still served.

use core::{cell::RefCell, net::IpAddr};

use super::{
    limits,
    request::{address, site},
};
use crate::{
    error::Error,
    limit::{Charge, CounterGroup, Limit, LimitAlgorithm, Verdict},
    policy::{FailedAuthentication, Policy},
    store::memory::MemoryCounters,
    time::UnixMillis,
};

/// What an isolate remembers of failed attempts. Each kind has a memory of its own: a flood of one must not push out
/// the counts of another.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Credentials of callers that were not genuine, by address.
    credentials: MemoryCounters,
    /// Wrong secrets at the administration and of clients, by address.
    secrets: MemoryCounters,
    /// Look-ups of imported keys that have found nothing, or nothing yet, by address.
    unfounded: MemoryCounters,
    /// Look-ups of imported keys for addresses that fail too often.
    look_ups: MemoryCounters,
    /// Logins that have failed, or have not come to their end yet, by address and by site.
    logins: MemoryCounters,
    /// Those of them that may not have come to their end yet: the address, and until when at most.
    under_way: RefCell<Vec<(String, UnixMillis)>>,
    /// Counts of all addresses together.
    in_all: MemoryCounters,
}

/// How many failed logins of an address reach a provider in [`LOGINS_SECS`], of those that this isolate sees.
const LOGINS: u32 = 10;

/// The same of a /48: one customer may have its 65,536 blocks that count as an address each.
const LOGINS_OF_SITE: u32 = 100;

/// Five minutes.
const LOGINS_SECS: u32 = 300;

/// The longest that a login which has reached a provider waits for it.
const UNDER_WAY_SECS: u64 = 60;

/// How long an address waits that has as many under way as may fail: they may have come to a good end by then.
const MOMENT_SECS: u32 = 1;

/// How many logins of all addresses together reach providers in a second, whatever comes of them.
const LOGINS_IN_ALL: u32 = 5;

/// So many at once: tabs that a browser opens anew log in together.
const LOGINS_AT_ONCE: u32 = 300;

/// Counts failed authentication as the policy wants it.
#[derive(Debug)]
pub struct Failures<'a> {
    policy: Option<&'a FailedAuthentication>,
    attempts: &'a Attempts,
}

/// A look-up of an imported key that has been counted.
#[derive(Debug)]
#[must_use = "what finds a key is to be given back"]
pub struct LookUp<'a> {
    /// Reserved of the address until the store has answered.
    reserved: Option<Counted<'a>>,
    rest: Vec<Counted<'a>>,
}

/// A login that has been counted as failed, until it is known that it has not.
#[derive(Debug)]
#[must_use = "a login that has not failed is to be given back"]
pub struct LoginTry<'a> {
    attempts: &'a Attempts,
    address: String,
    counts: Vec<LoginCount>,
}

/// What a login is counted by.
type LoginCount = (CounterGroup, Limit);

impl Attempts {
    /// Counts a login that is about to reach the provider. Each address has so many that fail, and so has its site, whatever the policy
    /// says of failed authentication: a code is asked of somebody else's server. All whose address is not known have them together.
    ///
    /// All addresses together have so many that fail or not: who has enough addresses costs the provider and the object no more than that.
    /// Each isolate counts for itself.
    ///
    /// # Errors
    /// [`Error::TooManyLogins`], for a moment only while logins of the address are under way.
    pub fn login(&self, client_ip: Option<IpAddr>, now: UnixMillis) -> Result<LoginTry<'_>, Error> {
        let address = address(client_ip);
        let own = own_counts(&address, client_ip)?;
        let bucket = LimitAlgorithm::TokenBucket { burst: LOGINS_AT_ONCE };
        let in_all =
            (CounterGroup::new(&["logins"]), Limit::new("logins", LOGINS_IN_ALL, 1, bucket)?);
        let all = || own.iter().map(|own| (&self.logins, own)).chain([(&self.in_all, &in_all)]);
        // What one of them refuses is counted by none: who is refused takes nothing from all.
        for (counters, (group, limit)) in all() {
            let verdict = counters.peek_now(group, limit, 1, now);
            if !verdict.admitted {
                let secs = verdict.retry_after_secs;
                let retry_after_secs =
                    if self.has_under_way(&address, now) { secs.min(MOMENT_SECS) } else { secs };
                return Err(Error::TooManyLogins { retry_after_secs });
            }
        }
        for (counters, count) in all() {
            counters.take_now(one_login(count, now));
        }
        let until = now.saturating_add(UNDER_WAY_SECS.saturating_mul(1000));
        self.under_way.borrow_mut().push((address.clone(), until));
        Ok(LoginTry { attempts: self, address, counts: own })
    }

    fn has_under_way(&self, address: &str, now: UnixMillis) -> bool {
        let mut under_way = self.under_way.borrow_mut();
        // A host may drop a request, and what it has counted stays behind.
        under_way.retain(|(_, until)| now < *until);
        under_way.iter().any(|(of, _)| of == address)
    }
}

impl Drop for LoginTry<'_> {
    fn drop(&mut self) {
        let mut under_way = self.attempts.under_way.borrow_mut();
        if let Some(at) = under_way.iter().position(|(of, _)| *of == self.address) {
            under_way.swap_remove(at);
        }
    }
}

impl LoginTry<'_> {
    /// It has not failed. What all have together is not given back: the provider was asked.
    pub fn give_back(self, now: UnixMillis) {
        for count in &self.counts {
            self.attempts.logins.refund_now(one_login(count, now));
        }
    }
}

/// By the address, and by its site if it has one.
fn own_counts(address: &str, client_ip: Option<IpAddr>) -> Result<Vec<LoginCount>, Error> {
    let sliding = |name, most| Limit::new(name, most, LOGINS_SECS, LimitAlgorithm::SlidingWindow);
    let by_address = CounterGroup::new(&["logins", address]);
    let mut counts = vec![(by_address, sliding("logins", LOGINS)?)];
    if let Some(site) = site(client_ip) {
        let by_site = CounterGroup::new(&["logins", &site]);
        counts.push((by_site, sliding("logins-of-site", LOGINS_OF_SITE)?));
    }
    Ok(counts)
}

const fn one_login((group, limit): &LoginCount, now: UnixMillis) -> Charge<'_> {
    Charge::new(group, core::slice::from_ref(limit), 1, now)
}

impl<'a> Failures<'a> {
    /// The failures of a policy, counted in `attempts`.
    #[must_use]
    pub fn new(policy: &'a Policy, attempts: &'a Attempts) -> Self {
        Self { policy: policy.failed_authentication.as_ref(), attempts }
    }

    /// Counts a failure, and gives the error to answer with: `error` itself, or
    /// [`Error::RateLimited`] if the address has had too many. The first that is too many begins the penalty.
    /// Errors that are no failed authentication are not counted, nor are those during a penalty.
    #[must_use]
    pub fn count(&self, error: Error, client_ip: Option<IpAddr>, now: UnixMillis) -> Error {
        match self.policy {
            Some(policy) if error.is_failed_authentication() => {
                self.credentials(policy, client_ip).count(error, now)
            }
            _ => error,
        }
    }

    /// Counts the look-up of an imported key that is not remembered. An address that fails too often gets few, also one
    /// that may be about to: failures are known only once the store has answered. All together get no more than the store
    /// bears. [`Failures::found`] gives back what was no guess.
    ///
    /// An unknown address is no address that could fail too often: it would be everybody's.
    ///
    /// # Errors
    /// [`Error::RateLimited`] for the address; [`Error::StoreUnavailable`] if all together had too many.
    pub fn look_up(&self, client_ip: Option<IpAddr>, now: UnixMillis) -> Result<LookUp<'a>, Error> {
        let Some(policy) = self.policy else {
            return Ok(LookUp { reserved: None, rest: Vec::new() });
        };
        let limits = &policy.look_ups;
        let by_address = |counters: &'a MemoryCounters, limit: &'a Limit| {
            Counted::new(counters, &["look-ups", &address(client_ip)], limit)
        };
        let each = by_address(&self.attempts.unfounded, &limits.of_each);
        let is_suspect = client_ip.is_none()
            || self.credentials(policy, client_ip).check(now).is_err()
            || each.check(now).is_err();
        let all = if is_suspect {
            ("look-ups-of-suspects", &limits.of_suspects)
        } else {
            ("look-ups", &limits.of_all)
        };
        let all = Counted::new(&self.attempts.in_all, &[all.0], all.1);
        let throttled = client_ip
            .filter(|_| is_suspect)
            .map(|_| by_address(&self.attempts.look_ups, &limits.of_throttled));
        if let Some(own) = &throttled {
            own.check(now)?;
        }
        if all.check(now).is_err() {
            let problem = "too many look-ups of unknown keys".to_owned();
            return Err(Error::StoreUnavailable { store: "keys", problem });
        }
        let look_up = LookUp {
            reserved: (!is_suspect).then_some(each),
            rest: throttled.into_iter().chain([all]).collect(),
        };
        for one in look_up.reserved.iter().chain(&look_up.rest) {
            let _ = one.take(one.limit, now);
        }
        Ok(look_up)
    }

    /// The look-up found a key, so it was no guess.
    pub fn found(&self, look_up: LookUp<'_>, now: UnixMillis) {
        for one in look_up.reserved.iter().chain(&look_up.rest) {
            one.give_back(now);
        }
    }

    /// The store did not answer: that does not make a suspect of the address, and was a look-up all the same.
    pub fn unanswered(&self, look_up: LookUp<'_>, now: UnixMillis) {
        if let Some(reserved) = look_up.reserved {
            reserved.give_back(now);
        }
    }

    /// Compares what is presented as the administrator's secret, unless the address has had too many wrong ones: then
    /// not even the right one passes, or guessing would not be slower. Nobody else is served at an administrator's
    /// address, and failures of other kinds do not count here, so strangers cannot lock the administrator out.
    ///
    /// Where addresses are not known, all together have [`FailedAuthentication::secrets_in_all`].
    ///
    /// # Errors
    /// [`Error::AdministratorSecret`], [`Error::RateLimited`].
    pub fn secret(
        &self,
        client_ip: Option<IpAddr>,
        now: UnixMillis,
        is_right: impl FnOnce() -> bool,
    ) -> Result<(), Error> {
        let of_whom = ["administrator-secret", ""];
        self.compare((of_whom, Error::AdministratorSecret), client_ip, now, is_right)
    }

    /// The same for the secret of a client. Each client has a count of its own, so that wrong guesses shut out nobody but those who
    /// say at this address that they are that client.
    ///
    /// # Errors
    /// [`Error::ClientNotProven`], [`Error::RateLimited`].
    pub fn client_secret(
        &self,
        (client, client_ip): (&str, Option<IpAddr>),
        now: UnixMillis,
        is_right: impl FnOnce() -> bool,
    ) -> Result<(), Error> {
        self.compare((["client-secret", client], Error::ClientNotProven), client_ip, now, is_right)
    }

    fn compare(
        &self,
        ([kind, name], wrong): ([&str; 2], Error),
        client_ip: Option<IpAddr>,
        now: UnixMillis,
        is_right: impl FnOnce() -> bool,
    ) -> Result<(), Error> {
        let Some(policy) = self.policy else { return is_right().then_some(()).ok_or(wrong) };
        let counted = match client_ip {
            Some(_) => {
                let parts = [kind, name, &address(client_ip)];
                let counted = Counted::new(&self.attempts.secrets, &parts, &policy.limit);
                Counted { penalty: policy.penalty.as_ref(), ..counted }
            }
            None => {
                let parts = [kind, name];
                Counted::new(&self.attempts.in_all, &parts, &policy.secrets_in_all)
            }
        };
        counted.check(now)?;
        if is_right() { Ok(()) } else { Err(counted.count(wrong, now)) }
    }

    fn credentials(
        &self,
        policy: &'a FailedAuthentication,
        client_ip: Option<IpAddr>,
    ) -> Counted<'a> {
        let parts = ["failed-authentication", &address(client_ip)];
        let counted = Counted::new(&self.attempts.credentials, &parts, &policy.limit);
        Counted { penalty: policy.penalty.as_ref(), ..counted }
    }
}

/// Who or what has so many attempts.
#[derive(Debug)]
struct Counted<'a> {
    counters: &'a MemoryCounters,
    group: CounterGroup,
    limit: &'a Limit,
    penalty: Option<&'a Limit>,
}

impl<'a> Counted<'a> {
    fn new(counters: &'a MemoryCounters, parts: &[&str], limit: &'a Limit) -> Self {
        Self { counters, group: CounterGroup::new(parts), limit, penalty: None }
    }

    /// Counts a failed attempt, and gives the error to answer with.
    fn count(&self, error: Error, now: UnixMillis) -> Error {
        if let Some(penalty) = self.penalty
            && !self.peek(penalty, now).admitted
        {
            return self.check(now).err().unwrap_or(error);
        }
        let verdict = self.take(self.limit, now);
        let Some(refused) = refusal(&[(self.limit, verdict)]) else { return error };
        if let Some(penalty) = self.penalty {
            let _ = self.take(penalty, now);
        }
        self.check(now).err().unwrap_or(refused)
    }

    /// Whether there may be another attempt; the wait is the longer of those for the penalty's end and for the limit.
    fn check(&self, now: UnixMillis) -> Result<(), Error> {
        let limits = core::iter::once(self.limit).chain(self.penalty);
        let verdicts: Vec<_> = limits.map(|limit| (limit, Some(self.peek(limit, now)))).collect();
        refusal(&verdicts).map_or(Ok(()), Err)
    }

    fn take(&self, limit: &Limit, now: UnixMillis) -> Option<Verdict> {
        self.counters.take_now(self.one(limit, now)).first().copied()
    }

    fn give_back(&self, now: UnixMillis) {
        self.counters.refund_now(self.one(self.limit, now));
    }

    /// One attempt, by one limit.
    const fn one<'c>(&'c self, limit: &'c Limit, now: UnixMillis) -> Charge<'c> {
        Charge::new(&self.group, core::slice::from_ref(limit), 1, now)
    }

    fn peek(&self, limit: &Limit, now: UnixMillis) -> Verdict {
        self.counters.peek_now(&self.group, limit, 1, now)
    }
}

fn refusal(found: &[(&Limit, Option<Verdict>)]) -> Option<Error> {
    let (limits, verdicts): (Vec<Limit>, Vec<Verdict>) =
        found.iter().filter_map(|(limit, verdict)| Some(((*limit).clone(), (*verdict)?))).unzip();
    limits::refusal(&limits, &verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    /// How many of so many blocks of a /64 get a login each, at one instant.
    fn admitted(attempts: &Attempts, blocks: impl Iterator<Item = String>) -> u32 {
        let block = |text: String| attempts.login(Some(text.parse().unwrap()), NOW).is_ok();
        blocks.map(block).map(u32::from).sum()
    }

    #[test]
    fn any_number_of_addresses_cost_a_provider_no_more_than_the_bound() {
        let attempts = Attempts::default();
        let elsewhere = (0..1000).map(|block| format!("2001:db8:{block:x}::1"));
        assert_eq!(admitted(&attempts, elsewhere), LOGINS_AT_ONCE);
        let later = NOW.saturating_add(10_000);
        let again = (0..1000_u16).map(|block| {
            attempts.login(Some(format!("2001:db9:{block:x}::1").parse().unwrap()), later).is_ok()
        });
        assert_eq!(again.map(u32::from).sum::<u32>(), 10 * LOGINS_IN_ALL);
    }

    #[test]
    fn the_blocks_of_a_site_are_bounded_together() {
        let attempts = Attempts::default();
        let of_site = (0..1000).map(|block| format!("2001:db8:7:{block:x}::1"));
        assert_eq!(admitted(&attempts, of_site), LOGINS_OF_SITE);
        assert_eq!(admitted(&attempts, core::iter::once("2001:db8:8::1".to_owned())), 1);
        assert_eq!(admitted(&attempts, core::iter::once("192.0.2.1".to_owned())), 1);
    }

    #[test]
    fn an_address_waits_a_moment_for_logins_that_are_under_way() {
        let attempts = Attempts::default();
        let login = |client: &str| attempts.login(Some(client.parse().unwrap()), NOW);
        let retry_after = |client: &str| match login(client) {
            Err(Error::TooManyLogins { retry_after_secs }) => retry_after_secs,
            _ => 0,
        };
        let mut all: Vec<_> = (0..LOGINS).map(|_| login("192.0.2.1").unwrap()).collect();
        assert_eq!(retry_after("192.0.2.1"), MOMENT_SECS);
        // One has failed, and another has not.
        drop(all.pop());
        assert_eq!(retry_after("192.0.2.1"), MOMENT_SECS);
        all.pop().unwrap().give_back(NOW);
        all.push(login("192.0.2.1").unwrap());
        assert_eq!(retry_after("192.0.2.1"), MOMENT_SECS);
        // Once all have failed nothing is to be waited for but the window's end, whatever other addresses do.
        let other = login("192.0.2.2").unwrap();
        drop(all);
        assert!(retry_after("192.0.2.1") > LOGINS_SECS / 2);
        drop(other);
        assert!(attempts.under_way.borrow().is_empty());
    }

    #[test]
    fn who_is_refused_takes_nothing_from_all_and_who_logs_in_fails_not() {
        let attempts = Attempts::default();
        let same = core::iter::repeat_n("2001:db8::1".to_owned(), 1000);
        assert_eq!(admitted(&attempts, same), LOGINS);
        let others = (0..1000).map(|block| format!("2001:db9:{block:x}::1"));
        assert_eq!(admitted(&attempts, others), LOGINS_AT_ONCE - LOGINS);
        // Successes count for all together alone.
        let attempts = Attempts::default();
        let client = Some("192.0.2.1".parse().unwrap());
        for _ in 0..LOGINS_AT_ONCE {
            attempts.login(client, NOW).unwrap().give_back(NOW);
        }
        let refused = attempts.login(client, NOW).unwrap_err();
        assert_eq!(refused, Error::TooManyLogins { retry_after_secs: 1 });
    }
}
