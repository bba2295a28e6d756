//! Revocations: how long a revoked token is still admitted somewhere after the acknowledgement, by each mode.

use std::{cell::RefCell, rc::Rc};

use edgegate::{
    error::StoreError,
    policy::CacheSecs,
    revocation::{
        DenyKey, Entry, NewRevocation,
        snapshot::{Freshness, HEAD_NAME, Head, Holder, Lookup, Plan, Snapshot},
    },
    store::{
        Page, RevocationStore as _,
        keyed::{KeyValue, Keyed, Remembered},
        memory_ledger::{MemoryLedger, Publication},
    },
    time::{UnixMillis, UnixTime},
};
use futures_util::FutureExt as _;

use crate::{
    kv::Kv,
    parallel,
    world::{Agenda, Chance, Clock, LOCATIONS, MAX_SKEW_MILLIS, Time, quantile, travel},
};

const ISSUER: &str = "https://issuer.example/";
const TOKENS: usize = 300;
/// Revoked before the simulation begins, so that there is a filter.
const OTHERS: usize = 10_000;
const ISOLATES_EACH: usize = 3;
const GAP_MILLIS: Time = 6;
const EVICTIONS: u64 = 300;
/// Questions to the ledger that it does not answer.
const LEDGER_FAILS: u64 = 2_000;
const CACHE_SECS: u32 = 10;
const FRESHNESS: Freshness = Freshness { max_staleness_secs: 120, refresh_secs: 10 };

/// What the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Entries,
    Snapshot,
    Ledger,
}

#[derive(Debug)]
enum Event {
    Request,
    /// A request that has waited for a snapshot.
    Decide {
        isolate: usize,
        life: u64,
        token: usize,
        since: Time,
    },
    /// The ledger reads what a request asks for.
    Confirm {
        isolate: usize,
        life: u64,
        token: usize,
        since: Time,
        mark: (u64, u64),
    },
    Loaded {
        isolate: usize,
        life: u64,
    },
    Revoke {
        token: usize,
    },
    LedgerWakes,
    Published {
        publication: Box<Publication>,
        succeeded: bool,
    },
}

struct Isolate {
    location: usize,
    clock: Clock,
    life: u64,
    remembered: Remembered,
    holder: Holder,
}

#[derive(Debug, Clone, Copy, Default)]
struct Token {
    acknowledged: Option<Time>,
    /// The last request after that which was still admitted.
    late: Time,
}

/// The result of a mode.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    requests: u64,
    admitted: u64,
    denied: u64,
    /// Requests refused since no fresh state was there.
    unavailable: u64,
    /// Requests denied though their token was never revoked. There must be none.
    wrongly_denied: u64,
    /// Reads of KV or questions to the ledger that a request waited for.
    waited_for: u64,
    /// Those of them that were about a token that is not revoked.
    waited_in_vain: u64,
    /// Milliseconds after the acknowledgement, for each revocation.
    late: Vec<Time>,
}

struct World {
    mode: Mode,
    chance: Rc<RefCell<Chance>>,
    agenda: Agenda<Event>,
    kv: Rc<RefCell<Kv>>,
    ledger: MemoryLedger,
    ledger_clock: Clock,
    isolates: Vec<Isolate>,
    tokens: Vec<Token>,
    lives: u64,
    outcome: Outcome,
}

impl World {
    fn new(mode: Mode, seed: u64, requests: u64) -> Self {
        let mut chance = Chance::new(seed);
        let ledger_clock = Clock::random(&mut chance);
        let ledger = MemoryLedger::new(ledger_clock.at(0));
        let mut agenda = Agenda::new();
        agenda.plan(0, Event::Request);
        if mode != Mode::Entries {
            for other in 0..OTHERS {
                let entry = entry(&format!("other-{other}"), ledger_clock.at(0));
                ledger.revoke(entry, ledger_clock.at(0).to_unix_time()).expect("room");
            }
            ledger.publish();
            agenda.plan(0, Event::LedgerWakes);
        }
        // Tokens are revoked after the first snapshots, and long enough before the end.
        let span = requests * GAP_MILLIS;
        for token in (0..TOKENS).step_by(2) {
            agenda.plan(chance.between(span / 5, span * 3 / 5), Event::Revoke { token });
        }
        let mut world = Self {
            mode,
            chance: Rc::new(RefCell::new(chance)),
            agenda,
            kv: Rc::default(),
            ledger,
            ledger_clock,
            isolates: Vec::new(),
            tokens: vec![Token::default(); TOKENS],
            lives: 0,
            outcome: Outcome::default(),
        };
        for place in 0..LOCATIONS * ISOLATES_EACH {
            let isolate = world.isolate(place % LOCATIONS);
            world.isolates.push(isolate);
        }
        world
    }

