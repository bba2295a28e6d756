use super::*;
use crate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, Header, UntrustedToken};

fn secret(byte: u8) -> Secret {
    Secret::new(vec![byte; 64])
}

fn hmac(algorithm: Algorithm, kid: Option<&str>) -> Key {
    Key::hmac(secret(7), algorithm, kid.map(str::to_owned)).unwrap()
}

fn header(json: &str) -> Header {
    let token = format!("{}.e30.AA", base64url::encode(json.as_bytes()));
    UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap().header().clone()
}

fn select<'k>(set: &'k KeySet, json: &str) -> Result<Vec<Option<&'k str>>, Error> {
    let header = header(json);
    Ok(set.select(header.key_id(), header.algorithm())?.map(Key::kid).collect())
}

#[test]
fn a_faulty_published_key_leaves_the_others_in_use() {
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let faulty = [
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"HS256"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        "7",
    ];
    for other in faulty {
        let jwks = format!(r#"{{"keys":[{other},{ed25519}]}}"#);
        let set = KeySet::from_published_jwks(&jwks).unwrap();
        assert_eq!(set.keys().iter().map(Key::kid).collect::<Vec<_>>(), [Some("good")]);
        assert!(KeySet::from_jwks(&jwks).is_err(), "{other}");
        let alone = KeySet::from_published_jwks(&format!(r#"{{"keys":[{other}]}}"#));
        assert_eq!(alone.unwrap_err().to_string(), "no usable key, expected at least one");
    }
}

/// Another Ed25519 key than [`ED25519`], of the same `kid`.
const OTHER_ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"ed",
    "x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}"#;

fn kids(set: &KeySet) -> Vec<Option<&str>> {
    set.keys().iter().map(Key::kid).collect()
}

/// As PingAM publishes it (keycloak#15616), and RFC 7517 §4.5 permits.
#[test]
fn keys_of_one_kid_are_told_apart_by_alg_and_kty() {
    let [rs256, rs384, rs512] =
        ["RS256", "RS384", "RS512"].map(|alg| rsa(&format!(r#","kid":"ec","alg":"{alg}""#)));
    let jwks = format!(r#"{{"keys":[{rs256},{EC},{rs384},{rs512},{ED25519}]}}"#);
    for set in [KeySet::from_jwks(&jwks), KeySet::from_published_jwks(&jwks)] {
        let set = set.unwrap();
        assert_eq!(set.keys().len(), 5);
        for alg in ["RS256", "RS384", "RS512", "ES256"] {
            let header = header(&format!(r#"{{"alg":"{alg}","kid":"ec"}}"#));
            let chosen: Vec<_> = set.select(header.key_id(), header.algorithm()).unwrap().collect();
            let [key] = chosen.as_slice() else { panic!("{alg}: {chosen:?}") };
            assert!(key.permits(header.algorithm()), "{alg}");
        }
        for (alg, kid, error) in [
            ("PS256", "ec", Error::AlgorithmNotAllowed),
            ("RS256", "ed", Error::AlgorithmNotAllowed),
            ("RS256", "x", Error::UnknownKey),
        ] {
            let header = format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#);
            assert_eq!(select(&set, &header), Err(error), "{header}");
        }
    }
}

#[test]
fn a_kid_that_two_published_keys_have_for_one_alg_costs_only_those_keys() {
    let rs256 = rsa(r#","kid":"ed","alg":"RS256""#);
    let jwks = format!(r#"{{"keys":[{ED25519},{EC},{OTHER_ED25519},{rs256}]}}"#);
    refused_set(&jwks, "two keys with the same kid");
    let set = KeySet::from_published_jwks(&jwks).unwrap();
    assert_eq!(kids(&set), [Some("ec"), Some("ed")]);
    assert_eq!(select(&set, r#"{"alg":"ES256","kid":"ec"}"#), Ok(vec![Some("ec")]));
    assert_eq!(select(&set, r#"{"alg":"RS256","kid":"ed"}"#), Ok(vec![Some("ed")]));
    assert_eq!(select(&set, r#"{"alg":"EdDSA","kid":"ed"}"#), Err(Error::AlgorithmNotAllowed));
    let alone = KeySet::from_published_jwks(&format!(r#"{{"keys":[{ED25519},{OTHER_ED25519}]}}"#));
    assert_eq!(alone.unwrap_err().to_string(), "no usable key, expected at least one");
}

#[test]
fn a_token_that_names_an_ambiguous_kid_is_not_tried_with_keys_that_have_none() {
    let nameless = EC.replace(r#""kid":"ec","#, "");
    let jwks = format!(r#"{{"keys":[{ED25519},{OTHER_ED25519},{nameless}]}}"#);
    let set = KeySet::from_published_jwks(&jwks).unwrap();
    assert_eq!(kids(&set), [None]);
    assert!(!set.answers_to("ed"));
    assert_eq!(select(&set, r#"{"alg":"ES256","kid":"ed"}"#), Err(Error::UnknownKey));
    assert_eq!(select(&set, r#"{"alg":"ES256"}"#), Ok(vec![None]));
}

#[test]
fn a_published_key_that_is_listed_twice_is_one_key() {
    let any = rsa(r#","kid":"a""#);
    let rs256 = rsa(r#","kid":"a","alg":"RS256""#);
    for jwks in [format!("{EC},{EC}"), format!("{any},{rs256},{EC}")] {
        let set = KeySet::from_published_jwks(&format!(r#"{{"keys":[{jwks}]}}"#)).unwrap();
        assert_eq!(select(&set, r#"{"alg":"ES256","kid":"ec"}"#), Ok(vec![Some("ec")]));
    }
}

#[test]
fn a_set_answers_to_a_kid_it_has_and_to_any_where_no_key_has_one() {
    let named = KeySet::new(vec![hmac(Algorithm::Hs256, Some("a"))]).unwrap();
    assert!(named.answers_to("a"));
    assert!(!named.answers_to("b"));
    let nameless = KeySet::new(vec![hmac(Algorithm::Hs256, None)]).unwrap();
    assert!(nameless.answers_to("b"));
}

/// A modulus of this many bits: first and last bit set.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0; bits.div_ceil(8)];
    bytes[0] = 1 << ((bits - 1) % 8);
    *bytes.last_mut().unwrap() |= 1;
    base64url::encode(&bytes)
}

fn rsa(members: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{members}}}"#, modulus(2048))
}

const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"ed",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[track_caller]
fn refused(jwk: &str, message: &str) {
    assert_eq!(Key::from_jwk(jwk).unwrap_err().to_string(), message, "{jwk}");
}

#[track_caller]
fn refused_set(jwks: &str, message: &str) {
    assert_eq!(KeySet::from_jwks(jwks).unwrap_err().to_string(), message);
}

#[test]
fn a_jwk_serves_what_alg_or_else_its_type_says() {
    let algorithms = |jwk: &str| -> Vec<&str> {
        Key::from_jwk(jwk).unwrap().algorithms().iter().map(|one| one.as_str()).collect()
    };
    assert_eq!(algorithms(&rsa("")), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    assert_eq!(algorithms(&rsa(r#","alg":"PS384""#)), ["PS384"]);
    assert_eq!(algorithms(EC), ["ES256"]);
    assert_eq!(algorithms(ED25519), ["EdDSA"]);
    assert_eq!(algorithms(&ED25519.replace("\"kid\":\"ed\"", "\"alg\":\"Ed25519\"")), ["EdDSA"]);
    let oct = |length| format!(r#"{{"kty":"oct","k":"{}"}}"#, base64url::encode(&vec![7; length]));
    assert_eq!(algorithms(&oct(32)), ["HS256"]);
    assert_eq!(algorithms(&oct(48)), ["HS256", "HS384"]);
    assert_eq!(algorithms(&oct(64)), ["HS256", "HS384", "HS512"]);
    refused(&oct(31), "secret has 31 bytes, expected at least 32");
    refused(
        &format!(r#"{{"kty":"oct","alg":"HS512","k":"{}"}}"#, base64url::encode(&[7; 63])),
        "secret has 63 bytes, expected at least 64",
    );
}

#[test]
fn use_and_key_ops_have_to_permit_verifying() {
    assert!(Key::from_jwk(&rsa(r#","use":"sig","key_ops":["verify"]"#)).is_ok());
    assert!(Key::from_jwk(&rsa(r#","key_ops":["sign","verify"]"#)).is_ok());
    refused(&rsa(r#","use":"enc""#), "JWK: use is not sig");
    refused(&rsa(r#","key_ops":["sign"]"#), "JWK: key_ops does not include verify");
    refused(&rsa(r#","key_ops":[]"#), "JWK: key_ops does not include verify");
    refused(&rsa(r#","key_ops":"verify""#), "JWK: key_ops is not a list of strings");
}

#[test]
fn a_jwk_that_makes_no_sense_is_refused() {
    refused("", "JWK: not a JSON object");
    refused("[]", "JWK: not a JSON object");
    refused("{}", "JWK: kty is missing");
    refused(r#"{"kty":1}"#, "JWK: kty is not a string");
    refused(r#"{"kty":"rsa"}"#, "JWK: kty is not supported, expected RSA, EC, OKP or oct");
    refused(r#"{"kty":"RSA","kty":"oct"}"#, "JWK: a member name occurs twice");
    refused(r#"{"kty":"RSA"}"#, "JWK: n is missing");
    refused(r#"{"kty":"RSA","n":"AQ=="}"#, "JWK: n is not base64url without padding");
    refused(r#"{"kty":"RSA","n":1}"#, "JWK: n is not a string");
    refused(r#"{"kty":"oct"}"#, "JWK: k is missing");
    refused(r#"{"kty":"EC","x":"AA","y":"AA"}"#, "JWK: crv is missing");
    refused(
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
        "JWK: crv is not supported, expected P-256, P-384 or P-521",
    );
    refused(
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
        "JWK: crv is not supported, expected Ed25519",
    );
    refused(&rsa(r#","alg":"ES256""#), "JWK: a key of this type cannot serve alg ES256");
    refused(&rsa(r#","alg":"HS256""#), "JWK: a key of this type cannot serve alg HS256");
    refused(&rsa(r#","alg":"none""#), "JWK: alg is not a signature algorithm that is supported");
    refused(
        &format!(r#"{{"kty":"oct","alg":"RS256","k":"{}"}}"#, base64url::encode(&[7; 64])),
        "a secret cannot serve RS256, expected HS256, HS384 or HS512",
    );
    refused(&rsa(r#","kid":7"#), "JWK: kid is not a string");
    refused(&rsa(r#","kid":"""#), "kid has 0 bytes, expected 1 to 256");
    let long = format!(r#","kid":"{}""#, "k".repeat(257));
    refused(&rsa(&long), "kid has 257 bytes, expected 1 to 256");
}

#[test]
fn private_members_are_refused() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        refused(
            &rsa(&format!(r#","{member}":"AQAB""#)),
            "JWK: a private key, expected only its public members",
        );
    }
    refused(
        &EC.replace("\"kid\":\"ec\"", "\"d\":\"AQ\""),
        "JWK: a private key, expected only its public members",
    );
}

#[test]
fn rsa_moduli_and_exponents_are_bounded() {
    let rsa = |n: String, e: &str| format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#);
    for bits in [2048, 3072, 4096, 16_384] {
        assert!(Key::from_jwk(&rsa(modulus(bits), "AQAB")).is_ok(), "{bits}");
    }
    for bits in [8, 1024, 2047] {
        refused(
            &rsa(modulus(bits), "AQAB"),
            &format!("RSA modulus has {bits} bits, expected at least 2048"),
        );
    }
    refused(&rsa(modulus(16_385), "AQAB"), "RSA modulus has 16385 bits, expected at most 16384");
    refused(&rsa(String::new(), "AQAB"), "RSA modulus has 0 bits, expected at least 2048");
    let padded = [&[0; 200][..], &[1; 100]].concat();
    refused(
        &rsa(base64url::encode(&padded), "AQAB"),
        "RSA modulus has 793 bits, expected at least 2048",
    );
    let even = [&[0xff; 255][..], &[0xfe]].concat();
    refused(&rsa(base64url::encode(&even), "AQAB"), "RSA modulus is even");
    for (e, good) in [
        (&[3][..], true),
        (&[1, 0, 1], true),
        (&[0, 1, 0, 1], true),
        (&[0xff; 4], true),
        (&[], false),
        (&[0], false),
        (&[1], false),
        (&[0, 1], false),
        (&[2], false),
        (&[1, 0, 0], false),
    ] {
        let jwk = rsa(modulus(2048), &base64url::encode(e));
        if good {
            assert!(Key::from_jwk(&jwk).is_ok(), "{e:?}");
        } else {
            refused(&jwk, "RSA exponent is even or below 3");
        }
    }
    refused(&rsa(modulus(2048), &base64url::encode(&[1; 5])), "RSA exponent has more than 32 bits");
}

#[test]
fn leading_zeros_of_an_rsa_modulus_make_no_other_key() {
    let plain = vec![0xff; 256];
    let padded = [&[0][..], &plain].concat();
    let thumbprint = |n: &[u8]| {
        let jwk = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, base64url::encode(n));
        Key::from_jwk(&jwk).unwrap().thumbprint().unwrap().to_owned()
    };
    assert_eq!(thumbprint(&plain), thumbprint(&padded));
}

#[test]
fn ec_coordinates_have_full_length() {
    for (curve, length) in [("P-256", 32), ("P-384", 48), ("P-521", 66)] {
        let ec = |x: usize, y: usize| {
            let part = |length| base64url::encode(&vec![1; length]);
            format!(r#"{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#, part(x), part(y))
        };
        assert!(Key::from_jwk(&ec(length, length)).is_ok());
        refused(
            &ec(length - 1, length),
            &format!("{curve} coordinate x has {} bytes, expected {length}", length - 1),
        );
        refused(
            &ec(length, length + 1),
            &format!("{curve} coordinate y has {} bytes, expected {length}", length + 1),
        );
    }
}

#[test]
fn ed25519_keys_are_points() {
    let okp =
        |x: &[u8]| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(x));
    refused(&okp(&[1; 31]), "Ed25519 key has 31 bytes, expected 32");
    refused(&okp(&[0; 32]), "Ed25519 key has small order");
}

#[test]
fn published_text_is_no_secret() {
    let published = "secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes";
    for text in [
        "-----BEGIN PUBLIC KEY-----\nnot even valid, but meant as one",
        "some words first\n-----BEGIN CERTIFICATE-----\nand then the certificate",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB",
        EC,
        "{\"keys\": []                                          }",
    ] {
        let secret = Secret::new(text.into());
        let refused = Key::hmac(secret, Algorithm::Hs256, None).unwrap_err();
        assert_eq!(refused.to_string(), published, "{text}");
        let jwk = format!(r#"{{"kty":"oct","k":"{}"}}"#, base64url::encode(text.as_bytes()));
        assert_eq!(Key::from_jwk(&jwk).unwrap_err().to_string(), published, "{text}");
    }
    for text in
        ["{\"a\":1}                                  ", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCg"]
    {
        assert!(Key::hmac(Secret::new(text.into()), Algorithm::Hs256, None).is_ok(), "{text}");
    }
}

#[test]
fn a_secret_has_no_thumbprint() {
    let key = hmac(Algorithm::Hs256, None);
    assert_eq!((key.kid(), key.thumbprint(), key.id()), (None, None, None));
    assert_eq!(hmac(Algorithm::Hs256, Some("k")).id(), Some("k"));
}

#[test]
fn sets_are_checked_as_a_whole() {
    let new = |keys| KeySet::new(keys).unwrap_err().to_string();
    assert_eq!(new(vec![]), "no usable key, expected at least one");
    assert_eq!(
        new(vec![hmac(Algorithm::Hs256, Some("a")), Key::from_jwk(EC).unwrap()]),
        "secrets and public keys in one set"
    );
    assert_eq!(
        new(vec![Key::from_jwk(EC).unwrap(), Key::from_jwk(EC).unwrap()]),
        "two keys with the same kid"
    );
    let many = |count| (0..count).map(|_| hmac(Algorithm::Hs256, None)).collect::<Vec<_>>();
    assert!(KeySet::new(many(100)).is_ok());
    assert_eq!(new(many(101)), "101 keys, expected at most 100");
}

#[test]
fn a_jwks_skips_what_is_for_something_else() {
    let set = KeySet::from_jwks(&format!(
        r#"{{"keys":[{{"kty":"new"}},{{"kty":"EC","crv":"secp256k1"}},{EC},{},{},{},{{"kty":"OKP","crv":"X25519"}}],"x":1}}"#,
        rsa(r#","use":"enc","kid":"ec""#),
        rsa(r#","alg":"RSA-OAEP-256""#),
        rsa(r#","key_ops":["encrypt"]"#),
    ))
    .unwrap();
    assert_eq!(set.keys().iter().map(Key::kid).collect::<Vec<_>>(), [Some("ec")]);
}

#[test]
fn a_faulty_jwks_is_refused() {
    refused_set("", "JWKS: not a JSON object");
    refused_set("{}", "JWKS: expected a list in keys");
    refused_set(r#"{"keys":{}}"#, "JWKS: expected a list in keys");
    refused_set(r#"{"keys":[],"keys":[]}"#, "JWKS: a member name occurs twice");
    refused_set(r#"{"keys":[]}"#, "no usable key, expected at least one");
    refused_set(r#"{"keys":[{"kty":"new"}]}"#, "no usable key, expected at least one");
    refused_set(r#"{"keys":[1]}"#, "keys[0]: JWK: not a JSON object");
    let weak = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, modulus(1024));
    refused_set(
        &format!(r#"{{"keys":[{EC},{weak}]}}"#),
        "keys[1]: RSA modulus has 1024 bits, expected at least 2048",
    );
    refused_set(&format!(r#"{{"keys":[{EC},{EC}]}}"#), "two keys with the same kid");
    let many = vec![r#"{"kty":"new"}"#; 101].join(",");
    refused_set(&format!(r#"{{"keys":[{many}]}}"#), "101 keys, expected at most 100");
    refused_set(&" ".repeat(65_537), "JWKS has 65537 bytes, expected at most 65536");
    assert_eq!(
        KeySet::from_jwks_value(&serde_json::json!([])).unwrap_err().to_string(),
        "JWKS: not a JSON object"
    );
}

#[test]
fn a_kid_selects_its_key_only() {
    let set = KeySet::new(vec![
        hmac(Algorithm::Hs256, Some("a")),
        hmac(Algorithm::Hs256, Some("b")),
        hmac(Algorithm::Hs512, Some("c")),
        hmac(Algorithm::Hs256, None),
    ])
    .unwrap();
    assert_eq!(select(&set, r#"{"alg":"HS256","kid":"b"}"#), Ok(vec![Some("b")]));
    assert_eq!(select(&set, r#"{"alg":"HS256","kid":"x"}"#), Err(Error::UnknownKey));
    assert_eq!(select(&set, r#"{"alg":"HS256","kid":""}"#), Err(Error::UnknownKey));
    assert_eq!(select(&set, r#"{"alg":"HS256","kid":"c"}"#), Err(Error::AlgorithmNotAllowed));
    assert_eq!(select(&set, r#"{"alg":"HS256"}"#), Ok(vec![Some("a"), Some("b"), None]));
    assert_eq!(select(&set, r#"{"alg":"HS512"}"#), Ok(vec![Some("c")]));
    assert_eq!(select(&set, r#"{"alg":"HS384"}"#), Err(Error::UnknownKey));
}

#[test]
fn keys_without_names_serve_any_kid() {
    let lone = KeySet::new(vec![hmac(Algorithm::Hs256, None)]).unwrap();
    assert_eq!(select(&lone, r#"{"alg":"HS256","kid":"any"}"#), Ok(vec![None]));
    assert_eq!(select(&lone, r#"{"alg":"HS512","kid":"any"}"#), Err(Error::UnknownKey));
    let named = KeySet::new(vec![hmac(Algorithm::Hs256, Some("a"))]).unwrap();
    assert_eq!(select(&named, r#"{"alg":"HS256","kid":"any"}"#), Err(Error::UnknownKey));
}

#[test]
fn a_token_without_kid_has_few_candidates_or_none() {
    let set =
        |count| KeySet::new((0..count).map(|_| hmac(Algorithm::Hs256, None)).collect()).unwrap();
    assert_eq!(select(&set(4), r#"{"alg":"HS256"}"#).unwrap().len(), 4);
    assert_eq!(select(&set(5), r#"{"alg":"HS256"}"#), Err(Error::UnknownKey));
}

#[test]
fn debug_shows_no_key() {
    let set = KeySet::new(vec![hmac(Algorithm::Hs256, Some("a"))]).unwrap();
    assert_eq!(format!("{set:?}"), r#"[Key { kid: Some("a"), algorithms: [Hs256], .. }]"#);
    let Material::Public(public) = Key::from_jwk(EC).unwrap().material else { panic!() };
    assert_eq!(format!("{public:?}"), "Ec(P-256)");
}
