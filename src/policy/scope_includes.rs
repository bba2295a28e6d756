//! Scopes that include others: `scope_includes = { repo = ["repo:status"] }`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::issuers::{Spelling, scopes_of_names};
use crate::{error::Error, jose::scopes::is_scope, json::fault::member};

/// The most scopes that may include others.
const MAX_NAMES: usize = 100;

/// The most scopes that one may include, with all that those include.
const MAX_INCLUDED: usize = 100;

/// Which scopes stand for which others. Nothing is guessed from how a scope is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeIncludes {
    /// By the scope that is asked for.
    holders: BTreeMap<String, Vec<String>>,
}

impl ScopeIncludes {
    /// Reads the section that is at `path`.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no scope, for a scope that includes itself, by whatever way, and for too many.
    pub(super) fn read(path: &str, members: Map<String, Value>) -> Result<Self, Error> {
        if members.is_empty() {
            return Ok(Self::default());
        }
        Self::of_some(path, members)
    }

    #[inline(never)]
    fn of_some(path: &str, members: Map<String, Value>) -> Result<Self, Error> {
        let named = scopes_of_names(path, members, Spelling::Policy)?;
        if named.len() > MAX_NAMES {
            return Err(Error::config(path, format!("expected at most {MAX_NAMES} scopes")));
        }
        let mut holders = BTreeMap::<String, Vec<String>>::new();
        for holder in named.keys() {
            let included = included_by(holder, &named)
                .map_err(|problem| Error::config(member(path.to_owned(), holder), problem))?;
            for scope in included {
                holders.entry(scope.to_owned()).or_default().push(holder.clone());
            }
        }
        Ok(Self { holders })
    }

    /// The scopes that include this one.
    #[must_use]
    pub fn holders_of(&self, scope: &str) -> &[String] {
        self.holders.get(scope).map_or(&[], Vec::as_slice)
    }
}

/// What a scope includes, with all that this includes.
fn included_by<'n>(
    holder: &str,
    named: &'n BTreeMap<String, Vec<String>>,
) -> Result<Vec<&'n str>, String> {
    if !is_scope(holder) {
        return Err("expected a scope like read:posts as its name".to_owned());
    }
    let mut included: Vec<&str> = Vec::new();
    let mut open = vec![holder];
    while let Some(next) = open.pop() {
        for scope in named.get(next).into_iter().flatten() {
            if scope == holder {
                return Err("includes itself".to_owned());
            }
            if !included.contains(&scope.as_str()) {
                included.push(scope);
                open.push(scope);
            }
            if included.len() > MAX_INCLUDED {
                return Err(format!("expected at most {MAX_INCLUDED} included scopes"));
            }
        }
    }
    Ok(included)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(section: Value) -> Result<ScopeIncludes, String> {
        let Value::Object(members) = section else { panic!("expected an object") };
        ScopeIncludes::read("scope_includes", members).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_included_includes_in_turn() {
        let includes =
            read(json!({ "repo": ["repo:status", "hook"], "hook": ["hook:read"] })).unwrap();
        assert_eq!(includes.holders_of("repo:status"), ["repo"]);
        assert_eq!(includes.holders_of("hook:read"), ["hook", "repo"]);
        for none in ["repo", "repo:other", "status", "Hook"] {
            assert!(includes.holders_of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn circles_are_refused_wherever_they_close() {
        for (circle, at) in [
            (json!({ "a": ["a"] }), "a"),
            (json!({ "a": ["b"], "b": ["a"] }), "a"),
            (json!({ "a": ["b"], "b": ["c"], "c": ["b"] }), "b"),
        ] {
            assert_eq!(read(circle).unwrap_err(), format!("scope_includes.{at}: includes itself"));
        }
        // Two ways to the same scope are no circle.
        assert!(read(json!({ "a": ["b", "c"], "b": ["d"], "c": ["d"] })).is_ok());
    }

    #[test]
    fn what_is_no_scope_and_what_is_too_much_is_refused() {
        assert_eq!(
            read(json!({ "a": "b" })).unwrap_err(),
            "scope_includes.a: expected a list, found a string"
        );
        assert_eq!(
            read(json!({ "a": [] })).unwrap_err(),
            "scope_includes.a: expected a non-empty list"
        );
        assert_eq!(
            read(json!({ "a": ["b c"] })).unwrap_err(),
            "scope_includes.a[0]: expected a scope like read:posts"
        );
        assert_eq!(
            read(json!({ "a b": ["c"] })).unwrap_err(),
            "scope_includes.?: expected a scope like read:posts as its name"
        );
        let many: Vec<String> = (0..=MAX_INCLUDED).map(|number| format!("s{number}")).collect();
        assert_eq!(
            read(json!({ "a": many })).unwrap_err(),
            "scope_includes.a: expected at most 100 included scopes"
        );
        let names = many.into_iter().map(|name| (name, json!(["z"]))).collect::<Map<_, _>>();
        assert_eq!(
            read(Value::Object(names)).unwrap_err(),
            "scope_includes: expected at most 100 scopes"
        );
    }
}
