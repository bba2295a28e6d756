//! The section `issuers`: whose tokens are taken, by which keys and rules.

use super::{
    Secrets,
    check::{at, begins_with_host, each, secret_named},
    document::{Document, IssuerDocument},
};
use crate::{
    error::Error,
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Profile},
        dpop::Binding,
        jws::DEFAULT_MAX_TOKEN_LENGTH,
        keys::{Key, KeySet},
        verifier::{Issuer, KeySource, Verifier},
    },
};

/// What verifies tokens, if the policy takes any.
pub(super) fn verifier(
    document: &Document,
    secrets: &dyn Secrets,
) -> Result<Option<Verifier>, Error> {
    let issuers =
        each("issuers", document.issuers.iter(), |path, section| issuer(path, section, secrets))?;
    if issuers.is_empty() {
        return Ok(None);
    }
    let length = document.max_token_length.unwrap_or(DEFAULT_MAX_TOKEN_LENGTH);
    Verifier::new(issuers, length).map(Some)
}

fn issuer(path: &str, document: &IssuerDocument, secrets: &dyn Secrets) -> Result<Issuer, Error> {
    if document.issuer.is_empty() {
        return Err(Error::config(format!("{path}.issuer"), "expected a non-empty string"));
    }
    let audience = match document.audience.as_deref() {
        Some(audience) if !audience.is_empty() && audience.iter().all(|one| !one.is_empty()) => {
            audience.to_vec()
        }
        _ => return Err(Error::config(format!("{path}.audience"), "expected a non-empty list")),
    };
    refuse_empty_rules(path, document)?;
    let (algorithms, keys) = issuer_keys(path, document, secrets)?;
    Ok(Issuer {
        rules: ClaimRules {
            audience,
            require_exp: document.require_exp.unwrap_or(true),
            clock_tolerance_secs: clock_tolerance(path, document)?,
            max_token_age_secs: document.max_token_age_secs,
            required_claims: document.required_claims.clone(),
            typ: document.typ.clone(),
            scope_claim: document.scope_claim.clone(),
            profile: profile(path, document)?,
            ..ClaimRules::new(document.issuer.as_str())
        },
        binding: binding(path, document)?,
        algorithms,
        keys,
    })
}

/// Rules that no token can meet, or that mean nothing.
fn refuse_empty_rules(path: &str, document: &IssuerDocument) -> Result<(), Error> {
    if let Some(index) = document.required_claims.iter().position(String::is_empty) {
        let place = format!("{path}.required_claims[{index}]");
        return Err(Error::config(place, "expected a non-empty string"));
    }
    for (name, text) in [("typ", &document.typ), ("scope_claim", &document.scope_claim)] {
        if text.as_ref().is_some_and(String::is_empty) {
            return Err(Error::config(format!("{path}.{name}"), "expected a non-empty string"));
        }
    }
    if document.max_token_age_secs == Some(0) {
        return Err(Error::config(format!("{path}.max_token_age_secs"), "expected at least 1"));
    }
    Ok(())
}

fn profile(path: &str, document: &IssuerDocument) -> Result<Profile, Error> {
    match document.profile.as_deref() {
        None => Ok(Profile::Any),
        Some(name) => Profile::from_name(name)
            .ok_or_else(|| Error::config(format!("{path}.profile"), "expected access-token")),
    }
}

/// A token that says whose it is must not be taken from anybody else, unless the operator says so.
fn binding(path: &str, document: &IssuerDocument) -> Result<Binding, Error> {
    match document.dpop.as_deref() {
        None => Ok(Binding::Optional),
        Some(name) => Binding::from_name(name).ok_or_else(|| {
            Error::config(format!("{path}.dpop"), "expected off, optional or required")
        }),
    }
}

/// More than ten minutes is no clock skew any more: it would keep every token alive that much longer.
pub const MAX_CLOCK_TOLERANCE_SECS: u64 = 600;

fn clock_tolerance(path: &str, document: &IssuerDocument) -> Result<u64, Error> {
    match document.clock_tolerance_secs.unwrap_or(0) {
        secs if secs > MAX_CLOCK_TOLERANCE_SECS => Err(Error::config(
            format!("{path}.clock_tolerance_secs"),
            "expected at most 600 seconds",
        )),
        secs => Ok(secs),
    }
}

/// The issuer's algorithms and keys: exactly one of `secret`, `jwks`, `pem`, `jwks_uri`.
fn issuer_keys(
    path: &str,
    document: &IssuerDocument,
    secrets: &dyn Secrets,
) -> Result<(Vec<Algorithm>, KeySource), Error> {
    let algorithms = document.algorithms.as_deref().unwrap_or_default();
    let algorithms = each(&format!("{path}.algorithms"), algorithms.iter(), |place, name| {
        Algorithm::from_name(name).ok_or_else(|| {
            Error::config(place, "expected an algorithm like RS256, ES256, EdDSA or HS256")
        })
    })?;
    let given = (
        document.secret.as_deref(),
        document.jwks.as_ref(),
        document.pem.as_deref(),
        document.jwks_uri.as_deref(),
    );
    if let (Some(name), None, None, None) = given {
        let algorithm = match algorithms.as_slice() {
            [] => Algorithm::Hs256,
            [one] => *one,
            _ => {
                return Err(Error::config(
                    format!("{path}.algorithms"),
                    "expected exactly one algorithm for a secret",
                ));
            }
        };
        let place = format!("{path}.secret");
        let secret = secret_named(&place, name, secrets)?;
        let key = Key::hmac(secret, algorithm, None).map_err(|fault| at(&place, &fault))?;
        let keys = KeySet::new(vec![key]).map_err(|fault| at(&place, &fault))?;
        return Ok((vec![algorithm], KeySource::Fixed(keys)));
    }
    if algorithms.is_empty() {
        return Err(Error::config(format!("{path}.algorithms"), "expected a non-empty list"));
    }
    let keys = match given {
        (None, Some(jwks), None, None) => KeySource::Fixed(
            KeySet::from_jwks(&jwks.0.to_string())
                .map_err(|fault| at(&format!("{path}.jwks"), &fault))?,
        ),
        (None, None, Some(pem), None) => {
            let place = format!("{path}.pem");
            let key = Key::from_pem(pem).map_err(|fault| at(&place, &fault))?;
            KeySource::Fixed(KeySet::new(vec![key]).map_err(|fault| at(&place, &fault))?)
        }
        (None, None, None, Some(uri)) => {
            KeySource::Remote { uri: jwks_uri(&format!("{path}.jwks_uri"), uri)? }
        }
        _ => {
            return Err(Error::config(
                path.to_owned(),
                "expected exactly one of secret, jwks, pem, jwks_uri",
            ));
        }
    };
    Ok((algorithms, keys))
}

/// `https` only, but for a loopback address: whoever can change the keys on their way is the issuer.
pub fn jwks_uri(path: &str, uri: &str) -> Result<String, Error> {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| uri.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/'])));
    let secure = uri.strip_prefix("https://").is_some_and(begins_with_host);
    let plain = !uri.contains(['#', '@', '\\']) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    if (secure || loopback) && plain {
        return Ok(uri.to_owned());
    }
    Err(Error::config(path, "expected an https URL (http only on loopback)"))
}
