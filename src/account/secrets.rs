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
use crate::{
    error::Error,
    secret::Secret,
    session::{Opaque, secrets::hkdf},
};

/// As long as the hash (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Separates these keys from all others that anybody derives from the same secret.
const SALT: &[u8] = b"edgegate-accounts-v1";

/// By which two are known to have the same secret, in so many bytes.
const MARK_BYTES: usize = 6;

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
    marks: Vec<(u8, Opaque<MARK_BYTES>)>,
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
        let mark = |secret: &Secret| {
            let derived = derived(secret, "mark")?;
            derived.expose_secret().first_chunk().map(|mark| Opaque::from_bytes(*mark))
        };
        let marks: Option<Vec<_>> =
            secrets.iter().map(|(id, secret)| Some((*id, mark(secret)?))).collect();
        Ok(Self {
            marks: marks.ok_or_else(unusable)?,
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

    /// Says which secrets these are, and tells nothing of them: to whoever keeps the rows with secrets of its own.
    #[must_use]
    pub fn marks(&self) -> String {
        let marks = self.marks.iter().map(|(id, mark)| format!("{id}={mark}"));
        marks.collect::<Vec<_>>().join(",")
    }

    /// The id under which whoever has these marks has another secret. With it nobody would be found, or let in, once one of the two is
    /// mended. Ids that only one of them has are no matter: a secret that was just added.
    #[must_use]
    pub fn other_secret(&self, marks: &str) -> Option<u8> {
        let differs = |(id, mark): &&(u8, Opaque<MARK_BYTES>)| {
            let (id, mark) = (format!("{id}="), mark.to_string());
            let theirs = marks.split(',').find_map(|one| one.strip_prefix(id.as_str()));
            theirs.is_some_and(|theirs| theirs != mark)
        };
        self.marks.iter().find(differs).map(|(id, _)| *id)
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
    fn two_who_have_another_secret_of_one_id_know_it() {
        let of = |secrets| AccountSecrets::new(secrets).unwrap();
        let (one, other) = (of(vec![(1, secret(1))]), of(vec![(1, secret(2))]));
        let more = of(vec![(1, secret(1)), (2, secret(2)), (11, secret(3))]);
        let wrong = of(vec![(1, secret(1)), (2, secret(3))]);
        for (ours, theirs, id) in [
            (&one, &one, None),
            (&one, &more, None),
            (&more, &one, None),
            (&one, &other, Some(1)),
            (&more, &wrong, Some(2)),
        ] {
            assert_eq!(ours.other_secret(&theirs.marks()), id, "{}", theirs.marks());
        }
        assert_eq!(more.marks().len(), "1=AAAAAAAA,2=AAAAAAAA,11=AAAAAAAA".len());
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
