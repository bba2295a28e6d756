//! Verification keys: what is taken as one, what it may verify, and which one a token asks for.
//!
//! A key is checked once, when it is loaded, and then fixes the algorithms it serves. Point-on-curve
//! checks of EC keys are left to the host's `importKey`, which also does their arithmetic; Ed25519
//! points are checked here.

mod jwk;
pub(crate) mod pem;
pub mod remote;
mod roca;
pub mod sealed;

use core::fmt;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::error::Error;
use crate::jose::algorithm::{Algorithm, check_key_id};
pub use crate::jose::signature::ed25519::Ed25519Key;
use crate::jose::signature::hmac::HmacKey;
use crate::json;
use crate::secret::Secret;

/// The longest JWKS that is read, in bytes: room for [`MAX_KEYS`] RSA keys of 4096 bits without certificates.
pub const MAX_JWKS_LENGTH: usize = 64 * 1024;

/// The most keys a set may have. Issuers publish two to ten.
pub const MAX_KEYS: usize = 100;

/// The most keys that are tried for one token that does not name its key: each costs a verification.
pub const MAX_CANDIDATES: usize = 4;

/// RSA keys below this can be factored or soon will (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;

/// OpenSSL and BoringSSL, the hosts' libraries, refuse longer moduli.
pub(crate) const MAX_RSA_BITS: usize = 16_384;

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
    /// 2048 or above 16384 bits, even, or of the ROCA generator (CVE-2017-15361), bad exponents, EC coordinates
    /// of the wrong length, Ed25519 keys that are not on the curve, of small order or not canonical,
    /// and all that [`Key::hmac`] refuses.
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        let object = json::parse_object(json.as_bytes())
            .map_err(|fault| refused(format!("JWK: {}", fault.problem())))?;
        jwk::parse(&object).map_err(jwk::JwkFault::into_error)
    }

    /// A JWK that has been parsed already, with the checks of [`Key::from_jwk`]. Whether a name was
    /// repeated can no longer be seen then.
    ///
    /// # Errors
    /// As [`Key::from_jwk`].
    pub fn from_jwk_value(value: &Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| refused("JWK: not a JSON object"))?;
        jwk::parse(object).map_err(jwk::JwkFault::into_error)
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

    /// The public key; `None` for a secret.
    #[must_use]
    pub const fn public(&self) -> Option<&PublicKey> {
        match &self.material {
            Material::Public(public) => Some(public),
            Material::Hmac(_) => None,
        }
    }

    pub(crate) const fn material(&self) -> &Material {
        &self.material
    }

    /// Whether a token that names both could be meant for either: one `kid`, and an algorithm that both serve.
    fn is_ambiguous_beside(&self, other: &Self) -> bool {
        self.kid.is_some()
            && self.kid == other.kid
            && self.algorithms.iter().any(|algorithm| other.permits(*algorithm))
    }

    fn symmetric(
        secret: &Secret,
        algorithms: Vec<Algorithm>,
        kid: Option<String>,
    ) -> Result<Self, Error> {
        check_key_id(kid.as_deref())?;
        if is_public_text(secret.expose_secret()) {
            return Err(refused(
                "secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes",
            ));
        }
        let material = Material::Hmac(Box::new(HmacKey::new(secret, &algorithms)?));
        Ok(Self { kid, thumbprint: None, algorithms, material })
    }

    fn asymmetric(material: Material, kid: Option<String>) -> Result<Self, Error> {
        check_key_id(kid.as_deref())?;
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
        if roca::has_fingerprint(n) {
            return Err(refused("RSA modulus can be factored (ROCA, CVE-2017-15361)"));
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
        Ed25519Key::new(x).map(|key| Self::Public(PublicKey::Ed25519(key)))
    }

    /// What the key's type and curve permit. Empty for secrets, whose length decides.
    const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Hmac(_) => &[],
            Self::Public(PublicKey::Ed25519(_)) => &[Algorithm::EdDsa],
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
        match self {
            Self::Hmac(_) => None,
            Self::Public(key) => Some(base64url::encode(&Sha256::digest(key.to_jwk_text()))),
        }
    }
}

