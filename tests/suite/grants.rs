//! Tokens of providers: kept, used, refreshed once, ended. Each test is named for what has to hold.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use edgegate::error::{Error, StoreError};
use edgegate::grant::record::{
    FIRST_PAUSE_SECS, LEASE_SECS, LONGEST_PAUSE_SECS, MAX_GRANTS, Reconnect,
};
use edgegate::grant::seal::{Owner, SealedToken, TokenField};
use edgegate::grant::state::OwnerGrants;
use edgegate::grant::step::{
    EndGrants, FreshTokens, GrantEvent, GrantOutcome, GrantRefused, GrantStep, PutGrant,
    RefreshAnswer, RefreshFault, RefreshOrder, ResealToken, UseGrant,
};
use edgegate::guard::grants::{self, GrantHost, Grants, PATIENCE_MILLIS};
use edgegate::jose::algorithm::Algorithm;
use edgegate::login::token_answer::ProviderTokens;
use edgegate::secret::Secret;
use edgegate::session::ObjectName;
use edgegate::session::secrets::SessionSecrets;
use edgegate::store::grants::{GrantStore, MemoryGrants, SharedGrants};
use edgegate::store::key_ring::RingCrypto;
use edgegate::time::{UnixMillis, UnixTime};
use futures_util::future::join_all;

use super::gate::{NOW, a_moment, run};
use super::texts::Texts;

const START: i64 = 1_700_000_000;

fn token(text: &str) -> SealedToken {
    SealedToken { by: 1, text: text.to_owned() }
}

/// An owner with its writer, at a time that tests move.
struct World {
    state: OwnerGrants,
    now: i64,
}

fn put(account: &str, refresh: Option<&str>) -> PutGrant {
    PutGrant {
        // Tests of the rules of ends have another.
        began_at: UnixTime::from_secs(i64::MAX),
        provider: "slack".to_owned(),
        account: account.to_owned(),
        label: None,
        scopes: vec!["chat:write".to_owned()],
        access: token("a0"),
        refresh: refresh.map(token),
        expires_in_secs: Some(3600),
    }
}

fn fresh(number: u32) -> FreshTokens {
    FreshTokens {
        access: token(&format!("a{number}")),
        refresh: Some(token(&format!("r{number}"))),
        expires_in_secs: Some(3600),
        scopes: None,
    }
}

impl World {
    fn new() -> Self {
        Self { state: OwnerGrants::default(), now: START }
    }

    /// With a grant that has a refresh token.
    fn connected() -> Self {
        let mut world = Self::new();
        world.step(&GrantStep::Put(put("T1", Some("r0"))));
        world
    }

    /// The same, an hour later: the access token has ended.
    fn over() -> Self {
        let mut world = Self::connected();
        world.now += 3600;
        world
    }

    fn step(&mut self, step: &GrantStep) -> GrantOutcome {
        // As between an isolate and an object.
        let step = GrantStep::from_text(&step.to_text()).unwrap();
        let outcome = self.state.apply(&step, UnixTime::from_secs(self.now));
        assert_eq!(GrantOutcome::from_text(&outcome.to_text()).unwrap(), outcome);
        outcome
    }

    fn use_one(&mut self, account: Option<&str>) -> GrantOutcome {
        self.step(&GrantStep::Use(UseGrant {
            provider: "slack".to_owned(),
            account: account.map(str::to_owned),
            newest: 1,
        }))
    }

    #[track_caller]
    fn used(&mut self) -> String {
        self.use_one(None).token.expect("a token").access.text
    }

    #[track_caller]
    fn order(&mut self) -> RefreshOrder {
        self.use_one(None).order.expect("an order")
    }

    fn answer(&mut self, answer: RefreshAnswer) -> GrantOutcome {
        self.step(&GrantStep::Answer(answer))
    }

    #[track_caller]
    fn refused(&mut self, why: GrantRefused) {
        assert_eq!(self.use_one(None).refused, Some(why));
    }

    fn reconnect(&mut self) -> Option<Reconnect> {
        self.step(&GrantStep::List).grants[0].reconnect
    }

    /// The writer is evicted or restarted: what it had in memory is read again.
    fn restart(&mut self) {
        self.state.take_changes().unwrap();
        self.state = OwnerGrants::from_text(&self.state.to_text().unwrap()).unwrap();
    }
}

#[test]
fn a_fresh_token_is_used_and_nothing_is_written() {
    let mut world = World::connected();
    world.state.take_changes().unwrap();
    assert_eq!(world.used(), "a0");
    world.now += 3600 - 61;
    assert_eq!(world.used(), "a0");
    assert!(!world.state.has_changed().unwrap());
    world.now += 1;
    assert_eq!(world.order().refresh.text, "r0");
}

