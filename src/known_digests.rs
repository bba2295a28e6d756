//! SHA-256 of names that come again: of issuers, of subjects, of what limits count by.
//!
//! A name is hashed for each request of its bearer, and the hash is always the same. To find it takes a seventh of what it takes to compute it
//! (`docs/gate-profile.md`). No credential is remembered, and no token's own id: of fresh tokens each would be one more.

use core::fmt;
use std::cell::RefCell;

use sha2::{Digest as _, Sha256};

use crate::{bounded::BoundedMap, time::UnixMillis};

/// How many digests an isolate remembers. With names of the longest kind they take 3 MB of its 128, with usual ones half of that.
const MAX_KNOWN: usize = 8_000;
/// Whoever chooses longer names has them hashed each time.
const MAX_BYTES: usize = 256;
/// How long a digest is remembered. It never becomes wrong, but what nobody asks for any more is to make room first.
const KEPT_MILLIS: u64 = 3_600_000;

/// Digests that an isolate remembers.
pub struct KnownDigests(RefCell<BoundedMap<Vec<u8>, [u8; 32]>>);

impl Default for KnownDigests {
    fn default() -> Self {
        Self(RefCell::new(BoundedMap::new(MAX_KNOWN)))
    }
}

/// Shows none: they are of names of people.
impl fmt::Debug for KnownDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownDigests(_)")
    }
}

/// Makes digests, and remembers them where there is a memory.
#[derive(Debug, Clone, Copy)]
pub struct Digests<'a> {
    known: Option<&'a KnownDigests>,
    now: UnixMillis,
}

impl<'a> Digests<'a> {
    /// Each is computed.
    pub const COMPUTED: Self = Self { known: None, now: UnixMillis::from_millis(0) };

    /// Those that are known are not computed again.
    #[must_use]
    pub const fn known(known: Option<&'a KnownDigests>, now: UnixMillis) -> Self {
        Self { known, now }
    }

    /// SHA-256 of these bytes.
    #[must_use]
    pub fn sha256(self, bytes: Vec<u8>) -> [u8; 32] {
        let Some(KnownDigests(known)) = self.known.filter(|_| bytes.len() <= MAX_BYTES) else {
            return Sha256::digest(bytes).into();
        };
        let mut known = known.borrow_mut();
        if let Some(digest) = known.get(bytes.as_slice(), self.now) {
            return *digest;
        }
        let digest = Sha256::digest(&bytes).into();
        known.insert(bytes, digest, self.now.saturating_add(KEPT_MILLIS), self.now);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn known(digests: &KnownDigests) -> usize {
        digests.0.borrow().len()
    }

    #[test]
    fn a_digest_is_the_same_whether_it_is_known_or_not() {
        let memory = KnownDigests::default();
        for _ in 0..2 {
            for name in ["", "a", "b", &"c".repeat(MAX_BYTES), &"d".repeat(MAX_BYTES + 1)] {
                let expected: [u8; 32] = Sha256::digest(name).into();
                for now in [NOW, NOW.saturating_add(KEPT_MILLIS)] {
                    let digests = Digests::known(Some(&memory), now);
                    assert_eq!(digests.sha256(name.into()), expected);
                }
                assert_eq!(Digests::COMPUTED.sha256(name.into()), expected);
            }
        }
        assert_eq!(known(&memory), 4, "the longest is not kept");
    }

    #[test]
    fn there_is_an_end_to_what_is_known() {
        let memory = KnownDigests::default();
        for number in 0..3 * MAX_KNOWN {
            let digests = Digests::known(Some(&memory), NOW);
            let _ = digests.sha256(number.to_string().into());
            assert!(known(&memory) <= MAX_KNOWN);
        }
    }

    #[test]
    fn no_name_is_shown() {
        let memory = KnownDigests::default();
        let digests = Digests::known(Some(&memory), NOW);
        let _ = digests.sha256("alice".into());
        assert_eq!(
            format!("{digests:?}"),
            format!("Digests {{ known: Some(KnownDigests(_)), now: {NOW:?} }}")
        );
    }
}
