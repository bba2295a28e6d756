//! Any text as PEM: a public key, and never a secret for HMAC.
#![no_main]

use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::keys::Key;
use edgegate::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(key) = Key::from_pem(text) else { return };
    assert!(!key.is_symmetric() && !key.algorithms().is_empty());
    assert!(key.thumbprint().is_some() && key.kid().is_none());
    let secret = Secret::new(text.as_bytes().to_vec());
    assert!(Key::hmac(secret, Algorithm::Hs256, None).is_err());
});
