//! Ed25519 (RFC 8032, RFC 8037), in its strict reading.
//!
//! A signature is `R ‖ S`. It holds if `S` is below the order of the group, neither `R` nor the key is of small order, and
//! `S·B - h·A` is written as exactly the bytes of `R` (the equation without the cofactor). OpenSSL and BoringSSL check
//! the first and the last of these; small orders they let pass. So where a host checks the signature, what it does
//! not look at is looked at here first, and its verdict is the same in all cases.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::Error;

/// The order of the group, `2^252 + 27742317777372353535851937790883648493` (RFC 8032 §5.1), little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The second coordinates of the eight points of small order, little-endian: 0, 1, -1, and the two of order eight. With
/// either sign of the first coordinate; a test derives them.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
];

/// A public key: a point of the curve in its one encoding, not one of small order.
#[derive(Clone, PartialEq, Eq)]
pub struct Ed25519Key(VerifyingKey);

impl Ed25519Key {
    /// Refuses anything but the 32 bytes of a point, as RFC 8032 §5.1.2 writes it. A point of small order is refused
    /// too: signatures that hold for every message can be made for it.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let refused = |problem: &str| Error::RefusedKey { problem: problem.to_owned() };
        let bytes = bytes
            .try_into()
            .map_err(|_| refused(&format!("Ed25519 key has {} bytes, expected 32", bytes.len())))?;
        let key = VerifyingKey::from_bytes(bytes)
            .map_err(|_| refused("Ed25519 key is not a point of the curve"))?;
        if key.is_weak() {
            return Err(refused("Ed25519 key has small order"));
        }
        // Libraries read these, but nobody has such a key: the 19 numbers that have two spellings.
        if !is_reduced(bytes) {
            return Err(refused("Ed25519 key is not in the one encoding of its point"));
        }
        Ok(Self(key))
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether a host may be asked about the signature: what it would not look at is in order.
    pub(crate) fn could_have_made(signature: &[u8]) -> bool {
        let Some((r, s)) = signature.split_first_chunk::<32>() else { return false };
        let mut y = *r;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        let below_the_order = || s.iter().rev().lt(ORDER.iter().rev());
        s.len() == 32 && below_the_order() && !SMALL_ORDER.contains(&y)
    }

    /// Whether the signature holds. `verify_strict` also refuses a scalar that is not reduced and a
    /// point of small order, so that there is one signature, not several.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature = Signature::from_slice(signature).map_err(|_| Error::BadSignature)?;
        self.0.verify_strict(message, &signature).map_err(|_| Error::BadSignature)
    }
}

/// Whether a point's second coordinate is below `2^255 - 19`; the highest bit is the sign of the first.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    match bytes {
        [first, middle @ .., last] => {
            *first < 0xed || *last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(not(target_arch = "wasm32"))]
    mod odd;

    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    #[test]
    fn accepts_the_signature_and_no_flipped_bit_of_it() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let key = Ed25519Key::new(signer.verifying_key().as_bytes()).unwrap();
        let signature = signer.sign(b"message").to_bytes();
        assert_eq!(key.verify(b"message", &signature), Ok(()));
        assert_eq!(key.verify(b"massage", &signature), Err(Error::BadSignature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.verify(b"message", &flipped), Err(Error::BadSignature), "bit {bit}");
        }
        assert_eq!(key.verify(b"message", &signature[..63]), Err(Error::BadSignature));
        assert_eq!(key.verify(b"message", b""), Err(Error::BadSignature));
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_rejected() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let key = Ed25519Key::new(signer.verifying_key().as_bytes()).unwrap();
        let mut signature = signer.sign(b"message").to_bytes();
        // s + L signs the same message for a verifier that does not look.
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
        ];
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(key.verify(b"message", &signature), Err(Error::BadSignature));
    }

    #[test]
    fn bad_keys_are_refused() {
        #[track_caller]
        fn refused(bytes: &[u8], message: &str) {
            assert_eq!(Ed25519Key::new(bytes).err().unwrap().to_string(), message);
        }
        refused(&[7; 31], "Ed25519 key has 31 bytes, expected 32");
        refused(&[], "Ed25519 key has 0 bytes, expected 32");
        let mut no_point = [0; 32];
        no_point[0] = 2;
        refused(&no_point, "Ed25519 key is not a point of the curve");
        let mut identity = [0; 32];
        identity[0] = 1;
        refused(&identity, "Ed25519 key has small order");
        refused(&[0; 32], "Ed25519 key has small order");
    }

    /// Of the 19 numbers that have two spellings ten belong to points of large order, with either sign.
    #[test]
    fn a_key_has_one_encoding() {
        let mut other_spellings = 0;
        for sign in [0x7f, 0xff] {
            for y in 0xed..=0xff {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (y, sign);
                let Some(fault) = Ed25519Key::new(&bytes).err() else { panic!("{y}") };
                let problem = "Ed25519 key is not in the one encoding of its point";
                other_spellings += usize::from(fault.to_string() == problem);
            }
        }
        assert_eq!(other_spellings, 20);
    }
}
