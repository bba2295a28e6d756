//! JSON objects that can be read in one way only: strict UTF-8, one value for each name, a bounded depth.
//!
//! If a name comes twice, `serde_json::Value` keeps the last value, and another program may keep the first. So the
//! visitor here builds the values, and refuses a repeated name at any depth. It also gives no name a special
//! meaning, as `serde_json` does with some.

#[cfg(feature = "describe")]
pub mod describe;
pub mod document;
pub mod fault;
pub(crate) mod object;
mod outline;
pub(crate) mod own_text;
pub(crate) mod readable;

use core::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Deserializer, Map, Number, Value};

pub(crate) use self::outline::{Kind, Outline, Place, strings_of};

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Not UTF-8.
    Utf8,
    /// Not JSON: a syntax error, a number that is too large for a double, too many levels, or text after the end.
    Syntax,
    /// JSON, but not an object.
    NotAnObject,
    /// The same name twice in one object.
    Duplicate,
    /// The member that was looked for is not a string.
    NotAString,
}

impl JsonFault {
    /// What was expected, for messages. It never has text of the input.
    #[must_use]
    pub const fn problem(self) -> &'static str {
        match self {
            Self::Utf8 => "not UTF-8",
            Self::Syntax => "not JSON",
            Self::NotAnObject => "not a JSON object",
            Self::Duplicate => "a member name occurs twice",
            Self::NotAString => "a member is not a string",
        }
    }
}

/// Parses an object.
///
/// The time is linear in the input. `serde_json` allows 128 levels, which fit into a wasm stack of 1 MiB many times
/// over.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonFault> {
    match parse_text(object_text(bytes)?)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonFault::NotAnObject),
    }
}

/// Parses any value, as strictly.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<Value, JsonFault> {
    parse_text(core::str::from_utf8(bytes).map_err(|_| JsonFault::Utf8)?)
}

fn parse_text(text: &str) -> Result<Value, JsonFault> {
    let mut fault = JsonFault::Syntax;
    let mut deserializer = Deserializer::from_str(text);
    let value = Strict { fault: &mut fault }.deserialize(&mut deserializer);
    match (value, deserializer.end()) {
        (Ok(value), Ok(())) => Ok(value),
        _ => Err(fault),
    }
}

/// Finds one string member at the top level. Of the rest it checks only the syntax.
///
/// `Ok(None)` if there is no such member. A text that has the name twice is refused.
pub(crate) fn find_string(bytes: &[u8], name: &str) -> Result<Option<String>, JsonFault> {
    let text = object_text(bytes)?;
    let mut fault = JsonFault::Syntax;
    let mut deserializer = Deserializer::from_str(text);
    let found = deserializer.deserialize_map(Find { name, fault: &mut fault });
    match (found, deserializer.end()) {
        (Ok(found), Ok(())) => Ok(found),
        _ => Err(fault),
    }
}

/// The text, if it begins as an object.
fn object_text(bytes: &[u8]) -> Result<&str, JsonFault> {
    let text = core::str::from_utf8(bytes).map_err(|_| JsonFault::Utf8)?;
    let begins = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    if begins { Ok(text) } else { Err(JsonFault::NotAnObject) }
}

/// Builds a [`Value`]. `fault` is set if a name is repeated.
struct Strict<'f> {
    fault: &'f mut JsonFault,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(Strict { fault: self.fault })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        strict_members(members, self.fault).map(Value::Object)
    }
}

fn strict_members<'de, A: MapAccess<'de>>(
    mut members: A,
    fault: &mut JsonFault,
) -> Result<Map<String, Value>, A::Error> {
    let mut object = Map::new();
    while let Some(name) = members.next_key::<String>()? {
        // It is checked before the value is read, so that the path of the fault ends with the name.
        if object.contains_key(&name) {
            *fault = JsonFault::Duplicate;
            return Err(de::Error::custom(REPEATED_NAME));
        }
        object.insert(name, members.next_value_seed(Strict { fault })?);
    }
    Ok(object)
}

/// The message for a repeated name. The path has the name.
const REPEATED_NAME: &str = "duplicate field of an object";

/// An object within another document, without repeated names at any depth.
#[derive(Debug, Default)]
pub(crate) struct StrictObject(pub(crate) Map<String, Value>);

impl<'de> de::Deserialize<'de> for StrictObject {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = StrictObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<StrictObject, A::Error> {
                strict_members(members, &mut JsonFault::Syntax).map(StrictObject)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Any value within another document, without repeated names at any depth.
#[derive(Debug)]
pub(crate) struct StrictValue(pub(crate) Value);

impl<'de> de::Deserialize<'de> for StrictValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict { fault: &mut JsonFault::Syntax }.deserialize(deserializer).map(StrictValue)
    }
}

