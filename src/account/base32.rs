//! Base32 (RFC 4648 §6), as authenticators take their secrets: capital letters, without padding.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The text of these bytes.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5).saturating_mul(8));
    for chunk in bytes.chunks(5) {
        let mut padded = [0_u8; 8];
        if let Some(place) = padded.get_mut(3..3_usize.saturating_add(chunk.len())) {
            place.copy_from_slice(chunk);
        }
        let group = u64::from_be_bytes(padded);
        let letters = chunk.len().saturating_mul(8).div_ceil(5);
        for place in 0..letters {
            let shift = 35_usize.saturating_sub(place.saturating_mul(5));
            let index = usize::try_from((group >> shift) & 31).unwrap_or(0);
            text.push(ALPHABET.get(index).copied().map_or('A', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10, without the padding.
    #[test]
    fn as_the_rfc_has_it() {
        let pairs = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (bytes, text) in pairs {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
    }
}
