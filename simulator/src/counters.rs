//! Limits: many isolates in several places admit requests of the same callers, by each kind of store.

use edgegate::{
    error::StoreError,
    limit::{
        Cell, Charge, CounterGroup, Limit, LimitAlgorithm, Verdict,
        advisory::{AdvisoryCounters, Job},
        held_leases::{LeaseStep, Leases, Taken},
        lease::{Borrow, Grant, Terms, lend},
    },
    store::memory::MemoryCounters,
};

use crate::{
    check::{Promise, Watch},
    kv::Kv,
    parallel,
    world::{Agenda, Chance, Clock, LOCATIONS, Time, quantile, travel},
};

const REQUESTS: u32 = 100;
const WINDOW_SECS: u32 = 60;
const BURST: u32 = 40;
const LEASE: Terms = Terms { requests: 20, secs: 10 };

const CALLERS: usize = 60;
const ISOLATES_EACH: usize = 3;
/// The average time between two requests of all callers together.
const GAP_MILLIS: Time = 6;
/// This many in a million requests begin a burst.
const BURSTS: u64 = 400;
/// An isolate lives for some minutes.
const EVICTIONS: u64 = 300;
/// This many in a million questions to a Durable Object meet its restart: half of them before it has counted, half after.
const RESTARTS: u64 = 2_000;

/// Where requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    DurableObject,
    Kv,
    Memory,
}

#[derive(Debug, Clone, Copy)]
struct Scenario {
    name: &'static str,
    store: Store,
    algorithm: LimitAlgorithm,
    lease: bool,
}

const BUCKET: LimitAlgorithm = LimitAlgorithm::TokenBucket { burst: BURST };

const fn scenario(
    name: &'static str,
    store: Store,
    algorithm: LimitAlgorithm,
    lease: bool,
) -> Scenario {
    Scenario { name, store, algorithm, lease }
}

const SCENARIOS: [Scenario; 8] = [
    scenario(
        "durable-object, fixed window",
        Store::DurableObject,
        LimitAlgorithm::FixedWindow,
        false,
    ),
    scenario(
        "durable-object, fixed window, leases",
        Store::DurableObject,
        LimitAlgorithm::FixedWindow,
        true,
    ),
    scenario(
        "durable-object, sliding window",
        Store::DurableObject,
        LimitAlgorithm::SlidingWindow,
        false,
    ),
    scenario(
        "durable-object, sliding window, leases",
        Store::DurableObject,
        LimitAlgorithm::SlidingWindow,
        true,
    ),
    scenario("durable-object, token bucket", Store::DurableObject, BUCKET, false),
    scenario("durable-object, token bucket, leases", Store::DurableObject, BUCKET, true),
    scenario("kv, sliding window", Store::Kv, LimitAlgorithm::SlidingWindow, false),
    scenario("memory, sliding window", Store::Memory, LimitAlgorithm::SlidingWindow, false),
];

impl Scenario {
    fn limit(&self) -> Limit {
        let limit =
            Limit::new("limit", REQUESTS, WINDOW_SECS, self.algorithm).expect("a valid limit");
        if self.lease { limit.with_lease(LEASE).expect("valid terms") } else { limit }
    }

    fn promise(&self, counter: Clock) -> Promise {
        let (requests, window_millis) = (u64::from(REQUESTS), u64::from(WINDOW_SECS) * 1000);
        match self.algorithm {
            LimitAlgorithm::FixedWindow => Promise::EachWindow {
                requests,
                window_millis,
                offset_millis: counter.at(0).as_millis(),
            },
            LimitAlgorithm::SlidingWindow => Promise::AnyWindow { requests, window_millis },
            LimitAlgorithm::TokenBucket { burst } => {
                Promise::Bucket { burst: u64::from(burst), requests, window_millis }
            }
            other => panic!("nothing is known of {other:?}"),
        }
    }
}

/// The result of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    requests: u64,
    admitted: u64,
    refused: u64,
    /// Requests refused since the store did not answer.
    faults: u64,
    /// Questions to Durable Objects, or operations of KV.
    operations: u64,
    /// The fullest window of each caller, as a part of what is allowed.
    fullest: Vec<f64>,
    exceeded: u64,
    /// Requests refused right after the caller had been told that enough was left.
    untrue: u64,
}

