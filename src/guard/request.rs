//! A request, as far as the guard looks at it.

use core::{fmt, net::IpAddr};

use crate::{byte_search, client_address::text_of, session::csrf::Provenance};

/// What the guard looks at of a request. Everything is as it came in; nothing is trusted.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, with or without a query.
    pub path: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// The URL that the client asked for, if the edge knows it: what a proof of possession is about.
    pub url: Option<&'a str>,
    /// The header of API keys ([`Policy::api_key_header`](crate::policy::Policy::api_key_header)).
    pub api_key: Option<&'a str>,
    /// The `Cookie` header.
    pub cookie: Option<&'a str>,
    /// The headers of [`Policy::credential_headers`](crate::policy::Policy::credential_headers), in their order: every edge
    /// reads all of them.
    pub credential_headers: &'a [Option<&'a str>],
    /// The client's address, if the edge knows it.
    pub client_ip: Option<IpAddr>,
    /// The method that a CORS preflight asks for, `None` for every other request: see [`preflight_of`].
    pub preflight: Option<&'a str>,
    /// What it says of the page that sends it: asked where a cookie decides.
    pub provenance: Provenance<'a>,
}

/// Shows which headers there are, not what is in them; nor the query, which may hold anything.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path_alone())
            .field("authorization", &self.authorization.map(|_| "_"))
            .field("dpop", &self.dpop.map(|_| "_"))
            .field("api_key", &self.api_key.map(|_| "_"))
            .field("cookie", &self.cookie.map(|_| "_"))
            .field("credential_headers", &self.credential_headers.iter().flatten().count())
            .field("client_ip", &self.client_ip)
            .field("preflight", &self.preflight.is_some())
            .finish()
    }
}

impl<'a> Request<'a> {
    /// A request that says no more than this: no credential, no page, from nobody knows where.
    #[must_use]
    pub const fn bare(method: &'a str, path: &'a str) -> Self {
        Self {
            method,
            path,
            authorization: None,
            dpop: None,
            url: None,
            api_key: None,
            cookie: None,
            credential_headers: &[],
            client_ip: None,
            preflight: None,
            provenance: Provenance { fetch_site: None, origin: None, upgrades: false },
        }
    }

    /// The path without its query.
    pub(crate) fn path_alone(&self) -> &'a str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The client's address as limits and events name it: IPv6 by its /64, or `unknown`.
    #[must_use]
    pub fn client(&self) -> String {
        address(self.client_ip)
    }
}

/// Path and query of a URL, as they are written there.
#[must_use]
pub fn target_of(url: &str) -> String {
    let after_scheme = scheme_and_rest(url).map_or(url, |(_, rest)| rest);
    match after_scheme.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#')) {
        Some(at) => {
            let target = after_scheme.get(at..).unwrap_or_default();
            if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
        }
        None => "/".to_owned(),
    }
}

/// The scheme of a URL, which has no colon (RFC 3986 §3.1), and what stands behind `://`.
pub(crate) fn scheme_and_rest(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = byte_search::split_once(url, b':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// What makes a request a CORS preflight (Fetch standard, "CORS-preflight request"): `OPTIONS` with `Origin` and
/// `Access-Control-Request-Method`. Gives the latter.
#[must_use]
pub fn preflight_of<'a>(
    method: &str,
    origin: Option<&str>,
    requested_method: Option<&'a str>,
) -> Option<&'a str> {
    requested_method.filter(|_| method == "OPTIONS" && origin.is_some())
}

/// The client's address as limits count it: IPv6 by its /64, the smallest block a single customer is
/// given (RFC 6177), and an IPv4 address in IPv6 clothing (RFC 4291 §2.5.5.2) as what it is.
///
/// Requests without a known address are counted together.
pub(super) fn address(client_ip: Option<IpAddr>) -> String {
    match client_ip.map(|address| address.to_canonical()) {
        None => "unknown".to_owned(),
        Some(address @ IpAddr::V4(_)) => text_of(address),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The /48 of an IPv6 address: what a site may be given (RFC 6177), with all its blocks that [`address`] tells apart.
pub(super) fn site(client_ip: Option<IpAddr>) -> Option<String> {
    match client_ip?.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn counted_as(text: &str, expected: &str) {
        assert_eq!(address(Some(text.parse().unwrap())), expected);
    }

    #[test]
    fn the_target_is_what_stands_behind_the_host() {
        for (url, target) in [
            ("https://a.example/b?c=d://e", "/b?c=d://e"),
            ("http://a.example:8080?b", "/?b"),
            ("https://[::1]:1/", "/"),
            ("https://a.example", "/"),
        ] {
            assert_eq!(target_of(url), target);
        }
        assert_eq!(scheme_and_rest("https://a:1/b://c"), Some(("https", "a:1/b://c")));
        assert_eq!(scheme_and_rest("a.example/b"), None);
    }

    #[test]
    fn ipv6_counts_by_its_64_and_mapped_ipv4_as_ipv4() {
        counted_as("192.0.2.7", "192.0.2.7");
        counted_as("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
        counted_as("2001:db8:1:2::1", "2001:db8:1:2::/64");
        counted_as("::ffff:192.0.2.7", "192.0.2.7");
        assert_eq!(address(None), "unknown");
    }
}
