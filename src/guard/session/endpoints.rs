//! What each endpoint of sessions does, the same on every edge. An edge reads the request, and writes the [`Answer`].

use core::cell::RefCell;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    super::{
        Backend, Carrier, Request, Sessions, backend::unavailable, cookies, credential, proof,
        revocation, token,
    },
    CookieChange, SessionNote,
    clients::{authenticate, client_required, proven_key},
    cookies_of, cookies_that_decide, identify, note_use, notices, random, random_id, tokens,
};
use crate::{
    error::Error,
    jose::{dpop::Confirmation, scopes::is_scope, verifier::VerifiedToken},
    json::{self, StrictObject, document, fault::DocumentFault, object::described},
    policy::{BrowserSessions, Policy, RevocationMode, SessionPolicy},
    revocation::{Entry, Target},
    session::{
        ObjectName, Opaque, Place, SessionId,
        access::{self, FIRST_PARTY, Issued, MACHINE_PREFIX},
        client::GrantType,
        cookie, csrf,
        introspection::{self, Asker},
        oauth::{Form, OAuthError},
        record::{Device, LoginRow, NOTICE_MARGIN_SECS, Opening},
        scopes::{self, asked},
        step::{
            Asked, Carried, Disable, End, Grant, Listed, Machine, Narrow, NewSession, Open,
            Outcome, PutTicket, Redeem, Refresh, Refused, SessionEvent, Step, StepUp, TICKET_SECS,
            Which,
        },
        token::{RefreshToken, Ticket},
    },
    store::{
        RevocationStore as _,
        sessions::{Patience, SessionStore as _},
    },
    time::{UnixMillis, UnixTime},
};

/// An answer. It is JSON, never stored (`Cache-Control: no-store`), and has the cookies of the note.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; empty: none.
    pub body: String,
    /// What else is to be done.
    pub note: SessionNote,
    /// Whether browsers are told to empty their cache (`Clear-Site-Data: "cache"`).
    pub clears_cache: bool,
    /// Where the session at the provider ends, of a logout.
    pub provider_logout_url: Option<String>,
    /// Where a browser goes on to (`Location`).
    pub location: Option<String>,
    /// A cookie beside those of the session (`Set-Cookie`).
    pub cookie: Option<String>,
}

impl Answer {
    pub(in crate::guard) fn json<T: Serialize>(status: u16, body: &T, note: SessionNote) -> Self {
        // What is written are texts, numbers and lists.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { body, note, ..Self::empty(status) }
    }

    /// One that says nothing.
    pub(in crate::guard) fn empty(status: u16) -> Self {
        Self {
            status,
            body: String::new(),
            note: SessionNote::default(),
            clears_cache: false,
            provider_logout_url: None,
            location: None,
            cookie: None,
        }
    }

    /// The same for a browser that goes on.
    pub(in crate::guard) fn going_to(self, status: u16, location: String) -> Self {
        Self { status, location: Some(location), body: String::new(), ..self }
    }
}

/// The endpoints of the sessions of a policy, for one request.
#[derive(Debug)]
pub struct Endpoints<'a, B> {
    policy: &'a Policy,
    own: &'a SessionPolicy,
    backend: &'a B,
    request: &'a Request<'a>,
    now: UnixMillis,
    /// What a refusal leaves to be done.
    left: RefCell<SessionNote>,
}

described! {
    /// Whose session, and what it may do. The one who asks has found out who it is.
    struct OpenBody as OpenSession, refused {
        /// Who: 1 to 255 bytes.
        #[facts(minLength = 1, maxLength = 255)]
        subject: String,
        /// What its tokens may do.
        scopes: Vec<String> = Vec::new(),
        /// Whether the cookies outlast the browser.
        remember: bool = true,
        /// The client that refreshes it.
        client_id: Option<String> = None,
        /// What its tokens are for: some of the policy's. Without it: all.
        audience: Vec<String> = Vec::new(),
        /// How the person has proven it (RFC 8176).
        amr: Vec<String> = Vec::new(),
        /// How well.
        acr: Option<String> = None,
        /// When.
        auth_time: Option<i64> = None,
        /// The thumbprint of the key that it is bound to (RFC 9449).
        dpop_jkt: Option<String> = None,
        /// More claims of its access tokens.
        claims: Option<StrictObject> = None,
        /// Its name for people.
        label: Option<String> = None,
        /// `true`: a ticket for cookies, in place of tokens.
        ticket: bool = false,
        /// `true`: `subject` may be that of an account (`account|…`).
        existing: bool = false,
    }
}