/// A public key. The host checks signatures of RSA and EC; of Ed25519 if it is asked to.
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
    /// Ed25519.
    Ed25519(Ed25519Key),
}

impl PublicKey {
    /// The members that make the key, in the order of their names.
    fn members(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Rsa { n, e } => vec![
                ("e", base64url::encode(e)),
                ("kty", "RSA".to_owned()),
                ("n", base64url::encode(n)),
            ],
            Self::Ec { curve, x, y } => vec![
                ("crv", curve.to_string()),
                ("kty", "EC".to_owned()),
                ("x", base64url::encode(x)),
                ("y", base64url::encode(y)),
            ],
            Self::Ed25519(key) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", base64url::encode(key.as_bytes())),
            ],
        }
    }

    /// The key as the text of a JWK with the members that make it, and no others, in the order of their names: what a
    /// thumbprint is the hash of (RFC 7638 §3).
    ///
    /// Written by hand, since nothing in it needs escaping: serialising a `serde_json::Value` brings the printing of
    /// floating-point numbers along.
    #[must_use]
    pub fn to_jwk_text(&self) -> String {
        let members: Vec<String> = self
            .members()
            .into_iter()
            .map(|(name, value)| format!(r#""{name}":"{value}""#))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// The key as `crypto.subtle.importKey("jwk", …)` takes it, for verifying with `algorithm`.
    #[must_use]
    pub fn to_jwk(&self, algorithm: Algorithm) -> Value {
        let mut jwk = Map::new();
        // One by one: a map made of an iterator brings a sort along.
        for (name, value) in self.members() {
            jwk.insert(name.to_owned(), value.into());
        }
        jwk.insert("key_ops".to_owned(), json!(["verify"]));
        jwk.insert("ext".to_owned(), true.into());
        // Without `alg` for Ed25519: WebCrypto knows it as EdDSA, or as Ed25519, or does not look.
        if !matches!(self, Self::Ed25519(_)) {
            jwk.insert("alg".to_owned(), algorithm.as_str().into());
        }
        jwk.into()
    }

    /// Whether the signature has the form this key gives: for RSA as long as the modulus (RFC 8017
    /// §8.1.2), for ECDSA `r ‖ s` of full length with neither zero (RFC 7518 §3.4). Verifiers have been
    /// known to take zeros for a valid signature (CVE-2022-21449). For Ed25519 see
    /// [`crate::jose::signature::ed25519`].
    pub(crate) fn could_have_made(&self, signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, .. } => signature.len() == n.len(),
            Self::Ec { x, .. } => signature.split_at_checked(x.len()).is_some_and(|(r, s)| {
                s.len() == x.len() && !without_zeros(r).is_empty() && !without_zeros(s).is_empty()
            }),
            Self::Ed25519(_) => Ed25519Key::could_have_made(signature),
        }
    }
}

/// Shows the kind and size: a public key is no secret, but a log line should not be a page long.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { n, .. } => write!(f, "Rsa({} bits)", bit_length(n)),
            Self::Ec { curve, .. } => write!(f, "Ec({curve})"),
            Self::Ed25519(_) => f.write_str("Ed25519"),
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

/// What a faulty key does to the set it is in.
#[derive(Debug, Clone, Copy)]
enum Faulty {
    /// It is left out.
    Skip,
    /// The whole set is refused.
    Refuse,
}

/// The keys of one issuer.
pub struct KeySet {
    keys: Vec<Key>,
    /// Whether some key has a `kid`, or had one before it was left out.
    named: bool,
}

