//! The endpoints of accounts: paths and methods, and which pages may read the answers. What each does is [`AccountFlow`]'s to say.

use super::session_endpoints::Asked;
use crate::{
    error::Error,
    guard::{
        Backend,
        accounts::{AccountFlow, Accounts},
        session::endpoints::Answer,
    },
    login::return_path::ACCOUNT_PAGE,
    policy::{Cors, Policy},
};

/// An endpoint of accounts below the policy's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEndpoint {
    /// `POST /login`, where `GET` is of logins with others.
    LogIn,
    /// `/password`
    Password,
    /// `/mfa`: by `GET` who is logged in sees the factors, by `POST` a login goes on.
    Mfa,
    /// `/mfa/totp`: an authenticator.
    Totp,
    /// `/mfa/totp/confirm`
    ConfirmTotp,
    /// `/mfa/recovery-codes`
    RecoveryCodes,
    /// `/reset`
    AskReset,
    /// `/reset/confirm`
    Reset,
    /// `/register`
    Register,
    /// `/verify-email`
    VerifyEmail,
    /// `/mfa/passkeys/options`
    PasskeyOptions,
    /// `/mfa/passkeys`
    Passkeys,
    /// `/mfa/passkeys/{id}`
    Passkey,
    /// `/passkey/options`
    LogInOptions,
    /// `/passkey`
    LogInByPasskey,
    /// `/magic-link`
    AskMagicLink,
    /// `/magic-link/confirm`
    MagicLink,
    /// `/account`: a page, and what its forms do ([`own_account_page`](super::own_account_page)).
    Account,
}

/// The path that two rooms share: who asks by `GET` chooses a provider, who sends a password posts it.
pub const LOGIN_PATH: &str = "/login";

/// The methods of [`LOGIN_PATH`] of a policy with logins and accounts.
pub const LOGIN_METHODS: &str = "GET, POST";

/// An endpoint of the administration of accounts, below the policy's prefix. What each does is [`AccountFlow`]'s to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminAccountEndpoint {
    /// `/admin/accounts`
    All,
    /// `/admin/accounts/find`: an address is in a body, since URLs are in logs.
    Find,
    /// `/admin/accounts/invite`
    Invite,
    /// `/admin/accounts/prepare`
    Prepare,
    /// `/admin/accounts/{id}`
    One,
}

impl AdminAccountEndpoint {
    /// All of them. Of two that fit, the first one counts.
    pub const ALL: [Self; 5] = [Self::All, Self::Find, Self::Invite, Self::Prepare, Self::One];

    /// Its path below the prefix.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::All => "/admin/accounts",
            Self::Find => "/admin/accounts/find",
            Self::Invite => "/admin/accounts/invite",
            Self::Prepare => "/admin/accounts/prepare",
            Self::One => "/admin/accounts/{id}",
        }
    }

    /// Its methods.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::All | Self::Find | Self::Invite | Self::Prepare => "POST",
            Self::One => "GET, PATCH, DELETE",
        }
    }
}

/// Who answers at [`LOGIN_PATH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLogin {
    /// Logins with others.
    Providers,
    /// Accounts.
    Accounts,
}

impl AtLogin {
    /// By what the policy has, and the method.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the policy has neither, [`Error::MethodNotAllowed`].
    pub fn of(policy: &Policy, method: &str) -> Result<Self, Error> {
        let allow = match (policy.login.is_some(), policy.accounts.is_some()) {
            (false, false) => return Err(Error::NotFound),
            (true, false) => "GET",
            (false, true) => "POST",
            (true, true) => LOGIN_METHODS,
        };
        let has_pages = policy.accounts.as_ref().is_some_and(|accounts| accounts.pages);
        match method {
            // The page of accounts has the providers too.
            "GET" if has_pages => Ok(Self::Accounts),
            "GET" if policy.login.is_some() => Ok(Self::Providers),
            // A preflight of it, too.
            "POST" | "OPTIONS" if policy.accounts.is_some() => Ok(Self::Accounts),
            _ => Err(Error::MethodNotAllowed { allow }),
        }
    }
}

impl AccountEndpoint {
    /// All of them. Of two that fit, the first one counts.
    pub const ALL: [Self; 18] = [
        Self::LogIn,
        Self::Password,
        Self::Mfa,
        Self::Totp,
        Self::ConfirmTotp,
        Self::RecoveryCodes,
        Self::AskReset,
        Self::Reset,
        Self::Register,
        Self::VerifyEmail,
        Self::PasskeyOptions,
        Self::Passkeys,
        Self::Passkey,
        Self::LogInOptions,
        Self::LogInByPasskey,
        Self::AskMagicLink,
        Self::MagicLink,
        Self::Account,
    ];

