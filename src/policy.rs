//! What the gate is told to do: read once, validated as a whole, then only looked up.
//!
//! A [`Policy`] exists only if all of it holds together: every secret is there and long enough, every
//! name that is used is defined, every route can be reached. Faults name their place
//! (`issuers[1].audience: expected a non-empty list`).

mod document;
mod path;
mod pattern;
mod shape;

use serde::Deserialize;

use self::document::{
    AlgorithmName, ApiKeysDocument, Document, FailedAuthenticationDocument, IssuerDocument,
    LimitDocument, RouteDocument, StoreName,
};
pub use self::{path::RequestPath, pattern::PathPattern};
use crate::{
    api_key::{ApiKeys, SigningKeys},
    claims::ClaimRules,
    error::Error,
    jws::{Algorithm, DEFAULT_MAX_TOKEN_LENGTH},
    keys::{Key, KeySet},
    rate::{self, Limit},
    secret::Secret,
    verifier::{Issuer, KeySource, Verifier},
};

/// Where secrets are looked up by name: secret bindings on Workers, an object in JavaScript.
pub trait Secrets {
    /// The secret of that name, or `None` if there is none.
    fn secret(&self, name: &str) -> Option<Secret>;
}

/// A validated policy.
#[derive(Debug)]
pub struct Policy {
    /// Where admitted requests go. `None`: to the service binding, or the gate answers itself.
    pub upstream: Option<String>,
    /// Whether the credential travels on to the upstream. Off by default.
    pub forward_credential: bool,
    /// Where the gate's own endpoints live, `/auth` by default.
    pub auth_prefix: String,
    /// The name of a cookie that may carry a token.
    pub cookie: Option<String>,
    /// The header that holds the caller's address, `CF-Connecting-IP` by default: the platform sets
    /// it, callers cannot.
    pub client_ip_header: String,
    /// The same for forward-auth, where the platform sees only the proxy that asks. Defaults to
    /// [`Policy::client_ip_header`].
    pub forward_auth_client_ip_header: String,
    /// Whether `X-RateLimit-*` is sent beside the standard fields.
    pub legacy_headers: bool,
    /// Which decisions are written to the event log.
    pub log: Log,
    /// Token verification; `None` if no issuer is configured.
    pub verifier: Option<Verifier>,
    /// API keys; `None` if the gate takes none.
    pub api_keys: Option<ApiKeyPolicy>,
    /// Revocation; `None` if nothing can be revoked.
    pub revocation: Option<RevocationPolicy>,
    /// The limit on failed authentication, by address; `None` if it is switched off.
    pub failed_authentication: Option<FailedAuthentication>,
    /// The administrator's secret; `None`: the administration endpoints do not exist.
    pub admin: Option<Secret>,
    limits: Vec<LimitPolicy>,
    routes: Vec<Route>,
    fallback: Route,
}

/// Which decisions are written to the event log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// Refusals, and faults of stores (the default).
    #[default]
    Refusals,
    /// Admitted requests too.
    All,
    /// Nothing.
    None,
}

/// What a request that needs a store gets when the store does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It is refused with `STORE_UNAVAILABLE` (the default).
    #[default]
    Deny,
    /// It goes on as if the store held nothing; the event log says so.
    Allow,
}

/// API keys of the policy.
#[derive(Debug)]
pub struct ApiKeyPolicy {
    /// Minting and verification.
    pub keys: ApiKeys,
    /// Whether a record is looked up.
    pub records: Records,
    /// How long an isolate may believe a record it has read.
    pub cache_secs: CacheSecs,
    prefixes: Vec<PrefixPolicy>,
}

/// What a prefix stands for.
#[derive(Debug, Clone)]
pub struct PrefixPolicy {
    /// The prefix, without the underscore that follows it.
    pub prefix: String,
    /// The most a key of this prefix may do: a record's scopes are cut down to these. `None`: no cap.
    pub scopes: Option<Vec<String>>,
    /// How keys of this prefix are verified.
    pub format: KeyFormat,
}

/// How the keys of a prefix are verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFormat {
    /// The gate's own format: checksum and tag are checked without I/O (the default).
    #[default]
    Edgegate,
    /// Keys of another system, imported by their SHA-256: each presented one costs a look-up.
    Imported,
}

