//! The core's wasm build in a browser, beside the browser's own WebCrypto.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/mint.rs"]
mod mint;

use std::rc::Rc;

use edgegate::api_key::record::NewKey;
use edgegate::api_key::{ApiKeys, KeyId, SigningKeys};
use edgegate::base64url::{decode, encode};
use edgegate::error::{Code, Error};
use edgegate::guard::{Attempts, Backend, Carrier, Guard, Identity, Request};
use edgegate::jose::claims::Claims;
use edgegate::jose::discovery::Location;
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{DEFAULT_MAX_TOKEN_LENGTH, HostCheck, JwsStep, UntrustedToken},
};
use edgegate::limit::{self, Cell, Limit};
use edgegate::policy::{Policy, RequestPath};
use edgegate::revocation::NewRevocation;
use edgegate::secret::Secret;
use edgegate::store::memory::{MemoryCounters, MemoryKeyRecords, MemoryReplays, MemoryRevocations};
use edgegate::time::{UnixMillis, UnixTime};
use gate::{NOW, NOW_SECS, Stores, TestSessions, bindings, record_of, request};
use js_sys::{Array, JSON, Object, Uint8Array};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{CryptoKey, SubtleCrypto};

wasm_bindgen_test_configure!(run_in_browser);

const ISSUER: &str = "https://edgegate.local/";

// ---- the browser's crypto ----

fn subtle() -> SubtleCrypto {
    web_sys::window().unwrap().crypto().unwrap().subtle()
}

fn object(value: &Value) -> Object {
    JSON::parse(&value.to_string()).unwrap().unchecked_into()
}

fn usages(names: &[&str]) -> Array {
    names.iter().map(|name| JsValue::from_str(name)).collect()
}

/// What WebCrypto calls the algorithm.
fn parameters(algorithm: Algorithm) -> Value {
    match algorithm {
        Algorithm::Rs256 => json!({"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"}),
        Algorithm::Ps384 => json!({"name": "RSA-PSS", "hash": "SHA-384", "saltLength": 48}),
        Algorithm::Es256 => json!({"name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256"}),
        Algorithm::Es512 => json!({"name": "ECDSA", "namedCurve": "P-521", "hash": "SHA-512"}),
        other => panic!("{other} is not the host's here"),
    }
}

/// The verdict of `crypto.subtle`.
async fn browser_says(check: &HostCheck<'_>) -> bool {
    let parameters = object(&parameters(check.algorithm()));
    let jwk = object(&check.key().to_jwk(check.algorithm()));
    let import = subtle()
        .import_key_with_object("jwk", &jwk, &parameters, false, &usages(&["verify"]))
        .unwrap();
    let key: CryptoKey = JsFuture::from(import).await.unwrap().unchecked_into();
    let verdict = subtle()
        .verify_with_object_and_js_u8_array_and_js_u8_array(
            &parameters,
            &key,
            &Uint8Array::from(check.signature()),
            &Uint8Array::from(check.message()),
        )
        .unwrap();
    JsFuture::from(verdict).await.unwrap().as_bool().unwrap()
}

