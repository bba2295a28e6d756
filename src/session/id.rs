//! Names of fixed size, written in base64url: one spelling each.

use core::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    base64url,
    json::{
        fault::DocumentFault,
        readable::{Readable, deserialize, string},
    },
};

/// Bytes of fixed size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opaque<const N: usize>([u8; N]);

/// The `sid` of a session: 96 random bits.
pub type SessionId = Opaque<12>;

/// Random bits of a session that stand in its refresh tokens and in its row: who has only the secret forges nothing.
pub type Salt = Opaque<8>;

/// The name of the object of a subject: a hash, so that no store shows whose it is.
pub type ObjectName = Opaque<32>;

/// The hash of a ticket, which is all that is stored of it.
pub type TicketHash = Opaque<32>;

/// A hash of where a request came from (network and agent): to tell two places apart, and for nothing else.
pub type Place = Opaque<8>;

/// The browser that a session was opened for, by the cookie that ties logins to it: a hash, so that no row shows it.
pub type BrowserName = Opaque<16>;

/// The session of a login at its provider: a hash, so that no row shows it.
pub type ProviderSession = Opaque<16>;

impl<const N: usize> Opaque<N> {
    /// These bytes. Those of a session, a salt or a ticket have to be random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Reads the one spelling; `None` for everything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Longer texts are not even decoded.
        if text.len() > N.saturating_mul(2) {
            return None;
        }
        base64url::decode(text)?.try_into().ok().map(Self)
    }

    /// The beginning of a hash of these parts, each with its length, so that no two lists collide.
    #[must_use]
    pub fn hash(label: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in core::iter::once(&label).chain(parts) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; N];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
        Self(bytes)
    }
}

impl ObjectName {
    /// The object of a subject of the gate's issuer.
    #[must_use]
    pub fn of(issuer: &str, subject: &str) -> Self {
        Self::hash("edgegate-subject-v1", &[issuer, subject])
    }
}

impl ProviderSession {
    /// The session of that `sid` at a provider of this issuer.
    #[must_use]
    pub fn of(issuer: &str, session: &str) -> Self {
        Self::hash("edgegate-provider-session-v1", &[issuer, session])
    }
}

/// Base64url.
impl<const N: usize> fmt::Display for Opaque<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

/// Shows nothing: some of these are secret.
impl<const N: usize> fmt::Debug for Opaque<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque(_)")
    }
}

impl<const N: usize> Serialize for Opaque<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.0))
    }
}

impl<const N: usize> Readable for Opaque<N> {
    fn blank() -> Self {
        Self([0; N])
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let read = Self::parse(&string(value)?);
        let fault = || DocumentFault::of("expected base64url of another length".to_owned());
        *self = read.ok_or_else(fault)?;
        Ok(())
    }
}

deserialize!(Opaque<const N: usize>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_different_parts_differ() {
        let name = ObjectName::of("https://gate", "alice");
        assert_ne!(name, ObjectName::of("https://gatea", "lice"));
        assert_ne!(name, ObjectName::of("https://gate", "alic"));
        assert_eq!(name.to_string().len(), 43);
        assert_eq!(ObjectName::parse(&name.to_string()), Some(name));
    }

    #[test]
    fn one_spelling_and_one_length() {
        let id = SessionId::from_bytes([0xff; 12]);
        let text = id.to_string();
        assert_eq!(text, "________________");
        for wrong in ["", "_", "_______________", "________________A", "________________=="] {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Salt::parse("AAAAAAAAAAB"), None, "spare bits");
        assert_eq!(format!("{id:?}"), "Opaque(_)");
    }
}