impl KeySet {
    /// Takes keys as a set.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: no key, more than [`MAX_KEYS`], two keys of one `kid` that serve the same algorithm
    /// (RFC 7517 §4.5: a `kid` may be that of several keys if `kty` or `alg` tells them apart), or secrets beside
    /// public keys (RFC 8725 §3.1: what verifies one kind must not verify the other).
    pub fn new(keys: Vec<Key>) -> Result<Self, Error> {
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|earlier| key.is_ambiguous_beside(earlier)) {
                return Err(refused("two keys with the same kid"));
            }
        }
        let named = keys.iter().any(|key| key.kid.is_some());
        Self::checked(keys, named)
    }

    fn checked(keys: Vec<Key>, named: bool) -> Result<Self, Error> {
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
        Ok(Self { keys, named })
    }

    /// A JWK set (RFC 7517 §5), as JSON text of at most [`MAX_JWKS_LENGTH`] bytes; or an object of PEM texts by their `kid`, as
    /// Firebase publishes its certificates.
    ///
    /// Keys that are not for verifying JWS here (unknown `kty` or `crv`, `use` other than `sig`, `key_ops`
    /// without `verify`, an unknown `alg`) are skipped. A key that is for it and is faulty refuses the set.
    ///
    /// # Errors
    /// [`Error::RefusedKey`], which names the key as in `keys[2]`; also for what [`KeySet::new`] refuses.
    pub fn from_jwks(json: &str) -> Result<Self, Error> {
        Self::new(read_keys(&jwks_object(json)?, Faulty::Refuse)?)
    }

    /// The JWK set that an issuer publishes: as [`KeySet::from_jwks`], but faulty keys are skipped, as RFC
    /// 7517 §5 recommends. Nobody here can correct them, and one that no verifier can use must not
    /// take the others out of service. Secrets are faulty here: a published secret is not secret. So are two different
    /// keys of one `kid` for the same algorithm; the same key listed twice is one key.
    ///
    /// # Errors
    /// [`Error::RefusedKey`] if nothing usable is left, or for more than [`MAX_KEYS`].
    pub fn from_published_jwks(json: &str) -> Result<Self, Error> {
        let mut keys = read_keys(&jwks_object(json)?, Faulty::Skip)?;
        keys.retain(|key| !key.is_symmetric());
        let named = keys.iter().any(|key| key.kid.is_some());
        Self::checked(without_ambiguous(keys), named)
    }

    /// A JWK set that has been parsed already; see [`Key::from_jwk_value`].
    ///
    /// # Errors
    /// As [`KeySet::from_jwks`].
    pub fn from_jwks_value(value: &Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| refused("JWKS: not a JSON object"))?;
        Self::new(read_keys(object, Faulty::Refuse)?)
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

    /// Whether a token with this `kid` can find its key here: by name, or because no key has one.
    #[must_use]
    pub fn answers_to(&self, kid: &str) -> bool {
        !self.named || self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The keys to try for a token with this `kid` and this `alg`.
    ///
    /// If the token has a `kid`, only the key of that `kid` that serves its `alg`; but where no key of the set has
    /// one (PEM has no place for it), any will do. Then, as for a token without `kid`: the keys that serve its
    /// `alg`, at most [`MAX_CANDIDATES`].
    ///
    /// # Errors
    /// [`Error::UnknownKey`] if none fits or too many do; [`Error::AlgorithmNotAllowed`] if no key that the token
    /// names serves its `alg`.
    pub fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Candidates<'_>, Error> {
        if let Some(kid) = key_id
            && self.named
        {
            let mut of_kid = self.keys.iter().filter(|key| key.kid() == Some(kid)).peekable();
            of_kid.peek().ok_or(Error::UnknownKey)?;
            let key =
                of_kid.find(|key| key.permits(algorithm)).ok_or(Error::AlgorithmNotAllowed)?;
            return Ok(Candidates::one(key, algorithm));
        }
        match self.keys.iter().filter(|key| key.permits(algorithm)).count() {
            1..=MAX_CANDIDATES => Ok(Candidates { keys: self.keys.iter(), algorithm }),
            _ => Err(Error::UnknownKey),
        }
    }
}

