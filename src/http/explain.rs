//! Why a request is admitted or refused, without side effects.
//!
//! The pipeline itself decides, over stores that are only read. Nothing is counted, no proof is used up, no session is
//! renewed. What is left to a counter that only counting could ask is said as `would_be_asked`. So this says what the gate would, but for
//! two things: a session that has to be renewed is told as `STORE_UNAVAILABLE`, since its object is not asked; and whether the account is
//! connected that a route's `grant` needs, is not asked either. The step of the route says so.
//!
//! The keys of an issuer are those that the gate has; if a request with this token would have them fetched, so does the explanation, within
//! the same bounds. Without them it could not tell a good token from a bad one.

mod question;

use serde::Serialize;

pub use self::question::Question;
use super::reply;
use crate::{
    error::Error,
    guard::{self, Backend, Decision, Guard, Identity, Insecure, OnlyRead, Request},
    policy::{Destination, Policy, RequestPath, RevocationMode, Route},
    time::UnixMillis,
};

/// What a request would come to, and by which steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The route by its place in the policy, `routes[1]`; `None`: no route matches, or the path itself is refused.
    pub route: Option<String>,
    /// The steps in their order.
    pub steps: Vec<Explained>,
    /// What the caller would get.
    pub outcome: Answered,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Which.
    pub step: Stage,
    /// What it came to.
    pub verdict: Word,
    /// Why, for the operator. It never holds a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What in the policy decides about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_path: Option<String>,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The scheme is compared with `https` of the policy.
    Https,
    /// The path is read, and the route found.
    Route,
    /// A CORS preflight is answered, passed on or refused.
    Preflight,
    /// The caller's address is compared with the route's networks.
    Addresses,
    /// The credential is found and verified, and its record read.
    Credential,
    /// The proof of possession is verified.
    Proof,
    /// Revocations are looked up.
    Revocation,
    /// Scopes are compared.
    Scopes,
    /// Issuer and claims are compared with the route.
    Claims,
    /// Limits are asked.
    Limits,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It lets the request through.
    Passed,
    /// It refuses.
    Refused,
    /// The policy asks nothing here.
    Skipped,
    /// It would be asked; only asking in earnest could tell more.
    WouldBeAsked,
    /// An earlier step refuses.
    NotReached,
}

/// What the caller would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The status: 200 for what is passed on to the service, whatever that answers.
    pub status: u16,
    /// `None`: it is admitted.
    pub code: Option<&'static str>,
    /// `None`: it is admitted.
    pub reason: Option<&'static str>,
}

/// Explains what the gate would say to this request. Keys of issuers, records and revocations are read as the backend has them.
pub async fn explain<B: Backend>(
    policy: &Policy,
    backend: &OnlyRead<B>,
    request: &Request<'_>,
    now: UnixMillis,
) -> Explanation {
    if let Some(insecure) = guard::insecure(policy, request) {
        return over_plain_http(&insecure);
    }
    let decision = Guard::new(policy, backend.backend()).check(request, now).await;
    let route = RequestPath::parse(request.path).ok().map(|path| match request.preflight {
        Some(requested) => policy.route_of_preflight(requested, &path),
        None => policy.route(request.method, &path),
    });
    let place = route.and_then(|route| policy.place_of(route));
    Explanation {
        steps: steps(policy, (route, place.as_deref()), request, &decision),
        outcome: answered(&decision),
        route: place,
    }
}

/// The edge answers such a request itself, before a route is looked for.
fn over_plain_http(insecure: &Insecure) -> Explanation {
    let (verdict, detail, outcome) = match insecure {
        Insecure::Redirected(_) => {
            let outcome = Answered { status: reply::TO_HTTPS_STATUS, code: None, reason: None };
            (Word::Passed, "it is sent to https".to_owned(), outcome)
        }
        Insecure::Refused(error) => (Word::Refused, error.to_string(), Answered::of(error)),
    };
    let policy_path = Some("https".to_owned());
    let step = Explained { step: Stage::Https, verdict, detail: Some(detail), policy_path };
    Explanation { route: None, steps: vec![step], outcome }
}

