//! The policy as its author writes it: field names, types and defaults, nothing resolved yet.
//!
//! Unknown fields are refused everywhere, so that a misspelt option cannot quietly turn a protection
//! off. What a comment of a field says, its bounds and its default are what the JSON Schema and docs/policy.md say
//! (`crates/describe`).

use serde_json::Value;

#[cfg(feature = "describe")]
use super::schemas::{
    AnswerBody, BoolOr, ClaimValue, ScopeNames, SecurityHeaderFields, SessionAlgorithm,
};
use super::{
    accounts::document::AccountsDocument,
    admin::AdminDocument,
    limit_store::StoreName,
    login::document::LoginDocument,
    revocation::RevocationPolicy,
    secret_documents::{SecretDocument, SigningKeyDocument},
    types::{
        Auth, Beside, Cache, CacheSecs, CountBy, CredentialKind, Csrf, Https, IdentityForm,
        KeyFormat, Log, OnError, PathCase, Preflight, Records, Replays, RouteRevocation,
    },
    watch::WatchDocument,
};
#[cfg(feature = "describe")]
use crate::jose::jws::DEFAULT_MAX_TOKEN_LENGTH;
use crate::{
    client_address::Network,
    error::Error,
    json::{
        StrictObject, StrictValue, document,
        fault::DocumentFault,
        object::described,
        readable::{Readable, from_value},
    },
    limit,
    session::{client::GrantType, cookie::SameSite, step::Reuse},
};

