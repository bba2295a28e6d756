//! Counts over time: slots of ten seconds for a quarter of an hour, of a minute for six hours, of an hour for a week.
//!
//! A count lies in the slot of the moment at which it came here, so there is one clock. A window is the slots that lie wholly in it: it
//! never has more than was counted in that time, and it lacks at most one slot.
//!
//! The longer slots are kept, the fewer names they have ([`Room`]): six hours of what callers can make of it are less than 16 MB.
//!
//! What has to be stored are rows: a slot of ten seconds when it changes, a slot of a minute and the totals once it is over. After a
//! restart the minute that is open is the sum of its slots.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{counts::Counts, series::Room};
use crate::{
    error::StoreError,
    json::{document, object::object},
    session::state::RowChange,
    time::UnixMillis,
};

const FINE_SECS: u64 = 10;
const MINUTE_SECS: u64 = 60;
const HOUR_SECS: u64 = 3_600;

/// The longest windows that slots of ten seconds, minutes and hours are kept for.
pub const FINE_WINDOW_SECS: u64 = 900;
const MINUTE_WINDOW_SECS: u64 = 6 * HOUR_SECS;
/// The longest window of all.
pub const MAX_WINDOW_SECS: u64 = 7 * 86_400;

object! {
    /// The row of the totals.
    #[derive(Debug, Serialize)]
    struct Totals, ignored {
        v: u8,
        /// Minutes before this second are over, and in the totals.
        closed: u64,
        /// Hours before this second are over.
        closed_hours: u64,
        counts: BTreeMap<String, u64>,
    }
}

/// How long the slots of a window are that are over.
#[must_use]
pub const fn slot_secs(window_secs: u64) -> u64 {
    if window_secs <= FINE_WINDOW_SECS {
        FINE_SECS
    } else if window_secs <= MINUTE_WINDOW_SECS {
        MINUTE_SECS
    } else {
        HOUR_SECS
    }
}

type Slots = BTreeMap<u64, Counts>;

/// Counts over time.
#[derive(Debug, Default)]
pub struct Windows {
    fine: Slots,
    minutes: Slots,
    hours: Slots,
    totals: Counts,
    closed: u64,
    closed_hours: u64,
    /// The last moment: time does not go back here.
    latest: UnixMillis,
}

impl Windows {
    /// Adds counts that have come now, and tells the rows that change.
    pub fn add(&mut self, counts: &Counts, now: UnixMillis, rows: &mut Vec<RowChange>) {
        let now = self.advance(now, rows);
        if counts.is_empty() {
            return;
        }
        let start = floor(now, FINE_SECS);
        let slot = self.fine.entry(start).or_insert_with(|| Counts::of(Room::Slot));
        slot.add_all(counts);
        rows.push(row("fine", start, slot));
    }

    /// Closes what is over. Returns the time in seconds, which never goes back.
    pub fn advance(&mut self, now: UnixMillis, rows: &mut Vec<RowChange>) -> u64 {
        self.latest = self.latest.max(now);
        let now = seconds(self.latest);
        let open = floor(now, MINUTE_SECS);
        if open <= self.closed {
            return now;
        }
        let over = collected(&self.fine, self.closed, open, MINUTE_SECS);
        for (start, counts) in over {
            self.totals.add_all(&counts);
            let counts = counts.for_long();
            rows.push(row("minute", start, &counts));
            self.minutes.insert(start, counts);
        }
        self.closed = open;
        let open_hour = floor(open, HOUR_SECS);
        if open_hour > self.closed_hours {
            let over = collected(&self.minutes, self.closed_hours, open_hour, HOUR_SECS);
            for (start, counts) in over {
                let counts = counts.for_long();
                rows.push(row("hour", start, &counts));
                self.hours.insert(start, counts);
            }
            self.closed_hours = open_hour;
        }
        let totals = Totals {
            v: 1,
            closed: self.closed,
            closed_hours: self.closed_hours,
            counts: self.totals.clone().into_inner(),
        };
        rows.push(RowChange {
            name: "totals".to_owned(),
            value: serde_json::to_string(&totals).ok(),
        });
        forget(&mut self.fine, now.saturating_sub(FINE_WINDOW_SECS).min(self.closed), "fine", rows);
        let minutes = now.saturating_sub(MINUTE_WINDOW_SECS).min(self.closed_hours);
        forget(&mut self.minutes, minutes, "minute", rows);
        forget(&mut self.hours, now.saturating_sub(MAX_WINDOW_SECS), "hour", rows);
        now
    }

    /// Hands each count of a window on; a name may come several times.
    pub fn each(&self, window_secs: u64, now: UnixMillis, each: &mut dyn FnMut(&str, u64)) {
        for (_, slot) in self.slots(window_secs, now) {
            slot.iter().for_each(|(name, n)| each(name, n));
        }
    }

