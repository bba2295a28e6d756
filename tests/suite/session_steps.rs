//! What happens to a subject, step by step: the races of sessions, each named for what has to hold.

use crate::{gate::run, texts::Texts};
use edgegate::{
    error::Error,
    secret::Secret,
    session::{
        BrowserName, ObjectName, Opaque, Place, ProviderSession, Salt, SessionId, TicketHash,
        record::{Device, LoginRow, Opening},
        secrets::SessionSecrets,
        state::{MAX_SESSIONS, Paces, SubjectState},
        step::{
            Acknowledge, Asked, Carried, Confirm, Disable, End, Grant, Machine, Narrow, NewSession,
            OPENINGS, OPENINGS_SECS, Open, Outcome, PutTicket, Redeem, Refresh, Refused, Reuse,
            SessionEvent, Step, StepUp, Terms, Which,
        },
        token::{RefreshToken, Ticket},
    },
    store::sessions::SharedSessions,
    time::{UnixMillis, UnixTime},
};
use proptest::prelude::*;

const START: i64 = 1_700_000_000;
const TERMS: Terms =
    Terms { access_secs: 900, idle_secs: 604_800, absolute_secs: 2_592_000, recheck_secs: 86_400 };
const DAY: i64 = 86_400;

/// A subject with its writer, at a time that tests move.
struct World {
    state: SubjectState,
    paces: Paces,
    now: i64,
}

fn opening(sub: &str) -> Opening {
    Opening {
        sub: sub.to_owned(),
        scopes: vec!["read:posts".to_owned(), "repo".to_owned()],
        remember: true,
        ..Opening::default()
    }
}

fn new_session(number: u8) -> NewSession {
    NewSession {
        id: SessionId::from_bytes([number; 12]),
        salt: Salt::from_bytes([number ^ 0xff; 8]),
        key_id: 1,
        device: Device::default(),
        place: None,
        browser: None,
        begun_at: None,
        terms: TERMS,
    }
}

fn refresh_of(grant: &Grant) -> Refresh {
    Refresh {
        id: grant.id,
        generation: grant.generation,
        salt: grant.salt,
        carried: Carried::Body,
        client: None,
        jkt: None,
        scopes: None,
        audience: None,
        reuse: Reuse::Confirmed,
        grace_secs: 0,
        key_id: 1,
        place: None,
        providers: None,
        terms: TERMS,
    }
}

impl World {
    fn new() -> Self {
        Self { state: SubjectState::default(), paces: Paces::default(), now: START }
    }

    /// With a session of alice's.
    fn with_session() -> (Self, Grant) {
        let mut world = Self::new();
        let grant = world.open(1).granted().unwrap().clone();
        (world, grant)
    }

    fn time(&self) -> UnixTime {
        UnixTime::from_secs(self.now)
    }

    fn step(&mut self, step: &Step) -> Outcome {
        // As between an isolate and an object.
        let step = Step::from_text(&step.to_text()).unwrap();
        let now = UnixMillis::from_unix_time(self.time());
        let outcome = self.state.apply(&step, &mut self.paces, now);
        assert_eq!(Outcome::from_text(&outcome.to_text()).unwrap(), outcome);
        outcome
    }

    /// The writer is evicted or restarted: what it had in memory is read again.
    fn restart(&mut self) {
        self.state.take_changes().unwrap();
        let text = self.state.to_text().unwrap();
        self.state = SubjectState::from_text(&text).unwrap();
        self.paces = Paces::default();
    }

    fn open(&mut self, number: u8) -> Outcome {
        self.step(&Step::Open(Open { opening: opening("alice"), new: new_session(number) }))
    }

    fn after(&mut self, secs: i64) -> &mut Self {
        self.now += secs;
        self
    }

    fn refresh(&mut self, grant: &Grant) -> Result<Grant, Refused> {
        self.refresh_with(&refresh_of(grant))
    }

    fn refresh_by_cookie(&mut self, grant: &Grant) -> Result<Grant, Refused> {
        self.refresh_with(&Refresh { carried: Carried::Cookie, ..refresh_of(grant) })
    }

    fn refresh_with(&mut self, step: &Refresh) -> Result<Grant, Refused> {
        let outcome = self.step(&Step::Refresh(step.clone()));
        match outcome.refused {
            Some(refused) => Err(refused),
            None => Ok(*outcome.grant.unwrap()),
        }
    }

    /// Tells that the access token of this grant is in use.
    fn use_token(&mut self, grant: &Grant) -> bool {
        let (generation, iat, repeats) = (grant.generation, grant.iat, grant.repeats);
        self.step(&Step::Confirm(Confirm { id: grant.id, generation, iat, repeats })).confirmed
    }
}

// ---- the guarantee ----

#[test]
fn a_lost_answer_is_given_again_byte_for_byte() {
    let (mut world, first) = World::with_session();
    let secrets = secrets(&[1]);
    let object = ObjectName::of("https://gate/", "alice");
    let text = |grant: &Grant| grant.refresh_token(object).seal(&secrets).unwrap();
    let lost = world.after(900).refresh(&first).unwrap();
    for secs in [1, 10, 3600, 8 * 3600] {
        let again = world.after(secs).refresh(&first).unwrap();
        assert_eq!(text(&again), text(&lost));
        assert_eq!(again.iat, world.time(), "a fresh access token");
    }
    // And after the secret was rotated meanwhile.
    let rotated = world.refresh_with(&Refresh { key_id: 2, ..refresh_of(&first) }).unwrap();
    assert_eq!(text(&rotated), text(&lost));
}

#[test]
fn used_again_after_its_successor_was_seen_in_use_it_ends_the_session() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    assert!(world.after(30).use_token(&second));
    let outcome = world.after(900).step(&Step::Refresh(refresh_of(&first)));
    assert_eq!(outcome.refused, Some(Refused::Reused));
    assert_eq!(outcome.events, [SessionEvent::RefreshReused]);
    assert_eq!(outcome.ended, [first.id]);
    assert_eq!(outcome.notices.len(), 1);
    assert_eq!(outcome.check(), Err(Error::RefreshTokenReused));
    assert_eq!(world.refresh(&second).unwrap_err(), Refused::Ended);
}

/// 1: isolates' clocks decide nothing.
#[test]
fn race_1_thirty_seconds_are_counted_by_the_writers_clock_alone() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    assert_eq!((second.iat, second.exp), (world.time(), world.time().saturating_add(900)));
    // A fast isolate thinks that a token of one second is a minute old, and tells.
    for secs in [1, 28] {
        assert!(!world.after(secs).use_token(&second), "too early");
        assert_eq!(world.refresh(&first).map(|grant| grant.generation), Ok(1));
    }
    assert!(world.after(1).use_token(&second));
    // What it says of `iat` beyond the clock of the writer does not help either.
    let later = Grant { iat: world.time().saturating_add(60), ..second };
    assert!(world.use_token(&later), "known already");
}

