//! The row of a login name: its account, if it has one, and how often it was guessed at. All that happens to an account is a step here,
//! which whoever keeps the row takes as one.
//!
//! What links do is in `links`, registrations that wait are in `pending`.
//!
//! A name that does not exist has a row too while it is under attack, and nothing in how it is answered is different.

pub mod links;
pub mod pending;

use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use self::pending::Pending;
use super::{
    attempts::{Attempts, Bound, Reservation},
    authenticator::{self, Authenticator, AuthenticatorKey, Unconfirmed},
    foreign_hash::ForeignHash,
    hash::{PasswordHash, Peppers},
    name::LoginName,
    one_time::{OneTimeTokens, Use},
    passkeys::{OwnPasskey, UsedChallenges},
    recovery::{self, CodeHash},
};
use crate::{
    secret::Secret,
    session::Opaque,
    time::{UnixMillis, UnixTime},
};

/// Browsers of one name that are known.
const MAX_DEVICES: usize = 10;

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

/// The name of a login that waits for its second factor.
pub type LoginNumber = Opaque<16>;

/// How many logins that are over are remembered. Each has cost a code of its own, so hardly anybody has more while one lives; a login that
/// is forgotten could be ended once more, by another code.
const MAX_ENDED: usize = 16;

/// How many wrong codes of an authenticator are compared in the long run, whatever the policy says. One of three steps fits, of a million codes
/// each: fifty are right once in 6,700 times, and the bound of a quarter of an hour alone would let 14,000 be tried in a month.
const CODES_IN_ALL: Bound = Bound { attempts: 50, window_millis: 30 * 24 * 60 * 60 * 1000 };

/// By what an account is asked for beside its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// Whether it has an authenticator.
    pub totp: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
    /// How many passkeys it has.
    pub passkeys: usize,
}

impl Factors {
    /// Whether a second factor is asked for.
    #[must_use]
    pub const fn is_second(self) -> bool {
        self.totp || self.passkeys > 0
    }
}

/// Whose password was right, and what the account was like then: what comes of it is over once one of them has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The account.
    pub id: AccountId,
    /// How often the password was set.
    pub password_version: u32,
    /// How often its factors were changed.
    pub factors_version: u32,
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
    authenticator: Option<Authenticator>,
    /// The next one.
    #[serde(default)]
    unconfirmed: Option<Unconfirmed>,
    /// How often its factors were changed.
    #[serde(default)]
    factors_version: u32,
    /// Logins that the second factor has ended, until they would be too old.
    #[serde(default)]
    ended: Vec<(LoginNumber, UnixTime)>,
    /// Wrong codes of the authenticator, in the long run ([`CODES_IN_ALL`]).
    #[serde(default, skip_serializing_if = "Attempts::is_none")]
    wrong_codes: Attempts,
    /// The recovery codes that are left.
    recovery: Vec<CodeHash>,
    /// Its passkeys.
    pub passkeys: Vec<OwnPasskey>,
    /// The challenges that these were used with.
    #[serde(default, skip_serializing_if = "UsedChallenges::is_empty")]
    pub challenges: UsedChallenges,
    /// Links that are out.
    tokens: OneTimeTokens,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: UnixTime,
    /// Its address, sealed ([`super::mail`]), where mails are sent: the owner is told of changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// A browser that somebody logged in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Device {
    hash: DeviceHash,
    /// With a new password it is a stranger again.
    password_version: u32,
    guesses: Attempts,
    /// Mails that were asked for by it.
    #[serde(default, skip_serializing_if = "Attempts::is_none")]
    mails: Attempts,
}

/// The row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRow {
    /// The account.
    pub account: Option<Account>,
    /// Guesses at the password by browsers that are not known. They are stored by themselves, so that what is written for a guess is the
    /// same whatever else the row has.
    #[serde(skip)]
    pub guesses: Attempts,
    /// Guesses at codes, after the right password.
    codes: Attempts,
    devices: Vec<Device>,
    /// Mails that somebody asked for, by what their links are for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    mails: BTreeMap<Use, Attempts>,
    /// Registrations that wait for their link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<Pending>,
    /// Mails that told the owner of a change.
    #[serde(default, skip_serializing_if = "Attempts::is_none")]
    notices: Attempts,
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