    fn isolate(&mut self, location: usize) -> Isolate {
        self.lives += 1;
        Isolate {
            location,
            clock: Clock::random(&mut self.chance.borrow_mut()),
            life: self.lives,
            remembered: Remembered::default(),
            holder: Holder::default(),
        }
    }

    fn below(&self, end: u64) -> u64 {
        self.chance.borrow_mut().below(end)
    }

    fn travel(&self, location: usize) -> Time {
        travel(location, &mut self.chance.borrow_mut())
    }

    fn run(mut self, requests: u64) -> Outcome {
        while let Some((time, event)) = self.agenda.next() {
            match event {
                Event::Request => {
                    self.request(time);
                    if self.outcome.requests < requests {
                        let next = time + self.below(2 * GAP_MILLIS + 1);
                        self.agenda.plan(next, Event::Request);
                    }
                }
                Event::Decide { isolate, life, token, since }
                    if self.lives_still(isolate, life) =>
                {
                    self.decide(isolate, token, since, time);
                }
                Event::Confirm { isolate, life, token, since, mark }
                    if self.lives_still(isolate, life) =>
                {
                    self.confirm(isolate, token, since, mark, time);
                }
                Event::Loaded { isolate, life } if self.lives_still(isolate, life) => {
                    self.load(isolate, time)
                }
                Event::Decide { .. } | Event::Confirm { .. } | Event::Loaded { .. } => {}
                Event::Revoke { token } => self.revoke(token, time),
                // The simulation ends long after the last request.
                Event::LedgerWakes if self.outcome.requests < requests => self.publish(time),
                Event::LedgerWakes => {}
                Event::Published { publication, succeeded } => {
                    self.ledger.written(*publication, succeeded, self.ledger_clock.at(time));
                    self.agenda.plan(time, Event::LedgerWakes);
                }
            }
        }
        self.outcome.late = self
            .tokens
            .iter()
            .filter(|token| token.acknowledged.is_some())
            .map(|token| token.late)
            .collect();
        self.outcome.late.sort_unstable();
        self.outcome
    }

    fn lives_still(&self, isolate: usize, life: u64) -> bool {
        self.isolates[isolate].life == life
    }

    fn request(&mut self, time: Time) {
        self.outcome.requests += 1;
        let isolate = self.below((LOCATIONS * ISOLATES_EACH) as u64) as usize;
        if self.chance.borrow_mut().happens(EVICTIONS) {
            let location = self.isolates[isolate].location;
            self.isolates[isolate] = self.isolate(location);
        }
        let token = self.below(TOKENS as u64) as usize;
        match self.mode {
            Mode::Entries => self.by_entries(isolate, token, time),
            Mode::Snapshot => self.decide(isolate, token, time, time),
            Mode::Ledger => self.ask(isolate, token, time, time),
        }
    }

    fn by_entries(&mut self, isolate: usize, token: usize, time: Time) {
        let here = &self.isolates[isolate];
        let reads = self.kv.borrow().reads;
        let found = self
            .keyed(here, time)
            .entries(&keys(token))
            .now_or_never()
            .expect("nothing to wait for");
        self.outcome.waited_for += self.kv.borrow().reads - reads;
        match found {
            Ok(entries) => self.decided(token, entries.iter().any(Option::is_some), time),
            Err(_) => self.outcome.unavailable += 1,
        }
    }

