//! The rows of the audit: a table of their own beside those of the watch, of which only the head is ever loaded. The rules are
//! [`edgegate::watch::audit`]'s.

use std::cell::RefCell;

use worker::{Result, SqlStorageValue, State};

use super::rows::Rows;
use edgegate::{
    time::UnixMillis,
    watch::audit::{Chain, Entry, HEAD, MAX_PAGE},
};

/// Where it is stored.
const ROWS: Rows = Rows("audit");

/// The chain, as the object has it.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// `None`: to be read.
    chain: RefCell<Option<Chain>>,
}

impl Audit {
    /// Runs without waiting for anything. What has changed is stored; after a fault it is read again.
    ///
    /// # Errors
    /// Those of the platform, and a head that cannot be read.
    pub(super) fn step<T>(&self, state: &State, step: impl FnOnce(&mut Chain) -> T) -> Result<T> {
        let (mut step, mut done) = (Some(step), None);
        self.step_by(state, &mut |chain| done = step.take().map(|step| step(chain)))?;
        done.ok_or_else(|| "the step was not taken".into())
    }

    /// What is the same for all steps, so that it is compiled once.
    fn step_by(&self, state: &State, step: &mut dyn FnMut(&mut Chain)) -> Result<()> {
        let mut held = self.chain.borrow_mut();
        let mut chain = match held.take() {
            Some(chain) => chain,
            None => load(state)?,
        };
        step(&mut chain);
        ROWS.save(state, &chain.take_changes())?;
        *held = Some(chain);
        Ok(())
    }

    /// When a checkpoint is due, as far as is known without reading.
    pub(super) fn wakes_at(&self) -> Option<UnixMillis> {
        self.chain.borrow().as_ref().and_then(Chain::wakes_at)
    }

    /// The entries behind this one, as a JSON array, and whether there are more.
    ///
    /// # Errors
    /// Those of the platform.
    pub(super) fn page(state: &State, after: u64, limit: u64) -> Result<String> {
        let limit = limit.min(MAX_PAGE);
        let mut entries = texts(state, after, limit.saturating_add(1))?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = entries.len() > most;
        entries.truncate(most);
        Ok(format!("{{\"entries\":[{}],\"more\":{more}}}", entries.join(",")))
    }

    /// Lets go what is too old, and what is too many: some of it. The next checkpoint takes more.
    ///
    /// # Errors
    /// Those of the platform, and an entry that cannot be read.
    pub(super) fn sweep(&self, state: &State, days: u32, now: UnixMillis) -> Result<()> {
        let first = self.step(state, |chain| chain.first())?;
        let oldest = texts(state, first.saturating_sub(1), MAX_PAGE)?;
        let oldest = oldest.iter().map(|text| Entry::from_text(text));
        let oldest: core::result::Result<Vec<Entry>, _> = oldest.collect();
        let oldest = oldest.map_err(|fault| fault.to_string())?;
        self.step(state, |chain| chain.sweep(&oldest, days, now))
    }
}

fn load(state: &State) -> Result<Chain> {
    let head = values(state, &format!("SELECT value FROM {} WHERE name = '{HEAD}'", ROWS.0))?;
    let head = head.first().map(String::as_str);
    Chain::from_row(head).map_err(|fault| fault.to_string().into())
}

fn texts(state: &State, after: u64, limit: u64) -> Result<Vec<String>> {
    // Rows of entries are digits. Numbers and names of ours: nothing of a caller's is in the text.
    let after = Entry::row_name(after);
    values(
        state,
        &format!(
            "SELECT value FROM {} WHERE name > '{after}' AND name < 'a' ORDER BY name LIMIT {limit}",
            ROWS.0
        ),
    )
}

/// A new object has no table, and gets none by being asked.
fn values(state: &State, query: &str) -> Result<Vec<String>> {
    let rows = |query: &str| -> Result<Vec<Vec<SqlStorageValue>>> {
        state.storage().sql().exec(query, None)?.raw().collect()
    };
    let table = format!("SELECT name FROM sqlite_master WHERE name = '{}'", ROWS.0);
    if rows(&table)?.is_empty() {
        return Ok(Vec::new());
    }
    let texts = rows(query)?.into_iter().map(|row| match <[SqlStorageValue; 1]>::try_from(row) {
        Ok([SqlStorageValue::String(text)]) => Ok(text),
        _ => Err("a row of the audit has a form that the gate does not write".into()),
    });
    texts.collect()
}
