//! Any key and signature for the arithmetic in Rust: no panic, and a signature is of one message.
#![no_main]

use edgegate::base64url::encode;
use edgegate::jose::jws::{JwsStep, UntrustedToken};
use edgegate::jose::keys::Key;
use edgegate::jose::signature::pure;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Arbitrary, Debug)]
enum Material<'a> {
    /// RFC 7515 A.3: a key that exists.
    P256,
    Ec(u8, &'a [u8], &'a [u8]),
    Rsa(u8, &'a [u8], u32),
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    material: Material<'a>,
    payload: &'a [u8],
    signature: &'a [u8],
}

/// As many bytes as are needed: the last ones given, behind `fill`.
fn padded(bytes: &[u8], length: usize, fill: u8) -> Vec<u8> {
    let given = &bytes[bytes.len().saturating_sub(length)..];
    [vec![fill; length - given.len()].as_slice(), given].concat()
}

fuzz_target!(|input: Input<'_>| {
    let (jwk, algorithm, length) = match input.material {
        Material::P256 => (
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            "ES256",
            64,
        ),
        Material::Ec(curve, x, y) => {
            let (curve, algorithm, length) =
                [("P-256", "ES256", 32), ("P-384", "ES384", 48), ("P-521", "ES512", 66)]
                    [usize::from(curve) % 3];
            let coordinate = |bytes| encode(&padded(bytes, length, 0));
            let jwk = json!({"kty": "EC", "crv": curve, "x": coordinate(x), "y": coordinate(y)});
            (jwk, algorithm, 2 * length)
        }
        Material::Rsa(algorithm, n, e) => {
            let names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
            let n = padded(n, 256, 0xff);
            let jwk = json!({"kty": "RSA", "n": encode(&n), "e": encode(&e.to_be_bytes())});
            (jwk, names[usize::from(algorithm) % 6], 256)
        }
    };
    let Ok(key) = Key::from_jwk(&jwk.to_string()) else { return };
    let signature = encode(&padded(input.signature, length, 0));
    let ask = |payload: &[u8]| {
        let header = encode(json!({"alg": algorithm}).to_string().as_bytes());
        let token = format!("{header}.{}.{signature}", encode(payload));
        let token = UntrustedToken::parse(&token, usize::MAX).unwrap();
        match token.verify(&key) {
            Ok(JwsStep::NeedsHost(check)) => pure::holds(&check),
            Ok(JwsStep::Verified(_)) => panic!("verified by nobody"),
            Err(error) => Err(error),
        }
    };
    if ask(input.payload) == Ok(true) {
        let other = [input.payload, b"!"].concat();
        assert_ne!(ask(&other), Ok(true), "one signature of two messages");
    }
});
