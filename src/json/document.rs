//! JSON from an administrator or an operator. It is read strictly. A message has the path of the fault, and none of
//! the data.
//!
//! serde's own messages quote what they found. So a token that was pasted into the wrong field would be written to a
//! log. The messages here say only what kind of value was found.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    StrictObject,
    fault::{DocumentFault, MAX_PATH_BYTES, member},
    readable::{self, Readable},
};

/// Reads a whole document, which is an object. Only white space may follow it, and no name may come twice, at any depth.
pub(crate) fn parse<T: Readable>(bytes: &[u8]) -> Result<T, DocumentFault> {
    let mut place = T::blank();
    read_into(&mut place, bytes)?;
    Ok(place)
}

/// What all types share of it.
fn read_into(place: &mut dyn Readable, bytes: &[u8]) -> Result<(), DocumentFault> {
    place.read(object(bytes)?).map_err(|fault| *fault)
}

/// The same of a file that people write. `$schema` at its top is for their editor: a string, which says nothing here.
pub(crate) fn parse_file<T: Readable>(bytes: &[u8]) -> Result<T, DocumentFault> {
    let mut value = object(bytes)?;
    if let Value::Object(members) = &mut value
        && let Some(schema) = members.remove(SCHEMA)
        && !schema.is_string()
    {
        let fault = *DocumentFault::expected("a string", &schema);
        return Err(DocumentFault { path: SCHEMA.to_owned(), ..fault });
    }
    readable::from_value(value).map_err(|fault| *fault)
}

/// By it editors find the JSON Schema of a file.
const SCHEMA: &str = "$schema";

fn object(bytes: &[u8]) -> Result<Value, DocumentFault> {
    deserialize(bytes).map(|StrictObject(members)| Value::Object(members))
}

/// Reads a whole document by serde, for types that have no table. A name that comes twice in a map is not refused.
pub fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentFault> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        // serde would read the elements of a list as the fields, in their order.
        let problem = "expected an object, found a list".to_owned();
        return Err(DocumentFault { path: String::new(), problem });
    }
    let Ok(text) = core::str::from_utf8(bytes) else {
        let problem = "expected JSON: it is not UTF-8".to_owned();
        return Err(DocumentFault { path: String::new(), problem });
    };
    // All JSON is read from text, so that the module has one reader only.
    serde_json::from_str(text).map_err(|error| translate(bytes, &error))
}

/// Turns an error of `serde_json` into a fault that quotes nothing of the document but names of fields.
fn translate(document: &[u8], error: &serde_json::Error) -> DocumentFault {
    let message = error.to_string();
    if !error.is_data() {
        // Syntax messages carry a position and no data.
        return DocumentFault { path: String::new(), problem: format!("expected JSON: {message}") };
    }
    let path = path_at_end_of(read_before(document, error));
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    // What was found may have these words in it, what was expected is our own text. So it searches from the right.
    let expected = message.rsplit_once(", expected ").map_or("another value", |(_, text)| text);
    if let Some(name) = message.strip_prefix("missing field ") {
        return DocumentFault {
            path: member(path, name.trim_matches('`')),
            problem: "is required".to_owned(),
        };
    }
    // In these two cases the path ends with the field's name.
    if message.starts_with("duplicate field ") {
        return DocumentFault { path, problem: "is given twice".to_owned() };
    }
    if message.starts_with("unknown field ") {
        let problem = format!("is not a known field, expected {}", expected.replace('`', ""));
        return DocumentFault { path, problem };
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
    DocumentFault { path, problem }
}

/// What `serde_json` had read of the document at the error. Lines count from 1, columns are bytes.
fn read_before<'d>(document: &'d [u8], error: &serde_json::Error) -> &'d [u8] {
    let lines = document.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    document.get(..before.saturating_add(error.column())).unwrap_or(document)
}

/// One level of nesting: the reader's place in a list or an object.
enum Level<'d> {
    /// In a list, after so many elements.
    List(usize),
    /// In an object, with the name as it is written, once it has been read.
    Object(Option<&'d [u8]>),
}

/// The place of a reader that has read so much of a document, as messages show it: `limits[0].name`.
///
/// After the end of a value it is still the place of that value. So a value has to be refused within its visitor:
/// `serde_json` then notes the place before it reads on. Levels below [`MAX_PATH_BYTES`] are left out.
fn path_at_end_of(read: &[u8]) -> String {
    let mut levels = Vec::new();
    let mut rest = read;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'[' => levels.push(Level::List(0)),
            b'{' => levels.push(Level::Object(None)),
            b']' | b'}' => {
                levels.pop();
            }
            b',' => match levels.last_mut() {
                Some(Level::List(index)) => *index = index.saturating_add(1),
                Some(Level::Object(name)) => *name = None,
                None => {}
            },
            b'"' => {
                let length = string_length(after);
                let (text, behind) = after.split_at_checked(length).unwrap_or((after, &[]));
                rest = behind.get(1..).unwrap_or_default();
                if let Some(Level::Object(name @ None)) = levels.last_mut() {
                    *name = Some(text);
                }
            }
            _ => {}
        }
    }
    levels.into_iter().fold(String::new(), |path, level| match level {
        _ if path.len() >= MAX_PATH_BYTES => path,
        Level::List(index) => format!("{path}[{index}]"),
        Level::Object(None) => path,
        Level::Object(Some(name)) => member(path, core::str::from_utf8(name).unwrap_or("?")),
    })
}