described! {
    /// A subject.
    struct SubjectBody as Subject, refused {
        /// Who: 1 to 255 bytes.
        #[facts(minLength = 1, maxLength = 255)]
        subject: String,
    }
}

described! {
    /// What the session may still do, from its next refresh on.
    struct NarrowBody as NarrowSession, refused {
        /// Whose it is.
        #[facts(minLength = 1, maxLength = 255)]
        subject: String,
        /// What is left: some of what it has.
        scopes: Vec<String>,
    }
}

described! {
    /// A ticket of `POST /admin/sessions`.
    struct StartBody as StartSession, refused {
        /// The ticket.
        ticket: String,
    }
}

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

#[cfg(feature = "describe")]
pub(crate) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<OpenBody>();
    known.add::<NarrowBody>();
    known.add::<SubjectBody>();
    known.add::<StartBody>();
    known.add::<LogoutBody>();
}

#[derive(Serialize)]
struct Opened<'a> {
    session_id: SessionId,
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    refresh_token: &'a str,
    refresh_expires_in: u64,
}

#[derive(Serialize)]
struct TicketBody<'a> {
    ticket: &'a str,
    expires_in: u32,
}

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

#[derive(Serialize)]
struct StartedBody {
    session_id: SessionId,
    expires_in: u64,
}

#[derive(Serialize)]
struct EndedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
    ended: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_logout_url: Option<&'a str>,
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

#[derive(Serialize)]
struct ListedBody<'a> {
    #[serde(flatten)]
    listed: &'a Listed,
    current: bool,
}

#[derive(Serialize)]
struct ListBody<'a> {
    sessions: Vec<ListedBody<'a>>,
}

#[derive(Serialize)]
struct DoneBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
}

impl<'a, B: Backend> Endpoints<'a, B> {
    /// Those of this policy.
    ///
    /// # Errors
    /// [`Error::NotFound`]: it has no sessions.
    pub fn new(
        policy: &'a Policy,
        backend: &'a B,
        request: &'a Request<'a>,
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let own = policy.sessions.as_ref().ok_or(Error::NotFound)?;
        Ok(Self { policy, own, backend, request, now, left: RefCell::default() })
    }

    /// What is left to be done after a refusal: cookies to take out, a session that was ended, events.
    pub fn take_note(&self) -> SessionNote {
        self.left.take()
    }

