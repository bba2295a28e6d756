//! The section `routes`: what is asked of a request, by its method and path.

use std::sync::Arc;

use super::{
    check::{each, first_repeated, scope_list},
    claim_rules::{ClaimRule, claim_rules},
    cors::{Cors, cors},
    document::{Document, RouteDocument},
    granted::with_grant,
    grants::RouteGrant,
    header_names::Named,
    limits::LimitPolicy,
    pattern::PathPattern,
    revocation::RevocationPolicy,
    types::{
        Auth, CountBy, CredentialKind, IdentityForm, Preflight, RevocationMode, RouteRevocation,
    },
    upstream::{Destination, Upstream, fixed_answer, upstream},
};
use crate::{client_address::Network, error::Error, jose::verifier::Verifier, json::StrictObject};

/// A sign-in that has to be more recent is over before its page has loaded.
const MIN_AUTH_AGE_SECS: u32 = 60;

/// One route of the policy. The first that matches a request decides.
#[derive(Debug, Clone)]
pub struct Route {
    pub(super) pattern: PathPattern,
    methods: Vec<String>,
    /// Whether a credential is asked for.
    pub auth: Auth,
    /// Which kinds are taken.
    pub accept: Vec<CredentialKind>,
    /// The issuers whose tokens are let through; empty: those of all.
    pub issuers: Vec<String>,
    /// What tokens have to say.
    pub claims: Vec<ClaimRule>,
    /// How long ago a person may have signed in, in seconds; `None`: nobody asks.
    pub max_auth_age_secs: Option<u32>,
    /// The classes of sign-in of which one is needed; empty: any.
    pub acr_values: Vec<String>,
    /// Scopes of which all are needed.
    pub all_scopes: Vec<String>,
    /// Scopes of which one is needed; empty: none.
    pub any_scopes: Vec<String>,
    /// How revocations are looked up here, if not as the policy says.
    pub revocation: Option<RouteRevocation>,
    /// What becomes of CORS preflights.
    pub preflight: Preflight,
    /// Pages of which other origins may read answers.
    pub cors: Option<Arc<Cors>>,
    /// The networks that it is for; empty: all.
    pub ips: Vec<Network>,
    /// What answers its admitted requests, if not what the policy says.
    pub destination: Option<Arc<Destination>>,
    /// What a request takes from each limit.
    pub cost: u32,
    /// How the service is told who is calling, if not as the policy says.
    pub identity: Option<IdentityForm>,
    /// For which audience, if not the policy's.
    pub identity_audience: Option<String>,
    pub(super) limits: Vec<usize>,
}

impl Route {
    /// The path pattern as the policy writes it; it names the route in events and limits.
    #[must_use]
    pub fn path(&self) -> &str {
        self.pattern.as_str()
    }

