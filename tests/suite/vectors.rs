//! What others published or computed, as data in `tests/vectors/`. The JavaScript tests read the same files.

use edgegate::base64url;
use edgegate::error::Error;
use edgegate::jose::jws::VerifiedJws;
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken},
};
use jwt_compact::jwk::JsonWebKey;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

#[derive(Deserialize)]
struct Jws {
    name: String,
    source: String,
    jwk: Value,
    token: String,
    algorithm: String,
    verifies: String,
    payload: String,
}

#[test]
fn published_tokens_verify() {
    let vectors: Vec<Jws> = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    for vector in &vectors {
        let at = format!("{}, {}", vector.name, vector.source);
        let key = Key::from_jwk(&vector.jwk.to_string()).unwrap();
        let token = UntrustedToken::parse(&vector.token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
        assert_eq!(token.header().algorithm().as_str(), vector.algorithm, "{at}");
        let step = token.verify(&key).unwrap();
        let verified = match (vector.verifies.as_str(), step) {
            ("here", JwsStep::Verified(jws)) => jws,
            ("at the host", JwsStep::NeedsHost(check)) => {
                let (message, signature) = vector.token.rsplit_once('.').unwrap();
                assert_eq!(check.message(), message.as_bytes(), "{at}");
                assert_eq!(edgegate::base64url::encode(check.signature()), signature, "{at}");
                assert_eq!(check.algorithm().as_str(), vector.algorithm, "{at}");
                let members = vector.jwk.as_object().unwrap();
                // What the host is given says itself what it is for, and needs no name.
                for (name, value) in
                    members.iter().filter(|(name, _)| !["kid", "use"].contains(&name.as_str()))
                {
                    assert_eq!(check.key().to_jwk(check.algorithm())[name], *value, "{at}: {name}");
                }
                match check.conclude(true).unwrap() {
                    JwsStep::Verified(jws) => jws,
                    JwsStep::NeedsHost(_) => panic!("{at}: asked twice"),
                }
            }
            _ => panic!("{at}: not {}", vector.verifies),
        };
        assert_eq!(verified.payload(), vector.payload.as_bytes(), "{at}");
    }
    assert_eq!(vectors.len(), 9);
}

#[test]
fn a_verdict_of_the_host_that_it_does_not_hold_is_final() {
    let vectors: Vec<Jws> = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    for vector in vectors.iter().filter(|vector| vector.verifies == "at the host") {
        let key = Key::from_jwk(&vector.jwk.to_string()).unwrap();
        let token = UntrustedToken::parse(&vector.token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
        let JwsStep::NeedsHost(check) = token.verify(&key).unwrap() else {
            panic!("{}", vector.name)
        };
        assert_eq!(check.conclude(false).unwrap_err(), Error::BadSignature, "{}", vector.name);
    }
}

/// What is left to the host, by the arithmetic in Rust.
#[test]
fn published_tokens_of_the_host_hold_in_rust_too() {
    let vectors: Vec<Jws> = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    for vector in vectors.iter().filter(|vector| vector.verifies == "at the host") {
        let key = Key::from_jwk(&vector.jwk.to_string()).unwrap();
        let holds = |token: &str| {
            let token = UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
            let JwsStep::NeedsHost(check) = token.verify(&key).unwrap() else { panic!() };
            edgegate::jose::signature::pure::holds(&check).unwrap()
        };
        assert!(holds(&vector.token), "{}", vector.name);
        let (message, signature) = vector.token.rsplit_once('.').unwrap();
        let signature = edgegate::base64url::decode(signature).unwrap();
        for position in (0..signature.len()).step_by(11) {
            let mut changed = signature.clone();
            changed[position] ^= 1;
            let token = format!("{message}.{}", edgegate::base64url::encode(&changed));
            assert!(!holds(&token), "{} at {position}", vector.name);
        }
    }
}

#[test]
fn a_flipped_bit_in_a_published_token_fails() {
    let vectors: Vec<Jws> = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    for vector in vectors.iter().filter(|vector| vector.verifies == "here") {
        let key = Key::from_jwk(&vector.jwk.to_string()).unwrap();
        for position in 0..vector.token.len() {
            let mut bytes = vector.token.clone().into_bytes();
            bytes[position] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            let outcome = UntrustedToken::parse(&changed, DEFAULT_MAX_TOKEN_LENGTH)
                .and_then(|token| token.verify(&key));
            assert!(outcome.is_err(), "{} at {position}", vector.name);
        }
    }
}

/// RFC 7517 appendix A: of each set, the key that is for verifying.
#[test]
fn the_sets_of_rfc_7517() {
    let thumbprints: Value =
        serde_json::from_str(include_str!("../vectors/thumbprint.json")).unwrap();
    let rsa = thumbprints.as_array().unwrap().iter().find(|vector| vector["jwk"]["kty"] == "RSA");
    let n = rsa.unwrap()["jwk"]["n"].as_str().unwrap();
    let public = format!(
        r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}},
             {{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}]}}"#
    );
    let set = KeySet::from_jwks(&public).unwrap();
    let names: Vec<_> = set.keys().iter().map(|key| (key.kid(), key.algorithms())).collect();
    assert_eq!(names, [(Some("2011-04-29"), &[Algorithm::Rs256][..])]);
    assert_eq!(KeySet::from_published_jwks(&public).unwrap().keys().len(), 1);

    let symmetric = r#"{"keys":[{"kty":"oct","alg":"A128KW","k":"GawgguFyGrWKav7AX4VKUg"},
        {"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
         "kid":"HMAC key used in JWS spec Appendix A.1 example"}]}"#;
    let set = KeySet::from_jwks(symmetric).unwrap();
    let names: Vec<_> = set.keys().iter().map(Key::kid).collect();
    assert_eq!(names, [Some("HMAC key used in JWS spec Appendix A.1 example")]);
    assert!(KeySet::from_published_jwks(symmetric).is_err(), "a published secret is none");
}