/// How many bytes come before the quotation mark that ends a string.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
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
    use crate::json::object::object;

    object! {
        #[derive(Debug)]
        struct Sample, refused {
            name: String,
            scopes: Option<Vec<String>> = None,
            limits: Option<BTreeMap<String, u32>> = None,
            before: Option<i64> = None,
            inner: Option<Vec<Inner>> = None,
        }
    }

    object! {
        #[derive(Debug)]
        struct Inner, refused {
            id: u8,
            on: Option<bool> = None,
        }
    }

    /// The same, as serde derives it.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Derived {
        name: String,
        scopes: Option<Vec<String>>,
        limits: Option<BTreeMap<String, u32>>,
        before: Option<i64>,
        inner: Option<Vec<DerivedInner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct DerivedInner {
        id: u8,
        on: Option<bool>,
    }

    #[track_caller]
    fn refused(json: &str, path: &str, problem: &str) {
        let fault = parse::<Sample>(json.as_bytes()).expect_err(json);
        assert_eq!((fault.path.as_str(), fault.problem.as_str()), (path, problem), "{json}");
        assert_eq!(deserialize::<Derived>(json.as_bytes()).expect_err(json), fault, "{json}");
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
            "is not a known field, expected one of name, scopes, limits, before, inner",
        );
        refused(r#"{"name": "n", "name": "m"}"#, "name", "is given twice");
        refused(
            &format!(r#"{{"{}": 1}}"#, "e".repeat(41)),
            "?",
            "is not a known field, expected one of name, scopes, limits, before, inner",
        );
    }

    #[test]
    fn the_path_is_found_wherever_the_fault_stands() {
        let inner = |text: &str| {
            format!("{{\n \"scopes\": [\"a,]}}\\\"\"],\n \"inner\": [{{\"id\": 1}}, {text}")
        };
        refused(
            &inner(r#"{"id": 1, "on": 2}], "name": "n"}"#),
            "inner[1].on",
            "expected a boolean, found a whole number",
        );
        refused(&inner(r#"{"on": true}]}"#), "inner[1].id", "is required");
        refused(
            &inner(r#"{"id": 256}]}"#),
            "inner[1].id",
            "expected a whole number, found one out of range",
        );
        refused(&inner("{\"id\": 1,\n\"id\" : 2}]}"), "inner[1].id", "is given twice");
        refused(
            &inner(r#"{"id" : {}}]}"#),
            "inner[1].id",
            "expected a whole number, found an object",
        );
        refused(&inner(r#"{"of": 1}]}"#), "inner[1].of", "is not a known field, expected id or on");
        refused(&inner("7 ]}"), "inner[1]", "expected an object, found a whole number");
        refused(&inner("{\"id\": 1}]\n}"), "name", "is required");
    }

    #[test]
    fn a_name_comes_once_wherever_it_stands() {
        object! {
            #[derive(Debug)]
                struct Open, ignored { id: u8 }
        }
        let read = |json: &str| parse::<Open>(json.as_bytes());
        assert!(read(r#"{"id": 1, "more": {"a": [null]}}"#).is_ok());
        let fault = read(r#"{"id": 1, "more": {"a": 1, "a": 2}}"#).unwrap_err();
        assert_eq!(fault.to_string(), "more.a: is given twice");
    }

    #[test]
    fn a_path_has_an_end_however_deep_the_document_is() {
        object! {
            #[derive(Debug)]
                struct Open, ignored { id: u8 }
        }
        let name = "n".repeat(40);
        for level in [r#"{"n":"#.to_owned(), "[".to_owned(), format!(r#"{{"{name}":"#)] {
            let deep = level.repeat(100);
            let json = format!(r#"{{"more": {deep}{{"{name}": 1, "{name}": 2"#);
            let fault = parse::<Open>(json.as_bytes()).unwrap_err();
            assert_eq!(fault.problem, "is given twice");
            assert!(fault.path.starts_with("more") && fault.path.len() <= 150, "{}", fault.path);
        }
    }

    #[test]
    fn null_is_nothing_unless_it_says_something() {
        object! {
            #[derive(Debug, PartialEq)]
            struct Change, refused {
                name: Option<String>; given,
                limit: Option<Option<u32>>; given,
                on: bool = true,
                note: Option<String> = Some("none".to_owned()),
            }
        }
        let read = |json: &str| parse::<Change>(json.as_bytes());
        let unsaid = Change { name: None, limit: None, on: true, note: Some("none".to_owned()) };
        assert_eq!(read("{}"), Ok(unsaid));
        let removed = Change { name: None, limit: Some(None), on: false, note: None };
        assert_eq!(read(r#"{"limit": null, "on": false, "note": null}"#), Ok(removed));
        for null in ["name", "on"] {
            let fault = read(&format!(r#"{{"{null}": null}}"#)).unwrap_err();
            assert_eq!(fault.path, null);
        }
    }

    #[test]
    fn what_is_not_json_is_said_with_its_position() {
        refused("", "", "expected JSON: EOF while parsing a value at line 1 column 0");
        refused("{", "", "expected JSON: EOF while parsing an object at line 1 column 1");
        refused(r#"{"name": "n"} x"#, "", "expected JSON: trailing characters at line 1 column 15");
    }
}
