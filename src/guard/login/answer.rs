//! What a browser gets of a login.

use crate::{
    error::{Code, Error},
    guard::{SessionNote, grants::Revocation},
    page::Reason,
};

/// The answer. It is never stored (`Cache-Control: no-store`).
#[derive(Debug)]
pub struct LoginAnswer {
    /// What it is.
    pub next: Next,
    /// What is to be done about the session; its cookies go with the answer.
    pub note: SessionNote,
    /// The value of another `Set-Cookie`: what ties the login to this browser, where it has no such cookie yet.
    pub binding: Option<String>,
    /// What providers are to be told has ended. The answer does not wait for them.
    pub revocations: Vec<Revocation>,
}

/// What a browser does next.
#[derive(Debug)]
pub enum Next {
    /// It goes there (303): to the provider, or back to where the login began.
    To(String),
    /// It gets a page of this site that goes there: a navigation that comes from another site carries no `Strict` cookie.
    MoveOn(String),
    /// The person chooses.
    Choose {
        /// The providers.
        choices: Vec<Choice>,
        /// Where the login returns to.
        return_to: Option<String>,
        /// Whether a provider is reached by http.
        over_http: bool,
    },
    /// Nothing: a provider was told that it is done.
    Done,
    /// A page says that the person is logged out.
    LoggedOut {
        /// Where the next login begins.
        log_in: String,
    },
    /// The login has stopped.
    Stopped(Box<Stopped>),
}

/// A provider to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What its button says.
    pub title: String,
    /// Where that leads to.
    pub path: String,
}

/// Why a login stops, in both words.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) reason: Reason,
    pub(super) error: Error,
}

impl Stop {
    /// An interruption.
    pub(super) const fn interrupted(reason: Reason, problem: &'static str) -> Self {
        Self { reason, error: Error::LoginInterrupted { problem } }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::TooManyLogins { .. } => Reason::TooMany,
            Error::Provider { .. } => Reason::ProviderDown,
            Error::LoginInterrupted { .. } => Reason::UsedUp,
            Error::LoginDeclined { .. } => Reason::Cancelled,
            Error::NotFound => Reason::NoSuchProvider,
            _ => match error.code() {
                Code::ConfigError => Reason::Misconfigured,
                Code::StoreUnavailable | Code::KeysUnavailable | Code::RateLimited => {
                    Reason::Unavailable
                }
                _ => Reason::ProviderUnclear,
            },
        };
        Self { reason, error }
    }
}

/// A login that has stopped: a page with the reason, and a way on.
#[derive(Debug)]
pub struct Stopped {
    /// Why, as the person is told.
    pub reason: Reason,
    /// Why, as the event log is told.
    pub error: Error,
    /// The title of the provider, where it is about one.
    pub provider: Option<String>,
    /// Where a login begins anew; `None`: that does not help.
    pub retry: Option<String>,
    /// Where the browser came from, if what has stopped is no login.
    pub back: Option<String>,
}

/// Where a page leads that says why it has stopped.
pub(super) enum WayOn {
    /// To the same login again.
    Retry(String),
    /// Back to where the browser came from: to log in is not what it wanted.
    Back(String),
}

impl LoginAnswer {
    /// That a browser goes somewhere.
    pub(super) fn to(url: String) -> Self {
        Next::To(url).into()
    }

    /// That it has stopped.
    pub(super) fn stopped(stop: impl Into<Stop>, provider: &str, way_on: WayOn) -> Self {
        let stop = stop.into();
        // What the operator has to mend does not get better by another attempt.
        let helps = |way_on: &WayOn| {
            matches!(way_on, WayOn::Back(_)) || stop.error.code() != Code::ConfigError
        };
        let way_on = Some(way_on).filter(helps);
        Self::stopped_at(stop, provider, way_on)
    }

    /// The same, with this way on or none.
    pub(super) fn stopped_at(stop: impl Into<Stop>, provider: &str, way_on: Option<WayOn>) -> Self {
        let Stop { reason, error } = stop.into();
        let provider = Some(provider.to_owned());
        let (retry, back) = match way_on {
            Some(WayOn::Retry(path)) => (Some(path), None),
            Some(WayOn::Back(path)) => (None, Some(path)),
            None => (None, None),
        };
        Next::Stopped(Box::new(Stopped { reason, error, provider, retry, back })).into()
    }
}

impl From<Next> for LoginAnswer {
    fn from(next: Next) -> Self {
        Self { next, note: SessionNote::default(), binding: None, revocations: Vec::new() }
    }
}
