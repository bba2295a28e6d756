//! Any text as a JWK set: names are unique, kinds do not mix, and publishing changes nothing.
#![no_main]

use edgegate::keys::{KeySet, MAX_JWKS_LENGTH, MAX_KEYS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let published = KeySet::from_published_jwks(text);
    if let Ok(published) = &published {
        assert!(!published.is_symmetric());
    }
    let Ok(set) = KeySet::from_jwks(text) else { return };
    let keys = set.keys();
    assert!(text.len() <= MAX_JWKS_LENGTH && (1..=MAX_KEYS).contains(&keys.len()));
    assert!(keys.iter().all(|key| key.is_symmetric() == set.is_symmetric()));
    for (index, key) in keys.iter().enumerate() {
        let earlier = &keys[..index];
        assert!(key.kid().is_none() || earlier.iter().all(|other| other.kid() != key.kid()));
    }
    if set.is_symmetric() {
        assert!(published.is_err());
    } else {
        assert_eq!(published.unwrap().keys().len(), keys.len());
    }
});
