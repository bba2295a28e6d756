//! The texts of refresh tokens and tickets.
//!
//! ```text
//! edgegate_rt_  base64url( version · key id · object 32 · session 12 · generation 4 · absolute end 8 · salt 8 · tag 16 )
//! edgegate_st_  base64url( version · key id · object 32 · nonce 16 · end 8 · tag 16 )
//! ```
//! Numbers are big-endian. The tag is the first half of an HMAC-SHA-256 of everything before it. It is compared in constant time and
//! before any I/O, so that a forged token costs nothing that others share. A token names its object; nobody but the gate can make one,
//! so a genuine token whose row is older than itself was issued, and the store was put back.

use core::fmt;

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use super::{
    id::{ObjectName, Opaque, Salt, SessionId, TicketHash},
    secrets::{Purpose, SessionSecrets},
};
use crate::{base64url, error::Error, time::UnixTime};

/// What refresh tokens begin with, for scanners of secrets.
pub const REFRESH_PREFIX: &str = "edgegate_rt_";

/// What tickets begin with.
pub const TICKET_PREFIX: &str = "edgegate_st_";

/// The version of both texts.
const VERSION: u8 = 1;

const TAG_BYTES: usize = 16;

/// How far an isolate's clock may be ahead of the object's. The object decides about ends; an isolate refuses by its own clock only
/// what is over by more than this.
const CLOCK_MARGIN_SECS: u64 = 300;

/// A genuine refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Which secret sealed it.
    pub key_id: u8,
    /// The object of its subject.
    pub object: ObjectName,
    /// The session.
    pub session: SessionId,
    /// How often the session had been refreshed when it was made.
    pub generation: u32,
    /// The end of the session that nothing moves.
    pub absolute_until: UnixTime,
    /// The salt of the session.
    pub salt: Salt,
}

/// A genuine ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The object of its subject.
    pub object: ObjectName,
    /// 128 random bits.
    pub nonce: Opaque<16>,
    /// From then on it is worth nothing.
    pub until: UnixTime,
}

impl RefreshToken {
    const BODY_BYTES: usize = 1 + 1 + 32 + 12 + 4 + 8 + 8;

    /// The text; always the same for the same token.
    ///
    /// # Errors
    /// [`Error::Config`]: its secret is not in the policy any more.
    pub fn seal(&self, secrets: &SessionSecrets) -> Result<String, Error> {
        let body = [
            &[VERSION, self.key_id][..],
            self.object.as_bytes(),
            self.session.as_bytes(),
            &self.generation.to_be_bytes(),
            &self.absolute_until.as_secs().to_be_bytes(),
            self.salt.as_bytes(),
        ]
        .concat();
        seal(REFRESH_PREFIX, body, self.key_id, secrets, Purpose::RefreshToken)
    }

    /// Reads a token that somebody presents.
    ///
    /// # Errors
    /// [`Error::MalformedRefreshToken`] if it has not the form, [`Error::RefreshTokenTag`] if it was not sealed by one of these secrets,
    /// [`Error::SessionEnded`] if the session has long ended.
    pub fn open(text: &str, secrets: &SessionSecrets, now: UnixTime) -> Result<Self, Error> {
        let malformed = Error::MalformedRefreshToken;
        let body =
            open::<{ Self::BODY_BYTES }>(REFRESH_PREFIX, text, secrets, Purpose::RefreshToken)?;
        let mut rest = body.as_slice();
        let token = Self {
            key_id: take::<2>(&mut rest).ok_or(malformed.clone())?[1],
            object: ObjectName::from_bytes(take(&mut rest).ok_or(malformed.clone())?),
            session: SessionId::from_bytes(take(&mut rest).ok_or(malformed.clone())?),
            generation: u32::from_be_bytes(take(&mut rest).ok_or(malformed.clone())?),
            absolute_until: time(take(&mut rest).ok_or(malformed.clone())?),
            salt: Salt::from_bytes(take(&mut rest).ok_or(malformed)?),
        };
        if token.absolute_until.saturating_add(CLOCK_MARGIN_SECS) <= now {
            return Err(Error::SessionEnded);
        }
        Ok(token)
    }

