//! The row of a login name: its account, if it has one, and how often it was guessed at. All that happens to an account is a step here,
//! which whoever keeps the row takes as one.
//!
//! A name that does not exist has a row too while it is under attack, and nothing in how it is answered is different.

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{
    attempts::{Attempts, Bound, Reservation},
    foreign_hash::ForeignHash,
    hash::{Cost, PasswordHash, Peppers},
    name::LoginName,
    one_time::{OneTimeTokens, TokenHash, Use},
    passkey::Passkey,
    recovery::{self, CodeHash},
    totp,
};
use crate::{
    secret::Secret,
    session::Opaque,
    time::{UnixMillis, UnixTime},
};

/// Browsers of one name that are known.
const MAX_DEVICES: usize = 10;

/// More passkeys than anybody has devices.
pub const MAX_PASSKEYS: usize = 20;

/// The name of an account: 128 random bits. The subject of its sessions is `account|` and this; an address may change.
pub type AccountId = Opaque<16>;

/// The hash of what a known browser's cookie has.
pub type DeviceHash = Opaque<32>;

/// By what a row is found.
pub type RowKey = Opaque<32>;

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It may.
    Active,
    /// It was invited, and has not set a password yet.
    Invited,
    /// A new password has to be set first.
    ResetRequired,
    /// It may not.
    Disabled,
}

/// How a password is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// As the gate keeps them.
    Own(PasswordHash),
    /// As somebody else did, until the next login; the text it came in.
    Foreign(ForeignHash, String),
}

/// An authenticator that shows codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticator {
    /// Its secret, sealed by whoever keeps the row.
    pub sealed: String,
    /// The last step whose code was used; `None`: no code was shown yet, so that it does not count yet.
    pub last: Option<totp::Step>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name for ever.
    pub id: AccountId,
    /// Whether the address was shown to be its owner's.
    pub is_verified: bool,
    /// Whether it may be used.
    pub standing: Standing,
    /// Its password, if it has one.
    password: Option<Kept>,
    /// How often the password was set: what was made for an earlier one is over.
    pub password_version: u32,
    /// Its authenticator, if it has one.
    pub authenticator: Option<Authenticator>,
    /// The recovery codes that are left.
    recovery: Vec<CodeHash>,
    /// Its passkeys.
    pub passkeys: Vec<Passkey>,
    /// Links that are out.
    tokens: OneTimeTokens,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: UnixTime,
}

/// A browser that somebody logged in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Device {
    hash: DeviceHash,
    /// With a new password it is a stranger again.
    password_version: u32,
    guesses: Attempts,
}

/// The row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRow {
    /// The account.
    pub account: Option<Account>,
    /// Guesses at the password by browsers that are not known.
    guesses: Attempts,
    /// Guesses at codes, after the right password.
    codes: Attempts,
    devices: Vec<Device>,
}

/// A guess at a password that may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it is settled after the comparison"]
pub struct Reserved {
    reservation: Reservation,
    device: Option<DeviceHash>,
    /// That of the password that it is compared with.
    version: Option<u32>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is the password.
    pub is_right: bool,
    /// Whether it is to be hashed anew.
    pub is_outdated: bool,
}

/// Why a code is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFault {
    /// Too many were tried; the time at which the next may be.
    TooMany(UnixMillis),
    /// It is not the one.
    Wrong,
}

/// A code that somebody typed.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// Of the authenticator, whose secret was opened.
    Shown(&'a str, &'a Secret),
    /// For the day that it is lost.
    Recovery(&'a str),
}

impl NameRow {
    /// Reserves a guess at the password. A browser that is known, by the cookie of an earlier login, has guesses of its own, so that
    /// strangers cannot shut the owner out.
    ///
    /// # Errors
    /// When the next guess may be made.
    pub fn reserve(
        &mut self,
        device: Option<&DeviceHash>,
        bound: Bound,
        now: UnixMillis,
    ) -> Result<Reserved, UnixMillis> {
        let version = self.account.as_ref().map(|account| account.password_version);
        let known = device.and_then(|hash| self.device(hash, version));
        let (guesses, device) = match known {
            Some(device) => (&mut device.guesses, Some(device.hash)),
            None => (&mut self.guesses, None),
        };
        guesses.reserve(bound, now).map(|reservation| Reserved { reservation, device, version })
    }

