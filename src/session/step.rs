//! What happens to a subject: one step, by one writer, at one time.
//!
//! A step carries all that it needs: the random bytes of a new session, the terms of the policy. Its time is the writer's clock,
//! and `iat` and `exp` of every token come from it, so that clocks of isolates decide nothing. [`Step::to_text`] and
//! [`Outcome::to_text`] are what goes between an isolate and an object.

use serde::Serialize;

use super::{
    id::{BrowserName, ObjectName, Place, Salt, SessionId, TicketHash},
    record::{
        Device, LoginRow, NOTICE_MARGIN_SECS, Notice, Opening, ROW_VERSION, SessionRow, TicketRow,
    },
    state::{MAX_SESSIONS, MAX_TICKETS, Paces, SubjectState},
    token::RefreshToken,
};
use crate::{
    error::{Error, StoreError},
    json::{
        document,
        object::{object, words},
        readable::Readable,
    },
    time::{UnixMillis, UnixTime},
};

/// How many sessions may be opened for a subject in [`OPENINGS_SECS`].
pub const OPENINGS: usize = 30;

/// The time that [`OPENINGS`] are for: an hour.
pub const OPENINGS_SECS: u64 = 3600;

/// How long a ticket can be redeemed.
pub const TICKET_SECS: u32 = 60;

/// How often a session can be refreshed: so many at once, and one each so many milliseconds. 8 tabs with 20 requests each fit.
pub(super) const REFRESH_PACE: (u64, u64) = (200, 1000);

/// How many tokens a machine is given: 60 at once, and one a second.
const MACHINE_PACE: (u64, u64) = (60, 1000);

/// The longest that a policy may let an access token live: a cut-off holds as long, since nobody has noted which machine has which.
pub const LONGEST_SECS: u32 = 86_400;

/// A session's place in [`Paces`] for the tokens of a machine, whose object has no sessions.
const MACHINE: SessionId = SessionId::from_bytes([0; 12]);

object! {
    /// How long things live, by the policy.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Terms, ignored {
        /// An access token.
        pub access_secs: u32,
        /// A session that nobody uses.
        pub idle_secs: u32,
        /// A session at all.
        pub absolute_secs: u32,
        /// A session that came of a login, from the login on. Who asks without it has no logins.
        pub recheck_secs: u32 = u32::MAX,
    }
}

/// When a refresh token that is presented again means theft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// Once its successor was seen in use (the default).
    #[default]
    Confirmed,
    /// Also so many seconds after its successor was issued: for clients whose access tokens the gate never sees.
    Grace,
    /// Never: several holders share the session. A copy is not found then.
    Many,
}

words!(Reuse {
    "confirmed" => Reuse::Confirmed,
    "grace" => Reuse::Grace,
    "many" => Reuse::Many,
});

/// How the refresh token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// In the gate's cookie.
    Cookie,
    /// In the body of a request.
    Body,
}

words!(Carried {
    "cookie" => Carried::Cookie,
    "body" => Carried::Body,
});

object! {
    /// A scope that is asked for, and what the policy says includes it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Asked, ignored {
        /// The scope.
        pub scope: String,
        /// Scopes that include it (`scope_includes`).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub holders: Vec<String> = Vec::new(),
    }
}

object! {
    /// What a new session needs beside what it is opened with.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct NewSession, ignored {
        /// Its name: 96 random bits.
        pub id: SessionId,
        /// Its salt: 64 random bits.
        pub salt: Salt,
        /// The secret that seals its first refresh token.
        pub key_id: u8,
        /// From where it is opened.
        pub device: Device = Device::default(),
        /// The same, hashed.
        pub place: Option<Place> = None,
        /// The browser that logs in; none: it is opened by something else.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub browser: Option<BrowserName> = None,
        /// When that login began.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub begun_at: Option<UnixTime> = None,
        /// The policy's terms.
        pub terms: Terms,
    }
}

object! {
    /// Opens a session. Tabs of a browser that log in together share one.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Open, ignored {
        /// What it is opened with.
        pub opening: Opening,
        /// The session.
        pub new: NewSession,
    }
}

object! {
    /// Leaves a ticket, by which a browser opens a session.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct PutTicket, ignored {
        /// What the session will be opened with.
        pub opening: Opening,
        /// The ticket.
        pub hash: TicketHash,
    }
}

object! {
    /// Redeems a ticket, once.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Redeem, ignored {
        /// The ticket.
        pub hash: TicketHash,
        /// The session that it opens.
        pub new: NewSession,
    }
}

