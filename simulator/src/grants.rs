//! Grants: a provider that lets each refresh token be used once, and revokes all of them at a second use. Its answers take up to ten
//! seconds. Objects crash at any moment, answers get lost.
//!
//! Each owner has one object, which takes the gate's own steps. What is judged from outside: the provider is asked once at an expiry,
//! nobody gets a token that is not stored, and a grant is lost only where a crash or the network took the provider's answer. That is
//! counted, by the world and by the gate, and both have to come to the same.

use std::{collections::BTreeMap, fmt::Write as _};

use edgegate::{
    grant::{
        record::Reconnect,
        seal::SealedToken,
        state::OwnerGrants,
        step::{
            FreshTokens, GrantEvent, GrantOutcome, GrantRefused, GrantStep, PutGrant, RefreshFault,
            RefreshOrder, UseGrant,
        },
    },
    time::UnixTime,
};

use crate::world::{Agenda, Chance, Time, quantile};

/// Owners at the same time.
const OWNERS: usize = 200;

/// How long access tokens live, in milliseconds.
const LIFE: Time = 3_600_000;

/// The slowest answer of the provider, in milliseconds.
const SLOWEST: Time = 10_000;

/// How long a request waits, in milliseconds, and how often it looks.
const PATIENCE: Time = 12_000;
const LOOK: Time = 500;

/// The clock of an object after it was moved to another machine is ahead by up to so many milliseconds.
const MAX_AHEAD: Time = 2_000;

/// When it all begins, in seconds.
const START: u64 = 1_700_000_000;

/// How often in a million refreshes each of these happens.
const CRASH_DURING: u64 = 30_000;
const LOST_ON_THE_WAY: u64 = 10_000;
const ANSWER_LOST: u64 = 10_000;
const PROVIDER_DOWN: u64 = 20_000;
/// How often in a million steps an object crashes before what it did is stored.
const CRASH_BEFORE_STORING: u64 = 300;

enum Event {
    /// Several requests of an owner at once, and the next such time.
    Burst(usize),
    /// A request asks, since when, the object.
    Ask { owner: usize, since: Time },
    /// The provider gets a question of this life of the object.
    Provider { call: Call },
    /// Its answer comes.
    Answer { call: Call, result: Result<u32, RefreshFault> },
    /// The object crashes, if it is still in this life.
    Crash { owner: usize, life: u32 },
}

#[derive(Clone)]
struct Call {
    owner: usize,
    life: u32,
    order: RefreshOrder,
    /// When the answer arrives.
    arrives: Time,
}

/// A provider's side of a grant.
#[derive(Default)]
struct Family {
    /// The refresh token that is good.
    current: u32,
    is_revoked: bool,
    /// When the access token of each number was made.
    made: BTreeMap<u32, Time>,
    /// Whether the provider works on a question now, until then.
    busy_until: Time,
    /// Whether an answer with tokens was lost: the next question ends it.
    is_lost: bool,
    /// Questions since the last tokens arrived, and faults that excuse more than one.
    asked: u32,
    excused: u32,
}

struct Object {
    state: OwnerGrants,
    stored: String,
    life: u32,
    ahead: Time,
    family: Family,
    /// Numbers of tokens go on over families, so that none comes twice.
    next_number: u32,
    /// The highest number that anybody was given.
    given: u32,
}

#[derive(Default)]
struct Found {
    steps: u64,
    requests: u64,
    waited: Vec<Time>,
    gave_up: u64,
    refused: u64,
    questions: u64,
    refreshed: u64,
    crashes: u64,
    /// Answers with tokens that a crash or the network took.
    lost_answers: u64,
    /// Grants that had to be connected again, and how many the gate counted as after a loss.
    ended: u64,
    ended_after_loss: u64,
    faults: Vec<String>,
}

struct World {
    chance: Chance,
    agenda: Agenda<Event>,
    objects: Vec<Object>,
    found: Found,
    time: Time,
}

/// Runs it, prints what it has found, and returns what failed.
pub(crate) fn report(steps: u64, seed: u64) -> Vec<String> {
    let found = run(steps, seed);
    let waits = |part| quantile(&found.waited, part) as f64 / 1000.0;
    let mut text = format!(
        "Grants: {} steps of {OWNERS} owners; refresh tokens used once, answers after up to 10 s, 3 % crashes during a refresh, 2 % lost on the way\n",
        found.steps
    );
    let _ = write!(
        text,
        "{} requests, {} refused; {} expiries, {} questions to the provider, {} answers with tokens lost, {} crashes\n\
         grants that had to be connected again: {}, each after a lost answer ({} counted so); waited for a refresh: median {:.1} s, 99 % {:.1} s, {} gave up",
        found.requests,
        found.refused,
        found.refreshed,
        found.questions,
        found.lost_answers,
        found.crashes,
        found.ended,
        found.ended_after_loss,
        waits(0.5),
        waits(0.99),
        found.gave_up,
    );
    println!("\n{text}");
    found.faults
}

