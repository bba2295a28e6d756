//! What people do with their own sessions.

use serde::Serialize;
use serde_json::Value;

use super::{Answer, Ended, EndedBody, Endpoints, list};
use crate::{
    error::Error,
    guard::{
        Backend, Carrier, Sessions, credential, proof,
        session::{CookieChange, SessionNote, cookies_that_decide, identify, note_use},
        token,
    },
    jose::verifier::VerifiedToken,
    json::{document, fault::DocumentFault, object::described},
    session::{
        ObjectName, SessionId,
        access::FIRST_PARTY,
        cookie,
        record::LoginRow,
        step::{End, Listed, Step, Which},
        token::RefreshToken,
    },
    time::UnixTime,
};

described! {
    /// Which sessions end.
    pub(in crate::guard) struct LogoutBody as Logout, refused {
        /// `true`: all of the caller's.
        pub(in crate::guard) everywhere: bool = false,
        /// Where the provider's logout leads back to: a path of this origin, or a URL of an origin in `login.return_to`.
        pub(in crate::guard) return_to: Option<String> = None,
    }
}

impl LogoutBody {
    /// Reads it; an empty body says nothing.
    pub(in crate::guard) fn read(body: &[u8]) -> Result<Self, Error> {
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        document::parse(body).map_err(DocumentFault::into_invalid_field)
    }
}

#[derive(Serialize)]
struct MeBody<'a> {
    subject: &'a str,
    session_id: Option<&'a str>,
    client_id: Option<&'a str>,
    scopes: Vec<&'a str>,
    auth_time: Option<&'a Value>,
    amr: Option<&'a Value>,
    acr: Option<&'a Value>,
    expires_at: Option<UnixTime>,
}