    fn keyed<'w>(&'w self, here: &'w Isolate, time: Time) -> Keyed<'w, View> {
        let view = View {
            kv: Rc::clone(&self.kv),
            chance: Rc::clone(&self.chance),
            at: here.location,
            time,
            now: here.clock.at(time),
        };
        Keyed::new(view, &here.remembered, CacheSecs(CACHE_SECS), CacheSecs(CACHE_SECS))
    }

    fn decide(&mut self, isolate: usize, token: usize, since: Time, time: Time) {
        let here = &mut self.isolates[isolate];
        let (now, life, location) = (here.clock.at(time), here.life, here.location);
        let plan = here.holder.decide(FRESHNESS, now);
        match plan {
            Plan::Use => {}
            Plan::UseAndRefresh | Plan::MustLoad => {
                here.holder.begin(now);
                let loaded = time + 10 + self.travel(location);
                self.agenda.plan(loaded, Event::Loaded { isolate, life });
                if plan == Plan::MustLoad {
                    self.outcome.waited_for += 1;
                    self.agenda.plan(loaded, Event::Decide { isolate, life, token, since });
                    return;
                }
            }
            Plan::Wait => {
                self.agenda.plan(time + 20, Event::Decide { isolate, life, token, since });
                return;
            }
            Plan::TooOld => {
                self.outcome.unavailable += 1;
                return;
            }
        }
        let here = &self.isolates[isolate];
        let found: Vec<Lookup> =
            keys(token).iter().map(|key| here.holder.look_up(key, now)).collect();
        if found.contains(&Lookup::Ask) {
            self.ask(isolate, token, since, time);
        } else {
            self.decided(
                token,
                found.iter().any(|known| matches!(known, Lookup::Known(Some(_)))),
                since,
            );
        }
    }

    fn ask(&mut self, isolate: usize, token: usize, since: Time, time: Time) {
        self.outcome.waited_for += 1;
        if self.tokens[token].acknowledged.is_none() {
            self.outcome.waited_in_vain += 1;
        }
        let here = &self.isolates[isolate];
        let (life, mark) = (here.life, here.holder.mark());
        let there = time + self.travel(here.location);
        self.agenda.plan(there, Event::Confirm { isolate, life, token, since, mark });
    }

    fn confirm(&mut self, isolate: usize, token: usize, since: Time, mark: (u64, u64), time: Time) {
        if self.chance.borrow_mut().happens(LEDGER_FAILS) {
            self.outcome.unavailable += 1;
            return;
        }
        let entries: Vec<(DenyKey, Option<Entry>)> =
            keys(token).map(|key| (key, self.ledger.entry(&key))).to_vec();
        self.decided(token, entries.iter().any(|(_, entry)| entry.is_some()), since);
        if self.mode == Mode::Snapshot {
            let here = &mut self.isolates[isolate];
            let now = here.clock.at(time);
            for (key, entry) in entries {
                here.holder.remember(key, entry, mark, CACHE_SECS, now);
            }
        }
    }

    fn decided(&mut self, token: usize, denied: bool, since: Time) {
        let token = &mut self.tokens[token];
        match (denied, token.acknowledged) {
            (false, acknowledged) => {
                self.outcome.admitted += 1;
                if let Some(at) = acknowledged.filter(|at| *at <= since) {
                    token.late = token.late.max(since - at);
                }
            }
            (true, Some(_)) => self.outcome.denied += 1,
            // It may be in force a moment before the administrator hears of it.
            (true, None) => self.outcome.wrongly_denied += 1,
        }
    }

    fn revoke(&mut self, token: usize, time: Time) {
        let isolate = self.below((LOCATIONS * ISOLATES_EACH) as u64) as usize;
        let here = &self.isolates[isolate];
        let now = here.clock.at(time);
        let new = entry(&name(token), now);
        let key = new.deny_key();
        if self.mode == Mode::Entries {
            match self
                .keyed(here, time)
                .put(&key, &new, now)
                .now_or_never()
                .expect("nothing to wait for")
            {
                Ok(()) => self.tokens[token].acknowledged = Some(time),
                // The administrator is told, and tries again.
                Err(_) => self.agenda.plan(time + 2_000, Event::Revoke { token }),
            }
            return;
        }
        let entry =
            self.ledger.revoke(new, self.ledger_clock.at(time).to_unix_time()).expect("room");
        let generation = self.ledger.ledger().generation();
        self.isolates[isolate].holder.wrote(key, entry, generation, now);
        self.tokens[token].acknowledged = Some(time);
        self.agenda.plan(time, Event::LedgerWakes);
    }

