//! Reads what the gate itself has written into types that derive their reader: rows, and steps on their way to an object.
//!
//! For each type `serde_json` compiles its own way through the text, with all that it could say of a fault. Here nobody is told more than that
//! the gate has not written it. So the text is read into a tree first, by the strict reader that all share, and a type takes its members out of
//! that.

use core::{fmt, slice};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value, map};

use super::parse_text;

/// The gate has not written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotOurs;

/// Reads a text. No name comes twice in it, at any depth.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, NotOurs> {
    let tree = parse_text(text).map_err(|_| NotOurs)?;
    T::deserialize(Node(&tree))
}

/// A place in the tree.
#[derive(Clone, Copy)]
struct Node<'v>(&'v Value);

impl<'v> Node<'v> {
    fn list(self) -> Result<Elements<'v>, NotOurs> {
        match self.0 {
            Value::Array(values) => Ok(Elements(values.iter())),
            _ => Err(NotOurs),
        }
    }

    fn object(self) -> Result<&'v Map<String, Value>, NotOurs> {
        self.0.as_object().ok_or(NotOurs)
    }

    /// A variant is its name, or an object with its name and its value.
    fn variant(self) -> Result<Variant<'v>, NotOurs> {
        if let Value::String(name) = self.0 {
            return Ok(Variant { name, value: None });
        }
        let mut members = self.object()?.iter();
        match (members.next(), members.next()) {
            (Some((name, value)), None) => Ok(Variant { name, value: Some(Self(value)) }),
            _ => Err(NotOurs),
        }
    }

    fn visit_list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        let mut elements = self.list()?;
        let read = visitor.visit_seq(&mut elements)?;
        if elements.0.as_slice().is_empty() { Ok(read) } else { Err(NotOurs) }
    }

    fn visit_object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        visitor.visit_map(Members { rest: self.object()?.iter(), value: None })
    }
}

/// Each kind of type is read in one way only, and so has the code of one.
impl<'de> Deserializer<'de> for Node<'_> {
    type Error = NotOurs;

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => self.visit_list(visitor),
            Value::Object(_) => self.visit_object(visitor),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(NotOurs),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        self.visit_list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        self.visit_list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        self.visit_list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        self.visit_object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        self.visit_object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        visitor.visit_enum(self.variant()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        visitor.visit_str(self.0.as_str().ok_or(NotOurs)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotOurs> {
        visitor.visit_unit()
    }
}

/// The elements of a list that are still to be read.
struct Elements<'v>(slice::Iter<'v, Value>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = NotOurs;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotOurs> {
        self.0.next().map(|value| seed.deserialize(Node(value))).transpose()
    }
}

/// The members of an object that are still to be read.
struct Members<'v> {
    rest: map::Iter<'v>,
    /// That of the name which was read last.
    value: Option<Node<'v>>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = NotOurs;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NotOurs> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(Node(value));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, NotOurs> {
        seed.deserialize(self.value.take().ok_or(NotOurs)?)
    }
}