#[test]
fn one_order_at_expiry_and_the_others_wait() {
    let mut world = World::over();
    let order = world.order();
    for _ in 0..10 {
        let outcome = world.use_one(None);
        assert!(outcome.wait && outcome.order.is_none() && outcome.token.is_none());
    }
    // The lease outlives the writer's memory.
    world.restart();
    assert!(world.use_one(None).wait);
    let outcome = world.answer(order.answered(Ok(fresh(1))));
    assert_eq!(outcome.events, [GrantEvent::Refreshed]);
    world.restart();
    assert_eq!(world.used(), "a1");
}

#[test]
fn an_answer_without_refresh_token_keeps_the_one_before() {
    let mut world = World::over();
    let order = world.order();
    world.answer(order.answered(Ok(FreshTokens { refresh: None, ..fresh(1) })));
    world.now += 3600;
    assert_eq!(world.order().refresh.text, "r0");
}

#[test]
fn a_fault_of_the_network_keeps_the_grant_and_backs_off() {
    for fault in [RefreshFault::NoAnswer, RefreshFault::Unavailable, RefreshFault::Refused] {
        let mut world = World::over();
        let mut pause = FIRST_PAUSE_SECS;
        for _ in 0..12 {
            let order = world.order();
            world.answer(order.answered(Err(fault)));
            let outcome = world.use_one(None);
            assert_eq!(outcome.refused, Some(GrantRefused::Unavailable));
            assert_eq!(outcome.retry_after_secs, pause);
            world.now += i64::try_from(pause).unwrap();
            pause = (pause * 2).min(LONGEST_PAUSE_SECS);
        }
        let order = world.order();
        world.answer(order.answered(Ok(fresh(1))));
        assert_eq!(world.used(), "a1");
    }
}

#[test]
fn a_token_that_has_not_ended_is_used_while_the_provider_is_down() {
    let mut world = World::connected();
    world.now += 3600 - 30;
    let order = world.order();
    world.answer(order.answered(Err(RefreshFault::Unavailable)));
    assert_eq!(world.used(), "a0");
    world.now += 30;
    let order = world.order();
    world.answer(order.answered(Err(RefreshFault::Unavailable)));
    world.refused(GrantRefused::Unavailable);
}

#[test]
fn invalid_grant_ends_it_until_it_is_connected_again() {
    let mut world = World::over();
    let order = world.order();
    let outcome = world.answer(order.answered(Err(RefreshFault::Ended)));
    assert_eq!(outcome.events, [GrantEvent::Ended]);
    world.refused(GrantRefused::Reconnect);
    assert_eq!(world.reconnect(), Some(Reconnect::Ended));
    // No token is kept of it.
    assert!(!world.state.to_text().unwrap().contains("r0"));
    world.step(&GrantStep::Put(put("T1", Some("r9"))));
    assert_eq!(world.used(), "a0");
    assert_eq!(world.reconnect(), None);
}

#[test]
fn a_crash_is_counted_and_ends_nothing_by_itself() {
    let mut world = World::over();
    world.order();
    world.restart();
    world.now += i64::try_from(LEASE_SECS).unwrap() - 1;
    assert!(world.use_one(None).wait);
    world.now += 1;
    let outcome = world.use_one(None);
    assert_eq!(outcome.events, [GrantEvent::AnswerLost]);
    let order = outcome.order.unwrap();
    assert_eq!(world.step(&GrantStep::List).grants[0].lost, 1);
    // The provider had not rotated: all is well.
    let mut lucky = World { state: world.state.clone(), now: world.now };
    lucky.answer(order.answered(Ok(fresh(1))));
    assert_eq!(lucky.used(), "a1");
    assert_eq!(lucky.step(&GrantStep::List).grants[0].lost, 0);
    // It had.
    let outcome = world.answer(order.answered(Err(RefreshFault::Ended)));
    assert_eq!(outcome.events, [GrantEvent::EndedAfterLoss]);
    assert_eq!(world.reconnect(), Some(Reconnect::EndedAfterLoss));
}

