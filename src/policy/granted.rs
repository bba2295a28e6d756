//! Reads the field `grant` of a route, and holds it against where the route leads and who may come.

use super::{
    Auth, CredentialKind, LoginPolicy, Route,
    document::{GrantDocument, RouteDocument},
    grants::RouteGrant,
    header_names::Named,
    upstream::{Address, Destination},
};
use crate::{error::Error, jose::http_host::may_publish_keys};

/// Puts the grant of a route into where it goes.
pub(super) fn with_grant(
    path: &str,
    document: &RouteDocument,
    destination: Option<Destination>,
    named: &Named,
) -> Result<Option<Destination>, Error> {
    match &document.grant {
        None => Ok(destination),
        Some(given) => put_into(destination, path, (document, given), named).map(Some),
    }
}

#[inline(never)]
fn put_into(
    destination: Option<Destination>,
    path: &str,
    (document, given): (&RouteDocument, &GrantDocument),
    named: &Named,
) -> Result<Destination, Error> {
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
    Ok(Destination::Upstream(upstream))
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
