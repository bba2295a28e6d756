//! Signing of JWS and JWT: what [`crate::jose::jws`] and [`crate::jose::claims`] would refuse is not signed.
//!
//! HMAC and Ed25519 sign here, with signatures that are always the same for the same message. For RSA and ECDSA the host
//! does: [`SigningKey::host`] takes the public half, [`Unsigned`] is what to sign, and its signature is put in its place
//! by [`Unsigned::finish`]. There is no RSA signing in Rust, also not with the feature `pure`: the time that the crate `rsa`
//! takes leaks the private key (RUSTSEC-2023-0071).
//!
//! ```
//! use edgegate::jose::algorithm::Algorithm;
//! use edgegate::secret::Secret;
//! use edgegate::jose::sign::{Signing, SigningKey};
//!
//! let key = SigningKey::hmac(Secret::new(vec![7; 32]), Algorithm::Hs256, None)?;
//! let claims = br#"{"iss":"me","aud":"you","exp":1300819380}"#;
//! let Signing::Done(token) = key.sign_jwt(claims, Some("at+jwt"))? else { panic!("HMAC needs no host") };
//! assert!(token.starts_with("eyJ"));
//! # Ok::<(), edgegate::error::Error>(())
//! ```

use core::fmt;

use jwt_compact::alg::{Ed25519, Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use serde::Serialize;

use crate::base64url;
use crate::error::Error;
use crate::jose::algorithm::{Algorithm, check_key_id};
use crate::jose::claims::Claims;
use crate::jose::keys::{Key, Material, PublicKey, pem};
use crate::json;
use crate::secret::Secret;

/// A key that signs with one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: Option<String>,
    material: SigningMaterial,
}

/// The private key in a PEM block `PRIVATE KEY` (RFC 7468 §10): PKCS#8 (RFC 5958) in DER, as hosts import it. What is in it is for the
/// host to read.
///
/// # Errors
/// [`Error::RefusedKey`] for another block, more than one, more than 64 KiB, and for what [`Key::from_pem`] does not read either.
pub fn pkcs8_of_pem(pem: &str) -> Result<Secret, Error> {
    pem::private(pem)
}

/// Secrets are wiped when they are dropped.
enum SigningMaterial {
    Hs256(Hs256Key),
    Hs384(Hs384Key),
    Hs512(Hs512Key),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Host(PublicKey),
}

impl SigningKey {
    /// A secret for one HMAC algorithm.
    ///
    /// # Errors
    /// As [`Key::hmac`].
    pub fn hmac(secret: Secret, algorithm: Algorithm, kid: Option<String>) -> Result<Self, Error> {
        let bytes = secret.expose_secret();
        let material = match algorithm {
            Algorithm::Hs384 => SigningMaterial::Hs384(Hs384Key::new(bytes)),
            Algorithm::Hs512 => SigningMaterial::Hs512(Hs512Key::new(bytes)),
            // Any other algorithm is refused below.
            _ => SigningMaterial::Hs256(Hs256Key::new(bytes)),
        };
        // The checks of a key that verifies.
        Key::hmac(secret, algorithm, kid.clone())?;
        Ok(Self { algorithm, kid, material })
    }

    /// An Ed25519 key, by its seed of 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`Error::RefusedKey`] for another length, or a `kid` that is empty or too long.
    pub fn ed25519(seed: &Secret, kid: Option<String>) -> Result<Self, Error> {
        check_key_id(kid.as_deref())?;
        let bytes = seed.expose_secret();
        let seed = bytes.try_into().map_err(|_| {
            refused(&format!("Ed25519 seed has {} bytes, expected 32", bytes.len()))
        })?;
        let key = Box::new(ed25519_dalek::SigningKey::from_bytes(seed));
        Ok(Self { algorithm: Algorithm::EdDsa, kid, material: SigningMaterial::Ed25519(key) })
    }

