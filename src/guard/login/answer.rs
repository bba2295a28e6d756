//! What a browser gets of a login.

use crate::{error::Error, guard::SessionNote};

/// The answer. It is never stored (`Cache-Control: no-store`).
#[derive(Debug)]
pub struct LoginAnswer {
    /// What it is.
    pub next: Next,
    /// What is to be done about the session; its cookies go with the answer.
    pub note: SessionNote,
    /// The value of another `Set-Cookie`: what ties the login to this browser, where it has no such cookie yet.
    pub binding: Option<String>,
}

/// What a browser does next.
#[derive(Debug)]
pub enum Next {
    /// It goes there (303): to the provider, or back to where the login began.
    To(String),
    /// It gets a page of this site that goes there: a navigation that comes from another site carries no `Strict` cookie.
    MoveOn(String),
    /// The person chooses.
    Choose(Vec<Choice>),
    /// The login has stopped.
    Stopped(Box<Stopped>),
}

/// A provider to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What its button says.
    pub title: String,
    /// Where that leads to.
    pub href: String,
}

/// A login that has stopped: a page with the reason, and a way on.
#[derive(Debug)]
pub struct Stopped {
    /// Why. The person is told its code in plain words, the event log the rest.
    pub error: Error,
    /// The title of the provider, where it is about one.
    pub provider: Option<String>,
    /// Where a login begins anew; `None`: that does not help.
    pub retry: Option<String>,
}

impl LoginAnswer {
    /// That a browser goes somewhere.
    pub(super) fn to(url: String) -> Self {
        Next::To(url).into()
    }

    /// That it has stopped.
    pub(super) fn stopped(error: Error, provider: Option<&str>, retry: Option<String>) -> Self {
        let provider = provider.map(str::to_owned);
        Next::Stopped(Box::new(Stopped { error, provider, retry })).into()
    }
}

impl From<Next> for LoginAnswer {
    fn from(next: Next) -> Self {
        Self { next, note: SessionNote::default(), binding: None }
    }
}