object! {
    /// Refreshes a session.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Refresh, ignored {
        /// The session.
        pub id: SessionId,
        /// What the token says.
        pub generation: u32,
        /// What the token says.
        pub salt: Salt,
        /// How it came.
        pub carried: Carried,
        /// The client that has proven itself, if one has.
        pub client: Option<String> = None,
        /// The key that the request proves (RFC 9449).
        pub jkt: Option<String> = None,
        /// Fewer scopes for the access token; none: all.
        pub scopes: Option<Vec<Asked>> = None,
        /// Less audience for the access token; none: all.
        pub audience: Option<Vec<String>> = None,
        /// The rule of reuse.
        pub reuse: Reuse = Reuse::Confirmed,
        /// The time of [`Reuse::Grace`].
        pub grace_secs: u32 = 0,
        /// The secret that seals the next token.
        pub key_id: u8,
        /// From where it came.
        pub place: Option<Place> = None,
        /// The providers that people log in with by the policy: the session of another ends. None: who asks does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub providers: Option<Vec<String>> = None,
        /// The policy's terms.
        pub terms: Terms,
    }
}

object! {
    /// Tells that an access token of this generation was seen in use.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Confirm, ignored {
        /// The session.
        pub id: SessionId,
        /// The token's generation.
        pub generation: u32,
        /// The token's `iat`.
        pub iat: UnixTime,
        /// The token's count of repeats.
        pub repeats: u32 = 0,
    }
}

object! {
    /// Step-up: the user has proven more. The session goes on under a new name, to its old end.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct StepUp, ignored {
        /// The session that ends.
        pub id: SessionId,
        /// The one that goes on.
        pub new: NewSession,
        /// How it was proven.
        pub amr: Vec<String>,
        /// The class of that proof.
        pub acr: Option<String> = None,
        /// When; none: now, or of a login as before.
        pub auth_time: Option<UnixTime> = None,
        /// The login by which; none: by no other.
        pub login: Option<LoginRow> = None,
    }
}

object! {
    /// Takes scopes away, from the next refresh on.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Narrow, ignored {
        /// The session.
        pub id: SessionId,
        /// What is left.
        pub scopes: Vec<Asked>,
    }
}

/// Which sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// This one.
    One,
    /// All but this one, and all tickets.
    Others,
    /// All, and all tickets.
    All,
}

words!(Which {
    "one" => Which::One,
    "others" => Which::Others,
    "all" => Which::All,
});

object! {
    /// Ends sessions.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct End, ignored {
        /// Which.
        pub which: Which,
        /// The session that is meant; of [`Which::All`] none.
        pub id: Option<SessionId> = None,
        /// Whether [`End::client`] has to be the session's, if that has one.
        pub by_client: bool = false,
        /// The client that has proven itself, if one has.
        pub client: Option<String> = None,
        /// What the refresh token says that asks for it; none: something else has shown who asks.
        pub salt: Option<Salt> = None,
        /// Whether it only asks if it may.
        pub asks: bool = false,
    }
}

impl End {
    /// One session, or all but one.
    #[must_use]
    pub const fn of(which: Which, id: SessionId) -> Self {
        Self { which, id: Some(id), by_client: false, client: None, salt: None, asks: false }
    }

    /// All sessions.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            which: Which::All,
            id: None,
            by_client: false,
            client: None,
            salt: None,
            asks: false,
        }
    }

    /// The session of a refresh token, which its client presents.
    #[must_use]
    pub const fn by_token(token: &RefreshToken, client: Option<String>) -> Self {
        let (id, salt) = (Some(token.session), Some(token.salt));
        Self { which: Which::One, id, by_client: true, client, salt, asks: false }
    }
}

object! {
    /// Refuses a subject from now on: ends what it has, and every token issued so far.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Disable, ignored {
        /// `sub`, since there may be no session yet.
        pub sub: String,
        /// The policy's terms.
        pub terms: Terms,
    }
}

object! {
    /// Takes notices out that are known where revocations are kept.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Acknowledge, ignored {
        /// As they were given.
        pub notices: Vec<Notice>,
    }
}

object! {
    /// Asks for the times of a token of a machine, which has no session.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Machine, ignored {
        /// The policy's terms.
        pub terms: Terms,
    }
}

