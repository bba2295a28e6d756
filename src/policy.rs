//! What the gate is told to do: read once, validated as a whole, then only looked up.
//!
//! A [`Policy`] exists only if all of it holds together: every secret is there and long enough, every
//! name that is used is defined, every route can be reached. Faults name their place
//! (`issuers[1].audience: expected a non-empty list`).

mod accounts;
mod admin;
mod api_keys;
mod check;
mod claim_rules;
mod cors;
mod credential_headers;
#[cfg(feature = "describe")]
mod described;
mod document;
mod encoding;
mod exempt;
mod forward_auth;
mod granted;
mod grants;
mod header_names;
mod identity_headers;
mod issuers;
mod limit_store;
mod limits;
mod login;
mod needs;
mod pages;
mod path;
mod pattern;
mod revocation;
mod router;
mod routes;
#[cfg(feature = "describe")]
mod schemas;
mod scope_includes;
mod secret_documents;
mod security_headers;
mod sessions;
mod sink;
mod source;
mod types;
mod upstream;
mod watch;

#[cfg(feature = "describe")]
pub use self::described::described;
pub(crate) use self::header_names::{
    ADDRESSES, KEPT_FAMILIES, OVERRIDING, fold, folded, folds_alike,
};
pub use self::issuers::{ISSUER_OPTIONS, IssuerOptions, OptionNames, Spelling, algorithms_named};
pub use self::{
    accounts::{AccountPolicy, MailPolicy, MailRoute, PasskeyPolicy, Registration},
    admin::{AdminPolicy, Administrator, Role},
    api_keys::{ApiKeyPolicy, PrefixPolicy},
    claim_rules::ClaimRule,
    cors::Cors,
    credential_headers::CredentialHeader,
    exempt::Exempt,
    forward_auth::ForwardAuth,
    grants::{ACCOUNT_HEADER, ANSWER_FIELDS, MAX_ACCOUNT_LENGTH, RouteGrant},
    header_names::{API_KEY_HEADER, HeaderName},
    identity_headers::IdentityHeader,
    limit_store::{LimitStore, StoreNeeds, StoreRules},
    limits::{FailedAuthentication, LimitPolicy, LookUps, is_of_failures},
    login::{ClientSecret, LoginPolicy, Provider, ProviderEndpoints, ProviderLocation},
    needs::{Binding, Need},
    path::RequestPath,
    pattern::PathPattern,
    revocation::RevocationPolicy,
    routes::Route,
    scope_includes::ScopeIncludes,
    security_headers::{SecurityHeaders, is_https},
    sessions::{BrowserSessions, SessionPolicy},
    sink::{Sink, SinkTarget},
    source::{DEFAULT_RELOAD_SECS, MAX_POLICY_LENGTH, PolicySource, Reloading, Turn},
    types::{
        Auth, Beside, Cache, CacheSecs, CountBy, CredentialKind, Csrf, Https, IdentityForm,
        KeyFormat, Log, OnError, PathCase, Preflight, Records, Replays, RevocationMode,
        RouteRevocation, SecondFactor,
    },
    upstream::{Address, Destination, FixedAnswer, Upstream},
    watch::{Audit, WatchPolicy},
};
use self::{
    api_keys::api_keys,
    check::{secret_of, token},
    cors::cors,
    credential_headers::credential_headers,
    document::Document,
    forward_auth::{client_ip_header, forward_auth},
    granted::check_grants,
    header_names::Named,
    identity_headers::identity_headers,
    issuers::{read_issuers, verifier},
    limits::{failed_authentication, limits},
    pages::pages,
    revocation::revocation,
    router::{Router, router},
    routes::{Given, fallback, routes},
    security_headers::security_headers,
    upstream::upstream,
};
use core::cell::RefCell;
use std::sync::Arc;

use crate::{
    client_address::ClientIpHeader,
    error::Error,
    jose::{
        http_host::may_publish_keys,
        keys::sealed::Seal,
        verifier::{Issuer, Verifier},
    },
    page::Look,
    secret::Secret,
};

/// Where secrets are looked up by name: secret bindings on Workers, an object in JavaScript.
pub trait Secrets {
    /// The secret of that name, or `None` if there is none.
    fn secret(&self, name: &str) -> Option<Secret>;

