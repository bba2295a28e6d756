//! Recovery codes, for the day an authenticator is lost: ten, each good for once.
//!
//! Each has 120 random bits, so that a hash without a salt and without cost keeps it (ASVS 5, 6.5.2 asks for 112). It is written in groups of
//! four, without letters that look like others.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::session::Opaque;

/// How many there are.
pub const CODES: usize = 10;

/// The random bytes of one code.
pub const CODE_BYTES: usize = 15;

/// Douglas Crockford's: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const LETTERS: usize = 24;

const GROUP: usize = 4;

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-recovery-code-v1\0";

/// What is kept of a code.
pub type CodeHash = Opaque<32>;

/// The text of a code, for its owner's eyes alone.
#[must_use]
pub fn text_of(code: &[u8; CODE_BYTES]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LETTERS.saturating_add(LETTERS / GROUP)));
    let (mut bits, mut held, mut written) = (0_u32, 0_u32, 0_usize);
    for byte in code {
        bits = (bits << 8) | u32::from(*byte);
        held = held.saturating_add(8);
        while held >= 5 {
            held = held.saturating_sub(5);
            let index = usize::try_from((bits >> held) & 31).unwrap_or(0);
            if written > 0 && written.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(ALPHABET.get(index).copied().map_or('0', char::from));
            written = written.saturating_add(1);
        }
    }
    text
}

/// The hash of a code as somebody typed it: small letters, blanks and hyphens are as good, and what looks like a digit is one. `None`: it is no
/// code.
#[must_use]
pub fn hash_of(text: &str) -> Option<CodeHash> {
    if text.len() > 100 {
        return None;
    }
    let mut letters = Zeroizing::new(Vec::with_capacity(LETTERS));
    for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let letter = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        if letters.len() >= LETTERS || !ALPHABET.contains(&letter) {
            return None;
        }
        letters.push(letter);
    }
    let hash = Sha256::new().chain_update(LABEL).chain_update(&*letters);
    (letters.len() == LETTERS).then(|| Opaque::from_bytes(hash.finalize().into()))
}

/// Takes a code out of those that are left; `false`: it is none of them. Each is compared, whichever fits.
#[must_use]
pub fn take(left: &mut Vec<CodeHash>, given: &CodeHash) -> bool {
    let mut found = None;
    for (at, kept) in left.iter().enumerate() {
        if bool::from(kept.as_bytes().ct_eq(given.as_bytes())) {
            found = Some(at);
        }
    }
    found.map(|at| left.swap_remove(at)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let text = text_of(&[
            0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
            0xd7,
        ]);
        assert_eq!(text.as_str(), "0123-4567-89AB-CDEF-GHJK-MNPQ");
        let hash = hash_of(&text);
        assert!(hash.is_some());
        for typed in [
            "0123456789abcdefghjkmnpq",
            "O1234567 89AB CDEF GHJK MNPQ",
            "oi23-4567-89ab-cdef-ghjk-mnpq",
            "ol23 4567 89ab cdef ghjk mnpq",
        ] {
            assert_eq!(hash_of(typed), hash, "{typed}");
        }
        for wrong in [
            "",
            "0123",
            "0123-4567-89AB-CDEF-GHJK-MNP",
            "0123-4567-89AB-CDEF-GHJK-MNPQR",
            "U123-4567-89AB-CDEF-GHJK-MNPQ",
        ] {
            assert_eq!(hash_of(wrong), None, "{wrong}");
        }
        assert_eq!(hash_of(&"-".repeat(101)), None);
    }

    #[test]
    fn a_code_is_good_for_once() {
        let hash = |byte| hash_of(&text_of(&[byte; CODE_BYTES])).unwrap();
        let mut left: Vec<CodeHash> = (0..10).map(hash).collect();
        assert!(take(&mut left, &hash(3)));
        assert!(!take(&mut left, &hash(3)));
        assert!(!take(&mut left, &hash(77)));
        assert_eq!(left.len(), 9);
        for byte in [0, 1, 2, 4, 5, 6, 7, 8, 9] {
            assert!(take(&mut left, &hash(byte)));
        }
        assert!(left.is_empty());
    }
}
