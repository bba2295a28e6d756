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

#[cfg(test)]
mod tests {
    use super::*;

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