/// What happens to a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Opens a session.
    Open(Open),
    /// Leaves a ticket.
    PutTicket(PutTicket),
    /// Redeems a ticket.
    Redeem(Redeem),
    /// Refreshes a session.
    Refresh(Refresh),
    /// A generation was seen in use.
    Confirm(Confirm),
    /// The user has proven more.
    StepUp(StepUp),
    /// Takes scopes away.
    Narrow(Narrow),
    /// Ends sessions.
    End(End),
    /// Refuses the subject from now on.
    Disable(Disable),
    /// Takes that back; what has ended stays so.
    Enable,
    /// Ends all, and forgets who it was; a disabled subject stays so.
    Forget,
    /// Notices that have arrived.
    Acknowledge(Acknowledge),
    /// A token of a machine.
    Machine(Machine),
    /// Lists the sessions.
    List,
    /// Takes out what is over. The writer does it by itself ([`SubjectState::wakes_at`]).
    Sweep,
}

/// Why a step was refused. Nothing has changed then, but for [`Refused::Reused`] and [`Refused::Ended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refused {
    /// The session is not there: it has ended, or never was.
    Ended,
    /// The token's successor is in use: the session has been ended.
    Reused,
    /// The same of a cookie that was on its way: nothing has been ended.
    Superseded,
    /// The token was never issued, whatever its tag says. Nothing has been ended.
    NeverIssued,
    /// The session belongs to another client.
    OtherClient,
    /// The session is bound to a key that was not proven.
    Key,
    /// More scopes than the session has.
    Scope,
    /// Another audience than the session has.
    Audience,
    /// The subject is disabled.
    Disabled,
    /// Too often.
    TooFast,
}

words!(Refused {
    "ended" => Refused::Ended,
    "reused" => Refused::Reused,
    "superseded" => Refused::Superseded,
    "never_issued" => Refused::NeverIssued,
    "other_client" => Refused::OtherClient,
    "key" => Refused::Key,
    "scope" => Refused::Scope,
    "audience" => Refused::Audience,
    "disabled" => Refused::Disabled,
    "too_fast" => Refused::TooFast,
});

impl Refused {
    /// Whether the session has ended for good: an isolate may remember it, and cookies are cleared.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Ended | Self::Reused | Self::Disabled)
    }
}

/// What an operator should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionEvent {
    /// A refresh token was used again after its successor was seen in use.
    RefreshReused,
    /// A refresh token came again from another network or agent than the first time.
    RefreshShared,
    /// A genuine token was ahead of the store, which has been put back.
    StoreBehind,
    /// A genuine token had another salt than its session: the secret has leaked.
    SaltDiffers,
    /// A session was ended to make room.
    Evicted,
}

impl SessionEvent {
    /// As the log tells it.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::RefreshReused => {
                "sessions: refresh_reused: a copy of a refresh token was used, the session is ended"
            }
            Self::RefreshShared => {
                "sessions: refresh_shared: a refresh token came again from another place"
            }
            Self::StoreBehind => {
                "sessions: store_behind: a genuine refresh token is ahead of the store, which was put back"
            }
            Self::SaltDiffers => {
                "sessions: salt_differs: a refresh token was sealed that no session has, the secret has leaked"
            }
            Self::Evicted => "sessions: evicted: a subject has too many sessions, one is ended",
        }
    }
}

words!(SessionEvent {
    "refresh_reused" => SessionEvent::RefreshReused,
    "refresh_shared" => SessionEvent::RefreshShared,
    "store_behind" => SessionEvent::StoreBehind,
    "salt_differs" => SessionEvent::SaltDiffers,
    "evicted" => SessionEvent::Evicted,
});

object! {
    /// What the isolate makes tokens of. It signs exactly these times.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Grant, ignored {
        /// The session.
        pub id: SessionId,
        /// Who, and what it may do. Scopes and audience are those of this access token.
        pub opening: Opening,
        /// When the user proved who it is.
        pub auth_time: UnixTime,
        /// The access token's `iat`.
        pub iat: UnixTime,
        /// The access token's `exp`.
        pub exp: UnixTime,
        /// The generation of both tokens.
        pub generation: u32,
        /// How often the last generation came again.
        pub repeats: u32 = 0,
        /// The salt of the refresh token.
        pub salt: Salt,
        /// The secret that seals the refresh token.
        pub sealed_by: u8,
        /// The session's end that nothing moves.
        pub absolute_until: UnixTime,
        /// From when on it has ended if nobody uses it.
        pub ends_at: UnixTime,
    }
}

impl Grant {
    /// The refresh token; for the same generation it has always the same bytes.
    #[must_use]
    pub const fn refresh_token(&self, object: ObjectName) -> RefreshToken {
        RefreshToken {
            key_id: self.sealed_by,
            object,
            session: self.id,
            generation: self.generation,
            absolute_until: self.absolute_until,
            salt: self.salt,
        }
    }