#[test]
fn tokens_of_an_attempt_that_counted_as_lost_are_kept() {
    let mut world = World::over();
    let slow = world.order();
    world.now += i64::try_from(LEASE_SECS).unwrap();
    let second = world.order();
    // Used once: the second attempt is refused, before or after the first one's answer comes.
    for slow_is_first in [true, false] {
        let mut world = World { state: world.state.clone(), now: world.now };
        let (slow, second) =
            (slow.answered(Ok(fresh(1))), second.answered(Err(RefreshFault::Ended)));
        for answer in if slow_is_first { [slow, second] } else { [second, slow] } {
            world.answer(answer);
        }
        assert_eq!(world.used(), "a1", "{slow_is_first}");
    }
    // A fault of the first one says nothing of the second.
    let late = world.answer(slow.answered(Err(RefreshFault::Ended)));
    assert_eq!(late.refused, Some(GrantRefused::Stale));
    assert!(world.use_one(None).wait);
}

/// django-allauth#308, better-auth#2558: Google gives a refresh token at the first consent only.
#[test]
fn a_login_without_refresh_token_keeps_the_one_that_is_there() {
    let mut world = World::connected();
    world.now += 1800;
    world.step(&GrantStep::Put(put("T1", None)));
    world.now += 3600;
    assert_eq!(world.order().refresh.text, "r0");
}

#[test]
fn a_login_during_a_refresh_loses_no_token() {
    // Without a refresh token of its own: the answer has the newest.
    let mut world = World::over();
    let order = world.order();
    world.step(&GrantStep::Put(put("T1", None)));
    world.answer(order.answered(Ok(fresh(1))));
    world.now += 3600;
    assert_eq!(world.order().refresh.text, "r1");
    // With one: the answer is about the old ones.
    let mut world = World::over();
    let order = world.order();
    world.step(&GrantStep::Put(PutGrant { access: token("new"), ..put("T1", Some("r9")) }));
    let late = world.answer(order.answered(Ok(fresh(1))));
    assert_eq!(late.refused, Some(GrantRefused::Stale));
    assert_eq!(world.used(), "new");
    let late = world.answer(order.answered(Err(RefreshFault::Ended)));
    assert_eq!(late.refused, Some(GrantRefused::Stale));
    assert_eq!(world.used(), "new");
}

#[test]
fn invalid_grant_does_not_take_the_token_of_a_login_since() {
    let mut world = World::over();
    let order = world.order();
    world.now += 5;
    world.step(&GrantStep::Put(PutGrant { access: token("new"), ..put("T1", None) }));
    world.answer(order.answered(Err(RefreshFault::Ended)));
    assert_eq!(world.used(), "new");
    world.now += 3600;
    world.refused(GrantRefused::Reconnect);
}

#[test]
fn another_account_is_another_grant() {
    let mut world = World::connected();
    world.now += 1;
    world.step(&GrantStep::Put(PutGrant { access: token("b0"), ..put("T2", Some("s0")) }));
    assert_eq!(world.use_one(Some("T1")).token.unwrap().access.text, "a0");
    assert_eq!(world.used(), "b0", "the one that was connected last");
    world.now += 1;
    world.step(&GrantStep::Put(put("T1", Some("r1"))));
    world.restart();
    assert_eq!(world.used(), "a0");
    assert_eq!(world.use_one(Some("T3")).refused, Some(GrantRefused::NotConnected));
    assert_eq!(world.step(&GrantStep::List).grants.len(), 2);
}

#[test]
fn an_owner_has_20_grants_and_none_that_can_be_used_makes_room() {
    let mut world = World::new();
    for number in 0..MAX_GRANTS {
        world.step(&GrantStep::Put(put(&format!("T{number}"), Some("r0"))));
    }
    let more = GrantStep::Put(put("more", Some("r0")));
    assert_eq!(world.step(&more).refused, Some(GrantRefused::Full));
    // One that is there is connected again, and one that is of no use makes room.
    assert_eq!(world.step(&GrantStep::Put(put("T3", Some("r1")))).refused, None);
    world.now += 3600;
    let order = world.use_one(Some("T5")).order.unwrap();
    world.answer(order.answered(Err(RefreshFault::Ended)));
    assert_eq!(world.step(&more).refused, None);
    let accounts: Vec<String> =
        world.step(&GrantStep::List).grants.into_iter().map(|grant| grant.account).collect();
    assert_eq!(accounts.len(), MAX_GRANTS);
    assert!(!accounts.contains(&"T5".to_owned()) && accounts.contains(&"more".to_owned()));
}

