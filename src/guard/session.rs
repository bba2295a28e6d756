//! The step for the gate's own sessions: cookies → CSRF → own token → renewal, and what the edge is to do about it.
//!
//! It is asked where no other credential was presented: one in a header or a body decides alone, and these cookies are then neither read
//! nor renewed.

mod clients;
pub mod endpoints;
pub mod notices;

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{
    Backend, Identity, Request, backend::unavailable, cookies, credential::PresentedToken, token,
};
use crate::{
    account::{asker, device},
    bounded::BoundedMap,
    error::{Error, StoreError},
    jose::{
        dpop::{Confirmation, ReplayKey},
        keys::KeySet,
        verifier::VerifiedToken,
    },
    login::binding,
    policy::{BrowserSessions, Csrf, Policy, SessionPolicy},
    session::{
        ObjectName, Place, SessionId,
        access::{self, Issued},
        cookie::{self, SessionCookies},
        csrf, identity_token,
        record::Notice,
        refresh::{CONFIRM_SECS, MAX_REPEATS},
        renewal::{self, PATIENCE_MILLIS, Renewal},
        step::{Carried, Confirm, End, Grant, Outcome, Refresh, SessionEvent, Step},
        token::RefreshToken,
    },
    store::{
        replays::Once,
        sessions::{Patience, SessionStore},
    },
    time::UnixMillis,
};

/// What the gate's own sessions need of an edge.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Sessions {
    /// Who keeps the subjects.
    type Store: SessionStore;

    /// Who keeps the subjects.
    fn store(&self) -> &Self::Store;

    /// What this isolate remembers.
    fn memory(&self) -> &SessionMemory;

    /// Whether a subject's writer makes known by itself, later, what it could not ([`Step::Sweep`]). Where it does not, a process that
    /// dies in between would leave a token alive: there revocations are written before the row goes, and asked at each refresh.
    fn has_alarm(&self) -> bool {
        true
    }

    /// Random bytes of the host, good for keys.
    ///
    /// # Errors
    /// The host has none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError>;

    /// Whether this is used for the first time, at all isolates or processes together; from `until` on it cannot be used anyway.
    ///
    /// # Errors
    /// Who remembers them did not answer.
    async fn first_use(
        &self,
        what: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// The keys that verify the gate's own tokens: those of the ring, asked anew if `kid` is not among them, but at most once in
    /// [`ASK_AGAIN_SECS`](crate::session::key_ring::ASK_AGAIN_SECS).
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    async fn verifying_keys(&self, kid: Option<&str>, now: UnixMillis)
    -> Result<Rc<KeySet>, Error>;

    /// Signs claims by the key that is active now.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error>;
}

impl<S: Sessions> Sessions for &S {
    type Store = S::Store;

    fn store(&self) -> &S::Store {
        (**self).store()
    }

    fn memory(&self) -> &SessionMemory {
        (**self).memory()
    }

    fn has_alarm(&self) -> bool {
        (**self).has_alarm()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        (**self).random(bytes)
    }

    async fn first_use(
        &self,
        what: Once,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        (**self).first_use(what, key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        (**self).verifying_keys(kid, now).await
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        (**self).sign(claims, typ, now).await
    }
}

/// Where there are no sessions.
#[derive(Debug, Default)]
pub struct NoSessions(SessionMemory);

impl SessionStore for NoSessions {
    async fn apply(&self, _: &ObjectName, _: &Step, _: Patience) -> Result<Outcome, StoreError> {
        Err(none())
    }
}

impl Sessions for NoSessions {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        &self.0
    }

    fn random(&self, _: &mut [u8]) -> Result<(), StoreError> {
        Err(none())
    }

    async fn first_use(
        &self,
        _: Once,
        _: &ReplayKey,
        _: UnixMillis,
        _: UnixMillis,
    ) -> Result<bool, StoreError> {
        Err(none())
    }

    async fn verifying_keys(&self, _: Option<&str>, _: UnixMillis) -> Result<Rc<KeySet>, Error> {
        Err(no_keys())
    }

    async fn sign(&self, _: &str, _: &str, _: UnixMillis) -> Result<String, Error> {
        Err(no_keys())
    }
}

