//! Tokens of links in mails: to set a new password, to show that an address is one's own, to come in without a password.
//!
//! Each is 256 random bits, so nobody guesses one, and a hash without a salt keeps it. It is good for once, for one use and for one account,
//! and is over when it is used, when it is too old, or when what it was made for has changed: a link to reset a password dies with that
//! password.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::asker::AskerHash;
use crate::{base64url, session::Opaque, time::UnixTime};

/// The random bytes of a token.
pub const TOKEN_BYTES: usize = 32;

/// How many of one use an account may have at a time; a new one takes the place of the oldest.
const MAX_LIVE: usize = 3;

/// Separates these hashes from every other SHA-256 of the same bytes.
const LABEL: &[u8] = b"edgegate-one-time-v1\0";

/// What is kept of a token.
pub type TokenHash = Opaque<32>;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Set a new password.
    Reset,
    /// The address is one's own.
    VerifyEmail,
    /// Register, though registration is closed.
    Invitation,
    /// Come in.
    MagicLink,
}

impl Use {
    /// How long it is good for.
    #[must_use]
    pub const fn lifetime_secs(self) -> u64 {
        match self {
            Self::Reset | Self::MagicLink => 15 * 60,
            Self::VerifyEmail => 24 * 60 * 60,
            Self::Invitation => 7 * 24 * 60 * 60,
        }
    }
}

/// What is kept beside a token until it is used, or over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The address that it went to, sealed by whoever has sent it ([`super::mail`]): the same is told when it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// The browser that has asked: only it can use the token. `None`: anybody who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<AskerHash>,
}

/// A token that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    hash: TokenHash,
    r#use: Use,
    until: UnixTime,
    /// The version of the password that there was then.
    password_version: u32,
    #[serde(default)]
    beside: Beside,
}

/// The tokens of an account that are out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OneTimeTokens(Vec<Sent>);

/// The text of a token, which the link carries.
#[must_use]
pub fn text_of(token: &[u8; TOKEN_BYTES]) -> Zeroizing<String> {
    Zeroizing::new(base64url::encode(token))
}

/// The hash of a token that somebody presents; `None`: it is no token. There is one text for each.
#[must_use]
pub fn hash_of(text: &str) -> Option<TokenHash> {
    if text.len() != 43 {
        return None;
    }
    let bytes = Zeroizing::new(base64url::decode(text)?);
    let hash = Sha256::new().chain_update(LABEL).chain_update(&*bytes).finalize();
    (bytes.len() == TOKEN_BYTES).then(|| Opaque::from_bytes(hash.into()))
}

/// The length of the name of an account, as text.
const ACCOUNT_LENGTH: usize = 22;

/// What a link carries: whose it is, so that its row is found, and the token.
#[must_use]
pub fn link_text(account: &Opaque<16>, token: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{account}{token}"))
}

/// Reads what somebody presents as such; `None`: it is none.
#[must_use]
pub fn parse_link(text: &str) -> Option<(Opaque<16>, TokenHash)> {
    let (account, token) = text.split_at_checked(ACCOUNT_LENGTH)?;
    Some((Opaque::parse(account)?, hash_of(token)?))
}

