//! When a browser's session is renewed inside a request.

use crate::time::UnixTime;

/// How long a renewal may take while the access token still holds. Beyond it the request goes on without.
pub const PATIENCE_MILLIS: u32 = 500;

/// Whether the session is to be renewed before this request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// No: the access token holds, or there is nothing to renew by.
    No,
    /// The access token holds, and ends soon: a renewal that fails or takes over [`PATIENCE_MILLIS`] is given up.
    Soon,
    /// There is no access token that holds: without a renewal the request is refused.
    Now,
}

/// Decides. `exp` is that of an access token that holds.
///
/// Safe methods renew, and unsafe ones after the CSRF rule: that has been asked before. Preflights carry no cookies.
#[must_use]
pub fn needed(
    exp: Option<UnixTime>,
    has_refresh_token: bool,
    renew_before_secs: u32,
    now: UnixTime,
) -> Renewal {
    match (exp, has_refresh_token) {
        (_, false) => Renewal::No,
        (None, true) => Renewal::Now,
        (Some(exp), true) if exp.saturating_sub(renew_before_secs.into()) <= now => Renewal::Soon,
        (Some(_), true) => Renewal::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewed_near_the_end_and_without_an_access_token() {
        let now = UnixTime::from_secs(1000);
        let at = |exp: Option<i64>, refresh| needed(exp.map(UnixTime::from_secs), refresh, 60, now);
        assert_eq!(at(Some(1061), true), Renewal::No);
        assert_eq!(at(Some(1060), true), Renewal::Soon);
        assert_eq!(at(Some(1060), false), Renewal::No);
        assert_eq!(at(None, true), Renewal::Now);
        assert_eq!(at(None, false), Renewal::No);
    }
}