described! {
    /// What the gate is told to do: `[vars.POLICY]` of `wrangler.toml`, or the same object from elsewhere. Unknown fields are refused.
    #[derive(Debug)]
    pub(super) struct Document as Policy, refused {
        /// Where admitted requests go, if their route does not say. Without it they go to the service binding `UPSTREAM`, or the
        /// gate answers itself.
        pub(super) upstream: Option<UpstreamDocument> = None,
        /// Whether the credential that was verified travels on to the upstream.
        pub(super) forward_credential: bool = false,
        /// Where the gate's own endpoints are: a path like `/auth`.
        #[facts(default = "/auth")]
        pub(super) auth_prefix: Option<String> = None,
        /// The name of a cookie that may carry a token.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) cookie: Option<String> = None,
        /// Headers in which other proxies hand tokens on. At most 8.
        #[facts(maxItems = 8)]
        pub(super) credential_headers: Vec<CredentialHeaderDocument> = Vec::new(),
        /// The longest token that is looked at, in bytes.
        #[facts(minimum = 1, default = DEFAULT_MAX_TOKEN_LENGTH)]
        pub(super) max_token_length: Option<usize> = None,
        /// Claims that the upstream is told, by the name of the header: `{ "X-Org" = "org_id" }`. They are taken off the requests
        /// of callers. At most 20.
        #[facts(maxProperties = 20)]
        #[written(crate::json::describe::Named<String>)]
        pub(super) identity_headers: StrictObject = StrictObject::default(),
        /// The header with the caller's address. A proxy that callers cannot get around has to set it.
        #[facts(default = "CF-Connecting-IP")]
        pub(super) client_ip_header: Option<String> = None,
        /// Which address of a list in that header counts, from the right. Needs `client_ip_header` beside it. Without it the
        /// first one counts.
        #[facts(minimum = 1, maximum = 32)]
        pub(super) trusted_hops: Option<u8> = None,
        /// How other proxies ask about their requests: docs/forward-auth.md.
        pub(super) forward_auth: ForwardAuthDocument = ForwardAuthDocument::default(),
        /// How the gate's own pages look and speak.
        pub(super) pages: Option<PagesDocument> = None,
        /// What keeps one caller's answer from another: `private`, the gate does; `upstream`, the headers of the service do.
        pub(super) cache: Cache = Cache::default(),
        /// What becomes of CORS preflights: `answer`, the gate answers them; `pass`, the upstream does; `refuse`, nobody does.
        pub(super) preflight: Preflight = Preflight::default(),
        /// Which pages of other origins may read answers. Without it the gate says nothing about it.
        pub(super) cors: Option<CorsDocument> = None,
        /// What becomes of requests over plain http: `redirect` sends those without a credential to https, `refuse` refuses all.
        /// Without it they are as good as others.
        pub(super) https: Option<Https> = None,
        /// Strict-Transport-Security: `true`, `false`, or what it says. It is on with `https` or `security_headers`.
        pub(super) hsts: Option<HstsDocument> = None,
        /// The headers of helmet, where the service sets none: `true`, or an object with values of one's own. `false` leaves a
        /// header out.
        #[written(Option<BoolOr<SecurityHeaderFields>>)]
        pub(super) security_headers: Option<StrictValue> = None,
        /// Where the metadata of this API are (RFC 9728): refusals of credentials name the URL. https, or http on loopback; at
        /// most 2048 bytes.
        #[facts(maxLength = 2048)]
        pub(super) resource_metadata: Option<String> = None,
        /// Whether `X-RateLimit-*` is sent beside `RateLimit`.
        pub(super) legacy_headers: bool = false,
        /// Which decisions are written to the event log: `refusals`, `all` or `none`. What administrators do and what becomes of accounts is there unless
        /// it is `none`.
        pub(super) log: Log = Log::default(),
        /// Whether paths that differ in case only are different: as the service behind the gate reads them.
        pub(super) path_case: PathCase = PathCase::default(),
        /// Whose tokens are taken: docs/tokens.md.
        #[written(Vec<super::issuers::IssuerFields>)]
        pub(super) issuers: Vec<StrictObject> = Vec::new(),
        /// Scopes that include others: `{ "admin:posts" = ["read:posts"] }`. They hold for tokens, API keys and sessions alike.
        /// At most 100.
        #[facts(maxProperties = 100)]
        #[written(crate::json::describe::Named<ScopeNames>)]
        pub(super) scope_includes: StrictObject = StrictObject::default(),
        /// Where used proofs of possession are remembered (RFC 9449).
        pub(super) dpop: DpopDocument = DpopDocument::default(),
        /// Keeps the keys that were fetched from issuers in KV, where other isolates find them. The secret seals them.
        pub(super) jwks_cache: Option<SecretDocument> = None,
        /// API keys. Without it the gate takes none.
        pub(super) api_keys: Option<ApiKeysDocument> = None,
        /// Where revocations are kept: docs/revocation.md. Without it nothing can be revoked.
        pub(super) revocation: Option<RevocationPolicy> = None,
        /// How often something may happen. Routes name those that count.
        pub(super) limits: Vec<LimitDocument> = Vec::new(),
        /// How many bad credentials are taken from an address.
        pub(super) failed_authentication: Option<FailedAuthenticationDocument> = None,
        /// What is asked of a request. The first route that matches decides; where none does, a credential is required.
        pub(super) routes: Vec<RouteDocument> = Vec::new(),
        /// Who administers the gate. Without it the endpoints of administration do not exist.
        pub(super) admin: Option<AdminDocument> = None,
        /// The gate's own origin, for the CSRF rule and for logins: `https://api.example.com`. Without it only a loopback host is
        /// its own.
        pub(super) origin: Option<String> = None,
        /// Whether unsafe requests with `cookie` have to come from a page of this origin. Sessions always have the rule.
        #[facts(default = "on")]
        pub(super) csrf: Option<Csrf> = None,
        /// How services are told who is calling: `headers`, by `X-Auth-…`; `jwt`, also by a signed token in `X-Auth-Token`, which
        /// needs `sessions`.
        pub(super) identity: IdentityForm = IdentityForm::default(),
        /// The `aud` of that token. Without it: the upstream's origin.
        pub(super) identity_audience: Option<String> = None,
        /// The gate's own sessions. Without it there are none.
        pub(super) sessions: Option<SessionsDocument> = None,
        /// Logins with others. Without it there are none.
        pub(super) login: Option<LoginDocument> = None,
        /// Accounts with passwords. Without it there are none.
        pub(super) accounts: Option<AccountsDocument> = None,
        /// What is counted and looked at, and who is told. Without it nothing is.
        pub(super) watch: Option<WatchDocument> = None,
    }
}

