//! The gate's own endpoints, one file each.

pub(crate) mod admin;
pub(crate) mod health;
pub(crate) mod verify;
