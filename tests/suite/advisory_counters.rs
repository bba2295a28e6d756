//! Counters in a store that sees writes late: several isolates over one model of it, in virtual time.

use std::collections::BTreeMap;

use edgegate::limit::advisory::{AdvisoryCounters, Job, read_every_millis, write_every_millis};
use edgegate::limit::{Calendar, Limit, LimitAlgorithm, Verdict};
use edgegate::time::UnixMillis;
use edgegate::{error::StoreError, limit::CounterGroup};
use proptest::collection::vec;
use proptest::prelude::*;

/// A moment that begins a minute.
const START: u64 = 1_700_000_040_000;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

fn limit(requests: u32, algorithm: LimitAlgorithm) -> Limit {
    Limit::new("l", requests, 60, algorithm).unwrap()
}

fn group() -> CounterGroup {
    CounterGroup::new(&["g"])
}

/// A key-value store whose writes are seen after `delay`, and that may refuse them.
#[derive(Default)]
struct Kv {
    delay: u64,
    failing: bool,
    /// By key: the writes, when each is seen, and until when it lives.
    written: BTreeMap<String, Vec<(u64, String, u64)>>,
    writes: usize,
    reads: usize,
}

impl Kv {
    fn put(&mut self, key: &str, value: &str, ttl_secs: u64, now: u64) -> bool {
        self.writes += 1;
        assert!(key.len() <= 512, "Workers KV takes no longer keys");
        assert!(ttl_secs >= 60, "Workers KV takes no shorter lives");
        if self.failing {
            return false;
        }
        let all = self.written.entry(key.to_owned()).or_default();
        if let Some((seen, ..)) = all.last() {
            assert!(now + self.delay >= seen + 1000, "one write a second for each key");
        }
        all.push((now + self.delay, value.to_owned(), now + ttl_secs * 1000));
        true
    }

    fn list(&mut self, prefix: &str, now: u64) -> Result<Vec<(String, String)>, StoreError> {
        self.reads += 1;
        if self.failing {
            return Err(StoreError::new("is on fire"));
        }
        Ok(self
            .written
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .filter_map(|(key, all)| {
                let (_, value, until) = all.iter().rev().find(|(seen, ..)| *seen <= now)?;
                (now < *until).then(|| (key.clone(), value.clone()))
            })
            .collect())
    }
}

/// An isolate, and the writes that it has begun.
struct Isolate {
    counters: AdvisoryCounters,
    due: Vec<(u64, String)>,
}

impl Isolate {
    fn new(name: &str) -> Self {
        Self { counters: AdvisoryCounters::new(name), due: Vec::new() }
    }

    /// What waits until now, then the request, then what it leaves to be done.
    fn take(
        &mut self,
        kv: &mut Kv,
        limits: &[Limit],
        cost: u32,
        now: u64,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.write(kv, now);
        let verdicts = self.counters.take(&group(), limits, cost, at(now));
        for job in self.counters.jobs(&group(), limits, at(now)) {
            match job {
                Job::Read { prefix } => {
                    let found = kv.list(&prefix, now);
                    self.counters.read(&group(), found.as_deref().map_err(Clone::clone), at(now));
                }
                Job::Write { limit, after_millis } => self.due.push((now + after_millis, limit)),
            }
        }
        self.write(kv, now);
        verdicts
    }

    fn write(&mut self, kv: &mut Kv, now: u64) {
        let (due, later) =
            std::mem::take(&mut self.due).into_iter().partition(|(when, _)| *when <= now);
        self.due = later;
        let due: Vec<(u64, String)> = due;
        for (when, limit) in due {
            if let Some(component) = self.counters.to_write(&group(), &limit, at(when)) {
                let good = kv.put(&component.key, &component.cell, component.ttl_secs, when);
                self.counters.wrote(&group(), &limit, good, at(when));
            }
        }
    }
}

fn admits(verdicts: &Result<Vec<Verdict>, StoreError>) -> bool {
    verdicts.as_ref().unwrap().iter().all(|verdict| verdict.admitted)
}