described! {
    /// The gate's own sessions: docs/sessions.md. They need the section `revocation`.
    #[derive(Debug)]
    pub(super) struct SessionsDocument as Sessions, refused {
        /// `iss` of the gate's own tokens: an https URL, or an http one on loopback. No issuer of the policy may have it.
        #[facts(minLength = 1, maxLength = 200)]
        pub(super) issuer: String,
        /// What its tokens are for.
        #[facts(minItems = 1, uniqueItems = true)]
        pub(super) audience: Vec<String>,
        /// The name of the secret that seals refresh tokens, tickets and the key ring. Either this or `secrets`.
        pub(super) secret: Option<String> = None,
        /// The same while it changes: the highest number seals, all open.
        pub(super) secrets: Vec<SigningKeyDocument> = Vec::new(),
        /// What the gate signs by.
        #[facts(default = "ES256")]
        #[written(Option<SessionAlgorithm>)]
        pub(super) algorithm: Option<String> = None,
        /// The name of a secret with a JWK set of private keys. Without it the gate makes and changes its keys itself.
        pub(super) keys: Option<String> = None,
        /// How long an access token lives.
        #[facts(minimum = 300, maximum = 86_400)]
        pub(super) access_secs: u32 = 900,
        /// How long a session lives that is not used. At least twice `access_secs`.
        #[facts(minimum = 600)]
        pub(super) idle_secs: u32 = 604_800,
        /// How long a session lives at most. Nothing moves it. At least `idle_secs`, at most 400 days.
        #[facts(maximum = 34_560_000)]
        pub(super) absolute_secs: u32 = 2_592_000,
        /// How long after a login a person has to log in again: only then the provider's facts are looked at anew, and with them
        /// `allow` and `scopes`. At least `access_secs`.
        #[facts(minimum = 300)]
        pub(super) recheck_secs: u32 = 86_400,
        /// Whether browsers get their session in cookies. Otherwise it is in headers and bodies only.
        pub(super) cookies: bool = false,
        /// Which requests from other sites carry the cookies: `Lax`, those that follow a link; `Strict`, none. Only with
        /// `cookies`.
        #[facts(default = "Lax")]
        pub(super) same_site: Option<SameSite> = None,
        /// How long before its end an access token in a cookie is renewed. At most half of `access_secs`. Only with `cookies`.
        #[facts(minimum = 1, maximum = 43_200, default = 60)]
        pub(super) renew_before_secs: Option<u32> = None,
        /// Pages of other origins that may act for their visitors. Only with `cookies`.
        pub(super) origins: Vec<String> = Vec::new(),
        /// Programs that get tokens at `/token`. At most 100.
        #[facts(maxItems = 100)]
        pub(super) clients: Vec<SessionClientDocument> = Vec::new(),
    }
}

described! {
    /// A program that gets tokens of its own, or that refreshes those of its users, at `/token`.
    #[derive(Debug)]
    pub(super) struct SessionClientDocument as SessionClient, refused {
        /// Its `client_id`: 1 to 64 letters, digits, `-`, `_` or `.`, and not `first-party`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) id: String,
        /// The name of its secret. Exactly one of `secret`, `secret_sha256` and `jwks_uri`.
        pub(super) secret: Option<String> = None,
        /// The SHA-256 of its secret, which has 32 random bytes or more: 64 lower-case hexadecimal digits.
        #[facts(pattern = "^[0-9a-f]{64}$")]
        pub(super) secret_sha256: Option<String> = None,
        /// Where it publishes the keys by which it signs assertions (`private_key_jwt`).
        pub(super) jwks_uri: Option<String> = None,
        /// Whether `jwks_uri` may be http on a host that is not on the public internet.
        pub(super) allow_http: bool = false,
        /// What it may ask for at `/token`.
        #[facts(minItems = 1)]
        pub(super) grants: Vec<GrantType>,
        /// The scopes of its own tokens. Only with `client_credentials`.
        pub(super) scopes: Vec<String> = Vec::new(),
        /// When a refresh token that is presented again means theft: `confirmed`, once its successor was seen in use; `grace`,
        /// after `grace_secs`; `many`, never.
        pub(super) reuse: Reuse = Reuse::default(),
        /// For how long a refresh token may be presented again. Required with `reuse = "grace"`, and only there.
        #[facts(minimum = 30, maximum = 3600)]
        pub(super) grace_secs: Option<u32> = None,
        /// Whether it may ask about tokens of others at `/introspect`.
        pub(super) introspect: bool = false,
    }
}