fn none() -> StoreError {
    StoreError::new("this edge keeps no sessions")
}

fn no_keys() -> Error {
    let problem = "this edge has no key ring".to_owned();
    Error::KeysUnavailable { issuer: "sessions".to_owned(), problem }
}

/// The cookies that are the gate's own: no service behind it gets them.
const OWN_COOKIES: [&str; 5] =
    [cookie::ACCESS, cookie::REFRESH, binding::COOKIE, device::COOKIE, asker::COOKIE];

/// Sessions that an isolate remembers to have ended.
const MAX_ENDED: usize = 10_000;

/// Generations that an isolate remembers to have told of.
const MAX_TOLD: usize = 50_000;

/// After a use was told of too early, the next is told so much later.
const TELL_AGAIN_MILLIS: u64 = 10_000;

/// For how long an ended session is remembered: as long as an access token lives that another isolate has just made, by a clock that
/// is behind, and browsers send their cookies.
const REMEMBER_ENDED_MILLIS: u64 = 30 * 60 * 1000;

/// What an isolate remembers of sessions. It saves work and decides nothing that the object does not.
#[derive(Debug)]
pub struct SessionMemory {
    ended: RefCell<BoundedMap<SessionId, ()>>,
    told: RefCell<BoundedMap<(SessionId, u32), ()>>,
    /// When expired entries of `told` were last looked for.
    swept_at: Cell<UnixMillis>,
}

impl Default for SessionMemory {
    fn default() -> Self {
        Self {
            ended: RefCell::new(BoundedMap::new(MAX_ENDED)),
            told: RefCell::new(BoundedMap::new(MAX_TOLD)),
            swept_at: Cell::new(UnixMillis::from_millis(0)),
        }
    }
}

impl SessionMemory {
    /// What has ended, to read: what is noted in it stays in it.
    pub(crate) fn to_read(&self) -> Self {
        Self { ended: RefCell::new(self.ended.borrow().clone()), ..Self::default() }
    }

    /// Notes that sessions have ended for good.
    pub fn note_ended(&self, sessions: &[SessionId], now: UnixMillis) {
        let until = now.saturating_add(REMEMBER_ENDED_MILLIS);
        for session in sessions {
            self.ended.borrow_mut().insert(*session, (), until, now);
        }
    }

    /// Whether a session is known to have ended.
    #[must_use]
    pub fn has_ended(&self, session: SessionId, now: UnixMillis) -> bool {
        self.ended.borrow().get(&session, now).is_some()
    }

    /// Whether a use is worth telling the object: by this clock it is old enough, and it was not told before.
    #[must_use]
    pub fn tells(&self, seen: &Confirm, now: UnixMillis) -> bool {
        let may = self.may_tell(seen, now);
        if may {
            let key = (seen.id, seen.generation);
            let until = now.saturating_add(TELL_AGAIN_MILLIS);
            self.told.borrow_mut().insert(key, (), until, now);
        }
        may
    }

    /// The same, without taking note of it.
    fn may_tell(&self, seen: &Confirm, now: UnixMillis) -> bool {
        let old_enough = now.to_unix_time().secs_since(seen.iat) >= CONFIRM_SECS;
        if !old_enough && seen.repeats < MAX_REPEATS {
            return false;
        }
        let mut told = self.told.borrow_mut();
        // Expired ones count as held. They are looked for at most so often: callers can fill this.
        if told.len() >= MAX_TOLD && now.millis_since(self.swept_at.get()) >= TELL_AGAIN_MILLIS {
            self.swept_at.set(now);
            told.forget_expired(now);
        }
        // What is full does not tell: an object must not be asked without end.
        told.get(&(seen.id, seen.generation), now).is_none() && told.len() < MAX_TOLD
    }

    /// Notes what came of [`SessionNote::confirm`]. What was confirmed is not told again.
    pub fn note_told(&self, seen: &Confirm, outcome: &Outcome, now: UnixMillis) {
        if outcome.confirmed || outcome.refused.is_some() {
            let until = now.saturating_add(REMEMBER_ENDED_MILLIS);
            self.told.borrow_mut().prolong(&(seen.id, seen.generation), until);
        }
        if outcome.refused.is_some_and(|refused| refused.is_end()) {
            self.note_ended(&[seen.id], now);
        }
    }
}