/// 2: a thief who uses only fresh tokens, and asks again with the old refresh token for the next.
#[test]
fn race_2_repeats_cannot_keep_the_window_open() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    let mut rounds = 0;
    loop {
        world.after(29);
        match world.refresh(&first) {
            Ok(fresh) => {
                world.after(1).use_token(&fresh);
                rounds += 1;
            }
            Err(refused) => {
                assert_eq!(refused, Refused::Reused);
                break;
            }
        }
        assert!(rounds < 10, "never found");
    }
    // Less than five minutes of access.
    assert!(rounds <= 9, "{rounds}");
}

/// 2: an honest client that repeats close together is not counted.
#[test]
fn race_2_repeats_within_thirty_seconds_count_once() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    for _ in 0..20 {
        assert_eq!(world.after(1).refresh(&first).unwrap().repeats, 0);
    }
    assert_eq!(world.after(10).refresh(&first).unwrap().repeats, 1);
    for _ in 0..20 {
        assert_eq!(world.after(1).refresh(&first).unwrap().repeats, 1);
    }
    assert_eq!(world.after(10).refresh(&first).unwrap().repeats, 2);
}

/// 2: from another network than the first, it is an event.
#[test]
fn race_2_a_repeat_from_elsewhere_is_an_event() {
    let (mut world, first) = World::with_session();
    let from =
        |number| Refresh { place: Some(Place::from_bytes([number; 8])), ..refresh_of(&first) };
    world.after(900).refresh_with(&from(1)).unwrap();
    let same = world.step(&Step::Refresh(from(1)));
    assert_eq!(same.events, []);
    let other = world.step(&Step::Refresh(from(2)));
    assert_eq!(other.events, [SessionEvent::RefreshShared]);
}

/// 3: clients whose tokens the gate never sees.
#[test]
fn race_3_with_grace_a_successor_counts_as_confirmed_after_a_while() {
    let (mut world, first) = World::with_session();
    let step = Refresh { reuse: Reuse::Grace, grace_secs: 300, ..refresh_of(&first) };
    world.after(900).refresh_with(&step).unwrap();
    assert!(world.after(299).refresh_with(&step).is_ok());
    assert_eq!(world.after(1).refresh_with(&step).unwrap_err(), Refused::Reused);
}

#[test]
fn race_3_of_many_holders_each_may_be_behind() {
    let (mut world, first) = World::with_session();
    let many = |grant: &Grant| Refresh { reuse: Reuse::Many, ..refresh_of(grant) };
    let mut last = first.clone();
    for _ in 0..5 {
        last = world.after(900).refresh_with(&many(&last)).unwrap();
        world.after(60).use_token(&last);
    }
    let behind = world.refresh_with(&many(&first)).unwrap();
    assert_eq!(behind.generation, last.generation);
}

/// 5: an interceptor refreshes again at once, on an upstream's own 401.
#[test]
fn race_5_a_young_generation_is_not_rotated_again() {
    let (mut world, first) = World::with_session();
    // The first is exempt: it was never refreshed.
    let second = world.refresh(&first).unwrap();
    assert_eq!(second.generation, 1);
    for _ in 0..3 {
        let same = world.after(9).refresh(&second).unwrap();
        assert_eq!((same.generation, same.iat), (1, world.time()));
        // The tab that was still on its way is one behind, not two.
        assert!(world.refresh(&first).is_ok());
    }
    assert_eq!(world.after(30).refresh(&second).unwrap().generation, 2);
}

/// 5: the answer was lost, the retry got it again, and only then somebody refreshes twice.
#[test]
fn race_5_nor_is_one_that_was_given_again_a_moment_ago() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    let second = world.after(29).refresh(&first).unwrap();
    let same = world.after(2).refresh(&second).unwrap();
    assert_eq!(same.generation, 1);
    assert!(world.after(1).refresh(&first).is_ok(), "not two behind");
}

/// 5: a thief who refreshes every few seconds does not keep the generation as it is.
#[test]
fn race_5_who_refreshes_all_the_time_is_rotated_all_the_same() {
    let (mut world, first) = World::with_session();
    let second = world.refresh(&first).unwrap();
    let generations: Vec<u32> =
        (0..10).map(|_| world.after(10).refresh(&second).unwrap().generation).collect();
    assert_eq!(generations[..3], [1, 1, 2]);
}

/// 6: a phone in a tunnel.
#[test]
fn race_6_a_cookie_that_was_on_its_way_is_refused_and_nothing_ends() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh_by_cookie(&first).unwrap();
    world.after(31).use_token(&second);
    assert_eq!(world.after(88).refresh_by_cookie(&first).unwrap_err(), Refused::Superseded);
    assert!(world.state.notices().is_empty());
    assert!(world.refresh_by_cookie(&second).is_ok());
    // That one made the next generation. So the first is two behind now, and was replaced 119 s ago.
    assert_eq!(world.refresh_by_cookie(&first).unwrap_err(), Refused::Superseded);
    assert_eq!(world.after(1).refresh_by_cookie(&first).unwrap_err(), Refused::Reused);
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh_by_cookie(&first).unwrap();
    world.after(31).use_token(&second);
    assert_eq!(world.after(89).refresh_by_cookie(&first).unwrap_err(), Refused::Reused);
}

/// 6, found by the simulator: the first answer was lost, and who repeats later gets the generation only then.
#[test]
fn race_6_the_time_on_the_way_counts_from_when_it_was_last_given() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh_by_cookie(&first).unwrap();
    let second = world.after(900).refresh_by_cookie(&first).unwrap();
    assert!(world.after(40).use_token(&second));
    // It left together with the one that repeated, 55 s ago.
    assert_eq!(world.after(15).refresh_by_cookie(&first).unwrap_err(), Refused::Superseded);
    assert_eq!(world.after(64).refresh_by_cookie(&first).unwrap_err(), Refused::Superseded);
    assert_eq!(world.after(1).refresh_by_cookie(&first).unwrap_err(), Refused::Reused);
}

/// 6: in a body there are no stragglers.
#[test]
fn race_6_in_a_body_it_is_theft_at_once() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    world.after(31).use_token(&second);
    assert_eq!(world.refresh(&first).unwrap_err(), Refused::Reused);
}

/// 8: who repeats shortly before the idle end was active, and goes on.
#[test]
fn race_8_repeats_move_the_idle_end_and_nothing_moves_the_absolute_one() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    let again = world.after(7 * DAY - 60).refresh(&first).unwrap();
    assert_eq!(again.absolute_until, second.absolute_until);
    assert_eq!(world.after(6 * DAY).refresh(&again).map(|grant| grant.generation), Ok(2));
    world.after(30 * DAY);
    assert_eq!(world.refresh(&again).unwrap_err(), Refused::Ended);
}

/// 8: and such a write happens at most once in the life of an access token.
#[test]
fn race_8_repeats_write_no_more_than_they_have_to() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    world.state.take_changes().unwrap();
    let mut writes = 0;
    for _ in 0..899 {
        world.after(1).refresh(&first).unwrap();
        writes += world.state.take_changes().unwrap().len();
    }
    // The repeats that are counted, each 30 s.
    assert!(writes <= 30, "{writes}");
}