#[test]
fn a_disconnected_grant_is_gone_and_its_answer_too() {
    let mut world = World::over();
    world.step(&GrantStep::Put(put("T2", Some("s0"))));
    let order = world.use_one(Some("T1")).order.unwrap();
    let end = EndGrants { provider: Some("slack".to_owned()), account: Some("T1".to_owned()) };
    let ended = world.step(&GrantStep::End(end)).ended;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].refresh, Some(token("r0")));
    let late = world.answer(order.answered(Ok(fresh(1))));
    assert_eq!(late.refused, Some(GrantRefused::Gone));
    assert_eq!(world.use_one(Some("T1")).refused, Some(GrantRefused::NotConnected));
    assert_eq!(world.used(), "a0", "the other one stays");
    assert_eq!(world.step(&GrantStep::End(EndGrants::default())).ended.len(), 1);
    assert_eq!(world.state.over_at(), Some(UnixTime::from_secs(world.now + 660)));
    world.restart();
    world.now += 660;
    assert!(world.state.is_over(UnixTime::from_secs(world.now)));
}

#[test]
fn an_account_that_was_being_connected_when_grants_ended_is_not_kept() {
    let of = |provider: Option<&str>, account: Option<&str>| {
        GrantStep::End(EndGrants {
            provider: provider.map(str::to_owned),
            account: account.map(str::to_owned),
        })
    };
    for (end, is_meant) in [
        (of(None, None), true),
        (of(Some("slack"), None), true),
        (of(Some("slack"), Some("T1")), true),
        (of(Some("slack"), Some(&"x".repeat(256))), true),
        (of(Some("slack"), Some("T2")), false),
        (of(Some("google"), None), false),
    ] {
        let mut world = World::new();
        let began_at = UnixTime::from_secs(world.now);
        world.now += 5;
        world.step(&end);
        world.restart();
        world.now += 590;
        let late = world.step(&GrantStep::Put(PutGrant { began_at, ..put("T1", Some("r0")) }));
        assert_eq!(late.refused, is_meant.then_some(GrantRefused::EndedSince), "{end:?}");
        // Nobody has its tokens.
        let ended: Vec<_> = late.ended.into_iter().map(|grant| grant.refresh).collect();
        assert_eq!(ended, if is_meant { vec![Some(token("r0"))] } else { vec![] });
        assert_eq!(world.use_one(None).token.is_some(), !is_meant);
    }
}

#[test]
fn an_account_is_connected_again_after_its_end() {
    let mut world = World::connected();
    world.step(&GrantStep::End(EndGrants::default()));
    let ended_at = UnixTime::from_secs(world.now);
    world.now += 1;
    let began_at = UnixTime::from_secs(world.now);
    let again = PutGrant { access: token("new"), began_at, ..put("T1", Some("r9")) };
    assert_eq!(world.step(&GrantStep::Put(again)).refused, None);
    // One that began before does not take its place, and the provider is told nothing.
    let late = PutGrant { began_at: ended_at, ..put("T1", Some("r0")) };
    let late = world.step(&GrantStep::Put(late));
    assert_eq!((late.refused, late.ended.len()), (Some(GrantRefused::EndedSince), 0));
    assert_eq!(world.used(), "new");
    assert_eq!(world.state.over_at(), None);
}

#[test]
fn many_ends_are_remembered_as_one() {
    let mut world = World::new();
    let began_at = UnixTime::from_secs(world.now);
    for number in 0..100 {
        let account = Some(format!("T{number}"));
        world.step(&GrantStep::End(EndGrants { provider: Some("slack".to_owned()), account }));
    }
    for account in ["T0", "T99"] {
        let late = world.step(&GrantStep::Put(PutGrant { began_at, ..put(account, None) }));
        assert_eq!(late.refused, Some(GrantRefused::EndedSince), "{account}");
    }
    assert!(world.state.to_text().unwrap().len() < 3000);
    // A clock that was put back does not shut anybody out.
    world.now -= 86_400;
    let began_at = UnixTime::from_secs(world.now);
    assert_eq!(world.step(&GrantStep::Put(PutGrant { began_at, ..put("T0", None) })).refused, None);
}

/// The new grant counts from where the old one stood: an answer to the old one must not be taken for its own.
#[test]
fn an_answer_for_a_grant_that_ended_does_not_reach_the_new_one_of_the_same_account() {
    let mut world = World::over();
    let order = world.order();
    world.step(&GrantStep::End(EndGrants::default()));
    world.now += 1;
    world.step(&GrantStep::Put(PutGrant { access: token("new"), ..put("T1", Some("r9")) }));
    for answer in [Ok(fresh(1)), Err(RefreshFault::Ended)] {
        let late = world.answer(order.answered(answer));
        assert_eq!(late.refused, Some(GrantRefused::Stale));
        assert_eq!(world.used(), "new");
    }
    world.now += 3600;
    assert_eq!(world.order().refresh.text, "r9");
}

