//! A login whose password or link was right, and which waits for the second factor. Nothing is stored of it: whoever logs in holds it.
//!
//! ```text
//! mfa_token = base64url( version 1 · account 16 · versions of password and factors 4 + 4 · number 16 · end 8 · kind 1 · tag 32 )
//! ```
//! Numbers are big-endian. The tag is an HMAC-SHA256 of all before it. It is no credential: it only shows that a password or a link was right, a
//! moment ago. What the row of the account says counts: a new password, or other factors, and it is over.

use hmac::Mac as _;
use serde::{Deserialize, Serialize};

use super::{
    row::{AccountState, LoginNumber},
    secrets::AccountSecrets,
};
use crate::{base64url, session::Opaque, time::UnixTime};

/// How long the second factor may take.
pub const LIFETIME_SECS: u32 = 300;

const VERSION: u8 = 1;

const TAG: usize = 32;

/// The bytes before the tag.
const BODY: usize = 50;

/// As many letters as the whole has.
const TEXT: usize = 110;

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// The account's second factor is to be shown.
    Factor,
    /// It has none, and has to set one up.
    SetUp,
}

/// How a login began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// By the password.
    #[default]
    Password,
    /// By a link that came by mail.
    Link,
}

/// A login that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondStep {
    /// Whose password or link was right, and what the account was like.
    pub state: AccountState,
    /// Its name: it ends once.
    pub number: LoginNumber,
    /// Whether the session outlasts the browser.
    pub remember: bool,
    /// How it began.
    #[serde(default)]
    pub first: First,
    /// What it waits for.
    pub awaited: Awaited,
    /// When it is over.
    pub until: UnixTime,
}

impl SecondStep {
    /// What is handed out.
    #[must_use]
    pub fn seal(&self, secrets: &AccountSecrets) -> String {
        let mut bytes = self.body();
        let mut mac = secrets.logins();
        mac.update(&bytes);
        bytes.extend(mac.finalize().into_bytes());
        base64url::encode(&bytes)
    }

    /// Reads what [`SecondStep::seal`] has written; `None` for anything else, and when it is over.
    #[must_use]
    pub fn open(text: &str, secrets: &AccountSecrets, now: UnixTime) -> Option<Self> {
        // Longer texts are not even decoded.
        if text.len() != TEXT {
            return None;
        }
        let bytes = base64url::decode(text)?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        let mut mac = secrets.logins();
        mac.update(body);
        mac.verify_slice(tag).ok()?;
        Self::read(body).filter(|step| now < step.until)
    }

    fn body(&self) -> Vec<u8> {
        let Self { state, number, remember, first, awaited, until } = self;
        let mut bytes = Vec::with_capacity(BODY.saturating_add(TAG));
        bytes.push(VERSION);
        bytes.extend(state.id.as_bytes());
        bytes.extend(state.password_version.to_be_bytes());
        bytes.extend(state.factors_version.to_be_bytes());
        bytes.extend(number.as_bytes());
        bytes.extend(until.as_secs().to_be_bytes());
        let is_set_up = u8::from(*awaited == Awaited::SetUp) << 1;
        bytes.push(u8::from(*remember) | is_set_up | (u8::from(*first == First::Link) << 2));
        bytes
    }

    fn read(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let [VERSION] = take(&mut rest)? else { return None };
        let state = AccountState {
            id: Opaque::from_bytes(take(&mut rest)?),
            password_version: u32::from_be_bytes(take(&mut rest)?),
            factors_version: u32::from_be_bytes(take(&mut rest)?),
        };
        let number = Opaque::from_bytes(take(&mut rest)?);
        let until = UnixTime::from_secs(i64::from_be_bytes(take(&mut rest)?));
        let [kind @ 0..=7] = take(&mut rest)? else { return None };
        let awaited = if kind & 2 == 0 { Awaited::Factor } else { Awaited::SetUp };
        let first = if kind & 4 == 0 { First::Password } else { First::Link };
        let remember = kind & 1 == 1;
        rest.is_empty().then_some(Self { state, number, remember, first, awaited, until })
    }
}

/// The first bytes, which are gone from what is left.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn secrets(byte: u8) -> AccountSecrets {
        AccountSecrets::new(vec![(1, Secret::new(vec![byte; 32]))]).unwrap()
    }

    fn step() -> SecondStep {
        let id = Opaque::from_bytes([5; 16]);
        SecondStep {
            state: AccountState { id, password_version: 3, factors_version: 7 },
            number: Opaque::from_bytes([9; 16]),
            remember: true,
            first: First::Link,
            awaited: Awaited::Factor,
            until: NOW.saturating_add(LIFETIME_SECS.into()),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_until_it_is_over() {
        for (remember, awaited) in [
            (true, Awaited::Factor),
            (false, Awaited::Factor),
            (true, Awaited::SetUp),
            (false, Awaited::SetUp),
        ] {
            let first = if remember { First::Password } else { First::Link };
            let step = SecondStep { remember, first, awaited, ..step() };
            let text = step.seal(&secrets(1));
            assert_eq!(text.len(), TEXT);
            assert_eq!(SecondStep::open(&text, &secrets(1), NOW), Some(step));
            assert_eq!(SecondStep::open(&text, &secrets(2), NOW), None);
            assert_eq!(SecondStep::open(&text, &secrets(1), step.until), None);
        }
    }

    #[test]
    fn each_letter_counts() {
        let text = step().seal(&secrets(1));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(SecondStep::open(&changed, &secrets(1), NOW), None, "{at}");
        }
        for other in ["", text.get(1..).unwrap(), &format!("{text}A"), &format!("{text}="), "é"] {
            assert_eq!(SecondStep::open(other, &secrets(1), NOW), None);
        }
    }
}
