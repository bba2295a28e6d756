//! What one writer of rows is asked, and what it answers: data, and its text for the way between an isolate and an object.

use serde::{Deserialize, Serialize};

use super::{
    attempts::Reservation,
    authenticator,
    device::Device,
    link_step::{AskLink, ConfirmRegistration, Invite, LogInByLink, Register, SetByLink},
    passkey::Passkey,
    passkey_step::PasskeyStep,
    passkeys::OwnPasskey,
    recovery::CodeHash,
    row::{Account, AccountId, AccountState, Factors, RowKey, Standing},
    second_step::SecondStep,
};
use crate::{
    error::StoreError,
    json::own_text,
    time::{UnixMillis, UnixTime},
};

/// Which writer keeps a row. Names and addresses have writers of their own, so that neither waits for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shard {
    /// Of names and their accounts.
    Names(u16),
    /// Of the guesses of addresses.
    Addresses(u16),
}

impl core::fmt::Display for Shard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Names(number) => write!(f, "names/{number}"),
            Self::Addresses(number) => write!(f, "addresses/{number}"),
        }
    }
}

/// Whose guess it is, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfAddress {
    /// The row of the address.
    pub address: RowKey,
    /// The row of the network that it is in, if it has one.
    pub network: Option<RowKey>,
    /// What it costs.
    #[serde(default)]
    pub work: Work,
}

/// What a guess costs, be it right or wrong. Of each kind an address has so many, and none uses up what the other has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The hash of a password.
    #[default]
    Hash,
    /// A code, or the signature of a passkey.
    Proof,
}

/// A new password: as it was typed, or as somebody else has hashed it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub enum NewPassword {
    /// In form NFKC.
    Typed(String),
    /// A hash of [`super::foreign_hash`], or one of the gate's own.
    Hashed(String),
}

/// A guess at the password of a name.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Guess {
    /// The row.
    pub key: RowKey,
    /// In form NFKC.
    pub password: String,
    /// The browser, if it has a cookie of the gate.
    pub device: Option<Device>,
}

/// A password is changed by its owner.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds passwords")]
pub struct ChangePassword {
    /// Who is logged in.
    pub id: AccountId,
    /// The one that is to go: a guess as any other.
    pub password: String,
    /// The new one.
    pub new_password: String,
    /// The browser, if it has a cookie of the gate.
    pub device: Option<Device>,
}

/// Who is logged in shows the password once more.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct ProvePassword {
    /// Who is logged in.
    pub id: AccountId,
    /// In form NFKC: a guess as any other. Without it: whether the account has none.
    pub password: Option<String>,
    /// The browser, if it has a cookie of the gate.
    pub device: Option<Device>,
}

/// A new account.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct Create {
    /// The row.
    pub key: RowKey,
    /// Its name for ever.
    pub id: AccountId,
    /// Its password.
    pub password: NewPassword,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Whether the address is known to be its owner's.
    pub is_verified: bool,
    /// The address, sealed ([`super::mail`]), where mails are sent.
    pub address: Option<String>,
}

/// What an administrator changes of an account.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct Change {
    /// Which.
    pub id: AccountId,
    /// Whether it may not be used.
    pub disabled: Option<bool>,
    /// A new password.
    pub password: Option<NewPassword>,
    /// New scopes.
    pub scopes: Option<Vec<String>>,
    /// Whether all factors but the password are taken out.
    pub drop_factors: bool,
    /// Whether a new password has to be set by a link before anybody logs in.
    #[serde(default)]
    pub require_reset: bool,
}

/// What happens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub enum LoginStep {
    /// Reserves a guess of an address.
    Reserve(OfAddress),
    /// Gives it back: it was right, or nothing was compared.
    GiveBack(OfAddress, AddressReserved),
    /// Guesses at a password.
    Guess(Guess),
    /// A session was opened after a right guess: is the account still as it was? Then the browser is known from now on.
    Confirm(AccountState, Option<Device>),
    /// The owner changes the password.
    ChangePassword(ChangePassword),
    /// The owner shows the password.
    ProvePassword(ProvePassword),
    /// The address that somebody has logged in by, sealed, where none is kept: the owner is to be told of changes.
    KeepAddress(AccountState, String),
    /// A link is asked for.
    AskLink(AskLink),
    /// A link is used to set a password.
    SetByLink(SetByLink),
    /// A link is used to log in.
    LogInByLink(LogInByLink),
    /// Somebody registers.
    Register(Register),
    /// The link of a registration is used.
    ConfirmRegistration(ConfirmRegistration),
    /// An administrator invites somebody.
    Invite(Invite),
    /// Makes an account.
    Create(Create),
    /// Shows the account of a name.
    Find(RowKey),
    /// Shows an account.
    Show(AccountId),
    /// Changes an account.
    Change(Change),
    /// Forgets an account.
    Delete(AccountId),
    /// Changes no row. A writer that is made by the first request to it is there from then on, whether it has rows or not.
    Prepare,
    /// Asks for, shows or changes the factors beside the password.
    Factor(FactorStep),
    /// Does something with the passkeys of an account.
    Passkey(AccountId, PasskeyStep),
}

