//! The alarm of a Durable Object: one, for the earliest that is due.

use core::time::Duration;
use std::cell::Cell;

use worker::{Result, State};

use crate::clock;
use edgegate::time::UnixMillis;

/// The longest time that an alarm is set for: 30 days. The platform counts nanoseconds in 64 bits, which end in 2262, and
/// an entry may be in force until the year 9999.
const MAX_WAIT_MILLIS: u64 = 30 * 86_400_000;

/// When the object is woken, as far as this instance of it knows.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    at: Cell<Option<UnixMillis>>,
    /// Whether the platform was asked.
    is_known: Cell<bool>,
}

impl Alarm {
    /// It went off: none is set now.
    pub(crate) fn went_off(&self) {
        self.at.set(None);
        self.is_known.set(true);
    }

    /// Asks the platform once whether one is set: reading costs less than to set it anew each time the object is woken.
    ///
    /// # Errors
    /// Those of the platform.
    pub(crate) async fn recall(&self, state: &State) -> Result<()> {
        if !self.is_known.get() {
            let at = state.storage().get_alarm().await?;
            let at = at.and_then(|millis| u64::try_from(millis).ok());
            self.at.set(at.map(UnixMillis::from_millis));
            self.is_known.set(true);
        }
        Ok(())
    }

    /// The time that it is set for.
    pub(crate) fn time(&self) -> Option<UnixMillis> {
        self.at.get()
    }

    /// Sets it in place of the one before: for `at`, or for [`MAX_WAIT_MILLIS`] from now if that is sooner. An object that is
    /// woken too early finds nothing due and sets it again.
    ///
    /// # Errors
    /// Those of the platform. Then no alarm is set, and the next request has to set it.
    pub(crate) async fn set(&self, state: &State, at: UnixMillis, now: UnixMillis) -> Result<()> {
        let wait = at.millis_since(now).clamp(1, MAX_WAIT_MILLIS);
        self.at.set(Some(now.saturating_add(wait)));
        let set = state.storage().set_alarm(i64::try_from(wait).unwrap_or(1)).await;
        if set.is_err() {
            self.at.set(None);
        }
        set
    }

    /// After a fault in what the alarm does: sets it for later, if it is not set. An object that nobody asks has no other clock.
    ///
    /// # Errors
    /// Those of the platform. They are for the platform, which then tries the alarm itself again.
    pub(crate) async fn again(&self, state: &State, wait: Duration) -> Result<()> {
        if self.at.get().is_some() {
            return Ok(());
        }
        let now = clock::now();
        let wait = u64::try_from(wait.as_millis()).unwrap_or(MAX_WAIT_MILLIS);
        self.set(state, now.saturating_add(wait), now).await
    }
}