described! {
    /// A header in which another proxy hands a token on: docs/callers.md.
    #[derive(Debug)]
    pub(super) struct CredentialHeaderDocument as CredentialHeader, refused {
        /// The name of the header.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) name: String,
        /// The issuers whose tokens are taken from it.
        #[facts(minItems = 1)]
        pub(super) issuers: Vec<String>,
        /// What it means beside a credential of the caller's own: `refuse`, two credentials; `ignore`, the caller's own decides.
        pub(super) beside: Beside = Beside::default(),
    }
}

described! {
    /// How other proxies ask about their requests: docs/forward-auth.md.
    #[derive(Debug, Default)]
    pub(super) struct ForwardAuthDocument as ForwardAuth, refused {
        /// The header in which the proxy says the caller's address. Without it: the policy's.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) client_ip_header: Option<String> = None,
        /// Which address of a list counts, from the right. Without it: the policy's.
        #[facts(minimum = 1, maximum = 32)]
        pub(super) trusted_hops: Option<u8> = None,
        /// The scheme and host by which callers know the API, which proofs of possession are about: `https://api.example.com`.
        pub(super) origin: Option<String> = None,
    }
}

impl ForwardAuthDocument {
    /// Whether the policy says anything of it, so that it is in use.
    pub(super) const fn is_given(&self) -> bool {
        self.client_ip_header.is_some() || self.trusted_hops.is_some() || self.origin.is_some()
    }
}

described! {
    /// How the gate's own pages look and speak: docs/pages.md.
    #[derive(Debug)]
    pub(super) struct PagesDocument as Pages, refused {
        /// The name of the site or product, on top of each page and in its title.
        #[facts(minLength = 1, maxLength = 100)]
        pub(super) title: Option<String> = None,
        /// An image in the place of the name: a path of the gate's origin, or an https URL. Needs `title` beside it, which is read out.
        #[facts(minLength = 1, maxLength = 500)]
        pub(super) logo: Option<String> = None,
        /// The colour of what can be pressed. Where it would be hard to read, a lighter or darker shade is taken.
        #[facts(pattern = "^#[0-9A-Fa-f]{6}$")]
        pub(super) accent: Option<String> = None,
        /// The language of `words`: a tag of BCP 47, such as `de` or `pt-BR`.
        #[facts(default = "en", minLength = 1, maxLength = 35)]
        pub(super) lang: Option<String> = None,
        /// Other texts than the English ones, by their names.
        #[written(crate::json::describe::Named<String>)]
        pub(super) words: StrictObject = StrictObject::default(),
        /// HTML around each page, with the places `{{title}}`, `{{content}}` and others. At most 32,768 bytes.
        #[facts(minLength = 1, maxLength = 32_768)]
        pub(super) template: Option<String> = None,
    }
}

described! {
    /// What holds for the proofs of possession of all issuers.
    #[derive(Debug, Default)]
    pub(super) struct DpopDocument as Dpop, refused {
        /// `memory`: each isolate takes a proof once. `durable-object`, or `shared`: all together do.
        pub(super) replays: Replays = Replays::default(),
    }
}

described! {
    /// API keys of the gate, and keys that were imported: docs/callers.md.
    #[derive(Debug)]
    pub(super) struct ApiKeysDocument as ApiKeys, refused {
        /// The header in which callers send keys.
        #[facts(default = "X-API-Key", minLength = 1, maxLength = 64)]
        pub(super) header: Option<String> = None,
        /// What keys begin with. At least one is not imported.
        #[facts(minItems = 1)]
        pub(super) prefixes: Vec<PrefixDocument>,
        /// The word between prefix and key: 1 to 16 lower-case letters and digits, a letter first.
        #[facts(pattern = "^[a-z][a-z0-9]{0,15}$")]
        pub(super) environment: String,
        /// The secrets that keys are signed by. The one with the highest id signs, all verify.
        #[facts(minItems = 1)]
        pub(super) signing_keys: Vec<SigningKeyDocument>,
        /// Whether the record of a key is looked up: `required`, a key without one is refused; `optional`, it gets what its
        /// prefix says (needs `revocation`); `none`, only the signature decides.
        pub(super) records: Records = Records::default(),
        /// How long an isolate believes a record.
        #[facts(maximum = 3600)]
        pub(super) cache_secs: CacheSecs = CacheSecs::default(),
    }
}