    /// Whether that is the secret itself. Where a policy is only looked at, something may stand in for one that is not there: its
    /// length is right, and its form is not.
    fn is_known(&self, name: &str) -> bool {
        let _ = name;
        true
    }
}

/// Secrets, and the names that were asked for: the secrets of administrators may be none of those.
struct RecordedSecrets<'s> {
    all: &'s dyn Secrets,
    asked: RefCell<Vec<String>>,
}

impl RecordedSecrets<'_> {
    fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

impl Secrets for RecordedSecrets<'_> {
    fn secret(&self, name: &str) -> Option<Secret> {
        self.asked.borrow_mut().push(name.to_owned());
        self.all.secret(name)
    }

    fn is_known(&self, name: &str) -> bool {
        self.all.is_known(name)
    }
}

/// A validated policy.
#[derive(Debug)]
pub struct Policy {
    /// Where admitted requests go, where their route does not say. `None`: to the service binding, or the gate answers itself.
    pub upstream: Option<Upstream>,
    /// Whether the credential travels on to the upstream. Off by default.
    pub forward_credential: bool,
    /// Where the gate's own endpoints live, `/auth` by default.
    pub auth_prefix: String,
    /// The name of a cookie that may carry a token.
    pub cookie: Option<String>,
    /// Headers in which other proxies hand tokens on.
    pub credential_headers: Vec<CredentialHeader>,
    /// The header that holds API keys, `X-API-Key` by default.
    pub api_key_header: HeaderName,
    /// Claims that the service is told in headers.
    pub identity_headers: Vec<IdentityHeader>,
    /// The header that holds the caller's address, `CF-Connecting-IP` by default: the platform sets
    /// it, callers cannot.
    pub client_ip_header: ClientIpHeader,
    /// How other proxies ask about their requests.
    pub forward_auth: ForwardAuth,
    /// How the gate's own pages look and speak.
    pub pages: Look,
    /// Whether the gate keeps answers to known callers out of shared caches.
    pub cache: Cache,
    /// Pages of which other origins may read answers, where no route says otherwise; `None`: the gate says nothing about it.
    pub cors: Option<Arc<Cors>>,
    /// What becomes of requests over plain http; `None`: they are as good as others.
    pub https: Option<Https>,
    /// What every answer gets that does not have it.
    pub security_headers: SecurityHeaders,
    /// Where the metadata of the protected resource is, which refusals of credentials name (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// Whether `X-RateLimit-*` is sent beside the standard fields.
    pub legacy_headers: bool,
    /// Which decisions are written to the event log.
    pub log: Log,
    /// Token verification; `None` if no issuer is configured.
    pub verifier: Option<Verifier>,
    /// Scopes that others include.
    pub scope_includes: ScopeIncludes,
    /// Where used proofs of possession are remembered.
    pub replays: Replays,
    /// Seals the keys of issuers with `jwks_uri` for KV, where all isolates find them; `None`: each
    /// isolate fetches for itself.
    pub jwks_cache: Option<Seal>,
    /// API keys; `None` if the gate takes none.
    pub api_keys: Option<ApiKeyPolicy>,
    /// Revocation; `None` if nothing can be revoked.
    pub revocation: Option<RevocationPolicy>,
    /// The limit on failed authentication, by address; `None` if it is switched off.
    pub failed_authentication: Option<FailedAuthentication>,
    /// Who administers the gate; `None`: the administration endpoints do not exist.
    pub admin: Option<AdminPolicy>,
    /// The gate's own origin, as browsers write it. `None`: only a loopback host counts as its own.
    pub origin: Option<Arc<str>>,
    /// Whether the CSRF rule holds for [`Policy::cookie`].
    pub csrf: Csrf,
    /// How services are told who is calling, where their route does not say.
    pub identity: IdentityForm,
    /// For which audience, where it is not the upstream's origin.
    pub identity_audience: Option<String>,
    /// The gate's own sessions; `None`: it has none.
    pub sessions: Option<SessionPolicy>,
    /// Logins with others; `None`: there are none.
    pub login: Option<LoginPolicy>,
    /// Accounts with passwords; `None`: there are none.
    pub accounts: Option<AccountPolicy>,
    /// What is counted and looked at, and who is told; `None`: nothing.
    pub watch: Option<WatchPolicy>,
    limits: Vec<LimitPolicy>,
    /// Whether the policy or one of its routes has `cors`.
    has_cors: bool,
    routes: Router,
    fallback: Route,
}

