//! Who asks at `/token`, `/revoke` and `/introspect`.

use crate::{
    error::Error,
    guard::{Backend, Failures, Request, Sessions as _, backend::unavailable},
    jose::{
        claims::Claims,
        discovery::Location,
        dpop::{ProofRules, ProofStep, UntrustedProof},
        jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken},
    },
    policy::{Policy, SessionPolicy},
    session::{
        access::FIRST_PARTY,
        client::{Client, ClientProof, Presented, check_assertion, presented},
        oauth::{Form, OAuthError},
    },
    store::replays::Once,
    time::UnixMillis,
};

/// The client that has proven itself; `None`: nobody has named one. A proof that fails counts as failed authentication of its address.
pub(super) async fn authenticate<'p, B: Backend>(
    (policy, own): (&Policy, &'p SessionPolicy),
    backend: &B,
    (request, form): (&Request<'_>, &Form<'_>),
    now: UnixMillis,
) -> Result<Option<&'p Client>, Error> {
    let shown = presented(request.authorization, form)
        .map_err(|word| word.because("expected one method of client authentication"))?;
    let failures = Failures::new(policy, backend.failures());
    let failed = |error| Err(failures.count(error, request.client_ip, now));
    let client = match shown {
        Presented::Nobody { client_id } => {
            let is_nobody = client_id.is_none_or(|id| id == FIRST_PARTY);
            return if is_nobody { Ok(None) } else { failed(Error::ClientNotProven) };
        }
        Presented::Secret { client_id, secret } => {
            let Some(client) = own.client(&client_id) else {
                return failed(Error::ClientNotProven);
            };
            let who = (client.id.as_str(), request.client_ip);
            if let Err(error) = failures.client_secret(who, now, || client.has_secret(&secret)) {
                return failed(error);
            }
            Some(client)
        }
        Presented::Assertion { client_id, assertion } => {
            match by_assertion((policy, own), backend, &assertion, now).await {
                Ok(client) => {
                    client.filter(|client| client_id.is_none_or(|named| named == client.id))
                }
                Err(error) => return failed(error),
            }
        }
    };
    client.map_or_else(|| failed(Error::ClientNotProven), |client| Ok(Some(client)))
}

async fn by_assertion<'p, B: Backend>(
    (policy, own): (&Policy, &'p SessionPolicy),
    backend: &B,
    assertion: &str,
    now: UnixMillis,
) -> Result<Option<&'p Client>, Error> {
    let token = UntrustedToken::parse(assertion, DEFAULT_MAX_TOKEN_LENGTH)?;
    let name = token.unverified_issuer()?.unwrap_or_default();
    let Some(client) = own.client(&name) else { return Ok(None) };
    let ClientProof::Jwks { uri } = &client.proof else { return Ok(None) };
    let kid = token.header().key_id();
    let keys = backend.remote_keys(&client.id, Location::Known(uri), kid, now).await?;
    if keys.is_symmetric() {
        return Ok(None);
    }
    let mut step = token.verify_with_set(&keys)?;
    let verified = loop {
        match step {
            JwsStep::Verified(jws) => break jws,
            JwsStep::NeedsHost(check) => {
                step = match backend.signature_holds(&client.id, &check).await {
                    Ok(holds) => check.conclude(holds)?,
                    Err(fault) => check.pass_over(fault)?,
                };
            }
        }
    };
    let claims = Claims::parse(verified.payload())?;
    let endpoint = own.server(&own.base(&policy.auth_prefix)).token_endpoint();
    let checked =
        check_assertion(&client.id, &claims, [&own.issuer, &endpoint], now.to_unix_time());
    let Ok((key, until)) = checked else { return Ok(None) };
    let until = UnixMillis::from_unix_time(until);
    // After the signature, so that nobody can fill the store with names.
    let first = backend.sessions().first_use(Once::Assertion, &key, until, now).await;
    match first.map_err(|fault| unavailable("proofs", &fault))? {
        true => Ok(Some(client)),
        false => Ok(None),
    }
}

/// The key that the request proves (RFC 9449 §5); `None`: it has no proof.
pub(super) async fn proven_key<B: Backend>(
    backend: &B,
    request: &Request<'_>,
    now: UnixMillis,
) -> Result<Option<String>, Error> {
    let Some(proof) = request.dpop else { return Ok(None) };
    let url = request.url.ok_or_else(|| Error::InvalidProof {
        problem: "the URL of the request is not known".to_owned(),
    })?;
    let rules = ProofRules::default();
    let proof = UntrustedProof::parse_of_any_key(proof, &rules)?;
    let mut step = proof.verify()?;
    let signed = loop {
        match step {
            ProofStep::Verified(signed) => break signed,
            ProofStep::NeedsHost(check) => {
                let holds = backend.signature_holds("sessions", check.task()).await?;
                step = check.conclude(holds)?;
            }
        }
    };
    let checked = signed.check_without_token(&rules, (request.method, url), now.to_unix_time())?;
    crate::guard::proof::spend(backend.replays(), &checked, now).await?;
    Ok(Some(proof.thumbprint().to_owned()))
}

/// The error of a request that only a client may make.
pub(super) fn client_required() -> Error {
    OAuthError::InvalidClient.because("expected a client with its secret or a signed assertion")
}
