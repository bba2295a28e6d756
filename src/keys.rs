//! Verification keys: what is taken as one, what it may verify, and which one a token asks for.
//!
//! A key is checked once, when it is loaded, and then fixes the algorithms it serves. Point-on-curve
//! checks of EC keys are left to the host's `importKey`, which also does their arithmetic; Ed25519
//! points are checked here.

mod jwk;
mod pem;

use core::fmt;
use std::borrow::Cow;

use jwt_compact::jwk::JsonWebKey;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::base64url;
use crate::error::Error;
use crate::json;
use crate::jws::{Algorithm, Header};
use crate::secret::Secret;
use crate::signature::ed25519::Ed25519Key;
use crate::signature::hmac::HmacKey;

/// The longest JWKS that is read, in bytes: room for [`MAX_KEYS`] RSA keys of 4096 bits without certificates.
pub const MAX_JWKS_LENGTH: usize = 64 * 1024;

/// The most keys a set may have. Issuers publish two to ten.
pub const MAX_KEYS: usize = 100;

/// The most keys that are tried for one token that does not name its key: each costs a verification.
pub const MAX_CANDIDATES: usize = 4;

/// RSA keys below this can be factored or soon will (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;

/// OpenSSL and BoringSSL, the hosts' libraries, refuse longer moduli.
const MAX_RSA_BITS: usize = 16_384;

/// Exponents beyond 32 bits only cost the verifier time; BoringSSL refuses more than 33.
const MAX_RSA_EXPONENT_BYTES: usize = 4;

/// One verification key: its name, the algorithms it serves, and what verifies.
pub struct Key {
    kid: Option<String>,
    thumbprint: Option<String>,
    algorithms: Vec<Algorithm>,
    material: Material,
}

/// What verifies.
pub(crate) enum Material {
    Hmac(Box<HmacKey>),
    Ed25519(Ed25519Key),
    Public(PublicKey),
}

impl Key {
    /// A secret for one HMAC algorithm.
    ///
    /// # Errors
    /// [`Error::RefusedKey`] if `algorithm` is no HMAC, if the secret is shorter than its hash (RFC 7518
    /// §3.2), if it is the text or DER of a public key, certificate or JWK (the key everyone knows, used
    /// as a secret, is the RS256-to-HS256 confusion), or if `kid` is too long.
    pub fn hmac(secret: Secret, algorithm: Algorithm, kid: Option<String>) -> Result<Self, Error> {
        Self::symmetric(&secret, vec![algorithm], kid)
    }

    /// A JWK (RFC 7517), as JSON text.
    ///
    /// The algorithms are the one `alg` names, or else all that the key's type and curve permit: for RSA
    /// both RS and PS families, for `oct` those HMACs whose hash is not longer than the secret.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: not an object, repeated names, an unknown `kty` or `crv`, a `use` other than
    /// `sig`, `key_ops` without `verify`, an `alg` the key cannot serve, private members, RSA moduli below
    /// 2048 or above 16384 bits or even, bad exponents, EC coordinates of the wrong length, Ed25519
    /// points that are none or of small order, and all that [`Key::hmac`] refuses.
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        let object = json::parse_object(json.as_bytes())
            .map_err(|fault| refused(format!("JWK: {}", fault.problem())))?;
        jwk::parse(&object).map_err(jwk::Fault::into_error)
    }

    /// A JWK that has been parsed already, with the checks of [`Key::from_jwk`]. Whether a name was
    /// repeated can no longer be seen then.
    ///
    /// # Errors
    /// As [`Key::from_jwk`].
    pub fn from_jwk_value(value: &Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| refused("JWK: not a JSON object"))?;
        jwk::parse(object).map_err(jwk::Fault::into_error)
    }

    /// One public key as PEM (RFC 7468): `PUBLIC KEY` (RSA, EC, Ed25519), `RSA PUBLIC KEY`, or `CERTIFICATE`.
    ///
    /// Of a certificate only the public key is taken: its dates, names and signatures are not checked. The
    /// key has no `kid`; it serves every algorithm its type permits.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: anything else in the text, private keys, and the limits of
    /// [`Key::from_jwk`].
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        Self::asymmetric(pem::parse(pem)?, None)
    }

    /// `kid`, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The RFC 7638 thumbprint with SHA-256, base64url. Secrets have none: it would be a public hash of
    /// them (RFC 7638 §7).
    #[must_use]
    pub fn thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref()
    }

    /// What to call this key: `kid`, or else the thumbprint.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.kid().or(self.thumbprint())
    }

    /// The algorithms it serves; never empty, and never HMACs beside others.
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Whether it serves this one.
    #[must_use]
    pub fn permits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether it is a secret.
    #[must_use]
    pub const fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Hmac(_))
    }

    pub(crate) const fn material(&self) -> &Material {
        &self.material
    }

    fn symmetric(
        secret: &Secret,
        algorithms: Vec<Algorithm>,
        kid: Option<String>,
    ) -> Result<Self, Error> {
        check_kid(kid.as_deref())?;
        if is_public_text(secret.expose_secret()) {
            return Err(refused(
                "secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes",
            ));
        }
        let material = Material::Hmac(Box::new(HmacKey::new(secret, &algorithms)?));
        Ok(Self { kid, thumbprint: None, algorithms, material })
    }

    fn asymmetric(material: Material, kid: Option<String>) -> Result<Self, Error> {
        check_kid(kid.as_deref())?;
        let algorithms = material.algorithms().to_vec();
        let thumbprint = material.thumbprint();
        Ok(Self { kid, thumbprint, algorithms, material })
    }
}

