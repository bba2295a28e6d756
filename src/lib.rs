//! edgegate decides at the edge who is calling, whether they may, and whether they have called too
//! often.
#![cfg_attr(not(feature = "worker"), forbid(unsafe_code))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod error;
pub mod secret;
pub mod time;
