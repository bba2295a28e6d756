//! Keys from the shell: JSON in one of four forms.

use serde::Serialize;
use zeroize::Zeroizing;

use super::fields::{Fields, unexpected};
use edgegate::base64url;
use edgegate::error::Error;
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::keys::{Key, KeySet, PublicKey};
use edgegate::secret::Secret;

/// A key or a set of keys. It is an object with one member, whose name is one of these in lower case.
pub(super) enum Source {
    /// A JWK, as JSON text.
    Jwk(String),
    /// A JWK set, as JSON text.
    Jwks(String),
    /// PEM text.
    Pem(String),
    /// The bytes of a secret in base64url.
    Secret(SecretText),
}

/// A secret. It is wiped when it is dropped, and `Debug` does not show it.
pub(super) struct SecretText(Zeroizing<String>);

#[cfg(feature = "gate")]
impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl core::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretText(_)")
    }
}

impl SecretText {
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(super) fn decode(&self) -> Result<Secret, Error> {
        base64url::decode(&self.0)
            .map(Secret::new)
            .ok_or_else(|| Error::RefusedKey { problem: "secret is not base64url".to_owned() })
    }
}

impl Source {
    pub(super) fn read(mut fields: Fields) -> Result<Self, Error> {
        let secret = fields.string("secret")?.map(SecretText::new);
        let forms = [
            fields.string("jwk")?.map(Self::Jwk),
            fields.string("jwks")?.map(Self::Jwks),
            fields.string("pem")?.map(Self::Pem),
            secret.map(Self::Secret),
        ];
        fields.end()?;
        match forms.into_iter().flatten().collect::<Vec<_>>().pop() {
            Some(form) => Ok(form),
            None => Err(unexpected()),
        }
    }

    /// The set of these keys. A secret of bytes is for those of `algorithms` that are HMACs.
    pub(super) fn keys(&self, algorithms: &[Algorithm]) -> Result<KeySet, Error> {
        match self {
            Self::Jwk(jwk) => KeySet::new(vec![Key::from_jwk(jwk)?]),
            Self::Jwks(jwks) => KeySet::from_jwks(jwks),
            Self::Pem(pem) => KeySet::new(vec![Key::from_pem(pem)?]),
            Self::Secret(text) => {
                let one = |algorithm| Key::hmac(text.decode()?, algorithm, None);
                KeySet::new(algorithms.iter().copied().map(one).collect::<Result<_, _>>()?)
            }
        }
    }
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<&'a str>,
    algorithms: Vec<&'static str>,
    symmetric: bool,
    /// The public key as JWK text. For a secret the shell makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<String>,
}

/// Checks a single key and describes it.
pub(super) fn describe(text: &str) -> Result<Vec<u8>, Error> {
    let source = Source::read(Fields::parse(text)?)?;
    let key = match &source {
        Source::Jwk(jwk) => Key::from_jwk(jwk)?,
        Source::Pem(pem) => Key::from_pem(pem)?,
        Source::Jwks(_) | Source::Secret(_) => {
            return Err(Error::RefusedKey { problem: "expected a single key".to_owned() });
        }
    };
    super::host::accept(&key)?;
    let jwk = key.public().map(PublicKey::to_jwk_text);
    let description = Description {
        kid: key.kid(),
        thumbprint: key.thumbprint(),
        algorithms: key.algorithms().iter().map(|one| one.as_str()).collect(),
        symmetric: key.is_symmetric(),
        jwk,
    };
    Ok(serde_json::to_vec(&description).unwrap_or_default())
}
