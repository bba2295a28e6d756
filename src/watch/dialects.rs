//! The event in the words of others: OCSF 1.8, the Elastic Common Schema, OpenTelemetry. Each says what [`EventV1`] says, no more.

use serde_json::{Map, Value, json};

use super::event::{EventV1, Kind};

/// The version of OCSF that is written.
pub const OCSF_VERSION: &str = "1.8.0";

/// The version of the Elastic Common Schema that is written.
pub const ECS_VERSION: &str = "8.17.0";

/// Open Cybersecurity Schema Framework.
///
/// A known caller is Authentication (3002), one of whom nothing is known API Activity (6003), since the former requires a user. An
/// alert is Detection Finding (2004), administration Entity Management (3004). Of an account, a login is Authentication, and a change Account Change
/// (3001).
#[must_use]
pub fn ocsf(event: &EventV1) -> Value {
    let mut mapped = match event.event {
        Kind::Firing | Kind::Resolved => finding(event),
        Kind::Administered | Kind::Checkpoint => management(event),
        Kind::Account => account(event),
        Kind::Admitted | Kind::Refused | Kind::Shadowed => match caller(event) {
            Some(user) => authentication(event, &user),
            None => api_activity(event),
        },
    };
    let product = json!({"name": "edgegate", "vendor_name": "edgegate"});
    let metadata = json!({"version": OCSF_VERSION, "uid": event.id, "product": product});
    put(
        &mut mapped,
        [("metadata", metadata), ("time", json!(event.at)), ("count", json!(event.n))],
    );
    mapped
}

/// The action of an account that is a login.
const LOGGED_IN: &str = "logged_in";

fn caller(event: &EventV1) -> Option<Value> {
    let uid = event.subject.as_ref().or(event.credential.as_ref())?;
    Some(json!({"uid": uid}))
}

/// What the classes have in common: number, activity, severity.
fn class(uid: u32, activity: u32, severity: u32) -> Value {
    let category = uid.checked_div(1000).unwrap_or_default();
    let type_uid = uid.saturating_mul(100).saturating_add(activity);
    json!({
        "category_uid": category,
        "class_uid": uid,
        "activity_id": activity,
        "type_uid": type_uid,
        "severity_id": severity,
    })
}

/// The severity of what happened: informational, or low for a refusal.
const fn severity(event: &EventV1) -> u32 {
    match event.event {
        Kind::Refused => 2,
        Kind::Firing => 4,
        Kind::Admitted
        | Kind::Administered
        | Kind::Account
        | Kind::Resolved
        | Kind::Checkpoint
        | Kind::Shadowed => 1,
    }
}

