//! One JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Curve, Key, Material, refused};
use crate::base64url;
use crate::error::Error;
use crate::jose::algorithm::Algorithm;
use crate::secret::Secret;

/// Why a JWK is not used.
pub(super) enum JwkFault {
    /// It is for something else; in a set it is skipped (RFC 7517 §5).
    NotForUs(Error),
    /// It is meant for verification and is faulty.
    Refused(Error),
}

impl JwkFault {
    /// For a key that stands alone the two are the same.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::NotForUs(error) | Self::Refused(error) => error,
        }
    }
}

impl From<Error> for JwkFault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Members only a private key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "r"];

/// Checks in this order: `kty`, `use`, `key_ops`, `alg` known, private members, the material, `alg` fits.
pub(super) fn parse(object: &Map<String, Value>) -> Result<Key, JwkFault> {
    let member = |name: &str| string(object, name);
    let kty = member("kty")?.ok_or_else(|| refused("JWK: kty is missing"))?;
    if !matches!(kty, "RSA" | "EC" | "OKP" | "oct") {
        return Err(not_for_us("kty is not supported, expected RSA, EC, OKP or oct"));
    }
    if member("use")?.is_some_and(|usage| usage != "sig") {
        return Err(not_for_us("use is not sig"));
    }
    if !permits_verify(object)? {
        return Err(not_for_us("key_ops does not include verify"));
    }
    let algorithm = match member("alg")? {
        None => None,
        Some(name) => Some(
            Algorithm::from_name(name)
                .ok_or_else(|| not_for_us("alg is not a signature algorithm that is supported"))?,
        ),
    };
    let kid = member("kid")?.map(str::to_owned);
    if kty == "oct" {
        return Ok(symmetric(object, algorithm, kid)?);
    }
    if PRIVATE_MEMBERS.iter().any(|name| object.contains_key(*name)) {
        return Err(refused("JWK: a private key, expected only its public members").into());
    }
    let material = match (kty, member("crv")?) {
        ("RSA", _) => Material::rsa(&bytes(object, "n")?, &bytes(object, "e")?)?,
        ("EC", Some(name)) => {
            let curve = Curve::from_name(name).ok_or_else(|| {
                not_for_us("crv is not supported, expected P-256, P-384 or P-521")
            })?;
            Material::ec(curve, &bytes(object, "x")?, &bytes(object, "y")?)?
        }
        ("OKP", Some("Ed25519")) => Material::ed25519(&bytes(object, "x")?)?,
        ("OKP", Some(_)) => return Err(not_for_us("crv is not supported, expected Ed25519")),
        _ => return Err(refused("JWK: crv is missing").into()),
    };
    let mut key = Key::asymmetric(material, kid)?;
    if let Some(algorithm) = algorithm {
        if !key.permits(algorithm) {
            return Err(
                refused(format!("JWK: a key of this type cannot serve alg {algorithm}")).into()
            );
        }
        key.algorithms = vec![algorithm];
    }
    Ok(key)
}

fn symmetric(
    object: &Map<String, Value>,
    algorithm: Option<Algorithm>,
    kid: Option<String>,
) -> Result<Key, Error> {
    let secret = Secret::new(bytes(object, "k")?.to_vec());
    let algorithms = match algorithm {
        Some(algorithm) => vec![algorithm],
        None => {
            let length = secret.expose_secret().len();
            let fits =
                |algorithm: &Algorithm| algorithm.hmac_length().is_some_and(|hash| hash <= length);
            // Too short for any: let the least demanding name the two lengths.
            secret.require_length(32)?;
            Algorithm::ALL.into_iter().filter(fits).collect()
        }
    };
    Key::symmetric(&secret, algorithms, kid)
}

/// `key_ops` (RFC 7517 §4.3): absent, or a list of strings with `verify` among them.
fn permits_verify(object: &Map<String, Value>) -> Result<bool, Error> {
    match object.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) if operations.iter().all(Value::is_string) => {
            Ok(operations.iter().any(|operation| operation == "verify"))
        }
        Some(_) => Err(refused("JWK: key_ops is not a list of strings")),
    }
}

fn string<'j>(object: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, Error> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(refused(format!("JWK: {name} is not a string"))),
    }
}

fn bytes(object: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = string(object, name)?.ok_or_else(|| refused(format!("JWK: {name} is missing")))?;
    base64url::decode(text)
        .map(Zeroizing::new)
        .ok_or_else(|| refused(format!("JWK: {name} is not base64url without padding")))
}

fn not_for_us(problem: &str) -> JwkFault {
    JwkFault::NotForUs(refused(format!("JWK: {problem}")))
}
