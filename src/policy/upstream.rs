//! Where admitted requests go: `upstream` of the policy or of a route, and `answer` of a route.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    document::{AnswerDocument, UpstreamDocument},
    grants::RouteGrant,
    path::RequestPath,
    pattern::{PathPattern, Segment},
};
use crate::{error::Error, jose::http_host::begins_with_host};

/// The longest that a policy may have a caller wait for the first byte.
const MAX_TIMEOUT_MS: u32 = 600_000;

/// More attempts than that keep a caller waiting and a service that is down busy.
const MAX_RETRIES: u8 = 3;

/// What answers the admitted requests of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A service behind the gate.
    Upstream(Upstream),
    /// The gate itself.
    Answer(FixedAnswer),
}

/// A service behind the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where it is.
    pub address: Address,
    /// How many segments are taken off the front of the path.
    stripped: usize,
    /// What is put there, without a slash at the end.
    prefix: String,
    /// How long it may take to the first byte of the answer; `None`: as long as the platform lets it.
    pub timeout_ms: Option<u32>,
    /// How often a request that can be sent again is, when there was no connection.
    pub retries: u8,
    /// The account of the caller's that the request is made with.
    pub grant: Option<RouteGrant>,
}

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At this URL, without a slash at its end; the path of the request is put behind it.
    Url(String),
    /// The Worker that is bound by this name.
    Service(String),
}

/// An answer that is always the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Absent with an empty body.
    pub content_type: Option<&'static str>,
    /// The whole body.
    pub body: String,
}

impl Upstream {
    /// A service that gets requests as they are.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self {
            address,
            stripped: 0,
            prefix: String::new(),
            timeout_ms: None,
            retries: 0,
            grant: None,
        }
    }

    /// Scheme and host of its URL; `None` for a binding.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        let Address::Url(url) = &self.address else { return None };
        let host_at = url.find("://")?.checked_add(3)?;
        let rest = url.get(host_at..)?;
        url.get(..host_at.checked_add(rest.find('/').unwrap_or(rest.len()))?)
    }

    /// The path and query that the service is asked for, of those of the request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the rewritten path is none that the gate would take: it got too long.
    pub fn target<'t>(&self, asked: &'t str) -> Result<Cow<'t, str>, Error> {
        if self.stripped == 0 && self.prefix.is_empty() {
            return Ok(Cow::Borrowed(asked));
        }
        self.rewritten(asked).map(Cow::Owned)
    }

    #[inline(never)]
    fn rewritten(&self, asked: &str) -> Result<String, Error> {
        let rest = behind(asked, self.stripped);
        let slash = if self.prefix.is_empty() && !rest.starts_with('/') { "/" } else { "" };
        let target = format!("{}{slash}{rest}", self.prefix);
        RequestPath::parse(&target)?;
        Ok(target)
    }
}

/// What is left of a path and query without so many segments, each of which begins with a slash.
fn behind(target: &str, segments: usize) -> &str {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let mut slashes = target.match_indices('/').map(|(at, _)| at).take_while(|at| *at < end);
    let at = slashes.nth(segments).unwrap_or(end);
    target.get(at..).unwrap_or_default()
}

/// Checks `upstream` at `path`; `pattern` is that of its route.
#[inline(never)]
pub(super) fn upstream(
    path: &str,
    document: &UpstreamDocument,
    pattern: Option<&PathPattern>,
) -> Result<Upstream, Error> {
    let section = match document {
        UpstreamDocument::Url(text) => return Ok(Upstream::at(Address::Url(url(path, text)?))),
        UpstreamDocument::Section(section) => section,
    };
    let address = match (&section.url, &section.service) {
        (Some(text), None) => Address::Url(url(&format!("{path}.url"), text)?),
        (None, Some(name)) => Address::Service(service(&format!("{path}.service"), name)?),
        _ => return Err(Error::config(path, "expected either url or service")),
    };
    Ok(Upstream {
        address,
        stripped: stripped(
            &format!("{path}.strip_prefix"),
            section.strip_prefix.as_deref(),
            pattern,
        )?,
        prefix: prefix(&format!("{path}.add_prefix"), section.add_prefix.as_deref())?,
        timeout_ms: timeout_ms(&format!("{path}.timeout_ms"), section.timeout_ms)?,
        retries: retries(&format!("{path}.retries"), section.retries)?,
        grant: None,
    })
}

fn url(path: &str, text: &str) -> Result<String, Error> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain =
        !text.contains(['?', '#', '@', '\\']) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && rest.is_some_and(begins_with_host) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(Error::config(path, "expected a URL like https://api.example.com"))
}

