//! Any text as a JWK set: a name and an algorithm choose one key, kinds do not mix, and publishing changes nothing. And as the
//! document that says where a set is: a place that is taken is https.
#![no_main]

use edgegate::jose::discovery::Discovery;
use edgegate::jose::keys::{KeySet, MAX_JWKS_LENGTH, MAX_KEYS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let discovery = Discovery::of("https://issuer.example/", false).unwrap();
    if let Ok(uri) = discovery.jwks_uri(text) {
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        let is_loopback = |rest: &str| loopback.iter().any(|host| rest.starts_with(host));
        assert!(
            uri.starts_with("https://") || uri.strip_prefix("http://").is_some_and(is_loopback)
        );
        assert!(text.contains("issuer") && !uri.contains(['#', '\\', ' ']));
    }
    let published = KeySet::from_published_jwks(text);
    if let Ok(published) = &published {
        assert!(!published.is_symmetric());
    }
    let Ok(set) = KeySet::from_jwks(text) else { return };
    let keys = set.keys();
    assert!(text.len() <= MAX_JWKS_LENGTH && (1..=MAX_KEYS).contains(&keys.len()));
    assert!(keys.iter().all(|key| key.is_symmetric() == set.is_symmetric()));
    for (index, key) in keys.iter().enumerate() {
        let named =
            keys[..index].iter().filter(|other| key.kid().is_some() && other.kid() == key.kid());
        assert!(
            named.flat_map(|other| other.algorithms()).all(|algorithm| !key.permits(*algorithm))
        );
    }
    if set.is_symmetric() {
        assert!(published.is_err());
    } else {
        assert_eq!(published.unwrap().keys().len(), keys.len());
    }
});
