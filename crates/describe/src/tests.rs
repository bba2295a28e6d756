use std::fs;

use edgegate::{
    error::{Code, Error},
    http::{
        account_endpoints::{AccountEndpoint, AdminAccountEndpoint},
        login_endpoints::LoginEndpoint,
        session_endpoints::SessionEndpoint,
    },
    json::describe::Field,
    policy::{Spelling, described},
};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{
    OUTPUTS, ROOT, errors, events,
    faults::{places, read, samples, with},
    openapi,
    operations::{ALWAYS, OPERATIONS},
    policy::schema,
    reference::{join, paths},
};

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn example() -> Value {
    let text = include_str!("../../../wrangler.toml");
    let config: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(&config["vars"]["POLICY"]).unwrap()
}

/// Each field of the schema, where it may stand: `routes[].cors.origins`.
fn fields() -> Vec<(String, Field)> {
    let known = described();
    let paths = paths(&known);
    let mut fields = Vec::new();
    for object in known.objects() {
        for path in paths.get(object.name).into_iter().flatten() {
            for field in &object.fields {
                fields.push((join(path, field.name), field.clone()));
            }
        }
    }
    fields
}

#[test]
fn each_file_is_fresh() {
    for (path, make) in OUTPUTS {
        let written = fs::read_to_string(format!("{ROOT}/{path}")).unwrap_or_default();
        assert!(written == make(), "{path} is stale: cargo run -p edgegate-describe");
    }
}

