//! What `state` carries through the provider: which attempt of which browser this is, and where it returns to.
//!
//! ```text
//! state  =  key id "." outer
//! outer  =  sealed( version · attempt · place 8 · return path · inner ),   additional data: "edgegate-login-state-v1", key id
//! inner  =  sealed( version · transaction 16 · began 8 · kind · … ),   additional data: the browser's binding, key id
//! ```
//! Sealed is AES-256-GCM, which the edge computes; the outer text is in base64url. The inner part opens only in the browser that began the
//! attempt. The outer one opens without it, so that an attempt whose cookie was lost can be begun again, and so that there is an end to
//! that. Numbers are big-endian, texts have their length before them.

use super::{
    binding::{Binding, TransactionId},
    return_path::MAX_LENGTH as MAX_RETURN_PATH,
    sealed,
};
use crate::{
    session::{Place, SessionId},
    time::UnixTime,
};

/// How long an attempt may take.
pub const LIFETIME_SECS: u64 = 600;

/// How long a transaction that has come to its end is remembered beyond its life: clocks of isolates may be a minute wrong.
pub const REMEMBERED_SECS: u64 = 60;

/// How often an attempt is begun again without a word to the user.
pub const MAX_RETRIES: u8 = 1;

/// The longest `state`; nothing longer is opened.
pub const MAX_STATE_LENGTH: usize = 4096;

/// In the place of the count: it never is begun again, neither by itself nor by the button of a page. An account is connected by a form of
/// the site alone, and a login in its place could be somebody else's.
pub const NO_RETRY: u8 = u8::MAX;

const VERSION: u8 = 1;

/// Of an envelope that says where it was begun.
const WITH_PLACE: u8 = 2;

/// What opens in the browser that began the attempt alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number.
    pub transaction: TransactionId,
    /// When it began.
    pub began_at: UnixTime,
    /// The provider that it went to: an answer at the callback of another one is not its.
    pub provider: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What the provider was asked to see to.
    pub asked: Asked,
}

/// What an attempt is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A login.
    LogIn,
    /// Whoever is logged in connects an account at the provider. The callback has to come in the same session.
    Connect {
        /// `sub` of whom.
        owner: String,
        /// The session.
        session: SessionId,
    },
    /// Whoever is logged in proves it again (RFC 9470). The account has to be the same one.
    StepUp {
        /// `sub` of whom.
        owner: String,
        /// The session, which goes on under a new name.
        session: SessionId,
    },
}

/// What the provider was asked to see to; the ID token has to show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// How long ago the user may have proven who it is, in seconds.
    pub max_age_secs: Option<u32>,
    /// The classes of proof, any of which will do (`acr_values`).
    pub acr_values: Vec<String>,
    /// Whether the session outlives the browser.
    pub remember: bool,
}

/// What opens without the cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// How often this attempt was begun again, or [`NO_RETRY`].
    pub retries: u8,
    /// Where it returns to.
    pub return_path: String,
    /// Where the browser was that began it; `None`: an envelope of before.
    pub place: Option<Place>,
    /// The sealed [`Attempt`].
    pub inner: Vec<u8>,
}

impl Attempt {
    /// What is sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.transaction.as_bytes());
        bytes.extend(self.began_at.as_secs().to_be_bytes());
        put(&mut bytes, &self.provider);
        let (kind, owner, session) = match &self.purpose {
            Purpose::LogIn => (0, "", None),
            Purpose::Connect { owner, session } => (1, owner.as_str(), Some(session)),
            Purpose::StepUp { owner, session } => (2, owner.as_str(), Some(session)),
        };
        bytes.push(kind);
        if let Some(session) = session {
            put(&mut bytes, owner);
            bytes.extend(session.as_bytes());
        }
        bytes.push(u8::from(self.asked.remember));
        bytes.extend(self.asked.max_age_secs.unwrap_or(u32::MAX).to_be_bytes());
        put(&mut bytes, &self.asked.acr_values.join(" "));
        bytes
    }

    /// Reads what was sealed; `None`: by another version of the gate.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [VERSION] = take::<1>(&mut rest)? else { return None };
        let transaction = TransactionId::from_bytes(take(&mut rest)?);
        let began_at = UnixTime::from_secs(i64::from_be_bytes(take(&mut rest)?));
        let provider = text(&mut rest)?;
        let purpose = match take::<1>(&mut rest)? {
            [0] => Purpose::LogIn,
            [kind @ (1 | 2)] => {
                let owner = text(&mut rest)?;
                let session = SessionId::from_bytes(take(&mut rest)?);
                match kind {
                    1 => Purpose::Connect { owner, session },
                    _ => Purpose::StepUp { owner, session },
                }
            }
            _ => return None,
        };
        let [remember] = take::<1>(&mut rest)?;
        let max_age_secs = u32::from_be_bytes(take(&mut rest)?);
        let acr_values = text(&mut rest)?;
        let asked = Asked {
            max_age_secs: (max_age_secs != u32::MAX).then_some(max_age_secs),
            acr_values: acr_values.split_whitespace().map(str::to_owned).collect(),
            remember: remember == 1,
        };
        rest.is_empty().then_some(Self { transaction, began_at, provider, purpose, asked })
    }

    /// The additional data of the inner seal.
    #[must_use]
    pub fn associated_data(binding: &Binding, key_id: u8) -> Vec<u8> {
        [b"edgegate-login-attempt-v1\0".as_slice(), &[key_id], &binding.associated_data()].concat()
    }

    /// Whether it may still come to its end. An attempt that begins in the future was sealed by an isolate whose clock is ahead.
    #[must_use]
    pub fn is_alive(&self, now: UnixTime) -> bool {
        now < self.ends_at() && self.began_at <= now.saturating_add(REMEMBERED_SECS)
    }

    /// Until when it may come to its end.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.began_at.saturating_add(LIFETIME_SECS)
    }

    /// Until when it is remembered that it has.
    #[must_use]
    pub const fn remembered_until(&self) -> UnixTime {
        self.ends_at().saturating_add(REMEMBERED_SECS)
    }
}

