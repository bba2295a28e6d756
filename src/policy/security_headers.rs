//! The fields `security_headers`, `https` and `hsts`: what browsers are told of every answer, and by which scheme it may be asked.

pub(super) mod defaults;

use serde_json::{Map, Value};

use self::defaults::DEFAULTS;
use super::{
    document::{Document, HstsDocument},
    types::Https,
};
use crate::{error::Error, json::object::meant};

/// A year: what the preload list of browsers asks for at least (hstspreload.org).
const YEAR_SECS: u32 = 31_536_000;

/// The longest value of a header.
const MAX_LENGTH: usize = 4096;

/// What every answer gets that does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// Names and values; empty without `security_headers`.
    pub fields: Vec<(&'static str, String)>,
    /// `Strict-Transport-Security`, for answers over https.
    pub hsts: Option<String>,
}

impl SecurityHeaders {
    /// Whether answers stay as they are.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.fields.is_empty() && self.hsts.is_none()
    }
}

/// Checks the fields.
pub(super) fn security_headers(document: &Document) -> Result<SecurityHeaders, Error> {
    let fields = match document.security_headers.as_ref().map(|section| &section.0) {
        None | Some(Value::Bool(false)) => Vec::new(),
        Some(Value::Bool(true)) => fields(&Map::new())?,
        Some(Value::Object(section)) => fields(section)?,
        Some(_) => {
            let problem = "expected true, false, or an object of headers";
            return Err(Error::config("security_headers", problem));
        }
    };
    let nothing = document.hsts.is_none() && document.https.is_none() && fields.is_empty();
    let hsts = if nothing { None } else { hsts(document, !fields.is_empty())? };
    Ok(SecurityHeaders { fields, hsts })
}

#[inline(never)]
fn fields(section: &Map<String, Value>) -> Result<Vec<(&'static str, String)>, Error> {
    let known = |name: &str| DEFAULTS.iter().any(|(field, _, _)| *field == name);
    if let Some(name) = section.keys().find(|name| !known(name)) {
        let names: Vec<&'static str> = DEFAULTS.iter().map(|(field, _, _)| *field).collect();
        let expected = meant(name, &names)
            .map_or_else(|| format!("one of {}", names.join(", ")), str::to_owned);
        let problem = format!("is not a known field, expected {expected}");
        let shown = if name.len() > 40 { "?" } else { name };
        return Err(Error::config(format!("security_headers.{shown}"), problem));
    }
    let mut all = Vec::with_capacity(DEFAULTS.len());
    for (field, header, default) in DEFAULTS {
        match section.get(field) {
            None => all.push((header, default.to_owned())),
            Some(Value::Bool(false)) => {}
            Some(Value::String(value)) if is_value(value) => all.push((header, value.clone())),
            Some(_) => {
                let problem = "expected the value of the header, or false to leave it out";
                return Err(Error::config(format!("security_headers.{field}"), problem));
            }
        }
    }
    Ok(all)
}

fn is_value(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && text.trim() == text
}

/// The policy of RFC 6797: as it is given, or by default where `https` or `security_headers` is. One of the three is.
#[inline(never)]
fn hsts(document: &Document, headers: bool) -> Result<Option<String>, Error> {
    let section = match &document.hsts {
        Some(HstsDocument::On(false)) if document.https.is_none() && !headers => {
            let problem = "there is none without https or security_headers, expected no false";
            return Err(Error::config("hsts", problem));
        }
        Some(HstsDocument::On(false)) => return Ok(None),
        Some(HstsDocument::On(true)) | None => {
            return Ok(Some(format!("max-age={YEAR_SECS}; includeSubDomains")));
        }
        Some(HstsDocument::Section(section)) => section,
    };
    if section.preload && (section.max_age_secs < YEAR_SECS || !section.include_subdomains) {
        let problem = "expected max_age_secs of at least 31536000 and include_subdomains beside it";
        return Err(Error::config("hsts.preload", problem));
    }
    let subdomains = if section.include_subdomains { "; includeSubDomains" } else { "" };
    let preload = if section.preload { "; preload" } else { "" };
    Ok(Some(format!("max-age={}{subdomains}{preload}", section.max_age_secs)))
}

/// Whether a URL is one over https.
#[must_use]
pub fn is_https(url: &str) -> bool {
    url.starts_with("https://")
}

impl Https {
    /// Whether a request with this method may be sent to the same place over https. A browser sends nothing but GET and HEAD without
    /// asking; a preflight may not be redirected (Fetch standard).
    pub(crate) fn redirects(self, method: &str) -> bool {
        self == Self::Redirect && matches!(method, "GET" | "HEAD")
    }
}
