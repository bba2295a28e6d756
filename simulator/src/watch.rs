//! The watch: whether counts are exact though messages and isolates are lost, how soon an alert comes, and how often a finding is
//! wrong over models of callers. The gate's own steps, in virtual time.

use std::collections::{BTreeMap, HashMap};

use edgegate::{
    session::state::RowChange,
    time::UnixMillis,
    watch::{
        delta::Delta,
        place::Place,
        rules::{self, Rule},
        series::Series,
        state::{Orders, WatchState},
        tally::{Caller, Noted, Tally},
    },
};

use crate::world::{Agenda, Chance, LOCATIONS, quantile, travel};

const START: u64 = 1_700_000_001_234;

/// More find nothing else.
const MAX_REQUESTS: u64 = 1_000_000;

/// Callers of each model.
const CALLERS: u64 = 10_000;

/// By then all who share a credential are found.
const MAX_SECS: u64 = 360;

/// So many share isolates and the object: a gate watches 500 at a time.
const TOGETHER: u64 = 200;

fn at(time: u64) -> UnixMillis {
    UnixMillis::from_millis(START + time)
}

/// Runs the scenarios, prints what they have found, and returns what failed.
pub(crate) fn report(requests: u64, seed: u64) -> Vec<String> {
    let requests = requests.min(MAX_REQUESTS);
    let mut faults = exact(requests, 1_000, seed);
    // Of fewer isolates each is busier, and has a flush planned already when the failure comes.
    faults.extend(exact(requests, 100, seed));
    faults.extend(sharing(CALLERS.min(requests / 50 + TOGETHER), seed));
    faults
}

/// The object, and the rows that it has stored.
#[derive(Default)]
struct Object {
    state: WatchState,
    rows: BTreeMap<String, String>,
}

impl Object {
    fn save(&mut self) {
        for RowChange { name, value } in self.state.take_changes() {
            match value {
                Some(value) => self.rows.insert(name, value),
                None => self.rows.remove(&name),
            };
        }
    }

    fn restart(&mut self) {
        let rows = self.rows.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.state = WatchState::from_rows(rows).expect("rows of our own");
    }

    fn total(&self) -> u64 {
        self.state.windows().totals().decisions()
    }
}

enum Happening {
    /// A request at an isolate.
    Request(usize),
    /// What has come together is taken.
    Flush(usize, u64),
    /// A delta comes to the object.
    Delta(usize, u64, Box<Delta>),
    /// An answer comes back; `None`: it was lost.
    Answer(usize, u64, Option<Box<edgegate::watch::delta::Acknowledged>>),
}

/// An isolate in one of its lives.
struct Isolate {
    tally: Tally,
    life: u64,
    /// Decisions since the beginning of this life.
    noted: u64,
}

