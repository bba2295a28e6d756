//! The authenticator of an account: its secret, which is kept nowhere, and how it comes to count.
//!
//! The secret is made of a key of the gate, the account and a salt in the row: a copy of the rows shows none.

use core::fmt;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::totp::{self, Step};
use crate::{secret::Secret, session::Opaque, time::UnixTime};

/// How long somebody may take to type the first code.
const CONFIRM_SECS: u64 = 600;

/// What the secret of an authenticator is made of, beside the key and the account.
pub type Salt = Opaque<16>;

/// What secrets are made of.
pub struct AuthenticatorKey(Hmac<Sha256>);

impl AuthenticatorKey {
    /// Takes the key over.
    pub(super) const fn new(key: Hmac<Sha256>) -> Self {
        Self(key)
    }

    /// The secret of an authenticator.
    #[must_use]
    pub fn secret(&self, account: &Opaque<16>, salt: &Salt) -> Secret {
        let mut mac = self.0.clone();
        mac.update(account.as_bytes());
        mac.update(salt.as_bytes());
        let mut bytes = mac.finalize().into_bytes().to_vec();
        bytes.truncate(totp::SECRET_BYTES);
        Secret::new(bytes)
    }
}

/// Shows nothing.
impl fmt::Debug for AuthenticatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthenticatorKey(_)")
    }
}

/// One that shows codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticator {
    salt: Salt,
    /// The last step whose code was used.
    last: Step,
}

impl Authenticator {
    /// Whether this is its code. A step counts once.
    #[must_use]
    pub fn take(&mut self, code: &str, secret_of: impl Fn(&Salt) -> Secret, now: UnixTime) -> bool {
        let step = totp::check(&secret_of(&self.salt), code, Some(self.last), now);
        self.last = step.unwrap_or(self.last);
        step.is_some()
    }
}

/// One that has shown no code yet, so that it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    salt: Salt,
    until: UnixTime,
}

impl Unconfirmed {
    /// One that is set up now.
    #[must_use]
    pub const fn new(salt: Salt, now: UnixTime) -> Self {
        Self { salt, until: now.saturating_add(CONFIRM_SECS) }
    }

    /// The authenticator that has shown its first code in time.
    #[must_use]
    pub fn confirmed(
        &self,
        code: &str,
        secret_of: impl Fn(&Salt) -> Secret,
        now: UnixTime,
    ) -> Option<Authenticator> {
        let Self { salt, until } = *self;
        let last = totp::check(&secret_of(&salt), code, None, now).filter(|_| now < until)?;
        Some(Authenticator { salt, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const SALT: Salt = Salt::from_bytes([8; 16]);
    const ADA: Opaque<16> = Opaque::from_bytes([1; 16]);

    fn secret(salt: &Salt) -> Secret {
        AuthenticatorKey::new(Hmac::new_from_slice(&[7; 32]).unwrap()).secret(&ADA, salt)
    }

    #[test]
    fn each_account_and_each_salt_has_a_secret_of_its_own() {
        let key = AuthenticatorKey::new(Hmac::new_from_slice(&[7; 32]).unwrap());
        let of = |account: u8, salt: u8| {
            let (account, salt) = (Opaque::from_bytes([account; 16]), Salt::from_bytes([salt; 16]));
            key.secret(&account, &salt).expose_secret().to_vec()
        };
        assert_eq!(of(1, 1), of(1, 1));
        assert_eq!(of(1, 1).len(), totp::SECRET_BYTES);
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
    }

    #[test]
    fn the_first_code_is_in_time_and_counts_once() {
        let unconfirmed = Unconfirmed::new(SALT, NOW);
        let code = totp::shown(&secret(&SALT), NOW);
        let mut confirmed = unconfirmed.confirmed(&code, secret, NOW).unwrap();
        assert!(!confirmed.take(&code, secret, NOW));
        let next = NOW.saturating_add(30);
        assert!(confirmed.take(&totp::shown(&secret(&SALT), next), secret, next));
        assert!(!confirmed.take(&code, secret, next), "an earlier step is over");
        let late = NOW.saturating_add(CONFIRM_SECS);
        let code = totp::shown(&secret(&SALT), late);
        assert_eq!(unconfirmed.confirmed(&code, secret, late), None);
        assert!(unconfirmed.confirmed("000000", |_| Secret::new(vec![0; 20]), NOW).is_none());
    }
}