/// Whether the record of an API key is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// A key without a record is refused (the default).
    #[default]
    Required,
    /// A record adds to what the key says; a key without one is taken, with its prefix's scopes.
    Optional,
    /// Nothing is looked up: the tag alone decides, and scopes are the prefix's.
    None,
}

/// Seconds an isolate may believe what it read from a store: the staleness it adds to the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct CacheSecs(pub u32);

impl Default for CacheSecs {
    /// 10 s: saves nearly all reads of a busy caller, and is small beside the 60 s a KV write may take
    /// to be seen elsewhere.
    fn default() -> Self {
        Self(10)
    }
}

/// How revocation is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationPolicy {
    /// Where the truth is.
    #[serde(default, deserialize_with = "shape::word")]
    pub mode: RevocationMode,
    /// What happens when it cannot be asked.
    #[serde(default, deserialize_with = "shape::word")]
    pub on_error: OnError,
    /// How long an isolate may believe an answer, misses included.
    #[serde(default)]
    pub cache_secs: CacheSecs,
}

/// Where revocations are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationMode {
    /// One KV key for each entry.
    #[default]
    Entries,
}

/// The limit on failed authentication: forged, mistyped and unknown credentials by client address.
///
/// It refuses further failing attempts with `RATE_LIMITED`, and saves the look-up that an imported key
/// would cost. A genuine credential from the same address is served: otherwise anybody behind a shared
/// address could lock out everybody else there.
#[derive(Debug, Clone)]
pub struct FailedAuthentication {
    /// The limit itself.
    pub limit: Limit,
}

impl FailedAuthentication {
    const fn default_requests() -> u32 {
        5
    }

    const fn default_window_secs() -> u32 {
        15 * 60
    }
}

/// One limit of the policy.
#[derive(Debug, Clone)]
pub struct LimitPolicy {
    /// Name, allowance and algorithm.
    pub limit: Limit,
    /// What is counted together.
    pub by: Vec<CountBy>,
    /// Where it is counted.
    pub store: LimitStore,
    /// What happens when the store does not answer.
    pub on_error: OnError,
}

/// What a limit counts together; a list counts each combination.
///
/// A limit by something the request does not have (`api_key` for a caller with a token) does not
/// concern that request. `caller` and `ip` always concern it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// Whoever it is: the token's subject, the API key, or the address of an anonymous caller (the
    /// default).
    #[default]
    Caller,
    /// The token's issuer and subject.
    Subject,
    /// The API key.
    ApiKey,
    /// The client's address; IPv6 by its /64.
    Ip,
    /// The token's issuer.
    Issuer,
    /// The route of the policy.
    Route,
}

impl CountBy {
    /// Whether an anonymous request has nothing to count by.
    const fn needs_identity(&self) -> bool {
        match self {
            Self::Subject | Self::ApiKey | Self::Issuer => true,
            Self::Caller | Self::Ip | Self::Route => false,
        }
    }
}

/// Where a limit is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitStore {
    /// In each isolate for itself: cheap, and as many times the limit as there are isolates.
    Memory,
    /// In one Durable Object for each counted thing: exact.
    DurableObject,
    /// In a rate-limiting binding: cheap, for each location, answers only yes or no.
    Binding(String),
}

/// Whether a route asks for a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Yes (the default).
    #[default]
    Required,
    /// No, but one that is presented has to be good.
    Optional,
    /// No; one that is presented is not looked at, nor passed on.
    None,
}

/// The kinds of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A JSON Web Token.
    Jwt,
    /// An API key.
    ApiKey,
}

/// One route of the policy. The first that matches a request decides.
#[derive(Debug, Clone)]
pub struct Route {
    pattern: PathPattern,
    methods: Vec<String>,
    /// Whether a credential is asked for.
    pub auth: Auth,
    /// Which kinds are taken.
    pub accept: Vec<CredentialKind>,
    /// Scopes of which all are needed.
    pub all_scopes: Vec<String>,
    /// Scopes of which one is needed; empty: none.
    pub any_scopes: Vec<String>,
    /// What a request takes from each limit.
    pub cost: u32,
    limits: Vec<usize>,
}

impl Route {
    /// The path pattern as the policy writes it; it names the route in events and limits.
    #[must_use]
    pub fn path(&self) -> &str {
        self.pattern.as_str()
    }

