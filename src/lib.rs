#![doc = include_str!("../README.md")]
//!
//! # The crate
//!
//! Three rings; none imports from one further out.
//!
//! - **Core**: pure functions of input, keys, rules and time. [`jws`], [`claims`], [`keys`] and
//!   [`verifier`] for tokens, [`dpop`] for proofs of possession, [`sign`] for making both, [`api_key`],
//!   [`revocation`], [`rate`]; beneath them [`error`], [`secret`], [`time`], [`base64url`].
//! - **Guard**: [`policy`] says what is wanted, [`guard`] decides, [`store`] says what it needs to know.
//! - **Edges**: the Cloudflare Worker (feature `worker`) and the npm package (feature `js`). Only edges
//!   know HTTP, storage and the clock.
#![cfg_attr(not(any(feature = "worker", feature = "js")), forbid(unsafe_code))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod api_key;
pub mod base64url;
pub mod bounded;
mod cache_control;
pub mod client_address;
pub mod error;
pub mod guard;
pub mod jose;
#[cfg(feature = "js")]
mod js;
pub mod json;
pub mod limit;
pub mod policy;
pub mod revocation;
pub mod secret;
pub mod store;
pub mod time;
#[cfg(feature = "worker")]
mod worker;
