//! The policy as its author writes it: field names, types and defaults, nothing resolved yet.
//!
//! Unknown fields are refused everywhere, so that a misspelt option cannot quietly turn a protection
//! off.

use core::fmt;
use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer as _, SeqAccess, Visitor},
};

use super::shape::{Word, object, objects, optional_object, optional_word, optional_words, word};
use crate::{error::Error, rate, strict_json};

/// The whole document (`[vars.POLICY]` of `wrangler.toml`, or the same object from elsewhere).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) upstream: Option<String>,
    #[serde(default)]
    pub(super) forward_credential: bool,
    pub(super) auth_prefix: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) max_token_length: Option<usize>,
    pub(super) client_ip_header: Option<String>,
    #[serde(default, deserialize_with = "object")]
    pub(super) forward_auth: ForwardAuthDocument,
    #[serde(default)]
    pub(super) legacy_headers: bool,
    #[serde(default, deserialize_with = "word")]
    pub(super) log: super::Log,
    #[serde(default, deserialize_with = "word")]
    pub(super) path_case: super::PathCase,
    #[serde(default, deserialize_with = "objects")]
    pub(super) issuers: Vec<IssuerDocument>,
    #[serde(default, deserialize_with = "object")]
    pub(super) dpop: DpopDocument,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) jwks_cache: Option<SecretDocument>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) api_keys: Option<ApiKeysDocument>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) revocation: Option<super::RevocationPolicy>,
    #[serde(default, deserialize_with = "objects")]
    pub(super) limits: Vec<LimitDocument>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) failed_authentication: Option<FailedAuthenticationDocument>,
    #[serde(default, deserialize_with = "objects")]
    pub(super) routes: Vec<RouteDocument>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) admin: Option<SecretDocument>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForwardAuthDocument {
    pub(super) client_ip_header: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerDocument {
    pub(super) issuer: String,
    pub(super) audience: Option<Vec<String>>,
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) secret: Option<String>,
    pub(super) jwks: Option<serde_json::Value>,
    pub(super) pem: Option<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) clock_tolerance_secs: Option<u64>,
    pub(super) max_token_age_secs: Option<u64>,
    #[serde(default)]
    pub(super) required_claims: Vec<String>,
    pub(super) typ: Option<String>,
    pub(super) scope_claim: Option<String>,
    pub(super) require_exp: Option<bool>,
    pub(super) profile: Option<String>,
    pub(super) dpop: Option<String>,
}

/// What holds for the proofs of possession of all issuers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DpopDocument {
    #[serde(default, deserialize_with = "word")]
    pub(super) replays: super::Replays,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeysDocument {
    #[serde(deserialize_with = "objects")]
    pub(super) prefixes: Vec<PrefixDocument>,
    pub(super) environment: String,
    #[serde(deserialize_with = "objects")]
    pub(super) signing_keys: Vec<SigningKeyDocument>,
    #[serde(default, deserialize_with = "word")]
    pub(super) records: super::Records,
    #[serde(default)]
    pub(super) cache_secs: super::CacheSecs,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrefixDocument {
    pub(super) prefix: String,
    pub(super) scopes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "word")]
    pub(super) format: super::KeyFormat,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningKeyDocument {
    pub(super) id: u8,
    pub(super) secret: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitDocument {
    pub(super) name: String,
    #[serde(default)]
    pub(super) by: OneOrMany<super::CountBy>,
    pub(super) requests: u32,
    pub(super) window_secs: Option<u32>,
    #[serde(default, deserialize_with = "optional_word")]
    pub(super) window: Option<rate::Calendar>,
    #[serde(default, deserialize_with = "optional_word")]
    pub(super) algorithm: Option<rate::AlgorithmName>,
    pub(super) burst: Option<u32>,
    #[serde(default, deserialize_with = "word")]
    pub(super) store: StoreName,
    pub(super) binding: Option<String>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(super) lease: Option<rate::lease::Terms>,
    #[serde(default, deserialize_with = "object")]
    pub(super) exempt: ExemptDocument,
    #[serde(default, deserialize_with = "word")]
    pub(super) on_error: super::OnError,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExemptDocument {
    #[serde(default)]
    pub(super) ips: Vec<String>,
    #[serde(default)]
    pub(super) subjects: Vec<SubjectDocument>,
    #[serde(default)]
    pub(super) api_keys: Vec<String>,
}

/// A subject by its name alone, or with its issuer.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a subject, or an object with issuer and subject"
)]
pub(super) enum SubjectDocument {
    Name(String),
    Of { issuer: String, subject: String },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StoreName {
    Memory,
    Kv,
    #[default]
    #[serde(alias = "shared")]
    DurableObject,
    Binding,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailedAuthenticationDocument {
    #[serde(default = "super::FailedAuthentication::default_requests")]
    pub(super) requests: u32,
    #[serde(default = "super::FailedAuthentication::default_window_secs")]
    pub(super) window_secs: u32,
    pub(super) penalty_secs: Option<u32>,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteDocument {
    pub(super) path: String,
    pub(super) methods: Option<Vec<String>>,
    #[serde(default, deserialize_with = "word")]
    pub(super) auth: super::Auth,
    #[serde(default, deserialize_with = "optional_words")]
    pub(super) accept: Option<Vec<super::CredentialKind>>,
    #[serde(default, deserialize_with = "object")]
    pub(super) scopes: ScopesDocument,
    #[serde(default, deserialize_with = "optional_word")]
    pub(super) revocation: Option<super::RouteRevocation>,
    #[serde(default)]
    pub(super) limits: Vec<String>,
    #[serde(default = "one")]
    pub(super) cost: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopesDocument {
    #[serde(default)]
    pub(super) all: Vec<String>,
    #[serde(default)]
    pub(super) any: Vec<String>,
}

/// A section that is a secret by name: `admin`, `jwks_cache`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretDocument {
    pub(super) secret: String,
}

/// A word, or a list of words.
#[derive(Debug)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

const COUNT_BY: &str = "expected caller, subject, api_key, ip, issuer, route, or a list of them";

impl<'de> Deserialize<'de> for OneOrMany<super::CountBy> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrList;

        impl<'de> Visitor<'de> for WordOrList {
            type Value = OneOrMany<super::CountBy>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(COUNT_BY.trim_start_matches("expected "))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                super::CountBy::deserialize(text.into_deserializer())
                    .map(OneOrMany::One)
                    .map_err(|_: E| E::custom(COUNT_BY))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Word(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(OneOrMany::Many(values))
            }
        }

        deserializer.deserialize_any(WordOrList)
    }
}

impl<T: Default> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::One(T::default())
    }
}

impl<T: Copy> OneOrMany<T> {
    pub(super) fn to_vec(&self) -> Vec<T> {
        match self {
            Self::One(value) => vec![*value],
            Self::Many(values) => values.clone(),
        }
    }
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

/// Reads the document, or says where it is at fault.
pub(super) fn read(json: &str) -> Result<Document, Error> {
    strict_json::parse(json.as_bytes())
        .map_err(|fault| Error::Config { path: fault.path, problem: fault.problem })
}

/// Names that are given twice, for lists whose members have to differ.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    let mut seen = BTreeMap::new();
    names.enumerate().find_map(|(index, name)| seen.insert(name, index).map(|_| index))
}
