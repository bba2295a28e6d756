//! The signed identity for the upstream (`identity = "jwt"`): who the gate says is calling, to be checked with its published keys.
//!
//! Its `typ` and its audience are none of an access token, and it has neither `scope` as a right nor a session: presented at the gate
//! it is no credential.

use serde::Serialize;

use crate::{error::Error, time::UnixTime};

/// The `typ`.
pub const TYP: &str = "edgegate-id+jwt";

/// The header that carries it.
pub const FIELD: &str = "X-Auth-Token";

/// How long it lives.
pub const LIFE_SECS: u64 = 60;

/// What it says.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// `jwt`, `api_key` or `anonymous`.
    pub method: &'a str,
    /// Who it is.
    pub subject: Option<&'a str>,
    /// Who says so, of a token.
    pub issuer: Option<&'a str>,
    /// What it may do.
    pub scopes: &'a [String],
    /// The API key, by its id.
    pub key_id: Option<&'a str>,
}

#[derive(Serialize)]
struct IdentityClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: UnixTime,
    exp: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    auth_method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    auth_scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_key_id: Option<&'a str>,
}

/// The claims, as they are signed. `audience` is the upstream's origin, or what the policy says.
///
/// # Errors
/// None that anybody has seen: what is written are texts and numbers.
pub fn claims(
    caller: Caller<'_>,
    (issuer, audience): (&str, &str),
    now: UnixTime,
) -> Result<String, Error> {
    serde_json::to_string(&IdentityClaims {
        iss: issuer,
        aud: audience,
        iat: now,
        exp: now.saturating_add(LIFE_SECS),
        sub: caller.subject,
        auth_method: caller.method,
        auth_issuer: caller.issuer,
        auth_scopes: caller.scopes,
        auth_key_id: caller.key_id,
    })
    .map_err(|_| Error::config("identity", "what is known of the caller cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_lived_and_has_no_scope_and_no_session() {
        let scopes = ["read:posts".to_owned()];
        let caller = Caller {
            method: "jwt",
            subject: Some("alice"),
            issuer: Some("https://idp/"),
            scopes: &scopes,
            key_id: None,
        };
        let now = UnixTime::from_secs(1_700_000_000);
        assert_eq!(
            claims(caller, ("https://gate/", "https://api"), now).unwrap(),
            r#"{"iss":"https://gate/","aud":"https://api","iat":1700000000,"exp":1700000060,"sub":"alice","auth_method":"jwt","auth_issuer":"https://idp/","auth_scopes":["read:posts"]}"#
        );
    }
}