impl Policy {
    /// Reads and validates a policy.
    ///
    /// # Errors
    /// [`Error::Config`] for the first fault, with its path.
    pub fn from_json(json: &str, secrets: &dyn Secrets) -> Result<Self, Error> {
        Self::from_document(&mut document::read(json)?, secrets)
    }

    fn from_document(document: &mut Document, secrets: &dyn Secrets) -> Result<Self, Error> {
        let secrets = &RecordedSecrets { all: secrets, asked: RefCell::default() };
        let issuers = read_issuers(core::mem::take(&mut document.issuers))?;
        let limits = limits(document, &issuers)?;
        let scope_includes =
            ScopeIncludes::read("scope_includes", core::mem::take(&mut document.scope_includes).0)?;
        let sessions = sessions::sessions(document, secrets)?;
        let login = login::login(document, sessions.as_ref(), secrets)?;
        let accounts = accounts::accounts(document, sessions.as_ref(), secrets)?;
        let verifier = verifier(issuers, document.max_token_length, secrets, sessions.as_ref())?;
        let api_keys = api_keys(document, secrets)?;
        let client_ip_header = client_ip_header(document)?;
        let forward_auth = forward_auth(document, verifier.as_ref())?;
        let addresses = [&client_ip_header, &forward_auth.client_ip_header];
        let mut named = Named::new(addresses.into_iter().map(|header| header.name.as_str()));
        let api_key_header =
            named.api_key(document.api_keys.as_ref().and_then(|keys| keys.header.as_deref()))?;
        let credential_headers =
            credential_headers(&document.credential_headers, verifier.as_ref(), &mut named)?;
        let identity_headers =
            identity_headers(&document.identity_headers, verifier.is_some(), &mut named)?;
        let configured = credential_kinds(verifier.is_some(), api_keys.is_some());
        let cors = document.cors.as_ref();
        let cors =
            cors.map(|section| self::cors("cors", section, document.legacy_headers)).transpose()?;
        let given = Given {
            limits: &limits,
            configured: &configured,
            verifier: verifier.as_ref(),
            named: &named,
        };
        let routes = routes(document, &given, cors.as_ref())?;
        check_grants(&routes, login.as_ref())?;
        let own_upstream = document
            .upstream
            .as_ref()
            .map(|section| upstream("upstream", section, None))
            .transpose()?;
        let csrf = csrf(document)?;
        check_identity(document, &routes, own_upstream.as_ref(), sessions.as_ref())?;
        let has_cors = cors.is_some() || routes.iter().any(|route| route.cors.is_some());
        let routes = router(routes, document.path_case)?;
        Ok(Self {
            upstream: own_upstream,
            forward_credential: document.forward_credential,
            auth_prefix: auth_prefix(document.auth_prefix.as_deref())?,
            cookie: document.cookie.as_deref().map(|name| token("cookie", name)).transpose()?,
            credential_headers,
            api_key_header,
            identity_headers,
            client_ip_header,
            forward_auth,
            pages: pages(document)?,
            cache: document.cache,
            https: document.https,
            security_headers: security_headers(document)?,
            resource_metadata: document
                .resource_metadata
                .as_deref()
                .map(resource_metadata)
                .transpose()?,
            legacy_headers: document.legacy_headers,
            log: document.log,
            verifier,
            scope_includes,
            replays: document.dpop.replays,
            jwks_cache: document
                .jwks_cache
                .as_ref()
                .map(|cache| secret_of("jwks_cache.secret", &cache.secret, secrets))
                .transpose()?
                .and_then(|secret| Seal::new(&secret)),
            api_keys,
            revocation: document.revocation.map(revocation).transpose()?,
            failed_authentication: failed_authentication(document.failed_authentication.take())?,
            origin: sessions::own_origin(document.origin.as_deref())?,
            csrf,
            identity: document.identity,
            identity_audience: document.identity_audience.take(),
            sessions,
            login,
            accounts,
            watch: document
                .watch
                .as_ref()
                .map(|section| watch::watch(section, document.admin.as_ref(), secrets))
                .transpose()?,
            // The last one that reads secrets.
            admin: document
                .admin
                .as_ref()
                .map(|section| admin::admin(section, secrets))
                .transpose()?,
            limits,
            has_cors,
            routes,
            fallback: fallback(configured, document.preflight, cors.clone())?,
            cors,
        })
    }

