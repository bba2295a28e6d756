//! What a policy may say, as JSON Schema: the types of [`super::document`] describe themselves, and here is what they read by hand.
//! For the tools that write the schema, the TypeScript type and the reference.

use serde_json::{Value, json};

use super::{
    document::{
        Document, GrantDocument, GrantSection, HstsDocument, HstsSection, Of, OneOrMany,
        SubjectDocument, UpstreamDocument, UpstreamSection,
    },
    schemas::{BoolOr, either, members},
    source::{DEFAULT_RELOAD_SECS, MAX_RELOAD_SECS},
    types::CountBy,
};
use crate::json::describe::{Definitions, Describe, Field};

/// The objects of a policy. The first is the policy itself, the last what the variable says in its place where the policy is in KV.
#[must_use]
pub fn described() -> Definitions {
    let mut known = Definitions::of::<Document>();
    known.add::<InStore>();
    known
}

impl Describe for HstsDocument {
    fn schema(known: &mut Definitions) -> Value {
        BoolOr::<HstsSection>::schema(known)
    }
}

impl Describe for UpstreamDocument {
    fn schema(known: &mut Definitions) -> Value {
        either(String::schema(known), UpstreamSection::schema(known))
    }
}

impl Describe for GrantDocument {
    fn schema(known: &mut Definitions) -> Value {
        either(String::schema(known), GrantSection::schema(known))
    }
}

impl Describe for SubjectDocument {
    fn schema(known: &mut Definitions) -> Value {
        either(String::schema(known), Of::schema(known))
    }
}

impl Describe for OneOrMany<CountBy> {
    fn schema(known: &mut Definitions) -> Value {
        let mut list = Vec::<CountBy>::schema(known);
        if let Value::Object(list) = &mut list {
            list.insert("minItems".to_owned(), json!(1));
        }
        either(CountBy::schema(known), list)
    }

    fn written(&self) -> Option<Value> {
        match self {
            Self::One(one) => one.written(),
            Self::Many(many) => many.written(),
        }
    }
}

/// What the variable says where the policy is in KV.
struct InStore;

impl Describe for InStore {
    fn schema(known: &mut Definitions) -> Value {
        let about = "In place of a policy in the variable: it is in KV, under `policy/v1`.";
        known.object("PolicyInStore", &[about], |_| {
            let source = Field {
                name: "source",
                about: "The store.".to_owned(),
                schema: members(json!({"const": "kv"})),
                is_required: true,
            };
            let reload_secs = Field {
                name: "reload_secs",
                about: "How often it is read again.".to_owned(),
                schema: members(json!({
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_RELOAD_SECS,
                    "default": DEFAULT_RELOAD_SECS,
                })),
                is_required: false,
            };
            vec![source, reload_secs]
        })
    }
}
