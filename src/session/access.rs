//! The claims of access tokens (RFC 9068): those that the gate gives its sessions, and its machines.
//!
//! Times come from the writer of the subject. What callers may add stands under one name of the gate's own, so that no claim of the
//! protocol, of the gate or of another specification can be set by them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    id::{ProviderSession, SessionId},
    step::{Confirm, Grant, Times},
};
use crate::{error::Error, jose::claims::Claims, json, time::UnixTime};

/// The `typ` of the gate's own bearers. Nothing else that the same keys sign is taken as one.
pub const TYP: &str = "at+jwt";

/// The longest access token, so that a cookie of 4,096 bytes holds it with its name.
pub const MAX_TOKEN_LENGTH: usize = 4000;

/// The longest JSON of further claims.
pub const MAX_CLAIMS_LENGTH: usize = 1024;

/// How far the clock of an isolate may be behind, for the gate's own tokens.
pub const CLOCK_TOLERANCE_SECS: u64 = 60;

/// The client of sessions that name none.
pub const FIRST_PARTY: &str = "first-party";

/// What the `sub` of a machine's token begins with; its client's id follows.
pub const MACHINE_PREFIX: &str = "client|";

/// Further claims, as an object.
pub const CLAIMS: &str = "edgegate:claims";
/// The session at a provider that it came of, hashed with the provider's issuer.
const LOGIN: &str = "edgegate:login";
const GENERATION: &str = "edgegate:gen";
const REPEATS: &str = "edgegate:rep";

/// What all access tokens of the gate have in common.
#[derive(Debug, Clone, Copy)]
pub struct Issued<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// The audience of tokens whose session names none.
    pub audience: &'a [String],
    /// `jti`: 128 random bits, as text.
    pub token_id: &'a str,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a [String],
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    jti: &'a str,
    iat: UnixTime,
    exp: UnixTime,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixTime>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Bound<'a>>,
    #[serde(rename = "edgegate:login", skip_serializing_if = "Option::is_none")]
    login: Option<ProviderSession>,
    #[serde(rename = "edgegate:gen", skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    #[serde(rename = "edgegate:rep", skip_serializing_if = "Option::is_none")]
    repeats: Option<u32>,
    #[serde(rename = "edgegate:claims", skip_serializing_if = "Option::is_none")]
    claims: Option<Map<String, Value>>,
}

/// `cnf` (RFC 9449 §6.1).
#[derive(Serialize)]
struct Bound<'a> {
    jkt: &'a str,
}

/// The claims of a session's access token, as they are signed.
///
/// # Errors
/// [`Error::StoreUnavailable`]: the stored claims cannot be read.
pub fn claims_of_session(grant: &Grant, issued: Issued<'_>) -> Result<String, Error> {
    let opening = &grant.opening;
    let own = opening.audience.as_slice();
    let claims = opening.claims.as_deref().map(further_claims).transpose()?;
    write(&AccessClaims {
        iss: issued.issuer,
        sub: &opening.sub,
        aud: if own.is_empty() { issued.audience } else { own },
        client_id: opening.client.as_deref().unwrap_or(FIRST_PARTY),
        sid: Some(grant.id),
        jti: issued.token_id,
        iat: grant.iat,
        exp: grant.exp,
        scope: &opening.scopes.join(" "),
        // A provider that does not say when, leaves it open: its own session may be old.
        auth_time: (opening.login.is_none() || opening.auth_time.is_some())
            .then_some(grant.auth_time),
        amr: &opening.amr,
        acr: opening.acr.as_deref(),
        cnf: opening.jkt.as_deref().map(|jkt| Bound { jkt }),
        login: opening.login.as_ref().and_then(|login| login.session),
        generation: Some(grant.generation),
        repeats: Some(grant.repeats),
        claims,
    })
}

/// The claims of a machine's access token (RFC 6749 §4.4). It has no session; it ends by its `jti`.
///
/// # Errors
/// None that anybody has seen: what is written are texts and numbers.
pub fn claims_of_machine(
    (client, scopes, jkt): (&str, &[String], Option<&str>),
    times: Times,
    issued: Issued<'_>,
) -> Result<String, Error> {
    write(&AccessClaims {
        iss: issued.issuer,
        sub: &format!("{MACHINE_PREFIX}{client}"),
        aud: issued.audience,
        client_id: client,
        sid: None,
        jti: issued.token_id,
        iat: times.iat,
        exp: times.exp,
        scope: &scopes.join(" "),
        auth_time: None,
        amr: &[],
        acr: None,
        cnf: jkt.map(|jkt| Bound { jkt }),
        login: None,
        generation: None,
        repeats: None,
        claims: None,
    })
}

fn write(claims: &AccessClaims<'_>) -> Result<String, Error> {
    serde_json::to_string(claims).map_err(|_| unreadable())
}

