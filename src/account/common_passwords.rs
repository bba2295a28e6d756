//! Passwords that many people have, which attackers try first (ASVS 5, 6.2.4 and 6.2.12).
//!
//! A list is kept as a filter over the first eight bytes of the SHA-1 of each password: what the lists of leaked passwords that are handed
//! about as hashes have, so that those can be read as well. A password is looked for as it is and in small letters. None on the list is
//! missed, and one in 65,536 others is refused with them.
//!
//! SHA-1 proves nothing here: who finds another password with the same eight bytes has found one that is refused.

use std::rc::Rc;

use sha1::{Digest as _, Sha1};

use crate::revocation::filter::{
    BLOCKS_PER_SHARD, Block, Filter, FilterError, Layout, Shard, encode_shard,
};

/// The first bytes of a list, with the version of its form.
const MAGIC: &[u8; 4] = b"EGP1";

/// The most common ones of 8 characters and more, of the list of the npm package `zxcvbn` (MIT). `pkg/cli/commands/passwords.js` writes it,
/// and `tests/node/passwords.test.mjs` holds that it has what that list has.
const SHIPPED: &[u8] = include_bytes!("common_passwords.egp");

/// A list of passwords.
#[derive(Debug, Clone)]
pub struct CommonPasswords {
    filter: Filter,
    entries: u32,
}

impl CommonPasswords {
    /// The one that comes along. `None` cannot be: a test reads it.
    #[must_use]
    pub fn shipped() -> Option<Self> {
        Self::parse(SHIPPED).ok()
    }

    /// Reads what [`encode`] wrote.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, FilterError> {
        let damaged = FilterError::new("it is no list of passwords, or damaged");
        let (entries, layout, mut rest) = head(bytes).ok_or(damaged)?;
        let mut shards = Vec::with_capacity(layout.shards());
        while !rest.is_empty() {
            let (shard, after) = sized(rest).ok_or(damaged)?;
            shards.push(Rc::new(Shard::parse(shard.to_vec(), layout)?));
            rest = after;
        }
        Ok(Self { filter: Filter::new(layout, shards)?, entries })
    }

    /// Whether a password is on the list, as it is or in small letters.
    #[must_use]
    pub fn contains(&self, password: &str, small: &str) -> bool {
        [password, small].iter().any(|text| self.filter.may_contain(fingerprint(text)))
    }

    /// How many passwords it was made of.
    #[must_use]
    pub const fn entries(&self) -> u32 {
        self.entries
    }
}

/// By what a list has a password.
fn fingerprint(text: &str) -> u64 {
    let hash: [u8; 20] = Sha1::digest(text).into();
    hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// A list of the passwords with these fingerprints, in any order, each as often as it likes: `EGP1`, the bits of its [`Layout`] (1 byte), the
/// number of passwords (4, little-endian), then each shard behind its length (4, little-endian).
///
/// # Errors
/// There are more than [`MAX_ENTRIES`](crate::revocation::filter::MAX_ENTRIES), or they are no hashes.
pub fn encode(mut fingerprints: Vec<u64>) -> Result<Vec<u8>, FilterError> {
    fingerprints.sort_unstable();
    fingerprints.dedup();
    let entries = u32::try_from(fingerprints.len()).unwrap_or(u32::MAX);
    let layout = Layout::for_entries(entries.into());
    let mut bytes = MAGIC.to_vec();
    bytes.push(layout.bits());
    bytes.extend(entries.to_le_bytes());
    let mut rest = fingerprints.as_slice();
    let mut blocks = Vec::with_capacity(layout.blocks());
    for block in 0..layout.blocks() {
        let (_, last) = layout.range(block);
        let (held, after) = rest.split_at(rest.partition_point(|print| *print <= last));
        blocks.push(Block::build(held.to_vec())?);
        rest = after;
    }
    for shard in blocks.chunks(BLOCKS_PER_SHARD).map(encode_shard) {
        bytes.extend(u32::try_from(shard.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(shard);
    }
    Ok(bytes)
}

fn head(bytes: &[u8]) -> Option<(u32, Layout, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (bits, rest) = rest.split_first()?;
    let (entries, rest) = rest.split_first_chunk()?;
    Some((u32::from_le_bytes(*entries), Layout::from_bits(*bits)?, rest))
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::account) fn list_of(words: &[&str]) -> CommonPasswords {
        let prints = words.iter().map(|word| fingerprint(word)).collect();
        CommonPasswords::parse(&encode(prints).unwrap()).unwrap()
    }

    #[test]
    fn what_is_on_a_list_is_found_and_hardly_anything_else() {
        let names: Vec<String> = (0..100_000).map(|number| format!("password-{number}")).collect();
        let list = list_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(list.entries(), 100_000);
        for name in &names {
            assert!(list.contains(name, name), "{name}");
        }
        let wrong = (0..100_000).map(|number| format!("other-{number}"));
        let wrong = wrong.filter(|name| list.contains(name, name)).count();
        // One in 65,536: 1.5 of these.
        assert!(wrong < 12, "{wrong}");
    }

    #[test]
    fn the_one_that_comes_along_is_read() {
        let list = CommonPasswords::shipped().unwrap();
        assert!(list.entries() >= 3000);
        for common in ["password1", "iloveyou", "12345678", "baseball"] {
            assert!(list.contains(common, common), "{common}");
        }
        assert!(!list.contains("quiet river, late boat", "quiet river, late boat"));
    }

    #[test]
    fn lists_of_leaked_hashes_have_the_same_fingerprints() {
        // SHA-1 of "password", as such lists write it: 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8.
        assert_eq!(fingerprint("password"), 0x5BAA_61E4_C9B9_3F3F);
    }

    #[test]
    fn what_is_damaged_is_no_list() {
        let good =
            encode((0..1000_u64).map(|one| one.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect())
                .unwrap();
        CommonPasswords::parse(&good).unwrap();
        for length in 0..good.len() {
            assert!(CommonPasswords::parse(&good[..length]).is_err(), "{length}");
        }
        for place in 0..30 {
            let mut bad = good.clone();
            bad[place] ^= 0x40;
            // Of the number of passwords and of a seed nothing is known; what is read of such a list is a filter all the same.
            if let Ok(list) = CommonPasswords::parse(&bad) {
                let _found = list.contains("anything", "anything");
            }
        }
        assert!(CommonPasswords::parse(b"").is_err());
    }
}
