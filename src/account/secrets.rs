//! Keys derived from the secrets of the section `accounts`: one for each use, by HKDF (RFC 5869) with SHA-256.
//!
//! Each secret gives a pepper of its own. The rows are found by a key of the **lowest** id alone, and authenticators have theirs of it: with
//! another one no account would be found any more, so that secret stays for as long as there are accounts.

use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::{
    authenticator::AuthenticatorKey,
    hash::{Peppers, by_id},
    name::LoginName,
    row::{AccountId, RowKey, key_of},
};
use crate::{error::Error, secret::Secret, session::secrets::hkdf};

/// As long as the hash (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Separates these keys from all others that anybody derives from the same secret.
const SALT: &[u8] = b"edgegate-accounts-v1";

/// What accounts are kept by.
pub struct AccountSecrets {
    names: Secret,
    addresses: Hmac<Sha256>,
    devices: Hmac<Sha256>,
    authenticators: AuthenticatorKey,
    logins: Hmac<Sha256>,
    mails: Secret,
    challenges: Hmac<Sha256>,
    peppers: Peppers,
}

impl AccountSecrets {
    /// Takes the secrets over, each with its id.
    ///
    /// # Errors
    /// [`Error::Config`] with a path below `secrets`: none at all, one id twice, or a secret of fewer than 32 bytes.
    pub fn new(secrets: Vec<(u8, Secret)>) -> Result<Self, Error> {
        for (position, (id, secret)) in secrets.iter().enumerate() {
            let at = |field: &str| format!("secrets[{position}].{field}");
            if secrets.iter().take(position).any(|(other, _)| other == id) {
                return Err(Error::config(at("id"), format!("id {id} is given twice")));
            }
            secret
                .require_length(MIN_SECRET_BYTES)
                .map_err(|error| Error::config(at("secret"), error.to_string()))?;
        }
        let secrets = by_id(secrets);
        let Some((_, first)) = secrets.first() else {
            return Err(Error::config("secrets", "expected a non-empty list"));
        };
        let unusable = || Error::config("secrets", "is no HMAC key");
        let derived = |secret: &Secret, label: &str| {
            hkdf(secret.expose_secret(), SALT, label.as_bytes()).map(Secret::new)
        };
        let keyed = |label| {
            let key = derived(first, label)?;
            Hmac::new_from_slice(key.expose_secret()).ok()
        };
        let peppers: Option<Vec<(u8, Secret)>> =
            secrets.iter().map(|(id, secret)| Some((*id, derived(secret, "pepper")?))).collect();
        Ok(Self {
            names: derived(first, "name").ok_or_else(unusable)?,
            addresses: keyed("address").ok_or_else(unusable)?,
            devices: keyed("device").ok_or_else(unusable)?,
            authenticators: keyed("authenticator")
                .map(AuthenticatorKey::new)
                .ok_or_else(unusable)?,
            logins: keyed("second-step").ok_or_else(unusable)?,
            mails: derived(first, "mail").ok_or_else(unusable)?,
            challenges: keyed("challenge").ok_or_else(unusable)?,
            peppers: Peppers::new(peppers.ok_or_else(unusable)?),
        })
    }

    /// The peppers of passwords.
    #[must_use]
    pub const fn peppers(&self) -> &Peppers {
        &self.peppers
    }

    /// The key of the row of a name.
    #[must_use]
    pub fn key_of_name(&self, name: &LoginName) -> Option<RowKey> {
        key_of(name, &self.names)
    }

    /// The key of the guesses of an address, or of a network.
    #[must_use]
    pub fn key_of_address(&self, address: &str) -> RowKey {
        let mut mac = self.addresses.clone();
        mac.update(address.as_bytes());
        RowKey::from_bytes(mac.finalize().into_bytes().into())
    }

    /// The key of the guesses at codes of an account.
    #[must_use]
    pub fn key_of_codes(&self, account: &AccountId) -> RowKey {
        self.key_of_address(&format!("codes of {account}"))
    }

    /// What secrets of authenticators are made of.
    #[must_use]
    pub const fn authenticators(&self) -> &AuthenticatorKey {
        &self.authenticators
    }

    /// The MAC of logins that wait for their second factor.
    pub(super) fn logins(&self) -> Hmac<Sha256> {
        self.logins.clone()
    }

    /// The key by which addresses of mails are sealed while they wait.
    #[must_use]
    pub const fn mails(&self) -> &Secret {
        &self.mails
    }

    /// The MAC of cookies of browsers that are known.
    pub(super) fn devices(&self) -> Hmac<Sha256> {
        self.devices.clone()
    }

    /// The MAC of challenges of passkeys.
    pub(super) fn challenges(&self) -> Hmac<Sha256> {
        self.challenges.clone()
    }
}

/// The ids alone.
impl fmt::Debug for AccountSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.peppers, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::new(vec![byte; 32])
    }

    #[test]
    fn the_lowest_id_names_the_rows_whatever_else_is_there() {
        let name = LoginName::parse("ada@example.com").unwrap();
        let one = AccountSecrets::new(vec![(1, secret(1))]).unwrap();
        let two = AccountSecrets::new(vec![(2, secret(2)), (1, secret(1))]).unwrap();
        let other = AccountSecrets::new(vec![(2, secret(2))]).unwrap();
        assert_eq!(one.key_of_name(&name), two.key_of_name(&name));
        assert_eq!(one.key_of_address("192.0.2.1"), two.key_of_address("192.0.2.1"));
        assert_ne!(one.key_of_name(&name), other.key_of_name(&name));
        assert_eq!(format!("{two:?}"), "[1, 2]");
    }

    #[test]
    fn faults_are_named() {
        for (secrets, message) in [
            (vec![], "secrets: expected a non-empty list"),
            (
                vec![(1, Secret::new(vec![7; 31]))],
                "secrets[0].secret: secret has 31 bytes, expected at least 32",
            ),
            (vec![(1, secret(1)), (1, secret(2))], "secrets[1].id: id 1 is given twice"),
        ] {
            assert_eq!(AccountSecrets::new(secrets).unwrap_err().to_string(), message);
        }
    }
}
