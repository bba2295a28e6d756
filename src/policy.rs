//! What the gate is told to do: read once, validated as a whole, then only looked up.
//!
//! A [`Policy`] exists only if all of it holds together: every secret is there and long enough, every
//! name that is used is defined, every route can be reached. Faults name their place
//! (`issuers[1].audience: expected a non-empty list`).

mod api_keys;
mod check;
mod document;
mod exempt;
mod forward_auth;
mod issuers;
mod limits;
mod path;
mod pattern;
mod router;
mod routes;
mod source;

use serde::Deserialize;

pub use self::issuers::{MAX_CLOCK_TOLERANCE_SECS, jwks_uri};
use self::{
    api_keys::api_keys,
    check::{begins_with_host, cache_secs, each, secret_of, token},
    forward_auth::{client_ip_header, forward_auth},
    issuers::issuer,
    limits::{failed_authentication, limit},
    router::{Router, router},
    routes::{fallback, route},
};
pub use self::{
    exempt::Exempt,
    forward_auth::ForwardAuth,
    path::RequestPath,
    pattern::PathPattern,
    routes::Route,
    source::{DEFAULT_RELOAD_SECS, MAX_POLICY_LENGTH, PolicySource, Reloading, Turn},
};
use crate::{
    api_key::{ApiKeys, record::KeyRecord},
    client_address::ClientIpHeader,
    error::Error,
    jose::{
        dpop::Binding,
        jws::DEFAULT_MAX_TOKEN_LENGTH,
        keys::sealed::Seal,
        verifier::{Issuer, Verifier},
    },
    json::object::{object, words},
    limit::Limit,
    revocation::snapshot::Freshness,
    secret::Secret,
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
    pub client_ip_header: ClientIpHeader,
    /// How other proxies ask about their requests.
    pub forward_auth: ForwardAuth,
    /// Whether the gate keeps answers to known callers out of shared caches.
    pub cache: Cache,
    /// Whether `X-RateLimit-*` is sent beside the standard fields.
    pub legacy_headers: bool,
    /// Which decisions are written to the event log.
    pub log: Log,
    /// Token verification; `None` if no issuer is configured.
    pub verifier: Option<Verifier>,
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
    /// The administrator's secret; `None`: the administration endpoints do not exist.
    pub admin: Option<Secret>,
    limits: Vec<LimitPolicy>,
    routes: Router,
    fallback: Route,
}

/// Which decisions are written to the event log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Log {
    /// Refusals, and faults of stores (the default).
    #[default]
    Refusals,
    /// Admitted requests too.
    All,
    /// Nothing.
    None,
}

words!(Log {
    "refusals" => Log::Refusals,
    "all" => Log::All,
    "none" => Log::None,
});

/// Whether routes and paths that differ in case are the same. It has to be what the service behind the gate
/// does: one that answers `/ADMIN` as `/admin` is guarded by the route of the latter only with
/// `insensitive`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathCase {
    /// They differ (the default, and RFC 3986 §6.2.2.1).
    #[default]
    Sensitive,
    /// They are the same, as for Express and IIS.
    Insensitive,
}

words!(PathCase {
    "sensitive" => PathCase::Sensitive,
    "insensitive" => PathCase::Insensitive,
});

/// What keeps one caller's answer from another by way of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// The gate does (the default): requests of anybody but anonymous bypass the platform's cache, and their answers
    /// are marked `private` where the service says nothing about it ([`crate::http::caching`]).
    #[default]
    Private,
    /// The service's own headers do. They have to: the gate takes `Authorization` off, which is what caches go by.
    Upstream,
}

words!(Cache {
    "private" => Cache::Private,
    "upstream" => Cache::Upstream,
});

/// What becomes of a CORS preflight: `OPTIONS` with `Origin` and `Access-Control-Request-Method`, which browsers send
/// without credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preflight {
    /// The gate answers with 204, and nobody behind it is asked (the default).
    #[default]
    Answer,
    /// It goes to the service, without body and credential, counted by the limits by `ip` of its route.
    Pass,
    /// It is refused with `NOT_ALLOWED`.
    Refuse,
}

