//! The step for tokens that are bound to a key (RFC 9449): the proof is checked, and later spent.

use super::{Backend, Carrier, Request, backend::unavailable};
use crate::{
    cold_path::cold,
    error::Error,
    jose::{
        dpop::{
            Binding, Confirmation, ProofRequest, ProofRules, ProofStep, SignedProof,
            UntrustedProof, VerifiedProof,
        },
        verifier::VerifiedToken,
    },
    store::ReplayStore,
    time::UnixMillis,
};

/// A verified token, and how it came.
pub(super) struct Bound<'t> {
    pub(super) token: &'t str,
    pub(super) verified: &'t VerifiedToken,
    pub(super) carrier: Carrier,
}

/// Whether a token that is bound to a key comes from whoever has that key (RFC 9449 §7). The proof, if there has to be
/// one, is still to be spent ([`spend`]).
pub(super) async fn check(
    backend: &impl Backend,
    presented: &Bound<'_>,
    request: &Request<'_>,
    now: UnixMillis,
) -> Result<Option<VerifiedProof>, Error> {
    let Bound { verified, carrier, .. } = *presented;
    let binding = verified.binding();
    if binding == Binding::Off {
        return Ok(None);
    }
    let Some(confirmation) = Confirmation::from_claims(verified.claims())? else {
        let wanted = binding == Binding::Required || carrier == Carrier::Dpop;
        return if wanted { Err(Error::TokenNotBound) } else { Ok(None) };
    };
    cold(check_proof(backend, presented, &confirmation, request, now)).await.map(Some)
}

async fn check_proof(
    backend: &impl Backend,
    &Bound { token, verified, carrier }: &Bound<'_>,
    confirmation: &Confirmation,
    request: &Request<'_>,
    now: UnixMillis,
) -> Result<VerifiedProof, Error> {
    // A bound token is no bearer token, wherever it stands (§7.2).
    if carrier != Carrier::Dpop {
        return Err(Error::ProofRequired);
    }
    let proof = request.dpop.ok_or_else(|| invalid("the DPoP header is missing"))?;
    // Otherwise the refusal would say that the proof is about another URL.
    let url = request.url.ok_or_else(|| {
        invalid("the URL of the request is not known; in forward-auth, forward_auth.origin says it")
    })?;
    let rules = ProofRules::default();
    let proof = UntrustedProof::parse(proof, &rules, confirmation)?;
    let signed = verify_signature(backend, verified.issuer(), &proof).await?;
    let about = ProofRequest { method: request.method, url, access_token: token, nonces: &[] };
    signed.check(&rules, &about, now.to_unix_time())
}

async fn verify_signature<'p>(
    backend: &impl Backend,
    issuer: &str,
    proof: &'p UntrustedProof<'_>,
) -> Result<SignedProof<'p>, Error> {
    let mut step = proof.verify()?;
    loop {
        match step {
            ProofStep::Verified(signed) => return Ok(signed),
            ProofStep::NeedsHost(check) => {
                let holds = backend.signature_holds(issuer, check.task()).await;
                let holds = holds.map_err(|fault| match fault {
                    Error::KeysUnavailable { .. } => invalid("jwk is no key of its kind"),
                    fault => fault,
                })?;
                step = check.conclude(holds)?;
            }
        }
    }
}

fn invalid(problem: &str) -> Error {
    Error::InvalidProof { problem: problem.to_owned() }
}

/// Takes note that a proof is used, which it can be once.
///
/// # Errors
/// [`Error::ProofReplayed`]; [`Error::StoreUnavailable`] if the store cannot say.
pub(super) async fn spend(
    replays: &impl ReplayStore,
    proof: &VerifiedProof,
    now: UnixMillis,
) -> Result<(), Error> {
    let until = u64::try_from(proof.until().as_secs()).unwrap_or(u64::MAX);
    let until = UnixMillis::from_millis(until.saturating_mul(1000));
    match replays.is_first(proof.replay_key(), until, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::ProofReplayed),
        Err(fault) => Err(unavailable("proofs", &fault)),
    }
}