    fn matches(&self, method: &str, path: &RequestPath) -> bool {
        self.takes_method(method) && self.pattern.matches(path)
    }

    /// A route for GET is one for HEAD too: services answer both from the same handler.
    fn takes_method(&self, method: &str) -> bool {
        self.methods.is_empty()
            || self.methods.iter().any(|own| own == method || (own == "GET" && method == "HEAD"))
    }

    fn covers(&self, other: &Self) -> bool {
        let methods_covered = if other.methods.is_empty() {
            self.methods.is_empty()
        } else {
            other.methods.iter().all(|method| self.takes_method(method))
        };
        methods_covered && self.pattern.covers(&other.pattern)
    }
}

impl ApiKeyPolicy {
    /// The prefix a presented value begins with. With `sk` and `sk_old` configured, `sk_old_…` is the
    /// longer one's.
    #[must_use]
    pub fn prefix_of(&self, presented: &str) -> Option<&PrefixPolicy> {
        self.prefixes
            .iter()
            .filter(|known| {
                presented.strip_prefix(&known.prefix).is_some_and(|rest| rest.starts_with('_'))
            })
            .max_by_key(|known| known.prefix.len())
    }

    /// The configured prefix of that name.
    #[must_use]
    pub fn prefix(&self, name: &str) -> Option<&PrefixPolicy> {
        self.prefixes.iter().find(|known| known.prefix == name)
    }

    /// The prefix new keys get when none is asked for: the first in the gate's own format.
    #[must_use]
    pub fn default_prefix(&self) -> Option<&PrefixPolicy> {
        self.prefixes.iter().find(|known| known.format == KeyFormat::Edgegate)
    }
}

impl Policy {
    /// Reads and validates a policy.
    ///
    /// # Errors
    /// [`Error::Config`] for the first fault, with its path.
    pub fn from_json(json: &str, secrets: &dyn Secrets) -> Result<Self, Error> {
        let document = document::read(json)?;
        let limits = each("limits", document.limits.iter(), limit)?;
        if let Some(index) = document::first_repeated(limits.iter().map(|known| known.limit.name()))
        {
            return Err(config(format!("limits[{index}].name"), "a limit has this name already"));
        }
        let issuers = each("issuers", document.issuers.iter(), |path, issuer_document| {
            issuer(path, issuer_document, secrets)
        })?;
        let verifier = if issuers.is_empty() {
            None
        } else {
            let length = document.max_token_length.unwrap_or(DEFAULT_MAX_TOKEN_LENGTH);
            Some(Verifier::new(issuers, length)?)
        };
        let api_keys =
            document.api_keys.as_ref().map(|keys| api_keys(keys, secrets)).transpose()?;
        let configured: Vec<CredentialKind> = [
            verifier.as_ref().map(|_| CredentialKind::Jwt),
            api_keys.as_ref().map(|_| CredentialKind::ApiKey),
        ]
        .into_iter()
        .flatten()
        .collect();
        let routes = each("routes", document.routes.iter(), |path, route_document| {
            route(path, route_document, &limits, &configured)
        })?;
        refuse_unreachable(&routes)?;
        Ok(Self {
            upstream: document.upstream.as_deref().map(upstream).transpose()?,
            forward_credential: document.forward_credential,
            auth_prefix: auth_prefix(document.auth_prefix.as_deref())?,
            cookie: document.cookie.as_deref().map(|name| token("cookie", name)).transpose()?,
            client_ip_header: client_ip_header(&document)?,
            forward_auth_client_ip_header: forward_auth_client_ip_header(&document)?,
            legacy_headers: document.legacy_headers,
            log: document.log,
            verifier,
            api_keys,
            revocation: document.revocation.map(revocation).transpose()?,
            failed_authentication: failed_authentication(document.failed_authentication)?,
            admin: document
                .admin
                .map(|admin| secret_of("admin.secret", &admin.secret, secrets))
                .transpose()?,
            limits,
            routes,
            fallback: fallback(configured)?,
        })
    }

    /// The route that decides about a request. Without a match a credential of any kind is required.
    #[must_use]
    pub fn route(&self, method: &str, path: &RequestPath) -> &Route {
        self.routes.iter().find(|route| route.matches(method, path)).unwrap_or(&self.fallback)
    }