    /// The account of the caller's that its requests are made with.
    #[must_use]
    pub fn grant(&self) -> Option<&RouteGrant> {
        match self.destination.as_deref()? {
            Destination::Upstream(upstream) => upstream.grant.as_ref(),
            Destination::Answer(_) => None,
        }
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

/// What of the policy routes can name.
pub(super) struct Given<'a> {
    pub(super) limits: &'a [LimitPolicy],
    pub(super) configured: &'a [CredentialKind],
    pub(super) verifier: Option<&'a Verifier>,
    pub(super) named: &'a Named,
}

/// The routes, in the order of the policy.
pub(super) fn routes(
    document: &Document,
    given: &Given<'_>,
    of_policy: Option<&Arc<Cors>>,
) -> Result<Vec<Route>, Error> {
    each("routes", document.routes.iter(), |path, section| {
        let defaults = (document.revocation, document.preflight);
        let route = route(path, section, given, defaults)?;
        let own = match &section.cors {
            Some(own) => Some(cors(&format!("{path}.cors"), own, document.legacy_headers)?),
            None => of_policy.cloned(),
        };
        let destination = destination(path, section, &route.pattern)?;
        let destination = with_grant(path, section, destination, given.named)?.map(Arc::new);
        let preflight = preflight_before(destination.as_deref(), route.preflight);
        Ok(Route { cors: own, preflight, destination, ..route })
    })
}

#[inline(never)]
pub(super) fn route(
    path: &str,
    document: &RouteDocument,
    &Given { limits, configured, verifier, .. }: &Given<'_>,
    (revocation, preflight): (Option<RevocationPolicy>, Preflight),
) -> Result<Route, Error> {
    let pattern = PathPattern::parse(&document.path)
        .map_err(|problem| Error::config(format!("{path}.path"), problem))?;
    let methods = methods(path, document)?;
    let accept = accept(path, document, configured)?;
    let limit_indices = limit_indices(path, document, limits)?;
    let own_limits: Vec<&LimitPolicy> =
        limit_indices.iter().filter_map(|index| limits.get(*index)).collect();
    if document.auth == Auth::None {
        check_open_route(path, document, &own_limits)?;
    } else {
        check_accept(path, document, &accept)?;
    }
    scope_list(&format!("{path}.scopes.all"), &document.scopes.all)?;
    scope_list(&format!("{path}.scopes.any"), &document.scopes.any)?;
    if let Some(index) = first_repeated(document.limits.iter().map(String::as_str)) {
        return Err(Error::config(
            format!("{path}.limits[{index}]"),
            "this limit is listed already",
        ));
    }
    check_tokens_only(path, document)?;
    check_sign_in(path, document)?;
    check_revocation(path, document, revocation)?;
    check_cost(path, document.cost, &own_limits)?;
    if document.ips.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::config(format!("{path}.ips"), "expected a non-empty list"));
    }
    let claims = match &document.claims {
        Some(StrictObject(section)) => claim_rules(&format!("{path}.claims"), section, &pattern)?,
        None => Vec::new(),
    };
    Ok(Route {
        pattern,
        methods,
        auth: document.auth,
        accept,
        issuers: match &document.issuers {
            None => Vec::new(),
            Some(given) => route_issuers(path, given, verifier)?,
        },
        claims,
        max_auth_age_secs: document.max_auth_age_secs,
        acr_values: document.acr_values.clone().unwrap_or_default(),
        all_scopes: document.scopes.all.clone(),
        any_scopes: document.scopes.any.clone(),
        revocation: document.revocation,
        preflight: document.preflight.unwrap_or(preflight),
        cors: None,
        ips: document.ips.clone().unwrap_or_default(),
        destination: None,
        cost: document.cost,
        identity: document.identity,
        identity_audience: document.identity_audience.clone(),
        limits: limit_indices,
    })
}

