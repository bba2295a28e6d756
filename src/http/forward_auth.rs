//! Which request another proxy asks about.
//!
//! The names are conventions. Traefik, Caddy and others send `X-Forwarded-Method` with `X-Forwarded-Uri`; nginx
//! configurations `X-Original-Method` with `X-Original-URI`; ingress-nginx `X-Original-Method` with
//! `X-Original-URL`, a whole URL. A proxy sets its own names only, and hands on what the client wrote under the
//! others. So all headers that came have to name one and the same request: then the client cannot choose.

use crate::{error::Error, policy::Policy};

/// The headers that name the request, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskedAbout<'a> {
    /// `X-Forwarded-Method`.
    pub forwarded_method: Option<&'a str>,
    /// `X-Forwarded-Uri`.
    pub forwarded_uri: Option<&'a str>,
    /// `X-Original-Method`.
    pub original_method: Option<&'a str>,
    /// `X-Original-URI`.
    pub original_uri: Option<&'a str>,
    /// `X-Original-URL`.
    pub original_url: Option<&'a str>,
}

impl<'a> AskedAbout<'a> {
    /// The method, and the path with its query.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if there is no pair, half of one, or if two headers name different requests.
    pub fn request(&self) -> Result<(&'a str, &'a str), Error> {
        let original = match (target(self.original_uri)?, target(self.original_url)?) {
            (Some(uri), Some(url)) if uri != url => {
                return Err(Error::InvalidRequest(
                    "X-Original-URI and X-Original-URL name different requests",
                ));
            }
            (uri, url) => pair(self.original_method, uri.or(url))?,
        };
        let forwarded = pair(self.forwarded_method, target(self.forwarded_uri)?)?;
        let (method, target) = match (forwarded, original) {
            (Some(forwarded), Some(original)) if forwarded != original => {
                return Err(Error::InvalidRequest(
                    "X-Forwarded-* and X-Original-* name different requests",
                ));
            }
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => {
                return Err(Error::InvalidRequest(
                    "expected X-Forwarded-Method and X-Forwarded-Uri, or X-Original-Method and X-Original-URI",
                ));
            }
        };
        let plain = (1..=32).contains(&method.len())
            && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if plain {
            Ok((method, target))
        } else {
            Err(Error::InvalidRequest("expected a method in capitals"))
        }
    }

    /// Whether the proxy gives a redirect to the client. Those that say `X-Forwarded-*` do, with any status. nginx makes 500 of it, so
    /// whoever says `X-Original-*` is told in a header where to send the client.
    #[must_use]
    pub const fn gives_redirects(&self) -> bool {
        self.original_method.is_none()
    }
}

/// Where a proxy sends a client that has to log in, if it does not give redirects to it.
pub const LOGIN_FIELD: &str = "X-Auth-Login";

/// Whether a login lets in where the proxy carries the traffic. Cookies of sessions are of one host, the gate's own: on another one nobody
/// would be logged in afterwards, and sent to log in for ever.
#[must_use]
pub fn login_lets_in(policy: &Policy) -> bool {
    match (&policy.forward_auth.origin, &policy.origin) {
        (Some(asked_about), Some(own)) => asked_about.as_str() == &**own,
        _ => true,
    }
}

/// A method without a path, or the other way round, is of somebody who is not the proxy.
fn pair<'a>(
    method: Option<&'a str>,
    target: Option<&'a str>,
) -> Result<Option<(&'a str, &'a str)>, Error> {
    match (method, target) {
        (Some(method), Some(target)) => Ok(Some((method, target))),
        (None, None) => Ok(None),
        _ => Err(Error::InvalidRequest("one of the forwarded method and URI is missing")),
    }
}

/// A path with its query, or that of a whole URL.
fn target(header: Option<&str>) -> Result<Option<&str>, Error> {
    let Some(uri) = header else { return Ok(None) };
    match uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")) {
        None => Ok(Some(uri)),
        Some(rest) => of_url(rest).map(Some),
    }
}

