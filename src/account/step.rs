//! What one writer of rows is asked, and what it answers: data, and its text for the way between an isolate and an object.

use serde::{Deserialize, Serialize};

use super::{
    attempts::Reservation,
    device::Device,
    row::{AccountId, RowKey},
};
use crate::{
    error::StoreError,
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

/// The guesses that an address, and its network, have reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfAddress {
    /// The row of the address.
    pub address: RowKey,
    /// The row of the network that it is in, if it has one.
    pub network: Option<RowKey>,
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
}

/// What happens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub enum LoginStep {
    /// Reserves a guess of an address.
    Reserve(OfAddress),
    /// Gives it back: it was right.
    GiveBack(OfAddress, AddressReserved),
    /// Guesses at a password.
    Guess(Guess),
    /// A session was opened after a right guess: is the password still that one? Then the browser is known from now on.
    Confirm(RowKey, PasswordState, Option<Device>),
    /// The owner changes the password.
    ChangePassword(ChangePassword),
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
}

/// The reservations of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressReserved {
    /// Of the address.
    pub address: Reservation,
    /// Of its network.
    pub network: Option<Reservation>,
}

/// Whose password was right, and which one of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordState {
    /// The account.
    pub id: AccountId,
    /// How often the password was set.
    pub version: u32,
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
    /// Whether the address is known to be its owner's.
    pub is_verified: bool,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: UnixTime,
    /// Whether the password is still hashed as somebody else did.
    pub imported: bool,
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
    /// It is not the password, or there is no such account.
    Wrong,
    /// It is the password.
    Right(Right),
    /// Done.
    Done,
    /// The account is not there any more, or not as it was.
    Gone,
    /// There is one already.
    Exists,
    /// An account.
    Shown(ShownAccount),
    /// A hash is of no form that is taken, or of a kind that the policy does not list.
    BadHash,
}

/// A right password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// Whose.
    pub state: PasswordState,
    /// Whether the account may not be used.
    pub disabled: bool,
    /// The scopes of its sessions.
    pub scopes: Vec<String>,
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
        serde_json::from_str(text).map_err(|_| StoreError::new("a step of logins is not ours"))
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
        serde_json::from_str(text).map_err(|_| StoreError::new("an outcome of logins is not ours"))
    }
}
