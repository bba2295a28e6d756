//! The section `cors`: pages of which other origins may read answers (Fetch standard, "CORS protocol").
//!
//! Nothing here keeps a request out: a browser enforces it, and other clients do not. What a caller may do is for routes.

use std::sync::Arc;

use super::{
    check::{each, first_repeated, is_header_name},
    document::CorsDocument,
};
use crate::error::Error;

/// What the gate itself sets that scripts have a use for. A browser hides it from them unless it is named.
const EXPOSED: [&str; 4] = ["RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate"];

/// The same with `legacy_headers`.
const EXPOSED_LEGACY: [&str; 3] =
    ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

/// The most that browsers keep a preflight's answer for: a day (Firefox; Chromium takes two hours).
const MAX_AGE_SECS: u32 = 86_400;

/// Which origins may read answers, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    /// Whether pages may send cookies, and read what is answered to them.
    pub credentials: bool,
    /// The headers that scripts may read, as `Access-Control-Expose-Headers` lists them.
    pub exposed: String,
    /// How long a browser may keep the answer to a preflight; `None`: as long as it likes, which is 5 seconds.
    pub max_age_secs: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origins {
    /// Every page. Without credentials only.
    Any,
    Listed(Vec<String>),
}

impl Cors {
    /// Every page, without credentials: for what does not depend on who asks.
    #[must_use]
    pub fn any() -> Self {
        Self::of(Origins::Any, false)
    }

    /// Pages that act for their visitors.
    #[must_use]
    pub fn of_visitors(origins: &[String]) -> Self {
        Self::of(Origins::Listed(origins.to_vec()), true)
    }

    fn of(origins: Origins, credentials: bool) -> Self {
        Self { origins, credentials, exposed: EXPOSED.join(", "), max_age_secs: None }
    }

    /// What `Access-Control-Allow-Origin` says to a page of this origin; `None`: nothing. An origin is compared as it is
    /// written, character by character.
    #[must_use]
    pub fn allowed<'a>(&'a self, origin: Option<&str>) -> Option<&'a str> {
        match &self.origins {
            Origins::Any => Some("*"),
            Origins::Listed(list) => {
                let origin = origin?;
                list.iter().find(|listed| *listed == origin).map(String::as_str)
            }
        }
    }

    /// Whether answers differ by the origin that asks.
    #[must_use]
    pub const fn varies(&self) -> bool {
        matches!(self.origins, Origins::Listed(_))
    }
}

/// Checks the section at `path`.
#[inline(never)]
pub(super) fn cors(path: &str, document: &CorsDocument, legacy: bool) -> Result<Arc<Cors>, Error> {
    Ok(Arc::new(Cors {
        origins: origins(&format!("{path}.origins"), document)?,
        credentials: document.credentials,
        exposed: exposed(&format!("{path}.expose"), &document.expose, legacy)?,
        max_age_secs: max_age(&format!("{path}.max_age_secs"), document.max_age_secs)?,
    }))
}

