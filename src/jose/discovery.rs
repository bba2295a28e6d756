//! Where an issuer says that its keys are: OpenID Connect Discovery 1.0 §4, or else RFC 8414 §3. No I/O, no clock.
//!
//! Whoever writes the document chooses the keys. So it is fetched from the issuer's own host alone, has to be about exactly
//! this issuer, and names a place that the policy could have named.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    jose::{
        http_host::may_publish_keys,
        keys::{MAX_JWKS_LENGTH, remote::COOL_DOWN_SECS},
    },
    json::parse_object,
    time::UnixMillis,
};

/// More of a document is not read; those of providers have 1 to 8 KiB.
pub const MAX_DOCUMENT_LENGTH: usize = MAX_JWKS_LENGTH;

/// A document is believed that long while the keys are where it says.
pub const DOCUMENT_SECS: u64 = 24 * 60 * 60;

/// An issuer that says itself where its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    issuer: String,
    allow_http: bool,
}

impl Discovery {
    /// `None` for an issuer that is no URL by which a document could be fetched: https, or http where keys may be fetched by
    /// it, without a query and a fragment.
    #[must_use]
    pub fn of(issuer: &str, allow_http: bool) -> Option<Self> {
        let is_plain = !issuer.contains('?') && may_publish_keys(issuer, allow_http);
        is_plain.then(|| Self { issuer: issuer.to_owned(), allow_http })
    }

    /// Where the document is by OpenID Connect: below the issuer.
    #[must_use]
    pub fn openid_configuration(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.base())
    }

    /// Where it is by RFC 8414, if it is not there: between host and path.
    #[must_use]
    pub fn authorization_server(&self) -> String {
        let base = self.base();
        let host_at = base.find("://").map_or(0, |at| at.saturating_add("://".len()));
        let (scheme, rest) = base.split_at_checked(host_at).unwrap_or(("", base));
        let path_at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(path_at).unwrap_or((rest, ""));
        format!("{scheme}{host}/.well-known/oauth-authorization-server{path}")
    }

    fn base(&self) -> &str {
        self.issuer.strip_suffix('/').unwrap_or(&self.issuer)
    }

    /// The `jwks_uri` of a document.
    ///
    /// # Errors
    /// What is wrong with the document, for the event log; never text from it.
    pub fn jwks_uri(&self, document: &str) -> Result<String, String> {
        if document.len() > MAX_DOCUMENT_LENGTH {
            return Err(format!("the document has more than {MAX_DOCUMENT_LENGTH} bytes"));
        }
        let mut members = parse_object(document.as_bytes())
            .map_err(|fault| format!("the document is not taken: {}", fault.problem()))?;
        // Whole and unchanged (§4.3): any other issuer may be somebody else.
        if members.get("issuer").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err("the document is about another issuer".to_owned());
        }
        match members.remove("jwks_uri") {
            Some(Value::String(uri)) if self.may_name(&uri) => Ok(uri),
            Some(_) => Err("jwks_uri of the document is no https URL".to_owned()),
            None => Err("the document has no jwks_uri".to_owned()),
        }
    }

    /// Whether the document may name this place. A policy may name a set on the gate's own host; an issuer elsewhere would
    /// have the gate ask what only listens there.
    fn may_name(&self, uri: &str) -> bool {
        let is_near = self.allow_http || self.issuer.starts_with("http://");
        may_publish_keys(uri, self.allow_http) && (is_near || uri.starts_with("https://"))
    }
}

/// What is asked for next on the way to an issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The keys, where a document has named them before.
    Known,
    /// The document of OpenID Connect.
    OpenId,
    /// That of RFC 8414.
    OAuth,
    /// The keys, where the document has just named them.
    Named,
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub enum Reply<'a> {
    /// A text (200).
    Text(&'a str),
    /// As before (304).
    NotModified,
    /// Nothing is there (404 or 410).
    Missing(u16),
    /// None in time, or one that cannot be used; and why.
    Failed(&'a str),
}

/// What a reply means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is that of the key set.
    IsOfKeys,
    /// The next question.
    Ask(Step, String),
}

