//! Options of `createVerifier` and `verifyJws`, in the one form that the shell gives them.

use serde_json::Value;

use super::fields::{Fields, unexpected};
use super::host;
use super::key::Source;
use super::verify::{RawKeys, RunningVerifier};
use edgegate::error::Error;
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::keys::KeySet;
use edgegate::jose::verifier::{Issuer, KeySource, Verifier};
use edgegate::policy::{IssuerOptions, Spelling, algorithms_named};

/// The verifier of these options. Several issuers are in `issuers`; the options of a single one stand at the top.
pub(super) fn verifier(text: &str, max_token_length: usize) -> Result<RunningVerifier, Error> {
    let many = text.starts_with(r#"{"issuers":"#);
    let mut fields = Fields::parse(text)?;
    let issuers = if many {
        let issuers = fields.objects("issuers")?;
        fields.end()?;
        let one = |(index, options)| issuer(&format!("issuers[{index}]"), options);
        issuers.into_iter().enumerate().map(one).collect::<Result<_, _>>()?
    } else {
        vec![issuer("", fields)?]
    };
    let verifier = Verifier::new(issuers, max_token_length).map_err(|error| match error {
        Error::Config { path, problem } => {
            let path = Spelling::JavaScript.path(&path);
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

/// Keys for JWS. Without `algorithms`, each key has to be for exactly one algorithm.
pub(super) fn keys(text: &str) -> Result<RawKeys, Error> {
    let mut fields = Fields::parse(text)?;
    let source = Source::read(fields.object("key")?.ok_or_else(unexpected)?)?;
    let names = fields.strings("algorithms")?;
    let max_token_length = fields.count("maxTokenLength")?.ok_or_else(unexpected)?;
    fields.end()?;
    let named = names.map(|names| algorithms_named("algorithms", &names)).transpose()?;
    let (keys, algorithms) = key_set("key", "algorithms", &source, named)?;
    for algorithm in &algorithms {
        if !keys.keys().iter().any(|key| key.permits(*algorithm)) {
            return Err(Error::config("algorithms", format!("no key serves {algorithm}")));
        }
    }
    Ok(RawKeys { keys, algorithms, max_token_length })
}

fn issuer(path: &str, options: Fields) -> Result<Issuer, Error> {
    let mut options = IssuerOptions::read(path, options.into_members(), Spelling::JavaScript)?;
    let named = options.algorithms()?;
    let at_algorithms = options.path_of("algorithms");
    let published =
        |named: Option<Vec<Algorithm>>| refuse_empty(&at_algorithms, named.unwrap_or_default());
    let given =
        (options.key.take(), options.jwks.take(), options.jwks_uri.clone(), options.discovery);
    let (keys, algorithms) = match given {
        (Some(key), None, None, false) => {
            let source = Source::read(Fields::from_value(key)?)?;
            let at_key = options.path_of("key");
            let (keys, algorithms) = key_set(&at_key, &at_algorithms, &source, named)?;
            (KeySource::Fixed(keys), algorithms)
        }
        (None, Some(Value::String(jwks)), None, false) => {
            let at_jwks = options.path_of("jwks");
            let (keys, algorithms) = key_set(&at_jwks, &at_algorithms, &Source::Jwks(jwks), named)?;
            (KeySource::Fixed(keys), algorithms)
        }
        (None, None, Some(uri), false) => {
            let uri = options.checked_jwks_uri(&uri)?;
            (KeySource::Remote { uri }, published(named)?)
        }
        (None, None, None, true) => {
            (KeySource::Discovered(options.discovered()?), published(named)?)
        }
        _ => {
            let problem = "expected exactly one of key, jwks, jwksUri, discovery";
            return Err(Error::config(path, problem));
        }
    };
    options.into_issuer(algorithms, keys)
}

/// The keys and the algorithms: those that are named or, if none is, the one algorithm of each key.
fn key_set(
    at_keys: &str,
    at_algorithms: &str,
    source: &Source,
    named: Option<Vec<Algorithm>>,
) -> Result<(KeySet, Vec<Algorithm>), Error> {
    let named = named.map(|named| refuse_empty(at_algorithms, named)).transpose()?;
    if named.is_none() && matches!(source, Source::Secret(_)) {
        return Err(Error::config(at_algorithms, NOT_NAMED));
    }
    let at_key = |error: Error| Error::config(at_keys, error.to_string());
    let keys = source.keys(named.as_deref().unwrap_or_default()).map_err(at_key)?;
    keys.keys().iter().try_for_each(host::accept).map_err(at_key)?;
    let served = match named {
        Some(named) => named,
        None => served_by(&keys).ok_or_else(|| Error::config(at_algorithms, NOT_NAMED))?,
    };
    Ok((keys, served))
}

const NOT_NAMED: &str = "expected a list for a key that names no algorithm";

/// The algorithms of keys, each of which is for one algorithm.
fn served_by(keys: &KeySet) -> Option<Vec<Algorithm>> {
    let mut served = Vec::new();
    for key in keys.keys() {
        let [one] = key.algorithms() else { return None };
        if !served.contains(one) {
            served.push(*one);
        }
    }
    Some(served)
}

fn refuse_empty(path: &str, algorithms: Vec<Algorithm>) -> Result<Vec<Algorithm>, Error> {
    if algorithms.is_empty() {
        Err(Error::config(path, "expected a non-empty list"))
    } else {
        Ok(algorithms)
    }
}