    fn publish(&mut self, time: Time) {
        let now = self.ledger_clock.at(time);
        match self.ledger.next_publication(now).expect("a filter") {
            Some(publication) => {
                let mut succeeded = true;
                for (name, value) in &publication.puts {
                    let (mut kv, mut chance) = (self.kv.borrow_mut(), self.chance.borrow_mut());
                    succeeded &=
                        kv.put(name, Some(value.clone()), None, 0, time, &mut chance).is_ok();
                }
                let publication = Box::new(publication);
                self.agenda.plan(time + 30, Event::Published { publication, succeeded });
            }
            None => {
                if let Some(at) = self.ledger.wake_at(now) {
                    self.agenda.plan(time + at.millis_since(now).max(50), Event::LedgerWakes);
                }
            }
        }
    }

    fn load(&mut self, isolate: usize, time: Time) {
        let loaded = self.read_snapshot(isolate, time);
        let here = &mut self.isolates[isolate];
        here.holder.end(loaded, FRESHNESS, here.clock.at(time));
    }

    fn read_snapshot(&self, isolate: usize, time: Time) -> Result<Rc<Snapshot>, String> {
        let here = &self.isolates[isolate];
        let read = |name: &str| {
            let found =
                self.kv.borrow_mut().get(name, here.location, time, &mut self.chance.borrow_mut());
            found.ok().flatten().ok_or_else(|| format!("{name} is not there"))
        };
        let head = Head::parse(&read(HEAD_NAME)?, here.clock.at(time))
            .map_err(|fault| fault.to_string())?;
        if let Some(same) = here.holder.snapshot().and_then(|held| held.with_head(&head)) {
            return Ok(Rc::new(same));
        }
        let mut shards = Vec::new();
        if let Some(base) = &head.base {
            for (index, shard) in base.shards.iter().enumerate() {
                let bytes = read(&base.shard_name(index))?;
                shards.push(Rc::new(
                    shard.read(bytes, base.layout).map_err(|fault| fault.to_string())?,
                ));
            }
        }
        Snapshot::new(head, shards).map(Rc::new).map_err(|fault| fault.to_string())
    }
}

/// The store as an isolate sees it now.
struct View {
    kv: Rc<RefCell<Kv>>,
    chance: Rc<RefCell<Chance>>,
    at: usize,
    time: Time,
    now: UnixMillis,
}

impl KeyValue for View {
    fn now(&self) -> UnixMillis {
        self.now
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let (mut kv, mut chance) = (self.kv.borrow_mut(), self.chance.borrow_mut());
        // One operation for all of them.
        let reads = kv.reads + 1;
        let found = names.iter().map(|name| {
            let value = kv
                .get(name, self.at, self.time, &mut chance)
                .map_err(|_| StoreError::new("KV failed"))?;
            Ok(value.map(|value| String::from_utf8(value).expect("text")))
        });
        let found = found.collect();
        kv.reads = reads;
        found
    }

    async fn write(&self, name: &str, value: &str, _: Option<UnixTime>) -> Result<(), StoreError> {
        let value = Some(value.as_bytes().to_vec());
        let put = self.kv.borrow_mut().put(
            name,
            value,
            None,
            self.at,
            self.time,
            &mut self.chance.borrow_mut(),
        );
        put.map_err(|_| StoreError::new("KV failed"))
    }

    async fn delete(&self, _: &str) -> Result<(), StoreError> {
        Err(StoreError::new("nothing is undone here"))
    }

    async fn names(&self, _: &str, _: Option<&str>, _: usize) -> Result<Page<String>, StoreError> {
        Err(StoreError::new("nothing is listed here"))
    }
}