#[test]
fn a_grant_without_refresh_token_ends_with_its_token() {
    let mut world = World::new();
    world.step(&GrantStep::Put(put("T1", None)));
    world.now += 3599;
    assert_eq!(world.used(), "a0");
    world.now += 1;
    assert_eq!(world.reconnect(), Some(Reconnect::Expired));
    world.refused(GrantRefused::Reconnect);
    // One of which no end is known has none (GitHub's OAuth apps, Slack without rotation).
    let mut world = World::new();
    world.step(&GrantStep::Put(PutGrant { expires_in_secs: None, ..put("T1", None) }));
    world.now += 100 * 365 * 86_400;
    assert_eq!(world.used(), "a0");
}

#[test]
fn short_tokens_do_not_make_each_request_a_refresh() {
    for life in [0, 1, 5, 30] {
        let mut world = World::over();
        let order = world.order();
        world.now += 10;
        world.answer(order.answered(Ok(FreshTokens { expires_in_secs: Some(life), ..fresh(1) })));
        world.now += 9;
        assert_eq!(world.used(), "a1", "{life}");
    }
}

/// Slow answers: what counts is when the provider made the token.
#[test]
fn the_life_of_a_token_is_counted_from_the_question() {
    let mut world = World::over();
    let order = world.order();
    world.now += 10;
    world.answer(order.answered(Ok(fresh(1))));
    world.now += 3600 - 60 - 10;
    world.order();
}

#[test]
fn a_clock_that_was_put_back_ends_no_grant_and_leaves_no_lease() {
    let mut world = World::over();
    world.order();
    world.now -= 10 * 86_400;
    assert_eq!(world.used(), "a0");
    world.now = START + 3600;
    world.restart();
    let order = world.use_one(None);
    assert!(order.wait);
    world.now += 86_400;
    let order = world.order();
    world.answer(order.answered(Err(RefreshFault::Unavailable)));
    world.now -= 86_300;
    world.order();
}

#[test]
fn a_token_is_sealed_anew_only_if_it_is_still_that_one() {
    let mut world = World::connected();
    let newest = |world: &mut World| {
        world.step(&GrantStep::Use(UseGrant {
            provider: "slack".to_owned(),
            account: None,
            newest: 2,
        }))
    };
    let used = newest(&mut world).token.unwrap();
    assert_eq!(used.refresh, Some(token("r0")), "both are to be sealed anew");
    let reseal = |field, was: &str| {
        GrantStep::Reseal(ResealToken {
            provider: "slack".to_owned(),
            account: "T1".to_owned(),
            field,
            was: token(was),
            now: SealedToken { by: 2, text: "new".to_owned() },
        })
    };
    assert_eq!(world.step(&reseal(TokenField::Access, "a0")).refused, None);
    let stale = world.step(&reseal(TokenField::Refresh, "older"));
    assert_eq!(stale.refused, Some(GrantRefused::Stale));
    assert!(newest(&mut world).token.unwrap().refresh.is_some());
    assert_eq!(world.step(&reseal(TokenField::Refresh, "r0")).refused, None);
    assert_eq!(newest(&mut world).token.unwrap().refresh, None);
}

