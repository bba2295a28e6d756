//! The field `grant` of a route: requests are made with the caller's own account at a provider.
//!
//! The route is the list of what may be called: its path, its methods, and the one host of its `upstream`. Nothing else gets the token.

use super::{
    Auth, CredentialKind, LoginPolicy, Route,
    document::{GrantDocument, RouteDocument},
    header_names::{HeaderName, Named, folds_alike},
    upstream::{Address, Destination},
};
use crate::{error::Error, jose::http_host::may_publish_keys};

/// By which account a request is made, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteGrant {
    /// The provider's id in `login.providers`.
    pub provider: String,
    /// The header that the service behind the gate gets the token in; `None`: it goes to the provider itself, as
    /// `Authorization: Bearer`.
    pub header: Option<HeaderName>,
    /// Headers of the caller that the provider gets beside those of [`PASSED`].
    pass_headers: Vec<String>,
}

/// The header by which a caller with several accounts at a provider names one.
pub const ACCOUNT_HEADER: &str = "X-Grant-Account";

/// The longest name of an account.
pub const MAX_ACCOUNT_LENGTH: usize = 255;

/// Headers of the caller that a provider gets. All others are about the caller and the gate: cookies, credentials, addresses.
const PASSED: [&str; 15] = [
    "accept",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "user-agent",
];

/// What an answer of a provider must not tell the caller's browser: it comes under the gate's own name. Empty: it is taken out.
pub const ANSWER_FIELDS: [(&str, &str); 16] = [
    ("Set-Cookie", ""),
    ("Clear-Site-Data", ""),
    ("Strict-Transport-Security", ""),
    ("Service-Worker-Allowed", ""),
    ("Refresh", ""),
    ("Access-Control-Allow-Origin", ""),
    ("Access-Control-Allow-Credentials", ""),
    ("Access-Control-Expose-Headers", ""),
    ("Alt-Svc", ""),
    ("NEL", ""),
    ("Report-To", ""),
    ("Reporting-Endpoints", ""),
    ("Link", ""),
    // A 401 of the provider's is not the gate's own: it asks the browser and its programs for nothing.
    ("WWW-Authenticate", ""),
    // What it sends is data, also where it says that it is a page.
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
];

impl RouteGrant {
    /// Whether the provider or service gets a header of the caller. `name` is in small letters.
    #[must_use]
    pub fn passes(&self, name: &str) -> bool {
        match &self.header {
            // Servers take other spellings for the same name.
            Some(own) => !folds_alike(name, own.as_str()) && !folds_alike(name, ACCOUNT_HEADER),
            None => PASSED.contains(&name) || self.pass_headers.iter().any(|own| own == name),
        }
    }
}

/// Puts the grant of a route into where it goes.
#[inline(never)]
pub(super) fn with_grant(
    path: &str,
    document: &RouteDocument,
    destination: Option<Destination>,
    named: &Named,
) -> Result<Option<Destination>, Error> {
    let Some(given) = &document.grant else { return Ok(destination) };
    let path = format!("{path}.grant");
    let refused = |problem: &str| Err(Error::config(path.clone(), problem));
    if document.auth != Auth::Required {
        return refused("asks whose account it is, expected auth = \"required\"");
    }
    let accept = document.accept.as_deref();
    if accept.is_some_and(|kinds| !kinds.contains(&CredentialKind::Jwt)) {
        return refused("is for whoever is logged in, expected jwt in accept");
    }
    let Some(Destination::Upstream(mut upstream)) = destination else {
        return refused("expected an upstream on the same route");
    };
    let grant = grant(&path, given, named)?;
    if grant.header.is_none() {
        let Address::Url(url) = &upstream.address else {
            return refused(
                "goes to the provider, expected the URL of its API as upstream, or header",
            );
        };
        // Whoever reads the way there has the account.
        if !may_publish_keys(url, true) {
            return refused("goes to the provider, expected an https URL as upstream");
        }
        if document.methods.is_none() {
            return refused("goes to the provider, expected methods on the same route");
        }
    }
    upstream.grant = Some(grant);
    Ok(Some(Destination::Upstream(upstream)))
}

fn grant(path: &str, document: &GrantDocument, named: &Named) -> Result<RouteGrant, Error> {
    let section = match document {
        GrantDocument::Provider(provider) => {
            let provider = provider.clone();
            return Ok(RouteGrant { provider, header: None, pass_headers: Vec::new() });
        }
        GrantDocument::Section(section) => section,
    };
    let header = section.header.as_deref();
    let header = header.map(|name| named.of_grant(&format!("{path}.header"), name)).transpose()?;
    if header.is_some() && !section.pass_headers.is_empty() {
        let problem = "a service gets what every service gets, expected no header beside it";
        return Err(Error::config(format!("{path}.pass_headers"), problem));
    }
    let pass = section.pass_headers.iter().enumerate();
    let pass_headers = pass
        .map(|(at, name)| named.of_grant(&format!("{path}.pass_headers[{at}]"), name))
        .map(|name| name.map(|name| name.as_str().to_ascii_lowercase()))
        .collect::<Result<_, _>>()?;
    Ok(RouteGrant { provider: section.provider.clone(), header, pass_headers })
}

/// Whether each route with a grant names a provider of `login`.
pub(super) fn check_grants(routes: &[Route], login: Option<&LoginPolicy>) -> Result<(), Error> {
    for (at, route) in routes.iter().enumerate() {
        let Some(grant) = route.grant() else { continue };
        let path = format!("routes[{at}].grant");
        let Some(login) = login else {
            return Err(Error::config(path, "needs the section login"));
        };
        if login.provider(&grant.provider).is_none() {
            return Err(Error::config(path, "login.providers has no such provider"));
        }
    }
    Ok(())
}
