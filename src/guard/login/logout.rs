//! Logouts with others: what a provider ends at the gate, and the way to what ends at the provider.

use super::{LoginAnswer, LoginFlow, Logins, Next};
use crate::{
    error::Error,
    guard::{
        Backend, SessionNote, Sessions as _,
        backend::unavailable,
        session::endpoints::{Answer, Endpoints, LogoutBody},
    },
    jose::dpop::ReplayKey,
    login::{
        authorization::with_parameters,
        logout_token::{self, Logout},
        provider::{Identity, ProviderLogout},
    },
    policy::Provider,
    revocation::{Entry, Target},
    session::{
        ProviderSession,
        oauth::{Form, OAuthError},
        record::{LoginRow, NOTICE_MARGIN_SECS},
    },
    store::{RevocationStore as _, replays::Once},
    time::UnixMillis,
};

/// The status that sends a browser on with `GET` (RFC 9110 §15.4.4).
const SEE_OTHER: u16 = 303;

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    /// `POST /backchannel-logout/{provider}` (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.7). In this order: the form, the token's
    /// signature and claims, its name once; then what it names ends. Before the signature holds no store is asked.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a provider that has no ID tokens; those of tokens; [`Error::OAuth`] for a form without one, and for one that
    /// came before; those of stores.
    pub async fn end_by_provider(&self, provider: &str, form: &[u8]) -> Result<LoginAnswer, Error> {
        let provider = self.way_in(provider)?;
        if provider.profile.identity != Identity::IdToken {
            return Err(Error::NotFound);
        }
        let refused = |problem| OAuthError::InvalidRequest.because(problem);
        let form = Form::parse_for(&["logout_token"], form)
            .map_err(|_| refused("expected a form with logout_token once"))?;
        let text = form.get("logout_token").ok_or_else(|| refused("logout_token is missing"))?;
        let known = self.known(provider).await?;
        let token = self.signed((provider, &known), text, (logout_token::rules, self.now)).await?;
        let logout = logout_token::read(&token, self.now.to_unix_time())?;
        if !self.is_first_logout(token.issuer(), &logout).await? {
            return Err(refused("this logout token has come before"));
        }
        match (&logout.session, &logout.subject) {
            (Some(session), _) => self.end_of_session(provider, session).await?,
            (None, Some(subject)) => self.end_of_subject(provider, subject).await?,
            (None, None) => return Err(Error::MissingClaim { claim: "sid".to_owned() }),
        }
        Ok(Next::Done.into())
    }

    async fn is_first_logout(&self, issuer: &str, logout: &Logout) -> Result<bool, Error> {
        let key = ReplayKey::new(&["logout", issuer, &logout.token_id]);
        let until = UnixMillis::from_unix_time(logout.remembered_until);
        let first = self.backend.sessions().first_use(Once::Logout, &key, until, self.now).await;
        first.map_err(|fault| unavailable("logins", &fault))
    }

    /// Nobody knows whose session at the gate that is. Their tokens name it, and so do their rows: it counts for as long as one can live.
    async fn end_of_session(&self, provider: &Provider, session: &str) -> Result<(), Error> {
        let session = ProviderSession::of(provider.issuer().unwrap_or(&provider.id), session);
        let target = Target::Session { iss: self.own.issuer.clone(), sid: session.to_string() };
        let now = self.now.to_unix_time();
        let longest = u64::from(self.own.terms.absolute_secs)
            .saturating_add(self.own.terms.access_secs.into())
            .saturating_add(NOTICE_MARGIN_SECS);
        let entry = Entry::of_gate(target, None, now.saturating_add(longest), now);
        let written = self.backend.revocations().revoke(entry, self.now).await;
        written.map(drop).map_err(|fault| unavailable("revocation", &fault))
    }

    /// All of a person's. Where the gate does not know people by `sub`, a session has to be named.
    async fn end_of_subject(&self, provider: &Provider, subject: &str) -> Result<(), Error> {
        if provider.profile.places.id != ["sub"] {
            return Err(Error::MissingClaim { claim: "sid".to_owned() });
        }
        let subject = format!("{}|{subject}", provider.id);
        self.sessions.end_all_of(&subject).await.map(drop)
    }

    /// `POST /logout` where the policy has logins: as without them, and the answer says how it goes on at the provider. `endpoints` are
    /// those of the same request.
    ///
    /// # Errors
    /// As [`Endpoints::logout`].
    pub async fn log_out(
        &self,
        endpoints: &Endpoints<'_, B>,
        body: &[u8],
    ) -> Result<Answer, Error> {
        let body = LogoutBody::read(body)?;
        let return_to = body.return_to.as_deref();
        endpoints
            .end_this(body.everywhere, async |login| self.way_out(login, return_to).await)
            .await
    }

    /// The same for the form of a page, `return_to` and `everywhere`: the browser goes on, to the provider and back, or back at once. Without
    /// `return_to` it ends at the page that says so.
    ///
    /// # Errors
    /// As [`LoginFlow::log_out`]; who is not logged in is no error.
    pub async fn log_out_by_form(
        &self,
        endpoints: &Endpoints<'_, B>,
        form: &[u8],
    ) -> Result<Answer, Error> {
        let form = Form::parse_for(&["return_to", "everywhere"], form)
            .map_err(|_| Error::InvalidRequest("expected each parameter once"))?;
        let return_to = form.get("return_to");
        let everywhere = form.get("everywhere") == Some("true");
        let way_out = async |login: LoginRow| self.way_out(login, return_to).await;
        let answer = match endpoints.end_this(everywhere, way_out).await {
            Err(Error::MissingCredentials) if !everywhere => Answer::empty(SEE_OTHER),
            answer => answer?,
        };
        let back = || match return_to {
            Some(_) => self.return_path(return_to).as_str().to_owned(),
            None => format!("{}/logged-out", self.policy.auth_prefix),
        };
        let location = answer.provider_logout_url.clone().unwrap_or_else(back);
        Ok(answer.going_to(SEE_OTHER, location))
    }

    /// `GET /logged-out?state=`: back from the provider. `state` is the return path, which is read as strictly as any. Without it a page says
    /// that the person is logged out; who is logged in is asked first.
    pub async fn logged_out(&self, state: Option<&str>) -> LoginAnswer {
        if state.is_some() {
            return LoginAnswer::to(self.return_path(state).as_str().to_owned());
        }
        let prefix = &self.policy.auth_prefix;
        let mut note = SessionNote::default();
        let next = if self.sessions.is_logged_in(&mut note).await {
            Next::To(format!("{prefix}/logout"))
        } else {
            Next::LoggedOut { log_in: format!("{prefix}/login") }
        };
        LoginAnswer { note, ..next.into() }
    }

    /// Where the session at the provider ends; `None`: the provider has no such place, or cannot be asked for it.
    async fn way_out(&self, login: LoginRow, return_to: Option<&str>) -> Option<String> {
        let provider = self.login.provider(&login.provider)?;
        let back = format!("{}{}/logged-out", self.origin().ok()?, self.policy.auth_prefix);
        let client = ("client_id", provider.client_id.as_str());
        match provider.profile.logout {
            ProviderLogout::None => None,
            ProviderLogout::Standard => {
                let endpoint = self.known(provider).await.ok()?.end_session?;
                // The provider gives `state` back, and any other query would be another URI than the one that is registered.
                let path = return_to.map(|_| self.return_path(return_to));
                let state = path.as_ref().map(|path| ("state", path.as_str()));
                let own = [client, ("post_logout_redirect_uri", &back)];
                Some(with_parameters(&endpoint, own.into_iter().chain(state)))
            }
            ProviderLogout::ClientAndUri => {
                let authorization = self.known(provider).await.ok()?.authorization;
                let endpoint = format!("{}/logout", origin_of(&authorization)?);
                Some(with_parameters(&endpoint, [client, ("logout_uri", &back)]))
            }
        }
    }
}

/// Scheme and host of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    url.get(..scheme.len().saturating_add(3).saturating_add(host.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_host() {
        for url in
            ["https://a.example/oauth2/authorize?x=1", "https://a.example?x", "https://a.example"]
        {
            assert_eq!(origin_of(url), Some("https://a.example"), "{url}");
        }
        assert_eq!(origin_of("a.example/x"), None);
    }
}