    /// Seconds from `iat` to `exp`.
    #[must_use]
    pub fn expires_in(&self) -> u64 {
        self.exp.secs_since(self.iat)
    }

    /// Seconds from `iat` until the refresh token is worth nothing, if nobody uses it.
    #[must_use]
    pub fn refresh_expires_in(&self) -> u64 {
        self.ends_at.secs_since(self.iat)
    }
}

object! {
    /// `iat` and `exp` of a machine's token.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Times, ignored {
        /// `iat`.
        pub iat: UnixTime,
        /// `exp`.
        pub exp: UnixTime,
    }
}

object! {
    /// A session as its owner sees it in the list.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Listed, ignored {
        /// Its name.
        pub id: SessionId,
        /// The client that it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub client: Option<String> = None,
        /// Its name for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub label: Option<String> = None,
        /// What it may do.
        pub scopes: Vec<String>,
        /// From where it was opened.
        pub device: Device,
        /// When it began.
        pub created_at: UnixTime,
        /// The last refresh, about.
        pub last_seen_at: UnixTime,
        /// Its end that nothing moves.
        pub expires_at: UnixTime,
    }
}

object! {
    /// What came of a step.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct Outcome, ignored {
        /// Why it was refused, if it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub refused: Option<Refused> = None,
        /// After how many seconds it may be tried again, of [`Refused::TooFast`].
        pub retry_after_secs: u32 = 0,
        /// What tokens are made of.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub grant: Option<Box<Grant>> = None,
        /// The times of a machine's token.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub times: Option<Times> = None,
        /// Sessions that this step has ended.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ended: Vec<SessionId> = Vec::new(),
        /// The login that the session which is meant came of, of [`Step::End`].
        #[serde(skip_serializing_if = "Option::is_none")]
        pub login: Option<LoginRow> = None,
        /// All that is not known yet where revocations are kept. Whoever gets this writes it there, then acknowledges.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub notices: Vec<Notice> = Vec::new(),
        /// The sessions, of [`Step::List`].
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub sessions: Vec<Listed> = Vec::new(),
        /// What an operator should know of.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub events: Vec<SessionEvent> = Vec::new(),
        /// Of [`Step::Confirm`]: whether this generation is confirmed now. If not, it was too early: tell again later.
        pub confirmed: bool = false,
    }
}

impl Outcome {
    pub(super) fn refused(why: Refused) -> Self {
        let retry_after_secs = u32::from(why == Refused::TooFast);
        Self { refused: Some(why), retry_after_secs, ..Self::default() }
    }

    /// The grant.
    ///
    /// # Errors
    /// Why it was refused, as callers are told; [`Error::StoreUnavailable`] for an outcome that has none.
    pub fn granted(&self) -> Result<&Grant, Error> {
        self.check()?;
        self.grant.as_deref().ok_or_else(|| unavailable("the outcome of a step has no grant"))
    }

    /// Whether it was not refused.
    ///
    /// # Errors
    /// Why, as callers are told.
    pub fn check(&self) -> Result<(), Error> {
        let Some(refused) = self.refused else { return Ok(()) };
        Err(match refused {
            Refused::Ended => Error::SessionEnded,
            Refused::Reused => Error::RefreshTokenReused,
            Refused::Superseded => Error::RefreshTokenSuperseded,
            Refused::NeverIssued => Error::RefreshTokenTag,
            Refused::OtherClient => Error::RefreshTokenOfOtherClient,
            Refused::Key => Error::SessionKeyNotProven,
            Refused::Scope => Error::invalid_field("scope", "expected what the session has"),
            Refused::Audience => Error::invalid_field("resource", "expected what the session has"),
            Refused::Disabled => Error::SubjectDisabled,
            Refused::TooFast => Error::RateLimited {
                limit: "sessions".to_owned(),
                retry_after_secs: self.retry_after_secs.max(1),
            },
        })
    }

    /// As text, for the way between an object and an isolate.
    #[must_use]
    pub fn to_text(&self) -> String {
        text(self)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        document::parse(text.as_bytes())
            .map_err(|_| StoreError::new("the outcome of a step has another form than expected"))
    }
}

/// What it is written of are structures of ours, which JSON can always hold.
fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn unavailable(problem: &str) -> Error {
    Error::StoreUnavailable { store: "sessions", problem: problem.to_owned() }
}