impl Answered {
    fn of(error: &Error) -> Self {
        Self {
            status: reply::wire(error.code()).status,
            code: Some(error.code().as_str()),
            reason: Some(error.reason()),
        }
    }
}

fn answered(decision: &Decision) -> Answered {
    match &decision.outcome {
        Ok(_) => {
            let status = match decision.destination.as_deref() {
                Some(Destination::Answer(answer)) => answer.status,
                _ => 200,
            };
            Answered { status, code: None, reason: None }
        }
        Err(_) if decision.answers_preflight() => {
            Answered { status: reply::PREFLIGHT_STATUS, code: None, reason: None }
        }
        Err(error) => Answered::of(error),
    }
}

fn steps(
    policy: &Policy,
    (route, place): (Option<&Route>, Option<&str>),
    request: &Request<'_>,
    decision: &Decision,
) -> Vec<Explained> {
    let refused =
        decision.outcome.as_ref().err().map(|error| (stage_of(error, route, request), error));
    let Some(route) = route else {
        let detail = refused.map(|(_, error)| error.to_string());
        let verdict = Word::Refused;
        return vec![Explained { step: Stage::Route, verdict, detail, policy_path: None }];
    };
    let mut order = order(policy, route, request);
    if policy.https.is_some() {
        order.insert(0, Stage::Https);
    }
    let refused_at = refused
        .map(|(stage, error)| (order.iter().position(|one| *one == stage).unwrap_or(0), error));
    let explained = order.iter().enumerate().map(|(at, stage)| {
        let (verdict, detail) = match refused_at {
            Some((last, error)) if at == last => match decision.answers_preflight() {
                true => (Word::Passed, Some("the gate answers it".to_owned())),
                false => (Word::Refused, Some(error.to_string())),
            },
            Some((last, _)) if at > last => (Word::NotReached, None),
            _ => passed(*stage, policy, (route, request), decision),
        };
        let error = refused_at.filter(|(last, _)| *last == at).map(|(_, error)| error);
        let policy_path = policy_path(*stage, policy, place, error);
        Explained { step: *stage, verdict, detail, policy_path }
    });
    explained.collect()
}

/// The steps in the order of the pipeline. The ledger is asked after what is cheap.
fn order(policy: &Policy, route: &Route, request: &Request<'_>) -> Vec<Stage> {
    if request.preflight.is_some() {
        return vec![Stage::Route, Stage::Preflight, Stage::Addresses, Stage::Limits];
    }
    let mut order = vec![Stage::Route, Stage::Addresses, Stage::Credential, Stage::Proof];
    let checks = [Stage::Scopes, Stage::Claims];
    if policy.revocation_of(route) == RevocationMode::Ledger {
        order.extend(checks);
        order.push(Stage::Revocation);
    } else {
        order.push(Stage::Revocation);
        order.extend(checks);
    }
    order.push(Stage::Limits);
    order
}

/// What a route with `grant` needs beside what is asked here.
fn granted(route: &Route) -> Option<String> {
    let Some(Destination::Upstream(upstream)) = route.destination.as_deref() else { return None };
    let grant = upstream.grant.as_ref()?;
    Some(format!("needs the caller's account at {}, which is not asked for here", grant.provider))
}

