//! The gate's own pages for accounts: the forms that a browser asks for, what they post, and what is shown after that.
//!
//! A form is the same request as a program's: it is written as JSON, and goes the same way. What comes of it is a page.

use core::fmt::Write as _;

use serde_json::value::RawValue;

use super::{
    account_endpoints::AccountEndpoint,
    login_endpoints::{Manner, SEE_OTHER, redirect},
};
use crate::{
    error::{Error, FieldFault},
    guard::session::endpoints::Answer,
    login::return_path::ReturnPath,
    page::{
        Field, Kind, Page, Way, Word,
        account::{self, Asking, PasskeyForm, PasskeyPurpose},
    },
    policy::{AccountPolicy, Policy, Registration},
    session::oauth::Form,
};

/// What the forms send that goes to the endpoint, as texts.
const SENT: [&str; 7] =
    ["email", "password", "token", "invitation", "mfa_token", "code", "recovery_code"];

/// The same, as JSON: what a browser has answered.
const SENT_AS_JSON: [&str; 2] = ["credential", "passkey"];

/// What they have beside it.
const KEPT: [&str; 4] = ["remember", "recovery", "return_to", "methods"];

/// What a login goes on with, where the form does not say it.
const METHODS: &str = "totp recovery_code";

/// A policy's pages, if it has them.
#[derive(Debug, Clone, Copy)]
pub struct AccountPages<'a> {
    policy: &'a Policy,
    accounts: &'a AccountPolicy,
}

/// What a page has posted.
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Posted<'b> {
    form: Form<'b>,
}

impl<'a> AccountPages<'a> {
    /// `None`: the policy has none.
    #[must_use]
    pub fn of(policy: &'a Policy) -> Option<Self> {
        let accounts = policy.accounts.as_ref().filter(|accounts| accounts.pages)?;
        Some(Self { policy, accounts })
    }

    /// The page that `GET` has at an endpoint. `None`: there is none.
    #[must_use]
    pub fn at(self, endpoint: AccountEndpoint, query: &str) -> Option<Page> {
        let query = Form::parse_for(&["return_to"], query.as_bytes()).ok();
        let return_to = query.as_ref().and_then(|query| query.get("return_to"));
        let return_to = return_to.and_then(|target| self.return_path(target));
        self.form(endpoint, &Asked { return_to, status: 200, ..Asked::default() })
    }

    /// Whether this is a form of a page that waits for another.
    #[must_use]
    pub fn is_form(self, manner: &Manner<'_>, content_type: Option<&str>) -> bool {
        let kind = content_type.unwrap_or_default().to_ascii_lowercase();
        manner.method == "POST"
            && kind.starts_with("application/x-www-form-urlencoded")
            && manner.wants_page()
    }

    /// The form for a recovery code, where somebody has asked for it in place of the one for a code. It asks nobody.
    #[must_use]
    pub fn another(self, endpoint: AccountEndpoint, posted: &Posted<'_>) -> Option<Page> {
        let form = &posted.form;
        let (Some(_), None) = (form.get("recovery"), form.get("recovery_code")) else {
            return None;
        };
        let return_to = form.get("return_to").and_then(|target| self.return_path(target));
        let (mfa_token, methods) = (form.get("mfa_token"), form.get("methods"));
        let asked = Asked {
            return_to,
            mfa_token,
            methods,
            recovery: true,
            status: 200,
            ..Asked::default()
        };
        self.form(endpoint, &asked)
    }

