//! The sections `limits` and `failed_authentication`.

use super::{
    FailedAuthentication, LimitPolicy, LimitStore,
    check::{at, config, token},
    document::{AlgorithmName, FailedAuthenticationDocument, LimitDocument, StoreName},
};
use crate::{
    error::Error,
    rate::{self, Limit},
};

pub(super) fn limit(path: &str, document: &LimitDocument) -> Result<LimitPolicy, Error> {
    let algorithm = match (document.algorithm, document.burst) {
        (AlgorithmName::FixedWindow, None) => rate::Algorithm::FixedWindow,
        (AlgorithmName::SlidingWindow, None) => rate::Algorithm::SlidingWindow,
        (AlgorithmName::TokenBucket, burst) => {
            rate::Algorithm::TokenBucket { burst: burst.unwrap_or(document.requests) }
        }
        (_, Some(_)) => {
            return Err(config(format!("{path}.burst"), "only a token-bucket has a burst"));
        }
    };
    let store = match (document.store, document.binding.as_deref()) {
        (StoreName::Memory, None) => LimitStore::Memory,
        (StoreName::DurableObject, None) => LimitStore::DurableObject,
        (StoreName::Binding, Some(name)) => {
            LimitStore::Binding(token(&format!("{path}.binding"), name)?)
        }
        (StoreName::Binding, None) => {
            return Err(config(
                format!("{path}.binding"),
                "expected the name of a rate-limiting binding",
            ));
        }
        (_, Some(_)) => {
            return Err(config(format!("{path}.binding"), "only store = binding has a binding"));
        }
    };
    let by = document.by.to_vec();
    if by.is_empty() {
        return Err(config(format!("{path}.by"), "expected a non-empty list"));
    }
    let limit =
        Limit::new(document.name.as_str(), document.requests, document.window_secs, algorithm)
            .map_err(|fault| at(path, &fault))?;
    Ok(LimitPolicy { limit, by, store, on_error: document.on_error })
}

pub(super) fn failed_authentication(
    document: Option<FailedAuthenticationDocument>,
) -> Result<Option<FailedAuthentication>, Error> {
    let document = document.unwrap_or(FailedAuthenticationDocument {
        requests: FailedAuthentication::default_requests(),
        window_secs: FailedAuthentication::default_window_secs(),
        enabled: true,
    });
    if !document.enabled {
        return Ok(None);
    }
    let limit = Limit::new(
        "failed-authentication",
        document.requests,
        document.window_secs,
        rate::Algorithm::SlidingWindow,
    )
    .map_err(|fault| at("failed_authentication", &fault))?;
    Ok(Some(FailedAuthentication { limit }))
}
