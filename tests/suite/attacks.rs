//! Known attacks on JWT verifiers, by name. Each must fail for the reason it should fail for.
//! Where one has a number or a rule, the test names it.

use crate::mint::{self, eddsa, eddsa_key, hmac_with, hs256, hs256_key, message, set, verify};
use edgegate::base64url::encode;
use edgegate::error::{Error, TokenPart};
use edgegate::jose::claims::{ClaimRules, Claims};
use edgegate::jose::dpop::Binding;
use edgegate::jose::keys::Key;
use edgegate::jose::verifier::{self, Issuer, KeySource, Verifier};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken},
};
use edgegate::secret::Secret;
use edgegate::time::UnixTime;

const HS256: &str = r#"{"alg":"HS256"}"#;
const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const CLAIMS: &str = r#"{"iss":"me","sub":"you","exp":1700000060}"#;

#[track_caller]
fn refused(token: &str, error: Error) {
    for key in [hs256_key(), eddsa_key()] {
        let found = verify(token, &key).map(|_| ()).unwrap_err();
        assert_eq!(found, error);
    }
}

#[track_caller]
fn malformed(token: &str, part: TokenPart, problem: &'static str) {
    refused(token, Error::MalformedToken { part, problem });
}

/// Parses claims behind a signature that holds.
#[track_caller]
fn claims(payload: impl AsRef<[u8]>) -> Result<Claims, Error> {
    Claims::parse(verify(&hs256(HS256, payload), &hs256_key()).unwrap().payload())
}

#[test]
fn the_honest_token_passes() {
    assert_eq!(verify(&hs256(HS256, CLAIMS), &hs256_key()).unwrap().payload(), CLAIMS.as_bytes());
    let token = eddsa(r#"{"alg":"EdDSA"}"#, CLAIMS);
    assert_eq!(verify(&token, &eddsa_key()).unwrap().payload(), CLAIMS.as_bytes());
}

/// RFC 8725 §2.1; CVE-2015-9235 (jsonwebtoken), CVE-2020-28042 (ServiceStack).
#[test]
fn none_in_every_spelling() {
    for name in
        ["none", "None", "NONE", "nOnE", "none ", " none", "", "null", "hs256", "HS256 ", "HS257"]
    {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        refused(&hs256(&header, CLAIMS), Error::AlgorithmNotAllowed);
        malformed(
            &format!("{}.", message(&header, CLAIMS)),
            TokenPart::Token,
            "expected three segments, header and signature not empty",
        );
    }
}

#[test]
fn no_algorithm_or_one_of_another_type() {
    malformed(&hs256("{}", CLAIMS), TokenPart::Header, "alg is missing");
    for value in ["null", "0", "[\"HS256\"]", "{}", "true"] {
        let header = format!(r#"{{"alg":{value}}}"#);
        malformed(&hs256(header, CLAIMS), TokenPart::Header, "alg is not a string");
    }
}

/// RFC 8725 §2.1; CVE-2015-9235 (jsonwebtoken), CVE-2016-10555 (jwt-simple), CVE-2022-29217 (PyJWT: keys in
/// forms that its list of forbidden secrets did not know).
#[test]
fn the_public_key_used_as_an_hmac_secret() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/pem.json")).unwrap();
    for vector in vectors["accepted"].as_array().unwrap() {
        let pem = vector["pem"].as_str().unwrap();
        let jwk = vector["jwk"].to_string();
        let key = Key::from_pem(pem).unwrap();
        let der = der_of(pem);
        for secret in [pem.as_bytes(), pem.trim().as_bytes(), jwk.as_bytes(), &der] {
            // The key decides: an HMAC is not even computed.
            let token = hmac_with(secret, HS256, CLAIMS);
            let found = verify(&token, &key).map(|_| ()).unwrap_err();
            assert_eq!(found, Error::AlgorithmNotAllowed, "{}", vector["name"]);
            // And nobody can configure it by mistake.
            let mistake = Key::hmac(Secret::new(secret.to_vec()), Algorithm::Hs256, None);
            assert!(mistake.is_err(), "{}", vector["name"]);
        }
    }
}

/// RFC 8725 §3.1.
#[test]
fn an_algorithm_of_another_kind_for_a_known_key() {
    let all = ["HS384", "HS512", "RS256", "PS256", "ES256", "ES512"];
    for name in all {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        refused(&hs256(header, CLAIMS), Error::AlgorithmNotAllowed);
    }
    let header = r#"{"alg":"EdDSA"}"#;
    let found = verify(&hs256(header, CLAIMS), &hs256_key()).map(|_| ()).unwrap_err();
    assert_eq!(found, Error::AlgorithmNotAllowed);
}

/// RFC 8725 §3.10; CVE-2018-0114 (node-jose).
#[test]
fn a_key_brought_along_in_the_header_is_not_used() {
    // Signed by the attacker's key, which the header offers in every way there is.
    let attacker = b"ATTACKER-ATTACKER-ATTACKER-ATTACK";
    let k = encode(attacker);
    let header = format!(
        r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{k}"}},"jku":"https://evil.example/jwks",
            "x5u":"https://evil.example/x5u","x5c":["MIIB"],"kid":"../../dev/null"}}"#
    );
    let found = verify(&hmac_with(attacker, &header, CLAIMS), &hs256_key());
    assert_eq!(found.map(|_| ()).unwrap_err(), Error::BadSignature);
    // The same header from the right signer does no harm.
    assert!(verify(&hs256(&header, CLAIMS), &hs256_key()).is_ok());
}

