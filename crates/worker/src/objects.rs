//! The Durable Objects, one file each. An object has one thread and the only copy of what it holds: what may happen once
//! happens there.

mod alarm;
pub(crate) mod counter;
mod durable_call;
pub(crate) mod ledger;
pub(crate) mod ledger_stub;