    /// Whether a text is meant to be a refresh token.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(REFRESH_PREFIX)
    }
}

impl Ticket {
    const BODY_BYTES: usize = 1 + 1 + 32 + 16 + 8;

    /// The text, sealed by the newest secret.
    ///
    /// # Errors
    /// As [`RefreshToken::seal`].
    pub fn seal(&self, secrets: &SessionSecrets) -> Result<String, Error> {
        let key_id = secrets.newest_id();
        let body = [
            &[VERSION, key_id][..],
            self.object.as_bytes(),
            self.nonce.as_bytes(),
            &self.until.as_secs().to_be_bytes(),
        ]
        .concat();
        seal(TICKET_PREFIX, body, key_id, secrets, Purpose::Ticket)
    }

    /// Reads a ticket that somebody presents.
    ///
    /// # Errors
    /// As [`RefreshToken::open`].
    pub fn open(text: &str, secrets: &SessionSecrets, now: UnixTime) -> Result<Self, Error> {
        let malformed = Error::MalformedRefreshToken;
        let body = open::<{ Self::BODY_BYTES }>(TICKET_PREFIX, text, secrets, Purpose::Ticket)?;
        let mut rest = body.get(2..).unwrap_or_default();
        let ticket = Self {
            object: ObjectName::from_bytes(take(&mut rest).ok_or(malformed.clone())?),
            nonce: Opaque::from_bytes(take(&mut rest).ok_or(malformed.clone())?),
            until: time(take(&mut rest).ok_or(malformed)?),
        };
        if ticket.until.saturating_add(CLOCK_MARGIN_SECS) <= now {
            return Err(Error::SessionEnded);
        }
        Ok(ticket)
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> TicketHash {
        let mut hash = Sha256::new_with_prefix(b"edgegate-ticket-v1\0");
        hash.update(self.nonce.as_bytes());
        TicketHash::from_bytes(hash.finalize().into())
    }
}

fn time(bytes: [u8; 8]) -> UnixTime {
    UnixTime::from_secs(i64::from_be_bytes(bytes))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

fn seal(
    prefix: &str,
    mut body: Vec<u8>,
    key_id: u8,
    secrets: &SessionSecrets,
    purpose: Purpose,
) -> Result<String, Error> {
    let mut mac = secrets.mac(key_id, purpose).ok_or_else(|| {
        Error::config(
            "sessions.secrets",
            format!("sessions are sealed by id {key_id}, which is gone"),
        )
    })?;
    mac.update(&body);
    body.extend(mac.finalize().into_bytes().iter().take(TAG_BYTES));
    Ok(format!("{prefix}{}", base64url::encode(&body)))
}

/// The bytes before the tag, once the tag holds.
fn open<const N: usize>(
    prefix: &str,
    text: &str,
    secrets: &SessionSecrets,
    purpose: Purpose,
) -> Result<[u8; N], Error> {
    let encoded = text.strip_prefix(prefix).ok_or(Error::MalformedRefreshToken)?;
    // Three bytes are four characters; nothing longer is decoded.
    if encoded.len() > N.saturating_add(TAG_BYTES).saturating_mul(4).div_ceil(3) {
        return Err(Error::MalformedRefreshToken);
    }
    let bytes = base64url::decode(encoded).ok_or(Error::MalformedRefreshToken)?;
    let (body, tag) = bytes.split_first_chunk::<N>().ok_or(Error::MalformedRefreshToken)?;
    let [VERSION, key_id, ..] = body.as_slice() else { return Err(Error::MalformedRefreshToken) };
    if tag.len() != TAG_BYTES {
        return Err(Error::MalformedRefreshToken);
    }
    let mut mac = secrets.mac(*key_id, purpose).ok_or(Error::RefreshTokenTag)?;
    mac.update(body);
    mac.verify_truncated_left(tag).map_err(|_| Error::RefreshTokenTag)?;
    Ok(*body)
}

/// Says which token it is, not what it is.
impl fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} of session {}", self.generation, self.session)
    }
}