impl Envelope {
    /// What is sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = match &self.place {
            None => vec![VERSION, self.retries],
            Some(place) => [[WITH_PLACE, self.retries].as_slice(), place.as_bytes()].concat(),
        };
        put(&mut bytes, &self.return_path);
        bytes.extend(&self.inner);
        bytes
    }

    /// Reads what was sealed; `None`: by another version of the gate.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let (retries, place) = match take::<2>(&mut rest)? {
            [VERSION, retries] => (retries, None),
            [WITH_PLACE, retries] => (retries, Some(Place::from_bytes(take(&mut rest)?))),
            _ => return None,
        };
        let return_path = text(&mut rest)?;
        let inner = rest.to_vec();
        let is_short = return_path.len() <= MAX_RETURN_PATH;
        is_short.then_some(Self { retries, return_path, place, inner })
    }

    /// The additional data of the outer seal.
    #[must_use]
    pub fn associated_data(key_id: u8) -> Vec<u8> {
        [b"edgegate-login-state-v1\0".as_slice(), &[key_id]].concat()
    }

    /// `state`: the id of the secret, and the sealed envelope in base64url.
    #[must_use]
    pub fn state(key_id: u8, sealed: &str) -> String {
        sealed::write(key_id, sealed)
    }

    /// The id of the secret, and what was sealed by it; `None` for anything that is not written so.
    #[must_use]
    pub fn parse_state(state: &str) -> Option<(u8, &str)> {
        sealed::parse(state, MAX_STATE_LENGTH)
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    // What is put here is bounded by the policy, and far shorter.
    let kept = text.get(..text.len().min(usize::from(u16::MAX))).unwrap_or_default();
    bytes.extend(u16::try_from(kept.len()).unwrap_or_default().to_be_bytes());
    bytes.extend(kept.as_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(purpose: Purpose, asked: Asked) -> Attempt {
        Attempt {
            transaction: TransactionId::from_bytes([3; 16]),
            began_at: UnixTime::from_secs(1_800_000_000),
            provider: "google".to_owned(),
            purpose,
            asked,
        }
    }

    #[test]
    fn an_attempt_is_read_as_it_was_written() {
        let session = SessionId::from_bytes([9; 12]);
        let owner = "google|12345".to_owned();
        let purposes = [
            Purpose::LogIn,
            Purpose::Connect { owner: owner.clone(), session },
            Purpose::StepUp { owner, session },
        ];
        let asked = [
            Asked::default(),
            Asked {
                max_age_secs: Some(300),
                acr_values: vec!["gold".to_owned(), "urn:silver".to_owned()],
                remember: true,
            },
        ];
        for purpose in purposes {
            for asked in &asked {
                let attempt = attempt(purpose.clone(), asked.clone());
                let bytes = attempt.to_bytes();
                assert_eq!(Attempt::from_bytes(&bytes), Some(attempt));
                for length in 0..bytes.len() {
                    assert_eq!(Attempt::from_bytes(&bytes[..length]), None, "{length}");
                }
                assert_eq!(Attempt::from_bytes(&[&bytes[..], b"x"].concat()), None);
                assert_eq!(Attempt::from_bytes(&[&[2], &bytes[1..]].concat()), None);
            }
        }
    }

    #[test]
    fn it_lives_for_ten_minutes() {
        let attempt = attempt(Purpose::LogIn, Asked::default());
        let at = |secs: i64| UnixTime::from_secs(1_800_000_000 + secs);
        for (secs, lives) in [(-61, false), (-60, true), (0, true), (599, true), (600, false)] {
            assert_eq!(attempt.is_alive(at(secs)), lives, "{secs}");
        }
        assert_eq!(attempt.remembered_until(), at(660));
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let return_path = "/a?b".to_owned();
        let of_before = Envelope { retries: 1, return_path, place: None, inner: vec![1, 2, 3] };
        let envelope = Envelope { place: Some(Place::from_bytes([5; 8])), ..of_before.clone() };
        for envelope in [&of_before, &envelope] {
            assert_eq!(Envelope::from_bytes(&envelope.to_bytes()).as_ref(), Some(envelope));
        }
        assert_eq!(Envelope::from_bytes(&[3, 1, 0, 0]), None);
        assert_eq!(Envelope::from_bytes(&[]), None);
        let long = Envelope { return_path: "a".repeat(MAX_RETURN_PATH + 1), ..envelope };
        assert_eq!(Envelope::from_bytes(&long.to_bytes()), None);
    }

    #[test]
    fn a_state_has_one_spelling() {
        assert_eq!(Envelope::parse_state(&Envelope::state(7, "Ab-_")), Some((7, "Ab-_")));
        for state in
            ["", ".", "7", "7.", ".Ab", "07.Ab", "+7.Ab", "256.Ab", "7.A b", "7.A=", "7.A.b"]
        {
            assert_eq!(Envelope::parse_state(state), None, "{state}");
        }
        let long = format!("7.{}", "a".repeat(MAX_STATE_LENGTH));
        assert_eq!(Envelope::parse_state(&long), None);
    }
}
