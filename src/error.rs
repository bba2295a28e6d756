//! What can go wrong, in one flat list, and the stable codes that callers see.
//!
//! [`Error`] tells the operator exactly what happened. Callers are told the [`Code`] only. It is generic on purpose:
//! nobody must learn from it how far a forged credential came.

use core::fmt;

use serde::Serialize;

use crate::time::UnixTime;

/// The table of codes, each with its word.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident => $word:literal,)+) => {
        /// The stable code of a refusal: the same word in Rust, JavaScript, HTTP and the documentation.
        ///
        /// Adding one is a minor change of the crate; renaming or removing one is a major change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$code),+];

            /// The code as it is written on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $word,)+
                }
            }
        }
    };
}

codes! {
    /// No credential where one is required.
    MissingCredentials => "MISSING_CREDENTIALS",
    /// The same where people can log in.
    LoginRequired => "LOGIN_REQUIRED",
    /// The token is malformed, not signed by a known key, or breaks a claim rule.
    InvalidToken => "INVALID_TOKEN",
    /// A genuine token, used at or after its `exp`.
    TokenExpired => "TOKEN_EXPIRED",
    /// A genuine token, used before its `nbf` or `iat`.
    TokenNotYetValid => "TOKEN_NOT_YET_VALID",
    /// A genuine token that was revoked.
    TokenRevoked => "TOKEN_REVOKED",
    /// A genuine token of a sign-in that is too long ago, or was not strong enough (RFC 9470).
    StepUpRequired => "STEP_UP_REQUIRED",
    /// The API key is mistyped, forged or unknown.
    InvalidApiKey => "INVALID_API_KEY",
    /// A genuine API key past its expiry.
    ApiKeyExpired => "API_KEY_EXPIRED",
    /// A genuine API key that was revoked or disabled.
    ApiKeyRevoked => "API_KEY_REVOKED",
    /// An API key of another environment (a `test` key at a `live` gate).
    WrongEnvironment => "WRONG_ENVIRONMENT",
    /// The refresh token, or the ticket, is mistyped, forged, used up, or of a session that has ended.
    InvalidRefreshToken => "INVALID_REFRESH_TOKEN",
    /// The caller is known but lacks a scope the route asks for.
    InsufficientScope => "INSUFFICIENT_SCOPE",
    /// A rule of the policy forbids the request.
    NotAllowed => "NOT_ALLOWED",
    /// An account at a provider has to be connected first, or again.
    ConnectRequired => "CONNECT_REQUIRED",
    /// Another site made a browser send the request, or it cannot be told who did.
    CsrfRefused => "CSRF_REFUSED",
    /// The request came over plain http, and the policy wants https.
    HttpsRequired => "HTTPS_REQUIRED",
    /// A limit is used up.
    RateLimited => "RATE_LIMITED",
    /// The name and the password do not belong together.
    InvalidCredentials => "INVALID_CREDENTIALS",
    /// The password is right, and the second factor is still to be shown.
    MfaRequired => "MFA_REQUIRED",
    /// The password is right, and the account has to set up a second factor first.
    MfaSetupRequired => "MFA_SETUP_REQUIRED",
    /// Too many attempts to log in have failed.
    TooManyAttempts => "TOO_MANY_ATTEMPTS",
    /// The request cannot be understood.
    InvalidRequest => "INVALID_REQUEST",
    /// More than one credential in one request.
    MultipleCredentials => "MULTIPLE_CREDENTIALS",
    /// The gate has no such endpoint or record.
    NotFound => "NOT_FOUND",
    /// An endpoint of the gate itself does not have this method.
    MethodNotAllowed => "METHOD_NOT_ALLOWED",
    /// A store did not answer, and the policy refuses in that case.
    StoreUnavailable => "STORE_UNAVAILABLE",
    /// The keys of an issuer are not available.
    KeysUnavailable => "KEYS_UNAVAILABLE",
    /// The protected service did not answer.
    UpstreamError => "UPSTREAM_ERROR",
    /// The protected service did not answer in the time that the policy gives it.
    UpstreamTimeout => "UPSTREAM_TIMEOUT",
    /// The configuration of the gate is wrong.
    ConfigError => "CONFIG_ERROR",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a compact token, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPart {
    /// The whole string.
    Token,
    /// The first segment, the JOSE header.
    Header,
    /// The second segment, the payload (a JWT's claims).
    Payload,
    /// The third segment.
    Signature,
}

impl fmt::Display for TokenPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// The table of errors: `Variant => Code, "reason", "message";`. A message can have the fields of its variant.
macro_rules! errors {
    ($(
        $(#[$doc:meta])*
        $variant:ident
        $(($only:ident: $only_type:ty))?
        $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })?
        => $code:ident, $reason:literal, $message:literal $(, $argument:expr)?;
    )+) => {
        /// Why something was refused, with the facts that an operator needs.
        ///
        /// The message ([`fmt::Display`]) is for the event log: one lower-case sentence without a full stop.
        /// It never holds a token, a key, a MAC or text taken from an unverified token. Callers are told
        /// [`Error::code`] only.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$doc])* $variant $(($only_type))? $({ $($(#[$field_doc])* $field: $type,)+ })?,)+
        }

        impl Error {
            /// Every reason with its code, in the order of the table.
            pub const REASONS: [(&'static str, Code); [$($reason),+].len()] =
                [$(($reason, Code::$code)),+];

            /// The code callers see.
            #[must_use]
            pub const fn code(&self) -> Code {
                match self {
                    $(Self::$variant { .. } => Code::$code,)+
                }
            }

            /// A finer, stable word for logs and for `EdgegateError.reason`, such as `bad_signature`.
            #[must_use]
            pub const fn reason(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $reason,)+
                }
            }
        }

        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant $(($only))? $({ $($field),+ })? => {
                        write!(f, $message $(, $argument)?)
                    })+
                }
            }
        }
    };
}