/// What the log is told of [`SessionNote::end`].
pub const NOT_ENDED_YET: &str =
    "sessions: what ends some is done, and the store did not end them; it is asked again";

/// Cookies that an answer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieChange {
    /// Both are set: the session was renewed.
    Set {
        /// The values of `Set-Cookie`.
        values: [String; 2],
        /// Whose they are.
        session: SessionId,
        /// Answers that begin later do not set them: the browser may have newer ones by then.
        until: UnixMillis,
    },
    /// Both are taken out: the session has ended for good.
    Expire([String; 2]),
}

/// What the edge is to do about a session, whatever the decision is.
#[derive(Debug, Default)]
pub struct SessionNote {
    /// Whether a cookie of the gate's own decided: the answer is `private` and varies by `Cookie`.
    pub by_cookie: bool,
    /// Cookies that the answer changes ([`SessionNote::set_cookies`]).
    pub change: Option<CookieChange>,
    /// To be told the object after the answer, in its [`Step::Confirm`]; then [`SessionMemory::note_told`].
    pub confirm: Option<(ObjectName, Confirm)>,
    /// To be written where revocations are kept, then acknowledged: a session was ended.
    pub notices: Option<(ObjectName, Vec<Notice>)>,
    /// To be ended, again until the store answers: what ends these sessions is done, and could not wait for it.
    pub end: Option<(ObjectName, End)>,
    /// What the log is told.
    pub events: Vec<SessionEvent>,
    /// Whether somebody else was logged in in this browser: it is told to empty its cache.
    pub of_another: bool,
}

impl SessionNote {
    /// Whether there is nothing to do behind the answer.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.confirm.is_none()
            && self.notices.is_none()
            && self.end.is_none()
            && self.events.is_empty()
    }

    /// The values of `Set-Cookie` for an answer that begins now.
    #[must_use]
    pub fn set_cookies(&self, memory: &SessionMemory, now: UnixMillis) -> &[String] {
        match &self.change {
            Some(CookieChange::Set { values, session, until })
                if now < *until && !memory.has_ended(*session, now) =>
            {
                values
            }
            Some(CookieChange::Expire(values)) => values,
            Some(CookieChange::Set { .. }) | None => &[],
        }
    }

    /// Takes in what came of a step.
    pub(super) fn take_in(&mut self, object: ObjectName, outcome: &Outcome) {
        self.events.extend_from_slice(&outcome.events);
        if !outcome.notices.is_empty() {
            self.notices = Some((object, outcome.notices.clone()));
        }
    }
}

/// The cookies of a `Cookie` header.
///
/// # Errors
/// [`Error::MultipleCredentials`] for two of one name, or one whose name a service might take for it: another page of the domain may
/// have set one of them. What only a generous reader finds is none of them, and is taken out of what goes on.
pub fn cookies_of(header: Option<&str>) -> Result<SessionCookies<'_>, Error> {
    let Some(header) = header else { return Ok(SessionCookies::default()) };
    let one = |name| {
        let mut values = cookies::own(name, header);
        let first = values.next();
        if values.next().is_some() || cookies::has_other_spelling(name, header) {
            return Err(Error::MultipleCredentials);
        }
        Ok(first)
    };
    Ok(SessionCookies { access: one(cookie::ACCESS)?, refresh: one(cookie::REFRESH)? })
}

/// The `Cookie` header without these cookies; `None` if no other is left. They are taken out of every request that goes on.
#[must_use]
pub fn without_cookies(header: &str) -> Option<String> {
    let mut rest = header.to_owned();
    for name in OWN_COOKIES {
        rest = cookies::without(name, &rest)?;
    }
    Some(rest)
}

