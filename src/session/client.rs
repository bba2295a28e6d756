//! OAuth clients: what they present, and what proves that it is they (RFC 6749 §2.3, RFC 7523 §2.2).

use core::fmt;

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    oauth::{Form, OAuthError, decode},
    step::Reuse,
};
use crate::{
    jose::{claims::Claims, dpop::ReplayKey},
    json::object::words,
    secret::Secret,
    time::UnixTime,
};

/// What an assertion is said to be (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far ahead the `exp` of an assertion may lie.
const MAX_ASSERTION_SECS: u64 = 300;

/// How far a client's clock may be off.
const CLOCK_TOLERANCE_SECS: u64 = 60;

/// How long an assertion has to be remembered at most: as far ahead as its `exp` may lie, and as long as it is taken after that.
pub const LONGEST_ASSERTION_SECS: u64 = MAX_ASSERTION_SECS + 2 * CLOCK_TOLERANCE_SECS;

/// What a client may ask for at `/token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// `refresh_token`: sessions that name it.
    RefreshToken,
    /// `client_credentials`: tokens of its own.
    ClientCredentials,
}

words!(GrantType {
    "refresh_token" => GrantType::RefreshToken,
    "client_credentials" => GrantType::ClientCredentials,
});

/// What proves that it is the client.
pub enum ClientProof {
    /// It knows a secret.
    Secret(Secret),
    /// It knows a secret, of which the policy has the SHA-256.
    SecretSha256([u8; 32]),
    /// It signs assertions by keys that it publishes (`private_key_jwt`).
    Jwks {
        /// Where.
        uri: String,
    },
}

impl fmt::Debug for ClientProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(_)",
            Self::SecretSha256(_) => "SecretSha256(_)",
            Self::Jwks { .. } => "Jwks",
        })
    }
}

/// A client of the policy.
#[derive(Debug)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// What proves that it is the client.
    pub proof: ClientProof,
    /// What it may ask for.
    pub grants: Vec<GrantType>,
    /// The most that its own tokens may do.
    pub scopes: Vec<String>,
    /// When a refresh token that it presents again means theft.
    pub reuse: Reuse,
    /// The time of [`Reuse::Grace`].
    pub grace_secs: u32,
    /// Whether it may ask about tokens of others.
    pub introspect: bool,
}

impl Client {
    /// Whether this is its secret, compared in constant time.
    #[must_use]
    pub fn has_secret(&self, presented: &str) -> bool {
        match &self.proof {
            ClientProof::Secret(secret) => secret.matches(presented.as_bytes()),
            ClientProof::SecretSha256(hash) => {
                hash.as_slice().ct_eq(&Sha256::digest(presented.as_bytes())).into()
            }
            ClientProof::Jwks { .. } => false,
        }
    }

    /// Whether it may ask for this.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

/// What a request says of its client.
pub enum Presented {
    /// Nothing, or a name alone.
    Nobody {
        /// The name.
        client_id: Option<String>,
    },
    /// A secret (`client_secret_basic` or `client_secret_post`).
    Secret {
        /// The name.
        client_id: String,
        /// The secret.
        secret: Zeroizing<String>,
    },
    /// An assertion (`private_key_jwt`); its `iss` is the name.
    Assertion {
        /// The name beside it, which has to be the same.
        client_id: Option<String>,
        /// The JWT.
        assertion: String,
    },
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody { .. } => "Nobody",
            Self::Secret { .. } => "Secret(_)",
            Self::Assertion { .. } => "Assertion(_)",
        })
    }
}

/// Reads what a request says of its client.
///
/// # Errors
/// [`OAuthError::InvalidRequest`] for more than one method (RFC 6749 §2.3), [`OAuthError::InvalidClient`] for one that cannot be read
/// or names another client beside it.
pub fn presented(authorization: Option<&str>, form: &Form<'_>) -> Result<Presented, OAuthError> {
    let name = form.get("client_id").map(str::to_owned);
    let secret = form.get("client_secret");
    let assertion = form.get("client_assertion");
    let kind = form.get("client_assertion_type");
    match (authorization, secret, assertion, kind) {
        (None, None, None, None) => Ok(Presented::Nobody { client_id: name }),
        (Some(header), None, None, None) => {
            let (client_id, secret) = basic(header).ok_or(OAuthError::InvalidClient)?;
            if name.is_some_and(|name| name != client_id) {
                return Err(OAuthError::InvalidClient);
            }
            Ok(Presented::Secret { client_id, secret })
        }
        (None, Some(secret), None, None) => {
            let client_id = name.ok_or(OAuthError::InvalidClient)?;
            Ok(Presented::Secret { client_id, secret: Zeroizing::new(secret.to_owned()) })
        }
        (None, None, Some(assertion), Some(ASSERTION_TYPE)) => {
            Ok(Presented::Assertion { client_id: name, assertion: assertion.to_owned() })
        }
        (None, None, Some(_), _) | (None, None, None, Some(_)) => Err(OAuthError::InvalidClient),
        _ => Err(OAuthError::InvalidRequest),
    }
}

/// `Basic`, whose two halves are encoded as in a form first (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(Base64::decode_vec(encoded.trim()).ok()?);
    let (name, secret) = core::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let (name, secret) = (decode(name)?, decode(secret)?);
    let complete = !name.is_empty() && !secret.is_empty();
    complete.then(|| (name.into_owned(), Zeroizing::new(secret.into_owned())))
}

