//! Options of `createVerifier` and `verifyJws`, after the shell has put them into one form.

use super::fields::{Fields, unexpected};
use super::host;
use super::key::Source;
use super::verify::{RawKeys, RunningVerifier};
use edgegate::error::Error;
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::claims::{ClaimRules, Profile};
use edgegate::jose::dpop::Binding;
use edgegate::jose::keys::KeySet;
use edgegate::jose::verifier::{Issuer, KeySource, Verifier};
use edgegate::policy::{MAX_CLOCK_TOLERANCE_SECS, jwks_uri};

struct IssuerDocument {
    issuer: String,
    audience: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    key: Option<Source>,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    clock_tolerance: Option<u64>,
    max_token_age: Option<u64>,
    required_claims: Vec<String>,
    typ: Option<String>,
    require_exp: Option<bool>,
    profile: Option<String>,
}

impl IssuerDocument {
    fn read(mut fields: Fields) -> Result<Self, Error> {
        let document = Self {
            issuer: fields.required("issuer")?,
            audience: fields.strings("audience")?,
            algorithms: fields.strings("algorithms")?,
            key: fields.object("key")?.map(Source::read).transpose()?,
            jwks: fields.string("jwks")?,
            jwks_uri: fields.string("jwksUri")?,
            clock_tolerance: fields.count("clockTolerance")?,
            max_token_age: fields.count("maxTokenAge")?,
            required_claims: fields.strings("requiredClaims")?.unwrap_or_default(),
            typ: fields.string("typ")?,
            require_exp: fields.boolean("requireExp")?,
            profile: fields.string("profile")?,
        };
        fields.end()?;
        Ok(document)
    }
}

/// A verifier from its options; several issuers stand in `issuers`, a single one at the top.
pub(super) fn verifier(text: &str, max_token_length: usize) -> Result<RunningVerifier, Error> {
    let many = text.starts_with(r#"{"issuers":"#);
    let mut fields = Fields::parse(text)?;
    let documents = if many {
        let issuers = fields.objects("issuers")?;
        fields.end()?;
        issuers.into_iter().map(IssuerDocument::read).collect::<Result<_, _>>()?
    } else {
        vec![IssuerDocument::read(fields)?]
    };
    let mut issuers = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let prefix = if many { format!("issuers[{index}].") } else { String::new() };
        issuers.push(issuer(&prefix, document)?);
    }
    let verifier = Verifier::new(issuers, max_token_length).map_err(|error| match error {
        Error::Config { path, problem } => {
            // The core's words are the policy's, where names have underscores.
            let path = path.replace("require_exp", "requireExp");
            let single = path.strip_prefix("issuers[0]").filter(|_| !many);
            Error::config(
                single.map_or(path.as_str(), |rest| rest.trim_start_matches('.')),
                problem,
            )
        }
        error => error,
    })?;
    Ok(RunningVerifier::new(verifier))
}

/// Keys for JWS. Without `algorithms`, each key has to serve exactly one.
pub(super) fn keys(text: &str) -> Result<RawKeys, Error> {
    let mut fields = Fields::parse(text)?;
    let source = Source::read(fields.object("key")?.ok_or_else(unexpected)?)?;
    let names = fields.strings("algorithms")?;
    let max_token_length = fields.count("maxTokenLength")?.ok_or_else(unexpected)?;
    fields.end()?;
    let (keys, algorithms) = key_set("", "key", &source, names.as_deref())?;
    for algorithm in &algorithms {
        if !keys.keys().iter().any(|key| key.permits(*algorithm)) {
            return Err(Error::config("algorithms", format!("no key serves {algorithm}")));
        }
    }
    Ok(RawKeys { keys, algorithms, max_token_length })
}

