//! A token that the example policy accepts.

use anyhow::{Result, anyhow};
use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

/// Issuer and audience of the example policy in wrangler.toml.
const ISSUER: &str = "https://edgegate.local/";
const AUDIENCE: &str = "https://api.example.com";
const LIFETIME_SECS: u64 = 3600;

/// Signed with HS256; may read and write posts for an hour.
pub(super) fn demo(secret: &str, now: u64) -> Result<String> {
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "demo-user",
        "scope": "read:posts write:posts",
        // Makes the token revocable by itself.
        "jti": format!("demo-{now}"),
        "iat": now,
        "exp": now.saturating_add(LIFETIME_SECS),
    });
    sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), secret.as_bytes())
}

fn sign(header: &str, claims: &str, secret: &[u8]) -> Result<String> {
    let encode = |part: &[u8]| Base64UrlUnpadded::encode_string(part);
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)
        .map_err(|_| anyhow!("the HMAC secret: unusable length"))?;
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", encode(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.1.
    #[test]
    fn signs_as_in_rfc_7515() {
        let key = Base64UrlUnpadded::decode_vec(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
        let token = sign(
            "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}",
            &key,
        )
        .unwrap();
        assert_eq!(
            token,
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
             eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
             dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn the_demo_token_lives_for_an_hour() {
        let token = demo("secret", 1_000).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let claims = Base64UrlUnpadded::decode_vec(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["exp"], 4_600);
        assert_eq!(claims["iss"], ISSUER);
    }
}