#[test]
fn components_are_added_up() {
    for algorithm in [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow] {
        let limits = [limit(10, algorithm)];
        let mut kv = Kv::default();
        let (mut one, mut other) = (Isolate::new("one"), Isolate::new("other"));
        for _ in 0..4 {
            assert!(admits(&one.take(&mut kv, &limits, 1, START)));
        }
        // The first is written at once, the others a second later, in one.
        one.write(&mut kv, START + 999);
        assert_eq!(kv.writes, 1);
        one.write(&mut kv, START + 1000);
        assert_eq!(kv.writes, 2);
        // Read in the background: the first answer does not know of it yet.
        let first = other.take(&mut kv, &limits, 1, START + 1000).unwrap();
        assert_eq!(first[0].remaining, 9);
        let second = other.take(&mut kv, &limits, 1, START + 1001).unwrap();
        assert_eq!(second[0].remaining, 4, "{algorithm:?}");
        for _ in 0..4 {
            assert!(admits(&other.take(&mut kv, &limits, 1, START + 1002)));
        }
        let refused = other.take(&mut kv, &limits, 1, START + 1002).unwrap();
        assert!(!refused[0].admitted);
        assert!(admits(&other.take(&mut kv, &limits, 1, START + 63_000)), "another window");
    }
}

#[test]
fn an_isolate_never_counts_its_own_component_twice() {
    let limits = [limit(10, LimitAlgorithm::SlidingWindow)];
    let (mut kv, mut one) = (Kv::default(), Isolate::new("one"));
    for left in (0..10).rev() {
        let now = START + u64::from(9 - left) * 4_000;
        assert_eq!(one.take(&mut kv, &limits, 1, now).unwrap()[0].remaining, left);
    }
    assert!(kv.reads >= 9, "it read all along");
}

#[test]
fn several_limits_take_all_or_nothing_and_a_refund_gives_back() {
    let many = limit(10, LimitAlgorithm::SlidingWindow);
    let few = Limit::new("few", 2, 60, LimitAlgorithm::FixedWindow).unwrap();
    let limits = [many, few];
    let (mut kv, mut one) = (Kv::default(), Isolate::new("one"));
    let mut take = |cost| one.take(&mut kv, &limits, cost, START).unwrap();
    assert!(take(2).iter().all(|verdict| verdict.admitted));
    let refused = take(1);
    assert_eq!((refused[0].admitted, refused[1].admitted), (true, false));
    assert_eq!((refused[0].remaining, refused[1].remaining), (8, 0));
    one.counters.refund(&group(), &limits, 1, at(START));
    let again = one.take(&mut kv, &limits, 1, START).unwrap();
    assert_eq!((again[0].remaining, again[1].remaining), (8, 0));
}

#[test]
fn a_store_that_does_not_answer_is_a_fault_after_ten_seconds_and_recovers() {
    let limits = [limit(100, LimitAlgorithm::SlidingWindow)];
    let (mut kv, mut one) = (Kv { failing: true, ..Kv::default() }, Isolate::new("one"));
    for second in 0..10 {
        assert!(admits(&one.take(&mut kv, &limits, 1, START + second * 1000)), "{second}");
    }
    let asked = kv.reads + kv.writes;
    for second in 10..60 {
        let fault = one.take(&mut kv, &limits, 1, START + second * 1000).unwrap_err();
        assert_eq!(fault.to_string(), "advisory counters: the store does not answer");
    }
    assert!(kv.reads + kv.writes - asked <= 6, "it is asked ever less often");
    kv.failing = false;
    let ends =
        (60..180).find(|second| one.take(&mut kv, &limits, 1, START + second * 1000).is_ok());
    assert!(ends.unwrap() <= 120, "{ends:?}");
    one.take(&mut kv, &limits, 1, START + 200_000).unwrap();
}

