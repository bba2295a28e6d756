//! A table of a Durable Object whose rows are a name and a text: how the state of one writer is stored.

use worker::{Result, SqlStorageValue, State};

use super::transaction;
use edgegate::session::state::RowChange;

/// A table, by a name of ours.
pub(super) struct Rows(pub(super) &'static str);

impl Rows {
    /// All rows. A new object has no table, and gets none by being asked.
    ///
    /// # Errors
    /// Those of the platform, and a row that the gate does not write.
    pub(super) fn load(&self, state: &State) -> Result<Vec<(String, String)>> {
        let Self(table) = self;
        let rows = |query: &str| -> Result<Vec<Vec<SqlStorageValue>>> {
            state.storage().sql().exec(query, None)?.raw().collect()
        };
        if rows(&format!("SELECT name FROM sqlite_master WHERE name = '{table}'"))?.is_empty() {
            return Ok(Vec::new());
        }
        let rows = rows(&format!("SELECT name, value FROM {table}"))?;
        let texts = rows.into_iter().map(|row| match <[SqlStorageValue; 2]>::try_from(row) {
            Ok([SqlStorageValue::String(name), SqlStorageValue::String(value)]) => {
                Ok((name, value))
            }
            _ => Err("a row has a form that the gate does not write".into()),
        });
        texts.collect()
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
        // Without the numbers of rows, so that a row that is written counts once.
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
        );
        let put = format!(
            "INSERT INTO {table} (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        );
        let delete = format!("DELETE FROM {table} WHERE name = ?");
        transaction::run(state, || {
            sql.exec(&create, None)?;
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
