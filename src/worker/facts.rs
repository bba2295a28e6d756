//! What the guard looks at, taken from a request of the runtime.

use core::net::IpAddr;

use web_sys::{Headers, Request};

use crate::{error::Error, guard, policy::Policy};

/// A request as the guard sees it. It owns its strings; [`Facts::as_request`] lends them.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) method: String,
    /// The path with its query.
    pub(super) target: String,
    /// The URL that the client asked for, if it is known.
    url: Option<String>,
    authorization: Option<String>,
    dpop: Option<String>,
    api_key: Option<String>,
    cookie: Option<String>,
    client_ip: Option<IpAddr>,
    preflight: bool,
}

impl Facts {
    /// The facts of a request itself; `target` is its path with its query ([`guard::target_of`]).
    pub(super) fn of(request: &Request, target: String, policy: &Policy) -> Self {
        let headers = request.headers();
        let method = request.method();
        Self {
            target,
            client_ip: address(&headers, &policy.client_ip_header),
            preflight: is_preflight(&method, &headers),
            url: Some(request.url()),
            authorization: header(&headers, "Authorization"),
            dpop: header(&headers, "DPoP"),
            api_key: header(&headers, "X-API-Key"),
            cookie: policy.cookie.as_ref().and_then(|_| header(&headers, "Cookie")),
            method,
        }
    }

    /// The facts of the request that another proxy asks about (forward-auth).
    ///
    /// Traefik and others name it in `X-Forwarded-Method` and `X-Forwarded-Uri`, nginx by convention in
    /// `X-Original-Method` and `X-Original-URI`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] without them, or with both and different: a proxy sets only its own
    /// pair, so the other one came from the client, who must not choose what is asked about.
    pub(super) fn of_forwarded(request: &Request, policy: &Policy) -> Result<Self, Error> {
        let headers = request.headers();
        let pair = |method: &str, uri: &str| {
            let (method, uri) = (header(&headers, method), header(&headers, uri));
            match (method, uri) {
                (Some(method), Some(uri)) => Ok(Some((method, path_of_uri(&uri)))),
                (None, None) => Ok(None),
                _ => Err(Error::InvalidRequest("one of the forwarded method and URI is missing")),
            }
        };
        let forwarded = pair("X-Forwarded-Method", "X-Forwarded-Uri")?;
        let original = pair("X-Original-Method", "X-Original-URI")?;
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
        if !plain {
            return Err(Error::InvalidRequest("expected a method in capitals"));
        }
        Ok(Self {
            preflight: is_preflight(&method, &headers),
            url: forwarded_url(&headers, &target),
            dpop: header(&headers, "DPoP"),
            method,
            target,
            client_ip: address(&headers, &policy.forward_auth_client_ip_header),
            authorization: header(&headers, "Authorization"),
            api_key: header(&headers, "X-API-Key"),
            cookie: policy.cookie.as_ref().and_then(|_| header(&headers, "Cookie")),
        })
    }

    /// The same, lent to the guard.
    pub(super) fn as_request(&self) -> guard::Request<'_> {
        guard::Request {
            method: &self.method,
            path: &self.target,
            authorization: self.authorization.as_deref(),
            dpop: self.dpop.as_deref(),
            url: self.url.as_deref(),
            api_key: self.api_key.as_deref(),
            cookie: self.cookie.as_deref(),
            client_ip: self.client_ip,
            preflight: self.preflight,
        }
    }
}

/// A header's value, if it is there and not empty.
pub(super) fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten().filter(|value| !value.is_empty())
}

/// The path without query.
pub(super) fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// `X-Forwarded-Uri` is a path with query; some proxies send the whole URL.
fn path_of_uri(uri: &str) -> String {
    if uri.starts_with("http://") || uri.starts_with("https://") {
        guard::target_of(uri)
    } else {
        uri.to_owned()
    }
}

/// The URL that the client asked the other proxy for, if that says so in `X-Forwarded-Proto` and `X-Forwarded-Host`.
fn forwarded_url(headers: &Headers, target: &str) -> Option<String> {
    let scheme = header(headers, "X-Forwarded-Proto")?;
    let host = header(headers, "X-Forwarded-Host")?;
    Some(format!("{scheme}://{host}{target}"))
}

/// The first address of a header: where proxies append, the first is the client's, and the policy
/// names only headers that callers cannot set.
fn address(headers: &Headers, name: &str) -> Option<IpAddr> {
    let value = header(headers, name)?;
    let first = value.split(',').next()?.trim();
    first.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A CORS preflight (Fetch standard, "CORS-preflight request").
fn is_preflight(method: &str, headers: &Headers) -> bool {
    method == "OPTIONS"
        && header(headers, "Origin").is_some()
        && header(headers, "Access-Control-Request-Method").is_some()
}
