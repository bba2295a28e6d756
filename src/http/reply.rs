//! Decisions as HTTP: the one place where a code becomes a status, a title, a hint and headers, and
//! where identity and limits become header fields. Both edges answer by it.

use std::borrow::Cow;

use serde::Serialize;

use crate::error::{Code, Error, FieldFault};
use crate::guard::{Carrier, Identity, LimitReport};
use crate::header_text::{KeptSpaces, percent_encoded};
use crate::jose::dpop::ProofRules;
use crate::policy::{API_KEY_HEADER, FixedAnswer, SecurityHeaders};
use crate::session::oauth::OAuthError;

/// Seconds after which asking again makes sense when a store or an issuer did not answer.
pub const RETRY_UNAVAILABLE_SECS: u32 = 5;

/// The challenge of a refused token, up to its error.
pub const CHALLENGE: &str = "Bearer realm=\"edgegate\"";

/// The form of a refusal for those that ask for it (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Parameters of a range in `Accept` by which it refuses what it names (RFC 9110 §12.4.2).
pub const REFUSING_WEIGHTS: [&str; 5] = ["q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"];

/// Header fields, in the order in which they are set.
pub type Fields = Vec<(&'static str, String)>;

/// The same, lent where they need not be made.
pub type LentFields<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// The names that [`identity_fields`] may set.
pub const IDENTITY_FIELDS: [&str; 5] =
    ["X-Auth-Method", "X-Auth-Subject", "X-Auth-Issuer", "X-Auth-Scopes", "X-Auth-Key-Id"];

/// The answer to a refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, `Cache-Control`, and what goes with the code: `WWW-Authenticate`, `Retry-After`,
    /// `Allow`. Not the limits: see [`limit_fields`].
    pub fields: Fields,
    /// JSON that ends with a line break: `{"error", "code", "hint"}`, or RFC 9457.
    pub body: String,
}

impl Refusal {
    /// The answer in the form that the request's `Accept` asks for. `carrier` is how the refused
    /// credential came.
    #[must_use]
    pub fn new(error: &Error, carrier: Option<Carrier>, accept: Option<&str>) -> Self {
        let problem = prefers_problem(accept);
        let code = error.code();
        let wire = Wire { title: title(error), ..wire(code) };
        let hint = hint(error, wire.hint);
        let login_url = match error {
            Error::LoginRequired { login_url } => Some(login_url.as_str()),
            Error::StepUp { login_url, .. } => login_url.as_deref(),
            _ => None,
        };
        let details = match error {
            Error::ValidationFailed { details } => Some(details.as_slice()),
            _ => None,
        };
        let next = match error {
            Error::SecondFactorRequired { next } | Error::SecondFactorMissing { next } => {
                Some(next)
            }
            _ => None,
        };
        let mfa_token = next.map(|next| next.mfa_token.as_str());
        let methods = next.map(|next| next.methods.as_slice());
        let expires_in = next.map(|next| next.expires_in);
        let body = if problem {
            json_line(&Problem {
                kind: problem_type(code),
                title: wire.title,
                status: wire.status,
                detail: &hint,
                code: code.as_str(),
                login_url,
                details,
                mfa_token,
                methods,
                expires_in,
            })
        } else {
            let (error, code) = (wire.title, code.as_str());
            let hint = hint.as_str();
            json_line(&Body {
                error,
                code,
                hint,
                login_url,
                details,
                mfa_token,
                methods,
                expires_in,
            })
        };
        let kind = if problem { PROBLEM_JSON } else { "application/json" };
        let mut fields =
            vec![("Content-Type", kind.to_owned()), ("Cache-Control", "no-store".to_owned())];
        if let Some(challenge) = challenge(error, wire.status, carrier) {
            fields.push(("WWW-Authenticate", challenge));
        }
        match error {
            Error::RateLimited { retry_after_secs, .. }
            | Error::TooManyLogins { retry_after_secs }
            | Error::TooManyGuesses { retry_after_secs, .. }
            | Error::TooManyMails { retry_after_secs, .. } => {
                fields.push(("Retry-After", retry_after_secs.to_string()));
            }
            Error::StoreUnavailable { .. } | Error::KeysUnavailable { .. } => {
                fields.push(("Retry-After", RETRY_UNAVAILABLE_SECS.to_string()));
            }
            Error::MethodNotAllowed { allow } => fields.push(("Allow", (*allow).to_owned())),
            _ => {}
        }
        Self { status: wire.status, fields, body }
    }

