//! Values of a policy that are read by hand, as JSON Schema: fields name these types in their `#[written(…)]`.

use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use super::{security_headers::defaults::DEFAULTS, types::CacheSecs};
use crate::{
    jose::algorithm::Algorithm,
    json::describe::{Definitions, Describe, Field},
};

/// A text, or what it is short for.
pub(super) fn either(one: Value, other: Value) -> Value {
    json!({"anyOf": [one, other]})
}

/// Either `true` or `false`, or an object.
pub(super) struct BoolOr<T>(PhantomData<T>);

impl<T: Describe> Describe for BoolOr<T> {
    fn schema(known: &mut Definitions) -> Value {
        either(bool::schema(known), T::schema(known))
    }
}

impl Describe for CacheSecs {
    fn schema(known: &mut Definitions) -> Value {
        u32::schema(known)
    }

    fn written(&self) -> Option<Value> {
        self.0.written()
    }
}

/// Scopes, at least one.
pub(super) struct ScopeNames;

impl Describe for ScopeNames {
    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "array", "items": {"type": "string"}, "minItems": 1})
    }
}

/// Names, or nothing; `null` is neither.
pub(super) struct OptionalList;

impl Describe for OptionalList {
    fn schema(known: &mut Definitions) -> Value {
        Vec::<String>::schema(known)
    }
}

/// What a claim of a token has to be.
pub(super) struct ClaimValue;

impl Describe for ClaimValue {
    fn schema(_: &mut Definitions) -> Value {
        let plain = ["string", "number", "boolean"];
        either(
            json!({"type": plain}),
            json!({"type": "array", "items": {"type": plain}, "minItems": 1}),
        )
    }
}

/// The same where numbers are whole ones.
pub(super) struct RequiredClaim;

impl Describe for RequiredClaim {
    fn schema(_: &mut Definitions) -> Value {
        let plain = ["string", "integer", "boolean"];
        either(
            json!({"type": plain}),
            json!({"type": "array", "items": {"type": plain}, "minItems": 1}),
        )
    }
}

/// The body of a route's `answer`.
pub(super) struct AnswerBody;

impl Describe for AnswerBody {
    fn schema(_: &mut Definitions) -> Value {
        json!({"type": ["string", "object", "array"]})
    }
}

macro_rules! words {
    ($($(#[$about:meta])* $type:ident: $words:expr;)+) => {
        $($(#[$about])* pub(super) struct $type;

        impl Describe for $type {
            fn schema(_: &mut Definitions) -> Value {
                json!({"enum": $words})
            }
        })+
    };
}

words! {
    /// What sessions sign by.
    SessionAlgorithm: ["ES256", "EdDSA", "Ed25519", "RS256", "HS256"];
    /// How a secret is written.
    EncodingName: ["text", "base64", "base64url", "hex"];
    /// RFC 9068.
    ProfileName: ["access-token"];
    /// Whether tokens have to be bound to a key.
    BindingName: ["off", "optional", "required"];
    /// The kinds of providers.
    ProviderType: crate::login::profiles::ALL.map(|profile| profile.name);
    /// By which tokens may be signed.
    AlgorithmName: algorithms();
}

/// All, with the other name of one of them.
fn algorithms() -> Vec<&'static str> {
    Algorithm::ALL.into_iter().map(Algorithm::as_str).chain(["Ed25519"]).collect()
}

/// The headers of `security_headers`.
pub(super) struct SecurityHeaderFields;

impl Describe for SecurityHeaderFields {
    fn schema(known: &mut Definitions) -> Value {
        known.object("SecurityHeaders", &["Values of one's own for what browsers are told."], |_| {
            let fields = DEFAULTS.iter().map(|(name, header, default)| Field {
                name,
                about: format!("`{header}`, or `false` to leave it out."),
                schema: members(json!({
                    "anyOf": [{"type": "string", "minLength": 1, "maxLength": 4096}, {"const": false}],
                    "default": default,
                })),
                is_required: false,
            });
            fields.collect()
        })
    }
}

pub(super) fn members(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
