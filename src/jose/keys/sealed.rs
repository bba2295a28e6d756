//! Published keys in a store that others may write: sealed, so that write access to the store does not become
//! the power to sign tokens. No I/O, no clock.
//!
//! A sealed value is a tag in base64url, a dot, and JSON. The tag is HMAC-SHA-256 over a name of this
//! use, the URI the keys come from, and the JSON, so that a value neither can be made nor moved to
//! another issuer without the secret. An old value can be put back; it says when it was fetched, and the
//! bounds of [`crate::jose::keys::remote`] count from then.

use core::fmt;

use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use crate::{
    base64url,
    jose::keys::MAX_JWKS_LENGTH,
    json::{document, object::object},
    secret::Secret,
    time::UnixTime,
};

const LABEL: &[u8] = b"edgegate-jwks-v1\0";

/// Twice the keys themselves: JSON in JSON escapes each quote.
const MAX_SEALED_LENGTH: usize = 2 * MAX_JWKS_LENGTH + 4096;

object! {
    /// An issuer's answer, as it was fetched.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct PublishedKeys, ignored {
        /// The JWK set, as text.
        pub jwks: String,
        /// The `ETag` of the answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub etag: Option<String> = None,
        /// The `Cache-Control` of the answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cache_control: Option<String> = None,
        /// When the issuer last said so.
        pub fetched_at: UnixTime,
    }
}

/// Seals and opens.
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// A seal with this secret. Its length was checked by the policy.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        Hmac::new_from_slice(secret.expose_secret()).ok().map(Self)
    }

    /// The value to be stored for the keys of a URI. `None`: they cannot be written as JSON.
    #[must_use]
    pub fn close(&self, uri: &str, keys: &PublishedKeys) -> Option<String> {
        let json = serde_json::to_string(keys).ok()?;
        let tag = self.keyed(uri, &json).finalize().into_bytes();
        Some(format!("{}.{json}", base64url::encode(&tag)))
    }

    /// What was sealed for this URI; `None` for anything else.
    #[must_use]
    pub fn open(&self, uri: &str, value: &str) -> Option<PublishedKeys> {
        if value.len() > MAX_SEALED_LENGTH {
            return None;
        }
        let (tag, json) = value.split_once('.')?;
        self.keyed(uri, json).verify_slice(&base64url::decode(tag)?).ok()?;
        document::parse(json.as_bytes()).ok()
    }

    fn keyed(&self, uri: &str, json: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(LABEL);
        // A URI has no control characters, so none can end in the beginning of the JSON.
        mac.update(uri.as_bytes());
        mac.update(b"\0");
        mac.update(json.as_bytes());
        mac
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(_)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://issuer.example/jwks.json";

    fn seal(byte: u8) -> Seal {
        Seal::new(&Secret::new(vec![byte; 32])).unwrap()
    }

    fn keys() -> PublishedKeys {
        PublishedKeys {
            jwks: r#"{"keys":[]}"#.to_owned(),
            etag: Some("\"v1\"".to_owned()),
            cache_control: None,
            fetched_at: UnixTime::from_secs(1_700_000_000),
        }
    }

    #[test]
    fn the_stored_form_is_fixed() {
        assert_eq!(
            seal(7).close(URI, &keys()).unwrap(),
            "2DUui9ApojM06kZyLTho7j2pG4XEQqJ7vmXjbUObTbI.{\"jwks\":\"{\\\"keys\\\":[]}\",\"etag\":\"\\\"v1\\\"\",\"fetched_at\":1700000000}"
        );
    }

    #[test]
    fn opens_what_it_has_closed_for_the_same_uri_and_secret_only() {
        let closed = seal(7).close(URI, &keys()).unwrap();
        assert_eq!(seal(7).open(URI, &closed), Some(keys()));
        assert_eq!(seal(8).open(URI, &closed), None);
        assert_eq!(seal(7).open("https://issuer.example/other.json", &closed), None);
    }

    #[test]
    fn no_character_of_it_can_be_changed() {
        let closed = seal(7).close(URI, &keys()).unwrap();
        for place in 0..closed.len() {
            let mut changed = closed.clone().into_bytes();
            changed[place] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(seal(7).open(URI, &changed), None, "{changed}");
        }
        let (tag, json) = closed.split_once('.').unwrap();
        for value in ["", ".", "{}", tag, json, &format!(".{json}"), &format!("{closed} ")] {
            assert_eq!(seal(7).open(URI, value), None, "{value}");
        }
        assert_eq!(seal(7).open(URI, &"a".repeat(MAX_SEALED_LENGTH + 1)), None);
    }
}