#[test]
fn idle_and_absolute_end_a_session_without_notice() {
    let (mut world, first) = World::with_session();
    world.after(7 * DAY);
    assert_eq!(world.refresh(&first).unwrap_err(), Refused::Ended);
    assert!(world.state.notices().is_empty(), "its tokens ended long before");
    let (mut world, mut grant) = World::with_session();
    for _ in 0..29 {
        grant = world.after(DAY).refresh(&grant).unwrap();
    }
    let last = world.after(DAY - 100).refresh(&grant).unwrap();
    assert_eq!(last.exp.secs_since(last.iat), 100, "no token outlives the session");
    assert_eq!(world.after(100).refresh(&last).unwrap_err(), Refused::Ended);
}

/// A policy that was tightened holds at once; one that was loosened revives nothing.
#[test]
fn terms_of_today_can_only_shorten() {
    let (mut world, first) = World::with_session();
    let with = |grant: &Grant, terms| Refresh { terms, ..refresh_of(grant) };
    let second = world.after(900).refresh(&first).unwrap();
    world.after(7 * DAY);
    let looser = Terms { idle_secs: 30 * 86_400, absolute_secs: 90 * 86_400, ..TERMS };
    assert_eq!(world.refresh_with(&with(&second, looser)).unwrap_err(), Refused::Ended);
    let (mut world, first) = World::with_session();
    let tighter = Terms { idle_secs: 1800, ..TERMS };
    world.after(1800);
    assert_eq!(world.refresh_with(&with(&first, tighter)).unwrap_err(), Refused::Ended);
    assert!(world.state.notices().is_empty());
    // Where tokens lived longer before, one of them may still be about.
    let (mut world, first) = World::with_session();
    let long = Terms { access_secs: 3600, ..TERMS };
    let second = world.after(60).refresh_with(&with(&first, long)).unwrap();
    world.after(1800);
    assert_eq!(world.refresh_with(&with(&second, tighter)).unwrap_err(), Refused::Ended);
    assert_eq!(world.state.notices().len(), 1);
}

/// A session of a login with `corp`, and the access to it by a policy with these providers.
fn with_login(providers: &[&str]) -> (World, Grant, impl Fn(&Grant, Terms) -> Refresh) {
    let mut world = World::new();
    let at = world.time();
    let login = Some(LoginRow { provider: "corp".to_owned(), at, session: None });
    let opening = Opening { login, ..opening("corp|alice") };
    let outcome = world.step(&Step::Open(Open { opening, new: new_session(1) }));
    let providers: Vec<String> = providers.iter().map(|&id| id.to_owned()).collect();
    let with = move |grant: &Grant, terms| {
        let providers = Some(providers.clone());
        Refresh { providers, terms, carried: Carried::Cookie, ..refresh_of(grant) }
    };
    (world, outcome.granted().unwrap().clone(), with)
}

/// What the provider said is a day old then: who was put off a list, or is known no more, is let in no more.
#[test]
fn whoever_logged_in_has_to_log_in_again_after_recheck_secs() {
    let (mut world, first, with) = with_login(&["corp"]);
    let second = world.after(DAY - 300).refresh_with(&with(&first, TERMS)).unwrap();
    assert_eq!(second.exp.secs_since(second.iat), 300, "no token outlives it");
    assert_eq!(second.ends_at.as_secs(), START + DAY);
    assert_eq!(world.after(300).refresh_with(&with(&second, TERMS)).unwrap_err(), Refused::Ended);
    assert!(world.step(&Step::List).sessions.is_empty(), "it has ended");
    // The policy of today counts, and step-up leaves the time of the first login.
    let (mut world, first, with) = with_login(&["corp"]);
    let shorter = Terms { recheck_secs: 3600, ..TERMS };
    let second = step_up_by_login(world.after(1800), &first);
    assert_eq!(
        world.after(1800).refresh_with(&with(&second, shorter)).unwrap_err(),
        Refused::Ended
    );
    // A session of no login is none of it.
    let (mut world, first) = World::with_session();
    assert!(world.after(2 * DAY).refresh_with(&with(&first, TERMS)).is_ok());
}

/// Step-up, proven by a login by the clock of an isolate that is a minute ahead.
fn step_up_by_login(world: &mut World, first: &Grant) -> Grant {
    let at = world.time().saturating_add(60);
    let login = Some(LoginRow { provider: "corp".to_owned(), at, session: None });
    let (id, new, amr) = (first.id, new_session(2), vec!["otp".to_owned()]);
    let step = StepUp { id, new, amr, acr: None, auth_time: None, login };
    *world.step(&Step::StepUp(step)).grant.unwrap()
}

#[test]
fn a_session_of_no_login_lives_on_after_one_has_proven_more() {
    let (mut world, first) = World::with_session();
    let second = step_up_by_login(world.after(2 * DAY), &first);
    assert_eq!(second.ends_at.as_secs(), START + 3 * DAY);
    assert!(world.after(DAY - 1).refresh(&second).is_ok());
    assert_eq!(world.after(1).refresh(&second).unwrap_err(), Refused::Ended);
}

#[test]
fn a_login_ends_with_its_provider() {
    let (mut world, first, with) = with_login(&["other"]);
    assert_eq!(world.after(60).refresh_with(&with(&first, TERMS)).unwrap_err(), Refused::Ended);
    assert_eq!(world.state.notices().len(), 1, "its tokens end with it");
    let (mut world, first, with) = with_login(&["other", "corp"]);
    assert!(world.after(60).refresh_with(&with(&first, TERMS)).is_ok());
    let (mut world, first) = World::with_session();
    assert!(world.after(60).refresh_with(&with(&first, TERMS)).is_ok(), "of no login");
}

#[test]
fn a_session_that_is_not_to_be_remembered_lives_a_day() {
    let mut world = World::new();
    let opening = Opening { remember: false, ..opening("alice") };
    let outcome = world.step(&Step::Open(Open { opening, new: new_session(1) }));
    let grant = outcome.granted().unwrap().clone();
    assert_eq!(grant.absolute_until.as_secs(), START + DAY);
    world.after(DAY);
    assert_eq!(world.refresh(&grant).unwrap_err(), Refused::Ended);
}

/// 9: an isolate signs after the go-ahead, and `access_secs` was lowered since.
#[test]
fn race_9_what_has_ended_is_remembered_for_the_longest_token_there_was() {
    let (mut world, first) = World::with_session();
    let long = Terms { access_secs: 3600, ..TERMS };
    let second = world.after(900).refresh_with(&Refresh { terms: long, ..refresh_of(&first) });
    let second = second.unwrap();
    let third = world.after(60).refresh(&second).unwrap();
    assert_eq!(third.expires_in(), 900);
    let outcome = world.step(&Step::End(End::of(Which::One, first.id)));
    assert_eq!(outcome.notices[0].until, world.time().saturating_add(3600 + 120));
}

/// 10: ending the others leaves one's own alone.
#[test]
fn race_10_others_end_by_their_names_and_mine_goes_on() {
    let (mut world, mine) = World::with_session();
    for number in 2..5 {
        world.open(number).granted().unwrap();
    }
    let outcome = world.step(&Step::End(End::of(Which::Others, mine.id)));
    assert_eq!(outcome.ended.len(), 3);
    assert!(outcome.notices.iter().all(|notice| notice.sid.is_some() && notice.before.is_none()));
    assert!(world.refresh(&mine).is_ok());
    assert!(world.open(9).granted().is_ok(), "and a new log-in is not caught by it");
}