    /// The slots of a window, with their beginnings, oldest first. The last ones may be shorter than [`slot_secs`].
    pub fn slots(&self, window_secs: u64, now: UnixMillis) -> impl Iterator<Item = (u64, &Counts)> {
        let now = seconds(self.latest.max(now));
        let from = |secs: u64| {
            let slot = floor(now, secs);
            slot.saturating_sub(
                window_secs
                    .saturating_sub(secs)
                    .checked_div(secs)
                    .unwrap_or(0)
                    .saturating_mul(secs),
            )
        };
        let (hours, minutes, fine) = if window_secs <= FINE_WINDOW_SECS {
            (None, None, from(FINE_SECS))
        } else if window_secs <= MINUTE_WINDOW_SECS {
            (None, Some(from(MINUTE_SECS)), self.closed)
        } else {
            (Some(from(HOUR_SECS)), Some(self.closed_hours), self.closed)
        };
        let hours = hours.map(|from| self.hours.range(from..)).into_iter().flatten();
        let minutes = minutes.map(|from| self.minutes.range(from..)).into_iter().flatten();
        let fine = self.fine.range(fine..);
        hours.chain(minutes).chain(fine).map(|(start, counts)| (*start, counts))
    }

    /// Everything that was ever counted: it never falls.
    #[must_use]
    pub fn totals(&self) -> Counts {
        let mut totals = self.totals.clone();
        self.fine.range(self.closed..).for_each(|(_, slot)| totals.add_all(slot));
        totals
    }

    /// Reads a row. Whether it was one of these.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_row(&mut self, name: &str, value: &str) -> Result<bool, StoreError> {
        let not_ours =
            || StoreError::new("a row of counts has a form that the gate does not write");
        if name == "totals" {
            let totals: Totals = document::parse(value.as_bytes()).map_err(|_| not_ours())?;
            self.closed = totals.closed;
            self.closed_hours = totals.closed_hours;
            self.totals = totals.counts.into();
            self.latest =
                self.latest.max(UnixMillis::from_millis(totals.closed.saturating_mul(1000)));
            return Ok(true);
        }
        let Some((kind, start)) = name.split_once('/') else { return Ok(false) };
        let (slots, is_long) = match kind {
            "fine" => (&mut self.fine, false),
            "minute" => (&mut self.minutes, true),
            "hour" => (&mut self.hours, true),
            _ => return Ok(false),
        };
        let start: u64 = start.parse().map_err(|_| not_ours())?;
        let slot: Slot = document::parse(value.as_bytes()).map_err(|_| not_ours())?;
        let read = Counts::from(slot.counts);
        let counts = if is_long {
            read.for_long()
        } else {
            let mut fine = Counts::of(Room::Slot);
            fine.add_all(&read);
            fine
        };
        slots.insert(start, counts);
        let at = UnixMillis::from_millis(start.saturating_mul(1000));
        self.latest = self.latest.max(at);
        Ok(true)
    }
}

object! {
    /// The row of a slot.
    #[derive(Debug, Serialize)]
    struct Slot, ignored {
        counts: BTreeMap<String, u64>,
    }
}

fn seconds(at: UnixMillis) -> u64 {
    at.as_millis().checked_div(1000).unwrap_or_default()
}

fn floor(secs: u64, slot: u64) -> u64 {
    secs.saturating_sub(secs.checked_rem(slot).unwrap_or_default())
}

/// The slots from `from` to before `to`, put together to longer ones.
fn collected(slots: &Slots, from: u64, to: u64, longer: u64) -> Slots {
    let mut collected = Slots::new();
    for (start, counts) in slots.range(from..to) {
        collected.entry(floor(*start, longer)).or_default().add_all(counts);
    }
    collected
}

fn forget(slots: &mut Slots, before: u64, kind: &str, rows: &mut Vec<RowChange>) {
    let kept = slots.split_off(&before);
    let gone = core::mem::replace(slots, kept);
    rows.extend(
        gone.keys().map(|start| RowChange { name: format!("{kind}/{start}"), value: None }),
    );
}