    /// The limits of a route, in the order in which it names them.
    pub fn limits_of<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a LimitPolicy> {
        route.limits.iter().filter_map(|index| self.limits.get(*index))
    }

    /// Whether a limit of that name is configured.
    #[must_use]
    pub fn has_limit(&self, name: &str) -> bool {
        self.limits.iter().any(|known| known.limit.name() == name)
    }

    /// Whether any limit is counted in a Durable Object.
    #[must_use]
    pub fn needs_durable_objects(&self) -> bool {
        self.limits.iter().any(|known| known.store == LimitStore::DurableObject)
    }

    /// Whether anything is kept in KV: revocations or the records of API keys.
    #[must_use]
    pub fn needs_kv(&self) -> bool {
        self.revocation.is_some()
            || self.api_keys.as_ref().is_some_and(|keys| {
                keys.records != Records::None
                    || keys.prefixes.iter().any(|known| known.format == KeyFormat::Imported)
            })
    }

    /// The rate-limiting bindings that limits name.
    pub fn rate_limit_bindings(&self) -> impl Iterator<Item = &str> {
        self.limits.iter().filter_map(|known| match &known.store {
            LimitStore::Binding(name) => Some(name.as_str()),
            LimitStore::Memory | LimitStore::DurableObject => None,
        })
    }
}

// ---- the sections, in the order of the document ----

fn upstream(text: &str) -> Result<String, Error> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain =
        !text.contains(['?', '#', '@', '\\']) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && rest.is_some_and(begins_with_host) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(config("upstream", "expected a URL like https://api.example.com"))
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
        return Err(config("auth_prefix", "expected a path like /auth"));
    }
    Ok(text.to_owned())
}

fn client_ip_header(document: &Document) -> Result<String, Error> {
    token("client_ip_header", document.client_ip_header.as_deref().unwrap_or("CF-Connecting-IP"))
}

fn forward_auth_client_ip_header(document: &Document) -> Result<String, Error> {
    match document.forward_auth.client_ip_header.as_deref() {
        Some(name) => token("forward_auth.client_ip_header", name),
        None => client_ip_header(document),
    }
}

fn issuer(path: &str, document: &IssuerDocument, secrets: &dyn Secrets) -> Result<Issuer, Error> {
    if document.issuer.is_empty() {
        return Err(config(format!("{path}.issuer"), "expected a non-empty string"));
    }
    let audience = match document.audience.as_deref() {
        Some(audience) if !audience.is_empty() && audience.iter().all(|one| !one.is_empty()) => {
            audience.to_vec()
        }
        _ => return Err(config(format!("{path}.audience"), "expected a non-empty list")),
    };
    refuse_empty_rules(path, document)?;
    let (algorithms, keys) = issuer_keys(path, document, secrets)?;
    Ok(Issuer {
        rules: ClaimRules {
            audience,
            require_exp: document.require_exp.unwrap_or(true),
            clock_tolerance_secs: clock_tolerance(path, document)?,
            max_token_age_secs: document.max_token_age_secs,
            required_claims: document.required_claims.clone(),
            typ: document.typ.clone(),
            scope_claim: document.scope_claim.clone(),
            ..ClaimRules::new(document.issuer.as_str())
        },
        algorithms,
        keys,
    })
}

/// Rules that no token can meet, or that mean nothing.
fn refuse_empty_rules(path: &str, document: &IssuerDocument) -> Result<(), Error> {
    if let Some(index) = document.required_claims.iter().position(String::is_empty) {
        let place = format!("{path}.required_claims[{index}]");
        return Err(config(place, "expected a non-empty string"));
    }
    for (name, text) in [("typ", &document.typ), ("scope_claim", &document.scope_claim)] {
        if text.as_ref().is_some_and(String::is_empty) {
            return Err(config(format!("{path}.{name}"), "expected a non-empty string"));
        }
    }
    if document.max_token_age_secs == Some(0) {
        return Err(config(format!("{path}.max_token_age_secs"), "expected at least 1"));
    }
    Ok(())
}

/// More than ten minutes is no clock skew any more: it would keep every token alive that much longer.
const MAX_CLOCK_TOLERANCE_SECS: u64 = 600;

