//! What can be revoked, and the fixed-size key it is looked up by.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::api_key::KeyId;

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-deny-v1\0";

/// What a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// All tokens of an issuer, or those before a cut-off: its signing key leaked.
    Issuer {
        /// The issuer.
        iss: String,
    },
}

impl Target {
    /// The word for it in errors and logs: `jti`, `subject`, `session`, `api_key` or `issuer`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "jti",
            Self::Subject { .. } => "subject",
            Self::Session { .. } => "session",
            Self::ApiKey { .. } => "api_key",
            Self::Issuer { .. } => "issuer",
        }
    }

    /// The key it is looked up by: SHA-256 of a label, a byte for the kind, and each part with its length
    /// (8 bytes, big-endian) before it. No two targets have the same encoding.
    #[must_use]
    pub fn deny_key(&self) -> DenyKey {
        match self {
            Self::Token { iss, jti } => hash(1, &[iss.as_bytes(), jti.as_bytes()]),
            Self::Subject { iss, sub } => hash(2, &[iss.as_bytes(), sub.as_bytes()]),
            Self::Session { iss, sid } => hash(3, &[iss.as_bytes(), sid.as_bytes()]),
            Self::ApiKey { id } => hash(4, &[id.as_bytes()]),
            Self::Issuer { iss } => hash(5, &[iss.as_bytes()]),
        }
    }
}

fn hash(kind: u8, parts: &[&[u8]]) -> DenyKey {
    let mut digest = Sha256::new();
    digest.update(LABEL);
    digest.update([kind]);
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    DenyKey(digest.finalize().into())
}

/// The key a revocation is looked up by. It says nothing about whom it is about to those who cannot guess
/// it, and its size does not depend on names that strangers choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DenyKey([u8; 32]);

impl DenyKey {
    /// The bytes, evenly distributed: fit for a filter.
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