impl Step {
    /// As text: a word, and JSON behind it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (word, json) = match self {
            Self::Open(step) => ("open", text(step)),
            Self::PutTicket(step) => ("ticket", text(step)),
            Self::Redeem(step) => ("redeem", text(step)),
            Self::Refresh(step) => ("refresh", text(step)),
            Self::Confirm(step) => ("confirm", text(step)),
            Self::StepUp(step) => ("step-up", text(step)),
            Self::Narrow(step) => ("narrow", text(step)),
            Self::End(step) => ("end", text(step)),
            Self::Disable(step) => ("disable", text(step)),
            Self::Acknowledge(step) => ("acknowledge", text(step)),
            Self::Machine(step) => ("machine", text(step)),
            Self::Enable => ("enable", String::new()),
            Self::Forget => ("forget", String::new()),
            Self::List => ("list", String::new()),
            Self::Sweep => ("sweep", String::new()),
        };
        format!("{word} {json}")
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        fn read<T: Readable>(json: &str) -> Result<T, StoreError> {
            document::parse(json.as_bytes())
                .map_err(|_| StoreError::new("a step has another form than expected"))
        }
        let (word, json) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match word {
            "open" => Self::Open(read(json)?),
            "ticket" => Self::PutTicket(read(json)?),
            "redeem" => Self::Redeem(read(json)?),
            "refresh" => Self::Refresh(read(json)?),
            "confirm" => Self::Confirm(read(json)?),
            "step-up" => Self::StepUp(read(json)?),
            "narrow" => Self::Narrow(read(json)?),
            "end" => Self::End(read(json)?),
            "disable" => Self::Disable(read(json)?),
            "acknowledge" => Self::Acknowledge(read(json)?),
            "machine" => Self::Machine(read(json)?),
            "enable" => Self::Enable,
            "forget" => Self::Forget,
            "list" => Self::List,
            "sweep" => Self::Sweep,
            _ => return Err(StoreError::new("a step has another form than expected")),
        })
    }
}

impl SubjectState {
    /// Takes a step. `now` is the writer's clock, the only one that decides.
    ///
    /// What has changed is in [`SubjectState::take_changes`], and has to be stored before the outcome is told.
    pub fn apply(&mut self, step: &Step, paces: &mut Paces, now: UnixMillis) -> Outcome {
        let time = now.to_unix_time();
        let mut outcome = match step {
            Step::Open(step) => self.open(step, time),
            Step::PutTicket(step) => self.put_ticket(step, time),
            Step::Redeem(step) => self.redeem(step, time),
            Step::Refresh(step) => self.refresh(step, paces, now),
            Step::Confirm(step) => self.confirm(step, time),
            Step::StepUp(step) => self.step_up(step, time),
            Step::Narrow(step) => self.narrow(step),
            Step::End(step) => self.end(step, time),
            Step::Disable(step) => self.disable(step, time),
            Step::Enable => self.enable(),
            Step::Forget => self.forget(time),
            Step::Acknowledge(step) => self.acknowledge(step),
            Step::Machine(step) => self.machine(*step, paces, now),
            Step::List => self.list(time),
            Step::Sweep => self.sweep(time),
        };
        outcome.notices.clone_from(&self.notices);
        outcome
    }

    fn open(&mut self, Open { opening, new }: &Open, now: UnixTime) -> Outcome {
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        if let Some(id) = self.just_opened(opening, new, now) {
            let grant = self.grant(id, &new.terms, now);
            return Outcome { grant: grant.map(Box::new), ..Outcome::default() };
        }
        if let Some(refused) = self.take_opening(now) {
            return refused;
        }
        self.insert(opening, new, now)
    }

    /// Takes one of the openings of an hour.
    fn take_opening(&mut self, now: UnixTime) -> Option<Outcome> {
        let openings = &mut self.subject.openings;
        // One that lies ahead was counted by a clock that has been put back since: it counts as now.
        openings.iter_mut().for_each(|at| *at = (*at).min(now));
        openings.retain(|at| now < at.saturating_add(OPENINGS_SECS));
        self.changed = true;
        if let (Some(first), true) = (openings.first(), openings.len() >= OPENINGS) {
            let free_at = first.saturating_add(OPENINGS_SECS);
            let secs = u32::try_from(free_at.secs_since(now)).unwrap_or(u32::MAX);
            return Some(Outcome {
                retry_after_secs: secs.max(1),
                ..Outcome::refused(Refused::TooFast)
            });
        }
        openings.push(now);
        None
    }