    // ---- for clients ----

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
                let body = match super::check_ended(&token, (self.own, memory), self.now) {
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

    /// An access token of the gate's own that is good and not revoked; where there is a ledger, it is asked itself.
    async fn verified(&self, text: &str) -> Result<VerifiedToken, Error> {
        let issuers = core::slice::from_ref(&self.own.issuer);
        let presented = credential::PresentedToken { text, issuers: Some(issuers) };
        let token = token::verify(self.policy, self.backend, &presented, self.now).await?;
        let mode = match self.policy.needs_ledger() {
            true => RevocationMode::Ledger,
            false => RevocationMode::Entries,
        };
        self.not_revoked_by(mode, &token).await?;
        Ok(token)
    }

    /// As on a route that says nothing of it.
    async fn not_revoked(&self, token: &VerifiedToken) -> Result<(), Error> {
        let mode = self.policy.revocation.map(|policy| policy.mode).unwrap_or_default();
        super::check_ended(token, (self.own, self.backend.sessions().memory()), self.now)?;
        self.not_revoked_by(mode, token).await
    }

    async fn not_revoked_by(
        &self,
        mode: RevocationMode,
        token: &VerifiedToken,
    ) -> Result<(), Error> {
        let identity = super::super::TokenIdentity::new(token.clone(), &[]);
        let store = self.backend.revocations();
        revocation::check(self.policy, store, &identity.revocable(), mode, self.now).await.verdict
    }

    // ---- refresh ----

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

    async fn refresh_by_body(
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

    // ---- ways in ----

    /// `POST /admin/sessions`: opens a session, or leaves a ticket. The edge has checked who asks.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::SubjectDisabled`], [`Error::RateLimited`].
    pub async fn open(&self, body: &[u8], device: Device) -> Result<Answer, Error> {
        let body: OpenBody = document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let ticket = body.ticket;
        let opening = self.opening(body)?;
        if ticket {
            return self.leave_ticket(self.object_of(&opening.sub), opening).await;
        }
        let begun = self.begin(opening, device).await?;
        self.answer_with_tokens(201, &begun).await
    }

    /// Opens a session. Nobody has anything of it yet.
    ///
    /// # Errors
    /// [`Error::SubjectDisabled`], [`Error::RateLimited`], [`Error::StoreUnavailable`].
    pub(in crate::guard) async fn begin(
        &self,
        opening: Opening,
        device: Device,
    ) -> Result<Begun, Error> {
        let new = self.new_session(device)?;
        self.begin_as(opening, new).await
    }

    async fn begin_as(&self, opening: Opening, new: NewSession) -> Result<Begun, Error> {
        let object = self.object_of(&opening.sub);
        let (outcome, _) = self.apply(object, &Step::Open(Open { opening, new })).await?;
        let grant = outcome.granted()?.clone();
        Ok(Begun { object, grant, events: outcome.events })
    }

    /// Its tokens.
    ///
    /// # Errors
    /// Those of keys.
    pub(in crate::guard) async fn answer_with_tokens(
        &self,
        status: u16,
        Begun { object, grant, events }: &Begun,
    ) -> Result<Answer, Error> {
        let (access, refresh) =
            tokens(self.backend.sessions(), self.own, *object, grant, self.now).await?;
        let body = Opened {
            session_id: grant.id,
            access_token: &access,
            token_type: token_type(grant.opening.jkt.as_deref()),
            expires_in: grant.expires_in(),
            refresh_token: &refresh,
            refresh_expires_in: grant.refresh_expires_in(),
        };
        let events = events.clone();
        Ok(Answer::json(status, &body, SessionNote { events, ..SessionNote::default() }))
    }

    /// Its cookies. The session that this browser had ends.
    ///
    /// # Errors
    /// Those of keys.
    pub(in crate::guard) async fn answer_with_cookies(
        &self,
        begun: &Begun,
        browser: &BrowserSessions,
    ) -> Result<Answer, Error> {
        let Begun { object, grant, events } = begun;
        let note = self.cookies_of_new((*object, grant), browser, events).await?;
        let body = StartedBody { session_id: grant.id, expires_in: grant.expires_in() };
        let clears_cache = note.of_another;
        Ok(Answer { clears_cache, ..Answer::json(200, &body, note) })
    }

    /// Ends it before anybody has had anything of it.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(in crate::guard) async fn take_back(&self, begun: &Begun) -> Result<(), Error> {
        self.apply(begun.object, &Step::End(End::of(Which::One, begun.grant.id))).await.map(drop)
    }

    async fn leave_ticket(&self, object: ObjectName, opening: Opening) -> Result<Answer, Error> {
        if self.own.browser.is_none() {
            return Err(Error::invalid_field("ticket", "expected sessions.cookies = true"));
        }
        if opening.jkt.is_some() {
            return Err(Error::invalid_field("dpop_jkt", "tokens in cookies are bound to no key"));
        }
        let until = self.now.to_unix_time().saturating_add(TICKET_SECS.into());
        let nonce = Opaque::from_bytes(random(self.backend.sessions())?);
        let ticket = Ticket { object, nonce, until };
        let step = Step::PutTicket(PutTicket { opening, hash: ticket.hash() });
        self.step(&object, &step).await?.check()?;
        let text = ticket.seal(&self.own.secrets)?;
        let body = TicketBody { ticket: &text, expires_in: TICKET_SECS };
        Ok(Answer::json(201, &body, SessionNote::default()))
    }

    /// `POST /session/start`: a ticket for cookies. The session that this browser had ends.
    ///
    /// # Errors
    /// [`Error::CrossSite`], those of refresh tokens.
    pub async fn start(&self, body: &[u8], device: Device) -> Result<Answer, Error> {
        let browser = self.own.browser.as_ref().ok_or(Error::NotFound)?;
        let own_origin = csrf::own_origin(self.policy.origin.as_deref(), self.request.url);
        csrf::check_always(&self.request.provenance, own_origin, &browser.origins)?;
        let body: StartBody = document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let time = self.now.to_unix_time();
        let ticket = Ticket::open(&body.ticket, &self.own.secrets, time)?;
        let new = self.new_session(device)?;
        let step = Step::Redeem(Redeem { hash: ticket.hash(), new });
        let (outcome, _) = self.apply(ticket.object, &step).await?;
        let grant = outcome.granted()?.clone();
        let begun = Begun { object: ticket.object, grant, events: outcome.events };
        self.answer_with_cookies(&begun, browser).await
    }

    /// The same for whoever has proven more: the session of this browser goes on under a new name, to its old end.
    ///
    /// # Errors
    /// [`Error::SessionEnded`] where it is not there any more; as [`Endpoints::open_for_browser`].
    pub(in crate::guard) async fn step_up_for_browser(
        &self,
        (session, opening): (SessionId, Opening),
        browser: &BrowserSessions,
        device: Device,
    ) -> Result<SessionNote, Error> {
        let object = self.object_of(&opening.sub);
        let new = self.new_session(device)?;
        let Opening { amr, acr, auth_time, login, .. } = opening;
        let step = Step::StepUp(StepUp { id: session, new, amr, acr, auth_time, login });
        let (outcome, _) = self.apply(object, &step).await?;
        let grant = outcome.granted()?;
        self.cookies_of_new((object, grant), browser, &outcome.events).await
    }

    /// Whether the provider has ended the session of its own that this one would come of.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(in crate::guard) async fn is_ended_at_provider(
        &self,
        opening: &Opening,
    ) -> Result<bool, Error> {
        let of_policy = (self.policy, self.own, self.backend);
        notices::is_ended_at_provider(of_policy, opening.login.as_ref(), self.now).await
    }

