//! The field `claims` of a route: what a token has to say, beside its scopes, to be let through there.

use serde_json::{Map, Value};

use super::{path::RequestPath, pattern::PathPattern};
use crate::{error::Error, jose::claims::Claims};

/// A claim, and what a route wants it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRule {
    name: String,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// One of these.
    Values(Vec<Value>),
    /// This segment of the request's path, counted from 0.
    Segment(usize),
}

impl ClaimRule {
    /// The name of the claim, as the policy writes it: one that [`Claims::find`] finds.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether these claims have what is wanted for this path. Of a claim that is a list, one member has to be it.
    pub(crate) fn holds(&self, claims: &Claims, path: &RequestPath) -> bool {
        match claims.find(&self.name) {
            Some(Value::Array(members)) => members.iter().any(|one| self.fits(one, path)),
            Some(one) => self.fits(one, path),
            None => false,
        }
    }

    fn fits(&self, found: &Value, path: &RequestPath) -> bool {
        match &self.wanted {
            Wanted::Values(values) => values.contains(found),
            Wanted::Segment(index) => path.segment(*index).is_some_and(|segment| match found {
                Value::String(text) => text == segment,
                Value::Number(number) if number.is_u64() || number.is_i64() => {
                    number.to_string() == segment
                }
                _ => false,
            }),
        }
    }
}

/// Checks the field at `path`, of a route with this pattern.
#[inline(never)]
pub(super) fn claim_rules(
    path: &str,
    section: &Map<String, Value>,
    pattern: &PathPattern,
) -> Result<Vec<ClaimRule>, Error> {
    if section.is_empty() {
        return Err(Error::config(path, "expected at least one claim"));
    }
    let rule = |(name, wanted): (&String, &Value)| {
        let place = if name.is_empty() { path.to_owned() } else { format!("{path}.{name}") };
        if name.is_empty() {
            return Err(Error::config(place, "expected a name of a claim"));
        }
        let wanted = wanted_of(wanted, pattern).map_err(|problem| Error::config(place, problem))?;
        Ok(ClaimRule { name: name.clone(), wanted })
    };
    section.iter().map(rule).collect()
}

const EXPECTED: &str = "expected a text, a number, true or false, a list of these, or a parameter of the path like {org}";

fn wanted_of(value: &Value, pattern: &PathPattern) -> Result<Wanted, &'static str> {
    match value {
        Value::String(text) if text.contains(['{', '}']) => {
            let parameter = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let parameter = parameter.filter(|name| !name.contains(['{', '}'])).ok_or(EXPECTED)?;
            pattern.parameter(parameter).map(Wanted::Segment)
        }
        Value::Array(members) if !members.is_empty() && members.iter().all(is_plain) => {
            Ok(Wanted::Values(members.clone()))
        }
        one if is_plain(one) => Ok(Wanted::Values(vec![one.clone()])),
        _ => Err(EXPECTED),
    }
}

/// A value that is compared as it is: no braces, which would look like a parameter and be none.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(['{', '}']),
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(rule: &Value, claims: &Value, path: &str) -> bool {
        let pattern = PathPattern::parse("/orgs/{org}/*").unwrap();
        let rules = claim_rules("claims", rule.as_object().unwrap(), &pattern).unwrap();
        let path = RequestPath::parse(path).unwrap();
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        rules.iter().all(|rule| rule.holds(&claims, &path))
    }

    #[test]
    fn a_claim_equals_the_segment_exactly_as_it_is_decoded() {
        let rule = json!({"org": "{org}"});
        for (claim, path, expected) in [
            (json!("acme"), "/orgs/acme/x", true),
            (json!("acme"), "/orgs/%61cme", true),
            (json!("a b"), "/orgs/a%20b", true),
            (json!("acme"), "/orgs/Acme", false),
            (json!("acme"), "/orgs/acme2", false),
            (json!("acme"), "/orgs/x/acme", false),
            (json!(""), "/orgs/acme", false),
            (json!(["other", "acme"]), "/orgs/acme", true),
            (json!(["other"]), "/orgs/acme", false),
            (json!([]), "/orgs/acme", false),
            (json!([["acme"]]), "/orgs/acme", false),
            (json!({"acme": true}), "/orgs/acme", false),
            (json!(42), "/orgs/42", true),
            (json!(42), "/orgs/042", false),
            (json!(4.2), "/orgs/4.2", false),
            (json!(true), "/orgs/true", false),
            (json!(null), "/orgs/null", false),
        ] {
            assert_eq!(holds(&rule, &json!({ "org": claim }), path), expected, "{claim} {path}");
        }
        assert!(!holds(&rule, &json!({}), "/orgs/acme"));
    }

    #[test]
    fn a_fixed_value_has_its_type() {
        for (wanted, claim, expected) in [
            (json!("a"), json!("a"), true),
            (json!("a"), json!(["b", "a"]), true),
            (json!(["a", "b"]), json!("b"), true),
            (json!(["a", "b"]), json!("c"), false),
            (json!(true), json!(true), true),
            (json!(true), json!("true"), false),
            (json!(1), json!(1), true),
            (json!("1"), json!(1), false),
        ] {
            assert_eq!(holds(&json!({ "c": wanted }), &json!({ "c": claim }), "/orgs/x"), expected);
        }
    }

    #[test]
    fn a_name_with_a_dot_that_exists_as_such_wins() {
        let rule = json!({"realm.org": "a"});
        assert!(holds(&rule, &json!({"realm": {"org": "a"}}), "/orgs/x"));
        assert!(holds(&rule, &json!({"realm.org": "a"}), "/orgs/x"));
        assert!(!holds(&rule, &json!({"realm.org": "b", "realm": {"org": "a"}}), "/orgs/x"));
        assert!(!holds(&rule, &json!({"realm": "a"}), "/orgs/x"));
        let rule = json!({"https://a.test/app.org": "a"});
        assert!(holds(&rule, &json!({"https://a.test/app": {"org": "a"}}), "/orgs/x"));
    }
}