    /// A new session, whatever the bounds say; the subject is not disabled.
    fn insert(&mut self, opening: &Opening, new: &NewSession, now: UnixTime) -> Outcome {
        let mut outcome = Outcome::default();
        self.take_out_expired(&new.terms, now, &mut outcome);
        while self.sessions.len() >= MAX_SESSIONS {
            let Some(id) = self.longest_unused() else { break };
            self.end_one(id, now, &mut outcome);
            outcome.events.push(SessionEvent::Evicted);
        }
        // A day, for a browser that is not to remember.
        let secs = if opening.remember {
            new.terms.absolute_secs
        } else {
            new.terms.absolute_secs.min(86_400)
        };
        let mut opening = opening.clone();
        if let Some(login) = &mut opening.login {
            // The clock of an isolate wrote when that was. One that is ahead makes it no younger.
            login.at = login.at.min(now);
        }
        self.subject.sub = Some(opening.sub.clone());
        let row = SessionRow {
            v: ROW_VERSION,
            id: new.id,
            salt: new.salt,
            opening,
            device: new.device.clone(),
            created_at: now,
            absolute_until: now.saturating_add(secs.into()),
            last_seen_at: now,
            idle_secs: new.terms.idle_secs,
            generation: 0,
            rotated_at: now,
            replaced_at: None,
            sealed_by: new.key_id,
            confirmed: false,
            repeats: 0,
            repeated_at: None,
            place: new.place,
            browser: new.browser,
            longest_secs: new.terms.access_secs,
            bound_by_proof: false,
        };
        self.sessions.insert(new.id, row);
        self.changed = true;
        let grant = self.grant(new.id, &new.terms, now);
        Outcome { grant: grant.map(Box::new), ..outcome }
    }

    fn longest_unused(&self) -> Option<SessionId> {
        self.sessions.values().min_by_key(|row| (row.last_seen_at, row.id)).map(|row| row.id)
    }

    fn put_ticket(&mut self, PutTicket { opening, hash }: &PutTicket, now: UnixTime) -> Outcome {
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        if let Some(refused) = self.take_opening(now) {
            return refused;
        }
        self.tickets.retain(|_, row| now < row.until);
        while self.tickets.len() >= MAX_TICKETS {
            let oldest = self.tickets.values().min_by_key(|row| row.until).map(|row| row.hash);
            let Some(oldest) = oldest else { break };
            self.tickets.remove(&oldest);
        }
        let until = now.saturating_add(TICKET_SECS.into());
        let row = TicketRow { v: ROW_VERSION, hash: *hash, opening: opening.clone(), until };
        self.tickets.insert(*hash, row);
        self.changed = true;
        Outcome { times: Some(Times { iat: now, exp: until }), ..Outcome::default() }
    }

    fn redeem(&mut self, Redeem { hash, new }: &Redeem, now: UnixTime) -> Outcome {
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        let Some(ticket) = self.tickets.remove(hash) else {
            return Outcome::refused(Refused::Ended);
        };
        self.changed = true;
        if ticket.until <= now {
            return Outcome::refused(Refused::Ended);
        }
        self.insert(&ticket.opening, new, now)
    }

    fn step_up(&mut self, step: &StepUp, now: UnixTime) -> Outcome {
        let StepUp { id, new, amr, acr, auth_time, login } = step;
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        let Some(old) = self.live(*id, &new.terms, now) else {
            return Outcome::refused(Refused::Ended);
        };
        let opening = Opening {
            amr: amr.clone(),
            acr: acr.clone(),
            auth_time: match (auth_time, login) {
                (Some(at), _) => Some((*at).min(now)),
                // The provider does not say when: its own session may be old.
                (None, Some(_)) => old.opening.auth_time,
                (None, None) => Some(now),
            },
            login: login_after(old.opening.login.as_ref(), login.as_ref()),
            ..old.opening.clone()
        };
        let (created_at, absolute_until) = (old.created_at, old.absolute_until);
        let mut outcome = Outcome::default();
        self.end_one(*id, now, &mut outcome);
        let inserted = self.insert(&opening, new, now);
        if let Some(row) = self.sessions.get_mut(&new.id) {
            // Nothing moves the end.
            row.created_at = created_at;
            row.absolute_until = absolute_until;
        }
        let grant = self.grant(new.id, &new.terms, now).map(Box::new);
        outcome.ended.extend(inserted.ended);
        outcome.events.extend(inserted.events);
        Outcome { grant, ..outcome }
    }

