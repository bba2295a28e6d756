//! What can go wrong, in one flat list, and the stable codes that callers see.
//!
//! [`Error`] tells the operator exactly what happened. [`Code`] is what leaves the gate: generic on
//! purpose, so that a caller cannot learn which check a forged credential reached.

use core::fmt;

use crate::time::UnixTime;

/// The stable code of a refusal: the same word in Rust, JavaScript, HTTP and the documentation.
///
/// Adding one is a minor change of the crate; renaming or removing one is a major change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// No credential where one is required.
    MissingCredentials,
    /// The token is malformed, not signed by a known key, or breaks a claim rule.
    InvalidToken,
    /// A genuine token, used at or after its `exp`.
    TokenExpired,
    /// A genuine token, used before its `nbf` or `iat`.
    TokenNotYetValid,
    /// A genuine token that was revoked.
    TokenRevoked,
    /// The API key is mistyped, forged or unknown.
    InvalidApiKey,
    /// A genuine API key past its expiry.
    ApiKeyExpired,
    /// A genuine API key that was revoked or disabled.
    ApiKeyRevoked,
    /// An API key of another environment (a `test` key at a `live` gate).
    WrongEnvironment,
    /// The caller is known but lacks a scope the route asks for.
    InsufficientScope,
    /// A rule of the policy says no, whoever asks.
    NotAllowed,
    /// A limit is used up.
    RateLimited,
    /// The request cannot be understood.
    InvalidRequest,
    /// More than one credential in one request.
    MultipleCredentials,
    /// Nothing is there (an endpoint of the gate itself, or a record it was asked for).
    NotFound,
    /// An endpoint of the gate itself does not have this method.
    MethodNotAllowed,
    /// A store did not answer and the policy says to refuse then.
    StoreUnavailable,
    /// The keys of an issuer cannot be had.
    KeysUnavailable,
    /// The protected service did not answer.
    UpstreamError,
    /// The gate itself is set up wrongly.
    ConfigError,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 20] = [
        Self::MissingCredentials,
        Self::InvalidToken,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenRevoked,
        Self::InvalidApiKey,
        Self::ApiKeyExpired,
        Self::ApiKeyRevoked,
        Self::WrongEnvironment,
        Self::InsufficientScope,
        Self::NotAllowed,
        Self::RateLimited,
        Self::InvalidRequest,
        Self::MultipleCredentials,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::StoreUnavailable,
        Self::KeysUnavailable,
        Self::UpstreamError,
        Self::ConfigError,
    ];

    /// The code as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingCredentials => "MISSING_CREDENTIALS",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::TokenNotYetValid => "TOKEN_NOT_YET_VALID",
            Self::TokenRevoked => "TOKEN_REVOKED",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::ApiKeyExpired => "API_KEY_EXPIRED",
            Self::ApiKeyRevoked => "API_KEY_REVOKED",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::RateLimited => "RATE_LIMITED",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::MultipleCredentials => "MULTIPLE_CREDENTIALS",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::KeysUnavailable => "KEYS_UNAVAILABLE",
            Self::UpstreamError => "UPSTREAM_ERROR",
            Self::ConfigError => "CONFIG_ERROR",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a compact token, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The whole string.
    Token,
    /// The first segment, the JOSE header.
    Header,
    /// The second segment, the payload (a JWT's claims).
    Payload,
    /// The third segment.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Why something was refused, with the facts an operator needs.
