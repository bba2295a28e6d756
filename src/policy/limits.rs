//! The sections `limits` and `failed_authentication`.

use std::collections::BTreeSet;

use super::{
    check::{at, each, first_repeated},
    document::{Document, FailedAuthenticationDocument, LimitDocument},
    exempt::{Exempt, exempt},
    issuers::IssuerOptions,
    limit_store::LimitStore,
    types::{CountBy, OnError},
};
use crate::{
    error::Error,
    limit::{self, Limit},
};

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
    /// For an address, until it is known that they found something: what has not failed yet may be about to.
    pub of_each: Limit,
    /// For an address that fails too often, or has too many of those.
    pub of_throttled: Limit,
    /// For all such addresses together, and for all whose address is not known.
    pub of_suspects: Limit,
    /// For all others together. Two bounds, so that suspects cannot use up what others need.
    pub of_all: Limit,
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

/// The limits, in the order of the policy.
pub(super) fn limits(
    document: &Document,
    issuers: &[IssuerOptions],
) -> Result<Vec<LimitPolicy>, Error> {
    // Several entries of one issuer know the same people.
    // Owned strings, so that `BTreeSet<String>` is compiled only once.
    let mut known = BTreeSet::new();
    known.extend(issuers.iter().flat_map(IssuerOptions::issuers).map(str::to_owned));
    let issuers: Vec<&str> = known.iter().map(String::as_str).collect();
    let limits =
        each("limits", document.limits.iter(), |path, section| limit(path, section, &issuers))?;
    match first_repeated(limits.iter().map(|known| known.limit.name())) {
        Some(index) => {
            Err(Error::config(format!("limits[{index}].name"), "a limit has this name already"))
        }
        None => Ok(limits),
    }
}

#[inline(never)]
fn limit(path: &str, document: &LimitDocument, issuers: &[&str]) -> Result<LimitPolicy, Error> {
    let store = LimitStore::read(path, document.store, document.binding.as_deref())?;
    let by = document.by.to_vec();
    if by.is_empty() {
        return Err(Error::config(format!("{path}.by"), "expected a non-empty list"));
    }
    if is_of_failures(&document.name) {
        return Err(Error::config(
            format!("{path}.name"),
            "is the name of a limit of the gate's own",
        ));
    }
    let limit = Limit::from_parts(
        document.name.clone(),
        document.requests,
        (document.window_secs, document.window),
        (document.algorithm, document.burst),
    )
    .map_err(|fault| at(path, &fault))?;
    store.check(path, &limit, document.lease)?;
    let limit = match document.lease {
        None => limit,
        Some(terms) => limit.with_lease(terms).map_err(|fault| at(path, &fault))?,
    };
    let exempt = exempt(&format!("{path}.exempt"), &document.exempt, issuers)?;
    Ok(LimitPolicy { limit, by, store, exempt, on_error: document.on_error })
}

/// What a refusal calls the limit.
const FAILURES: &str = "failed-authentication";

/// What it is called while a penalty lasts.
const PENALTY: &str = "failed-authentication-penalty";

/// What the limit of secrets is called where addresses are not known.
const SECRETS: &str = "administrator-secret";

/// Whether a refusal by the limit of this name comes of failures before. No limit of a policy has such a name.
#[must_use]
pub fn is_of_failures(name: &str) -> bool {
    [FAILURES, PENALTY, SECRETS].contains(&name)
}

pub(super) fn failed_authentication(
    document: Option<FailedAuthenticationDocument>,
) -> Result<Option<FailedAuthentication>, Error> {
    let document = document.unwrap_or_default();
    if !document.enabled {
        return Ok(None);
    }
    let limit = Limit::new(
        FAILURES,
        document.requests,
        document.window_secs,
        limit::LimitAlgorithm::SlidingWindow,
    )
    .map_err(|fault| at("failed_authentication", &fault))?;
    let penalty = document.penalty_secs.map(penalty).transpose()?;
    Ok(Some(FailedAuthentication {
        limit,
        penalty,
        look_ups: look_ups(document.requests, document.window_secs)?,
        // A guess a second takes thirty years for a billion.
        secrets_in_all: bucket(SECRETS, 60, 60)?,
    }))
}

/// How many callers behind one address may be looked up at once, at least.
const LOOK_UPS_AT_ONCE: u32 = 20;

/// A guesser gets one look-up a second; a store of keys bears what all get (KV bears far more).
fn look_ups(failures: u32, window_secs: u32) -> Result<LookUps, Error> {
    Ok(LookUps {
        of_each: bucket(FAILURES, failures.max(LOOK_UPS_AT_ONCE), window_secs)?,
        of_throttled: Limit::new(FAILURES, 1, 1, limit::LimitAlgorithm::TokenBucket { burst: 3 })?,
        of_suspects: bucket(FAILURES, 100, 10)?,
        of_all: bucket(FAILURES, 1000, 10)?,
    })
}

fn bucket(name: &str, requests: u32, secs: u32) -> Result<Limit, Error> {
    Limit::new(name, requests, secs, limit::LimitAlgorithm::TokenBucket { burst: requests })
}

/// A bucket of one that fills once in the time: it is empty for exactly that long.
#[inline(never)]
fn penalty(secs: u32) -> Result<Limit, Error> {
    let one = limit::LimitAlgorithm::TokenBucket { burst: 1 };
    Limit::new(PENALTY, 1, secs, one).map_err(|fault| match fault {
        Error::Config { problem, .. } => {
            Error::config("failed_authentication.penalty_secs", problem)
        }
        other => other,
    })
}