/// RFC 2104 §5; CVE-2020-28042 (ServiceStack).
#[test]
fn empty_null_and_shortened_signatures() {
    let body = message(HS256, CLAIMS);
    malformed(
        &format!("{body}."),
        TokenPart::Token,
        "expected three segments, header and signature not empty",
    );
    for signature in [&b"\0"[..], &[0; 16], &[0; 32], &[0; 64], b"null"] {
        let token = format!("{body}.{}", encode(signature));
        let found = verify(&token, &hs256_key()).map(|_| ()).unwrap_err();
        assert_eq!(found, Error::BadSignature);
    }
    let token = hs256(HS256, CLAIMS);
    let (body, signature) = token.rsplit_once('.').unwrap();
    let tag = edgegate::base64url::decode(signature).unwrap();
    for length in 1..tag.len() {
        let token = format!("{body}.{}", encode(&tag[..length]));
        assert_eq!(
            verify(&token, &hs256_key()).map(|_| ()).unwrap_err(),
            Error::BadSignature,
            "{length}"
        );
    }
}

/// CVE-2022-21449 ("psychic signatures", Java): r = s = 0 held for every message. The same taken modulo the
/// order of the curve is tested with the arithmetic, in `signature::pure`.
#[test]
fn zero_signatures_never_reach_the_host() {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                  "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let key = Key::from_jwk(jwk).unwrap();
    let body = message(r#"{"alg":"ES256"}"#, CLAIMS);
    let half = |byte| [byte; 32];
    for signature in [
        [half(0), half(0)].concat(),
        [half(0), half(1)].concat(),
        [half(1), half(0)].concat(),
        vec![1; 63],
        vec![1; 65],
        vec![1; 96],
        // DER, as other protocols write ECDSA.
        [&[0x30, 0x44, 2, 32][..], &half(1), &[2, 32], &half(1)].concat(),
    ] {
        let token = format!("{body}.{}", encode(&signature));
        assert_eq!(verify(&token, &key).map(|_| ()).unwrap_err(), Error::BadSignature);
    }
}

#[test]
fn an_rsa_signature_shorter_or_longer_than_the_modulus_never_reaches_the_host() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    let key = Key::from_jwk_value(&vectors[1]["jwk"]).unwrap();
    let body = message(r#"{"alg":"RS256"}"#, CLAIMS);
    for length in [1, 255, 257, 512] {
        let token = format!("{body}.{}", encode(&vec![1; length]));
        assert_eq!(verify(&token, &key).map(|_| ()).unwrap_err(), Error::BadSignature, "{length}");
    }
    let token = format!("{body}.{}", encode(&[1; 256]));
    let token = UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
    assert!(matches!(token.verify(&key), Ok(JwsStep::NeedsHost(_))));
}

/// RFC 7515 §2, RFC 4648 §3.5.
#[test]
fn second_spellings_of_a_segment() {
    let token = hs256(HS256, CLAIMS);
    let segments: Vec<&str> = token.split('.').collect();
    let parts = [TokenPart::Header, TokenPart::Payload, TokenPart::Signature];
    for (index, part) in parts.into_iter().enumerate() {
        let segment = segments[index];
        let mut spellings = vec![
            format!("{segment}="),
            format!("{segment}=="),
            format!("{segment}\n"),
            format!(" {segment}"),
            format!("{segment}\0"),
            format!("{segment}%3D"),
        ];
        // The last character of a tag of 32 bytes has two spare bits.
        if part == TokenPart::Signature {
            let last = segment.as_bytes()[segment.len() - 1];
            for other in [b'B', b'C', b'D'] {
                let mut changed = segment.as_bytes().to_vec();
                *changed.last_mut().unwrap() = last - (last - b'A') % 4 + (other - b'A');
                let changed = String::from_utf8(changed).unwrap();
                if changed != segment && changed.as_bytes()[segment.len() - 1].is_ascii_uppercase()
                {
                    spellings.push(changed);
                }
            }
        }
        for spelling in spellings {
            let mut changed = segments.clone();
            changed[index] = &spelling;
            malformed(&changed.join("."), part, "not base64url without padding");
        }
    }
    // The alphabet of plain base64.
    let payload = r#"{"iss":"me","n":"~~~???"}"#;
    let token = hs256(HS256, payload);
    assert!(token.contains('-') || token.contains('_'));
    let plain = token.replace('-', "+").replace('_', "/");
    assert!(verify(&plain, &hs256_key()).is_err());
}

#[test]
fn the_wrong_number_of_segments() {
    let token = hs256(HS256, CLAIMS);
    let problem = "expected three segments, header and signature not empty";
    for token in [
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        ".a.b",
        "a.b.",
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}.a"),
        // A JWE has five.
        "a.b.c.d.e",
    ] {
        malformed(token, TokenPart::Token, problem);
    }
}

