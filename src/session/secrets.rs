//! Keys derived from the secrets of the section `sessions`: one for each use, by HKDF (RFC 5869) with SHA-256.
//!
//! Everything that is sealed names the secret it was sealed by. The secret with the highest id seals, all open. An old one may go
//! once the longest session has ended.

use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{error::Error, secret::Secret};

/// As long as the hash (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Separates these keys from all others that anybody derives from the same secret.
const SALT: &[u8] = b"edgegate-sessions-v1";

/// What a derived key is for. Each has a label of its own, so that what one use gives away helps with no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Tags of refresh tokens.
    RefreshToken,
    /// Tags of tickets.
    Ticket,
    /// AES-256-GCM of the key ring's private keys.
    KeyRing,
    /// AES-256-GCM of what `state` carries through a provider.
    LoginState,
    /// MACs of which a login's verifier and nonce are made.
    LoginAttempt,
    /// AES-256-GCM of the tokens that providers give.
    Grant,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh-token",
            Self::Ticket => "ticket",
            Self::KeyRing => "key-ring",
            Self::LoginState => "login-state",
            Self::LoginAttempt => "login-attempt",
            Self::Grant => "grant",
        }
    }
}

/// The secrets, with the schedules of what is computed often.
pub struct SessionSecrets {
    /// Ascending by id, never empty.
    keys: Vec<Derived>,
}

struct Derived {
    id: u8,
    refresh_token: Hmac<Sha256>,
    ticket: Hmac<Sha256>,
    login_attempt: Hmac<Sha256>,
    key_ring: Secret,
    login_state: Secret,
    grant: Secret,
}

impl SessionSecrets {
    /// Takes the secrets over, with the ids that tokens carry.
    ///
    /// # Errors
    /// [`Error::Config`] with a path below `secrets`: none at all, one id twice, or a secret of fewer than 32 bytes.
    pub fn new(secrets: Vec<(u8, Secret)>) -> Result<Self, Error> {
        let mut keys: Vec<Derived> = Vec::with_capacity(secrets.len());
        for (position, (id, secret)) in secrets.iter().enumerate() {
            let at = |field: &str| format!("secrets[{position}].{field}");
            if keys.iter().any(|other| other.id == *id) {
                return Err(Error::config(at("id"), format!("id {id} is given twice")));
            }
            secret
                .require_length(MIN_SECRET_BYTES)
                .map_err(|error| Error::config(at("secret"), error.to_string()))?;
            let derived = Derived::new(*id, secret)
                .ok_or_else(|| Error::config(at("secret"), "is no HMAC key"))?;
            keys.insert(keys.partition_point(|other| other.id < *id), derived);
        }
        if keys.is_empty() {
            return Err(Error::config("secrets", "expected a non-empty list"));
        }
        Ok(Self { keys })
    }

    /// The id of the secret that seals.
    #[must_use]
    pub fn newest_id(&self) -> u8 {
        self.keys.last().map_or(0, |key| key.id)
    }

    /// The ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = u8> {
        self.keys.iter().map(|key| key.id)
    }

    /// The key that seals private keys of the ring (AES-256-GCM); `None` for an id that is not there any more.
    #[must_use]
    pub fn key_ring(&self, id: u8) -> Option<&Secret> {
        self.sealing_key(id, Purpose::KeyRing)
    }

    /// The key of AES-256-GCM for this purpose; `None` for an id that is not there any more, and for a purpose of MACs.
    #[must_use]
    pub fn sealing_key(&self, id: u8, purpose: Purpose) -> Option<&Secret> {
        let key = self.by_id(id)?;
        match purpose {
            Purpose::KeyRing => Some(&key.key_ring),
            Purpose::LoginState => Some(&key.login_state),
            Purpose::Grant => Some(&key.grant),
            Purpose::RefreshToken | Purpose::Ticket | Purpose::LoginAttempt => None,
        }
    }

    /// The MAC for this purpose; `None` for an id that is not there any more, and for a purpose of AES.
    pub(crate) fn mac(&self, id: u8, purpose: Purpose) -> Option<Hmac<Sha256>> {
        let key = self.by_id(id)?;
        match purpose {
            Purpose::RefreshToken => Some(key.refresh_token.clone()),
            Purpose::Ticket => Some(key.ticket.clone()),
            Purpose::LoginAttempt => Some(key.login_attempt.clone()),
            Purpose::KeyRing | Purpose::LoginState | Purpose::Grant => None,
        }
    }

    fn by_id(&self, id: u8) -> Option<&Derived> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Derived {
    fn new(id: u8, secret: &Secret) -> Option<Self> {
        let keyed = |purpose| {
            let key = derive(secret, purpose)?;
            Hmac::new_from_slice(key.expose_secret()).ok()
        };
        Some(Self {
            id,
            refresh_token: keyed(Purpose::RefreshToken)?,
            ticket: keyed(Purpose::Ticket)?,
            login_attempt: keyed(Purpose::LoginAttempt)?,
            key_ring: derive(secret, Purpose::KeyRing)?,
            login_state: derive(secret, Purpose::LoginState)?,
            grant: derive(secret, Purpose::Grant)?,
        })
    }
}

/// The ids alone.
impl fmt::Debug for SessionSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// A key of 32 bytes for this purpose.
#[must_use]
pub fn derive(secret: &Secret, purpose: Purpose) -> Option<Secret> {
    hkdf(secret.expose_secret(), SALT, purpose.label().as_bytes()).map(Secret::new)
}

/// HKDF-SHA-256 (RFC 5869) with an output of one block: 32 bytes.
pub(crate) fn hkdf(input: &[u8], salt: &[u8], info: &[u8]) -> Option<Vec<u8>> {
    let mac = |key: &[u8], parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac.finalize().into_bytes().to_vec())
    };
    let pseudorandom = Zeroizing::new(mac(salt, &[input])?);
    mac(&pseudorandom, &[info, &[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_of_rfc_5869_a_1() {
        let input = [0x0b; 22];
        let salt: Vec<u8> = (0..13).collect();
        let info: Vec<u8> = (0xf0..0xfa).collect();
        let block = hkdf(&input, &salt, &info).unwrap();
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
            0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
            0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(block, expected);
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let secret = Secret::new(vec![7; 32]);
        let purposes = [
            Purpose::RefreshToken,
            Purpose::Ticket,
            Purpose::KeyRing,
            Purpose::LoginState,
            Purpose::LoginAttempt,
            Purpose::Grant,
        ];
        let keys =
            purposes.map(|purpose| derive(&secret, purpose).unwrap().expose_secret().to_vec());
        let all: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(all.len(), purposes.len());
    }

    #[test]
    fn the_highest_id_seals_and_faults_are_named() {
        let secret = |length| Secret::new(vec![7; length]);
        let secrets = SessionSecrets::new(vec![(2, secret(32)), (1, secret(40))]).unwrap();
        assert_eq!(secrets.newest_id(), 2);
        assert_eq!(format!("{secrets:?}"), "[1, 2]");
        assert!(secrets.key_ring(3).is_none());
        for (secrets, message) in [
            (vec![], "secrets: expected a non-empty list"),
            (vec![(1, secret(31))], "secrets[0].secret: secret has 31 bytes, expected at least 32"),
            (vec![(1, secret(32)), (1, secret(32))], "secrets[1].id: id 1 is given twice"),
        ] {
            assert_eq!(SessionSecrets::new(secrets).unwrap_err().to_string(), message);
        }
    }
}
