//! What the reader of policies says of a value that a field does not take. The reference shows it, and the tests hold the bounds of the
//! schema against it.

use edgegate::{
    error::Error,
    policy::{Policy, Secrets},
    secret::Secret,
};
use serde_json::{Value, json};

/// Policies in which every field is given, so that each can be asked about.
pub(crate) fn samples() -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/policies.json");
    match serde_json::from_str(text) {
        Ok(Value::Array(policies)) => policies,
        _ => Vec::new(),
    }
}

/// The key of RFC 8037 §A.1.
const SESSION_KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The key of RFC 7515 §A.3, as Apple gives one.
const APPLE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n\
    H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n\
    7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n\
    -----END PRIVATE KEY-----\n";

/// Any name is that of a good secret. Different names have different ones.
struct AllSecrets;

impl Secrets for AllSecrets {
    fn secret(&self, name: &str) -> Option<Secret> {
        let secret = match name {
            "" => return None,
            "HOOK_URL" => b"https://hooks.example/secret".to_vec(),
            "SESSION_KEYS" => SESSION_KEYS.as_bytes().to_vec(),
            "APPLE_KEY" => APPLE_KEY.trim_end().as_bytes().to_vec(),
            _ => {
                let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
                letters.chain(core::iter::repeat(b's')).take(64).collect()
            }
        };
        Some(Secret::new(secret))
    }
}

/// What the reader finds: the path of the fault, and the problem.
pub(crate) fn read(policy: &Value) -> Result<Policy, (String, String)> {
    Policy::from_json(&policy.to_string(), &AllSecrets).map_err(|fault| match fault {
        Error::Config { path, problem } => (path, problem),
        other => (String::new(), other.to_string()),
    })
}

/// The places of a field, `routes[].cors.origins`, in this policy: as the reader names them, and as JSON pointers.
pub(crate) fn places(policy: &Value, path: &str) -> Vec<(String, String)> {
    let mut found = vec![(String::new(), String::new())];
    for step in path.split('.') {
        let name = step.trim_end_matches("[]");
        let is_list = name.len() < step.len();
        let mut next = Vec::new();
        for (read, pointer) in found {
            let dot = if read.is_empty() { "" } else { "." };
            let (read, pointer) = (format!("{read}{dot}{name}"), format!("{pointer}/{name}"));
            match policy.pointer(&pointer) {
                Some(Value::Array(items)) if is_list => next.extend(
                    (0..items.len()).map(|at| (format!("{read}[{at}]"), format!("{pointer}/{at}"))),
                ),
                Some(_) if !is_list => next.push((read, pointer)),
                _ => {}
            }
        }
        found = next;
    }
    found
}

/// The policy with another value at a place.
pub(crate) fn with(policy: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = policy.clone();
    if let Some(place) = changed.pointer_mut(pointer) {
        *place = value;
    }
    changed
}

/// What is said of this value in the place of the field, wherever a sample has it; `None`: nothing.
pub(crate) fn said_of(samples: &[Value], path: &str, value: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for policy in samples {
        for (read_path, pointer) in places(policy, path) {
            let Err((at, problem)) = read(&with(policy, &pointer, value.clone())) else { continue };
            if at.starts_with(&read_path) && !said.contains(&problem) {
                said.push(problem);
            }
        }
    }
    said
}

/// Values that look like one of the field's type, and are at its bounds.
pub(crate) fn suspects(schema: &serde_json::Map<String, Value>) -> Vec<Value> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let mut suspects = vec![json!(""), json!("\u{1}"), json!([]), json!({}), json!(0)];
    suspects.extend(bound("minimum").and_then(|least| least.checked_sub(1)).map(Value::from));
    suspects.extend(bound("maximum").and_then(|most| most.checked_add(1)).map(Value::from));
    suspects
}