/// What an assertion proves, once its signature holds: the key under which it has to be seen for the first time, and until when that
/// has to be remembered.
///
/// `iss` and `sub` are the client. `aud` is one text, `issuer` or the token endpoint: a list could be meant for another server too
/// (GHSA-3p3g-vpw6-4w66).
///
/// # Errors
/// [`OAuthError::InvalidClient`].
pub fn check_assertion(
    client: &str,
    claims: &Claims,
    audiences: [&str; 2],
    now: UnixTime,
) -> Result<(ReplayKey, UnixTime), OAuthError> {
    let own = claims.issuer() == Some(client) && claims.subject() == Some(client);
    let audience = claims.get("aud").and_then(serde_json::Value::as_str);
    let for_us = audience.is_some_and(|audience| audiences.contains(&audience));
    let exp = claims.expires_at().ok_or(OAuthError::InvalidClient)?;
    let latest = now.saturating_add(MAX_ASSERTION_SECS.saturating_add(CLOCK_TOLERANCE_SECS));
    let ahead = now.saturating_add(CLOCK_TOLERANCE_SECS);
    let in_time = now < exp
        && exp <= latest
        && claims.issued_at().is_none_or(|iat| iat <= ahead)
        && claims.not_before().is_none_or(|nbf| nbf <= ahead);
    let jti =
        claims.jwt_id().filter(|jti| (1..=crate::jose::dpop::MAX_JTI_LENGTH).contains(&jti.len()));
    match jti {
        Some(jti) if own && for_us && in_time => {
            let key = ReplayKey::new(&[client, "client-assertion", jti]);
            Ok((key, exp.saturating_add(CLOCK_TOLERANCE_SECS)))
        }
        _ => Err(OAuthError::InvalidClient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, body: &str) -> Result<Presented, OAuthError> {
        presented(authorization, &Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn one_method_and_one_name() {
        // `a b:c%3A` as a form, then base64.
        let basic = "Basic YStiOmMlM0E=";
        let Ok(Presented::Secret { client_id, secret }) = read(Some(basic), "") else { panic!() };
        assert_eq!((client_id.as_str(), secret.as_str()), ("a b", "c:"));
        assert!(read(Some(basic), "client_id=a+b").is_ok());
        let refused = |authorization, body| read(authorization, body).unwrap_err();
        assert_eq!(refused(Some(basic), "client_id=other"), OAuthError::InvalidClient);
        assert_eq!(refused(Some(basic), "client_secret=x"), OAuthError::InvalidRequest);
        assert_eq!(refused(Some("Bearer x"), ""), OAuthError::InvalidClient);
        assert_eq!(refused(Some("Basic !"), ""), OAuthError::InvalidClient);
        assert_eq!(refused(None, "client_secret=x"), OAuthError::InvalidClient);
        assert_eq!(refused(None, "client_assertion=x"), OAuthError::InvalidClient);
        assert_eq!(
            refused(None, "client_id=a&client_secret=x&client_assertion=x"),
            OAuthError::InvalidRequest
        );
        assert!(matches!(read(None, "client_id=a").unwrap(), Presented::Nobody { .. }));
    }

    /// GHSA-3p3g-vpw6-4w66: `jti` once, `aud` exact, `exp` near.
    #[test]
    fn assertions_are_for_this_gate_and_short_lived() {
        let now = UnixTime::from_secs(1_700_000_000);
        let check = |claims: &str| {
            let claims = Claims::parse(claims.as_bytes()).unwrap();
            check_assertion("batch", &claims, ["https://gate/", "https://gate/auth/token"], now)
        };
        let with = |aud: &str, exp: i64, rest: &str| {
            format!(r#"{{"iss":"batch","sub":"batch","aud":{aud},"exp":{exp}{rest}}}"#)
        };
        let good = with(r#""https://gate/auth/token""#, 1_700_000_060, r#","jti":"1""#);
        let (key, until) = check(&good).unwrap();
        assert_eq!(until, UnixTime::from_secs(1_700_000_120));
        let issuer = with(r#""https://gate/""#, 1_700_000_300, r#","jti":"1""#);
        assert_eq!(check(&issuer).unwrap().0.storage_name(), key.storage_name());
        for wrong in [
            with(r#"["https://gate/"]"#, 1_700_000_060, r#","jti":"1""#),
            with(r#""https://gate""#, 1_700_000_060, r#","jti":"1""#),
            with(r#""https://gate/""#, 1_700_000_000, r#","jti":"1""#),
            with(r#""https://gate/""#, 1_700_000_361, r#","jti":"1""#),
            with(r#""https://gate/""#, 1_700_000_060, ""),
            with(r#""https://gate/""#, 1_700_000_060, r#","jti":"""#),
            with(r#""https://gate/""#, 1_700_000_060, r#","jti":"1","nbf":1700000061"#),
            with(r#""https://gate/""#, 1_700_000_060, r#","jti":"1","iat":1700000061"#),
            good.replace(r#""sub":"batch""#, r#""sub":"other""#),
            good.replace(r#""iss":"batch""#, r#""iss":"other""#),
            r#"{"iss":"batch","sub":"batch","aud":"https://gate/","jti":"1"}"#.to_owned(),
        ] {
            assert_eq!(check(&wrong).unwrap_err(), OAuthError::InvalidClient, "{wrong}");
        }
    }
}
