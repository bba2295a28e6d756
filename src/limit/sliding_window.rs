//! Counters of twentieths of the window: the limit holds in any window.
//!
//! A window that ends now touches the current twentieth and the 20 before it. The sum is of all 21, and the oldest
//! counts in full, though only a part of it lies within the window. So the sum is never less than what was used in
//! the window. The price: a place is free again between 1 and 1 + 1/20 windows after it was taken. So a caller
//! that always waits for the limit gets at least 20/21 (95 %) of it.

use serde::Serialize;
use serde_json::Value;

use super::{Limit, align, is_too_far_ahead};
use crate::{
    json::{
        fault::DocumentFault,
        object::object,
        readable::{Readable, from_value},
    },
    time::UnixMillis,
};

/// Parts of a window. 20 divides 1000, so a part of any window of whole seconds has whole
/// milliseconds; more parts would be more exact and cells larger.
const PARTS: u64 = 20;
const MILLIS_PER_SEC_AND_PART: u64 = 1000 / PARTS;
/// The parts that a window can touch.
const COUNTERS: usize = 21;

/// What is stored: the start of the newest part, the length of a part (both in milliseconds), and the
/// counts from the newest to the oldest, without zeros at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    #[serde(rename = "t")]
    newest: u64,
    #[serde(rename = "l")]
    part: u64,
    #[serde(rename = "c")]
    counts: Vec<u32>,
}

object! {
    struct Written, ignored {
        t: u64,
        l: u64,
        c: Vec<u32>,
    }
}

impl Readable for Kept {
    fn blank() -> Self {
        Self { newest: 0, part: 0, counts: Vec::new() }
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let Written { t: newest, l: part, c: counts } = from_value(value)?;
        *self = Self { newest, part, counts };
        Ok(())
    }
}

impl Kept {
    pub(super) fn at(&self, limit: &Limit, now: UnixMillis) -> Meter {
        let mut meter = Meter::unused(limit, now);
        let same_parts = self.part == meter.part && align(self.newest, self.part) == self.newest;
        let trusted = same_parts && !is_too_far_ahead(self.newest, now);
        if trusted {
            meter.newest = meter.newest.max(self.newest);
        }
        let latest = if trusted { u64::MAX } else { now.as_millis() };
        for (start, count) in self.starts_and_counts() {
            // If the length of parts was changed, only the end of an old part is late enough for all that it counted.
            let end = start.saturating_add(self.part.saturating_sub(1));
            meter.count(end.min(latest), count);
        }
        meter
    }

    pub(super) fn refund(&self, limit: &Limit, cost: u32, taken_at: UnixMillis) -> Self {
        let mut meter = self.at(limit, UnixMillis::from_millis(self.newest));
        if let Some(count) = meter.counter_mut(taken_at.as_millis()) {
            *count = count.saturating_sub(cost);
        }
        meter.to_kept()
    }

    pub(super) fn expires_at(&self, limit: &Limit) -> UnixMillis {
        let meter = self.at(limit, UnixMillis::from_millis(self.newest));
        meter.now.saturating_add(super::Meter::full_after_millis(&meter))
    }

    fn starts_and_counts(&self) -> impl Iterator<Item = (u64, u32)> {
        let starts = core::iter::successors(Some(self.newest), |start| {
            Some(start.saturating_sub(self.part))
        });
        starts.zip(self.counts.iter().copied()).take(COUNTERS)
    }
}

/// The sum of the counters, for each part.
pub(super) fn sum<'k>(
    all: impl Iterator<Item = &'k Kept> + Clone,
    limit: &Limit,
    now: UnixMillis,
) -> Option<Kept> {
    let mut meter = Meter::unused(limit, now);
    let part = meter.part;
    let known = all.filter(move |kept| {
        kept.part == part
            && align(kept.newest, kept.part) == kept.newest
            && !is_too_far_ahead(kept.newest, now)
    });
    meter.newest = known.clone().map(|kept| kept.newest).fold(meter.newest, u64::max);
    for (start, count) in known.flat_map(Kept::starts_and_counts) {
        meter.count(start, count);
    }
    Some(meter.to_kept()).filter(|kept| !kept.counts.is_empty())
}

/// The counters as they are now or, if the clock ran back, as they were in the latest part seen.
pub(super) struct Meter {
    newest: u64,
    part: u64,
    /// From the newest to the oldest.
    counts: [u32; COUNTERS],
    requests: u32,
    now: UnixMillis,
}

impl Meter {
    pub(super) fn unused(limit: &Limit, now: UnixMillis) -> Self {
        let part = u64::from(limit.window_secs()).saturating_mul(MILLIS_PER_SEC_AND_PART);
        let newest = align(now.as_millis(), part);
        Self { newest, part, counts: [0; COUNTERS], requests: limit.requests, now }
    }

    /// The counter of a moment; `None` if the moment is too old, or newer than the newest part.
    fn counter_mut(&mut self, moment: u64) -> Option<&mut u32> {
        let age = self.newest.checked_sub(align(moment, self.part))?;
        let index = usize::try_from(age.checked_div(self.part)?).ok()?;
        self.counts.get_mut(index)
    }

    fn count(&mut self, moment: u64, cost: u32) {
        if let Some(count) = self.counter_mut(moment) {
            *count = count.saturating_add(cost);
        }
    }

    /// Milliseconds until the counter at `index` no longer counts.
    fn drops_in_millis(&self, index: usize) -> u64 {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        let parts_left = (PARTS.saturating_add(1)).saturating_sub(index);
        self.newest
            .saturating_add(parts_left.saturating_mul(self.part))
            .saturating_sub(self.now.as_millis())
    }

    fn to_kept(&self) -> Kept {
        let length = self
            .counts
            .iter()
            .rposition(|count| *count > 0)
            .map_or(0, |last| last.saturating_add(1));
        let counts = self.counts.iter().take(length).copied().collect();
        Kept { newest: self.newest, part: self.part, counts }
    }
}

impl super::Meter for Meter {
    fn used(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn available(&self) -> u32 {
        self.requests.saturating_sub(self.used())
    }

    fn take(&mut self, cost: u32) {
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(cost);
        }
    }

    fn wait_millis(&self, cost: u32) -> u64 {
        let allowed = u64::from(self.requests.saturating_sub(cost));
        let mut used: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        for (index, count) in self.counts.iter().enumerate().rev() {
            used = used.saturating_sub(u64::from(*count));
            if used <= allowed {
                return self.drops_in_millis(index);
            }
        }
        self.drops_in_millis(0)
    }

    fn full_after_millis(&self) -> u64 {
        self.counts
            .iter()
            .position(|count| *count > 0)
            .map_or(0, |newest_used| self.drops_in_millis(newest_used))
    }

    /// Until the newest part is over: what is spent in a part has to be counted in it.
    fn lendable_millis(&self) -> u64 {
        self.newest.saturating_add(self.part).saturating_sub(self.now.as_millis())
    }

    fn kept(&self) -> super::Kept {
        super::Kept::SlidingWindow(self.to_kept())
    }
}
