//! What an ID token has to say (OpenID Connect Core 1.0 §3.1.3.7), after its signature held and [`rules`] were met.
//!
//! An ID token tells the gate who has logged in, once. It opens nothing else: the gate never takes one as a credential, and keeps none.

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::{binding::AttemptSecrets, state::Asked};
use crate::{
    base64url,
    error::Error,
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Claims},
        verifier::VerifiedToken,
    },
    time::UnixTime,
};

/// How far a provider's clock may be from ours.
pub const CLOCK_TOLERANCE_SECS: u64 = 120;

/// The oldest that an ID token may be at the callback: it was made for it.
const MAX_AGE_SECS: u64 = 300;

/// What `typ` says that is no ID token: an access token (RFC 9068), a logout token, an event (RFC 8417), a proof (RFC 9449).
const OTHER_TYPES: [&str; 4] = ["at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt"];

/// What was asked for, and came with the token.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The client's name at the provider.
    pub client_id: &'a str,
    /// Whose nonce it has; `None`: it came by a refresh (§12.2), where there need be none.
    pub attempt: Option<&'a AttemptSecrets>,
    /// What the provider was asked to see to.
    pub asked: &'a Asked,
    /// The access token that came with it, if one did.
    pub access_token: Option<&'a str>,
}

/// The rules for all ID tokens of an issuer for this client: `iss`, `sub`, `aud`, `exp` and `iat` are there; the gate is the audience.
#[must_use]
pub fn rules(issuer: &str, client_id: &str) -> ClaimRules {
    ClaimRules {
        audience: vec![client_id.to_owned()],
        clock_tolerance_secs: CLOCK_TOLERANCE_SECS,
        max_token_age_secs: Some(MAX_AGE_SECS),
        required_claims: ["sub", "iat"].map(str::to_owned).to_vec(),
        ..ClaimRules::new(issuer)
    }
}

/// Checks what an issuer's rules do not know: which attempt the token is for, and what was asked of the provider.
///
/// In this order: kind, subject, `azp`, `nonce`, `auth_time`, `acr`, `at_hash`.
///
/// # Errors
/// [`Error::UnexpectedClaim`], [`Error::MissingClaim`], [`Error::WrongClaimType`], [`Error::AuthenticationTooOld`].
pub fn check(token: &VerifiedToken, expected: &Expected<'_>, now: UnixTime) -> Result<(), Error> {
    let (header, claims) = (token.header(), token.claims());
    if header.typ().is_some_and(|typ| {
        OTHER_TYPES.iter().any(|other| {
            typ.eq_ignore_ascii_case(other)
                || typ.to_ascii_lowercase().strip_prefix("application/") == Some(other)
        })
    }) {
        return unexpected("typ");
    }
    check_subject(claims)?;
    check_party(claims, expected.client_id)?;
    check_nonce(claims, expected.attempt)?;
    check_proof(claims, expected.asked, now)?;
    check_access_token(claims, header.algorithm(), expected.access_token)
}

fn unexpected(claim: &str) -> Result<(), Error> {
    Err(Error::UnexpectedClaim { claim: claim.to_owned() })
}

fn missing(claim: &str) -> Result<(), Error> {
    Err(Error::MissingClaim { claim: claim.to_owned() })
}

/// §2: at most 255 characters. An empty one would be everybody's.
fn check_subject(claims: &Claims) -> Result<(), Error> {
    let subject = claims.subject().unwrap_or_default();
    let fits = (1..=255).contains(&subject.len()) && !subject.chars().any(char::is_control);
    if fits { Ok(()) } else { unexpected("sub") }
}

/// §3.1.3.7, 4 and 5: a token for several has to say that it was issued to this client; and whoever it names has to be this client.
fn check_party(claims: &Claims, client_id: &str) -> Result<(), Error> {
    match claims.get("azp") {
        Some(party) if party.as_str() == Some(client_id) => Ok(()),
        Some(_) => unexpected("azp"),
        None if claims.audience().count() > 1 => missing("azp"),
        None => Ok(()),
    }
}

fn check_nonce(claims: &Claims, attempt: Option<&AttemptSecrets>) -> Result<(), Error> {
    let Some(attempt) = attempt else { return Ok(()) };
    match claims.get("nonce") {
        None => missing("nonce"),
        Some(nonce) if nonce.as_str().is_some_and(|nonce| attempt.has_nonce(nonce)) => Ok(()),
        Some(_) => unexpected("nonce"),
    }
}

