//! What can be revoked, and the fixed-size key it is looked up by.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api_key::KeyId,
    json::{
        fault::DocumentFault,
        object::{object, required, words},
        readable::{Readable, deserialize, from_value},
    },
    known_digests::Digests,
};

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-deny-v1\0";

/// What a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// One token.
    Token {
        /// Its issuer.
        iss: String,
        /// Its id, unique within the issuer (RFC 7519 §4.1.7).
        jti: String,
    },
    /// All tokens of a subject, or those before a cut-off: log out everywhere.
    Subject {
        /// The issuer.
        iss: String,
        /// The subject, unique within the issuer (RFC 7519 §4.1.2).
        sub: String,
    },
    /// All tokens of a session: log out here.
    Session {
        /// The issuer.
        iss: String,
        /// The session.
        sid: String,
    },
    /// One API key.
    ApiKey {
        /// Its id.
        id: KeyId,
    },
    /// All tokens of an issuer, or those before a cut-off.
    Issuer {
        /// The issuer.
        iss: String,
    },
    /// All tokens that one key of an issuer verifies: the key leaked, and is still published.
    SigningKey {
        /// The issuer.
        iss: String,
        /// The key: its `kid`, or its RFC 7638 thumbprint if it has none.
        kid: String,
    },
}

impl Target {
    /// The word for it in errors and logs: `jti`, `subject`, `session`, `api_key`, `issuer` or
    /// `signing_key`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "jti",
            Self::Subject { .. } => "subject",
            Self::Session { .. } => "session",
            Self::ApiKey { .. } => "api_key",
            Self::Issuer { .. } => "issuer",
            Self::SigningKey { .. } => "signing_key",
        }
    }

    /// The issuer it is about; none for an API key.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Token { iss, .. }
            | Self::Subject { iss, .. }
            | Self::Session { iss, .. }
            | Self::Issuer { iss }
            | Self::SigningKey { iss, .. } => Some(iss),
            Self::ApiKey { .. } => None,
        }
    }

    /// The key it is looked up by.
    #[must_use]
    pub fn deny_key(&self) -> DenyKey {
        match self {
            Self::Token { iss, jti } => DenyKey::of_token(iss, jti),
            Self::Subject { iss, sub } => DenyKey::of_subject(iss, sub),
            Self::Session { iss, sid } => DenyKey::of_session(iss, sid),
            Self::ApiKey { id } => DenyKey::of_api_key(*id),
            Self::Issuer { iss } => DenyKey::of_issuer(iss),
            Self::SigningKey { iss, kid } => DenyKey::of_signing_key(iss, kid),
        }
    }
}

object! {
    /// A target as it is written, whatever its kind: what serde derives for an enum with a tag is a second
    /// reader of JSON, of a tree that is built first.
    struct Written, ignored {
        kind: Kind,
        iss: Option<String> = None,
        jti: Option<String> = None,
        sub: Option<String> = None,
        sid: Option<String> = None,
        id: Option<KeyId> = None,
        kid: Option<String> = None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    Subject,
    Session,
    ApiKey,
    Issuer,
    SigningKey,
}

words!(Kind {
    "token" => Kind::Token,
    "subject" => Kind::Subject,
    "session" => Kind::Session,
    "api_key" => Kind::ApiKey,
    "issuer" => Kind::Issuer,
    "signing_key" => Kind::SigningKey,
});

impl Readable for Target {
    fn blank() -> Self {
        Self::Issuer { iss: String::new() }
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let Written { kind, iss, jti, sub, sid, id, kid } = from_value(value)?;
        if matches!(kind, Kind::ApiKey) {
            *self = Self::ApiKey { id: required(id, "id")? };
            return Ok(());
        }
        let iss = required(iss, "iss")?;
        *self = match kind {
            Kind::Token => Self::Token { iss, jti: required(jti, "jti")? },
            Kind::Subject => Self::Subject { iss, sub: required(sub, "sub")? },
            Kind::Session => Self::Session { iss, sid: required(sid, "sid")? },
            Kind::SigningKey => Self::SigningKey { iss, kid: required(kid, "kid")? },
            Kind::Issuer | Kind::ApiKey => Self::Issuer { iss },
        };
        Ok(())
    }
}

deserialize!(Target);

fn hash(kind: u8, parts: &[&[u8]], digests: Digests<'_>) -> DenyKey {
    let length = parts.iter().fold(LABEL.len().saturating_add(1), |sum, part| {
        sum.saturating_add(size_of::<u64>()).saturating_add(part.len())
    });
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(LABEL);
    text.push(kind);
    for part in parts {
        text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        text.extend_from_slice(part);
    }
    DenyKey(digests.sha256(text))
}

/// The key a revocation is looked up by: SHA-256 of a label, a byte for the kind, and each part with its
/// length (8 bytes, big-endian) before it. No two targets have the same encoding.
///
/// It says nothing about whom it is about to those who cannot guess it, and its size does not depend on
/// names that strangers choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DenyKey([u8; 32]);

impl DenyKey {
    /// Of one token: [`Target::Token`].
    #[must_use]
    pub fn of_token(iss: &str, jti: &str) -> Self {
        hash(1, &[iss.as_bytes(), jti.as_bytes()], Digests::COMPUTED)
    }