#[derive(Debug)]
enum Event {
    Request,
    /// One of a burst.
    Again {
        caller: usize,
    },
    Asked {
        isolate: usize,
        life: u64,
        caller: usize,
        ask: Borrow,
        asked_at: Time,
    },
    Answered {
        isolate: usize,
        life: u64,
        caller: usize,
        ask: Borrow,
        asked_at: Time,
        answer: Option<Grant>,
    },
    ReadDue {
        isolate: usize,
        life: u64,
        caller: usize,
        prefix: String,
    },
    WriteDue {
        isolate: usize,
        life: u64,
        caller: usize,
    },
}

struct Isolate {
    location: usize,
    clock: Clock,
    /// The number of this isolate at its place. The next one knows nothing of it.
    life: u64,
    leases: Leases,
    memory: MemoryCounters,
    advisory: AdvisoryCounters,
}

struct Caller {
    group: CounterGroup,
    location: usize,
    cell: Option<Cell>,
    watch: Watch,
    /// What was left by the last answer, and when that was.
    told: Option<(Time, u32)>,
}

struct World {
    scenario: Scenario,
    limits: [Limit; 1],
    chance: Chance,
    agenda: Agenda<Event>,
    counter: Clock,
    isolates: Vec<Isolate>,
    callers: Vec<Caller>,
    kv: Kv,
    lives: u64,
    outcome: Outcome,
}

impl World {
    fn new(scenario: Scenario, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let counter = Clock::random(&mut chance);
        let callers = (0..CALLERS)
            .map(|caller| Caller {
                group: CounterGroup::new(&["caller", &caller.to_string()]),
                location: caller % LOCATIONS,
                cell: None,
                watch: Watch::new(scenario.promise(counter)),
                told: None,
            })
            .collect();
        let mut world = Self {
            limits: [scenario.limit()],
            scenario,
            chance,
            agenda: Agenda::new(),
            counter,
            isolates: Vec::new(),
            callers,
            kv: Kv::default(),
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
            clock: Clock::random(&mut self.chance),
            life: self.lives,
            leases: Leases::default(),
            memory: MemoryCounters::default(),
            advisory: AdvisoryCounters::new(format!("isolate-{}", self.lives)),
        }
    }

    fn run(mut self, requests: u64) -> Outcome {
        self.agenda.plan(0, Event::Request);
        while let Some((time, event)) = self.agenda.next() {
            match event {
                Event::Request => {
                    let caller = self.some_caller();
                    self.request(caller, time, requests);
                    if self.outcome.requests < requests {
                        self.agenda
                            .plan(time + self.chance.below(2 * GAP_MILLIS + 1), Event::Request);
                    }
                    if self.chance.happens(BURSTS) {
                        for _ in 0..self.chance.between(50, 400) {
                            let moment = time + self.chance.below(300);
                            self.agenda.plan(moment, Event::Again { caller });
                        }
                    }
                }
                Event::Again { caller } => self.request(caller, time, requests),
                Event::Asked { isolate, life, caller, ask, asked_at } => {
                    let answer = self.count(caller, &ask, time);
                    let back = time + travel(self.isolates[isolate].location, &mut self.chance);
                    self.agenda.plan(
                        back,
                        Event::Answered { isolate, life, caller, ask, asked_at, answer },
                    );
                }
                Event::Answered { isolate, life, caller, ask, asked_at, answer } => {
                    if self.isolates[isolate].life == life {
                        self.answered(isolate, caller, &ask, asked_at, answer, time);
                    }
                }
                Event::ReadDue { isolate, life, caller, prefix } => {
                    if self.isolates[isolate].life == life {
                        self.read(isolate, caller, &prefix, time);
                    }
                }
                Event::WriteDue { isolate, life, caller } => {
                    if self.isolates[isolate].life == life {
                        self.write(isolate, caller, time);
                    }
                }
            }
        }
        if self.scenario.store == Store::Kv {
            self.outcome.operations = self.kv.reads + self.kv.writes;
        }
        for caller in &self.callers {
            self.outcome.exceeded += caller.watch.exceeded;
            self.outcome.fullest.push(caller.watch.most as f64 / caller.watch.allowed() as f64);
        }
        self.outcome.fullest.sort_by(f64::total_cmp);
        self.outcome
    }

    /// Some ask far less than they may, some far more.
    const fn some_caller(&mut self) -> usize {
        let wide = self.chance.below(CALLERS as u64);
        let narrow = self.chance.below(wide + 1);
        narrow as usize
    }