    /// Its path below the prefix.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::LogIn => LOGIN_PATH,
            Self::Password => "/password",
            Self::Mfa => "/mfa",
            Self::Totp => "/mfa/totp",
            Self::ConfirmTotp => "/mfa/totp/confirm",
            Self::RecoveryCodes => "/mfa/recovery-codes",
            Self::AskReset => "/reset",
            Self::Reset => "/reset/confirm",
            Self::Register => "/register",
            Self::VerifyEmail => "/verify-email",
            Self::PasskeyOptions => "/mfa/passkeys/options",
            Self::Passkeys => "/mfa/passkeys",
            Self::Passkey => "/mfa/passkeys/{id}",
            Self::LogInOptions => "/passkey/options",
            Self::LogInByPasskey => "/passkey",
            Self::AskMagicLink => "/magic-link",
            Self::MagicLink => "/magic-link/confirm",
            Self::Account => ACCOUNT_PAGE,
        }
    }

    /// Its methods.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Mfa | Self::Passkeys | Self::Account => "GET, POST",
            Self::Totp => "POST, DELETE",
            Self::Passkey => "DELETE",
            Self::LogIn
            | Self::Password
            | Self::ConfirmTotp
            | Self::RecoveryCodes
            | Self::AskReset
            | Self::Reset
            | Self::Register
            | Self::VerifyEmail
            | Self::PasskeyOptions
            | Self::LogInOptions
            | Self::LogInByPasskey
            | Self::AskMagicLink
            | Self::MagicLink => "POST",
        }
    }

    /// Whether its form is one of the page of whoever is logged in, which shows it to them alone.
    #[must_use]
    pub const fn is_for_who_is_logged_in(self) -> bool {
        matches!(
            self,
            Self::Account
                | Self::Password
                | Self::Totp
                | Self::ConfirmTotp
                | Self::RecoveryCodes
                | Self::PasskeyOptions
                | Self::Passkeys
                | Self::Passkey
        )
    }

    /// Its path in the event log.
    #[must_use]
    pub fn logged(self) -> String {
        format!("/auth{}", self.path())
    }

    /// Which pages of other origins may read the answers: those that may act for their visitors.
    #[must_use]
    pub fn cors(self, policy: &Policy) -> Option<Cors> {
        Some(Cors::of_visitors(&policy.browser_sessions()?.origins))
    }

    /// Refuses a body that is not JSON by its own word. What forms of any page can send without asking first (Fetch standard, "CORS-safelisted
    /// request-header") is none, but for the forms of the gate's own pages, which the edge has read before. A form can write JSON as
    /// `text/plain`. As `application/x-www-form-urlencoded` it cannot, and many programs call their JSON so, who say nothing else; nor do they
    /// have to say anything.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`].
    pub fn check_content_type(content_type: Option<&str>) -> Result<(), Error> {
        let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let is_form = ["text/plain", "multipart/form-data"];
        if is_form.iter().any(|form| kind.eq_ignore_ascii_case(form)) {
            return Err(Error::InvalidRequest("expected Content-Type: application/json"));
        }
        Ok(())
    }

    /// Answers. Each future has memory of its own: the largest would decide about all.
    ///
    /// # Errors
    /// Those of the endpoint.
    pub async fn answer<B: Backend, A: Accounts>(
        self,
        flow: &AccountFlow<'_, B, A>,
        asked: Asked<'_>,
    ) -> Result<Answer, Error> {
        let Asked { method, id, body, device } = asked;
        match self {
            Self::LogIn => Box::pin(flow.log_in(body, device)).await,
            Self::Password => Box::pin(flow.change_password(body)).await,
            Self::Mfa if method == "GET" => Box::pin(flow.factors()).await,
            Self::Mfa => Box::pin(flow.second_factor(body, device)).await,
            Self::Totp if method == "DELETE" => Box::pin(flow.drop_totp(body)).await,
            Self::Totp => Box::pin(flow.set_up_totp(body)).await,
            Self::ConfirmTotp => Box::pin(flow.confirm_totp(body, device)).await,
            Self::RecoveryCodes => Box::pin(flow.new_recovery_codes(body)).await,
            Self::AskReset => Box::pin(flow.ask_reset(body)).await,
            Self::Reset => Box::pin(flow.reset(body)).await,
            Self::Register => Box::pin(flow.register(body)).await,
            Self::VerifyEmail => Box::pin(flow.verify_email(body)).await,
            Self::PasskeyOptions => Box::pin(flow.passkey_options(body)).await,
            Self::Passkeys if method == "GET" => Box::pin(flow.passkeys()).await,
            Self::Passkeys => Box::pin(flow.add_passkey(body, device)).await,
            Self::Passkey => Box::pin(flow.remove_passkey(id, body)).await,
            Self::LogInOptions => flow.log_in_options(),
            Self::LogInByPasskey => Box::pin(flow.log_in_by_passkey(body, device)).await,
            Self::AskMagicLink => Box::pin(flow.ask_magic_link(body)).await,
            Self::MagicLink => Box::pin(flow.log_in_by_link(body, device)).await,
            // It is there for browsers alone.
            Self::Account => Err(Error::NotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_of_any_page_can_send_is_no_json() {
        let takes = |kind| AccountEndpoint::check_content_type(kind).is_ok();
        for kind in
            ["text/plain", "Text/Plain;charset=UTF-8", " text/plain ", "multipart/form-data"]
        {
            assert!(!takes(Some(kind)), "{kind}");
        }
        for kind in [
            "application/json",
            "application/json; charset=utf-8",
            "",
            "application/x-www-form-urlencoded",
        ] {
            assert!(takes(Some(kind)), "{kind}");
        }
        assert!(takes(None));
    }
}