impl Reserved {
    /// Whether it is one of a browser that is known.
    #[must_use]
    pub const fn is_of_device(&self) -> bool {
        self.device.is_some()
    }
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
    /// Of an authenticator too many were tried in the long run. Other factors are taken.
    TooManyShown(UnixMillis),
    /// It is not the one.
    Wrong,
}

/// A code that somebody typed.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// Of the authenticator.
    Shown(&'a str),
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
    /// with another one cost the same. `decoys` are a hash of each kind that accounts moved in with, and of each cost from before: while there are
    /// such, each comparison is with one of the gate's own at the cost of today and one of each of these. `nobody` is what the name has as
    /// long as it does not exist.
    #[must_use]
    pub fn compare(
        &self,
        password: &[u8],
        (nobody, peppers): (&PasswordHash, &Peppers),
        decoys: &[ForeignHash],
    ) -> Verdict {
        let kept = self.account.as_ref().and_then(|account| account.password.as_ref());
        let (own, foreign) = match kept {
            Some(Kept::Own(own)) => (own, None),
            Some(Kept::Foreign(foreign, _)) => (nobody, Some(foreign)),
            None => (nobody, None),
        };
        let fits_own = own.fits(password, peppers);
        let fits_foreign = foreign.is_some_and(|foreign| foreign.fits(password));
        // The one that is of its kind was just computed.
        for decoy in decoys.iter().filter(|decoy| foreign.is_none_or(|one| !one.is_like(decoy))) {
            // One of the gate's own from before was computed in the place of today's, which takes the place of its kind here.
            let is_own = decoy.is_like(&ForeignHash::of_cost(own.cost()));
            let fits = if is_own { nobody.fits(password, peppers) } else { decoy.fits(password) };
            // What nobody reads would be left out by the compiler.
            core::hint::black_box(fits);
        }
        match kept {
            Some(Kept::Own(own)) => {
                Verdict { is_right: fits_own, is_outdated: own.is_outdated(nobody.cost(), peppers) }
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
        let (guesses, mails) =
            known.map(|device| (device.guesses.clone(), device.mails.clone())).unwrap_or_default();
        self.devices
            .retain(|device| device.hash != hash && device.password_version == password_version);
        if self.devices.len() >= MAX_DEVICES {
            self.devices.remove(0);
        }
        self.devices.push(Device { hash, password_version, guesses, mails });
    }

    /// Takes the account out, and what was its owner's: the next one at this name may be somebody else's. Guesses at the name still count.
    pub fn forget_account(&mut self) {
        self.account = None;
        self.devices.clear();
        self.pending.clear();
        self.notices = Attempts::none();
    }

    /// Takes a code, after the right password. Codes of both kinds share one bound; a right one gives back its own guess alone. Those of an
    /// authenticator are bounded in the long run too, until the password is another one.
    ///
    /// # Errors
    /// [`CodeFault`].
    pub fn take_code(
        &mut self,
        code: Code<'_>,
        key: &AuthenticatorKey,
        bound: Bound,
        now: UnixMillis,
    ) -> Result<(), CodeFault> {
        self.guess_code(bound, now, |account| match code {
            Code::Shown(text) => account.guess_shown(text, key, now),
            Code::Recovery(text) => {
                let hash = recovery::hash_of(text);
                Ok(hash.is_some_and(|hash| recovery::take(&mut account.recovery, &hash)))
            }
        })
    }

    /// Takes the first code of an authenticator that is set up: from now on it is asked for. New recovery codes take the place of the old
    /// ones. The bound is that of all codes.
    ///
    /// # Errors
    /// [`CodeFault`].
    pub fn confirm_authenticator(
        &mut self,
        text: &str,
        codes: Vec<CodeHash>,
        key: &AuthenticatorKey,
        (bound, now): (Bound, UnixMillis),
    ) -> Result<(), CodeFault> {
        self.guess_code(bound, now, |account| {
            Ok(account.take_first(text, codes, key, now.to_unix_time()))
        })
    }

    fn guess_code(
        &mut self,
        bound: Bound,
        now: UnixMillis,
        take: impl FnOnce(&mut Account) -> Result<bool, CodeFault>,
    ) -> Result<(), CodeFault> {
        let reservation = self.codes.reserve(bound, now).map_err(CodeFault::TooMany)?;
        let account = self.account.as_mut().ok_or(CodeFault::Wrong)?;
        let taken = take(account);
        // What was not compared is no guess.
        if taken != Ok(false) {
            self.codes.give_back(reservation);
        }
        if taken? { Ok(()) } else { Err(CodeFault::Wrong) }
    }

    /// Whether something of it passes: what strangers can have counted, or the row itself where it has no account. So the writer wakes as often
    /// for a name that has one.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let counted = [&self.guesses, &self.codes].into_iter().chain(self.mails.values());
        self.account.is_none() || counted.into_iter().any(|attempts| !attempts.is_none())
    }

    /// Whether it has guesses of strangers at most.
    #[must_use]
    pub fn has_only_guesses(&self) -> bool {
        *self == Self { guesses: self.guesses.clone(), ..Self::default() }
    }

    /// Takes out what strangers can have counted once it counts no more. What has changed.
    pub fn forget_counts(&mut self, bound: Bound, now: UnixMillis) -> Forgotten {
        let mut forgotten = Forgotten::default();
        if self.guesses.is_over(bound, now) {
            forgotten.guesses = !self.guesses.is_none();
            self.guesses = Attempts::none();
        }
        if self.codes.is_over(bound, now) && self.has_no_mails(now) {
            forgotten.codes_and_mails = !self.codes.is_none() || !self.mails.is_empty();
            self.codes = Attempts::none();
            self.mails.clear();
        }
        forgotten
    }
}

/// What [`NameRow::forget_counts`] has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Guesses of strangers.
    pub guesses: bool,
    /// Codes and mails.
    pub codes_and_mails: bool,
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
            unconfirmed: None,
            factors_version: 0,
            ended: Vec::new(),
            wrong_codes: Attempts::none(),
            recovery: Vec::new(),
            passkeys: Vec::new(),
            challenges: UsedChallenges::none(),
            tokens: OneTimeTokens::none(),
            scopes,
            created_at: now,
            address: None,
        }
    }

    /// The subject of its sessions.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{SUBJECT_PREFIX}{}", self.id)
    }

    /// Sets a password. Links that are out and browsers that are known were those of the one before: their owner may have been another. Whoever
    /// guesses at codes knew the one before.
    pub fn set_password(&mut self, kept: Kept) {
        self.password = Some(kept);
        self.wrong_codes = Attempts::none();
        self.password_version = self.password_version.wrapping_add(1);
        if matches!(self.standing, Standing::ResetRequired | Standing::Invited) {
            self.standing = Standing::Active;
        }
    }

    /// Whether it has one.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether the password is still kept as somebody else did.
    #[must_use]
    pub const fn is_imported(&self) -> bool {
        matches!(self.password, Some(Kept::Foreign(..)))
    }

    /// What it is asked for beside its password.
    #[must_use]
    pub const fn factors(&self) -> Factors {
        Factors {
            totp: self.authenticator.is_some(),
            recovery_codes_left: self.recovery.len(),
            passkeys: self.passkeys.len(),
        }
    }

    /// What a login finds, and still has to find at its end.
    #[must_use]
    pub const fn state(&self) -> AccountState {
        let Self { id, password_version, factors_version, .. } = *self;
        AccountState { id, password_version, factors_version }
    }

    /// Whether it may be used.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.standing == Standing::Active
    }

    /// Whether it may be used, and is as it was.
    #[must_use]
    pub fn is_still(&self, state: &AccountState) -> bool {
        self.is_active() && self.state() == *state
    }

    /// Notes that its factors are others now: logins that have begun with the old ones come to nothing.
    pub const fn note_factors(&mut self) {
        self.factors_version = self.factors_version.wrapping_add(1);
    }

    /// Puts the recovery codes in place of those that are left.
    pub fn set_recovery(&mut self, codes: Vec<CodeHash>) {
        self.recovery = codes;
        self.note_factors();
    }

    /// Begins to set up an authenticator. The one that there is counts until the new one has shown a code.
    pub const fn set_up(&mut self, salt: authenticator::Salt, now: UnixTime) {
        self.unconfirmed = Some(Unconfirmed::new(salt, now));
    }

    /// Takes the authenticator out. With the last factor the recovery codes go.
    pub fn drop_authenticator(&mut self) {
        self.authenticator = None;
        self.unconfirmed = None;
        self.wrong_codes = Attempts::none();
        if self.passkeys.is_empty() {
            self.recovery.clear();
        }
        self.note_factors();
    }

    /// Takes all factors out but the password.
    pub fn drop_factors(&mut self) {
        self.passkeys.clear();
        self.drop_authenticator();
    }

    /// Whether a login was ended already.
    #[must_use]
    pub fn has_ended(&self, login: &LoginNumber) -> bool {
        self.ended.iter().any(|(one, _)| one == login)
    }

    /// Notes that a login has ended: the second factor is given for one session. It would be too old from `until` on.
    pub fn end_login(&mut self, login: LoginNumber, until: UnixTime, now: UnixTime) {
        self.ended.retain(|(_, until)| now < *until);
        if self.ended.len() >= MAX_ENDED {
            self.ended.remove(0);
        }
        self.ended.push((login, until));
    }

    fn guess_shown(
        &mut self,
        text: &str,
        key: &AuthenticatorKey,
        now: UnixMillis,
    ) -> Result<bool, CodeFault> {
        let in_all = self.wrong_codes.reserve(CODES_IN_ALL, now);
        let in_all = in_all.map_err(CodeFault::TooManyShown)?;
        let is_right = self.take_shown(text, key, now.to_unix_time());
        if is_right {
            self.wrong_codes.give_back(in_all);
        }
        Ok(is_right)
    }

    fn take_shown(&mut self, text: &str, key: &AuthenticatorKey, now: UnixTime) -> bool {
        let id = &self.id;
        let own = self.authenticator.as_mut();
        own.is_some_and(|own| own.take(text, |salt| key.secret(id, salt), now))
    }

    fn take_first(
        &mut self,
        text: &str,
        codes: Vec<CodeHash>,
        key: &AuthenticatorKey,
        now: UnixTime,
    ) -> bool {
        let id = &self.id;
        let next = self.unconfirmed.as_ref();
        let next = next.and_then(|next| next.confirmed(text, |salt| key.secret(id, salt), now));
        if next.is_some() {
            self.authenticator = next;
            self.unconfirmed = None;
            self.wrong_codes = Attempts::none();
            self.set_recovery(codes);
        }
        next.is_some()
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
    /// Reads a hash: one of the gate's own, or one that accounts move in with. PHP writes argon2id in the same form, without a pepper.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        if let Some(own) = PasswordHash::parse(&text).filter(PasswordHash::is_peppered) {
            return Some(Self::Own(own));
        }
        ForeignHash::parse(&text).map(|foreign| Self::Foreign(foreign, text))
    }
}