    /// A private JWK: `oct` with an `alg`, or `OKP` with `crv` `Ed25519` (RFC 8037 §2), whose halves have to belong together:
    /// signing with the wrong public half gives the secret away.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: of another kind, with `use` other than `sig` or `key_ops` without `sign`, and what [`Key`]
    /// refuses.
    pub fn from_jwk(text: &str) -> Result<Self, Error> {
        let mut object = json::parse_object(text.as_bytes())
            .map_err(|fault| refused(&format!("JWK: {}", fault.problem())))?;
        if let Some(operations) = object.remove("key_ops")
            && !operations.as_array().is_some_and(|all| all.iter().any(|one| one == "sign"))
        {
            return Err(refused("JWK: key_ops does not include sign"));
        }
        let private = |name: &str| {
            let text = object.get(name).and_then(serde_json::Value::as_str);
            text.and_then(base64url::decode).map(Secret::new)
        };
        let (secret, seed) = (private("k"), private("d"));
        if seed.is_some() {
            object.remove("d");
        }
        let key = Key::from_jwk_value(&serde_json::Value::Object(object))?;
        let kid = key.kid().map(str::to_owned);
        match (key.material(), secret, seed) {
            (Material::Hmac(_), Some(secret), None) => match key.algorithms() {
                [one] => Self::hmac(secret, *one, kid),
                _ => Err(refused("JWK: alg is missing")),
            },
            (Material::Public(PublicKey::Ed25519(public)), None, Some(seed)) => {
                let signer = Self::ed25519(&seed, kid)?;
                let own = match &signer.material {
                    SigningMaterial::Ed25519(own) => own.verifying_key().to_bytes(),
                    _ => return Err(refused("JWK: not an Ed25519 key")),
                };
                if own != *public.as_bytes() {
                    return Err(refused("JWK: d and x do not belong together"));
                }
                Ok(signer)
            }
            (Material::Public(PublicKey::Rsa { .. } | PublicKey::Ec { .. }), ..) => {
                Err(refused("JWK: RSA and EC keys sign at the host, expected oct or OKP"))
            }
            _ => Err(refused("JWK: a public key, expected the private key")),
        }
    }

    /// A key whose private half the host has; `key` is the public one.
    ///
    /// # Errors
    /// [`Error::RefusedKey`] if the key does not serve `algorithm`, or signs here.
    pub fn host(key: &Key, algorithm: Algorithm) -> Result<Self, Error> {
        let Material::Public(public @ (PublicKey::Rsa { .. } | PublicKey::Ec { .. })) =
            key.material()
        else {
            return Err(refused("expected an RSA or EC key, others need no host"));
        };
        if !key.permits(algorithm) {
            return Err(refused(&format!("the key does not serve {algorithm}")));
        }
        let kid = key.kid().map(str::to_owned);
        Ok(Self { algorithm, kid, material: SigningMaterial::Host(public.clone()) })
    }

    /// The key that verifies what this secret signs.
    ///
    /// # Errors
    /// [`Error::RefusedKey`] if it is no secret.
    pub(crate) fn to_verifying_hmac(&self) -> Result<Key, Error> {
        let bytes = match &self.material {
            SigningMaterial::Hs256(key) => key.as_ref().to_vec(),
            SigningMaterial::Hs384(key) => key.as_ref().to_vec(),
            SigningMaterial::Hs512(key) => key.as_ref().to_vec(),
            SigningMaterial::Ed25519(_) | SigningMaterial::Host(_) => {
                return Err(refused("expected a secret"));
            }
        };
        Key::hmac(Secret::new(bytes), self.algorithm, self.kid.clone())
    }

    /// The algorithm it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` that headers name.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Signs claims, a JSON object, as a JWT whose bytes are exactly these. `typ` defaults to `JWT`.
    ///
    /// # Errors
    /// As [`Claims::parse`]: no object, repeated names, registered claims of the wrong type.
    pub fn sign_jwt(&self, claims: &[u8], typ: Option<&str>) -> Result<Signing<'_>, Error> {
        Claims::parse(claims)?;
        Ok(self.sign_jws(claims, typ.or(Some("JWT"))))
    }

    /// Signs any bytes as a compact JWS (RFC 7515 §5.1). The header has `alg`, and `kid` and `typ` if there are any, in this
    /// order.
    pub fn sign_jws(&self, payload: &[u8], typ: Option<&str>) -> Signing<'_> {
        let header = WrittenHeader { alg: self.algorithm.as_str(), kid: self.kid(), typ };
        // Three strings: nothing in them that JSON cannot hold.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let message = format!("{}.{}", base64url::encode(&header), base64url::encode(payload));
        let done =
            |signature: &[u8]| Signing::Done(format!("{message}.{}", base64url::encode(signature)));
        match &self.material {
            SigningMaterial::Hs256(key) => done(&Hs256.sign(key, message.as_bytes()).as_bytes()),
            SigningMaterial::Hs384(key) => done(&Hs384.sign(key, message.as_bytes()).as_bytes()),
            SigningMaterial::Hs512(key) => done(&Hs512.sign(key, message.as_bytes()).as_bytes()),
            SigningMaterial::Ed25519(key) => {
                done(&Ed25519.sign(key, message.as_bytes()).as_bytes())
            }
            SigningMaterial::Host(key) => {
                Signing::NeedsHost(Unsigned { message, key, algorithm: self.algorithm })
            }
        }
    }
}

