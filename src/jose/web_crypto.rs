//! Algorithms as WebCrypto names them: for the Worker, and for the package's JavaScript, which gets them as a table.

use serde_json::{Value, json};

use super::algorithm::Algorithm;

/// What WebCrypto has to be told of an algorithm, for `importKey`, `sign` and `verify` alike.
#[must_use]
pub fn parameters(algorithm: Algorithm) -> Value {
    let hmac = |hash: &str| json!({"name": "HMAC", "hash": hash});
    let rsa = |hash: &str| json!({"name": "RSASSA-PKCS1-v1_5", "hash": hash});
    // RFC 7518 §3.5: the salt is as long as the hash.
    let pss = |hash: &str, salt: u32| json!({"name": "RSA-PSS", "hash": hash, "saltLength": salt});
    let ecdsa =
        |curve: &str, hash: &str| json!({"name": "ECDSA", "namedCurve": curve, "hash": hash});
    match algorithm {
        Algorithm::Hs256 => hmac("SHA-256"),
        Algorithm::Hs384 => hmac("SHA-384"),
        Algorithm::Hs512 => hmac("SHA-512"),
        Algorithm::Rs256 => rsa("SHA-256"),
        Algorithm::Rs384 => rsa("SHA-384"),
        Algorithm::Rs512 => rsa("SHA-512"),
        Algorithm::Ps256 => pss("SHA-256", 32),
        Algorithm::Ps384 => pss("SHA-384", 48),
        Algorithm::Ps512 => pss("SHA-512", 64),
        Algorithm::Es256 => ecdsa("P-256", "SHA-256"),
        Algorithm::Es384 => ecdsa("P-384", "SHA-384"),
        Algorithm::Es512 => ecdsa("P-521", "SHA-512"),
        Algorithm::EdDsa => json!({"name": "Ed25519"}),
    }
}