///
/// The message ([`fmt::Display`]) is for the event log: one lower-case sentence without a full stop.
/// It never holds a token, a key, a MAC or text taken from an unverified token. Callers are told
/// [`Error::code`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    // ---- the request ----
    /// No credential was presented and the route asks for one.
    MissingCredentials,
    /// Two credentials in one request; which one counts would be a guess.
    MultipleCredentials,
    /// The request breaks a rule of the gate; the text says which.
    InvalidRequest(&'static str),
    /// The route does not take tokens (`accept` of the policy).
    TokenNotAccepted,
    /// The route does not take API keys (`accept` of the policy).
    ApiKeyNotAccepted,

    // ---- tokens: form ----
    /// Longer than the verifier allows (8192 bytes by default).
    TokenTooLong {
        /// Bytes presented.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not a compact JWS in its one strict spelling (RFC 7515 §7.1, RFC 7519 §7.2).
    MalformedToken {
        /// Where.
        part: Part,
        /// What was expected there.
        problem: &'static str,
    },
    /// The same member name twice at the top level (RFC 7515 §4, RFC 7519 §4).
    DuplicateMember(Part),
    /// `crit` is present: no extension is understood (RFC 7515 §4.1.11), `b64` included (RFC 7797).
    UnsupportedCritical,

    // ---- tokens: key and signature ----
    /// `iss` names no issuer of the policy.
    UnknownIssuer,
    /// `alg` is not what the chosen key and the issuer's list allow; `none` never is.
    AlgorithmNotAllowed,
    /// No key of the issuer fits the header (`kid`, `alg`, `use`).
    UnknownKey,
    /// The signature does not hold for the chosen key.
    BadSignature,
    /// This build cannot check this algorithm here.
    AlgorithmUnavailable,

    /// Not the administrator's secret.
    AdministratorSecret,

    // ---- tokens: claims, after the signature held ----
    /// A claim that must be there is not.
    MissingClaim {
        /// Its name.
        claim: String,
    },
    /// A claim has the wrong JSON type.
    WrongClaimType {
        /// Its name.
        claim: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A claim (or the header's `typ`) has a value the rules do not allow.
    UnexpectedClaim {
        /// Its name.
        claim: String,
    },
    /// `exp` has come: `exp <= now - tolerance` (`exp == now` is expired, RFC 7519 §4.1.4).
    TokenExpired {
        /// The token's `exp`.
        expired_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    },
    /// `nbf` or `iat` is still to come.
    TokenNotYetValid {
        /// The later of the two.
        valid_from: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    },
    /// Older by `iat` than the rules allow, whatever `exp` says.
    TokenTooOld {
        /// When it was issued.
        issued_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    },
    /// Revoked; `by` names the kind of entry (`jti`, `subject`, `session`, `issuer`).
    TokenRevoked {
        /// The kind of entry that matched.
        by: &'static str,
    },

    // ---- proof of possession (RFC 9449), after the token held ----
    /// The token is bound to a key, and was presented without a proof that it is the caller's.
    ProofRequired,
    /// The rules want a token that is bound to a key, or a proof came with one that is not.
    TokenNotBound,
    /// The proof is malformed, not signed by its key, too old, or about another request.
    InvalidProof {
        /// What was expected.
        problem: String,
    },
    /// The proof is by another key than the one the token is bound to.
    WrongProofKey,
    /// The proof lacks the nonce that is wanted.
    WrongProofNonce,
    /// The proof has been used before.
    ProofReplayed,

    // ---- API keys ----
    /// Not `<prefix>_<environment>_<body><checksum>`.
    MalformedApiKey {
        /// What was expected.
        problem: &'static str,
    },
    /// The checksum does not fit: a typo, found without I/O.
    ApiKeyChecksum,
    /// The prefix is not one of the policy's.
    UnknownApiKeyPrefix,
    /// The key names a signing key that is not in the policy.
    UnknownSigningKey {
        /// The identifier inside the key.
        id: u8,
    },
    /// The tag is not what the signing key gives: forged, or signed with another secret.
    ApiKeyTag,
    /// Genuine, but there is no record of it.
    UnknownApiKey,
    /// Past the expiry inside the key or in its record.
    ApiKeyExpired {
        /// When it expired.
        expired_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    },
    /// Revoked, disabled, or named by a revocation entry.
    ApiKeyRevoked,
    /// The key's environment is not the gate's.
    WrongEnvironment,

    // ---- permission and limits ----
    /// Scopes the route asks for and the caller does not have.
    InsufficientScope {
        /// Space-separated, as `WWW-Authenticate` wants them (RFC 6750 §3).
        required: String,
    },
    /// A CORS preflight that is not passed on (`preflight` of the policy).
    PreflightNotPassed,
    /// A limit is used up.
    RateLimited {
        /// The limit's name in the policy.
        limit: String,
        /// Seconds until the same request can succeed.
        retry_after_secs: u32,
    },

    // ---- the gate's own endpoints ----
    /// No such endpoint or record.
    NotFound,
    /// The endpoint has other methods; they are listed.
    MethodNotAllowed {
        /// Comma-separated, as `Allow` wants them.
        allow: &'static str,
    },
    /// A field of an administrator's request body is at fault.
    InvalidField {
        /// Where, as in `scopes[0]`.
        path: String,
        /// What was expected and what was found.
        problem: String,
    },

    // ---- things the gate depends on ----
    /// A store failed, timed out or returned something that is not ours.
    StoreUnavailable {
        /// Which (`revocation`, `counters`, `keys`).
        store: &'static str,
        /// What happened, without the data involved.
        problem: String,
    },
    /// An issuer's keys cannot be had.
    KeysUnavailable {
        /// The issuer, as the policy writes it.
        issuer: String,
        /// What happened.
        problem: String,
    },
    /// The protected service did not answer.
    Upstream {
        /// What happened.
        problem: String,
    },
    /// A key is refused when it is loaded: too short, of an unknown kind, contradictory.
    RefusedKey {
        /// What is wrong with it; never the key itself.
        problem: String,
    },
    /// The configuration is refused.
    Config {
        /// Where, as in `issuers[1].audience`; empty for the whole.
        path: String,
        /// What was expected and what was found.
        problem: String,
    },
}

impl Error {
    /// A fault of the configuration, at its place.
    #[must_use]
    pub fn config(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { path: path.into(), problem: problem.into() }
    }

    /// A fault of a field of an administrator's request.
    #[must_use]
    pub fn invalid_field(path: &str, problem: &str) -> Self {
        Self::InvalidField { path: path.to_owned(), problem: problem.to_owned() }
    }

    /// The code callers see.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::MissingCredentials => Code::MissingCredentials,
            Self::MultipleCredentials => Code::MultipleCredentials,
            Self::InvalidRequest(_) | Self::InvalidField { .. } => Code::InvalidRequest,
            Self::TokenTooLong { .. }
            | Self::MalformedToken { .. }
            | Self::DuplicateMember(_)
            | Self::UnsupportedCritical
            | Self::UnknownIssuer
            | Self::AlgorithmNotAllowed
            | Self::UnknownKey
            | Self::BadSignature
            | Self::AlgorithmUnavailable
            | Self::AdministratorSecret
            | Self::MissingClaim { .. }
            | Self::WrongClaimType { .. }
            | Self::UnexpectedClaim { .. }
            | Self::ProofRequired
            | Self::TokenNotBound
            | Self::InvalidProof { .. }
            | Self::WrongProofKey
            | Self::WrongProofNonce
            | Self::ProofReplayed
            | Self::TokenNotAccepted => Code::InvalidToken,
            Self::TokenExpired { .. } | Self::TokenTooOld { .. } => Code::TokenExpired,
            Self::TokenNotYetValid { .. } => Code::TokenNotYetValid,
            Self::TokenRevoked { .. } => Code::TokenRevoked,
            Self::MalformedApiKey { .. }
            | Self::ApiKeyChecksum
            | Self::UnknownApiKeyPrefix
            | Self::UnknownSigningKey { .. }
            | Self::ApiKeyTag
            | Self::UnknownApiKey
            | Self::ApiKeyNotAccepted => Code::InvalidApiKey,
            Self::ApiKeyExpired { .. } => Code::ApiKeyExpired,
            Self::ApiKeyRevoked => Code::ApiKeyRevoked,
            Self::WrongEnvironment => Code::WrongEnvironment,
            Self::InsufficientScope { .. } => Code::InsufficientScope,
            Self::PreflightNotPassed => Code::NotAllowed,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed { .. } => Code::MethodNotAllowed,
            Self::StoreUnavailable { .. } => Code::StoreUnavailable,
            Self::KeysUnavailable { .. } => Code::KeysUnavailable,
            Self::Upstream { .. } => Code::UpstreamError,
            Self::RefusedKey { .. } | Self::Config { .. } => Code::ConfigError,
        }
    }

    /// A finer, stable word for logs and for `EdgegateError.reason`, such as `bad_signature`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MissingCredentials => "missing_credentials",
            Self::MultipleCredentials => "multiple_credentials",
            Self::InvalidRequest(_) => "invalid_request",
            Self::TokenNotAccepted => "token_not_accepted",
            Self::ApiKeyNotAccepted => "api_key_not_accepted",
            Self::TokenTooLong { .. } => "token_too_long",
            Self::MalformedToken { .. } => "malformed_token",
            Self::DuplicateMember(_) => "duplicate_member",
            Self::UnsupportedCritical => "unsupported_critical",
            Self::UnknownIssuer => "unknown_issuer",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::AlgorithmUnavailable => "algorithm_unavailable",
            Self::AdministratorSecret => "administrator_secret",
            Self::MissingClaim { .. } => "missing_claim",
            Self::WrongClaimType { .. } => "wrong_claim_type",
            Self::UnexpectedClaim { .. } => "unexpected_claim",
            Self::TokenExpired { .. } => "token_expired",
            Self::TokenNotYetValid { .. } => "token_not_yet_valid",
            Self::TokenTooOld { .. } => "token_too_old",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::ProofRequired => "dpop_required",
            Self::TokenNotBound => "dpop_not_bound",
            Self::InvalidProof { .. } => "dpop_proof",
            Self::WrongProofKey => "dpop_key",
            Self::WrongProofNonce => "dpop_nonce",
            Self::ProofReplayed => "dpop_replayed",
            Self::MalformedApiKey { .. } => "malformed_api_key",
            Self::ApiKeyChecksum => "api_key_checksum",
            Self::UnknownApiKeyPrefix => "unknown_api_key_prefix",
            Self::UnknownSigningKey { .. } => "unknown_signing_key",
            Self::ApiKeyTag => "api_key_tag",
            Self::UnknownApiKey => "unknown_api_key",
            Self::ApiKeyExpired { .. } => "api_key_expired",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::WrongEnvironment => "wrong_environment",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::PreflightNotPassed => "preflight_not_passed",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::InvalidField { .. } => "invalid_field",
            Self::StoreUnavailable { .. } => "store_unavailable",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::Upstream { .. } => "upstream",
            Self::RefusedKey { .. } => "refused_key",
            Self::Config { .. } => "config",
        }
    }

    /// Whether the credential itself was not genuine: a guess, a forgery or a mistyped key.
    ///
    /// These are what the limit on failed authentication counts. An expired or revoked credential was
    /// genuine once, so it is no guess and does not count; nor does a token that only lacks a proof, or a nonce
    /// that its holder could not know, or whose proof came twice.
    #[must_use]
    pub const fn is_failed_authentication(&self) -> bool {
        !matches!(
            self,
            Self::TokenNotAccepted
                | Self::ApiKeyNotAccepted
                | Self::ProofRequired
                | Self::TokenNotBound
                | Self::WrongProofNonce
                | Self::ProofReplayed
        ) && matches!(
            self.code(),
            Code::InvalidToken | Code::InvalidApiKey | Code::WrongEnvironment
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingCredentials => f.write_str("no credential was presented"),
            Self::MultipleCredentials => f.write_str("more than one credential was presented"),
            Self::InvalidRequest(problem) => f.write_str(problem),
            Self::TokenNotAccepted => f.write_str("the route does not accept tokens"),
            Self::ApiKeyNotAccepted => f.write_str("the route does not accept API keys"),
            Self::TokenTooLong { length, limit } => {
                write!(f, "token has {length} bytes, more than the {limit} allowed")
            }
            Self::MalformedToken { part, problem } => write!(f, "{part}: {problem}"),
            Self::DuplicateMember(part) => write!(f, "{part} has a member name twice"),
            Self::UnsupportedCritical => {
                f.write_str("header names critical extensions, none is supported")
            }
            Self::UnknownIssuer => f.write_str("iss names no configured issuer"),
            Self::AlgorithmNotAllowed => f.write_str("alg is not allowed for this key and issuer"),
            Self::UnknownKey => f.write_str("no key of the issuer fits the header"),
            Self::BadSignature => f.write_str("signature does not hold"),
            Self::AlgorithmUnavailable => f.write_str("alg cannot be verified by this build"),
            Self::AdministratorSecret => f.write_str("not the administrator's secret"),
            Self::MissingClaim { claim } => write!(f, "claim {claim} is missing"),
            Self::WrongClaimType { claim, expected } => {
                write!(f, "claim {claim}: expected {expected}")
            }
            Self::UnexpectedClaim { claim } => write!(f, "{claim} has a value that is not allowed"),
            Self::TokenExpired { expired_at, now } => {
                write!(f, "token expired at {expired_at}, it is {now}")
            }
            Self::TokenNotYetValid { valid_from, now } => {
                write!(f, "token is valid from {valid_from}, it is {now}")
            }
            Self::TokenTooOld { issued_at, now } => {
                write!(f, "token was issued at {issued_at}, too long before {now}")
            }
            Self::TokenRevoked { by } => write!(f, "token is revoked by {by}"),
            Self::ProofRequired => f.write_str("token is bound to a key, expected a DPoP proof"),
            Self::TokenNotBound => f.write_str("token is not bound to a key"),
            Self::InvalidProof { problem } => write!(f, "DPoP proof: {problem}"),
            Self::WrongProofKey => f.write_str("DPoP proof is by another key than the token's"),
            Self::WrongProofNonce => f.write_str("DPoP proof lacks the nonce that is wanted"),
            Self::ProofReplayed => f.write_str("DPoP proof has been used before"),
            Self::MalformedApiKey { problem } => write!(f, "API key: {problem}"),
            Self::ApiKeyChecksum => f.write_str("API key checksum does not fit"),
            Self::UnknownApiKeyPrefix => f.write_str("API key prefix is not configured"),
            Self::UnknownSigningKey { id } => {
                write!(f, "API key was signed with signing key {id}, which is not configured")
            }
            Self::ApiKeyTag => f.write_str("API key tag does not hold"),
            Self::UnknownApiKey => f.write_str("API key has no record"),
            Self::ApiKeyExpired { expired_at, now } => {
                write!(f, "API key expired at {expired_at}, it is {now}")
            }
            Self::ApiKeyRevoked => f.write_str("API key is revoked"),
            Self::WrongEnvironment => f.write_str("API key belongs to another environment"),
            Self::InsufficientScope { required } => write!(f, "missing scope: {required}"),
            Self::PreflightNotPassed => f.write_str("the policy passes no CORS preflight on here"),
            Self::RateLimited { limit, retry_after_secs } => {
                write!(f, "limit {limit} is used up, free again in {retry_after_secs} s")
            }
            Self::NotFound => f.write_str("nothing is there"),
            Self::MethodNotAllowed { allow } => write!(f, "method not allowed, expected {allow}"),
            Self::InvalidField { path, problem } => write_at(f, path, problem),
            Self::StoreUnavailable { store, problem } => write!(f, "store {store}: {problem}"),
            Self::KeysUnavailable { issuer, problem } => write!(f, "keys of {issuer}: {problem}"),
            Self::Upstream { problem } => write!(f, "upstream: {problem}"),
            Self::RefusedKey { problem } => f.write_str(problem),
            Self::Config { path, problem } => write_at(f, path, problem),
        }
    }
}

