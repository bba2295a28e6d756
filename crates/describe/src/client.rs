//! The client of administration in the npm package: its table of operations, and its types.

use serde_json::Value;

use crate::{
    openapi,
    operations::{Body, Caller, OPERATIONS, Operation, Parameter},
    typescript::{interface, type_of_value},
};

const HEAD: &str = "// Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand.\n";

/// What an administrator may ask, and whether the gate is well.
fn operations() -> impl Iterator<Item = &'static Operation> {
    let health = |operation: &&Operation| operation.id == "getHealth";
    OPERATIONS.iter().filter(move |one| one.caller == Caller::Administrator || health(one))
}

/// `[method, path, whether it takes a body]` by the name of the operation.
pub(crate) fn table() -> String {
    let rows: String = operations()
        .map(|operation| {
            let has_body = operation.body != Body::None;
            let method = operation.method.to_uppercase();
            format!("  {}: ['{method}', '{}', {has_body}],\n", operation.id, operation.path)
        })
        .collect();
    format!("{HEAD}export const OPERATIONS = {{\n{rows}}};\n")
}

/// `pkg/client.d.ts`.
pub(crate) fn types() -> String {
    let methods: String = operations().map(method).collect();
    let document = openapi::document();
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let mut open: Vec<&str> = Vec::new();
    for operation in operations() {
        match operation.body {
            Body::Json(name) | Body::OptionalJson(name) => open.push(name),
            Body::Revocations => open.push("NewRevocation"),
            Body::None | Body::Form(_) => {}
        }
        open.extend(operation.answers.iter().flat_map(|answer| answer.schemas));
    }
    open.push("Code");
    let mut names: Vec<String> = open.into_iter().map(str::to_owned).collect();
    let mut types = String::new();
    let mut at = 0;
    while let Some(name) = names.get(at).cloned() {
        at = at.saturating_add(1);
        let first = names.iter().position(|other| *other == name);
        let Some(schema) = schemas.and_then(|all| all.get(&name)) else { continue };
        if first != Some(at.saturating_sub(1)) {
            continue;
        }
        types.push_str(&interface(&name, schema));
        names.extend(referred(schema));
    }
    format!("{HEAD}{CLIENT_TYPES}{methods}}}\n\n{CREATE}{types}")
}

fn referred(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                let reference = members.get("$ref").and_then(Value::as_str);
                found.extend(reference.and_then(|text| text.rsplit('/').next()).map(str::to_owned));
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

fn method(operation: &Operation) -> String {
    let has_id = operation.path.contains("{id}");
    let id = if has_id { "id: string, " } else { "" };
    let body = match operation.body {
        Body::None | Body::Form(_) => String::new(),
        Body::Json(name) => format!("body: {name}, "),
        Body::OptionalJson(name) => format!("body?: {name}, "),
        Body::Revocations => "body: NewRevocation | string, ".to_owned(),
    };
    let query: Vec<&str> = operation.parameters.iter().filter_map(|one| query(*one)).collect();
    let optional = if operation.parameters.contains(&Parameter::Subject) { "" } else { "?" };
    let query = match query.as_slice() {
        [] => String::new(),
        fields => format!("query{optional}: {{ {} }}, ", fields.join("; ")),
    };
    let names: Vec<&str> =
        operation.answers.iter().flat_map(|answer| answer.schemas).copied().collect();
    let mut answers: Vec<String> = names
        .iter()
        .map(|name| type_of_value(&serde_json::json!({"$ref": format!("/{name}")})))
        .collect();
    answers.dedup();
    let answer = match (operation.id, answers.as_slice()) {
        // As it is written: it may be long.
        ("exportRevocations", _) => "Response".to_owned(),
        (_, []) => "undefined".to_owned(),
        (_, several) => several.join(" | "),
    };
    let parameters = format!("{id}{body}{query}");
    let parameters = parameters.trim_end_matches(", ");
    format!("  /** {} */\n  {}({parameters}): Promise<{answer}>;\n", operation.about, operation.id)
}

fn query(parameter: Parameter) -> Option<&'static str> {
    Some(match parameter {
        Parameter::Owner => "owner?: string | undefined",
        Parameter::Subject => "subject: string",
        Parameter::Cursor => "cursor?: string | null | undefined",
        Parameter::After => "after?: number | undefined",
        Parameter::Window => "window?: string | undefined",
        Parameter::Limit => "limit?: number | undefined",
        Parameter::IdempotencyKey => "idempotencyKey?: string | undefined",
        _ => return None,
    })
}

const CLIENT_TYPES: &str = "\
//
// A client for the administration of a gate over HTTP. It needs `fetch`, and nothing else of the package.

export interface AdminClientOptions {
  /** Where the gate is: `https://api.example.com`. A path is that of its endpoints: `/auth` without one. */
  url: string | URL;
  /** The administrator's secret. It is sent to this URL only; no redirect is followed. */
  token: string;
  /** In place of the runtime's own. */
  fetch?: ((input: string, init: RequestInit) => Promise<Response>) | undefined;
  /** How long an answer may take, in milliseconds. Default 30,000. */
  timeoutMs?: number | undefined;
}

/** A refusal, or an answer that is not the gate's. */
export class AdminError extends Error {
  /** `UNEXPECTED_ANSWER` if it is not one of the gate. */
  readonly code: Code | 'UNEXPECTED_ANSWER';
  readonly status: number;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | undefined;
}

/** Bodies and answers are those of HTTP, so their fields are snake_case. */
export interface AdminClient {
";

const CREATE: &str =
    "export function createAdminClient(options: AdminClientOptions): AdminClient;\n";
