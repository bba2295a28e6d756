//! The reference of policies as a page.

use std::collections::BTreeMap;

use edgegate::{
    json::describe::{Definitions, Field, Object},
    policy::described,
};
use serde_json::{Map, Value};

use crate::faults::{said_of, samples, suspects};

const HEAD: &str = "\
# Policy reference

<!-- Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand. -->

Every field of a policy: what it says, what it may be, its default. The same as a JSON Schema is `schema/policy.schema.json` of the npm
package, and as a TypeScript type `Policy`. `wrangler.toml` of the repository shows a policy with comments.

**Where it is.** The policy is the object `[vars.POLICY]` of `wrangler.toml`, or its JSON; in an application it is the first argument of
`createGate`. For completion in an editor, put one of these lines at the top of the file:

```toml not-run: a comment for editors
#:schema ./node_modules/edgegate/schema/wrangler.schema.json
```

```jsonc not-run: a field for editors
\"$schema\": \"./node_modules/edgegate/schema/wrangler.schema.json\"
```

A policy in a file of its own has `policy.schema.json` of the same folder. The gate takes `$schema` at the top of a policy, and ignores it.

**Spelling.** Names of the policy, and of bodies and answers over HTTP, are `snake_case`: `clock_tolerance_secs`. Options of JavaScript
functions are `camelCase`: `clockTolerance`. The other spelling is refused, and the right one is named.

**Units.** A name that ends with `_secs` is a whole number of seconds, one with `_ms` of milliseconds.

**Faults.** A field that is not known, given twice, missing or of another type is refused, with its place: `routes[0].path: is required`,
`log: expected a string, found a boolean`, `log: expected one of refusals, all, none`. The whole policy is refused then, and every request
gets `CONFIG_ERROR`. What else the gate says of a value is below each table. Rules between fields are with the fields.

`null` says the same as leaving a field out, where its default is \"–\".
";

pub(crate) fn file() -> String {
    let known = described();
    let paths = paths(&known);
    let samples = samples();
    let mut page = HEAD.to_owned();
    for object in known.objects() {
        let none = Vec::new();
        section(&mut page, object, paths.get(object.name).unwrap_or(&none), &samples);
    }
    // An object is called by the first place where it may stand, which is the title of its section.
    for object in known.objects() {
        let Some(path) = paths.get(object.name).and_then(|paths| paths.first()) else { continue };
        let anchor: String =
            path.chars().filter(|one| one.is_ascii_alphanumeric() || "_-".contains(*one)).collect();
        page = page.replace(&format!("<{}>", object.name), &format!("[`{path}`](#{anchor})"));
    }
    page
}

/// Where each object may stand: `routes[].cors`.
pub(crate) fn paths(known: &Definitions) -> BTreeMap<&'static str, Vec<String>> {
    let mut paths = BTreeMap::<&'static str, Vec<String>>::new();
    let Some(root) = known.objects().first() else { return paths };
    let mut open = vec![(root, String::new())];
    while let Some((object, path)) = open.pop() {
        for field in object.fields.iter().rev() {
            for (name, is_list) in references(&field.schema) {
                let Some(inner) = known.objects().iter().find(|one| one.name == name) else {
                    continue;
                };
                let path =
                    format!("{}{}", join(&path, field.name), if is_list { "[]" } else { "" });
                open.push((inner, path));
            }
        }
        paths.entry(object.name).or_default().push(path);
    }
    paths
}

