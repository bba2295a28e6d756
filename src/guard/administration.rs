//! Administration, the same on every edge: what becomes of API keys and revocations when an administrator asks.
//!
//! Requests come as the JSON of the Worker's endpoints, answers serialise to it.

mod keys;
mod revocations;
mod roles;
mod secrets;

use serde::Serialize;

pub use self::{
    keys::{KeyAdministration, ListedKeys, ShownKey},
    revocations::{ListedRevocations, RevocationAdministration, ShownRevocation, requested_entry},
    roles::role_for,
    secrets::{administrator, may_read_metrics},
};
use crate::error::Error;

/// How many items a page holds, at most and by default. One bulk read of Workers KV serves that many.
pub const MAX_PAGE: usize = 100;

/// The longest cursor in bytes. Those of KV have a few hundred.
const MAX_CURSOR_BYTES: usize = 1024;

/// Which page of a listing is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// Where the page before said that it goes on; none: the first page.
    pub cursor: Option<String>,
    /// How many items, at most; [`MAX_PAGE`] where nothing is said.
    pub limit: Option<u64>,
}

impl Paging {
    /// Both, checked. A cursor is what a store gave out: printable and short. One that the store does not know is the
    /// store's to refuse.
    fn read(&self) -> Result<(Option<&str>, usize), Error> {
        let cursor = self.cursor.as_deref();
        if cursor.is_some_and(|cursor| {
            cursor.len() > MAX_CURSOR_BYTES || !cursor.bytes().all(|b| b.is_ascii_graphic())
        }) {
            return Err(Error::invalid_field("cursor", "expected the cursor of the page before"));
        }
        let limit = self.limit.map_or(Some(MAX_PAGE), |limit| usize::try_from(limit).ok());
        match limit {
            Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok((cursor, limit)),
            _ => Err(Error::invalid_field("limit", &format!("expected 1 to {MAX_PAGE}"))),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Serialize)]
pub struct Listing<T: Serialize> {
    #[serde(flatten)]
    items: T,
    /// `null` on the last page.
    cursor: Option<String>,
}
