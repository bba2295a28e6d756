//! The endpoints of the gate as OpenAPI 3.1.

use std::collections::{BTreeMap, BTreeSet};

use edgegate::{
    error::Code,
    guard::administration::role_for,
    http::{described::described, reply},
    json::describe::Object,
};
use serde_json::{Map, Value, json};

use crate::operations::{ALWAYS, Answer, Body, Caller, OPERATIONS, Operation, Parameter};

pub(crate) fn file() -> String {
    format!("{:#}\n", document())
}

/// What the Worker has in it: the same in fewer bytes.
pub(crate) fn compact() -> String {
    document().to_string()
}

/// The refusals of all endpoints: most have some in common.
#[derive(Default)]
struct Refusals(Vec<(String, Value)>);

impl Refusals {
    /// The reference to one: `Refused401`, or `Refused401b` for the second with this status.
    fn name(&mut self, status: u16, refusal: Value) -> Value {
        let known =
            self.0.iter().find(|(_, known)| *known == refusal).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let first = format!("Refused{status}");
            let others = self.0.iter().filter(|(name, _)| name.starts_with(&first)).count();
            let letter =
                ('b'..='z').nth(others.wrapping_sub(1)).map(String::from).unwrap_or_default();
            let name = format!("{first}{letter}");
            self.0.push((name.clone(), refusal));
            name
        });
        json!({"$ref": format!("#/components/responses/{name}")})
    }
}

pub(crate) fn document() -> Value {
    let mut refusals = Refusals::default();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| match is_at_root(operation) {
            true => json!({"servers": [{"url": "/"}]}),
            false => json!({}),
        });
        let described = described_operation(operation, &mut refusals);
        set(path, operation.method, described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "edgegate",
            "version": env!("CARGO_PKG_VERSION_MAJOR"),
            "summary": "The gate's own endpoints",
            "description": "Fields are snake_case. Times are seconds since 1970. Of a refusal, `code` is for programs, `hint` for people.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/auth"}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "responses": responses(refusals),
            "securitySchemes": {
                "administrator": {"type": "http", "scheme": "bearer", "description": "A secret that the policy names in `admin`. Each endpoint lists the role that the secret has to have."},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-edgegate-at"},
                "client": {"type": "http", "scheme": "basic", "description": "The client's id and secret. They may stand in the form too."},
            },
        },
    })
}

fn is_at_root(operation: &Operation) -> bool {
    operation.path.starts_with("/.well-known")
}

fn described_operation(operation: &Operation, refusals: &mut Refusals) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "tags": [tag(operation)],
        "security": security(operation),
        "responses": answers(operation, refusals),
    });
    if !operation.parameters.is_empty() {
        let named = operation.parameters.iter().map(|one| {
            let (name, _) = parameter(*one);
            json!({"$ref": format!("#/components/parameters/{name}")})
        });
        set(&mut described, "parameters", named.collect());
    }
    if let Some(body) = body(operation.body) {
        set(&mut described, "requestBody", body);
    }
    described
}

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

fn tag(operation: &Operation) -> &'static str {
    match operation.path.trim_start_matches("/admin").split('/').nth(1) {
        _ if is_at_root(operation) => "discovery",
        Some("keys") => "keys",
        Some("revocations") => "revocations",
        Some("health" | "openapi.json" | "verify" | "explain" | "audit") => "gate",
        _ => "sessions",
    }
}

fn security(operation: &Operation) -> Value {
    match operation.caller {
        Caller::Anybody => json!([]),
        Caller::AsThePolicySays => json!([{}, {"token": []}, {"apiKey": []}, {"cookie": []}]),
        // What OpenAPI lists here is the role.
        Caller::Administrator | Caller::Reader => json!([{"administrator": [role(operation)]}]),
        Caller::Client { required: true } => json!([{"client": []}]),
        Caller::Client { required: false } => json!([{}, {"client": []}]),
        Caller::Visitor => json!([{"token": []}, {"cookie": []}]),
    }
}

fn role(operation: &Operation) -> &'static str {
    let below = operation.path.strip_prefix("/admin").unwrap_or(operation.path);
    role_for(&operation.method.to_ascii_uppercase(), below).word()
}

