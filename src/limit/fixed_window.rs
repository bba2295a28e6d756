//! A counter per window, aligned to the epoch or to the calendar.

use serde::Serialize;
use serde_json::Value;

use super::{Limit, is_too_far_ahead};
use crate::{
    json::{
        fault::DocumentFault,
        object::object,
        readable::{Readable, from_value},
    },
    time::UnixMillis,
};

/// What is stored: the start of the window in milliseconds, and what was used in it.
///
/// The limit has the length of the window. If that changes, the start says to which of the new windows the count
/// belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    #[serde(rename = "s")]
    start: u64,
    #[serde(rename = "n")]
    used: u32,
}

object! {
    struct Written, ignored {
        s: u64,
        n: u32,
    }
}

impl Readable for Kept {
    fn blank() -> Self {
        Self { start: 0, used: 0 }
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let Written { s: start, n: used } = from_value(value)?;
        *self = Self { start, used };
        Ok(())
    }
}

impl Kept {
    pub(super) fn at(&self, limit: &Limit, now: UnixMillis) -> Meter {
        let unused = Meter::unused(limit, now);
        let (start, end) = limit.window_around(self.start);
        if is_too_far_ahead(start, now) {
            Meter { used: self.used, ..unused }
        } else if start >= unused.start {
            Meter { start, end, used: self.used, ..unused }
        } else {
            unused
        }
    }

    pub(super) fn refund(&self, limit: &Limit, cost: u32, taken_at: UnixMillis) -> Self {
        if limit.window_around(self.start) != limit.window_around(taken_at.as_millis()) {
            return self.clone();
        }
        Self { start: self.start, used: self.used.saturating_sub(cost) }
    }

    pub(super) fn expires_at(&self, limit: &Limit) -> UnixMillis {
        UnixMillis::from_millis(limit.window_around(self.start).1)
    }
}

/// The sum of the counters of the latest window.
pub(super) fn sum<'k>(
    all: impl Iterator<Item = &'k Kept>,
    limit: &Limit,
    now: UnixMillis,
) -> Option<Kept> {
    let (open, _) = limit.window_around(now.as_millis());
    let mut sum: Option<Kept> = None;
    for kept in all {
        let (start, _) = limit.window_around(kept.start);
        let latest = sum.as_ref().map_or(open, |sum| sum.start);
        if start < latest || is_too_far_ahead(start, now) {
            continue;
        }
        let before = sum.filter(|sum| sum.start == start).map_or(0, |sum| sum.used);
        sum = Some(Kept { start, used: before.saturating_add(kept.used) });
    }
    sum
}

/// The window that is open now or, if the clock ran back, the latest one seen.
pub(super) struct Meter {
    start: u64,
    end: u64,
    used: u32,
    requests: u32,
    now: UnixMillis,
}

impl Meter {
    pub(super) fn unused(limit: &Limit, now: UnixMillis) -> Self {
        let (start, end) = limit.window_around(now.as_millis());
        Self { start, end, used: 0, requests: limit.requests, now }
    }

    fn ends_in_millis(&self) -> u64 {
        self.end.saturating_sub(self.now.as_millis())
    }
}

impl super::Meter for Meter {
    fn used(&self) -> u32 {
        self.used
    }

    fn available(&self) -> u32 {
        self.requests.saturating_sub(self.used)
    }

    fn take(&mut self, cost: u32) {
        self.used = self.used.saturating_add(cost);
    }

    fn wait_millis(&self, _cost: u32) -> u64 {
        self.ends_in_millis()
    }

    fn full_after_millis(&self) -> u64 {
        if self.used == 0 { 0 } else { self.ends_in_millis() }
    }

    fn lendable_millis(&self) -> u64 {
        self.ends_in_millis()
    }

    fn kept(&self) -> super::Kept {
        super::Kept::FixedWindow(Kept { start: self.start, used: self.used })
    }
}