words!(Preflight {
    "answer" => Preflight::Answer,
    "pass" => Preflight::Pass,
    "refuse" => Preflight::Refuse,
});

/// Where the gate remembers which proofs of possession have been used ([`crate::jose::dpop`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replays {
    /// In each isolate for itself (the default): a proof passes at most once in each.
    #[default]
    Memory,
    /// In one Durable Object for each proof: it passes once. Outside Workers, in what else is shared and can compare
    /// and swap; `shared` is another word for it. Without an answer the request is refused.
    DurableObject,
}

words!(Replays {
    "memory" => Replays::Memory,
    "durable-object" => Replays::DurableObject,
    "shared" => Replays::DurableObject,
});

/// What a request that needs a store gets when the store does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is refused with `STORE_UNAVAILABLE` (the default).
    #[default]
    Deny,
    /// It goes on as if the store held nothing; the event log says so.
    Allow,
}

words!(OnError {
    "deny" => OnError::Deny,
    "allow" => OnError::Allow,
});

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
    /// What a key of this prefix may do where no record says it: none of [`Records::Required`], these of [`Records::Optional`].
    scopes_without_record: Vec<String>,
    /// How keys of this prefix are verified.
    pub format: KeyFormat,
}

impl PrefixPolicy {
    /// What a key of this prefix may do whose record names these scopes: no more than the cap.
    #[must_use]
    pub fn cut(&self, scopes: &[String]) -> Vec<String> {
        match &self.scopes {
            None => scopes.to_vec(),
            Some(cap) => scopes.iter().filter(|scope| cap.contains(scope)).cloned().collect(),
        }
    }
}

/// How the keys of a prefix are verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// The gate's own format: checksum and tag are checked without I/O (the default).
    #[default]
    Edgegate,
    /// Keys of another system, imported by their SHA-256: each presented one costs a look-up.
    Imported,
}

words!(KeyFormat {
    "edgegate" => KeyFormat::Edgegate,
    "imported" => KeyFormat::Imported,
});

/// Whether the record of an API key is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Records {
    /// A key without a record is refused (the default).
    #[default]
    Required,
    /// A record restricts a key, and says whose it is. A key without one is taken too, but gets no more than its prefix's
    /// `scopes_without_record`: that a record is missing, late or forgotten must not widen a key. Revocations have to be kept
    /// beside the records.
    Optional,
    /// Nothing is looked up: the tag alone decides, and scopes are the prefix's. No record can narrow or end such a key; only
    /// its own expiry and a revocation entry do.
    None,
}

words!(Records {
    "required" => Records::Required,
    "optional" => Records::Optional,
    "none" => Records::None,
});

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationPolicy {
    /// Where the truth is.
    pub mode: RevocationMode,
    /// What happens when it cannot be asked.
    pub on_error: OnError,
    /// How long an isolate may believe an answer, misses included. Not used with
    /// [`RevocationMode::Ledger`], which believes nothing but the ledger.
    pub cache_secs: CacheSecs,
    /// How old a snapshot may be; beyond that, `on_error` decides. 120 by default.
    max_staleness_secs: Option<u32>,
    /// How often an isolate looks for a newer snapshot. 10 by default.
    refresh_secs: Option<u32>,
}

object!(RevocationPolicy, refused {
    mode = RevocationMode::default(),
    on_error = OnError::default(),
    cache_secs = CacheSecs::default(),
    max_staleness_secs = None,
    refresh_secs = None,
});

impl RevocationPolicy {
    /// How fresh a snapshot has to be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        Freshness {
            max_staleness_secs: self.max_staleness_secs.unwrap_or(120),
            refresh_secs: self.refresh_secs.unwrap_or(10),
        }
    }
}

/// Where revocations are kept, and how they are looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevocationMode {
    /// One KV key for each entry (the default).
    #[default]
    Entries,
    /// The ledger, by the filter that it publishes; what the filter finds is confirmed.
    Snapshot,
    /// The ledger itself is asked for each request.
    Ledger,
}

words!(RevocationMode {
    "entries" => RevocationMode::Entries,
    "snapshot" => RevocationMode::Snapshot,
    "ledger" => RevocationMode::Ledger,
});