fn methods(path: &str, document: &RouteDocument) -> Result<Vec<String>, Error> {
    let path = format!("{path}.methods");
    let given = document.methods.as_deref();
    let methods = each(&path, given.unwrap_or_default().iter(), |place, method| {
        let plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if plain {
            Ok(method.clone())
        } else {
            Err(Error::config(place, "expected a method in capitals, like GET"))
        }
    })?;
    if given.is_some_and(<[String]>::is_empty) {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    Ok(methods)
}

/// The kinds of credential that the route takes: by default all that the policy has.
fn accept(
    path: &str,
    document: &RouteDocument,
    configured: &[CredentialKind],
) -> Result<Vec<CredentialKind>, Error> {
    let kinds = document.accept.as_deref().unwrap_or(configured).iter();
    each(&format!("{path}.accept"), kinds, |place, kind| match (configured.contains(kind), kind) {
        (true, kind) => Ok(*kind),
        (false, CredentialKind::Jwt) => Err(Error::config(place, "there are no issuers")),
        (false, CredentialKind::ApiKey) => {
            Err(Error::config(place, "there is no api_keys section"))
        }
    })
}

/// What answers the admitted requests of the route, where it says so.
fn destination(
    path: &str,
    document: &RouteDocument,
    pattern: &PathPattern,
) -> Result<Option<Destination>, Error> {
    Ok(match (&document.upstream, &document.answer) {
        (None, None) => None,
        (Some(section), None) => {
            let upstream = upstream(&format!("{path}.upstream"), section, Some(pattern))?;
            Some(Destination::Upstream(upstream))
        }
        (None, Some(section)) => {
            Some(Destination::Answer(fixed_answer(&format!("{path}.answer"), section)?))
        }
        (Some(_), Some(_)) => {
            let problem = "no upstream is asked where the gate answers, expected one of the two";
            return Err(Error::config(format!("{path}.answer"), problem));
        }
    })
}

/// What becomes of preflights. Where the gate answers, nobody is behind it who could say which methods and headers are taken.
fn preflight_before(destination: Option<&Destination>, wanted: Preflight) -> Preflight {
    match (destination, wanted) {
        (Some(Destination::Answer(_)), Preflight::Pass) => Preflight::Answer,
        // It has no credential, so there is no token to ask with.
        (Some(Destination::Upstream(Upstream { grant: Some(_), .. })), Preflight::Pass) => {
            Preflight::Answer
        }
        (_, wanted) => wanted,
    }
}

/// The issuers of the route, which are some of the policy's, as tokens name them: a template stands for those of its tenants.
#[inline(never)]
fn route_issuers(
    path: &str,
    given: &[String],
    verifier: Option<&Verifier>,
) -> Result<Vec<String>, Error> {
    let path = format!("{path}.issuers");
    if given.is_empty() {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    if let Some(index) = first_repeated(given.iter().map(String::as_str)) {
        return Err(Error::config(format!("{path}[{index}]"), "this issuer is listed already"));
    }
    let named = each(&path, given.iter(), |place, name| {
        let known = verifier.iter().flat_map(|verifier| verifier.issuers());
        let of_rules = known.map(|issuer| &issuer.rules);
        let issuers: Vec<String> = of_rules
            .flat_map(|rules| rules.issuers().filter(|own| rules.issuer == *name || own == name))
            .map(str::to_owned)
            .collect();
        if issuers.is_empty() {
            Err(Error::config(place, "the policy has no such issuer"))
        } else {
            Ok(issuers)
        }
    })?;
    Ok(named.concat())
}

/// A route with one of these fields takes tokens, and nobody without one: a caller who leaves the credential out must not get
/// further than one who shows it.
fn check_tokens_only(path: &str, document: &RouteDocument) -> Result<(), Error> {
    let fields = [
        ("issuers", document.issuers.is_some()),
        ("claims", document.claims.is_some()),
        ("max_auth_age_secs", document.max_auth_age_secs.is_some()),
        ("acr_values", document.acr_values.is_some()),
    ];
    let Some((field, _)) = fields.into_iter().find(|(_, given)| *given) else { return Ok(()) };
    let refused = |problem| Err(Error::config(format!("{path}.{field}"), problem));
    let accept = document.accept.as_deref().unwrap_or_default();
    let takes_keys = accept.contains(&CredentialKind::ApiKey);
    match document.auth {
        Auth::None => refused("a route with auth = none looks at no token"),
        Auth::Optional => refused("who leaves the token out would pass, expected auth = required"),
        Auth::Required if takes_keys => refused("an API key has none, expected accept = [\"jwt\"]"),
        Auth::Required => Ok(()),
    }
}

/// What is asked of a sign-in can be met, and written into a challenge.
fn check_sign_in(path: &str, document: &RouteDocument) -> Result<(), Error> {
    if document.max_auth_age_secs.is_some_and(|secs| secs < MIN_AUTH_AGE_SECS) {
        return Err(Error::config(format!("{path}.max_auth_age_secs"), "expected at least 60"));
    }
    let Some(values) = &document.acr_values else { return Ok(()) };
    let path = format!("{path}.acr_values");
    if values.is_empty() {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    let fits = |value: &String| (1..=200).contains(&value.len()) && value.bytes().all(is_plain);
    match values.iter().position(|value| !fits(value)) {
        Some(index) => {
            let problem =
                "expected 1 to 200 characters of ASCII without spaces, quotes and backslashes";
            Err(Error::config(format!("{path}[{index}]"), problem))
        }
        None => Ok(()),
    }
}

/// Where the limits of the route are in the list of the policy.
fn limit_indices(
    path: &str,
    document: &RouteDocument,
    limits: &[LimitPolicy],
) -> Result<Vec<usize>, Error> {
    each(&format!("{path}.limits"), document.limits.iter(), |place, wanted| {
        limits
            .iter()
            .position(|known| known.limit.name() == wanted)
            .ok_or_else(|| Error::config(place, "no limit has this name"))
    })
}

/// A route with `auth = none` asks for nothing that only a credential could give.
#[inline(never)]
fn check_open_route(
    path: &str,
    document: &RouteDocument,
    limits: &[&LimitPolicy],
) -> Result<(), Error> {
    if document.accept.is_some() {
        let problem = "a route with auth = none accepts none";
        return Err(Error::config(format!("{path}.accept"), problem));
    }
    if !document.scopes.all.is_empty() || !document.scopes.any.is_empty() {
        let problem = "a route with auth = none has no scopes";
        return Err(Error::config(format!("{path}.scopes"), problem));
    }
    let impossible = |known: &&LimitPolicy| known.by.iter().any(CountBy::needs_identity);
    if let Some(index) = limits.iter().position(impossible) {
        let problem = "counts by what a route with auth = none never knows";
        return Err(Error::config(format!("{path}.limits[{index}]"), problem));
    }
    Ok(())
}

/// A route that asks for a credential takes at least one kind.
fn check_accept(
    path: &str,
    document: &RouteDocument,
    accept: &[CredentialKind],
) -> Result<(), Error> {
    if !accept.is_empty() {
        return Ok(());
    }
    let problem = if document.accept.is_some() {
        "expected a non-empty list"
    } else {
        "no credential is accepted: configure issuers or api_keys"
    };
    Err(Error::config(format!("{path}.accept"), problem))
}

/// A route chooses how revocations are looked up only where the policy has a ledger.
fn check_revocation(
    path: &str,
    document: &RouteDocument,
    policy: Option<RevocationPolicy>,
) -> Result<(), Error> {
    if document.revocation.is_none() {
        return Ok(());
    }
    let problem = if document.auth == Auth::None {
        "a route with auth = none has nothing to revoke"
    } else if policy.is_none_or(|policy| policy.mode == RevocationMode::Entries) {
        "expected revocation.mode = snapshot or ledger"
    } else {
        return Ok(());
    };
    Err(Error::config(format!("{path}.revocation"), problem))
}

/// Each limit of the route can give what a request costs.
fn check_cost(path: &str, cost: u32, limits: &[&LimitPolicy]) -> Result<(), Error> {
    let refused = |problem| Err(Error::config(format!("{path}.cost"), problem));
    if cost == 0 {
        return refused("expected at least 1");
    }
    for known in limits {
        if cost > known.limit.capacity() {
            return refused("costs more than one of its limits ever allows");
        }
        if cost != 1 && known.store.rules().says_only_yes_or_no {
            return refused("a rate-limiting binding counts every request as one");
        }
    }
    Ok(())
}

/// What decides where no route matches: a credential of any configured kind is required.
pub(super) fn fallback(
    configured: Vec<CredentialKind>,
    preflight: Preflight,
    cors: Option<Arc<Cors>>,
) -> Result<Route, Error> {
    let pattern = PathPattern::parse("/*").map_err(|problem| Error::config("", problem))?;
    Ok(Route {
        pattern,
        methods: Vec::new(),
        auth: Auth::Required,
        accept: configured,
        issuers: Vec::new(),
        claims: Vec::new(),
        max_auth_age_secs: None,
        acr_values: Vec::new(),
        all_scopes: Vec::new(),
        any_scopes: Vec::new(),
        revocation: None,
        preflight,
        cors,
        ips: Vec::new(),
        destination: None,
        cost: 1,
        identity: None,
        identity_audience: None,
        limits: Vec::new(),
    })
}