    fn device(&mut self, hash: &DeviceHash, version: Option<u32>) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| {
            let is_it = bool::from(device.hash.as_bytes().ct_eq(hash.as_bytes()));
            is_it && Some(device.password_version) == version
        })
    }

    /// Compares a password, without looking whether the account may be used. Names that do not exist, accounts without a password and those
    /// with another one cost the same. `decoys` are a hash of each kind that accounts moved in with: while there are such, each comparison is
    /// with one of the gate's own and one of each of these.
    #[must_use]
    pub fn compare(
        &self,
        password: &[u8],
        (cost, peppers): (Cost, &Peppers),
        decoys: &[ForeignHash],
    ) -> Verdict {
        let kept = self.account.as_ref().and_then(|account| account.password.as_ref());
        let nobody = PasswordHash::of_nobody(cost, peppers);
        let (own, foreign) = match kept {
            Some(Kept::Own(own)) => (own, None),
            Some(Kept::Foreign(foreign, _)) => (&nobody, Some(foreign)),
            None => (&nobody, None),
        };
        let fits_own = own.fits(password, peppers);
        let fits_foreign = foreign.is_some_and(|foreign| foreign.fits(password));
        // The one that is of its kind was just computed.
        for decoy in decoys.iter().filter(|decoy| foreign.is_none_or(|one| !one.is_like(decoy))) {
            // What nobody reads would be left out by the compiler.
            core::hint::black_box(decoy.fits(password));
        }
        match kept {
            Some(Kept::Own(own)) => {
                Verdict { is_right: fits_own, is_outdated: own.is_outdated(cost, peppers) }
            }
            Some(Kept::Foreign(..)) => Verdict { is_right: fits_foreign, is_outdated: true },
            None => Verdict { is_right: false, is_outdated: false },
        }
    }

    /// Settles a guess: a right one gives its reservation back. `anew` is the hash that takes the place of an outdated one, unless another
    /// password was set since the guess was reserved.
    pub fn settle(&mut self, reserved: Reserved, is_right: bool, anew: Option<PasswordHash>) {
        if !is_right {
            return;
        }
        match reserved.device {
            Some(hash) => {
                for device in &mut self.devices {
                    if device.hash == hash {
                        device.guesses.give_back(reserved.reservation);
                    }
                }
            }
            None => self.guesses.give_back(reserved.reservation),
        }
        if let (Some(anew), Some(account)) = (anew, self.account.as_mut())
            && Some(account.password_version) == reserved.version
        {
            account.password = Some(Kept::Own(anew));
        }
    }

    /// Knows a browser from now on: somebody logged in with it. The one that was known longest gives way. What was guessed with it still counts.
    pub fn know(&mut self, hash: DeviceHash) {
        let Some(account) = &self.account else { return };
        let password_version = account.password_version;
        let known = self.device(&hash, Some(password_version));
        let guesses = known.map(|device| device.guesses.clone()).unwrap_or_default();
        self.devices
            .retain(|device| device.hash != hash && device.password_version == password_version);
        if self.devices.len() >= MAX_DEVICES {
            self.devices.remove(0);
        }
        self.devices.push(Device { hash, password_version, guesses });
    }

    /// Takes a code, after the right password. Codes of both kinds share one bound; a right one gives back its own guess alone.
    ///
    /// # Errors
    /// [`CodeFault`].
    pub fn take_code(
        &mut self,
        code: Code<'_>,
        bound: Bound,
        now: UnixMillis,
    ) -> Result<(), CodeFault> {
        let reservation = self.codes.reserve(bound, now).map_err(CodeFault::TooMany)?;
        let account = self.account.as_mut().ok_or(CodeFault::Wrong)?;
        let is_right = match code {
            Code::Shown(text, secret) => account.take_shown(text, secret, now.to_unix_time()),
            Code::Recovery(text) => recovery::hash_of(text)
                .is_some_and(|hash| recovery::take(&mut account.recovery, &hash)),
        };
        if !is_right {
            return Err(CodeFault::Wrong);
        }
        self.codes.give_back(reservation);
        Ok(())
    }

    /// Whether nothing of it has to be kept.
    #[must_use]
    pub fn is_over(&self, bound: Bound, now: UnixMillis) -> bool {
        self.account.is_none() && self.guesses.is_over(bound, now) && self.codes.is_over(bound, now)
    }
}

