//! Signatures of tokens that the host has found to hold. The host's check is the most expensive part of a decision, and the same tokens come
//! again and again.
//!
//! A signature that was made by a key over a text stays so. Keys, claims and revocations are looked at each time.

use core::cell::RefCell;

use sha2::{Digest as _, Sha256};

use crate::{bounded::BoundedMap, jose::jws::HostCheck, time::UnixMillis};

/// At some 60 bytes each, 600 KB.
const MAX_SEEN: usize = 10_000;

/// As long as access tokens usually live.
const SEEN_MILLIS: u64 = 15 * 60 * 1000;

/// A hash of key, algorithm, signature and signed text. No token is kept.
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

/// The name of a check; `None` for a key without a thumbprint.
pub(super) fn name_of(check: &HostCheck<'_>) -> Option<Name> {
    let key = Some(check.thumbprint()).filter(|thumbprint| !thumbprint.is_empty())?;
    let mut hash = Sha256::new();
    // Each part but the last has its length before it, so that no two checks have the same bytes.
    for part in [key.as_bytes(), check.algorithm().as_str().as_bytes(), check.signature()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(check.message());
    Some(hash.finalize().into())
}
