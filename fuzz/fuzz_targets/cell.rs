//! Any bytes as the stored cell of a limit, and any steps from there.
#![no_main]

use edgegate::limit::{self, Cell, Limit, LimitAlgorithm};
use edgegate::time::UnixMillis;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    requests: u32,
    window_secs: u32,
    burst: u32,
    now: u64,
    later: u32,
    cost: u32,
    json: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let cell = Cell::parse(input.json).ok();
    if let Some(cell) = &cell {
        let written = serde_json::to_vec(cell).unwrap();
        assert_eq!(Cell::parse(&written).as_ref(), Ok(cell), "written and read again");
    }
    let now = UnixMillis::from_millis(input.now);
    for algorithm in [
        LimitAlgorithm::FixedWindow,
        LimitAlgorithm::SlidingWindow,
        LimitAlgorithm::TokenBucket { burst: input.burst },
    ] {
        let Ok(limit) = Limit::new("l", input.requests, input.window_secs, algorithm) else {
            continue;
        };
        let seen = limit::peek(cell.as_ref(), &limit, input.cost, now);
        let (next, verdict) = limit::step(cell.as_ref(), &limit, input.cost, now);
        assert_eq!(seen.admitted, verdict.admitted, "looking and taking agree");
        assert!(verdict.remaining <= verdict.limit && verdict.limit == limit.capacity());
        assert_eq!(verdict.admitted, verdict.retry_after_secs == 0);
        assert!(!verdict.admitted || input.cost <= verdict.limit || input.cost == 0);
        if verdict.admitted {
            assert!(seen.remaining - verdict.remaining <= input.cost);
        } else {
            assert_eq!(seen.remaining, verdict.remaining, "a refusal takes nothing");
        }
        // Waiting never takes away.
        let later = now.saturating_add(u64::from(input.later));
        assert!(limit::peek(Some(&next), &limit, 0, later).remaining >= verdict.remaining);
        let _ = limit::refund(&next, &limit, input.cost, now);
        let _ = limit::expires_at(&next, &limit);
    }
});