    /// The route that decides about a request. Without a match a credential of any kind is required.
    #[must_use]
    pub fn route(&self, method: &str, path: &RequestPath) -> &Route {
        self.routes.find(method, path).unwrap_or(&self.fallback)
    }

    /// The route that decides about a CORS preflight: the first that takes `OPTIONS`, or the method that is asked for.
    ///
    /// The caller chooses that method. So one that no route takes does not get past what the first route of that path says,
    /// nor past its limits: of that route and of the policy, the stricter word counts.
    #[must_use]
    pub fn route_of_preflight(&self, requested_method: &str, path: &RequestPath) -> &Route {
        let methods = ["OPTIONS", requested_method];
        self.routes.find_any(&methods, path).unwrap_or_else(|| {
            let of_policy = self.fallback.preflight;
            let of_path = self.routes.find_by_path(path);
            of_path
                .filter(|route| !of_policy.is_stricter_than(route.preflight))
                .unwrap_or(&self.fallback)
        })
    }

    /// Whether a route wants a sign-in that is as recent as this and of one of these classes.
    #[must_use]
    pub(crate) fn wants_sign_in(&self, max_age_secs: Option<u32>, acr_values: &[String]) -> bool {
        self.routes
            .all()
            .iter()
            .any(|route| route.max_auth_age_secs == max_age_secs && route.acr_values == acr_values)
    }

    /// Where in the policy a route is: `routes[1]`. `None` for what decides where none matches.
    #[must_use]
    pub fn place_of(&self, route: &Route) -> Option<String> {
        let at = self.routes.all().iter().position(|known| core::ptr::eq(known, route))?;
        Some(format!("routes[{at}]"))
    }

    /// The limits of a route, in the order in which it names them.
    pub fn limits_of<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a LimitPolicy> {
        route.limits.iter().filter_map(|index| self.limits.get(*index))
    }

    /// The headers in which credentials are read, as `Vary` lists them.
    #[must_use]
    pub fn credential_fields(&self) -> String {
        let own = self.credential_headers.iter().map(|header| header.name.as_str());
        let cookie = self.reads_cookies().then_some("Cookie");
        let names = ["Authorization", self.api_key_header.as_str()].into_iter();
        names.chain(own).chain(cookie).collect::<Vec<_>>().join(", ")
    }

    /// Whether a cookie may decide.
    #[must_use]
    pub fn reads_cookies(&self) -> bool {
        self.cookie.is_some() || self.browser_sessions().is_some()
    }

    /// Whether an edge has to read cookies, and what a browser says of the page that asks: where a cookie may decide, and where people log in.
    #[must_use]
    pub fn reads_browsers(&self) -> bool {
        self.reads_cookies() || self.accounts.is_some()
    }

    /// The ids of the providers that people log in with.
    #[must_use]
    pub fn login_providers(&self) -> Vec<String> {
        let ways = self.login.iter().flat_map(LoginPolicy::ways_in);
        ways.map(|provider| provider.id.clone()).collect()
    }

    /// What browsers get of sessions.
    #[must_use]
    pub fn browser_sessions(&self) -> Option<&BrowserSessions> {
        self.sessions.as_ref().and_then(|sessions| sessions.browser.as_ref())
    }

    /// Whether the service of this route is told by a signed token who is calling, and for which audience: what the policy says, or
    /// the origin of the upstream. `None`: it is not.
    #[must_use]
    pub fn identity_audience<'a>(&'a self, route: &'a Route) -> Option<&'a str> {
        if route.identity.unwrap_or(self.identity) != IdentityForm::Jwt {
            return None;
        }
        let of_route = match route.destination.as_deref() {
            Some(Destination::Upstream(upstream)) => Some(upstream),
            Some(Destination::Answer(_)) => return None,
            None => None,
        };
        let given = route.identity_audience.as_deref().or(self.identity_audience.as_deref());
        given.or_else(|| of_route.or(self.upstream.as_ref()).and_then(Upstream::origin))
    }

