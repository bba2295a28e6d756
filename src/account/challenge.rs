//! Challenges of WebAuthn that no store keeps: whoever asks for one costs nothing. Each says until when it is good, and a MAC says what for.
//!
//! ```text
//! until, seconds since 1970 (8 bytes) ‖ random (8) ‖ the first 16 bytes of their MAC
//! ```
//! That one is used only once is the row's to say, of an account that a proof has led to ([`super::passkeys::UsedChallenges`]).

use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

use super::{
    passkey::CHALLENGE_BYTES,
    passkeys::{Challenge, ChallengeId},
    row::{AccountId, LoginNumber},
    secrets::AccountSecrets,
};
use crate::time::UnixTime;

/// How long a challenge is good: as long as browsers wait for a person (§15.1 of the standard recommends 5 minutes where that is verified).
pub const LIFETIME_SECS: u64 = 300;

/// The random bytes of a challenge. What nobody can guess is its MAC.
pub const RANDOM_BYTES: usize = 8;

const HALF: usize = CHALLENGE_BYTES / 2;

/// What an answer to a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony<'a> {
    /// A new passkey of this account, asked for by this session.
    Register(&'a AccountId, &'a str),
    /// The first passkey of whoever logs in by this login, which waits for it, in this browser; `None`: by a program.
    SetUp(&'a LoginNumber, Option<&'a [u8; 32]>),
    /// A login by this browser, by a hash of its cookie; `None`: by a program.
    LogIn(Option<&'a [u8; 32]>),
}

/// A new challenge.
#[must_use]
pub fn new(
    random: [u8; RANDOM_BYTES],
    ceremony: Ceremony<'_>,
    secrets: &AccountSecrets,
    now: UnixTime,
) -> [u8; CHALLENGE_BYTES] {
    let until = now.saturating_add(LIFETIME_SECS).as_secs().to_be_bytes();
    let mut head = [0; HALF];
    fill(&mut head, until.iter().chain(&random));
    let tag = tag(&head, ceremony, secrets);
    let mut challenge = [0; CHALLENGE_BYTES];
    fill(&mut challenge, head.iter().chain(&tag));
    challenge
}

/// Whether the gate gave it out for this, and it is not too old.
#[must_use]
pub fn check(
    challenge: &[u8; CHALLENGE_BYTES],
    ceremony: Ceremony<'_>,
    secrets: &AccountSecrets,
    now: UnixTime,
) -> Option<Challenge> {
    let ([head, given], []) = challenge.as_chunks::<HALF>() else { return None };
    let is_own = bool::from(tag(head, ceremony, secrets).ct_eq(given));
    let until = UnixTime::from_secs(i64::from_be_bytes(*head.first_chunk()?));
    (is_own && now < until).then_some(Challenge { id: ChallengeId::from_bytes(*head), until })
}

fn tag(head: &[u8; HALF], ceremony: Ceremony<'_>, secrets: &AccountSecrets) -> [u8; HALF] {
    let mut mac = secrets.challenges();
    mac.update(head);
    // What stands before the last part has a fixed length, so that no two ceremonies have the same bytes.
    match ceremony {
        Ceremony::Register(account, session) => {
            mac.update(b"register");
            mac.update(account.as_bytes());
            mac.update(session.as_bytes());
        }
        Ceremony::SetUp(login, browser) => {
            mac.update(if browser.is_some() { b"set-up/1" } else { b"set-up/0" });
            mac.update(login.as_bytes());
            mac.update(browser.map_or(&[], |browser| browser.as_slice()));
        }
        Ceremony::LogIn(None) => mac.update(b"log-in/0"),
        Ceremony::LogIn(Some(browser)) => {
            mac.update(b"log-in/1");
            mac.update(browser);
        }
    }
    let mut tag = [0; HALF];
    fill(&mut tag, mac.finalize().into_bytes().iter());
    tag
}

fn fill<'b>(bytes: &mut [u8], from: impl Iterator<Item = &'b u8>) {
    bytes.iter_mut().zip(from).for_each(|(byte, own)| *byte = *own);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn secrets(byte: u8) -> AccountSecrets {
        AccountSecrets::new(vec![(1, Secret::new(vec![byte; 32]))]).unwrap()
    }

    #[test]
    fn it_is_good_for_what_it_was_given_out_for_and_for_nothing_else() {
        let secrets = secrets(1);
        let (ada, bob) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let (first, second) = (LoginNumber::from_bytes([3; 16]), LoginNumber::from_bytes([4; 16]));
        let ceremonies = [
            Ceremony::Register(&ada, "s"),
            Ceremony::Register(&ada, "t"),
            Ceremony::Register(&bob, "s"),
            Ceremony::SetUp(&first, None),
            Ceremony::SetUp(&first, Some(&[3; 32])),
            Ceremony::SetUp(&first, Some(&[4; 32])),
            Ceremony::SetUp(&second, None),
            Ceremony::SetUp(&second, Some(&[3; 32])),
            Ceremony::LogIn(None),
            Ceremony::LogIn(Some(&[3; 32])),
            Ceremony::LogIn(Some(&[4; 32])),
        ];
        for given in ceremonies {
            let challenge = new([7; RANDOM_BYTES], given, &secrets, NOW);
            for used in ceremonies {
                assert_eq!(check(&challenge, used, &secrets, NOW).is_some(), used == given);
            }
            assert!(check(&challenge, given, &super::tests::secrets(2), NOW).is_none());
        }
    }

    #[test]
    fn it_is_good_for_five_minutes_and_each_bit_counts() {
        let (secrets, ceremony) = (secrets(1), Ceremony::LogIn(None));
        let challenge = new([7; RANDOM_BYTES], ceremony, &secrets, NOW);
        let at = |secs| check(&challenge, ceremony, &secrets, NOW.saturating_add(secs));
        assert_eq!(at(299).map(|found| found.until), Some(NOW.saturating_add(300)));
        assert_eq!(at(300), None);
        for bit in 0..CHALLENGE_BYTES * 8 {
            let mut other = challenge;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&other, ceremony, &secrets, NOW), None, "{bit}");
        }
        let second = new([8; RANDOM_BYTES], ceremony, &secrets, NOW);
        assert_ne!(at(0), check(&second, ceremony, &secrets, NOW));
    }
}