fn clock_tolerance(path: &str, document: &IssuerDocument) -> Result<u64, Error> {
    match document.clock_tolerance_secs.unwrap_or(0) {
        secs if secs > MAX_CLOCK_TOLERANCE_SECS => {
            Err(config(format!("{path}.clock_tolerance_secs"), "expected at most 600 seconds"))
        }
        secs => Ok(secs),
    }
}

/// The issuer's algorithms and keys: exactly one of `secret`, `jwks`, `pem`, `jwks_uri`.
fn issuer_keys(
    path: &str,
    document: &IssuerDocument,
    secrets: &dyn Secrets,
) -> Result<(Vec<Algorithm>, KeySource), Error> {
    let algorithms = document.algorithms.as_deref().unwrap_or_default();
    let algorithms = each(&format!("{path}.algorithms"), algorithms.iter(), |place, name| {
        Algorithm::from_name(name).ok_or_else(|| {
            config(place.to_owned(), "expected an algorithm like RS256, ES256, EdDSA or HS256")
        })
    })?;
    let given = (
        document.secret.as_deref(),
        document.jwks.as_ref(),
        document.pem.as_deref(),
        document.jwks_uri.as_deref(),
    );
    if let (Some(name), None, None, None) = given {
        let algorithm = match algorithms.as_slice() {
            [] => Algorithm::Hs256,
            [one] => *one,
            _ => {
                return Err(config(
                    format!("{path}.algorithms"),
                    "expected exactly one algorithm for a secret",
                ));
            }
        };
        let place = format!("{path}.secret");
        let secret = secret_named(&place, name, secrets)?;
        let key = Key::hmac(secret, algorithm, None).map_err(|fault| at(&place, &fault))?;
        let keys = KeySet::new(vec![key]).map_err(|fault| at(&place, &fault))?;
        return Ok((vec![algorithm], KeySource::Fixed(keys)));
    }
    if algorithms.is_empty() {
        return Err(config(format!("{path}.algorithms"), "expected a non-empty list"));
    }
    let keys = match given {
        (None, Some(jwks), None, None) => KeySource::Fixed(
            KeySet::from_jwks(&jwks.to_string())
                .map_err(|fault| at(&format!("{path}.jwks"), &fault))?,
        ),
        (None, None, Some(pem), None) => {
            let place = format!("{path}.pem");
            let key = Key::from_pem(pem).map_err(|fault| at(&place, &fault))?;
            KeySource::Fixed(KeySet::new(vec![key]).map_err(|fault| at(&place, &fault))?)
        }
        (None, None, None, Some(uri)) => {
            KeySource::Remote { uri: jwks_uri(&format!("{path}.jwks_uri"), uri)? }
        }
        _ => {
            return Err(config(
                path.to_owned(),
                "expected exactly one of secret, jwks, pem, jwks_uri",
            ));
        }
    };
    Ok((algorithms, keys))
}

/// Whether what follows the scheme of a URL names a host.
fn begins_with_host(rest: &str) -> bool {
    !rest.is_empty() && !rest.starts_with(['/', '?', ':'])
}

/// `https` only, but for a loopback address: whoever can change the keys on their way is the issuer.
fn jwks_uri(path: &str, uri: &str) -> Result<String, Error> {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| uri.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/'])));
    let secure = uri.strip_prefix("https://").is_some_and(begins_with_host);
    let plain = !uri.contains(['#', '@', '\\']) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    if (secure || loopback) && plain {
        return Ok(uri.to_owned());
    }
    Err(config(path.to_owned(), "expected an https URL (http only on loopback)"))
}

