//! Any bytes as claims: read as another JSON parser reads them, and admitted only within their time.
#![no_main]

use edgegate::jose::claims::{ClaimRules, Claims};
use edgegate::jose::jws::UntrustedToken;
use edgegate::jose::scopes::Scopes;
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// The same object with one more member, whose escapes make it no ordinary one: it is read as a tree at once.
fn with_escapes(object: &[u8]) -> Option<Vec<u8>> {
    // Else the last byte may be something else than the object's end.
    serde_json::from_slice::<Value>(object).ok()?;
    let members = object.trim_ascii_end().strip_suffix(b"}")?;
    let comma: &[u8] = if members.trim_ascii() == b"{" { b"" } else { b"," };
    Some([members, comma, br#""\u0000":"\n"}"#].concat())
}

/// What is read of claims without a tree.
fn read(claims: &Claims) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        [claims.issuer(), claims.subject(), claims.jwt_id(), claims.session_id()]
            .map(|claim| claim.map(str::to_owned)),
        claims.audience().map(str::to_owned).collect::<Vec<_>>(),
        [claims.expires_at(), claims.not_before(), claims.issued_at()],
        Scopes::from_claims(claims, None),
    )
}

fuzz_target!(|bytes: &[u8]| {
    let claims = Claims::parse(bytes);
    let tree = with_escapes(bytes).map(|bytes| Claims::parse(&bytes));
    let Ok(claims) = claims else {
        assert!(tree.is_none_or(|tree| tree.err() == claims.err()));
        return;
    };
    let tree = tree.unwrap();
    if !claims.as_object().contains_key("\0") {
        assert_eq!(read(&claims), read(&tree.unwrap()));
    }
    let other: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(Some(claims.as_object()), other.as_object());
    // The same but for the last digit of a fraction, which serde_json does not keep.
    let again = serde_json::to_vec(claims.as_object()).unwrap();
    let again = Claims::parse(&again).unwrap();
    assert!(again.as_object().keys().eq(claims.as_object().keys()));
    assert_eq!((again.issuer(), again.subject()), (claims.issuer(), claims.subject()));

    let token = UntrustedToken::parse("eyJhbGciOiJIUzI1NiJ9.e30.AA", 100).unwrap();
    let rules = ClaimRules {
        audience: vec!["https://api.example.com".to_owned()],
        max_token_age_secs: Some(3600),
        clock_tolerance_secs: 5,
        ..ClaimRules::new("https://edgegate.local/")
    };
    if rules.check(token.header(), &claims, NOW).is_ok() {
        assert_eq!(other["iss"], "https://edgegate.local/");
        assert!(claims.audience().any(|one| one == "https://api.example.com"));
        assert!(other["exp"].as_f64().unwrap() + 5.0 >= 1_700_000_000.0);
        assert!(other["iat"].as_f64().unwrap() <= 1_700_000_006.0);
        assert!(other["iat"].as_f64().unwrap() >= 1_700_000_000.0 - 3606.0);
        assert!(other.get("nbf").is_none_or(|nbf| nbf.as_f64().unwrap() <= 1_700_000_005.0));
    }
    let scopes = Scopes::from_claims(&claims, None);
    assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
});