fn body(body: Body) -> Option<Value> {
    let of = |kind: &str, name: &str| json!({kind: {"schema": reference(name)}});
    Some(match body {
        Body::None => return None,
        Body::Json(name) => json!({"required": true, "content": of("application/json", name)}),
        Body::OptionalJson(name) => json!({"content": of("application/json", name)}),
        Body::Form(name) => {
            json!({"required": true, "content": of("application/x-www-form-urlencoded", name)})
        }
        Body::Revocations => json!({"required": true, "content": {
            "application/json": {"schema": reference("NewRevocation")},
            "application/x-ndjson": {"schema": {"type": "string", "description": "A revocation a line."}},
        }}),
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn answers(operation: &Operation, refusals: &mut Refusals) -> Value {
    let mut answers = Map::new();
    for answer in operation.answers {
        answers.insert(answer.status.to_string(), good(answer, operation.id));
    }
    let mut codes = BTreeMap::<u16, BTreeSet<&str>>::new();
    for code in operation.codes.iter().copied().chain([ALWAYS]).flatten() {
        codes.entry(reply::wire(*code).status).or_default().insert(code.as_str());
    }
    let is_oauth = matches!(operation.caller, Caller::Client { .. });
    if is_oauth {
        // A word of RFC 6749 has a status of its own.
        codes.entry(400).or_default();
    }
    for (status, codes) in codes {
        let names: Vec<&str> = codes.into_iter().collect();
        answers.insert(status.to_string(), refusals.name(status, refused(&names, is_oauth)));
    }
    answers.insert("308".to_owned(), json!({"$ref": "#/components/responses/ToHttps"}));
    let other_methods = refused(&[Code::MethodNotAllowed.as_str()], is_oauth);
    answers.insert("405".to_owned(), refusals.name(405, other_methods));
    Value::Object(answers)
}

fn good(answer: &Answer, id: &str) -> Value {
    let schema = match answer.schemas {
        [] if id == "exportRevocations" => {
            return json!({"description": answer.about, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}});
        }
        [] if id == "getMetrics" => {
            return json!({"description": answer.about, "content": {"text/plain": {"schema": {"type": "string"}}}});
        }
        [] if id == "getDashboard" => {
            return json!({"description": answer.about, "content": {"text/html": {"schema": {"type": "string"}}}});
        }
        [] => return json!({"description": answer.about}),
        [one] => reference(one),
        several => json!({"anyOf": several.iter().map(|one| reference(one)).collect::<Vec<_>>()}),
    };
    json!({"description": answer.about, "content": {"application/json": {"schema": schema}}})
}

fn refused(codes: &[&str], is_oauth: bool) -> Value {
    let schema = if is_oauth {
        json!({"anyOf": [reference("OAuthRefusal"), reference("Refusal")]})
    } else {
        reference("Refusal")
    };
    json!({"description": codes.join(", "), "content": {
        "application/json": {"schema": schema},
        "application/problem+json": {"schema": reference("Problem")},
    }})
}

/// What browsers write themselves: it has more members than the gate reads.
const OF_BROWSERS: [&str; 4] =
    ["MadeCredential", "MadeCredentialResponse", "ProvenCredential", "ProvenCredentialResponse"];

/// The schema of an object, whose references lead to other components.
fn in_components(object: &Object) -> Value {
    let mut schema = object.schema();
    if let Some(properties) = schema.get_mut("properties") {
        let text = properties.to_string().replace("#/$defs/", "#/components/schemas/");
        *properties = serde_json::from_str(&text).unwrap_or_default();
    }
    if OF_BROWSERS.contains(&object.name)
        && let Some(others) = schema.get_mut("additionalProperties")
    {
        *others = json!(true);
    }
    schema
}

fn schemas() -> Map<String, Value> {
    let mut schemas: Map<String, Value> =
        serde_json::from_str(include_str!("answers.json")).unwrap_or_default();
    for object in edgegate::watch::event::described().objects() {
        schemas.insert(object.name.to_owned(), object.schema());
    }
    for object in described().objects() {
        schemas.insert(object.name.to_owned(), in_components(object));
    }
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let table = Code::ALL.map(|code| {
        let wire = reply::wire(code);
        format!("{}: {}, {}. {}.", code.as_str(), wire.status, wire.title, wire.hint)
    });
    schemas.insert("Code".to_owned(), json!({"description": table.join("\n"), "enum": codes}));
    let text = json!({"type": "string"});
    let details = json!({
        "type": "array",
        "description": "What is wrong with which field. Only of forms that people fill in.",
        "items": {
            "type": "object",
            "properties": {"field": text, "message": text},
            "required": ["field", "message"],
            "additionalProperties": false,
        },
    });
    let methods = json!({
        "type": "array",
        "items": {"enum": ["totp", "recovery_code", "passkey"]},
        "description": "Only with these: what will do, or what can be set up.",
    });
    let refusal = |error: &str| {
        json!({
            "type": "object",
            "properties": {
                "error": {"type": "string", "description": error},
                "code": reference("Code"),
                "hint": {"type": "string", "description": "What to do about it."},
                "login_url": {"type": "string", "description": "Where people log in. Only with `LOGIN_REQUIRED`, and `STEP_UP_REQUIRED` of a session."},
                "details": details,
                "mfa_token": {"type": "string", "description": "Only with `MFA_REQUIRED` and `MFA_SETUP_REQUIRED`: shows that the password was right."},
                "methods": methods,
                "expires_in": {"type": "integer", "description": "How long `mfa_token` is good for, in seconds."},
            },
            "required": ["error", "code", "hint"],
            "additionalProperties": false,
        })
    };
    schemas.insert("Refusal".to_owned(), refusal("What has happened, for people."));
    schemas.insert(
        "OAuthRefusal".to_owned(),
        refusal("A word of RFC 6749 §5.2, or of what extends it."),
    );
    schemas.insert(
        "Problem".to_owned(),
        json!({
            "description": "RFC 9457, for those that ask for it.",
            "type": "object",
            "properties": {"type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": reference("Code"), "login_url": text, "details": details, "mfa_token": text, "methods": methods, "expires_in": {"type": "integer"}},
            "required": ["type", "title", "status", "detail", "code"],
            "additionalProperties": false,
        }),
    );
    let client = json!({
        "client_id": text, "client_secret": text, "client_assertion": text, "client_assertion_type": text,
    });
    let form = |about: &str, own: Value, required: &[&str]| {
        let mut properties = client.as_object().cloned().unwrap_or_default();
        properties.extend(own.as_object().cloned().unwrap_or_default());
        json!({"description": about, "type": "object", "properties": properties, "required": required})
    };
    let token_request = json!({
        "grant_type": {"enum": ["refresh_token", "client_credentials"]},
        "refresh_token": text, "scope": text, "resource": text, "audience": text,
    });
    let of_token = json!({"token": text, "token_type_hint": text});
    schemas.insert(
        "TokenRequest".to_owned(),
        form("RFC 6749 §4.4 and §6.", token_request, &["grant_type"]),
    );
    schemas.insert(
        "RevocationRequest".to_owned(),
        form("RFC 7009 §2.1.", of_token.clone(), &["token"]),
    );
    schemas.insert("IntrospectionRequest".to_owned(), form("RFC 7662 §2.1.", of_token, &["token"]));
    for (name, own) in [
        ("ConnectForm", json!({"return_to": text})),
        ("DisconnectForm", json!({"return_to": text, "account": text})),
        ("OwnPageForm", json!({"do": text, "id": text, "password": text})),
    ] {
        schemas.insert(name.to_owned(), json!({"type": "object", "properties": own}));
    }
    schemas.insert(
        "LogoutByProvider".to_owned(),
        json!({"description": "Its §2.5.", "type": "object", "properties": {"logout_token": text}, "required": ["logout_token"]}),
    );
    schemas.insert(
        "RefreshRequest".to_owned(),
        json!({"description": "Without it: the cookies.", "type": "object", "properties": {"refreshToken": text}}),
    );
    schemas
}

fn responses(refusals: Refusals) -> Map<String, Value> {
    let to_https = json!({
        "description": "The policy sends what came over plain http to https.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    });
    refusals.0.into_iter().chain([("ToHttps".to_owned(), to_https)]).collect()
}

fn parameters() -> Map<String, Value> {
    let all = OPERATIONS.iter().flat_map(|operation| operation.parameters);
    all.map(|one| parameter(*one)).map(|(name, described)| (name.to_owned(), described)).collect()
}

fn parameter(parameter: Parameter) -> (&'static str, Value) {
    let at = |name: &str, place: &str, about: &str, schema: Value| json!({"name": name, "in": place, "required": place == "path", "description": about, "schema": schema});
    let text = || json!({"type": "string"});
    match parameter {
        Parameter::KeyId => ("KeyId", at("id", "path", "The id of the key.", reference("KeyId"))),
        Parameter::RevocationId => (
            "RevocationId",
            at("id", "path", "The id of the revocation.", reference("RevocationId")),
        ),
        Parameter::SessionId => ("SessionId", at("id", "path", "The id of the session.", text())),
        Parameter::ProviderId => {
            ("ProviderId", at("id", "path", "The provider's id in the policy.", text()))
        }
        Parameter::ReturnTo => {
            let about = "Where the browser goes afterwards: a path of this origin, or a URL of `login.return_to`. Anything else is the start page.";
            let schema = json!({"type": "string", "maxLength": 1024});
            ("ReturnTo", at("return_to", "query", about, schema))
        }
        Parameter::Remember => {
            let about = "Whether the session outlasts the browser.";
            let schema = json!({"type": "string", "enum": ["true", "false"]});
            ("Remember", at("remember", "query", about, schema))
        }
        Parameter::OtherAccount => {
            let about = "Whether the person comes with another account than the one that the provider knows.";
            let schema = json!({"type": "string", "enum": ["true", "false"]});
            ("OtherAccount", at("other_account", "query", about, schema))
        }
        Parameter::MaxAge => {
            let about = "How long ago the person may have signed in at the provider, in seconds.";
            ("MaxAge", at("max_age", "query", about, json!({"type": "integer", "minimum": 0})))
        }
        Parameter::AcrValues => {
            let about = "The classes of sign-in of which one is wanted, with spaces between.";
            ("AcrValues", at("acr_values", "query", about, text()))
        }
        Parameter::LogoutState => {
            let about = "Where the logout wanted to, as the provider gives it back.";
            let schema = json!({"type": "string", "maxLength": 1024});
            ("LogoutState", at("state", "query", about, schema))
        }
        Parameter::PasskeyId => {
            ("PasskeyId", at("id", "path", "What the authenticator calls the passkey.", text()))
        }
        Parameter::AccountId => ("AccountId", at("id", "path", "The id of the account.", text())),
        Parameter::Owner => ("Owner", at("owner", "query", "Only those of this owner.", text())),
        Parameter::GrantProvider => {
            ("GrantProvider", at("provider", "query", "Only those at this provider.", text()))
        }
        Parameter::GrantAccount => {
            ("GrantAccount", at("account", "query", "Only the one of this account.", text()))
        }
        Parameter::Subject => {
            let schema = json!({"type": "string", "minLength": 1, "maxLength": 255});
            let mut subject = at("subject", "query", "Whose.", schema);
            set(&mut subject, "required", json!(true));
            ("Subject", subject)
        }
        Parameter::Window => {
            let about = "How long the window is: `90s`, `15m`, `24h`, `7d`, or seconds; from 10 seconds to 7 days.";
            let schema = json!({"type": "string", "default": "15m"});
            ("Window", at("window", "query", about, schema))
        }
        Parameter::After => {
            let about = "The number of an entry: only what comes after it.";
            let schema = json!({"type": "integer", "minimum": 0, "default": 0});
            ("After", at("after", "query", about, schema))
        }
        Parameter::Cursor => {
            ("Cursor", at("cursor", "query", "The cursor of the page before.", text()))
        }
        Parameter::Limit => {
            // One that is empty is none.
            let number = json!({"type": "integer", "minimum": 1, "maximum": 100});
            let schema = json!({"anyOf": [number, {"const": ""}], "default": 100});
            ("Limit", at("limit", "query", "How many, at most.", schema))
        }
        Parameter::IdempotencyKey => {
            let about = "The ledger gives the same answer to the same request again. Only with `revocation.mode` snapshot or ledger.";
            let schema = json!({"type": "string", "maxLength": 255});
            ("IdempotencyKey", at("Idempotency-Key", "header", about, schema))
        }
        Parameter::ForwardedMethod => (
            "ForwardedMethod",
            at("X-Forwarded-Method", "header", "The method that is asked about.", text()),
        ),
        Parameter::ForwardedUri => {
            ("ForwardedUri", at("X-Forwarded-Uri", "header", "Its path and query.", text()))
        }
        Parameter::OriginalMethod => (
            "OriginalMethod",
            at("X-Original-Method", "header", "The same, as nginx says it.", text()),
        ),
        Parameter::OriginalUri => {
            ("OriginalUri", at("X-Original-URI", "header", "The same, as nginx says it.", text()))
        }
        Parameter::OriginalUrl => {
            ("OriginalUrl", at("X-Original-URL", "header", "The same, as a whole URL.", text()))
        }
    }
}