#[test]
fn a_row_that_cannot_be_read_is_a_fault() {
    let mut world = World::connected();
    let rows = world.state.take_changes().unwrap();
    let [row] = rows.as_slice() else { panic!("one row") };
    let value = row.value.as_deref().unwrap();
    let name = row.name.as_str();
    assert!(OwnerGrants::from_rows([(name, value)]).is_ok());
    for (name, value) in [
        (name, value.replace(r#""v":1"#, r#""v":2"#)),
        (name, "{}".to_owned()),
        ("grant/other", value.to_owned()),
        // The row of an account under the name of another.
        (name, value.replace("T1", "T2")),
    ] {
        assert!(OwnerGrants::from_rows([(name, value.as_str())]).is_err(), "{name} {value}");
    }
}

#[test]
fn nothing_shows_a_token() {
    let mut world = World::connected();
    let outcome = world.use_one(None);
    assert!(!format!("{outcome:?} {:?}", world.state).contains("a0"), "{outcome:?}");
}

// ---- the same, at work ----

/// As [`run`], for what takes many moments.
fn run_long<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("a future waits for what never comes")
}

/// A provider whose refresh tokens are used once: a second use ends the whole family (RFC 9700 §4.14.2).
#[derive(Default)]
struct Rotating {
    generation: Cell<u32>,
    is_revoked: Cell<bool>,
    asked: Cell<u32>,
    revoked: RefCell<Vec<String>>,
    told: RefCell<Vec<GrantEvent>>,
    /// How many moments its answers take.
    moments: Cell<u32>,
    /// What it answers next, in place of tokens.
    fault: Cell<Option<RefreshFault>>,
    crypto: Crypto,
    now: Cell<u64>,
    /// What a pause moves the clock by, in milliseconds.
    pause_moves: Cell<bool>,
}

/// Seals by writing beside each other what belongs together.
#[derive(Default)]
struct Crypto;

fn beside(key: &Secret, with: &[u8]) -> String {
    edgegate::base64url::encode(&[key.expose_secret(), with].concat())
}

impl RingCrypto for Crypto {
    fn random(&self, _: &mut [u8]) -> Result<(), StoreError> {
        panic!("grants need no random bytes")
    }

    async fn generate(&self, _: Algorithm) -> Result<Secret, StoreError> {
        panic!("grants need no keys")
    }

    async fn seal(&self, key: &Secret, plain: &Secret, with: &[u8]) -> Result<String, StoreError> {
        a_moment().await;
        let plain = edgegate::base64url::encode(plain.expose_secret());
        Ok(format!("{}.{plain}", beside(key, with)))
    }

    async fn open(&self, key: &Secret, sealed: &str, with: &[u8]) -> Result<Secret, StoreError> {
        a_moment().await;
        let opened = sealed.strip_prefix(&format!("{}.", beside(key, with)));
        let opened = opened.ok_or_else(|| StoreError::new("sealed otherwise"))?;
        Ok(Secret::new(edgegate::base64url::decode(opened).unwrap()))
    }
}

fn provider_tokens(number: u32) -> ProviderTokens {
    ProviderTokens {
        access_token: format!("access-{number}"),
        expires_in_secs: Some(3600),
        refresh_token: Some(format!("refresh-{number}")),
        id_token: None,
        scopes: None,
        members: serde_json::Map::new(),
    }
}

impl GrantHost for Rotating {
    type Crypto = Crypto;

    fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    fn now(&self) -> UnixMillis {
        NOW.saturating_add(self.now.get())
    }

    async fn pause(&self, millis: u64) {
        if self.pause_moves.get() {
            self.now.set(self.now.get() + millis);
        }
        a_moment().await;
    }

    async fn refresh(
        &self,
        provider: &str,
        refresh_token: &Secret,
    ) -> Result<ProviderTokens, RefreshFault> {
        assert_eq!(provider, "slack");
        self.asked.set(self.asked.get() + 1);
        let known = format!("refresh-{}", self.generation.get());
        if refresh_token.expose_secret() != known.as_bytes() {
            self.is_revoked.set(true);
        }
        for _ in 0..self.moments.get() {
            a_moment().await;
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.is_revoked.get() {
            return Err(RefreshFault::Ended);
        }
        self.generation.set(self.generation.get() + 1);
        Ok(provider_tokens(self.generation.get()))
    }

    async fn revoke(&self, _: &str, token: &Secret) {
        let token = String::from_utf8(token.expose_secret().to_vec()).unwrap();
        self.revoked.borrow_mut().push(token);
    }

    fn tell(&self, event: GrantEvent) {
        self.told.borrow_mut().push(event);
    }
}

const OWNER: Owner<'_> = Owner { issuer: "https://gate.example/", subject: "google|1" };

fn secrets(ids: &[u8]) -> SessionSecrets {
    let secret = |id: &u8| (*id, Secret::new(vec![*id; 32]));
    SessionSecrets::new(ids.iter().map(secret).collect()).unwrap()
}

fn connect<S: GrantStore>(store: &S, host: &Rotating, secrets: &SessionSecrets) {
    let step = connect_step(host, secrets, 0);
    run(store.apply(&OWNER.object(), &step, host.now())).unwrap();
}

/// With these tokens, by a person who began it this moment.
fn connect_step(host: &Rotating, secrets: &SessionSecrets, number: u32) -> GrantStep {
    let tokens = provider_tokens(number);
    let step = run(grants::kept(
        (&host.crypto, secrets),
        OWNER,
        ("slack", "T1"),
        (&tokens, &["chat:write".to_owned()], Some("Acme")),
        host.now().to_unix_time().saturating_add(1),
    ));
    step.unwrap()
}

async fn use_token<S: GrantStore>(
    store: &S,
    host: &Rotating,
    secrets: &SessionSecrets,
) -> Result<String, Error> {
    let grants = Grants { store, host, secrets, owner: OWNER };
    let outcome = grants.usable("slack", None).await.unwrap();
    let with = (&host.crypto, secrets);
    let token = grants::token_of(with, OWNER, "slack", &outcome).await?;
    Ok(String::from_utf8(token.expose_secret().to_vec()).unwrap())
}

fn after_an_hour(host: &Rotating) {
    host.now.set(host.now.get() + 3_600_000);
}

#[test]
fn a_thousand_requests_at_expiry_ask_once() {
    let texts = Texts::default();
    let shared: Vec<_> = (0..16).map(|_| SharedGrants::new(&texts)).collect();
    let memory = MemoryGrants::default();
    ask_together(&memory, &vec![&memory; 1000]);
    ask_together(&shared[0], &shared.iter().cycle().take(160).collect::<Vec<_>>());
    assert!(texts.values.borrow().keys().all(|name| name.starts_with("grant/v1/")));
}

fn ask_together<S: GrantStore>(first: &S, stores: &[&S]) {
    let (host, secrets) = (Rotating::default(), secrets(&[1]));
    host.moments.set(50);
    connect(first, &host, &secrets);
    for round in 1..=3 {
        after_an_hour(&host);
        let stores = stores.iter();
        let all = run_long(join_all(stores.map(|store| use_token(*store, &host, &secrets))));
        for token in all {
            assert_eq!(token.unwrap(), format!("access-{round}"));
        }
        assert_eq!(host.asked.get(), round);
    }
}

#[test]
fn who_has_waited_long_enough_is_told_so_and_the_grant_stays() {
    let (store, host, secrets) = (MemoryGrants::default(), Rotating::default(), secrets(&[1]));
    connect(&store, &host, &secrets);
    after_an_hour(&host);
    host.moments.set(1_000);
    host.pause_moves.set(true);
    let mut asking = Box::pin(use_token(&store, &host, &secrets));
    for _ in 0..10 {
        assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(host.asked.get(), 1);
    let before = host.now.get();
    let waited = run(use_token(&store, &host, &secrets));
    let expected = "provider slack gives no fresh token in time".to_owned();
    assert_eq!(waited, Err(Error::Upstream { problem: expected }));
    assert!((PATIENCE_MILLIS..PATIENCE_MILLIS + 200).contains(&(host.now.get() - before)));
    assert_eq!(run(asking).unwrap(), "access-1", "the one who asked goes on");
    assert_eq!(run(use_token(&store, &host, &secrets)).unwrap(), "access-1");
    assert_eq!(host.asked.get(), 1);
}

#[test]
fn the_errors_that_callers_are_told() {
    let (store, host, secrets) = (MemoryGrants::default(), Rotating::default(), secrets(&[1]));
    let provider = || "slack".to_owned();
    let told = run(use_token(&store, &host, &secrets)).unwrap_err();
    assert_eq!(told, Error::NotConnected { provider: provider() });
    assert_eq!(told.code().as_str(), "CONNECT_REQUIRED");
    connect(&store, &host, &secrets);
    after_an_hour(&host);
    host.fault.set(Some(RefreshFault::Unavailable));
    let told = run(use_token(&store, &host, &secrets)).unwrap_err();
    assert_eq!(told.code().as_str(), "UPSTREAM_ERROR");
    host.now.set(host.now.get() + 1000);
    host.fault.set(Some(RefreshFault::Ended));
    let told = run(use_token(&store, &host, &secrets)).unwrap_err();
    assert_eq!(told, Error::ConnectionEnded { provider: provider() });
    assert_eq!(host.told.take(), [GrantEvent::Ended]);
}

#[test]
fn secrets_rotate_without_losing_a_grant() {
    let (store, host) = (MemoryGrants::default(), Rotating::default());
    connect(&store, &host, &secrets(&[1]));
    // The new secret is there, then the old one goes.
    assert_eq!(run(use_token(&store, &host, &secrets(&[1, 2]))).unwrap(), "access-0");
    let new = secrets(&[2]);
    assert_eq!(run(use_token(&store, &host, &new)).unwrap(), "access-0");
    after_an_hour(&host);
    assert_eq!(run(use_token(&store, &host, &new)).unwrap(), "access-1");
    assert_eq!(host.asked.get(), 1);
}

#[test]
fn a_grant_of_a_secret_that_is_gone_is_a_fault_and_is_kept() {
    let (store, host) = (MemoryGrants::default(), Rotating::default());
    connect(&store, &host, &secrets(&[1]));
    let fault = run(use_token(&store, &host, &secrets(&[2]))).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "store grants: a token of slack is sealed by secret 1, which is gone"
    );
    after_an_hour(&host);
    let gone = secrets(&[2]);
    let grants = Grants { store: &store, host: &host, secrets: &gone, owner: OWNER };
    assert!(run(grants.usable("slack", None)).is_err());
    assert_eq!(host.asked.get(), 0);
    // It is put back.
    host.now.set(host.now.get() + 1000);
    assert_eq!(run(use_token(&store, &host, &secrets(&[1, 2]))).unwrap(), "access-1");
}

#[test]
fn a_token_that_was_moved_to_another_owner_does_not_open() {
    let (store, host, secrets) = (MemoryGrants::default(), Rotating::default(), secrets(&[1]));
    connect(&store, &host, &secrets);
    let use_it = GrantStep::Use(UseGrant { provider: "slack".into(), account: None, newest: 1 });
    let outcome = run(store.apply(&OWNER.object(), &use_it, host.now())).unwrap();
    let thief = Owner { subject: "google|2", ..OWNER };
    let with = (&host.crypto, &secrets);
    assert!(run(grants::token_of(with, OWNER, "slack", &outcome)).is_ok());
    assert!(run(grants::token_of(with, thief, "slack", &outcome)).is_err());
}

/// A store in whose way something comes.
struct Between<'s> {
    store: &'s MemoryGrants,
    /// Steps that come before an answer does.
    before_answer: RefCell<Vec<GrantStep>>,
    /// So many answers cannot be stored.
    fails: Cell<u32>,
}

impl<'s> Between<'s> {
    fn new(store: &'s MemoryGrants, before_answer: Vec<GrantStep>) -> Self {
        Self { store, before_answer: RefCell::new(before_answer), fails: Cell::new(0) }
    }
}

impl GrantStore for Between<'_> {
    async fn apply(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
        now: UnixMillis,
    ) -> Result<GrantOutcome, StoreError> {
        if matches!(step, GrantStep::Answer(_)) {
            if self.fails.get() > 0 {
                self.fails.set(self.fails.get() - 1);
                return Err(StoreError::new("no answer"));
            }
            for step in self.before_answer.take() {
                self.store.apply(owner, &step, now).await?;
            }
        }
        self.store.apply(owner, step, now).await
    }
}