/// How a route looks revocations up, where the policy has a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteRevocation {
    /// By the published filter.
    Snapshot,
    /// By asking the ledger.
    Ledger,
}

words!(RouteRevocation {
    "snapshot" => RouteRevocation::Snapshot,
    "ledger" => RouteRevocation::Ledger,
});

impl From<RouteRevocation> for RevocationMode {
    fn from(of_route: RouteRevocation) -> Self {
        match of_route {
            RouteRevocation::Snapshot => Self::Snapshot,
            RouteRevocation::Ledger => Self::Ledger,
        }
    }
}

/// The limit on failed authentication: forged, mistyped and unknown credentials by client address.
///
/// It refuses further failing attempts with `RATE_LIMITED`, and leaves few of the look-ups that imported keys cost. A
/// genuine credential from the same address is served: otherwise anybody behind a shared address could lock out
/// everybody else there. The administrator's secret alone is counted for itself, and refused before it is compared.
#[derive(Debug, Clone)]
pub struct FailedAuthentication {
    /// The limit itself.
    pub limit: Limit,
    /// For how long failing attempts are refused once the limit was exceeded: a limit of one in that time.
    /// `None`: until the limit itself has room again.
    pub penalty: Option<Limit>,
    /// How often imported keys that are not remembered are looked up.
    pub look_ups: LookUps,
    /// Wrong administrator's secrets of all callers whose address is not known.
    pub secrets_in_all: Limit,
}

/// How often imported keys are looked up that are not remembered, and turn out not to exist. In each isolate.
#[derive(Debug, Clone)]
pub struct LookUps {
    /// For an address that fails too often.
    pub of_throttled: Limit,
    /// For all such addresses together, and for all whose address is not known.
    pub of_suspects: Limit,
    /// For all others together. Two bounds, so that suspects cannot use up what others need.
    pub of_all: Limit,
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
    /// Who is not counted.
    pub exempt: Exempt,
    /// What happens when the store does not answer.
    pub on_error: OnError,
}

impl LimitPolicy {
    /// Whether the record of an API key may set another allowance: only where nobody else is counted with the key. Of a
    /// counter that others share, a greater allowance would be taken from theirs.
    #[must_use]
    pub fn counts_each_key_alone(&self) -> bool {
        self.by.iter().any(|by| matches!(by, CountBy::Caller | CountBy::ApiKey))
    }
}

/// What a limit counts together; a list counts each combination.
///
/// A limit by something the request does not have (`api_key` for a caller with a token) does not
/// concern that request. `caller` and `ip` always concern it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CountBy {
    /// Whoever it is: the token's subject, the API key, or the address of an anonymous caller (the
    /// default).
    #[default]
    Caller,
    /// The token's issuer and subject.
    Subject,
    /// The API key, counted together with those that it replaced ([`KeyRecord::family`]).
    ApiKey,
    /// The client's address; IPv6 by its /64.
    Ip,
    /// The token's issuer.
    Issuer,
    /// The route of the policy.
    Route,
}

words!(CountBy {
    "caller" => CountBy::Caller,
    "subject" => CountBy::Subject,
    "api_key" => CountBy::ApiKey,
    "ip" => CountBy::Ip,
    "issuer" => CountBy::Issuer,
    "route" => CountBy::Route,
});

impl CountBy {
    /// Whether a limit by these counts requests by their address alone, as it may those of nobody.
    pub(crate) fn is_address(by: &[Self]) -> bool {
        by.contains(&Self::Ip) && by.iter().all(|one| matches!(one, Self::Ip | Self::Route))
    }

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
    /// In Workers KV, added up over all isolates, late: advisory ([`crate::limit::advisory`]).
    Kv,
    /// In one Durable Object for each counted thing: exact. Outside Workers, in what else is shared and
    /// can compare and swap; `shared` is another word for it.
    DurableObject,
    /// In a rate-limiting binding: cheap, for each location, answers only yes or no.
    Binding(String),
}

/// Whether a route asks for a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Auth {
    /// Yes (the default).
    #[default]
    Required,
    /// No, but one that is presented has to be good.
    Optional,
    /// No; one that is presented is not looked at, nor passed on.
    None,
}

words!(Auth {
    "required" => Auth::Required,
    "optional" => Auth::Optional,
    "none" => Auth::None,
});

