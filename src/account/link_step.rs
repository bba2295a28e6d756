//! What one writer of rows is asked about links by mail. As in [`super::step`], data alone.

use serde::{Deserialize, Serialize};

use super::{
    asker::AskerHash,
    device::Device,
    mail::MailId,
    one_time::{TokenHash, Use},
    row::{AccountId, RowKey},
};

/// A mail that may have to be sent. Whoever asks has made its token, and sealed it with the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMail {
    /// Its name.
    pub id: MailId,
    /// Where it goes, and the token of its link, sealed ([`super::mail`]).
    pub sealed: String,
    /// What is kept of the token.
    pub token: TokenHash,
}

/// A mail without a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedMail {
    /// Its name.
    pub id: MailId,
    /// Where it goes, sealed as that of a [`NewMail`]. The token beside it is sent nowhere.
    pub sealed: String,
}

impl From<NewMail> for SealedMail {
    fn from(NewMail { id, sealed, .. }: NewMail) -> Self {
        Self { id, sealed }
    }
}

/// Somebody asks for a link. Whether there is an account is not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskLink {
    /// The row.
    pub key: RowKey,
    /// What for.
    pub r#use: Use,
    /// The mail.
    pub mail: NewMail,
    /// The browser that asks, if only it may use the link.
    pub asker: Option<AskerHash>,
    /// The same, if somebody has logged in with it.
    pub device: Option<Device>,
}

/// Somebody has a link, and sets a password.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct SetByLink {
    /// The account that the link names.
    pub id: AccountId,
    /// The row that it has to be in, where the address is given too.
    pub key: Option<RowKey>,
    /// What the link is for.
    pub r#use: Use,
    /// Its token.
    pub token: TokenHash,
    /// The new password, in form NFKC.
    pub password: String,
    /// The name of the mail that tells the owner.
    pub told_by: MailId,
    /// The browser, which is the owner's from now on.
    pub device: Option<Device>,
}

/// Somebody has a link, and logs in by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInByLink {
    /// The account that the link names.
    pub id: AccountId,
    /// Its token.
    pub token: TokenHash,
    /// The browser.
    pub asker: AskerHash,
}

/// Somebody registers.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Register {
    /// The row.
    pub key: RowKey,
    /// The name that the account is to have.
    pub id: AccountId,
    /// Its password, in form NFKC.
    pub password: String,
    /// The mail.
    pub mail: NewMail,
    /// The browser that registers: only there the password counts.
    pub asker: Option<AskerHash>,
}

/// Somebody has the link of a registration.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct ConfirmRegistration {
    /// The name that the link has.
    pub id: AccountId,
    /// Its token.
    pub token: TokenHash,
    /// The browser.
    pub asker: Option<AskerHash>,
    /// A password in place of that of the registration, in form NFKC.
    pub password: Option<String>,
    /// The browser, which is the owner's from now on.
    pub device: Option<Device>,
}

/// An administrator invites somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The row.
    pub key: RowKey,
    /// The name that the account is to have, if it is new.
    pub id: AccountId,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// The mail.
    pub mail: NewMail,
}
