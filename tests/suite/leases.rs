//! Leases in a small model of the world: one counter, many isolates with wrong clocks, messages that are slow or
//! lost, isolates that disappear. Time is virtual; the steps are the real ones.

use edgegate::limit::held_leases::{LeaseStep, Leases, REFUSE_UNASKED_MILLIS, Taken};
use edgegate::limit::lease::{Borrow, Grant, MARGIN_MILLIS, Terms, Unspent, give_back, lend};
use edgegate::limit::{Calendar, Cell, Limit, LimitAlgorithm};
use edgegate::time::UnixMillis;
use edgegate::{error::StoreError, limit::CounterGroup};
use proptest::collection::vec;
use proptest::prelude::*;

/// A moment no window is aligned to.
const START: u64 = 1_700_000_001_234;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

fn terms(requests: u32, secs: u32) -> Terms {
    serde_json::from_str(&format!(r#"{{"requests": {requests}, "secs": {secs}}}"#)).unwrap()
}

fn group() -> CounterGroup {
    CounterGroup::new(&["g"])
}

/// The exact counter: cells, and a clock of its own.
struct Counter {
    limits: Vec<Limit>,
    cells: Vec<Option<Cell>>,
    asked: u64,
}

impl Counter {
    fn new(limits: &[Limit]) -> Self {
        Self { limits: limits.to_vec(), cells: vec![None; limits.len()], asked: 0 }
    }

    fn meters(&mut self) -> Vec<(&Limit, Option<Cell>)> {
        self.limits.iter().zip(self.cells.iter().cloned()).collect()
    }

    fn lend(&mut self, ask: &Borrow, now: u64) -> Grant {
        self.asked += 1;
        let mut meters = self.meters();
        let grant = lend(&mut meters, ask, at(now));
        self.cells = meters.into_iter().map(|(_, cell)| cell).collect();
        grant
    }

    fn give_back(&mut self, unspent: Unspent) {
        let mut meters = self.meters();
        give_back(&mut meters, unspent);
        self.cells = meters.into_iter().map(|(_, cell)| cell).collect();
    }
}

/// An answer on its way to an isolate.
struct Travelling {
    arrives: u64,
    isolate: usize,
    ask: Borrow,
    asked_at: UnixMillis,
    grant: Grant,
}

/// When the next requests come. Limits break at the ends of windows and of their parts, and when all that was
/// lent is spent late, so that is where most of them come.
#[derive(Debug, Clone)]
enum Gap {
    Millis(u64),
    /// To so long before the end of a twentieth of the first limit's window.
    BeforePart(u64),
    /// To so long before the end of the window.
    BeforeWindow(u64),
}

#[derive(Debug, Clone)]
struct Event {
    gap: Gap,
    isolate: usize,
    /// So many requests, one after the other.
    requests: u32,
    cost: u32,
    /// How long the question travels, and the answer.
    delays: (u64, u64),
    /// By how much the isolate reads its clock late: it stands still while the isolate computes.
    stale: u64,
    kind: u8,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let gap = prop_oneof![
        4 => (0_u64..200).prop_map(Gap::Millis),
        2 => (0_u64..6_000).prop_map(Gap::Millis),
        1 => (15_000_u64..70_000).prop_map(Gap::Millis),
        3 => (0_u64..1_200).prop_map(Gap::BeforePart),
        2 => (0_u64..1_200).prop_map(Gap::BeforeWindow),
    ];
    let delay = || prop_oneof![12 => Just(0_u64), 2 => 0_u64..200, 1 => 0_u64..4_000];
    let requests = prop_oneof![2 => 1_u32..3, 1 => Just(30)];
    let stale = prop_oneof![2 => Just(0), 1 => 0..=MARGIN_MILLIS];
    let delays = (delay(), delay());
    let event = (gap, 0_usize..4, requests, 1_u32..3, delays, stale, 0_u8..60).prop_map(
        |(gap, isolate, requests, cost, delays, stale, kind)| Event {
            gap,
            isolate,
            requests,
            cost,
            delays,
            stale,
            kind,
        },
    );
    vec(event, 1..60)
}

fn leased(requests: u32, window_secs: u32, algorithm: u8, lease: u32, secs: u32) -> Limit {
    let algorithm = match algorithm {
        0 => LimitAlgorithm::FixedWindow,
        1 => LimitAlgorithm::SlidingWindow,
        // Half of it may flow in during the longest lease.
        _ => LimitAlgorithm::TokenBucket {
            burst: (requests * secs * 2).div_ceil(window_secs).max(3),
        },
    };
    let limit = Limit::new("l", requests, window_secs, algorithm).unwrap();
    limit.with_lease(terms(lease, secs)).unwrap()
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let limit = (20_u32..200, prop_oneof![Just(20_u32), Just(60)], 0_u8..3, 2_u32..60, 1_u32..20)
        .prop_map(|(requests, window, algorithm, lease, secs)| {
            leased(requests, window, algorithm, lease, secs)
        });
    prop_oneof![3 => vec(limit.clone(), 1), 1 => vec(limit, 2)]
}

/// A counter, four isolates with clocks of their own, what is on its way, and what was admitted when, in
/// true time.
struct World<'l> {
    counter: Counter,
    limits: &'l [Limit],
    isolates: Vec<Leases>,
    skews: Vec<i64>,
    travelling: Vec<Travelling>,
    admitted: Vec<(u64, u64)>,
    time: u64,
}

impl World<'_> {
    fn clock(&self, isolate: usize, time: u64) -> UnixMillis {
        at(time.checked_add_signed(self.skews[isolate]).unwrap())
    }

    fn request(&mut self, event: &Event) {
        self.answers_arrive();
        let Event { isolate, cost, kind, delays, stale, .. } = *event;
        let now = self.clock(isolate, self.time - stale);
        if kind == 0 {
            // Evicted, with all that it held; what is on its way to it arrives nowhere.
            self.isolates[isolate] = Leases::default();
            self.travelling.retain(|one| one.isolate != isolate);
            return;
        }
        match self.isolates[isolate].begin(&group(), self.limits, cost, now) {
            LeaseStep::Decided(taken) => self.decided(isolate, cost, &taken, self.time, kind == 1),
            LeaseStep::Ask(ask) if kind == 2 => {
                let lost = Err(StoreError::new("lost"));
                let times = (now, now);
                self.isolates[isolate]
                    .finish(&group(), self.limits, &ask, times, lost)
                    .unwrap_err();
            }
            LeaseStep::Ask(ask) => {
                // The counter decides in the order of the questions, late or not: its clock only moves on.
                self.time += delays.0;
                let grant = self.counter.lend(&ask, self.time);
                // Of some the answer is lost, and what it lends with it.
                if kind != 3 {
                    let arrives = self.time + delays.1;
                    self.travelling.push(Travelling {
                        arrives,
                        isolate,
                        ask,
                        asked_at: now,
                        grant,
                    });
                    self.answers_arrive();
                }
            }
        }
    }

    /// The answers that have come by now, each at its moment.
    fn answers_arrive(&mut self) {
        self.travelling.sort_by_key(|one| one.arrives);
        while self.travelling.first().is_some_and(|one| one.arrives <= self.time) {
            let one = self.travelling.remove(0);
            let now = self.clock(one.isolate, one.arrives);
            // What the counter itself admits is admitted when it says so; what a lease admits, when it is spent.
            let when = if one.grant.admitted() { one.grant.at.as_millis() } else { one.arrives };
            let times = (one.asked_at, now);
            let taken = self.isolates[one.isolate]
                .finish(&group(), self.limits, &one.ask, times, Ok(one.grant))
                .unwrap();
            self.decided(one.isolate, one.ask.cost, &taken, when, false);
        }
    }

    fn decided(&mut self, isolate: usize, cost: u32, taken: &Taken, when: u64, refund: bool) {
        let Some(counted) = taken.at else { return };
        if !refund {
            self.admitted.push((when, u64::from(cost)));
            return;
        }
        let now = self.clock(isolate, self.time);
        let left = self.isolates[isolate].refund(&group(), self.limits, cost, counted, now);
        if let Some(unspent) = left {
            self.counter.give_back(unspent);
        }
    }
}