    /// Of a subject: [`Target::Subject`].
    #[must_use]
    pub fn of_subject(iss: &str, sub: &str) -> Self {
        Self::of_subject_by(iss, sub, Digests::COMPUTED)
    }

    /// Of a session: [`Target::Session`].
    #[must_use]
    pub fn of_session(iss: &str, sid: &str) -> Self {
        Self::of_session_by(iss, sid, Digests::COMPUTED)
    }

    /// Of an API key: [`Target::ApiKey`].
    #[must_use]
    pub fn of_api_key(id: KeyId) -> Self {
        Self::of_api_key_by(id, Digests::COMPUTED)
    }

    /// Of an issuer: [`Target::Issuer`].
    #[must_use]
    pub fn of_issuer(iss: &str) -> Self {
        Self::of_issuer_by(iss, Digests::COMPUTED)
    }

    /// Of one key of an issuer: [`Target::SigningKey`].
    #[must_use]
    pub fn of_signing_key(iss: &str, kid: &str) -> Self {
        Self::of_signing_key_by(iss, kid, Digests::COMPUTED)
    }

    pub(super) fn of_subject_by(iss: &str, sub: &str, digests: Digests<'_>) -> Self {
        hash(2, &[iss.as_bytes(), sub.as_bytes()], digests)
    }

    pub(super) fn of_session_by(iss: &str, sid: &str, digests: Digests<'_>) -> Self {
        hash(3, &[iss.as_bytes(), sid.as_bytes()], digests)
    }

    pub(super) fn of_api_key_by(id: KeyId, digests: Digests<'_>) -> Self {
        hash(4, &[id.as_bytes()], digests)
    }

    pub(super) fn of_issuer_by(iss: &str, digests: Digests<'_>) -> Self {
        hash(5, &[iss.as_bytes()], digests)
    }

    pub(super) fn of_signing_key_by(iss: &str, kid: &str, digests: Digests<'_>) -> Self {
        hash(6, &[iss.as_bytes(), kid.as_bytes()], digests)
    }

    /// The first 8 bytes as a number: what a [filter](crate::revocation::filter) holds of it.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The bytes, evenly distributed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where a store keeps the entry: `deny/v1/` and 43 characters of base64url.
    #[must_use]
    pub fn storage_name(&self) -> String {
        format!("deny/v1/{self}")
    }

    /// Reads what [`Display`](fmt::Display) writes: the id of a revocation towards administrators.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (decoded.len() == 32).then_some(Self(bytes))
    }
}

/// 43 characters of base64url.
impl fmt::Display for DenyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl fmt::Debug for DenyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DenyKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_keys_are_these() {
        let id = KeyId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let iss = "https://i/".to_owned();
        // Computed with Python's hashlib from the description of the encoding.
        for (target, expected) in [
            (
                Target::Token { iss: iss.clone(), jti: "a".to_owned() },
                "GbMrhZ8t2AZgWyNH2--Odu60iqRIbhHpkRT9HBAk4U4",
            ),
            (
                Target::Subject { iss: iss.clone(), sub: "a".to_owned() },
                "d16u5TsrI9WFmnVoaudALmCicntGzIDC9oB_AugQncI",
            ),
            (
                Target::Session { iss: iss.clone(), sid: "a".to_owned() },
                "S0kh3aC4ZjAXZyT7Abkk2aAKG3yDBn_nBnPnI4b095U",
            ),
            (Target::ApiKey { id }, "5ehXD1eoDXM4Mb00eXYerVxSjwd4I2-bdB-VU3SS-ts"),
            (Target::Issuer { iss: iss.clone() }, "kxtczw6ZRJqaRgUySgZCmbp7hrnKX6SVfRCSlmabe80"),
            (
                Target::SigningKey { iss, kid: "a".to_owned() },
                "vkpGOyUaoLEcVwhwPk2wbZ0ulIQeT6MN21cZ6kejQF4",
            ),
        ] {
            let key = target.deny_key();
            assert_eq!(key.to_string(), expected);
            assert_eq!(key.storage_name(), format!("deny/v1/{expected}"));
            assert_eq!(DenyKey::parse(expected), Some(key));
        }
    }

    #[test]
    fn moving_a_character_between_the_parts_changes_the_key() {
        assert_ne!(DenyKey::of_token("ab", "c"), DenyKey::of_token("a", "bc"));
        assert_ne!(DenyKey::of_token("", "abc"), DenyKey::of_token("abc", ""));
        assert_ne!(DenyKey::of_token("a", "b"), DenyKey::of_subject("a", "b"));
    }

    #[test]
    fn the_text_of_a_deny_key_has_one_spelling() {
        let text = DenyKey::of_issuer("a").to_string();
        assert_eq!(text.len(), 43);
        for wrong in ["", "AAAA", &format!("{text}="), &format!("{text}A")] {
            assert_eq!(DenyKey::parse(wrong), None);
        }
        let mut spare_bits = text;
        let last = spare_bits.pop().unwrap();
        spare_bits.push(char::from(u8::try_from(last).unwrap() + 1));
        assert_eq!(DenyKey::parse(&spare_bits), None);
    }
}
