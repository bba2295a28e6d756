//! The step that verifies a token.

use std::rc::Rc;

use super::{Backend, Sessions as _, credential::PresentedToken, signatures};
use crate::{
    cold_path::cold,
    error::Error,
    jose::{
        discovery::Location,
        jws::HostCheck,
        keys::KeySet,
        verifier::{self, KeySource, Pending, Signed, TokenStep, VerifiedToken, Verifier},
    },
    policy::Policy,
    time::UnixMillis,
};

/// Verifies a token: by the keys of the policy or of the issuer, the signature in here or by the host.
///
/// # Errors
/// [`Error::TokenNotAccepted`] where the policy knows no issuer, [`Error::IssuerNotOfHeader`], and those of the verifier and of the backend.
pub(super) async fn verify(
    policy: &Policy,
    backend: &impl Backend,
    token: &PresentedToken<'_>,
    now: UnixMillis,
) -> Result<VerifiedToken, Error> {
    let verifier = policy.verifier.as_ref().ok_or(Error::TokenNotAccepted)?;
    let pending = match backend.last_header() {
        Some(last) => verifier.begin_after(token.text, &mut last.borrow_mut())?,
        None => verifier.begin(token.text)?,
    };
    let issuer = pending.issuer().rules.issuer.as_str();
    // The header narrows the keys to choose from, so this is before the signature.
    if token.issuers.is_some_and(|taken| !taken.iter().any(|known| known == issuer)) {
        return Err(Error::IssuerNotOfHeader);
    }
    let pending = offering(pending, backend);
    let remote = match pending.issuer().keys {
        KeySource::Fixed(_) => None,
        _ => remote_keys(backend, &pending, now).await?,
    };
    conclude(pending, remote, backend, now).await
}

/// The same of a token that its issuer has handed to the gate itself, with the keys at this URI. It is nobody's credential.
///
/// # Errors
/// Those of the verifier and of the backend.
#[inline(never)]
pub(super) async fn verify_handed(
    (verifier, uri): (&Verifier, &str),
    backend: &impl Backend,
    token: &str,
    now: UnixMillis,
) -> Result<VerifiedToken, Error> {
    let pending = offering(verifier.begin(token)?, backend);
    let issuer = &pending.issuer().rules.issuer;
    let keys = backend.remote_keys(issuer, Location::OfLogins(uri), pending.key_id(), now);
    let keys = keys.await?;
    conclude(pending, Some(keys), backend, now).await
}

fn offering<'a>(pending: Pending<'a>, backend: &impl Backend) -> Pending<'a> {
    if backend.takes_ed25519() { pending.offering_ed25519() } else { pending }
}

async fn conclude(
    pending: Pending<'_>,
    remote: Option<Rc<KeySet>>,
    backend: &impl Backend,
    now: UnixMillis,
) -> Result<VerifiedToken, Error> {
    let issuer = pending.issuer().rules.issuer.as_str();
    let signed = match pending.verify(remote.as_deref())? {
        TokenStep::Verified(signed) => signed,
        TokenStep::NeedsHost(check) => by_host(backend, issuer, check, now).await?,
    };
    signed.claims(now.to_unix_time())
}

/// Has the host check a signature by one key after another.
async fn by_host<'a>(
    backend: &impl Backend,
    issuer: &str,
    mut check: verifier::HostCheck<'a>,
    now: UnixMillis,
) -> Result<Signed<'a>, Error> {
    loop {
        let step = match holds(backend, issuer, check.task(), now).await {
            Ok(holds) => check.conclude(holds)?,
            Err(fault) => check.pass_over(fault)?,
        };
        check = match step {
            TokenStep::Verified(signed) => return Ok(signed),
            TokenStep::NeedsHost(next) => next,
        };
    }
}

/// Whether the signature of a token holds. A signature that was found to hold is not checked again for a while.
async fn holds(
    backend: &impl Backend,
    issuer: &str,
    check: &HostCheck<'_>,
    now: UnixMillis,
) -> Result<bool, Error> {
    let named = backend.seen_signatures().zip(signatures::name_of(check));
    if named.is_some_and(|(seen, name)| seen.has(&name, now)) {
        return Ok(true);
    }
    let holds = cold(backend.signature_holds(issuer, check)).await?;
    if let Some((seen, name)) = named.filter(|_| holds) {
        seen.note(name, now);
    }
    Ok(holds)
}

/// The keys of an issuer that publishes them; `None` where the policy has them.
async fn remote_keys(
    backend: &impl Backend,
    pending: &Pending<'_>,
    now: UnixMillis,
) -> Result<Option<Rc<KeySet>>, Error> {
    let issuer = pending.issuer();
    match issuer.keys.location() {
        None if matches!(issuer.keys, KeySource::Ring) => {
            cold(backend.sessions().verifying_keys(pending.key_id(), now)).await.map(Some)
        }
        None => Ok(None),
        Some(at) => {
            let keys = backend.remote_keys(&issuer.rules.issuer, at, pending.key_id(), now);
            cold(keys).await.map(Some)
        }
    }
}
