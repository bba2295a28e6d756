//! What is counted together.

use core::fmt;

use crate::known_digests::Digests;

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-counter-group-v1";

/// Which counters belong together: the hash of what a limit counts by (`caller` and who it is).
///
/// All limits of a request with the same group and store are taken in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterGroup([u8; 32]);

impl CounterGroup {
    /// The group of these parts. Each is hashed with its length, so that no two lists collide.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        Self::by(parts, Digests::COMPUTED)
    }

    /// The same, which need not be hashed again where it is known.
    #[must_use]
    pub fn by(parts: &[&str], digests: Digests<'_>) -> Self {
        let length = parts.iter().fold(LABEL.len(), |sum, part| {
            sum.saturating_add(size_of::<u64>()).saturating_add(part.len())
        });
        let mut text = Vec::with_capacity(length);
        text.extend_from_slice(LABEL);
        for part in parts {
            // A part is far shorter than 2^64 bytes on any platform.
            text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Self(digests.sha256(text))
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
        // Durable Objects and keys of stores are named by it. Computed with Python's hashlib.
        assert_eq!(
            joined.to_string(),
            "5779a204a1caa4c20a133f9f130f5464c88a8b5f44892fd5fb07c0a2d6dc16c4"
        );
    }
}
