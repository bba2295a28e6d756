//! The parts of a request that the guard decides on.

use std::borrow::Cow;

use web_sys::Request;

use super::host::{Names, RequestLines};
use edgegate::{
    client_address::{ClientAddress, ClientIpHeader},
    error::Error,
    guard,
    http::forward_auth::AskedAbout,
    policy::Policy,
    session::csrf::Provenance,
};

/// Which headers are read, in the order in which [`RequestParts`] takes them.
#[derive(Debug)]
pub(super) struct HeaderNames {
    /// Of a request itself.
    pub(super) own: Names,
    /// Of one that asks about another.
    pub(super) forwarded: Names,
}

impl HeaderNames {
    pub(super) fn of(policy: &Policy) -> Self {
        let credentials = |client_ip| {
            let reads_browsers = policy.reads_browsers();
            let cookie = reads_browsers.then_some("Cookie");
            let own = policy.credential_headers.iter().map(|header| header.name.as_str());
            let origin = (policy.has_cors() || reads_browsers).then_some("Origin");
            let page = ["Sec-Fetch-Site", "Upgrade", "Sec-WebSocket-Version"];
            let page = page.into_iter().filter(move |_| reads_browsers);
            let always = ["Authorization", "DPoP", policy.api_key_header.as_str(), client_ip];
            always.into_iter().chain(cookie).chain(own).chain(origin).chain(page)
        };
        let asked_about = [
            "X-Forwarded-Method",
            "X-Forwarded-Uri",
            "X-Original-Method",
            "X-Original-URI",
            "X-Original-URL",
        ];
        let by_proxy = credentials(policy.forward_auth.client_ip_header.name.as_str());
        Self {
            own: Names::new(credentials(&policy.client_ip_header.name)),
            forwarded: Names::new(asked_about.into_iter().chain(by_proxy)),
        }
    }
}

/// A request as the guard sees it; [`RequestParts::as_request`] lends it.
pub(super) struct RequestParts<'a> {
    pub(super) method: &'a str,
    /// The path with its query.
    pub(super) target: &'a str,
    /// The URL that the client asked for, if it is known.
    url: Option<Cow<'a, str>>,
    credentials: Credentials<'a>,
    /// The field of the policy that names the address header.
    address_from: &'static str,
    /// The method that a CORS preflight asks for.
    preflight: Option<String>,
    /// Whether a redirect reaches the client.
    gives_redirects: bool,
}

/// The headers that say who it is.
struct Credentials<'a> {
    authorization: Option<&'a str>,
    dpop: Option<&'a str>,
    api_key: Option<&'a str>,
    address: ClientAddress,
    cookie: Option<&'a str>,
    /// Of other proxies, as the policy lists them.
    of_proxies: Vec<Option<&'a str>>,
    /// The page that asks, where the policy has `cors` or reads what browsers say.
    origin: Option<&'a str>,
    /// `Sec-Fetch-Site` and `Upgrade`, where it reads that.
    fetch_site: Option<&'a str>,
    upgrade: Option<&'a str>,
    /// `Sec-WebSocket-Version`: proxies that ask about a WebSocket keep `Upgrade` to themselves, but not this.
    websocket: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    fn of(
        headers: &mut impl Iterator<Item = Option<&'a str>>,
        client_ip_header: &ClientIpHeader,
        policy: &Policy,
    ) -> Self {
        let mut next = || headers.next().flatten();
        let reads_browsers = policy.reads_browsers();
        Self {
            authorization: next(),
            dpop: next(),
            api_key: next(),
            address: client_ip_header.read(next()),
            cookie: if reads_browsers { next() } else { None },
            of_proxies: policy.credential_headers.iter().map(|_| next()).collect(),
            origin: if policy.has_cors() || reads_browsers { next() } else { None },
            fetch_site: if reads_browsers { next() } else { None },
            upgrade: if reads_browsers { next() } else { None },
            websocket: if reads_browsers { next() } else { None },
        }
    }
}

