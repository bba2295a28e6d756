#![doc = include_str!("../README.md")]
//!
//! # The crate
//!
//! The rules of the gate. Nothing here reads a clock, a network or a disk: time, keys and stores are arguments. The
//! edges are crates of their own: `crates/worker` is the Cloudflare Worker, `crates/engine` what the npm package runs.
//!
//! Each room uses only those before it (`tests/suite/rooms.rs`):
//!
//! - **Ground**: [`time`], [`error`], [`base64url`], [`bounded`], [`secret`], [`client_address`], [`cold_path`], [`json`].
//! - **Steps**: [`jose`] for tokens, keys and proofs, [`limit`] for counting, [`api_key`], [`revocation`], [`session`], [`login`], [`account`],
//!   [`watch`] for what is counted, found and told of it all.
//! - **Gate**: [`policy`] says what is wanted, [`store`] what the gate has to remember, [`guard`] decides, [`http`] puts it into
//!   words.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod account;
pub mod api_key;
pub mod base64url;
pub mod bounded;
pub mod byte_search;
mod cache_control;
pub mod client_address;
pub mod cold_path;
pub mod error;
pub mod grant;
pub mod guard;
mod header_text;
pub mod http;
pub mod jose;
pub mod json;
pub mod known_digests;
pub mod limit;
pub mod login;
pub mod page;
pub mod policy;
pub mod revocation;
pub mod secret;
pub mod session;
mod sorted;
pub mod store;
pub mod time;
pub mod watch;