impl<B: Backend> Endpoints<'_, B> {
    /// `GET /session`: who am I.
    ///
    /// # Errors
    /// Those of credentials; [`Error::IssuerNotAllowed`] for tokens of others.
    pub async fn session(&self) -> Result<Answer, Error> {
        let mut note = SessionNote::default();
        let token = self.mine(&mut note).await?;
        let claims = token.claims();
        let scopes = token.scopes();
        let body = MeBody {
            subject: token.subject().unwrap_or_default(),
            session_id: claims.session_id(),
            client_id: claims.get("client_id").and_then(Value::as_str),
            scopes: scopes.iter().collect(),
            auth_time: claims.get("auth_time"),
            amr: claims.get("amr"),
            acr: claims.get("acr"),
            expires_at: claims.expires_at(),
        };
        Ok(Answer::json(200, &body, note))
    }

    /// `GET /sessions`: those of the caller.
    ///
    /// # Errors
    /// As [`Endpoints::session`]; [`Error::ClientNotAllowed`] for a client's token.
    pub async fn sessions(&self) -> Result<Answer, Error> {
        let mut note = SessionNote::default();
        let token = self.mine(&mut note).await?;
        may_manage(&token)?;
        let object = self.object_of(token.subject().unwrap_or_default());
        let listed = self.step(&object, &Step::List).await?;
        let current = token.claims().session_id().and_then(SessionId::parse);
        Ok(Answer::json(200, &list(&listed, current), note))
    }

    /// The sessions of this token's user.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(in crate::guard) async fn listed(
        &self,
        token: &VerifiedToken,
    ) -> Result<Vec<Listed>, Error> {
        let object = self.object_of(token.subject().unwrap_or_default());
        Ok(self.step(&object, &Step::List).await?.sessions)
    }

    /// `DELETE /sessions/{id}` (`one`), `/sessions/others` or `/sessions`.
    ///
    /// # Errors
    /// As [`Endpoints::sessions`]; [`Error::NotFound`] for a session that is not the caller's.
    pub async fn end_mine(&self, which: Which, id: Option<&str>) -> Result<Answer, Error> {
        let mut note = SessionNote::default();
        let token = self.mine(&mut note).await?;
        may_manage(&token)?;
        let object = self.object_of(token.subject().unwrap_or_default());
        let current = token.claims().session_id().and_then(SessionId::parse);
        let id = match which {
            Which::One => id.and_then(SessionId::parse).ok_or(Error::NotFound)?,
            // Machines have no session of their own, and nothing to end.
            Which::Others | Which::All => current.ok_or(Error::NotFound)?,
        };
        let ended = self.end((object, End::of(which, id))).await?;
        self.ended(ended, current, note)
    }

    /// Ends all sessions of a user but the one of this token, because of something that is done.
    ///
    /// # Errors
    /// None that says that it is not done.
    pub(in crate::guard) async fn end_others(
        &self,
        token: &VerifiedToken,
        note: SessionNote,
    ) -> Result<Answer, Error> {
        let object = self.object_of(token.subject().unwrap_or_default());
        let current = token.claims().session_id().and_then(SessionId::parse);
        let end = current.map_or_else(End::all, |id| End::of(Which::Others, id));
        self.end_surely((object, end), note).await
    }

    /// `POST /logout`: ends the session of this cookie or token, or all. Cookies are taken out also if they are worth nothing any more.
    ///
    /// # Errors
    /// [`Error::CrossSite`]; [`Error::MissingCredentials`] without any; those of tokens in headers;
    /// [`Error::ClientNotAllowed`] for all sessions by a client's token.
    pub async fn logout(&self, body: &[u8]) -> Result<Answer, Error> {
        let LogoutBody { everywhere, .. } = LogoutBody::read(body)?;
        self.end_this(everywhere, async |_| None).await
    }

    /// The same. `way_out` says where the provider's own session ends, of a session that came of a login.
    pub(in crate::guard) async fn end_this(
        &self,
        everywhere: bool,
        way_out: impl AsyncFnOnce(LoginRow) -> Option<String>,
    ) -> Result<Answer, Error> {
        let mut note = SessionNote::default();
        let (object, end) = match self.of_header(&mut note).await? {
            Some(token) => {
                if everywhere {
                    may_manage(&token)?;
                }
                self.own_end(&token).ok_or(Error::NotFound)?
            }
            None => match self.of_cookies(&mut note).await? {
                Some(found) => found,
                // It would be done for this browser only.
                None if everywhere => return self.or_leave(Err(Error::SessionEnded), &mut note),
                None => {
                    let body = EndedBody { pending: None, ended: 0, provider_logout_url: None };
                    return Ok(Answer { clears_cache: true, ..Answer::json(200, &body, note) });
                }
            },
        };
        let which = if everywhere { Which::All } else { Which::One };
        let id = end.id;
        let ended = match self.end((object, End { which, ..end })).await {
            Err(Error::NotFound) if everywhere => {
                return self.or_leave(Err(Error::SessionEnded), &mut note);
            }
            Err(Error::NotFound) => Ended { known: true, ..Ended::default() },
            ended => ended?,
        };
        let url = match ended.login.clone() {
            Some(login) => way_out(login).await,
            None => None,
        };
        let answer = self.ended_at(ended, id, note, url)?;
        Ok(Answer { clears_cache: true, ..answer })
    }

    /// The session of the cookies, by the refresh token: it is good for longer. `None`: they are worth nothing any more.
    async fn of_cookies(&self, note: &mut SessionNote) -> Result<Option<(ObjectName, End)>, Error> {
        let browser = self.own.browser.as_ref().ok_or(Error::MissingCredentials)?;
        let found = cookies_that_decide(self.policy, browser, self.request)?;
        let found = found.ok_or(Error::MissingCredentials)?;
        note.by_cookie = true;
        note.change = Some(CookieChange::Expire(cookie::expire(browser.same_site)));
        let time = self.now.to_unix_time();
        if let Some(text) = found.refresh
            && let Ok(token) = RefreshToken::open(text, &self.own.secrets, time)
        {
            return Ok(Some((token.object, End::by_token(&token, None))));
        }
        let Some(text) = found.access else { return Ok(None) };
        match self.verified(text).await {
            Ok(token) => {
                may_manage(&token)?;
                Ok(self.own_end(&token))
            }
            Err(fault @ (Error::KeysUnavailable { .. } | Error::StoreUnavailable { .. })) => {
                Err(fault)
            }
            Err(_) => Ok(None),
        }
    }

    /// The end of a verified token's session. `None`: it has none, as a machine's.
    fn own_end(&self, token: &VerifiedToken) -> Option<(ObjectName, End)> {
        let id = token.claims().session_id().and_then(SessionId::parse)?;
        let object = self.object_of(token.subject().unwrap_or_default());
        Some((object, End::of(Which::One, id)))
    }

    /// The gate's own token of this request, from a header or from the cookies.
    pub(in crate::guard) async fn mine(
        &self,
        note: &mut SessionNote,
    ) -> Result<VerifiedToken, Error> {
        if let Some(token) = self.of_header(note).await? {
            return Ok(token);
        }
        let browser = self.own.browser.as_ref().ok_or(Error::MissingCredentials)?;
        let found = cookies_that_decide(self.policy, browser, self.request)?;
        let found = found.ok_or(Error::MissingCredentials)?;
        let of_policy = (self.policy, self.backend);
        let token =
            identify(of_policy, (self.own, browser), (found, self.request), self.now, note).await;
        let token = self.or_leave(token, note)?;
        let verdict = self.not_revoked(&token).await;
        self.or_leave(verdict, note)?;
        Ok(token)
    }

    async fn of_header(&self, note: &mut SessionNote) -> Result<Option<VerifiedToken>, Error> {
        let found = credential::find(self.policy, self.request)?;
        let (presented, carrier) = match found {
            None => return Ok(None),
            Some((credential::Credential::Token(presented), carrier)) => (presented, carrier),
            Some((credential::Credential::ApiKey(_), _)) => return Err(Error::IssuerNotAllowed),
        };
        let (policy, backend, now) = (self.policy, self.backend, self.now);
        let token = token::verify(policy, backend, &presented, now).await?;
        if token.issuer() != self.own.issuer || carrier == Carrier::Cookie {
            return Err(Error::IssuerNotAllowed);
        }
        let bound = proof::Bound { token: presented.text, verified: &token, carrier };
        if let Some(proof) = proof::check(backend, &bound, self.request, now).await? {
            proof::spend(backend.replays(), &proof, now).await?;
        }
        self.not_revoked(&token).await?;
        note_use(&token, (self.own, backend.sessions().memory()), note, now);
        Ok(Some(token))
    }
}

/// Whether this token has a say over all sessions of its user. One that a client was given has not: it is for what its scopes say. (A
/// machine's is its own user, without a session.)
pub(in crate::guard) fn may_manage(token: &VerifiedToken) -> Result<(), Error> {
    let claims = token.claims();
    let client = claims.get("client_id").and_then(Value::as_str);
    let is_first_party = client == Some(FIRST_PARTY) || claims.session_id().is_none();
    if is_first_party { Ok(()) } else { Err(Error::ClientNotAllowed) }
}
