//! What the bodies of requests to the gate's own endpoints may say, for the tools that describe them.

use crate::{
    api_key::record::{KeyChange, NewKey, Rotate},
    guard,
    http::explain::Question,
    json::describe::Definitions,
    revocation,
};

/// The objects.
#[must_use]
pub fn described() -> Definitions {
    let mut known = Definitions::of::<NewKey>();
    known.add::<KeyChange>();
    known.add::<Rotate>();
    known.add::<Question>();
    revocation::describe(&mut known);
    guard::session::endpoints::describe(&mut known);
    guard::accounts::describe(&mut known);
    known
}