/// §3.1.2.1: whoever asks for an age or a class has to look whether the provider saw to it.
fn check_proof(claims: &Claims, asked: &Asked, now: UnixTime) -> Result<(), Error> {
    if let Some(max_age_secs) = asked.max_age_secs {
        let Some(time) = claims.get("auth_time") else { return missing("auth_time") };
        let Some(secs) = time.as_i64() else {
            return Err(Error::WrongClaimType {
                claim: "auth_time".to_owned(),
                expected: "a number",
            });
        };
        let signed_in_at = UnixTime::from_secs(secs);
        let max_age_secs = u64::from(max_age_secs);
        let latest = signed_in_at.saturating_add(max_age_secs).saturating_add(CLOCK_TOLERANCE_SECS);
        if latest < now {
            return Err(Error::AuthenticationTooOld { signed_in_at, max_age_secs, now });
        }
        if signed_in_at > now.saturating_add(CLOCK_TOLERANCE_SECS) {
            return unexpected("auth_time");
        }
    }
    if asked.acr_values.is_empty() {
        return Ok(());
    }
    match claims.get("acr") {
        None => missing("acr"),
        Some(acr) if asked.acr_values.iter().any(|asked| acr.as_str() == Some(asked)) => Ok(()),
        Some(_) => unexpected("acr"),
    }
}

/// §3.1.3.6: half of a hash of the access token. In this flow it need not be there; where it is, the two belong together.
fn check_access_token(
    claims: &Claims,
    algorithm: Algorithm,
    access_token: Option<&str>,
) -> Result<(), Error> {
    let (Some(hash), Some(access_token)) = (claims.get("at_hash"), access_token) else {
        return Ok(());
    };
    let presented = hash.as_str().unwrap_or_default();
    let holds: bool =
        half_hash(algorithm, access_token).as_bytes().ct_eq(presented.as_bytes()).into();
    if holds { Ok(()) } else { unexpected("at_hash") }
}

