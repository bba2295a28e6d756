//! The tests of the library from outside, as one program: linking one takes less time than linking twenty. One module a subject:
//! `cargo test --test suite guard::` runs those of `guard.rs`.
//!
//! `tests/wasm.rs` is a program of its own, for browsers.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

#[path = "../support/contract.rs"]
mod contract;
#[path = "../support/counters.rs"]
mod counters;
#[path = "../support/gate.rs"]
mod gate;
#[path = "../support/mint.rs"]
mod mint;
#[path = "../support/texts.rs"]
mod texts;

mod account_policy;
mod administration;
mod administrators;
mod advisory_counters;
mod api_keys;
mod asvs;
mod attacks;
mod circles;
mod contract_over_http;
mod counters_over_http;
mod dpop;
mod explain;
mod grant_routes;
mod grants;
mod guard;
mod issuers;
mod key_ring;
mod leases;
mod ledger;
mod limit_policy;
mod limits;
mod linear;
mod login_policy;
mod policy;
mod properties;
mod providers;
mod published;
mod rooms;
mod session_gate;
mod session_steps;
mod shared_accounts;
mod store_contract;
mod vectors;
mod watch;
mod wycheproof;