/// The text of an object, as it is stored.
///
/// # Errors
/// [`Error::InvalidField`]: no object, a repeated name, or longer than [`MAX_CLAIMS_LENGTH`].
pub fn check_further_claims(text: &str) -> Result<(), Error> {
    if text.len() > MAX_CLAIMS_LENGTH {
        return Err(Error::invalid_field("claims", "expected at most 1024 bytes of JSON"));
    }
    match json::parse_object(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid_field("claims", "expected an object without repeated names")),
    }
}

fn further_claims(text: &str) -> Result<Map<String, Value>, Error> {
    json::parse_object(text.as_bytes()).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    let problem = "claims of a session cannot be read".to_owned();
    Error::StoreUnavailable { store: "sessions", problem }
}

/// The session at a provider that a verified access token of the gate came of, as revocations name it.
#[must_use]
pub fn login_of(claims: &Claims) -> Option<&str> {
    claims.get(LOGIN).and_then(Value::as_str)
}

/// What a verified access token of the gate says of its session. `None`: it has none, as a machine's.
#[must_use]
pub fn session_of(claims: &Claims) -> Option<Confirm> {
    let number =
        |name| claims.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    Some(Confirm {
        id: SessionId::parse(claims.session_id()?)?,
        generation: number(GENERATION)?,
        iat: claims.issued_at()?,
        repeats: number(REPEATS)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{id::Salt, record::Opening};

    fn grant(opening: Opening) -> Grant {
        Grant {
            id: SessionId::from_bytes([1; 12]),
            opening,
            auth_time: UnixTime::from_secs(1_700_000_000),
            iat: UnixTime::from_secs(1_700_000_900),
            exp: UnixTime::from_secs(1_700_001_800),
            generation: 7,
            repeats: 2,
            salt: Salt::from_bytes([2; 8]),
            sealed_by: 1,
            absolute_until: UnixTime::from_secs(1_702_592_000),
            ends_at: UnixTime::from_secs(1_700_605_700),
        }
    }

    const ISSUED: Issued<'_> = Issued { issuer: "https://gate/", audience: &[], token_id: "jti" };

    #[test]
    fn the_claims_are_those_of_rfc_9068_and_the_gates_own() {
        let audience = ["https://api".to_owned()];
        let opening = Opening {
            sub: "alice".to_owned(),
            scopes: vec!["read:posts".to_owned(), "write:posts".to_owned()],
            amr: vec!["pwd".to_owned()],
            jkt: Some("thumbprint".to_owned()),
            claims: Some(r#"{"org_id":"o1"}"#.to_owned()),
            ..Opening::default()
        };
        let issued = Issued { audience: &audience, ..ISSUED };
        let text = claims_of_session(&grant(opening), issued).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://gate/","sub":"alice","aud":["https://api"],"client_id":"first-party","sid":"AQEBAQEBAQEBAQEB","jti":"jti","iat":1700000900,"exp":1700001800,"scope":"read:posts write:posts","auth_time":1700000000,"amr":["pwd"],"cnf":{"jkt":"thumbprint"},"edgegate:gen":7,"edgegate:rep":2,"edgegate:claims":{"org_id":"o1"}}"#
        );
        let claims = Claims::parse(text.as_bytes()).unwrap();
        let session = session_of(&claims).unwrap();
        assert_eq!((session.generation, session.repeats), (7, 2));
        assert_eq!(session.iat, UnixTime::from_secs(1_700_000_900));
    }

    /// better-auth PR 10140: claims of the protocol are out of callers' reach.
    #[test]
    fn further_claims_cannot_set_what_the_protocol_means() {
        let evil = r#"{"sub":"root","scope":"admin","exp":9999999999,"edgegate:gen":0}"#;
        check_further_claims(evil).unwrap();
        let opening = Opening {
            sub: "alice".to_owned(),
            claims: Some(evil.to_owned()),
            ..Opening::default()
        };
        let text = claims_of_session(&grant(opening), ISSUED).unwrap();
        let claims = Claims::parse(text.as_bytes()).unwrap();
        assert_eq!(claims.subject(), Some("alice"));
        assert_eq!(claims.get("scope"), None);
        assert_eq!(session_of(&claims).unwrap().generation, 7);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CLAIMS_LENGTH));
        for wrong in ["[]", "1", r#"{"a":1,"a":2}"#, long.as_str()] {
            assert!(check_further_claims(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_machine_is_named_unlike_every_user_and_has_no_session() {
        let times = Times { iat: UnixTime::from_secs(1), exp: UnixTime::from_secs(2) };
        let text = claims_of_machine(("batch", &[], None), times, ISSUED).unwrap();
        let claims = Claims::parse(text.as_bytes()).unwrap();
        assert_eq!(claims.subject(), Some("client|batch"));
        assert_eq!(claims.session_id(), None);
        assert_eq!(session_of(&claims), None);
    }
}