/// Counts of isolates that die, over a network that loses messages, to an object that is thrown away.
fn exact(requests: u64, among: usize, seed: u64) -> Vec<String> {
    let mut chance = Chance::new(seed ^ 0x7761_7463);
    let rules: Vec<Rule> = rules::defaults().into_iter().take(1).collect();
    let orders = Orders { rules: &rules, sinks: &[] };
    let mut agenda = Agenda::new();
    let mut lives = 0;
    let mut new = |chance: &mut Chance| {
        lives += 1;
        Isolate { tally: Tally::new(chance.next()), life: lives, noted: 0 }
    };
    let mut isolates: Vec<Isolate> = (0..among).map(|_| new(&mut chance)).collect();
    let mut object = Object::default();
    // What each delta had that came to the object: by life and number.
    let mut arrived: HashMap<(u64, u64), u64> = HashMap::new();
    let (mut deltas, mut repeated, mut died, mut lost, mut restarts) =
        (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut noted = 0;
    let mut crossed: Option<u64> = None;
    let mut delays = Vec::new();
    agenda.plan(0, Happening::Request(0));
    // Bursts of failures, with quiet times between in which alerts resolve.
    let mut next_burst = 600_000;
    let mut burst = 0;
    while let Some((time, happening)) = agenda.next() {
        match happening {
            Happening::Request(index) => {
                let isolate = &mut isolates[index];
                let is_failure = burst > 0;
                burst = u64::saturating_sub(burst, 1);
                if is_failure && burst == 100 - 1 && crossed.is_none() {
                    // The hundred and first of this burst.
                    crossed = Some(time);
                }
                let code = if is_failure { "INVALID_TOKEN" } else { "" };
                let series =
                    Series { code, route: "/v1/*", carrier: "bearer", ..Series::default() };
                isolate.tally.count(&Noted { series, is_failure, late_secs: None });
                isolate.noted += 1;
                noted += 1;
                if let Some(wait) = isolate.tally.plan(is_failure, at(time)) {
                    agenda.plan(time + wait, Happening::Flush(index, isolate.life));
                }
                if chance.happens(200) {
                    // It dies. What it had not handed over, or of which it had no answer, may be lost.
                    died += 1;
                    isolates[index] = new(&mut chance);
                }
                if noted < requests {
                    if time >= next_burst {
                        next_burst = time + 900_000;
                        burst = 200;
                    }
                    let pause = if burst > 0 { 5 } else { chance.between(10, 190) };
                    let next = usize::try_from(chance.below(among as u64)).expect("small");
                    agenda.plan(time + pause, Happening::Request(next));
                }
            }
            Happening::Flush(index, life) if isolates[index].life == life => {
                let Some(delta) = isolates[index].tally.take(at(time)) else { continue };
                deltas += 1;
                let way = travel(index % LOCATIONS, &mut chance);
                if chance.happens(10_000) {
                    lost += 1;
                    agenda.plan(time + 2_000, Happening::Answer(index, life, None));
                } else {
                    agenda.plan(time + way, Happening::Delta(index, life, Box::new(delta)));
                }
            }
            Happening::Delta(index, life, delta) => {
                if chance.happens(2_000) {
                    restarts += 1;
                    object.restart();
                }
                let had = delta
                    .counts
                    .iter()
                    .filter(|(name, _)| name.starts_with("d\t"))
                    .map(|(_, n)| n)
                    .sum();
                if arrived.insert((life, delta.seq), had).is_some() {
                    repeated += 1;
                }
                let answer = object.state.apply(&delta, orders, at(time)).expect("few isolates");
                object.save();
                let fires =
                    object.state.alerts().any(|(_, _, alert)| alert.state == rules::State::Firing);
                if fires && let Some(since) = crossed.take() {
                    delays.push(time - since);
                }
                let answer = if chance.happens(10_000) { None } else { Some(Box::new(answer)) };
                let wait =
                    if answer.is_some() { travel(index % LOCATIONS, &mut chance) } else { 2_000 };
                agenda.plan(time + wait, Happening::Answer(index, life, answer));
            }
            Happening::Answer(index, life, answer) if isolates[index].life == life => {
                match answer {
                    Some(answer) => isolates[index].tally.acknowledged(*answer, at(time)),
                    None => isolates[index].tally.missed(at(time)),
                }
                // In the Worker a later request plans it; without one there is nothing to hand over but what was lost.
                if let Some(wait) = isolates[index].tally.plan(false, at(time)) {
                    agenda.plan(time + wait, Happening::Flush(index, life));
                }
            }
            Happening::Flush(..) | Happening::Answer(..) => {}
        }
    }
    object.restart();
    let expected: u64 = arrived.values().sum();
    let total = object.total();
    delays.sort_unstable();
    println!(
        "\nWatch: {noted} decisions at {among} isolates, {deltas} deltas, {lost} lost on the way, {repeated} came twice, {died} isolates died, {restarts} restarts of the object\n\
         counted {total}, handed over {expected}, unflushed when their isolate died {}\n\
         alert after the 101st failure: median {} ms, 99 % {} ms, of {} bursts",
        noted - expected,
        quantile(&delays, 0.5),
        quantile(&delays, 0.99),
        delays.len(),
    );
    let mut faults = Vec::new();
    if total != expected {
        faults.push(format!("watch: counted {total}, handed over {expected}"));
    }
    if quantile(&delays, 0.99) > 12_000 {
        faults.push("watch: an alert comes too late".to_owned());
    }
    faults
}

/// How a caller moves between places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Staying,
    /// A new network about every ten minutes, half of them of another operator.
    Mobile,
    /// Between a wireless network and a mobile one, about every three minutes.
    Flapping,
    /// Four addresses of one operator, by turns.
    ManyAddresses,
    /// Two callers, each at a place of its own.
    Shared,
}

const MODELS: [(Model, &str); 5] = [
    (Model::Staying, "stays at a place"),
    (Model::Mobile, "mobile: a new network every ten minutes, half of them of another operator"),
    (Model::Flapping, "a phone between two networks, every three minutes"),
    (Model::ManyAddresses, "four addresses of one operator"),
    (Model::Shared, "two callers at two operators share it"),
];

