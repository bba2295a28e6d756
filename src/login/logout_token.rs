//! What a logout token has to say (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6), after its signature held and [`rules`] were met.
//!
//! Anybody can send one to the gate. So nothing is asked of a store before the signature holds, and each `jti` counts once.

use serde_json::Value;

use crate::{
    error::Error,
    jose::{claims::ClaimRules, verifier::VerifiedToken},
    time::UnixTime,
};

/// How far a provider's clock may be from ours.
const CLOCK_TOLERANCE_SECS: u64 = 120;

/// The oldest that a logout token may be; for as long and the tolerance its `jti` is remembered.
const MAX_AGE_SECS: u64 = 600;

/// For how long its `jti` is remembered: as long as it could be taken, by clocks that differ.
pub const REMEMBERED_SECS: u64 = MAX_AGE_SECS + 2 * CLOCK_TOLERANCE_SECS;

/// The member of `events` that makes it one.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a provider asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// The session at the provider; `None`: all of the subject's.
    pub session: Option<String>,
    /// The subject at the provider.
    pub subject: Option<String>,
    /// The name of the token.
    pub token_id: String,
    /// Until when the name has to be remembered.
    pub remembered_until: UnixTime,
}

/// The rules for all logout tokens of an issuer for this client.
#[must_use]
pub fn rules(issuer: &str, client_id: &str) -> ClaimRules {
    ClaimRules {
        audience: vec![client_id.to_owned()],
        clock_tolerance_secs: CLOCK_TOLERANCE_SECS,
        max_token_age_secs: Some(MAX_AGE_SECS),
        // Final since 2023; before, providers left it out. `iat` bounds both.
        require_exp: false,
        required_claims: ["iat", "jti", "events"].map(str::to_owned).to_vec(),
        ..ClaimRules::new(issuer)
    }
}

/// Reads a verified token.
///
/// # Errors
/// [`Error::UnexpectedClaim`], [`Error::MissingClaim`].
pub fn read(token: &VerifiedToken, now: UnixTime) -> Result<Logout, Error> {
    let unexpected = |claim: &str| Err(Error::UnexpectedClaim { claim: claim.to_owned() });
    let claims = token.claims();
    // `logout+jwt` is recommended, not required; an ID or access token that says what it is, is none.
    let typ = token.header().typ().map(str::to_ascii_lowercase);
    let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    if !matches!(typ, None | Some("logout+jwt" | "jwt")) {
        return unexpected("typ");
    }
    if !matches!(claims.get("events").and_then(|events| events.get(EVENT)), Some(Value::Object(_)))
    {
        return unexpected("events");
    }
    // What has a nonce is an ID token.
    if claims.get("nonce").is_some() {
        return unexpected("nonce");
    }
    let plain = |text: &str| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    let token_id = claims.jwt_id().unwrap_or_default();
    if !plain(token_id) {
        return unexpected("jti");
    }
    let (session, subject) = (claims.session_id(), claims.subject());
    for (claim, text) in [("sid", session), ("sub", subject)] {
        if text.is_some_and(|text| !plain(text)) {
            return unexpected(claim);
        }
    }
    if session.is_none() && subject.is_none() {
        return Err(Error::MissingClaim { claim: "sid".to_owned() });
    }
    Ok(Logout {
        session: session.map(str::to_owned),
        subject: subject.map(str::to_owned),
        token_id: token_id.to_owned(),
        remembered_until: now.saturating_add(REMEMBERED_SECS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const BASE: &str = r#""iss":"https://idp.example","aud":"edgegate","iat":1800000000,"exp":1800000120,"jti":"j1""#;
    const EVENTS: &str = r#""events":{"http://schemas.openid.net/event/backchannel-logout":{}}"#;

    fn logout(typ: Option<&str>, claims: &str) -> Result<Logout, Error> {
        let rules = rules("https://idp.example", "edgegate");
        read(&crate::login::signed::verified(rules, typ, &format!("{{{claims}}}"), NOW)?, NOW)
    }

    fn refused(claims: &str) -> String {
        logout(Some("logout+jwt"), claims).unwrap_err().to_string()
    }

    #[test]
    fn a_session_or_a_subject_is_named() {
        for (more, session, subject) in [
            (r#""sid":"s1","sub":"u1""#, Some("s1"), Some("u1")),
            (r#""sid":"s1""#, Some("s1"), None),
            (r#""sub":"u1""#, None, Some("u1")),
        ] {
            for typ in [Some("logout+jwt"), Some("application/logout+JWT"), Some("JWT"), None] {
                let logout = logout(typ, &format!("{BASE},{EVENTS},{more}")).unwrap();
                assert_eq!(
                    (logout.session.as_deref(), logout.subject.as_deref()),
                    (session, subject)
                );
                assert_eq!(logout.token_id, "j1");
                assert_eq!(logout.remembered_until, NOW.saturating_add(840));
            }
        }
    }

    /// OpenID Foundation, back-channel RP tests; mod_auth_openidc 2.4.20.
    #[test]
    fn anything_else_is_none() {
        let sid = r#""sid":"s1""#;
        assert_eq!(refused(&format!("{BASE},{EVENTS}")), "claim sid is missing");
        assert_eq!(refused(&format!("{BASE},{sid}")), "claim events is missing");
        for events in [
            r#""events":{}"#,
            r#""events":{"http://schemas.openid.net/event/backchannel-logout":true}"#,
            r#""events":{"http://schemas.openid.net/event/other":{}}"#,
            r#""events":"http://schemas.openid.net/event/backchannel-logout""#,
        ] {
            let problem = refused(&format!("{BASE},{events},{sid}"));
            assert_eq!(problem, "events has a value that is not allowed", "{events}");
        }
        let nonce = refused(&format!(r#"{BASE},{EVENTS},{sid},"nonce":"n""#));
        assert_eq!(nonce, "nonce has a value that is not allowed");
        let no_jti = r#""iss":"https://idp.example","aud":"edgegate","iat":1800000000"#;
        assert_eq!(refused(&format!("{no_jti},{EVENTS},{sid}")), "claim jti is missing");
        let no_iat = r#""iss":"https://idp.example","aud":"edgegate","jti":"j""#;
        assert_eq!(refused(&format!("{no_iat},{EVENTS},{sid}")), "claim iat is missing");
        let other = r#""iss":"https://idp.example","aud":"other","iat":1800000000,"jti":"j""#;
        assert_eq!(
            refused(&format!("{other},{EVENTS},{sid}")),
            "aud has a value that is not allowed"
        );
        let old = r#""iss":"https://idp.example","aud":"edgegate","iat":1799999279,"jti":"j""#;
        assert!(refused(&format!("{old},{EVENTS},{sid}")).starts_with("token was issued at"));
        for typ in ["at+jwt", "secevent+jwt", "id+jwt"] {
            assert!(logout(Some(typ), &format!("{BASE},{EVENTS},{sid}")).is_err(), "{typ}");
        }
        let empty = format!(r#"{BASE},{EVENTS},"sid":"","sub":"u1""#);
        assert_eq!(refused(&empty), "sid has a value that is not allowed");
    }
}
