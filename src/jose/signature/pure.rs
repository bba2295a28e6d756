//! RSA and ECDSA in Rust, for hosts without WebCrypto or `node:crypto`.
//!
//! [`holds`] answers a [`HostCheck`] as a host would:
//!
//! ```
//! use edgegate::error::Error;
//! use edgegate::jose::jws::{JwsStep, UntrustedToken, VerifiedJws};
//! use edgegate::jose::keys::KeySet;
//! use edgegate::jose::signature::pure;
//!
//! fn verify(token: &str, keys: &KeySet) -> Result<VerifiedJws, Error> {
//!     let mut step = UntrustedToken::parse(token, 8192)?.verify_with_set(keys)?;
//!     loop {
//!         match step {
//!             JwsStep::Verified(jws) => return Ok(jws),
//!             JwsStep::NeedsHost(check) => {
//!                 let holds = pure::holds(&check)?;
//!                 step = check.conclude(holds)?;
//!             }
//!         }
//!     }
//! }
//! # let key = edgegate::jose::keys::Key::from_jwk(
//! #     r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
//! #         "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
//! # )?;
//! # let keys = KeySet::new(vec![key])?;
//! // RFC 7515 A.3.
//! let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
//! assert!(verify(token, &keys).is_ok());
//! # Ok::<(), Error>(())
//! ```
//!
//! What is handled here is public: keys, messages and signatures. So nothing has to run in constant time, and
//! RUSTSEC-2023-0071, which is about the private-key operations of the `rsa` crate, does not apply: there is
//! no private key and no way to give one.

use p256::ecdsa::signature::Verifier;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey, pkcs1v15, pss};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::error::Error;
use crate::jose::keys::{Curve, MAX_RSA_BITS, PublicKey};
use crate::jose::{algorithm::Algorithm, jws::HostCheck};

/// Whether the signature holds.
///
/// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2): the whole encoded message is compared, in its DER form only.
/// RSASSA-PSS (§8.1.2): MGF1 with the same hash, and a salt exactly as long as the hash (RFC 7518 §3.5). In both
/// the signature is as long as the modulus and, as a number, below it. ECDSA: `r` and `s` from 1 to below the
/// order; a high `s` is as good as a low one (RFC 7518 §3.4 says nothing else), so a signature has two spellings.
///
/// The time is bounded by what [`Key`](crate::jose::keys::Key) takes: moduli of 16384 bits, exponents of 32.
///
/// # Errors
/// [`Error::RefusedKey`] if an EC key is not a point of its curve. It is known only now, as with a host that
/// imports it.
pub fn holds(check: &HostCheck<'_>) -> Result<bool, Error> {
    verify(check.key(), check.algorithm(), check.message(), check.signature())
}

/// Whether signatures of the key can be checked at all, for a key that is loaded before it is used.
///
/// # Errors
/// As [`holds`].
pub fn accept(key: &PublicKey) -> Result<(), Error> {
    let algorithm = match key {
        PublicKey::Rsa { .. } => Algorithm::Rs256,
        PublicKey::Ec { curve, .. } => match curve {
            Curve::P256 => Algorithm::Es256,
            Curve::P384 => Algorithm::Es384,
            Curve::P521 => Algorithm::Es512,
        },
        PublicKey::Ed25519(_) => return Ok(()),
    };
    verify(key, algorithm, &[], &[]).map(|_| ())
}

pub(crate) fn verify(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    match key {
        PublicKey::Rsa { n, e } => rsa(n, e, algorithm, message, signature),
        PublicKey::Ec { curve, x, y } => ecdsa(*curve, x, y, algorithm, message, signature),
        PublicKey::Ed25519(key) => Ok(key.verify(message, signature).is_ok()),
    }
}

fn rsa(
    n: &[u8],
    e: &[u8],
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
    let key = RsaPublicKey::new_with_max_size(n, e, MAX_RSA_BITS).map_err(|_| {
        Error::RefusedKey { problem: "RSA modulus or exponent out of range".to_owned() }
    })?;
    if matches!(algorithm, Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512)
        && has_bit_beyond_pss(&key, signature)
    {
        return Ok(false);
    }
    match algorithm {
        Algorithm::Rs256 => check(&pkcs1v15::VerifyingKey::<Sha256>::new(key), message, signature),
        Algorithm::Rs384 => check(&pkcs1v15::VerifyingKey::<Sha384>::new(key), message, signature),
        Algorithm::Rs512 => check(&pkcs1v15::VerifyingKey::<Sha512>::new(key), message, signature),
        Algorithm::Ps256 => check(&pss_key::<Sha256>(key), message, signature),
        Algorithm::Ps384 => check(&pss_key::<Sha384>(key), message, signature),
        Algorithm::Ps512 => check(&pss_key::<Sha512>(key), message, signature),
        _ => Err(Error::AlgorithmNotAllowed),
    }
}