impl Discovery {
    /// The first question. `known` is where the keys were found before, if that is still believed.
    #[must_use]
    pub fn first(&self, known: Option<&str>) -> (Step, String) {
        match known {
            Some(uri) => (Step::Known, uri.to_owned()),
            None => (Step::OpenId, self.openid_configuration()),
        }
    }

    /// What follows from the reply to a question.
    ///
    /// Keys that are not any more where they were are looked for anew. The document of RFC 8414 is asked for only where that
    /// of OpenID Connect answers 404.
    ///
    /// # Errors
    /// Why there are no keys, for the event log.
    pub fn next(&self, step: Step, reply: Reply<'_>) -> Result<Next, String> {
        match (step, reply) {
            (Step::Known, Reply::Missing(_)) => {
                Ok(Next::Ask(Step::OpenId, self.openid_configuration()))
            }
            (Step::Known | Step::Named, _) => Ok(Next::IsOfKeys),
            (Step::OpenId, Reply::Missing(404)) => {
                Ok(Next::Ask(Step::OAuth, self.authorization_server()))
            }
            (Step::OpenId | Step::OAuth, Reply::Text(document)) => {
                Ok(Next::Ask(Step::Named, self.jwks_uri(document)?))
            }
            (_, Reply::NotModified) => Err("not found: status 304".to_owned()),
            (_, Reply::Missing(status)) => Err(format!("not found: status {status}, expected 200")),
            (_, Reply::Failed(problem)) => Err(format!("not found: {problem}")),
        }
    }
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, Copy)]
pub enum Location<'a> {
    /// In this key set.
    Known(&'a str),
    /// In this key set, asked for by tokens that the issuer has handed to the gate itself: nobody else can name a key that it has not.
    OfLogins(&'a str),
    /// Where the issuer says.
    Discovered(&'a Discovery),
}

impl<'a> Location<'a> {
    /// How many seconds lie between two fetches that an unknown `kid` asks for.
    #[must_use]
    pub const fn cool_down_secs(self) -> u64 {
        match self {
            Self::Known(_) | Self::Discovered(_) => COOL_DOWN_SECS,
            Self::OfLogins(_) => 0,
        }
    }

    /// The name by which the keys are remembered. Keys that may have come by http are not those that may not.
    #[must_use]
    pub fn name(self) -> Cow<'a, str> {
        match self {
            Self::Known(uri) | Self::OfLogins(uri) => Cow::Borrowed(uri),
            Self::Discovered(Discovery { issuer, allow_http: false }) => {
                Cow::Owned(format!("discovery {issuer}"))
            }
            Self::Discovered(Discovery { issuer, allow_http: true }) => {
                Cow::Owned(format!("discovery-http {issuer}"))
            }
        }
    }
}

/// A key set that a document named, and when.
#[derive(Debug, Clone)]
pub struct Found {
    uri: String,
    read_at: UnixMillis,
}

impl Found {
    /// A key set that was named at that time.
    #[must_use]
    pub const fn new(uri: String, read_at: UnixMillis) -> Self {
        Self { uri, read_at }
    }

    /// The key set, unless the document has to be read again.
    #[must_use]
    pub fn uri(&self, now: UnixMillis) -> Option<&str> {
        let believed = DOCUMENT_SECS.saturating_mul(1000);
        (now.millis_since(self.read_at) < believed).then_some(self.uri.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://issuer.example/realms/a";

    fn discovery(issuer: &str) -> Discovery {
        Discovery::of(issuer, false).unwrap()
    }

    #[test]
    fn the_document_is_below_the_issuer_or_between_its_host_and_path() {
        for (issuer, openid, oauth) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                ISSUER,
                "https://issuer.example/realms/a/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server/realms/a",
            ),
            (
                "http://127.0.0.1:8080/x/",
                "http://127.0.0.1:8080/x/.well-known/openid-configuration",
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server/x",
            ),
        ] {
            let discovery = discovery(issuer);
            assert_eq!(discovery.openid_configuration(), openid);
            assert_eq!(discovery.authorization_server(), oauth);
        }
    }

    #[test]
    fn an_issuer_is_a_url_of_its_own() {
        for issuer in [
            "",
            "issuer",
            "accounts.google.com",
            "http://issuer.example",
            "https://",
            "https:///x",
            "https://issuer.example?a=b",
            "https://issuer.example/#a",
            "https://user@issuer.example",
            "https://issuer.example\\x",
            "https://issuer.example/ x",
            "HTTPS://issuer.example",
            "http://keycloak:8080/realms/a",
            "http://127.0.0.1@issuer.example/",
        ] {
            assert_eq!(Discovery::of(issuer, false), None, "{issuer}");
        }
        assert!(Discovery::of("http://keycloak:8080/realms/a", true).is_some());
        assert!(Discovery::of("http://issuer.example", true).is_none());
    }

    #[test]
    fn a_document_of_exactly_this_issuer_names_its_keys() {
        let document =
            format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"https://keys.example/a","x":[1]}}"#);
        assert_eq!(discovery(ISSUER).jwks_uri(&document).as_deref(), Ok("https://keys.example/a"));
    }

    #[test]
    fn documents_that_are_refused() {
        let another = "the document is about another issuer";
        let no_https = "jwks_uri of the document is no https URL";
        let of = |issuer: &str, uri: &str| format!(r#"{{"issuer":{issuer},"jwks_uri":{uri}}}"#);
        let own = format!(r#""{ISSUER}""#);
        for (document, problem) in [
            (String::new(), "the document is not taken: not a JSON object"),
            ("[]".to_owned(), "the document is not taken: not a JSON object"),
            ("{} {}".to_owned(), "the document is not taken: not JSON"),
            (
                of(&own, r#""https://a/","issuer":"x""#),
                "the document is not taken: a member name occurs twice",
            ),
            (
                of(&own, r#""https://a/","jwks_uri":"https://b/""#),
                "the document is not taken: a member name occurs twice",
            ),
            ("{}".to_owned(), another),
            (of("null", r#""https://a/""#), another),
            (of(&format!("[{own}]"), r#""https://a/""#), another),
            (of(r#""https://issuer.example/realms/a/""#, r#""https://a/""#), another),
            (of(r#""https://issuer.example/realms/A""#, r#""https://a/""#), another),
            (of(r#""https://issuer.example/realms""#, r#""https://a/""#), another),
            (format!(r#"{{"issuer":{own}}}"#), "the document has no jwks_uri"),
            (of(&own, "null"), no_https),
            (of(&own, r#"["https://a/"]"#), no_https),
            (of(&own, r#""http://keys.example/a""#), no_https),
            (of(&own, r#""http://keycloak/a""#), no_https),
            (of(&own, r#""http://localhost:9200/a""#), no_https),
            (of(&own, r#""http://127.0.0.1/a""#), no_https),
            (of(&own, r#""http://[::1]:6379/a""#), no_https),
            (of(&own, r#""/keys""#), no_https),
            (of(&own, r#""file:///etc/keys""#), no_https),
            (of(&own, r#""https://user@keys.example/a""#), no_https),
            (of(&own, r#""https://keys.example/a#b""#), no_https),
            (of(&own, r#""https://keys.example/\na""#), no_https),
            (
                of(&own, &format!(r#""https://a/","x":"{}""#, "x".repeat(MAX_DOCUMENT_LENGTH))),
                "the document has more than 65536 bytes",
            ),
        ] {
            assert_eq!(
                discovery(ISSUER).jwks_uri(&document),
                Err(problem.to_owned()),
                "{document:.200}"
            );
        }
    }

    #[test]
    fn http_is_taken_where_a_policy_could_name_it() {
        let of = |uri: &str| format!(r#"{{"issuer":"http://keycloak/a","jwks_uri":"{uri}"}}"#);
        let discovery = Discovery::of("http://keycloak/a", true).unwrap();
        assert!(discovery.jwks_uri(&of("http://keycloak/keys")).is_ok());
        assert!(discovery.jwks_uri(&of("http://keys.example/a")).is_err());
        // An issuer on this host is no stranger to it.
        let of = |uri: &str| format!(r#"{{"issuer":"http://localhost:1/a","jwks_uri":"{uri}"}}"#);
        let discovery = Discovery::of("http://localhost:1/a", false).unwrap();
        assert!(discovery.jwks_uri(&of("http://127.0.0.1:2/keys")).is_ok());
    }
}