    /// The same, where clients are told at which URL the resource describes itself (RFC 9728 §5.1): which authorization servers
    /// and scopes there are. Challenges say it if another credential would help.
    #[must_use]
    pub fn naming(mut self, error: &Error, resource_metadata: Option<&str>) -> Self {
        let helps = self.status == 401 || error.code() == Code::InsufficientScope;
        if let (Some(url), true) = (resource_metadata, helps) {
            let challenges = self.fields.iter_mut().filter(|(name, _)| *name == "WWW-Authenticate");
            challenges.for_each(|(_, challenge)| {
                challenge.push_str(&format!(", resource_metadata=\"{url}\""));
            });
        }
        self
    }
}

impl Refusal {
    /// The answer of `/token`, `/revoke` and `/introspect` (RFC 6749 §5.2), with the gate's own code and hint beside it. `by_header`:
    /// whether the client was named in `Authorization`.
    #[must_use]
    pub fn oauth(error: &Error, by_header: bool) -> Self {
        let own = Self::new(error, None, None);
        let word = OAuthError::of(error);
        // No word of RFC 6749 says these: too often, and not by this method.
        let has_own = matches!(error.code(), Code::RateLimited | Code::MethodNotAllowed);
        let status = if has_own { own.status } else { word.status() };
        let body = json_line(&OAuthBody {
            error: word.as_str(),
            code: error.code().as_str(),
            hint: &hint(error, wire(error.code()).hint),
        });
        let mut fields = own.fields;
        fields.retain(|(name, _)| *name != "WWW-Authenticate");
        if word == OAuthError::InvalidClient && by_header {
            fields.push(("WWW-Authenticate", "Basic realm=\"edgegate\"".to_owned()));
        }
        Self { status, fields, body }
    }
}

/// The answer to a CORS preflight that the gate gives itself ([`crate::guard::Decision::answers_preflight`]).
pub const PREFLIGHT_STATUS: u16 = 204;

/// Its fields beside those of [`super::cors`]. Without `cors` a browser does not send the request that it asked about.
#[must_use]
pub fn preflight_fields() -> Fields {
    vec![("Cache-Control", "no-store".to_owned())]
}

/// The fields of an answer that the policy itself has ([`crate::policy::FixedAnswer`]). Some callers may have been refused it, so
/// nobody stores it.
#[must_use]
pub fn fixed_fields(answer: &FixedAnswer) -> Fields {
    let kind = answer.content_type.map(|kind| ("Content-Type", kind.to_owned()));
    kind.into_iter().chain([("Cache-Control", "no-store".to_owned())]).collect()
}

/// The status that sends a request to https: its method and body stay (RFC 9110 §15.4.9).
pub const TO_HTTPS_STATUS: u16 = 308;

/// What every answer gets that does not have it; `https` is whether it goes out over https (RFC 6797 §7.2). One with an empty value is
/// taken out.
#[must_use]
pub fn security_fields(headers: &SecurityHeaders, https: bool) -> Fields {
    if headers.is_nothing() { Fields::new() } else { fields_of(headers, https) }
}

#[inline(never)]
fn fields_of(headers: &SecurityHeaders, https: bool) -> Fields {
    let hsts = headers.hsts.clone().filter(|_| https);
    let powered = (!headers.fields.is_empty()).then_some(("X-Powered-By", String::new()));
    let hsts = hsts.map(|value| ("Strict-Transport-Security", value));
    headers.fields.iter().cloned().chain(hsts).chain(powered).collect()
}

/// The identity as the upstream gets it. Inbound copies of these have to be taken out before.
#[must_use]
pub fn identity_fields(identity: &Identity) -> Fields {
    let lent = lent_identity_fields(identity);
    lent.into_iter().map(|(name, value)| (name, value.into_owned())).collect()
}

