//! How often the rules that are on by default are wrong over ordinary traffic, and how soon they find what they are for. Each run is a gate
//! of its own, for an hour, which has learnt its countries the days before. The gate's own steps, in virtual time.

use std::collections::BTreeMap;

use edgegate::{
    time::UnixMillis,
    watch::{
        delta::{Delta, Sighting},
        event::VERSION,
        rules::{self, Group, Measure, Rule, State},
        series::{Kind, Lateness, Series},
        state::{Orders, WatchState},
        stuffing::Crowd,
        travel::{Located, Point},
    },
};

use crate::{
    parallel,
    world::{Chance, quantile},
};

const START: u64 = 1_700_000_001_234;
const DAY: u64 = 86_400;
/// An isolate hands over so often, in seconds.
const STEP: u64 = 30;
const HOUR: u64 = 3_600;

/// The rule that is on only if a policy has it.
const TRAVEL: &str = "impossible-travel";

const BERLIN: Point = Point { latitude: 52, longitude: 13 };
const MUNICH: Point = Point { latitude: 48, longitude: 11 };
const SINGAPORE: Point = Point { latitude: 1, longitude: 103 };

/// A gate, and an isolate that hands over.
struct Gate {
    state: WatchState,
    rules: Vec<Rule>,
    delta: Delta,
    chance: Chance,
    /// Requests a second.
    rate: f64,
    /// Seconds of the hour.
    now: u64,
    /// When each rule has fired first.
    fired: BTreeMap<String, u64>,
}

impl Gate {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut rules = rules::defaults();
        rules.push(Rule {
            name: TRAVEL.to_owned(),
            measure: Measure::Travel(805),
            window_secs: 900,
            group: Group::None,
            for_secs: 0,
            resolve_secs: 300,
            cool_down_secs: 900,
        });
        // A gate has between one request in five seconds and fifty a second.
        let rate = 0.2 * 250_f64.powf(share(&mut chance));
        let delta = Delta {
            v: VERSION,
            isolate: format!("{:016x}", 1),
            seq: 1,
            counts: BTreeMap::new(),
            events: Vec::new(),
            sightings: Vec::new(),
            crowds: BTreeMap::new(),
            dropped: 0,
            lost: 0,
        };
        let state = WatchState::default();
        let mut gate = Self { state, rules, delta, chance, rate, now: 0, fired: BTreeMap::new() };
        gate.country("DE");
        gate.hand_over(0);
        gate.hand_over(2 * DAY);
        gate.fired.clear();
        gate
    }

    fn at(&self) -> UnixMillis {
        UnixMillis::from_millis(START + (2 * DAY + self.now) * 1000)
    }

    fn hand_over(&mut self, at: u64) {
        let now = UnixMillis::from_millis(START + at * 1000);
        let orders = Orders { rules: &self.rules, sinks: &[] };
        self.state.apply(&self.delta, orders, now).expect("one isolate");
        self.state.take_changes();
        self.delta.seq += 1;
        self.delta.counts.clear();
        self.delta.sightings.clear();
        self.delta.crowds.clear();
        let firing = self.state.alerts().filter(|(_, _, alert)| alert.state == State::Firing);
        for (rule, ..) in firing {
            self.fired.entry(rule.to_owned()).or_insert(self.now);
        }
    }

    fn add(&mut self, name: String, n: u64) {
        if n > 0 {
            *self.delta.counts.entry(name).or_default() += n;
        }
    }

    fn country(&mut self, country: &str) {
        self.add(Kind::Country.name(country), 1);
    }

    /// About so many, by chance.
    fn about(&mut self, expected: f64) -> u64 {
        let some = expected * (0.5 + share(&mut self.chance));
        let more = share(&mut self.chance) < some.fract();
        some as u64 + u64::from(more)
    }

    /// What comes in a step: `expired` and `bad` are parts of all.
    fn traffic(&mut self, expired: f64, bad: f64) {
        let all = self.rate * STEP as f64;
        let (expired, bad) = (self.about(all * expired), self.about(all * bad));
        let admitted = self.about(all);
        let series = Series { route: "/v1/*", carrier: "bearer", ..Series::default() };
        self.add(Series { identity: "jwt", ..series }.name(), admitted);
        self.add(Series { code: "TOKEN_EXPIRED", ..series }.name(), expired);
        self.add(Kind::Lateness.name(Lateness::Seconds.word()), expired);
        for _ in 0..bad {
            let network = self.chance.below(1 << 16);
            self.fails(&format!("10.{network}"), "AS1", None);
        }
        if self.chance.happens(100_000) {
            self.country("DE");
        }
    }

    /// A credential fails; `tried`: a name or a key of which there are many.
    fn fails(&mut self, network: &str, operator: &str, tried: Option<u64>) {
        let series = Series { route: "/auth/login", carrier: "bearer", ..Series::default() };
        self.add(Series { code: "INVALID_CREDENTIALS", ..series }.name(), 1);
        self.add(Kind::Failure.name("/auth/login"), 1);
        self.add(Kind::Network.name(network), 1);
        if let Some(tried) = tried {
            self.meet(network, operator, Crowd::of_failed(mixed(tried)));
        }
    }

    fn is_let_in(&mut self, network: &str, operator: &str, who: u64) {
        self.meet(network, operator, Crowd::of_admitted(mixed(who)));
    }

    fn meet(&mut self, network: &str, operator: &str, one: Crowd) {
        for place in [network, operator] {
            let crowd = self.delta.crowds.entry(place.to_owned()).or_default();
            *crowd = crowd.and(one);
        }
    }

    fn sight(&mut self, who: u64, place: &str, revoked: bool, point: Option<Point>) {
        let who = format!("c{who}");
        let located = point.map(|point| Located { who: who.clone(), point });
        let sighting = Sighting { who, place: place.to_owned(), at: self.at(), revoked, located };
        self.delta.sightings.push(sighting);
    }

    /// People who log in at one place in this step, of whom a part mistypes first.
    fn people_log_in(&mut self, (network, operator): (&str, &str), people: f64, mistype: f64) {
        for _ in 0..self.about(people) {
            let who = self.chance.next();
            if share(&mut self.chance) < mistype {
                self.fails(network, operator, Some(who));
            }
            self.is_let_in(network, operator, who);
        }
    }
}

