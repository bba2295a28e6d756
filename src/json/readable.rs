//! What a value of JSON has to be, type by type.
//!
//! A value is read into its place: a blank one is made first, then filled. So all types share the code that walks
//! through a document, and a blank one is never seen: whoever asked for it gets it whole, or gets the fault.

use std::collections::BTreeMap;

use serde::de::{self, Deserialize as _};
use serde_json::{Map, Value};

use super::{StrictObject, StrictValue, fault::DocumentFault};
use crate::{
    client_address::{NOT_A_NETWORK, Network},
    time::{UnixMillis, UnixTime},
};

/// A type that can be read from JSON.
pub(crate) trait Readable {
    /// A place to read into.
    fn blank() -> Self
    where
        Self: Sized;

    /// Reads the value.
    ///
    /// # Errors
    /// What was expected, and the kind of what was found, with the path within the value. The place is worth nothing then.
    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>>;
}

/// Reads a value as a whole.
pub(crate) fn from_value<T: Readable>(value: Value) -> Result<T, Box<DocumentFault>> {
    let mut place = T::blank();
    place.read(value)?;
    Ok(place)
}

/// `deserialize!(Type)`: the type can be read as a part of what serde reads.
macro_rules! deserialize {
    ($type:ident $(<const $n:ident: usize>)?) => {
        impl<'de $(, const $n: usize)?> ::serde::Deserialize<'de> for $type $(<$n>)? {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::json::readable::deserialize_with(deserializer)
            }
        }
    };
}

pub(crate) use deserialize;

/// Reads a value from serde.
pub(crate) fn deserialize_with<'de, T: Readable, D: de::Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let StrictValue(value) = StrictValue::deserialize(deserializer)?;
    from_value(value).map_err(de::Error::custom)
}

/// The text of a string.
pub(crate) fn string(value: Value) -> Result<String, Box<DocumentFault>> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(DocumentFault::expected("a string", &other)),
    }
}

fn unsigned(value: &Value, most: u64) -> Result<u64, Box<DocumentFault>> {
    const WANTED: &str = "a whole number";
    match value {
        Value::Number(number) if !number.is_f64() => {
            let number = number.as_u64().filter(|number| *number <= most);
            number.ok_or_else(|| DocumentFault::out_of_range(WANTED))
        }
        other => Err(DocumentFault::expected(WANTED, other)),
    }
}

fn signed(value: &Value) -> Result<i64, Box<DocumentFault>> {
    const WANTED: &str = "a whole number of seconds";
    match value {
        Value::Number(number) if !number.is_f64() => {
            number.as_i64().ok_or_else(|| DocumentFault::out_of_range(WANTED))
        }
        other => Err(DocumentFault::expected(WANTED, other)),
    }
}

/// What comes of reading one value into its place.
type Filled = Result<(), Box<DocumentFault>>;

/// Hands each element of a list on.
fn elements(value: Value, each: &mut dyn FnMut(Value) -> Filled) -> Filled {
    let Value::Array(values) = value else {
        return Err(DocumentFault::expected("a list", &value));
    };
    for (index, value) in values.into_iter().enumerate() {
        each(value).map_err(|fault| fault.at(index))?;
    }
    Ok(())
}

/// The members of an object.
pub(crate) fn members(value: Value) -> Result<Map<String, Value>, Box<DocumentFault>> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(DocumentFault::expected("an object", &other)),
    }
}

/// Hands each member of an object on.
fn each_member(value: Value, each: &mut dyn FnMut(&str, Value) -> Filled) -> Filled {
    for (name, value) in members(value)? {
        each(&name, value).map_err(|fault| fault.within(&name))?;
    }
    Ok(())
}

impl Readable for bool {
    fn blank() -> Self {
        false
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let Value::Bool(given) = value else {
            return Err(DocumentFault::expected("a boolean", &value));
        };
        *self = given;
        Ok(())
    }
}

macro_rules! unsigned {
    ($($type:ident),+) => {
        $(impl Readable for $type {
            fn blank() -> Self {
                0
            }

            fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
                const MOST: u64 = $type::MAX as u64;
                *self = unsigned(&value, MOST)?.try_into().unwrap_or($type::MAX);
                Ok(())
            }
        })+
    };
}

unsigned!(u8, u16, u32, u64, usize);

/// Everything that is signed counts seconds.
impl Readable for i64 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        *self = signed(&value)?;
        Ok(())
    }
}

impl Readable for UnixTime {
    fn blank() -> Self {
        Self::default()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        *self = Self::from_secs(signed(&value)?);
        Ok(())
    }
}

impl Readable for UnixMillis {
    fn blank() -> Self {
        Self::default()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        *self = Self::from_millis(unsigned(&value, u64::MAX)?);
        Ok(())
    }
}

impl Readable for String {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        *self = string(value)?;
        Ok(())
    }
}

impl Readable for Network {
    fn blank() -> Self {
        Self::NOBODY
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        let network = Self::parse(&string(value)?);
        *self = network.ok_or_else(|| DocumentFault::of(NOT_A_NETWORK.to_owned()))?;
        Ok(())
    }
}

deserialize!(Network);

/// `null` is as good as nothing.
impl<T: Readable> Readable for Option<T> {
    fn blank() -> Self {
        None
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        if value.is_null() {
            *self = None;
            return Ok(());
        }
        self.insert(T::blank()).read(value)
    }
}

impl<T: Readable> Readable for Box<T> {
    fn blank() -> Self {
        Self::new(T::blank())
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        (**self).read(value)
    }
}

impl<T: Readable> Readable for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.clear();
        elements(value, &mut |value| {
            self.push(T::blank());
            self.last_mut().map_or(Ok(()), |last| last.read(value))
        })
    }
}

impl<T: Readable> Readable for BTreeMap<String, T> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.clear();
        each_member(value, &mut |name, value| {
            self.insert(name.to_owned(), from_value(value)?);
            Ok(())
        })
    }
}

impl Readable for StrictObject {
    fn blank() -> Self {
        Self::default()
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.0 = members(value)?;
        Ok(())
    }
}

impl Readable for StrictValue {
    fn blank() -> Self {
        Self(Value::Null)
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.0 = value;
        Ok(())
    }
}