#[test]
fn events_are_what_their_schema_says_and_later_fields_do_no_harm() {
    let vectors = include_str!("../../../tests/vectors/watch-events.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let validator = jsonschema::draft202012::new(&events::schema()).unwrap();
    for event in vectors["events"].as_array().unwrap() {
        assert!(validator.is_valid(event), "{event}");
        let mut later = event.clone();
        later["later"] = json!(1);
        assert!(validator.is_valid(&later));
        for (field, value) in [("v", json!(2)), ("id", json!("1")), ("event", json!("other"))] {
            let mut wrong = event.clone();
            wrong[field] = value;
            assert!(!validator.is_valid(&wrong), "{field}");
        }
    }
}

#[test]
fn each_field_is_in_a_sample_and_says_what_it_is_for() {
    let samples = samples();
    let known = described();
    let paths = paths(&known);
    for object in known.objects() {
        for field in &object.fields {
            let name = format!("{}.{}", object.name, field.name);
            assert!(!field.about.is_empty(), "{name} has no doc comment");
            let Some(paths) = paths.get(object.name) else { continue };
            let mut places = paths.iter().flat_map(|path| {
                samples.iter().map(|policy| places(policy, &join(path, field.name)))
            });
            // Headers are eleven of one kind.
            let is_sampled =
                object.name == "SecurityHeaders" || places.any(|found| !found.is_empty());
            assert!(is_sampled, "{name}: no policy of tests/vectors/policies.json has it");
        }
    }
}

#[test]
fn each_option_of_an_issuer_is_described() {
    let known = described();
    let issuer = known.objects().iter().find(|object| object.name == "Issuer").unwrap();
    let names: Vec<&str> = issuer.fields.iter().map(|field| field.name).collect();
    assert_eq!(names, Spelling::Policy.names().collect::<Vec<_>>());
}

#[test]
fn what_the_reader_takes_is_in_the_schema() {
    let validator = validator();
    for policy in samples().into_iter().chain([example()]) {
        if let Err((path, problem)) = read(&policy) {
            panic!("{path}: {problem}");
        }
        let faults: Vec<String> = validator
            .iter_errors(&policy)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// The faults of form: another type, another word, a field too many or one too few.
fn is_of_form(problem: &str) -> bool {
    let forms = [", found ", "expected one of ", "is not a known field"];
    problem == "is required" || forms.iter().any(|form| problem.contains(form))
}

/// Both ways, at each place of each sample: the schema refuses what the reader refuses for its form, and takes what the reader takes.
#[test]
fn schema_and_reader_agree_about_form() {
    let validator = validator();
    let mut faults = Vec::new();
    let mut compared = 0;
    let mut compare = |policy: &Value, changed: &str| {
        compared += 1;
        match (read(policy), validator.is_valid(policy)) {
            (Ok(_), false) => faults.push(format!("{changed}: only the schema refuses it")),
            (Err((path, problem)), true) if is_of_form(&problem) => {
                faults.push(format!(
                    "{changed}: the schema takes it, not the reader: {path}: {problem}"
                ));
            }
            _ => {}
        }
    };
    let wrong = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1_u64 << 40),
        json!("x"),
        json!(""),
        json!([]),
        json!([[]]),
        json!(["x"]),
        json!([7]),
        json!({}),
        json!({"eyJ": 1}),
    ];
    for policy in samples().into_iter().chain([example()]) {
        let mut pointers = Vec::new();
        collect(&policy, "", &mut pointers);
        for pointer in pointers {
            // What is inside of a key is the business of keys.
            if pointer.contains("/jwks/") {
                continue;
            }
            for value in &wrong {
                compare(&with(&policy, &pointer, value.clone()), &format!("{pointer} = {value}"));
            }
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut changed = policy.clone();
            if let Some(Value::Object(members)) = changed.pointer_mut(parent) {
                members.remove(name);
                compare(&changed, &format!("{parent} without {name}"));
            }
            let mut changed = policy.clone();
            if let Some(Value::Object(members)) = changed.pointer_mut(&pointer) {
                members.insert("colour".to_owned(), json!(1));
                compare(&changed, &format!("{pointer} with another field"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(compared > 3000, "{compared}");
}

fn collect(value: &Value, pointer: &str, pointers: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, one)| (name.clone(), one)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, one)| (at.to_string(), one)).collect()
        }
        _ => return,
    };
    for (name, member) in members {
        let pointer = format!("{pointer}/{name}");
        collect(member, &pointer, pointers);
        pointers.push(pointer);
    }
}

/// Names of policies are snake_case. The spelling of JavaScript is refused with the right one, everywhere.
#[test]
fn the_spelling_of_javascript_is_refused_with_the_right_name() {
    let samples = samples();
    let mut names = 0;
    for (path, field) in fields() {
        if !field.name.contains('_') {
            continue;
        }
        let words: Vec<&str> = field.name.split('_').collect();
        let rest = words[1..].iter().map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        let camel_case = format!("{}{}", words[0], rest.collect::<String>());
        for policy in &samples {
            for (place, pointer) in places(policy, &path) {
                let mut changed = policy.clone();
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let members = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                let value = members.remove(name).unwrap();
                members.insert(camel_case.clone(), value);
                let (at, problem) = read(&changed).expect_err(&place);
                assert!(at.ends_with(&camel_case), "{place}: {at}: {problem}");
                assert_eq!(problem, format!("is not a known field, expected {}", field.name));
                names += 1;
            }
        }
    }
    assert!(names > 60, "{names}");
}

/// A bound of the schema is one of the reader's: beyond it something is said of the field that is not said at it.
#[test]
fn each_bound_is_the_readers() {
    let samples = samples();
    for (path, field) in fields() {
        if field.schema.get("type").is_none_or(|kind| !kind.to_string().contains("integer")) {
            continue;
        }
        let bounds = [("minimum", -1_i64), ("maximum", 1)];
        for (keyword, beyond) in bounds {
            let Some(bound) = field.schema.get(keyword).and_then(Value::as_i64) else { continue };
            let is_sharp = samples.iter().flat_map(|policy| {
                let places = places(policy, &path).into_iter();
                places.map(move |(place, pointer)| {
                    let at = |value: i64| {
                        let said = read(&with(policy, &pointer, json!(value))).err();
                        said.filter(|(path, _)| path.starts_with(&place))
                            .map(|(_, problem)| problem)
                    };
                    at(bound + beyond).is_some() && at(bound + beyond) != at(bound)
                })
            });
            assert!(is_sharp.into_iter().any(|sharp| sharp), "{path}: {keyword} {bound}");
        }
    }
}

// ---- endpoints ----

/// The paths of the Worker's table with their methods, as it is written.
fn endpoints_of_the_worker() -> Vec<(String, String)> {
    let table = include_str!("../../worker/src/endpoints.rs");
    let quoted = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}: "))?;
        let value = rest.split(',').next()?;
        Some(match value.strip_prefix('"') {
            Some(_) => rest.split('"').nth(1)?.to_owned(),
            None => value.to_owned(),
        })
    };
    // What stands before the first one is no endpoint.
    let rows = table.split("    Endpoint {\n        path: \"").skip(1).map(|row| {
        let row = format!("path: \"{row}");
        (quoted(&row, "path").unwrap(), quoted(&row, "methods").unwrap())
    });
    let of_sessions = SessionEndpoint::ALL
        .map(|endpoint| (endpoint.path().to_owned(), endpoint.methods().to_owned()));
    let of_logins = LoginEndpoint::ALL
        .map(|endpoint| (endpoint.path().to_owned(), endpoint.methods().to_owned()));
    let of_accounts = AccountEndpoint::ALL
        .map(|endpoint| (endpoint.path().to_owned(), endpoint.methods().to_owned()));
    let of_administration = AdminAccountEndpoint::ALL
        .map(|endpoint| (endpoint.path().to_owned(), endpoint.methods().to_owned()));
    let edges = rows.chain(of_sessions).chain(of_logins);
    edges.chain(of_accounts).chain(of_administration).collect()
}

