//! The policy as its author writes it: field names, types and defaults, nothing resolved yet.
//!
//! Unknown fields are refused everywhere, so that a misspelt option cannot quietly turn a protection
//! off.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    limit_store::StoreName,
    revocation::RevocationPolicy,
    types::{
        Auth, Beside, Cache, CacheSecs, CountBy, CredentialKind, Csrf, Https, IdentityForm,
        KeyFormat, Log, OnError, PathCase, Preflight, Records, Replays, RouteRevocation,
    },
};
use crate::{
    client_address::Network,
    error::Error,
    json::{
        StrictObject, StrictValue,
        document::{self, DocumentFault},
        object::object,
        readable::{Readable, from_value},
    },
    limit,
    session::{client::GrantType, cookie::SameSite, step::Reuse},
};

object! {
    /// The whole document (`[vars.POLICY]` of `wrangler.toml`, or the same object from elsewhere).
    #[derive(Debug)]
    pub(super) struct Document, refused {
        pub(super) upstream: Option<UpstreamDocument> = None,
        pub(super) forward_credential: bool = false,
        pub(super) auth_prefix: Option<String> = None,
        pub(super) cookie: Option<String> = None,
        pub(super) credential_headers: Vec<CredentialHeaderDocument> = Vec::new(),
        pub(super) max_token_length: Option<usize> = None,
        /// Each is read by [`super::identity_headers`].
        pub(super) identity_headers: StrictObject = StrictObject::default(),
        pub(super) client_ip_header: Option<String> = None,
        pub(super) trusted_hops: Option<u8> = None,
        pub(super) forward_auth: ForwardAuthDocument = ForwardAuthDocument::default(),
        pub(super) cache: Cache = Cache::default(),
        pub(super) preflight: Preflight = Preflight::default(),
        pub(super) cors: Option<CorsDocument> = None,
        pub(super) https: Option<Https> = None,
        pub(super) hsts: Option<HstsDocument> = None,
        /// Read by [`super::security_headers`], which has the names.
        pub(super) security_headers: Option<StrictValue> = None,
        pub(super) resource_metadata: Option<String> = None,
        pub(super) legacy_headers: bool = false,
        pub(super) log: Log = Log::default(),
        pub(super) path_case: PathCase = PathCase::default(),
        /// Each is read by [`super::issuers`].
        pub(super) issuers: Vec<StrictObject> = Vec::new(),
        pub(super) scope_includes: StrictObject = StrictObject::default(),
        pub(super) dpop: DpopDocument = DpopDocument::default(),
        pub(super) jwks_cache: Option<SecretDocument> = None,
        pub(super) api_keys: Option<ApiKeysDocument> = None,
        pub(super) revocation: Option<RevocationPolicy> = None,
        pub(super) limits: Vec<LimitDocument> = Vec::new(),
        pub(super) failed_authentication: Option<FailedAuthenticationDocument> = None,
        pub(super) routes: Vec<RouteDocument> = Vec::new(),
        pub(super) admin: Option<SecretDocument> = None,
        pub(super) origin: Option<String> = None,
        pub(super) csrf: Option<Csrf> = None,
        pub(super) identity: IdentityForm = IdentityForm::default(),
        pub(super) identity_audience: Option<String> = None,
        pub(super) sessions: Option<SessionsDocument> = None,
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct SessionsDocument, refused {
        pub(super) issuer: String,
        pub(super) audience: Vec<String>,
        pub(super) secret: Option<String> = None,
        pub(super) secrets: Vec<SigningKeyDocument> = Vec::new(),
        pub(super) algorithm: Option<String> = None,
        pub(super) keys: Option<String> = None,
        pub(super) access_secs: u32 = 900,
        pub(super) idle_secs: u32 = 604_800,
        pub(super) absolute_secs: u32 = 2_592_000,
        pub(super) recheck_secs: u32 = 86_400,
        pub(super) cookies: bool = false,
        pub(super) same_site: Option<SameSite> = None,
        pub(super) renew_before_secs: Option<u32> = None,
        pub(super) origins: Vec<String> = Vec::new(),
        pub(super) clients: Vec<SessionClientDocument> = Vec::new(),
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct SessionClientDocument, refused {
        pub(super) id: String,
        pub(super) secret: Option<String> = None,
        pub(super) secret_sha256: Option<String> = None,
        pub(super) jwks_uri: Option<String> = None,
        pub(super) allow_http: bool = false,
        pub(super) grants: Vec<GrantType>,
        pub(super) scopes: Vec<String> = Vec::new(),
        pub(super) reuse: Reuse = Reuse::default(),
        pub(super) grace_secs: Option<u32> = None,
        pub(super) introspect: bool = false,
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct CredentialHeaderDocument, refused {
        pub(super) name: String,
        pub(super) issuers: Vec<String>,
        pub(super) beside: Beside = Beside::default(),
    }
}

object! {
    #[derive(Debug, Default)]
    pub(super) struct ForwardAuthDocument, refused {
        pub(super) client_ip_header: Option<String> = None,
        pub(super) trusted_hops: Option<u8> = None,
        pub(super) origin: Option<String> = None,
    }
}

impl ForwardAuthDocument {
    /// Whether the policy says anything of it, so that it is in use.
    pub(super) const fn is_given(&self) -> bool {
        self.client_ip_header.is_some() || self.trusted_hops.is_some() || self.origin.is_some()
    }
}

object! {
    /// What holds for the proofs of possession of all issuers.
    #[derive(Debug, Default)]
    pub(super) struct DpopDocument, refused {
        pub(super) replays: Replays = Replays::default(),
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct ApiKeysDocument, refused {
        pub(super) header: Option<String> = None,
        pub(super) prefixes: Vec<PrefixDocument>,
        pub(super) environment: String,
        pub(super) signing_keys: Vec<SigningKeyDocument>,
        pub(super) records: Records = Records::default(),
        pub(super) cache_secs: CacheSecs = CacheSecs::default(),
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct PrefixDocument, refused {
        pub(super) prefix: String,
        pub(super) scopes: Option<Vec<String>> = None,
        pub(super) scopes_without_record: Option<Vec<String>> = None,
        pub(super) format: KeyFormat = KeyFormat::default(),
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct SigningKeyDocument, refused {
        pub(super) id: u8,
        pub(super) secret: String,
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct LimitDocument, refused {
        pub(super) name: String,
        pub(super) by: OneOrMany<CountBy> = OneOrMany::default(),
        pub(super) requests: u32,
        pub(super) window_secs: Option<u32> = None,
        pub(super) window: Option<limit::Calendar> = None,
        pub(super) algorithm: Option<limit::AlgorithmName> = None,
        pub(super) burst: Option<u32> = None,
        pub(super) store: StoreName = StoreName::default(),
        pub(super) binding: Option<String> = None,
        pub(super) lease: Option<limit::lease::Terms> = None,
        pub(super) exempt: ExemptDocument = ExemptDocument::default(),
        pub(super) on_error: OnError = OnError::default(),
    }
}

object! {
    #[derive(Debug, Default)]
    pub(super) struct ExemptDocument, refused {
        pub(super) ips: Vec<String> = Vec::new(),
        pub(super) subjects: Vec<SubjectDocument> = Vec::new(),
        pub(super) api_keys: Vec<String> = Vec::new(),
    }
}

/// A subject by its name alone, or with its issuer.
#[derive(Debug)]
pub(super) enum SubjectDocument {
    Name(String),
    Of { issuer: String, subject: String },
}

impl Readable for SubjectDocument {
    fn blank() -> Self {
        Self::Name(String::new())
    }

    fn read(&mut self, value: Value) -> Result<(), DocumentFault> {
        *self = match value {
            Value::String(name) => Self::Name(name),
            Value::Object(_) => {
                let Of { issuer, subject } = from_value(value)?;
                Self::Of { issuer, subject }
            }
            other => {
                let wanted = "a subject, or an object with issuer and subject";
                return Err(DocumentFault::expected(wanted, &other));
            }
        };
        Ok(())
    }
}

object! {
    struct Of, refused {
        issuer: String,
        subject: String,
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct FailedAuthenticationDocument, refused {
        pub(super) requests: u32 = DEFAULT_FAILURES,
        pub(super) window_secs: u32 = DEFAULT_FAILURES_SECS,
        pub(super) penalty_secs: Option<u32> = None,
        pub(super) enabled: bool = true,
    }
}

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

object! {
    #[derive(Debug)]
    pub(super) struct RouteDocument, refused {
        pub(super) path: String,
        pub(super) methods: Option<Vec<String>> = None,
        pub(super) auth: Auth = Auth::default(),
        pub(super) accept: Option<Vec<CredentialKind>> = None,
        pub(super) issuers: Option<Vec<String>> = None,
        pub(super) claims: Option<StrictObject> = None,
        pub(super) scopes: ScopesDocument = ScopesDocument::default(),
        pub(super) revocation: Option<RouteRevocation> = None,
        pub(super) preflight: Option<Preflight> = None,
        pub(super) cors: Option<CorsDocument> = None,
        pub(super) ips: Option<Vec<Network>> = None,
        pub(super) limits: Vec<String> = Vec::new(),
        pub(super) cost: u32 = 1,
        pub(super) upstream: Option<UpstreamDocument> = None,
        pub(super) answer: Option<AnswerDocument> = None,
        pub(super) identity: Option<IdentityForm> = None,
        pub(super) identity_audience: Option<String> = None,
    }
}

/// Whether there is HSTS, or which.
#[derive(Debug)]
pub(super) enum HstsDocument {
    On(bool),
    Section(HstsSection),
}

impl Readable for HstsDocument {
    fn blank() -> Self {
        Self::On(false)
    }

    fn read(&mut self, value: Value) -> Result<(), DocumentFault> {
        *self = match value {
            Value::Bool(on) => Self::On(on),
            Value::Object(_) => Self::Section(from_value(value)?),
            other => {
                return Err(DocumentFault::expected("true, false, or an object", &other));
            }
        };
        Ok(())
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct HstsSection, refused {
        pub(super) max_age_secs: u32 = 31_536_000,
        pub(super) include_subdomains: bool = true,
        pub(super) preload: bool = false,
    }
}

/// A URL alone, or more about it.
#[derive(Debug)]
pub(super) enum UpstreamDocument {
    Url(String),
    Section(UpstreamSection),
}

impl Readable for UpstreamDocument {
    fn blank() -> Self {
        Self::Url(String::new())
    }

    fn read(&mut self, value: Value) -> Result<(), DocumentFault> {
        *self = match value {
            Value::String(url) => Self::Url(url),
            Value::Object(_) => Self::Section(from_value(value)?),
            other => {
                let wanted = "a URL, or an object with url or service";
                return Err(DocumentFault::expected(wanted, &other));
            }
        };
        Ok(())
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct UpstreamSection, refused {
        pub(super) url: Option<String> = None,
        pub(super) service: Option<String> = None,
        pub(super) strip_prefix: Option<String> = None,
        pub(super) add_prefix: Option<String> = None,
        pub(super) timeout_ms: Option<u32> = None,
        pub(super) retries: u8 = 0,
    }
}

object! {
    #[derive(Debug)]
    pub(super) struct AnswerDocument, refused {
        pub(super) status: u16 = 200,
        pub(super) body: Option<StrictValue> = None,
    }
}

object! {
    /// Of the policy, or of a route.
    #[derive(Debug)]
    pub(super) struct CorsDocument, refused {
        pub(super) origins: Vec<String>,
        pub(super) credentials: bool = false,
        pub(super) expose: Vec<String> = Vec::new(),
        pub(super) max_age_secs: Option<u32> = None,
    }
}

object! {
    #[derive(Debug, Default)]
    pub(super) struct ScopesDocument, refused {
        pub(super) all: Vec<String> = Vec::new(),
        pub(super) any: Vec<String> = Vec::new(),
    }
}

object! {
    /// A section that is a secret by name: `admin`, `jwks_cache`.
    #[derive(Debug)]
    pub(super) struct SecretDocument, refused {
        pub(super) secret: String,
    }
}

/// A word, or a list of words.
#[derive(Debug)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl Readable for OneOrMany<CountBy> {
    fn blank() -> Self {
        Self::default()
    }

    fn read(&mut self, value: Value) -> Result<(), DocumentFault> {
        const WANTED: &str = "caller, subject, api_key, ip, issuer, route, or a list of them";
        *self = match value {
            Value::String(_) => {
                let one = from_value(value);
                Self::One(one.map_err(|_| DocumentFault::of(format!("expected {WANTED}")))?)
            }
            Value::Array(_) => Self::Many(from_value(value)?),
            other => return Err(DocumentFault::expected(WANTED, &other)),
        };
        Ok(())
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
    // Owned strings, so that `BTreeSet<String>` is compiled only once.
    let mut seen = BTreeSet::new();
    names.enumerate().find_map(|(index, name)| (!seen.insert(name.to_owned())).then_some(index))
}