impl OneTimeTokens {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Keeps a token that is sent now.
    pub fn add(
        &mut self,
        (hash, beside): (TokenHash, Beside),
        r#use: Use,
        password_version: u32,
        now: UnixTime,
    ) {
        self.forget(now);
        let same = |sent: &Sent| sent.r#use == r#use;
        if self.0.iter().filter(|sent| same(sent)).count() >= MAX_LIVE
            && let Some(oldest) = self.0.iter().position(same)
        {
            self.0.remove(oldest);
        }
        self.0.push(Sent {
            hash,
            r#use,
            until: now.saturating_add(r#use.lifetime_secs()),
            password_version,
            beside,
        });
    }

    /// Uses a token up, and returns what was kept beside it. It is gone afterwards, and with it all others of the same use. In another
    /// browser than the one that has asked for it, it is not used up.
    #[must_use]
    pub fn take(
        &mut self,
        (hash, asker): (&TokenHash, Option<&AskerHash>),
        r#use: Use,
        password_version: u32,
        now: UnixTime,
    ) -> Option<Beside> {
        self.forget(now);
        let beside = self.beside(hash, r#use, password_version, now)?;
        if beside.asker.as_ref().is_some_and(|own| Some(own) != asker) {
            return None;
        }
        let beside = beside.clone();
        self.0.retain(|sent| sent.r#use != r#use);
        Some(beside)
    }

    /// What is kept beside a token that is good, whoever has asked for it.
    #[must_use]
    pub fn beside(
        &self,
        hash: &TokenHash,
        r#use: Use,
        password_version: u32,
        now: UnixTime,
    ) -> Option<&Beside> {
        let mut found = None;
        for sent in &self.0 {
            let is_it = bool::from(sent.hash.as_bytes().ct_eq(hash.as_bytes()));
            let fits = sent.r#use == r#use && sent.password_version == password_version;
            if is_it && fits && now < sent.until {
                found = Some(&sent.beside);
            }
        }
        found
    }

    /// Whether none is out.
    #[must_use]
    pub fn is_empty(&self, now: UnixTime) -> bool {
        self.0.iter().all(|sent| sent.until <= now)
    }

    /// When the next is too old.
    #[must_use]
    pub fn next_end(&self) -> Option<UnixTime> {
        self.0.iter().map(|sent| sent.until).min()
    }

    /// Takes out those that are too old.
    pub fn forget(&mut self, now: UnixTime) {
        self.0.retain(|sent| now < sent.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn hash(byte: u8) -> TokenHash {
        hash_of(&text_of(&[byte; TOKEN_BYTES])).unwrap()
    }

    fn of_anybody(byte: u8) -> (TokenHash, Beside) {
        (hash(byte), Beside::default())
    }

    fn took(tokens: &mut OneTimeTokens, byte: u8, r#use: Use, version: u32, now: UnixTime) -> bool {
        tokens.take((&hash(byte), None), r#use, version, now).is_some()
    }

    #[test]
    fn a_token_has_one_text() {
        let text = text_of(&[0xff; TOKEN_BYTES]);
        assert_eq!(text.len(), 43);
        assert!(hash_of(&text).is_some());
        let short = text.get(..42).unwrap();
        let other_bits = format!("{short}9");
        for wrong in ["", short, &format!("{}=", *text), &format!("{} ", *text), &other_bits] {
            assert_eq!(hash_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn it_is_good_for_once_for_one_use_and_for_its_time() {
        let mut tokens = OneTimeTokens::default();
        tokens.add(of_anybody(1), Use::Reset, 4, NOW);
        assert!(!took(&mut tokens, 2, Use::Reset, 4, NOW));
        assert!(!took(&mut tokens, 1, Use::MagicLink, 4, NOW));
        assert!(!took(&mut tokens, 1, Use::Reset, 5, NOW));
        assert!(!took(&mut tokens.clone(), 1, Use::Reset, 4, NOW.saturating_add(900)));
        assert!(took(&mut tokens, 1, Use::Reset, 4, NOW.saturating_add(899)));
        assert!(!took(&mut tokens, 1, Use::Reset, 4, NOW));
    }

    #[test]
    fn of_those_that_are_out_one_ends_all_of_its_use() {
        let mut tokens = OneTimeTokens::default();
        for byte in 1..=4 {
            tokens.add(of_anybody(byte), Use::MagicLink, 0, NOW);
        }
        tokens.add(of_anybody(9), Use::VerifyEmail, 0, NOW);
        assert!(!took(&mut tokens.clone(), 1, Use::MagicLink, 0, NOW), "the oldest gave way");
        assert!(took(&mut tokens, 3, Use::MagicLink, 0, NOW));
        assert!(!took(&mut tokens, 4, Use::MagicLink, 0, NOW));
        assert!(took(&mut tokens, 9, Use::VerifyEmail, 0, NOW));
        assert!(tokens.is_empty(NOW));
    }

    #[test]
    fn one_that_a_browser_has_asked_for_is_good_there_alone() {
        let mut tokens = OneTimeTokens::default();
        let (own, other) = (AskerHash::from_bytes([7; 32]), AskerHash::from_bytes([8; 32]));
        let beside = Beside { sealed: Some("sealed".to_owned()), asker: Some(own) };
        tokens.add((hash(1), beside.clone()), Use::MagicLink, 0, NOW);
        for asker in [None, Some(&other)] {
            assert_eq!(tokens.take((&hash(1), asker), Use::MagicLink, 0, NOW), None);
        }
        let taken = tokens.take((&hash(1), Some(&own)), Use::MagicLink, 0, NOW);
        assert_eq!(taken, Some(beside));
    }

    #[test]
    fn the_text_of_a_link_has_one_spelling() {
        let account = Opaque::from_bytes([0xfe; 16]);
        let text = link_text(&account, &text_of(&[3; TOKEN_BYTES]));
        assert_eq!(text.len(), 65);
        assert_eq!(parse_link(&text), Some((account, hash(3))));
        let cut = text.get(..64).unwrap();
        for wrong in [
            "",
            cut,
            &format!("{}=", *text),
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            assert_eq!(parse_link(wrong), None, "{wrong}");
        }
    }
}
