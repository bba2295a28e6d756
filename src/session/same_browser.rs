//! Tabs of one browser that log in together share a session: so none of them ends the one of another, whichever answer comes first, and
//! however many there are they count as one opening. A login that begins later gets a session of its own, and ends the one before.
//!
//! Each has come back from the provider with a code of its own, so the person has shown each time who it is. The session is given to nobody
//! else than to whom it was opened for.

use super::{
    id::SessionId,
    record::{LoginRow, Opening, SessionRow},
    state::SubjectState,
    step::NewSession,
};
use crate::time::UnixTime;

/// How long after a login the browser's other tabs get the same session.
const TOGETHER_SECS: u64 = 60;

impl SubjectState {
    /// The session that another tab of the same browser has just opened by such a login, while this one was under way.
    pub(super) fn just_opened(
        &self,
        opening: &Opening,
        new: &NewSession,
        now: UnixTime,
    ) -> Option<SessionId> {
        let browser = new.browser?;
        let of_browser = self.sessions.values().filter(|row| row.browser == Some(browser));
        let mut fit = of_browser.filter(|row| serves(row, opening, new, now));
        fit.next().map(|row| row.id)
    }
}

/// Whether it is as good as a new one: with the same rights, and its first tokens are still those that it has. When the person signed in may
/// differ: the session keeps what its own login has shown.
fn serves(row: &SessionRow, opening: &Opening, new: &NewSession, now: UnixTime) -> bool {
    let Some(login) = &row.opening.login else { return false };
    let same_times = Opening {
        auth_time: row.opening.auth_time,
        login: opening.login.clone().map(|own| LoginRow { at: login.at, ..own }),
        ..opening.clone()
    };
    same_times == row.opening
        && new.begun_at.is_some_and(|at| at <= row.created_at)
        && now.secs_since(row.created_at) < TOGETHER_SECS
        && now < row.ends_at(&new.terms)
        // Once it is refreshed, its first tokens are for stragglers alone. What another secret has sealed may not open for long.
        && (row.generation, row.sealed_by) == (0, new.key_id)
}