/// The same, lent.
#[must_use]
pub fn lent_identity_fields(identity: &Identity) -> LentFields<'_> {
    let mut fields = Vec::with_capacity(IDENTITY_FIELDS.len());
    fields.push(("X-Auth-Method", Cow::Borrowed(identity.method())));
    if let Some(subject) = identity.subject() {
        fields.push(("X-Auth-Subject", percent_encoded(subject, KeptSpaces::Within)));
    }
    if let Some(issuer) = identity.issuer() {
        fields.push(("X-Auth-Issuer", percent_encoded(issuer, KeptSpaces::Within)));
    }
    match identity.scopes() {
        [] => {}
        [one] => fields.push(("X-Auth-Scopes", percent_encoded(one, KeptSpaces::Within))),
        several => {
            let joined = several.join(" ");
            let encoded = match percent_encoded(&joined, KeptSpaces::Within) {
                Cow::Owned(encoded) => encoded,
                Cow::Borrowed(_) => joined,
            };
            fields.push(("X-Auth-Scopes", Cow::Owned(encoded)));
        }
    }
    if let Some(id) = identity.api_key_id() {
        fields.push(("X-Auth-Key-Id", Cow::Owned(id.to_string())));
    }
    fields
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and `X-RateLimit-*` of
/// the tightest limit where the policy wants them (`legacy`). The names of limits are tokens, so they
/// need no escaping in a structured field.
#[must_use]
pub fn limit_fields(limits: &[LimitReport], legacy: bool) -> Fields {
    let mut fields = Fields::new();
    if limits.is_empty() {
        return fields;
    }
    let known = || limits.iter().filter_map(|limit| limit.verdict.map(|verdict| (limit, verdict)));
    let policies = limits.iter().map(|limit| {
        let (requests, window_secs) = (limit.requests.into(), limit.window_secs.into());
        (limit.name.as_str(), [("q", requests), ("w", window_secs)])
    });
    fields.push(("RateLimit-Policy", items(policies)));
    let states = items(known().map(|(limit, verdict)| {
        let (remaining, reset_secs) = (verdict.remaining.into(), verdict.reset_after_secs.into());
        (limit.name.as_str(), [("r", remaining), ("t", reset_secs)])
    }));
    if !states.is_empty() {
        fields.push(("RateLimit", states));
    }
    let tightest = known().min_by_key(|(_, verdict)| verdict.remaining);
    if let (true, Some((limit, verdict))) = (legacy, tightest) {
        fields.push(("X-RateLimit-Limit", limit.requests.to_string()));
        fields.push(("X-RateLimit-Remaining", verdict.remaining.to_string()));
        fields.push(("X-RateLimit-Reset", verdict.reset_after_secs.to_string()));
    }
    fields
}

/// So many bytes are enough for most lists of limits.
const USUAL_ITEMS: usize = 64;