#[derive(Deserialize)]
struct Set {
    name: String,
    source: String,
    jwks: Value,
    tokens: Vec<SetToken>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetToken {
    source: String,
    token: String,
    key_id: Option<String>,
    error: Option<String>,
}

/// Of a set, the key that the token names or can only mean.
#[test]
fn tokens_find_their_key_in_a_set() {
    let sets: Vec<Set> = serde_json::from_str(include_str!("../vectors/jwks.json")).unwrap();
    let verify = |token: &str, keys: &KeySet| -> Result<VerifiedJws, Error> {
        let token = UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)?;
        match token.verify_with_set(keys)? {
            JwsStep::Verified(jws) => Ok(jws),
            JwsStep::NeedsHost(check) => {
                let holds = edgegate::jose::signature::pure::holds(&check)?;
                match check.conclude(holds)? {
                    JwsStep::Verified(jws) => Ok(jws),
                    JwsStep::NeedsHost(_) => panic!("asked twice"),
                }
            }
        }
    };
    for set in sets {
        let keys = KeySet::from_jwks(&set.jwks.to_string()).unwrap();
        for one in set.tokens {
            let at = format!("{}, {}, {}", set.name, set.source, one.source);
            match verify(&one.token, &keys) {
                Ok(jws) => {
                    assert_eq!((jws.key_id(), None), (one.key_id.as_deref(), one.error), "{at}")
                }
                Err(error) => assert_eq!(Some(error.reason()), one.error.as_deref(), "{at}"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Thumbprint {
    name: String,
    jwk: Value,
    thumbprint: String,
}

#[test]
fn published_thumbprints_are_computed() {
    let vectors: Vec<Thumbprint> =
        serde_json::from_str(include_str!("../vectors/thumbprint.json")).unwrap();
    for vector in vectors {
        let key = Key::from_jwk_value(&vector.jwk).unwrap();
        assert_eq!(key.thumbprint(), Some(vector.thumbprint.as_str()), "{}", vector.name);
        let theirs: JsonWebKey<'_> = serde_json::from_value(vector.jwk).unwrap();
        let theirs = base64url::encode(&theirs.thumbprint::<Sha256>());
        assert_eq!(theirs, vector.thumbprint, "{}", vector.name);
    }
}

#[derive(Deserialize)]
struct Pem {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Accepted {
    name: String,
    pem: String,
    algorithms: Vec<String>,
    jwk: Value,
    thumbprint: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    pem: String,
    error: String,
}

fn pem() -> Pem {
    serde_json::from_str(include_str!("../vectors/pem.json")).unwrap()
}

#[test]
fn keys_of_openssl_are_read_as_node_reads_them() {
    for vector in pem().accepted {
        let name = &vector.name;
        let key = Key::from_pem(&vector.pem).unwrap();
        let algorithms: Vec<&str> = key.algorithms().iter().map(|one| one.as_str()).collect();
        assert_eq!(algorithms, vector.algorithms, "{name}");
        assert_eq!(key.thumbprint(), Some(vector.thumbprint.as_str()), "{name}");
        assert_eq!((key.kid(), key.id()), (None, key.thumbprint()), "{name}");
        assert!(!key.is_symmetric(), "{name}");
        let same = Key::from_jwk_value(&vector.jwk).unwrap();
        assert_eq!(same.thumbprint(), key.thumbprint(), "{name}");
        assert_eq!(same.algorithms(), key.algorithms(), "{name}");
    }
}

#[test]
fn whitespace_around_pem_and_line_width_do_not_matter() {
    for vector in pem().accepted {
        let crlf = format!("\n  {}\r\n\t", vector.pem.trim().replace('\n', "\r\n"));
        assert!(Key::from_pem(&crlf).is_ok(), "{}", vector.name);
        let lines: Vec<&str> = vector.pem.trim().lines().collect();
        let [first, body @ .., last] = lines.as_slice() else { panic!("{}", vector.name) };
        let one_line = format!("{first}\n{}\n{last}", body.concat());
        assert!(Key::from_pem(&one_line).is_ok(), "{}", vector.name);
    }
}

/// RFC 7468 §3: blanks at the ends of lines, empty lines after BEGIN, lines of any length; §5.2: text before it.
#[test]
fn pem_is_read_as_its_standard_allows() {
    for vector in pem().accepted {
        let lines: Vec<&str> = vector.pem.trim().lines().collect();
        let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
        let body = lines.get(1..lines.len() - 1).unwrap().concat();
        let (start, rest) = body.split_at(7);
        for spelling in [
            lines.join(" \t\n"),
            format!("{first}\n\n \n{body}\n{last}"),
            format!("{first}\n{start}\n{rest}\n{last}\n\n"),
            format!("\u{feff}{}", vector.pem),
            format!("subject=CN = a\nissuer=CN = b\n{}", vector.pem),
            format!("{first}{body}{last}"),
            format!("{first} {body} {last}"),
        ] {
            let key = Key::from_pem(&spelling).unwrap();
            assert_eq!(key.thumbprint(), Some(vector.thumbprint.as_str()), "{}", vector.name);
        }
    }
}

#[test]
fn pem_that_is_written_otherwise_is_refused() {
    let written = pem().accepted.remove(0).pem;
    let refused = |text: &str| Key::from_pem(text).err().unwrap().to_string();
    assert_eq!(
        refused(&written.replace('\n', "\\n")),
        "PEM has its line breaks written as \\n, expected line breaks"
    );
    for other in [
        written.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1),
        written.replacen('\n', "\n=", 1),
        format!("{written}x"),
        format!("x {written}"),
        written.replace("-----END", "----END"),
        written.replace("-----BEGIN", "----BEGIN"),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".to_owned(),
    ] {
        assert_eq!(
            refused(&other),
            "not one PEM block, expected -----BEGIN PUBLIC KEY-----",
            "{other}"
        );
    }
}

/// What `https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com` answers.
#[test]
fn certificates_by_their_kid_are_a_set() {
    let of = |name: &str| pem().accepted.into_iter().find(|vector| vector.name == name).unwrap();
    let (rsa, ec) = (of("RSA certificate"), of("P-256 certificate"));
    let whole = serde_json::json!({ "one": rsa.pem, "two": ec.pem }).to_string();
    for read in [KeySet::from_jwks, KeySet::from_published_jwks] {
        let set = read(&whole).unwrap();
        let names: Vec<_> = set.keys().iter().map(|key| (key.kid(), key.thumbprint())).collect();
        let named = |kid, thumbprint| (Some(kid), Some(thumbprint));
        assert_eq!(
            names,
            [named("one", rsa.thumbprint.as_str()), named("two", ec.thumbprint.as_str())]
        );
        assert!(read("{}").is_err() && read(r#"{"one":"x"}"#).is_err());
    }
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp\n-----END PRIVATE KEY-----";
    let one_faulty = serde_json::json!({ "one": rsa.pem, "two": private }).to_string();
    assert_eq!(KeySet::from_published_jwks(&one_faulty).unwrap().keys().len(), 1);
    assert_eq!(
        KeySet::from_jwks(&one_faulty).err().unwrap().to_string(),
        "certificate 1: PEM holds a private key, expected the public key"
    );
    let mixed = serde_json::json!({ "one": rsa.pem, "keys": "x" }).to_string();
    assert_eq!(
        KeySet::from_published_jwks(&mixed).err().unwrap().to_string(),
        "JWKS: expected a list in keys"
    );
}

#[test]
fn other_pem_is_refused_with_its_reason() {
    for vector in pem().refused {
        let refused = Key::from_pem(&vector.pem).unwrap_err();
        assert_eq!(refused.to_string(), vector.error, "{}", vector.name);
    }
}

#[test]
fn every_byte_of_der_cut_off_or_changed_is_read_without_a_panic() {
    for vector in pem().accepted {
        let text = vector.pem.as_bytes();
        for position in 0..text.len() {
            let _ = Key::from_pem(vector.pem.get(..position).unwrap());
            let mut changed = text.to_vec();
            changed[position] ^= 1;
            let _ = Key::from_pem(&String::from_utf8(changed).unwrap());
        }
    }
}

#[test]
fn a_public_key_is_no_secret_in_any_spelling() {
    use edgegate::secret::Secret;

    for vector in pem().accepted {
        let body: String = vector.pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let spellings = [
            vector.pem.clone().into_bytes(),
            vector.pem.trim().as_bytes().to_vec(),
            format!("\u{feff} {}", vector.pem).into_bytes(),
            body.clone().into_bytes(),
            vector.jwk.to_string().into_bytes(),
            format!("{{\"keys\":[{}]}}", vector.jwk).into_bytes(),
        ];
        for (index, spelling) in spellings.into_iter().enumerate() {
            let refused = Key::hmac(Secret::new(spelling), Algorithm::Hs256, None).err().unwrap();
            assert_eq!(
                refused.to_string(),
                "secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes",
                "{} {index}",
                vector.name
            );
        }
    }
}

#[test]
fn keys_of_openssl_make_one_set() {
    let keys: Vec<Key> =
        pem().accepted.iter().map(|vector| Key::from_pem(&vector.pem).unwrap()).collect();
    let count = keys.len();
    assert_eq!(KeySet::new(keys).unwrap().keys().len(), count);
}