    /// The page after a form: after the answer to it, or after why it was refused. The cookies of the session are the edge's to add.
    #[must_use]
    pub fn after(
        self,
        endpoint: AccountEndpoint,
        posted: &Posted<'_>,
        outcome: Result<&Answer, &Error>,
    ) -> Page {
        let return_to = posted.form.get("return_to").and_then(|target| self.return_path(target));
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => return self.refused(endpoint, posted, (return_to, error)),
        };
        let mut page = match endpoint {
            AccountEndpoint::LogIn
            | AccountEndpoint::LogInByPasskey
            | AccountEndpoint::Mfa
            | AccountEndpoint::MagicLink => {
                let target = return_to.unwrap_or_else(ReturnPath::start_page);
                let fields = redirect(target.as_str());
                Page { status: SEE_OTHER, fields, body: String::new() }
            }
            _ => self.done(endpoint, answer.status),
        };
        page.fields.extend(answer.cookie.iter().map(|cookie| ("Set-Cookie", cookie.clone())));
        page.fields
            .extend(answer.clears_cache.then(|| ("Clear-Site-Data", "\"cache\"".to_owned())));
        page
    }

    fn done(self, endpoint: AccountEndpoint, status: u16) -> Page {
        let look = &self.policy.pages;
        let log_in = self.path(AccountEndpoint::LogIn);
        let log_in = Some((log_in.as_str(), Word::LogIn));
        let (title, text) = match endpoint {
            AccountEndpoint::AskReset | AccountEndpoint::AskMagicLink => {
                (Word::LinkSent, Some(Word::LinkSentText))
            }
            AccountEndpoint::Reset => (Word::PasswordChanged, Some(Word::PasswordChangedText)),
            AccountEndpoint::Register if status == 202 => {
                return account::done(look, Word::LinkSent, Some(Word::RegisteredText), None);
            }
            _ => (Word::AddressConfirmed, None),
        };
        account::done(look, title, text, log_in)
    }

    fn refused(
        self,
        endpoint: AccountEndpoint,
        posted: &Posted<'_>,
        (return_to, error): (Option<ReturnPath>, &Error),
    ) -> Page {
        let form = &posted.form;
        let asked = Asked {
            return_to,
            email: form.get("email").unwrap_or_default(),
            remember: form.get("remember").is_some(),
            mfa_token: form.get("mfa_token"),
            methods: form.get("methods"),
            link: form.get("token").or_else(|| form.get("invitation")),
            recovery: form.get("recovery_code").is_some(),
            is_posted: true,
            status: super::reply::wire(error.code()).status,
            ..Asked::default()
        };
        let by_passkey = SENT_AS_JSON.into_iter().any(|name| form.get(name).is_some());
        let endpoint = match endpoint {
            AccountEndpoint::LogInByPasskey => AccountEndpoint::LogIn,
            endpoint => endpoint,
        };
        let page = match error {
            Error::SecondFactorRequired { next } => {
                let methods = next.methods.join(" ");
                let (mfa_token, methods) = (Some(&*next.mfa_token), Some(&*methods));
                let asked = Asked { mfa_token, methods, status: 200, ..asked };
                self.form(AccountEndpoint::Mfa, &asked)
            }
            Error::ValidationFailed { .. }
            | Error::PasskeyRefused { .. }
            | Error::PasskeyCopied
                if by_passkey =>
            {
                self.form(endpoint, &Asked { problem: Some(Word::PasskeyRefused), ..asked })
            }
            Error::ValidationFailed { details } => {
                let is_of_link =
                    |fault: &FieldFault| matches!(&*fault.field, "token" | "invitation");
                if let Some(fault) = details.iter().find(|fault| is_of_link(fault)) {
                    return self.link_over(endpoint, fault);
                }
                self.form(endpoint, &Asked { faults: details, ..asked })
            }
            Error::WrongPassword => {
                self.form(endpoint, &Asked { problem: Some(Word::WrongPassword), ..asked })
            }
            Error::WrongCode => {
                self.form(endpoint, &Asked { problem: Some(Word::WrongCode), ..asked })
            }
            Error::TooManyGuesses { of: "authenticator", .. } => {
                self.form(endpoint, &Asked { problem: Some(Word::CodesOver), ..asked })
            }
            Error::TooManyGuesses { retry_after_secs, .. }
            | Error::TooManyMails { retry_after_secs, .. } => {
                let page = self.form(endpoint, &Asked { problem: Some(Word::TryLater), ..asked });
                page.map(|mut page| {
                    page.fields.push(("Retry-After", retry_after_secs.to_string()));
                    page
                })
            }
            _ => None,
        };
        page.unwrap_or_else(|| self.stopped(error))
    }

    /// What no form can mend.
    fn stopped(self, error: &Error) -> Page {
        let look = &self.policy.pages;
        let log_in = self.path(AccountEndpoint::LogIn);
        let again = Some((log_in.as_str(), Word::LogInAgain));
        let status = super::reply::wire(error.code()).status;
        match error {
            Error::SubjectDisabled => {
                let page = crate::page::NotAllowed {
                    reference: Some(error.reason()),
                    ..Default::default()
                };
                crate::page::not_allowed(look, &page)
            }
            Error::LoginOver => account::refused(
                look,
                (status, Word::TookTooLong),
                Word::TookTooLongRemedy.english(),
                again,
            ),
            Error::SecondFactorMissing { .. } => account::refused(
                look,
                (status, Word::FactorNeeded),
                Word::FactorNeededText.english(),
                None,
            ),
            Error::StoreUnavailable { .. } => account::refused(
                look,
                (status, Word::Unavailable),
                Word::UnavailableRemedy.english(),
                again,
            ),
            _ => account::refused(
                look,
                (status, Word::Unreadable),
                Word::UnreadableRemedy.english(),
                again,
            ),
        }
    }

    fn link_over(self, endpoint: AccountEndpoint, fault: &FieldFault) -> Page {
        let (ask, word) = match endpoint {
            AccountEndpoint::MagicLink => (AccountEndpoint::AskMagicLink, Word::LogInByLink),
            _ => (AccountEndpoint::AskReset, Word::ResetPassword),
        };
        let path = self.path(ask);
        let again = self.accounts.mail.is_some().then_some((path.as_str(), word));
        let (title, text) = if fault.message == Word::AnotherBrowser.english() {
            (Word::AnotherBrowser, Word::AnotherBrowserText)
        } else {
            (Word::LinkOver, Word::LinkOverText)
        };
        account::refused(&self.policy.pages, (400, title), text.english(), again)
    }

    /// The form of an endpoint. `None`: it has none.
    fn form(self, endpoint: AccountEndpoint, asked: &Asked<'_>) -> Option<Page> {
        let action = self.path(endpoint);
        let (log_in, by_link, reset, register) = (
            self.path(AccountEndpoint::LogIn),
            self.path(AccountEndpoint::AskMagicLink),
            self.path(AccountEndpoint::AskReset),
            self.path(AccountEndpoint::Register),
        );
        let email = || asked.field("email", Word::Email, Kind::Email);
        let by_passkey =
            (self.path(AccountEndpoint::LogInByPasskey), self.path(AccountEndpoint::LogInOptions));
        let has_passkeys = self.accounts.passkeys.is_some();
        let passkey = has_passkeys.then_some(PasskeyForm {
            action: &by_passkey.0,
            options: &by_passkey.1,
            field: "credential",
            purpose: PasskeyPurpose::LogIn,
        });
        let password = || asked.field("password", Word::Password, Kind::Password);
        let new_password = || Field {
            hint: Some(Word::AtLeastEight),
            ..asked.field("password", Word::NewPassword, Kind::NewPassword)
        };
        let sends_mail = self.accounts.mail.is_some();
        let is_open = sends_mail && self.accounts.registration == Registration::Open;
        let to_log_in: [(&str, Word); 1] = [(&log_in, Word::HasAccount)];
        let mut page = Asking {
            status: asked.status,
            problem: asked.problem.map(Word::english),
            ..Asking::of(Word::LogIn, &action, Word::LogIn)
        };
        let mut hidden = Vec::new();
        let mut links = Vec::new();
        let mut fields = Vec::new();
        let mut paths = Vec::new();
        match endpoint {
            AccountEndpoint::LogIn => {
                hidden.extend(asked.return_to.iter().map(|path| ("return_to", path.as_str())));
                let name = if has_passkeys { Kind::EmailOrPasskey } else { Kind::Email };
                fields.extend([asked.field("email", Word::Email, name), password()]);
                page.passkey = passkey;
                page.remember = Some(asked.remember);
                page.return_to = asked.return_to.as_ref().map(ReturnPath::as_str);
                paths = self.providers();
                let has_links = self.accounts.magic_link;
                links.extend(has_links.then_some((by_link.as_str(), Word::LogInByLink)));
                links.extend(sends_mail.then_some((reset.as_str(), Word::ForgotPassword)));
                links.extend(is_open.then_some((register.as_str(), Word::Register)));
            }
            AccountEndpoint::Mfa => {
                let methods = asked.methods.unwrap_or(METHODS);
                let has = |method: &str| methods.split(' ').any(|one| one == method);
                hidden.extend([("mfa_token", asked.mfa_token?), ("methods", methods)]);
                hidden.extend(asked.return_to.iter().map(|path| ("return_to", path.as_str())));
                (page.title, page.submit) = (Word::SecondFactor, Word::Continue);
                let has_recovery = has("recovery_code");
                if has_recovery && (asked.recovery || !has("totp")) {
                    let (label, kind) = (Word::RecoveryCode, Kind::RecoveryCode);
                    fields.push(asked.field("recovery_code", label, kind));
                } else if has("totp") {
                    fields.push(asked.field("code", Word::Code, Kind::Code));
                    page.other = has_recovery.then_some(("recovery", Word::UseRecoveryCode));
                }
                let purpose = match has("totp") {
                    true => PasskeyPurpose::SecondFactor,
                    false => PasskeyPurpose::SecondFactorFirst,
                };
                let passkey = passkey.filter(|_| has("passkey"));
                page.passkey = passkey.map(|passkey| PasskeyForm {
                    action: &action,
                    field: "passkey",
                    purpose,
                    ..passkey
                });
            }
            AccountEndpoint::AskReset if sends_mail => {
                fields.push(email());
                (page.title, page.submit) = (Word::ResetPassword, Word::SendLink);
                links.extend(to_log_in);
            }
            AccountEndpoint::AskMagicLink if self.accounts.magic_link => {
                fields.push(email());
                (page.title, page.submit) = (Word::LogInByLink, Word::SendLink);
                links.push((&log_in, Word::LogIn));
            }
            AccountEndpoint::MagicLink if self.accounts.magic_link => {
                page.title = Word::LogInByLink;
                page.remember = Some(asked.remember);
            }
            AccountEndpoint::Reset if sends_mail => {
                fields.push(new_password());
                (page.title, page.submit) = (Word::ChoosePassword, Word::SavePassword);
            }
            AccountEndpoint::Register
                if sends_mail && self.accounts.registration != Registration::Closed =>
            {
                fields.extend([email(), new_password()]);
                (page.title, page.submit) = (Word::Register, Word::Register);
                links.extend(to_log_in);
            }
            AccountEndpoint::VerifyEmail
                if sends_mail && self.accounts.registration != Registration::Closed =>
            {
                if !asked.faults.is_empty() {
                    fields.push(new_password());
                }
                (page.title, page.submit) = (Word::ConfirmAddress, Word::Confirm);
            }
            _ => return None,
        }
        // The token of a link: of the address at first, then of the form.
        let of_link = match endpoint {
            AccountEndpoint::Reset | AccountEndpoint::VerifyEmail | AccountEndpoint::MagicLink => {
                Some("token")
            }
            AccountEndpoint::Register => Some("invitation"),
            _ => None,
        };
        match (of_link, asked.is_posted) {
            (Some(name), true) => hidden.extend(asked.link.map(|link| (name, link))),
            (of_link, _) => page.token = of_link,
        }
        let ways: Vec<Way<'_>> = paths.iter().map(|(title, path)| Way { title, path }).collect();
        let page = Asking { hidden: &hidden, fields: &fields, ways: &ways, links: &links, ..page };
        Some(account::asking(&self.policy.pages, &page))
    }

    /// The logins with others, and where they begin.
    fn providers(self) -> Vec<(&'a str, String)> {
        let own = self.policy.login.iter().flat_map(|login| &login.providers);
        let own = own.filter(|provider| !provider.connect_only);
        own.map(|provider| {
            (provider.title.as_str(), format!("{}/login/{}", self.policy.auth_prefix, provider.id))
        })
        .collect()
    }

    fn path(self, endpoint: AccountEndpoint) -> String {
        format!("{}{}", self.policy.auth_prefix, endpoint.path())
    }

    /// A path of this site: a form of these pages goes nowhere else.
    fn return_path(self, target: &str) -> Option<ReturnPath> {
        ReturnPath::parse(target, &[], &self.policy.auth_prefix)
    }
}

