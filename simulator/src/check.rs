//! Judges from outside whether a limit was kept: by the admitted requests and their true times, without the gate's own arithmetic.

use std::collections::VecDeque;

use crate::world::Time;

/// What a limit promises.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Promise {
    /// At most this many in any span of a window's length.
    AnyWindow { requests: u64, window_millis: Time },
    /// At most this many in each window. `offset_millis` says where windows begin.
    EachWindow { requests: u64, window_millis: Time, offset_millis: Time },
    /// In any span, at most `burst` and what flows in meanwhile.
    Bucket { burst: u64, requests: u64, window_millis: Time },
}

/// Keeps watch over one caller.
#[derive(Debug)]
pub(crate) struct Watch {
    promise: Promise,
    recent: VecDeque<(Time, u64)>,
    sum: u64,
    /// The content of the bucket, in requests times milliseconds of the window.
    level: u64,
    last: Time,
    /// The most that was in a window, or in the bucket.
    pub(crate) most: u64,
    pub(crate) exceeded: u64,
}

impl Watch {
    pub(crate) const fn new(promise: Promise) -> Self {
        Self { promise, recent: VecDeque::new(), sum: 0, level: 0, last: 0, most: 0, exceeded: 0 }
    }

    /// What the promise allows.
    pub(crate) const fn allowed(&self) -> u64 {
        match self.promise {
            Promise::AnyWindow { requests, .. } | Promise::EachWindow { requests, .. } => requests,
            Promise::Bucket { burst, .. } => burst,
        }
    }

    /// Something was admitted. Times never run back.
    pub(crate) fn admitted(&mut self, time: Time, cost: u64) {
        assert!(self.last <= time, "a time ran back");
        let filled = match self.promise {
            Promise::AnyWindow { window_millis, .. } => {
                self.forget(|at| at + window_millis <= time);
                self.add(time, cost)
            }
            Promise::EachWindow { window_millis, offset_millis, .. } => {
                let window = |at: Time| (at + offset_millis) / window_millis;
                self.forget(|at| window(at) < window(time));
                self.add(time, cost)
            }
            Promise::Bucket { requests, window_millis, .. } => {
                self.level =
                    self.level.saturating_sub((time - self.last) * requests) + cost * window_millis;
                self.level.div_ceil(window_millis)
            }
        };
        self.last = time;
        self.most = self.most.max(filled);
        if filled > self.allowed() {
            self.exceeded += 1;
        }
    }

    fn forget(&mut self, over: impl Fn(Time) -> bool) {
        while self.recent.front().is_some_and(|(at, _)| over(*at)) {
            self.sum -= self.recent.pop_front().map_or(0, |(_, cost)| cost);
        }
    }

    fn add(&mut self, time: Time, cost: u64) -> u64 {
        self.recent.push_back((time, cost));
        self.sum += cost;
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn exceeded(promise: Promise, admitted: &[(Time, u64)]) -> u64 {
        let mut watch = Watch::new(promise);
        for (time, cost) in admitted {
            watch.admitted(*time, *cost);
        }
        watch.exceeded
    }

    #[test]
    fn any_window_sees_what_each_window_does_not() {
        let across = [(900, 2), (1_000, 2)];
        assert_eq!(exceeded(Promise::AnyWindow { requests: 3, window_millis: 1_000 }, &across), 1);
        let each = Promise::EachWindow { requests: 3, window_millis: 1_000, offset_millis: 0 };
        assert_eq!(exceeded(each, &across), 0);
        let moved = Promise::EachWindow { requests: 3, window_millis: 1_000, offset_millis: 100 };
        assert_eq!(exceeded(moved, &across), 1, "windows begin at 900");
        assert_eq!(exceeded(each, &[(1_000, 2), (1_999, 2)]), 1);
        assert_eq!(
            exceeded(
                Promise::AnyWindow { requests: 3, window_millis: 1_000 },
                &[(0, 3), (1_000, 3)]
            ),
            0
        );
    }

    #[test]
    fn a_bucket_flows_out_at_its_rate() {
        let bucket = Promise::Bucket { burst: 2, requests: 1, window_millis: 1_000 };
        assert_eq!(exceeded(bucket, &[(0, 2), (1_000, 1), (2_000, 1)]), 0);
        assert_eq!(exceeded(bucket, &[(0, 2), (999, 1)]), 1);
    }
}