/// RFC 8017 §8.1.2 step 2c, which `rsa` 0.9 leaves out: the encoded message of PSS has a bit less than the
/// modulus. Where that is a whole number of bytes, the byte above it has to be zero; elsewhere `rsa` looks at
/// the spare bits. Only the owner of the key can make what is let through so: no forgery, but not strict.
fn has_bit_beyond_pss(key: &RsaPublicKey, signature: &[u8]) -> bool {
    key.n().bits() % 8 == 1
        && BigUint::from_bytes_be(signature).modpow(key.e(), key.n()).bits() == key.n().bits()
}

/// The length of the salt is said, lest it be read from the signature.
fn pss_key<D: Digest>(key: RsaPublicKey) -> pss::VerifyingKey<D> {
    pss::VerifyingKey::new_with_salt_len(key, <D as Digest>::output_size())
}

/// Each curve goes with one hash (RFC 7518 §3.4), which its `VerifyingKey` uses.
fn ecdsa(
    curve: Curve,
    x: &[u8],
    y: &[u8],
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    // SEC 1 §2.3.3: uncompressed, both coordinates follow.
    let point = [&[4], x, y].concat();
    let off_curve =
        |_| Error::RefusedKey { problem: format!("{curve} key is not a point of the curve") };
    match (curve, algorithm) {
        (Curve::P256, Algorithm::Es256) => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(off_curve)?;
            check::<p256::ecdsa::Signature>(&key, message, signature)
        }
        (Curve::P384, Algorithm::Es384) => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(off_curve)?;
            check::<p384::ecdsa::Signature>(&key, message, signature)
        }
        (Curve::P521, Algorithm::Es512) => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(off_curve)?;
            check::<p521::ecdsa::Signature>(&key, message, signature)
        }
        _ => Err(Error::AlgorithmNotAllowed),
    }
}