fn api_keys(document: &ApiKeysDocument, secrets: &dyn Secrets) -> Result<ApiKeyPolicy, Error> {
    let signing_keys =
        each("api_keys.signing_keys", document.signing_keys.iter(), |path, signing_key| {
            let place = format!("{path}.secret");
            Ok((signing_key.id, secret_of(&place, &signing_key.secret, secrets)?))
        })?;
    let signing_keys = SigningKeys::new(signing_keys).map_err(|fault| at("api_keys", &fault))?;
    if let Some(index) =
        document::first_repeated(document.prefixes.iter().map(|known| known.prefix.as_str()))
    {
        return Err(config(
            format!("api_keys.prefixes[{index}].prefix"),
            "this prefix is configured already",
        ));
    }
    let (places, own_format): (Vec<usize>, Vec<&str>) = document
        .prefixes
        .iter()
        .enumerate()
        .filter(|(_, known)| known.format == KeyFormat::Edgegate)
        .map(|(place, known)| (place, known.prefix.as_str()))
        .unzip();
    if own_format.is_empty() && !document.prefixes.is_empty() {
        let problem = "expected at least one that is not imported";
        return Err(config("api_keys.prefixes", problem));
    }
    let keys = ApiKeys::new(&document.environment, &own_format, signing_keys).map_err(|fault| {
        // Its list has only the prefixes of the gate's own format: their places are others.
        match (&fault, places.iter().enumerate().find(|(own, _)| is_at(&fault, *own))) {
            (Error::Config { problem, .. }, Some((_, place))) => {
                config(format!("api_keys.prefixes[{place}].prefix"), problem)
            }
            _ => at("api_keys", &fault),
        }
    })?;
    refuse_shadowed(document, &own_format)?;
    let prefixes = each("api_keys.prefixes", document.prefixes.iter(), |path, known| {
        scope_list(&format!("{path}.scopes"), known.scopes.as_deref().unwrap_or_default())?;
        let plain = known.prefix.starts_with(|first: char| first.is_ascii_alphabetic())
            && known.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(config(format!("{path}.prefix"), "expected letters and digits, like sk"));
        }
        Ok(PrefixPolicy {
            prefix: known.prefix.clone(),
            scopes: known.scopes.clone(),
            format: known.format,
        })
    })?;
    cache_secs("api_keys.cache_secs", document.cache_secs)?;
    Ok(ApiKeyPolicy { keys, records: document.records, cache_secs: document.cache_secs, prefixes })
}

/// Whether a fault of [`ApiKeys::new`] is that of the prefix at this index.
fn is_at(fault: &Error, index: usize) -> bool {
    matches!(fault, Error::Config { path, .. } if *path == format!("prefixes[{index}]"))
}

/// With `sk` beside an imported `sk_test`, every key of `sk` in the environment `test` would be looked up
/// as an imported one, and not found.
fn refuse_shadowed(document: &ApiKeysDocument, own_format: &[&str]) -> Result<(), Error> {
    for (index, known) in document.prefixes.iter().enumerate() {
        let begins = format!("{}_", known.prefix);
        let shadowed = own_format
            .iter()
            .find(|own| format!("{own}_{}_", document.environment).starts_with(&begins))
            .filter(|own| known.format == KeyFormat::Imported && known.prefix.len() > own.len());
        if let Some(own) = shadowed {
            return Err(config(
                format!("api_keys.prefixes[{index}].prefix"),
                &format!("keys of {own} begin with it, they could not be told apart"),
            ));
        }
    }
    Ok(())
}

fn revocation(policy: RevocationPolicy) -> Result<RevocationPolicy, Error> {
    cache_secs("revocation.cache_secs", policy.cache_secs)?;
    Ok(policy)
}

/// An hour of staleness is more than any revocation should wait for.
fn cache_secs(path: &str, CacheSecs(secs): CacheSecs) -> Result<(), Error> {
    if secs > 3600 { Err(config(path.to_owned(), "expected at most 3600 seconds")) } else { Ok(()) }
}

fn limit(path: &str, document: &LimitDocument) -> Result<LimitPolicy, Error> {
    let algorithm = match (document.algorithm, document.burst) {
        (AlgorithmName::FixedWindow, None) => rate::Algorithm::FixedWindow,
        (AlgorithmName::SlidingWindow, None) => rate::Algorithm::SlidingWindow,
        (AlgorithmName::TokenBucket, burst) => {
            rate::Algorithm::TokenBucket { burst: burst.unwrap_or(document.requests) }
        }
        (_, Some(_)) => {
            return Err(config(format!("{path}.burst"), "only a token-bucket has a burst"));
        }
    };
    let store = match (document.store, document.binding.as_deref()) {
        (StoreName::Memory, None) => LimitStore::Memory,
        (StoreName::DurableObject, None) => LimitStore::DurableObject,
        (StoreName::Binding, Some(name)) => {
            LimitStore::Binding(token(&format!("{path}.binding"), name)?)
        }
        (StoreName::Binding, None) => {
            return Err(config(
                format!("{path}.binding"),
                "expected the name of a rate-limiting binding",
            ));
        }
        (_, Some(_)) => {
            return Err(config(format!("{path}.binding"), "only store = binding has a binding"));
        }
    };
    let by = document.by.to_vec();
    if by.is_empty() {
        return Err(config(format!("{path}.by"), "expected a non-empty list"));
    }
    let limit =
        Limit::new(document.name.as_str(), document.requests, document.window_secs, algorithm)
            .map_err(|fault| at(path, &fault))?;
    Ok(LimitPolicy { limit, by, store, on_error: document.on_error })
}