/// From 0 to 1.
fn share(chance: &mut Chance) -> f64 {
    chance.below(1 << 32) as f64 / (1_u64 << 32) as f64
}

/// As a MAC: spread over all bits.
const fn mixed(number: u64) -> u64 {
    Chance::new(number).next()
}

type Model = (&'static str, fn(&mut Gate));

/// Nothing is wrong.
const ORDINARY: [Model; 11] = [
    ("traffic that comes and goes: 3 % with an expired token, 0.1 % bad", |gate| {
        gate.traffic(0.03, 0.001)
    }),
    ("a deploy: the issuer's clock is a minute behind for ten minutes", |gate| {
        let is_behind = (600..1_200).contains(&gate.now);
        gate.traffic(if is_behind { 0.10 } else { 0.03 }, 0.001);
    }),
    ("phones that wake up with an expired token: 12 %", |gate| gate.traffic(0.12, 0.001)),
    ("a provider changes its keys, and publishes them a minute late", |gate| {
        // Tokens live for 15 minutes: in a minute one in 15 is new.
        let is_late = (600..660).contains(&gate.now);
        gate.traffic(
            0.03,
            if is_late { (gate.now - 600 + STEP / 2) as f64 / 900.0 } else { 0.001 },
        );
    }),
    ("a client with a wrong key asks again every 5 seconds, for an hour", |gate| {
        gate.traffic(0.03, 0.001);
        (0..6).for_each(|_| gate.fails("192.0.2.0/24", "AS7", Some(7)));
    }),
    ("a company behind one address: 500 log in within ten minutes, 8 % mistype", |gate| {
        gate.traffic(0.03, 0.0);
        if gate.now < 600 {
            gate.people_log_in(("192.0.2.0/24", "AS7"), 25.0, 0.08);
        }
    }),
    ("a mobile operator behind few addresses: 20,000 log in, 3 % mistype", |gate| {
        gate.traffic(0.03, 0.0);
        gate.people_log_in(("192.0.2.0/24", "AS7"), 167.0, 0.03);
    }),
    ("a small company: 20 log in, 3 in 10 forgot that the password had changed", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now < 300 {
            gate.people_log_in(("192.0.2.0/24", "AS7"), 2.0, 0.30);
        }
    }),
    (
        "50 log out: each of them asks once more within 30 s, one in five moves every ten minutes",
        |gate| {
            gate.traffic(0.03, 0.001);
            for _ in 0..gate.about(50.0 / 120.0) {
                let who = gate.chance.next();
                gate.sight(who, "AS7", true, None);
                let pause = gate.chance.between(1, 30);
                let moves = 0.2 * 0.5 * pause as f64 / 600.0;
                let place = if share(&mut gate.chance) < moves { "AS8" } else { "AS7" };
                gate.now += pause;
                gate.sight(who, place, true, None);
                gate.now -= pause;
            }
        },
    ),
    ("somebody flies to another continent, and asks before and after", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now == 1_800 {
            let flown = Sighting {
                who: "c1".to_owned(),
                place: "AS7".to_owned(),
                // 9,000 km at 850 an hour, and an hour at the airports.
                at: UnixMillis::from_millis(gate.at().as_millis() - 41_700_000),
                revoked: false,
                located: Some(Located { who: "c1".to_owned(), point: BERLIN }),
            };
            gate.delta.sightings.push(flown);
            gate.sight(1, "AS9", false, Some(SINGAPORE));
            gate.country("SG");
        }
    }),
    ("somebody turns on a tunnel that ends on another continent", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now == 600 {
            gate.sight(1, "AS7", false, Some(MUNICH));
        }
        if gate.now == 1_200 {
            gate.sight(1, "AS9", false, Some(SINGAPORE));
            gate.country("SG");
        }
    }),
];

