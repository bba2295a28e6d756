//! What limits promise, over random callers, costs and clocks.

use edgegate::limit::{
    Cell, Limit, LimitAlgorithm, MAX_CLOCK_STEP_BACK_MILLIS, Verdict, count, expires_at, lease,
    peek, refund, step, step_all, sum,
};
use edgegate::time::UnixMillis;
use proptest::collection::vec;
use proptest::prelude::*;

/// A moment no window is aligned to.
const START: u64 = 1_700_000_001_234;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

fn algorithms() -> impl Strategy<Value = LimitAlgorithm> {
    prop_oneof![
        Just(LimitAlgorithm::FixedWindow),
        Just(LimitAlgorithm::SlidingWindow),
        (1_u32..12).prop_map(|burst| LimitAlgorithm::TokenBucket { burst }),
    ]
}

fn limits() -> impl Strategy<Value = Limit> {
    let windows = prop_oneof![1_u32..8, Just(60), Just(3600)];
    (1_u32..12, windows, algorithms()).prop_map(|(requests, window_secs, algorithm)| {
        Limit::new("l", requests, window_secs, algorithm).unwrap()
    })
}

/// A time from one request to the next, in 1/1000 of a window, mostly short; how far the clock that is
/// read lags behind; and a cost.
fn requests() -> impl Strategy<Value = Vec<(u64, u64, u32)>> {
    let gap = prop_oneof![4 => 0_u64..20, 4 => 0_u64..300, 1 => 900_u64..1200, 1 => 0_u64..5000];
    let lag = prop_oneof![4 => Just(0_u64), 1 => 0_u64..3000, 1 => 0..=MAX_CLOCK_STEP_BACK_MILLIS];
    vec((gap, lag, 0_u32..6), 1..80)
}

/// The moments at which the requests come, as the clock reads.
fn clock(limit: &Limit, requests: &[(u64, u64, u32)]) -> Vec<(u64, u32)> {
    let mut time = START;
    requests
        .iter()
        .map(|(gap, lag, cost)| {
            time += gap * u64::from(limit.window_secs());
            (time - lag, *cost)
        })
        .collect()
}

/// The same without lag.
fn steady(limit: &Limit, requests: &[(u64, u64, u32)]) -> Vec<(u64, u32)> {
    let without: Vec<_> = requests.iter().map(|(gap, _, cost)| (*gap, 0, *cost)).collect();
    clock(limit, &without)
}

/// The cell after these requests.
fn after(limit: &Limit, requests: &[(u64, u32)]) -> Option<Cell> {
    requests
        .iter()
        .fold(None, |cell, (now, cost)| Some(step(cell.as_ref(), limit, *cost, at(*now)).0))
}