    /// Whether the `Origin` of requests is looked at.
    #[must_use]
    pub const fn has_cors(&self) -> bool {
        self.has_cors
    }

    /// Whether this is an issuer of the policy.
    #[must_use]
    pub fn has_issuer(&self, issuer: &str) -> bool {
        self.issuers_named(issuer).next().is_some()
    }

    /// How far the clock of an issuer may differ, in seconds: the most that one of its entries says. `None` for an issuer that
    /// the policy does not have.
    #[must_use]
    pub fn clock_tolerance_of(&self, issuer: &str) -> Option<u64> {
        self.issuers_named(issuer).map(|known| known.rules.clock_tolerance_secs).max()
    }

    /// The entries of the issuer of that name.
    pub fn issuers_named<'n>(
        &self,
        issuer: &'n str,
    ) -> impl Iterator<Item = &Issuer> + use<'_, 'n> {
        self.verifier.iter().flat_map(move |verifier| verifier.issuers_named(issuer))
    }

    /// Whether a limit of that name is configured.
    #[must_use]
    pub fn has_limit(&self, name: &str) -> bool {
        self.limit(name).is_some()
    }

    /// The limit of that name.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<&LimitPolicy> {
        self.limits.iter().find(|known| known.limit.name() == name)
    }

    /// Whether any limit is counted in a Durable Object, or used proofs are remembered there.
    #[must_use]
    pub fn needs_durable_objects(&self) -> bool {
        self.replays == Replays::DurableObject || self.a_limit_needs(StoreNeeds::DurableObjects)
    }

    /// Whether anything is kept in KV: counters, revocations, the records of API keys, or the keys of issuers.
    #[must_use]
    pub fn needs_kv(&self) -> bool {
        self.revocation.is_some()
            || self.jwks_cache.is_some()
            || self.needs_key_records()
            || self.a_limit_needs(StoreNeeds::Kv)
    }

    fn a_limit_needs(&self, needs: StoreNeeds) -> bool {
        self.limits.iter().any(|known| known.store.rules().needs == needs)
    }

    /// Whether records of API keys are looked up.
    #[must_use]
    pub fn needs_key_records(&self) -> bool {
        self.api_keys.as_ref().is_some_and(|keys| {
            keys.records != Records::None
                || keys.prefixes.iter().any(|known| known.format == KeyFormat::Imported)
        })
    }

    /// The limits, in the order of the policy.
    pub fn limits(&self) -> impl Iterator<Item = &LimitPolicy> {
        self.limits.iter()
    }

    /// Whether revocations are kept in the ledger.
    #[must_use]
    pub fn needs_ledger(&self) -> bool {
        self.revocation.is_some_and(|policy| policy.mode != RevocationMode::Entries)
    }

    /// How a route looks revocations up: as it says, or as the policy does.
    #[must_use]
    pub fn revocation_of(&self, route: &Route) -> RevocationMode {
        let mode = self.revocation.map(|policy| policy.mode).unwrap_or_default();
        route.revocation.map_or(mode, RevocationMode::from)
    }

    /// The service bindings that upstreams name, each with its path in the policy.
    pub fn service_bindings(&self) -> impl Iterator<Item = (String, &str)> {
        let of_policy = self.upstream.iter().map(|one| ("upstream.service".to_owned(), one));
        let of_routes =
            self.routes.all().iter().enumerate().filter_map(|(index, route)| {
                match route.destination.as_deref()? {
                    Destination::Upstream(one) => {
                        Some((format!("routes[{index}].upstream.service"), one))
                    }
                    Destination::Answer(_) => None,
                }
            });
        of_policy.chain(of_routes).filter_map(|(path, one)| match &one.address {
            Address::Service(name) => Some((path, name.as_str())),
            Address::Url(_) => None,
        })
    }

    /// The rate-limiting bindings that limits name.
    pub fn rate_limit_bindings(&self) -> impl Iterator<Item = &str> {
        self.limits.iter().filter_map(|known| known.store.binding())
    }
}

/// The URL of RFC 9728 §3: https, or http on loopback, without a fragment, of at most 2048 bytes.
fn resource_metadata(url: &str) -> Result<String, Error> {
    /// Longer ones are no use in a header.
    const MAX_LENGTH: usize = 2048;
    // It stands between quotes.
    if url.len() > MAX_LENGTH || url.contains('"') || !may_publish_keys(url, false) {
        let problem = "expected an https URL (http only on loopback) without a fragment";
        return Err(Error::config("resource_metadata", problem));
    }
    Ok(url.to_owned())
}