described! {
    /// What the keys begin with, and what they may do.
    #[derive(Debug)]
    pub(super) struct PrefixDocument as Prefix, refused {
        /// The prefix, without the underscore behind it. An imported one may be empty: for keys of any form, in the header of API
        /// keys alone.
        #[facts(pattern = "^([A-Za-z][A-Za-z0-9_]*)?$")]
        pub(super) prefix: String,
        /// The most that a key of this prefix may do. Without it: what its record says.
        pub(super) scopes: Option<Vec<String>> = None,
        /// What a key may do that has no record. Only with `records = "optional"`.
        pub(super) scopes_without_record: Option<Vec<String>> = None,
        /// `edgegate`: the gate's own. `imported`: keys of another system, known by their SHA-256.
        pub(super) format: KeyFormat = KeyFormat::default(),
    }
}

described! {
    /// How often something may happen: docs/limits.md.
    #[derive(Debug)]
    pub(super) struct LimitDocument as Limit, refused {
        /// Its name: routes, records of keys and answers name it.
        #[facts(pattern = "^[a-z][a-z0-9_-]{0,63}$")]
        pub(super) name: String,
        /// What is counted together: `caller`, `subject`, `api_key`, `ip`, `issuer`, `route`, or a list of these.
        pub(super) by: OneOrMany<CountBy> = OneOrMany::default(),
        /// How many in a window.
        #[facts(minimum = 1)]
        pub(super) requests: u32,
        /// How long a window is. Either this or `window`.
        #[facts(minimum = 1, maximum = 2_678_400)]
        pub(super) window_secs: Option<u32> = None,
        /// A quota by the calendar, in UTC. Only with `fixed-window`.
        pub(super) window: Option<limit::Calendar> = None,
        /// How it counts. Without it: `sliding-window`, and `fixed-window` with `window`.
        pub(super) algorithm: Option<limit::AlgorithmName> = None,
        /// How many at once. Without it: `requests`. Only with `token-bucket`.
        #[facts(minimum = 1)]
        pub(super) burst: Option<u32> = None,
        /// Where it counts: `memory`, each isolate for itself; `kv`, all together, late; `durable-object`, or `shared`, exactly;
        /// `binding`, a rate-limiting binding of the platform.
        pub(super) store: StoreName = StoreName::default(),
        /// The name of the rate-limiting binding. Only with `store = "binding"`.
        pub(super) binding: Option<String> = None,
        /// How much of a large limit an isolate may borrow. Only with `store = "durable-object"`.
        pub(super) lease: Option<limit::lease::Terms> = None,
        /// Who is not counted.
        pub(super) exempt: ExemptDocument = ExemptDocument::default(),
        /// What a request gets if the store does not answer: `deny` refuses it, `allow` lets it pass.
        pub(super) on_error: OnError = OnError::default(),
    }
}

