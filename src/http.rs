//! Decisions as HTTP, the same on every edge: statuses, header fields and bodies of answers, and what the headers of a
//! request mean.
//!
//! This room stands above the guard: it puts a decision into words and decides nothing about the caller.

pub mod account_endpoints;
pub mod account_pages;
pub mod caching;
pub mod cors;
#[cfg(feature = "describe")]
pub mod described;
pub mod explain;
pub mod forward_auth;
pub mod inbound;
pub mod login_endpoints;
pub mod own_account_page;
pub mod reply;
pub mod session_endpoints;