/// The `Cookie` header without the cookies of the gate's own sessions; empty if no other cookie is left. `None`: it has none of them.
#[must_use]
pub fn rest_of_cookies(policy: &Policy, header: &str) -> Option<String> {
    policy.browser_sessions()?;
    let has_one = OWN_COOKIES.iter().any(|name| cookies::has(name, header));
    has_one.then(|| without_cookies(header).unwrap_or_default())
}

/// Reads the cookies and asks the CSRF rule, before anything else is asked. `None`: there are none.
pub(super) fn cookies_that_decide<'a>(
    policy: &Policy,
    browser: &BrowserSessions,
    request: &Request<'a>,
) -> Result<Option<SessionCookies<'a>>, Error> {
    let found = cookies_of(request.cookie)?;
    if !found.any() {
        return Ok(None);
    }
    let own = csrf::own_origin(policy.origin.as_deref(), request.url);
    csrf::check(request.method, &request.provenance, own, &browser.origins)?;
    Ok(Some(found))
}

/// The CSRF rule for the cookie that the policy names, unless the policy leaves it to the service.
#[inline(never)]
pub(super) fn check_operators_cookie(policy: &Policy, request: &Request<'_>) -> Result<(), Error> {
    if policy.csrf == Csrf::Off {
        return Ok(());
    }
    let own = csrf::own_origin(policy.origin.as_deref(), request.url);
    let origins = policy.browser_sessions().map_or(&[][..], |browser| &browser.origins);
    csrf::check(request.method, &request.provenance, own, origins)
}

/// Who it is by the cookies, renewed where that is due. The note says what has to be done, also if it is an error.
pub(super) async fn identify<B: Backend>(
    (policy, backend): (&Policy, &B),
    (own, browser): (&SessionPolicy, &BrowserSessions),
    (found, request): (SessionCookies<'_>, &Request<'_>),
    now: UnixMillis,
    note: &mut SessionNote,
) -> Result<VerifiedToken, Error> {
    note.by_cookie = true;
    let access = match found.access {
        Some(text) => Some(own_token((policy, backend, own), text, now).await),
        None => None,
    };
    let access = match access {
        // A fault of the keys is no log-out.
        Some(Err(fault @ (Error::KeysUnavailable { .. } | Error::StoreUnavailable { .. }))) => {
            return Err(fault);
        }
        known => known,
    };
    let time = now.to_unix_time();
    let held = access.as_ref().and_then(|access| access.as_ref().ok());
    let seen = held.and_then(|token| access::session_of(token.claims()));
    let ended = seen.is_some_and(|seen| backend.sessions().memory().has_ended(seen.id, now));
    if ended {
        note.change = Some(CookieChange::Expire(cookie::expire(browser.same_site)));
        return Err(Error::SessionEnded);
    }
    let exp = held.and_then(|token| token.claims().expires_at());
    let needed = |has_refresh| renewal::needed(exp, has_refresh, browser.renew_before_secs, time);
    // Most requests need only the access token. The tag of the refresh token is checked if the session may be renewed, or its use told.
    let is_read = needed(found.refresh.is_some()) != Renewal::No
        || seen.is_none_or(|seen| backend.sessions().memory().may_tell(&seen, now));
    let opened = found.refresh.filter(|_| is_read);
    let opened = opened.map(|text| RefreshToken::open(text, &own.secrets, time));
    let refresh = opened.as_ref().and_then(|opened| opened.as_ref().ok());
    // Of two users in one browser the access token decides while it holds.
    let refresh = refresh.filter(|refresh| seen.is_none_or(|seen| seen.id == refresh.session));
    let need = needed(refresh.is_some());
    if let (Some(refresh), true) = (refresh, need != Renewal::No) {
        let renewed = renew((policy, backend), (own, browser), refresh, (need, request, now), note);
        match (renewed.await, need) {
            (Ok(token), _) => return Ok(token),
            (Err(error), Renewal::Now) => return Err(error),
            // A definite end counts at once, whatever the access token says.
            (Err(error), _) if matches!(note.change, Some(CookieChange::Expire(_))) => {
                return Err(error);
            }
            (Err(_), _) => {}
        }
    }
    match access {
        Some(Ok(token)) => {
            // Both cookies have been saved, if both are of one generation.
            let is_whole =
                refresh.zip(seen).filter(|(refresh, seen)| refresh.generation == seen.generation);
            if is_whole.is_some() {
                note_use(&token, (own, backend.sessions().memory()), note, now);
            }
            Ok(token)
        }
        Some(Err(error)) => match opened {
            Some(Err(fault)) => Err(fault),
            _ => Err(error),
        },
        None => Err(opened.and_then(Result::err).unwrap_or(Error::MissingCredentials)),
    }
}