    fn narrow(&mut self, Narrow { id, scopes }: &Narrow) -> Outcome {
        let Some(row) = self.sessions.get_mut(id) else {
            return Outcome::refused(Refused::Ended);
        };
        if !super::scopes::are_held(&row.opening.scopes, scopes) {
            return Outcome::refused(Refused::Scope);
        }
        row.opening.scopes = scopes.iter().map(|asked| asked.scope.clone()).collect();
        self.changed = true;
        Outcome::default()
    }

    fn end(&mut self, step: &End, now: UnixTime) -> Outcome {
        let mut outcome = Outcome::default();
        let row = step.id.and_then(|id| self.sessions.get(&id));
        if let Some(refused) = may_not_end(step, row) {
            return refused;
        }
        if step.asks {
            return outcome;
        }
        outcome.login = row.and_then(|row| row.opening.login.clone());
        let all = || self.sessions.keys().copied();
        let ids: Vec<SessionId> = match step.which {
            Which::One => step.id.into_iter().collect(),
            Which::Others => all().filter(|id| Some(*id) != step.id).collect(),
            Which::All => all().collect(),
        };
        if step.which != Which::One && !self.tickets.is_empty() {
            self.tickets.clear();
            self.changed = true;
        }
        for id in ids {
            self.end_one(id, now, &mut outcome);
        }
        outcome
    }

    /// Ends a session: its row goes and a notice comes, in one step.
    pub(super) fn end_one(&mut self, id: SessionId, now: UnixTime, outcome: &mut Outcome) {
        if let Some(row) = self.sessions.remove(&id) {
            self.notices.push(row.notice(now));
            outcome.ended.push(id);
            self.changed = true;
        }
    }

    fn disable(&mut self, Disable { sub, terms }: &Disable, now: UnixTime) -> Outcome {
        let outcome = self.end(&End::all(), now);
        // `iat` counts whole seconds: a token of this very second must not survive.
        let before = now.saturating_add(1);
        let longest = u64::from(LONGEST_SECS.max(terms.access_secs));
        let until = now.saturating_add(longest.saturating_add(NOTICE_MARGIN_SECS));
        self.subject.disabled_at = self.subject.disabled_at.or(Some(now));
        self.subject.before = self.subject.before.max(Some(before));
        self.subject.before_until = self.subject.before_until.max(Some(until));
        self.notices.retain(|notice| notice.sid.is_some());
        self.notices.push(Notice {
            v: ROW_VERSION,
            sid: None,
            sub: Some(sub.clone()),
            before: self.subject.before,
            until,
            created_at: now,
        });
        self.changed = true;
        outcome
    }

    fn enable(&mut self) -> Outcome {
        self.subject.disabled_at = None;
        self.changed = true;
        Outcome::default()
    }

    fn forget(&mut self, now: UnixTime) -> Outcome {
        let outcome = self.end(&End::all(), now);
        self.subject.sub = None;
        self.changed = true;
        outcome
    }

    fn acknowledge(&mut self, Acknowledge { notices }: &Acknowledge) -> Outcome {
        let before = self.notices.len();
        // Compared as a whole: a later notice about the same is not taken for this one.
        self.notices.retain(|notice| !notices.contains(notice));
        self.changed |= self.notices.len() != before;
        Outcome::default()
    }

    fn machine(
        &mut self,
        Machine { terms }: Machine,
        paces: &mut Paces,
        now: UnixMillis,
    ) -> Outcome {
        if self.subject.disabled_at.is_some() {
            return Outcome::refused(Refused::Disabled);
        }
        if !paces.take(MACHINE, MACHINE_PACE, now) {
            return Outcome::refused(Refused::TooFast);
        }
        let time = now.to_unix_time();
        let iat = time.max(self.subject.before.unwrap_or(time));
        let exp = iat.saturating_add(terms.access_secs.into());
        Outcome { times: Some(Times { iat, exp }), ..Outcome::default() }
    }

    fn list(&self, now: UnixTime) -> Outcome {
        let live = self.sessions.values().filter(|row| {
            let idle_until = row.last_seen_at.saturating_add(row.idle_secs.into());
            now < row.absolute_until.min(idle_until)
        });
        let sessions = live
            .map(|row| Listed {
                id: row.id,
                client: row.opening.client.clone(),
                label: row.opening.label.clone(),
                scopes: row.opening.scopes.clone(),
                device: row.device.clone(),
                created_at: row.created_at,
                last_seen_at: row.last_seen_at,
                expires_at: row.absolute_until,
            })
            .collect();
        Outcome { sessions, ..Outcome::default() }
    }

