//! Proofs of possession (RFC 9449): the examples of the RFC, and what an attacker would send instead.

use crate::mint::{self, eddsa, eddsa_key, hmac_with, message};
use edgegate::base64url::encode;
use edgegate::error::{Code, Error};
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::claims::Claims;
use edgegate::jose::dpop::{
    Confirmation, MAX_PROOF_LENGTH, ProofRequest, ProofRules, ProofStep, ReplayKey, UntrustedProof,
    VerifiedProof, access_token_hash,
};
use edgegate::jose::keys::Key;
use edgegate::jose::signature::pure;
use edgegate::store::ReplayStore as _;
use edgegate::store::memory::MemoryReplays;
use edgegate::time::{UnixMillis, UnixTime};
use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const TOKEN: &str = "an.access.token";
const URL: &str = "https://api.example.com/v1/posts";
const REQUEST: ProofRequest<'_> =
    ProofRequest { method: "GET", url: URL, access_token: TOKEN, nonces: &[] };

fn jwk() -> Value {
    let jkt_key = ed25519_dalek::SigningKey::from_bytes(mint::SECRET);
    json!({"kty": "OKP", "crv": "Ed25519", "x": encode(jkt_key.verifying_key().as_bytes())})
}

fn bound_to(key: &Key) -> Confirmation {
    Confirmation::from_thumbprint(key.thumbprint().unwrap()).unwrap()
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk()})
}

fn claims() -> Value {
    json!({"jti": "one", "htm": "GET", "htu": URL, "iat": NOW.as_secs(), "ath": access_token_hash(TOKEN)})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn proof(header: &Value, claims: &Value) -> String {
    eddsa(header.to_string(), claims.to_string())
}

fn verify_by(
    proof: &str,
    rules: &ProofRules,
    confirmation: &Confirmation,
    request: &ProofRequest<'_>,
    now: UnixTime,
) -> Result<VerifiedProof, Error> {
    let proof = UntrustedProof::parse(proof, rules, confirmation)?;
    let mut step = proof.verify()?;
    loop {
        match step {
            ProofStep::Verified(signed) => return signed.check(rules, request, now),
            ProofStep::NeedsHost(check) => {
                let holds = pure::holds(check.task())?;
                step = check.conclude(holds)?;
            }
        }
    }
}

fn verify(proof: &str, request: &ProofRequest<'_>) -> Result<VerifiedProof, Error> {
    verify_by(proof, &ProofRules::default(), &bound_to(&eddsa_key()), request, NOW)
}

#[track_caller]
fn refused(proof: &str, message: &str) {
    let error = verify(proof, &REQUEST).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.code(), Code::InvalidToken);
}

#[derive(Deserialize)]
struct Example {
    source: String,
    proof: String,
    jkt: String,
    method: String,
    url: String,
    iat: i64,
    access_token: Option<String>,
}

#[test]
fn the_examples_of_the_rfc_verify() {
    let examples: Vec<Example> =
        serde_json::from_str(include_str!("../vectors/dpop.json")).unwrap();
    assert_eq!(examples.len(), 3);
    let rules = ProofRules::default();
    for example in &examples {
        let confirmation = Confirmation::from_thumbprint(&example.jkt).unwrap();
        let request = ProofRequest {
            method: &example.method,
            url: &example.url,
            access_token: example.access_token.as_deref().unwrap_or_default(),
            nonces: &[],
        };
        let issued_at = UnixTime::from_secs(example.iat);
        let verdict = verify_by(&example.proof, &rules, &confirmation, &request, issued_at);
        match &example.access_token {
            Some(_) => {
                let verified = verdict.unwrap();
                assert_eq!(verified.until(), issued_at.saturating_add(61), "{}", example.source);
                let other = ProofRequest { access_token: "another", ..request };
                let error = verify_by(&example.proof, &rules, &confirmation, &other, issued_at);
                assert_eq!(
                    error.unwrap_err().to_string(),
                    "DPoP proof: ath is not the hash of the access token"
                );
            }
            // Sent to the authorization server: the signature holds, but there is no access token yet.
            None => {
                assert_eq!(verdict.unwrap_err().to_string(), "DPoP proof: ath is missing");
            }
        }
        let last = if example.proof.ends_with('A') { 'Q' } else { 'A' };
        let mut forged = example.proof.clone();
        forged.pop();
        forged.push(last);
        let error = verify_by(&forged, &rules, &confirmation, &request, issued_at).unwrap_err();
        assert_eq!(
            error.to_string(),
            "DPoP proof: signature does not verify",
            "{}",
            example.source
        );
    }
}