/// What is said of a step that did not refuse.
fn passed(
    stage: Stage,
    policy: &Policy,
    (route, request): (&Route, &Request<'_>),
    decision: &Decision,
) -> (Word, Option<String>) {
    let identity = decision.outcome.as_ref().ok();
    let is_anonymous = matches!(identity, Some(Identity::Anonymous));
    let when = |asked: bool| (if asked { Word::Passed } else { Word::Skipped }, None);
    match stage {
        Stage::Https | Stage::Preflight => (Word::Passed, None),
        Stage::Route => (Word::Passed, granted(route)),
        Stage::Addresses => when(!route.ips.is_empty()),
        Stage::Credential => {
            let method = identity.map(|identity| identity.method().to_owned());
            (Word::Passed, method)
        }
        Stage::Proof => when(request.dpop.is_some() && !is_anonymous),
        Stage::Revocation => when(policy.revocation.is_some() && !is_anonymous),
        Stage::Scopes => {
            let asks_none = route.all_scopes.is_empty() && route.any_scopes.is_empty();
            when(!is_anonymous && !asks_none)
        }
        Stage::Claims => when(!(route.issuers.is_empty() && route.claims.is_empty())),
        Stage::Limits => {
            let names: Vec<&str> =
                policy.limits_of(route).map(|known| known.limit.name()).collect();
            match names.as_slice() {
                [] => (Word::Skipped, None),
                names => (Word::WouldBeAsked, Some(names.join(", "))),
            }
        }
    }
}

fn policy_path(
    stage: Stage,
    policy: &Policy,
    place: Option<&str>,
    error: Option<&Error>,
) -> Option<String> {
    let of_route = |field: &str| place.map(|place| format!("{place}.{field}"));
    match (stage, error) {
        (_, Some(Error::RateLimited { limit, .. })) => {
            let at = policy.limits().position(|known| known.limit.name() == limit);
            Some(at.map_or("failed_authentication".to_owned(), |at| format!("limits[{at}]")))
        }
        (_, Some(Error::ClaimNotAllowed { claim })) => of_route(&format!("claims.{claim}")),
        (_, Some(Error::IssuerNotAllowed)) => of_route("issuers"),
        (_, Some(Error::StepUp { max_age_secs: Some(_), .. })) => of_route("max_auth_age_secs"),
        (_, Some(Error::StepUp { .. })) => of_route("acr_values"),
        (_, Some(Error::TokenNotAccepted | Error::ApiKeyNotAccepted)) => of_route("accept"),
        (
            _,
            Some(
                Error::MissingCredentials
                | Error::MissingCredentialsOr { .. }
                | Error::LoginRequired { .. },
            ),
        ) => of_route("auth"),
        (Stage::Https, _) => Some("https".to_owned()),
        (Stage::Route, _) => place.map(str::to_owned),
        (Stage::Preflight, _) => of_route("preflight"),
        (Stage::Addresses, _) => of_route("ips"),
        (Stage::Credential, Some(error)) => section_of(error).map(str::to_owned),
        (Stage::Credential, None) => of_route("auth"),
        (Stage::Proof, _) => Some("issuers".to_owned()),
        (Stage::Revocation, _) => policy.revocation.map(|_| "revocation".to_owned()),
        (Stage::Scopes, _) => of_route("scopes"),
        (Stage::Claims, _) => of_route("claims"),
        (Stage::Limits, _) => of_route("limits"),
    }
}

/// The section that a refused credential is about.
fn section_of(error: &Error) -> Option<&'static str> {
    use crate::error::Code;
    Some(match error.code() {
        Code::InvalidApiKey
        | Code::ApiKeyExpired
        | Code::ApiKeyRevoked
        | Code::WrongEnvironment => "api_keys",
        Code::InvalidRefreshToken => "sessions",
        Code::CsrfRefused => "csrf",
        Code::InvalidToken
        | Code::TokenExpired
        | Code::TokenNotYetValid
        | Code::StepUpRequired
        | Code::KeysUnavailable => "issuers",
        _ => return None,
    })
}

