//! Base64url in its one strict spelling (RFC 4648 §5, RFC 7515 §2): no padding, no line breaks, no
//! spare bits.
//!
//! A second spelling of the same bytes would let one token appear as two. So a final character that
//! carries bits which decode to nothing is refused, as is a text whose length is 1 modulo 4.

use base64ct::{Base64UrlUnpadded, Encoding as _};

/// Encodes without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Decodes the one spelling of some bytes; `None` for everything else.
///
/// Runs in time that depends on the length alone, so keys may pass through it.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// The same for what is no secret, such as the parts of a token: several times as fast, by a table.
pub(crate) fn decode_public(text: &str) -> Option<Vec<u8>> {
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    let whole = groups.len().saturating_mul(3);
    // With room for the two bytes that may follow, so that nothing is moved for them.
    let mut bytes = Vec::with_capacity(whole.saturating_add(2));
    bytes.resize(whole, 0);
    let (targets, _) = bytes.as_chunks_mut::<3>();
    // A character outside the alphabet leaves a bit that no value has.
    let mut seen = 0;
    for (&[a, b, c, d], target) in groups.iter().zip(targets) {
        let [a, b, c, d] = [value(a), value(b), value(c), value(d)];
        seen |= a | b | c | d;
        *target = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    match *rest {
        [] => {}
        [a, b] => {
            let [a, b] = [a, b].map(value);
            seen |= a | b | spare(b & 0b1111);
            bytes.push(a << 2 | b >> 4);
        }
        [a, b, c] => {
            let [a, b, c] = [a, b, c].map(value);
            seen |= a | b | c | spare(c & 0b11);
            bytes.extend([a << 2 | b >> 4, b << 4 | c >> 2]);
        }
        _ => return None,
    }
    (seen & NO_VALUE == 0).then_some(bytes)
}

const NO_VALUE: u8 = 0b1000_0000;

/// The value of each character.
const VALUES: [u8; 256] = {
    let alphabet = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut values = [NO_VALUE; 256];
    let mut value = 0;
    #[expect(clippy::indexing_slicing, reason = "while compiling")]
    while value < 64 {
        values[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[inline]
fn value(character: u8) -> u8 {
    VALUES.get(usize::from(character)).copied().unwrap_or(NO_VALUE)
}

/// The mark of a fault if these bits are not zero.
const fn spare(bits: u8) -> u8 {
    if bits == 0 { 0 } else { NO_VALUE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both decoders, which must agree.
    #[track_caller]
    fn decode(text: &str) -> Option<Vec<u8>> {
        let decoded = super::decode(text);
        assert_eq!(decode_public(text), decoded, "{text:?}");
        decoded
    }

    #[test]
    fn both_decoders_agree_on_every_character_in_every_place() {
        let characters = ('\0'..='\u{17f}').chain(['\u{ff56}', '\u{fffd}']);
        for character in characters {
            for length in 0..7 {
                for place in 0..=length {
                    let mut text: String = "Zm9vYg".chars().take(length).collect();
                    text.insert(place, character);
                    decode(&text);
                }
            }
        }
    }

    #[test]
    fn round_trips_the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xfe]), "-__-");
    }

    #[test]
    fn rejects_padding() {
        for text in ["Zg==", "Zg=", "Zm8=", "Zm9v=", "="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn rejects_spare_bits() {
        // `f` is `Zg`; `Zh` to `Zv` differ only in bits that decode to nothing.
        for last in "hijklmnopqrstuv".chars() {
            assert_eq!(decode(&format!("Z{last}")), None, "Z{last}");
        }
        assert_eq!(decode("Zm9"), None);
    }

    #[test]
    fn rejects_lengths_that_encode_nothing() {
        for text in ["Z", "Zm9vY", "A"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn rejects_the_other_alphabet_and_whitespace() {
        for text in ["+__-", "-//-", "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v\0", "Zmé", "Zm9\u{ff56}"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