fn issuer(prefix: &str, document: &IssuerDocument) -> Result<Issuer, Error> {
    let place = |name: &str| format!("{prefix}{name}");
    refuse_empty(&place, document)?;
    let names = document.algorithms.as_deref();
    let (keys, algorithms) = match (&document.key, &document.jwks, &document.jwks_uri) {
        (Some(source), None, None) => {
            let (keys, algorithms) = key_set(prefix, "key", source, names)?;
            (KeySource::Fixed(keys), algorithms)
        }
        (None, Some(jwks), None) => {
            let source = Source::Jwks(jwks.clone());
            let (keys, algorithms) = key_set(prefix, "jwks", &source, names)?;
            (KeySource::Fixed(keys), algorithms)
        }
        (None, None, Some(uri)) => {
            let uri = jwks_uri(&place("jwksUri"), uri)?;
            let names = names.unwrap_or_default();
            (KeySource::Remote { uri }, algorithms(&place("algorithms"), names)?)
        }
        _ => {
            let path = prefix.trim_end_matches('.');
            return Err(Error::config(path, "expected exactly one of key, jwks, jwksUri"));
        }
    };
    let tolerance = document.clock_tolerance.unwrap_or(0);
    if tolerance > MAX_CLOCK_TOLERANCE_SECS {
        return Err(Error::config(place("clockTolerance"), "expected at most 600 seconds"));
    }
    let profile = match document.profile.as_deref() {
        None => Profile::Any,
        Some(name) => Profile::from_name(name)
            .ok_or_else(|| Error::config(place("profile"), "expected access-token"))?,
    };
    let rules = ClaimRules {
        audience: document.audience.clone().unwrap_or_default(),
        require_exp: document.require_exp.unwrap_or(true),
        clock_tolerance_secs: tolerance,
        max_token_age_secs: document.max_token_age,
        required_claims: document.required_claims.clone(),
        typ: document.typ.clone(),
        profile,
        ..ClaimRules::new(document.issuer.as_str())
    };
    // The shell looks at bindings itself.
    Ok(Issuer { rules, algorithms, keys, binding: Binding::Off })
}

/// Rules that no token can meet, or that mean nothing.
fn refuse_empty(place: &dyn Fn(&str) -> String, document: &IssuerDocument) -> Result<(), Error> {
    let audience = document.audience.as_ref();
    if audience.is_some_and(|list| list.is_empty() || list.iter().any(String::is_empty)) {
        return Err(Error::config(
            place("audience"),
            "expected a non-empty string or list of them",
        ));
    }
    if document.required_claims.iter().any(String::is_empty) {
        return Err(Error::config(place("requiredClaims"), "expected non-empty strings"));
    }
    if document.typ.as_ref().is_some_and(String::is_empty) {
        return Err(Error::config(place("typ"), "expected a non-empty string"));
    }
    if document.max_token_age == Some(0) {
        return Err(Error::config(place("maxTokenAge"), "expected at least 1"));
    }
    Ok(())
}

/// The keys, and the algorithms: those named, or else the one that each key serves.
fn key_set(
    prefix: &str,
    name: &str,
    source: &Source,
    names: Option<&[String]>,
) -> Result<(KeySet, Vec<Algorithm>), Error> {
    let place = format!("{prefix}algorithms");
    let named = names.map(|names| algorithms(&place, names)).transpose()?;
    if named.is_none() && matches!(source, Source::Secret(_)) {
        return Err(Error::config(&place, "expected a list for a key that names no algorithm"));
    }
    let at_key = |error: Error| Error::config(format!("{prefix}{name}"), error.to_string());
    let keys = source.keys(named.as_deref().unwrap_or_default()).map_err(at_key)?;
    keys.keys().iter().try_for_each(host::accept).map_err(at_key)?;
    let served = match named {
        Some(named) => named,
        None => {
            let mut served = Vec::new();
            for key in keys.keys() {
                let [one] = key.algorithms() else {
                    return Err(Error::config(
                        &place,
                        "expected a list for a key that names no algorithm",
                    ));
                };
                if !served.contains(one) {
                    served.push(*one);
                }
            }
            served
        }
    };
    Ok((keys, served))
}

fn algorithms(path: &str, names: &[String]) -> Result<Vec<Algorithm>, Error> {
    if names.is_empty() {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    let one = |(index, name): (usize, &String)| {
        Algorithm::from_name(name).ok_or_else(|| {
            let problem = "expected an algorithm like RS256, ES256, EdDSA or HS256";
            Error::config(format!("{path}[{index}]"), problem)
        })
    };
    names.iter().enumerate().map(one).collect()
}
