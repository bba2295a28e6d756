//! A table of a Durable Object whose rows are a name and a text: how the state of one writer is stored.

use worker::{Result, SqlStorageValue, State};

use super::transaction;
use edgegate::session::state::RowChange;

/// A table, by a name of ours.
pub(super) struct Rows(pub(super) &'static str);

impl Rows {
    /// All rows.
    ///
    /// # Errors
    /// As of [`Rows::each`].
    pub(super) fn load(&self, state: &State) -> Result<Vec<(String, String)>> {
        let mut rows = Vec::new();
        self.each(state, &mut |name, value| {
            rows.push((name.to_owned(), value.to_owned()));
            Ok(())
        })?;
        Ok(rows)
    }

    /// Hands each row on, one after the other: where there are many, all at once would be memory twice. A new object has no table, and
    /// gets none by being asked.
    ///
    /// # Errors
    /// Those of the platform and of `each`, and a row that the gate does not write.
    pub(super) fn each(
        &self,
        state: &State,
        each: &mut dyn FnMut(&str, &str) -> Result<()>,
    ) -> Result<()> {
        let Self(table) = self;
        let sql = state.storage().sql();
        let table_is_there = format!("SELECT name FROM sqlite_master WHERE name = '{table}'");
        if sql.exec(&table_is_there, None)?.raw().next().is_none() {
            return Ok(());
        }
        for row in sql.exec(&format!("SELECT name, value FROM {table}"), None)?.raw() {
            match row?.as_slice() {
                [SqlStorageValue::String(name), SqlStorageValue::String(value)] => {
                    each(name, value)?;
                }
                _ => return Err("a row has a form that the gate does not write".into()),
            }
        }
        Ok(())
    }

    /// Makes the table, if there is none.
    ///
    /// # Errors
    /// Those of the platform.
    pub(super) fn create(&self, state: &State) -> Result<()> {
        let Self(table) = self;
        // Without the numbers of rows, so that a row that is written counts once.
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
        );
        state.storage().sql().exec(&create, None)?;
        Ok(())
    }

    /// Writes what has changed, in one transaction.
    ///
    /// # Errors
    /// Those of the platform; then nothing is written.
    pub(super) fn save(&self, state: &State, changes: &[RowChange]) -> Result<()> {
        let Self(table) = self;
        if changes.is_empty() {
            return Ok(());
        }
        let sql = state.storage().sql();
        let put = format!(
            "INSERT INTO {table} (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        );
        let delete = format!("DELETE FROM {table} WHERE name = ?");
        transaction::run(state, || {
            self.create(state)?;
            for RowChange { name, value } in changes {
                match value {
                    Some(value) => {
                        sql.exec(&put, vec![name.as_str().into(), value.as_str().into()])?
                    }
                    None => sql.exec(&delete, vec![name.as_str().into()])?,
                };
            }
            Ok(())
        })
    }
}

/// As states read them.
pub(super) fn lent(rows: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    rows.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