/// Shows names and algorithms, not the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

impl Material {
    /// An RSA key, big-endian; leading zeros are dropped (RFC 7518 §6.3.1.1 forbids them, some issuers
    /// write them).
    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Error> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let bits = bit_length(n);
        if bits < MIN_RSA_BITS {
            return Err(refused(format!(
                "RSA modulus has {bits} bits, expected at least {MIN_RSA_BITS}"
            )));
        }
        if bits > MAX_RSA_BITS {
            return Err(refused(format!(
                "RSA modulus has {bits} bits, expected at most {MAX_RSA_BITS}"
            )));
        }
        if is_even(n) {
            return Err(refused("RSA modulus is even"));
        }
        if is_even(e) || e == [1] {
            return Err(refused("RSA exponent is even or below 3"));
        }
        if e.len() > MAX_RSA_EXPONENT_BYTES {
            return Err(refused("RSA exponent has more than 32 bits"));
        }
        Ok(Self::Public(PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }))
    }

    fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, Error> {
        let expected = curve.coordinate_length();
        for (name, coordinate) in [("x", x), ("y", y)] {
            if coordinate.len() != expected {
                return Err(refused(format!(
                    "{curve} coordinate {name} has {} bytes, expected {expected}",
                    coordinate.len()
                )));
            }
        }
        Ok(Self::Public(PublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() }))
    }

    fn ed25519(x: &[u8]) -> Result<Self, Error> {
        Ed25519Key::new(x).map(Self::Ed25519)
    }

    /// What the key's type and curve permit. Empty for secrets, whose length decides.
    const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Hmac(_) => &[],
            Self::Ed25519(_) => &[Algorithm::EdDsa],
            Self::Public(PublicKey::Rsa { .. }) => &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
            Self::Public(PublicKey::Ec { curve: Curve::P256, .. }) => &[Algorithm::Es256],
            Self::Public(PublicKey::Ec { curve: Curve::P384, .. }) => &[Algorithm::Es384],
            Self::Public(PublicKey::Ec { curve: Curve::P521, .. }) => &[Algorithm::Es512],
        }
    }

    fn thumbprint(&self) -> Option<String> {
        let jwk = match self {
            Self::Hmac(_) => return None,
            Self::Ed25519(key) => JsonWebKey::KeyPair {
                curve: Cow::Borrowed("Ed25519"),
                x: Cow::Borrowed(key.as_bytes()),
                secret: None,
            },
            Self::Public(PublicKey::Rsa { n, e }) => JsonWebKey::Rsa {
                modulus: Cow::Borrowed(n),
                public_exponent: Cow::Borrowed(e),
                private_parts: None,
            },
            Self::Public(PublicKey::Ec { curve, x, y }) => JsonWebKey::EllipticCurve {
                curve: Cow::Borrowed(curve.as_str()),
                x: Cow::Borrowed(x),
                y: Cow::Borrowed(y),
                secret: None,
            },
        };
        Some(base64url::encode(&jwk.thumbprint::<Sha256>()))
    }
}

/// A public key whose signatures the host checks.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA: modulus and exponent, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
    /// A point of an elliptic curve, each coordinate in full length.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
}

