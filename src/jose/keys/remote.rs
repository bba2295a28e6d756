//! Keys that an issuer publishes: when to fetch them, and how long to believe them. No I/O, no clock.
//!
//! An unknown `kid` asks for fresh keys, since issuers rotate. But anybody can send one, so it asks at
//! most once in [`COOL_DOWN_SECS`]: the issuer cannot be flooded through the gate. While the issuer
//! does not answer, the last keys stay in use for [`MAX_STALE_SECS`]; then none are.
//!
//! While there are no keys at all, anybody's token would ask for them. So [`FETCHES_AT_ONCE`] are under way at once;
//! others wait for what those bring, for [`WAIT_MILLIS`], and are refused beyond that.

use std::rc::Rc;

use crate::{cache_control::directives, jose::keys::KeySet, time::UnixMillis};

/// Keys are believed at least that long, whatever `Cache-Control` says: an issuer that forbids caching
/// must not cost a fetch for each request.
pub const MIN_FRESH_SECS: u64 = 60;
/// Keys are believed that long where the issuer does not say: ten minutes.
pub const DEFAULT_FRESH_SECS: u64 = 600;
/// Keys are believed at most that long: after a day a withdrawn key is out everywhere.
pub const MAX_FRESH_SECS: u64 = 24 * 60 * 60;
/// After that, keys are used for at most another day, while the issuer does not answer.
pub const MAX_STALE_SECS: u64 = 24 * 60 * 60;
/// Between two fetches that an unknown `kid` or stale keys ask for.
pub const COOL_DOWN_SECS: u64 = 30;
/// After a failure without any keys: short, since no caller can be served meanwhile.
pub const RETRY_SECS: u64 = 2;

/// Fetches under way at once while there are no keys: more than one, in case that one's request is cancelled.
pub const FETCHES_AT_ONCE: usize = 3;
/// How long a request waits for the fetches of others: what most issuers answer in, and not as long as a silent one
/// takes, since those who wait cost something too.
pub const WAIT_MILLIS: u64 = 1_000;
/// After this a fetch counts as lost: a little longer than the edges wait for a store and then for the issuer.
const LOST_MILLIS: u64 = 8_000;

/// The keys of one issuer, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct RemoteKeySet {
    known: Option<Known>,
    /// When the fetches began that are under way, while there are no keys.
    under_way: Vec<UnixMillis>,
    last_attempt: Option<UnixMillis>,
    last_failure: Option<UnixMillis>,
}

#[derive(Debug, Clone)]
struct Known {
    keys: Rc<KeySet>,
    etag: Option<String>,
    /// When the issuer last said that these are its keys.
    fetched_at: UnixMillis,
    fresh_until: UnixMillis,
    stale_until: UnixMillis,
}

/// What to do about the keys for one token.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Verify with these.
    Use(Rc<KeySet>),
    /// Fetch first; if that fails, verify with `instead`, if there is something.
    Fetch {
        /// For `If-None-Match`.
        etag: Option<String>,
        /// The keys there are.
        instead: Option<Rc<KeySet>>,
    },
    /// There are no keys, and others are fetching them: decide again after a moment.
    Wait,
    /// There are no keys, and it is too early to try again.
    Unavailable,
}

impl RemoteKeySet {
    /// Decides for a token with that `kid`. A [`Plan::Fetch`] counts as an attempt: requests that come
    /// while it is under way use the keys there are, if there are any.
    pub fn plan(&mut self, key_id: Option<&str>, now: UnixMillis) -> Plan {
        self.plan_after(COOL_DOWN_SECS, key_id, now)
    }