/// Looks for one member and skips the others.
struct Find<'f> {
    name: &'f str,
    fault: &'f mut JsonFault,
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = members.next_key_seed(Named(self.name))? {
            if !wanted {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            if found.is_some() {
                *self.fault = JsonFault::Duplicate;
                return Err(de::Error::custom("repeated name"));
            }
            let mut inner = JsonFault::Syntax;
            match members.next_value_seed(Strict { fault: &mut inner }) {
                Ok(Value::String(value)) => found = Some(value),
                Ok(_) => {
                    *self.fault = JsonFault::NotAString;
                    return Err(de::Error::custom("not a string"));
                }
                Err(error) => {
                    *self.fault = inner;
                    return Err(error);
                }
            }
        }
        Ok(found)
    }
}

/// Reads a member name without copying it, and says whether it is the one given.
struct Named<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, fault: JsonFault) {
        assert_eq!(parse_object(text.as_bytes()), Err(fault), "{text}");
    }

    #[test]
    fn parses_every_kind_of_value() {
        let text = r#" {"a":null,"b":[true,-1,18446744073709551615,1.5],"c":{"d":"\u00e9"}} "#;
        let object = parse_object(text.as_bytes()).unwrap();
        assert_eq!(Value::Object(object), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn rejects_repeated_names_at_any_depth() {
        refused(r#"{"a":1,"a":1}"#, JsonFault::Duplicate);
        refused(r#"{"a":1,"\u0061":2}"#, JsonFault::Duplicate);
        refused(r#"{"a":[{"b":1,"b":2}]}"#, JsonFault::Duplicate);
        assert!(parse_object(br#"{"a":{"b":1},"c":{"b":1}}"#).is_ok());
    }

    #[test]
    fn a_value_of_any_kind_is_read_as_strictly() {
        for text in [r#"["a",{"b":[1.5]}]"#, " null ", "\"a\"", "-1", r#"{"a":{}}"#] {
            assert_eq!(parse_value(text.as_bytes()), Ok(serde_json::from_str(text).unwrap()));
        }
        assert_eq!(parse_value(br#"[{"a":1,"a":1}]"#), Err(JsonFault::Duplicate));
        assert_eq!(parse_value(b"[1] x"), Err(JsonFault::Syntax));
        assert_eq!(parse_value(b"[\"\xff\"]"), Err(JsonFault::Utf8));
    }

    #[test]
    fn rejects_what_is_no_object() {
        for text in ["", " ", "[]", "null", "\"a\"", "1", "\u{feff}{}", "\u{a0}{}"] {
            refused(text, JsonFault::NotAnObject);
        }
    }

    #[test]
    fn rejects_bad_syntax() {
        for text in [
            "{",
            "{}x",
            "{}{}",
            "{'a':1}",
            "{a:1}",
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e400}"#,
            r#"{"a":+1}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            "{}\0",
            "{/**/}",
        ] {
            refused(text, JsonFault::Syntax);
        }
    }

    #[test]
    fn rejects_invalid_utf8() {
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonFault::Utf8));
        // An overlong slash and a surrogate in UTF-8 are none either.
        assert_eq!(parse_object(b"{\"a\":\"\xc0\xaf\"}"), Err(JsonFault::Utf8));
        assert_eq!(find_string(b"{\"a\":\"\xed\xa0\x80\"}", "iss"), Err(JsonFault::Utf8));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_object(nested(126).as_bytes()).is_ok());
        refused(&nested(128), JsonFault::Syntax);
        refused(&nested(100_000), JsonFault::Syntax);
        refused(&"{\"a\":".repeat(100_000), JsonFault::Syntax);
    }

    #[test]
    fn names_serde_json_treats_specially_are_names_like_others() {
        let text = br#"{"a":{"$serde_json::private::RawValue":"[1]"},"__proto__":{"b":1}}"#;
        let object = parse_object(text).unwrap();
        assert_eq!(object["a"]["$serde_json::private::RawValue"], "[1]");
        assert_eq!(object["__proto__"]["b"], 1);
    }

    #[test]
    fn finds_one_string() {
        let find = |text: &str| find_string(text.as_bytes(), "iss");
        assert_eq!(find(r#"{"a":{"iss":"no"},"iss":"yes"}"#), Ok(Some("yes".to_owned())));
        assert_eq!(find(r#"{"\u0069ss":"yes"}"#), Ok(Some("yes".to_owned())));
        assert_eq!(find(r#"{"a":1}"#), Ok(None));
        assert_eq!(find(r#"{"iss":1}"#), Err(JsonFault::NotAString));
        assert_eq!(find(r#"{"iss":null}"#), Err(JsonFault::NotAString));
        assert_eq!(find(r#"{"iss":"a","iss":"a"}"#), Err(JsonFault::Duplicate));
        assert_eq!(find(r#"{"iss":"a"} x"#), Err(JsonFault::Syntax));
        assert_eq!(find("[]"), Err(JsonFault::NotAnObject));
        // Values are skipped without recursion, so a deep one does no harm here.
        let deep = format!("{{\"a\":{}1{},\"iss\":\"b\"}}", "[".repeat(9000), "]".repeat(9000));
        assert_eq!(find(&deep), Ok(Some("b".to_owned())));
    }
}
