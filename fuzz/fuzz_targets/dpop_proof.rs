//! Any text as a proof of possession: what is taken says what was asked for, byte for byte, under the one key.
//!
//! And any two texts as URLs: what is normal stays as it is, and has no query, fragment or user.
#![no_main]

use edgegate::jose::dpop::{
    Confirmation, ProofRequest, ProofRules, ProofStep, UntrustedProof, access_token_hash, normalize,
};
use edgegate::time::UnixTime;
use edgegate_fuzz::mint::{eddsa, eddsa_key};
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const REQUEST: ProofRequest<'_> =
    ProofRequest { method: "GET", url: "https://a/b", access_token: "t", nonces: &[] };

// A proof itself, or two lines, header and claims, which are signed first.
fuzz_target!(|text: &str| {
    if let Some(normal) = normalize(text) {
        assert_eq!(normalize(&normal).as_deref(), Some(normal.as_str()), "{text:?}");
        assert!(!normal.contains(['?', '#', '\\']), "{normal:?}");
        // In a path it is a character like any other (RFC 3986 §3.3).
        assert!(!normal.split('/').nth(2).unwrap().contains('@'), "{normal:?}");
    }
    let signed = text.split_once('\n').map(|(header, claims)| eddsa(header, claims));
    let proof = signed.as_deref().unwrap_or(text);
    let rules = ProofRules::default();
    let key = eddsa_key();
    let confirmation = Confirmation::from_thumbprint(key.thumbprint().unwrap()).unwrap();
    let Ok(parsed) = UntrustedProof::parse(proof, &rules, &confirmation) else { return };
    let Ok(ProofStep::Verified(step)) = parsed.verify() else { return };
    let Ok(verified) = step.check(&rules, &REQUEST, NOW) else { return };
    assert!(NOW < verified.until());
    let payload = proof.split('.').nth(1).and_then(edgegate::base64url::decode).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["htm"], "GET");
    assert_eq!(normalize(claims["htu"].as_str().unwrap()).as_deref(), Some("https://a/b"));
    assert_eq!(claims["ath"], access_token_hash("t"));
});