/// A variant of an enum: its name, and its value if it has one.
struct Variant<'v> {
    name: &'v str,
    value: Option<Node<'v>>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = NotOurs;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), NotOurs> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = NotOurs;

    fn unit_variant(self) -> Result<(), NotOurs> {
        if self.value.is_none() { Ok(()) } else { Err(NotOurs) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, NotOurs> {
        seed.deserialize(self.value.ok_or(NotOurs)?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        self.value.ok_or(NotOurs)?.visit_list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotOurs> {
        self.value.ok_or(NotOurs)?.visit_object(visitor)
    }
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gate has not written it")
    }
}

impl core::error::Error for NotOurs {}

/// Whatever is said of it.
impl de::Error for NotOurs {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{session::Opaque, time::UnixTime};

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        One,
        TheOther,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Step {
        Nothing,
        Number(u32),
        Pair(i64, Option<String>),
        Named { id: Opaque<16>, at: UnixTime },
        Boxed(Box<Row>),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Number(u8);

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Clear(Vec<(u32, bool)>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        number: Number,
        part: f64,
        text: Option<String>,
        words: BTreeMap<Word, Clear>,
        #[serde(default)]
        steps: Vec<Step>,
        r#use: Word,
    }

    fn row() -> Row {
        let id = Opaque::from_bytes([7; 16]);
        Row {
            number: Number(255),
            part: -0.5,
            text: Some("a \"b\"\n\u{1F600}".to_owned()),
            words: BTreeMap::from([
                (Word::TheOther, Clear(vec![(1, true), (u32::MAX, false)])),
                (Word::One, Clear::default()),
            ]),
            steps: vec![
                Step::Nothing,
                Step::Number(0),
                Step::Pair(i64::MIN, None),
                Step::Pair(i64::MAX, Some(String::new())),
                Step::Named { id, at: UnixTime::from_secs(-5) },
            ],
            r#use: Word::TheOther,
        }
    }

    #[test]
    fn what_serde_json_writes_is_read() {
        let inner = row();
        let outer =
            Step::Boxed(Box::new(Row { steps: vec![Step::Boxed(Box::new(inner))], ..row() }));
        let text = serde_json::to_string(&outer).unwrap();
        assert_eq!(read::<Step>(&text).as_ref(), Ok(&outer));
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), outer);
        assert_eq!(read("\"the-other\""), Ok(Word::TheOther));
        assert_eq!(read::<Vec<u8>>(" [ 1 , 2 ] "), Ok(vec![1, 2]));
    }

    #[test]
    fn what_may_be_left_out_may_be_and_others_are_ignored() {
        let text = r#"{"number":1,"part":1,"words":{},"use":"one","more":{"deep":[{}]}}"#;
        let read: Row = read(text).unwrap();
        assert_eq!((read.text, read.steps), (None, Vec::new()));
        assert_eq!(read.number, Number(1));
    }

    #[test]
    fn what_the_gate_would_not_have_written_is_refused() {
        let text = r#"{"number":1,"part":1,"text":"a","words":{"one":[[1,true]]},"steps":[{"pair":[1,"a"]}],"use":"one"}"#;
        assert!(read::<Row>(text).is_ok());
        for (part, other) in [
            // A member that has to be there, or has another type.
            (r#""number":1,"#, ""),
            (r#""number":1"#, r#""number":null"#),
            (r#""number":1"#, r#""number":"1""#),
            (r#""number":1"#, r#""number":256"#),
            (r#""number":1"#, r#""number":-1"#),
            (r#""number":1"#, r#""number":1.0"#),
            (r#""text":"a""#, r#""text":1"#),
            // A name that comes twice.
            (r#""number":1"#, r#""number":1,"number":1"#),
            (r#""number":1"#, r#""number":1,"more":{"a":1,"a":1}"#),
            // A list that is too long or too short, and one for an object.
            ("[1,true]", "[1]"),
            ("[1,true]", "[1,true,true]"),
            (r#"[1,"a"]"#, r#"[1,"a","a"]"#),
            (r#"{"one":[[1,true]]}"#, "[]"),
            // No variant, two, or one with a value that it has not.
            (r#""use":"one""#, r#""use":"two""#),
            (r#""use":"one""#, r#""use":{"one":null}"#),
            (r#""use":"one""#, r#""use":0"#),
            (r#"{"pair":[1,"a"]}"#, r#""pair""#),
            (r#"{"pair":[1,"a"]}"#, r#"{"pair":[1,"a"],"number":1}"#),
            (r#"{"pair":[1,"a"]}"#, r#"{"named":["BwcHBwcHBwcHBwcHBwcHBw",1]}"#),
            (r#"{"pair":[1,"a"]}"#, "{}"),
            // No JSON, or more than that.
            ("{\"number\"", "\"number\""),
            ("\"one\"}", "\"one\"} x"),
        ] {
            let other = text.replacen(part, other, 1);
            assert_ne!(other, text, "{part}");
            assert_eq!(read::<Row>(&other), Err(NotOurs), "{other}");
        }
        assert_eq!(read::<Row>(r#"[1,1,"a",{},[],"one"]"#), Err(NotOurs), "a list is no row");
    }
}
