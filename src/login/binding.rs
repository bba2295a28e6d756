//! The cookie that ties a login to the browser which began it, and the two secrets of an attempt that follow from it.
//!
//! The cookie holds 128 random bits and nothing else. It is set once and kept, so that logins in several tabs do not disturb each other.
//! PKCE's verifier and the nonce are computed from it and the transaction's number whenever they are needed: they are stored nowhere, and
//! who has seen `state` on its way cannot compute them.

use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

use sha2::{Digest as _, Sha256};

use crate::{
    base64url,
    session::{
        BrowserName, Opaque,
        secrets::{Purpose, SessionSecrets},
    },
};

/// Browsers take a `__Host-` cookie only with `Secure`, for `/`, and for this host alone, so no sibling domain can plant one.
pub const COOKIE: &str = "__Host-edgegate-b";

/// Always `Lax`: the provider's answer is a navigation from its site. It ends with the browser's session.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// The number of an attempt: 128 random bits.
pub type TransactionId = Opaque<16>;

/// The random bits of a browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(Opaque<16>);

/// What an attempt has to prove at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct AttemptSecrets {
    /// `code_verifier` (RFC 7636 §4.1): 43 characters.
    pub verifier: String,
    /// `nonce` (OpenID Connect Core 1.0 §3.1.2.1): 43 characters.
    pub nonce: String,
}

impl Binding {
    /// One of random bits.
    #[must_use]
    pub const fn from_bytes(random: [u8; 16]) -> Self {
        Self(Opaque::from_bytes(random))
    }

    /// Reads the value of the cookie; `None` for anything that the gate does not write.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        Opaque::parse(value).map(Self)
    }

    /// The value of `Set-Cookie`.
    #[must_use]
    pub fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; {ATTRIBUTES}", self.0)
    }

    /// What `state` is sealed for: a hash, so that no sealed text is about the bits themselves.
    #[must_use]
    pub fn associated_data(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"edgegate-login-binding-v1\0");
        hash.update(self.0.as_bytes());
        hash.finalize().into()
    }

    /// What the session of a login remembers of its browser.
    #[must_use]
    pub fn browser(&self) -> BrowserName {
        BrowserName::hash("edgegate-login-browser-v1", &[&self.0.to_string()])
    }

    /// The secrets of one attempt of this browser; `None` if the secret with this id is gone.
    #[must_use]
    pub fn attempt(
        &self,
        transaction: TransactionId,
        (secrets, key_id): (&SessionSecrets, u8),
    ) -> Option<AttemptSecrets> {
        let derived = |label: &[u8]| {
            let mut mac = secrets.mac(key_id, Purpose::LoginAttempt)?;
            // Each part has a fixed length but for the label, which comes first and has an end.
            for part in [label, b"\0", self.0.as_bytes(), transaction.as_bytes()] {
                mac.update(part);
            }
            Some(base64url::encode(&mac.finalize().into_bytes()))
        };
        Some(AttemptSecrets { verifier: derived(b"verifier")?, nonce: derived(b"nonce")? })
    }
}

impl AttemptSecrets {
    /// `code_challenge` of the method S256 (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        base64url::encode(&Sha256::digest(&self.verifier))
    }

    /// Whether a token has the nonce of this attempt.
    #[must_use]
    pub fn has_nonce(&self, presented: &str) -> bool {
        self.nonce.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// Shows nothing: both are secrets.
impl core::fmt::Debug for Binding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Binding(..)")
    }
}

/// Shows nothing.
impl core::fmt::Debug for AttemptSecrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AttemptSecrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn secrets(ids: &[u8]) -> SessionSecrets {
        let one = |id: &u8| (*id, Secret::new(vec![*id; 32]));
        SessionSecrets::new(ids.iter().map(one).collect()).unwrap()
    }

    fn attempt(binding: u8, transaction: u8, key_id: u8) -> AttemptSecrets {
        let binding = Binding::from_bytes([binding; 16]);
        let transaction = TransactionId::from_bytes([transaction; 16]);
        binding.attempt(transaction, (&secrets(&[1, 2]), key_id)).unwrap()
    }

    #[test]
    fn the_cookie_has_forty_bytes_and_one_spelling() {
        let binding = Binding::from_bytes([7; 16]);
        let cookie = binding.set_cookie();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!((pair.len(), attributes), (40, ATTRIBUTES));
        let value = pair.strip_prefix("__Host-edgegate-b=").unwrap();
        assert_eq!(Binding::parse(value), Some(binding));
        for other in
            ["", "BwcH", &format!("{value}A"), &format!("{value}="), value.trim_start_matches('B')]
        {
            assert_eq!(Binding::parse(other), None, "{other}");
        }
    }

    #[test]
    fn secrets_differ_by_browser_attempt_and_key_and_are_the_same_again() {
        let one = attempt(1, 1, 1);
        assert_eq!(one, attempt(1, 1, 1));
        assert_eq!((one.verifier.len(), one.nonce.len()), (43, 43));
        assert_ne!(one.verifier, one.nonce);
        for other in [attempt(2, 1, 1), attempt(1, 2, 1), attempt(1, 1, 2)] {
            assert!(other.verifier != one.verifier && other.nonce != one.nonce);
            assert!(one.has_nonce(&one.nonce) && !one.has_nonce(&other.nonce));
        }
        assert!(!one.has_nonce("") && !one.has_nonce(one.nonce.split_at(1).1));
    }

    #[test]
    fn without_the_secret_there_are_none() {
        let binding = Binding::from_bytes([1; 16]);
        let transaction = TransactionId::from_bytes([1; 16]);
        assert_eq!(binding.attempt(transaction, (&secrets(&[1]), 2)), None);
    }

    /// RFC 7636 appendix B.
    #[test]
    fn the_challenge_is_s256() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let attempt = AttemptSecrets { verifier, nonce: String::new() };
        assert_eq!(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
