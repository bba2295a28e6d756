//! The sections `limits` and `failed_authentication`.

use super::{
    FailedAuthentication, LimitPolicy, LimitStore, LookUps,
    check::{at, token},
    document::{FailedAuthenticationDocument, LimitDocument, StoreName},
    exempt::exempt,
};
use crate::{
    error::Error,
    limit::{self, Limit},
};

pub(super) fn limit(
    path: &str,
    document: &LimitDocument,
    issuers: &[&str],
) -> Result<LimitPolicy, Error> {
    let store = match (document.store, document.binding.as_deref()) {
        (StoreName::Memory, None) => LimitStore::Memory,
        (StoreName::Kv, None) => LimitStore::Kv,
        (StoreName::DurableObject, None) => LimitStore::DurableObject,
        (StoreName::Binding, Some(name)) => {
            LimitStore::Binding(token(&format!("{path}.binding"), name)?)
        }
        (StoreName::Binding, None) => {
            return Err(Error::config(
                format!("{path}.binding"),
                "expected the name of a rate-limiting binding",
            ));
        }
        (_, Some(_)) => {
            return Err(Error::config(
                format!("{path}.binding"),
                "only store = binding has a binding",
            ));
        }
    };
    let by = document.by.to_vec();
    if by.is_empty() {
        return Err(Error::config(format!("{path}.by"), "expected a non-empty list"));
    }
    let limit = Limit::from_parts(
        document.name.clone(),
        document.requests,
        (document.window_secs, document.window),
        (document.algorithm, document.burst),
    )
    .map_err(|fault| at(path, &fault))?;
    if store == LimitStore::Kv && matches!(limit.algorithm(), limit::Algorithm::TokenBucket { .. })
    {
        let problem = "counters in kv are added up, which a token-bucket's cannot be";
        return Err(Error::config(format!("{path}.algorithm"), problem));
    }
    let limit = match document.lease {
        None => limit,
        Some(terms) if store == LimitStore::DurableObject => {
            limit.with_lease(terms).map_err(|fault| at(path, &fault))?
        }
        Some(_) => {
            return Err(Error::config(
                format!("{path}.lease"),
                "only store = durable-object lends",
            ));
        }
    };
    let exempt = exempt(&format!("{path}.exempt"), &document.exempt, issuers)?;
    Ok(LimitPolicy { limit, by, store, exempt, on_error: document.on_error })
}

/// What a refusal calls the limit.
const FAILURES: &str = "failed-authentication";

pub(super) fn failed_authentication(
    document: Option<FailedAuthenticationDocument>,
) -> Result<Option<FailedAuthentication>, Error> {
    let document = document.unwrap_or(FailedAuthenticationDocument {
        requests: FailedAuthentication::default_requests(),
        window_secs: FailedAuthentication::default_window_secs(),
        penalty_secs: None,
        enabled: true,
    });
    if !document.enabled {
        return Ok(None);
    }
    let limit = Limit::new(
        FAILURES,
        document.requests,
        document.window_secs,
        limit::Algorithm::SlidingWindow,
    )
    .map_err(|fault| at("failed_authentication", &fault))?;
    let penalty = document.penalty_secs.map(penalty).transpose()?;
    Ok(Some(FailedAuthentication {
        limit,
        penalty,
        look_ups: look_ups()?,
        // A guess a second takes thirty years for a billion.
        secrets_in_all: bucket("administrator-secret", 60, 60)?,
    }))
}

/// A guesser gets one look-up a second; a store of keys bears what all get (KV bears far more).
fn look_ups() -> Result<LookUps, Error> {
    Ok(LookUps {
        of_throttled: Limit::new(FAILURES, 1, 1, limit::Algorithm::TokenBucket { burst: 3 })?,
        of_suspects: bucket(FAILURES, 100, 10)?,
        of_all: bucket(FAILURES, 1000, 10)?,
    })
}

fn bucket(name: &str, requests: u32, secs: u32) -> Result<Limit, Error> {
    Limit::new(name, requests, secs, limit::Algorithm::TokenBucket { burst: requests })
}

/// A bucket of one that fills once in the time: it is empty for exactly that long.
fn penalty(secs: u32) -> Result<Limit, Error> {
    let one = limit::Algorithm::TokenBucket { burst: 1 };
    Limit::new("failed-authentication-penalty", 1, secs, one).map_err(|fault| match fault {
        Error::Config { problem, .. } => {
            Error::config("failed_authentication.penalty_secs", problem)
        }
        other => other,
    })
}
