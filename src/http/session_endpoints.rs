//! The endpoints of sessions as both edges have them: paths and methods, which pages may read the answers, how a refusal is written,
//! and what an answer says beside its body. What each does is [`Endpoints`]'s to say.

use super::reply::Fields;
use crate::{
    error::Error,
    guard::{
        Backend, Carrier,
        session::endpoints::{Answer, Endpoints},
    },
    policy::{Cors, Policy},
    session::{record::Device, step::Which},
};

/// Before the paths of these endpoints in the event log, whatever the prefix.
const LOGGED_BELOW: &str = "/auth";

/// An endpoint of sessions below the policy's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEndpoint {
    /// `/token`
    Token,
    /// `/revoke` (RFC 7009)
    Revoke,
    /// `/introspect` (RFC 7662)
    Introspect,
    /// `/refresh`
    Refresh,
    /// `/session`
    Me,
    /// `/session/start`
    Start,
    /// `/sessions`
    Mine,
    /// `/sessions/others`
    Others,
    /// `/sessions/{id}`
    One,
    /// `/logout`
    Logout,
}

/// What an endpoint is asked.
#[expect(missing_debug_implementations, reason = "a body may hold tokens")]
pub struct Asked<'a> {
    /// One of the endpoint's methods.
    pub method: &'a str,
    /// The segment in the place of `{id}`.
    pub id: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Says from where a session is opened, where one is.
    pub device: &'a dyn Fn() -> Device,
}

impl SessionEndpoint {
    /// All of them. Of two that fit, the first one counts.
    pub const ALL: [Self; 10] = [
        Self::Token,
        Self::Revoke,
        Self::Introspect,
        Self::Refresh,
        Self::Me,
        Self::Start,
        Self::Mine,
        Self::Others,
        Self::One,
        Self::Logout,
    ];

    /// Its path below the prefix.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Token => "/token",
            Self::Revoke => "/revoke",
            Self::Introspect => "/introspect",
            Self::Refresh => "/refresh",
            Self::Me => "/session",
            Self::Start => "/session/start",
            Self::Mine => "/sessions",
            Self::Others => "/sessions/others",
            Self::One => "/sessions/{id}",
            Self::Logout => "/logout",
        }
    }

    /// Its methods.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Me => "GET",
            Self::Mine => "GET, DELETE",
            Self::Others | Self::One => "DELETE",
            Self::Token
            | Self::Revoke
            | Self::Introspect
            | Self::Refresh
            | Self::Start
            | Self::Logout => "POST",
        }
    }

    /// Its path in the event log.
    #[must_use]
    pub fn logged(self) -> String {
        format!("{LOGGED_BELOW}{}", self.path())
    }

    /// Whether refusals are written as RFC 6749 §5.2 has them. What fails there is no guess of a token: guesses of clients' secrets have a
    /// count of their own.
    #[must_use]
    pub const fn is_oauth(self) -> bool {
        matches!(self, Self::Token | Self::Revoke | Self::Introspect)
    }

    /// Which pages of other origins may read the answers. `/introspect` is for servers; what `/token` and `/revoke` answer depends on no
    /// cookie; all others are for pages that may act for their visitors (`sessions.origins`).
    #[must_use]
    pub fn cors(self, policy: &Policy) -> Option<Cors> {
        match self {
            Self::Introspect => None,
            Self::Token | Self::Revoke => Some(Cors::any()),
            Self::Refresh
            | Self::Me
            | Self::Start
            | Self::Mine
            | Self::Others
            | Self::One
            | Self::Logout => Some(Cors::of_visitors(&policy.browser_sessions()?.origins)),
        }
    }

    /// Answers. Each future has memory of its own: the largest would decide about all.
    ///
    /// # Errors
    /// Those of the endpoint.
    pub async fn answer<B: Backend>(
        self,
        endpoints: &Endpoints<'_, B>,
        asked: Asked<'_>,
    ) -> Result<Answer, Error> {
        let Asked { method, id, body, device } = asked;
        match self {
            Self::Token => Box::pin(endpoints.token(body)).await,
            Self::Revoke => Box::pin(endpoints.revoke(body)).await,
            Self::Introspect => Box::pin(endpoints.introspect(body)).await,
            Self::Refresh => Box::pin(endpoints.refresh(body)).await,
            Self::Me => Box::pin(endpoints.session()).await,
            Self::Start => Box::pin(endpoints.start(body, device())).await,
            Self::Mine if method == "GET" => Box::pin(endpoints.sessions()).await,
            Self::Mine => Box::pin(endpoints.end_mine(Which::All, None)).await,
            Self::Others => Box::pin(endpoints.end_mine(Which::Others, None)).await,
            Self::One => Box::pin(endpoints.end_mine(Which::One, Some(id))).await,
            Self::Logout => Box::pin(endpoints.logout(body)).await,
        }
    }
}

/// The segment in the place of `{id}`, or "" if the pattern has no such place; `None` if the path does not fit.
#[must_use]
pub fn matched<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    if !pattern.contains('{') {
        return (pattern == path).then_some("");
    }
    let mut id = "";
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match segments.next()? {
            segment if wanted == "{id}" => id = segment,
            segment if wanted == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(id)
}

/// What a refused request has brought, for its challenge.
#[must_use]
pub fn carrier_of(authorization: Option<&str>) -> Option<Carrier> {
    authorization.map(|value| match value.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("dpop ") => Carrier::Dpop,
        _ => Carrier::Bearer,
    })
}

/// What an answer says beside its body: nobody keeps it.
#[must_use]
pub fn answer_fields(answer: &Answer) -> Fields {
    let own = [("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    let kind = (!answer.body.is_empty()).then_some(("Content-Type", "application/json"));
    let cleared = answer.clears_cache.then_some(("Clear-Site-Data", "\"cache\""));
    let to = answer.location.as_deref().map(|url| ("Location", url));
    let cookie = answer.cookie.as_deref().map(|cookie| ("Set-Cookie", cookie));
    let all = own.into_iter().chain(kind).chain(cleared).chain(to).chain(cookie);
    all.map(|(name, value)| (name, value.to_owned())).collect()
}
