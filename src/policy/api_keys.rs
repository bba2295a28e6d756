//! The section `api_keys`: prefixes, environment, signing keys.

use super::{
    ApiKeyPolicy, KeyFormat, PrefixPolicy, Records, Secrets,
    check::{at, cache_secs, each, scope_list, secret_of},
    document::{self, ApiKeysDocument, PrefixDocument},
};
use crate::{
    api_key::{ApiKeys, SigningKeys},
    error::Error,
};

pub(super) fn api_keys(
    document: &ApiKeysDocument,
    secrets: &dyn Secrets,
) -> Result<ApiKeyPolicy, Error> {
    let signing_keys =
        each("api_keys.signing_keys", document.signing_keys.iter(), |path, signing_key| {
            let place = format!("{path}.secret");
            Ok((signing_key.id, secret_of(&place, &signing_key.secret, secrets)?))
        })?;
    let signing_keys = SigningKeys::new(signing_keys).map_err(|fault| at("api_keys", &fault))?;
    if let Some(index) =
        document::first_repeated(document.prefixes.iter().map(|known| known.prefix.as_str()))
    {
        return Err(Error::config(
            format!("api_keys.prefixes[{index}].prefix"),
            "this prefix is configured already",
        ));
    }
    let (places, own_format): (Vec<usize>, Vec<&str>) = document
        .prefixes
        .iter()
        .enumerate()
        .filter(|(_, known)| known.format == KeyFormat::Edgegate)
        .map(|(place, known)| (place, known.prefix.as_str()))
        .unzip();
    if own_format.is_empty() && !document.prefixes.is_empty() {
        let problem = "expected at least one that is not imported";
        return Err(Error::config("api_keys.prefixes", problem));
    }
    let keys = ApiKeys::new(&document.environment, &own_format, signing_keys).map_err(|fault| {
        // Its list has only the prefixes of the gate's own format: their places are others.
        match (&fault, places.iter().enumerate().find(|(own, _)| is_at(&fault, *own))) {
            (Error::Config { problem, .. }, Some((_, place))) => {
                Error::config(format!("api_keys.prefixes[{place}].prefix"), problem)
            }
            _ => at("api_keys", &fault),
        }
    })?;
    refuse_shadowed(document, &own_format)?;
    let prefixes = each("api_keys.prefixes", document.prefixes.iter(), |path, known| {
        scope_list(&format!("{path}.scopes"), known.scopes.as_deref().unwrap_or_default())?;
        let without_record = scopes_without_record(path, known, document.records)?;
        let plain = known.prefix.starts_with(|first: char| first.is_ascii_alphabetic())
            && known.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(Error::config(
                format!("{path}.prefix"),
                "expected letters and digits, like sk",
            ));
        }
        Ok(PrefixPolicy {
            prefix: known.prefix.clone(),
            scopes: known.scopes.clone(),
            scopes_without_record: without_record,
            format: known.format,
        })
    })?;
    cache_secs("api_keys.cache_secs", document.cache_secs)?;
    Ok(ApiKeyPolicy { keys, records: document.records, cache_secs: document.cache_secs, prefixes })
}

/// What a key may do without a record: nothing, unless the policy says so, and never more than with one.
fn scopes_without_record(
    path: &str,
    known: &PrefixDocument,
    records: Records,
) -> Result<Vec<String>, Error> {
    let Some(scopes) = &known.scopes_without_record else { return Ok(Vec::new()) };
    let place = format!("{path}.scopes_without_record");
    if records != Records::Optional {
        return Err(Error::config(
            place,
            "only with records = optional are keys taken without a record",
        ));
    }
    if known.format == KeyFormat::Imported {
        return Err(Error::config(place, "an imported key is known by its record alone"));
    }
    scope_list(&place, scopes)?;
    let beyond = |scope: &String| known.scopes.as_ref().is_some_and(|cap| !cap.contains(scope));
    match scopes.iter().position(beyond) {
        Some(index) => {
            Err(Error::config(format!("{place}[{index}]"), "is not among the prefix's scopes"))
        }
        None => Ok(scopes.clone()),
    }
}

/// Whether a fault of [`ApiKeys::new`] is that of the prefix at this index.
fn is_at(fault: &Error, index: usize) -> bool {
    matches!(fault, Error::Config { path, .. } if *path == format!("prefixes[{index}]"))
}

/// With `sk` beside an imported `sk_test`, every key of `sk` in the environment `test` would be looked up
/// as an imported one, and not found.
fn refuse_shadowed(document: &ApiKeysDocument, own_format: &[&str]) -> Result<(), Error> {
    for (index, known) in document.prefixes.iter().enumerate() {
        let begins = format!("{}_", known.prefix);
        let shadowed = own_format
            .iter()
            .find(|own| format!("{own}_{}_", document.environment).starts_with(&begins))
            .filter(|own| known.format == KeyFormat::Imported && known.prefix.len() > own.len());
        if let Some(own) = shadowed {
            return Err(Error::config(
                format!("api_keys.prefixes[{index}].prefix"),
                format!("keys of {own} begin with it, they could not be told apart"),
            ));
        }
    }
    Ok(())
}