/// 10: after a cut-off, tokens are issued from it on.
#[test]
fn race_10_a_session_that_is_opened_after_a_cut_off_is_not_caught_by_it() {
    let (mut world, _) = World::with_session();
    let disabled = world.step(&disable());
    let before = disabled.notices.iter().find_map(|notice| notice.before).unwrap();
    world.step(&Step::Enable);
    let grant = world.open(2).granted().unwrap().clone();
    assert!(grant.iat >= before, "{:?} {before:?}", grant.iat);
}

/// 12: "logged out" is true once it is known; until then it is repeated, whatever dies.
#[test]
fn race_12_a_notice_stays_until_it_is_acknowledged() {
    let (mut world, first) = World::with_session();
    let outcome = world.step(&Step::End(End::of(Which::One, first.id)));
    let notices = outcome.notices;
    for _ in 0..3 {
        world.restart();
        assert_eq!(world.state.notices(), notices);
        assert!(!world.state.is_empty(world.time()));
        assert_eq!(world.state.wakes_at(), Some(world.time()));
    }
    let step = Step::Acknowledge(Acknowledge { notices });
    world.step(&step);
    assert!(world.state.notices().is_empty());
    world.step(&step);
    world.after(OPENINGS_SECS.cast_signed());
    assert!(world.state.is_empty(world.time()));
}

/// 12: the disabled flag outlives everything else.
#[test]
fn race_12_a_disabled_subject_is_never_forgotten() {
    let (mut world, _) = World::with_session();
    let notices = world.step(&disable()).notices;
    world.step(&Step::Acknowledge(Acknowledge { notices }));
    world.after(400 * DAY);
    world.step(&Step::Sweep);
    world.step(&Step::Forget);
    assert!(!world.state.is_empty(world.time()));
    world.restart();
    assert_eq!(world.open(2).refused, Some(Refused::Disabled));
}

/// 14: a store that was put back logs nobody out.
/// A writer that is woken and finds nothing to do must not be due again at once.
#[test]
fn after_a_sweep_nothing_is_due_but_what_is_still_to_come() {
    let mut world = World::new();
    world.open(1);
    let notices = world.step(&disable()).notices;
    world.step(&Step::Acknowledge(Acknowledge { notices }));
    let mut wakes = 0;
    while let Some(at) = world.state.wakes_at() {
        let wait = at.as_secs() - world.time().as_secs();
        assert!(wait > 0, "due at once after {wakes} sweeps");
        world.after(wait).step(&Step::Sweep);
        wakes += 1;
    }
    assert!(wakes <= 3 && world.state.is_disabled());
}

#[test]
fn race_14_a_genuine_token_ahead_of_its_row_moves_the_row_up() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    world.restart();
    let backup = world.state.to_text().unwrap();
    let third = world.after(900).refresh(&second).unwrap();
    let fourth = world.after(900).refresh(&third).unwrap();
    world.state = SubjectState::from_text(&backup).unwrap();
    let outcome = world.after(900).step(&Step::Refresh(refresh_of(&fourth)));
    assert_eq!(outcome.events, [SessionEvent::StoreBehind]);
    assert_eq!(outcome.granted().unwrap().generation, 4);
    // One that has ended never comes back, and one that is not there neither.
    world.step(&Step::End(End::all()));
    assert_eq!(world.refresh(&fourth).unwrap_err(), Refused::Ended);
}

/// 16: one a second, 200 at once; beyond it is "too fast", never theft.
#[test]
fn race_16_a_session_is_refreshed_at_a_bounded_pace() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    let given = (0..1000).filter(|_| world.refresh(&first).is_ok()).count();
    assert_eq!(given, 199);
    let outcome = world.step(&Step::Refresh(refresh_of(&first)));
    assert_eq!(outcome.refused, Some(Refused::TooFast));
    assert!(matches!(outcome.check(), Err(Error::RateLimited { retry_after_secs: 1, .. })));
    assert!(world.after(1).refresh(&first).is_ok());
    assert_eq!(world.refresh(&first).unwrap_err(), Refused::TooFast);
    assert!(world.state.notices().is_empty());
}

/// 16: 30 openings in any hour.
#[test]
fn race_16_thirty_sessions_an_hour_are_opened_for_a_subject() {
    let mut world = World::new();
    for number in 0..OPENINGS {
        assert!(world.after(60).open(number as u8 + 1).granted().is_ok());
    }
    let refused = world.open(200);
    assert_eq!(refused.refused, Some(Refused::TooFast));
    assert_eq!(refused.retry_after_secs, 3600 - 29 * 60);
    assert!(world.after(refused.retry_after_secs.into()).open(201).granted().is_ok());
    assert_eq!(world.open(202).refused, Some(Refused::TooFast));
    // Nor does an end give openings back.
    world.step(&Step::End(End::all()));
    assert_eq!(world.open(203).refused, Some(Refused::TooFast));
}

// ---- tabs of one browser ----

/// A login of this browser: what it opens a session with.
fn login_of(browser: u8, world: &World, number: u8) -> Open {
    let login = Some(LoginRow { provider: "corp".to_owned(), at: world.time(), session: None });
    let auth_time = Some(world.time());
    let browser = Some(BrowserName::from_bytes([browser; 16]));
    Open {
        opening: Opening { login, auth_time, ..opening("alice") },
        new: NewSession {
            browser,
            begun_at: Some(UnixTime::from_secs(START)),
            ..new_session(number)
        },
    }
}

#[test]
fn tabs_of_a_browser_that_log_in_together_share_a_session() {
    let mut world = World::new();
    let first = world.step(&Step::Open(login_of(1, &world, 1))).granted().unwrap().clone();
    world.state.take_changes().unwrap();
    for number in 2..=200 {
        let step = Step::Open(login_of(1, &world, number));
        let outcome = world.after(i64::from(number % 2) * i64::from(number < 100)).step(&step);
        let grant = outcome.granted().unwrap();
        assert_eq!((grant.id, grant.generation, grant.salt), (first.id, 0, first.salt));
        assert_eq!(grant.auth_time, first.auth_time, "what its own login has shown");
        assert!(outcome.ended.is_empty() && outcome.notices.is_empty());
    }
    assert!(!world.state.has_changed(), "nothing is written");
    assert_eq!(world.step(&Step::List).sessions.len(), 1);
    // They count as one.
    for number in 2..=OPENINGS {
        assert!(world.open(number as u8).granted().is_ok());
    }
    assert_eq!(world.open(100).refused, Some(Refused::TooFast));
}

