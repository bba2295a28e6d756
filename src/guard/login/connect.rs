//! Accounts at providers: whoever is logged in connects one, and takes it away. The way to the provider and back is that of a login.

use super::{LoginAnswer, LoginFlow, Logins, Next, answer::Stop, begin::Beginning};
use crate::{
    error::{Error, StoreError},
    grant::{
        seal::Owner,
        step::{EndGrants, EndedGrant, GrantStep},
    },
    guard::{
        Backend, SessionNote,
        grants::{self, Revocation},
        target_of,
    },
    login::{
        person::{Email, Person},
        return_path::ReturnPath,
        state::{Asked, NO_RETRY, Purpose},
        token_answer::ProviderTokens,
    },
    page::Reason,
    policy::Provider,
    session::{SessionId, cookie::SameSite},
    time::UnixTime,
};

/// The longest name of an account that is kept for people, in characters.
const MAX_LABEL: usize = 100;

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    /// `POST /connect/{provider}`: to the provider, for whoever is logged in.
    ///
    /// # Errors
    /// Those of the caller's own session, the CSRF rule among them; [`Error::NotFound`] for a provider that is none.
    pub async fn connect(
        &self,
        provider: &str,
        return_to: Option<&str>,
    ) -> Result<LoginAnswer, Error> {
        let mut note = SessionNote::default();
        let (owner, session) = self.logged_in(&mut note).await?;
        let provider = self.connectable(provider)?;
        let beginning = Beginning {
            return_path: self.return_path(return_to),
            asked: Asked::default(),
            purpose: Purpose::Connect { owner, session },
            retries: NO_RETRY,
            other_account: false,
        };
        let answer = self.to_provider(provider, beginning).await?;
        Ok(LoginAnswer { note, ..answer })
    }

    /// `POST /disconnect/{provider}`: ends the caller's grants there, or the one of this account. The provider is told.
    ///
    /// # Errors
    /// As [`LoginFlow::connect`], and those of the store.
    pub async fn disconnect(
        &self,
        provider: &str,
        (account, return_to): (Option<&str>, Option<&str>),
    ) -> Result<LoginAnswer, Error> {
        let mut note = SessionNote::default();
        let (subject, _) = self.logged_in(&mut note).await?;
        let provider = self.connectable(provider)?;
        let owner = Owner { issuer: &self.own.issuer, subject: &subject };
        let end =
            EndGrants { provider: Some(provider.id.clone()), account: account.map(str::to_owned) };
        let ended = self.logins.of_grants(&owner.object(), &GrantStep::End(end)).await;
        let ended = ended.map_err(|fault| grants::unavailable(&fault.to_string()))?.ended;
        let revocations = self.to_revoke(owner, &ended).await;
        let answer = LoginAnswer::to(self.return_path(return_to).as_str().to_owned());
        Ok(LoginAnswer { note, revocations, ..answer })
    }

    /// A provider at which accounts are connected. Of another no tokens are kept, and there may be no place for them.
    fn connectable(&self, id: &str) -> Result<&Provider, Error> {
        let provider = self.login.provider(id).filter(|own| self.policy.connects(own));
        provider.ok_or(Error::NotFound)
    }

    async fn to_revoke(&self, owner: Owner<'_>, ended: &[EndedGrant]) -> Vec<Revocation> {
        grants::to_revoke((self.logins.crypto(), &self.own.secrets), owner, ended).await
    }

    /// Who is logged in here, and in which session.
    pub(super) async fn logged_in(
        &self,
        note: &mut SessionNote,
    ) -> Result<(String, SessionId), Error> {
        let token = self.sessions.mine(note).await?;
        let session = token.claims().session_id().and_then(SessionId::parse);
        match (token.subject(), session) {
            (Some(subject), Some(session)) => Ok((subject.to_owned(), session)),
            // Machines have no session.
            _ => Err(Error::IssuerNotAllowed),
        }
    }

    /// An account comes back, or a proof: in the session that went for it, or not at all. Otherwise a page of somebody else's could leave their account
    /// with whoever opens it.
    pub(super) async fn in_session_of(
        &self,
        purpose: &Purpose,
        note: &mut SessionNote,
    ) -> Result<(), Stop> {
        let (Purpose::Connect { owner, session } | Purpose::StepUp { owner, session }) = purpose
        else {
            return Ok(());
        };
        let other = || {
            let problem = "whoever began it is not logged in here any more";
            Stop::interrupted(Reason::WrongAccount, problem)
        };
        match self.logged_in(note).await {
            Ok((subject, present)) if subject == *owner && present == *session => Ok(()),
            _ => Err(other()),
        }
    }

    /// The same callback once more, from a page of this site: a navigation that comes from the provider carries no `Strict` cookie.
    pub(super) fn once_more(&self, purpose: &Purpose) -> Option<LoginAnswer> {
        let is_strict = self.browser.same_site == SameSite::Strict;
        let is_elsewhere = self.request.provenance.fetch_site == Some("cross-site");
        let is_of_session = *purpose != Purpose::LogIn;
        let url = self.request.url.filter(|_| is_strict && is_elsewhere && is_of_session)?;
        Some(Next::MoveOn(target_of(url)).into())
    }

    /// Keeps the tokens of an account that its owner has connected.
    pub(super) async fn connected(
        &self,
        provider: &Provider,
        owner: &str,
        (person, tokens, began_at): (&Person, &ProviderTokens, UnixTime),
        (return_path, note): (&ReturnPath, SessionNote),
    ) -> Result<LoginAnswer, Stop> {
        provider.allow.check(person).map_err(|list| Error::LoginNotAllowed { list })?;
        self.keep(provider, owner, (&Account::of(person), tokens, began_at)).await?;
        Ok(LoginAnswer { note, ..self.back(return_path) })
    }

    /// The same, of an account that somebody logs in with, if a route uses it. The login does not depend on it.
    pub(super) async fn keep_of_login(
        &self,
        provider: &Provider,
        sub: &str,
        account: (&Account, &ProviderTokens, UnixTime),
    ) {
        if self.policy.keeps_tokens_of(&provider.id) {
            let _ = self.keep(provider, sub, account).await;
        }
    }

    async fn keep(
        &self,
        provider: &Provider,
        subject: &str,
        (Account { id, label }, tokens, began_at): (&Account, &ProviderTokens, UnixTime),
    ) -> Result<(), Error> {
        let owner = Owner { issuer: &self.own.issuer, subject };
        let with = (self.logins.crypto(), &self.own.secrets);
        let what = (tokens, provider.request_scopes.as_slice(), label.as_deref());
        let unavailable = |fault: StoreError| grants::unavailable(&fault.to_string());
        let step = grants::kept(with, owner, (&provider.id, id), what, began_at).await;
        let step = step.map_err(unavailable)?;
        let outcome = self.logins.of_grants(&owner.object(), &step).await.map_err(unavailable)?;
        // Accounts were taken away meanwhile: nobody has these tokens.
        for Revocation { token, .. } in self.to_revoke(owner, &outcome.ended).await {
            // Nothing of it is kept here, whatever the provider says.
            let _ = self.providers().revoke(provider, &token).await;
        }
        outcome.check(&provider.id)
    }
}

/// An account at a provider.
#[derive(Debug)]
pub(super) struct Account {
    /// The provider's stable id of it.
    id: String,
    /// Its name for people.
    label: Option<String>,
}

impl Account {
    /// That of a person.
    pub(super) fn of(person: &Person) -> Self {
        let label = person.name.as_deref().or(person.email.as_ref().map(Email::as_str));
        let label = label.map(|label| label.chars().take(MAX_LABEL).collect());
        Self { id: person.id.clone(), label }
    }
}
