//! A bucket that fills evenly: the generic cell rate algorithm, in whole numbers.
//!
//! The unit is a fraction of a request, so that nothing is ever rounded. A request is as many units as the window
//! has milliseconds, and `requests` units flow in each millisecond. So 7 in 60 s is 7 in 60 s after a year too. The
//! cell keeps the debt: how many units are missing in the bucket.

use serde::Serialize;
use serde_json::Value;

use super::{Limit, is_too_far_ahead, saturate};
use crate::{
    json::{
        fault::DocumentFault,
        object::object,
        readable::{Readable, from_value},
    },
    time::UnixMillis,
};

/// What is stored: when (in milliseconds), the debt at that moment, and the units of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    #[serde(rename = "t")]
    at: u64,
    #[serde(rename = "d")]
    debt: u64,
    #[serde(rename = "w")]
    unit: u64,
}

object! {
    struct Written, ignored {
        t: u64,
        d: u64,
        w: u64,
    }
}

impl Readable for Kept {
    fn blank() -> Self {
        Self { at: 0, debt: 0, unit: 0 }
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let Written { t: at, d: debt, w: unit } = from_value(value)?;
        *self = Self { at, debt, unit };
        Ok(())
    }
}

impl Kept {
    pub(super) fn at(&self, limit: &Limit, now: UnixMillis) -> Meter {
        let unused = Meter::unused(limit, now);
        let at = if is_too_far_ahead(self.at, now) { unused.at } else { unused.at.max(self.at) };
        let inflow = at.saturating_sub(self.at).saturating_mul(unused.requests);
        let debt = self.debt_in(unused.unit).saturating_sub(inflow).min(unused.size);
        Meter { at, debt, ..unused }
    }

    pub(super) fn refund(&self, limit: &Limit, cost: u32, taken_at: UnixMillis) -> Self {
        let meter = self.at(limit, UnixMillis::from_millis(self.at));
        let inflow = self.at.saturating_sub(taken_at.as_millis()).saturating_mul(meter.requests);
        // In the worst case, all that has flowed in since has paid this debt.
        let owed = u64::from(cost).saturating_mul(meter.unit).saturating_sub(inflow);
        Self { at: meter.at, debt: meter.debt.saturating_sub(owed), unit: meter.unit }
    }

    pub(super) fn expires_at(&self, limit: &Limit) -> UnixMillis {
        let meter = self.at(limit, UnixMillis::from_millis(self.at));
        meter.now.saturating_add(super::Meter::full_after_millis(&meter))
    }

    /// The debt in other units, after a change of the window: the same number of requests, rounded up.
    fn debt_in(&self, unit: u64) -> u64 {
        if unit == self.unit {
            return self.debt;
        }
        let scaled = u128::from(self.debt).saturating_mul(u128::from(unit));
        u64::try_from(scaled.div_ceil(u128::from(self.unit.max(1)))).unwrap_or(u64::MAX)
    }
}

/// The bucket as it is now or, if the clock ran back, as it was at the latest moment seen.
pub(super) struct Meter {
    at: u64,
    debt: u64,
    /// Units of a request: milliseconds of the window.
    unit: u64,
    /// Units that flow in per millisecond.
    requests: u64,
    /// Units in a full bucket: at most `(2^32 - 1) · 2 678 400 000 < 2^64`.
    size: u64,
    now: UnixMillis,
}

impl Meter {
    pub(super) fn unused(limit: &Limit, now: UnixMillis) -> Self {
        let unit = limit.window_millis();
        Self {
            at: now.as_millis(),
            debt: 0,
            unit,
            requests: u64::from(limit.requests),
            size: limit.bucket_units(),
            now,
        }
    }

    /// Milliseconds from now, by the clock, until `units` have flowed in.
    fn inflow_millis(&self, units: u128) -> u64 {
        let millis = units.div_ceil(u128::from(self.requests.max(1)));
        let ahead = self.at.saturating_sub(self.now.as_millis());
        u64::try_from(millis).unwrap_or(u64::MAX).saturating_add(ahead)
    }
}

impl super::Meter for Meter {
    fn used(&self) -> u32 {
        saturate(self.debt.div_ceil(self.unit.max(1)))
    }

    fn available(&self) -> u32 {
        let free = self.size.saturating_sub(self.debt);
        saturate(free.checked_div(self.unit).unwrap_or(0))
    }

    fn take(&mut self, cost: u32) {
        let units = u64::from(cost).saturating_mul(self.unit);
        self.debt = self.debt.saturating_add(units).min(self.size);
    }

    fn wait_millis(&self, cost: u32) -> u64 {
        let asked = u128::from(cost).saturating_mul(u128::from(self.unit));
        let debt = u128::from(self.debt).saturating_add(asked);
        self.inflow_millis(debt.saturating_sub(u128::from(self.size)))
    }

    fn full_after_millis(&self) -> u64 {
        if self.debt == 0 { 0 } else { self.inflow_millis(u128::from(self.debt)) }
    }

    /// The longest life of a lease: the bucket is smaller by what flows in during that time.
    fn lendable_millis(&self) -> u64 {
        u64::MAX
    }

    fn kept(&self) -> super::Kept {
        super::Kept::TokenBucket(Kept { at: self.at, debt: self.debt, unit: self.unit })
    }
}
