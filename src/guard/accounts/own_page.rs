//! What the page of whoever is logged in shows, and what its forms do that no other endpoint of accounts does.

use super::{
    super::{
        Backend, SessionNote,
        session::endpoints::{Answer, may_manage},
    },
    AccountFlow, Accounts,
};
use crate::{
    account::{
        passkeys::OwnPasskey,
        row::{Factors, account_of_subject},
    },
    error::Error,
    jose::verifier::VerifiedToken,
    session::{
        SessionId,
        step::{Listed, Which},
    },
};

/// What there is of somebody.
#[derive(Debug)]
pub struct Overview {
    /// `None`: the session is of no account, but of a login with others.
    pub factors: Option<OwnFactors>,
    /// Where they are logged in.
    pub sessions: Vec<Listed>,
    /// The one that asks.
    pub current: Option<SessionId>,
    /// What is left to be done.
    pub note: SessionNote,
}

/// How somebody logs in beside the password.
#[derive(Debug)]
pub struct OwnFactors {
    /// What is asked for.
    pub factors: Factors,
    /// `None`: the policy has none.
    pub passkeys: Option<Vec<OwnPasskey>>,
}

/// Who changes something.
#[derive(Debug)]
pub struct Standing {
    /// Whether the account has a password, which is asked for.
    pub shows_password: bool,
    /// What is left to be done.
    pub note: SessionNote,
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `GET /account`.
    ///
    /// # Errors
    /// As [`AccountFlow::factors`], but for sessions that are of no account.
    pub async fn overview(&self) -> Result<Overview, Error> {
        let mut note = SessionNote::default();
        let token = self.sessions.mine(&mut note).await?;
        let seen = self.seen(&token).await;
        let (factors, sessions) = self.or_keep(seen, &mut note)?;
        let current = token.claims().session_id().and_then(SessionId::parse);
        Ok(Overview { factors, sessions, current, note })
    }

    async fn seen(
        &self,
        token: &VerifiedToken,
    ) -> Result<(Option<OwnFactors>, Vec<Listed>), Error> {
        may_manage(token)?;
        let sessions = self.sessions.listed(token).await?;
        let Some(id) = account_of_subject(token.subject().unwrap_or_default()) else {
            return Ok((None, sessions));
        };
        let factors = self.factors_of(&id).await?;
        let passkeys = match &self.accounts.passkeys {
            Some(_) => Some(self.all_passkeys(&id).await?),
            None => None,
        };
        Ok((Some(OwnFactors { factors, passkeys }), sessions))
    }

    /// Who is about to change something, which takes a login of a moment ago if it is a factor.
    ///
    /// # Errors
    /// As [`AccountFlow::factors`]; [`Error::StepUp`].
    pub async fn standing(&self, is_factor: bool) -> Result<Standing, Error> {
        let mut who =
            if is_factor { self.logged_in_now().await? } else { self.logged_in().await? };
        let shows_password = match self.prove_password(&who.id, None).await {
            Err(Error::ValidationFailed { .. }) => Ok(true),
            proven => proven.map(|_| false),
        };
        let shows_password = self.or_keep(shows_password, &mut who.note)?;
        Ok(Standing { shows_password, note: who.note })
    }

    /// Ends sessions of whoever is logged in.
    ///
    /// # Errors
    /// Those of credentials; [`Error::NotFound`] for a session that is not the caller's.
    pub async fn end_sessions(&self, which: Which, id: Option<&str>) -> Result<Answer, Error> {
        self.sessions.end_mine(which, id).await
    }

    /// Logs out.
    ///
    /// # Errors
    /// [`Error::CrossSite`], [`Error::MissingCredentials`]; those of stores.
    pub async fn log_out(&self) -> Result<Answer, Error> {
        self.sessions.logout(b"{}").await
    }
}
