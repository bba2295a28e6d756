//! The JSON Schema of events: what the gate tells others of, one JSON object each.

use edgegate::watch::event::described;
use serde_json::{Map, Value, json};

pub(crate) fn schema_file() -> String {
    format!("{:#}\n", schema())
}

pub(crate) fn schema() -> Value {
    let open = |mut schema: Value| {
        // New fields may come: a reader ignores those that it does not know.
        if let Value::Object(members) = &mut schema {
            members.remove("additionalProperties");
        }
        schema
    };
    let known = described();
    let definitions: Map<String, Value> = known
        .objects()
        .iter()
        .map(|object| (object.name.to_owned(), open(object.schema())))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event of edgegate, version 1",
        "$ref": "#/$defs/Event",
        "$defs": definitions,
    })
}