fn name(token: usize) -> String {
    format!("token-{token}")
}

/// What a request with this token asks about.
fn keys(token: usize) -> [DenyKey; 3] {
    let subject = format!("subject-{token}");
    [
        DenyKey::of_token(ISSUER, &name(token)),
        DenyKey::of_subject(ISSUER, &subject),
        DenyKey::of_issuer(ISSUER),
    ]
}

fn entry(jti: &str, now: UnixMillis) -> Entry {
    let body = format!(r#"{{"iss": "{ISSUER}", "jti": "{jti}"}}"#);
    match NewRevocation::parse(body.as_bytes()).expect("a revocation") {
        NewRevocation::Entry(request) => request.entry(now.to_unix_time()).expect("an entry"),
        NewRevocation::Token(_) => unreachable!("no token was given"),
    }
}

/// Runs all modes, prints their results, and returns the faults.
pub(crate) fn report(requests: u64, seed: u64) -> Vec<String> {
    println!();
    println!(
        "Revocations: {} of {TOKENS} tokens, {OTHERS} others before; seconds after the acknowledgement until the last request was admitted",
        TOKENS / 2
    );
    println!(
        "{:10} {:>8} {:>8} {:>8} {:>8} {:>13} {:>12} {:>15}",
        "", "median", "90 %", "99 %", "worst", "unavailable", "I/O each", "wrongly denied"
    );
    let mut faults = Vec::new();
    let modes = [Mode::Entries, Mode::Snapshot, Mode::Ledger];
    let outcomes = parallel::each(&modes, |mode| World::new(*mode, seed, requests).run(requests));
    for (mode, outcome) in modes.into_iter().zip(outcomes) {
        let secs = |part: f64| quantile(&outcome.late, part) as f64 / 1000.0;
        println!(
            "{:10} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>11.3} % {:>12.4} {:>15}",
            format!("{mode:?}").to_lowercase(),
            secs(0.5),
            secs(0.9),
            secs(0.99),
            secs(1.0),
            100.0 * outcome.unavailable as f64 / outcome.requests as f64,
            outcome.waited_for as f64 / outcome.requests as f64,
            outcome.wrongly_denied,
        );
        faults.extend(faults_of(mode, &outcome));
    }
    faults
}

fn faults_of(mode: Mode, outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let worst = quantile(&outcome.late, 1.0);
    let allowed = match mode {
        // Nothing is promised.
        Mode::Entries => Time::MAX,
        // Both clocks may be wrong.
        Mode::Snapshot => {
            u64::from(FRESHNESS.max_staleness_secs) * 1000 + 2 * MAX_SKEW_MILLIS.unsigned_abs()
        }
        Mode::Ledger => 0,
    };
    if worst > allowed {
        faults.push(format!(
            "{mode:?}: a revoked token was admitted {worst} ms later, allowed are {allowed}"
        ));
    }
    if outcome.wrongly_denied > 0 {
        faults.push(format!(
            "{mode:?}: {} requests were denied that nobody had revoked",
            outcome.wrongly_denied
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mode_is_later_than_it_says_nor_denies_what_is_not_revoked() {
        for mode in [Mode::Entries, Mode::Snapshot, Mode::Ledger] {
            let outcome = World::new(mode, 2, 40_000).run(40_000);
            assert_eq!(faults_of(mode, &outcome), Vec::<String>::new(), "{mode:?}");
            assert!(outcome.denied > 1_000 && outcome.admitted > 10_000, "{outcome:?}");
        }
    }

    #[test]
    fn what_is_late_is_seen() {
        let outcome = World::new(Mode::Entries, 1, 40_000).run(40_000);
        assert!(quantile(&outcome.late, 1.0) > 10_000, "{outcome:?}");
    }

    #[test]
    fn with_a_snapshot_a_good_token_costs_no_question() {
        let outcome = World::new(Mode::Snapshot, 1, 40_000).run(40_000);
        // One look-up in 65,536 finds a false match, and a request makes three.
        assert!(outcome.waited_in_vain * 1_000 < outcome.requests, "{outcome:?}");
    }
}
