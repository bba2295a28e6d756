//! The JSON Schema of policies, and of a wrangler configuration with one.

use edgegate::policy::described;
use serde_json::{Map, Value, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

pub(crate) fn schema_file() -> String {
    text(&schema())
}

pub(crate) fn wrangler_file() -> String {
    text(&wrangler())
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// The schema of a policy alone.
pub(crate) fn schema() -> Value {
    json!({
        "$schema": DIALECT,
        "title": "Policy of edgegate",
        "$ref": "#/$defs/Policy",
        "$defs": policy_of_file(definitions()),
    })
}

/// The policy with what an editor writes into a file of its own.
fn policy_of_file(mut definitions: Map<String, Value>) -> Map<String, Value> {
    let schema = json!({"type": "string", "description": "Where this schema is, for editors. The gate ignores it."});
    if let Some(Value::Object(properties)) =
        definitions.get_mut("Policy").and_then(|policy| policy.get_mut("properties"))
    {
        properties.insert("$schema".to_owned(), schema);
    }
    definitions
}

/// The schema of `wrangler.jsonc` or `wrangler.toml`: wrangler's own, which is installed beside this package, and the variable
/// `POLICY`, of the Worker and of each of its environments.
fn wrangler() -> Value {
    let vars = json!({
        "type": "object",
        "properties": {"POLICY": {"anyOf": [
            {"$ref": "#/$defs/Policy"},
            {"$ref": "#/$defs/PolicyInStore"},
            {"type": "string", "description": "The policy as JSON."},
        ]}},
    });
    json!({
        "$schema": DIALECT,
        "title": "wrangler configuration with a policy of edgegate",
        "allOf": [{"$ref": "../../wrangler/config-schema.json"}],
        "properties": {
            "vars": {"$ref": "#/$defs/Vars"},
            "env": {"additionalProperties": {"properties": {"vars": {"$ref": "#/$defs/Vars"}}}},
        },
        "$defs": with(definitions(), "Vars", vars),
    })
}

fn definitions() -> Map<String, Value> {
    let known = described();
    known.objects().iter().map(|object| (object.name.to_owned(), object.schema())).collect()
}

fn with(mut members: Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    members.insert(name.to_owned(), value);
    members
}