/// Shows names, not the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct WrittenHeader<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
}

/// What signing has come to.
#[must_use]
pub enum Signing<'k> {
    /// The compact JWS.
    Done(String),
    /// The host has to sign.
    NeedsHost(Unsigned<'k>),
}

/// Shows no token.
impl fmt::Debug for Signing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done(_)",
            Self::NeedsHost(_) => "NeedsHost(_)",
        })
    }
}

/// A JWS that lacks its signature.
#[must_use]
pub struct Unsigned<'k> {
    message: String,
    key: &'k PublicKey,
    algorithm: Algorithm,
}

impl Unsigned<'_> {
    /// The algorithm to sign with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes to sign.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.message.as_bytes()
    }

    /// Puts the signature in its place; for ECDSA it is `r ‖ s` (RFC 7518 §3.4), as WebCrypto gives it.
    ///
    /// # Errors
    /// [`Error::BadSignature`] if it has not the form that this key gives, as ASN.1 has not.
    pub fn finish(self, signature: &[u8]) -> Result<String, Error> {
        if !self.key.could_have_made(signature) {
            return Err(Error::BadSignature);
        }
        Ok(format!("{}.{}", self.message, base64url::encode(signature)))
    }
}

fn refused(problem: &str) -> Error {
    Error::RefusedKey { problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken};

    #[derive(serde::Deserialize)]
    struct Vector {
        source: String,
        private_jwk: serde_json::Value,
        algorithm: String,
        header: String,
        payload: String,
        signed: String,
    }

    #[test]
    fn the_examples_of_the_rfcs_byte_for_byte() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/vectors/signing.json")).unwrap();
        let mut compared = 0;
        for mut vector in vectors.into_iter().filter(|one| one.algorithm != "RS256") {
            vector.private_jwk["alg"] = vector.algorithm.into();
            let key = SigningKey::from_jwk(&vector.private_jwk.to_string()).unwrap();
            let Signing::Done(token) = key.sign_jws(vector.payload.as_bytes(), None) else {
                panic!()
            };
            if vector.source == "RFC 7515 A.1" {
                // Its header has a line break and another order: the tag alone can be compared.
                let (message, tag) = vector.signed.rsplit_once('.').unwrap();
                let SigningMaterial::Hs256(mac) = &key.material else { panic!() };
                assert!(vector.header.contains("\r\n"));
                let own = Hs256.sign(mac, message.as_bytes());
                assert_eq!(base64url::encode(&own.as_bytes()), tag);
            } else {
                assert_eq!(token, vector.signed, "{}", vector.source);
            }
            compared += 1;
        }
        assert_eq!(compared, 3);
    }

    #[test]
    fn what_is_signed_verifies() {
        let claims = br#"{"iss":"me","exp":5}"#;
        for (algorithm, length) in
            [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)]
        {
            let secret = || Secret::new(vec![7; length]);
            let signer = SigningKey::hmac(secret(), algorithm, Some("k".into())).unwrap();
            let Signing::Done(token) = signer.sign_jwt(claims, Some("at+jwt")).unwrap() else {
                panic!()
            };
            let parsed = UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
            assert_eq!(
                (parsed.header().key_id(), parsed.header().typ()),
                (Some("k"), Some("at+jwt"))
            );
            let key = Key::hmac(secret(), algorithm, None).unwrap();
            let JwsStep::Verified(jws) = parsed.verify(&key).unwrap() else { panic!() };
            assert_eq!(jws.payload(), claims);
        }
    }

    #[test]
    fn the_host_signs_for_the_others_and_in_the_right_form() {
        let public = Key::from_jwk(
            r#"{"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        )
        .unwrap();
        let key = SigningKey::host(&public, Algorithm::Es256).unwrap();
        let unsigned = || match key.sign_jws(b"x", None) {
            Signing::NeedsHost(unsigned) => unsigned,
            Signing::Done(_) => panic!(),
        };
        assert_eq!(unsigned().message(), b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.eA");
        assert!(
            unsigned()
                .finish(&[1; 64])
                .unwrap()
                .starts_with("eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.eA.AQEB")
        );
        for form in [&[1; 63][..], &[1; 70], &[0; 64], &[]] {
            assert_eq!(unsigned().finish(form).unwrap_err(), Error::BadSignature);
        }
        let refused =
            |key: &Key, algorithm| SigningKey::host(key, algorithm).unwrap_err().to_string();
        assert_eq!(refused(&public, Algorithm::Es384), "the key does not serve ES384");
    }

    #[test]
    fn a_private_key_is_read_out_of_its_block() {
        let der = [0x30, 3, 2, 1, 0];
        let block = |label: &str| {
            format!("-----BEGIN {label}-----\nMAMC\r\nAQA= \n-----END {label}-----\n")
        };
        let private = block("PRIVATE KEY");
        for text in [private.clone(), format!("\u{feff}key of the test\n{private}\n")] {
            assert!(pkcs8_of_pem(&text).unwrap().matches(&der), "{text}");
        }
        let no_block = "not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)";
        for (text, problem) in [
            (block("PUBLIC KEY"), no_block),
            (block("RSA PRIVATE KEY"), no_block),
            (block("ENCRYPTED PRIVATE KEY"), no_block),
            (private.repeat(2), no_block),
            (format!("{private}more"), no_block),
            (private.replace("MAMC", "MAM"), no_block),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(), no_block),
            (String::new(), no_block),
            (
                private.replace('\n', "\\n"),
                "PEM has its line breaks written as \\n, expected line breaks",
            ),
            (" ".repeat(65_537), "PEM has 65537 bytes, expected at most 65536"),
        ] {
            assert_eq!(pkcs8_of_pem(&text).unwrap_err().to_string(), problem, "{text}");
        }
    }

    #[test]
    fn bad_keys_and_claims_are_refused() {
        let hmac = |length, algorithm| {
            SigningKey::hmac(Secret::new(vec![7; length]), algorithm, None).unwrap_err().to_string()
        };
        assert_eq!(hmac(31, Algorithm::Hs256), "secret has 31 bytes, expected at least 32");
        assert_eq!(hmac(63, Algorithm::Hs512), "secret has 63 bytes, expected at least 64");
        assert_eq!(
            hmac(64, Algorithm::Rs256),
            "a secret cannot serve RS256, expected HS256, HS384 or HS512"
        );
        let pem = Secret::new(b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA".to_vec());
        assert!(SigningKey::hmac(pem, Algorithm::Hs256, None).is_err());
        let short = SigningKey::ed25519(&Secret::new(vec![7; 31]), None).unwrap_err();
        assert_eq!(short.to_string(), "Ed25519 seed has 31 bytes, expected 32");
        let jwk = |text: &str| SigningKey::from_jwk(text).unwrap_err().to_string();
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let d = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        assert_eq!(
            jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)),
            "JWK: a public key, expected the private key"
        );
        assert_eq!(
            jwk(&format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","d":"{}"}}"#,
                d.replace('n', "m")
            )),
            "JWK: d and x do not belong together"
        );
        assert_eq!(
            jwk(&format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","d":"{d}","key_ops":["verify"]}}"#
            )),
            "JWK: key_ops does not include sign"
        );
        assert_eq!(jwk(&format!(r#"{{"kty":"oct","k":"{d}{d}"}}"#)), "JWK: alg is missing");
        let key = SigningKey::hmac(Secret::new(vec![7; 32]), Algorithm::Hs256, None).unwrap();
        let claims = |text: &str| key.sign_jwt(text.as_bytes(), None).unwrap_err().to_string();
        assert_eq!(claims("[]"), "payload: not a JSON object");
        assert_eq!(claims(r#"{"exp":"5"}"#), "claim exp: expected a number");
        assert_eq!(claims(r#"{"sub":"a","sub":"b"}"#), "payload has a member name twice");
    }

    #[test]
    fn debug_shows_no_key_and_no_token() {
        let key = SigningKey::hmac(Secret::new(vec![7; 32]), Algorithm::Hs256, None).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey { algorithm: Hs256, kid: None, .. }");
        assert_eq!(format!("{:?}", key.sign_jws(b"x", None)), "Done(_)");
    }
}
