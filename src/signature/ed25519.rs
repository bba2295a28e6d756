//! Ed25519 (RFC 8032, RFC 8037), in its strict reading.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::Error;

/// A public key: a point of the curve, not one of small order.
#[derive(PartialEq, Eq)]
pub(crate) struct Ed25519Key(VerifyingKey);

impl Ed25519Key {
    /// Refuses anything but the 32 bytes of a point. A point of small order is refused too: signatures
    /// that hold for every message can be made for it.
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
        Ok(Self(key))
    }

    /// The key's 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether the signature holds. `verify_strict` also refuses a scalar that is not reduced and a
    /// point of small order, so that there is one signature, not several.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature = Signature::from_slice(signature).map_err(|_| Error::BadSignature)?;
        self.0.verify_strict(message, &signature).map_err(|_| Error::BadSignature)
    }
}

#[cfg(test)]
mod tests {
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
}