impl Account {
    /// A new account, without a password.
    #[must_use]
    pub const fn new(
        id: AccountId,
        standing: Standing,
        scopes: Vec<String>,
        now: UnixTime,
    ) -> Self {
        Self {
            id,
            is_verified: false,
            standing,
            password: None,
            password_version: 0,
            authenticator: None,
            recovery: Vec::new(),
            passkeys: Vec::new(),
            tokens: OneTimeTokens::none(),
            scopes,
            created_at: now,
        }
    }

    /// The subject of its sessions.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{SUBJECT_PREFIX}{}", self.id)
    }

    /// Sets a password. Links that are out and browsers that are known were those of the one before: their owner may have been another.
    pub fn set_password(&mut self, kept: Kept) {
        self.password = Some(kept);
        self.password_version = self.password_version.wrapping_add(1);
        if matches!(self.standing, Standing::ResetRequired | Standing::Invited) {
            self.standing = Standing::Active;
        }
    }

    /// Whether the password is still kept as somebody else did.
    #[must_use]
    pub const fn is_imported(&self) -> bool {
        matches!(self.password, Some(Kept::Foreign(..)))
    }

    /// Whether a second factor is asked for.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.authenticator.as_ref().is_some_and(|one| one.last.is_some())
            || !self.passkeys.is_empty()
    }

    /// Puts the recovery codes in place of those that are left.
    pub fn set_recovery(&mut self, codes: Vec<CodeHash>) {
        self.recovery = codes;
    }

    /// How many recovery codes are left.
    #[must_use]
    pub const fn recovery_left(&self) -> usize {
        self.recovery.len()
    }

    /// Notes that a link goes out.
    pub fn send(&mut self, hash: TokenHash, r#use: Use, now: UnixTime) {
        self.tokens.add(hash, r#use, self.password_version, now);
    }

    /// Uses a link up. One that came by mail shows that the address is its owner's. Whoever made the account before that may have been
    /// somebody else, who waits for the owner to come: of what was set up until then nothing is left.
    #[must_use]
    pub fn take_link(&mut self, hash: &TokenHash, r#use: Use, now: UnixTime) -> bool {
        let is_right = self.tokens.take(hash, r#use, self.password_version, now);
        if is_right && !self.is_verified {
            self.is_verified = true;
            self.password = None;
            self.password_version = self.password_version.wrapping_add(1);
            self.authenticator = None;
            self.recovery.clear();
            self.passkeys.clear();
        }
        is_right
    }

    fn take_shown(&mut self, text: &str, secret: &Secret, now: UnixTime) -> bool {
        let Some(authenticator) = &mut self.authenticator else { return false };
        let step = totp::check(secret, text, authenticator.last, now);
        if step.is_some() {
            authenticator.last = step;
        }
        step.is_some()
    }
}

/// As its text.
impl Serialize for Kept {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Own(own) => serializer.collect_str(own),
            Self::Foreign(_, text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(text).ok_or_else(|| serde::de::Error::custom("is no hash of a password"))
    }
}

impl Kept {
    /// Reads a hash: one of the gate's own, or one that accounts move in with.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        if let Some(own) = PasswordHash::parse(&text) {
            return Some(Self::Own(own));
        }
        ForeignHash::parse(&text).map(|foreign| Self::Foreign(foreign, text))
    }
}

/// Shows what kind it is.
impl core::fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Shown(..) => "Shown(_)",
            Self::Recovery(_) => "Recovery(_)",
        })
    }
}

