//! How the bytes of a secret are written.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};

use crate::{error::Error, secret::Secret};

/// How the bytes of a secret are written (`encoding` of an issuer).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The text itself is the secret.
    #[default]
    Text,
    /// RFC 4648 §4, with padding or without.
    Base64,
    /// RFC 4648 §5, with padding or without.
    Base64Url,
    /// Two digits a byte, of either case.
    Hex,
}

impl Encoding {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "base64" => Some(Self::Base64),
            "base64url" => Some(Self::Base64Url),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }

    /// The bytes that are meant.
    ///
    /// # Errors
    /// [`Error::Config`] at `path`, with the name of the secret and nothing of what is in it.
    pub(super) fn decode(self, path: &str, name: &str, written: Secret) -> Result<Secret, Error> {
        let text = core::str::from_utf8(written.expose_secret()).unwrap_or_default();
        let (bytes, what) = match self {
            Self::Text => return Ok(written),
            Self::Base64 => (Base64Unpadded::decode_vec(without_padding(text)).ok(), "base64"),
            Self::Base64Url => {
                (Base64UrlUnpadded::decode_vec(without_padding(text)).ok(), "base64url")
            }
            Self::Hex => (hex(text), "hexadecimal"),
        };
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        bytes.map(Secret::new).ok_or_else(|| {
            Error::config(path, format!("the secret named {name} is not {what}, as encoding says"))
        })
    }
}

/// Padding of the right length is taken off; of another length it stays, and is refused.
fn without_padding(text: &str) -> &str {
    if text.len().is_multiple_of(4) {
        text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text)
    } else {
        text
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: &str, written: &str) -> Result<Vec<u8>, String> {
        let written = Secret::new(written.as_bytes().to_vec());
        let encoding = Encoding::from_name(encoding).unwrap();
        let secret = encoding.decode("issuers[0].secret", "NAME", written);
        secret.map(|it| it.expose_secret().to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn bytes_are_read_as_they_are_written() {
        let bytes = [0xfb, 0xff, 0x00, 0x7a];
        for (encoding, written) in [
            ("base64", "+/8Aeg=="),
            ("base64", "+/8Aeg"),
            ("base64url", "-_8Aeg"),
            ("base64url", "-_8Aeg=="),
            ("hex", "fbff007a"),
            ("hex", "FBff007A"),
        ] {
            assert_eq!(decode(encoding, written).unwrap(), bytes, "{encoding} {written}");
        }
        assert_eq!(decode("text", "+/8Aeg==").unwrap(), b"+/8Aeg==");
    }

    #[test]
    fn what_is_written_otherwise_is_refused_by_the_name_of_the_secret() {
        for (encoding, what, written) in [
            ("base64", "base64", "-_8Aeg"),
            ("base64", "base64", "+/8Aeg="),
            ("base64", "base64", "+/8Aeh"),
            ("base64", "base64", "+/8A eg"),
            ("base64", "base64", "===="),
            ("base64", "base64", ""),
            ("base64url", "base64url", "+/8Aeg"),
            ("base64url", "base64url", "-_8A="),
            ("hex", "hexadecimal", "abc"),
            ("hex", "hexadecimal", "0x"),
            ("hex", "hexadecimal", "+1"),
            ("hex", "hexadecimal", ""),
        ] {
            assert_eq!(
                decode(encoding, written).unwrap_err(),
                format!("issuers[0].secret: the secret named NAME is not {what}, as encoding says"),
                "{written}"
            );
        }
    }
}
