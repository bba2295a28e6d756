//! All of a subject, as one writer has it in memory, and how it is stored: row by row, or as one text.

use serde::Serialize;

use super::{
    id::{SessionId, TicketHash},
    record::{Notice, ROW_VERSION, SessionRow, SubjectRow, TicketRow},
};
use crate::{
    error::StoreError,
    json::{document, object::object, readable::Readable},
    sorted::SortedList,
    time::{UnixMillis, UnixTime},
};

/// The most sessions that a subject has. Beyond it the one that was unused for longest is ended.
pub const MAX_SESSIONS: usize = 100;

/// The most tickets that wait. Beyond it the oldest is dropped.
pub const MAX_TICKETS: usize = 20;

/// The name of the subject's own row.
const SUBJECT: &str = "subject";

/// All of a subject. It is changed by [`SubjectState::apply`](super::step) alone.
///
/// A writer keeps it in memory and stores [`SubjectState::take_changes`] in one transaction before it answers. If that fails, it
/// forgets the state and reads it again.
#[derive(Debug, Clone, Default)]
pub struct SubjectState {
    pub(super) subject: SubjectRow,
    pub(super) sessions: SortedList<SessionId, SessionRow>,
    pub(super) tickets: SortedList<TicketHash, TicketRow>,
    pub(super) notices: Vec<Notice>,
    /// The rows as they are stored: what differs from them is to be written.
    stored: SortedList<String, String>,
    pub(super) changed: bool,
}

/// A row to be written or taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// The name of the row.
    pub name: String,
    /// JSON; `None`: the row goes.
    pub value: Option<String>,
}

object! {
    /// The whole in one text, for stores that compare and swap.
    #[derive(Serialize)]
    struct Whole, ignored {
        v: u8,
        rows: Vec<Vec<String>>,
    }
}

impl SubjectState {
    /// Reads the rows of a subject.
    ///
    /// # Errors
    /// A row that cannot be read is a fault of the store, and nothing is decided by the others: it may be the one that says that a
    /// subject is disabled.
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for (name, value) in rows {
            state.read_row(name, value)?;
            state.stored.insert(name.to_owned(), value.to_owned());
        }
        Ok(state)
    }

    fn read_row(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
        match kind {
            SUBJECT => {
                self.subject = read(value)?;
                check_version(self.subject.v)
            }
            "session" => {
                let row: SessionRow = read(value)?;
                check_version(row.v)?;
                self.sessions.insert(row.id, row);
                Ok(())
            }
            "ticket" => {
                let row: TicketRow = read(value)?;
                check_version(row.v)?;
                self.tickets.insert(row.hash, row);
                Ok(())
            }
            "notice" => {
                let row: Notice = read(value)?;
                check_version(row.v)?;
                self.notices.push(row);
                Ok(())
            }
            _ => Err(StoreError::new("a row of a subject has an unknown name")),
        }
    }

    /// The rows that differ from what is stored; from now on they count as stored.
    ///
    /// # Errors
    /// A row that cannot be written as JSON.
    pub fn take_changes(&mut self) -> Result<Vec<RowChange>, StoreError> {
        if !core::mem::take(&mut self.changed) {
            return Ok(Vec::new());
        }
        let rows = self.rows()?;
        let gone = self.stored.keys().filter(|name| rows.get(*name).is_none());
        let mut changes: Vec<RowChange> =
            gone.map(|name| RowChange { name: name.clone(), value: None }).collect();
        for (name, value) in rows.iter() {
            if self.stored.get(name) != Some(value) {
                changes.push(RowChange { name: name.clone(), value: Some(value.clone()) });
            }
        }
        self.stored = rows;
        Ok(changes)
    }

    fn rows(&self) -> Result<SortedList<String, String>, StoreError> {
        let mut rows = SortedList::default();
        if self.subject != SubjectRow::default() {
            let subject = SubjectRow { v: ROW_VERSION, ..self.subject.clone() };
            rows.insert(SUBJECT.to_owned(), write(&subject)?);
        }
        for (id, row) in self.sessions.iter() {
            rows.insert(format!("session/{id}"), write(row)?);
        }
        for (hash, row) in self.tickets.iter() {
            rows.insert(format!("ticket/{hash}"), write(row)?);
        }
        for row in &self.notices {
            let name = row.sid.map_or_else(|| SUBJECT.to_owned(), |sid| sid.to_string());
            rows.insert(format!("notice/{name}"), write(row)?);
        }
        Ok(rows)
    }

    /// Reads what [`SubjectState::to_text`] has written.
    ///
    /// # Errors
    /// As [`SubjectState::from_rows`].
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let whole: Whole = read(text)?;
        check_version(whole.v)?;
        let mut rows = Vec::with_capacity(whole.rows.len());
        for row in &whole.rows {
            let [name, value] = row.as_slice() else { return Err(not_ours()) };
            rows.push((name.as_str(), value.as_str()));
        }
        Self::from_rows(rows)
    }

    /// All rows in one text.
    ///
    /// # Errors
    /// As [`SubjectState::take_changes`].
    pub fn to_text(&self) -> Result<String, StoreError> {
        let rows = self.rows()?.into_iter().map(|(name, value)| vec![name, value]).collect();
        write(&Whole { v: ROW_VERSION, rows })
    }

    /// Whether the last steps changed anything that has to be stored.
    #[must_use]
    pub const fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether the subject is refused.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.subject.disabled_at.is_some()
    }

    /// What is not known yet where revocations are kept.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Whether nothing is left that anybody has to know: the writer may forget the subject.
    #[must_use]
    pub fn is_empty(&self, now: UnixTime) -> bool {
        let SubjectRow { disabled_at, before_until, openings, .. } = &self.subject;
        self.sessions.is_empty()
            && self.tickets.is_empty()
            && self.notices.is_empty()
            && disabled_at.is_none()
            && before_until.is_none_or(|until| until <= now)
            && openings.iter().all(|at| at.saturating_add(super::step::OPENINGS_SECS) <= now)
    }

    /// When the writer has to look again by itself: at once while there are notices, else at the latest end of anything here. So it
    /// need not be moved at a refresh. `None`: never.
    #[must_use]
    pub fn wakes_at(&self) -> Option<UnixTime> {
        if let Some(first) = self.notices.iter().map(|notice| notice.created_at).min() {
            return Some(first);
        }
        let sessions = self.sessions.values().map(|row| row.absolute_until);
        let tickets = self.tickets.values().map(|row| row.until);
        let openings = self.subject.openings.last();
        let openings = openings.map(|at| at.saturating_add(super::step::OPENINGS_SECS));
        sessions.chain(tickets).chain(self.subject.before_until).chain(openings).max()
    }
}