    /// Opens a session for this browser, which has come back from a provider. The one that it had ends, unless another tab of it has opened
    /// that since this login began: then its tabs share it, however their callbacks overtake each other.
    ///
    /// # Errors
    /// [`Error::SubjectDisabled`], [`Error::RateLimited`], those of stores and keys.
    pub(in crate::guard) async fn open_for_browser(
        &self,
        (opening, begun_at): (Opening, UnixTime),
        browser: &BrowserSessions,
        device: Device,
    ) -> Result<SessionNote, Error> {
        let binding = self.request.cookie.and_then(cookies::binding);
        let of_browser = binding.map(|binding| binding.browser());
        let begun_at = Some(begun_at);
        let new = NewSession { browser: of_browser, begun_at, ..self.new_session(device)? };
        let Begun { object, grant, events } = self.begin_as(opening, new).await?;
        self.cookies_of_new((object, &grant), browser, &events).await
    }

    /// The cookies of a session that has just begun.
    async fn cookies_of_new(
        &self,
        (object, grant): (ObjectName, &Grant),
        browser: &BrowserSessions,
        events: &[SessionEvent],
    ) -> Result<SessionNote, Error> {
        let both = tokens(self.backend.sessions(), self.own, object, grant, self.now).await?;
        let of_another = self.end_of_browser((object, grant.id)).await;
        let values = cookie::set((&both.0, &both.1), grant, browser.same_site)?;
        Ok(SessionNote {
            by_cookie: true,
            change: Some(CookieChange::Set {
                values,
                session: grant.id,
                until: self.now.saturating_add(cookie::RENEWAL_SECS.saturating_mul(1000)),
            }),
            events: events.to_vec(),
            of_another,
            ..SessionNote::default()
        })
    }

    /// Whether somebody is logged in, by the cookies of this browser. The note may renew them, or take them out.
    pub(in crate::guard) async fn is_logged_in(&self, note: &mut SessionNote) -> bool {
        match self.mine(note).await {
            Ok(_) => true,
            Err(_) => {
                *note = self.take_note();
                false
            }
        }
    }

    /// Ends the session that this browser had: a log-in never goes on with a session from before it. Says whether it was somebody else's.
    async fn end_of_browser(&self, (object, new): (ObjectName, SessionId)) -> bool {
        let found = cookies_of(self.request.cookie).unwrap_or_default();
        let time = self.now.to_unix_time();
        let old =
            found.refresh.and_then(|text| RefreshToken::open(text, &self.own.secrets, time).ok());
        let Some(old) = old.filter(|old| old.session != new) else { return false };
        // What fails here ends by itself, and nobody has its cookies any more.
        let step = Step::End(End::by_token(&old, None));
        let _ = self.apply(old.object, &step).await;
        old.object != object
    }

    // ---- mine ----

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