#[test]
fn whitespace_around_the_token() {
    let token = hs256(HS256, CLAIMS);
    for changed in [format!(" {token}"), format!("\t{token}"), format!("Bearer {token}")] {
        malformed(&changed, TokenPart::Header, "not base64url without padding");
    }
    for changed in [format!("{token} "), format!("{token}\r\n"), format!("{token},")] {
        malformed(&changed, TokenPart::Signature, "not base64url without padding");
    }
}

/// RFC 7515 §4, RFC 7519 §4, RFC 8259 §4.
#[test]
fn names_that_occur_twice() {
    for header in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
        r#"{"alg":"HS256","x":1,"x":1}"#,
    ] {
        refused(&hs256(header, CLAIMS), Error::DuplicateMember(TokenPart::Header));
    }
    for payload in [
        r#"{"sub":"me","sub":"admin"}"#,
        r#"{"sub":"me","\u0073ub":"admin"}"#,
        r#"{"exp":1,"exp":9999999999}"#,
        r#"{"a":{"roles":[],"roles":["admin"]}}"#,
    ] {
        assert_eq!(claims(payload).unwrap_err(), Error::DuplicateMember(TokenPart::Payload));
    }
}

/// RFC 7515 §4.1.11, RFC 7797 §6.
#[test]
fn extensions_nobody_understands() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":"b64"}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","b64":false}"#,
        r#"{"alg":"HS256","b64":true}"#,
    ] {
        refused(&hs256(header, CLAIMS), Error::UnsupportedCritical);
    }
}

