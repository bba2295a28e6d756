//! The ways into a session.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answer, Endpoints, check_scopes, token_type};
use crate::{
    error::Error,
    guard::{
        Backend, cookies,
        session::{CookieChange, SessionNote, cookies_of, notices, random, tokens},
    },
    jose::dpop::Confirmation,
    json::{StrictObject, document, fault::DocumentFault, object::described},
    policy::BrowserSessions,
    session::{
        ObjectName, Opaque, SessionId,
        access::{self, MACHINE_PREFIX},
        client::GrantType,
        cookie, csrf,
        record::{Device, Opening},
        step::{
            End, Grant, NewSession, Open, PutTicket, Redeem, SessionEvent, Step, StepUp,
            TICKET_SECS, Which,
        },
        token::{RefreshToken, Ticket},
    },
    time::UnixTime,
};

described! {
    /// Whose session, and what it may do. The one who asks has found out who it is.
    pub(super) struct OpenBody as OpenSession, refused {
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
    /// A ticket of `POST /admin/sessions`.
    pub(super) struct StartBody as StartSession, refused {
        /// The ticket.
        ticket: String,
    }
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
struct StartedBody {
    session_id: SessionId,
    expires_in: u64,
}

/// A session that has begun, and of which nobody has anything yet.
pub(in crate::guard) struct Begun {
    object: ObjectName,
    grant: Grant,
    events: Vec<SessionEvent>,
}

impl<B: Backend> Endpoints<'_, B> {
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

fn further(claims: Map<String, Value>) -> Result<String, Error> {
    let text = serde_json::to_string(&claims).unwrap_or_default();
    access::check_further_claims(&text)?;
    Ok(text)
}