fn run(steps: u64, seed: u64) -> Found {
    let mut world = World::new(seed);
    while world.found.steps < steps {
        let Some((time, event)) = world.agenda.next() else { break };
        world.time = time;
        world.happens(event);
    }
    let mut found = world.found;
    found.waited.sort_unstable();
    if found.ended != found.ended_after_loss {
        let Found { ended, ended_after_loss, .. } = found;
        found.faults.push(format!(
            "grants: {ended} ended, of which the gate counts {ended_after_loss} as after a loss"
        ));
    }
    if found.ended > found.lost_answers {
        let Found { ended, lost_answers, .. } = found;
        found
            .faults
            .push(format!("grants: {ended} ended, but only {lost_answers} answers were lost"));
    }
    found
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: Chance::new(seed ^ 0x6772_616e_7473),
            agenda: Agenda::new(),
            objects: Vec::new(),
            found: Found::default(),
            time: 0,
        };
        for owner in 0..OWNERS {
            world.objects.push(Object {
                state: OwnerGrants::default(),
                stored: OwnerGrants::default().to_text().expect("rows can be written"),
                life: 0,
                ahead: 0,
                family: Family::default(),
                next_number: 0,
                given: 0,
            });
            world.connect(owner);
            let first = world.chance.below(2 * LIFE);
            world.agenda.plan(first, Event::Burst(owner));
        }
        world
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Burst(owner) => self.burst(owner),
            Event::Ask { owner, since } => self.ask(owner, since),
            Event::Provider { call } => self.provider(call),
            Event::Answer { call, result } => self.answer(&call, result),
            Event::Crash { owner, life } => {
                if self.objects[owner].life == life {
                    self.crash(owner);
                }
            }
        }
    }

    fn burst(&mut self, owner: usize) {
        let requests = if self.chance.happens(500_000) { 1 } else { self.chance.between(2, 12) };
        for _ in 0..requests {
            let at = self.time + self.chance.below(2_000);
            self.found.requests += 1;
            self.agenda.plan(at, Event::Ask { owner, since: at });
        }
        let next = self.time + self.chance.between(60_000, 2 * LIFE);
        self.agenda.plan(next, Event::Burst(owner));
    }

    /// A step of an object; `None`: it crashed before anything was stored, and nobody hears of it.
    fn step(&mut self, owner: usize, step: &GrantStep) -> Option<GrantOutcome> {
        self.found.steps += 1;
        let object = &mut self.objects[owner];
        let secs = START + (self.time + object.ahead) / 1000;
        let now = UnixTime::from_secs(secs.try_into().expect("a date"));
        let outcome = object.state.apply(step, now);
        if object.state.has_changed().expect("rows can be written") {
            if self.chance.happens(CRASH_BEFORE_STORING) {
                self.crash(owner);
                return None;
            }
            object.state.take_changes().expect("rows can be written");
            object.stored = object.state.to_text().expect("rows can be written");
        }
        Some(outcome)
    }

    fn crash(&mut self, owner: usize) {
        self.found.crashes += 1;
        let ahead = self.chance.below(MAX_AHEAD + 1);
        let object = &mut self.objects[owner];
        object.life += 1;
        object.ahead = ahead;
        object.state = OwnerGrants::from_text(&object.stored).expect("its own rows");
        object.family.excused += 1;
    }

    fn ask(&mut self, owner: usize, since: Time) {
        let use_it =
            GrantStep::Use(UseGrant { provider: "p".to_owned(), account: None, newest: 1 });
        let Some(outcome) = self.step(owner, &use_it) else {
            // The caller tries again.
            return self.agenda.plan(self.time + LOOK, Event::Ask { owner, since });
        };
        if let Some(token) = &outcome.token {
            return self.given(owner, number(&token.access), since);
        }
        if let Some(order) = outcome.order {
            self.begin(owner, order);
        } else if let Some(refused) = outcome.refused {
            self.found.refused += 1;
            if refused == GrantRefused::Reconnect || refused == GrantRefused::NotConnected {
                self.connect(owner);
            }
            return;
        }
        if self.time - since >= PATIENCE {
            self.found.gave_up += 1;
        } else {
            self.agenda.plan(self.time + LOOK, Event::Ask { owner, since });
        }
    }

    /// Somebody gets a token.
    fn given(&mut self, owner: usize, token: u32, since: Time) {
        if self.time > since {
            self.found.waited.push(self.time - since);
        }
        let object = &mut self.objects[owner];
        let made = object.family.made.get(&token).copied();
        if made.is_none_or(|made| self.time > made + LIFE) {
            self.found
                .faults
                .push(format!("grants: owner {owner} was given a token that has ended"));
        }
        if token < object.given {
            self.found.faults.push(format!("grants: owner {owner} was given an older token"));
        }
        if !object.stored.contains(&format!("a{token:08}")) {
            let fault = format!("grants: owner {owner} was given a token that is not stored");
            self.found.faults.push(fault);
        }
        object.given = object.given.max(token);
    }

    fn begin(&mut self, owner: usize, order: RefreshOrder) {
        let takes = self.chance.below(SLOWEST + 1);
        let life = self.objects[owner].life;
        let arrives = self.time + takes;
        let call = Call { owner, life, order, arrives };
        if self.chance.happens(CRASH_DURING) {
            let at = self.time + self.chance.below(takes + 1);
            self.agenda.plan(at, Event::Crash { owner, life });
        }
        if self.chance.happens(LOST_ON_THE_WAY) {
            self.objects[owner].family.excused += 1;
            return self
                .agenda
                .plan(arrives, Event::Answer { call, result: Err(RefreshFault::NoAnswer) });
        }
        let reaches = self.time + self.chance.below(takes + 1);
        self.agenda.plan(reaches, Event::Provider { call });
    }

    /// The provider works on a question at once, and its answer takes the rest of the time.
    fn provider(&mut self, call: Call) {
        self.found.questions += 1;
        let asked_with = number(&call.order.refresh);
        let is_down = self.chance.happens(PROVIDER_DOWN);
        let is_lost = self.chance.happens(ANSWER_LOST);
        let object = &mut self.objects[call.owner];
        let family = &mut object.family;
        if family.busy_until > self.time {
            let fault = format!("grants: owner {} asks while a question is under way", call.owner);
            self.found.faults.push(fault);
        }
        family.busy_until = call.arrives;
        family.asked += 1;
        if family.asked > family.excused + 1 {
            let fault = format!("grants: owner {} asked twice at one expiry", call.owner);
            self.found.faults.push(fault);
        }
        let result = if is_down {
            family.excused += 1;
            Err(RefreshFault::Unavailable)
        } else if family.is_revoked || asked_with != family.current {
            if !family.is_lost {
                let fault = format!(
                    "grants: owner {} used a refresh token twice, and none was lost",
                    call.owner
                );
                self.found.faults.push(fault);
            }
            family.is_revoked = true;
            Err(RefreshFault::Ended)
        } else {
            object.next_number += 1;
            family.current = object.next_number;
            family.made.insert(family.current, self.time);
            if is_lost {
                self.found.lost_answers += 1;
                family.is_lost = true;
                family.excused += 1;
                Err(RefreshFault::NoAnswer)
            } else {
                Ok(family.current)
            }
        };
        self.agenda.plan(call.arrives, Event::Answer { call, result });
    }

    fn answer(&mut self, call: &Call, result: Result<u32, RefreshFault>) {
        if self.objects[call.owner].life != call.life {
            return self.lost(call.owner, result);
        }
        let answer = call.order.answered(result.map(|number| FreshTokens {
            access: token('a', number),
            refresh: Some(token('r', number)),
            expires_in_secs: Some(LIFE / 1000),
            scopes: None,
        }));
        let Some(outcome) = self.step(call.owner, &GrantStep::Answer(answer)) else {
            return self.lost(call.owner, result);
        };
        let family = &mut self.objects[call.owner].family;
        if result.is_ok() {
            self.found.refreshed += 1;
            (family.asked, family.excused) = (0, 0);
        }
        for event in outcome.events {
            match event {
                GrantEvent::Ended => self.found.ended += 1,
                GrantEvent::EndedAfterLoss => {
                    self.found.ended += 1;
                    self.found.ended_after_loss += 1;
                }
                _ => {}
            }
        }
    }

    /// A crash took the answer.
    fn lost(&mut self, owner: usize, result: Result<u32, RefreshFault>) {
        if result.is_ok() {
            self.found.lost_answers += 1;
            self.objects[owner].family.is_lost = true;
        }
    }

    /// The user connects the account.
    fn connect(&mut self, owner: usize) {
        let time = self.time;
        let object = &mut self.objects[owner];
        let grants = object.state.apply(&GrantStep::List, UnixTime::from_secs(0)).grants;
        let why = grants.first().and_then(|grant| grant.reconnect);
        if why.is_some_and(|why| why != Reconnect::EndedAfterLoss) {
            self.found
                .faults
                .push(format!("grants: owner {owner} lost a grant, and no answer was"));
        }
        object.next_number += 1;
        let current = object.next_number;
        let made = BTreeMap::from([(current, time)]);
        object.family = Family { current, made, ..Family::default() };
        let put = GrantStep::Put(PutGrant {
            began_at: UnixTime::from_secs(0),
            provider: "p".to_owned(),
            account: "1".to_owned(),
            label: None,
            scopes: Vec::new(),
            access: token('a', current),
            refresh: Some(token('r', current)),
            expires_in_secs: Some(LIFE / 1000),
        });
        while self.step(owner, &put).is_none() {}
    }
}

fn token(kind: char, number: u32) -> SealedToken {
    // Eight digits, so that no number is the beginning of another.
    SealedToken { by: 1, text: format!("{kind}{number:08}") }
}

fn number(token: &SealedToken) -> u32 {
    token.text[1..].parse().expect("a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_at_an_expiry_and_nothing_lost_but_what_a_crash_took() {
        let found = run(100_000, 7);
        assert_eq!(found.faults, Vec::<String>::new());
        assert!(found.refreshed > 500 && found.ended > 0 && found.crashes > 10);
    }
}