fn row(kind: &str, start: u64, counts: &Counts) -> RowChange {
    let slot = Slot { counts: counts.clone().into_inner() };
    RowChange { name: format!("{kind}/{start}"), value: serde_json::to_string(&slot).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::series::{Kind, Series};

    /// A minute and an hour begin here.
    const START: u64 = 1_699_999_200;

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis((START + secs) * 1000)
    }

    fn one() -> Counts {
        let mut counts = Counts::default();
        counts.add(&Series { code: "INVALID_TOKEN", ..Series::default() }.name(), 1);
        counts
    }

    fn sum(windows: &Windows, window: u64, secs: u64) -> u64 {
        let mut sum = 0;
        windows.each(window, at(secs), &mut |_, n| sum += n);
        sum
    }

    /// The rows as a store has them.
    fn store(rows: &mut BTreeMap<String, String>, changes: Vec<RowChange>) {
        for RowChange { name, value } in changes {
            match value {
                Some(value) => rows.insert(name, value),
                None => rows.remove(&name),
            };
        }
    }

    fn restarted(rows: &BTreeMap<String, String>) -> Windows {
        let mut windows = Windows::default();
        for (name, value) in rows {
            assert!(windows.read_row(name, value).unwrap());
        }
        windows
    }

    #[test]
    fn a_window_has_no_more_than_its_time_and_lacks_at_most_a_slot() {
        let mut windows = Windows::default();
        for secs in 0..1_200 {
            windows.add(&one(), at(secs), &mut Vec::new());
        }
        for window in [60, 300, 900] {
            let found = sum(&windows, window, 1_199);
            assert!(found <= window && found + 10 >= window, "{window}: {found}");
        }
        assert_eq!(sum(&windows, 3_600, 1_199), 1_200);
        assert_eq!(sum(&windows, 86_400, 1_199), 1_200);
        // A quiet time later.
        assert_eq!(sum(&windows, 300, 1_600), 0);
    }

    #[test]
    fn nothing_is_lost_or_doubled_by_restarts_whenever_they_come() {
        let mut rows = BTreeMap::new();
        let mut windows = Windows::default();
        let mut expected = 0;
        // Ten hours, a count each 7 seconds, with gaps; restarted all the time.
        for step in 0..5_000_u64 {
            let secs = step * 7 + step / 100 * 211;
            let mut changes = Vec::new();
            windows.add(&one(), at(secs), &mut changes);
            store(&mut rows, changes);
            expected += 1;
            if step % 61 == 0 {
                windows = restarted(&rows);
            }
            assert_eq!(windows.totals().decisions(), expected, "at {secs}");
        }
        let end = 4_999 * 7 + 49 * 211;
        assert_eq!(sum(&restarted(&rows), MAX_WINDOW_SECS, end), expected);
        assert_eq!(sum(&windows, MAX_WINDOW_SECS, end), expected);
    }

    #[test]
    fn rows_have_an_end() {
        let mut rows = BTreeMap::new();
        let mut windows = Windows::default();
        for minute in 0..20_000_u64 {
            let mut changes = Vec::new();
            windows.add(&one(), at(minute * 60), &mut changes);
            store(&mut rows, changes);
        }
        assert!(rows.len() < 16 + 7 * 60 + 170, "{}", rows.len());
        assert_eq!(windows.totals().decisions(), 20_000);
    }

    /// More of everything than a caller can make: 2,000 kinds of decisions, and as many networks as there are.
    fn full() -> Counts {
        let mut counts = Counts::default();
        for route in 0..100 {
            let route = format!("/v1/customers/{route:02}/orders/*");
            for (code, reason) in [
                ("INSUFFICIENT_SCOPE", "insufficient_scope"),
                ("INVALID_TOKEN", "bad_signature"),
                ("INVALID_TOKEN", "wrong_algorithm"),
                ("MISSING_CREDENTIALS", "missing_credentials"),
                ("TOKEN_EXPIRED", "token_expired"),
            ] {
                for carrier in ["bearer", "dpop", "cookie", "api_key_header"] {
                    let issuer = "https://accounts.example.com/";
                    let series =
                        Series { code, reason, carrier, identity: "jwt", issuer, route: &route };
                    counts.add(&series.name(), 1);
                }
            }
            counts.add(&Kind::Failure.name(&route), 1);
        }
        for at in 0..300_u16 {
            let [high, low] = at.to_be_bytes();
            counts.add(&Kind::Network.name(&format!("2001:db8:{high:x}{low:02x}::/48")), 1);
            let letters = [high, low].map(|byte| char::from(b'A' + byte % 26));
            counts.add(&Kind::Country.name(&letters.iter().collect::<String>()), 1);
        }
        counts
    }

    #[test]
    fn six_hours_of_full_slots_are_less_than_16_mb_and_no_count_is_lost() {
        let (mut rows, mut windows) = (BTreeMap::new(), Windows::default());
        let full = full();
        let all = full.decisions();
        let mut added = 0;
        // Full minutes for seven hours, and at the end a quarter of an hour of full slots.
        let minutes = (0..400_u64).map(|minute| minute * 60);
        for secs in minutes.chain((2_400..2_520).map(|slot| slot * 10)) {
            let mut changes = Vec::new();
            windows.add(&full, at(secs), &mut changes);
            store(&mut rows, changes);
            added += all;
        }
        let bytes: usize = rows.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes < 16_000_000, "{bytes}");
        assert_eq!(restarted(&rows).totals().decisions(), added);
        // Where names are too many, codes and routes are known all the same.
        let (_, minute) = windows.minutes.last_key_value().unwrap();
        let codes: u64 = minute
            .iter()
            .filter_map(|(name, n)| Some((Series::of(name)?, n)))
            .filter(|(series, _)| series.code == "TOKEN_EXPIRED" && series.is_presented())
            .map(|(_, n)| n)
            .sum();
        assert!(codes >= all / 5, "{codes} of {all}");
        assert_eq!(sum(&restarted(&rows), 21_600, 25_190), sum(&windows, 21_600, 25_190));
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let mut windows = Windows::default();
        windows.add(&one(), at(600), &mut Vec::new());
        windows.add(&one(), at(0), &mut Vec::new());
        assert_eq!(sum(&windows, 300, 600), 2);
        assert_eq!(windows.totals().decisions(), 2);
    }
}