/// What was admitted, in true time.
fn assert_never_exceeded(limit: &Limit, admitted: &[(u64, u64)]) -> Result<(), TestCaseError> {
    let window = u64::from(limit.window_secs()) * 1000;
    for (first, (from, _)) in admitted.iter().enumerate() {
        let mut sum = 0;
        for (to, cost) in &admitted[first..] {
            sum += cost;
            let allowed = match limit.algorithm() {
                LimitAlgorithm::FixedWindow if from / window == to / window => {
                    limit.requests().into()
                }
                LimitAlgorithm::SlidingWindow if to - from <= window => limit.requests().into(),
                LimitAlgorithm::TokenBucket { burst } => {
                    u64::from(burst) + u64::from(limit.requests()) * (to - from) / window
                }
                _ => u64::MAX,
            };
            prop_assert!(sum <= allowed, "{sum} of {limit:?} from {from} to {to}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Whatever crashes, is lost, late, or has the wrong time: never more than the limit, in true time.
    #[test]
    fn never_admits_more_than_the_limit(
        limits in limits(),
        events in events(),
        skews in vec(-40_000_000_i64..40_000_000, 4),
    ) {
        let mut world = World {
            counter: Counter::new(&limits),
            limits: &limits,
            isolates: (0..4).map(|_| Leases::default()).collect(),
            skews,
            travelling: Vec::new(),
            admitted: Vec::new(),
            time: START,
        };
        let window = u64::from(limits[0].window_secs()) * 1000;
        for event in &events {
            let time = world.time;
            let before = |length: u64, before: u64| {
                let end = (time / length + 1) * length;
                end.saturating_sub(before).max(time)
            };
            world.time = match event.gap {
                Gap::Millis(millis) => time + millis,
                Gap::BeforePart(millis) => before(window / 20, millis),
                Gap::BeforeWindow(millis) => before(window, millis),
            };
            for _ in 0..event.requests {
                world.request(event);
            }
        }
        let mut admitted = world.admitted;
        admitted.sort_unstable();
        for limit in &limits {
            assert_never_exceeded(limit, &admitted)?;
        }
    }
}

/// One isolate whose questions are answered at once.
struct Alone {
    counter: Counter,
    leases: Leases,
}

impl Alone {
    fn new(limits: &[Limit]) -> Self {
        Self { counter: Counter::new(limits), leases: Leases::default() }
    }

    fn take(&mut self, cost: u32, now: u64) -> Taken {
        let limits = self.counter.limits.clone();
        match self.leases.begin(&group(), &limits, cost, at(now)) {
            LeaseStep::Decided(taken) => taken,
            LeaseStep::Ask(ask) => {
                let grant = self.counter.lend(&ask, now);
                let times = (at(now), at(now));
                self.leases.finish(&group(), &limits, &ask, times, Ok(grant)).unwrap()
            }
        }
    }

    #[track_caller]
    fn left(&mut self, cost: u32, now: u64) -> Option<Vec<u32>> {
        let taken = self.take(cost, now);
        let admitted = taken.verdicts.iter().all(|verdict| verdict.admitted);
        assert_eq!(taken.at.is_some(), admitted);
        admitted.then(|| taken.verdicts.iter().map(|verdict| verdict.remaining).collect())
    }
}

#[test]
fn one_isolate_gets_all_of_the_limit_and_sees_it_count_down() {
    for algorithm in 0..3 {
        let limit = leased(100, 3600, algorithm, 50, 10);
        let capacity = limit.capacity();
        let mut alone = Alone::new(&[limit]);
        for left in (0..capacity).rev() {
            assert_eq!(alone.left(1, START), Some(vec![left]), "{algorithm}");
        }
        assert_eq!(alone.left(1, START), None);
    }
}

#[test]
fn most_requests_ask_nobody() {
    let mut alone = Alone::new(&[leased(1000, 3600, 0, 50, 10)]);
    for _ in 0..1000 {
        assert!(alone.left(1, START).is_some());
    }
    // 800 in leases of 50, then ever smaller ones, the last few one by one.
    assert_eq!(alone.counter.asked, 32);
}

#[test]
fn a_lease_ends_before_its_life_is_over_by_the_margin() {
    let mut alone = Alone::new(&[leased(100, 3600, 0, 50, 10)]);
    assert_eq!(alone.left(1, START), Some(vec![99]));
    assert_eq!(alone.left(1, START + 9_789), Some(vec![98]));
    assert_eq!(alone.counter.asked, 1);
    // 10 s less 200 ms and a thousandth. What is left goes back with the question.
    assert_eq!(alone.left(1, START + 9_790), Some(vec![97]));
    assert_eq!(alone.counter.asked, 2);
}

#[test]
fn a_lease_ends_with_the_part_of_the_window_that_counted_it() {
    // Parts of 3 s, which begin at 1_700_000_001_000.
    let mut alone = Alone::new(&[leased(100, 60, 1, 50, 10)]);
    alone.left(1, 1_700_000_001_500);
    alone.left(1, 1_700_000_003_700);
    assert_eq!(alone.counter.asked, 1);
    alone.left(1, 1_700_000_003_850);
    assert_eq!(alone.counter.asked, 2, "so near the end nothing is lent");
    assert_eq!(alone.left(1, 1_700_000_003_899), Some(vec![96]));
    assert_eq!(alone.counter.asked, 3);
}

#[test]
fn a_clock_that_runs_back_ends_a_lease_unless_it_is_by_little() {
    let mut alone = Alone::new(&[leased(100, 3600, 0, 50, 10)]);
    alone.left(1, START);
    alone.left(1, START + 5_000);
    assert_eq!(alone.left(1, START + 4_900), Some(vec![97]));
    assert_eq!(alone.counter.asked, 1);
    // What was seen before counts, not what the clock says now.
    assert_eq!(alone.left(1, START + 4_899), Some(vec![96]));
    assert_eq!(alone.counter.asked, 2);
}

#[test]
fn several_limits_are_lent_by_the_scarcest() {
    let many = leased(1000, 3600, 0, 50, 10);
    let few = Limit::new("few", 10, 60, LimitAlgorithm::SlidingWindow).unwrap();
    let few = few.with_lease(terms(50, 10)).unwrap();
    let mut alone = Alone::new(&[many, few]);
    for left in (0..10).rev() {
        assert_eq!(alone.left(1, START), Some(vec![990 + left, left]));
    }
    assert_eq!(alone.left(1, START), None);
    let refused = alone.take(1, START);
    let admitted: Vec<bool> = refused.verdicts.iter().map(|verdict| verdict.admitted).collect();
    assert_eq!(admitted, [true, false], "each says what it alone decides");
}

#[test]
fn a_limit_without_terms_is_never_lent() {
    let plain = Limit::new("plain", 100, 3600, LimitAlgorithm::FixedWindow).unwrap();
    for limits in [vec![plain.clone()], vec![plain, leased(100, 3600, 0, 50, 10)]] {
        let mut alone = Alone::new(&limits);
        for asked in 1..=20 {
            assert!(alone.left(1, START).is_some());
            assert_eq!(alone.counter.asked, asked);
        }
    }
}

#[test]
fn a_request_may_cost_more_than_is_left_of_the_lease() {
    let mut alone = Alone::new(&[leased(100, 3600, 0, 10, 10)]);
    assert_eq!(alone.left(3, START), Some(vec![97]));
    assert_eq!(alone.left(6, START), Some(vec![91]));
    // One is left of the ten; it goes back, and eight are taken.
    assert_eq!(alone.left(8, START), Some(vec![83]));
    assert_eq!(alone.counter.asked, 2);
    assert_eq!(alone.left(90, START), None);
    assert_eq!(alone.left(83, START), Some(vec![0]), "a refusal of one cost is none of another");
}

#[test]
fn those_who_come_while_one_borrows_ask_for_themselves() {
    let limits = [leased(40, 3600, 0, 10, 10)];
    let (mut counter, leases) = (Counter::new(&limits), Leases::default());
    // 200 requests at once: all ask before any answer is there.
    let asks: Vec<Borrow> = (0..200)
        .map(|_| match leases.begin(&group(), &limits, 1, at(START)) {
            LeaseStep::Ask(ask) => ask,
            LeaseStep::Decided(taken) => panic!("{taken:?}"),
        })
        .collect();
    assert_eq!(asks.iter().filter(|ask| ask.lease).count(), 1);
    let grants: Vec<Grant> = asks.iter().map(|ask| counter.lend(ask, START)).collect();
    let admitted = asks
        .iter()
        .zip(grants)
        .filter(|(ask, grant)| {
            let times = (at(START), at(START));
            let taken = leases.finish(&group(), &limits, ask, times, Ok(grant.clone())).unwrap();
            taken.verdicts[0].admitted
        })
        .count();
    assert_eq!(
        admitted, 40,
        "what the counter refuses is taken from the lease that came meanwhile"
    );
}

#[test]
fn a_refused_caller_is_refused_without_asking() {
    let limit = Limit::new("l", 1, 3600, LimitAlgorithm::FixedWindow).unwrap();
    let mut alone = Alone::new(core::slice::from_ref(&limit));
    let known = |alone: &Alone, limit: &Limit, cost, time| {
        alone.leases.known_refusal(&group(), core::slice::from_ref(limit), cost, at(time)).is_some()
    };
    assert!(!known(&alone, &limit, 1, START));
    let ends = 3_600_000 - START % 3_600_000;
    assert!(alone.left(1, START).is_some());
    for _ in 0..100 {
        assert!(alone.left(1, START).is_none());
    }
    assert_eq!(alone.counter.asked, 2);
    assert!(known(&alone, &limit, 1, START + 30_000));
    assert!(!known(&alone, &limit, 2, START + 30_000), "another cost");
    assert!(!known(&alone, &limit, 1, START + REFUSE_UNASKED_MILLIS));
    let refused = alone.take(1, START + 30_000).verdicts[0];
    assert_eq!(u64::from(refused.retry_after_secs), ends.div_ceil(1000) - 30);
    assert_eq!(u64::from(refused.reset_after_secs), ends.div_ceil(1000) - 30);
    assert_eq!((alone.counter.asked, refused.remaining, refused.limit), (2, 0, 1));
    // Once a minute the counter is asked, in case others gave something back.
    assert!(alone.left(1, START + REFUSE_UNASKED_MILLIS).is_none());
    assert_eq!(alone.counter.asked, 3);
    assert!(alone.left(1, START + ends).is_some());
    let other = Limit::new("l", 2, 3600, LimitAlgorithm::FixedWindow).unwrap();
    assert!(!known(&alone, &other, 1, START + 30_000));
    let step = alone.leases.begin(&group(), &[other], 1, at(START + ends));
    assert_eq!(step, LeaseStep::Ask(Borrow::only(1)), "another limit, another answer");
}

#[test]
fn a_caller_who_waits_as_told_is_not_refused_from_memory() {
    let limit = Limit::new("l", 1, 20, LimitAlgorithm::SlidingWindow).unwrap();
    let mut alone = Alone::new(&[limit]);
    alone.left(1, START);
    let refused = alone.take(1, START + 300).verdicts[0];
    assert!(alone.left(1, START + 300 + u64::from(refused.retry_after_secs) * 1000).is_some());
}

#[test]
fn what_is_not_spent_comes_back_with_the_next_question() {
    let limits = [leased(100, 3600, 0, 25, 10)];
    let mut first = Alone::new(&limits);
    let second = Leases::default();
    first.left(1, START);
    // The rest of the 25 is given back.
    first.left(1, START + 20_000);
    let ask = Borrow::only(1);
    let seen = first.counter.lend(&ask, START + 20_001).verdicts[0].remaining;
    // 1 + 1 + 1, and what is lent now: at most a quarter of what was left.
    assert_eq!(seen, 97 - 24);
    drop(second);
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    let refused = |window: u32, algorithm, requests, secs| {
        let limit = Limit::new("l", 100, window, algorithm).unwrap();
        limit.with_lease(terms(requests, secs)).unwrap_err().to_string()
    };
    let fixed = LimitAlgorithm::FixedWindow;
    assert_eq!(refused(60, fixed, 1, 10), "lease.requests: expected at least 2");
    assert_eq!(refused(60, fixed, 2, 0), "lease.secs: expected 1 to 60");
    assert_eq!(refused(60, fixed, 2, 61), "lease.secs: expected 1 to 60");
    assert_eq!(refused(19, fixed, 2, 1), "lease: expected a window of at least 20 seconds");
    assert_eq!(
        refused(60, LimitAlgorithm::TokenBucket { burst: 33 }, 2, 10),
        "lease.secs: more than half of the burst flows in meanwhile: expected fewer secs or a larger burst"
    );
    let bucket = Limit::new("l", 100, 60, LimitAlgorithm::TokenBucket { burst: 34 }).unwrap();
    assert_eq!(bucket.with_lease(terms(2, 10)).unwrap().capacity(), 17, "34 less 16.7");
}

#[test]
fn an_override_too_small_for_a_lease_has_none() {
    let bucket = Limit::new("l", 100, 60, LimitAlgorithm::TokenBucket { burst: 40 }).unwrap();
    let bucket = bucket.with_lease(terms(9, 10)).unwrap();
    let smaller = bucket.with_requests(50).unwrap();
    assert_eq!((smaller.lease(), smaller.capacity()), (Some(terms(9, 10)), 11));
    let one = bucket.with_requests(1).unwrap();
    assert_eq!((one.lease(), one.capacity()), (None, 1));
}

#[test]
fn limits_with_leases_and_calendar_windows_are_written_as_in_the_policy() {
    for json in [
        r#"{"name":"a","requests":5,"window_secs":60,"algorithm":"sliding-window","lease":{"requests":5,"secs":3}}"#,
        r#"{"name":"a","requests":5,"window":"month","algorithm":"fixed-window"}"#,
        r#"{"name":"a","requests":5,"window":"day","algorithm":"fixed-window","lease":{"requests":5,"secs":3}}"#,
    ] {
        let limit: Limit = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&limit).unwrap(), json);
    }
    let month: Limit =
        serde_json::from_str(r#"{"name":"a","requests":5,"window":"month"}"#).unwrap();
    assert_eq!(month, Limit::calendar("a", 5, Calendar::Month).unwrap());
    let short: Limit = serde_json::from_str(
        r#"{"name":"a","requests":5,"window_secs":60,"lease":{"requests":5}}"#,
    )
    .unwrap();
    assert_eq!(short.lease(), Some(terms(5, 10)));
    for (json, problem) in [
        (r#"{"name":"a","requests":5}"#, "window_secs: expected window_secs or window"),
        (
            r#"{"name":"a","requests":5,"window":"day","window_secs":60}"#,
            "window: expected window or window_secs, not both",
        ),
        (
            r#"{"name":"a","requests":5,"window":"day","algorithm":"sliding-window"}"#,
            "window: expected with fixed-window only",
        ),
        (
            r#"{"name":"a","requests":5,"window":"day","algorithm":"token-bucket"}"#,
            "window: expected with fixed-window only",
        ),
    ] {
        let fault = serde_json::from_str::<Limit>(json).unwrap_err().to_string();
        let (found, _) = fault.split_once(" at line ").unwrap_or((&fault, ""));
        assert_eq!(found, problem);
    }
}

#[test]
fn a_quota_of_a_month_ends_with_the_month() {
    let quota = Limit::calendar("quota", 3, Calendar::Month).unwrap();
    // 2024-02-10T00:00:00Z: 20 days before March of a leap year.
    let now = 1_707_523_200_000;
    assert_eq!(quota.window_secs_at(at(now)), 29 * 86_400);
    let mut alone = Alone::new(&[quota]);
    assert!(alone.left(3, now).is_some());
    let refused = alone.take(1, now).verdicts[0];
    assert_eq!((refused.retry_after_secs, refused.reset_after_secs), (20 * 86_400, 20 * 86_400));
    assert!(alone.left(1, now + 20 * 86_400_000 - 1000).is_none());
    assert_eq!(alone.left(1, now + 20 * 86_400_000), Some(vec![2]));
}