#[test]
fn another_login_gets_a_session_of_its_own() {
    /// What differs.
    type Case = (&'static str, fn(&mut Open));
    let cases: [Case; 14] = [
        ("begun later", |open| open.new.begun_at = Some(UnixTime::from_secs(START + 1))),
        ("nobody knows when it began", |open| open.new.begun_at = None),
        ("browser", |open| open.new.browser = Some(BrowserName::from_bytes([2; 16]))),
        ("no browser", |open| open.new.browser = None),
        ("secret", |open| open.new.key_id = 2),
        ("scopes", |open| open.opening.scopes.truncate(1)),
        ("remember", |open| open.opening.remember = false),
        ("audience", |open| open.opening.audience = vec!["https://b.example".to_owned()]),
        ("amr", |open| open.opening.amr = vec!["otp".to_owned()]),
        ("acr", |open| open.opening.acr = Some("gold".to_owned())),
        ("client", |open| open.opening.client = Some("app".to_owned())),
        ("no login", |open| open.opening.login = None),
        ("session at the provider", |open| {
            let other = ProviderSession::from_bytes([2; 16]);
            open.opening.login.as_mut().unwrap().session = Some(other);
        }),
        ("provider", |open| {
            open.opening.login.as_mut().unwrap().provider = "other".to_owned();
        }),
    ];
    for (what, change) in cases {
        let mut world = World::new();
        let first = world.step(&Step::Open(login_of(1, &world, 1))).granted().unwrap().clone();
        let mut open = login_of(1, &world, 2);
        change(&mut open);
        let second = world.step(&Step::Open(open)).granted().unwrap().clone();
        assert_ne!(second.id, first.id, "{what}");
    }
    // A minute later, once it is refreshed, once it has ended, once it may do less.
    type Before = (&'static str, fn(&mut World, &Grant));
    let befores: [Before; 4] = [
        ("a minute", |world, _| world.now += 60),
        ("refreshed", |world, first| drop(world.refresh(first).unwrap())),
        ("ended", |world, first| drop(world.step(&Step::End(End::of(Which::One, first.id))))),
        ("narrowed", |world, first| {
            let scopes = vec![Asked { scope: "repo".to_owned(), holders: Vec::new() }];
            drop(world.step(&Step::Narrow(Narrow { id: first.id, scopes })));
        }),
    ];
    for (what, happens) in befores {
        let mut world = World::new();
        let first = world.step(&Step::Open(login_of(1, &world, 1))).granted().unwrap().clone();
        happens(&mut world, &first);
        let second = world.step(&Step::Open(login_of(1, &world, 2))).granted().unwrap().clone();
        assert_ne!(second.id, first.id, "{what}");
    }
    // Whoever is shut out gets none.
    let mut world = World::new();
    world.step(&Step::Open(login_of(1, &world, 1)));
    world.step(&Step::Disable(Disable { sub: "alice".to_owned(), terms: TERMS }));
    let refused = world.step(&Step::Open(login_of(1, &world, 2)));
    assert_eq!(refused.refused, Some(Refused::Disabled));
}

#[test]
fn at_most_a_hundred_sessions_and_the_longest_unused_makes_room() {
    let mut world = World::new();
    let mut grants = Vec::new();
    for number in 0..MAX_SESSIONS {
        grants.push(world.after(130).open(number as u8 + 1).granted().unwrap().clone());
    }
    // The first is in use, so the second is the longest unused.
    world.refresh(&grants[0]).unwrap();
    let outcome = world.after(130).open(200);
    assert_eq!(outcome.ended, [grants[1].id]);
    assert_eq!(outcome.events, [SessionEvent::Evicted]);
    assert_eq!(outcome.notices.len(), 1, "its tokens are refused too");
    assert_eq!(world.step(&Step::List).sessions.len(), MAX_SESSIONS);
}

/// 20: rights become less, never more.
#[test]
fn race_20_scopes_and_audience_only_narrow() {
    let (mut world, first) = World::with_session();
    let asked = |scope: &str, holders: &[&str]| Asked {
        scope: scope.to_owned(),
        holders: holders.iter().map(|one| (*one).to_owned()).collect(),
    };
    let with = |grant: &Grant, scopes| Refresh { scopes: Some(scopes), ..refresh_of(grant) };
    let narrow =
        world.after(900).refresh_with(&with(&first, vec![asked("repo:status", &["repo"])]));
    let narrow = narrow.unwrap();
    assert_eq!(narrow.opening.scopes, ["repo:status"]);
    assert_eq!(
        world.refresh_with(&with(&narrow, vec![asked("write:posts", &[])])).unwrap_err(),
        Refused::Scope
    );
    let whole = world.after(60).refresh(&narrow).unwrap();
    assert_eq!(whole.opening.scopes, ["read:posts", "repo"], "of the access token alone");
    let step = Narrow { id: first.id, scopes: vec![asked("read:posts", &[])] };
    assert_eq!(world.step(&Step::Narrow(step)).refused, None);
    let narrowed = world.after(60).refresh(&whole).unwrap();
    assert_eq!(narrowed.opening.scopes, ["read:posts"]);
    let back = Narrow { id: first.id, scopes: vec![asked("repo", &[])] };
    assert_eq!(world.step(&Step::Narrow(back)).refused, Some(Refused::Scope));
    let opening = Opening { audience: vec!["https://a".to_owned()], ..opening("alice") };
    let outcome = world.step(&Step::Open(Open { opening, new: new_session(2) }));
    let elsewhere = Some(vec!["https://b".to_owned()]);
    let elsewhere = Refresh { audience: elsewhere, ..refresh_of(outcome.granted().unwrap()) };
    assert_eq!(world.refresh_with(&elsewhere).unwrap_err(), Refused::Audience);
}

/// 21; CVE-2025-12390, GHSA-rg35-5v25-mqvp (Keycloak): a session's name is never used for another.
#[test]
fn race_21_step_up_gives_a_new_name_and_keeps_the_end() {
    let (mut world, first) = World::with_session();
    let step = StepUp {
        id: first.id,
        new: new_session(2),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        acr: Some("2".to_owned()),
        auth_time: None,
        login: None,
    };
    let outcome = world.after(5 * DAY).step(&Step::StepUp(step.clone()));
    let grant = outcome.granted().unwrap();
    assert_eq!(outcome.ended, [first.id]);
    assert_ne!(grant.id, first.id);
    assert_eq!((grant.generation, grant.auth_time), (0, world.time()));
    assert_eq!(grant.absolute_until, first.absolute_until);
    assert_eq!(grant.opening.amr, ["pwd", "otp"]);
    let grant = grant.clone();
    assert_eq!(world.refresh(&first).unwrap_err(), Refused::Ended);
    assert_eq!(world.step(&Step::StepUp(step)).refused, Some(Refused::Ended));
    world.after(25 * DAY);
    assert_eq!(world.refresh(&grant).unwrap_err(), Refused::Ended);
}

/// 26; CVE-2026-53512, GHSA-pw9m-5jxm-xr6h (better-auth): a client's refresh token is its own.
#[test]
fn race_26_the_wrong_client_is_refused_and_moves_nothing() {
    let mut world = World::new();
    let opening = Opening { client: Some("app".to_owned()), ..opening("alice") };
    let outcome = world.step(&Step::Open(Open { opening, new: new_session(1) }));
    let grant = outcome.granted().unwrap().clone();
    world.after(900).state.take_changes().unwrap();
    for client in [None, Some("other".to_owned()), Some(String::new())] {
        let step = Refresh { client, ..refresh_of(&grant) };
        assert_eq!(world.refresh_with(&step).unwrap_err(), Refused::OtherClient);
    }
    assert!(!world.state.has_changed());
    let own = Refresh { client: Some("app".to_owned()), ..refresh_of(&grant) };
    assert_eq!(world.refresh_with(&own).unwrap().generation, 1);
    // And a session of nobody's is not refreshed by a client.
    let (mut world, first) = World::with_session();
    let step = Refresh { client: Some("app".to_owned()), ..refresh_of(&first) };
    assert_eq!(world.refresh_with(&step).unwrap_err(), Refused::OtherClient);
}

/// 27: once, for a minute, and not for who is shut out.
#[test]
fn race_27_a_ticket_is_redeemed_once() {
    let hash = TicketHash::from_bytes([7; 32]);
    let put = Step::PutTicket(PutTicket { opening: opening("alice"), hash });
    let redeem = |number| Step::Redeem(Redeem { hash, new: new_session(number) });
    let mut world = World::new();
    world.step(&put);
    let grant = world.after(59).step(&redeem(1)).granted().unwrap().clone();
    assert_eq!(grant.absolute_until.as_secs(), world.now + 30 * DAY, "it begins at redemption");
    assert_eq!(world.step(&redeem(2)).refused, Some(Refused::Ended));
    let mut late = World::new();
    late.step(&put);
    assert_eq!(late.after(60).step(&redeem(1)).refused, Some(Refused::Ended));
    for end in [disable(), Step::End(End::all()), Step::Forget] {
        let mut world = World::new();
        world.step(&put);
        world.step(&end);
        world.step(&Step::Enable);
        assert_eq!(world.step(&redeem(1)).refused, Some(Refused::Ended), "{end:?}");
    }
}

/// 28: the key, once bound, is asked for, and its holder is no thief.
#[test]
fn race_28_a_bound_session_needs_its_key_and_knows_no_theft() {
    let (mut world, first) = World::with_session();
    let with = |grant: &Grant, jkt: Option<&str>| Refresh {
        jkt: jkt.map(str::to_owned),
        ..refresh_of(grant)
    };
    let second = world.after(900).refresh_with(&with(&first, Some("mine"))).unwrap();
    assert_eq!(second.opening.jkt.as_deref(), Some("mine"), "the first proof binds");
    world.state.take_changes().unwrap();
    for jkt in [None, Some("other")] {
        assert_eq!(world.refresh_with(&with(&second, jkt)).unwrap_err(), Refused::Key);
    }
    assert!(!world.state.has_changed());
    world.after(60).use_token(&second);
    let third = world.after(900).refresh_with(&with(&second, Some("mine"))).unwrap();
    world.after(60).use_token(&third);
    assert!(world.refresh_with(&with(&first, Some("mine"))).is_ok());
    // A thief who binds is found by who has the token from before, and so is one who comes after.
    for (binds, comes) in [("thief", None), ("mine", Some("thief"))] {
        let (mut world, first) = World::with_session();
        let second = world.after(900).refresh_with(&with(&first, Some(binds))).unwrap();
        world.restart();
        let outcome = world.after(900).step(&Step::Refresh(with(&first, comes)));
        assert_eq!(outcome.refused, Some(Refused::Reused));
        assert_eq!(outcome.events, [SessionEvent::RefreshReused]);
        let ended = world.refresh_with(&with(&second, Some(binds)));
        assert_eq!(ended.unwrap_err(), Refused::Ended);
    }
    // A key of the opening is no thief's: who has not got it ends nothing.
    let mut world = World::new();
    let opening = Opening { jkt: Some("mine".to_owned()), ..opening("alice") };
    let open = Step::Open(Open { opening, new: new_session(1) });
    let first = world.step(&open).granted().unwrap().clone();
    world.after(900).refresh_with(&with(&first, Some("mine"))).unwrap();
    assert_eq!(world.refresh_with(&with(&first, None)).unwrap_err(), Refused::Key);
    assert!(world.refresh_with(&with(&first, Some("mine"))).is_ok());
    // Later proofs bind nothing: the opener may not be who sends them.
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    let third = world.after(900).refresh_with(&with(&second, Some("late"))).unwrap();
    assert_eq!(third.opening.jkt, None);
}

/// 39: a log-out that comes between.
#[test]
fn race_39_nothing_is_refreshed_after_a_log_out() {
    let (mut world, first) = World::with_session();
    let second = world.after(900).refresh(&first).unwrap();
    world.step(&Step::End(End::of(Which::One, first.id)));
    for grant in [&first, &second] {
        assert_eq!(world.refresh(grant).unwrap_err(), Refused::Ended);
        assert!(!world.use_token(grant));
    }
}

// ---- classes of bugs that others had ----

/// CVE-2026-1035 (Keycloak), GHSA-392p-2q2v-4372 (better-auth): concurrent refreshes fork or pass twice.
#[test]
fn cve_2026_1035_a_hundred_refreshes_with_one_token_are_one_generation() {
    let (mut world, first) = World::with_session();
    world.after(900);
    for _ in 0..100 {
        assert_eq!(world.refresh(&first).map(|grant| grant.generation), Ok(1));
    }
}

/// CVE-2026-9802 (Keycloak): a restart forgets what was revoked, or when.
#[test]
fn cve_2026_9802_a_restart_between_any_two_steps_changes_nothing() {
    let run = |restarts: bool| {
        let mut world = World::new();
        let mut seen = Vec::new();
        let mut turn = |world: &mut World, outcome: Result<Grant, Refused>| {
            seen.push(outcome.map(|grant| (grant.generation, grant.repeats, grant.iat)));
            if restarts {
                world.restart();
            }
        };
        let first = world.open(1).granted().unwrap().clone();
        turn(&mut world, Ok(first.clone()));
        let second = world.after(900).refresh(&first);
        turn(&mut world, second.clone());
        let again = world.after(40).refresh(&first);
        turn(&mut world, again.clone());
        world.use_token(&again.unwrap());
        let third = world.after(900).refresh(&second.unwrap());
        turn(&mut world, third.clone());
        world.after(40).use_token(&third.clone().unwrap());
        let theft = world.after(900).refresh(&first);
        turn(&mut world, theft);
        let after = world.refresh(&third.unwrap());
        turn(&mut world, after);
        seen
    };
    assert_eq!(run(true), run(false));
    assert_eq!(run(true).last(), Some(&Err(Refused::Ended)));
}

/// GHSA-wv3h-x6c4-r867, GHSA-895x-rfqp-jh5c (Keycloak): tokens for disabled users.
#[test]
fn ghsa_wv3h_x6c4_r867_nothing_is_issued_to_a_disabled_subject() {
    let (mut world, first) = World::with_session();
    let hash = TicketHash::from_bytes([7; 32]);
    world.step(&Step::PutTicket(PutTicket { opening: opening("alice"), hash }));
    let outcome = world.step(&disable());
    assert_eq!(outcome.ended, [first.id]);
    assert!(outcome.notices.iter().any(|notice| notice.sub.as_deref() == Some("alice")));
    for step in [
        Step::Open(Open { opening: opening("alice"), new: new_session(2) }),
        Step::PutTicket(PutTicket { opening: opening("alice"), hash }),
        Step::Redeem(Redeem { hash, new: new_session(3) }),
        Step::Refresh(refresh_of(&first)),
        Step::Machine(Machine { terms: TERMS }),
        Step::StepUp(StepUp {
            id: first.id,
            new: new_session(4),
            amr: Vec::new(),
            acr: None,
            auth_time: None,
            login: None,
        }),
    ] {
        assert_eq!(world.step(&step).refused, Some(Refused::Disabled), "{step:?}");
    }
    // What has ended stays so when it is taken back.
    world.step(&Step::Enable);
    assert_eq!(world.refresh(&first).unwrap_err(), Refused::Ended);
}

/// CVE-2026-27840 (Zitadel): a truncated or ambiguous token.
#[test]
fn cve_2026_27840_tokens_have_one_spelling() {
    let secrets = secrets(&[1]);
    let now = UnixTime::from_secs(START);
    let token = RefreshToken {
        key_id: 1,
        object: ObjectName::of("https://gate/", "alice"),
        session: SessionId::from_bytes([1; 12]),
        generation: 3,
        absolute_until: UnixTime::from_secs(START + DAY),
        salt: Salt::from_bytes([9; 8]),
    };
    let text = token.seal(&secrets).unwrap();
    assert_eq!(RefreshToken::open(&text, &secrets, now), Ok(token));
    assert!(text.len() < 130, "{}", text.len());
    for length in 0..text.len() {
        assert!(RefreshToken::open(&text[..length], &secrets, now).is_err(), "{length}");
    }
    for other in [format!("{text}="), format!("{text}A"), format!(" {text}"), text.to_uppercase()] {
        assert!(RefreshToken::open(&other, &secrets, now).is_err(), "{other}");
    }
    // Each bit counts, the spare ones of the last character too.
    for place in 12..text.len() {
        for other in "ABab01-_".chars() {
            let mut changed = text.clone();
            changed.replace_range(place..=place, other.encode_utf8(&mut [0; 4]));
            if changed != text {
                assert!(RefreshToken::open(&changed, &secrets, now).is_err(), "{changed}");
            }
        }
    }
}

#[test]
fn tokens_of_one_purpose_or_secret_are_none_of_another() {
    let now = UnixTime::from_secs(START);
    let object = ObjectName::of("https://gate/", "alice");
    let ticket = Ticket { object, nonce: Opaque::from_bytes([1; 16]), until: now };
    let text = ticket.seal(&secrets(&[1])).unwrap();
    assert_eq!(Ticket::open(&text, &secrets(&[1]), now), Ok(ticket));
    let renamed = text.replace("edgegate_st_", "edgegate_rt_");
    for (text, secrets) in
        [(&renamed, secrets(&[1])), (&text, secrets(&[2])), (&text, other_secret())]
    {
        assert!(RefreshToken::open(text, &secrets, now).is_err());
        assert!(Ticket::open(text, &secrets, now).is_err());
    }
    // An isolate's clock refuses only what is long over: the writer decides.
    assert!(Ticket::open(&text, &secrets(&[1]), now.saturating_add(299)).is_ok());
    assert_eq!(
        Ticket::open(&text, &secrets(&[1]), now.saturating_add(300)),
        Err(Error::SessionEnded)
    );
}

/// 24: the newest seals, all open.
#[test]
fn race_24_secrets_rotate_without_a_log_out() {
    let (mut world, first) = World::with_session();
    let object = ObjectName::of("https://gate/", "alice");
    let old = first.refresh_token(object).seal(&secrets(&[1])).unwrap();
    let both = secrets(&[1, 2]);
    assert_eq!(both.newest_id(), 2);
    assert!(RefreshToken::open(&old, &both, world.time()).is_ok());
    let second = world.after(900).refresh_with(&Refresh { key_id: 2, ..refresh_of(&first) });
    let new = second.unwrap().refresh_token(object).seal(&both).unwrap();
    assert!(RefreshToken::open(&new, &secrets(&[2]), world.time()).is_ok());
    assert_eq!(RefreshToken::open(&old, &secrets(&[2]), world.time()), Err(Error::RefreshTokenTag));
}

/// Who has the secret alone forges nothing: the salt is in the row.
#[test]
fn a_token_with_another_salt_is_refused_and_ends_nothing() {
    let (mut world, first) = World::with_session();
    let forged = Refresh { salt: Salt::from_bytes([0; 8]), ..refresh_of(&first) };
    let outcome = world.after(900).step(&Step::Refresh(forged));
    assert_eq!(outcome.refused, Some(Refused::NeverIssued));
    assert!(!Refused::NeverIssued.is_end(), "no isolate remembers an end by it, no cookie goes");
    assert_eq!(outcome.events, [SessionEvent::SaltDiffers]);
    // Nor by a log-out, of this session or of all.
    let object = ObjectName::of("https://gate.edgegate.local/", "alice");
    let genuine = first.refresh_token(object);
    let forged = RefreshToken { salt: Salt::from_bytes([0; 8]), ..genuine };
    let unknown = RefreshToken { session: SessionId::from_bytes([9; 12]), ..genuine };
    for which in [Which::One, Which::Others, Which::All] {
        let mut end = |token| world.step(&Step::End(End { which, ..End::by_token(token, None) }));
        assert_eq!(end(&unknown).refused, Some(Refused::Ended));
        let outcome = end(&forged);
        assert_eq!(outcome.refused, Some(Refused::NeverIssued), "{which:?}");
        assert_eq!((outcome.ended, outcome.events), (vec![], vec![SessionEvent::SaltDiffers]));
    }
    // To ask whether it may end all ends nothing.
    let asks = End { which: Which::All, asks: true, ..End::by_token(&genuine, None) };
    let outcome = world.step(&Step::End(asks));
    assert_eq!((outcome.refused, outcome.ended), (None, vec![]));
    assert!(world.refresh(&first).is_ok());
}

#[test]
fn a_forgotten_subject_leaves_no_name() {
    let (mut world, _) = World::with_session();
    let notices = world.step(&Step::Forget).notices;
    world.step(&Step::Acknowledge(Acknowledge { notices }));
    assert!(!world.state.to_text().unwrap().contains("alice"));
}

/// A dump of the store opens nothing: no row holds a token, or what one could be made of without the secret.
#[test]
fn rows_hold_no_token() {
    let (mut world, first) = World::with_session();
    let secrets = secrets(&[1]);
    let object = ObjectName::of("https://gate/", "alice");
    let grant = world.after(900).refresh(&first).unwrap();
    let text = grant.refresh_token(object).seal(&secrets).unwrap();
    let stored = world.state.to_text().unwrap();
    let tag = &text[text.len() - 22..];
    assert!(!stored.contains(tag) && !stored.contains("edgegate_rt_"));
}

// ---- what is stored ----

#[test]
fn a_refresh_writes_one_row() {
    let (mut world, first) = World::with_session();
    assert_eq!(world.state.take_changes().unwrap().len(), 2, "the subject's and the session's");
    let second = world.after(900).refresh(&first).unwrap();
    let changes = world.state.take_changes().unwrap();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].name.starts_with("session/"));
    world.after(30).use_token(&second);
    assert_eq!(world.state.take_changes().unwrap().len(), 1, "the confirmation");
    world.use_token(&second);
    assert_eq!(world.state.take_changes().unwrap(), [], "once");
}

