//! The gate's own pages for accounts: the forms that a browser asks for, what they post, and what is shown after that.
//!
//! A form is the same request as a program's: it is written as JSON, and goes the same way. What comes of it is a page.

use core::fmt::Write as _;

use serde_json::{Value, value::RawValue};

use super::{
    account_endpoints::AccountEndpoint,
    login_endpoints::{Manner, SEE_OTHER, login_for, redirect},
};
use crate::{
    error::{Error, FieldFault},
    guard::session::endpoints::Answer,
    json,
    login::return_path::ReturnPath,
    page::{
        Field, Kind, Page, Way, Word,
        account::{self, Asking, PasskeyForm, PasskeyPurpose},
        own_account::{Act, Secret, recovery_codes},
    },
    policy::{AccountPolicy, Policy, Registration, SecondFactor},
    session::oauth::Form,
};

/// What the forms send that goes to the endpoint, as texts.
const SENT: [&str; 9] = [
    "email",
    "password",
    "new_password",
    "token",
    "invitation",
    "mfa_token",
    "code",
    "recovery_code",
    "label",
];

/// The same, as JSON: what a browser has answered.
const SENT_AS_JSON: [&str; 2] = ["credential", "passkey"];

/// What they have beside it.
const KEPT: [&str; 8] =
    ["remember", "recovery", "return_to", "methods", "shows_password", "do", "id", "name"];

/// What a login goes on with, where the form does not say it.
const METHODS: &str = "totp recovery_code";