impl core::error::Error for Error {}

/// `path: problem`, or the problem alone where it concerns the whole.
fn write_at(f: &mut fmt::Formatter<'_>, path: &str, problem: &str) -> fmt::Result {
    if path.is_empty() { f.write_str(problem) } else { write!(f, "{path}: {problem}") }
}

/// A store failed, timed out, or returned something that is not ours. Holds no stored data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(String);

impl StoreError {
    /// An error with a message for the event log.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_codes_is_pinned() {
        let written: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(
            written,
            [
                "MISSING_CREDENTIALS",
                "INVALID_TOKEN",
                "TOKEN_EXPIRED",
                "TOKEN_NOT_YET_VALID",
                "TOKEN_REVOKED",
                "INVALID_API_KEY",
                "API_KEY_EXPIRED",
                "API_KEY_REVOKED",
                "WRONG_ENVIRONMENT",
                "INSUFFICIENT_SCOPE",
                "NOT_ALLOWED",
                "RATE_LIMITED",
                "INVALID_REQUEST",
                "MULTIPLE_CREDENTIALS",
                "NOT_FOUND",
                "METHOD_NOT_ALLOWED",
                "STORE_UNAVAILABLE",
                "KEYS_UNAVAILABLE",
                "UPSTREAM_ERROR",
                "CONFIG_ERROR",
            ]
        );
    }

    #[test]
    fn messages_name_the_field_and_the_facts() {
        let expired =
            Error::TokenExpired { expired_at: UnixTime::from_secs(5), now: UnixTime::from_secs(9) };
        assert_eq!(expired.to_string(), "token expired at 5, it is 9");
        let config = Error::Config {
            path: "issuers[1].audience".into(),
            problem: "expected a non-empty list".into(),
        };
        assert_eq!(config.to_string(), "issuers[1].audience: expected a non-empty list");
    }

    #[test]
    fn genuine_but_stale_credentials_are_no_failed_authentication() {
        assert!(Error::BadSignature.is_failed_authentication());
        assert!(Error::ApiKeyTag.is_failed_authentication());
        assert!(!Error::ApiKeyRevoked.is_failed_authentication());
        assert!(!Error::MissingCredentials.is_failed_authentication());
    }
}