/// A token that the browser signs.
async fn signed_by_browser(
    algorithm: Algorithm,
    parameters: &Value,
    key: &CryptoKey,
    claims: &Value,
) -> String {
    let message = mint::message(format!(r#"{{"alg":"{algorithm}"}}"#), claims.to_string());
    let promise = subtle()
        .sign_with_object_and_js_u8_array(
            &object(parameters),
            key,
            &Uint8Array::from(message.as_bytes()),
        )
        .unwrap();
    let signature = Uint8Array::new(&JsFuture::from(promise).await.unwrap()).to_vec();
    format!("{message}.{}", encode(&signature))
}

/// A key pair of the browser: the private key, and the public one as a JWK.
async fn key_pair(algorithm: Algorithm) -> (CryptoKey, Value) {
    let wanted = object(&parameters(algorithm));
    if algorithm == Algorithm::Rs256 {
        let set = |name: &str, value: &JsValue| js_sys::Reflect::set(&wanted, &name.into(), value);
        set("modulusLength", &2048.into()).unwrap();
        set("publicExponent", &Uint8Array::from(&[1_u8, 0, 1][..])).unwrap();
    }
    let generated =
        subtle().generate_key_with_object(&wanted, true, &usages(&["sign", "verify"])).unwrap();
    let pair = JsFuture::from(generated).await.unwrap();
    let half = |name: &str| -> CryptoKey {
        js_sys::Reflect::get(&pair, &name.into()).unwrap().unchecked_into()
    };
    let exported = subtle().export_key("jwk", &half("publicKey")).unwrap();
    let exported = JSON::stringify(&JsFuture::from(exported).await.unwrap()).unwrap();
    let mut jwk: Value = serde_json::from_str(&String::from(exported)).unwrap();
    for name in ["ext", "key_ops"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    (half("privateKey"), jwk)
}

/// The stores of the tests, and the browser as the host.
struct Browser(Stores);

impl Backend for Browser {
    type Keys = Stores;
    type Revocations = Stores;
    type Counters = Stores;
    type Replays = MemoryReplays;
    type Sessions = TestSessions;

    fn sessions(&self) -> &TestSessions {
        self.0.sessions()
    }

    fn keys(&self) -> &Stores {
        &self.0
    }

    fn revocations(&self) -> &Stores {
        &self.0
    }

    fn counters(&self) -> &Stores {
        &self.0
    }

    fn failures(&self) -> &Attempts {
        self.0.failures()
    }

    fn replays(&self) -> &MemoryReplays {
        self.0.replays()
    }

    async fn signature_holds(&self, _issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        Ok(browser_says(check).await)
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        at: Location<'_>,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.0.remote_keys(issuer, at, key_id, now).await
    }
}

// ---- tokens ----

fn published() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/jws.json")).unwrap()
}

/// Verifies with the browser as the host.
async fn verify(token: &str, key: &Key) -> Result<Vec<u8>, Error> {
    let mut step = UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)?.verify(key)?;
    loop {
        match step {
            JwsStep::Verified(jws) => return Ok(jws.payload().to_vec()),
            JwsStep::NeedsHost(check) => {
                let holds = browser_says(&check).await;
                step = check.conclude(holds)?;
            }
        }
    }
}

/// The token with a changed bit somewhere in its signature.
fn with_another_signature(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = decode(signature).unwrap();
    signature[7] ^= 1;
    format!("{message}.{}", encode(&signature))
}

#[wasm_bindgen_test]
async fn published_tokens_verify_here_or_by_the_browser() {
    let mut hosted = Vec::new();
    for vector in published() {
        let name = &vector["name"];
        let (token, key) =
            (vector["token"].as_str().unwrap(), Key::from_jwk_value(&vector["jwk"]).unwrap());
        let payload = verify(token, &key).await.unwrap();
        assert_eq!(payload, vector["payload"].as_str().unwrap().as_bytes(), "{name}");
        let changed = with_another_signature(token);
        assert_eq!(verify(&changed, &key).await.unwrap_err(), Error::BadSignature, "{name}");
        if vector["verifies"] == "at the host" {
            hosted.push(vector["algorithm"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(hosted, ["RS256", "ES256", "ES512", "RS256", "PS384", "ES512"]);
}

#[wasm_bindgen_test]
async fn the_browsers_hmac_is_ours() {
    for (algorithm, hash, length) in [
        (Algorithm::Hs256, "SHA-256", 32),
        (Algorithm::Hs384, "SHA-384", 48),
        (Algorithm::Hs512, "SHA-512", 64),
    ] {
        let secret: Vec<u8> = (0..length).collect();
        let parameters = json!({"name": "HMAC", "hash": hash});
        let import = subtle()
            .import_key_with_object(
                "raw",
                &Uint8Array::from(&secret[..]),
                &object(&parameters),
                false,
                &usages(&["sign"]),
            )
            .unwrap();
        let signer: CryptoKey = JsFuture::from(import).await.unwrap().unchecked_into();
        let claims = json!({"iss": "me", "text": "ü"});
        let token = signed_by_browser(algorithm, &parameters, &signer, &claims).await;
        let key = Key::hmac(Secret::new(secret), algorithm, None).unwrap();
        assert_eq!(verify(&token, &key).await.unwrap(), claims.to_string().as_bytes());
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            let error = verify(&changed, &key).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidToken, "{algorithm} at {position}");
        }
    }
}

#[wasm_bindgen_test]
async fn ed25519_signs_and_verifies() {
    let token = mint::eddsa(r#"{"alg":"EdDSA"}"#, r#"{"iss":"me"}"#);
    assert_eq!(verify(&token, &mint::eddsa_key()).await.unwrap(), br#"{"iss":"me"}"#);
    let changed = with_another_signature(&token);
    let error = verify(&changed, &mint::eddsa_key()).await.unwrap_err();
    assert_eq!(error, Error::BadSignature);
}

// ---- API keys ----

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

#[wasm_bindgen_test]
fn published_api_keys_are_minted_verified_and_refused() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/api_keys.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let signing = |only: Option<u64>| {
        let keys = vectors["signing_keys"].as_array().unwrap().iter();
        let keys = keys.filter(|key| only.is_none_or(|id| key["id"] == id)).map(|key| {
            let id = u8::try_from(key["id"].as_u64().unwrap()).unwrap();
            (id, Secret::new(hex(&text(&key["secret_hex"]))))
        });
        let prefixes: Vec<String> =
            vectors["prefixes"].as_array().unwrap().iter().map(text).collect();
        let signing_keys = SigningKeys::new(keys.collect()).unwrap();
        ApiKeys::new(&text(&vectors["environment"]), &prefixes, signing_keys).unwrap()
    };
    let now = UnixTime::from_secs(vectors["now"].as_i64().unwrap());
    let keys = signing(None);
    for vector in vectors["valid"].as_array().unwrap() {
        let name = &vector["name"];
        let verified = keys.verify(&text(&vector["key"]), now).unwrap();
        assert_eq!(verified.id().to_string(), text(&vector["id"]), "{name}");
        let expiry = vector["expires_at"].as_i64().map(UnixTime::from_secs);
        let minted = signing(vector["signing_key_id"].as_u64())
            .mint(&text(&vector["prefix"]), verified.id(), expiry)
            .unwrap();
        assert_eq!(minted.expose(), text(&vector["key"]), "{name}");
    }
    for vector in vectors["invalid"].as_array().unwrap() {
        let error = keys.verify(&text(&vector["key"]), now).unwrap_err();
        assert_eq!(error.reason(), text(&vector["reason"]), "{}", vector["name"]);
    }
}

// ---- limits and stores ----

#[wasm_bindgen_test]
fn limits_step_as_they_do_elsewhere() {
    for (algorithm, stored) in [
        (limit::LimitAlgorithm::FixedWindow, r#"{"f":{"s":1699999980000,"n":2}}"#),
        (limit::LimitAlgorithm::TokenBucket { burst: 2 }, r#"{"b":{"#),
        (limit::LimitAlgorithm::SlidingWindow, r#"{"s":{"#),
    ] {
        let limit = Limit::new("l", 2, 60, algorithm).unwrap();
        let mut cell: Option<Cell> = None;
        for (admitted, left) in [(true, 1), (true, 0), (false, 0)] {
            let (next, verdict) = limit::step(cell.as_ref(), &limit, 1, NOW);
            assert_eq!((verdict.admitted, verdict.remaining), (admitted, left), "{algorithm:?}");
            cell = Some(next);
        }
        let cell = cell.unwrap();
        // Times need more than the 32 bits of a pointer here.
        let json = serde_json::to_string(&cell).unwrap();
        assert!(json.starts_with(stored), "{json}");
        assert_eq!(Cell::parse(json.as_bytes()).unwrap(), cell);
        let wait = limit::peek(Some(&cell), &limit, 1, NOW).retry_after_secs;
        let then = NOW.saturating_add(u64::from(wait) * 1000);
        assert!(limit::step(Some(&cell), &limit, 1, then).1.admitted, "{algorithm:?}");
        let back = limit::refund(&cell, &limit, 1, NOW);
        assert_eq!(limit::peek(Some(&back), &limit, 0, NOW).remaining, 1, "{algorithm:?}");
        let far = UnixMillis::from_millis(u64::MAX);
        assert!(limit::step(Some(&cell), &limit, 1, far).1.admitted, "{algorithm:?}");
    }
}

#[wasm_bindgen_test]
async fn the_stores_in_memory_keep_their_contract() {
    contract::revocations_are_found_and_replaced(&MemoryRevocations::default()).await;
    contract::revocations_are_removed_idempotently(&MemoryRevocations::default()).await;
    contract::revocations_are_listed_once_each(MemoryRevocations::default).await;
    contract::a_listing_survives_changes(MemoryRevocations::default).await;
    contract::records_are_found_and_replaced(&MemoryKeyRecords::default()).await;
    contract::records_are_listed_once_each(&MemoryKeyRecords::default()).await;
    let fresh = MemoryCounters::default;
    contract::counters_are_kept_by_group_and_name(&fresh()).await;
    contract::counters_take_all_or_nothing(&fresh()).await;
    contract::counters_are_refunded(&fresh()).await;
    contract::counters_admit_exactly_the_limit_at_once(&fresh()).await;
    contract::counters_follow_the_clock(&fresh()).await;
}

// ---- the gate ----

fn claims(more: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "user-1", "jti": "j", "exp": NOW_SECS + 60,
        "scope": "read:posts",
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn policy_with(issuer: &Value) -> Policy {
    let mut policy = json!({
        "issuers": [{"issuer": ISSUER, "audience": ["api"]}],
        "api_keys": {
            "environment": "test",
            "prefixes": [{"prefix": "sk"}],
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "revocation": {},
        "limits": [{"name": "two", "requests": 2, "window_secs": 60, "store": "memory"}],
        "routes": [{"path": "/v1/{id}", "scopes": {"all": ["read:posts"]}, "limits": ["two"]}],
    });
    for (name, value) in issuer.as_object().unwrap() {
        policy["issuers"][0][name] = value.clone();
    }
    gate::policy(&policy)
}

fn get<'a>(authorization: &'a str) -> Request<'a> {
    Request { authorization: Some(authorization), ..request("GET", "/v1/7") }
}

#[wasm_bindgen_test]
fn faults_of_a_policy_have_their_place() {
    for (policy, message) in [
        (
            json!({"issuers": [{"issuer": "i", "audience": [], "secret": "JWT_SECRET"}]}),
            "issuers[0].audience: expected a non-empty list",
        ),
        (
            json!({"max_token_length": 4_294_967_296_u64}),
            "max_token_length: expected a whole number, found one out of range",
        ),
        (
            json!({"admin": {"secret": "SHORT"}}),
            "admin.secret: secret has 31 bytes, expected at least 32",
        ),
    ] {
        assert_eq!(gate::read(&policy).unwrap_err().to_string(), message);
    }
}

#[wasm_bindgen_test]
async fn a_request_is_decided_from_end_to_end() {
    let policy = policy_with(&json!({"secret": "JWT_SECRET"}));
    let browser = Browser(Stores::default());
    let guard = Guard::new(&policy, &browser);
    let token = |more| mint::hs256(r#"{"alg":"HS256"}"#, claims(&more).to_string());

    let good = format!("Bearer {}", token(json!({})));
    let decision = guard.check(&get(&good), NOW).await;
    assert_eq!((decision.route.as_str(), decision.carrier), ("/v1/{id}", Some(Carrier::Bearer)));
    assert_eq!(decision.limits[0].verdict.unwrap().remaining, 1);
    assert_eq!(decision.outcome.unwrap().subject(), Some("user-1"));
    assert_eq!(browser.0.asked(), ["entries", "take memory two"]);

    let unscoped = format!("Bearer {}", token(json!({"scope": ""})));
    let error = guard.check(&get(&unscoped), NOW).await.outcome.unwrap_err();
    assert_eq!(error, Error::InsufficientScope { required: "read:posts".to_owned() });
    assert!(guard.check(&get(&good), NOW).await.outcome.is_ok());
    let error = guard.check(&get(&good), NOW).await.outcome.unwrap_err();
    assert_eq!(error.code(), Code::RateLimited);
    browser.0.revoke(&json!({"iss": ISSUER, "jti": "j"}));
    let error = guard.check(&get(&good), NOW).await.outcome.unwrap_err();
    assert_eq!(error, Error::TokenRevoked { by: "jti" });

    let id = KeyId::from_bytes([7; 16]);
    let minted = policy.api_keys.as_ref().unwrap().keys.mint("sk", id, None).unwrap();
    let key = Request { api_key: Some(minted.expose()), ..request("GET", "/v1/7") };
    let error = guard.check(&key, NOW).await.outcome.unwrap_err();
    assert_eq!(error, Error::UnknownApiKey);
    browser.0.put_record(&record_of(id, &json!({"scopes": ["read:posts"]})));
    let decision = guard.check(&key, NOW).await;
    assert_eq!(decision.carrier, Some(Carrier::ApiKeyHeader));
    assert_eq!(decision.outcome.unwrap().api_key_id(), Some(&id));
}

#[wasm_bindgen_test]
async fn tokens_the_browser_signed_are_admitted_by_the_browsers_verdict() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let (private, jwk) = key_pair(algorithm).await;
        // Beside the right key another one of the same kind: both are candidates without a kid.
        let (_, other) = key_pair(algorithm).await;
        let keys = json!({"algorithms": [algorithm.as_str()], "jwks": {"keys": [other, jwk]}});
        let policy = policy_with(&keys);
        let browser = Browser(Stores::default());
        let guard = Guard::new(&policy, &browser);
        let signed = |claims| {
            let private = &private;
            async move { signed_by_browser(algorithm, &parameters(algorithm), private, &claims).await }
        };
        let token = signed(claims(&json!({}))).await;
        let decision = guard.check(&get(&format!("Bearer {token}")), NOW).await;
        let Ok(Identity::Token(identity)) = decision.outcome else {
            panic!("{algorithm}: {:?}", decision.outcome)
        };
        let key = Key::from_jwk_value(&jwk).unwrap();
        assert_eq!(identity.key_id(), key.thumbprint(), "{algorithm}");

        let changed = format!("Bearer {}", with_another_signature(&token));
        let error = guard.check(&get(&changed), NOW).await.outcome.unwrap_err();
        assert_eq!(error, Error::BadSignature, "{algorithm}");
        let expired = format!("Bearer {}", signed(claims(&json!({"exp": NOW_SECS}))).await);
        let error = guard.check(&get(&expired), NOW).await.outcome.unwrap_err();
        assert_eq!(error.code(), Code::TokenExpired, "{algorithm}");
    }
}

// ---- bad input ----

#[wasm_bindgen_test]
async fn bad_input_is_refused_and_the_instance_goes_on() {
    let policy = policy_with(&json!({"secret": "JWT_SECRET"}));
    let deep = "[".repeat(100_000);
    let long = "x".repeat(1 << 20);
    let mut texts: Vec<String> = vec![
        String::new(),
        "\0".to_owned(),
        "..".to_owned(),
        "ü.ü.ü".to_owned(),
        "\u{10ffff}".repeat(1000),
        "{}".to_owned(),
        "null".to_owned(),
        r#"{"a":1e999}"#.to_owned(),
        r#"{"exp":-9223372036854775808,"iat":1.7976931348623157e308}"#.to_owned(),
        "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----".to_owned(),
        "sk_test_".to_owned(),
        format!("sk_test_{}", "z".repeat(58)),
        "/%".to_owned(),
        "/%e2%82".to_owned(),
        format!(r#"{{"issuers": {deep}"#),
        format!(r#"{{"keys": {deep}"#),
        deep,
        long,
    ];
    for vector in published() {
        let token = vector["token"].as_str().unwrap();
        texts.extend((0..token.len()).step_by(7).map(|end| token.get(..end).unwrap().to_owned()));
        texts.push(vector["jwk"].to_string());
    }
    for text in &texts {
        let browser = Browser(Stores::default());
        let header = format!("Bearer {text}");
        for request in [
            Request { path: text, ..get(&header) },
            get(&header),
            get(text),
            Request { api_key: Some(text), ..request("GET", "/") },
            Request { cookie: Some(text), ..request(text, "/") },
        ] {
            let decision = Guard::new(&policy, &browser).check(&request, NOW).await;
            assert!(decision.outcome.is_err());
        }
        let bytes = text.as_bytes();
        let _ = (Claims::parse(bytes), Cell::parse(bytes), RequestPath::parse(text));
        let _ = (NewKey::parse(bytes), NewRevocation::parse(bytes), decode(text));
        let _ = (Key::from_jwk(text), Key::from_pem(text), KeySet::from_jwks(text));
        assert!(text == "{}" || Policy::from_json(text, &bindings()).is_err());
    }
    let good = mint::hs256(r#"{"alg":"HS256"}"#, claims(&json!({})).to_string());
    let browser = Browser(Stores::default());
    let decision = Guard::new(&policy, &browser).check(&get(&format!("Bearer {good}")), NOW).await;
    assert_eq!(decision.outcome.unwrap().subject(), Some("user-1"));
}
