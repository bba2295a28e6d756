//! The Durable Objects, one file each. An object has one thread and the only copy of what it holds: what may happen once
//! happens there.

mod alarm;
mod audit;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod counter;
mod durable_call;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod grant;
pub(crate) mod grant_stub;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod key_ring;
pub(crate) mod key_ring_stub;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod ledger;
pub(crate) mod ledger_stub;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod login;
pub(crate) mod login_stub;
mod rows;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod session;
pub(crate) mod session_stub;
mod transaction;
#[expect(missing_docs, reason = "of what `durable_object` writes")]
pub(crate) mod watch;
pub(crate) mod watch_stub;