/// The path behind an authority.
///
/// The host in it is what the client wrote in `Host`. With `Host: x?` the path would become its query, so it has to be
/// plain, and what follows it a path.
fn of_url(rest: &str) -> Result<&str, Error> {
    let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
        Some(parts) => parts,
        None => (rest, "/"),
    };
    let plain = !authority.is_empty()
        && authority.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']')
        });
    if plain { Ok(path) } else { Err(Error::InvalidRequest("forwarded URL has no plain host")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: &str = "one of the forwarded method and URI is missing";
    const DIFFERENT: &str = "X-Forwarded-* and X-Original-* name different requests";

    fn traefik<'a>(method: &'a str, uri: &'a str) -> AskedAbout<'a> {
        AskedAbout {
            forwarded_method: Some(method),
            forwarded_uri: Some(uri),
            ..AskedAbout::default()
        }
    }

    fn ingress<'a>(method: &'a str, url: &'a str) -> AskedAbout<'a> {
        AskedAbout {
            original_method: Some(method),
            original_url: Some(url),
            ..AskedAbout::default()
        }
    }

    #[track_caller]
    fn refused(asked: AskedAbout<'_>, message: &str) {
        assert_eq!(asked.request().unwrap_err().to_string(), message, "{asked:?}");
    }

    #[test]
    fn every_convention_names_a_request() {
        let nginx = AskedAbout {
            original_method: Some("GET"),
            original_uri: Some("/v1/a?b"),
            ..AskedAbout::default()
        };
        for asked in [
            traefik("GET", "/v1/a?b"),
            traefik("GET", "https://api.example.com/v1/a?b"),
            nginx,
            ingress("GET", "https://api.example.com:8443/v1/a?b"),
            ingress("GET", "http://[2001:db8::1]/v1/a?b"),
            AskedAbout { original_url: Some("http://h/v1/a?b"), ..nginx },
            AskedAbout { original_url: Some("http://h/v1/a?b"), ..traefik("GET", "/v1/a?b") }
                .with_method(),
        ] {
            assert_eq!(asked.request(), Ok(("GET", "/v1/a?b")), "{asked:?}");
        }
        assert_eq!(traefik("GET", "https://api.example.com").request(), Ok(("GET", "/")));
    }

    #[test]
    fn whoever_speaks_as_nginx_does_gets_no_redirect() {
        assert!(traefik("GET", "/a").gives_redirects());
        assert!(!ingress("GET", "https://h/a").gives_redirects());
        let both = AskedAbout { original_method: Some("GET"), ..traefik("GET", "/a") };
        assert!(!both.gives_redirects());
    }

    #[test]
    fn a_login_lets_in_at_the_gates_own_origin_alone() {
        struct NoSecrets;
        impl crate::policy::Secrets for NoSecrets {
            fn secret(&self, _: &str) -> Option<crate::secret::Secret> {
                None
            }
        }
        let (own, other) = ("https://api.example.com", "https://app.example.com");
        for (json, expected) in [
            ("{}".to_owned(), true),
            (format!(r#"{{"origin": "{own}"}}"#), true),
            (format!(r#"{{"forward_auth": {{"origin": "{own}"}}}}"#), true),
            (format!(r#"{{"origin": "{own}", "forward_auth": {{"origin": "{own}"}}}}"#), true),
            (format!(r#"{{"origin": "{own}", "forward_auth": {{"origin": "{other}"}}}}"#), false),
        ] {
            let policy = Policy::from_json(&json, &NoSecrets).unwrap();
            assert_eq!(login_lets_in(&policy), expected, "{json}");
        }
    }

    impl AskedAbout<'_> {
        fn with_method(self) -> Self {
            Self { original_method: self.forwarded_method, ..self }
        }
    }

    #[test]
    fn what_the_client_writes_beside_the_proxy_cannot_choose() {
        let proxy = ingress("GET", "https://api.example.com/v1/admin");
        refused(
            AskedAbout { original_uri: Some("/public/x"), ..proxy },
            "X-Original-URI and X-Original-URL name different requests",
        );
        refused(AskedAbout { forwarded_uri: Some("/public/x"), ..proxy }, HALF);
        refused(AskedAbout { forwarded_method: Some("GET"), ..proxy }, HALF);
        for (method, uri) in [("GET", "/public/x"), ("OPTIONS", "/v1/admin"), ("GET", "/v1/admin?")]
        {
            let client = traefik(method, uri);
            let both = AskedAbout {
                original_method: proxy.original_method,
                original_url: proxy.original_url,
                ..client
            };
            refused(both, DIFFERENT);
        }
        let half = AskedAbout { original_url: Some("http://h/public/x"), ..AskedAbout::default() };
        refused(half, HALF);
        refused(
            AskedAbout { original_url: half.original_url, ..traefik("GET", "/public/x") },
            HALF,
        );
    }

    #[test]
    fn the_host_of_a_url_cannot_swallow_its_path() {
        for host in ["x?", "x#", "x?a=b", "a@b", "", "x, http:", "x\\", "x%2f", "x\ty", "ä"] {
            let url = format!("http://{host}/v1/admin");
            refused(ingress("GET", &url), "forwarded URL has no plain host");
            refused(traefik("GET", &url), "forwarded URL has no plain host");
        }
        refused(traefik("GET", "https://h?a/b"), "forwarded URL has no plain host");
    }

    #[test]
    fn a_method_is_one_word_in_capitals() {
        for method in ["get", "GET, GET", "", "G\u{e4}T", &"G".repeat(33)] {
            refused(traefik(method, "/a"), "expected a method in capitals");
        }
    }
}