#[test]
fn headers_that_are_no_object() {
    for header in ["", "null", "[]", "\"HS256\"", "HS256"] {
        let token = hs256(header, CLAIMS);
        if header.is_empty() {
            malformed(
                &token,
                TokenPart::Token,
                "expected three segments, header and signature not empty",
            );
        } else {
            malformed(&token, TokenPart::Header, "not a JSON object");
        }
    }
    for header in [r#"{"alg":"HS256"}{}"#, r#"{"alg":"HS256",}"#, r#"{"alg":"HS256"}\0"#] {
        malformed(&hs256(header, CLAIMS), TokenPart::Header, "not JSON");
    }
}

#[test]
fn members_of_the_header_of_another_type() {
    for value in ["1", "null", "[]", "{}", "true"] {
        let kid = format!(r#"{{"alg":"HS256","kid":{value}}}"#);
        malformed(&hs256(kid, CLAIMS), TokenPart::Header, "kid is not a string");
        let typ = format!(r#"{{"alg":"HS256","typ":{value}}}"#);
        malformed(&hs256(typ, CLAIMS), TokenPart::Header, "typ is not a string");
    }
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257));
    malformed(&hs256(long, CLAIMS), TokenPart::Header, "kid is longer than 256 bytes");
}

/// RFC 7515 §5.2 step 3, RFC 8725 §3.7.
#[test]
fn invalid_utf8() {
    malformed(
        &hs256(b"{\"alg\":\"HS256\",\"a\":\"\xff\"}", CLAIMS),
        TokenPart::Header,
        "not UTF-8",
    );
    for payload in [&b"{\"sub\":\"\xff\"}"[..], b"{\"sub\":\"\xc0\xaf\"}", b"\xff\xfe{\0}\0"] {
        assert_eq!(
            claims(payload).unwrap_err(),
            Error::MalformedToken { part: TokenPart::Payload, problem: "not UTF-8" }
        );
    }
    // Characters outside ASCII in the token itself.
    malformed("é.b.c", TokenPart::Header, "not base64url without padding");
}

