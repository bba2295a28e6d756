//! JSON objects from the shell, which are read member by member.
//!
//! The shell has checked the types, and has better messages. Here the members are only read. This is written by hand,
//! since the code that serde derives for these few objects would be a tenth of the engine.

use serde_json::{Map, Value};

use edgegate::error::Error;
use edgegate::json;

/// The members that have not been read yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        json::parse_object(text.as_bytes()).map(Self).map_err(|_| unexpected())
    }

    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.take(name).map(string).transpose()
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, Error> {
        self.string(name)?.ok_or_else(unexpected)
    }

    pub(super) fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => {
                list.into_iter().map(string).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(unexpected()),
        }
    }

    /// A whole number, which may be below zero.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<i64>, Error> {
        self.take(name).map(|value| value.as_i64().ok_or_else(unexpected)).transpose()
    }

    /// A whole number from zero.
    pub(super) fn count<N: TryFrom<i64>>(&mut self, name: &str) -> Result<Option<N>, Error> {
        let number = self.number(name)?;
        number.map(|number| N::try_from(number).map_err(|_| unexpected())).transpose()
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Error> {
        self.take(name).map(object).transpose()
    }

    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Error> {
        match self.take(name) {
            Some(Value::Array(list)) => list.into_iter().map(object).collect(),
            _ => Err(unexpected()),
        }
    }

    /// All that has not been read yet.
    pub(super) fn into_members(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn from_value(value: Value) -> Result<Self, Error> {
        object(value)
    }

    /// Checks that all members have been read.
    pub(super) fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(unexpected()) }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

fn string(value: Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(unexpected()),
    }
}

fn object(value: Value) -> Result<Fields, Error> {
    match value {
        Value::Object(members) => Ok(Fields(members)),
        _ => Err(unexpected()),
    }
}

pub(super) fn unexpected() -> Error {
    let problem = "options of other types than expected".to_owned();
    Error::config("", problem)
}
