//! What clients ask for by OAuth: tokens, their revocation, and what they say (RFC 6749, 7009, 7662).

use serde::Serialize;
use serde_json::Value;

use super::{Answer, Endpoints, done, no_grant, token_type};
use crate::{
    error::Error,
    guard::{
        Backend, Sessions,
        backend::unavailable,
        session::{
            SessionNote,
            clients::{authenticate, client_required, proven_key},
            note_use, random_id,
        },
    },
    revocation::{Entry, Target},
    session::{
        access::{self, FIRST_PARTY, Issued, MACHINE_PREFIX},
        client::GrantType,
        introspection::{self, Asker},
        oauth::{Form, OAuthError},
        record::NOTICE_MARGIN_SECS,
        scopes::{self, asked},
        step::{Asked, End, Machine, Step},
        token::RefreshToken,
    },
    store::RevocationStore as _,
};

#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
}

impl<B: Backend> Endpoints<'_, B> {
    /// `POST /token`.
    ///
    /// # Errors
    /// With a word of OAuth ([`OAuthError::of`]).
    pub async fn token(&self, body: &[u8]) -> Result<Answer, Error> {
        let form = form(body)?;
        let grant_type = match form.get("grant_type") {
            Some("refresh_token") => GrantType::RefreshToken,
            Some("client_credentials") => GrantType::ClientCredentials,
            Some(_) => {
                return Err(OAuthError::UnsupportedGrantType
                    .because("expected refresh_token or client_credentials"));
            }
            None => return Err(OAuthError::InvalidRequest.because("grant_type is missing")),
        };
        let of_policy = (self.policy, self.own);
        let client = authenticate(of_policy, self.backend, (self.request, &form), self.now).await?;
        if client.is_some_and(|client| !client.may(grant_type)) {
            return Err(OAuthError::UnauthorizedClient.because("the client may not ask for this"));
        }
        match grant_type {
            GrantType::RefreshToken => {
                let text = form.get("refresh_token");
                let text = text.ok_or_else(|| {
                    OAuthError::InvalidRequest.because("refresh_token is missing")
                })?;
                let narrowed = (self.asked_scopes(&form)?, self.asked_audience(&form)?);
                let id = client.map(|client| client.id.as_str());
                let (grant, (access, refresh), note) =
                    self.refresh_by_body(text, id, narrowed).await?;
                let body = TokenBody {
                    access_token: &access,
                    token_type: token_type(grant.opening.jkt.as_deref()),
                    expires_in: grant.expires_in(),
                    refresh_token: Some(&refresh),
                    scope: &grant.opening.scopes.join(" "),
                };
                Ok(Answer::json(200, &body, note))
            }
            GrantType::ClientCredentials => {
                let client = client.ok_or_else(client_required)?;
                let scopes = match self.asked_scopes(&form)? {
                    None => client.scopes.clone(),
                    Some(asked) if scopes::are_held(&client.scopes, &asked) => {
                        asked.into_iter().map(|one| one.scope).collect()
                    }
                    Some(_) => {
                        return Err(OAuthError::InvalidScope.because("more than the client has"));
                    }
                };
                let audience = self.asked_audience(&form)?;
                let audience = audience.as_deref().unwrap_or(&self.own.audience);
                self.machine_token((&client.id, audience), &scopes).await
            }
        }
    }

    async fn machine_token(
        &self,
        (client, audience): (&str, &[String]),
        scopes: &[String],
    ) -> Result<Answer, Error> {
        let jkt = proven_key(self.backend, self.request, self.now).await?;
        let object = self.object_of(&format!("{MACHINE_PREFIX}{client}"));
        let step = Step::Machine(Machine { terms: self.own.terms });
        let outcome = self.step(&object, &step).await?;
        outcome.check()?;
        let times = outcome.times.ok_or_else(no_grant)?;
        let sessions = self.backend.sessions();
        let token_id = random_id(sessions)?;
        let own = self.own;
        let issued = Issued { issuer: &own.issuer, audience, token_id: &token_id };
        let claims = access::claims_of_machine((client, scopes, jkt.as_deref()), times, issued)?;
        let access = sessions.sign(&claims, access::TYP, self.now).await?;
        let body = TokenBody {
            access_token: &access,
            token_type: token_type(jkt.as_deref()),
            expires_in: times.exp.secs_since(times.iat),
            refresh_token: None,
            scope: &scopes.join(" "),
        };
        Ok(Answer::json(200, &body, SessionNote::default()))
    }

    fn asked_scopes(&self, form: &Form<'_>) -> Result<Option<Vec<Asked>>, Error> {
        let Some(list) = form.get("scope") else { return Ok(None) };
        let includes = &self.policy.scope_includes;
        match asked(list, |scope| includes.holders_of(scope)) {
            Some(asked) => Ok(Some(asked)),
            None => Err(OAuthError::InvalidScope.because("expected scopes with spaces between")),
        }
    }

    /// RFC 8707, and what others call it.
    fn asked_audience(&self, form: &Form<'_>) -> Result<Option<Vec<String>>, Error> {
        let Some(one) = form.get("resource").or_else(|| form.get("audience")) else {
            return Ok(None);
        };
        match self.own.audience_within(&[one.to_owned()]) {
            Some(audience) => Ok(Some(audience)),
            None => Err(OAuthError::InvalidTarget.because("is not an audience of this gate")),
        }
    }

    /// `POST /revoke` (RFC 7009). A token that is not one is as good as revoked.
    ///
    /// # Errors
    /// With a word of OAuth.
    pub async fn revoke(&self, body: &[u8]) -> Result<Answer, Error> {
        let form = form(body)?;
        let of_policy = (self.policy, self.own);
        let client = authenticate(of_policy, self.backend, (self.request, &form), self.now).await?;
        let text = form.get("token");
        let text = text.ok_or_else(|| OAuthError::InvalidRequest.because("token is missing"))?;
        let id = client.map(|client| client.id.as_str());
        let known = if RefreshToken::looks_like(text) {
            self.revoke_refresh_token(text, id).await?
        } else {
            self.revoke_access_token(text, id).await?
        };
        // Clients ignore the body (RFC 7009 §2.2), but some take no answer that is not JSON.
        Ok(Answer { note: self.take_note(), ..done(known) })
    }

    async fn revoke_refresh_token(&self, text: &str, client: Option<&str>) -> Result<bool, Error> {
        let opened = RefreshToken::open(text, &self.own.secrets, self.now.to_unix_time());
        let Ok(token) = opened else { return Ok(true) };
        let end = End::by_token(&token, client.map(str::to_owned));
        let (outcome, known) = self.apply(token.object, &Step::End(end)).await?;
        match outcome.check() {
            Ok(()) | Err(Error::SessionEnded) => Ok(known),
            Err(Error::RefreshTokenOfOtherClient) => Err(not_yours()),
            Err(_) => {
                self.leave_events(outcome.events);
                Ok(true)
            }
        }
    }

    async fn revoke_access_token(&self, text: &str, client: Option<&str>) -> Result<bool, Error> {
        let token = match self.verified(text).await {
            Ok(token) => token,
            Err(fault @ (Error::KeysUnavailable { .. } | Error::StoreUnavailable { .. })) => {
                return Err(fault);
            }
            Err(_) => return Ok(true),
        };
        let claims = token.claims();
        let owner = claims.get("client_id").and_then(Value::as_str);
        if owner != Some(FIRST_PARTY) && owner != client {
            return Err(not_yours());
        }
        let (Some(jti), Some(exp)) = (claims.jwt_id(), claims.expires_at()) else {
            return Ok(true);
        };
        let target = Target::Token { iss: self.own.issuer.clone(), jti: jti.to_owned() };
        let until = exp.saturating_add(NOTICE_MARGIN_SECS);
        let entry = Entry::of_gate(target, None, until, self.now.to_unix_time());
        let written = self.backend.revocations().revoke(entry, self.now).await;
        written.map(|_| true).map_err(|fault| unavailable("revocation", &fault))
    }

    /// `POST /introspect` (RFC 7662).
    ///
    /// # Errors
    /// With a word of OAuth: no client, or a store that does not answer.
    pub async fn introspect(&self, body: &[u8]) -> Result<Answer, Error> {
        let form = form(body)?;
        let of_policy = (self.policy, self.own);
        let client = authenticate(of_policy, self.backend, (self.request, &form), self.now).await?;
        let client = client.ok_or_else(client_required)?;
        let text = form.get("token");
        let text = text.ok_or_else(|| OAuthError::InvalidRequest.because("token is missing"))?;
        let asker = Asker { client: &client.id, about_others: client.introspect };
        let mut note = SessionNote::default();
        let body = match self.verified(text).await {
            Ok(token) => {
                let memory = self.backend.sessions().memory();
                let body = match crate::guard::session::check_ended(
                    &token,
                    (self.own, memory),
                    self.now,
                ) {
                    Ok(()) => introspection::answer(asker, token.claims()),
                    Err(_) => introspection::INACTIVE.to_owned(),
                };
                if body != introspection::INACTIVE {
                    note_use(&token, (self.own, memory), &mut note, self.now);
                }
                body
            }
            Err(fault @ (Error::KeysUnavailable { .. } | Error::StoreUnavailable { .. })) => {
                return Err(fault);
            }
            Err(_) => introspection::INACTIVE.to_owned(),
        };
        Ok(Answer { body, note, ..Answer::empty(200) })
    }
}

fn form(body: &[u8]) -> Result<Form<'_>, Error> {
    Form::parse(body).map_err(|word| word.because("expected a form with each parameter once"))
}

fn not_yours() -> Error {
    OAuthError::UnauthorizedClient.because("the token was issued to another client")
}