/// The left half of the hash that the algorithm uses.
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let half =
        |hash: &[u8]| base64url::encode(hash.get(..hash.len().div_euclid(2)).unwrap_or_default());
    let name = algorithm.as_str();
    if name.ends_with("384") {
        half(&Sha384::digest(text))
    } else if name.ends_with("512") || algorithm == Algorithm::EdDsa {
        half(&Sha512::digest(text))
    } else {
        half(&Sha256::digest(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const BASE: &str =
        r#""iss":"https://idp.example","sub":"248289761001","exp":1800000300,"iat":1800000000"#;

    fn attempt() -> AttemptSecrets {
        AttemptSecrets { verifier: "v".repeat(43), nonce: "n-0S6_WzA2Mj".to_owned() }
    }

    fn checked(typ: Option<&str>, claims: &str, asked: &Asked) -> Result<(), Error> {
        let rules = rules("https://idp.example", "edgegate");
        let token = crate::login::signed::verified(rules, typ, claims, NOW)?;
        let attempt = attempt();
        let expected = Expected {
            client_id: "edgegate",
            attempt: Some(&attempt),
            asked,
            access_token: Some("access"),
        };
        check(&token, &expected, NOW)
    }

    fn simple(more: &str) -> Result<(), Error> {
        let claims = format!(r#"{{{BASE},"aud":"edgegate","nonce":"n-0S6_WzA2Mj"{more}}}"#);
        checked(None, &claims, &Asked::default())
    }

    fn unexpected_claim(claim: &str) -> Result<(), Error> {
        unexpected(claim)
    }

    #[test]
    fn a_token_for_this_client_and_attempt_is_taken() {
        assert_eq!(simple(""), Ok(()));
        assert_eq!(simple(r#","azp":"edgegate""#), Ok(()));
    }

    /// OpenID Foundation, RP tests: iss, aud, sub, iat, azp, nonce.
    #[test]
    fn what_is_missing_or_anothers_is_named() {
        let with = |claims: &str| checked(None, &format!("{{{claims}}}"), &Asked::default());
        let nonce = r#""nonce":"n-0S6_WzA2Mj""#;
        let missing = |claim: &str| Err(Error::MissingClaim { claim: claim.to_owned() });
        assert_eq!(with(&format!(r#"{BASE},"aud":"edgegate""#)), missing("nonce"));
        assert_eq!(
            with(&format!(r#"{BASE},"aud":"edgegate","nonce":"other""#)),
            unexpected_claim("nonce")
        );
        assert_eq!(
            with(&format!(r#"{BASE},"aud":"edgegate","nonce":7"#)),
            unexpected_claim("nonce")
        );
        assert_eq!(with(&format!(r#"{BASE},"aud":"other",{nonce}"#)), unexpected_claim("aud"));
        assert_eq!(with(&format!("{BASE},{nonce}")), missing("aud"));
        assert_eq!(with(&format!(r#"{BASE},"aud":["edgegate","other"],{nonce}"#)), missing("azp"));
        assert_eq!(
            with(&format!(r#"{BASE},"aud":["edgegate","other"],"azp":"edgegate",{nonce}"#)),
            Ok(())
        );
        assert_eq!(simple(r#","azp":"other""#), unexpected_claim("azp"));
        assert_eq!(simple(r#","azp":null"#), unexpected_claim("azp"));
        let no_sub =
            r#""iss":"https://idp.example","exp":1800000300,"iat":1800000000,"aud":"edgegate""#;
        assert_eq!(with(&format!("{no_sub},{nonce}")), missing("sub"));
        assert_eq!(with(&format!(r#"{no_sub},"sub":"",{nonce}"#)), unexpected_claim("sub"));
        let no_iat = r#""iss":"https://idp.example","sub":"1","exp":1800000300,"aud":"edgegate""#;
        assert_eq!(with(&format!("{no_iat},{nonce}")), missing("iat"));
    }

    #[test]
    fn another_kind_of_token_is_none() {
        let claims = format!(r#"{{{BASE},"aud":"edgegate","nonce":"n-0S6_WzA2Mj"}}"#);
        for typ in ["at+jwt", "application/at+jwt", "AT+JWT", "logout+jwt", "dpop+jwt"] {
            assert_eq!(
                checked(Some(typ), &claims, &Asked::default()),
                unexpected_claim("typ"),
                "{typ}"
            );
        }
        assert_eq!(checked(Some("JWT"), &claims, &Asked::default()), Ok(()));
    }

    #[test]
    fn clocks_may_be_two_minutes_apart_and_an_old_token_is_not_taken() {
        let at = |iat: i64, exp: i64| {
            let claims = format!(
                r#"{{"iss":"https://idp.example","sub":"1","aud":"edgegate","nonce":"n-0S6_WzA2Mj","iat":{iat},"exp":{exp}}}"#
            );
            checked(None, &claims, &Asked::default())
        };
        let now = NOW.as_secs();
        assert_eq!(at(now + 120, now + 300), Ok(()));
        assert!(matches!(at(now + 121, now + 300), Err(Error::TokenNotYetValid { .. })));
        assert_eq!(at(now - 100, now - 119), Ok(()));
        assert!(matches!(at(now - 100, now - 120), Err(Error::TokenExpired { .. })));
        assert!(matches!(at(now - 421, now + 300), Err(Error::TokenTooOld { .. })));
    }

    /// RFC 9470 §5, OpenID Connect Core 1.0 §3.1.2.1: who asks has to look.
    #[test]
    fn what_was_asked_for_has_to_be_there() {
        let asked = Asked {
            max_age_secs: Some(60),
            acr_values: vec!["gold".to_owned(), "silver".to_owned()],
            remember: false,
        };
        let with = |more: &str| {
            let claims = format!(r#"{{{BASE},"aud":"edgegate","nonce":"n-0S6_WzA2Mj"{more}}}"#);
            checked(None, &claims, &asked)
        };
        assert_eq!(with(r#","auth_time":1800000000,"acr":"silver""#), Ok(()));
        assert_eq!(with(r#","acr":"gold""#), missing("auth_time"));
        assert_eq!(with(r#","auth_time":1800000000"#), missing("acr"));
        assert_eq!(with(r#","auth_time":1800000000,"acr":"bronze""#), unexpected("acr"));
        assert_eq!(with(r#","auth_time":1800000000,"acr":["gold"]"#), unexpected("acr"));
        assert_eq!(with(r#","auth_time":1800000121,"acr":"gold""#), unexpected("auth_time"));
        let old = with(r#","auth_time":1799999819,"acr":"gold""#);
        assert!(matches!(old, Err(Error::AuthenticationTooOld { max_age_secs: 60, .. })));
        let text = with(r#","auth_time":"1800000000","acr":"gold""#);
        assert!(matches!(text, Err(Error::WrongClaimType { .. })));
    }

    #[test]
    fn a_hash_of_another_access_token_is_refused() {
        let hash = half_hash(Algorithm::Hs256, "access");
        assert_eq!(hash.len(), 22);
        assert_eq!(simple(&format!(r#","at_hash":"{hash}""#)), Ok(()));
        assert_eq!(simple(r#","at_hash":"77QmUPtjPfzWtF2AnpK9RQ""#), unexpected("at_hash"));
        assert_eq!(simple(r#","at_hash":1"#), unexpected("at_hash"));
    }

    /// OpenID Connect Core 1.0 appendix A.4.
    #[test]
    fn the_hash_is_the_left_half() {
        assert_eq!(
            half_hash(Algorithm::Rs256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