/// Who is found to share a credential.
fn sharing(callers: u64, seed: u64) -> Vec<String> {
    println!(
        "\nShared credentials: {callers} callers of each model for an hour, a request every 5 to 60 seconds, at 5 isolates"
    );
    let mut faults = Vec::new();
    for (model, name) in MODELS {
        let (mut found, mut times, mut sightings, mut requests) = (0, Vec::new(), 0, 0);
        for batch in 0..callers.div_ceil(TOGETHER) {
            let outcome = hour(model, seed ^ (batch << 24) ^ model as u64);
            found += outcome.found_at.len();
            times.extend(outcome.found_at);
            sightings += outcome.sightings;
            requests += outcome.requests;
        }
        times.sort_unstable();
        let all = callers.div_ceil(TOGETHER) * TOGETHER;
        println!(
            "{name:75} {found:>6} of {all}, after {:>4} s (median), {:>4} s (all); {:.3} sightings a request",
            quantile(&times, 0.5),
            quantile(&times, 1.0),
            sightings as f64 / requests as f64,
        );
        let expected = if model == Model::Shared { all } else { 0 };
        if model == Model::Shared && quantile(&times, 1.0) > MAX_SECS {
            faults.push(format!("watch: {name}: found after more than {MAX_SECS} s"));
        }
        if u64::try_from(found).expect("small") != expected {
            faults.push(format!("watch: {name}: {found} were found, expected {expected}"));
        }
    }
    faults
}

#[derive(Default)]
struct Hour {
    /// Seconds, of those that were found.
    found_at: Vec<u64>,
    sightings: u64,
    requests: u64,
}

/// An hour of some callers, at isolates of their own.
fn hour(model: Model, seed: u64) -> Hour {
    const ISOLATES: usize = 5;
    let mut chance = Chance::new(seed);
    let mut tallies: Vec<Tally> = (0..ISOLATES).map(|_| Tally::new(chance.next())).collect();
    let mut state = WatchState::default();
    let orders = Orders { rules: &[], sinks: &[] };
    let mut agenda = Agenda::new();
    // A caller, and which of two it is.
    for caller in 0..TOGETHER {
        let of_it = if model == Model::Shared { 2 } else { 1 };
        for who in 0..of_it {
            agenda.plan(chance.below(60_000), (caller, who));
        }
    }
    let mut moves: HashMap<u64, (u64, u64, u64)> = HashMap::new();
    let mut hour = Hour::default();
    let mut found_before = 0;
    let mut flush_at = 10_000;
    while let Some((time, (caller, who))) = agenda.next() {
        while time >= flush_at {
            for tally in &mut tallies {
                let Some(delta) = tally.take(at(flush_at)) else { continue };
                hour.sightings += delta.sightings.len() as u64;
                let answer = state.apply(&delta, orders, at(flush_at)).expect("few isolates");
                state.take_changes();
                tally.acknowledged(answer, at(flush_at));
                let totals = state.windows().totals();
                let now = totals.iter().find(|(name, _)| *name == "x\tshared_credential");
                let now = now.map_or(0, |(_, n)| n);
                hour.found_at.extend((found_before..now).map(|_| flush_at / 1000));
                found_before = now;
            }
            flush_at += 10_000;
        }
        if time > 3_600_000 {
            break;
        }
        let (network, operator) = place(model, (caller, who), time, (&mut moves, &mut chance));
        hour.requests += 1;
        // Mostly the near isolate, sometimes another of the same location.
        let at_isolate = usize::try_from(chance.below(ISOLATES as u64)).expect("small");
        let tally = &mut tallies[at_isolate];
        let series = Series { identity: "jwt", carrier: "bearer", ..Series::default() };
        tally.count(&Noted { series, is_failure: false, late_secs: None });
        let [at_network, at_operator] = [network, operator]
            .map(|number| Place::operator(u32::try_from(number).expect("few callers move")));
        if let Some(first) = tally.first_sight(caller, at_network, at(time)) {
            let caller = Caller { place: at_operator, country: None, located: None };
            tally.meet(first, caller, at(time));
        }
        agenda.plan(time + chance.between(5_000, 60_000), (caller, who));
    }
    // One that was found again later is one.
    hour.found_at.truncate(usize::try_from(TOGETHER).expect("small"));
    hour
}

/// Network and operator of a caller now.
fn place(
    model: Model,
    (caller, who): (u64, u64),
    time: u64,
    (moves, chance): (&mut HashMap<u64, (u64, u64, u64)>, &mut Chance),
) -> (u64, u64) {
    match model {
        Model::Staying => (caller, caller),
        Model::ManyAddresses => (caller * 4 + chance.below(4), caller),
        Model::Shared => (caller * 2 + who, caller * 2 + who),
        Model::Mobile | Model::Flapping => {
            let (network, operator, until) =
                moves.entry(caller).or_insert((caller << 20, caller << 20, 0));
            if time >= *until {
                let (stay, is_other) = if model == Model::Mobile {
                    (chance.between(300_000, 900_000), chance.happens(500_000))
                } else {
                    (chance.between(120_000, 240_000), true)
                };
                if model == Model::Mobile {
                    *network += 1;
                    *operator += u64::from(is_other);
                } else {
                    *network ^= 1;
                    *operator ^= 1;
                }
                *until = time + stay;
            }
            (*network, *operator)
        }
    }
}