fn outcome(event: &EventV1) -> [(&'static str, Value); 3] {
    let status = if event.event == Kind::Refused { 2 } else { 1 };
    [
        ("status_id", json!(status)),
        ("status_code", json!(event.code)),
        ("status_detail", json!(event.reason)),
    ]
}

fn authentication(event: &EventV1, user: &Value) -> Value {
    let mut mapped = class(3002, 1, severity(event));
    let protocol =
        if event.identity.as_deref() == Some("jwt") { (6, "OAUTH 2.0") } else { (99, "API key") };
    put(&mut mapped, outcome(event));
    put(
        &mut mapped,
        [
            ("user", user.clone()),
            ("service", json!({"name": "edgegate"})),
            ("auth_protocol_id", json!(protocol.0)),
            ("auth_protocol", json!(protocol.1)),
            ("src_endpoint", endpoint(event)),
            ("http_request", request(event)),
        ],
    );
    mapped
}

fn account(event: &EventV1) -> Value {
    let action = event.action.as_deref().unwrap_or_default();
    // Whoever has just registered has no account yet.
    let user = caller(event).unwrap_or_else(|| json!({"uid": "unknown"}));
    let mut mapped = if action == LOGGED_IN {
        let mut mapped = class(3002, 1, severity(event));
        let factors = event.methods.as_deref().unwrap_or_default();
        let is_mfa = factors.contains(' ') || factors == "passkey";
        put(
            &mut mapped,
            [
                ("service", json!({"name": "edgegate"})),
                ("auth_protocol_id", json!(99)),
                ("auth_protocol", json!(factors)),
                ("is_mfa", json!(is_mfa)),
            ],
        );
        mapped
    } else {
        let activity = match action {
            "created" | "invited" | "registered" | "email_verified" => 1,
            "enabled" => 2,
            "password_changed" => 3,
            "password_reset" | "password_set" => 4,
            "disabled" => 5,
            "deleted" => 6,
            "totp_added" | "passkey_added" => 10,
            "totp_removed" | "passkey_removed" | "factors_removed" => 11,
            _ => 99,
        };
        let mut mapped = class(3001, activity, severity(event));
        let other = (activity == 99).then_some(action);
        let named = other.map(|other| format!("Account Change: {other}"));
        let actor = event.actor.as_ref().map(|name| json!({"user": {"name": name}}));
        put(
            &mut mapped,
            [("activity_name", json!(other)), ("type_name", json!(named)), ("actor", json!(actor))],
        );
        mapped
    };
    put(&mut mapped, outcome(event));
    put(
        &mut mapped,
        [
            ("message", json!(action)),
            ("user", user),
            ("src_endpoint", endpoint(event)),
            ("http_request", request(event)),
        ],
    );
    mapped
}

fn api_activity(event: &EventV1) -> Value {
    let mut mapped = class(6003, 99, severity(event));
    let operation = event.route.clone().unwrap_or_default();
    put(&mut mapped, outcome(event));
    put(
        &mut mapped,
        [
            ("activity_name", json!("Request")),
            ("type_name", json!("API Activity: Request")),
            ("actor", json!({"user": {"uid": "unknown"}})),
            ("api", json!({"operation": operation})),
            ("src_endpoint", endpoint(event)),
            ("http_request", request(event)),
        ],
    );
    mapped
}

fn finding(event: &EventV1) -> Value {
    let (activity, status) = if event.event == Kind::Firing { (1, 1) } else { (3, 4) };
    let mut mapped = class(2004, activity, severity(event));
    let rule = event.rule.clone().unwrap_or_default();
    let uid = format!("{rule}/{}", event.group.as_deref().unwrap_or_default());
    put(
        &mut mapped,
        [
            ("finding_info", json!({"uid": uid, "title": rule, "desc": event.cause})),
            ("is_alert", json!(event.event == Kind::Firing)),
            ("status_id", json!(status)),
        ],
    );
    prune(&mut mapped);
    mapped
}

fn management(event: &EventV1) -> Value {
    let (activity, name) = match event.method.as_deref() {
        Some("POST") => (1, "Create"),
        Some("GET" | "HEAD") => (2, "Read"),
        Some("DELETE") => (4, "Delete"),
        _ => (3, "Update"),
    };
    let mut mapped = class(3004, activity, severity(event));
    let failed = event.status.is_some_and(|status| status >= 400);
    let actor = event.actor.clone().unwrap_or_else(|| "admin".to_owned());
    put(
        &mut mapped,
        [
            ("actor", json!({"user": {"name": actor}})),
            // A checkpoint is of no path: an entity has a name all the same.
            (
                "entity",
                json!({"type": "edgegate", "name": event.route.as_deref().unwrap_or("audit")}),
            ),
            ("message", json!(name)),
            ("status_id", json!(if failed { 2 } else { 1 })),
            ("status_code", json!(event.code)),
        ],
    );
    prune(&mut mapped);
    mapped
}

fn endpoint(event: &EventV1) -> Value {
    let country = event.country.as_ref().map(|country| json!({"country": country}));
    let system = event.asn.map(|number| json!({"number": number}));
    json!({"subnet_uid": event.network, "location": country, "autonomous_system": system, "name": "caller"})
}

fn request(event: &EventV1) -> Value {
    let path = event.route.as_ref().map(|route| json!({"path": route}));
    json!({"http_method": event.method, "url": path, "user_agent": event.agent})
}

/// Elastic Common Schema.
#[must_use]
pub fn ecs(event: &EventV1) -> Value {
    let action = event.action.as_deref();
    let (category, kind) = match event.event {
        Kind::Account if action != Some(LOGGED_IN) => ("iam", "event"),
        Kind::Account => ("authentication", "event"),
        Kind::Firing | Kind::Resolved => ("intrusion_detection", "alert"),
        Kind::Administered | Kind::Checkpoint => ("iam", "event"),
        Kind::Admitted | Kind::Refused | Kind::Shadowed => ("authentication", "event"),
    };
    let failed = event.event == Kind::Refused || event.status.is_some_and(|status| status >= 400);
    let kinds: &[&str] = match event.event {
        Kind::Administered => &["admin"],
        Kind::Account => match action {
            Some(LOGGED_IN) => &["start", "allowed"],
            Some("created" | "invited" | "registered" | "email_verified") => &["user", "creation"],
            Some("deleted") => &["user", "deletion"],
            _ => &["user", "change"],
        },
        Kind::Admitted => &["start", "allowed"],
        Kind::Refused => &["start", "denied"],
        Kind::Firing | Kind::Resolved | Kind::Checkpoint | Kind::Shadowed => &["info"],
    };
    let user = event.subject.as_ref().map_or_else(|| json!(event.actor), |hash| json!(hash));
    let user = if event.subject.is_some() { json!({"hash": user}) } else { json!({"name": user}) };
    let mut mapped = json!({
        "@timestamp": event.at,
        "ecs": {"version": ECS_VERSION},
        "event": {
            "id": event.id,
            "kind": kind,
            "category": [category],
            "type": kinds,
            "action": action.map_or_else(|| json!(event.event), |action| json!(action)),
            "outcome": if failed { "failure" } else { "success" },
            "code": event.code,
            "reason": event.reason,
            "module": "edgegate",
            "dataset": "edgegate.watch",
        },
        "user": user,
        "source": {
            "geo": {"country_iso_code": event.country},
            "as": {"number": event.asn},
        },
        "http": {"request": {"method": event.method}, "response": {"status_code": event.status}},
        "user_agent": {"name": event.agent},
        "rule": {"name": event.rule},
        "labels": {
            "route": event.route,
            "carrier": event.carrier,
            "issuer": event.issuer,
            "credential": event.credential,
            "network": event.network,
            "colo": event.colo,
            "group": event.group,
            "methods": event.methods,
            "cause": event.cause,
        },
    });
    prune(&mut mapped);
    mapped
}

/// The body of one OTLP/HTTP request in JSON (`POST /v1/logs`): a log record for each event.
///
/// There is no convention for authentication, so the attributes are our own names where there is none of OpenTelemetry's.
#[must_use]
pub fn otlp<'e>(events: impl IntoIterator<Item = &'e EventV1>) -> Value {
    let records: Vec<Value> = events.into_iter().map(record).collect();
    json!({
        "resourceLogs": [{
            "resource": {"attributes": [attribute("service.name", &json!("edgegate"))]},
            "scopeLogs": [{"scope": {"name": "edgegate", "version": "1"}, "logRecords": records}],
        }],
    })
}