    /// Ends all sessions of a user but the one of this token.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token without a session, [`Error::StoreUnavailable`].
    pub(in crate::guard) async fn end_others(
        &self,
        token: &VerifiedToken,
        note: SessionNote,
    ) -> Result<Answer, Error> {
        let object = self.object_of(token.subject().unwrap_or_default());
        let current = token.claims().session_id().and_then(SessionId::parse);
        let id = current.ok_or(Error::NotFound)?;
        let ended = self.end((object, End::of(Which::Others, id))).await?;
        self.ended(ended, Some(id), note)
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

    /// What the log is told, whatever the answer is.
    fn leave_events(&self, events: Vec<SessionEvent>) {
        self.left.borrow_mut().events.extend(events);
    }

    /// The outcome; the note of a refusal is left for the edge.
    fn or_leave<T>(&self, outcome: Result<T, Error>, note: &mut SessionNote) -> Result<T, Error> {
        if outcome.is_err() {
            self.left.replace(core::mem::take(note));
        }
        outcome
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

    // ---- administration; the edge has checked who asks ----

    /// `GET /admin/sessions?subject=`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn list_of(&self, subject: &str) -> Result<Answer, Error> {
        let listed = self.step(&self.object_of(subject), &Step::List).await?;
        Ok(Answer::json(200, &list(&listed, None), SessionNote::default()))
    }

    /// `DELETE /admin/sessions?subject=`: log out everywhere.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn end_all_of(&self, subject: &str) -> Result<Answer, Error> {
        let ended = self.end((self.object_of(subject), End::all())).await?;
        self.ended(ended, None, SessionNote::default())
    }

    /// Ends one session of a subject, or all but it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a session that the subject does not have, [`Error::StoreUnavailable`].
    pub async fn end_for(&self, subject: &str, which: Which, id: &str) -> Result<Answer, Error> {
        let id = SessionId::parse(id).ok_or(Error::NotFound)?;
        let ended = self.end((self.object_of(subject), End::of(which, id))).await?;
        self.ended(ended, None, SessionNote::default())
    }

    /// `PATCH /admin/sessions/{id}` `{subject, scopes}`: from the next refresh on.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::NotFound`].
    pub async fn narrow(&self, id: &str, body: &[u8]) -> Result<Answer, Error> {
        let NarrowBody { subject, scopes } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let id = SessionId::parse(id).ok_or(Error::NotFound)?;
        check_scopes(&scopes)?;
        let includes = &self.policy.scope_includes;
        let scopes = scopes
            .into_iter()
            .map(|scope| Asked { holders: includes.holders_of(&scope).to_vec(), scope })
            .collect();
        let step = Step::Narrow(Narrow { id, scopes });
        match self.step(&self.object_of(&subject), &step).await?.check() {
            Ok(()) => Ok(Answer::json(200, &DoneBody { pending: None }, SessionNote::default())),
            Err(Error::SessionEnded) => Err(Error::NotFound),
            Err(error) => Err(error),
        }
    }

    /// `POST /admin/subjects/disable`.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::StoreUnavailable`].
    pub async fn disable(&self, body: &[u8]) -> Result<Answer, Error> {
        self.disable_subject(&subject_of(body)?).await.map(done)
    }

    /// The same; whether it is known wherever revocations are kept.
    pub(in crate::guard) async fn disable_subject(&self, subject: &str) -> Result<bool, Error> {
        let sub = subject.to_owned();
        let step = Step::Disable(Disable { sub, terms: self.own.terms });
        let (_, known) = self.apply(self.object_of(subject), &step).await?;
        Ok(known)
    }

    /// `POST /admin/subjects/enable`.
    ///
    /// # Errors
    /// As [`Endpoints::disable`].
    pub async fn enable(&self, body: &[u8]) -> Result<Answer, Error> {
        self.enable_subject(&subject_of(body)?).await?;
        Ok(done(true))
    }

    /// The same.
    pub(in crate::guard) async fn enable_subject(&self, subject: &str) -> Result<(), Error> {
        self.step(&self.object_of(subject), &Step::Enable).await.map(drop)
    }