errors! {
    // ---- the request ----
    /// No credential was presented and the route asks for one.
    MissingCredentials => MissingCredentials, "missing_credentials", "no credential was presented";
    /// The same, if the policy has another header for API keys. The caller is told its name.
    MissingCredentialsOr {
        /// The name of that header.
        api_key_header: String,
    } => MissingCredentials, "missing_credentials",
        "no credential was presented, nor a key in {api_key_header}";
    /// The same where the policy has `login`. The caller is told where people log in.
    LoginRequired {
        /// The URL.
        login_url: String,
    } => LoginRequired, "login_required",
        "no credential was presented, people log in at {login_url}";
    /// The request has two credentials. The gate does not guess which one counts.
    MultipleCredentials => MultipleCredentials, "multiple_credentials",
        "more than one credential was presented";
    /// The request breaks a rule of the gate; the text says which.
    InvalidRequest(problem: &'static str) => InvalidRequest, "invalid_request", "{problem}";
    /// The route does not take tokens (`accept` of the policy).
    TokenNotAccepted => InvalidToken, "token_not_accepted", "the route does not accept tokens";
    /// The route does not take API keys (`accept` of the policy).
    ApiKeyNotAccepted => InvalidApiKey, "api_key_not_accepted",
        "the route does not accept API keys";

    // ---- tokens: form ----
    /// The token is longer than the verifier allows (8192 bytes by default).
    TokenTooLong {
        /// Bytes presented.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    } => InvalidToken, "token_too_long", "token has {length} bytes, more than the {limit} allowed";
    /// The token is not a compact JWS in the one strict spelling (RFC 7515 §7.1, RFC 7519 §7.2).
    MalformedToken {
        /// Where.
        part: TokenPart,
        /// What was expected there.
        problem: &'static str,
    } => InvalidToken, "malformed_token", "{part}: {problem}";
    /// A member name comes twice at the top level (RFC 7515 §4, RFC 7519 §4).
    DuplicateMember(part: TokenPart) => InvalidToken, "duplicate_member",
        "{part} has a member name twice";
    /// The header has `crit`. No extension is supported (RFC 7515 §4.1.11), `b64` (RFC 7797) neither.
    UnsupportedCritical => InvalidToken, "unsupported_critical",
        "header names critical extensions, none is supported";

    // ---- tokens: key and signature ----
    /// `iss` names no issuer of the policy.
    UnknownIssuer => InvalidToken, "unknown_issuer", "iss names no configured issuer";
    /// The token came in a header that is for other issuers (`credential_headers` of the policy).
    IssuerNotOfHeader => InvalidToken, "issuer_not_of_header",
        "the issuer's tokens are not taken from this header";
    /// The chosen key or the issuer's list does not allow `alg`. `none` is never allowed.
    AlgorithmNotAllowed => InvalidToken, "algorithm_not_allowed",
        "alg is not allowed for this key and issuer";
    /// No key of the issuer fits the header (`kid`, `alg`, `use`).
    UnknownKey => InvalidToken, "unknown_key", "no key of the issuer fits the header";
    /// The signature does not verify for the chosen key.
    BadSignature => InvalidToken, "bad_signature", "signature does not verify";
    /// This build cannot check this algorithm here.
    AlgorithmUnavailable => InvalidToken, "algorithm_unavailable",
        "alg cannot be verified by this build";

    /// The secret is not the administrator's.
    AdministratorSecret => InvalidToken, "administrator_secret", "not the administrator's secret";

    // ---- tokens: claims, after the signature held ----
    /// A claim that must be there is not.
    MissingClaim {
        /// Its name.
        claim: String,
    } => InvalidToken, "missing_claim", "claim {claim} is missing";
    /// A claim has the wrong JSON type.
    WrongClaimType {
        /// Its name.
        claim: String,
        /// What it has to be.
        expected: &'static str,
    } => InvalidToken, "wrong_claim_type", "claim {claim}: expected {expected}";
    /// A claim (or the header's `typ`) has a value the rules do not allow.
    UnexpectedClaim {
        /// Its name.
        claim: String,
    } => InvalidToken, "unexpected_claim", "{claim} has a value that is not allowed";
    /// The token has expired: `exp <= now - tolerance` (`exp == now` is expired, RFC 7519 §4.1.4).
    TokenExpired {
        /// The token's `exp`.
        expired_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    } => TokenExpired, "token_expired", "token expired at {expired_at}, it is {now}";
    /// `nbf` or `iat` is in the future.
    TokenNotYetValid {
        /// The later of the two.
        valid_from: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    } => TokenNotYetValid, "token_not_yet_valid", "token is valid from {valid_from}, it is {now}";
    /// The token's `iat` is older than the rules allow, whatever `exp` says.
    TokenTooOld {
        /// When it was issued.
        issued_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    } => TokenExpired, "token_too_old", "token was issued at {issued_at}, too long before {now}";
    /// The person signed in longer ago, by `auth_time`, than the rules allow. A refreshed token does not help.
    AuthenticationTooOld {
        /// When the person signed in.
        signed_in_at: UnixTime,
        /// How long ago that may be.
        max_age_secs: u64,
        /// The time it was checked at.
        now: UnixTime,
    } => StepUpRequired, "authentication_too_old",
        "the sign-in was at {signed_in_at}, more than {max_age_secs} s before {now}";
    /// The route wants a sign-in that is more recent, or of another class (RFC 9470).
    StepUp {
        /// How long ago it may be.
        max_age_secs: Option<u32>,
        /// The classes, of which one is needed, with spaces between; empty: any.
        acr_values: String,
        /// Where more can be proven.
        login_url: Option<String>,
    } => StepUpRequired, "step_up_required",
        "the route wants {}", SignIn(*max_age_secs, acr_values, login_url.as_deref());
    /// Revoked; `by` names the kind of entry (`jti`, `subject`, `session`, `issuer`).
    TokenRevoked {
        /// The kind of entry that matched.
        by: &'static str,
    } => TokenRevoked, "token_revoked", "token is revoked by {by}";

    // ---- proof of possession (RFC 9449), after the token held ----
    /// The token is bound to a key, and the request has no proof that the caller has that key.
    ProofRequired => InvalidToken, "dpop_required",
        "token is bound to a key, expected a DPoP proof";
    /// The token is not bound to a key, but the rules want that, or the request has a proof.
    TokenNotBound => InvalidToken, "dpop_not_bound", "token is not bound to a key";
    /// The proof is malformed, not signed by its key, too old, or about another request.
    InvalidProof {
        /// What was expected.
        problem: String,
    } => InvalidToken, "dpop_proof", "DPoP proof: {problem}";
    /// The proof was signed with another key than the one that the token is bound to.
    WrongProofKey => InvalidToken, "dpop_key", "DPoP proof is by another key than the token's";
    /// The proof lacks the nonce that is wanted.
    WrongProofNonce => InvalidToken, "dpop_nonce", "DPoP proof lacks the nonce that is wanted";
    /// The proof has been used before.
    ProofReplayed => InvalidToken, "dpop_replayed", "DPoP proof has been used before";

    // ---- API keys ----
    /// Not `<prefix>_<environment>_<body><checksum>`.
    MalformedApiKey {
        /// What was expected.
        problem: &'static str,
    } => InvalidApiKey, "malformed_api_key", "API key: {problem}";
    /// The checksum does not match. So the key is mistyped, which is found without I/O.
    ApiKeyChecksum => InvalidApiKey, "api_key_checksum", "API key checksum does not match";
    /// The prefix is not one of the policy's.
    UnknownApiKeyPrefix => InvalidApiKey, "unknown_api_key_prefix",
        "API key prefix is not configured";
    /// The key names a signing key that is not in the policy.
    UnknownSigningKey {
        /// The identifier inside the key.
        id: u8,
    } => InvalidApiKey, "unknown_signing_key",
        "API key was signed with signing key {id}, which is not configured";
    /// The tag does not match the signing key: the key is forged, or was signed with another secret.
    ApiKeyTag => InvalidApiKey, "api_key_tag", "API key tag does not hold";
    /// The key is genuine, but has no record.
    UnknownApiKey => InvalidApiKey, "unknown_api_key", "API key has no record";
    /// The key has expired, by the expiry inside it or in its record.
    ApiKeyExpired {
        /// When it expired.
        expired_at: UnixTime,
        /// The time it was checked at.
        now: UnixTime,
    } => ApiKeyExpired, "api_key_expired", "API key expired at {expired_at}, it is {now}";
    /// Revoked, disabled, or named by a revocation entry.
    ApiKeyRevoked => ApiKeyRevoked, "api_key_revoked", "API key is revoked";
    /// The key's environment is not the gate's.
    WrongEnvironment => WrongEnvironment, "wrong_environment",
        "API key belongs to another environment";

    // ---- sessions ----
    /// Not a refresh token, or ticket, in its one spelling.
    MalformedRefreshToken => InvalidRefreshToken, "malformed_refresh_token",
        "refresh token: not one of this gate";
    /// Mistyped, forged, or sealed with another secret.
    RefreshTokenTag => InvalidRefreshToken, "refresh_token_tag", "refresh token tag does not hold";
    /// The session has ended: logged out, too old, or never was.
    SessionEnded => InvalidRefreshToken, "session_ended", "the session has ended";
    /// Presented again after its successor was seen in use: somebody has a copy, so the session has been ended.
    RefreshTokenReused => InvalidRefreshToken, "refresh_token_reused",
        "a refresh token was used again after its successor was seen in use, the session is ended";
    /// A cookie that was on its way while its successor came into use. Nothing has been ended.
    RefreshTokenSuperseded => InvalidRefreshToken, "refresh_token_superseded",
        "the refresh token was replaced while the request was on its way";
    /// A refresh token of a client, presented by another or by nobody.
    RefreshTokenOfOtherClient => InvalidRefreshToken, "refresh_token_of_other_client",
        "the refresh token belongs to another client";
    /// The session is bound to a key, and the request does not prove it.
    SessionKeyNotProven => InvalidRefreshToken, "session_key_not_proven",
        "the session is bound to a key that the request does not prove";
    /// The body has no refresh token, and there is no cookie with one.
    RefreshTokenRequired => InvalidRequest, "refresh_token_required",
        "neither the body nor a cookie has a refresh token";
    /// A request of OAuth that is refused with one of its own words.
    OAuth {
        /// A word of RFC 6749 §5.2 or of what extends it.
        error: &'static str,
        /// What was expected.
        problem: &'static str,
    } => InvalidRequest, "oauth", "{error}: {problem}";
    /// A client has not proven that it is the one that it names.
    ClientNotProven => InvalidToken, "client_not_proven", "the client has not proven itself";
    /// The subject was disabled by an administrator.
    SubjectDisabled => NotAllowed, "subject_disabled", "the subject is disabled";
    /// An administrator asks for a new password, and it was not set yet.
    ResetRequired => NotAllowed, "reset_required", "a new password has to be set first";
    /// A cookie would decide, and the browser says, or does not say, which page sends the request.
    CrossSite {
        /// What was found.
        problem: &'static str,
    } => CsrfRefused, "cross_site", "a cookie would decide: {problem}";

    // ---- logins with others ----
    /// A callback that does not end a login: of another browser, too late, used, or not as providers send it.
    LoginInterrupted {
        /// What was found.
        problem: &'static str,
    } => InvalidRequest, "login_interrupted", "a login was interrupted: {problem}";
    /// The provider gave no code, since the person said no, or could not prove as much as was asked for.
    LoginDeclined {
        /// What it said, as a word of the gate's own.
        refusal: &'static str,
    } => NotAllowed, "login_declined", "the provider did not log anybody in: {refusal}";
    /// The person is on none of the lists of the provider in the policy that are there.
    LoginNotAllowed {
        /// The list.
        list: &'static str,
    } => NotAllowed, "login_not_allowed", "the person is not on the list {list} of the policy";
    /// Too many logins have failed from this address, so no provider is asked.
    TooManyLogins {
        /// Seconds until the next attempt.
        retry_after_secs: u32,
    } => TooManyAttempts, "too_many_logins",
        "too many logins have failed from this address, the next in {retry_after_secs} s";
    /// A provider does not answer, or not as providers do.
    Provider {
        /// Its id in the policy.
        provider: String,
        /// What happened; never text of the answer.
        problem: String,
    } => UpstreamError, "provider", "provider {provider}: {problem}";
    /// A provider refuses the gate itself: its name, its secret, or what it asks for.
    ProviderRefuses {
        /// Its id in the policy.
        provider: String,
        /// What it refuses.
        problem: &'static str,
    } => ConfigError, "provider_refuses", "provider {provider} refuses the gate: {problem}";

    // ---- accounts ----
    /// The password is not the account's, or there is no such account. Nobody is told which.
    WrongPassword => InvalidCredentials, "wrong_password",
        "the password is not the account's, or there is no such account";
    /// The password is right, and the second factor is still to be shown.
    SecondFactorRequired {
        /// How the login goes on.
        next: NextStep,
    } => MfaRequired, "second_factor_required", "the second factor is still to be shown: {next}";
    /// The password is right, and the policy wants a second factor of everybody.
    SecondFactorMissing {
        /// How the login goes on.
        next: NextStep,
    } => MfaSetupRequired, "second_factor_missing", "the account has no second factor yet: {next}";
    /// The code is not the one that the authenticator shows, or was used before, or is no recovery code that is left.
    WrongCode => InvalidCredentials, "wrong_code", "the code is not the account's, or was used";
    /// What shows that a password was right was not written by the gate, is too old or used up, or the account has changed since.
    LoginOver => InvalidToken, "login_over",
        "no login waits for this second factor, or it has waited too long";
    /// Too many wrong passwords or codes, so none is compared: for this name, by this address, or in all.
    TooManyGuesses {
        /// Whose bound it is: `name`, `address`, `code`, `all`; `authenticator`: of its codes in the long run.
        of: &'static str,
        /// Seconds until the next attempt.
        retry_after_secs: u32,
    } => TooManyAttempts, "too_many_guesses",
        "too many passwords or codes were tried ({of}), the next in {retry_after_secs} s";
    /// Too many links were asked for or tried, so no mail is sent and none is looked at: for this name, by this address, or in all.
    TooManyMails {
        /// Whose bound it is: `name`, `address`, `all`.
        of: &'static str,
        /// Seconds until the next one.
        retry_after_secs: u32,
    } => TooManyAttempts, "too_many_mails",
        "too many mails or links ({of}), the next in {retry_after_secs} s";
    /// A proof that somebody has a passkey does not hold, or there is no such account or passkey. Nobody is told which.
    PasskeyRefused {
        /// What was found.
        problem: &'static str,
    } => InvalidCredentials, "passkey_refused", "passkey: {problem}";
    /// The proof holds, and the authenticator has not counted on since the last one: there may be a copy of it.
    PasskeyCopied => InvalidCredentials, "passkey_copied",
        "the count of an authenticator has not gone on, there may be a copy of its passkey";
    /// Fields of a form that people fill in are at fault.
    ValidationFailed {
        /// All that is wrong.
        details: Vec<FieldFault>,
    } => InvalidRequest, "validation_failed", "{}", Fields(details);

    // ---- permission and limits ----
    /// The caller does not have all scopes that the route asks for.
    InsufficientScope {
        /// Space-separated, as `WWW-Authenticate` wants them (RFC 6750 §3).
        required: String,
    } => InsufficientScope, "insufficient_scope", "missing scope: {required}";
    /// The administrator's secret does not have the role that the endpoint asks for.
    AdministratorRole {
        /// The role, as policies write it.
        needed: &'static str,
    } => InsufficientScope, "administrator_role", "the secret lacks the role {needed}";
    /// The route lets tokens of certain issuers through. The caller has a token of another issuer, or an API key.
    IssuerNotAllowed => NotAllowed, "issuer_not_allowed",
        "the route lets tokens of other issuers through";
    /// A token that a client was given would list or end more than its own session.
    ClientNotAllowed => NotAllowed, "client_not_allowed",
        "a client's token has no say over other sessions of its user";
    /// A claim is not what the route wants.
    ClaimNotAllowed {
        /// Its name, as the policy writes it.
        claim: String,
    } => NotAllowed, "claim_not_allowed", "claim {claim} is not what the route wants";
    /// The caller's address is not known, or is in none of the networks of the route or of the key.
    AddressNotAllowed => NotAllowed, "address_not_allowed",
        "the client's address is not among those allowed";
    /// A CORS preflight that is not passed on (`preflight` of the policy).
    PreflightNotPassed => NotAllowed, "preflight_not_passed",
        "the policy passes no CORS preflight on here";
    /// The policy answers the route itself (`answer`), and the edge can only say whether a request may be passed on.
    AnswerNotPassed => NotAllowed, "answer_not_passed",
        "the policy has the gate itself answer this route, nobody else is to be asked";
    /// The request came over plain http, and the policy wants https.
    HttpsRequired => HttpsRequired, "https_required", "the request came over plain http";
    /// The same with a credential, which others may have read.
    CredentialInClear => HttpsRequired, "credential_in_clear",
        "a credential was sent over plain http, others may have read it: revoke it";
    /// The route uses an account of the caller's at a provider, and none is connected.
    NotConnected {
        /// The provider's id in the policy.
        provider: String,
    } => ConnectRequired, "not_connected", "no account at {provider} is connected";
    /// The same, and one was connected: the provider has ended that, or it has expired.
    ConnectionEnded {
        /// The provider's id in the policy.
        provider: String,
    } => ConnectRequired, "connection_ended", "the account at {provider} has to be connected again";
    /// A limit is used up.
    RateLimited {
        /// The limit's name in the policy.
        limit: String,
        /// Seconds until the same request can succeed.
        retry_after_secs: u32,
    } => RateLimited, "rate_limited",
        "limit {limit} is used up, free again in {retry_after_secs} s";

    // ---- the gate's own endpoints ----
    /// No such endpoint or record.
    NotFound => NotFound, "not_found", "not found";
    /// The endpoint has other methods; they are listed.
    MethodNotAllowed {
        /// Comma-separated, as `Allow` wants them.
        allow: &'static str,
    } => MethodNotAllowed, "method_not_allowed", "method not allowed, expected {allow}";
    /// A field of an administrator's request body is at fault.
    InvalidField {
        /// Where, as in `scopes[0]`.
        path: String,
        /// What was expected and what was found.
        problem: String,
    } => InvalidRequest, "invalid_field", "{}", At(path, problem);

    // ---- things the gate depends on ----
    /// A store failed, did not answer in time, or returned something that the gate did not write.
    StoreUnavailable {
        /// Which (`revocation`, `counters`, `keys`).
        store: &'static str,
        /// What happened, without the data involved.
        problem: String,
    } => StoreUnavailable, "store_unavailable", "store {store}: {problem}";
    /// The keys of an issuer are not available.
    KeysUnavailable {
        /// The issuer, as the policy writes it.
        issuer: String,
        /// What happened.
        problem: String,
    } => KeysUnavailable, "keys_unavailable", "keys of {issuer}: {problem}";
    /// The protected service did not answer.
    Upstream {
        /// What happened.
        problem: String,
    } => UpstreamError, "upstream", "upstream: {problem}";
    /// The protected service took longer than the policy gives it.
    UpstreamTimeout {
        /// How long it had.
        millis: u32,
    } => UpstreamTimeout, "upstream_timeout", "upstream: no answer in {millis} ms";
    /// A key is refused when it is loaded: it is too short, of an unknown kind, or contradicts itself.
    RefusedKey {
        /// What is wrong with it; never the key itself.
        problem: String,
    } => ConfigError, "refused_key", "{problem}";
    /// The configuration is refused.
    Config {
        /// Where, as in `issuers[1].audience`; empty for the whole.
        path: String,
        /// What was expected and what was found.
        problem: String,
    } => ConfigError, "config", "{}", At(path, problem);
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

    /// Whether the credential was not genuine: a guess, a forgery or a mistyped key.
    ///
    /// The limit on failed authentication counts these. An expired or revoked credential was genuine once, so it is not
    /// a guess and does not count, nor is one whose sign-in is too long ago. A genuine token also does not count if its proof is missing, has no nonce, or came
    /// twice. Nor does the second factor of a login that is over. Refresh tokens do not count either: they cannot be guessed, and a browser with one of an old secret would
    /// shut its address out.
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
                | Self::LoginOver
        ) && matches!(
            self.code(),
            Code::InvalidToken | Code::InvalidApiKey | Code::WrongEnvironment
        )
    }
}