/// The key of the row of a name, by a secret, so that no store shows whose it is; `None`: it is no secret of HMAC.
#[must_use]
pub fn key_of(name: &LoginName, secret: &Secret) -> Option<RowKey> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret()).ok()?;
    mac.update(b"edgegate-login-name-v1\0");
    mac.update(name.as_str().as_bytes());
    Some(Opaque::from_bytes(mac.finalize().into_bytes().into()))
}

/// How many objects keep the rows: so many that they share the work, and so few that strangers cannot grow them.
pub const SHARDS: u16 = 4096;

/// The object that keeps the row of this key.
#[must_use]
pub fn shard_of(key: &RowKey) -> u16 {
    let [first, second, ..] = *key.as_bytes();
    u16::from_be_bytes([first, second]) % SHARDS
}

/// The name of a new account. It begins with its shard, so that the row of who is logged in is found without the address.
#[must_use]
pub fn new_account_id(shard: u16, random: [u8; 14]) -> AccountId {
    let mut bytes = [0; 16];
    let shard = shard.to_be_bytes();
    bytes.iter_mut().zip(shard.iter().chain(&random)).for_each(|(byte, own)| *byte = *own);
    AccountId::from_bytes(bytes)
}

/// The object that keeps the row of this account; `None`: there is no such account.
#[must_use]
pub fn shard_of_account(id: &AccountId) -> Option<u16> {
    let [first, second, ..] = *id.as_bytes();
    Some(u16::from_be_bytes([first, second])).filter(|shard| *shard < SHARDS)
}

/// What the subjects of accounts begin with.
pub const SUBJECT_PREFIX: &str = "account|";