#[test]
fn what_is_no_counter_is_a_fault() {
    let limits = [limit(100, LimitAlgorithm::SlidingWindow)];
    let counters = AdvisoryCounters::new("one");
    let key = |rest: &str| format!("tally/v1/{}/{rest}", group());
    for damage in [
        vec![(key("l/other-1"), "{".to_owned())],
        vec![(key("l"), "{}".to_owned())],
        vec![("elsewhere".to_owned(), String::new())],
    ] {
        for second in [0, 11] {
            let now = at(START + second * 1000);
            let _ = counters.take(&group(), &limits, 1, now);
            counters.read(&group(), Ok(&damage), now);
        }
        assert!(counters.take(&group(), &limits, 1, at(START + 11_000)).is_err());
        counters.read(&group(), Ok(&[]), at(START + 11_000));
        assert!(counters.take(&group(), &limits, 1, at(START + 11_000)).is_ok());
    }
}

#[test]
fn a_component_that_was_forgotten_is_not_written_over() {
    let limits = [limit(3, LimitAlgorithm::FixedWindow)];
    let counters = AdvisoryCounters::new("one");
    let component = |now: u64| {
        counters.take(&group(), &limits, 1, at(now)).unwrap();
        counters.to_write(&group(), "l", at(now)).unwrap().key
    };
    let first = component(START);
    assert_eq!(component(START + 1), first);
    // More callers than are kept, all of them later.
    for other in 0..10_000_u32 {
        let other = CounterGroup::new(&["other", &other.to_string()]);
        counters.take(&other, &limits, 1, at(START + 2)).unwrap();
    }
    assert_ne!(component(START + 3), first);
}

#[test]
fn intervals_follow_the_window() {
    let every = |limit: &Limit| (write_every_millis(limit), read_every_millis(limit));
    let secs = |secs| Limit::new("l", 1, secs, LimitAlgorithm::FixedWindow).unwrap();
    assert_eq!(every(&secs(1)), (1_000, 2_000));
    assert_eq!(every(&secs(60)), (1_000, 3_000));
    assert_eq!(every(&secs(600)), (6_000, 30_000));
    assert_eq!(every(&Limit::calendar("l", 1, Calendar::Month).unwrap()), (20_000, 60_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// The documented bounds of the error: what is taken before it is seen elsewhere.
    #[test]
    fn the_error_is_what_was_not_seen_yet(
        sliding in any::<bool>(),
        requests in 1_u32..20,
        delay in 0_u64..70_000,
        events in vec((0_u64..3_000, 0_usize..4, 1_u32..3), 1..150),
    ) {
        let algorithm = if sliding { LimitAlgorithm::SlidingWindow } else { LimitAlgorithm::FixedWindow };
        let limits = [limit(requests, algorithm)];
        let mut kv = Kv { delay, ..Kv::default() };
        let mut isolates: Vec<Isolate> = (0..4).map(|n| Isolate::new(&n.to_string())).collect();
        let mut admitted: Vec<(u64, usize, u64)> = Vec::new();
        let mut now = START;
        for (gap, isolate, cost) in events {
            now += gap;
            // Background writes of all of them happen at their time.
            for one in &mut isolates {
                one.write(&mut kv, now);
            }
            let good = admits(&isolates[isolate].take(&mut kv, &limits, cost, now));
            if good {
                admitted.push((now, isolate, u64::from(cost)));
            }
            // By itself no isolate exceeds the limit, and nobody is refused who is within it.
            let in_window = |(when, ..): &&(u64, usize, u64)| if sliding {
                now - when <= 60_000
            } else {
                when / 60_000 == now / 60_000
            };
            let own: u64 = admitted.iter().filter(in_window)
                .filter(|(_, by, _)| *by == isolate).map(|(_, _, cost)| cost).sum();
            prop_assert!(own <= u64::from(requests));
            let all: u64 = admitted.iter().filter(|(when, ..)| {
                if sliding { now - when <= 63_000 } else { when / 60_000 == now / 60_000 }
            }).map(|(_, _, cost)| cost).sum();
            prop_assert!(good || all + u64::from(cost) > u64::from(requests), "refused too early");
            let in_all: u64 = admitted.iter().filter(in_window).map(|(_, _, cost)| cost).sum();
            prop_assert!(in_all <= u64::from(requests) * 4);
        }
    }
}