#[test]
fn tokens_that_come_after_the_end_are_revoked() {
    let (store, host, secrets) = (MemoryGrants::default(), Rotating::default(), secrets(&[1]));
    connect(&store, &host, &secrets);
    after_an_hour(&host);
    let store = Between::new(&store, vec![GrantStep::End(EndGrants::default())]);
    let told = run(use_token(&store, &host, &secrets)).unwrap_err();
    assert_eq!(told, Error::NotConnected { provider: "slack".to_owned() });
    assert_eq!(host.revoked.take(), ["refresh-1"]);
}

/// With a token many providers end all that the account has given, so also what has just come.
#[test]
fn tokens_that_come_after_the_account_was_connected_again_are_not_revoked() {
    let (store, host, secrets) = (MemoryGrants::default(), Rotating::default(), secrets(&[1]));
    connect(&store, &host, &secrets);
    after_an_hour(&host);
    let end = GrantStep::End(EndGrants::default());
    for mut steps in [vec![], vec![end]] {
        host.generation.set(0);
        steps.push(connect_step(&host, &secrets, 9));
        let between = Between::new(&store, steps);
        assert_eq!(run(use_token(&between, &host, &secrets)).unwrap(), "access-9");
        assert_eq!(host.revoked.take(), Vec::<String>::new());
        connect(&store, &host, &secrets);
        after_an_hour(&host);
    }
}

#[test]
fn fresh_tokens_are_stored_before_use_and_a_store_that_stumbles_loses_none() {
    let (memory, host, secrets) =
        (Rc::new(MemoryGrants::default()), Rotating::default(), secrets(&[1]));
    connect(&*memory, &host, &secrets);
    after_an_hour(&host);
    let store = Between::new(&memory, Vec::new());
    store.fails.set(2);
    assert_eq!(run(use_token(&store, &host, &secrets)).unwrap(), "access-1");
    after_an_hour(&host);
    // It does not come back: nobody gets the tokens that are not kept.
    store.fails.set(3);
    let grants = Grants { store: &store, host: &host, secrets: &secrets, owner: OWNER };
    assert!(run(grants.usable("slack", None)).is_err());
}