/// A code that somebody typed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_debug_implementations, reason = "it holds a code")]
pub enum TypedCode {
    /// Of the authenticator.
    Shown(String),
    /// A recovery code.
    Recovery(String),
}

/// Who sets up a factor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Who is logged in.
    Session(AccountId),
    /// Who is logged in, and has shown the password that the account had then, or has none to show.
    Proven(AccountState),
    /// Who logs in, and has none yet.
    Login(SecondStep),
}

/// What happens to the factors beside the password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_debug_implementations, reason = "it may hold a code")]
pub enum FactorStep {
    /// Shows them.
    Show(AccountId),
    /// Takes one, for a login that waits for it.
    Take(SecondStep, TypedCode),
    /// Begins to set up an authenticator.
    SetUp(Owner, authenticator::Salt),
    /// Takes its first code. The recovery codes take the place of those that there are.
    Confirm(Owner, String, Vec<CodeHash>),
    /// Takes the authenticator out, by who has shown the password.
    DropAuthenticator(AccountState),
    /// Puts others in place of the recovery codes, by the same.
    NewRecoveryCodes(AccountState, Vec<CodeHash>),
}

/// The reservations of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressReserved {
    /// Of the address.
    pub address: Reservation,
    /// Of its network.
    pub network: Option<Reservation>,
    /// Of its work.
    #[serde(default)]
    pub work: Option<Reservation>,
}

impl AddressReserved {
    /// Those of the guess alone: the work was done.
    #[must_use]
    pub const fn of_guess(self) -> Self {
        Self { work: None, ..self }
    }
}

/// An account as an administrator sees it. The address is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAccount {
    /// Its name.
    pub id: AccountId,
    /// The subject of its sessions.
    pub subject: String,
    /// Whether it may not be used.
    pub disabled: bool,
    /// Whether a new password has to be set by a link before anybody logs in.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reset_required: bool,
    /// Whether it was invited, and has not set a password yet.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub invited: bool,
    /// Whether the address is known to be its owner's.
    pub is_verified: bool,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: UnixTime,
    /// Whether the password is still hashed as somebody else did.
    pub imported: bool,
    /// What it is asked for beside its password.
    pub factors: Factors,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginOutcome {
    /// A guess of the address was reserved.
    Reserved(AddressReserved),
    /// Too many guesses; when the next may be made. No hash was computed.
    TooMany(UnixMillis),
    /// Too many wrong codes of an authenticator in the long run; when the next is compared. Other factors are taken.
    TooManyShown(UnixMillis),
    /// It is not the password, or not any more; or there is no such account.
    Wrong,
    /// It is the password, or the link.
    Right(Right),
    /// Done.
    Done,
    /// The account is not there any more, or not as it was.
    Gone,
    /// There is one already.
    Exists,
    /// A password has to come too: a registration is confirmed elsewhere than where it was made, or a factor is set up by a session of one.
    PasswordNeeded,
    /// Another browser has asked for this link.
    AnotherBrowser,
    /// An account.
    Shown(ShownAccount),
    /// What an account is asked for beside its password.
    Factors(Factors),
    /// A hash is of no form that is taken, or of a kind that the policy does not list.
    BadHash,
    /// The passkeys of an account.
    Passkeys(Vec<OwnPasskey>),
    /// One of them.
    Passkey(Box<Passkey>),
    /// There are as many as there may be.
    Full,
    /// The count of an authenticator has not gone on: there may be two of it.
    Copied,
}

/// A right password or link, or a right code after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// Whose.
    pub state: AccountState,
    /// Whether the account may not be used.
    pub disabled: bool,
    /// Whether that is so until a new password is set by a link.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reset_required: bool,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
    /// What it is asked for beside its password.
    pub factors: Factors,
    /// Whether its address is kept.
    pub has_address: bool,
}

impl Right {
    /// Of this account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            state: account.state(),
            disabled: !account.is_active(),
            reset_required: account.standing == Standing::ResetRequired,
            scopes: account.scopes.clone(),
            factors: account.factors(),
            has_address: account.has_address(),
        }
    }
}

impl LoginStep {
    /// As it travels.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`LoginStep::to_text`] has written.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        own_text::read(text).map_err(|_| StoreError::new("a step of logins is not ours"))
    }
}

impl LoginOutcome {
    /// As it travels.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`LoginOutcome::to_text`] has written.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        own_text::read(text).map_err(|_| StoreError::new("an outcome of logins is not ours"))
    }
}