fn failed_authentication(
    document: Option<FailedAuthenticationDocument>,
) -> Result<Option<FailedAuthentication>, Error> {
    let document = document.unwrap_or(FailedAuthenticationDocument {
        requests: FailedAuthentication::default_requests(),
        window_secs: FailedAuthentication::default_window_secs(),
        enabled: true,
    });
    if !document.enabled {
        return Ok(None);
    }
    let limit = Limit::new(
        "failed-authentication",
        document.requests,
        document.window_secs,
        rate::Algorithm::SlidingWindow,
    )
    .map_err(|fault| at("failed_authentication", &fault))?;
    Ok(Some(FailedAuthentication { limit }))
}

fn route(
    path: &str,
    document: &RouteDocument,
    limits: &[LimitPolicy],
    configured: &[CredentialKind],
) -> Result<Route, Error> {
    let pattern = PathPattern::parse(&document.path)
        .map_err(|problem| config(format!("{path}.path"), problem))?;
    let methods = each(
        &format!("{path}.methods"),
        document.methods.as_deref().unwrap_or_default().iter(),
        |place, method| {
            let plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
            if plain {
                Ok(method.clone())
            } else {
                Err(config(place.to_owned(), "expected a method in capitals, like GET"))
            }
        },
    )?;
    if document.methods.as_ref().is_some_and(Vec::is_empty) {
        return Err(config(format!("{path}.methods"), "expected a non-empty list"));
    }
    let accept = each(
        &format!("{path}.accept"),
        document.accept.as_deref().unwrap_or(configured).iter(),
        |place, kind| match (configured.contains(kind), kind) {
            (true, kind) => Ok(*kind),
            (false, CredentialKind::Jwt) => Err(config(place.to_owned(), "there are no issuers")),
            (false, CredentialKind::ApiKey) => {
                Err(config(place.to_owned(), "there is no api_keys section"))
            }
        },
    )?;
    let limit_indices =
        each(&format!("{path}.limits"), document.limits.iter(), |place, wanted| {
            limits
                .iter()
                .position(|known| known.limit.name() == wanted)
                .ok_or_else(|| config(place.to_owned(), "no limit has this name"))
        })?;
    if document.auth == Auth::None {
        if document.accept.is_some() {
            return Err(config(format!("{path}.accept"), "a route with auth = none accepts none"));
        }
        if !document.scopes.all.is_empty() || !document.scopes.any.is_empty() {
            return Err(config(format!("{path}.scopes"), "a route with auth = none has no scopes"));
        }
        let impossible = limit_indices.iter().position(|index| {
            limits.get(*index).is_some_and(|known| known.by.iter().any(CountBy::needs_identity))
        });
        if let Some(index) = impossible {
            let problem = "counts by what a route with auth = none never knows";
            return Err(config(format!("{path}.limits[{index}]"), problem));
        }
    } else if document.accept.as_ref().is_some_and(Vec::is_empty) {
        return Err(config(format!("{path}.accept"), "expected a non-empty list"));
    } else if accept.is_empty() {
        return Err(config(
            format!("{path}.accept"),
            "no credential is accepted: configure issuers or api_keys",
        ));
    }
    scope_list(&format!("{path}.scopes.all"), &document.scopes.all)?;
    scope_list(&format!("{path}.scopes.any"), &document.scopes.any)?;
    if let Some(index) = document::first_repeated(document.limits.iter().map(String::as_str)) {
        return Err(config(format!("{path}.limits[{index}]"), "this limit is listed already"));
    }
    if document.cost == 0 {
        return Err(config(format!("{path}.cost"), "expected at least 1"));
    }
    for known in limit_indices.iter().filter_map(|index| limits.get(*index)) {
        if document.cost > known.limit.capacity() {
            let problem = "costs more than one of its limits ever allows";
            return Err(config(format!("{path}.cost"), problem));
        }
        if document.cost != 1 && matches!(known.store, LimitStore::Binding(_)) {
            let problem = "a rate-limiting binding counts every request as one";
            return Err(config(format!("{path}.cost"), problem));
        }
    }
    Ok(Route {
        pattern,
        methods,
        auth: document.auth,
        accept,
        all_scopes: document.scopes.all.clone(),
        any_scopes: document.scopes.any.clone(),
        cost: document.cost,
        limits: limit_indices,
    })
}

