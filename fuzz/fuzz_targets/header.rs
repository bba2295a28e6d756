//! Any bytes as a JOSE header: what is read is what another JSON parser reads.
#![no_main]

use edgegate::base64url::encode;
use edgegate::jose::{algorithm::MAX_KEY_ID_LENGTH, jws::UntrustedToken};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let token = format!("{}.e30.AA", encode(bytes));
    let Ok(parsed) = UntrustedToken::parse(&token, usize::MAX) else { return };
    let header = parsed.header();
    let other: Value = serde_json::from_slice(bytes).unwrap();
    assert!(other.get("crit").is_none() && other.get("b64").is_none());
    let name = other["alg"].as_str().unwrap();
    let expected = if name == "Ed25519" { "EdDSA" } else { name };
    assert_eq!(header.algorithm().as_str(), expected);
    assert!(!name.eq_ignore_ascii_case("none"));
    assert_eq!(header.key_id(), other.get("kid").map(|kid| kid.as_str().unwrap()));
    assert_eq!(header.typ(), other.get("typ").map(|typ| typ.as_str().unwrap()));
    assert!(header.key_id().is_none_or(|kid| kid.len() <= MAX_KEY_ID_LENGTH));
    assert!(!format!("{parsed:?}").contains(token.get(..20).unwrap_or(&token)));
});