fn read<T: Readable>(json: &str) -> Result<T, StoreError> {
    document::parse(json.as_bytes()).map_err(|_| not_ours())
}

fn write<T: Serialize>(row: &T) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|_| StoreError::new("a row cannot be written as JSON"))
}

fn check_version(v: u8) -> Result<(), StoreError> {
    if v == ROW_VERSION { Ok(()) } else { Err(StoreError::new("a row is of another version")) }
}

fn not_ours() -> StoreError {
    StoreError::new("a row of a subject has a form that the gate does not write")
}

/// How fast sessions of a subject are refreshed. It is kept in memory only: it bounds work, not rights.
#[derive(Debug, Default)]
pub struct Paces {
    full_at: SortedList<SessionId, UnixMillis>,
    /// When a generation was last given again.
    given_again_at: SortedList<SessionId, UnixTime>,
}

impl Paces {
    /// Takes one; `false`: too fast. A session has `burst` at once, and one each `gap_millis`.
    pub(super) fn take(
        &mut self,
        id: SessionId,
        (burst, gap_millis): (u64, u64),
        now: UnixMillis,
    ) -> bool {
        // A bucket is described by when it will be full.
        let full_at = self.full_at.get(&id).copied().unwrap_or(now);
        // A clock that ran back, or a forgotten entry, is a full bucket.
        let room = burst.saturating_mul(gap_millis);
        let full_at = if full_at.millis_since(now) > room { now } else { full_at };
        let owed = full_at.millis_since(now).saturating_add(gap_millis);
        if owed > room {
            return false;
        }
        if self.full_at.len() >= MAX_SESSIONS.saturating_mul(2) {
            self.full_at.retain(|_, full_at| full_at.millis_since(now) > 0);
        }
        self.full_at.insert(id, now.saturating_add(owed));
        true
    }

    /// Whether every session may go at full pace, so that nothing has to be remembered.
    #[must_use]
    pub fn is_idle(&self, now: UnixMillis) -> bool {
        self.full_at.values().all(|full_at| full_at.millis_since(now) == 0)
    }

    /// When this session's generation was last given again, as far as this writer remembers.
    pub(super) fn given_again_at(&self, id: SessionId) -> Option<UnixTime> {
        self.given_again_at.get(&id).copied()
    }

    pub(super) fn note_given_again(&mut self, id: SessionId, now: UnixTime) {
        if self.given_again_at.len() >= MAX_SESSIONS.saturating_mul(2) {
            self.given_again_at.clear();
        }
        self.given_again_at.insert(id, now);
    }
}
