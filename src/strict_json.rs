//! JSON from an administrator or an operator: read strictly, with the path of the fault and without
//! its data.
//!
//! serde's own messages quote what they found. A token pasted into the wrong field would so end up
//! in a log; the messages here name the kind of value only.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::error::Error;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// As in `scopes[0]`; empty for the whole document.
    pub(crate) path: String,
    /// What was expected and what was found.
    pub(crate) problem: String,
}

impl Fault {
    /// The fault as one of a request body.
    pub(crate) fn into_invalid_field(self) -> Error {
        Error::InvalidField { path: self.path, problem: self.problem }
    }
}

/// Longest name of a field that a message repeats. Ours are shorter; a longer one may be data.
const MAX_ECHOED_NAME_BYTES: usize = 40;

/// Reads a whole document, which is an object: nothing but white space may follow it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        // serde would take the elements for the fields in their order.
        let problem = "expected an object, found a list".to_owned();
        return Err(Fault { path: String::new(), problem });
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut source)
        .map_err(|error| translate(&shown_path(error.path()), error.inner()))?;
    source.end().map_err(|error| translate("", &error))?;
    Ok(value)
}

/// Turns an error of `serde_json` into a fault that quotes nothing of the document but names of fields.
fn translate(path: &str, error: &serde_json::Error) -> Fault {
    let message = error.to_string();
    if !error.is_data() {
        // Syntax messages carry a position and no data.
        return Fault { path: String::new(), problem: format!("expected JSON: {message}") };
    }
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    // What was found may itself hold these words, what was expected is ours: so from the right.
    let expected = message.rsplit_once(", expected ").map_or("another value", |(_, text)| text);
    if let Some(name) = message.strip_prefix("missing field ") {
        return Fault { path: join(path, name), problem: "is required".to_owned() };
    }
    if let Some(name) = message.strip_prefix("duplicate field ") {
        return Fault { path: join(path, name), problem: "is given twice".to_owned() };
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let name = rest.rsplit_once(", expected ").map_or(rest, |(name, _)| name);
        let problem = format!("is not a known field, expected {}", expected.replace('`', ""));
        return Fault { path: join(path, name), problem };
    }
    let problem = if let Some(found) = message.strip_prefix("invalid type: ") {
        format!("expected {}, found {}", in_words(expected), kind(found))
    } else if message.starts_with("invalid value: ") {
        format!("expected {}, found one out of range", in_words(expected))
    } else if message.starts_with("unknown variant ") {
        format!("expected {}", expected.replace('`', ""))
    } else if message.starts_with("invalid length ") {
        format!("expected {}", in_words(expected))
    } else {
        message.to_owned()
    };
    Fault { path: path.to_owned(), problem }
}

/// The path as messages show it: `limits[0].name`. A name that may be data is shown as `?`.
fn shown_path(path: &serde_path_to_error::Path) -> String {
    let mut shown = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => shown.push_str(&format!("[{index}]")),
            Segment::Map { key } => push_name(&mut shown, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    shown
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(shown_name(name));
}

fn shown_name(name: &str) -> &str {
    let ours = name.len() <= MAX_ECHOED_NAME_BYTES
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if ours { name } else { "?" }
}

/// The path of a member, whose name serde gives in back quotes. The path may already end with it.
fn join(path: &str, quoted: &str) -> String {
    let name = shown_name(quoted.trim_matches('`'));
    let last = path.rsplit('.').next().unwrap_or_default();
    let mut joined = path.to_owned();
    if last != name {
        push_name(&mut joined, name);
    }
    joined
}

/// serde's name of an expected type in plain words.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "i64" => "a whole number of seconds",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

/// The kind of value serde found, without the value.
fn kind(found: &str) -> &'static str {
    match found.split([' ', ',']).next() {
        Some("string") => "a string",
        Some("integer") => "a whole number",
        Some("floating") => "a fraction",
        Some("boolean") => "a boolean",
        Some("sequence") => "a list",
        Some("map") => "an object",
        Some("null" | "unit") => "null",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Sample {
        name: String,
        scopes: Option<Vec<String>>,
        limits: Option<BTreeMap<String, u32>>,
        before: Option<i64>,
    }

    #[track_caller]
    fn refused(json: &str, path: &str, problem: &str) {
        let fault = parse::<Sample>(json.as_bytes()).expect_err(json);
        assert_eq!((fault.path.as_str(), fault.problem.as_str()), (path, problem), "{json}");
    }

    #[test]
    fn names_the_path_and_the_kind_but_never_the_value() {
        refused(r#"{"name": 5}"#, "name", "expected a string, found a whole number");
        refused(r#"{"name": null}"#, "name", "expected a string, found null");
        refused(r#"{"name": "n", "scopes": "eyJ"}"#, "scopes", "expected a list, found a string");
        refused(
            r#"{"name": "n", "scopes": ["a", ["eyJ"]]}"#,
            "scopes[1]",
            "expected a string, found a list",
        );
        refused(
            r#"{"name": "n", "limits": {"per-caller": -1}}"#,
            "limits.per-caller",
            "expected a whole number, found one out of range",
        );
        refused(
            r#"{"name": "n", "before": "eyJ, expected nothing"}"#,
            "before",
            "expected a whole number of seconds, found a string",
        );
        refused(
            r#"{"name": "n", "before": 1.5}"#,
            "before",
            "expected a whole number of seconds, found a fraction",
        );
        refused("[\"n\"]", "", "expected an object, found a list");
        refused("5", "", "expected an object, found a whole number");
    }

    #[test]
    fn names_fields_that_are_missing_unknown_or_given_twice() {
        refused("{}", "name", "is required");
        refused(
            r#"{"name": "n", "colour": 1}"#,
            "colour",
            "is not a known field, expected one of name, scopes, limits, before",
        );
        refused(r#"{"name": "n", "name": "m"}"#, "name", "is given twice");
        refused(
            &format!(r#"{{"{}": 1}}"#, "e".repeat(41)),
            "?",
            "is not a known field, expected one of name, scopes, limits, before",
        );
    }

    #[test]
    fn what_is_not_json_is_said_with_its_position() {
        refused("", "", "expected JSON: EOF while parsing a value at line 1 column 0");
        refused("{", "", "expected JSON: EOF while parsing an object at line 1 column 1");
        refused(r#"{"name": "n"} x"#, "", "expected JSON: trailing characters at line 1 column 15");
    }
}