/// What decides where no route matches: a credential of any configured kind is required.
fn fallback(configured: Vec<CredentialKind>) -> Result<Route, Error> {
    let pattern = PathPattern::parse("/*").map_err(|problem| config(String::new(), problem))?;
    Ok(Route {
        pattern,
        methods: Vec::new(),
        auth: Auth::Required,
        accept: configured,
        all_scopes: Vec::new(),
        any_scopes: Vec::new(),
        cost: 1,
        limits: Vec::new(),
    })
}

/// A route that an earlier one always takes the requests of is a contradiction, not a choice.
fn refuse_unreachable(routes: &[Route]) -> Result<(), Error> {
    for (index, later) in routes.iter().enumerate() {
        let earlier = routes.iter().take(index).position(|earlier| earlier.covers(later));
        if let Some(earlier) = earlier {
            return Err(config(
                format!("routes[{index}]"),
                &format!("is never reached, routes[{earlier}] matches first"),
            ));
        }
    }
    Ok(())
}

// ---- small checks shared by the sections ----

/// HMAC-SHA-256 secrets and the administrator's: as long as the hash (RFC 7518 §3.2).
const MIN_SECRET_LENGTH: usize = 32;

fn secret_named(path: &str, name: &str, secrets: &dyn Secrets) -> Result<Secret, Error> {
    secrets
        .secret(name)
        .ok_or_else(|| config(path.to_owned(), &format!("there is no secret named {name}")))
}

fn secret_of(path: &str, name: &str, secrets: &dyn Secrets) -> Result<Secret, Error> {
    let secret = secret_named(path, name, secrets)?;
    secret.require_length(MIN_SECRET_LENGTH).map_err(|fault| at(path, &fault))?;
    Ok(secret)
}

/// A name that can stand in a header or a structured field as it is (RFC 9110 §5.6.2, `token`).
fn token(path: &str, text: &str) -> Result<String, Error> {
    let plain = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if plain {
        Ok(text.to_owned())
    } else {
        Err(config(path.to_owned(), "expected 1 to 64 letters, digits, '-', '_' or '.'"))
    }
}

/// Scopes as RFC 6749 §3.3 writes them: visible ASCII without space, quote and backslash.
fn scope_list(path: &str, scopes: &[String]) -> Result<(), Error> {
    for (index, scope) in scopes.iter().enumerate() {
        let plain = !scope.is_empty()
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
        if !plain {
            return Err(config(format!("{path}[{index}]"), "expected a scope like read:posts"));
        }
    }
    Ok(())
}

/// Maps a list, telling each step its place (`limits[2]`).
fn each<T, U>(
    path: &str,
    items: impl Iterator<Item = T>,
    mut step: impl FnMut(&str, T) -> Result<U, Error>,
) -> Result<Vec<U>, Error> {
    items.enumerate().map(|(index, item)| step(&format!("{path}[{index}]"), item)).collect()
}

fn config(path: impl Into<String>, problem: &str) -> Error {
    Error::Config { path: path.into(), problem: problem.to_owned() }
}

/// Puts a fault of a part (a key, a limit) at its place in the policy.
fn at(path: &str, fault: &Error) -> Error {
    match fault {
        Error::Config { path: inner, problem } if !inner.is_empty() => {
            config(format!("{path}.{inner}"), problem)
        }
        other => config(path, &other.to_string()),
    }
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
    fn no_memory_of_a_store_outlives_an_hour() {
        refused(
            r#"{"revocation": {"cache_secs": 3601}}"#,
            "revocation.cache_secs: expected at most 3600 seconds",
        );
        assert!(Policy::from_json(r#"{"revocation": {"cache_secs": 3600}}"#, &Named).is_ok());
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
