//! Refreshing a session, by its cookie or by a refresh token.

use serde::Serialize;

use super::{Answer, Endpoints};
use crate::{
    error::Error,
    guard::{
        Backend, Sessions,
        session::{
            SessionNote, clients::proven_key, cookies_that_decide, identify, notices, tokens,
        },
    },
    json::{self},
    session::{
        cookie,
        oauth::OAuthError,
        step::{Asked, Carried, Grant, Refresh, Refused, Step},
        token::RefreshToken,
    },
};

/// The guide's form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    expires_in: u64,
}

impl<B: Backend> Endpoints<'_, B> {
    /// `POST /refresh`: by the body `{refreshToken}`, else by the cookies.
    ///
    /// # Errors
    /// [`Error::RefreshTokenRequired`], and those of refresh tokens.
    pub async fn refresh(&self, body: &[u8]) -> Result<Answer, Error> {
        let text = if body.trim_ascii().is_empty() {
            None
        } else {
            json::find_string(body, "refreshToken")
                .map_err(|_| Error::InvalidRequest("expected JSON with refreshToken, a string"))?
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let (grant, (access, refresh), note) =
                self.refresh_by_body(&text, None, (None, None)).await?;
            let body = RefreshedBody {
                access_token: Some(&access),
                refresh_token: Some(&refresh),
                expires_in: grant.expires_in(),
            };
            return Ok(Answer::json(200, &body, note));
        }
        self.refresh_by_cookie().await
    }

    async fn refresh_by_cookie(&self) -> Result<Answer, Error> {
        let browser = self.own.browser.as_ref().ok_or(Error::RefreshTokenRequired)?;
        let found = cookies_that_decide(self.policy, browser, self.request)?;
        let Some(text) = found.and_then(|found| found.refresh) else {
            return Err(Error::RefreshTokenRequired);
        };
        // Without the access token, so that it is renewed whatever that one is.
        let found = cookie::SessionCookies { access: None, refresh: Some(text) };
        let mut note = SessionNote::default();
        let of_policy = (self.policy, self.backend);
        let token =
            identify(of_policy, (self.own, browser), (found, self.request), self.now, &mut note)
                .await;
        let token = self.or_leave(token, &mut note)?;
        let exp = token.claims().expires_at().unwrap_or_default();
        let body = RefreshedBody {
            access_token: None,
            refresh_token: None,
            expires_in: exp.secs_since(self.now.to_unix_time()),
        };
        Ok(Answer::json(200, &body, note))
    }

    pub(super) async fn refresh_by_body(
        &self,
        text: &str,
        client: Option<&str>,
        (scopes, audience): (Option<Vec<Asked>>, Option<Vec<String>>),
    ) -> Result<(Grant, (String, String), SessionNote), Error> {
        let token = RefreshToken::open(text, &self.own.secrets, self.now.to_unix_time())?;
        let sessions = self.backend.sessions();
        if sessions.memory().has_ended(token.session, self.now) {
            return Err(Error::SessionEnded);
        }
        notices::ask_first(self.policy, self.own, self.backend, token.session, self.now).await?;
        let jkt = proven_key(self.backend, self.request, self.now).await?;
        let (reuse, grace_secs) = self.own.reuse(client);
        let step = Step::Refresh(Refresh {
            id: token.session,
            generation: token.generation,
            salt: token.salt,
            carried: Carried::Body,
            client: client.map(str::to_owned),
            jkt,
            scopes,
            audience,
            reuse,
            grace_secs,
            key_id: self.own.secrets.newest_id(),
            place: Some(self.place()),
            providers: Some(self.policy.login_providers()),
            terms: self.own.terms,
        });
        let (outcome, _) = self.apply(token.object, &step).await?;
        if outcome.refused.is_some_and(|refused| refused.is_end()) {
            sessions.memory().note_ended(&[token.session], self.now);
        }
        let grant = match outcome.granted() {
            Ok(grant) => {
                let of_policy = (self.policy, self.own, self.backend);
                notices::follow_provider(of_policy, (token.object, grant), self.now).await?;
                grant.clone()
            }
            Err(error) => {
                self.leave_events(outcome.events);
                return Err(match (error, outcome.refused) {
                    // Who is shut out is told no more than whose session has ended.
                    (Error::SubjectDisabled, _) => Error::SessionEnded,
                    (_, Some(Refused::Scope)) => {
                        OAuthError::InvalidScope.because("more than the session has")
                    }
                    (_, Some(Refused::Audience)) => {
                        OAuthError::InvalidTarget.because("not of the session's audience")
                    }
                    (error, _) => error,
                });
            }
        };
        let both = tokens(sessions, self.own, token.object, &grant, self.now).await?;
        let events = outcome.events;
        Ok((grant, both, SessionNote { events, ..SessionNote::default() }))
    }
}