/// The objects that a field may hold, by name, and whether in a list.
fn references(schema: &Map<String, Value>) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    if let Some(Value::String(reference)) = schema.get("$ref") {
        found.push((reference.trim_start_matches("#/$defs/").to_owned(), false));
    }
    for choice in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        found.extend(choice.as_object().map(references).unwrap_or_default());
    }
    if let Some(items) = schema.get("items").and_then(Value::as_object) {
        found.extend(references(items).into_iter().map(|(name, _)| (name, true)));
    }
    found
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn section(page: &mut String, object: &Object, paths: &[String], samples: &[Value]) {
    let title = match paths.first().map(String::as_str) {
        Some("") => "The policy".to_owned(),
        Some(first) => format!("`{first}`"),
        None => "In place of a policy".to_owned(),
    };
    page.push_str(&format!("\n## {title}\n\n{}\n", object.about));
    if let Some(others) = paths.get(1..).filter(|others| !others.is_empty()) {
        let others: Vec<String> = others.iter().map(|path| format!("`{path}`")).collect();
        page.push_str(&format!("\nThe same: {}.\n", others.join(", ")));
    }
    page.push_str("\n| field | what it may be | default | what it says |\n|---|---|---|---|\n");
    for field in &object.fields {
        page.push_str(&row(field));
    }
    let faults: String = object.fields.iter().map(|field| faults(field, paths, samples)).collect();
    if !faults.is_empty() {
        page.push_str(&format!("\nFaults:\n\n{faults}"));
    }
}

fn row(field: &Field) -> String {
    let default = match field.schema.get("default") {
        Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
        Some(default) => format!("`{default}`"),
        None if field.is_required => "**required**".to_owned(),
        None => "–".to_owned(),
    };
    let cells = [format!("`{}`", field.name), kind(&field.schema), default, field.about.clone()];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// What a field may be, in words.
fn kind(schema: &Map<String, Value>) -> String {
    let texts = |values: &[Value]| {
        let words: Vec<String> = values
            .iter()
            .filter(|value| !value.is_null())
            .map(|value| {
                format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect();
        words.join(", ")
    };
    if let Some(Value::String(reference)) = schema.get("$ref") {
        return format!("<{}>", reference.trim_start_matches("#/$defs/"));
    }
    if let Some(fixed) = schema.get("const") {
        return texts(core::slice::from_ref(fixed));
    }
    if let Some(Value::Array(words)) = schema.get("enum") {
        return texts(words);
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf") {
        let kinds: Vec<String> = choices
            .iter()
            .filter_map(Value::as_object)
            .map(kind)
            .filter(|one| one != "null")
            .collect();
        return kinds.join("; or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => plain(name, schema),
        Some(Value::Array(names)) => {
            let kinds: Vec<String> = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "null")
                .map(|name| plain(name, schema))
                .collect();
            kinds.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn plain(name: &str, schema: &Map<String, Value>) -> String {
    let inner = |keyword: &str| schema.get(keyword).and_then(Value::as_object).map(kind);
    match name {
        "string" => "a text".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "number" => "a number".to_owned(),
        "integer" => whole_number(schema),
        "array" => {
            inner("items").map_or_else(|| "a list".to_owned(), |item| format!("a list: {item}"))
        }
        "object" => inner("additionalProperties")
            .map_or_else(|| "an object".to_owned(), |value| format!("names, each with {value}")),
        other => other.to_owned(),
    }
}

fn whole_number(schema: &Map<String, Value>) -> String {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    // What the type alone says is no bound that anybody chose.
    let most = bound("maximum").filter(|most| *most != u64::from(u32::MAX));
    match (bound("minimum").unwrap_or(0), most) {
        (least, Some(most)) => format!("{least} to {most}"),
        (0, None) => "a whole number".to_owned(),
        (least, None) => format!("{least} or more"),
    }
}

/// What the reader says of values that look right.
fn faults(field: &Field, paths: &[String], samples: &[Value]) -> String {
    let mut said: Vec<String> = Vec::new();
    // Words are in the table.
    let paths = if field.schema.contains_key("enum") { &[] } else { paths };
    for path in paths {
        for value in suspects(&field.schema) {
            for problem in said_of(samples, &join(path, field.name), &value) {
                // Types and words are told once, at the top.
                let is_general =
                    [", found ", "expected one of ", "is required", "there is no secret"]
                        .iter()
                        .any(|general| problem.contains(general));
                if !is_general && !said.contains(&problem) {
                    said.push(problem);
                }
            }
        }
    }
    said.iter().map(|problem| format!("- `{}`: {problem}\n", field.name)).collect()
}
