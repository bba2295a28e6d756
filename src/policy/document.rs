//! The policy as its author writes it: field names, types and defaults, nothing resolved yet.
//!
//! Unknown fields are refused everywhere, so that a misspelt option cannot quietly turn a protection
//! off.

use core::fmt;
use std::collections::BTreeSet;

use serde::{
    Deserialize, Deserializer,
    de::{
        self, IntoDeserializer as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
};

use super::{
    revocation::RevocationPolicy,
    types::{
        Auth, Cache, CacheSecs, CountBy, CredentialKind, KeyFormat, Log, OnError, PathCase,
        Preflight, Records, Replays, RouteRevocation,
    },
};
use crate::{
    error::Error,
    json::{
        StrictValue, document,
        object::{object, words},
    },
    limit,
};

/// The whole document (`[vars.POLICY]` of `wrangler.toml`, or the same object from elsewhere).
#[derive(Debug)]
pub(super) struct Document {
    pub(super) upstream: Option<String>,
    pub(super) forward_credential: bool,
    pub(super) auth_prefix: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) max_token_length: Option<usize>,
    pub(super) client_ip_header: Option<String>,
    pub(super) trusted_hops: Option<u8>,
    pub(super) forward_auth: ForwardAuthDocument,
    pub(super) cache: Cache,
    pub(super) preflight: Preflight,
    pub(super) legacy_headers: bool,
    pub(super) log: Log,
    pub(super) path_case: PathCase,
    pub(super) issuers: Vec<IssuerDocument>,
    pub(super) dpop: DpopDocument,
    pub(super) jwks_cache: Option<SecretDocument>,
    pub(super) api_keys: Option<ApiKeysDocument>,
    pub(super) revocation: Option<RevocationPolicy>,
    pub(super) limits: Vec<LimitDocument>,
    pub(super) failed_authentication: Option<FailedAuthenticationDocument>,
    pub(super) routes: Vec<RouteDocument>,
    pub(super) admin: Option<SecretDocument>,
}

object!(Document, refused {
    upstream = None,
    forward_credential = false,
    auth_prefix = None,
    cookie = None,
    max_token_length = None,
    client_ip_header = None,
    trusted_hops = None,
    forward_auth = ForwardAuthDocument::default(),
    cache = Cache::default(),
    preflight = Preflight::default(),
    legacy_headers = false,
    log = Log::default(),
    path_case = PathCase::default(),
    issuers = Vec::new(),
    dpop = DpopDocument::default(),
    jwks_cache = None,
    api_keys = None,
    revocation = None,
    limits = Vec::new(),
    failed_authentication = None,
    routes = Vec::new(),
    admin = None,
});

#[derive(Debug, Default)]
pub(super) struct ForwardAuthDocument {
    pub(super) client_ip_header: Option<String>,
    pub(super) trusted_hops: Option<u8>,
    pub(super) origin: Option<String>,
}

object!(ForwardAuthDocument, refused { client_ip_header = None, trusted_hops = None, origin = None });

impl ForwardAuthDocument {
    /// Whether the policy says anything of it, so that it is in use.
    pub(super) const fn is_given(&self) -> bool {
        self.client_ip_header.is_some() || self.trusted_hops.is_some() || self.origin.is_some()
    }
}

#[derive(Debug)]
pub(super) struct IssuerDocument {
    pub(super) issuer: String,
    pub(super) audience: Option<Vec<String>>,
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) secret: Option<String>,
    pub(super) jwks: Option<StrictValue>,
    pub(super) pem: Option<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) clock_tolerance_secs: Option<u64>,
    pub(super) max_token_age_secs: Option<u64>,
    pub(super) required_claims: Vec<String>,
    pub(super) typ: Option<String>,
    pub(super) scope_claim: Option<String>,
    pub(super) require_exp: Option<bool>,
    pub(super) profile: Option<String>,
    pub(super) dpop: Option<String>,
}

object!(IssuerDocument, refused {
    issuer,
    audience = None,
    algorithms = None,
    secret = None,
    jwks = None,
    pem = None,
    jwks_uri = None,
    clock_tolerance_secs = None,
    max_token_age_secs = None,
    required_claims = Vec::new(),
    typ = None,
    scope_claim = None,
    require_exp = None,
    profile = None,
    dpop = None,
});

/// What holds for the proofs of possession of all issuers.
#[derive(Debug, Default)]
pub(super) struct DpopDocument {
    pub(super) replays: Replays,
}

object!(DpopDocument, refused { replays = Replays::default() });

#[derive(Debug)]
pub(super) struct ApiKeysDocument {
    pub(super) prefixes: Vec<PrefixDocument>,
    pub(super) environment: String,
    pub(super) signing_keys: Vec<SigningKeyDocument>,
    pub(super) records: Records,
    pub(super) cache_secs: CacheSecs,
}

object!(ApiKeysDocument, refused {
    prefixes,
    environment,
    signing_keys,
    records = Records::default(),
    cache_secs = CacheSecs::default(),
});

#[derive(Debug)]
pub(super) struct PrefixDocument {
    pub(super) prefix: String,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) scopes_without_record: Option<Vec<String>>,
    pub(super) format: KeyFormat,
}

object!(PrefixDocument, refused {
    prefix,
    scopes = None,
    scopes_without_record = None,
    format = KeyFormat::default(),
});

#[derive(Debug)]
pub(super) struct SigningKeyDocument {
    pub(super) id: u8,
    pub(super) secret: String,
}

object!(SigningKeyDocument, refused { id, secret });

