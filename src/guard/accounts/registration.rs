//! Registration: by whoever reads the mail of the address, and nobody else.

use serde::Serialize;

use super::{
    super::{
        AccountAction, AccountEvent, Backend, cookies,
        session::{endpoints::check_scopes, random},
    },
    AccountFlow, Accounts, Answer, Faults, SessionNote, fault, into_validation,
    links::{Link, link_is_over},
    text_of,
};
use crate::{
    account::{
        asker::{self, Asker},
        device::Device,
        link_step::{ConfirmRegistration, Invite, Register, SetByLink},
        name::LoginName,
        one_time::Use,
        password::Password,
        row::{new_account_id, shard_of},
        step::{LoginOutcome, LoginStep, Shard},
    },
    error::{Error, FieldFault},
    json::{document, fault::DocumentFault, object::described},
    policy::{BrowserSessions, Registration},
};

described! {
    /// Who registers.
    struct RegisterBody as Register, refused {
        /// The address.
        email: Option<String> = None,
        /// The password.
        password: Option<String> = None,
        /// What stands behind `#token=` in the link of an invitation.
        invitation: Option<String> = None,
    }
}

described! {
    /// Who has registered, by the link.
    struct VerifyBody as VerifyEmail, refused {
        /// What stands behind `#token=` in the link.
        token: Option<String> = None,
        /// A password in place of that of the registration. Only in the browser that has registered it need not be there.
        password: Option<String> = None,
    }
}

