//! Signatures that are checked here, in wasm: HMAC, and Ed25519 unless the host takes it.
//!
//! RSA and ECDSA are left to the host: its native code is ten to thirty times as fast, and a big-number
//! implementation would triple the size of the module. See [`crate::jose::jws::HostCheck`]. For hosts that have
//! no such code there is `pure`, behind the feature of that name.

pub(crate) mod ed25519;
pub(crate) mod hmac;
#[cfg(feature = "pure")]
pub mod pure;

#[cfg(test)]
#[cfg(all(feature = "pure", not(target_arch = "wasm32")))]
mod tests;