#[derive(Debug)]
pub(super) struct LimitDocument {
    pub(super) name: String,
    pub(super) by: OneOrMany<CountBy>,
    pub(super) requests: u32,
    pub(super) window_secs: Option<u32>,
    pub(super) window: Option<limit::Calendar>,
    pub(super) algorithm: Option<limit::AlgorithmName>,
    pub(super) burst: Option<u32>,
    pub(super) store: StoreName,
    pub(super) binding: Option<String>,
    pub(super) lease: Option<limit::lease::Terms>,
    pub(super) exempt: ExemptDocument,
    pub(super) on_error: OnError,
}

object!(LimitDocument, refused {
    name,
    by = OneOrMany::default(),
    requests,
    window_secs = None,
    window = None,
    algorithm = None,
    burst = None,
    store = StoreName::default(),
    binding = None,
    lease = None,
    exempt = ExemptDocument::default(),
    on_error = OnError::default(),
});

#[derive(Debug, Default)]
pub(super) struct ExemptDocument {
    pub(super) ips: Vec<String>,
    pub(super) subjects: Vec<SubjectDocument>,
    pub(super) api_keys: Vec<String>,
}

object!(ExemptDocument, refused { ips = Vec::new(), subjects = Vec::new(), api_keys = Vec::new() });

/// A subject by its name alone, or with its issuer.
#[derive(Debug)]
pub(super) enum SubjectDocument {
    Name(String),
    Of { issuer: String, subject: String },
}

impl<'de> Deserialize<'de> for SubjectDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;

        impl<'de> Visitor<'de> for NameOrObject {
            type Value = SubjectDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a subject, or an object with issuer and subject")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(SubjectDocument::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Of { issuer, subject } = Of::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SubjectDocument::Of { issuer, subject })
            }
        }

        deserializer.deserialize_any(NameOrObject)
    }
}

struct Of {
    issuer: String,
    subject: String,
}

object!(Of, refused { issuer, subject });

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum StoreName {
    Memory,
    Kv,
    #[default]
    DurableObject,
    Binding,
}

words!(StoreName {
    "memory" => StoreName::Memory,
    "kv" => StoreName::Kv,
    "durable-object" => StoreName::DurableObject,
    "shared" => StoreName::DurableObject,
    "binding" => StoreName::Binding,
});

#[derive(Debug)]
pub(super) struct FailedAuthenticationDocument {
    pub(super) requests: u32,
    pub(super) window_secs: u32,
    pub(super) penalty_secs: Option<u32>,
    pub(super) enabled: bool,
}

object!(FailedAuthenticationDocument, refused {
    requests = DEFAULT_FAILURES,
    window_secs = DEFAULT_FAILURES_SECS,
    penalty_secs = None,
    enabled = true,
});

/// How many failures are taken from an address in [`DEFAULT_FAILURES_SECS`], where the policy does not say it.
const DEFAULT_FAILURES: u32 = 5;
const DEFAULT_FAILURES_SECS: u32 = 15 * 60;

impl Default for FailedAuthenticationDocument {
    fn default() -> Self {
        Self {
            requests: DEFAULT_FAILURES,
            window_secs: DEFAULT_FAILURES_SECS,
            penalty_secs: None,
            enabled: true,
        }
    }
}

#[derive(Debug)]
pub(super) struct RouteDocument {
    pub(super) path: String,
    pub(super) methods: Option<Vec<String>>,
    pub(super) auth: Auth,
    pub(super) accept: Option<Vec<CredentialKind>>,
    pub(super) scopes: ScopesDocument,
    pub(super) revocation: Option<RouteRevocation>,
    pub(super) preflight: Option<Preflight>,
    pub(super) limits: Vec<String>,
    pub(super) cost: u32,
}

object!(RouteDocument, refused {
    path,
    methods = None,
    auth = Auth::default(),
    accept = None,
    scopes = ScopesDocument::default(),
    revocation = None,
    preflight = None,
    limits = Vec::new(),
    cost = 1,
});

#[derive(Debug, Default)]
pub(super) struct ScopesDocument {
    pub(super) all: Vec<String>,
    pub(super) any: Vec<String>,
}

object!(ScopesDocument, refused { all = Vec::new(), any = Vec::new() });

/// A section that is a secret by name: `admin`, `jwks_cache`.
#[derive(Debug)]
pub(super) struct SecretDocument {
    pub(super) secret: String,
}

object!(SecretDocument, refused { secret });

/// A word, or a list of words.
#[derive(Debug)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

const COUNT_BY: &str = "expected caller, subject, api_key, ip, issuer, route, or a list of them";

impl<'de> Deserialize<'de> for OneOrMany<CountBy> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrList;

        impl<'de> Visitor<'de> for WordOrList {
            type Value = OneOrMany<CountBy>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(COUNT_BY.trim_start_matches("expected "))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                CountBy::deserialize(text.into_deserializer())
                    .map(OneOrMany::One)
                    .map_err(|_: E| E::custom(COUNT_BY))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(OneOrMany::Many(values))
            }
        }

        deserializer.deserialize_any(WordOrList)
    }
}

impl<T: Default> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::One(T::default())
    }
}

impl<T: Copy> OneOrMany<T> {
    pub(super) fn to_vec(&self) -> Vec<T> {
        match self {
            Self::One(value) => vec![*value],
            Self::Many(values) => values.clone(),
        }
    }
}

/// Reads the document, or says where it is at fault.
pub(super) fn read(json: &str) -> Result<Document, Error> {
    document::parse(json.as_bytes()).map_err(|fault| Error::config(fault.path, fault.problem))
}

/// Names that are given twice, for lists whose members have to differ.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    // Of strings, as scopes are: a set of another type is as much code again.
    let mut seen = BTreeSet::new();
    names.enumerate().find_map(|(index, name)| (!seen.insert(name.to_owned())).then_some(index))
}
