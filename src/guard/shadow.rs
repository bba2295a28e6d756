//! A policy that may come, judged beside the one in force.
//!
//! The pipeline itself judges, over stores that are only read ([`OnlyRead`]), behind the answer: it never has a say in that. What only a
//! store could tell is taken from what the real decision has found, or is said to be not judged: a limit that refuses, a credential that
//! is revoked, a proof that was used, a store that does not answer.

use super::{Backend, Decision, Guard, OnlyRead, Request};
use crate::{error::Error, policy::Policy, time::UnixMillis};

/// What an admitted request came to, where others have a code.
pub const ADMITTED: &str = "admitted";

/// What a decision came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A code, or [`ADMITTED`].
    Judged(&'static str),
    /// It cannot be compared.
    NotJudged,
}

impl Verdict {
    /// That of a decision; of the one in force before the edge has asked for what the answer needs beside it.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        match &decision.outcome {
            _ if decision.preflight.is_some() => Self::NotJudged,
            Ok(_) => Self::Judged(ADMITTED),
            Err(
                Error::RateLimited { .. }
                | Error::TokenRevoked { .. }
                | Error::ApiKeyRevoked
                | Error::ProofReplayed
                | Error::StoreUnavailable { .. }
                | Error::KeysUnavailable { .. },
            ) => Self::NotJudged,
            Err(error) => Self::Judged(error.code().as_str()),
        }
    }
}

/// What this policy would say.
pub async fn judge<B: Backend>(
    policy: &Policy,
    backend: &OnlyRead<B>,
    request: &Request<'_>,
    now: UnixMillis,
) -> Decision {
    Guard::new(policy, backend.backend()).check(request, now).await
}