/// The kinds of credential that a policy with these sections takes.
fn credential_kinds(issuers: bool, api_keys: bool) -> Vec<CredentialKind> {
    let jwt = issuers.then_some(CredentialKind::Jwt);
    jwt.into_iter().chain(api_keys.then_some(CredentialKind::ApiKey)).collect()
}

// ---- the fields that are no section of their own ----

/// A signed identity needs keys that services can have, and an audience.
fn check_identity(
    document: &Document,
    routes: &[Route],
    upstream: Option<&Upstream>,
    sessions: Option<&SessionPolicy>,
) -> Result<(), Error> {
    let of_policy = document.identity_audience.as_deref();
    let of_routes = routes.iter().enumerate().filter_map(|(index, route)| {
        let own = match route.destination.as_deref() {
            Some(Destination::Answer(_)) => return None,
            Some(Destination::Upstream(own)) => Some(own),
            None => upstream,
        };
        let form = route.identity.unwrap_or(document.identity);
        let audience = route.identity_audience.as_deref().or(of_policy);
        let path =
            route.identity.map_or("identity".to_owned(), |_| format!("routes[{index}].identity"));
        Some((form, path, audience.or_else(|| own.and_then(Upstream::origin))))
    });
    let fallback = of_policy.or_else(|| upstream.and_then(Upstream::origin));
    let of_policy = (document.identity, "identity".to_owned(), fallback);
    for (form, path, audience) in of_routes.chain([of_policy]) {
        let problem = match (form, sessions, audience) {
            (IdentityForm::Headers, ..) => continue,
            (_, None, _) => "jwt needs the section sessions, whose keys sign it",
            (_, Some(own), _) if own.algorithm.is_symmetric() => {
                "jwt needs keys that services can have, expected another sessions.algorithm than HS256"
            }
            (_, _, None | Some("")) => "jwt needs identity_audience, or an upstream with a URL",
            _ => continue,
        };
        return Err(Error::config(path, problem));
    }
    Ok(())
}

fn csrf(document: &Document) -> Result<Csrf, Error> {
    match document.csrf {
        Some(_) if document.cookie.is_none() => {
            Err(Error::config("csrf", "only with cookie is it used; sessions always have the rule"))
        }
        given => Ok(given.unwrap_or_default()),
    }
}