    /// Most requests of a caller come to the place where it is.
    fn some_isolate(&mut self, caller: usize) -> usize {
        let home = self.callers[caller].location;
        let place = if self.chance.happens(700_000) {
            home
        } else {
            self.chance.below(LOCATIONS as u64) as usize
        };
        place + LOCATIONS * self.chance.below(ISOLATES_EACH as u64) as usize
    }

    fn request(&mut self, caller: usize, time: Time, requests: u64) {
        if self.outcome.requests >= requests {
            return;
        }
        self.outcome.requests += 1;
        let isolate = self.some_isolate(caller);
        if self.chance.happens(EVICTIONS) {
            let location = self.isolates[isolate].location;
            self.isolates[isolate] = self.isolate(location);
        }
        let now = self.isolates[isolate].clock.at(time);
        let (here, whose) = (&self.isolates[isolate], &self.callers[caller]);
        match self.scenario.store {
            Store::Memory => {
                let verdicts =
                    here.memory.take_now(Charge::new(&whose.group, &self.limits, 1, now));
                self.decided(caller, &verdicts, time);
            }
            Store::Kv => {
                let taken = here.advisory.take(&whose.group, &self.limits, 1, now);
                let jobs = here.advisory.jobs(&whose.group, &self.limits, now);
                match taken {
                    Ok(verdicts) => self.decided(caller, &verdicts, time),
                    Err(_) => self.outcome.faults += 1,
                }
                self.plan_jobs(isolate, caller, jobs, time);
            }
            Store::DurableObject => match here.leases.begin(&whose.group, &self.limits, 1, now) {
                LeaseStep::Decided(taken) => self.decided(caller, &taken.verdicts, time),
                LeaseStep::Ask(ask) => {
                    let (life, location) = (here.life, here.location);
                    let there = time + travel(location, &mut self.chance);
                    self.agenda
                        .plan(there, Event::Asked { isolate, life, caller, ask, asked_at: time });
                }
            },
        }
    }

    /// The Durable Object counts. `None` means that it has restarted, before or after it has counted and stored.
    fn count(&mut self, caller: usize, ask: &Borrow, time: Time) -> Option<Grant> {
        self.outcome.operations += 1;
        let restarts = self.chance.happens(RESTARTS);
        if restarts && self.chance.happens(500_000) {
            return None;
        }
        let whose = &mut self.callers[caller];
        let mut meters = [(&self.limits[0], whose.cell.take())];
        let grant = lend(&mut meters, ask, self.counter.at(time));
        let [(_, cell)] = meters;
        whose.cell = cell;
        if restarts {
            return None;
        }
        if grant.admitted() {
            whose.watch.admitted(time, u64::from(ask.cost));
        }
        Some(grant)
    }

    fn answered(
        &mut self,
        isolate: usize,
        caller: usize,
        ask: &Borrow,
        asked_at: Time,
        answer: Option<Grant>,
        time: Time,
    ) {
        let (here, whose) = (&self.isolates[isolate], &self.callers[caller]);
        let times = (here.clock.at(asked_at), here.clock.at(time));
        let counted = answer.as_ref().is_some_and(Grant::admitted);
        let answer = answer.ok_or_else(|| StoreError::new("restarted"));
        match here.leases.finish(&whose.group, &self.limits, ask, times, answer) {
            Err(_) => self.outcome.faults += 1,
            // The watch has seen it when it was counted.
            Ok(Taken { verdicts, .. }) if counted => self.tell(caller, &verdicts, time),
            Ok(Taken { verdicts, .. }) => self.decided(caller, &verdicts, time),
        }
    }

    /// A decision of this moment.
    fn decided(&mut self, caller: usize, verdicts: &[Verdict], time: Time) {
        if verdicts.iter().all(|verdict| verdict.admitted) {
            self.callers[caller].watch.admitted(time, 1);
        }
        self.tell(caller, verdicts, time);
    }

    fn tell(&mut self, caller: usize, verdicts: &[Verdict], time: Time) {
        let whose = &mut self.callers[caller];
        let admitted = verdicts.iter().all(|verdict| verdict.admitted);
        let left = verdicts.iter().map(|verdict| verdict.remaining).min().unwrap_or(0);
        if admitted {
            self.outcome.admitted += 1;
        } else {
            self.outcome.refused += 1;
            // The answer is at most a tenth of a second old, and fewer requests are on their way than were left.
            if whose.told.is_some_and(|(at, left)| time <= at + 100 && left > 0) {
                self.outcome.untrue += 1;
            }
        }
        whose.told = Some((time, left));
    }