/// A list of strings with parameters (RFC 9651 §3.1). Each answer of a limited route has two of them.
fn items<'l>(list: impl Iterator<Item = (&'l str, [(&'static str, u64); 2])>) -> String {
    let mut text = String::with_capacity(USUAL_ITEMS);
    for (name, parameters) in list {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push('"');
        text.push_str(name);
        text.push('"');
        for (parameter, number) in parameters {
            text.push(';');
            text.push_str(parameter);
            text.push('=');
            text.push_str(&number.to_string());
        }
    }
    text
}

/// JSON that ends with a line break, as a terminal likes it. What this is called with are structures of
/// ours, which JSON can always hold.
#[must_use]
pub fn json_line<T: Serialize>(value: &T) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// The `type` of a problem (RFC 9457 §3.1.1).
#[must_use]
pub fn problem_type(code: Code) -> String {
    format!("urn:edgegate:error:{}", code.as_str().to_lowercase().replace('_', "-"))
}

/// What a caller is told of a code.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    /// The HTTP status.
    pub status: u16,
    /// What has happened.
    pub title: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// Status, title and hint of each code.
#[must_use]
pub const fn wire(code: Code) -> Wire {
    let (status, title, hint) = match code {
        Code::MissingCredentials => (
            401,
            "Authentication required",
            "Send a token as 'Authorization: Bearer <token>' or an API key as 'X-API-Key: <key>'",
        ),
        Code::LoginRequired => (401, "Login required", "Log in, or send a token or an API key"),
        Code::InvalidToken => {
            (401, "Invalid token", "Get a new token from the issuer and send it unchanged")
        }
        Code::TokenExpired => (401, "Token expired", "Get a new token or refresh the session"),
        Code::TokenNotYetValid => {
            (401, "Token not yet valid", "Check the clock of the system that issued the token")
        }
        Code::TokenRevoked => (401, "Token revoked", "Sign in again"),
        Code::StepUpRequired => (
            401,
            "More recent sign-in required",
            "Sign in again; a refreshed token of the same sign-in will not help",
        ),
        Code::InvalidApiKey => {
            (401, "Invalid API key", "Check that the whole key was copied, without spaces")
        }
        Code::ApiKeyExpired => (401, "API key expired", "Create a new API key"),
        Code::ApiKeyRevoked => (401, "API key revoked", "Create a new API key"),
        Code::WrongEnvironment => (
            401,
            "API key belongs to another environment",
            "Use a key that was created for this environment",
        ),
        Code::InvalidRefreshToken => (401, "Invalid refresh token", "Please log in again"),
        Code::InsufficientScope => {
            (403, "Insufficient permissions", "Ask for a credential with the scopes of this route")
        }
        Code::NotAllowed => {
            (403, "Not allowed", "A rule of this service does not allow the request")
        }
        Code::CsrfRefused => (
            403,
            "Request from another site refused",
            "Send the request from a page of this site, or with a credential that is no cookie",
        ),
        Code::HttpsRequired => (
            403,
            "HTTPS required",
            "Use https. A credential that was sent over http is no secret any more: get a new one",
        ),
        Code::InvalidCredentials => {
            (401, "Invalid credentials", "Check the address and the password")
        }
        Code::MfaRequired => (
            401,
            "Second factor required",
            "Send the mfa_token with a code, within as many seconds as expires_in says",
        ),
        Code::MfaSetupRequired => (
            401,
            "Second factor to be set up",
            "Set one up by the mfa_token, within as many seconds as expires_in says",
        ),
        Code::TooManyAttempts => (
            429,
            "Too many attempts",
            "Wait as many seconds as Retry-After says, then log in again",
        ),
        Code::ConnectRequired => (
            403,
            "Account not connected",
            "Connect the account of the user at the provider first, or again",
        ),
        Code::RateLimited => {
            (429, "Too many requests", "Wait as many seconds as Retry-After says, then try again")
        }
        Code::InvalidRequest => {
            (400, "Invalid request", "Correct the request; sending it again will not help")
        }
        Code::MultipleCredentials => {
            (400, "More than one credential", "Send exactly one token or API key")
        }
        Code::NotFound => (404, "Not found", "Check the path"),
        Code::MethodNotAllowed => (405, "Method not allowed", "See the Allow header"),
        Code::StoreUnavailable => {
            (503, "Temporarily unavailable", "Try again after as many seconds as Retry-After says")
        }
        Code::KeysUnavailable => (
            503,
            "Keys of the issuer unavailable",
            "Try again after as many seconds as Retry-After says",
        ),
        Code::UpstreamError => (502, "Upstream did not answer", "Try again later"),
        Code::UpstreamTimeout => (504, "Upstream did not answer in time", "Try again later"),
        Code::ConfigError => {
            (500, "Gate is not configured", "The operator finds the reason in the log of the gate")
        }
    };
    Wire { status, title, hint }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'a str,
    hint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a [FieldFault]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
}

#[derive(Serialize)]
struct OAuthBody<'a> {
    error: &'a str,
    code: &'a str,
    hint: &'a str,
}

/// What has happened: the general title of the code, but for one that says more.
fn title(error: &Error) -> &'static str {
    match error {
        Error::RefreshTokenRequired => "Refresh token required",
        Error::ValidationFailed { .. } => "Validation failed",
        _ => wire(error.code()).title,
    }
}

/// RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a [FieldFault]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
}

/// The general hint of the code, or the caller's own mistake where naming it gives nothing away.
fn hint(error: &Error, general: &'static str) -> String {
    match error {
        Error::InvalidRequest(problem) | Error::OAuth { problem, .. } => (*problem).to_owned(),
        Error::InvalidField { .. } => error.to_string(),
        Error::InsufficientScope { required } => format!("{general}: {required}"),
        Error::WrongCode => "Check the code; each is good for once".to_owned(),
        Error::LoginOver => "Log in again from the beginning".to_owned(),
        Error::TooManyGuesses { of: "authenticator", .. } => {
            "Use a recovery code or a passkey, or set a new password".to_owned()
        }
        Error::TooManyGuesses { retry_after_secs, .. }
        | Error::TooManyMails { retry_after_secs, .. } => {
            format!("Please try again in {}", in_words(*retry_after_secs))
        }
        Error::PasskeyRefused { .. } | Error::PasskeyCopied => {
            "Ask for new options, and use a passkey of this service".to_owned()
        }
        Error::AdministratorRole { needed } => {
            format!("Use an administrator's secret with the role {needed}")
        }
        Error::MissingCredentialsOr { api_key_header } => {
            general.replace(API_KEY_HEADER, api_key_header)
        }
        _ => general.to_owned(),
    }
}