/// A stack that overflows ends the process (CWE-674).
#[test]
fn nesting_as_deep_as_the_token_is_long() {
    let deep = |open: &str, close: &str| {
        format!(r#"{{"alg":"HS256","a":{}1{}}}"#, open.repeat(1000), close.repeat(1000))
    };
    for bomb in [deep("[", "]"), deep("{\"a\":", "}"), "{\"alg\":".repeat(700)] {
        malformed(&hs256(&bomb, CLAIMS), TokenPart::Header, "not JSON");
        assert_eq!(
            claims(&bomb).unwrap_err(),
            Error::MalformedToken { part: TokenPart::Payload, problem: "not JSON" }
        );
        // Before the signature holds only `iss` is sought, without recursion.
        let token = hs256(HS256, &bomb);
        let token = UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
        let _ = token.unverified_issuer();
    }
}

#[test]
fn tokens_beyond_the_limit_are_not_looked_at() {
    let token = "a".repeat(8193);
    refused(&token, Error::TokenTooLong { length: 8193, limit: 8192 });
    let token = hs256(HS256, format!(r#"{{"a":"{}"}}"#, "x".repeat(6000)));
    assert!(token.len() < 8192 && verify(&token, &hs256_key()).is_ok());
}

/// Prototype pollution (CWE-1321).
#[test]
fn names_javascript_gives_a_meaning_to() {
    let payload = r#"{"iss":"me","exp":1700000060,"__proto__":{"admin":true},"constructor":1,
                      "toString":2,"hasOwnProperty":null}"#;
    let claims = claims(payload).unwrap();
    assert_eq!(claims.get("admin"), None);
    assert_eq!(claims.get("__proto__").unwrap()["admin"], true);
    assert_eq!(ClaimRules::new("me").check(&header(), &claims, NOW), Ok(()));
    // A required claim is not found on a prototype.
    let rules = ClaimRules { required_claims: vec!["valueOf".into()], ..ClaimRules::new("me") };
    assert_eq!(
        rules.check(&header(), &claims, NOW).unwrap_err(),
        Error::MissingClaim { claim: "valueOf".into() }
    );
    let odd = hs256(r#"{"alg":"HS256","__proto__":{"alg":"none"}}"#, CLAIMS);
    assert!(verify(&odd, &hs256_key()).is_ok());
    malformed(
        &hs256(r#"{"__proto__":{"alg":"HS256"}}"#, CLAIMS),
        TokenPart::Header,
        "alg is missing",
    );
}

/// RFC 7519 §2: NumericDate.
#[test]
fn extreme_numbers() {
    let rules = ClaimRules::new("me");
    let outcome = |payload: &str| rules.check(&header(), &claims(payload)?, NOW);
    for exp in ["9223372036854775807", "18446744073709551615", "1e308", "9.3e18"] {
        let payload = format!(r#"{{"iss":"me","exp":{exp}}}"#);
        assert_eq!(outcome(&payload), Ok(()), "{exp}");
        let payload = format!(r#"{{"iss":"me","exp":1700000060,"nbf":{exp}}}"#);
        assert!(matches!(outcome(&payload), Err(Error::TokenNotYetValid { .. })), "{exp}");
        let payload = format!(r#"{{"iss":"me","exp":1700000060,"iat":{exp}}}"#);
        assert!(matches!(outcome(&payload), Err(Error::TokenNotYetValid { .. })), "{exp}");
    }
    for exp in ["-9223372036854775808", "-1e308", "-1", "0", "-0.0", "1e-300", "1699999999.999"] {
        let payload = format!(r#"{{"iss":"me","exp":{exp}}}"#);
        assert!(matches!(outcome(&payload), Err(Error::TokenExpired { .. })), "{exp}");
        let payload = format!(r#"{{"iss":"me","exp":1700000060,"nbf":{exp},"iat":{exp}}}"#);
        assert_eq!(outcome(&payload), Ok(()), "{exp}");
    }
    for exp in ["1e309", "-1e309", "NaN", "Infinity", "0x10", "1_0", "01", "1."] {
        let payload = format!(r#"{{"iss":"me","exp":{exp}}}"#);
        assert_eq!(
            outcome(&payload),
            Err(Error::MalformedToken { part: TokenPart::Payload, problem: "not JSON" }),
            "{exp}"
        );
    }
    for exp in ["\"1700000060\"", "null", "true", "[1700000060]", "{}"] {
        let payload = format!(r#"{{"iss":"me","exp":{exp}}}"#);
        assert_eq!(
            outcome(&payload),
            Err(Error::WrongClaimType { claim: "exp".into(), expected: "a number" }),
            "{exp}"
        );
    }
}

/// RFC 7519 §4.1: whoever compares `["admin"]` with `admin` as JavaScript does finds them equal.
#[test]
fn claims_of_another_type() {
    let outcome = |claim: &str, value: &str| {
        claims(format!(r#"{{"exp":1700000060,"{claim}":{value}}}"#)).map(|_| ()).unwrap_err()
    };
    for claim in ["iss", "sub", "jti", "sid"] {
        for value in ["1", "null", "true", r#"["a"]"#, "{}", "0"] {
            let expected = Error::WrongClaimType { claim: claim.into(), expected: "a string" };
            assert_eq!(outcome(claim, value), expected, "{claim} {value}");
        }
    }
    for claim in ["nbf", "iat"] {
        for value in ["\"1700000000\"", "null", "true", "[]", "{}"] {
            let expected = Error::WrongClaimType { claim: claim.into(), expected: "a number" };
            assert_eq!(outcome(claim, value), expected, "{claim} {value}");
        }
    }
    for value in ["1", "null", "true", "{}", r#"{"0":"a"}"#, r#"["a",1]"#, r#"[["a"]]"#] {
        let expected = "a string or a list of strings";
        let expected = Error::WrongClaimType { claim: "aud".into(), expected };
        assert_eq!(outcome("aud", value), expected, "{value}");
    }
}

/// RFC 8725 §3.8.
#[test]
fn an_issuer_cannot_speak_for_another() {
    // Both issuers are trusted; each only for its own name.
    let issuer = |name: &str, algorithm, key| Issuer {
        rules: ClaimRules::new(name),
        algorithms: vec![algorithm],
        keys: KeySource::Fixed(set(key)),
        binding: Binding::Off,
    };
    let verifier = Verifier::new(
        vec![
            issuer("one", Algorithm::Hs256, hs256_key()),
            issuer("two", Algorithm::EdDsa, eddsa_key()),
        ],
        DEFAULT_MAX_TOKEN_LENGTH,
    )
    .unwrap();
    let decide = |token: &str| match verifier.begin(token)?.verify(None)? {
        verifier::TokenStep::Verified(signed) => signed.claims(NOW),
        verifier::TokenStep::NeedsHost(_) => panic!("these keys need no host"),
    };
    let claims = |iss: &str| format!(r#"{{"iss":{iss},"exp":1700000060}}"#);
    let eddsa_header = r#"{"alg":"EdDSA"}"#;
    assert_eq!(decide(&hs256(HS256, claims("\"one\""))).unwrap().issuer(), "one");
    assert_eq!(decide(&eddsa(eddsa_header, claims("\"two\""))).unwrap().issuer(), "two");
    #[rustfmt::skip]
    let cases = [
        (hs256(HS256, claims("\"two\"")), Error::AlgorithmNotAllowed),
        (eddsa(eddsa_header, claims("\"one\"")), Error::AlgorithmNotAllowed),
        (hs256(HS256, claims("\"One\"")), Error::UnknownIssuer),
        (hs256(HS256, claims("\"one/\"")), Error::UnknownIssuer),
        (hs256(HS256, claims("\"\"")), Error::UnknownIssuer),
        (hs256(HS256, "{}"), Error::UnknownIssuer),
        (hs256(HS256, claims("[\"one\"]")),
            Error::MalformedToken { part: TokenPart::Payload, problem: "iss is not a string" }),
        (hs256(HS256, r#"{"iss":"one","iss":"two"}"#), Error::DuplicateMember(TokenPart::Payload)),
        (hs256(HS256, "not json"),
            Error::MalformedToken { part: TokenPart::Payload, problem: "not a JSON object" }),
    ];
    for (token, error) in cases {
        assert_eq!(decide(&token).unwrap_err(), error);
    }
}

#[test]
fn nothing_of_a_token_is_in_an_error_or_a_debug_output() {
    let payload = r#"{"iss":"me","sub":"alice-the-subject"}"#;
    let token = hs256(r#"{"alg":"HS256","kid":"the-kid"}"#, payload);
    let parsed = UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
    let shown = format!("{parsed:?}");
    let key = hs256_key();
    let verified = verify(&token, &key).unwrap();
    let claims = Claims::parse(verified.payload()).unwrap();
    let error = ClaimRules::new("you").check(verified.header(), &claims, NOW).unwrap_err();
    for shown in [
        shown,
        format!("{key:?}"),
        format!("{verified:?}"),
        format!("{claims:?}"),
        format!("{error:?} {error}"),
    ] {
        for secret in ["alice", "the-kid", "eyJ", "0123456789abcdef", "48, 49, 50"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

/// A `kid` is compared with the names of keys and used for nothing else: it opens no file, asks no database, and
/// what names no key gets none (RFC 8725 §3.10; an unknown `kid` must not mean an empty secret).
#[test]
fn a_kid_that_is_a_path_or_a_query() {
    let named = Key::hmac(Secret::new(mint::SECRET.to_vec()), Algorithm::Hs256, Some("a".into()));
    let keys = set(named.unwrap());
    let ask = |token: &str| {
        let token = UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)?;
        token.verify_with_set(&keys).map(|_| ())
    };
    assert_eq!(ask(&hs256(r#"{"alg":"HS256","kid":"a"}"#, CLAIMS)), Ok(()));
    for kid in [
        "/dev/null",
        "../../../../proc/sys/kernel/randomize_va_space",
        "a' UNION SELECT 'secret' -- ",
        "a|whoami",
        "https://evil.example/key",
        "a\u{0000}",
        "a\\u0000.pem",
        "A",
        " a",
        "__proto__",
        "constructor",
        "",
        "0",
        "*",
    ] {
        let header = serde_json::json!({"alg": "HS256", "kid": kid}).to_string();
        // Signed with the key, with nothing (what /dev/null holds), and with what the name says.
        for secret in [mint::SECRET.as_slice(), b"", kid.as_bytes()] {
            assert_eq!(ask(&hmac_with(secret, &header, CLAIMS)), Err(Error::UnknownKey), "{kid}");
        }
    }
    // An empty secret is no key in the first place.
    assert!(Key::hmac(Secret::new(Vec::new()), Algorithm::Hs256, None).is_err());
}

/// RFC 7519 §7.2 step 10: the claims are an object.
#[test]
fn payloads_that_are_no_object() {
    for payload in ["null", "true", "0", "\"sub\"", "[]", r#"[{"sub":"you"}]"#, "sub=you", " "] {
        assert_eq!(
            claims(payload).unwrap_err(),
            Error::MalformedToken { part: TokenPart::Payload, problem: "not a JSON object" },
            "{payload}"
        );
    }
    for payload in ["{", "{}{}", r#"{"sub":"you"}x"#, r#"{"sub":}"#] {
        assert_eq!(
            claims(payload).unwrap_err(),
            Error::MalformedToken { part: TokenPart::Payload, problem: "not JSON" },
            "{payload}"
        );
    }
}

/// A JWS may carry nothing (RFC 7515 §3), a JWT may not (RFC 7519 §7.2 step 10). Where the payload travels beside
/// the token (RFC 7515 appendix F), what is signed is not what is in the token.
#[test]
fn an_empty_payload() {
    let token = hs256(HS256, "");
    assert_eq!(verify(&token, &hs256_key()).unwrap().payload(), b"");
    let no_object =
        Error::MalformedToken { part: TokenPart::Payload, problem: "not a JSON object" };
    assert_eq!(claims("").unwrap_err(), no_object);
    let issuer = Issuer {
        rules: ClaimRules { require_exp: false, ..ClaimRules::new("me") },
        algorithms: vec![Algorithm::Hs256],
        keys: KeySource::Fixed(set(hs256_key())),
        binding: Binding::Off,
    };
    let verifier = Verifier::new(vec![issuer], DEFAULT_MAX_TOKEN_LENGTH).unwrap();
    assert_eq!(verifier.begin(&token).unwrap_err(), no_object);
    let whole = hs256(HS256, CLAIMS);
    let segments: Vec<&str> = whole.split('.').collect();
    refused_signature(&format!("{}..{}", segments[0], segments[2]));
}

#[track_caller]
fn refused_signature(token: &str) {
    assert_eq!(verify(token, &hs256_key()).map(|_| ()).unwrap_err(), Error::BadSignature);
}

/// The bytes of a PEM text.
fn der_of(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let body = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
    edgegate::base64url::decode(&body).unwrap()
}

fn header() -> edgegate::jose::jws::Header {
    verify(&hs256(HS256, CLAIMS), &hs256_key()).unwrap().header().clone()
}
