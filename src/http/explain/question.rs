//! A request that somebody asks about, as JSON.

use core::fmt;
use std::collections::BTreeMap;

use crate::{
    error::Error,
    json::{document, fault::DocumentFault, object::described},
};

described! {
    /// A request that is asked about. What is in its headers is in no answer and no log.
    pub struct Question as ExplainRequest, refused {
        /// The method, in capitals.
        #[facts(minLength = 1, maxLength = MAX_METHOD_LENGTH)]
        method: String,
        /// The path, with its query if it matters. It begins with `/`.
        #[facts(minLength = 1, maxLength = MAX_PATH_LENGTH)]
        path: String,
        /// The headers: the credential, and the one with the caller's address (`client_ip_header` of the policy).
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

/// The longest method that HTTP knows has 16 letters.
const MAX_METHOD_LENGTH: usize = 32;

/// The platform takes no longer URL (16 KiB).
const MAX_PATH_LENGTH: usize = 16 * 1024;

impl Question {
    /// Reads the body of a request to explain.
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault; unknown fields are faults.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let asked: Self = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        let is_method =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !(1..=MAX_METHOD_LENGTH).contains(&asked.method.len()) || !is_method(&asked.method) {
            return Err(Error::invalid_field("method", "expected a method in capitals"));
        }
        if !asked.path.starts_with('/') || asked.path.len() > MAX_PATH_LENGTH {
            let problem = "expected a path that begins with /, of at most 16384 bytes";
            return Err(Error::invalid_field("path", problem));
        }
        Ok(asked)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path with its query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Names and values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Shows which headers there are, not what is in them; nor the query, which may hold anything.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("method", &self.method)
            .field("path", &self.path.split('?').next().unwrap_or_default())
            .field("headers", &self.headers.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(json: &str, message: &str) {
        let error = Question::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{json}");
        assert!(!error.to_string().contains("sesame"), "{json}");
    }

    #[test]
    fn a_question_is_a_method_a_path_and_headers() {
        let json =
            br#"{"method": "GET", "path": "/a?b", "headers": {"Authorization": "Bearer sesame"}}"#;
        let asked = Question::parse(json).unwrap();
        assert_eq!((asked.method(), asked.path()), ("GET", "/a?b"));
        assert_eq!(asked.headers().collect::<Vec<_>>(), [("Authorization", "Bearer sesame")]);
        assert_eq!(
            format!("{asked:?}"),
            r#"Question { method: "GET", path: "/a", headers: ["Authorization"] }"#
        );
        assert_eq!(
            Question::parse(br#"{"method": "M-SEARCH", "path": "/"}"#).unwrap().headers().count(),
            0
        );
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        let (method, path) = (
            "method: expected a method in capitals",
            "path: expected a path that begins with /, of at most 16384 bytes",
        );
        refused(r#"{"path": "/"}"#, "method: is required");
        refused(r#"{"method": "get", "path": "/"}"#, method);
        refused(r#"{"method": "", "path": "/"}"#, method);
        refused(r#"{"method": "GET", "path": "https://sesame.example/"}"#, path);
        refused(&format!(r#"{{"method": "GET", "path": "/{}"}}"#, "a".repeat(16_384)), path);
        refused(
            r#"{"method": "GET", "path": "/", "headers": ["sesame"]}"#,
            "headers: expected an object, found a list",
        );
        refused(
            r#"{"method": "GET", "path": "/", "headers": {"DPoP": 1}}"#,
            "headers.DPoP: expected a string, found a whole number",
        );
        refused(
            r#"{"method": "GET", "path": "/", "body": "sesame"}"#,
            "body: is not a known field, expected one of method, path, headers",
        );
    }
}
