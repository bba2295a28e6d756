//! The cookie of a browser that has asked for a link: whoever gets hold of the link alone comes in nowhere.
//!
//! ```text
//! __Host-edgegate-a=<base64url(256 random bits)>
//! ```
//! It says nothing about who somebody is. The row of the name keeps a hash of it beside the token.

use sha2::{Digest as _, Sha256};

use crate::session::Opaque;

/// Browsers take a `__Host-` cookie only with `Secure`, for `/`, and for this host alone, so no sibling domain can plant one.
pub const COOKIE: &str = "__Host-edgegate-a";

/// For as long as the longest link that is bound to it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=86400";

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-asker-v1\0";

/// What is kept of a browser that has asked.
pub type AskerHash = Opaque<32>;

/// A browser that has asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Asker(Opaque<32>);

impl Asker {
    /// A new one of random bits.
    #[must_use]
    pub const fn new(random: [u8; 32]) -> Self {
        Self(Opaque::from_bytes(random))
    }

    /// Reads the value of the cookie.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        Opaque::parse(value).map(Self)
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> AskerHash {
        let hash = Sha256::new().chain_update(LABEL).chain_update(self.0.as_bytes()).finalize();
        Opaque::from_bytes(hash.into())
    }

    /// The value of `Set-Cookie`.
    #[must_use]
    pub fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; {ATTRIBUTES}", self.0)
    }
}

/// Shows nothing.
impl core::fmt::Debug for Asker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Asker(_)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_set_and_its_hash_is_another_text() {
        let asker = Asker::new([9; 32]);
        let set = asker.set_cookie();
        let value = set.strip_prefix("__Host-edgegate-a=").unwrap().split(';').next().unwrap();
        assert_eq!(Asker::parse(value), Some(asker));
        assert_ne!(asker.hash().to_string(), value);
        assert_eq!(format!("{asker:?}"), "Asker(_)");
        assert_eq!(Asker::parse(""), None);
        assert_eq!(Asker::parse(&format!("{value}=")), None);
    }
}