    /// `DELETE /admin/subjects?subject=`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn forget(&self, subject: &str) -> Result<Answer, Error> {
        let (_, known) = self.apply(self.object_of(subject), &Step::Forget).await?;
        Ok(done(known))
    }

    // ---- what they share ----

    fn object_of(&self, subject: &str) -> ObjectName {
        ObjectName::of(&self.own.issuer, subject)
    }

    fn place(&self) -> Place {
        Place::hash("edgegate-place-v1", &[&self.request.client()])
    }

    fn new_session(&self, device: Device) -> Result<NewSession, Error> {
        let sessions = self.backend.sessions();
        Ok(NewSession {
            id: SessionId::from_bytes(random(sessions)?),
            salt: Opaque::from_bytes(random(sessions)?),
            key_id: self.own.secrets.newest_id(),
            device: device.cut(),
            place: Some(self.place()),
            browser: None,
            begun_at: None,
            terms: self.own.terms,
        })
    }

    async fn step(&self, object: &ObjectName, step: &Step) -> Result<Outcome, Error> {
        let store = self.backend.sessions().store();
        let outcome = store.apply(object, step, Patience::Usual).await;
        outcome.map_err(|fault| unavailable("sessions", &fault))
    }

    /// The same, and what has ended is made known.
    async fn apply(&self, object: ObjectName, step: &Step) -> Result<(Outcome, bool), Error> {
        notices::apply(self.own, self.backend, (object, step), self.now).await
    }

    async fn end(&self, (object, end): (ObjectName, End)) -> Result<Ended, Error> {
        let asks = Step::End(End { asks: true, ..end.clone() });
        // What may not end anything revokes nothing either: the step below says why.
        if !self.backend.sessions().has_alarm()
            && self.step(&object, &asks).await?.refused.is_none()
        {
            let listed = self.step(&object, &Step::List).await?;
            let ids = listed.sessions.iter().map(|listed| listed.id);
            let ids = ids.filter(|id| match end.which {
                Which::One => Some(*id) == end.id,
                Which::Others => Some(*id) != end.id,
                Which::All => true,
            });
            notices::revoke_first(self.own, self.backend, ids, self.now).await?;
        }
        let (outcome, known) = self.apply(object, &Step::End(end)).await?;
        match outcome.check() {
            Ok(()) => Ok(Ended { sessions: outcome.ended, known, login: outcome.login }),
            // It has ended before, and that is not known yet where revocations are kept.
            Err(Error::SessionEnded) if !known => Ok(Ended::default()),
            Err(Error::SessionEnded) => Err(Error::NotFound),
            Err(error) => {
                self.leave_events(outcome.events);
                Err(error)
            }
        }
    }

    /// "Done" once it is known where revocations are kept; before that, 202.
    fn ended(
        &self,
        ended: Ended,
        current: Option<SessionId>,
        note: SessionNote,
    ) -> Result<Answer, Error> {
        self.ended_at(ended, current, note, None)
    }

    fn ended_at(
        &self,
        Ended { sessions: ended, known, .. }: Ended,
        current: Option<SessionId>,
        mut note: SessionNote,
        provider_logout_url: Option<String>,
    ) -> Result<Answer, Error> {
        if let (Some(browser), true) = (&self.own.browser, note.by_cookie)
            && current.is_some_and(|current| ended.contains(&current))
        {
            note.change = Some(CookieChange::Expire(cookie::expire(browser.same_site)));
        }
        let body = EndedBody {
            pending: (!known).then_some(true),
            ended: ended.len(),
            provider_logout_url: provider_logout_url.as_deref(),
        };
        let answer = Answer::json(if known { 200 } else { 202 }, &body, note);
        Ok(Answer { provider_logout_url, ..answer })
    }

    fn opening(&self, body: OpenBody) -> Result<Opening, Error> {
        let refused = |field: &str, problem: &str| Err(Error::invalid_field(field, problem));
        let plain = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if !plain(&body.subject, 255) {
            return refused("subject", "expected 1 to 255 bytes without control characters");
        }
        if body.subject.starts_with(MACHINE_PREFIX) {
            return refused("subject", "is a machine's, which gets its tokens at /token");
        }
        if body.subject.starts_with("account|") && !body.existing {
            return refused("subject", "is that of an account; with existing = true it may be");
        }
        check_scopes(&body.scopes)?;
        if let Some(id) = &body.client_id {
            let known = self.own.client(id);
            if !known.is_some_and(|client| client.may(GrantType::RefreshToken)) {
                return refused(
                    "client_id",
                    "expected a client of the policy with the grant refresh_token",
                );
            }
        }
        let Some(audience) = self.own.audience_within(&body.audience) else {
            return refused("audience", "expected some of sessions.audience");
        };
        if body.amr.len() > 10 || !body.amr.iter().all(|one| plain(one, 32)) {
            return refused("amr", "expected at most 10 words of at most 32 bytes");
        }
        if body.acr.as_deref().is_some_and(|acr| !plain(acr, 200)) {
            return refused("acr", "expected at most 200 bytes");
        }
        if body.label.as_deref().is_some_and(|label| !plain(label, 200)) {
            return refused("label", "expected at most 200 bytes");
        }
        let latest = self.now.to_unix_time().saturating_add(access::CLOCK_TOLERANCE_SECS);
        let auth_time = body.auth_time.map(UnixTime::from_secs);
        if auth_time.is_some_and(|at| at > latest || at.as_secs() < 0) {
            return refused("auth_time", "expected a time in the past, in seconds since 1970");
        }
        if body.dpop_jkt.as_deref().is_some_and(|jkt| Confirmation::from_thumbprint(jkt).is_none())
        {
            return refused("dpop_jkt", "expected a SHA-256 thumbprint in base64url");
        }
        Ok(Opening {
            sub: body.subject,
            client: body.client_id,
            scopes: body.scopes,
            audience,
            auth_time,
            amr: body.amr,
            acr: body.acr,
            jkt: body.dpop_jkt,
            claims: body.claims.map(|StrictObject(claims)| further(claims)).transpose()?,
            label: body.label,
            remember: body.remember,
            login: None,
        })
    }
}

