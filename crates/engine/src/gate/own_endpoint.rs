//! What an endpoint of the gate's own is asked beside the request, and its answer as the shell sends it.

use serde::Serialize;

use super::backend::Gate;
use super::decision::Asked;
use super::task::{HostJobs, Outcome};
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::{Carrier, Request, SessionNote};
use edgegate::http::reply::{Fields, Refusal};
use edgegate::page::Page;
use edgegate::session::{oauth::MAX_FORM_LENGTH, record::Device};

/// How many lines there are behind those of a request.
pub(super) const MORE: usize = 4;

/// Those lines. They hold tokens and codes.
pub(super) struct More<'a> {
    /// Whether the body has been read.
    pub(super) has_body: bool,
    pub(super) body: &'a str,
    /// `User-Agent`.
    pub(super) agent: Option<&'a str>,
    /// `Content-Type`.
    pub(super) content_type: Option<&'a str>,
}

impl<'a> More<'a> {
    pub(super) fn of(asked: &'a Asked) -> Self {
        Self {
            has_body: asked.more(0).is_some(),
            body: asked.more(1).unwrap_or_default(),
            agent: asked.more(2),
            content_type: asked.more(3),
        }
    }

    /// The body.
    ///
    /// # Errors
    /// [`Error::InvalidField`] if it is longer than any of these endpoints takes.
    pub(super) fn bounded(&self) -> Result<&'a [u8], Error> {
        self.at_most(MAX_FORM_LENGTH)
    }

    /// The body of a request that may have a longer one.
    ///
    /// # Errors
    /// [`Error::InvalidField`] if it is longer than that.
    pub(super) fn at_most(&self, bytes: usize) -> Result<&'a [u8], Error> {
        if self.body.len() > bytes {
            let problem = format!("expected a body of at most {bytes} bytes");
            return Err(Error::invalid_field("", &problem));
        }
        Ok(self.body.as_bytes())
    }

    /// From where a session is opened. The host does not know the country.
    pub(super) fn device(&self, request: &Request<'_>) -> Device {
        Device::seen(self.agent, None, request.client())
    }
}

/// # Errors
/// [`Error::MethodNotAllowed`].
pub(super) fn check_method(methods: &'static str, method: &str) -> Result<(), Error> {
    let is_one = methods.split(", ").any(|allowed| allowed == method);
    if is_one { Ok(()) } else { Err(Error::MethodNotAllowed { allow: methods }) }
}

/// What follows the path, without the fragment.
pub(super) fn query_of(target: &str) -> &str {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('#').next().unwrap_or_default()
}

/// What the shell is told.
#[derive(Serialize)]
#[serde(untagged)]
enum Handled {
    /// The shell reads the body, and asks again.
    Body {
        body: bool,
    },
    Answered(OwnAnswer),
}

/// A whole answer.
#[derive(Serialize)]
pub(super) struct OwnAnswer {
    pub(super) status: u16,
    pub(super) headers: Fields,
    pub(super) body: String,
}

impl OwnAnswer {
    /// A refusal of an endpoint that is none of OAuth's.
    pub(super) fn refused(error: &Error, carrier: Option<Carrier>, asked: &Asked) -> Self {
        Refusal::new(error, carrier, asked.get(Field::Accept)).into()
    }

    pub(super) fn outcome(self) -> Outcome {
        Handled::Answered(self).outcome()
    }
}

impl From<Refusal> for OwnAnswer {
    fn from(Refusal { status, fields, body }: Refusal) -> Self {
        Self { status, headers: fields, body }
    }
}

impl From<Page> for OwnAnswer {
    fn from(Page { status, fields, body }: Page) -> Self {
        Self { status, headers: fields, body }
    }
}

impl Handled {
    fn outcome(&self) -> Outcome {
        Outcome { text: serde_json::to_string(self).unwrap_or_default(), claims: None }
    }
}

/// The shell has to read the body, and ask again.
pub(super) fn body_is_wanted() -> Outcome {
    Handled::Body { body: true }.outcome()
}

/// The request is for no endpoint of the gate's own.
pub(super) fn is_for_the_application() -> Outcome {
    Outcome { text: "null".to_owned(), claims: None }
}

/// The cookies that an answer sets.
pub(super) fn cookie_fields(gate: &Gate, note: &SessionNote, jobs: &HostJobs) -> Fields {
    let values = note.set_cookies(&gate.memory.sessions, jobs.now());
    values.iter().map(|value| ("Set-Cookie", value.clone())).collect()
}