impl<'a> RequestParts<'a> {
    /// The parts of a request itself. `lines` has the headers [`HeaderNames::own`]; `target` is the path with its query
    /// ([`guard::target_of`]).
    pub(super) fn of(
        request: &Request,
        lines: &'a RequestLines,
        target: &'a str,
        policy: &Policy,
    ) -> Self {
        let method = lines.method();
        Self {
            method,
            target,
            url: Some(Cow::Borrowed(lines.url())),
            credentials: Credentials::of(&mut lines.headers(), &policy.client_ip_header, policy),
            address_from: "client_ip_header",
            preflight: preflight_of(method, request),
            gives_redirects: true,
        }
    }

    /// The parts of the request that another proxy asks about (forward-auth). `lines` has the headers
    /// [`HeaderNames::forwarded`].
    ///
    /// Scheme and host come from the policy: in a header they may be the client's own words.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] as [`AskedAbout::request`].
    pub(super) fn of_forwarded(
        request: &Request,
        lines: &'a RequestLines,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let mut headers = lines.headers();
        let mut next = || headers.next().flatten();
        let asked = AskedAbout {
            forwarded_method: next(),
            forwarded_uri: next(),
            original_method: next(),
            original_uri: next(),
            original_url: next(),
        };
        let (method, target) = asked.request()?;
        let forward_auth = &policy.forward_auth;
        Ok(Self {
            method,
            target,
            url: forward_auth.origin.as_ref().map(|origin| format!("{origin}{target}").into()),
            credentials: Credentials::of(&mut headers, &forward_auth.client_ip_header, policy),
            address_from: "forward_auth.client_ip_header",
            preflight: preflight_of(method, request),
            gives_redirects: asked.gives_redirects(),
        })
    }

    /// The same, lent to the guard.
    pub(super) fn as_request(&self) -> guard::Request<'_> {
        guard::Request {
            method: self.method,
            path: self.target,
            authorization: self.credentials.authorization,
            dpop: self.credentials.dpop,
            url: self.url.as_deref(),
            api_key: self.credentials.api_key,
            cookie: self.credentials.cookie,
            credential_headers: &self.credentials.of_proxies,
            client_ip: self.credentials.address.known(),
            preflight: self.preflight.as_deref(),
            provenance: Provenance {
                fetch_site: self.credentials.fetch_site,
                origin: self.credentials.origin,
                upgrades: self.credentials.upgrade.or(self.credentials.websocket).is_some(),
            },
        }
    }

    /// The URL that the client asked for; empty if it is not known.
    pub(super) fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }

    /// Whether a redirect reaches the client: some proxies that ask about a request cannot give it to them.
    pub(super) const fn gives_redirects(&self) -> bool {
        self.gives_redirects
    }

    /// The `Cookie` header, where the policy has a cookie.
    pub(super) const fn cookie(&self) -> Option<&'a str> {
        self.credentials.cookie
    }

    /// The origin of the page that asks, where the policy has `cors` or reads cookies.
    pub(super) const fn origin(&self) -> Option<&'a str> {
        self.credentials.origin
    }

    /// The client's address as far as it is known, and the field of the policy that names its header.
    pub(super) const fn address(&self) -> (ClientAddress, &'static str) {
        (self.credentials.address, self.address_from)
    }
}

/// A header's value, if it is there and not empty.
pub(super) fn header(headers: &web_sys::Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten().filter(|value| !value.is_empty())
}

/// The path without query.
pub(super) fn path_of(target: &str) -> &str {
    let end = target.bytes().position(|byte| matches!(byte, b'?' | b'#'));
    end.and_then(|end| target.get(..end)).unwrap_or(target)
}

/// The method that a CORS preflight asks for. Only `OPTIONS` is worth reading two more headers.
fn preflight_of(method: &str, request: &Request) -> Option<String> {
    if method != "OPTIONS" {
        return None;
    }
    let headers = request.headers();
    let requested = header(&headers, "Access-Control-Request-Method");
    let preflight =
        guard::preflight_of(method, header(&headers, "Origin").as_deref(), requested.as_deref());
    preflight.map(str::to_owned)
}
