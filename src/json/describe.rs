//! What a document may say, as JSON Schema (2020-12): made of the very types that read it.
//!
//! Only the tools that write the schema and the reference have this (feature `describe`): no module carries the texts.

use std::{collections::BTreeMap, marker::PhantomData};

use serde_json::{Map, Value, json};

use super::{StrictObject, StrictValue};
use crate::time::{UnixMillis, UnixTime};

/// A type that a document is read as.
pub(crate) trait Describe {
    /// Its schema. Objects with fields are put into the list, once each, and referred to.
    fn schema(known: &mut Definitions) -> Value;

    /// This value as a document writes it; `None` if it cannot be written, or says what leaving it out says.
    fn written(&self) -> Option<Value> {
        None
    }
}

/// An object with fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// As the schema and the TypeScript type call it.
    pub name: &'static str,
    /// What it is for.
    pub about: String,
    /// In the order of the code.
    pub fields: Vec<Field>,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// As it is written.
    pub name: &'static str,
    /// What it says.
    pub about: String,
    /// Its type, bounds and default.
    pub schema: Map<String, Value>,
    /// Whether it has to be there.
    pub is_required: bool,
}

/// A field that says whether it was given.
pub(crate) trait Given {
    /// What it is then.
    type Inner;
}

impl<T> Given for Option<T> {
    type Inner = T;
}

/// The objects that a schema refers to, each once, in the order in which a reader from the top meets them.
#[derive(Debug, Default)]
pub struct Definitions(Vec<Object>);

/// What the type of a field does not say: keywords of JSON Schema, and a default that the reader of the section has.
#[derive(Default)]
pub(crate) struct Facts(Map<String, Value>);

impl Facts {
    pub(crate) fn with(mut self, keyword: &str, value: impl serde::Serialize) -> Self {
        self.0.insert(keyword.to_owned(), json!(value));
        self
    }
}

impl Field {
    /// A field of this type.
    pub(crate) fn of<T: Describe>(
        known: &mut Definitions,
        (name, lines): (&'static str, &[&str]),
        facts: Facts,
        default: Option<Option<Value>>,
    ) -> Self {
        let mut schema = match T::schema(known) {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        // The bounds of a type are told where the document has none of its own.
        schema.extend(facts.0);
        if let Some(Some(default)) = &default {
            schema.entry("default").or_insert_with(|| default.clone());
        }
        // What has a default may be left out, wherever the default is.
        let is_optional =
            default.is_some() || schema.contains_key("default") || accepts_null(&schema);
        Self { name, about: text_of(lines), schema, is_required: !is_optional }
    }
}

fn accepts_null(schema: &Map<String, Value>) -> bool {
    let is_null = |one: &Value| one.is_null() || *one == "null" || one["type"] == "null";
    ["type", "enum", "anyOf"]
        .iter()
        .filter_map(|keyword| schema.get(*keyword)?.as_array())
        .any(|choices| choices.iter().any(is_null))
}

impl Definitions {
    /// What a document is that is read as this type.
    pub(crate) fn of<T: Describe>() -> Self {
        let mut known = Self::default();
        known.add::<T>();
        known
    }

    /// One more document.
    pub(crate) fn add<T: Describe>(&mut self) {
        T::schema(self);
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> &[Object] {
        &self.0
    }

    /// Describes an object, and returns the reference to it.
    pub(crate) fn object(
        &mut self,
        name: &'static str,
        about: &[&str],
        fields: impl FnOnce(&mut Self) -> Vec<Field>,
    ) -> Value {
        if !self.0.iter().any(|known| known.name == name) {
            let at = self.0.len();
            self.0.push(Object { name, about: text_of(about), fields: Vec::new() });
            let fields = fields(self);
            if let Some(object) = self.0.get_mut(at) {
                object.fields = fields;
            }
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }
}

impl Object {
    /// Its schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        let property = |field: &Field| {
            let mut property = field.schema.clone();
            property.insert("description".to_owned(), json!(field.about));
            (field.name.to_owned(), Value::Object(property))
        };
        let properties: Map<String, Value> = self.fields.iter().map(property).collect();
        let required: Vec<&str> =
            self.fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        json!({
            "description": self.about,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// The lines of a doc comment as one text.
fn text_of(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The same, or `null`.
fn nullable(schema: Value) -> Value {
    let Value::Object(mut members) = schema else { return schema };
    if members.is_empty() {
        return Value::Object(members);
    }
    if let Some(Value::Array(words)) = members.get_mut("enum") {
        words.push(Value::Null);
        return Value::Object(members);
    }
    if let Some(Value::String(kind)) = members.get("type") {
        let either = json!([kind, "null"]);
        members.insert("type".to_owned(), either);
        return Value::Object(members);
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.push(json!({"type": "null"}));
        return Value::Object(members);
    }
    json!({"anyOf": [Value::Object(members), {"type": "null"}]})
}

macro_rules! plain {
    ($($type:ty => $schema:tt;)+) => {
        $(impl Describe for $type {
            fn schema(_: &mut Definitions) -> Value {
                json!($schema)
            }

            fn written(&self) -> Option<Value> {
                Some(json!(self))
            }
        })+
    };
}

plain! {
    String => {"type": "string"};
    bool => {"type": "boolean"};
    u8 => {"type": "integer", "minimum": 0, "maximum": u8::MAX};
    u16 => {"type": "integer", "minimum": 0, "maximum": u16::MAX};
    u32 => {"type": "integer", "minimum": 0, "maximum": u32::MAX};
    u64 => {"type": "integer", "minimum": 0};
    usize => {"type": "integer", "minimum": 0};
    i64 => {"type": "integer"};
}

impl<T: Describe> Describe for Option<T> {
    fn schema(known: &mut Definitions) -> Value {
        nullable(T::schema(known))
    }

    fn written(&self) -> Option<Value> {
        self.as_ref().and_then(T::written)
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn schema(known: &mut Definitions) -> Value {
        json!({"type": "array", "items": T::schema(known)})
    }

    fn written(&self) -> Option<Value> {
        self.iter().map(T::written).collect::<Option<Vec<_>>>().map(Value::Array)
    }
}

/// Values by names that the author of the document has chosen.
pub(crate) struct Named<T>(PhantomData<T>);

impl<T: Describe> Describe for Named<T> {
    fn schema(known: &mut Definitions) -> Value {
        json!({"type": "object", "additionalProperties": T::schema(known)})
    }
}

impl<T: Describe> Describe for BTreeMap<String, T> {
    fn schema(known: &mut Definitions) -> Value {
        Named::<T>::schema(known)
    }
}

impl Describe for UnixTime {
    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "integer", "format": "int64"})
    }
}

impl Describe for UnixMillis {
    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "integer", "minimum": 0, "format": "int64"})
    }
}

impl Describe for crate::client_address::Network {
    fn schema(known: &mut Definitions) -> Value {
        String::schema(known)
    }
}

impl Describe for StrictObject {
    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "object"})
    }
}

impl Describe for StrictValue {
    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}
