//! A new password by a link that came by mail. It ends all sessions, and logs nobody in; second factors stay.

use super::{
    super::{AccountAction, Backend},
    AccountFlow, Accounts, Answer, Faults, fault, into_validation,
    links::{Link, link_is_over},
    text_of,
};
use crate::{
    account::{
        link_step::SetByLink,
        one_time::Use,
        password::Password,
        row::SUBJECT_PREFIX,
        step::{LoginOutcome, LoginStep},
    },
    error::Error,
    json::{document, object::described},
};

described! {
    /// A new password, by a link.
    struct ResetBody as PasswordReset, refused {
        /// What stands behind `#token=` in the link.
        token: Option<String> = None,
        /// The new password.
        password: Option<String> = None,
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<ResetBody>();
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `POST /reset`: a link, if there is an account.
    ///
    /// # Errors
    /// [`Error::NotFound`]: no mails are sent; [`Error::CrossSite`], [`Error::ValidationFailed`]; those of stores.
    pub async fn ask_reset(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_mail()?;
        self.browser()?;
        let name = self.read_ask(body)?;
        self.accepted(self.ask(&name, (Use::Reset, None), None).await)
    }

    /// `POST /reset/confirm`: the new password. All sessions end, and browsers that were known are strangers: this one alone is known.
    ///
    /// # Errors
    /// As [`AccountFlow::ask_reset`], and [`Error::TooManyMails`].
    pub async fn reset(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_mail()?;
        let browser = self.browser()?;
        let (link, password) = self.read_reset(body)?;
        self.take_link().await?;
        self.check_list("password", &password).await?;
        let device = self.browser_then(browser)?;
        let step = SetByLink {
            id: link.id,
            key: None,
            r#use: Use::Reset,
            token: link.token,
            password: text_of(&password),
            told_by: self.mail_id()?,
            device,
        };
        match self.apply(link.shard, LoginStep::SetByLink(step)).await? {
            LoginOutcome::Done => self.did(AccountAction::PasswordReset, &link.id),
            LoginOutcome::Gone => return Err(link_is_over()),
            _ => return Err(fault("a new password has come to nothing")),
        }
        let ended = self.sessions.end_all_surely(&format!("{SUBJECT_PREFIX}{}", link.id)).await?;
        Ok(Answer { cookie: device.map(|own| own.set_cookie()), ..ended })
    }

    fn read_reset(&self, body: &[u8]) -> Result<(Link, Password), Error> {
        let ResetBody { token, password } = document::parse(body).map_err(into_validation)?;
        let mut faults = Faults::default();
        let link = faults.link(token);
        let password = faults.take("password", password, |text| self.new_password(text, None));
        match (link, password) {
            (Some(link), Some(password)) => Ok((link, password)),
            _ => Err(faults.into_error()),
        }
    }
}
