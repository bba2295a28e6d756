//! Points in time. The core reads no clock: callers pass `now`.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 §2, `NumericDate`).
///
/// Arithmetic saturates, so no time in a token overflows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// `secs` later.
    #[must_use]
    pub const fn saturating_add(self, secs: u64) -> Self {
        Self(self.0.saturating_add_unsigned(secs))
    }

    /// `secs` earlier.
    #[must_use]
    pub const fn saturating_sub(self, secs: u64) -> Self {
        Self(self.0.saturating_sub_unsigned(secs))
    }

    /// Seconds from `earlier` to this time; 0 if it is not later.
    #[must_use]
    pub fn secs_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since the epoch, for limits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The time `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The whole second this moment lies in.
    #[must_use]
    pub fn to_unix_time(self) -> UnixTime {
        UnixTime(i64::try_from(self.0.checked_div(1000).unwrap_or(0)).unwrap_or(i64::MAX))
    }

    /// The first millisecond of a second. A time before the epoch becomes the epoch.
    #[must_use]
    pub fn from_unix_time(time: UnixTime) -> Self {
        Self(u64::try_from(time.as_secs()).unwrap_or(0).saturating_mul(1000))
    }

    /// `millis` later.
    #[must_use]
    pub const fn saturating_add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; 0 if it is not later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(UnixTime::from_secs(i64::MAX).saturating_add(1).as_secs(), i64::MAX);
        assert_eq!(UnixTime::from_secs(i64::MIN).saturating_sub(1).as_secs(), i64::MIN);
        assert_eq!(UnixTime::from_secs(3).secs_since(UnixTime::from_secs(5)), 0);
        assert_eq!(
            UnixTime::from_secs(i64::MAX).secs_since(UnixTime::from_secs(i64::MIN)),
            u64::try_from(i64::MAX).unwrap()
        );
    }

    #[test]
    fn milliseconds_round_down_to_their_second() {
        assert_eq!(UnixMillis::from_millis(1_999).to_unix_time(), UnixTime::from_secs(1));
        assert_eq!(
            UnixMillis::from_millis(u64::MAX).to_unix_time().as_secs(),
            18_446_744_073_709_551
        );
    }
}