/// A time to wait, never shorter than it is.
fn in_words(secs: u32) -> String {
    let minutes = secs.div_ceil(60);
    match (secs, minutes) {
        (0 | 1, _) => "1 second".to_owned(),
        (2..=90, _) => format!("{secs} seconds"),
        _ => format!("{minutes} minutes"),
    }
}

/// `WWW-Authenticate` (RFC 6750 §3). Without a credential it names only the scheme (§3.1).
fn challenge(error: &Error, status: u16, carrier: Option<Carrier>) -> Option<String> {
    if status != 401 && status != 403 {
        return None;
    }
    if status == 403 && error.code() != Code::InsufficientScope {
        // Another credential would not help, nor is anything wrong with this one.
        return Some(CHALLENGE.to_owned());
    }
    if let Some(challenge) = dpop_challenge(error, carrier) {
        return Some(challenge);
    }
    let realm = CHALLENGE;
    let bearer = carrier == Some(Carrier::Bearer);
    Some(match error {
        Error::InsufficientScope { required } if bearer => {
            // The policy takes only scopes without quote and backslash, so this needs no escaping.
            format!("{realm}, error=\"insufficient_scope\", scope=\"{required}\"")
        }
        // What a role is called is what this scope would be called.
        Error::AdministratorRole { needed } if bearer => {
            format!("{realm}, error=\"insufficient_scope\", scope=\"{needed}\"")
        }
        Error::MissingCredentials | Error::LoginRequired { .. } => realm.to_owned(),
        _ if bearer => {
            let (name, title) = (challenge_error(error.code()), wire(error.code()).title);
            let max_age = max_age(error);
            format!("{realm}, error=\"{name}\", error_description=\"{title}\"{max_age}")
        }
        _ => realm.to_owned(),
    })
}

/// What is wrong with a token, as challenges name it (RFC 6750 §3.1, RFC 9470 §3).
#[must_use]
pub const fn challenge_error(code: Code) -> &'static str {
    match code {
        Code::StepUpRequired => "insufficient_user_authentication",
        _ => "invalid_token",
    }
}

/// How long ago the sign-in may be and of which class it has to be (RFC 9470 §3), with the comma before it; or nothing.
fn max_age(error: &Error) -> String {
    match error {
        Error::AuthenticationTooOld { max_age_secs, .. } => format!(", max_age=\"{max_age_secs}\""),
        Error::StepUp { max_age_secs, acr_values, .. } => {
            // The policy takes only classes without quote and backslash.
            let acr = if acr_values.is_empty() {
                String::new()
            } else {
                format!(", acr_values=\"{acr_values}\"")
            };
            let age = max_age_secs.map(|secs| format!(", max_age=\"{secs}\"")).unwrap_or_default();
            format!("{acr}{age}")
        }
        _ => String::new(),
    }
}

/// `WWW-Authenticate` of RFC 9449 §7.1, for a token that came with that scheme or should have.
fn dpop_challenge(error: &Error, carrier: Option<Carrier>) -> Option<String> {
    let bound = matches!(error, Error::ProofRequired | Error::TokenNotBound);
    if carrier != Some(Carrier::Dpop) && !bound {
        return None;
    }
    let name = match error {
        Error::InvalidProof { .. } | Error::WrongProofKey | Error::ProofReplayed => {
            "invalid_dpop_proof"
        }
        Error::WrongProofNonce => "use_dpop_nonce",
        Error::InsufficientScope { .. } => "insufficient_scope",
        _ => challenge_error(error.code()),
    };
    let max_age = max_age(error);
    let algorithms = ProofRules::default();
    let algorithms: Vec<&str> = algorithms.algorithms().iter().map(|one| one.as_str()).collect();
    let algs = algorithms.join(" ");
    Some(format!("DPoP realm=\"edgegate\", error=\"{name}\", algs=\"{algs}\"{max_age}"))
}

/// Whether the caller asks for `application/problem+json` (RFC 9110 §12.5.1; a weight of 0 refuses it).
fn prefers_problem(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| {
        accept.to_ascii_lowercase().split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            parts.next() == Some(PROBLEM_JSON)
                && !parts.any(|parameter| REFUSING_WEIGHTS.contains(&parameter))
        })
    })
}