impl PublicKey {
    /// The key as `crypto.subtle.importKey("jwk", …)` takes it, for verifying with `algorithm`.
    #[must_use]
    pub fn to_jwk(&self, algorithm: Algorithm) -> Value {
        match self {
            Self::Rsa { n, e } => json!({
                "kty": "RSA",
                "n": base64url::encode(n),
                "e": base64url::encode(e),
                "alg": algorithm.as_str(),
                "key_ops": ["verify"],
                "ext": true,
            }),
            Self::Ec { curve, x, y } => json!({
                "kty": "EC",
                "crv": curve.as_str(),
                "x": base64url::encode(x),
                "y": base64url::encode(y),
                "alg": algorithm.as_str(),
                "key_ops": ["verify"],
                "ext": true,
            }),
        }
    }

    /// Whether the signature has the form this key gives: for RSA as long as the modulus (RFC 8017
    /// §8.1.2), for ECDSA `r ‖ s` of full length with neither zero (RFC 7518 §3.4). Verifiers have been
    /// known to take zeros for a valid signature (CVE-2022-21449).
    pub(crate) fn could_have_made(&self, signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, .. } => signature.len() == n.len(),
            Self::Ec { x, .. } => signature.split_at_checked(x.len()).is_some_and(|(r, s)| {
                s.len() == x.len() && !without_zeros(r).is_empty() && !without_zeros(s).is_empty()
            }),
        }
    }
}

/// Shows the kind and size: a public key is no secret, but a log line should not be a page long.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { n, .. } => write!(f, "Rsa({} bits)", bit_length(n)),
            Self::Ec { curve, .. } => write!(f, "Ec({curve})"),
        }
    }
}

/// An elliptic curve of ECDSA (RFC 7518 §6.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
}

impl Curve {
    /// The curve of this exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.as_str() == name)
    }

    /// The name as `crv` and WebCrypto's `namedCurve` write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    const fn coordinate_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The keys of one issuer.
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Takes keys as a set.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: no key, more than [`MAX_KEYS`], the same `kid` or the same public key twice,
    /// or secrets beside public keys (RFC 8725 §3.1: what verifies one kind must not verify the other).
    pub fn new(keys: Vec<Key>) -> Result<Self, Error> {
        if keys.is_empty() {
            return Err(refused("no usable key, expected at least one"));
        }
        if keys.len() > MAX_KEYS {
            return Err(refused(format!("{} keys, expected at most {MAX_KEYS}", keys.len())));
        }
        let symmetric = keys.iter().filter(|key| key.is_symmetric()).count();
        if symmetric != 0 && symmetric != keys.len() {
            return Err(refused("secrets and public keys in one set"));
        }
        if has_repeats(keys.iter().filter_map(Key::kid)) {
            return Err(refused("two keys with the same kid"));
        }
        if has_repeats(keys.iter().filter_map(Key::thumbprint)) {
            return Err(refused("the same key twice"));
        }
        Ok(Self { keys })
    }

    /// A JWK set (RFC 7517 §5), as JSON text of at most [`MAX_JWKS_LENGTH`] bytes.
    ///
    /// Keys that are not for verifying JWS here (unknown `kty` or `crv`, `use` other than `sig`, `key_ops`
    /// without `verify`, an unknown `alg`) are skipped. A key that is for it and is faulty refuses the set.
    ///
    /// # Errors
    /// [`Error::RefusedKey`], which names the key as in `keys[2]`; also for what [`KeySet::new`] refuses.
    pub fn from_jwks(json: &str) -> Result<Self, Error> {
        if json.len() > MAX_JWKS_LENGTH {
            return Err(refused(format!(
                "JWKS has {} bytes, expected at most {MAX_JWKS_LENGTH}",
                json.len()
            )));
        }
        let object = json::parse_object(json.as_bytes())
            .map_err(|fault| refused(format!("JWKS: {}", fault.problem())))?;
        Self::from_members(&object)
    }

    /// A JWK set that has been parsed already; see [`Key::from_jwk_value`].
    ///
    /// # Errors
    /// As [`KeySet::from_jwks`].
    pub fn from_jwks_value(value: &Value) -> Result<Self, Error> {
        Self::from_members(value.as_object().ok_or_else(|| refused("JWKS: not a JSON object"))?)
    }

    fn from_members(object: &serde_json::Map<String, Value>) -> Result<Self, Error> {
        let Some(Value::Array(values)) = object.get("keys") else {
            return Err(refused("JWKS: expected a list in keys"));
        };
        if values.len() > MAX_KEYS {
            return Err(refused(format!("{} keys, expected at most {MAX_KEYS}", values.len())));
        }
        let mut keys = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let at = |problem: &str| refused(format!("keys[{index}]: {problem}"));
            let object = value.as_object().ok_or_else(|| at("JWK: not a JSON object"))?;
            match jwk::parse(object) {
                Ok(key) => keys.push(key),
                Err(jwk::Fault::NotForUs(_)) => {}
                Err(jwk::Fault::Refused(error)) => return Err(at(&error.to_string())),
            }
        }
        Self::new(keys)
    }

    /// The keys, in the order given.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether these are secrets. A set that came over the network must never be.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.keys.iter().any(Key::is_symmetric)
    }

    /// The keys to try for a token.
    ///
    /// If the token has a `kid`, only the key of that `kid`; but where no key of the set has one (PEM has no
    /// place for it), any will do. Then, as for a token without `kid`: the keys that serve its `alg`, at
    /// most [`MAX_CANDIDATES`].
    ///
    /// # Errors
    /// [`Error::UnknownKey`] if none fits or too many do; [`Error::AlgorithmNotAllowed`] if the key the token
    /// names does not serve its `alg`.
    pub fn select(&self, header: &Header) -> Result<Candidates<'_>, Error> {
        let algorithm = header.algorithm();
        if let Some(kid) = header.key_id()
            && self.keys.iter().any(|key| key.kid.is_some())
        {
            let key =
                self.keys.iter().find(|key| key.kid() == Some(kid)).ok_or(Error::UnknownKey)?;
            return if key.permits(algorithm) {
                Ok(Candidates::one(key, algorithm))
            } else {
                Err(Error::AlgorithmNotAllowed)
            };
        }
        match self.keys.iter().filter(|key| key.permits(algorithm)).count() {
            1..=MAX_CANDIDATES => Ok(Candidates { keys: self.keys.iter(), algorithm }),
            _ => Err(Error::UnknownKey),
        }
    }
}

