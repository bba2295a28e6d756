//! What was taken back before its time: tokens, sessions, subjects, issuers, API keys.
//!
//! A revocation is an [`Entry`] under a [`DenyKey`]. Both are made from verified identity (issuer and `jti`, issuer
//! and `sub`, …), never from the text of a token or its hash: an ECDSA signature has a second valid
//! spelling, so a list of texts can be walked around.
//!
//! A request asks for [`Revocable::deny_keys`], the store looks them up, and [`verdict`] decides.

mod deny_key;
mod entry;

pub use self::deny_key::{DenyKey, Target};
pub use self::entry::{
    CLOCK_MARGIN_SECS, DEFAULT_LIFETIME_SECS, ENTRY_VERSION, Entry, EntryRequest, NewRevocation,
    TokenRevocation,
};

use crate::api_key::KeyId;
use crate::error::Error;
use crate::time::UnixTime;

/// A verified credential, as far as revocation is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocable<'a> {
    /// A token whose signature and claims held.
    Token {
        /// Its issuer.
        iss: &'a str,
        /// Its id.
        jti: Option<&'a str>,
        /// Its subject.
        sub: Option<&'a str>,
        /// Its session (OpenID Connect Front-Channel Logout 1.0 §3).
        sid: Option<&'a str>,
        /// Its `iat`, which cut-offs look at.
        issued_at: Option<UnixTime>,
    },
    /// An API key whose tag held, or an imported one that was found.
    ApiKey {
        /// Its id.
        id: KeyId,
    },
}

impl Revocable<'_> {
    /// What would revoke it, in the order in which [`verdict`] names it.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        match *self {
            Self::Token { iss, jti, sub, sid, .. } => [
                jti.map(|jti| Target::Token { iss: iss.to_owned(), jti: jti.to_owned() }),
                sid.map(|sid| Target::Session { iss: iss.to_owned(), sid: sid.to_owned() }),
                sub.map(|sub| Target::Subject { iss: iss.to_owned(), sub: sub.to_owned() }),
                Some(Target::Issuer { iss: iss.to_owned() }),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::ApiKey { id } => vec![Target::ApiKey { id }],
        }
    }

    /// The keys to look up: of the token (`jti`), the session, the subject, the issuer, in this order and as far
    /// as the token has them, so one to four; or the one of the API key.
    #[must_use]
    pub fn deny_keys(&self) -> Vec<DenyKey> {
        self.targets().iter().map(Target::deny_key).collect()
    }

    const fn issued_at(&self) -> Option<UnixTime> {
        match *self {
            Self::Token { issued_at, .. } => issued_at,
            Self::ApiKey { .. } => None,
        }
    }
}

/// Decides from the entries that were found under [`Revocable::deny_keys`], in any order.
///
/// An entry counts if it is about this credential, its end has not come (`until > now`), and, where it has a
/// cut-off, the token was issued before it ([`Entry::applies_to`]).
///
/// # Errors
/// [`Error::TokenRevoked`] with `by` as `jti`, `session`, `subject` or `issuer` (the first of these that applies), or
/// [`Error::ApiKeyRevoked`].
pub fn verdict<'e>(
    credential: &Revocable<'_>,
    entries: impl IntoIterator<Item = &'e Entry>,
    now: UnixTime,
) -> Result<(), Error> {
    let targets = credential.targets();
    let found = entries
        .into_iter()
        .filter(|entry| entry.is_in_force(now) && entry.applies_to(credential.issued_at()))
        .filter_map(|entry| targets.iter().position(|target| target == entry.target()))
        .min()
        .and_then(|position| targets.get(position));
    match found {
        None => Ok(()),
        Some(Target::ApiKey { .. }) => Err(Error::ApiKeyRevoked),
        Some(target) => Err(Error::TokenRevoked { by: target.kind() }),
    }
}
