//! Windows of the calendar, in UTC: days and months of the Gregorian calendar, leap years included.
//!
//! Unix time has no leap seconds, so a day is 86,400 seconds.

use serde::Serialize;

use super::align;
use crate::json::object::words;

const DAY_MILLIS: u64 = 86_400_000;
/// Days in 400 years: after that the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
/// The months from March on, so that the leap day is the last day of a year.
const MONTH_DAYS: [u64; 12] = [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29];

/// A window of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calendar {
    /// From midnight to midnight, UTC.
    Day,
    /// From the first of a month to the first of the next, UTC.
    Month,
}

words!(Calendar { "day" => Calendar::Day, "month" => Calendar::Month });

impl Calendar {
    /// The window that a moment lies in: its first millisecond, and the first after it.
    pub(super) fn window(self, moment: u64) -> (u64, u64) {
        let midnight = align(moment, DAY_MILLIS);
        match self {
            Self::Day => (midnight, midnight.saturating_add(DAY_MILLIS)),
            Self::Month => {
                let (day_of_month, length) = month(moment / DAY_MILLIS);
                let start = midnight.saturating_sub(day_of_month.saturating_mul(DAY_MILLIS));
                (start, start.saturating_add(length.saturating_mul(DAY_MILLIS)))
            }
        }
    }
}

/// The day of the month (the first is 0) and the days of the month that a day since 1970 lies in.
fn month(day: u64) -> (u64, u64) {
    let day_of_era = day.saturating_add(EPOCH_FROM_MARCH_OF_YEAR_0) % ERA_DAYS;
    // Years from March to February. The leap days before `day` are taken out before it is divided.
    let leaps = (day_of_era / 1460).saturating_add(day_of_era / (ERA_DAYS - 1));
    let year = day_of_era.saturating_add(day_of_era / 36_524).saturating_sub(leaps) / 365;
    let year_start = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let mut left = day_of_era.saturating_sub(year_start);
    for length in MONTH_DAYS {
        if left < length {
            let february = length == 29;
            return (left, if february && !is_leap(year.saturating_add(1)) { 28 } else { length });
        }
        left = left.saturating_sub(length);
    }
    (left, 31)
}

/// Whether a year of an era, counted from 0, is a leap year.
const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,200 years, counted day by day by the rule itself.
    #[test]
    fn months_are_those_of_the_calendar() {
        let mut day = 0;
        for year in 1970_u64..3170 {
            let february = if is_leap(year) { 29 } else { 28 };
            for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                for day_of_month in 0..length {
                    assert_eq!(month(day), (day_of_month, length), "{year}, day {day}");
                    day += 1;
                }
            }
        }
        assert_eq!(day, 3 * ERA_DAYS);
    }

    #[track_caller]
    fn assert_month(inside: u64, start: u64, end: u64) {
        assert_eq!(Calendar::Month.window(inside * 1000), (start * 1000, end * 1000));
    }

    #[test]
    fn known_months() {
        // 2024-02-01, 2024-03-01 (a leap year), and the last second between.
        assert_month(1_709_251_199, 1_706_745_600, 1_709_251_200);
        assert_month(1_706_745_600, 1_706_745_600, 1_709_251_200);
        // February 2023, and of 2100, which is no leap year.
        assert_month(1_676_000_000, 1_675_209_600, 1_677_628_800);
        assert_month(4_107_000_000, 4_105_123_200, 4_107_542_400);
        // December 2023 to January 2024.
        assert_month(1_704_067_199, 1_701_388_800, 1_704_067_200);
    }

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!(Calendar::Day.window(86_399_999), (0, 86_400_000));
        assert_eq!(Calendar::Day.window(86_400_000), (86_400_000, 172_800_000));
    }

    #[test]
    fn no_moment_panics() {
        for moment in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            for calendar in [Calendar::Day, Calendar::Month] {
                let (start, end) = calendar.window(moment);
                assert!(start <= moment && (moment < end || end == u64::MAX));
            }
        }
    }
}
