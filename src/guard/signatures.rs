//! Signatures of tokens that the host has found to hold: it costs the most of a check, and the same token comes again and again.
//!
//! That this key made this signature over this text stays true. Which keys count, what the claims say, and whether the token was revoked is asked
//! each time.

use core::cell::RefCell;

use sha2::{Digest as _, Sha256};

use crate::{bounded::BoundedMap, jose::jws::HostCheck, time::UnixMillis};

/// At some 60 bytes each, 600 KB.
const MAX_SEEN: usize = 10_000;

/// As long as access tokens usually live.
const SEEN_MILLIS: u64 = 15 * 60 * 1000;

/// A hash of key, algorithm, signature and what was signed. No token is kept.
type Name = [u8; 32];

/// Signatures that hold.
#[derive(Debug)]
pub struct SeenSignatures(RefCell<BoundedMap<Name, ()>>);

impl Default for SeenSignatures {
    fn default() -> Self {
        Self(RefCell::new(BoundedMap::new(MAX_SEEN)))
    }
}

impl SeenSignatures {
    pub(super) fn has(&self, name: &Name, now: UnixMillis) -> bool {
        self.0.borrow().get(name, now).is_some()
    }

    pub(super) fn note(&self, name: Name, now: UnixMillis) {
        self.0.borrow_mut().insert(name, (), now.saturating_add(SEEN_MILLIS), now);
    }
}

/// The name of what is checked; `None` for a key that has none itself.
pub(super) fn name_of(check: &HostCheck<'_>) -> Option<Name> {
    let key = Some(check.thumbprint()).filter(|thumbprint| !thumbprint.is_empty())?;
    let mut hash = Sha256::new();
    // Parts of any length, the last one apart, have theirs before them.
    for part in [key.as_bytes(), check.algorithm().as_str().as_bytes(), check.signature()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(check.message());
    Some(hash.finalize().into())
}