impl core::error::Error for Error {}

/// Writes what a route wants of a sign-in.
struct SignIn<'a>(Option<u32>, &'a str, Option<&'a str>);

impl fmt::Display for SignIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(max_age_secs, acr_values, login_url) = self;
        f.write_str("another sign-in")?;
        if let Some(secs) = max_age_secs {
            write!(f, ", at most {secs} s ago")?;
        }
        if !acr_values.is_empty() {
            write!(f, ", of class {acr_values}")?;
        }
        login_url.map_or(Ok(()), |url| write!(f, ", at {url}"))
    }
}

/// How a login goes on whose password was right.
#[derive(Clone, PartialEq, Eq)]
pub struct NextStep {
    /// What shows that the password was right.
    pub mfa_token: String,
    /// What will do.
    pub methods: Vec<&'static str>,
    /// How long it has time for that, in seconds.
    pub expires_in: u32,
}

/// What will do. The token is for nobody else.
impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.methods.join(", "))
    }
}

impl fmt::Debug for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextStep({self})")
    }
}

/// What is wrong with a field of a form, in words for whoever fills it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// Its name.
    pub field: String,
    /// What was expected.
    pub message: String,
}

/// Writes the names of the fields, as what was said of them is for others.
struct Fields<'a>(&'a [FieldFault]);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields of the form are at fault:")?;
        self.0.iter().try_for_each(|fault| write!(f, " {}", fault.field))
    }
}

