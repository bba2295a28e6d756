//! What Apple takes in the place of a client's secret: a JWT of ES256 by the client's own key.
//! <https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret>

use serde::Serialize;

use crate::{base64url, time::UnixTime};

/// How long one is good. Apple takes half a year; it is made anew for each request, so minutes do.
const LIFETIME_SECS: u64 = 300;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: UnixTime,
    exp: UnixTime,
    aud: &'a str,
    sub: &'a str,
}

/// Who signs, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Whose key it is.
    pub team_id: &'a str,
    /// Which key.
    pub key_id: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The provider's issuer.
    pub audience: &'a str,
}

/// The text that is signed (RFC 7515 §5.1).
#[must_use]
pub fn unsigned(signer: Signer<'_>, now: UnixTime) -> String {
    let header = Header { alg: "ES256", kid: signer.key_id };
    let claims = Claims {
        iss: signer.team_id,
        iat: now,
        exp: now.saturating_add(LIFETIME_SECS),
        aud: signer.audience,
        sub: signer.client_id,
    };
    // What is written are texts and numbers.
    let part =
        |text: serde_json::Result<String>| base64url::encode(text.unwrap_or_default().as_bytes());
    format!("{}.{}", part(serde_json::to_string(&header)), part(serde_json::to_string(&claims)))
}

/// The JWT, of the text and its signature `r ‖ s`.
#[must_use]
pub fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", base64url::encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_signs_for_whom_and_for_how_long() {
        let signer = Signer {
            team_id: "TEAM",
            key_id: "KEY",
            client_id: "app",
            audience: "https://apple.test",
        };
        let text = signed(&unsigned(signer, UnixTime::from_secs(1_800_000_000)), &[1, 2]);
        let parts: Vec<&str> = text.split('.').collect();
        let decoded = |part: &str| String::from_utf8(base64url::decode(part).unwrap()).unwrap();
        assert_eq!(decoded(parts[0]), r#"{"alg":"ES256","kid":"KEY"}"#);
        assert_eq!(
            decoded(parts[1]),
            r#"{"iss":"TEAM","iat":1800000000,"exp":1800000300,"aud":"https://apple.test","sub":"app"}"#
        );
        assert_eq!(parts[2], "AQI");
    }
}
