//! `GET /.well-known/jwks.json`: the public signing keys.

use serde::Serialize;
use web_sys::Response;

use crate::reply;

#[derive(Serialize)]
struct KeySet {
    keys: [(); 0],
}

/// The gate signs nothing, so the set is empty.
pub(crate) fn answer() -> worker::Result<Response> {
    reply::json(200, &KeySet { keys: [] })
}