fn auth_prefix(text: Option<&str>) -> Result<String, Error> {
    let text = text.unwrap_or("/auth");
    let plain = text.strip_prefix('/').is_some_and(|rest| {
        !rest.is_empty()
            && rest.split('/').all(|segment| {
                !segment.is_empty()
                    && segment
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            })
    });
    if !plain {
        return Err(Error::config("auth_prefix", "expected a path like /auth"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named;

    impl Secrets for Named {
        fn secret(&self, name: &str) -> Option<Secret> {
            (name == "SECRET").then(|| Secret::new(vec![7; 32]))
        }
    }

    #[track_caller]
    fn refused(json: &str, message: &str) {
        assert_eq!(Policy::from_json(json, &Named).unwrap_err().to_string(), message, "{json}");
    }

    #[test]
    fn lists_are_no_objects() {
        refused(r#"{"admin": ["SECRET"]}"#, "admin: expected an object, found a list");
        refused(r#"{"forward_auth": []}"#, "forward_auth: expected an object, found a list");
        refused(r#"{"revocation": []}"#, "revocation: expected an object, found a list");
        refused(
            r#"{"failed_authentication": [9, 9]}"#,
            "failed_authentication: expected an object, found a list",
        );
        refused(r#"{"issuers": [["i", ["a"]]]}"#, "issuers[0]: expected an object, found a list");
        refused(
            r#"{"routes": [{"path": "/a", "scopes": [["a"]]}]}"#,
            "routes[0].scopes: expected an object, found a list",
        );
        refused(
            r#"{"api_keys": {"prefixes": [["sk"]]}}"#,
            "api_keys.prefixes[0]: expected an object, found a list",
        );
    }

    #[test]
    fn words_are_strings_and_faults_of_others_have_a_place() {
        refused(r#"{"log": true}"#, "log: expected a string, found a boolean");
        refused(r#"{"log": {"all": null}}"#, "log: expected a string, found an object");
        refused(
            r#"{"revocation": {"on_error": ["allow"]}}"#,
            "revocation.on_error: expected a string, found a list",
        );
        refused(
            r#"{"routes": [{"path": "/a", "accept": [5]}]}"#,
            "routes[0].accept[0]: expected a string, found a whole number",
        );
        refused(r#"{"log": "some"}"#, "log: expected one of refusals, all, none");
    }

    #[test]
    fn a_member_with_a_default_is_given_once() {
        refused(r#"{"log": "all", "log": "all"}"#, "log: is given twice");
        refused(r#"{"cookie": null, "cookie": "session"}"#, "cookie: is given twice");
        refused(r#"{"admin": null, "log": "all", "admin": null}"#, "admin: is given twice");
        refused(
            r#"{"routes": [{"path": "/a", "cost": 1, "cost": 1}]}"#,
            "routes[0].cost: is given twice",
        );
    }

    #[test]
    fn no_memory_of_a_store_outlives_an_hour() {
        refused(
            r#"{"revocation": {"cache_secs": 3601}}"#,
            "revocation.cache_secs: expected at most 3600 seconds",
        );
        assert!(Policy::from_json(r#"{"revocation": {"cache_secs": 3600}}"#, &Named).is_ok());
        for (section, message) in [
            (
                r#""mode": "entries", "refresh_secs": 5"#,
                "revocation.refresh_secs: only mode = snapshot and mode = ledger have it",
            ),
            (
                r#""max_staleness_secs": 120"#,
                "revocation.max_staleness_secs: only mode = snapshot and mode = ledger have it",
            ),
            (
                r#""mode": "snapshot", "max_staleness_secs": 59"#,
                "revocation.max_staleness_secs: expected 60 to 86400 seconds",
            ),
            (
                r#""mode": "snapshot", "max_staleness_secs": 86401"#,
                "revocation.max_staleness_secs: expected 60 to 86400 seconds",
            ),
            (
                r#""mode": "snapshot", "refresh_secs": 0"#,
                "revocation.refresh_secs: expected 1 to max_staleness_secs seconds",
            ),
            (
                r#""mode": "ledger", "refresh_secs": 121"#,
                "revocation.refresh_secs: expected 1 to max_staleness_secs seconds",
            ),
            (r#""mode": "both""#, "revocation.mode: expected one of entries, snapshot, ledger"),
        ] {
            refused(&format!(r#"{{"revocation": {{{section}}}}}"#), message);
        }
    }

    #[test]
    fn a_route_may_choose_between_snapshot_and_ledger_where_there_is_a_ledger() {
        let policy = |mode: &str, route: &str| {
            format!(
                r#"{{"issuers": [{{"issuer": "i", "audience": ["a"], "secret": "SECRET"}}],
                     "revocation": {{"mode": "{mode}"}}, "routes": [{{"path": "/a", {route}}}]}}"#
            )
        };
        for (mode, of_route, expected) in [
            ("snapshot", "ledger", RevocationMode::Ledger),
            ("ledger", "snapshot", RevocationMode::Snapshot),
            ("ledger", "ledger", RevocationMode::Ledger),
        ] {
            let json = policy(mode, &format!(r#""revocation": "{of_route}""#));
            let policy = Policy::from_json(&json, &Named).unwrap();
            let route = policy.route("GET", &RequestPath::parse("/a").unwrap());
            assert_eq!(policy.revocation_of(route), expected);
            let other = policy.route("GET", &RequestPath::parse("/b").unwrap());
            assert_eq!(Some(policy.revocation_of(other)), policy.revocation.map(|it| it.mode));
            assert!(policy.needs_ledger());
        }
        let ledger = r#""revocation": "ledger""#;
        refused(
            &policy("entries", ledger),
            "routes[0].revocation: expected revocation.mode = snapshot or ledger",
        );
        refused(
            &policy("snapshot", r#""revocation": "entries""#),
            "routes[0].revocation: expected snapshot or ledger",
        );
        refused(
            &policy("snapshot", &format!(r#""auth": "none", {ledger}"#)),
            "routes[0].revocation: a route with auth = none has nothing to revoke",
        );
    }

    #[test]
    fn a_url_without_a_host_is_none() {
        for rest in ["", "/", ":443", ":443/a"] {
            refused(
                &format!(r#"{{"upstream": "https://{rest}"}}"#),
                "upstream: expected a URL like https://api.example.com",
            );
        }
        for rest in ["", "?x", ":443/jwks", "/jwks"] {
            refused(
                &format!(
                    r#"{{"issuers": [{{"issuer": "i", "audience": ["a"], "algorithms": ["RS256"],
                        "jwks_uri": "https://{rest}"}}]}}"#
                ),
                "issuers[0].jwks_uri: expected an https URL (http only on loopback)",
            );
        }
    }

    #[track_caller]
    fn prefixes(list: &str) -> String {
        format!(
            r#"{{"api_keys": {{"environment": "test", "prefixes": {list},
                "signing_keys": [{{"id": 1, "secret": "SECRET"}}]}}}}"#
        )
    }

    #[test]
    fn faults_of_prefixes_are_at_their_place_in_the_policy() {
        let grammar = "expected 1 to 32 lower-case letters and digits, a letter first, in groups \
                       joined by single underscores";
        refused(
            &prefixes(r#"[{"prefix": "old", "format": "imported"}, {"prefix": "SK"}]"#),
            &format!("api_keys.prefixes[1].prefix: {grammar}"),
        );
        refused(
            &prefixes(
                r#"[{"prefix": "sk"}, {"prefix": "old", "format": "imported"}, {"prefix": "sk_a"}]"#,
            ),
            "api_keys.prefixes[2].prefix: sk_a and sk cannot be told apart",
        );
        refused(
            &prefixes(r#"[{"prefix": "old", "format": "imported"}]"#),
            "api_keys.prefixes: expected at least one that is not imported",
        );
        refused(&prefixes("[]"), "api_keys.prefixes: expected a non-empty list");
    }

    #[test]
    fn an_imported_prefix_does_not_take_the_keys_of_another() {
        let beside = |imported: &str| {
            prefixes(&format!(
                r#"[{{"prefix": "sk"}}, {{"prefix": "{imported}", "format": "imported"}}]"#
            ))
        };
        refused(
            &beside("sk_test"),
            "api_keys.prefixes[1].prefix: keys of sk begin with it, they could not be told apart",
        );
        for other in ["sk_live", "sk_tes", "s", "test"] {
            assert!(Policy::from_json(&beside(other), &Named).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_route_asks_of_its_limits_what_they_can_give() {
        let route = |route: &str| {
            format!(
                r#"{{"issuers": [{{"issuer": "i", "audience": ["a"], "secret": "SECRET"}}],
                    "limits": [{{"name": "ip", "by": "ip", "requests": 9, "window_secs": 9}},
                        {{"name": "sub", "by": ["ip", "subject"], "requests": 9, "window_secs": 9}}],
                    "routes": [{{"path": "/a", {route}}}]}}"#
            )
        };
        refused(
            &route(r#""auth": "none", "limits": ["ip", "sub"]"#),
            "routes[0].limits[1]: counts by what a route with auth = none never knows",
        );
        refused(&route(r#""cost": 0, "limits": ["ip"]"#), "routes[0].cost: expected at least 1");
        refused(&route(r#""accept": []"#), "routes[0].accept: expected a non-empty list");
        assert!(Policy::from_json(&route(r#""limits": ["ip", "sub"]"#), &Named).is_ok());
    }

    #[test]
    fn rules_that_no_token_can_meet_are_refused() {
        for (rule, message) in [
            (
                r#""required_claims": ["sub", ""]"#,
                "issuers[0].required_claims[1]: expected a non-empty string",
            ),
            (r#""typ": """#, "issuers[0].typ: expected a non-empty string"),
            (r#""scope_claim": """#, "issuers[0].scope_claim: expected a non-empty string"),
            (r#""max_token_age_secs": 0"#, "issuers[0].max_token_age_secs: expected at least 1"),
        ] {
            refused(
                &format!(
                    r#"{{"issuers": [{{"issuer": "i", "audience": ["a"], "secret": "SECRET", {rule}}}]}}"#
                ),
                message,
            );
        }
    }
}
