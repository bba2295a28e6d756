//! edgegate decides at the edge who is calling, whether they may, and whether they have called too
//! often.
#![cfg_attr(not(feature = "worker"), forbid(unsafe_code))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod api_key;
pub mod base64url;
pub mod claims;
pub mod error;
pub mod guard;
mod json;
pub mod jws;
pub mod keys;
pub mod policy;
pub mod rate;
pub mod revocation;
pub mod secret;
mod signature;
pub mod store;
mod strict_json;
pub mod time;
pub mod verifier;
#[cfg(feature = "worker")]
mod worker;