/// Writes `path: problem`, or the problem alone if the path is empty.
struct At<'a>(&'a str, &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, problem) = self;
        if path.is_empty() { f.write_str(problem) } else { write!(f, "{path}: {problem}") }
    }
}

/// A store failed, did not answer in time, or returned something that the gate did not write. It has no stored data.
///
/// It is one pointer, since hundreds of places hand it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(Box<StoreFault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoreFault {
    problem: String,
    is_own_bound: bool,
}

impl StoreError {
    /// An error with a message for the event log.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self::of(problem.into(), false)
    }

    /// A bound of the gate was reached, and the store was not asked. The store may be well.
    #[must_use]
    pub fn own_bound(problem: impl Into<String>) -> Self {
        Self::of(problem.into(), true)
    }

    fn of(problem: String, is_own_bound: bool) -> Self {
        Self(Box::new(StoreFault { problem, is_own_bound }))
    }

    /// Whether it is a bound of the gate. Callers can cause that, so the request is refused, whatever `on_error` says.
    #[must_use]
    pub const fn is_own_bound(&self) -> bool {
        self.0.is_own_bound
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem)
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
                "LOGIN_REQUIRED",
                "INVALID_TOKEN",
                "TOKEN_EXPIRED",
                "TOKEN_NOT_YET_VALID",
                "TOKEN_REVOKED",
                "STEP_UP_REQUIRED",
                "INVALID_API_KEY",
                "API_KEY_EXPIRED",
                "API_KEY_REVOKED",
                "WRONG_ENVIRONMENT",
                "INVALID_REFRESH_TOKEN",
                "INSUFFICIENT_SCOPE",
                "NOT_ALLOWED",
                "CONNECT_REQUIRED",
                "CSRF_REFUSED",
                "HTTPS_REQUIRED",
                "RATE_LIMITED",
                "INVALID_CREDENTIALS",
                "MFA_REQUIRED",
                "MFA_SETUP_REQUIRED",
                "TOO_MANY_ATTEMPTS",
                "INVALID_REQUEST",
                "MULTIPLE_CREDENTIALS",
                "NOT_FOUND",
                "METHOD_NOT_ALLOWED",
                "STORE_UNAVAILABLE",
                "KEYS_UNAVAILABLE",
                "UPSTREAM_ERROR",
                "UPSTREAM_TIMEOUT",
                "CONFIG_ERROR",
            ]
        );
    }

    #[test]
    fn the_list_of_reasons_is_pinned() {
        let reasons: Vec<&str> = Error::REASONS.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(
            reasons,
            [
                "missing_credentials",
                "missing_credentials",
                "login_required",
                "multiple_credentials",
                "invalid_request",
                "token_not_accepted",
                "api_key_not_accepted",
                "token_too_long",
                "malformed_token",
                "duplicate_member",
                "unsupported_critical",
                "unknown_issuer",
                "issuer_not_of_header",
                "algorithm_not_allowed",
                "unknown_key",
                "bad_signature",
                "algorithm_unavailable",
                "administrator_secret",
                "missing_claim",
                "wrong_claim_type",
                "unexpected_claim",
                "token_expired",
                "token_not_yet_valid",
                "token_too_old",
                "authentication_too_old",
                "step_up_required",
                "token_revoked",
                "dpop_required",
                "dpop_not_bound",
                "dpop_proof",
                "dpop_key",
                "dpop_nonce",
                "dpop_replayed",
                "malformed_api_key",
                "api_key_checksum",
                "unknown_api_key_prefix",
                "unknown_signing_key",
                "api_key_tag",
                "unknown_api_key",
                "api_key_expired",
                "api_key_revoked",
                "wrong_environment",
                "malformed_refresh_token",
                "refresh_token_tag",
                "session_ended",
                "refresh_token_reused",
                "refresh_token_superseded",
                "refresh_token_of_other_client",
                "session_key_not_proven",
                "refresh_token_required",
                "oauth",
                "client_not_proven",
                "subject_disabled",
                "reset_required",
                "cross_site",
                "login_interrupted",
                "login_declined",
                "login_not_allowed",
                "too_many_logins",
                "provider",
                "provider_refuses",
                "wrong_password",
                "second_factor_required",
                "second_factor_missing",
                "wrong_code",
                "login_over",
                "too_many_guesses",
                "too_many_mails",
                "passkey_refused",
                "passkey_copied",
                "validation_failed",
                "insufficient_scope",
                "administrator_role",
                "issuer_not_allowed",
                "client_not_allowed",
                "claim_not_allowed",
                "address_not_allowed",
                "preflight_not_passed",
                "answer_not_passed",
                "https_required",
                "credential_in_clear",
                "not_connected",
                "connection_ended",
                "rate_limited",
                "not_found",
                "method_not_allowed",
                "invalid_field",
                "store_unavailable",
                "keys_unavailable",
                "upstream",
                "upstream_timeout",
                "refused_key",
                "config",
            ]
        );
        for code in Code::ALL {
            assert!(Error::REASONS.iter().any(|(_, of)| *of == code), "{code} has no reason");
        }
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