/// The account that this is the subject of.
#[must_use]
pub fn account_of_subject(subject: &str) -> Option<AccountId> {
    AccountId::parse(subject.strip_prefix(SUBJECT_PREFIX)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{attempts::DEFAULT_BOUND, recovery::text_of};

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const FOREIGN: &str = "$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW";

    fn peppers(ids: &[u8]) -> Peppers {
        Peppers::new(ids.iter().map(|id| (*id, Secret::new(vec![*id; 32]))).collect())
    }

    fn own(password: &[u8]) -> Kept {
        Kept::Own(PasswordHash::new(password, [1; 16], CHEAP, &peppers(&[1])).unwrap())
    }

    fn row() -> NameRow {
        let scopes = vec!["read:posts".to_owned()];
        let mut account = Account::new(
            AccountId::from_bytes([5; 16]),
            Standing::Active,
            scopes,
            NOW.to_unix_time(),
        );
        account.set_password(own(b"the right one"));
        NameRow { account: Some(account), ..NameRow::default() }
    }

    fn guess(
        row: &mut NameRow,
        password: &[u8],
        device: Option<&DeviceHash>,
    ) -> Result<bool, UnixMillis> {
        let reserved = row.reserve(device, DEFAULT_BOUND, NOW)?;
        let verdict = row.compare(password, (CHEAP, &peppers(&[1])), &[]);
        row.settle(reserved, verdict.is_right, None);
        Ok(verdict.is_right)
    }

    #[test]
    fn strangers_have_five_guesses_and_the_owner_keeps_his_browser() {
        let (mut row, device) = (row(), DeviceHash::from_bytes([3; 32]));
        row.know(device);
        for _ in 0..5 {
            assert_eq!(guess(&mut row, b"wrong", None), Ok(false));
        }
        for _ in 0..1000 {
            assert!(guess(&mut row, b"the right one", None).is_err());
        }
        for _ in 0..20 {
            assert_eq!(guess(&mut row, b"the right one", Some(&device)), Ok(true));
        }
        for _ in 0..5 {
            assert_eq!(guess(&mut row, b"wrong", Some(&device)), Ok(false));
        }
        assert!(guess(&mut row, b"the right one", Some(&device)).is_err());
        // Another name's cookie, or one from before a new password, is a stranger's.
        let other = DeviceHash::from_bytes([4; 32]);
        assert!(guess(&mut row, b"the right one", Some(&other)).is_err());
        row.know(device);
        row.account.as_mut().unwrap().set_password(own(b"a new one"));
        assert!(guess(&mut row, b"a new one", Some(&device)).is_err());
    }

    #[test]
    fn a_name_that_does_not_exist_is_guessed_at_as_others_are() {
        let mut nobody = NameRow::default();
        for _ in 0..5 {
            assert_eq!(guess(&mut nobody, b"the right one", None), Ok(false));
        }
        assert!(guess(&mut nobody, b"the right one", None).is_err());
        assert!(!nobody.is_over(DEFAULT_BOUND, NOW));
        assert!(nobody.is_over(DEFAULT_BOUND, NOW.saturating_add(DEFAULT_BOUND.window_millis)));
        assert!(!row().is_over(DEFAULT_BOUND, NOW.saturating_add(DEFAULT_BOUND.window_millis)));
        let empty = Account::new(
            AccountId::from_bytes([5; 16]),
            Standing::Invited,
            Vec::new(),
            NOW.to_unix_time(),
        );
        let mut invited = NameRow { account: Some(empty), ..NameRow::default() };
        assert_eq!(guess(&mut invited, b"", None), Ok(false));
    }

    #[test]
    fn a_hash_of_others_is_made_anew_at_the_first_login() {
        let mut row = row();
        let kept = Kept::parse(FOREIGN.to_owned()).unwrap();
        row.account.as_mut().unwrap().set_password(kept);
        let password = b"correct horse battery staple";
        let reserved = row.reserve(None, DEFAULT_BOUND, NOW).unwrap();
        let verdict = row.compare(password, (CHEAP, &peppers(&[1])), &[]);
        assert_eq!(verdict, Verdict { is_right: true, is_outdated: true });
        row.settle(reserved, true, PasswordHash::new(password, [2; 16], CHEAP, &peppers(&[1])));
        let verdict =
            row.compare(password, (CHEAP, &peppers(&[1])), &[ForeignHash::parse(FOREIGN).unwrap()]);
        assert_eq!(verdict, Verdict { is_right: true, is_outdated: false });
        // The decoy's own password is nobody's.
        let other = NameRow::default().compare(
            password,
            (CHEAP, &peppers(&[1])),
            &[ForeignHash::parse(FOREIGN).unwrap()],
        );
        assert!(!other.is_right);
        assert!(row.compare(password, (CHEAP, &peppers(&[1, 2])), &[]).is_outdated);
    }

    #[test]
    fn codes_share_a_bound_of_their_own() {
        let mut row = row();
        let secret = Secret::new(b"12345678901234567890".to_vec());
        let account = row.account.as_mut().unwrap();
        account.authenticator = Some(Authenticator { sealed: "…".to_owned(), last: None });
        assert!(!account.has_second_factor(), "before the first code it does not count");
        let code = text_of(&[9; 15]);
        account.set_recovery(vec![recovery::hash_of(&code).unwrap()]);
        let at = UnixMillis::from_millis(59_000);
        assert_eq!(row.take_code(Code::Shown("287082", &secret), DEFAULT_BOUND, at), Ok(()));
        assert!(row.account.as_ref().unwrap().has_second_factor());
        assert_eq!(
            row.take_code(Code::Shown("287082", &secret), DEFAULT_BOUND, at),
            Err(CodeFault::Wrong)
        );
        assert_eq!(row.take_code(Code::Recovery(&code), DEFAULT_BOUND, at), Ok(()));
        assert_eq!(row.account.as_ref().unwrap().recovery_left(), 0);
        for _ in 0..2 {
            assert_eq!(
                row.take_code(Code::Recovery(&code), DEFAULT_BOUND, at),
                Err(CodeFault::Wrong)
            );
            assert_eq!(
                row.take_code(Code::Shown("000000", &secret), DEFAULT_BOUND, at),
                Err(CodeFault::Wrong)
            );
        }
        assert!(matches!(
            row.take_code(Code::Shown("287082", &secret), DEFAULT_BOUND, at),
            Err(CodeFault::TooMany(_))
        ));
        // Passwords have their own.
        assert_eq!(guess(&mut row, b"the right one", None), Ok(true));
    }

    #[test]
    fn of_a_hundred_who_use_one_link_one_does() {
        let mut row = row();
        let account = row.account.as_mut().unwrap();
        let (reset, magic) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        account.send(reset, Use::Reset, NOW.to_unix_time());
        account.send(magic, Use::MagicLink, NOW.to_unix_time());
        let used =
            (0..100).filter(|_| account.take_link(&reset, Use::Reset, NOW.to_unix_time())).count();
        assert_eq!(used, 1);
        assert!(account.is_verified);
        // With the new password the other links are over.
        account.set_password(own(b"a new one"));
        assert!(!account.take_link(&magic, Use::MagicLink, NOW.to_unix_time()));
    }

    #[test]
    fn what_was_set_up_before_the_owner_came_is_gone() {
        let mut row = row();
        let account = row.account.as_mut().unwrap();
        account.is_verified = false;
        account
            .set_recovery(vec![recovery::hash_of(&text_of(&[1; recovery::CODE_BYTES])).unwrap()]);
        let (first, second) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        account.send(first, Use::VerifyEmail, NOW.to_unix_time());
        assert!(account.take_link(&first, Use::VerifyEmail, NOW.to_unix_time()));
        assert_eq!((account.recovery_left(), &account.password), (0, &None));
        // What the owner sets up stays.
        account.set_password(own(b"of the owner"));
        account.send(second, Use::MagicLink, NOW.to_unix_time());
        assert!(account.take_link(&second, Use::MagicLink, NOW.to_unix_time()));
        assert!(account.password.is_some());
    }

    #[test]
    fn a_hash_is_renewed_only_of_the_password_that_was_compared() {
        let mut row = row();
        let reserved = row.reserve(None, DEFAULT_BOUND, NOW).unwrap();
        let new = own(b"set meanwhile");
        row.account.as_mut().unwrap().set_password(new.clone());
        row.settle(
            reserved,
            true,
            PasswordHash::new(b"the right one", [2; 16], CHEAP, &peppers(&[1])),
        );
        assert_eq!(row.account.unwrap().password, Some(new));
    }

    #[test]
    fn a_row_is_stored_and_read() {
        let mut row = row();
        row.know(DeviceHash::from_bytes([3; 32]));
        let _ = row.reserve(None, DEFAULT_BOUND, NOW).unwrap();
        let account = row.account.as_mut().unwrap();
        account.send(TokenHash::from_bytes([1; 32]), Use::Reset, NOW.to_unix_time());
        account.set_recovery(vec![recovery::hash_of(&text_of(&[9; 15])).unwrap()]);
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<NameRow>(&json).unwrap(), row);
        assert!(serde_json::from_str::<NameRow>(&json.replace("$argon2id", "$argon2x")).is_err());
    }

    #[test]
    fn a_row_is_found_by_a_secret() {
        let name = |text| LoginName::parse(text).unwrap();
        let secret = Secret::new(vec![1; 32]);
        let key = key_of(&name("ada@example.com"), &secret).unwrap();
        assert_eq!(key_of(&name("ADA@example.com"), &secret), Some(key));
        assert_ne!(key_of(&name("bob@example.com"), &secret), Some(key));
        assert_ne!(key_of(&name("ada@example.com"), &Secret::new(vec![2; 32])), Some(key));
        assert!(shard_of(&key) < SHARDS);
    }

    #[test]
    fn the_row_of_an_account_is_found_by_its_name_alone() {
        let id = new_account_id(4095, [7; 14]);
        assert_eq!(shard_of_account(&id), Some(4095));
        assert_eq!(shard_of_account(&AccountId::from_bytes([0xff; 16])), None);
        let account = Account::new(id, Standing::Active, Vec::new(), NOW.to_unix_time());
        assert_eq!(account_of_subject(&account.subject()), Some(id));
        assert_eq!(account_of_subject("client|batch"), None);
    }
}
