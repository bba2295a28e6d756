//! The step that asks whether a credential was revoked.

use super::{backend::unavailable, decision::StepOutcome};
use crate::{
    error::{Error, StoreError},
    known_digests::{Digests, KnownDigests},
    policy::{OnError, Policy, RevocationMode},
    revocation::{self, DenyKey, Entry, Revocable},
    store::RevocationStore,
    time::UnixMillis,
};

/// Refuses by entries that were found not long ago. Nothing is asked, so nothing is admitted by it.
pub(super) fn check_recalled(
    store: &impl RevocationStore,
    mode: RevocationMode,
    credential: &Revocable<'_>,
    (known, now): (Option<&KnownDigests>, UnixMillis),
) -> Result<(), Error> {
    let keys = credential.deny_keys_by(Digests::known(known, now));
    let recalled = store.recalled(mode, &keys);
    revocation::verdict(credential, &recalled, now.to_unix_time())
}

/// Asks the store. A fault refuses, unless the policy lets faults pass; then the decision names it.
pub(super) async fn check(
    policy: &Policy,
    store: &impl RevocationStore,
    credential: &Revocable<'_>,
    mode: RevocationMode,
    (known, now): (Option<&KnownDigests>, UnixMillis),
) -> StepOutcome {
    let Some(policy) = policy.revocation.as_ref() else { return StepOutcome::default() };
    let keys = credential.deny_keys_by(Digests::known(known, now));
    let found = entries(store, mode, &keys).await;
    let snapshot = (mode == RevocationMode::Snapshot).then(|| store.snapshot(now)).flatten();
    let (verdict, faults) = match found {
        Ok(entries) => {
            let entries = entries.iter().flatten();
            (revocation::verdict(credential, entries, now.to_unix_time()), Vec::new())
        }
        Err(fault) => match (policy.on_error.after(&fault), unavailable("revocation", &fault)) {
            (OnError::Deny, fault) => (Err(fault), Vec::new()),
            (OnError::Allow, fault) => (Ok(()), vec![fault]),
        },
    };
    StepOutcome { verdict, faults, snapshot, ..StepOutcome::default() }
}

/// A store that answers for fewer keys than it was asked about has not said that there is nothing under the others.
async fn entries(
    store: &impl RevocationStore,
    mode: RevocationMode,
    keys: &[DenyKey],
) -> Result<Vec<Option<Entry>>, StoreError> {
    let entries = store.entries_by(mode, keys).await?;
    if entries.len() == keys.len() {
        return Ok(entries);
    }
    Err(StoreError::new(format!("{} answers, expected {}", entries.len(), keys.len())))
}
