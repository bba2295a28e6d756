//! Bytes that must not leave: redacted in `Debug`, wiped on drop, compared in constant time.

use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

/// Secret bytes.
///
/// There is no `Display`, `Serialize`, `PartialEq` or `Clone`: what is done with a secret is always
/// written out.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. The long name is on purpose: every use of it is a place to look at.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// Refuses secrets below `minimum` bytes. RFC 7518 §3.2 wants an HMAC key to be at least as long as
    /// its hash.
    ///
    /// # Errors
    /// [`Error::RefusedKey`], which names the two lengths.
    pub fn require_length(&self, minimum: usize) -> Result<(), Error> {
        if self.0.len() < minimum {
            return Err(Error::RefusedKey {
                problem: format!("secret has {} bytes, expected at least {minimum}", self.0.len()),
            });
        }
        Ok(())
    }

    /// Whether `candidate` is the same, without an early exit: only the lengths can be told apart by
    /// timing.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.ct_eq(candidate).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(_)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(_)");
    }

    #[test]
    fn compares_by_value_and_length() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter3"));
        assert!(!secret.matches(b"hunter"));
        assert!(!secret.matches(b""));
    }

    #[test]
    fn short_secrets_are_refused_by_length_alone() {
        let refused = Secret::new(vec![7; 31]).require_length(32).unwrap_err();
        assert_eq!(refused.to_string(), "secret has 31 bytes, expected at least 32");
        assert!(Secret::new(vec![7; 32]).require_length(32).is_ok());
    }
}