/// A token of the gate's own, and of no other issuer, that is bound to no key.
async fn own_token<B: Backend>(
    (policy, backend, own): (&Policy, &B, &SessionPolicy),
    text: &str,
    now: UnixMillis,
) -> Result<VerifiedToken, Error> {
    let issuers = core::slice::from_ref(&own.issuer);
    let token = PresentedToken { text, issuers: Some(issuers) };
    let verified = token::verify(policy, backend, &token, now).await?;
    match Confirmation::from_claims(verified.claims())? {
        None => Ok(verified),
        Some(_) => Err(Error::ProofRequired),
    }
}

/// Refuses tokens of a session that this isolate knows to have ended, before revocations say so.
#[inline(never)]
pub(super) fn check_ended(
    token: &VerifiedToken,
    (own, memory): (&SessionPolicy, &SessionMemory),
    now: UnixMillis,
) -> Result<(), Error> {
    if token.issuer() != own.issuer {
        return Ok(());
    }
    match token.claims().session_id().and_then(SessionId::parse) {
        Some(session) if memory.has_ended(session, now) => {
            Err(Error::TokenRevoked { by: "session" })
        }
        _ => Ok(()),
    }
}

/// Notes that an access token of the gate's own is in use, for the object, if that is news.
#[inline(never)]
pub(super) fn note_use(
    token: &VerifiedToken,
    (own, memory): (&SessionPolicy, &SessionMemory),
    note: &mut SessionNote,
    now: UnixMillis,
) {
    if token.issuer() != own.issuer {
        return;
    }
    let (Some(seen), Some(subject)) = (access::session_of(token.claims()), token.subject()) else {
        return;
    };
    if memory.tells(&seen, now) {
        note.confirm = Some((ObjectName::of(&own.issuer, subject), seen));
    }
}