fn record(event: &EventV1) -> Value {
    let severity = match event.event {
        Kind::Admitted
        | Kind::Administered
        | Kind::Account
        | Kind::Resolved
        | Kind::Checkpoint
        | Kind::Shadowed => (9, "INFO"),
        Kind::Refused => (13, "WARN"),
        Kind::Firing => (17, "ERROR"),
    };
    let said: [(&str, Value); 20] = [
        ("edgegate.event.id", json!(event.id)),
        ("edgegate.code", json!(event.code)),
        ("edgegate.reason", json!(event.reason)),
        ("http.request.method", json!(event.method)),
        ("http.route", json!(event.route)),
        ("edgegate.carrier", json!(event.carrier)),
        ("edgegate.identity", json!(event.identity)),
        ("edgegate.issuer", json!(event.issuer)),
        ("user.hash", json!(event.subject)),
        ("edgegate.credential", json!(event.credential)),
        ("edgegate.network", json!(event.network)),
        ("geo.country.iso_code", json!(event.country)),
        ("user_agent.name", json!(event.agent)),
        ("security_rule.name", json!(event.rule)),
        ("edgegate.group", json!(event.group)),
        ("edgegate.value", json!(event.value)),
        ("edgegate.cause", json!(event.cause)),
        ("edgegate.shadow", json!(event.shadow)),
        ("edgegate.action", json!(event.action)),
        ("edgegate.methods", json!(event.methods)),
    ];
    let attributes: Vec<Value> = said
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| attribute(name, value))
        .collect();
    let name = match event.event {
        Kind::Admitted => "edgegate.auth.admitted",
        Kind::Refused => "edgegate.auth.refused",
        Kind::Administered => "edgegate.admin",
        Kind::Account => "edgegate.account",
        Kind::Firing => "edgegate.alert.firing",
        Kind::Resolved => "edgegate.alert.resolved",
        Kind::Checkpoint => "edgegate.audit.checkpoint",
        Kind::Shadowed => "edgegate.auth.shadowed",
    };
    // 64 bits are texts in this form (protobuf's JSON mapping).
    let nanos = format!("{}000000", event.at.as_millis());
    json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": severity.0,
        "severityText": severity.1,
        "eventName": name,
        "body": {"stringValue": name},
        "attributes": attributes,
    })
}

fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"intValue": other.to_string()}),
    };
    json!({"key": name, "value": value})
}