described! {
    /// Who is invited.
    struct InviteBody as Invitation, refused {
        /// The address.
        email: String,
        /// The scopes of the account's sessions, beside those of all accounts.
        scopes: Vec<String> = Vec::new(),
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<RegisterBody>();
    known.add::<VerifyBody>();
    known.add::<InviteBody>();
}

/// The answer to whoever has used a link.
#[derive(Serialize)]
struct Registered {
    registered: bool,
}

/// A form that was read.
struct Registering {
    name: LoginName,
    password: Password,
    invitation: Option<Link>,
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `POST /register`: a link to confirm the address, or a mail to its owner, who has an account. With an invitation the account is there at once.
    ///
    /// # Errors
    /// [`Error::NotFound`]: nobody may; [`Error::CrossSite`], [`Error::ValidationFailed`], [`Error::TooManyGuesses`] where there are too many hashes in
    /// all; those of stores.
    pub async fn register(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_registration()?;
        let browser = self.browser()?;
        let Registering { name, password, invitation } = self.read_register(body)?;
        if let Some(link) = invitation {
            return self.accept_invitation((name, link), &password, browser).await;
        }
        // The browser is known by it when the link is used.
        let asker = browser.map(|_| self.asker()).transpose()?;
        let asked = self.try_to_register(&name, &password, asker).await;
        if asked.is_ok() {
            let (action, account) = (AccountAction::Registered, None);
            self.done.borrow_mut().push(AccountEvent { action, methods: "", account });
        }
        let answer = self.accepted(asked)?;
        Ok(Answer { cookie: asker.map(|asker| asker.set_cookie()), ..answer })
    }

    async fn try_to_register(
        &self,
        name: &LoginName,
        password: &Password,
        asker: Option<Asker>,
    ) -> Result<(), Error> {
        self.take_mail().await?;
        self.take_hash(false).await?;
        self.check_list("password", password).await?;
        let key = self.key(name)?;
        let id = new_account_id(shard_of(&key), random(self.backend.sessions())?);
        let mail = self.new_mail(&key, name).await?;
        let asker = asker.map(|asker| asker.hash());
        let register = Register { key, id, password: text_of(password), mail, asker };
        self.mailed(&key, LoginStep::Register(register)).await
    }

    async fn accept_invitation(
        &self,
        (name, link): (LoginName, Link),
        password: &Password,
        browser: Option<&BrowserSessions>,
    ) -> Result<Answer, Error> {
        self.take_link().await?;
        self.check_list("password", password).await?;
        let device = self.browser_then(browser)?;
        let step = SetByLink {
            id: link.id,
            key: Some(self.key(&name)?),
            r#use: Use::Invitation,
            token: link.token,
            password: text_of(password),
            told_by: self.mail_id()?,
            device,
        };
        match self.apply(link.shard, LoginStep::SetByLink(step)).await? {
            LoginOutcome::Done => {
                self.did(AccountAction::Registered, &link.id);
                Ok(registered(device))
            }
            LoginOutcome::Gone => Err(invitation_is_over()),
            _ => Err(fault("an invitation has come to nothing")),
        }
    }

    /// `POST /verify-email`: the account of a registration. It logs nobody in.
    ///
    /// # Errors
    /// As [`AccountFlow::register`], and [`Error::TooManyMails`].
    pub async fn verify_email(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_registration()?;
        let browser = self.browser()?;
        let (link, password) = self.read_verify(body)?;
        self.take_link().await?;
        if let Some(password) = &password {
            self.check_list("password", password).await?;
        }
        let device = self.browser_then(browser)?;
        let step = ConfirmRegistration {
            id: link.id,
            token: link.token,
            asker: self.known_asker().map(|asker| asker.hash()),
            password: password.as_ref().map(text_of),
            device,
        };
        match self.apply(link.shard, LoginStep::ConfirmRegistration(step)).await? {
            LoginOutcome::Done => {
                self.did(AccountAction::EmailVerified, &link.id);
                Ok(registered(device))
            }
            LoginOutcome::Gone => Err(link_is_over()),
            LoginOutcome::PasswordNeeded => Err(one("password", "Required")),
            _ => Err(fault("a registration has come to nothing")),
        }
    }

    /// `POST /admin/accounts/invite`.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::NotFound`] where nobody may register, [`Error::StoreUnavailable`].
    pub async fn invite(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_registration()?;
        let InviteBody { email, scopes } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let name = super::administration::name(&email)?;
        check_scopes(&scopes)?;
        let key = self.key(&name)?;
        let shard = shard_of(&key);
        let id = new_account_id(shard, random(self.backend.sessions())?);
        let mail = self.new_mail(&key, &name).await?;
        let invite = LoginStep::Invite(Invite { key, id, scopes, mail });
        match self.apply(Shard::Names(shard), invite).await? {
            LoginOutcome::Shown(account) => {
                self.did(AccountAction::Invited, &account.id);
                Ok(super::administration::shown(201, &account, true))
            }
            LoginOutcome::Exists => Err(Error::invalid_field("email", "has an account already")),
            _ => Err(fault("nobody was invited")),
        }
    }

    fn needs_registration(&self) -> Result<(), Error> {
        self.needs_mail()?;
        match self.accounts.registration {
            Registration::Closed => Err(Error::NotFound),
            Registration::Invitation | Registration::Open => Ok(()),
        }
    }

    /// The browser of this request, if it has asked for a link before; two cookies are none.
    pub(super) fn known_asker(&self) -> Option<Asker> {
        let mut values = cookies::own(asker::COOKIE, self.request.cookie.unwrap_or_default());
        let (value, None) = (values.next()?, values.next()) else { return None };
        Asker::parse(value)
    }

    /// The same, or a new one.
    ///
    /// # Errors
    /// The host has no random bytes.
    pub(super) fn asker(&self) -> Result<Asker, Error> {
        match self.known_asker() {
            Some(known) => Ok(known),
            None => random(self.backend.sessions()).map(Asker::new),
        }
    }

    // ---- forms ----

    fn read_register(&self, body: &[u8]) -> Result<Registering, Error> {
        let RegisterBody { email, password, invitation } =
            document::parse(body).map_err(into_validation)?;
        let mut faults = Faults::default();
        let name = faults.address(email);
        let password =
            faults.take("password", password, |text| self.new_password(text, name.as_ref()));
        let is_needed = self.accounts.registration == Registration::Invitation;
        let invitation = match invitation {
            None if !is_needed => Some(None),
            given => faults.take("invitation", given, Link::read).map(Some),
        };
        match (name, password, invitation) {
            (Some(name), Some(password), Some(invitation)) => {
                Ok(Registering { name, password, invitation })
            }
            _ => Err(faults.into_error()),
        }
    }

    fn read_verify(&self, body: &[u8]) -> Result<(Link, Option<Password>), Error> {
        let VerifyBody { token, password } = document::parse(body).map_err(into_validation)?;
        let mut faults = Faults::default();
        let link = faults.link(token);
        let password = match password {
            None => Some(None),
            given => faults.take("password", given, |text| self.new_password(text, None)).map(Some),
        };
        match (link, password) {
            (Some(link), Some(password)) => Ok((link, password)),
            _ => Err(faults.into_error()),
        }
    }
}

fn registered(device: Option<Device>) -> Answer {
    let answer = Answer::json(200, &Registered { registered: true }, SessionNote::default());
    Answer { cookie: device.map(|own| own.set_cookie()), ..answer }
}

fn invitation_is_over() -> Error {
    one("invitation", super::links::OVER)
}

fn one(field: &str, message: &str) -> Error {
    let fault = FieldFault { field: field.to_owned(), message: message.to_owned() };
    Error::ValidationFailed { details: vec![fault] }
}
