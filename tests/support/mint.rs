//! Tokens for the tests, made from raw text so that they can be malformed in any way.
#![allow(dead_code, unreachable_pub)]

use ed25519_dalek::{Signer as _, SigningKey};
use edgegate::base64url::encode;
use edgegate::error::Error;
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken, VerifiedJws},
};
use edgegate::secret::Secret;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// The key that verifies [`hs256`].
pub fn hs256_key() -> Key {
    Key::hmac(Secret::new(SECRET.to_vec()), Algorithm::Hs256, None).unwrap()
}

/// The key that verifies [`eddsa`].
pub fn eddsa_key() -> Key {
    let x = encode(SigningKey::from_bytes(SECRET).verifying_key().as_bytes());
    Key::from_jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)).unwrap()
}

/// A set of one.
pub fn set(key: Key) -> KeySet {
    KeySet::new(vec![key]).unwrap()
}

/// Both parts encoded and joined: what is signed.
pub fn message(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}", encode(header.as_ref()), encode(payload.as_ref()))
}

/// A token whose HMAC holds for these bytes as the secret, whatever the header says.
pub fn hmac_with(secret: &[u8], header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let message = message(header, payload);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(&mac.finalize().into_bytes()))
}

/// A token whose HMAC holds for [`hs256_key`].
pub fn hs256(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    hmac_with(SECRET, header, payload)
}

/// A token whose signature holds for [`eddsa_key`].
pub fn eddsa(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let message = message(header, payload);
    let signature = SigningKey::from_bytes(SECRET).sign(message.as_bytes());
    format!("{message}.{}", encode(&signature.to_bytes()))
}

/// Parses and verifies with one key that needs no host.
pub fn verify(token: &str, key: &Key) -> Result<VerifiedJws, Error> {
    match UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)?.verify(key)? {
        JwsStep::Verified(jws) => Ok(jws),
        JwsStep::NeedsHost(_) => panic!("these keys need no host"),
    }
}