/// The kinds of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A JSON Web Token.
    Jwt,
    /// An API key.
    ApiKey,
}

words!(CredentialKind {
    "jwt" => CredentialKind::Jwt,
    "api_key" => CredentialKind::ApiKey,
});

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

    /// What a key of this prefix may do for which no record is there.
    #[must_use]
    pub fn scopes_without_record<'a>(&self, prefix: &'a PrefixPolicy) -> &'a [String] {
        match self.records {
            Records::Required => &[],
            Records::Optional => &prefix.scopes_without_record,
            Records::None => prefix.scopes.as_deref().unwrap_or_default(),
        }
    }

    /// What a key with this record may do: the record's scopes, cut by the cap of its prefix. The record of an imported key does
    /// not say its prefix; where several could be it, each cuts.
    #[must_use]
    pub fn scopes_of(&self, record: &KeyRecord) -> Vec<String> {
        let own = |known: &&PrefixPolicy| match record.prefix.as_deref() {
            Some(prefix) => known.prefix == prefix,
            None => known.format == KeyFormat::Imported,
        };
        let prefixes = self.prefixes.iter().filter(own);
        prefixes.fold(record.scopes.clone(), |scopes, prefix| prefix.cut(&scopes))
    }

    /// The prefix new keys get when none is asked for: the first in the gate's own format.
    #[must_use]
    pub fn default_prefix(&self) -> Option<&PrefixPolicy> {
        self.prefixes.iter().find(|known| known.format == KeyFormat::Edgegate)
    }
}

impl Policy {
    /// Whether the tokens of an issuer are bound to a key; [`Binding::Off`] for one that is not configured.
    #[must_use]
    pub fn binding_of(&self, issuer: &str) -> Binding {
        self.issuer(issuer).map_or(Binding::Off, |known| known.binding)
    }