#[test]
fn the_binding_is_read_from_the_claims() {
    let read = |claims: Value| {
        Confirmation::from_claims(&Claims::parse(claims.to_string().as_bytes()).unwrap())
            .map(|found| found.map(|one| one.thumbprint().to_owned()))
            .map_err(|error| error.to_string())
    };
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    assert_eq!(read(json!({})), Ok(None));
    assert_eq!(read(json!({"cnf": {"x5t#S256": jkt}})), Ok(None));
    assert_eq!(read(json!({"cnf": {"jkt": jkt}})), Ok(Some(jkt.to_owned())));
    for cnf in [json!(null), json!(jkt), json!([jkt]), json!(1)] {
        assert_eq!(read(json!({"cnf": cnf})), Err("claim cnf: expected an object".to_owned()));
    }
    for wrong in [
        json!(null),
        json!(""),
        json!(1),
        json!([jkt]),
        json!(jkt.trim_start_matches('0')),
        json!(jkt.replacen('0', "=", 1)),
    ] {
        assert_eq!(
            read(json!({"cnf": {"jkt": wrong}})),
            Err("claim cnf.jkt: expected a SHA-256 thumbprint in base64url".to_owned())
        );
    }
}

#[derive(Deserialize)]
struct Bound {
    name: String,
    claims: Value,
    jkt: Option<String>,
    problem: Option<String>,
}

/// `pkg/lib/dpop.js` reads the same vectors.
#[test]
fn bindings_are_those_of_the_vectors() {
    let vectors: Vec<Bound> =
        serde_json::from_str(include_str!("../vectors/confirmations.json")).unwrap();
    for Bound { name, claims, jkt, problem } in vectors {
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        let found = Confirmation::from_claims(&claims)
            .map(|found| found.map(|one| one.thumbprint().to_owned()))
            .map_err(|error| error.to_string());
        assert_eq!(found, problem.map_or(Ok(jkt), Err), "{name}");
    }
}

#[derive(Deserialize)]
struct Memory {
    name: String,
    capacity: usize,
    /// Who made the proof, its `jti`, its end and the time in seconds; whether it is the first, `null` for no room.
    steps: Vec<(String, String, u64, u64, Option<bool>)>,
}

/// `pkg/lib/replays.js` reads the same vectors.
#[test]
fn proofs_are_remembered_as_the_vectors_say() {
    let vectors: Vec<Memory> =
        serde_json::from_str(include_str!("../vectors/replays.json")).unwrap();
    for Memory { name, capacity, steps } in vectors {
        let memory = MemoryReplays::new(capacity);
        for (holder, jti, until, now, first) in steps {
            // As long as a thumbprint.
            let key = ReplayKey::new(&[&format!("{holder:A<43}"), &jti]);
            let at = |secs: u64| UnixMillis::from_millis(secs * 1000);
            let found = memory.is_first(&key, at(until), at(now)).now_or_never().unwrap();
            assert_eq!(found.ok(), first, "{name}: {holder} {jti} at {now}");
        }
    }
}

