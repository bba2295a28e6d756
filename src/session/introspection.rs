//! What is told of a token (RFC 7662): of an access token of the gate's own, while it is good; of everything else that it is not.

use serde::Serialize;
use serde_json::Value;

use crate::{jose::claims::Claims, time::UnixTime};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The client, which has proven itself.
    pub client: &'a str,
    /// Whether it may ask about others' tokens (`introspect = true`).
    pub about_others: bool,
}

/// The answer about everything that is not to be told of.
pub const INACTIVE: &str = r#"{"active":false}"#;

#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Value>,
}

/// The answer about a token of the gate's own whose signature, claims and revocation hold. A client is told of its own tokens;
/// of others' only if the policy says so.
#[must_use]
pub fn answer(asker: Asker<'_>, claims: &Claims) -> String {
    let Some(client_id) = claims.get("client_id").and_then(Value::as_str) else {
        return INACTIVE.to_owned();
    };
    if client_id != asker.client && !asker.about_others {
        return INACTIVE.to_owned();
    }
    let cnf = claims.get("cnf");
    let active = Active {
        active: true,
        scope: claims.get("scope").and_then(Value::as_str),
        client_id,
        sub: claims.subject(),
        token_type: if cnf.is_some() { "DPoP" } else { "Bearer" },
        exp: claims.expires_at(),
        iat: claims.issued_at(),
        iss: claims.issuer(),
        aud: claims.get("aud"),
        jti: claims.jwt_id(),
        sid: claims.session_id(),
        cnf,
    };
    serde_json::to_string(&active).unwrap_or_else(|_| INACTIVE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_of_its_own_tokens_and_of_others_only_by_the_policy() {
        let claims = Claims::parse(
            br#"{"iss":"i","sub":"client|batch","client_id":"batch","scope":"a","exp":2,"iat":1,"aud":["x"],"jti":"j"}"#,
        )
        .unwrap();
        let ask = |client, about_others| answer(Asker { client, about_others }, &claims);
        let told = r#"{"active":true,"scope":"a","client_id":"batch","sub":"client|batch","token_type":"Bearer","exp":2,"iat":1,"iss":"i","aud":["x"],"jti":"j"}"#;
        assert_eq!(ask("batch", false), told);
        assert_eq!(ask("other", true), told);
        assert_eq!(ask("other", false), INACTIVE);
        let foreign = Claims::parse(br#"{"iss":"i","sub":"a"}"#).unwrap();
        assert_eq!(answer(Asker { client: "batch", about_others: true }, &foreign), INACTIVE);
    }
}
