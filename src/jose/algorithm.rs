//! The algorithms of signatures, and the names of keys: what tokens and keys have in common.

use core::fmt;

use crate::error::Error;

/// The longest `kid` that is taken, in bytes. Thumbprints have 43; the longest in use are X.509 subject
/// key identifiers and URLs.
pub const MAX_KEY_ID_LENGTH: usize = 256;

/// Whether a key may have this `kid`, or none.
pub(super) fn check_key_id(key_id: Option<&str>) -> Result<(), Error> {
    match key_id {
        Some(kid) if kid.is_empty() || kid.len() > MAX_KEY_ID_LENGTH => Err(Error::RefusedKey {
            problem: format!("kid has {} bytes, expected 1 to {MAX_KEY_ID_LENGTH}", kid.len()),
        }),
        _ => Ok(()),
    }
}

/// The kinds of keys that algorithms are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Secrets.
    Hmac,
    /// RSA keys.
    Rsa,
    /// Keys on P-256, P-384 or P-521.
    Ecdsa,
    /// Ed25519 keys.
    EdDsa,
}

/// A signature algorithm of JWS (RFC 7518 §3.1, RFC 8037 §3.1). `none` has no value here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with the same, salt as long as the hash.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519; Ed448 is not supported.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The algorithm of this exact name. Case counts (RFC 7515 §4.1.1), so `hs256`, `None` and `none` name
    /// nothing. `Ed25519` (RFC 9864) is another name of [`Algorithm::EdDsa`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The kind of key that it is for. Algorithms of different families never share a key.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Hmac,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                Family::Rsa
            }
            Self::Es256 | Self::Es384 | Self::Es512 => Family::Ecdsa,
            Self::EdDsa => Family::EdDsa,
        }
    }

    /// The name as headers and keys write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether the key that verifies can also sign (HMAC).
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        self.hmac_length().is_some()
    }

    /// Whether the host has to check the signature (RSA, ECDSA).
    #[must_use]
    pub const fn needs_host(self) -> bool {
        !self.is_symmetric() && !matches!(self, Self::EdDsa)
    }

    /// The bytes of an HMAC tag, which are also the least a secret must have (RFC 7518 §3.2).
    pub(crate) const fn hmac_length(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
