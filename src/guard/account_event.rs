//! What has become of an account, as it is told: each login and each change of what lets somebody in (OWASP ASVS 5, 16.3.1 and 16.3.3). Attempts that
//! failed are refusals, as everywhere.

use crate::account::row::{AccountId, SUBJECT_PREFIX};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountAction {
    /// A session was opened, after all that the account asks for.
    LoggedIn,
    /// Somebody registered. By an invitation the account is there at once; else there is none before its address is confirmed.
    Registered,
    /// The address of a registration was confirmed: the account is there.
    EmailVerified,
    /// An administrator made it.
    Created,
    /// An administrator invited its owner.
    Invited,
    /// Its owner changed the password, by the old one.
    PasswordChanged,
    /// A new password was set by a link.
    PasswordReset,
    /// An administrator set a password.
    PasswordSet,
    /// An authenticator was set up.
    TotpAdded,
    /// The authenticator was taken out.
    TotpRemoved,
    /// There are new recovery codes.
    RecoveryCodesMade,
    /// A recovery code was used up.
    RecoveryCodeUsed,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was taken out.
    PasskeyRemoved,
    /// An administrator asked for a new password.
    ResetRequired,
    /// An administrator took all factors out but the password.
    FactorsRemoved,
    /// An administrator changed its scopes.
    ScopesChanged,
    /// An administrator disabled it.
    Disabled,
    /// An administrator enabled it.
    Enabled,
    /// An administrator deleted it.
    Deleted,
}

impl AccountAction {
    /// Its word in events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::Registered => "registered",
            Self::EmailVerified => "email_verified",
            Self::Created => "created",
            Self::Invited => "invited",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::PasswordSet => "password_set",
            Self::TotpAdded => "totp_added",
            Self::TotpRemoved => "totp_removed",
            Self::RecoveryCodesMade => "recovery_codes_made",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::ResetRequired => "reset_required",
            Self::FactorsRemoved => "factors_removed",
            Self::ScopesChanged => "scopes_changed",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Deleted => "deleted",
        }
    }
}

/// Something that was done to an account, or by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountEvent {
    /// What.
    pub action: AccountAction,
    /// By what somebody has logged in, in the order in which it was shown, as `password totp`; else empty.
    pub methods: &'static str,
    /// Whose account it is. Whoever has just registered has none.
    pub account: Option<AccountId>,
}

impl AccountEvent {
    /// The subject of the account's sessions.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.account.map(|id| format!("{SUBJECT_PREFIX}{id}"))
    }
}

/// By which request, as it is told.
#[derive(Debug, Clone, Copy)]
pub struct AskedBy<'a> {
    /// The endpoint in the event log; empty where an application has asked.
    pub route: &'a str,
    /// The name of the administrator's secret, if an administrator has asked.
    pub actor: Option<&'a str>,
}