impl<'b> Posted<'b> {
    /// Reads a form.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`]: it is none, or has a field twice.
    pub fn parse(body: &'b [u8]) -> Result<Self, Error> {
        let known: Vec<&'static str> = SENT.into_iter().chain(SENT_AS_JSON).chain(KEPT).collect();
        let form = Form::parse_for(&known, body);
        Ok(Self { form: form.map_err(|_| Error::InvalidRequest("expected each field once"))? })
    }

    /// The same as a program would send it.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        let mut json = String::from("{");
        for name in SENT {
            let Some(value) = self.form.get(name) else { continue };
            let value = serde_json::to_string(value).unwrap_or_default();
            // Writing to a string does not fail.
            let _written = write!(json, "\"{name}\":{value},");
        }
        for name in SENT_AS_JSON {
            // What is no JSON is none of a browser's answers.
            let value = self.form.get(name).map(serde_json::from_str::<&RawValue>);
            if let Some(Ok(value)) = value {
                let _written = write!(json, "\"{name}\":{value},");
            }
        }
        if self.form.get("remember").is_some() {
            json.push_str("\"remember\":true,");
        }
        if json.ends_with(',') {
            json.pop();
        }
        json.push('}');
        json.into_bytes()
    }
}

/// What a form is to show.
#[derive(Default)]
struct Asked<'a> {
    status: u16,
    problem: Option<Word>,
    faults: &'a [FieldFault],
    return_to: Option<ReturnPath>,
    email: &'a str,
    remember: bool,
    mfa_token: Option<&'a str>,
    /// With what a login may go on, with blanks between.
    methods: Option<&'a str>,
    link: Option<&'a str>,
    recovery: bool,
    is_posted: bool,
}

impl<'a> Asked<'a> {
    fn field(&self, name: &'static str, label: Word, kind: Kind) -> Field<'a> {
        let fault = self.faults.iter().find(|fault| fault.field == name);
        let is_name = matches!(kind, Kind::Email | Kind::EmailOrPasskey);
        let value = if is_name { self.email } else { "" };
        Field { name, label, kind, value, hint: None, error: fault.map(|fault| &*fault.message) }
    }
}
