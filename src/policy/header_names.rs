//! Names of headers: those that mean something already, and the rule for a header that the policy gives a meaning.
//!
//! Servers are generous: CGI, and with it PHP, WSGI and Rack, make one name of `X-Org`, `X_Org` and, some of them, `X.Org`.
//! So two names are the same here if they [`fold`] to the same.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::check::token;
use crate::error::Error;

/// Headers that servers and frameworks let stand for what the request itself says, as [`fold`]ed.
pub(crate) const OVERRIDING: [&str; 17] = [
    "forwarded",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-original-host",
    "x-original-method",
    "x-original-forwarded-for",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-http-host-override",
    "x-host",
    "x-scheme",
    "x-url-scheme",
    "x-script-name",
    "front-end-https",
];

/// Headers that services take the client's address from, as [`fold`]ed.
pub(crate) const ADDRESSES: [&str; 6] = [
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip",
];

/// Headers of HTTP itself that a request or an answer may have: about the connection, the framing, the content, caches, and
/// credentials that are read elsewhere.
const OF_HTTP: [&str; 41] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "dpop",
    "early-data",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

/// Whole families of the same.
const FAMILIES_OF_HTTP: [&str; 9] = [
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "ratelimit",
    "sec-",
    "www-",
    "x-accel-",
    "x-ratelimit-",
];

/// What the gate tells a service of the caller and of the request, as [`fold`]ed.
const TOLD_BY_THE_GATE: [&str; 16] = [
    "x-auth-method",
    "x-auth-subject",
    "x-auth-issuer",
    "x-auth-scopes",
    "x-auth-key-id",
    "x-auth-token",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-forwarded-uri",
];

/// The families that the gate keeps from services, but for what it writes itself.
pub(crate) const KEPT_FAMILIES: [&str; 2] = ["x-auth-", "x-forwarded"];

/// The header that holds API keys where the policy names no other.
pub const API_KEY_HEADER: &str = "X-API-Key";

/// The name as servers that are generous hand it on: all characters but letters and digits are the same (RFC 9110 §5.6.2 allows
/// fifteen such characters, RFC 3875 §4.1.18 makes one of `-`). PHP and others do it with the names of cookies.
pub(crate) fn fold(name: impl AsRef<[u8]>) -> String {
    let fold =
        |byte: &u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    // Each request has a dozen of these: bytes are copied faster than characters are written.
    String::from_utf8(name.as_ref().iter().map(fold).collect()).unwrap_or_default()
}

/// The same, lent where it changes nothing: platforms hand most names on as they are then.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if name.bytes().all(is_folded) { Cow::Borrowed(name) } else { Cow::Owned(fold(name)) }
}

/// Whether two names [`fold`] to the same. Nothing is allocated.
pub(crate) fn folds_alike(one: &str, other: &str) -> bool {
    let is_same = |(one, other): (u8, u8)| {
        let separates = |byte: u8| !byte.is_ascii_alphanumeric();
        one.eq_ignore_ascii_case(&other) || (separates(one) && separates(other))
    };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(is_same)
}

/// A header that the policy gives a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName {
    name: String,
    folded: String,
}

impl HeaderName {
    fn new(name: String) -> Self {
        Self { folded: fold(&name), name }
    }

    /// As the policy writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether this is the name, in any case.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether a server might take a name that [`fold`]s to this for it.
    pub(crate) fn folds_to(&self, folded: &str) -> bool {
        self.folded == folded
    }
}

/// The headers that the policy has given a meaning so far: no two fields may name the same.
pub(super) struct Named(BTreeSet<String>);

impl Named {
    /// `names` are those that a proxy writes the client's address into.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut folded = BTreeSet::new();
        // One by one: a set made of an iterator brings a sort along.
        for name in names {
            folded.insert(fold(name));
        }
        Self(folded)
    }

    /// The header of API keys.
    pub(super) fn api_key(&mut self, given: Option<&str>) -> Result<HeaderName, Error> {
        let path = "api_keys.header";
        match given.filter(|name| !name.eq_ignore_ascii_case(API_KEY_HEADER)) {
            Some(name) => self.of_credentials(path, name),
            None => Ok(HeaderName::new(API_KEY_HEADER.to_owned())),
        }
    }

    /// A header that holds credentials. Other proxies put tokens into headers like `X-Forwarded-Access-Token` and
    /// `X-Auth-Request-Access-Token`.
    pub(super) fn of_credentials(&mut self, path: &str, name: &str) -> Result<HeaderName, Error> {
        self.add(path, name, |folded| TOLD_BY_THE_GATE.contains(&folded))
    }

    /// A header that the gate writes for the service.
    pub(super) fn of_identity(&mut self, path: &str, name: &str) -> Result<HeaderName, Error> {
        self.add(path, name, |folded| KEPT_FAMILIES.iter().any(|known| folded.starts_with(known)))
    }

    /// A header of requests that are made with a grant, in which nothing else travels. Several routes may have the same.
    pub(super) fn of_grant(&self, path: &str, name: &str) -> Result<HeaderName, Error> {
        let name = unknown(path, name, |folded| {
            KEPT_FAMILIES.iter().any(|known| folded.starts_with(known))
        })?;
        if self.0.contains(&name.folded) {
            return Err(Error::config(path, HAS_MEANING));
        }
        Ok(name)
    }

    fn add(
        &mut self,
        path: &str,
        name: &str,
        is_the_gates: impl Fn(&str) -> bool,
    ) -> Result<HeaderName, Error> {
        let name = unknown(path, name, is_the_gates)?;
        if !self.0.insert(name.folded.clone()) {
            return Err(Error::config(path, HAS_MEANING));
        }
        Ok(name)
    }
}

const HAS_MEANING: &str = "the policy gives this header a meaning already";

/// A header that means nothing to servers, nor to the gate.
fn unknown(
    path: &str,
    name: &str,
    is_the_gates: impl Fn(&str) -> bool,
) -> Result<HeaderName, Error> {
    let name = HeaderName::new(token(path, name)?);
    let folded = name.folded.as_str();
    let known = OF_HTTP.contains(&folded)
        || OVERRIDING.contains(&folded)
        || ADDRESSES.contains(&folded)
        || FAMILIES_OF_HTTP.iter().any(|family| folded.starts_with(family))
        || API_KEY_HEADER.eq_ignore_ascii_case(folded)
        || is_the_gates(folded);
    if known {
        let problem = "this header means something already, expected another name";
        return Err(Error::config(path, problem));
    }
    Ok(name)
}