/// A session that has begun, and of which nobody has anything yet.
pub(in crate::guard) struct Begun {
    object: ObjectName,
    grant: Grant,
    events: Vec<SessionEvent>,
}

/// What has ended.
#[derive(Debug, Default)]
struct Ended {
    sessions: Vec<SessionId>,
    /// Whether that is known where revocations are kept.
    known: bool,
    /// The login that the session which was meant came of.
    login: Option<LoginRow>,
}

/// Whether this token has a say over all sessions of its user. One that a client was given has not: it is for what its scopes say. (A
/// machine's is its own user, without a session.)
pub(in crate::guard) fn may_manage(token: &VerifiedToken) -> Result<(), Error> {
    let claims = token.claims();
    let client = claims.get("client_id").and_then(Value::as_str);
    let is_first_party = client == Some(FIRST_PARTY) || claims.session_id().is_none();
    if is_first_party { Ok(()) } else { Err(Error::ClientNotAllowed) }
}

fn further(claims: Map<String, Value>) -> Result<String, Error> {
    let text = serde_json::to_string(&claims).unwrap_or_default();
    access::check_further_claims(&text)?;
    Ok(text)
}

pub(in crate::guard) fn check_scopes(scopes: &[String]) -> Result<(), Error> {
    if let Some(index) = scopes.iter().position(|scope| !is_scope(scope)) {
        return Err(Error::invalid_field(
            &format!("scopes[{index}]"),
            "expected a scope like read:posts",
        ));
    }
    let length: usize = scopes.iter().map(|scope| scope.len().saturating_add(1)).sum();
    if length > 1000 {
        return Err(Error::invalid_field("scopes", "expected at most 1000 bytes together"));
    }
    Ok(())
}

fn subject_of(body: &[u8]) -> Result<String, Error> {
    let SubjectBody { subject } =
        document::parse(body).map_err(DocumentFault::into_invalid_field)?;
    if (1..=255).contains(&subject.len()) {
        Ok(subject)
    } else {
        Err(Error::invalid_field("subject", "expected 1 to 255 bytes"))
    }
}

fn form(body: &[u8]) -> Result<Form<'_>, Error> {
    Form::parse(body).map_err(|word| word.because("expected a form with each parameter once"))
}

fn list(outcome: &Outcome, current: Option<SessionId>) -> ListBody<'_> {
    let listed = outcome.sessions.iter();
    let sessions =
        listed.map(|listed| ListedBody { listed, current: Some(listed.id) == current }).collect();
    ListBody { sessions }
}

fn done(known: bool) -> Answer {
    let body = DoneBody { pending: (!known).then_some(true) };
    Answer::json(if known { 200 } else { 202 }, &body, SessionNote::default())
}

const fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
}

fn not_yours() -> Error {
    OAuthError::UnauthorizedClient.because("the token was issued to another client")
}

fn no_grant() -> Error {
    let problem = "the outcome of a step has no times".to_owned();
    Error::StoreUnavailable { store: "sessions", problem }
}