/// Something is.
const ATTACKS: [Model; 9] = [
    ("passwords for one name, one a second", |gate| {
        gate.traffic(0.03, 0.001);
        (0..STEP).for_each(|_| gate.fails("192.0.2.0/24", "AS7", Some(7)));
    }),
    ("clients do not renew tokens any more: 40 % are expired", |gate| gate.traffic(0.7, 0.001)),
    ("a stolen token is used on after the logout, once a minute, from elsewhere", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now == 600 {
            gate.sight(1, "AS7", true, None);
        }
        if gate.now > 600 && gate.now.is_multiple_of(60) {
            gate.sight(1, "AS9", true, None);
        }
    }),
    ("the same from the same operator", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now >= 600 && gate.now.is_multiple_of(60) {
            gate.sight(1, "AS7", true, None);
        }
    }),
    ("somebody comes from a new country", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now == 600 {
            gate.country("XX");
        }
    }),
    ("a list of names and passwords, one in 10 s, from one network; 1 % are right", |gate| {
        gate.traffic(0.03, 0.001);
        (0..3).for_each(|_| one_of_list(gate, "192.0.2.0/24", "AS9"));
    }),
    ("the same by turns over 500 networks of an operator", |gate| {
        gate.traffic(0.03, 0.001);
        for _ in 0..3 {
            let network = format!("10.{}", gate.chance.below(500));
            one_of_list(gate, &network, "AS9");
        }
    }),
    ("two a second over 2,000 networks of 200 operators", |gate| {
        gate.traffic(0.03, 0.001);
        for _ in 0..60 {
            let network = gate.chance.below(2_000);
            one_of_list(gate, &format!("10.{network}"), &format!("AS{}", 100 + network % 200));
        }
    }),
    ("a session is used in Munich, and ten minutes later in Singapore", |gate| {
        gate.traffic(0.03, 0.001);
        if gate.now == 600 {
            gate.sight(1, "AS7", false, Some(MUNICH));
        }
        if gate.now == 1_200 {
            gate.sight(1, "AS9", false, Some(SINGAPORE));
        }
    }),
];