/// Shows names and algorithms, not the keys.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

/// The keys to try for one token, in the order of the set.
#[derive(Debug, Clone)]
pub struct Candidates<'a> {
    keys: core::slice::Iter<'a, Key>,
    algorithm: Algorithm,
}

impl<'a> Candidates<'a> {
    pub(crate) fn one(key: &'a Key, algorithm: Algorithm) -> Self {
        Self { keys: core::slice::from_ref(key).iter(), algorithm }
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = &'a Key;

    fn next(&mut self) -> Option<&'a Key> {
        let algorithm = self.algorithm;
        self.keys.by_ref().find(|key| key.permits(algorithm))
    }
}

fn refused(problem: impl Into<String>) -> Error {
    Error::RefusedKey { problem: problem.into() }
}

fn check_kid(kid: Option<&str>) -> Result<(), Error> {
    match kid {
        Some(kid) if kid.is_empty() || kid.len() > crate::jws::MAX_KEY_ID_LENGTH => {
            Err(refused(format!("kid has {} bytes, expected 1 to 256", kid.len())))
        }
        _ => Ok(()),
    }
}

/// Whether bytes given as a secret are a published key in some form.
fn is_public_text(bytes: &[u8]) -> bool {
    const ARMOUR: &[u8] = b"-----BEGIN ";
    let trimmed = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    trimmed.windows(ARMOUR.len()).any(|window| window == ARMOUR)
        || [b"ssh-".as_slice(), b"ecdsa-sha2-"].iter().any(|name| trimmed.starts_with(name))
        || serde_json::from_slice::<Value>(trimmed)
            .is_ok_and(|value| value.get("kty").is_some() || value.get("keys").is_some())
        || pem::is_public_der(bytes)
        || pem::is_public_base64(trimmed)
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Bits of a big-endian number without leading zeros.
fn bit_length(bytes: &[u8]) -> usize {
    let spare = bytes.first().map_or(0, |first| first.leading_zeros());
    bytes.len().saturating_mul(8).saturating_sub(usize::try_from(spare).unwrap_or(0))
}

/// Whether a big-endian number is even; nothing at all is zero.
fn is_even(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|last| last % 2 == 0)
}

fn has_repeats<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}