/// Shows what kind it is.
impl core::fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Shown(_) => "Shown(_)",
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
    use crate::account::{
        attempts::DEFAULT_BOUND,
        hash::{Cost, computed},
        one_time::{Beside, TokenHash},
        recovery::text_of,
        totp,
    };

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const FOREIGN: &str = "$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW";

    fn peppers(ids: &[u8]) -> Peppers {
        Peppers::new(ids.iter().map(|id| (*id, Secret::new(vec![*id; 32]))).collect())
    }

    const STEP_MILLIS: u64 = 30_000;

    fn key() -> AuthenticatorKey {
        AuthenticatorKey::new(Hmac::new_from_slice(&[1; 32]).unwrap())
    }

    /// What the authenticator of [`row`] shows so long after [`NOW`].
    fn shown(millis: u64) -> String {
        let account = AccountId::from_bytes([5; 16]);
        let secret = key().secret(&account, &authenticator::Salt::from_bytes([8; 16]));
        totp::shown(&secret, NOW.saturating_add(millis).to_unix_time())
    }

    fn set_up(row: &mut NameRow, codes: Vec<CodeHash>) {
        let account = row.account.as_mut().unwrap();
        account.set_up(authenticator::Salt::from_bytes([8; 16]), NOW.to_unix_time());
        assert!(!account.factors().is_second(), "before the first code it does not count");
        let at = (DEFAULT_BOUND, NOW);
        assert_eq!(row.confirm_authenticator(&shown(0), codes, &key(), at), Ok(()));
        assert!(row.account.as_ref().unwrap().factors().is_second());
    }

    fn of_anybody(hash: TokenHash) -> (TokenHash, Beside) {
        (hash, Beside::default())
    }

    fn took(account: &mut Account, hash: TokenHash, r#use: Use) -> bool {
        account.take_link((&hash, None), r#use, NOW.to_unix_time()).is_some()
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

    fn nobody() -> PasswordHash {
        PasswordHash::of_nobody([9; 16], CHEAP, &peppers(&[1]))
    }

    fn guess(
        row: &mut NameRow,
        password: &[u8],
        device: Option<&DeviceHash>,
    ) -> Result<bool, UnixMillis> {
        let reserved = row.reserve(device, DEFAULT_BOUND, NOW)?;
        let verdict = row.compare(password, (&nobody(), &peppers(&[1])), &[]);
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
        let (none, guesses) =
            (Forgotten::default(), Forgotten { guesses: true, codes_and_mails: false });
        assert_eq!(nobody.forget_counts(DEFAULT_BOUND, NOW), none);
        assert!(nobody.has_only_guesses() && nobody != NameRow::default());
        let later = NOW.saturating_add(DEFAULT_BOUND.window_millis);
        assert_eq!(nobody.forget_counts(DEFAULT_BOUND, later), guesses);
        assert_eq!(
            (nobody.clone(), nobody.forget_counts(DEFAULT_BOUND, later)),
            (NameRow::default(), none)
        );
        let empty = Account::new(
            AccountId::from_bytes([5; 16]),
            Standing::Invited,
            Vec::new(),
            NOW.to_unix_time(),
        );
        let mut invited = NameRow { account: Some(empty), ..NameRow::default() };
        assert_eq!(guess(&mut invited, b"", None), Ok(false));
    }

    /// After the cost was changed, whoever has not logged in since is answered as late as a name that nobody has.
    #[test]
    fn each_name_costs_the_same_hashes_whatever_its_password_is_kept_by() {
        const EARLIER: Cost = Cost { memory_kib: 16, passes: 2 };
        const PHP: &str = "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$0d2fS/oVpAjBrlU/TISqg9c6/NuUo7W1l+jrIBSJuWs";
        let decoys = [FOREIGN, PHP].map(|text| ForeignHash::parse(text).unwrap());
        let decoys: Vec<_> = decoys.into_iter().chain([ForeignHash::of_cost(EARLIER)]).collect();
        let own_at =
            |cost| Kept::Own(PasswordHash::new(b"right", [1; 16], cost, &peppers(&[1])).unwrap());
        let foreign = |text: &str| Kept::parse(text.to_owned()).unwrap();
        for kept in [
            None,
            Some(own_at(CHEAP)),
            Some(own_at(EARLIER)),
            Some(foreign(FOREIGN)),
            Some(foreign(PHP)),
        ] {
            let mut row = row();
            row.account.as_mut().unwrap().password = kept.clone();
            for password in ["right", "wrong"] {
                let _ = computed::take();
                let verdict =
                    row.compare(password.as_bytes(), (&nobody(), &peppers(&[1])), &decoys);
                assert_eq!(computed::take(), [(8, 1), (16, 2), (64, 2)], "{kept:?}");
                let is_own = matches!(kept, Some(Kept::Own(_)));
                assert_eq!(verdict.is_right, is_own && password == "right");
            }
        }
    }

    #[test]
    fn a_hash_of_others_is_made_anew_at_the_first_login() {
        let mut row = row();
        let kept = Kept::parse(FOREIGN.to_owned()).unwrap();
        row.account.as_mut().unwrap().set_password(kept);
        let password = b"correct horse battery staple";
        let reserved = row.reserve(None, DEFAULT_BOUND, NOW).unwrap();
        let verdict = row.compare(password, (&nobody(), &peppers(&[1])), &[]);
        assert_eq!(verdict, Verdict { is_right: true, is_outdated: true });
        row.settle(reserved, true, PasswordHash::new(password, [2; 16], CHEAP, &peppers(&[1])));
        let verdict = row.compare(
            password,
            (&nobody(), &peppers(&[1])),
            &[ForeignHash::parse(FOREIGN).unwrap()],
        );
        assert_eq!(verdict, Verdict { is_right: true, is_outdated: false });
        // The decoy's own password is nobody's.
        let other = NameRow::default().compare(
            password,
            (&nobody(), &peppers(&[1])),
            &[ForeignHash::parse(FOREIGN).unwrap()],
        );
        assert!(!other.is_right);
        assert!(row.compare(password, (&nobody(), &peppers(&[1, 2])), &[]).is_outdated);
    }

    #[test]
    fn codes_share_a_bound_of_their_own() {
        let (mut row, key) = (row(), key());
        let code = text_of(&[9; 15]);
        set_up(&mut row, vec![recovery::hash_of(&code).unwrap()]);
        let next = shown(STEP_MILLIS);
        let mut take =
            |code| row.take_code(code, &key, DEFAULT_BOUND, NOW.saturating_add(STEP_MILLIS));
        assert_eq!(take(Code::Shown(&next)), Ok(()));
        assert_eq!(take(Code::Shown(&next)), Err(CodeFault::Wrong), "a step counts once");
        assert_eq!(take(Code::Recovery(&code)), Ok(()));
        for _ in 0..2 {
            assert_eq!(take(Code::Recovery(&code)), Err(CodeFault::Wrong), "a code counts once");
            assert_eq!(take(Code::Shown("no code")), Err(CodeFault::Wrong));
        }
        assert!(matches!(take(Code::Shown(&shown(2 * STEP_MILLIS))), Err(CodeFault::TooMany(_))));
        assert_eq!(row.account.as_ref().unwrap().factors().recovery_codes_left, 0);
        // Passwords have their own.
        assert_eq!(guess(&mut row, b"the right one", None), Ok(true));
    }

    /// Whoever knows the password would be lucky some day, five codes at a time.
    #[test]
    fn fifty_wrong_codes_of_an_authenticator_are_compared_in_a_month() {
        let (mut row, key) = (row(), key());
        let code = text_of(&[9; 15]);
        set_up(&mut row, vec![recovery::hash_of(&code).unwrap()]);
        let loose = Bound { attempts: 25, window_millis: 60_000 };
        let quarter = DEFAULT_BOUND.window_millis;
        let mut wrong = 0;
        for step in 1..30 * 96 {
            let at = NOW.saturating_add(step * quarter);
            for _ in 0..5 {
                match row.take_code(Code::Shown("00000x"), &key, loose, at) {
                    Err(CodeFault::Wrong) => wrong += 1,
                    Err(CodeFault::TooManyShown(until)) => assert!(until > at),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(wrong, 50);
        let late = 30 * 96 * quarter;
        let take = |row: &mut NameRow, code: Code<'_>, millis| {
            row.take_code(code, &key, DEFAULT_BOUND, NOW.saturating_add(millis))
        };
        // The row is read as it was written.
        let json = serde_json::to_string(&row).unwrap();
        row = serde_json::from_str(&json).unwrap();
        let right = shown(late - 1000);
        let refused = take(&mut row, Code::Shown(&right), late - 1000);
        assert!(matches!(refused, Err(CodeFault::TooManyShown(_))), "{refused:?}");
        assert_eq!(take(&mut row, Code::Recovery(&code), late - 1000), Ok(()));
        // Each counts for thirty days.
        let mut later = row.clone();
        let next = shown(2 * late);
        assert_eq!(take(&mut later, Code::Shown(&next), 2 * late), Ok(()));
        // Whoever guesses does not know the new password.
        row.account.as_mut().unwrap().set_password(own(b"a new one"));
        assert_eq!(take(&mut row, Code::Shown(&right), late - 1000), Ok(()));
        assert!(!serde_json::to_string(&row).unwrap().contains("wrong_codes"));
    }

    #[test]
    fn right_codes_do_not_count_in_the_long_run_and_give_nothing_back_to_others() {
        let (mut row, key) = (row(), key());
        set_up(&mut row, Vec::new());
        let mut wrong = 0;
        for day in 1..40 {
            let at = day * 24 * 60 * 60 * 1000;
            let now = NOW.saturating_add(at);
            let right = row.take_code(Code::Shown(&shown(at)), &key, DEFAULT_BOUND, now);
            if wrong < 50 {
                assert_eq!(right, Ok(()), "{day}");
            }
            for _ in 0..2 {
                let tried = row.take_code(Code::Shown("00000x"), &key, DEFAULT_BOUND, now);
                wrong += u32::from(tried == Err(CodeFault::Wrong));
            }
        }
        // Fifty, and those whose thirty days were over.
        assert!((50..=70).contains(&wrong), "{wrong}");
    }

    #[test]
    fn an_authenticator_counts_from_its_first_code_until_it_is_dropped() {
        let (mut row, key) = (row(), key());
        let before = row.account.as_ref().unwrap().state();
        let at = |millis| (DEFAULT_BOUND, NOW.saturating_add(millis));
        let first = shown(0);
        assert_eq!(
            row.confirm_authenticator(&first, Vec::new(), &key, at(0)),
            Err(CodeFault::Wrong),
            "none is set up"
        );
        let account = row.account.as_mut().unwrap();
        account.set_up(authenticator::Salt::from_bytes([8; 16]), NOW.to_unix_time());
        let late = 600_000;
        assert_eq!(
            row.confirm_authenticator(&shown(late), Vec::new(), &key, at(late)),
            Err(CodeFault::Wrong),
            "too late"
        );
        assert_eq!(row.confirm_authenticator(&first, Vec::new(), &key, at(0)), Ok(()));
        let account = row.account.as_mut().unwrap();
        assert!(!account.is_still(&before), "what has begun without it comes to nothing");
        // The one that there is counts while another is set up.
        account.set_up(authenticator::Salt::from_bytes([9; 16]), NOW.to_unix_time());
        let next = shown(STEP_MILLIS);
        let (bound, now) = at(STEP_MILLIS);
        assert_eq!(row.take_code(Code::Shown(&next), &key, bound, now), Ok(()));
        let account = row.account.as_mut().unwrap();
        let with = account.state();
        account.drop_authenticator();
        assert!(!account.factors().is_second() && !account.is_still(&with));
    }

    #[test]
    fn a_login_ends_once() {
        let mut row = row();
        let account = row.account.as_mut().unwrap();
        let (now, until) = (NOW.to_unix_time(), NOW.to_unix_time().saturating_add(300));
        let login = |number| LoginNumber::from_bytes([number; 16]);
        for number in 0..20 {
            account.end_login(login(number), until, now);
            assert!(account.has_ended(&login(number)));
        }
        assert_eq!(account.ended.len(), MAX_ENDED);
        account.end_login(login(99), until.saturating_add(300), until);
        assert_eq!(account.ended.len(), 1);
    }

    #[test]
    fn of_a_hundred_who_use_one_link_one_does() {
        let mut row = row();
        let account = row.account.as_mut().unwrap();
        let (reset, magic) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        account.send(of_anybody(reset), Use::Reset, NOW.to_unix_time());
        account.send(of_anybody(magic), Use::MagicLink, NOW.to_unix_time());
        let used = (0..100).filter(|_| took(account, reset, Use::Reset)).count();
        assert_eq!(used, 1);
        assert!(account.is_verified);
        // With the new password the other links are over.
        account.set_password(own(b"a new one"));
        assert!(!took(account, magic, Use::MagicLink));
    }

    #[test]
    fn what_was_set_up_before_the_owner_came_is_gone() {
        let mut row = row();
        let account = row.account.as_mut().unwrap();
        account.is_verified = false;
        account
            .set_recovery(vec![recovery::hash_of(&text_of(&[1; recovery::CODE_BYTES])).unwrap()]);
        let (first, second) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        account.send(of_anybody(first), Use::VerifyEmail, NOW.to_unix_time());
        assert!(took(account, first, Use::VerifyEmail));
        assert_eq!((account.factors().recovery_codes_left, &account.password), (0, &None));
        // What the owner sets up stays.
        account.set_password(own(b"of the owner"));
        account.send(of_anybody(second), Use::MagicLink, NOW.to_unix_time());
        assert!(took(account, second, Use::MagicLink));
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
        account.send(of_anybody(TokenHash::from_bytes([1; 32])), Use::Reset, NOW.to_unix_time());
        account.set_recovery(vec![recovery::hash_of(&text_of(&[9; 15])).unwrap()]);
        let json = serde_json::to_string(&row).unwrap();
        // Guesses of strangers are stored by themselves.
        let guesses = core::mem::take(&mut row.guesses);
        assert_ne!(guesses, Attempts::none());
        assert_eq!(serde_json::from_str::<NameRow>(&json).unwrap(), row);
        // As the gate wrote it before there were second factors.
        let older = json.replace("\"unconfirmed\":null,\"factors_version\":1,\"ended\":[],", "");
        assert_ne!(older, json);
        assert!(serde_json::from_str::<NameRow>(&older).is_ok());
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
