//! All grants of an owner, as one writer has them in memory, and how they are stored: row by row, or as one text.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ends::Ends,
    record::{GRANT_VERSION, GrantRow},
};
use crate::{
    error::StoreError,
    json::{document, object::object, readable::Readable},
    session::{Opaque, state::RowChange},
    time::UnixTime,
};

/// All grants of an owner. They are changed by [`OwnerGrants::apply`](super::step) alone.
///
/// A writer keeps them in memory and stores [`OwnerGrants::take_changes`] in one transaction before it answers. If that fails, it forgets
/// the state and reads it again.
#[derive(Debug, Clone, Default)]
pub struct OwnerGrants {
    /// In the order in which they were connected first. At most [`MAX_GRANTS`](super::record::MAX_GRANTS).
    pub(super) grants: Vec<GrantRow>,
    /// Those that were ended a short while ago.
    pub(super) ends: Ends,
    /// The rows as they are stored: what differs from them is to be written.
    stored: BTreeMap<String, String>,
}

object! {
    /// The whole in one text, for stores that compare and swap.
    #[derive(Serialize)]
    struct Whole, ignored {
        v: u8,
        rows: Vec<Vec<String>>,
    }
}

impl OwnerGrants {
    /// Reads the rows of an owner.
    ///
    /// # Errors
    /// A row that cannot be read is a fault of the store.
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for (name, value) in rows {
            if name == ENDS {
                let ends: Ends = read(value)?;
                check_version(ends.v)?;
                state.stored.insert(name.to_owned(), value.to_owned());
                state.ends = ends;
                continue;
            }
            let row: GrantRow = read(value)?;
            check_version(row.v)?;
            if name != name_of(&row) {
                return Err(not_ours());
            }
            state.stored.insert(name.to_owned(), value.to_owned());
            let earlier = |known: &GrantRow| known.connected_at <= row.connected_at;
            let place = state.grants.partition_point(earlier);
            state.grants.insert(place, row);
        }
        Ok(state)
    }

    /// Whether anything differs from what is stored.
    ///
    /// # Errors
    /// As [`OwnerGrants::take_changes`].
    pub fn has_changed(&self) -> Result<bool, StoreError> {
        Ok(self.rows()? != self.stored)
    }

    /// The rows that differ from what is stored; from now on they count as stored.
    ///
    /// # Errors
    /// A row that cannot be written as JSON.
    pub fn take_changes(&mut self) -> Result<Vec<RowChange>, StoreError> {
        let rows = self.rows()?;
        let gone = self.stored.keys().filter(|name| !rows.contains_key(*name));
        let mut changes: Vec<RowChange> =
            gone.map(|name| RowChange { name: name.clone(), value: None }).collect();
        for (name, value) in &rows {
            if self.stored.get(name) != Some(value) {
                changes.push(RowChange { name: name.clone(), value: Some(value.clone()) });
            }
        }
        self.stored = rows;
        Ok(changes)
    }

    fn rows(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let mut rows = BTreeMap::new();
        for row in &self.grants {
            rows.insert(name_of(row), write(row)?);
        }
        if !self.ends.ends.is_empty() {
            rows.insert(ENDS.to_owned(), write(&self.ends)?);
        }
        Ok(rows)
    }

    /// Reads what [`OwnerGrants::to_text`] has written.
    ///
    /// # Errors
    /// As [`OwnerGrants::from_rows`].
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
    /// As [`OwnerGrants::take_changes`].
    pub fn to_text(&self) -> Result<String, StoreError> {
        let rows = self.rows()?.into_iter().map(|(name, value)| vec![name, value]).collect();
        write(&Whole { v: GRANT_VERSION, rows })
    }

    /// Whether nothing is left that counts: the writer may forget the owner.
    #[must_use]
    pub fn is_over(&self, now: UnixTime) -> bool {
        self.grants.is_empty() && self.ends.are_over(now)
    }

    /// When it will be over by itself; `None`: not as long as there are grants, or it is over now.
    #[must_use]
    pub fn over_at(&self) -> Option<UnixTime> {
        self.ends.until().filter(|_| self.grants.is_empty())
    }
}

/// The name of the row of ends.
const ENDS: &str = "ends";

/// A hash, so that the name has one length whatever the provider calls the account.
fn name_of(row: &GrantRow) -> String {
    let hash: Opaque<32> = Opaque::hash("edgegate-grant-row-v1", &[&row.provider, &row.account]);
    format!("grant/{hash}")
}

fn read<T: Readable>(json: &str) -> Result<T, StoreError> {
    document::parse(json.as_bytes()).map_err(|_| not_ours())
}

fn write<T: Serialize>(row: &T) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|_| StoreError::new("a row cannot be written as JSON"))
}

fn check_version(v: u8) -> Result<(), StoreError> {
    if v == GRANT_VERSION { Ok(()) } else { Err(StoreError::new("a grant is of another version")) }
}

fn not_ours() -> StoreError {
    StoreError::new("a row of grants has a form that the gate does not write")
}
