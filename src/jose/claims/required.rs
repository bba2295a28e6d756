//! Claims that have to have one of certain values.

use serde_json::Value;

use super::Claims;
use crate::{error::Error, json::Kind};

/// A claim and the values of which it has to have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredValue {
    /// The claim, as [`Claims::find`] finds it.
    pub claim: String,
    /// Strings, whole numbers and booleans. They are compared as they are: `"true"` is not `true`.
    pub values: Vec<Value>,
}

impl RequiredValue {
    /// Whether the claim has one of the values, or is a list with one of them.
    ///
    /// # Errors
    /// [`Error::MissingClaim`], also for `null`; [`Error::UnexpectedClaim`]. Both name the claim and no value.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), Error> {
        match claims.kind(&self.claim) {
            None | Some(Kind::Null) => Err(Error::MissingClaim { claim: self.claim.clone() }),
            Some(kind) if self.is_met(claims, kind) => Ok(()),
            Some(_) => Err(Error::UnexpectedClaim { claim: self.claim.clone() }),
        }
    }

    fn is_met(&self, claims: &Claims, kind: Kind) -> bool {
        match kind {
            // Strings are compared where they stand, without a tree of the claims.
            Kind::String | Kind::Strings => claims
                .words(&self.claim)
                .iter()
                .any(|word| self.values.iter().any(|value| value.as_str() == Some(word))),
            _ => match claims.find(&self.claim) {
                Some(Value::Array(members)) => members.iter().any(|one| self.values.contains(one)),
                Some(value) => self.values.contains(value),
                None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(claim: &str, values: &Value, claims: &Value) -> Result<(), Error> {
        let values = values.as_array().unwrap().clone();
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        RequiredValue { claim: claim.to_owned(), values }.check(&claims)
    }

    #[test]
    fn a_claim_has_one_of_the_values_or_is_a_list_with_one() {
        for (values, claim) in [
            (json!(["access"]), json!("access")),
            (json!(["a", "b"]), json!("b")),
            (json!(["a", "b"]), json!(["x", "b"])),
            (json!([true]), json!(true)),
            (json!([7]), json!(7)),
            (json!([7]), json!(["x", 7])),
            (json!([""]), json!("")),
        ] {
            assert_eq!(check("c", &values, &json!({ "c": claim })), Ok(()), "{values} {claim}");
        }
    }

    #[test]
    fn any_other_value_is_refused_by_the_name_of_the_claim() {
        for (values, claim) in [
            (json!(["access"]), json!("id")),
            (json!(["access"]), json!("access ")),
            (json!(["access"]), json!("Access")),
            (json!(["a"]), json!("a b")),
            (json!(["a"]), json!([])),
            (json!(["a"]), json!([["a"]])),
            (json!(["a"]), json!({ "a": "a" })),
            (json!([true]), json!("true")),
            (json!([true]), json!(1)),
            (json!(["true"]), json!(true)),
            (json!([1]), json!("1")),
            (json!([1]), json!(1.0)),
            (json!([9_007_199_254_740_993_u64]), json!(9_007_199_254_740_992_u64)),
        ] {
            let error = check("c", &values, &json!({ "c": claim })).unwrap_err();
            assert_eq!(error.to_string(), "c has a value that is not allowed", "{values} {claim}");
        }
        for claims in [json!({}), json!({ "c": null }), json!({ "C": "a" })] {
            let error = check("c", &json!(["a"]), &claims).unwrap_err();
            assert_eq!(error.to_string(), "claim c is missing", "{claims}");
        }
    }

    #[test]
    fn a_claim_may_be_inside_of_another() {
        let claims = json!({ "a": { "b": ["x"], "c.d": { "e": 1 } }, "a.c": "own" });
        assert_eq!(check("a.b", &json!(["x"]), &claims), Ok(()));
        assert_eq!(
            check("a.c.d.e", &json!([1]), &claims).unwrap_err().to_string(),
            "claim a.c.d.e is missing"
        );
        assert_eq!(check("a.c", &json!(["own"]), &claims), Ok(()));
        let claims = json!({ "a": { "c.d": { "e": 1 } } });
        assert_eq!(check("a.c.d.e", &json!([1]), &claims), Ok(()));
    }
}