fn origins(path: &str, document: &CorsDocument) -> Result<Origins, Error> {
    let given = &document.origins;
    if given.is_empty() {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    if let Some(index) = first_repeated(given.iter().map(String::as_str)) {
        return Err(Error::config(format!("{path}[{index}]"), "this origin is listed already"));
    }
    if let Some(index) = given.iter().position(|origin| origin == "*") {
        if given.len() > 1 {
            let problem = "* stands for all origins, expected no others beside it";
            return Err(Error::config(format!("{path}[{index}]"), problem));
        }
        if document.credentials {
            let problem = "every page could act as its visitor, expected no * with credentials";
            return Err(Error::config(format!("{path}[{index}]"), problem));
        }
        return Ok(Origins::Any);
    }
    let listed = each(path, given.iter(), |place, origin| {
        // What a page in a sandboxed frame says, and any page can make one.
        if origin == "null" && document.credentials {
            let problem = "every page can be null, expected no null with credentials";
            return Err(Error::config(place, problem));
        }
        check_origin(origin).map_err(|problem| Error::config(place, problem))?;
        Ok(origin.clone())
    })?;
    Ok(Origins::Listed(listed))
}

/// An origin as browsers write it (Fetch standard, "serializing a request origin"): another spelling would never be met.
pub(super) fn check_origin(origin: &str) -> Result<(), &'static str> {
    const EXPECTED: &str =
        "expected an origin as browsers send it, like https://app.example.com, or null";
    if origin == "null" {
        return Ok(());
    }
    let (scheme, authority) = origin.split_once("://").ok_or(EXPECTED)?;
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| lower(byte) || matches!(byte, b'+' | b'-' | b'.'));
    let host_fits = authority
        .bytes()
        .all(|byte| lower(byte) || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']'));
    if !scheme_fits || !host_fits || authority.is_empty() || authority.starts_with(':') {
        return Err(EXPECTED);
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    match (scheme, port) {
        ("https", Some("443")) | ("http", Some("80")) => {
            Err("browsers leave the usual port of a scheme out, expected none")
        }
        (_, Some(port)) if port.parse::<u16>().is_err() || port.starts_with('0') => Err(EXPECTED),
        _ => Ok(()),
    }
}

fn exposed(path: &str, more: &[String], legacy: bool) -> Result<String, Error> {
    let names = each(path, more.iter(), |place, name| {
        if is_header_name(name) {
            Ok(name.as_str())
        } else {
            Err(Error::config(place, "expected the name of a header"))
        }
    })?;
    let own = EXPOSED.into_iter().chain(EXPOSED_LEGACY.into_iter().filter(|_| legacy));
    let all: Vec<&str> = own.chain(names).collect();
    Ok(all.join(", "))
}

fn max_age(path: &str, secs: Option<u32>) -> Result<Option<u32>, Error> {
    match secs {
        Some(secs) if secs > MAX_AGE_SECS => {
            Err(Error::config(path, "expected at most 86400 seconds: no browser keeps it longer"))
        }
        secs => Ok(secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(origins: &[&str], credentials: bool) -> CorsDocument {
        CorsDocument {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            credentials,
            expose: Vec::new(),
            max_age_secs: None,
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        let expected =
            "expected an origin as browsers send it, like https://app.example.com, or null";
        for origin in [
            "https://app.example.com/",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "app.example.com",
            "https://",
            "https://:8443",
            "https://a@b",
            "https://*.example.com",
            "https://a.test:0443",
            "https://a.test:",
            "https://a.test:65536",
            "https://ä.test",
            "Null",
            "",
        ] {
            assert_eq!(check_origin(origin), Err(expected), "{origin}");
        }
        for origin in ["https://a.test:443", "http://a.test:80", "https://[::1]:443"] {
            assert!(check_origin(origin).unwrap_err().starts_with("browsers leave"), "{origin}");
        }
        for origin in [
            "https://app.example.com",
            "http://localhost:5173",
            "https://a.test:80",
            "http://[::1]",
            "http://[::1]:8080",
            "capacitor://localhost",
            "chrome-extension://abcdefgh",
            "null",
        ] {
            assert_eq!(check_origin(origin), Ok(()), "{origin}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let listed = cors("cors", &document(&["https://a.test", "null"], false), false).unwrap();
        assert_eq!(listed.allowed(Some("https://a.test")), Some("https://a.test"));
        assert_eq!(listed.allowed(Some("null")), Some("null"));
        for other in ["https://a.test.evil", "https://A.test", "http://a.test", "", "*"] {
            assert_eq!(listed.allowed(Some(other)), None, "{other}");
        }
        assert_eq!(listed.allowed(None), None);
        let any = cors("cors", &document(&["*"], false), false).unwrap();
        assert_eq!((any.allowed(None), any.allowed(Some("null"))), (Some("*"), Some("*")));
    }
}
