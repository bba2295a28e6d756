//! The alarm of a Durable Object: one, for the earliest that is due.

use std::cell::Cell;

use worker::{Result, State};

use crate::time::UnixMillis;

/// When the object is woken, as far as this instance of it knows.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Cell<Option<UnixMillis>>,
}

impl Alarm {
    /// It went off: none is set now.
    pub(super) fn went_off(&self) {
        self.at.set(None);
    }

    /// The time that it is set for.
    pub(super) fn time(&self) -> Option<UnixMillis> {
        self.at.get()
    }

    /// Sets it, in place of what it was set for.
    ///
    /// # Errors
    /// Those of the platform. Then there is none, and the next request has to set it.
    pub(super) async fn set(&self, state: &State, at: UnixMillis, now: UnixMillis) -> Result<()> {
        self.at.set(Some(at));
        let wait = i64::try_from(at.millis_since(now)).unwrap_or(i64::MAX);
        let set = state.storage().set_alarm(wait.max(1)).await;
        if set.is_err() {
            self.at.set(None);
        }
        set
    }
}