    /// The same where so many seconds lie between two fetches that an unknown `kid` asks for.
    pub fn plan_after(
        &mut self,
        cool_down_secs: u64,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Plan {
        let Some(known) = self.known.as_ref().filter(|known| now < known.stale_until) else {
            let too_early = |last: UnixMillis| now.millis_since(last) < millis(RETRY_SECS);
            if self.last_failure.is_some_and(too_early) {
                return Plan::Unavailable;
            }
            self.under_way.retain(|begun| now.millis_since(*begun) < LOST_MILLIS);
            if self.under_way.len() >= FETCHES_AT_ONCE {
                let recent = |begun: &UnixMillis| now.millis_since(*begun) < WAIT_MILLIS;
                let soon = self.under_way.iter().any(recent);
                return if soon { Plan::Wait } else { Plan::Unavailable };
            }
            self.under_way.push(now);
            self.last_attempt = Some(now);
            return Plan::Fetch { etag: None, instead: None };
        };
        let fits = key_id.is_none_or(|kid| known.keys.answers_to(kid));
        let cooling = |last: UnixMillis| now.millis_since(last) < millis(cool_down_secs);
        if (now < known.fresh_until && fits) || self.last_attempt.is_some_and(cooling) {
            return Plan::Use(Rc::clone(&known.keys));
        }
        self.last_attempt = Some(now);
        Plan::Fetch { etag: known.etag.clone(), instead: Some(Rc::clone(&known.keys)) }
    }

    /// Takes fetched keys. `cache_control` is the header of the answer.
    pub fn fetched(
        &mut self,
        keys: KeySet,
        etag: Option<String>,
        cache_control: Option<&str>,
        now: UnixMillis,
    ) -> Rc<KeySet> {
        let keys = Rc::new(keys);
        self.known = Some(Known {
            keys: Rc::clone(&keys),
            etag,
            fetched_at: now,
            fresh_until: now,
            stale_until: now,
        });
        self.renew(cache_control, now);
        keys
    }

    /// Takes keys that another isolate has fetched, as of the time it did, unless those here are as
    /// new. What follows is [`RemoteKeySet::plan_with_cached`].
    pub fn cached(
        &mut self,
        keys: KeySet,
        etag: Option<String>,
        cache_control: Option<&str>,
        fetched_at: UnixMillis,
        now: UnixMillis,
    ) {
        // Another clock may be ahead; ours decides how long they last.
        let fetched_at = fetched_at.min(now);
        if self.known.as_ref().is_none_or(|known| known.fetched_at < fetched_at) {
            self.fetched(keys, etag, cache_control, fetched_at);
        }
    }

    /// Decides again after [`RemoteKeySet::cached`]: whether what is known now spares the fetch. It does
    /// if it is fresh, and has the key, or was fetched within [`COOL_DOWN_SECS`] by whomever: an unknown
    /// `kid` then costs all isolates together one fetch in that time.
    #[must_use]
    pub fn plan_with_cached(
        &self,
        cool_down_secs: u64,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Plan {
        let Some(known) = self.known.as_ref().filter(|known| now < known.stale_until) else {
            return Plan::Fetch { etag: None, instead: None };
        };
        let fits = key_id.is_none_or(|kid| known.keys.answers_to(kid));
        let cooling = now.millis_since(known.fetched_at) < millis(cool_down_secs);
        if now < known.fresh_until && (fits || cooling) {
            return Plan::Use(Rc::clone(&known.keys));
        }
        Plan::Fetch { etag: known.etag.clone(), instead: Some(Rc::clone(&known.keys)) }
    }

    /// Takes the answer that the keys are as they were (304). `None` if there are none, which no
    /// well-behaved server answers.
    pub fn not_modified(
        &mut self,
        cache_control: Option<&str>,
        now: UnixMillis,
    ) -> Option<Rc<KeySet>> {
        self.renew(cache_control, now);
        self.known.as_ref().map(|known| Rc::clone(&known.keys))
    }

    /// Until when the keys are believed without asking the issuer: a verdict that is kept must not outlive
    /// this, or a withdrawn key would go on to be trusted. `None` if there are no keys.
    #[must_use]
    pub fn fresh_until(&self) -> Option<UnixMillis> {
        self.known.as_ref().map(|known| known.fresh_until)
    }

    /// When the issuer last said that these are its keys. `None` if there are none.
    #[must_use]
    pub fn fetched_at(&self) -> Option<UnixMillis> {
        self.known.as_ref().map(|known| known.fetched_at)
    }

    /// Forgets the keys, and nothing else.
    pub fn forget(&mut self) {
        self.known = None;
    }

    /// One of the fetches under way, begun `then`, goes on with another request to the issuer: it is lost that much later.
    pub fn goes_on(&mut self, then: UnixMillis, now: UnixMillis) {
        if let Some(begun) = self.under_way.iter_mut().find(|begun| **begun == then) {
            *begun = now;
        }
    }

    /// Takes note that a fetch failed. `now` is the time at which it did, not at which it began: a host that is long in
    /// failing would be tried again at once.
    pub fn failed(&mut self, now: UnixMillis) {
        self.last_failure = Some(now);
        if !self.under_way.is_empty() {
            self.under_way.remove(0);
        }
    }

    fn renew(&mut self, cache_control: Option<&str>, now: UnixMillis) {
        self.last_failure = None;
        self.under_way.clear();
        if let Some(known) = &mut self.known {
            known.fetched_at = now;
            known.fresh_until = now.saturating_add(millis(fresh_secs(cache_control)));
            known.stale_until = known.fresh_until.saturating_add(millis(MAX_STALE_SECS));
        }
    }
}

/// Seconds of freshness by `Cache-Control` (RFC 9111 §5.2.2), within our bounds.
///
/// Of several `max-age` the first counts; one that is no number makes the keys stale at once (§4.2.1), which
/// is the lower bound here; one beyond what a number can hold is as long as can be (§1.2.2).
fn fresh_secs(cache_control: Option<&str>) -> u64 {
    let Some(text) = cache_control else { return DEFAULT_FRESH_SECS };
    let mut asked = None;
    for directive in directives(text) {
        match directive.split_once('=') {
            None => {
                let is = |name: &str| directive.eq_ignore_ascii_case(name);
                if is("no-store") || is("no-cache") {
                    return MIN_FRESH_SECS;
                }
            }
            Some((name, value)) => {
                if asked.is_none() && name.trim_end().eq_ignore_ascii_case("max-age") {
                    asked = Some(delta_seconds(value.trim_start()));
                }
            }
        }
    }
    asked.unwrap_or(DEFAULT_FRESH_SECS).clamp(MIN_FRESH_SECS, MAX_FRESH_SECS)
}

/// `delta-seconds` (RFC 9111 §1.2.2), also in quotes (§5.2). Anything else counts as 0.
fn delta_seconds(text: &str) -> u64 {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    bare.parse().unwrap_or(u64::MAX)
}

const fn millis(secs: u64) -> u64 {
    secs.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn keys() -> KeySet {
        KeySet::from_jwks(JWKS).unwrap()
    }

    const fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis(secs * 1000)
    }

    fn known(now: UnixMillis) -> RemoteKeySet {
        let mut set = RemoteKeySet::default();
        assert!(matches!(set.plan(None, now), Plan::Fetch { instead: None, .. }));
        set.fetched(keys(), Some("\"v1\"".into()), Some("max-age=300"), now);
        set
    }

    #[test]
    fn fresh_keys_are_used_without_a_fetch() {
        let mut set = known(at(1000));
        assert!(matches!(set.plan(Some("one"), at(1299)), Plan::Use(_)));
    }

    #[test]
    fn stale_keys_are_fetched_once_and_used_meanwhile() {
        let mut set = known(at(1000));
        let Plan::Fetch { etag, instead } = set.plan(Some("one"), at(1300)) else {
            panic!("expected a fetch");
        };
        assert_eq!(etag.as_deref(), Some("\"v1\""));
        assert!(instead.is_some());
        assert!(matches!(set.plan(Some("one"), at(1301)), Plan::Use(_)));
    }

    #[test]
    fn an_unknown_kid_fetches_at_most_once_in_the_cool_down() {
        let mut set = known(at(1000));
        assert!(matches!(set.plan(Some("two"), at(1010)), Plan::Use(_)));
        assert!(matches!(set.plan(Some("two"), at(1030)), Plan::Fetch { .. }));
        for second in 1031..1060 {
            assert!(matches!(set.plan(Some("three"), at(second)), Plan::Use(_)));
        }
        assert!(matches!(set.plan(Some("two"), at(1060)), Plan::Fetch { .. }));
    }

    #[test]
    fn keys_of_a_silent_issuer_end_after_a_day() {
        let mut set = known(at(1000));
        let end = 1000 + 300 + MAX_STALE_SECS;
        set.failed(at(end - 1));
        assert!(matches!(set.plan(Some("one"), at(end - 1)), Plan::Fetch { instead: Some(_), .. }));
        assert!(matches!(set.plan(Some("one"), at(end)), Plan::Unavailable));
        assert!(matches!(set.plan(Some("one"), at(end + 2)), Plan::Fetch { instead: None, .. }));
    }

    #[test]
    fn of_requests_on_a_cold_isolate_few_fetch_and_none_right_after_a_failure() {
        let mut set = RemoteKeySet::default();
        for _ in 0..FETCHES_AT_ONCE {
            assert!(matches!(set.plan(None, at(1)), Plan::Fetch { .. }));
        }
        for _ in 0..200 {
            assert!(matches!(set.plan(None, at(1)), Plan::Wait));
        }
        set.failed(at(1));
        assert!(matches!(set.plan(None, at(2)), Plan::Unavailable));
        assert!(matches!(set.plan(None, at(3)), Plan::Fetch { .. }));
    }

    #[test]
    fn a_silent_issuer_is_waited_for_by_few() {
        let mut set = RemoteKeySet::default();
        let fetches = (0..70).filter(|tenth| {
            let now = UnixMillis::from_millis(1_000 + tenth * 100);
            matches!(set.plan(None, now), Plan::Fetch { .. })
        });
        assert_eq!(fetches.count(), FETCHES_AT_ONCE);
        assert!(matches!(set.plan(None, at(3)), Plan::Unavailable), "nobody waits for long");
        // Requests that were cancelled bring nothing; they do not stand in the way for ever.
        assert!(matches!(set.plan(None, at(9)), Plan::Fetch { .. }));
    }

    #[test]
    fn keys_that_come_end_the_waiting() {
        let mut set = RemoteKeySet::default();
        while matches!(set.plan(None, at(1)), Plan::Fetch { .. }) {}
        set.fetched(keys(), None, None, at(1));
        assert!(matches!(set.plan(None, at(1)), Plan::Use(_)));
    }

    #[test]
    fn not_modified_renews_the_keys() {
        let mut set = known(at(1000));
        assert_eq!(set.fresh_until(), Some(at(1300)));
        assert!(set.not_modified(Some("max-age=300"), at(1300)).is_some());
        assert_eq!(set.fresh_until(), Some(at(1600)));
        assert!(matches!(set.plan(Some("one"), at(1599)), Plan::Use(_)));
        assert!(RemoteKeySet::default().not_modified(None, at(1)).is_none());
        assert_eq!(RemoteKeySet::default().fresh_until(), None);
    }

    #[test]
    fn keys_of_another_isolate_count_from_when_they_were_fetched() {
        let mut set = RemoteKeySet::default();
        set.cached(keys(), Some("\"v2\"".into()), Some("max-age=300"), at(900), at(1000));
        assert_eq!(set.fresh_until(), Some(at(1200)));
        assert!(matches!(
            set.plan_with_cached(COOL_DOWN_SECS, Some("one"), at(1199)),
            Plan::Use(_)
        ));
        let Plan::Fetch { etag, instead } =
            set.plan_with_cached(COOL_DOWN_SECS, Some("one"), at(1200))
        else {
            panic!("expected a fetch");
        };
        assert_eq!(etag.as_deref(), Some("\"v2\""));
        assert!(instead.is_some(), "while the issuer does not answer");
        let end = 1200 + MAX_STALE_SECS;
        assert!(matches!(
            set.plan_with_cached(COOL_DOWN_SECS, Some("one"), at(end)),
            Plan::Fetch { etag: None, instead: None }
        ));
    }

    #[test]
    fn older_keys_of_another_isolate_replace_nothing() {
        let mut set = known(at(1000));
        set.cached(keys(), None, Some("max-age=3600"), at(1000), at(1001));
        assert_eq!(set.fresh_until(), Some(at(1300)));
        set.cached(keys(), None, Some("max-age=3600"), at(1001), at(1001));
        assert_eq!(set.fresh_until(), Some(at(1001 + 3600)));
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_make_keys_last_longer() {
        let mut set = RemoteKeySet::default();
        set.cached(keys(), None, Some("max-age=300"), at(99_999), at(1000));
        assert_eq!(set.fresh_until(), Some(at(1300)));
    }

    #[test]
    fn an_unknown_kid_is_believed_unknown_while_another_isolate_cools_down() {
        let mut set = RemoteKeySet::default();
        assert!(matches!(set.plan(Some("two"), at(1000)), Plan::Fetch { .. }));
        set.cached(keys(), None, None, at(990), at(1000));
        assert!(matches!(
            set.plan_with_cached(COOL_DOWN_SECS, Some("two"), at(1000)),
            Plan::Use(_)
        ));
        assert!(matches!(
            set.plan_with_cached(COOL_DOWN_SECS, Some("two"), at(1020)),
            Plan::Fetch { .. }
        ));
    }

    #[test]
    fn cache_control_counts_within_bounds() {
        for (header, secs) in [
            (None, DEFAULT_FRESH_SECS),
            (Some("public, max-age=3600"), 3600),
            (Some("max-age=1"), MIN_FRESH_SECS),
            (Some("max-age=99999999999999999999"), MAX_FRESH_SECS),
            (Some("max-age=3600, max-age=7200"), 3600),
            (Some("max-age=-1"), MIN_FRESH_SECS),
            (Some("max-age=+3600"), MIN_FRESH_SECS),
            (Some("max-age="), MIN_FRESH_SECS),
            (Some("max-age"), DEFAULT_FRESH_SECS),
            (Some("s-maxage=1, max-age = 3600 "), 3600),
            (Some("ext=\"a, max-age=3600, no-store\""), DEFAULT_FRESH_SECS),
            (Some("ext=\"\\\", no-store\", max-age=3600"), 3600),
            (Some("ext=\"never closed, max-age=3600"), DEFAULT_FRESH_SECS),
            (Some("no-cache=\"Set-Cookie\", max-age=3600"), 3600),
            (Some("NO-CACHE"), MIN_FRESH_SECS),
            (Some("max-age=31536000"), MAX_FRESH_SECS),
            (Some("no-store, max-age=3600"), MIN_FRESH_SECS),
            (Some("Max-Age=\"120\""), 120),
            (Some("rubbish"), DEFAULT_FRESH_SECS),
        ] {
            assert_eq!(fresh_secs(header), secs, "{header:?}");
        }
    }
}