described! {
    /// Who is not counted.
    #[derive(Debug, Default)]
    pub(super) struct ExemptDocument as Exempt, refused {
        /// Addresses and networks: `203.0.113.0/24`.
        pub(super) ips: Vec<String> = Vec::new(),
        /// Subjects of tokens. Where the policy has several issuers: with the issuer.
        pub(super) subjects: Vec<SubjectDocument> = Vec::new(),
        /// Ids of API keys, each 32 lower-case hexadecimal digits. A key that replaces one of them is exempt too.
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

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
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

described! {
    /// A subject of one issuer. Two issuers may know different people by the same name.
    pub(super) struct Of as SubjectOfIssuer, refused {
        /// The issuer.
        issuer: String,
        /// The subject: `sub` of its tokens.
        subject: String,
    }
}

described! {
    /// How many bad credentials are taken from an address. It is on by default: docs/limits.md.
    #[derive(Debug)]
    pub(super) struct FailedAuthenticationDocument as FailedAuthentication, refused {
        /// How many failures in a window.
        #[facts(minimum = 1)]
        pub(super) requests: u32 = DEFAULT_FAILURES,
        /// How long a window is.
        #[facts(minimum = 1, maximum = 2_678_400)]
        pub(super) window_secs: u32 = DEFAULT_FAILURES_SECS,
        /// How long an address stays blocked then. Without it: until the window has room.
        #[facts(minimum = 1, maximum = 2_678_400)]
        pub(super) penalty_secs: Option<u32> = None,
        /// Whether there is this limit.
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

described! {
    /// What is asked of a request, by its method and path: docs/routes.md. The first route that matches decides.
    #[derive(Debug)]
    pub(super) struct RouteDocument as Route, refused {
        /// The path: `/v1/posts/{id}`, or `/v1/*` for all below.
        #[facts(pattern = "^/")]
        pub(super) path: String,
        /// The methods, in capitals. Without it: all. `GET` is `HEAD` too.
        #[facts(minItems = 1)]
        pub(super) methods: Option<Vec<String>> = None,
        /// `required`; `optional`, but a credential that is presented has to be good; `none`, nobody looks at it.
        pub(super) auth: Auth = Auth::default(),
        /// The kinds of credential. Without it: all that the policy has.
        #[facts(minItems = 1)]
        pub(super) accept: Option<Vec<CredentialKind>> = None,
        /// Whose tokens are let through: some of `issuers` of the policy. API keys are not. Without it: all.
        #[facts(minItems = 1, uniqueItems = true)]
        pub(super) issuers: Option<Vec<String>> = None,
        /// What tokens have to say: a value, a list of values, or a parameter of the path: `{ org_id = "{org}" }`.
        #[facts(minProperties = 1)]
        #[written(Option<crate::json::describe::Named<ClaimValue>>)]
        pub(super) claims: Option<StrictObject> = None,
        /// How long ago a person may have signed in, by `auth_time` of the token. Without it: nobody asks.
        #[facts(minimum = 60)]
        pub(super) max_auth_age_secs: Option<u32> = None,
        /// The classes of sign-in of which one is needed, by `acr` of the token.
        #[facts(minItems = 1, uniqueItems = true)]
        pub(super) acr_values: Option<Vec<String>> = None,
        /// What a caller has to be allowed.
        pub(super) scopes: ScopesDocument = ScopesDocument::default(),
        /// How revocations are looked up here, where the policy has `snapshot` or `ledger`.
        pub(super) revocation: Option<RouteRevocation> = None,
        /// What becomes of CORS preflights. Without it: what the policy says.
        pub(super) preflight: Option<Preflight> = None,
        /// In place of the policy's.
        pub(super) cors: Option<CorsDocument> = None,
        /// The networks that it is for. Others get 403.
        #[facts(minItems = 1)]
        pub(super) ips: Option<Vec<Network>> = None,
        /// The names of the limits that count here.
        #[facts(uniqueItems = true)]
        pub(super) limits: Vec<String> = Vec::new(),
        /// What a request takes from each limit.
        #[facts(minimum = 1)]
        pub(super) cost: u32 = 1,
        /// Where admitted requests go, in place of the policy's.
        pub(super) upstream: Option<UpstreamDocument> = None,
        /// What the gate answers itself; nobody is asked.
        pub(super) answer: Option<AnswerDocument> = None,
        /// The provider whose account the caller has connected: requests are made with it. docs/grants.md.
        pub(super) grant: Option<GrantDocument> = None,
        /// How the service is told who is calling, in place of the policy's.
        pub(super) identity: Option<IdentityForm> = None,
        /// The `aud` of the identity token, in place of the policy's.
        pub(super) identity_audience: Option<String> = None,
    }
}

/// A provider alone, or more about it.
#[derive(Debug)]
pub(super) enum GrantDocument {
    Provider(String),
    Section(GrantSection),
}

impl Readable for GrantDocument {
    fn blank() -> Self {
        Self::Provider(String::new())
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        *self = match value {
            Value::String(provider) => Self::Provider(provider),
            Value::Object(_) => Self::Section(from_value(value)?),
            other => {
                let wanted = "the id of a provider, or an object with it";
                return Err(DocumentFault::expected(wanted, &other));
            }
        };
        Ok(())
    }
}

described! {
    /// By which account of the caller requests are made.
    #[derive(Debug)]
    pub(super) struct GrantSection as RouteGrant, refused {
        /// The id of the provider in `login.providers`.
        pub(super) provider: String,
        /// The header in which `upstream`, a service of your own, gets the token. Without it `upstream` is the provider's API, and
        /// the token goes there as `Authorization: Bearer`.
        pub(super) header: Option<String> = None,
        /// Headers of the caller that the provider gets beside the usual ones: `X-GitHub-Api-Version`.
        pub(super) pass_headers: Vec<String> = Vec::new(),
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

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
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

described! {
    /// Strict-Transport-Security (RFC 6797).
    #[derive(Debug)]
    pub(super) struct HstsSection as Hsts, refused {
        /// How long a browser remembers it.
        pub(super) max_age_secs: u32 = 31_536_000,
        /// Whether it holds below this host.
        pub(super) include_subdomains: bool = true,
        /// Whether browsers may have it built in. Needs a year, and `include_subdomains`.
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

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
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

described! {
    /// Where admitted requests go. Exactly one of `url` and `service`.
    #[derive(Debug)]
    pub(super) struct UpstreamSection as Upstream, refused {
        /// Its URL, http or https, without query.
        pub(super) url: Option<String> = None,
        /// The name of a service binding.
        #[facts(pattern = "^[A-Za-z0-9_]{1,64}$")]
        pub(super) service: Option<String> = None,
        /// What is taken off the front of the path. Only on a route whose path begins with it.
        pub(super) strip_prefix: Option<String> = None,
        /// What is put in front of the path.
        #[facts(pattern = "^/")]
        pub(super) add_prefix: Option<String> = None,
        /// How long it may take to the first byte of the answer, in milliseconds. Without it: as long as the platform lets it.
        #[facts(minimum = 1, maximum = 600_000)]
        pub(super) timeout_ms: Option<u32> = None,
        /// How often a request with a safe method is sent again if there was no connection.
        #[facts(maximum = 3)]
        pub(super) retries: u8 = 0,
    }
}

described! {
    /// What the gate answers itself.
    #[derive(Debug)]
    pub(super) struct AnswerDocument as Answer, refused {
        /// 200 to 299, or 400 to 599.
        #[facts(minimum = 200, maximum = 599)]
        pub(super) status: u16 = 200,
        /// A text, or an object or a list, which is sent as JSON.
        #[written(Option<AnswerBody>)]
        pub(super) body: Option<StrictValue> = None,
    }
}

described! {
    /// Which pages of other origins may read answers.
    #[derive(Debug)]
    pub(super) struct CorsDocument as Cors, refused {
        /// The origins as browsers send them: `https://app.example.com`. `["*"]`: all, which `credentials` does not go with.
        #[facts(minItems = 1)]
        pub(super) origins: Vec<String>,
        /// Whether pages may send cookies.
        pub(super) credentials: bool = false,
        /// Headers of answers that pages may read beside the usual ones.
        pub(super) expose: Vec<String> = Vec::new(),
        /// How long a browser may keep the answer to a preflight.
        #[facts(maximum = 86_400)]
        pub(super) max_age_secs: Option<u32> = None,
    }
}

described! {
    /// What a caller has to be allowed.
    #[derive(Debug, Default)]
    pub(super) struct ScopesDocument as Scopes, refused {
        /// Of these all are needed.
        pub(super) all: Vec<String> = Vec::new(),
        /// Of these one is needed.
        pub(super) any: Vec<String> = Vec::new(),
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

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
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
    document::parse_file(json.as_bytes()).map_err(|fault| Error::config(fault.path, fault.problem))
}
