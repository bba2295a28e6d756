//! The passkeys of an account, each with the name that its owner gave it, and the challenges that were used.

use serde::{Deserialize, Serialize};

use super::passkey::{Passkey, PasskeyFault, Seen};
use crate::{session::Opaque, time::UnixTime};

/// More passkeys than anybody has devices.
pub const MAX_PASSKEYS: usize = 20;

/// The most characters of a name that the owner gives.
pub const MAX_LABEL: usize = 64;

/// The most challenges of an account that are used and not too old yet: logins of its owner in five minutes. More are refused, since the
/// oldest could be used again if it gave way.
const MAX_USED: usize = 32;

/// By what a challenge is known that was used.
pub type ChallengeId = Opaque<16>;

/// A challenge that the gate gave out, for what it is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// By what it is known.
    pub id: ChallengeId,
    /// Until when it is good.
    pub until: UnixTime,
}

/// A passkey, and what its owner sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPasskey {
    /// What the authenticator said of it.
    pub passkey: Passkey,
    /// Its name for its owner.
    pub label: String,
    /// When it was made.
    pub created_at: UnixTime,
    /// When somebody logged in with it last.
    pub last_used_at: Option<UnixTime>,
}

/// Why a new passkey is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// The account has it already.
    Known,
    /// It has [`MAX_PASSKEYS`].
    Full,
}

/// Adds a passkey.
///
/// # Errors
/// [`NotAdded`].
pub fn add(all: &mut Vec<OwnPasskey>, new: OwnPasskey) -> Result<(), NotAdded> {
    if find(all, &new.passkey.id).is_some() {
        return Err(NotAdded::Known);
    }
    if all.len() >= MAX_PASSKEYS {
        return Err(NotAdded::Full);
    }
    all.push(new);
    Ok(())
}

/// The passkey that the authenticator calls so.
#[must_use]
pub fn find<'a>(all: &'a [OwnPasskey], id: &str) -> Option<&'a OwnPasskey> {
    all.iter().find(|one| one.passkey.id == id)
}

/// Takes a proof of one whose signature was found to hold. `None`: it is not there any more.
///
/// # Errors
/// Those of [`Passkey::advance`].
pub fn advance(
    all: &mut [OwnPasskey],
    (id, seen): (&str, Seen),
    now: UnixTime,
) -> Result<Option<()>, PasskeyFault> {
    let Some(one) = all.iter_mut().find(|one| one.passkey.id == id) else { return Ok(None) };
    one.passkey.advance(seen)?;
    one.last_used_at = Some(now);
    Ok(Some(()))
}

/// The challenges that were used and are not too old yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UsedChallenges(Vec<Challenge>);

impl UsedChallenges {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether none was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Uses a challenge up. `false`: it was, it is too old, or too many were.
    #[must_use]
    pub fn take(&mut self, challenge: Challenge, now: UnixTime) -> bool {
        self.0.retain(|used| now < used.until);
        let is_used = self.0.iter().any(|used| used.id == challenge.id);
        if is_used || challenge.until <= now || self.0.len() >= MAX_USED {
            return false;
        }
        self.0.push(challenge);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn challenge(number: u8) -> Challenge {
        Challenge { id: ChallengeId::from_bytes([number; 16]), until: NOW.saturating_add(300) }
    }

    #[test]
    fn a_challenge_is_good_for_once_and_for_its_time() {
        let mut used = UsedChallenges::none();
        assert!(used.take(challenge(1), NOW));
        assert!(!used.take(challenge(1), NOW));
        assert!(!used.take(challenge(1), NOW.saturating_add(299)));
        assert!(!used.take(challenge(1), NOW.saturating_add(300)), "it is too old");
        assert!(used.is_empty());
    }

    #[test]
    fn one_that_was_used_does_not_give_way_to_many() {
        let mut used = UsedChallenges::none();
        for number in 0..32 {
            assert!(used.take(challenge(number), NOW));
        }
        assert!(!used.take(challenge(32), NOW));
        assert!(!used.take(challenge(0), NOW));
        let later = Challenge { until: NOW.saturating_add(600), ..challenge(33) };
        assert!(used.take(later, NOW.saturating_add(300)));
    }

    #[test]
    fn twenty_and_each_once() {
        let mut all = Vec::new();
        let new = |number: usize| {
            let mut passkey = Passkey::of_nobody();
            passkey.id = number.to_string();
            OwnPasskey { passkey, label: String::new(), created_at: NOW, last_used_at: None }
        };
        for number in 0..MAX_PASSKEYS {
            assert_eq!(add(&mut all, new(number)), Ok(()));
        }
        assert_eq!(add(&mut all, new(3)), Err(NotAdded::Known));
        assert_eq!(add(&mut all, new(20)), Err(NotAdded::Full));
        assert_eq!(find(&all, "7").map(|one| one.last_used_at), Some(None));
    }
}