#[test]
fn a_proof_is_for_one_request_and_one_token() {
    let good = proof(&header(), &claims());
    assert!(verify(&good, &REQUEST).is_ok());
    for (request, message) in [
        (ProofRequest { method: "POST", ..REQUEST }, "htm is not the method of the request"),
        (ProofRequest { method: "get", ..REQUEST }, "htm is not the method of the request"),
        (
            ProofRequest { url: "https://api.example.com/v1/posts/1", ..REQUEST },
            "htu is not the URL of the request",
        ),
        (
            ProofRequest { url: "http://api.example.com/v1/posts", ..REQUEST },
            "htu is not the URL of the request",
        ),
        (
            ProofRequest { url: "https://evil.example/v1/posts", ..REQUEST },
            "htu is not the URL of the request",
        ),
        (ProofRequest { url: "/v1/posts", ..REQUEST }, "the URL of the request cannot be compared"),
        (
            ProofRequest { access_token: "another.access.token", ..REQUEST },
            "ath is not the hash of the access token",
        ),
    ] {
        let error = verify(&good, &request).unwrap_err();
        assert_eq!(error.to_string(), format!("DPoP proof: {message}"));
    }
    for url in
        ["https://API.example.com:443/v1/posts?page=2#x", "https://api.example.com/v1/./%70osts"]
    {
        assert!(verify(&good, &ProofRequest { url, ..REQUEST }).is_ok(), "{url}");
        assert!(
            verify(&proof(&header(), &with(claims(), "htu", json!(url))), &REQUEST).is_ok(),
            "{url}"
        );
    }
    // No URL has no other: what cannot be compared is not equal to what cannot be compared either.
    let neither = proof(&header(), &with(claims(), "htu", json!("ftp://a/")));
    assert!(verify(&neither, &ProofRequest { url: "ftp://a/", ..REQUEST }).is_err());
    refused(&neither, "DPoP proof: htu is not the URL of the request");
}

