//! What is counted together.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// Which counters belong together: the hash of what a limit counts by (`caller` and who it is).
///
/// All limits of a request with the same group and store are taken in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterGroup([u8; 32]);

impl CounterGroup {
    /// The group of these parts. Each is hashed with its length, so that no two lists collide.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"edgegate-counter-group-v1");
        for part in parts {
            // A part is far shorter than 2^64 bytes on any platform.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// Lower-case hexadecimal: the name of the Durable Object, and the key of a rate-limiting binding.
impl fmt::Display for CounterGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_different_parts_differ() {
        let joined = CounterGroup::new(&["subject", "ab", "c"]);
        assert_ne!(joined, CounterGroup::new(&["subject", "a", "bc"]));
        assert_ne!(joined, CounterGroup::new(&["subject", "abc"]));
        assert_eq!(joined.to_string().len(), 64);
    }
}
