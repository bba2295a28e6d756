//! Proofs of possession, for the shell. The shell finds the binding in the claims, and remembers used proofs.

use super::exchange::{self, Slot, Status};
use super::host::{self, Verdict};
use edgegate::error::Error;
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::dpop::{Confirmation, ProofRequest, ProofRules, ProofStep, UntrustedProof};
use edgegate::store::replays::CLOCK_DIFFERENCE_SECS;
use edgegate::time::UnixMillis;

pub(super) fn verify(
    text: &str,
    now: UnixMillis,
    max_age: u32,
    algorithms: u32,
) -> Result<Status, Error> {
    let permitted = Algorithm::ALL.into_iter().enumerate();
    let permitted = permitted.filter(|(place, _)| algorithms >> *place & 1 == 1);
    let rules = ProofRules::new(permitted.map(|(_, one)| one).collect(), u64::from(max_age))?;
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (jkt, method, url, access_token, proof) = (next(), next(), next(), next(), next());
    let nonces: Vec<&str> = lines.collect();
    let confirmation = Confirmation::from_thumbprint(jkt).ok_or(Error::WrongProofKey)?;
    let request = ProofRequest { method, url, access_token, nonces: &nonces };

    let proof = UntrustedProof::parse(proof, &rules, &confirmation)?;
    let mut step = proof.verify()?;
    let signed = loop {
        match step {
            ProofStep::Verified(signed) => break signed,
            ProofStep::NeedsHost(check) => {
                // The host knows keys by their thumbprint. It does not use the name of the issuer.
                let verdict = host::ask(check.task(), "").map_err(|_| Error::InvalidProof {
                    problem: "jwk is no key of its kind".to_owned(),
                })?;
                if verdict == Verdict::Pending {
                    return Ok(Status::Pending);
                }
                step = check.conclude(verdict == Verdict::Holds)?;
            }
        }
    };
    let verified = signed.check(&rules, &request, now.to_unix_time())?;
    let until = verified.until();
    exchange::leave_time(Slot::ValidUntil, until.as_secs());
    exchange::leave_time(Slot::ValidFrom, until.saturating_add(CLOCK_DIFFERENCE_SECS).as_secs());
    exchange::leave_text(verified.replay_key().storage_name());
    Ok(Status::Done)
}
