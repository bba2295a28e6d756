//! Any text as a JWK: a key serves one kind of algorithm, and is never a secret for HMAC.
#![no_main]

use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::keys::Key;
use edgegate::secret::Secret;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(key) = Key::from_jwk(text) else { return };
    let value: Value = serde_json::from_str(text).unwrap();
    let same = Key::from_jwk_value(&value).unwrap();
    assert_eq!(same.thumbprint(), key.thumbprint());
    assert_eq!((same.kid(), same.algorithms()), (key.kid(), key.algorithms()));
    assert!(!key.algorithms().is_empty());
    for algorithm in key.algorithms() {
        assert_eq!(algorithm.is_symmetric(), key.is_symmetric());
    }
    assert_eq!(key.thumbprint().is_none(), key.is_symmetric());
    assert_eq!(value.get("k").is_some() && value["kty"] == "oct", key.is_symmetric());
    if !key.is_symmetric() {
        assert!(["d", "p", "q", "k"].iter().all(|member| value.get(member).is_none()));
    }
    let secret = Secret::new(text.as_bytes().to_vec());
    assert!(Key::hmac(secret, Algorithm::Hs256, None).is_err());
});