fn check<S>(key: &impl Verifier<S>, message: &[u8], signature: &[u8]) -> Result<bool, Error>
where
    S: for<'s> TryFrom<&'s [u8]>,
{
    let signature = S::try_from(signature);
    Ok(signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::{decode, encode};
    use crate::jose::jws::{JwsStep, UntrustedToken};
    use crate::jose::keys::{Key, Material};

    /// The key and the token of RFC 7515 A.3.
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    /// The order of P-256 (FIPS 186-4 D.1.2.3).
    const ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

    fn key(x: &str, y: &str) -> Key {
        Key::from_jwk(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)).unwrap()
    }

    fn ask(token: &str, key: &Key) -> Result<bool, Error> {
        match UntrustedToken::parse(token, 8192)?.verify(key)? {
            JwsStep::NeedsHost(check) => holds(&check),
            JwsStep::Verified(_) => panic!("nobody has checked it"),
        }
    }

    fn with_signature(r: &[u8], s: &[u8]) -> String {
        let (message, _) = TOKEN.rsplit_once('.').unwrap();
        format!("{message}.{}", encode(&[r, s].concat()))
    }

    #[test]
    fn the_signature_holds_and_no_flipped_bit_of_it_does() {
        let key = key(X, Y);
        assert_eq!(ask(TOKEN, &key), Ok(true));
        let signature = decode(TOKEN.rsplit_once('.').unwrap().1).unwrap();
        for bit in 0..512 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (r, s) = changed.split_at(32);
            assert_eq!(ask(&with_signature(r, s), &key), Ok(false), "bit {bit}");
        }
    }

    #[test]
    fn scalars_of_the_order_or_more_are_out_of_range() {
        // Taken modulo the order these are the zeros of CVE-2022-21449, which pass a check for zero bytes.
        let (key, order, one) = (key(X, Y), decode(ORDER).unwrap(), [&[0; 31][..], &[1]].concat());
        for (r, s) in [(&order, &order), (&order, &one), (&one, &order), (&vec![255; 32], &one)] {
            assert_eq!(ask(&with_signature(r, s), &key), Ok(false));
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let error = ask(TOKEN, &key(X, X)).unwrap_err();
        assert_eq!(error.to_string(), "P-256 key is not a point of the curve");
        let zero = encode(&[0; 32]);
        assert!(ask(TOKEN, &key(&zero, &zero)).is_err());
    }

    #[test]
    fn the_largest_rsa_key_is_no_reason_to_panic_or_to_wait() {
        let n = encode(&[0xff; MAX_RSA_BITS / 8]);
        let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"_____w"}}"#);
        let key = Key::from_jwk(&jwk).unwrap();
        let Material::Public(public) = key.material() else { panic!() };
        for algorithm in key.algorithms() {
            // As a number: not below the modulus, and just below it.
            for last in [0xff, 0xfe] {
                let mut signature = vec![0xff; MAX_RSA_BITS / 8];
                *signature.last_mut().unwrap() = last;
                assert_eq!(verify(public, *algorithm, b"message", &signature), Ok(false));
            }
        }
    }

    /// RFC 8017 §8.1.2 step 2c: with 2049 bits, the message of PSS has 2048. Computed with Python's integers.
    #[test]
    fn a_pss_message_has_no_bit_beyond_its_length() {
        let n = "AacV8oOmXsMoNSlydpf1dnJLP-uVp-V0z8UkkY5wWiJtZ2CDyWY_Tz0d7iFKCHOwQFELcjSvMBvgwGBhoBKYTOEtLExVPAFef6JVH5cI_oHXlOma0ySjDyM64gjYz0lH6HuYLIcgc_S8IqF7IPWJ2a7poH6wqIyK8TzxcCPIl9hFFV97C5IR5M5oGjoUtNltQbxHn_n8oB-bUjmZH3sZE5_pbRzgLBSrIURSwA4vPkRO0qbfjoLF_-R_KOATnysD6l9GjbEu2s6Vl9QVHELTi8wZi07e3WJTWODHfZYN4ICo49dC6VcFwNd_fMylX5ejEcLlghH-28cmvNqJ7uMJH_0";
        let message = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJtZSJ9";
        let holds = "AYYjizQOF59kNgBXFwCUzjpllDqKo8C5VWLY2MlLxIjAajHwiS8msgWMxJu6NrU5EDL-NGtmCKv_gDewWHbRJWz_mtG3u5eK2uFgduydYN86TRIeQb66_ahQoO5s9IxZ6nJMO2SEyX7iwt-grKsm4rwS23rpP878BiiOJwK2P-6H4DU4zHYrQ7quPN2bE1E5kVvFfIfo0u4Et5HKMjoTEl7jItlbO_82H7JsKsRhsnUI-ZdVfH-shB9PDrQE6koe3H3TfSS3hNvxJnKQEkCPWui8pR7yiVg9DTs8WS2sHfjxyh8N9FM36wNBpeUkpNufEymmj0hgeUu-fKuFLHWGQq0";
        // The same encoded message, and the bit above it.
        let beyond = "AQszkNS_mtENgqZJgAjdJW01D6uePWR2-imaD_OENF0MAyfWeIoDlvLarP7sHR_FfOy8jTP_tgD_2BGqXtcqYzMnccoRZw80dZTy_fu02pXKZ6SsEg9qczwHfdwJLDlbHyY2opxPreRQruHcWOJaAWF-ryppJhrX-M3VX3VsfbESuIlc7woPq9NXoqnpVHDnjBv6-qmhXpoDWcWei_zldtcHMkUjcSp1J-sdbvVtCg9AuxtyoDM_vnq7Vuvvq0OQ7uy48W7BjYdldNXPRf_R-PtPL_EtsM9_mZUBq6mUCKa5YjIy1D0AV2q3XN28hmYl8WmJHqHeJETCtJHu0NLwwyc";
        let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#);
        let key = Key::from_jwk(&jwk).unwrap();
        assert_eq!(ask(&format!("{message}.{holds}"), &key), Ok(true));
        assert_eq!(ask(&format!("{message}.{beyond}"), &key), Ok(false));
    }

    #[test]
    fn a_key_serves_no_algorithm_of_another_kind() {
        let key = key(X, Y);
        let Material::Public(public) = key.material() else { panic!() };
        for algorithm in Algorithm::ALL {
            if algorithm != Algorithm::Es256 {
                let answer = verify(public, algorithm, b"", &[1; 64]);
                assert_eq!(answer, Err(Error::AlgorithmNotAllowed), "{algorithm}");
            }
        }
    }
}
