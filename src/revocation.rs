//! What was taken back before its time: tokens, sessions, subjects, issuers, signing keys, API keys.
//!
//! A revocation is an [`Entry`] under a [`DenyKey`]. Both are made from verified identity (issuer and `jti`, issuer
//! and `sub`, …), never from the text of a token or its hash: an ECDSA signature has a second valid
//! spelling, so a list of texts can be walked around.
//!
//! A request asks for [`Revocable::deny_keys`], the store looks them up, and [`verdict`] decides.

pub mod bulk;
mod deny_key;
mod entry;
pub mod filter;
pub mod ledger;
pub mod snapshot;
mod wire;

pub use self::deny_key::{DenyKey, Target};
#[cfg(feature = "describe")]
pub(crate) use self::entry::describe;
pub use self::entry::{
    CLOCK_MARGIN_SECS, DEFAULT_LIFETIME_SECS, ENTRY_VERSION, Entry, EntryRequest, NewRevocation,
    TokenRevocation,
};

use crate::api_key::KeyId;
use crate::error::Error;
use crate::known_digests::Digests;
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
        /// The session at a provider that the gate's own session came of, hashed. It ends as a session of this name.
        login: Option<&'a str>,
        /// The key that verified it, by its own id (never by what the token's header says).
        kid: Option<&'a str>,
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
    /// The keys to look up: of the token (`jti`), the session, the session at a provider, the subject, the issuer, the signing key, in
    /// this order and as far as the token has them, so one to six; or the one of the API key.
    #[must_use]
    pub fn deny_keys(&self) -> Vec<DenyKey> {
        self.deny_keys_by(Digests::COMPUTED)
    }

    /// The same. Those that come again, all but the token's own, need not be hashed again where they are known.
    #[must_use]
    pub fn deny_keys_by(&self, digests: Digests<'_>) -> Vec<DenyKey> {
        match *self {
            Self::Token { iss, jti, sub, sid, login, kid, .. } => [
                jti.map(|jti| DenyKey::of_token(iss, jti)),
                sid.map(|sid| DenyKey::of_session_by(iss, sid, digests)),
                login.map(|login| DenyKey::of_session_by(iss, login, digests)),
                sub.map(|sub| DenyKey::of_subject_by(iss, sub, digests)),
                Some(DenyKey::of_issuer_by(iss, digests)),
                kid.map(|kid| DenyKey::of_signing_key_by(iss, kid, digests)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::ApiKey { id } => vec![DenyKey::of_api_key_by(id, digests)],
        }
    }

    /// If the entry revokes this credential: where it stands in the order of [`deny_keys`](Self::deny_keys),
    /// and the error.
    fn revoked_by(&self, entry: &Entry) -> Option<(u8, Error)> {
        let (place, issued_at) = match (*self, entry.target()) {
            (Self::ApiKey { id }, Target::ApiKey { id: revoked }) => {
                return (id == *revoked).then_some((0, Error::ApiKeyRevoked));
            }
            (Self::Token { iss, jti, issued_at, .. }, Target::Token { iss: of, jti: revoked }) => {
                ((iss == of && jti == Some(revoked)).then_some(0), issued_at)
            }
            (
                Self::Token { iss, sid, login, issued_at, .. },
                Target::Session { iss: of, sid: ended },
            ) => {
                let names_it = sid == Some(ended) || login == Some(ended);
                ((iss == of && names_it).then_some(1), issued_at)
            }
            (Self::Token { iss, sub, issued_at, .. }, Target::Subject { iss: of, sub: out }) => {
                ((iss == of && sub == Some(out)).then_some(2), issued_at)
            }
            (Self::Token { iss, issued_at, .. }, Target::Issuer { iss: of }) => {
                ((iss == of).then_some(3), issued_at)
            }
            (Self::Token { iss, kid, issued_at, .. }, Target::SigningKey { iss: of, kid: out }) => {
                ((iss == of && kid == Some(out)).then_some(4), issued_at)
            }
            _ => (None, None),
        };
        let revoked = Error::TokenRevoked { by: entry.target().kind() };
        place.filter(|_| entry.applies_to(issued_at)).map(|place| (place, revoked))
    }
}

/// Decides from the entries that were found under [`Revocable::deny_keys`], in any order.
///
/// An entry counts if it is about this credential, its end has not come (`until > now`), and, where it has a
/// cut-off, the token was issued before it ([`Entry::applies_to`]).
///
/// # Errors
/// [`Error::TokenRevoked`] with `by` as `jti`, `session`, `subject`, `issuer` or `signing_key` (the first of these
/// that applies), or [`Error::ApiKeyRevoked`].
pub fn verdict<'e>(
    credential: &Revocable<'_>,
    entries: impl IntoIterator<Item = &'e Entry>,
    now: UnixTime,
) -> Result<(), Error> {
    entries
        .into_iter()
        .filter(|entry| entry.is_in_force(now))
        .filter_map(|entry| credential.revoked_by(entry))
        .min_by_key(|(place, _)| *place)
        .map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{known_digests::KnownDigests, time::UnixMillis};

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    const TOKEN: Revocable<'_> = Revocable::Token {
        iss: "i",
        jti: Some("j"),
        sub: Some("s"),
        sid: Some("d"),
        login: Some("p"),
        kid: Some("k"),
        issued_at: Some(UnixTime::from_secs(1_699_999_000)),
    };

    fn entry(json: &str) -> Entry {
        match NewRevocation::parse(json.as_bytes()).unwrap() {
            NewRevocation::Entry(request) => request.entry(NOW).unwrap(),
            NewRevocation::Token(_) => panic!("a token"),
        }
    }

    fn by(by: &'static str) -> Result<(), Error> {
        Err(Error::TokenRevoked { by })
    }

    #[test]
    fn keys_are_asked_for_in_this_order() {
        assert_eq!(
            TOKEN.deny_keys(),
            [
                DenyKey::of_token("i", "j"),
                DenyKey::of_session("i", "d"),
                DenyKey::of_session("i", "p"),
                DenyKey::of_subject("i", "s"),
                DenyKey::of_issuer("i"),
                DenyKey::of_signing_key("i", "k"),
            ]
        );
        let bare = Revocable::Token {
            iss: "i",
            jti: None,
            sub: None,
            sid: None,
            login: None,
            kid: None,
            issued_at: None,
        };
        assert_eq!(bare.deny_keys(), [DenyKey::of_issuer("i")]);
        let id = KeyId::from_bytes([1; 16]);
        assert_eq!(Revocable::ApiKey { id }.deny_keys(), [DenyKey::of_api_key(id)]);
    }

    #[test]
    fn keys_are_the_same_whether_they_are_known_or_not() {
        let memory = KnownDigests::default();
        let now = UnixMillis::from_millis(1_700_000_000_000);
        let api_key = Revocable::ApiKey { id: KeyId::from_bytes([1; 16]) };
        for credential in [TOKEN, api_key, TOKEN, api_key] {
            let digests = Digests::known(Some(&memory), now);
            assert_eq!(credential.deny_keys_by(digests), credential.deny_keys());
        }
    }

    #[test]
    fn every_kind_of_entry_revokes_and_is_found_under_a_key_that_was_asked_for() {
        for (json, kind) in [
            (r#"{"iss": "i", "jti": "j"}"#, "jti"),
            (r#"{"iss": "i", "sid": "d"}"#, "session"),
            (r#"{"iss": "i", "sid": "p"}"#, "session"),
            (r#"{"iss": "i", "sub": "s"}"#, "subject"),
            (r#"{"iss": "i", "all": true}"#, "issuer"),
            (r#"{"iss": "i", "kid": "k"}"#, "signing_key"),
        ] {
            let entry = entry(json);
            assert!(TOKEN.deny_keys().contains(&entry.deny_key()), "{json}");
            assert_eq!(verdict(&TOKEN, [&entry], NOW), by(kind), "{json}");
        }
        let revoked = entry(r#"{"key_id": "01010101010101010101010101010101"}"#);
        let key = |byte| Revocable::ApiKey { id: KeyId::from_bytes([byte; 16]) };
        assert_eq!(verdict(&key(1), [&revoked], NOW), Err(Error::ApiKeyRevoked));
        assert_eq!(verdict(&key(2), [&revoked], NOW), Ok(()));
    }

    #[test]
    fn the_narrowest_entry_is_named_whatever_the_order() {
        let (issuer, session) =
            (entry(r#"{"iss": "i", "all": true}"#), entry(r#"{"iss": "i", "sid": "d"}"#));
        assert_eq!(verdict(&TOKEN, [&issuer, &session], NOW), by("session"));
        assert_eq!(verdict(&TOKEN, [&session, &issuer], NOW), by("session"));
        assert_eq!(verdict(&TOKEN, [], NOW), Ok(()));
    }

    #[test]
    fn entries_about_others_over_or_cut_off_earlier_do_not_count() {
        for json in [
            r#"{"iss": "other", "jti": "j"}"#,
            r#"{"iss": "i", "jti": "other"}"#,
            r#"{"iss": "i", "sid": "j"}"#,
            r#"{"iss": "i", "kid": "j"}"#,
            r#"{"iss": "other", "kid": "k"}"#,
            r#"{"iss": "i", "sub": "s", "before": 1699999000}"#,
            r#"{"iss": "i", "all": true, "before": 1699999000}"#,
            r#"{"key_id": "01010101010101010101010101010101"}"#,
        ] {
            assert_eq!(verdict(&TOKEN, [&entry(json)], NOW), Ok(()), "{json}");
        }
        let short = entry(r#"{"iss": "i", "sub": "s", "expires_in_secs": 60}"#);
        assert_eq!(verdict(&TOKEN, [&short], NOW.saturating_add(59)), by("subject"));
        assert_eq!(verdict(&TOKEN, [&short], NOW.saturating_add(60)), Ok(()));
    }

    #[test]
    fn a_token_without_iat_is_older_than_every_cut_off() {
        let token = Revocable::Token {
            iss: "i",
            jti: None,
            sub: Some("s"),
            sid: None,
            login: None,
            kid: None,
            issued_at: None,
        };
        let entry = entry(r#"{"iss": "i", "sub": "s", "before": 0}"#);
        assert_eq!(verdict(&token, [&entry], NOW), by("subject"));
    }
}