/// Renews the session, and has both cookies set.
async fn renew<B: Backend>(
    (policy, backend): (&Policy, &B),
    (own, browser): (&SessionPolicy, &BrowserSessions),
    refresh: &RefreshToken,
    (need, request, now): (Renewal, &Request<'_>, UnixMillis),
    note: &mut SessionNote,
) -> Result<VerifiedToken, Error> {
    let sessions = backend.sessions();
    let end = || Some(CookieChange::Expire(cookie::expire(browser.same_site)));
    if sessions.memory().has_ended(refresh.session, now) {
        note.change = end();
        return Err(Error::SessionEnded);
    }
    let patience = match need {
        Renewal::Soon => Patience::Millis(PATIENCE_MILLIS),
        Renewal::No | Renewal::Now => Patience::Usual,
    };
    let (reuse, grace_secs) = own.reuse(None);
    let place = Place::hash("edgegate-place-v1", &[&request.client()]);
    let step = Step::Refresh(Refresh {
        id: refresh.session,
        generation: refresh.generation,
        salt: refresh.salt,
        carried: Carried::Cookie,
        client: None,
        jkt: None,
        scopes: None,
        audience: None,
        reuse,
        grace_secs,
        key_id: own.secrets.newest_id(),
        place: Some(place),
        providers: Some(policy.login_providers()),
        terms: own.terms,
    });
    notices::ask_first(policy, own, backend, refresh.session, now).await?;
    let outcome = sessions.store().apply(&refresh.object, &step, patience).await;
    let outcome = outcome.map_err(|fault| unavailable("sessions", &fault))?;
    note.take_in(refresh.object, &outcome);
    if outcome.refused.is_some_and(|refused| refused.is_end()) {
        sessions.memory().note_ended(&[refresh.session], now);
        note.change = end();
    }
    let grant = outcome.granted()?;
    let of_policy = (policy, own, backend);
    if let Err(error) = notices::follow_provider(of_policy, (refresh.object, grant), now).await {
        if error == Error::SessionEnded {
            note.change = end();
        }
        return Err(error);
    }
    let (access, refreshed) = tokens(sessions, own, refresh.object, grant, now).await?;
    let verified = own_token((policy, backend, own), &access, now).await?;
    note.change = Some(CookieChange::Set {
        values: cookie::set((&access, &refreshed), grant, browser.same_site)?,
        session: grant.id,
        until: now.saturating_add(cookie::RENEWAL_SECS.saturating_mul(1000)),
    });
    Ok(verified)
}

/// The access token and the refresh token of a grant.
///
/// # Errors
/// Those of signing and sealing; [`Error::StoreUnavailable`] for an access token that got too long.
pub async fn tokens<S: Sessions>(
    sessions: &S,
    own: &SessionPolicy,
    object: ObjectName,
    grant: &Grant,
    now: UnixMillis,
) -> Result<(String, String), Error> {
    let token_id = random_id(sessions)?;
    let issued = Issued { issuer: &own.issuer, audience: &own.audience, token_id: &token_id };
    let claims = access::claims_of_session(grant, issued)?;
    let access = sessions.sign(&claims, access::TYP, now).await?;
    if access.len() > access::MAX_TOKEN_LENGTH {
        let problem = format!("an access token would have {} bytes, more than 4000", access.len());
        return Err(Error::StoreUnavailable { store: "sessions", problem });
    }
    let refresh = grant.refresh_token(object);
    let sealed = refresh.seal(&own.secrets).or_else(|_| {
        // Its secret is gone: the next best is another text for the same generation.
        RefreshToken { key_id: own.secrets.newest_id(), ..refresh }.seal(&own.secrets)
    })?;
    Ok((access, sealed))
}

/// The signed identity of a caller for a service ([`Policy::identity_audience`]), to be sent as
/// [`FIELD`](identity_token::FIELD).
///
/// # Errors
/// Those of signing.
pub async fn identity_token<S: Sessions>(
    sessions: &S,
    own: &SessionPolicy,
    (caller, audience): (&Identity, &str),
    now: UnixMillis,
) -> Result<String, Error> {
    let key_id = caller.api_key_id().map(ToString::to_string);
    let caller = identity_token::Caller {
        method: caller.method(),
        subject: caller.subject(),
        issuer: caller.issuer(),
        scopes: caller.scopes(),
        key_id: key_id.as_deref(),
    };
    let claims = identity_token::claims(caller, (&own.issuer, audience), now.to_unix_time())?;
    sessions.sign(&claims, identity_token::TYP, now).await
}

/// 128 random bits as text.
pub(super) fn random_id<S: Sessions>(sessions: &S) -> Result<String, Error> {
    let bytes: [u8; 16] = random(sessions)?;
    Ok(crate::base64url::encode(&bytes))
}

/// Random bytes.
pub(super) fn random<const N: usize, S: Sessions>(sessions: &S) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    sessions.random(&mut bytes).map_err(|fault| unavailable("random", &fault))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_800_000_000_000);

    fn use_of(number: u32, now: UnixMillis) -> Confirm {
        let mut id = [0; 12];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let iat = now.to_unix_time().saturating_sub(CONFIRM_SECS);
        Confirm { id: SessionId::from_bytes(id), generation: 1, iat, repeats: 0 }
    }

    /// Whoever fills the memory keeps uses from being told for as long as an entry lives, and not for ever: a copied session is found by them.
    #[test]
    fn a_full_memory_of_what_was_told_tells_again_once_that_has_expired() {
        let memory = SessionMemory::default();
        for number in 0..u32::try_from(MAX_TOLD).unwrap() {
            assert!(memory.tells(&use_of(number, NOW), NOW));
        }
        let next = u32::MAX;
        assert!(!memory.tells(&use_of(next, NOW), NOW));
        let later = NOW.saturating_add(TELL_AGAIN_MILLIS);
        assert!(memory.tells(&use_of(next, later), later));
        assert!(!memory.tells(&use_of(next, later), later));
    }
}
