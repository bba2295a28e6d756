//! The section `api_keys`: prefixes, environment, signing keys.

use super::{
    Secrets,
    check::{at, cache_secs, each, first_repeated, scope_list, secret_of},
    document::{ApiKeysDocument, Document, PrefixDocument},
    types::{CacheSecs, KeyFormat, Records},
};
use crate::{
    api_key::{ApiKeys, SigningKeys, record::KeyRecord},
    error::Error,
};

/// API keys of the policy.
#[derive(Debug)]
pub struct ApiKeyPolicy {
    /// Minting and verification.
    pub keys: ApiKeys,
    /// Whether a record is looked up.
    pub records: Records,
    /// How long an isolate may believe a record it has read.
    pub cache_secs: CacheSecs,
    pub(super) prefixes: Vec<PrefixPolicy>,
}

/// What a prefix stands for.
#[derive(Debug, Clone)]
pub struct PrefixPolicy {
    /// The prefix, without the underscore that follows it. Empty: for keys that begin with no other prefix, whatever they look
    /// like; see [`ApiKeyPolicy::prefix_in_header`].
    pub prefix: String,
    /// The most a key of this prefix may do: a record's scopes are cut down to these. `None`: no cap.
    pub scopes: Option<Vec<String>>,
    /// What a key of this prefix may do where no record says it: none of [`Records::Required`], these of [`Records::Optional`].
    scopes_without_record: Vec<String>,
    /// How keys of this prefix are verified.
    pub format: KeyFormat,
}

impl PrefixPolicy {
    /// What a key of this prefix may do whose record names these scopes: no more than the cap.
    #[must_use]
    pub fn cut(&self, scopes: &[String]) -> Vec<String> {
        match &self.scopes {
            None => scopes.to_vec(),
            Some(cap) => scopes.iter().filter(|scope| cap.contains(scope)).cloned().collect(),
        }
    }
}

impl ApiKeyPolicy {
    /// The prefix a presented value begins with. With `sk` and `sk_old` configured, `sk_old_…` is the
    /// longer one's.
    #[must_use]
    pub fn prefix_of(&self, presented: &str) -> Option<&PrefixPolicy> {
        self.prefixes
            .iter()
            .filter(|known| !known.prefix.is_empty())
            .filter(|known| {
                presented.strip_prefix(&known.prefix).is_some_and(|rest| rest.starts_with('_'))
            })
            .max_by_key(|known| known.prefix.len())
    }

    /// The prefix of a value in the header of API keys. There, and nowhere else, a value that begins with no other prefix is one
    /// of the empty prefix, if that is configured: elsewhere a token or a password of something else would be looked up.
    #[must_use]
    pub fn prefix_in_header(&self, presented: &str) -> Option<&PrefixPolicy> {
        self.prefix_of(presented).or_else(|| self.prefix(""))
    }

    /// The configured prefix of that name.
    #[must_use]
    pub fn prefix(&self, name: &str) -> Option<&PrefixPolicy> {
        self.prefixes.iter().find(|known| known.prefix == name)
    }

    /// What a key of this prefix may do for which no record is there.
    #[must_use]
    pub fn scopes_without_record<'a>(&self, prefix: &'a PrefixPolicy) -> &'a [String] {
        match self.records {
            Records::Required => &[],
            Records::Optional => &prefix.scopes_without_record,
            Records::None => prefix.scopes.as_deref().unwrap_or_default(),
        }
    }

    /// What a key with this record may do: the record's scopes, cut by the cap of its prefix. The record of an imported key does
    /// not say its prefix; where several could be it, each cuts.
    #[must_use]
    pub fn scopes_of(&self, record: &KeyRecord) -> Vec<String> {
        let own = |known: &&PrefixPolicy| match record.prefix.as_deref() {
            Some(prefix) => known.prefix == prefix,
            None => known.format == KeyFormat::Imported,
        };
        let prefixes = self.prefixes.iter().filter(own);
        prefixes.fold(record.scopes.clone(), |scopes, prefix| prefix.cut(&scopes))
    }

    /// The prefix new keys get when none is asked for: the first in the gate's own format.
    #[must_use]
    pub fn default_prefix(&self) -> Option<&PrefixPolicy> {
        self.prefixes.iter().find(|known| known.format == KeyFormat::Edgegate)
    }
}

/// API keys, if the policy takes any.
pub(super) fn api_keys(
    document: &Document,
    secrets: &dyn Secrets,
) -> Result<Option<ApiKeyPolicy>, Error> {
    let Some(section) = &document.api_keys else { return Ok(None) };
    let policy = section_of(section, secrets)?;
    if policy.records == Records::Optional && document.revocation.is_none() {
        // A key that is taken without a record is not stopped by deleting one.
        let problem = "optional needs the section revocation: where keys are taken without a \
                       record, only an entry there ends one for good";
        return Err(Error::config("api_keys.records", problem));
    }
    Ok(Some(policy))
}

#[inline(never)]
fn section_of(document: &ApiKeysDocument, secrets: &dyn Secrets) -> Result<ApiKeyPolicy, Error> {
    let signing_keys =
        each("api_keys.signing_keys", document.signing_keys.iter(), |path, signing_key| {
            let place = format!("{path}.secret");
            Ok((signing_key.id, secret_of(&place, &signing_key.secret, secrets)?))
        })?;
    let signing_keys = SigningKeys::new(signing_keys).map_err(|fault| at("api_keys", &fault))?;
    if let Some(index) = first_repeated(document.prefixes.iter().map(|known| known.prefix.as_str()))
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
        check_prefix(&format!("{path}.prefix"), known)?;
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

/// Keys of any form have no prefix. There is no telling whether such a value is genuine but by its record.
fn check_prefix(place: &str, known: &PrefixDocument) -> Result<(), Error> {
    let plain = known.prefix.starts_with(|first: char| first.is_ascii_alphabetic())
        && known.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let problem = match (known.prefix.as_str(), known.format) {
        ("", KeyFormat::Imported) => return Ok(()),
        ("", KeyFormat::Edgegate) => {
            "only with format = imported may it be empty, for keys of any form"
        }
        _ if plain => return Ok(()),
        _ => "expected letters and digits, like sk",
    };
    Err(Error::config(place, problem))
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
#[inline(never)]
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