/// The members of a JWK set, if its text is not too long.
fn jwks_object(json: &str) -> Result<Map<String, Value>, Error> {
    if json.len() > MAX_JWKS_LENGTH {
        return Err(refused(format!(
            "JWKS has {} bytes, expected at most {MAX_JWKS_LENGTH}",
            json.len()
        )));
    }
    json::parse_object(json.as_bytes())
        .map_err(|fault| refused(format!("JWKS: {}", fault.problem())))
}

/// The keys of a JWK set that are for verifying JWS here.
fn read_keys(object: &Map<String, Value>, faulty: Faulty) -> Result<Vec<Key>, Error> {
    let Some(Value::Array(values)) = object.get("keys") else {
        return match is_pem_by_kid(object) {
            true => read_pems(object, faulty),
            false => Err(refused("JWKS: expected a list in keys")),
        };
    };
    if values.len() > MAX_KEYS {
        return Err(refused(format!("{} keys, expected at most {MAX_KEYS}", values.len())));
    }
    let mut keys = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let key = match value.as_object() {
            Some(object) => jwk::parse(object),
            None => Err(jwk::JwkFault::Refused(refused("JWK: not a JSON object"))),
        };
        match (key, faulty) {
            (Ok(key), _) => keys.push(key),
            (Err(jwk::JwkFault::NotForUs(_)), _) | (Err(_), Faulty::Skip) => {}
            (Err(jwk::JwkFault::Refused(error)), Faulty::Refuse) => {
                return Err(refused(format!("keys[{index}]: {error}")));
            }
        }
    }
    Ok(keys)
}

/// Whether this is an object of PEM texts by their `kid`, and no JWK set.
fn is_pem_by_kid(object: &Map<String, Value>) -> bool {
    let is_pem = |value: &Value| value.as_str().is_some_and(|text| text.contains("-----BEGIN "));
    !object.is_empty() && object.values().all(is_pem)
}

fn read_pems(object: &Map<String, Value>, faulty: Faulty) -> Result<Vec<Key>, Error> {
    if object.len() > MAX_KEYS {
        return Err(refused(format!("{} keys, expected at most {MAX_KEYS}", object.len())));
    }
    let mut keys = Vec::with_capacity(object.len());
    for (index, (kid, text)) in object.iter().enumerate() {
        let material = pem::parse(text.as_str().unwrap_or_default());
        let key = material.and_then(|material| Key::asymmetric(material, Some(kid.clone())));
        match (key, faulty) {
            (Ok(key), _) => keys.push(key),
            (Err(_), Faulty::Skip) => {}
            (Err(error), Faulty::Refuse) => {
                return Err(refused(format!("certificate {index}: {error}")));
            }
        }
    }
    Ok(keys)
}

/// Without the keys that a `kid` does not tell from others: a token that names it could mean either.
fn without_ambiguous(keys: Vec<Key>) -> Vec<Key> {
    let clear: Vec<bool> = keys
        .iter()
        .map(|key| {
            !keys
                .iter()
                .any(|other| key.thumbprint != other.thumbprint && key.is_ambiguous_beside(other))
        })
        .collect();
    keys.into_iter().zip(clear).filter_map(|(key, clear)| clear.then_some(key)).collect()
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

/// Whether bytes given as a secret are a published key in some form.
fn is_public_text(bytes: &[u8]) -> bool {
    const ARMOUR: &[u8] = b"-----BEGIN ";
    let trimmed = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    trimmed.windows(ARMOUR.len()).any(|window| window == ARMOUR)
        || [b"ssh-".as_slice(), b"ecdsa-sha2-"].iter().any(|name| trimmed.starts_with(name))
        || json::parse_object(trimmed)
            .is_ok_and(|object| object.contains_key("kty") || object.contains_key("keys"))
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

#[cfg(test)]
mod tests;
