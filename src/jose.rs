//! Tokens and keys (RFC 7515, 7517, 7518, 7519): how they are read, chosen, verified and signed.

pub mod algorithm;
pub mod claims;
pub mod discovery;
pub mod dpop;
pub(crate) mod http_host;
pub mod jws;
pub mod keys;
pub mod scopes;
pub mod sign;
pub mod signature;
pub mod verifier;
pub mod web_crypto;