#[test]
fn rows_that_cannot_be_read_are_a_fault_of_the_store() {
    let (mut world, _) = World::with_session();
    let changes = world.state.take_changes().unwrap();
    let rows: Vec<(&str, &str)> = changes
        .iter()
        .map(|change| (change.name.as_str(), change.value.as_deref().unwrap()))
        .collect();
    assert!(SubjectState::from_rows(rows.clone()).is_ok());
    for (name, value) in [
        ("session/x", "{}"),
        ("subject", "[]"),
        ("subject", r#"{"v":2}"#),
        ("other", "{}"),
        ("notice/x", "null"),
    ] {
        let mut damaged = rows.clone();
        damaged.push((name, value));
        assert!(SubjectState::from_rows(damaged).is_err(), "{name} {value}");
    }
}

/// The form that STORAGE.md documents.
#[test]
fn the_stored_form_is_fixed() {
    let (mut world, first) = World::with_session();
    world.after(900).refresh(&first).unwrap();
    let changes = world.state.take_changes().unwrap();
    let row = |kind: &str| {
        let change = changes.iter().find(|change| change.name.starts_with(kind)).unwrap();
        (change.name.as_str(), change.value.as_deref().unwrap())
    };
    assert_eq!(
        row("session"),
        (
            "session/AQEBAQEBAQEBAQEB",
            r#"{"v":1,"id":"AQEBAQEBAQEBAQEB","salt":"_v7-_v7-_v4","opening":{"sub":"alice","scopes":["read:posts","repo"],"remember":true},"device":{},"created_at":1700000000,"absolute_until":1702592000,"last_seen_at":1700000900,"idle_secs":604800,"generation":1,"rotated_at":1700000900,"sealed_by":1,"confirmed":false,"repeats":0,"longest_secs":900}"#
        )
    );
    assert_eq!(row("subject"), ("subject", r#"{"v":1,"sub":"alice","openings":[1700000000]}"#));
}

/// Several processes over one store that compares and swaps: the swap alone decides.
#[test]
fn cve_2026_1035_a_hundred_refreshes_over_a_shared_store_are_one_generation() {
    let texts = Texts::default();
    let processes = [SharedSessions::new(&texts), SharedSessions::new(&texts)];
    let object = ObjectName::of("https://gate/", "alice");
    let now = |secs: u64| UnixMillis::from_millis((START.unsigned_abs() + secs) * 1000);
    let open = Step::Open(Open { opening: opening("alice"), new: new_session(1) });
    let opened = run(processes[0].apply_at(&object, &open, now(0))).unwrap();
    let first = opened.granted().unwrap();
    let step = Step::Refresh(refresh_of(first));
    let all = (0..100).map(|number| processes[number % 2].apply_at(&object, &step, now(900)));
    for outcome in run(futures_util::future::join_all(all)) {
        assert_eq!(outcome.unwrap().granted().unwrap().generation, 1);
    }
    assert!(texts.lost.get() > 0, "they did meet");
    // What is damaged is a fault, and never a log-out.
    texts.values.borrow_mut().values_mut().for_each(|value| value.push('x'));
    assert!(run(processes[0].apply_at(&object, &step, now(901))).is_err());
}

fn disable() -> Step {
    Step::Disable(Disable { sub: "alice".to_owned(), terms: TERMS })
}

fn secrets(ids: &[u8]) -> SessionSecrets {
    let secrets = ids.iter().map(|id| (*id, Secret::new(vec![*id; 32])));
    SessionSecrets::new(secrets.collect()).unwrap()
}

fn other_secret() -> SessionSecrets {
    SessionSecrets::new(vec![(1, Secret::new(vec![77; 32]))]).unwrap()
}

// ---- whatever happens ----

/// What may happen to an honest client with several tabs, a network and a writer that restarts.
#[derive(Debug, Clone)]
enum Happening {
    /// Time goes by.
    Wait(u16),
    /// A tab refreshes with what is in the jar, and its answer arrives.
    Refresh,
    /// The answer is lost.
    Lost,
    /// A tab sends what was in the jar one refresh ago: it left before the answer came, at most a minute ago.
    Straggler,
    /// The newest access token is used, and an isolate tells.
    Use,
    /// The writer restarts.
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        3 => (0_u16..4000).prop_map(Happening::Wait),
        4 => Just(Happening::Refresh),
        2 => Just(Happening::Lost),
        1 => Just(Happening::Straggler),
        3 => Just(Happening::Use),
        1 => Just(Happening::Restart),
    ];
    proptest::collection::vec(one, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Nobody is logged out, generations never fall, times never exceed the end, and what is stored is what was in memory.
    #[test]
    fn an_honest_browser_is_never_logged_out(happenings in happenings()) {
        let (mut world, first) = World::with_session();
        let mut jar = first.clone();
        let mut before = (first, START);
        let mut generation = 0;
        for happening in happenings {
            match happening {
                Happening::Wait(secs) => { world.after(secs.into()); }
                Happening::Refresh | Happening::Lost => {
                    let grant = world.refresh_by_cookie(&jar).expect("logged out");
                    prop_assert!(grant.generation >= generation);
                    prop_assert!(grant.exp <= grant.absolute_until && grant.iat <= grant.exp);
                    generation = grant.generation;
                    if matches!(happening, Happening::Refresh) {
                        if grant.generation != jar.generation {
                            before = (core::mem::replace(&mut jar, grant), world.now);
                        } else {
                            jar = grant;
                        }
                    }
                }
                Happening::Straggler => {
                    let (old, replaced_at) = &before;
                    if world.now - replaced_at < 60 {
                        let refused = world.refresh_by_cookie(&old.clone()).err();
                        prop_assert!(matches!(refused, None | Some(Refused::Superseded)), "{refused:?}");
                    }
                }
                Happening::Use => { let newest = jar.clone(); world.use_token(&newest); }
                Happening::Restart => world.restart(),
            }
            prop_assert!(world.state.notices().is_empty());
        }
    }

    /// Whatever is sent, in whatever order: what has ended stays so, and is told until it is acknowledged.
    #[test]
    fn what_has_ended_stays_so(
        generations in proptest::collection::vec((0_u32..6, 0_i64..2000, any::<bool>()), 1..60),
        end_at in 0_usize..60,
    ) {
        let (mut world, first) = World::with_session();
        let mut ended = false;
        for (index, (generation, wait, uses)) in generations.into_iter().enumerate() {
            world.after(wait);
            if index == end_at {
                world.step(&Step::End(End::of(Which::One, first.id)));
                ended = true;
            }
            let grant = Grant { generation, iat: world.time().saturating_sub(60), ..first.clone() };
            let result = world.refresh(&grant);
            ended |= matches!(result, Err(Refused::Reused));
            if ended {
                prop_assert!(result.is_err());
                prop_assert_eq!(world.state.notices().len(), 1);
            }
            if uses {
                world.use_token(&grant);
            }
            if index % 7 == 0 {
                world.restart();
            }
        }
    }
}
