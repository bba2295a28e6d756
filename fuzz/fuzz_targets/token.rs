//! Any text as a token: what verifies is, byte for byte, what the key's owner would sign.
#![no_main]

use edgegate::base64url::{decode, encode};
use edgegate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, UntrustedToken};
use edgegate_fuzz::mint::{eddsa, eddsa_key, hs256, hs256_key, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for segment in text.split('.') {
        if let Some(bytes) = decode(segment) {
            assert_eq!(encode(&bytes), segment, "one text for some bytes");
        }
    }
    // The parser has a decoder of its own, which has to agree with the one for keys.
    let decodes = text.split('.').all(|segment| decode(segment).is_some());
    let token = match UntrustedToken::parse(text, DEFAULT_MAX_TOKEN_LENGTH) {
        Ok(token) => token,
        Err(error) => {
            let blamed = error.to_string().ends_with("not base64url without padding");
            assert!(!(blamed && decodes), "{error}");
            assert!(verify(text, &hs256_key()).is_err());
            return;
        }
    };
    assert!(decodes);
    let _ = token.unverified_issuer();
    let segments: Vec<Vec<u8>> = text.split('.').map(|part| decode(part).unwrap()).collect();
    let [header, payload, _] = segments.as_slice() else { panic!("three segments") };
    if verify(text, &hs256_key()).is_ok() {
        assert_eq!(hs256(header, payload), text);
    }
    if verify(text, &eddsa_key()).is_ok() {
        assert_eq!(eddsa(header, payload), text);
    }
});