/// The step that an error comes from. Each new error has to say.
fn stage_of(error: &Error, route: Option<&Route>, request: &Request<'_>) -> Stage {
    match error {
        Error::InvalidRequest(_) if route.is_none() => Stage::Route,
        // Of the route's networks, or else of those of an API key.
        Error::AddressNotAllowed => {
            let is_within = |route: &Route| {
                route.ips.is_empty()
                    || request
                        .client_ip
                        .is_some_and(|ip| route.ips.iter().any(|one| one.contains(ip)))
            };
            if route.is_some_and(is_within) { Stage::Credential } else { Stage::Addresses }
        }
        Error::HttpsRequired | Error::CredentialInClear => Stage::Https,
        Error::PreflightNotPassed => Stage::Preflight,
        Error::ProofRequired
        | Error::TokenNotBound
        | Error::InvalidProof { .. }
        | Error::WrongProofKey
        | Error::WrongProofNonce
        | Error::ProofReplayed => Stage::Proof,
        Error::TokenRevoked { .. } => Stage::Revocation,
        Error::InsufficientScope { .. } => Stage::Scopes,
        Error::IssuerNotAllowed | Error::ClaimNotAllowed { .. } | Error::StepUp { .. } => {
            Stage::Claims
        }
        Error::RateLimited { limit, .. } if limit == FAILURES => Stage::Credential,
        Error::RateLimited { .. } => Stage::Limits,
        Error::StoreUnavailable { store, .. } => match *store {
            "revocation" => Stage::Revocation,
            "counters" => Stage::Limits,
            "proofs" => Stage::Proof,
            _ => Stage::Credential,
        },
        Error::MissingCredentials
        | Error::MissingCredentialsOr { .. }
        | Error::LoginRequired { .. }
        | Error::LoginInterrupted { .. }
        | Error::LoginDeclined { .. }
        | Error::LoginNotAllowed { .. }
        | Error::TooManyLogins { .. }
        | Error::WrongPassword
        | Error::SecondFactorRequired { .. }
        | Error::SecondFactorMissing { .. }
        | Error::WrongCode
        | Error::LoginOver
        | Error::PasskeyRefused { .. }
        | Error::PasskeyCopied
        | Error::TooManyGuesses { .. }
        | Error::TooManyMails { .. }
        | Error::ValidationFailed { .. }
        | Error::Provider { .. }
        | Error::ProviderRefuses { .. }
        | Error::MultipleCredentials
        | Error::InvalidRequest(_)
        | Error::TokenNotAccepted
        | Error::ApiKeyNotAccepted
        | Error::TokenTooLong { .. }
        | Error::MalformedToken { .. }
        | Error::DuplicateMember(_)
        | Error::UnsupportedCritical
        | Error::UnknownIssuer
        | Error::IssuerNotOfHeader
        | Error::AlgorithmNotAllowed
        | Error::UnknownKey
        | Error::BadSignature
        | Error::AlgorithmUnavailable
        | Error::AdministratorSecret
        | Error::AdministratorRole { .. }
        | Error::MissingClaim { .. }
        | Error::WrongClaimType { .. }
        | Error::UnexpectedClaim { .. }
        | Error::TokenExpired { .. }
        | Error::TokenNotYetValid { .. }
        | Error::TokenTooOld { .. }
        | Error::AuthenticationTooOld { .. }
        | Error::MalformedApiKey { .. }
        | Error::ApiKeyChecksum
        | Error::UnknownApiKeyPrefix
        | Error::UnknownSigningKey { .. }
        | Error::ApiKeyTag
        | Error::UnknownApiKey
        | Error::ApiKeyExpired { .. }
        | Error::ApiKeyRevoked
        | Error::WrongEnvironment
        | Error::MalformedRefreshToken
        | Error::RefreshTokenTag
        | Error::SessionEnded
        | Error::RefreshTokenReused
        | Error::RefreshTokenSuperseded
        | Error::RefreshTokenOfOtherClient
        | Error::SessionKeyNotProven
        | Error::RefreshTokenRequired
        | Error::OAuth { .. }
        | Error::ClientNotProven
        | Error::SubjectDisabled
        | Error::ResetRequired
        | Error::CrossSite { .. }
        | Error::ClientNotAllowed
        | Error::AnswerNotPassed
        | Error::NotConnected { .. }
        | Error::ConnectionEnded { .. }
        | Error::NotFound
        | Error::MethodNotAllowed { .. }
        | Error::InvalidField { .. }
        | Error::KeysUnavailable { .. }
        | Error::Upstream { .. }
        | Error::UpstreamTimeout { .. }
        | Error::RefusedKey { .. }
        | Error::Config { .. } => Stage::Credential,
    }
}

/// What the limit on failed authentication is called.
const FAILURES: &str = "failed-authentication";