#[test]
fn each_endpoint_of_the_worker_is_described_and_no_other() {
    let endpoints = endpoints_of_the_worker();
    assert!(endpoints.len() > 20, "{endpoints:?}");
    let mut expected: Vec<(String, String)> = Vec::new();
    for (path, methods) in endpoints {
        // What takes any method is described by one; HEAD goes with GET (RFC 9110 §9.3.2).
        let methods = if methods == "ANY" { "GET".to_owned() } else { methods };
        let methods = methods.split(", ").filter(|method| *method != "HEAD");
        expected.extend(methods.map(|method| (path.clone(), method.to_lowercase())));
    }
    // Only a browser that waits for a page gets one: for all others the way out has one method.
    expected.push(("/logout".to_owned(), "get".to_owned()));
    let mut described: Vec<(String, String)> = OPERATIONS
        .iter()
        .map(|operation| (operation.path.to_owned(), operation.method.to_owned()))
        .collect();
    expected.sort();
    described.sort();
    assert_eq!(described, expected);
}

#[test]
fn each_code_is_that_of_an_endpoint() {
    let told: Vec<Code> = OPERATIONS
        .iter()
        .flat_map(|operation| operation.codes.iter().copied().flatten())
        .chain(ALWAYS)
        .copied()
        .collect();
    for code in Code::ALL {
        let elsewhere = match code {
            // Every endpoint has it for other methods.
            Code::MethodNotAllowed => true,
            // Requests on their way to an upstream.
            Code::UpstreamTimeout | Code::ConnectRequired => true,
            _ => false,
        };
        assert!(elsewhere != told.contains(&code), "{code}");
    }
}

#[test]
fn each_reference_of_the_description_leads_somewhere() {
    let document = openapi::document();
    let mut open = vec![&document];
    let mut references = 0;
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(references > 100, "{references}");
}

// ---- errors ----

#[test]
fn each_reason_has_a_cause_and_a_remedy() {
    let mut told: Vec<&str> = errors::REASONS.iter().map(|(reason, _, _)| *reason).collect();
    let mut known: Vec<&str> = Error::REASONS.iter().map(|(reason, _)| *reason).collect();
    told.sort_unstable();
    known.sort_unstable();
    known.dedup();
    assert_eq!(told, known);
    for (reason, cause, remedy) in errors::REASONS {
        assert!(cause.len() > 10 && remedy.len() > 5, "{reason}");
    }
}