    fn sweep(&mut self, now: UnixTime) -> Outcome {
        let no_terms = Terms {
            access_secs: 0,
            idle_secs: u32::MAX,
            absolute_secs: u32::MAX,
            recheck_secs: u32::MAX,
        };
        let mut outcome = Outcome::default();
        self.take_out_expired(&no_terms, now, &mut outcome);
        let tickets = self.tickets.len();
        self.tickets.retain(|_, row| now < row.until);
        self.changed |= self.tickets.len() != tickets;
        if self.subject.before_until.is_some_and(|until| until <= now) {
            (self.subject.before, self.subject.before_until) = (None, None);
            self.changed = true;
        }
        let openings = self.subject.openings.len();
        self.subject.openings.retain(|at| now < at.saturating_add(OPENINGS_SECS));
        self.changed |= self.subject.openings.len() != openings;
        outcome
    }

    /// Takes out sessions that have ended by themselves.
    fn take_out_expired(&mut self, terms: &Terms, now: UnixTime, outcome: &mut Outcome) {
        let over = self.sessions.values().filter(|row| row.ends_at(terms) <= now);
        let over: Vec<SessionId> = over.map(|row| row.id).collect();
        for id in over {
            self.expire(id, now, outcome);
        }
    }

    /// Takes out a session that has ended by itself. Its tokens have ended before, so nobody has to be told; but after a policy was
    /// tightened one may still live.
    pub(super) fn expire(&mut self, id: SessionId, now: UnixTime, outcome: &mut Outcome) {
        let Some(row) = self.sessions.get(&id) else { return };
        // Repeats are noted only once in the life of a token, so the last may have been issued that much later.
        let last = row.last_seen_at.saturating_add(u64::from(row.longest_secs).saturating_mul(2));
        if now < last.min(row.absolute_until) {
            return self.end_one(id, now, outcome);
        }
        self.sessions.remove(&id);
        self.changed = true;
    }

    /// A session that has not ended by itself.
    fn live(&self, id: SessionId, terms: &Terms, now: UnixTime) -> Option<&SessionRow> {
        self.sessions.get(&id).filter(|row| now < row.ends_at(terms))
    }

    /// What tokens of a session are made of, as its row is now. The row remembers the longest that a token of it lives.
    pub(super) fn grant(&mut self, id: SessionId, terms: &Terms, now: UnixTime) -> Option<Grant> {
        let before = self.subject.before;
        let row = self.sessions.get_mut(&id)?;
        let iat = now.max(before.unwrap_or(now));
        let end = row.absolute_until.min(row.recheck_at(terms).unwrap_or(row.absolute_until));
        let exp = iat.saturating_add(terms.access_secs.into()).min(end);
        let longest = row.longest_secs.max(terms.access_secs);
        if longest != row.longest_secs {
            row.longest_secs = longest;
            self.changed = true;
        }
        let grant = Grant {
            id,
            opening: row.opening.clone(),
            auth_time: row.opening.auth_time.unwrap_or(row.created_at),
            iat,
            exp,
            generation: row.generation,
            repeats: row.repeats,
            salt: row.salt,
            sealed_by: row.sealed_by,
            absolute_until: row.absolute_until,
            ends_at: row.ends_at(terms),
        };
        Some(grant)
    }
}

/// The login of a session for which another one has proven more. The scopes are still those of the first, so it is as old as that.
fn login_after(first: Option<&LoginRow>, more: Option<&LoginRow>) -> Option<LoginRow> {
    let Some(more) = more else { return first.cloned() };
    let at = first.map_or(more.at, |first| first.at.min(more.at));
    Some(LoginRow { at, ..more.clone() })
}

/// Why nothing is ended. A refresh token that is genuine by its tag is not enough: its session has to be there, and to have issued it.
fn may_not_end(step: &End, row: Option<&SessionRow>) -> Option<Outcome> {
    let Some(row) = row else {
        let needs_row = step.which == Which::One || step.salt.is_some();
        return needs_row.then(|| Outcome::refused(Refused::Ended));
    };
    if step.salt.is_some_and(|salt| salt != row.salt) {
        let events = vec![SessionEvent::SaltDiffers];
        return Some(Outcome { events, ..Outcome::refused(Refused::NeverIssued) });
    }
    let owner = &row.opening.client;
    let is_others = step.by_client && owner.is_some() && *owner != step.client;
    is_others.then(|| Outcome::refused(Refused::OtherClient))
}