fn service(path: &str, name: &str) -> Result<String, Error> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Error::config(path, "expected the name of a service binding"))
    }
}

/// How many segments `strip_prefix` has. The route's path begins with them, so that every request has them.
fn stripped(path: &str, text: Option<&str>, pattern: Option<&PathPattern>) -> Result<usize, Error> {
    let Some(text) = text else { return Ok(0) };
    let Some(pattern) = pattern else {
        return Err(Error::config(path, "expected on a route, whose path begins with it"));
    };
    let prefix = PathPattern::parse(text).map_err(|problem| Error::config(path, problem))?;
    let segments = prefix.segments();
    let literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
    if segments.is_empty() || prefix.is_open_ended() || !segments.iter().all(literal) {
        return Err(Error::config(path, "expected plain segments, like /api"));
    }
    if pattern.segments().get(..segments.len()) != Some(segments) {
        return Err(Error::config(path, "expected what the path of the route begins with"));
    }
    Ok(segments.len())
}

fn prefix(path: &str, text: Option<&str>) -> Result<String, Error> {
    let Some(text) = text else { return Ok(String::new()) };
    match RequestPath::parse(text) {
        Ok(read) if read.segments().len() > 0 && !text.contains(['?', '#']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(Error::config(path, "expected a path like /v2")),
    }
}

fn timeout_ms(path: &str, given: Option<u32>) -> Result<Option<u32>, Error> {
    match given {
        Some(millis) if !(1..=MAX_TIMEOUT_MS).contains(&millis) => {
            Err(Error::config(path, "expected 1 to 600000 milliseconds"))
        }
        given => Ok(given),
    }
}

fn retries(path: &str, given: u8) -> Result<u8, Error> {
    if given > MAX_RETRIES { Err(Error::config(path, "expected at most 3")) } else { Ok(given) }
}

/// Checks `answer` at `path`.
#[inline(never)]
pub(super) fn fixed_answer(path: &str, document: &AnswerDocument) -> Result<FixedAnswer, Error> {
    let status = document.status;
    if !(200..=599).contains(&status) || (300..=399).contains(&status) {
        let problem = "expected 200 to 299 or 400 to 599: it cannot say where to go";
        return Err(Error::config(format!("{path}.status"), problem));
    }
    let (content_type, body) = match document.body.as_ref().map(|body| &body.0) {
        None => (None, String::new()),
        Some(Value::String(text)) => (Some("text/plain; charset=utf-8"), text.clone()),
        Some(value @ (Value::Object(_) | Value::Array(_))) => {
            (Some("application/json"), value.to_string())
        }
        Some(_) => {
            let problem = "expected a text, an object or a list";
            return Err(Error::config(format!("{path}.body"), problem));
        }
    };
    if !body.is_empty() && matches!(status, 204 | 205) {
        let problem = format!("an answer with {status} has no body");
        return Err(Error::config(format!("{path}.body"), problem));
    }
    let content_type = content_type.filter(|_| !body.is_empty());
    Ok(FixedAnswer { status, content_type, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rewritten(stripped: usize, prefix: &str, asked: &str, expected: &str) {
        let upstream = Upstream {
            stripped,
            prefix: prefix.to_owned(),
            ..Upstream::at(Address::Service("S".to_owned()))
        };
        assert_eq!(upstream.target(asked).unwrap(), expected, "{stripped} {prefix} {asked}");
    }

    #[test]
    fn segments_go_and_come_at_the_front_of_the_path() {
        rewritten(0, "", "/api/x?a=/b", "/api/x?a=/b");
        rewritten(1, "", "/api/x?a=/b", "/x?a=/b");
        rewritten(1, "", "/%61pi/%78/", "/%78/");
        rewritten(1, "", "/api", "/");
        rewritten(1, "", "/api/", "/");
        rewritten(1, "", "/api?a=/b", "/?a=/b");
        rewritten(1, "/v2", "/api", "/v2");
        rewritten(1, "/v2", "/api/", "/v2/");
        rewritten(1, "/v2", "/api?a", "/v2?a");
        rewritten(2, "/v2", "/api/a/b", "/v2/b");
        rewritten(0, "/v2", "/", "/v2/");
    }

    #[test]
    fn a_path_that_grew_too_long_is_refused() {
        let upstream = Upstream {
            prefix: "/prefix".to_owned(),
            ..Upstream::at(Address::Service("S".to_owned()))
        };
        let asked = format!("/{}", "a".repeat(8188));
        assert!(RequestPath::parse(&asked).is_ok());
        assert!(upstream.target(&asked).is_err());
    }
}