/// Adds members, without those that say nothing.
fn put<const N: usize>(object: &mut Value, members: [(&str, Value); N]) {
    let Value::Object(object) = object else { return };
    for (name, mut value) in members {
        prune(&mut value);
        if !is_empty(&value) {
            object.insert(name.to_owned(), value);
        }
    }
}

/// Takes out members that say nothing.
fn prune(value: &mut Value) {
    let Value::Object(members) = value else { return };
    let kept: Map<String, Value> = core::mem::take(members)
        .into_iter()
        .filter_map(|(name, mut value)| {
            prune(&mut value);
            (!is_empty(&value)).then_some((name, value))
        })
        .collect();
    *members = kept;
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::event::tests::refusal, *};
    use crate::{time::UnixMillis, watch::event::EventId};

    pub(in crate::watch) fn all() -> Vec<EventV1> {
        let id = EventId { teller: 1, number: 2 };
        let at = UnixMillis::from_millis(1_700_000_000_000);
        let of = |kind| EventV1::new(kind, &id, at);
        let unknown =
            EventV1 { subject: None, credential: None, issuer: None, identity: None, ..refusal() };
        let rule = Some("failures".to_owned());
        vec![
            refusal(),
            unknown,
            EventV1 { event: Kind::Admitted, code: None, reason: None, ..refusal() },
            EventV1 {
                rule: rule.clone(),
                value: Some(101),
                threshold: Some(100),
                ..of(Kind::Firing)
            },
            EventV1 { rule, ..of(Kind::Resolved) },
            EventV1 {
                method: Some("DELETE".to_owned()),
                route: Some("/auth/admin/keys/k".to_owned()),
                status: Some(404),
                code: Some("NOT_FOUND".to_owned()),
                actor: Some("ci".to_owned()),
                ..of(Kind::Administered)
            },
            EventV1 {
                seq: Some(7),
                hash: Some("a".repeat(64)),
                mac: Some("b".repeat(64)),
                ..of(Kind::Checkpoint)
            },
            EventV1 {
                method: Some("GET".to_owned()),
                route: Some("/v1/*".to_owned()),
                shadow: Some("INSUFFICIENT_SCOPE".to_owned()),
                ..of(Kind::Shadowed)
            },
            done("logged_in", Some("password totp"), None),
            done("passkey_removed", None, None),
            done("scopes_changed", None, Some("ci")),
            EventV1 { subject: None, ..done("registered", None, None) },
        ]
    }

    fn done(action: &str, methods: Option<&str>, actor: Option<&str>) -> EventV1 {
        EventV1 {
            action: Some(action.to_owned()),
            methods: methods.map(str::to_owned),
            actor: actor.map(str::to_owned),
            method: Some("POST".to_owned()),
            route: Some("/auth/mfa".to_owned()),
            subject: refusal().subject,
            network: refusal().network,
            ..EventV1::new(Kind::Account, &EventId { teller: 1, number: 9 }, refusal().at)
        }
    }

    /// Another kind of event fails to compile here, and then belongs into [`all`].
    #[test]
    fn every_kind_is_among_those_that_others_check() {
        let number = |kind: Kind| match kind {
            Kind::Admitted => 0,
            Kind::Refused => 1,
            Kind::Administered => 2,
            Kind::Firing => 3,
            Kind::Resolved => 4,
            Kind::Checkpoint => 5,
            Kind::Shadowed => 6,
            Kind::Account => 7,
        };
        let mut kinds: Vec<i32> = all().iter().map(|event| number(event.event)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    /// What is mapped is checked by others (`tests/watch/`): they read these files.
    #[test]
    fn the_mappings_are_those_that_others_have_checked() {
        let events = all();
        let ocsf: Vec<Value> = events.iter().map(ocsf).collect();
        let ecs: Vec<Value> = events.iter().map(ecs).collect();
        let native: Vec<Value> =
            events.iter().map(|event| serde_json::from_str(&event.line()).unwrap()).collect();
        let written = json!({"events": native, "ocsf": ocsf, "ecs": ecs, "otlp": otlp(&events)});
        let text = format!("{}\n", serde_json::to_string_pretty(&written).unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/watch-events.json");
        if std::env::var_os("EDGEGATE_WRITE_VECTORS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }

    #[test]
    fn nothing_that_says_nothing_is_written() {
        let check = |value: &Value| {
            let text = value.to_string();
            assert!(!text.contains("null") && !text.contains("{}"), "{text}");
        };
        for event in all() {
            check(&ocsf(&event));
            check(&ecs(&event));
            check(&otlp([&event]));
        }
    }
}
