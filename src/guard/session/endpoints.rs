//! What each endpoint of sessions does, the same on every edge. An edge reads the request, and writes the [`Answer`].

mod administration;
mod oauth;
mod opening;
mod own;
mod refresh;

use core::cell::RefCell;

use serde::Serialize;

use super::{
    super::{Backend, Request, Sessions, backend::unavailable, credential, revocation, token},
    CookieChange, SessionNote, notices,
};
use crate::{
    error::Error,
    jose::{scopes::is_scope, verifier::VerifiedToken},
    policy::{Policy, RevocationMode, SessionPolicy},
    session::{
        ObjectName, Place, SessionId, cookie,
        record::LoginRow,
        step::{End, Listed, Outcome, SessionEvent, Step, Which},
    },
    store::sessions::{Patience, SessionStore as _},
    time::UnixMillis,
};

pub(in crate::guard) use self::own::{LogoutBody, may_manage};

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

#[cfg(feature = "describe")]
pub(crate) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<opening::OpenBody>();
    known.add::<administration::NarrowBody>();
    known.add::<administration::SubjectBody>();
    known.add::<opening::StartBody>();
    known.add::<LogoutBody>();
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
struct ListedBody<'a> {
    #[serde(flatten)]
    listed: &'a Listed,
    current: bool,
}

#[derive(Serialize)]
struct ListBody<'a> {
    sessions: Vec<ListedBody<'a>>,
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
        let at = (self.backend.digests(), self.now);
        revocation::check(self.policy, store, &identity.revocable(), mode, at).await.verdict
    }

    fn object_of(&self, subject: &str) -> ObjectName {
        ObjectName::of(&self.own.issuer, subject)
    }

    fn place(&self) -> Place {
        Place::hash("edgegate-place-v1", &[&self.request.client()])
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

    /// Ends sessions because of something that is done already, such as a new password: nobody may be told that it is not. Where the store does
    /// not answer, they end behind the answer, which is 202.
    async fn end_surely(
        &self,
        (object, end): (ObjectName, End),
        mut note: SessionNote,
    ) -> Result<Answer, Error> {
        let current = end.id;
        match self.end((object, end.clone())).await {
            Err(Error::StoreUnavailable { .. }) => {
                note.end = Some((object, end));
                self.ended(Ended::default(), current, note)
            }
            ended => self.ended(ended?, current, note),
        }
    }

    /// The same once more, behind the answer.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn end_again(&self, object: ObjectName, end: End) -> Result<(), Error> {
        self.end((object, end)).await.map(drop)
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

#[derive(Serialize)]
struct DoneBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
}

fn no_grant() -> Error {
    let problem = "the outcome of a step has no times".to_owned();
    Error::StoreUnavailable { store: "sessions", problem }
}

const fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
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