/// All that is ever seen of a cell from a moment on.
fn seen(cell: Option<&Cell>, limit: &Limit, from: u64) -> Vec<Verdict> {
    let part = u64::from(limit.window_secs()) * 50;
    (0..60).map(|parts| peek(cell, limit, 1, at(from + parts * part))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn never_admits_more_than_the_limit(limit in limits(), requests in requests()) {
        let window = u64::from(limit.window_secs()) * 1000;
        let mut cell = None;
        let mut latest = 0;
        // By the latest time seen: what the limit takes for the time.
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (now, cost) in clock(&limit, &requests) {
            let (next, verdict) = step(cell.as_ref(), &limit, cost, at(now));
            cell = Some(next);
            latest = latest.max(now);
            if verdict.admitted {
                admitted.push((latest, u64::from(cost)));
            }
        }
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (to, cost) in &admitted[first..] {
                sum += cost;
                let allowed = match limit.algorithm() {
                    LimitAlgorithm::FixedWindow if from / window == to / window => limit.requests().into(),
                    LimitAlgorithm::SlidingWindow if to - from <= window => limit.requests().into(),
                    LimitAlgorithm::TokenBucket { burst } => {
                        u64::from(burst) + u64::from(limit.requests()) * (to - from) / window
                    }
                    _ => u64::MAX,
                };
                prop_assert!(sum <= allowed, "{sum} from {from} to {to}");
            }
        }
    }

    #[test]
    fn what_a_verdict_says_comes_true(limit in limits(), requests in requests()) {
        let mut cell = None;
        for (now, cost) in clock(&limit, &requests) {
            let announced = peek(cell.as_ref(), &limit, cost, at(now));
            let (next, verdict) = step(cell.as_ref(), &limit, cost, at(now));
            prop_assert_eq!(announced.admitted, verdict.admitted);
            prop_assert_eq!(announced.retry_after_secs, verdict.retry_after_secs);
            let then = |cost, secs: u32| peek(Some(&next), &limit, cost, at(now + u64::from(secs) * 1000));
            prop_assert!(then(verdict.remaining, 0).admitted);
            prop_assert!(!then(verdict.remaining + 1, 0).admitted);
            prop_assert!(verdict.remaining <= verdict.limit);
            let retry = verdict.retry_after_secs;
            prop_assert_eq!(retry == 0, verdict.admitted);
            if cost > verdict.limit {
                prop_assert_eq!(retry, limit.window_secs());
            } else if !verdict.admitted {
                prop_assert!(then(cost, retry).admitted);
                prop_assert!(!then(cost, retry - 1).admitted);
            }
            let reset = verdict.reset_after_secs;
            prop_assert_eq!(then(0, reset).remaining, verdict.limit);
            prop_assert!(reset == 0 || then(0, reset - 1).remaining < verdict.limit);
            cell = Some(next);
        }
    }

    #[test]
    fn several_limits_take_all_or_nothing(
        limits in vec(limits(), 1..4),
        requests in requests(),
    ) {
        let mut meters: Vec<(&Limit, Option<Cell>)> = limits.iter().map(|it| (it, None)).collect();
        for (now, cost) in clock(&limits[0], &requests) {
            let before = meters.clone();
            let verdicts = step_all(&mut meters, cost, at(now));
            let all = verdicts.iter().all(|verdict| verdict.admitted);
            for (((limit, old), (_, new)), verdict) in before.iter().zip(&meters).zip(verdicts) {
                if all {
                    let (expected, told) = step(old.as_ref(), limit, cost, at(now));
                    prop_assert_eq!((new.as_ref(), verdict), (Some(&expected), told));
                } else {
                    prop_assert_eq!(new, old);
                    prop_assert_eq!(verdict, peek(old.as_ref(), limit, cost, at(now)));
                }
            }
        }
    }

    #[test]
    fn a_refund_at_once_undoes_the_step(limit in limits(), requests in requests(), cost in 1_u32..6) {
        let requests = steady(&limit, &requests);
        let now = requests[requests.len() - 1].0;
        let before = after(&limit, &requests);
        let (cell, verdict) = step(before.as_ref(), &limit, cost, at(now));
        if verdict.admitted {
            let undone = refund(&cell, &limit, cost, at(now));
            prop_assert_eq!(
                seen(Some(&undone), &limit, now),
                seen(before.as_ref(), &limit, now)
            );
        }
    }

    #[test]
    fn a_late_refund_gives_no_more_than_if_nothing_had_been_taken(
        limit in limits(),
        requests in requests(),
        place in any::<prop::sample::Index>(),
    ) {
        let requests = steady(&limit, &requests);
        let place = place.index(requests.len());
        let (taken_at, cost) = requests[place];
        let mut with = after(&limit, &requests[..place]);
        let mut without = with.clone();
        let (next, verdict) = step(with.as_ref(), &limit, cost, at(taken_at));
        prop_assume!(verdict.admitted);
        with = Some(next);
        for (now, cost) in &requests[place + 1..] {
            let (next, verdict) = step(with.as_ref(), &limit, *cost, at(*now));
            with = Some(next);
            if verdict.admitted {
                without = Some(step(without.as_ref(), &limit, *cost, at(*now)).0);
            }
        }
        let end = requests[requests.len() - 1].0;
        let refunded = refund(with.as_ref().unwrap(), &limit, cost, at(taken_at));
        let all = seen(Some(&refunded), &limit, end).into_iter();
        for (refunded, without) in all.zip(seen(without.as_ref(), &limit, end)) {
            prop_assert!(refunded.remaining <= without.remaining);
        }
    }

    #[test]
    fn a_cell_past_its_expiry_says_what_no_cell_says(
        limit in limits(),
        requests in requests(),
        later in 0_u64..5_000_000,
        cost in 0_u32..13,
    ) {
        let requests = steady(&limit, &requests);
        let cell = after(&limit, &requests).unwrap();
        let end = expires_at(&cell, &limit).as_millis();
        let last = requests[requests.len() - 1].0;
        let now = at(end.max(last) + later);
        prop_assert_eq!(step(Some(&cell), &limit, cost, now), step(None, &limit, cost, now));
        if peek(Some(&cell), &limit, 0, at(last)).remaining < limit.capacity() {
            prop_assert!(peek(Some(&cell), &limit, 0, at(end - 1)).remaining < limit.capacity());
        }
    }

    #[test]
    fn another_algorithm_goes_on_with_what_was_used(
        limit in limits(),
        other in 0_usize..3,
        requests in requests(),
    ) {
        let burst = limit.requests();
        let of = |algorithm| Limit::new("l", burst, limit.window_secs(), algorithm).unwrap();
        let all = [LimitAlgorithm::FixedWindow, LimitAlgorithm::SlidingWindow, LimitAlgorithm::TokenBucket { burst }];
        let limit = match limit.algorithm() {
            LimitAlgorithm::TokenBucket { .. } => of(all[2]),
            other => of(other),
        };
        let requests = steady(&limit, &requests);
        let now = at(requests[requests.len() - 1].0);
        let cell = after(&limit, &requests);
        let before = peek(cell.as_ref(), &limit, 0, now).remaining;
        prop_assert_eq!(peek(cell.as_ref(), &of(all[other]), 0, now).remaining, before);
    }

    #[test]
    fn changing_limits_and_clocks_neither_panic_nor_admit_beyond_the_capacity(
        steps in vec((limits(), any::<u64>(), 0_u32..20), 1..40),
        near in vec(0_u64..10_000_000, 40),
        far in any::<bool>(),
    ) {
        let mut cell: Option<Cell> = None;
        for ((limit, now, cost), near) in steps.into_iter().zip(near) {
            let now = at(if far { now } else { START + near });
            let (next, verdict) = step(cell.as_ref(), &limit, cost, now);
            prop_assert!(verdict.remaining <= limit.capacity());
            prop_assert!(!verdict.admitted || cost <= limit.capacity());
            let _ = expires_at(&next, &limit);
            let _ = refund(&next, &limit, cost, now);
            cell = Some(next);
        }
    }

    #[test]
    fn no_stored_numbers_panic(
        a in any::<u64>(),
        b in any::<u64>(),
        n in any::<u32>(),
        counts in vec(any::<u32>(), 0..40),
        zero in any::<[bool; 2]>(),
        limit in limits(),
        now in any::<u64>(),
        cost in any::<u32>(),
    ) {
        let (a, b) = (if zero[0] { 0 } else { a }, if zero[1] { 0 } else { b });
        for json in [
            format!(r#"{{"f":{{"s":{a},"n":{n}}}}}"#),
            format!(r#"{{"s":{{"t":{a},"l":{b},"c":{counts:?}}}}}"#),
            format!(r#"{{"b":{{"t":{a},"d":{b},"w":{n}}}}}"#),
            format!(r#"{{"b":{{"t":{now},"d":{b},"w":{a}}}}}"#),
        ] {
            let cell = Cell::parse(json.as_bytes()).unwrap();
            let (next, verdict) = step(Some(&cell), &limit, cost, at(now));
            prop_assert!(verdict.remaining <= limit.capacity());
            let _ = (expires_at(&cell, &limit), refund(&cell, &limit, cost, at(now)));
            let added = sum(&[&cell, &next, &cell], &limit, at(now));
            let _ = count(added.as_ref(), &limit, cost, at(now));
            let unspent = lease::Unspent { units: cost, at: at(a) };
            let ask = lease::Borrow { cost, lease: true, returned: Some(unspent) };
            let grant = lease::lend(&mut [(&limit, Some(cell))], &ask, at(now));
            prop_assert_eq!(grant.lent, 0, "nothing is lent without terms");
            // Whatever it was, it locks nobody out for long.
            let longest = u64::from(limit.window_secs()) * 1050 * 13 + MAX_CLOCK_STEP_BACK_MILLIS;
            let later = at(now.saturating_add(longest));
            prop_assert!(now > u64::MAX / 2 || peek(Some(&next), &limit, 1, later).admitted);
        }
    }
}