#[test]
fn every_claim_has_to_be_there_with_its_type() {
    for name in ["jti", "htm", "htu", "ath", "iat"] {
        refused(
            &proof(&header(), &without(claims(), name)),
            &format!("DPoP proof: {name} is missing"),
        );
    }
    for name in ["htm", "htu", "ath"] {
        let wrong = proof(&header(), &with(claims(), name, json!(["GET"])));
        refused(&wrong, &format!("DPoP proof: {name} is not a string"));
    }
    refused(
        &proof(&header(), &with(claims(), "jti", json!(1))),
        "DPoP proof: claim jti: expected a string",
    );
    refused(
        &proof(&header(), &with(claims(), "iat", json!("1800000000"))),
        "DPoP proof: claim iat: expected a number",
    );
    for length in [0, 257] {
        let jti = "j".repeat(length);
        refused(
            &proof(&header(), &with(claims(), "jti", json!(jti))),
            "DPoP proof: jti has not 1 to 256 bytes",
        );
    }
    assert!(
        verify(&proof(&header(), &with(claims(), "jti", json!("j".repeat(256)))), &REQUEST).is_ok()
    );
    refused(&eddsa(header().to_string(), "[]"), "DPoP proof: payload: not a JSON object");
    let twice = claims().to_string().replacen('{', r#"{"htm":"POST","#, 1);
    refused(&eddsa(header().to_string(), twice), "DPoP proof: payload has a member name twice");
}

#[test]
fn a_proof_is_of_its_type_and_by_a_public_key_algorithm() {
    for typ in ["JWT", "at+jwt", "dpop", "dpop+jwtx", ""] {
        refused(
            &proof(&with(header(), "typ", json!(typ)), &claims()),
            "DPoP proof: typ is not dpop+jwt",
        );
    }
    refused(&proof(&without(header(), "typ"), &claims()), "DPoP proof: typ is not dpop+jwt");
    assert!(
        verify(&proof(&with(header(), "typ", json!("application/dpop+jwt")), &claims()), &REQUEST)
            .is_ok()
    );
    for alg in ["none", "None", "eddsa", "HS257"] {
        refused(
            &proof(&with(header(), "alg", json!(alg)), &claims()),
            "DPoP proof: alg is not allowed",
        );
    }
    // The public key as the secret of an HMAC.
    for alg in ["HS256", "HS384", "HS512"] {
        let header = with(header(), "alg", json!(alg));
        let text = hmac_with(
            jwk()["x"].as_str().unwrap().as_bytes(),
            header.to_string(),
            claims().to_string(),
        );
        refused(&text, "DPoP proof: alg is not allowed");
    }
    refused(
        &proof(&with(header(), "alg", json!("ES256")), &claims()),
        "DPoP proof: jwk does not serve alg",
    );
    let rules = ProofRules::new(vec![Algorithm::Es256], 60).unwrap();
    let error =
        verify_by(&proof(&header(), &claims()), &rules, &bound_to(&eddsa_key()), &REQUEST, NOW);
    assert_eq!(error.unwrap_err().to_string(), "DPoP proof: alg is not allowed");
}

#[test]
fn the_key_of_a_proof_is_public_and_the_one_of_the_token() {
    refused(&proof(&without(header(), "jwk"), &claims()), "DPoP proof: jwk is missing");
    refused(
        &proof(&with(header(), "jwk", json!("x")), &claims()),
        "DPoP proof: JWK: not a JSON object",
    );
    for (name, value) in
        [("d", json!(encode(mint::SECRET))), ("k", json!("AA")), ("p", json!(null))]
    {
        let private = with(jwk(), name, value);
        refused(
            &proof(&with(header(), "jwk", private), &claims()),
            "DPoP proof: JWK: a private key, expected only its public members",
        );
    }
    let secret = json!({"kty": "oct", "k": encode(mint::SECRET)});
    refused(
        &proof(&with(header(), "jwk", secret), &claims()),
        "DPoP proof: jwk is a secret, expected a public key",
    );
    refused(
        &proof(&with(header(), "jwk", with(jwk(), "use", json!("enc"))), &claims()),
        "DPoP proof: JWK: use is not sig",
    );
    let stranger = json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    refused(
        &proof(&with(header(), "jwk", stranger), &claims()),
        "DPoP proof is by another key than the token's",
    );
    // The right key in the header, signed by another.
    let other = message(header().to_string(), claims().to_string());
    refused(&format!("{other}.{}", encode(&[7; 64])), "DPoP proof: signature does not verify");
    // A great RSA key is a way to have the host work.
    let mut modulus = vec![0xc7; 4097 / 8 + 1];
    modulus[512] |= 1;
    let great = json!({"kty": "RSA", "n": encode(&modulus), "e": "AQAB"});
    refused(
        &proof(&json!({"typ": "dpop+jwt", "alg": "RS256", "jwk": great}), &claims()),
        "DPoP proof: jwk is an RSA key of more than 4096 bits",
    );
}

#[test]
fn a_proof_has_one_reading() {
    let good = proof(&header(), &claims());
    refused(&format!("{good}, {good}"), "DPoP proof: more than one DPoP header");
    refused(&format!("{good},"), "DPoP proof: more than one DPoP header");
    refused("", "DPoP proof: token: expected three segments, header and signature not empty");
    refused(&format!("{good}="), "DPoP proof: signature: not base64url without padding");
    for crit in [json!(["exp"]), json!([]), json!(null)] {
        refused(
            &proof(&with(header(), "crit", crit), &claims()),
            "DPoP proof: header names critical extensions, none is supported",
        );
    }
    let twice = header().to_string().replacen('{', r#"{"jwk":{},"#, 1);
    refused(&eddsa(twice, claims().to_string()), "DPoP proof: header has a member name twice");
    let inner = header().to_string().replacen(r#""x":"#, r#""x":"AA","x":"#, 1);
    refused(&eddsa(inner, claims().to_string()), "DPoP proof: header has a member name twice");
    let long = "a".repeat(MAX_PROOF_LENGTH + 1);
    refused(&long, "DPoP proof: token has 8193 bytes, more than the 8192 allowed");
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(flipped) = String::from_utf8(bytes) {
            assert!(verify(&flipped, &REQUEST).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_proof_is_fresh() {
    let at = |iat: i64| proof(&header(), &with(claims(), "iat", json!(iat)));
    let now = NOW.as_secs();
    for iat in [now - 60, now, now + 30] {
        let verified = verify(&at(iat), &REQUEST).unwrap();
        assert_eq!(
            verified.until().as_secs(),
            iat + 61,
            "it is remembered for as long as it is taken"
        );
    }
    for iat in [now - 61, 0, i64::MIN] {
        refused(&at(iat), "DPoP proof: proof is too old");
    }
    for iat in [now + 31, i64::MAX] {
        refused(&at(iat), "DPoP proof: proof is from the future");
    }
    refused(&proof(&header(), &with(claims(), "exp", json!(now))), "DPoP proof: proof is too old");
    refused(
        &proof(&header(), &with(claims(), "nbf", json!(now + 31))),
        "DPoP proof: proof is from the future",
    );
    let rules = ProofRules::new(vec![Algorithm::EdDsa], 300).unwrap();
    assert!(verify_by(&at(now - 300), &rules, &bound_to(&eddsa_key()), &REQUEST, NOW).is_ok());
}

#[test]
fn a_nonce_is_one_of_those_wanted() {
    let request = ProofRequest { nonces: &["current", "previous"], ..REQUEST };
    for nonce in ["current", "previous"] {
        assert!(
            verify(&proof(&header(), &with(claims(), "nonce", json!(nonce))), &request).is_ok()
        );
    }
    for nonce in [json!("old"), json!(""), json!(null), json!(["current"])] {
        let error =
            verify(&proof(&header(), &with(claims(), "nonce", nonce)), &request).unwrap_err();
        assert_eq!(error, Error::WrongProofNonce);
        assert!(!error.is_failed_authentication(), "who asks for the first time cannot know it");
    }
    assert_eq!(verify(&proof(&header(), &claims()), &request).unwrap_err(), Error::WrongProofNonce);
    assert!(verify(&proof(&header(), &with(claims(), "nonce", json!("any"))), &REQUEST).is_ok());
}

#[test]
fn a_proof_is_known_by_its_key_its_jti_and_its_url() {
    let key = |claims: &Value| *verify(&proof(&header(), claims), &REQUEST).unwrap().replay_key();
    let first = key(&claims());
    assert_eq!(key(&claims()), first);
    assert_eq!(
        key(&with(claims(), "iat", json!(NOW.as_secs() - 1))),
        first,
        "a new signature is no new proof"
    );
    assert_eq!(key(&with(claims(), "htu", json!("https://API.example.com:443/v1/posts"))), first);
    assert_ne!(key(&with(claims(), "jti", json!("two"))), first);
    assert!(first.storage_name().starts_with("dpop/v1/"));
    assert_eq!(first.storage_name().len(), 8 + 43);
}

#[test]
fn rules_are_checked() {
    for (algorithms, age, message) in [
        (vec![], 60, "algorithms: expected a non-empty list"),
        (
            vec![Algorithm::Es256, Algorithm::Hs256],
            60,
            "algorithms: HS256 proves nothing, expected public-key algorithms",
        ),
        (vec![Algorithm::Es256], 0, "max_age_secs: expected 1 to 3600 seconds"),
        (vec![Algorithm::Es256], 3601, "max_age_secs: expected 1 to 3600 seconds"),
    ] {
        assert_eq!(ProofRules::new(algorithms, age).unwrap_err().to_string(), message);
    }
}

#[test]
fn nothing_of_a_proof_is_in_an_error_or_a_debug_output() {
    let confirmation = bound_to(&eddsa_key());
    let claims = with(claims(), "jti", json!("SECRETWORD"));
    let text = proof(&header(), &claims);
    let parsed = UntrustedProof::parse(&text, &ProofRules::default(), &confirmation).unwrap();
    assert!(!format!("{parsed:?} {REQUEST:?}").contains("SECRETWORD"));
    for name in ["htm", "htu", "ath"] {
        let error =
            verify(&proof(&header(), &with(claims.clone(), name, json!("SECRETWORD"))), &REQUEST);
        assert!(!format!("{:?}", error.unwrap_err()).contains("SECRETWORD"));
    }
}
