//! The policy as TypeScript types.

use edgegate::{json::describe::Field, policy::described};
use serde_json::{Map, Value};

const HEAD: &str = "\
// Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand.
//
// The policy of a gate, as in `[vars.POLICY]` of wrangler.toml. Names are snake_case. docs/policy.md is the reference.
";

pub(crate) fn file() -> String {
    let known = described();
    let types = known.objects().iter().map(|object| {
        let fields: String = object.fields.iter().map(field).collect();
        let about = comment("", &object.about);
        format!("\n{about}export interface {} {{\n{fields}}}\n", name(object.name))
    });
    format!("{HEAD}{}", types.collect::<String>())
}

/// A schema of the description of endpoints as a type.
pub(crate) fn interface(name: &str, schema: &Value) -> String {
    let text = |value: &Value| value["description"].as_str().unwrap_or_default().replace('\n', " ");
    let about = comment("", &text(schema));
    let (Some(properties), None) = (schema["properties"].as_object(), schema.get("anyOf")) else {
        return format!("\n{about}export type {name} = {};\n", type_of_value(schema));
    };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = properties.iter().map(|(field, schema)| {
        let (optional, undefined) =
            if required.contains(&field.as_str()) { ("", "") } else { ("?", " | undefined") };
        let about = comment("  ", &text(schema));
        format!("{about}  {field}{optional}: {}{undefined};\n", type_of_value(schema))
    });
    format!("\n{about}export interface {name} {{\n{}}}\n", fields.collect::<String>())
}

/// The same for any schema: a reference is called by the last of its path, and `null` may be in an answer.
pub(crate) fn type_of_value(schema: &Value) -> String {
    let Some(members) = schema.as_object() else { return "unknown".to_owned() };
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(Value::Array(kinds)) = members.get("type") {
        let null = if kinds.iter().any(|kind| kind == "null") { " | null" } else { "" };
        return format!("{}{null}", type_of(members));
    }
    if let Some(properties) = members.get("properties").and_then(Value::as_object) {
        let required = |field: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == field))
        };
        let fields = properties.iter().map(|(field, schema)| {
            let (optional, undefined) =
                if required(field) { ("", "") } else { ("?", " | undefined") };
            format!("{field}{optional}: {}{undefined}", type_of_value(schema))
        });
        return format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "));
    }
    match (
        members.get("type").and_then(Value::as_str),
        members.get("items"),
        members.get("additionalProperties"),
    ) {
        (Some("array"), Some(items), _) => format!("readonly ({})[]", type_of_value(items)),
        (Some("object"), _, Some(value @ Value::Object(_))) => {
            format!("Record<string, {}>", type_of_value(value))
        }
        _ => type_of(members),
    }
}

/// The package has other types too, so that a route of the policy is a `PolicyRoute`.
fn name(of_schema: &str) -> String {
    if of_schema.starts_with("Policy") {
        of_schema.to_owned()
    } else {
        format!("Policy{of_schema}")
    }
}

fn field(field: &Field) -> String {
    let optional = if field.is_required { "" } else { "?" };
    let about = match field.schema.get("default") {
        Some(default) if is_short(default) => format!("{} Default `{default}`.", field.about),
        _ => field.about.clone(),
    };
    let about = comment("  ", &about);
    let undefined = if field.is_required { "" } else { " | undefined" };
    format!("{about}  {}{optional}: {}{undefined};\n", field.name, type_of(&field.schema))
}

/// Defaults that say something: an empty list does not.
fn is_short(default: &Value) -> bool {
    !matches!(default, Value::Array(list) if list.is_empty()) && default.to_string().len() < 80
}

fn comment(indent: &str, about: &str) -> String {
    if about.is_empty() { String::new() } else { format!("{indent}/** {about} */\n") }
}

fn type_of(schema: &Map<String, Value>) -> String {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        return name(reference.trim_start_matches("#/$defs/"));
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.to_string().replace('"', "'");
    }
    if let Some(Value::Array(words)) = schema.get("enum") {
        let quoted = |word: &Value| word.to_string().replace('"', "'");
        return union(words.iter().filter(|word| !word.is_null()).map(quoted));
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf") {
        return union(choices.iter().filter_map(Value::as_object).map(type_of));
    }
    match schema.get("type") {
        Some(Value::String(kind)) => plain(kind, schema),
        Some(Value::Array(kinds)) => {
            union(kinds.iter().filter_map(Value::as_str).map(|kind| plain(kind, schema)))
        }
        _ => "unknown".to_owned(),
    }
}

/// `null` is for documents whose writer cannot leave a field out.
fn union(types: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in types.filter(|one| one != "null") {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all.join(" | ")
}

fn plain(kind: &str, schema: &Map<String, Value>) -> String {
    let inner = |keyword: &str| schema.get(keyword).and_then(Value::as_object).map(type_of);
    match kind {
        "integer" | "number" => "number".to_owned(),
        "array" => match inner("items") {
            Some(item) if item.contains(' ') => format!("readonly ({item})[]"),
            Some(item) => format!("readonly {item}[]"),
            None => "readonly unknown[]".to_owned(),
        },
        "object" => {
            let value = inner("additionalProperties").unwrap_or_else(|| "unknown".to_owned());
            format!("Record<string, {value}>")
        }
        other => other.to_owned(),
    }
}