/// A policy's pages, if it has them.
#[derive(Debug, Clone, Copy)]
pub struct AccountPages<'a> {
    pub(super) policy: &'a Policy,
    pub(super) accounts: &'a AccountPolicy,
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
        if endpoint.is_for_who_is_logged_in() {
            return None;
        }
        let query = Form::parse_for(&["return_to"], query.as_bytes()).ok();
        let return_to = query.as_ref().and_then(|query| query.get("return_to"));
        let return_to = return_to.and_then(|target| self.return_path(target));
        self.form(endpoint, &Asked { return_to, status: 200, ..Asked::default() })
    }

    /// Whether what is asked for is a page: by a form of another, or the one of whoever is logged in.
    #[must_use]
    pub fn is_asked(
        self,
        endpoint: AccountEndpoint,
        manner: &Manner<'_>,
        content_type: Option<&str>,
    ) -> bool {
        if manner.method == "GET" {
            return endpoint == AccountEndpoint::Account;
        }
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

    /// The page after the answer to a form. The cookies of the session are the edge's to add.
    pub(super) fn after(
        self,
        endpoint: AccountEndpoint,
        posted: &Posted<'_>,
        answer: &Answer,
    ) -> Page {
        let return_to = posted.get("return_to").and_then(|target| self.return_path(target));
        let mut page = match endpoint {
            AccountEndpoint::LogIn
            | AccountEndpoint::LogInByPasskey
            | AccountEndpoint::Mfa
            | AccountEndpoint::MagicLink => {
                let target = return_to.unwrap_or_else(ReturnPath::start_page);
                let fields = redirect(target.as_str());
                Page { status: SEE_OTHER, fields, body: String::new() }
            }
            AccountEndpoint::Totp => self.secret_shown(posted, (return_to, answer)),
            AccountEndpoint::ConfirmTotp
            | AccountEndpoint::RecoveryCodes
            | AccountEndpoint::Passkeys => self.codes_shown(posted, (return_to, answer)),
            _ => self.done(endpoint, answer.status),
        };
        page.fields.extend(answer.cookie.iter().map(|cookie| ("Set-Cookie", cookie.clone())));
        page.fields
            .extend(answer.clears_cache.then(|| ("Clear-Site-Data", "\"cache\"".to_owned())));
        page
    }

    /// The secret of an authenticator, and the form for its first code.
    fn secret_shown(
        self,
        posted: &Posted<'_>,
        (return_to, answer): (Option<ReturnPath>, &Answer),
    ) -> Page {
        let shown = json::parse_object(answer.body.as_bytes()).unwrap_or_default();
        let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
        let secret = Some(Secret { secret: text("secret"), uri: text("uri") });
        let asked = Asked { secret, status: 200, is_posted: false, ..posted.asked(return_to) };
        let page = self.form(AccountEndpoint::ConfirmTotp, &asked);
        page.unwrap_or_else(|| self.stopped(&Error::NotFound))
    }

    /// Recovery codes, if there are new ones.
    fn codes_shown(
        self,
        posted: &Posted<'_>,
        (return_to, answer): (Option<ReturnPath>, &Answer),
    ) -> Page {
        let shown = json::parse_object(answer.body.as_bytes()).unwrap_or_default();
        let codes = shown.get("recovery_codes").and_then(Value::as_array);
        let codes: Option<Vec<&str>> =
            codes.map(|codes| codes.iter().filter_map(Value::as_str).collect());
        let own = self.path(AccountEndpoint::Account);
        let next = match posted.get("mfa_token") {
            Some(_) => return_to.unwrap_or_else(ReturnPath::start_page).as_str().to_owned(),
            None => own,
        };
        match codes {
            Some(codes) => recovery_codes(&self.policy.pages, &codes, &next),
            None => self.to(AccountEndpoint::Account),
        }
    }

    fn done(self, endpoint: AccountEndpoint, status: u16) -> Page {
        let look = &self.policy.pages;
        let (log_in, own) =
            (self.path(AccountEndpoint::LogIn), self.path(AccountEndpoint::Account));
        let log_in = Some((log_in.as_str(), Word::LogIn));
        let (title, text) = match endpoint {
            AccountEndpoint::Password => {
                let next = Some((own.as_str(), Word::BackToAccount));
                return account::done(look, Word::PasswordChanged, Some(Word::OthersEnded), next);
            }
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

    /// A form that was refused, with why.
    pub(super) fn refused(
        self,
        endpoint: AccountEndpoint,
        posted: &Posted<'_>,
        error: &Error,
    ) -> Page {
        let return_to = posted.get("return_to").and_then(|target| self.return_path(target));
        let form = &posted.form;
        let status = super::reply::wire(error.code()).status;
        let asked = Asked { status, ..posted.asked(return_to) };
        let is_new = endpoint == AccountEndpoint::Passkeys;
        let by_passkey = !is_new && SENT_AS_JSON.into_iter().any(|name| form.get(name).is_some());
        let endpoint = match endpoint {
            AccountEndpoint::LogInByPasskey => AccountEndpoint::LogIn,
            AccountEndpoint::Passkeys if asked.mfa_token.is_some() => AccountEndpoint::Totp,
            endpoint => endpoint,
        };
        let page = match error {
            Error::SecondFactorRequired { next } => {
                let methods = next.methods.join(" ");
                let (mfa_token, methods) = (Some(&*next.mfa_token), Some(&*methods));
                let asked = Asked { mfa_token, methods, status: 200, ..asked };
                self.form(AccountEndpoint::Mfa, &asked)
            }
            Error::SecondFactorMissing { next } => {
                let asked = Asked { mfa_token: Some(&next.mfa_token), status: 200, ..asked };
                self.form(AccountEndpoint::Totp, &asked)
            }
            Error::ResetRequired => {
                let asked = Asked { problem: Some(Word::ResetRequired), ..asked };
                self.form(AccountEndpoint::AskReset, &asked)
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
                // What the browser has made is at fault, which nobody sees.
                let is_shown = |fault: &FieldFault| matches!(&*fault.field, "password" | "label");
                let is_hidden = is_new && !details.iter().any(is_shown);
                let problem = is_hidden.then_some(Word::PasskeyFailed);
                self.form(endpoint, &Asked { faults: details, problem, ..asked })
            }
            Error::WrongPassword => {
                let problem = match endpoint {
                    AccountEndpoint::LogIn => Word::WrongPassword,
                    _ => Word::WrongOwnPassword,
                };
                self.form(endpoint, &Asked { problem: Some(problem), ..asked })
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
    pub(super) fn form(self, endpoint: AccountEndpoint, asked: &Asked<'_>) -> Option<Page> {
        let action = self.path(endpoint);
        let (log_in, by_link, reset, register) = (
            self.path(AccountEndpoint::LogIn),
            self.path(AccountEndpoint::AskMagicLink),
            self.path(AccountEndpoint::AskReset),
            self.path(AccountEndpoint::Register),
        );
        let return_to = asked.return_to.as_ref().map(ReturnPath::as_str);
        let by_link = return_to.map_or_else(|| by_link.clone(), |to| login_for(&by_link, to));
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
        let own = self.path(AccountEndpoint::Account);
        let back: [(&str, Word); 1] = [(&own, Word::BackToAccount)];
        let (passkeys, new_passkey) =
            (self.path(AccountEndpoint::Passkeys), self.path(AccountEndpoint::PasskeyOptions));
        let passkey_of = |purpose: PasskeyPurpose| {
            passkey.map(|passkey| PasskeyForm {
                action: &passkeys,
                options: &new_passkey,
                purpose,
                ..passkey
            })
        };
        let shown_password = || {
            let is_asked = asked.shows_password && asked.mfa_token.is_none();
            is_asked.then(password)
        };
        let kept_password = asked.shows_password.then_some(("shows_password", "true"));
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
                page.return_to = return_to;
                let leads_to_own = return_to.is_some_and(|target| target.starts_with(&own));
                page.text = leads_to_own.then_some(Word::LogInForAccount);
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
                hidden.extend(return_to.map(|path| ("return_to", path)));
                fields.push(email());
                (page.title, page.submit) = (Word::LogInByLink, Word::SendLink);
                links.push((&log_in, Word::LogIn));
            }
            AccountEndpoint::MagicLink if self.accounts.magic_link => {
                hidden.extend(return_to.map(|path| ("return_to", path)));
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
            AccountEndpoint::Password => {
                let new = Field {
                    hint: Some(Word::AtLeastEight),
                    ..asked.field("new_password", Word::NewPassword, Kind::NewPassword)
                };
                fields.extend([password(), new]);
                (page.title, page.submit) = (Word::ChangePassword, Word::SavePassword);
                page.text = Some(Word::OthersEnd);
                links.extend(back);
            }
            AccountEndpoint::Totp if self.accounts.mfa != SecondFactor::Off => {
                hidden.extend(kept_password);
                page.submit = Word::Continue;
                if let Some(token) = asked.mfa_token {
                    hidden.push(("mfa_token", token));
                    hidden.extend(return_to.map(|path| ("return_to", path)));
                    hidden.extend((!asked.email.is_empty()).then_some(("label", asked.email)));
                    (page.title, page.text) = (Word::FactorNeeded, Some(Word::FactorNeededText));
                    page.part = Some((Word::Authenticator, Word::AuthenticatorText));
                    page.passkey = passkey_of(PasskeyPurpose::SetUp);
                } else {
                    fields.push(asked.field("label", Word::Email, Kind::Email));
                    (page.title, page.text) = (Word::Authenticator, Some(Word::AuthenticatorText));
                    links.extend(back);
                }
            }
            AccountEndpoint::ConfirmTotp => {
                hidden.extend(kept_password);
                hidden.extend(asked.mfa_token.map(|token| ("mfa_token", token)));
                hidden.extend(return_to.map(|path| ("return_to", path)));
                fields.push(asked.field("code", Word::Code, Kind::Code));
                fields.extend(shown_password());
                page.secret = asked.secret;
                (page.title, page.submit) = (Word::Authenticator, Word::Confirm);
                if asked.mfa_token.is_none() {
                    links.extend(back);
                }
            }
            AccountEndpoint::RecoveryCodes => {
                hidden.extend(kept_password);
                fields.extend(shown_password());
                (page.title, page.submit) = (Word::RecoveryCodes, Word::NewCodes);
                page.text = Some(Word::NewCodesText);
                links.extend(back);
            }
            AccountEndpoint::Passkeys if has_passkeys => {
                hidden.extend(kept_password);
                let label = Field {
                    value: asked.label,
                    ..asked.field("label", Word::PasskeyName, Kind::Name)
                };
                fields.extend([asked.field("name", Word::Email, Kind::Email), label]);
                fields.extend(shown_password());
                (page.title, page.submit) = (Word::AddPasskey, Word::AddPasskey);
                page.text = Some(Word::OthersEnd);
                page.passkey = passkey_of(PasskeyPurpose::New);
                links.extend(back);
            }
            AccountEndpoint::Account => {
                let act =
                    asked.act.filter(|act| matches!(act, Act::DropTotp | Act::RemovePasskey))?;
                hidden.push(("do", act.name()));
                hidden.extend(asked.item.map(|id| ("id", id)));
                hidden.extend(kept_password);
                fields.extend(shown_password());
                page.title = match act {
                    Act::DropTotp => Word::RemoveAuthenticator,
                    _ => Word::RemovePasskey,
                };
                (page.submit, page.text) = (Word::Remove, Some(Word::OthersEnd));
                links.extend(back);
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

    /// Sends the browser there.
    pub(super) fn to(self, endpoint: AccountEndpoint) -> Page {
        Page { status: SEE_OTHER, fields: redirect(&self.path(endpoint)), body: String::new() }
    }

    pub(super) fn path(self, endpoint: AccountEndpoint) -> String {
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

    /// A field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// What the page of whoever is logged in is asked for.
    pub(super) fn act(&self) -> Option<Act> {
        self.get("do").and_then(Act::named)
    }

    /// What the form is to show again.
    fn asked(&self, return_to: Option<ReturnPath>) -> Asked<'_> {
        Asked {
            return_to,
            email: self.get("email").or_else(|| self.get("name")).unwrap_or_default(),
            label: self.get("label").unwrap_or_default(),
            remember: self.get("remember").is_some(),
            mfa_token: self.get("mfa_token"),
            methods: self.get("methods"),
            link: self.get("token").or_else(|| self.get("invitation")),
            recovery: self.get("recovery_code").is_some(),
            shows_password: self.get("shows_password").is_some(),
            act: self.act(),
            item: self.get("id"),
            is_posted: true,
            ..Asked::default()
        }
    }

    /// The same as a program would send it.
    #[must_use]
    pub(super) fn json(&self, endpoint: AccountEndpoint) -> Vec<u8> {
        let mut json = String::from("{");
        // Everywhere else it is the page's own.
        let has_way_back = endpoint == AccountEndpoint::AskMagicLink;
        for name in SENT.into_iter().chain(has_way_back.then_some("return_to")) {
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
pub(super) struct Asked<'a> {
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
    label: &'a str,
    secret: Option<Secret<'a>>,
    /// Whether the password is asked for beside.
    shows_password: bool,
    act: Option<Act>,
    /// What the act is done to.
    item: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// The form for an act, and what it is done to.
    pub(super) fn to((act, item): (Act, Option<&'a str>), shows_password: bool) -> Self {
        Self { act: Some(act), item, shows_password, status: 200, ..Self::default() }
    }

    fn field(&self, name: &'static str, label: Word, kind: Kind) -> Field<'a> {
        let fault = self.faults.iter().find(|fault| fault.field == name);
        let is_name = matches!(kind, Kind::Email | Kind::EmailOrPasskey);
        let value = if is_name { self.email } else { "" };
        Field { name, label, kind, value, hint: None, error: fault.map(|fault| &*fault.message) }
    }
}
