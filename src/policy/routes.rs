//! The section `routes`: what is asked of a request, by its method and path.

use super::{
    Auth, CountBy, CredentialKind, LimitPolicy, LimitStore, Preflight, RevocationMode,
    RevocationPolicy, RouteRevocation,
    check::{each, scope_list},
    document::{self, RouteDocument},
    pattern::PathPattern,
};
use crate::error::Error;

/// One route of the policy. The first that matches a request decides.
#[derive(Debug, Clone)]
pub struct Route {
    pub(super) pattern: PathPattern,
    methods: Vec<String>,
    /// Whether a credential is asked for.
    pub auth: Auth,
    /// Which kinds are taken.
    pub accept: Vec<CredentialKind>,
    /// Scopes of which all are needed.
    pub all_scopes: Vec<String>,
    /// Scopes of which one is needed; empty: none.
    pub any_scopes: Vec<String>,
    /// How revocations are looked up here, if not as the policy says.
    pub revocation: Option<RouteRevocation>,
    /// What becomes of CORS preflights.
    pub preflight: Preflight,
    /// What a request takes from each limit.
    pub cost: u32,
    pub(super) limits: Vec<usize>,
}

impl Route {
    /// The path pattern as the policy writes it; it names the route in events and limits.
    #[must_use]
    pub fn path(&self) -> &str {
        self.pattern.as_str()
    }

    /// A route for GET is one for HEAD too: services answer both from the same handler.
    pub(super) fn takes_method(&self, method: &str) -> bool {
        self.methods.is_empty()
            || self.methods.iter().any(|own| own == method || (own == "GET" && method == "HEAD"))
    }

    /// Whether every method that `other` takes is taken here too.
    pub(super) fn takes_methods_of(&self, other: &Self) -> bool {
        if other.methods.is_empty() {
            self.methods.is_empty()
        } else {
            other.methods.iter().all(|method| self.takes_method(method))
        }
    }
}

pub(super) fn route(
    path: &str,
    document: &RouteDocument,
    limits: &[LimitPolicy],
    configured: &[CredentialKind],
    (revocation, preflight): (Option<RevocationPolicy>, Preflight),
) -> Result<Route, Error> {
    let pattern = PathPattern::parse(&document.path)
        .map_err(|problem| Error::config(format!("{path}.path"), problem))?;
    let methods = each(
        &format!("{path}.methods"),
        document.methods.as_deref().unwrap_or_default().iter(),
        |place, method| {
            let plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
            if plain {
                Ok(method.clone())
            } else {
                Err(Error::config(place, "expected a method in capitals, like GET"))
            }
        },
    )?;
    if document.methods.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::config(format!("{path}.methods"), "expected a non-empty list"));
    }
    let accept = each(
        &format!("{path}.accept"),
        document.accept.as_deref().unwrap_or(configured).iter(),
        |place, kind| match (configured.contains(kind), kind) {
            (true, kind) => Ok(*kind),
            (false, CredentialKind::Jwt) => Err(Error::config(place, "there are no issuers")),
            (false, CredentialKind::ApiKey) => {
                Err(Error::config(place, "there is no api_keys section"))
            }
        },
    )?;
    let limit_indices =
        each(&format!("{path}.limits"), document.limits.iter(), |place, wanted| {
            limits
                .iter()
                .position(|known| known.limit.name() == wanted)
                .ok_or_else(|| Error::config(place, "no limit has this name"))
        })?;
    if document.auth == Auth::None {
        if document.accept.is_some() {
            return Err(Error::config(
                format!("{path}.accept"),
                "a route with auth = none accepts none",
            ));
        }
        if !document.scopes.all.is_empty() || !document.scopes.any.is_empty() {
            return Err(Error::config(
                format!("{path}.scopes"),
                "a route with auth = none has no scopes",
            ));
        }
        let impossible = limit_indices.iter().position(|index| {
            limits.get(*index).is_some_and(|known| known.by.iter().any(CountBy::needs_identity))
        });
        if let Some(index) = impossible {
            let problem = "counts by what a route with auth = none never knows";
            return Err(Error::config(format!("{path}.limits[{index}]"), problem));
        }
    } else if document.accept.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::config(format!("{path}.accept"), "expected a non-empty list"));
    } else if accept.is_empty() {
        return Err(Error::config(
            format!("{path}.accept"),
            "no credential is accepted: configure issuers or api_keys",
        ));
    }
    scope_list(&format!("{path}.scopes.all"), &document.scopes.all)?;
    scope_list(&format!("{path}.scopes.any"), &document.scopes.any)?;
    if let Some(index) = document::first_repeated(document.limits.iter().map(String::as_str)) {
        return Err(Error::config(
            format!("{path}.limits[{index}]"),
            "this limit is listed already",
        ));
    }
    if document.revocation.is_some() {
        let place = || format!("{path}.revocation");
        if document.auth == Auth::None {
            return Err(Error::config(place(), "a route with auth = none has nothing to revoke"));
        }
        if revocation.is_none_or(|policy| policy.mode == RevocationMode::Entries) {
            return Err(Error::config(place(), "expected revocation.mode = snapshot or ledger"));
        }
    }
    if document.cost == 0 {
        return Err(Error::config(format!("{path}.cost"), "expected at least 1"));
    }
    for known in limit_indices.iter().filter_map(|index| limits.get(*index)) {
        if document.cost > known.limit.capacity() {
            let problem = "costs more than one of its limits ever allows";
            return Err(Error::config(format!("{path}.cost"), problem));
        }
        if document.cost != 1 && matches!(known.store, LimitStore::Binding(_)) {
            let problem = "a rate-limiting binding counts every request as one";
            return Err(Error::config(format!("{path}.cost"), problem));
        }
    }
    Ok(Route {
        pattern,
        methods,
        auth: document.auth,
        accept,
        all_scopes: document.scopes.all.clone(),
        any_scopes: document.scopes.any.clone(),
        revocation: document.revocation,
        preflight: document.preflight.unwrap_or(preflight),
        cost: document.cost,
        limits: limit_indices,
    })
}

/// What decides where no route matches: a credential of any configured kind is required.
pub(super) fn fallback(
    configured: Vec<CredentialKind>,
    preflight: Preflight,
) -> Result<Route, Error> {
    let pattern = PathPattern::parse("/*").map_err(|problem| Error::config("", problem))?;
    Ok(Route {
        pattern,
        methods: Vec::new(),
        auth: Auth::Required,
        accept: configured,
        all_scopes: Vec::new(),
        any_scopes: Vec::new(),
        revocation: None,
        preflight,
        cost: 1,
        limits: Vec::new(),
    })
}
