//! A login by a link that came by mail, in place of the password. It is good in the browser that has asked for it and nowhere else: whoever asks
//! for a link to an account of their own, and has somebody else open it, would see what that visitor does there.

use super::{
    super::Backend,
    AccountFlow, Accounts, Answer, Device, Faults, Proven, fault, into_validation,
    links::{Link, link_is_over, mail_address},
};
use crate::{
    account::{
        link_step::LogInByLink,
        one_time::Use,
        second_step::First,
        step::{LoginOutcome, LoginStep},
    },
    error::{Error, FieldFault},
    json::{document, object::described},
    login::return_path::ReturnPath,
    page::Word,
};

/// It has no word in RFC 8176.
const BY_LINK: Proven = Proven { amr: &[], acr: None, methods: "magic_link" };

described! {
    /// Who asks for a link to log in.
    struct AskBody as AskForMagicLink, refused {
        /// The address that it goes to.
        email: Option<String> = None,
        /// Where the browser goes afterwards: a path of this origin, which the link has with it. Anything else is left out.
        return_to: Option<String> = None,
    }
}

described! {
    /// Who logs in by a link.
    struct MagicLinkBody as MagicLink, refused {
        /// What stands behind `#token=` in the link.
        token: Option<String> = None,
        /// Whether the session outlasts the browser.
        remember: bool = false,
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<AskBody>();
    known.add::<MagicLinkBody>();
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `POST /magic-link`: a link, if there is an account whose address is confirmed. Whoever asks is known by a cookie when it is used: a program,
    /// too.
    ///
    /// # Errors
    /// [`Error::NotFound`]: nobody logs in by links; [`Error::CrossSite`], [`Error::ValidationFailed`]; those of stores.
    pub async fn ask_magic_link(&self, body: &[u8]) -> Result<Answer, Error> {
        self.needs_magic_link()?;
        self.browser()?;
        let AskBody { email, return_to } = document::parse(body).map_err(into_validation)?;
        let name = mail_address(email)?;
        let target =
            return_to.and_then(|target| ReturnPath::parse(&target, &[], &self.policy.auth_prefix));
        let asker = self.asker()?;
        let asked = self.ask(&name, (Use::MagicLink, target.as_ref()), Some(asker)).await;
        let answer = self.accepted(asked)?;
        Ok(Answer { cookie: Some(asker.set_cookie()), ..answer })
    }

    /// `POST /magic-link/confirm`: the session, as [`AccountFlow::log_in`] would have given it. A second factor is asked for as after a password.
    ///
    /// # Errors
    /// As [`AccountFlow::ask_magic_link`], and [`Error::TooManyMails`], [`Error::SecondFactorRequired`], [`Error::SecondFactorMissing`]; those of keys.
    pub async fn log_in_by_link(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        self.needs_magic_link()?;
        let browser = self.browser()?;
        let (link, remember) = read(body)?;
        let asker = self.known_asker().ok_or_else(another_browser)?;
        self.take_link().await?;
        let step = LogInByLink { id: link.id, token: link.token, asker: asker.hash() };
        let right = match self.apply(link.shard, LoginStep::LogInByLink(step)).await? {
            LoginOutcome::Right(right) => right,
            LoginOutcome::AnotherBrowser => return Err(another_browser()),
            LoginOutcome::Gone => return Err(link_is_over()),
            _ => return Err(fault("a link has come to nothing")),
        };
        self.check_second_factor(&right, (First::Link, remember))?;
        self.finish((link.shard, &right), (BY_LINK, remember), browser, device()).await
    }

    fn needs_magic_link(&self) -> Result<(), Error> {
        self.needs_mail()?;
        if self.accounts.magic_link { Ok(()) } else { Err(Error::NotFound) }
    }
}

fn read(body: &[u8]) -> Result<(Link, bool), Error> {
    let MagicLinkBody { token, remember } = document::parse(body).map_err(into_validation)?;
    let mut faults = Faults::default();
    match faults.link(token) {
        Some(link) => Ok((link, remember)),
        None => Err(faults.into_error()),
    }
}

/// The refusal of a link that is good elsewhere. It is not used up.
fn another_browser() -> Error {
    let message = Word::AnotherBrowser.english().to_owned();
    Error::ValidationFailed { details: vec![FieldFault { field: "token".to_owned(), message }] }
}