fn one_of_list(gate: &mut Gate, network: &str, operator: &str) {
    let who = gate.chance.next();
    if gate.chance.happens(10_000) {
        gate.is_let_in(network, operator, who);
    } else {
        gate.fails(network, operator, Some(who));
    }
}

/// The rules of which an alert is no mistake where a model has this number in its list.
const EXPECTED_OF_ORDINARY: [(usize, &[&str]); 3] = [
    // So many credentials do fail.
    (3, &["failures"]),
    // What these rules say is so: somebody comes from where nobody came from.
    (9, &["unusual-country"]),
    (10, &["unusual-country", TRAVEL]),
];

/// What is found of each attack.
const EXPECTED_OF_ATTACKS: [&str; 9] = [
    "failures",
    "expiry-ratio",
    "use-after-revocation",
    "use-after-revocation",
    "unusual-country",
    "credential-stuffing",
    "credential-stuffing",
    "failures",
    TRAVEL,
];

/// So many of 10,000 hours may a rule be wrong.
const MAX_WRONG_OF_10_000: u64 = 100;

fn hours(step: fn(&mut Gate), runs: u64, seed: u64) -> Vec<BTreeMap<String, u64>> {
    let seeds: Vec<u64> = (0..runs).map(|run| seed ^ (run << 20)).collect();
    parallel::each(&seeds, |seed| {
        let mut gate = Gate::new(*seed);
        while gate.now < HOUR {
            step(&mut gate);
            gate.now += STEP;
            gate.hand_over(2 * DAY + gate.now);
        }
        gate.fired
    })
}

/// Runs all models, prints what they have found, and returns what failed.
pub(crate) fn report(runs: u64, seed: u64) -> Vec<String> {
    let mut faults = Vec::new();
    println!("\nFalse alarms: in how many of {runs} hours each rule has fired");
    for (number, (name, step)) in ORDINARY.iter().enumerate() {
        let mut wrong: BTreeMap<String, u64> = BTreeMap::new();
        for fired in hours(*step, runs, seed ^ (number as u64)) {
            fired.into_keys().for_each(|rule| *wrong.entry(rule).or_default() += 1);
        }
        println!("{name:90} {}", told(&wrong));
        let expected = EXPECTED_OF_ORDINARY.iter().find(|(of, _)| *of == number);
        for (rule, times) in wrong {
            let is_expected = expected.is_some_and(|(_, rules)| rules.contains(&rule.as_str()));
            if !is_expected && times * 10_000 > MAX_WRONG_OF_10_000 * runs {
                faults.push(format!("watch: {name}: {rule} fired in {times} of {runs} hours"));
            }
        }
    }
    let runs = runs.div_ceil(10);
    println!("\nFound, of {runs} hours each");
    for ((number, (name, step)), rule) in ATTACKS.iter().enumerate().zip(EXPECTED_OF_ATTACKS) {
        let all = hours(*step, runs, seed ^ (number as u64));
        let mut times: Vec<u64> = all.iter().filter_map(|fired| fired.get(rule).copied()).collect();
        times.sort_unstable();
        println!(
            "{name:80} {rule}: {} of {runs}, after {} s (median), {} s (all)",
            times.len(),
            quantile(&times, 0.5),
            quantile(&times, 1.0),
        );
        if times.len() as u64 != runs {
            faults.push(format!("watch: {name}: {rule} has found {} of {runs}", times.len()));
        }
    }
    faults
}

fn told(wrong: &BTreeMap<String, u64>) -> String {
    if wrong.is_empty() {
        return "none".to_owned();
    }
    let each = wrong.iter().map(|(rule, times)| format!("{rule} {times}"));
    each.collect::<Vec<_>>().join(", ")
}