    fn plan_jobs(&mut self, isolate: usize, caller: usize, jobs: Vec<Job>, time: Time) {
        let life = self.isolates[isolate].life;
        for job in jobs {
            match job {
                Job::Read { prefix } => {
                    let then = time + self.chance.between(5, 80);
                    self.agenda.plan(then, Event::ReadDue { isolate, life, caller, prefix });
                }
                Job::Write { after_millis, .. } => {
                    self.agenda
                        .plan(time + after_millis, Event::WriteDue { isolate, life, caller });
                }
            }
        }
    }

    fn read(&mut self, isolate: usize, caller: usize, prefix: &str, time: Time) {
        let here = &self.isolates[isolate];
        let found = self.kv.list(prefix, here.location, time, &mut self.chance);
        let found = found.as_deref().map_err(|_| StoreError::new("KV failed"));
        here.advisory.read(&self.callers[caller].group, found, here.clock.at(time));
    }

    fn write(&mut self, isolate: usize, caller: usize, time: Time) {
        let here = &self.isolates[isolate];
        let (group, name, now) =
            (&self.callers[caller].group, self.limits[0].name(), here.clock.at(time));
        let Some(component) = here.advisory.to_write(group, name, now) else {
            here.advisory.wrote(group, name, true, now);
            return;
        };
        let value = Some(component.cell.into_bytes());
        let put = self.kv.put(
            &component.key,
            value,
            Some(component.ttl_secs),
            here.location,
            time,
            &mut self.chance,
        );
        here.advisory.wrote(group, name, put.is_ok(), now);
    }
}

/// Runs all scenarios, prints their results, and returns the faults.
pub(crate) fn report(requests: u64, seed: u64) -> Vec<String> {
    println!();
    println!(
        "Limits: {REQUESTS} requests in {WINDOW_SECS} s (bucket: {BURST}), {CALLERS} callers, {} isolates in {LOCATIONS} places",
        LOCATIONS * ISOLATES_EACH
    );
    println!(
        "{:40} {:>9} {:>8} {:>9} {:>22} {:>9} {:>7}",
        "", "admitted", "faults", "I/O each", "fullest window 50/100 %", "exceeded", "untrue"
    );
    let mut faults = Vec::new();
    let mut exact = 0;
    let outcomes = parallel::each(&SCENARIOS, |scenario| World::new(*scenario, seed).run(requests));
    for (scenario, outcome) in SCENARIOS.into_iter().zip(outcomes) {
        let part = |count: u64| 100.0 * count as f64 / outcome.requests as f64;
        println!(
            "{:40} {:>7.2} % {:>6.2} % {:>9.3} {:>12.2} {:>9.2} {:>9} {:>5.2} %",
            scenario.name,
            part(outcome.admitted),
            part(outcome.faults),
            outcome.operations as f64 / outcome.requests as f64,
            quantile(&outcome.fullest, 0.5),
            quantile(&outcome.fullest, 1.0),
            outcome.exceeded,
            part(outcome.untrue),
        );
        if scenario.store == Store::DurableObject {
            if outcome.exceeded > 0 {
                faults.push(format!(
                    "{}: a limit was exceeded {} times",
                    scenario.name, outcome.exceeded
                ));
            }
            if scenario.lease {
                println!(
                    "{:40} {:>7.2} % of what the counter alone admits",
                    "",
                    100.0 * outcome.admitted as f64 / exact as f64
                );
            }
            exact = outcome.admitted;
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_exact_limit_is_exceeded_whatever_the_chance() {
        for seed in 0..3 {
            for scenario in SCENARIOS.into_iter().filter(|one| one.store == Store::DurableObject) {
                let outcome = World::new(scenario, seed).run(10_000);
                assert_eq!(outcome.exceeded, 0, "{}, seed {seed}", scenario.name);
                assert!(outcome.admitted > 1_000 && outcome.refused > 1_000, "{outcome:?}");
            }
        }
    }

    #[test]
    fn the_watch_sees_what_inexact_stores_do() {
        for scenario in SCENARIOS.into_iter().filter(|one| one.store != Store::DurableObject) {
            assert!(World::new(scenario, 1).run(30_000).exceeded > 0, "{}", scenario.name);
        }
    }

    #[test]
    fn a_seed_gives_the_same_run() {
        let run = || format!("{:?}", World::new(SCENARIOS[3], 7).run(10_000));
        assert_eq!(run(), run());
    }
}
