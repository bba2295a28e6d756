//! A counter per window, aligned to the epoch.

use serde::{Deserialize, Serialize};

use super::{Limit, align, is_too_far_ahead};
use crate::time::UnixMillis;

/// What is stored: the start of the window in milliseconds, and what was used in it.
///
/// The window's length is the limit's. If that changes, the start tells which of the new windows the count
/// belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "s")]
    start: u64,
    #[serde(rename = "n")]
    used: u32,
}

impl Kept {
    pub(super) fn at(&self, limit: &Limit, now: UnixMillis) -> Meter {
        let unused = Meter::unused(limit, now);
        let start = align(self.start, unused.window);
        if is_too_far_ahead(start, now) {
            Meter { used: self.used, ..unused }
        } else if start >= unused.start {
            Meter { start, used: self.used, ..unused }
        } else {
            unused
        }
    }

    pub(super) fn refund(&self, limit: &Limit, cost: u32, taken_at: UnixMillis) -> Self {
        let window = limit.window_millis();
        if align(self.start, window) != align(taken_at.as_millis(), window) {
            return self.clone();
        }
        Self { start: self.start, used: self.used.saturating_sub(cost) }
    }

    pub(super) fn expires_at(&self, limit: &Limit) -> UnixMillis {
        let window = limit.window_millis();
        UnixMillis::from_millis(align(self.start, window)).saturating_add(window)
    }
}

/// The window that is open now (or, if the clock ran back, the latest one seen).
pub(super) struct Meter {
    start: u64,
    used: u32,
    window: u64,
    requests: u32,
    now: UnixMillis,
}

impl Meter {
    pub(super) fn unused(limit: &Limit, now: UnixMillis) -> Self {
        let window = limit.window_millis();
        let start = align(now.as_millis(), window);
        Self { start, used: 0, window, requests: limit.requests, now }
    }

    fn ends_in_millis(&self) -> u64 {
        self.start.saturating_add(self.window).saturating_sub(self.now.as_millis())
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

    fn kept(&self) -> super::Kept {
        super::Kept::FixedWindow(Kept { start: self.start, used: self.used })
    }
}
