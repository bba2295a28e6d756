//! What is wrong with a document, and where: a path of names that are ours, and nothing of the data.

use core::fmt;

use serde_json::Value;

use crate::error::Error;

/// Longest name of a field that a message repeats. Ours are shorter; a longer one may be data.
const MAX_ECHOED_NAME_BYTES: usize = 40;

/// A path that has become so long ends there. Ours are shorter; a longer one is that of a document made to have one.
pub(super) const MAX_PATH_BYTES: usize = 100;

/// What is wrong with a document, and where. Readers of types hand it on in a box: one pointer, since there are hundreds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// As in `scopes[0]`; empty for the whole document.
    pub path: String,
    /// What was expected and what was found.
    pub problem: String,
}

impl DocumentFault {
    /// A fault of a whole value.
    pub(crate) fn of(problem: String) -> Box<Self> {
        Box::new(Self { path: String::new(), problem })
    }

    /// It is of another kind.
    pub(crate) fn expected(wanted: &str, found: &Value) -> Box<Self> {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a fraction",
            Value::Number(_) => "a whole number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self::of(format!("expected {wanted}, found {found}"))
    }

    /// It is too small or too large.
    pub(crate) fn out_of_range(wanted: &str) -> Box<Self> {
        Self::of(format!("expected {wanted}, found one out of range"))
    }

    /// The same as a fault of the object that has this member.
    pub(crate) fn within(self: Box<Self>, name: &str) -> Box<Self> {
        self.behind(member(String::new(), name))
    }

    /// The same as a fault of the list that has this element.
    pub(crate) fn at(self: Box<Self>, index: usize) -> Box<Self> {
        self.behind(format!("[{index}]"))
    }

    fn behind(mut self: Box<Self>, mut path: String) -> Box<Self> {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        self.path = path;
        self
    }

    /// The fault as one of a request body.
    #[must_use]
    pub fn into_invalid_field(self) -> Error {
        Error::InvalidField { path: self.path, problem: self.problem }
    }
}

/// As in `scopes[0]: expected a string, found null`.
impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}

/// The path of a member. A name that may be data is shown as `?`.
pub(crate) fn member(mut path: String, name: &str) -> String {
    let ours = name.len() <= MAX_ECHOED_NAME_BYTES
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(if ours { name } else { "?" });
    path
}