    /// Reads and validates a policy.
    ///
    /// # Errors
    /// [`Error::Config`] for the first fault, with its path.
    pub fn from_json(json: &str, secrets: &dyn Secrets) -> Result<Self, Error> {
        let document = document::read(json)?;
        let known: Vec<&str> = document.issuers.iter().map(|known| known.issuer.as_str()).collect();
        let limits = each("limits", document.limits.iter(), |path, limit_document| {
            limit(path, limit_document, &known)
        })?;
        if let Some(index) = document::first_repeated(limits.iter().map(|known| known.limit.name()))
        {
            return Err(Error::config(
                format!("limits[{index}].name"),
                "a limit has this name already",
            ));
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
        let records = api_keys.as_ref().map(|keys| keys.records);
        if records == Some(Records::Optional) && document.revocation.is_none() {
            // A key that is taken without a record is not stopped by deleting one.
            let problem = "optional needs the section revocation: where keys are taken without a \
                           record, only an entry there ends one for good";
            return Err(Error::config("api_keys.records", problem));
        }
        let configured: Vec<CredentialKind> = [
            verifier.as_ref().map(|_| CredentialKind::Jwt),
            api_keys.as_ref().map(|_| CredentialKind::ApiKey),
        ]
        .into_iter()
        .flatten()
        .collect();
        let routes = each("routes", document.routes.iter(), |path, route_document| {
            let defaults = (document.revocation, document.preflight);
            route(path, route_document, &limits, &configured, defaults)
        })?;
        let routes = router(routes, document.path_case)?;
        Ok(Self {
            upstream: document.upstream.as_deref().map(upstream).transpose()?,
            forward_credential: document.forward_credential,
            auth_prefix: auth_prefix(document.auth_prefix.as_deref())?,
            cookie: document.cookie.as_deref().map(|name| token("cookie", name)).transpose()?,
            client_ip_header: client_ip_header(&document)?,
            forward_auth: forward_auth(&document, verifier.as_ref())?,
            cache: document.cache,
            legacy_headers: document.legacy_headers,
            log: document.log,
            verifier,
            replays: document.dpop.replays,
            jwks_cache: document
                .jwks_cache
                .map(|cache| secret_of("jwks_cache.secret", &cache.secret, secrets))
                .transpose()?
                .and_then(|secret| Seal::new(&secret)),
            api_keys,
            revocation: document.revocation.map(revocation).transpose()?,
            failed_authentication: failed_authentication(document.failed_authentication)?,
            admin: document
                .admin
                .map(|admin| secret_of("admin.secret", &admin.secret, secrets))
                .transpose()?,
            limits,
            routes,
            fallback: fallback(configured, document.preflight)?,
        })
    }

    /// The route that decides about a request. Without a match a credential of any kind is required.
    #[must_use]
    pub fn route(&self, method: &str, path: &RequestPath) -> &Route {
        self.routes.find(method, path).unwrap_or(&self.fallback)
    }

    /// The route that decides about a CORS preflight: the first that takes `OPTIONS`, or the method that is asked for.
    #[must_use]
    pub fn route_of_preflight(&self, requested_method: &str, path: &RequestPath) -> &Route {
        let methods = ["OPTIONS", requested_method];
        self.routes.find_any(&methods, path).unwrap_or(&self.fallback)
    }

    /// The limits of a route, in the order in which it names them.
    pub fn limits_of<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a LimitPolicy> {
        route.limits.iter().filter_map(|index| self.limits.get(*index))
    }

    /// Whether this is an issuer of the policy.
    #[must_use]
    pub fn has_issuer(&self, issuer: &str) -> bool {
        self.issuer(issuer).is_some()
    }

    /// How far the clock of an issuer may differ, in seconds; `None` for one that the policy does not have.
    #[must_use]
    pub fn clock_tolerance_of(&self, issuer: &str) -> Option<u64> {
        self.issuer(issuer).map(|known| known.rules.clock_tolerance_secs)
    }

    /// The issuer of that name.
    #[must_use]
    pub fn issuer(&self, issuer: &str) -> Option<&Issuer> {
        let mut issuers = self.verifier.iter().flat_map(Verifier::issuers);
        issuers.find(|known| known.rules.issuer == issuer)
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
        self.replays == Replays::DurableObject
            || self.limits.iter().any(|known| known.store == LimitStore::DurableObject)
    }

    /// Whether anything is kept in KV: counters, revocations, the records of API keys, or the keys of issuers.
    #[must_use]
    pub fn needs_kv(&self) -> bool {
        self.revocation.is_some()
            || self.jwks_cache.is_some()
            || self.needs_key_records()
            || self.limits.iter().any(|known| known.store == LimitStore::Kv)
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

    /// The rate-limiting bindings that limits name.
    pub fn rate_limit_bindings(&self) -> impl Iterator<Item = &str> {
        self.limits.iter().filter_map(|known| match &known.store {
            LimitStore::Binding(name) => Some(name.as_str()),
            LimitStore::Memory | LimitStore::Kv | LimitStore::DurableObject => None,
        })
    }
}

// ---- the fields that are no section of their own ----

fn upstream(text: &str) -> Result<String, Error> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain =
        !text.contains(['?', '#', '@', '\\']) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && rest.is_some_and(begins_with_host) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(Error::config("upstream", "expected a URL like https://api.example.com"))
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

fn revocation(policy: RevocationPolicy) -> Result<RevocationPolicy, Error> {
    cache_secs("revocation.cache_secs", policy.cache_secs)?;
    if policy.mode == RevocationMode::Entries {
        let given = [
            ("max_staleness_secs", policy.max_staleness_secs),
            ("refresh_secs", policy.refresh_secs),
        ];
        if let Some((name, _)) = given.iter().find(|(_, secs)| secs.is_some()) {
            let problem = "only mode = snapshot and mode = ledger have it";
            return Err(Error::config(format!("revocation.{name}"), problem));
        }
    }
    let Freshness { max_staleness_secs, refresh_secs } = policy.freshness();
    // Less than KV needs to show a write everywhere would refuse every other request.
    if !(60..=86_400).contains(&max_staleness_secs) {
        return Err(Error::config("revocation.max_staleness_secs", "expected 60 to 86400 seconds"));
    }
    if refresh_secs == 0 || refresh_secs > max_staleness_secs {
        let problem = "expected 1 to max_staleness_secs seconds";
        return Err(Error::config("revocation.refresh_secs", problem));
    }
    Ok(policy)
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
