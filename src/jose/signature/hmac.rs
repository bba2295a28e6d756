//! HMAC with SHA-2 (RFC 7518 §3.2). The key schedule is computed once, when the key is loaded.

use hmac::{Hmac, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

use crate::error::Error;
use crate::jose::algorithm::Algorithm;
use crate::secret::Secret;

/// A keyed MAC for each algorithm that the key may be used with; usually one.
///
/// The secret itself is wiped once the schedules are there. The schedules are not: `hmac` 0.12 has no
/// way to. They let a reader of this memory forge tags, as the secret would.
pub(crate) struct HmacKey {
    sha256: Option<Hmac<Sha256>>,
    sha384: Option<Hmac<Sha384>>,
    sha512: Option<Hmac<Sha512>>,
}

impl HmacKey {
    /// Computes the schedules. Refused are a secret shorter than the hash of one of `algorithms`, and
    /// algorithms that are no HMAC.
    pub(crate) fn new(secret: &Secret, algorithms: &[Algorithm]) -> Result<Self, Error> {
        let mut key = Self { sha256: None, sha384: None, sha512: None };
        for algorithm in algorithms {
            let Some(minimum) = algorithm.hmac_length() else {
                return Err(Error::RefusedKey {
                    problem: format!(
                        "a secret cannot serve {algorithm}, expected HS256, HS384 or HS512"
                    ),
                });
            };
            secret.require_length(minimum)?;
            let bytes = secret.expose_secret();
            match algorithm {
                Algorithm::Hs256 => key.sha256 = Hmac::new_from_slice(bytes).ok(),
                Algorithm::Hs384 => key.sha384 = Hmac::new_from_slice(bytes).ok(),
                _ => key.sha512 = Hmac::new_from_slice(bytes).ok(),
            }
        }
        Ok(key)
    }

    /// Whether `tag` is the whole MAC of `message`, compared in constant time; a shortened one is not.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        match algorithm {
            Algorithm::Hs256 => check(self.sha256.as_ref(), message, tag),
            Algorithm::Hs384 => check(self.sha384.as_ref(), message, tag),
            Algorithm::Hs512 => check(self.sha512.as_ref(), message, tag),
            _ => Err(Error::AlgorithmNotAllowed),
        }
    }
}

fn check<M: hmac::Mac + Clone>(keyed: Option<&M>, message: &[u8], tag: &[u8]) -> Result<(), Error> {
    let mut mac = keyed.ok_or(Error::AlgorithmNotAllowed)?.clone();
    mac.update(message);
    mac.verify_slice(tag).map_err(|_| Error::BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(secret: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }

    #[test]
    fn accepts_the_whole_tag_only() {
        let key = HmacKey::new(&Secret::new(vec![7; 32]), &[Algorithm::Hs256]).unwrap();
        let tag = tag(&[7; 32], b"message");
        assert_eq!(key.verify(Algorithm::Hs256, b"message", &tag), Ok(()));
        for length in 0..32 {
            assert_eq!(
                key.verify(Algorithm::Hs256, b"message", &tag[..length]),
                Err(Error::BadSignature),
                "{length}"
            );
        }
        let longer = [tag.as_slice(), &[0]].concat();
        assert_eq!(key.verify(Algorithm::Hs256, b"message", &longer), Err(Error::BadSignature));
        assert_eq!(key.verify(Algorithm::Hs256, b"massage", &tag), Err(Error::BadSignature));
    }

    #[test]
    fn serves_only_the_algorithms_it_was_made_for() {
        let key = HmacKey::new(&Secret::new(vec![7; 64]), &[Algorithm::Hs256]).unwrap();
        for algorithm in [Algorithm::Hs384, Algorithm::Hs512, Algorithm::Rs256, Algorithm::EdDsa] {
            assert_eq!(key.verify(algorithm, b"", b""), Err(Error::AlgorithmNotAllowed));
        }
    }

    #[test]
    fn secrets_shorter_than_the_hash_are_refused() {
        for (algorithm, length) in
            [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)]
        {
            let short = HmacKey::new(&Secret::new(vec![7; length - 1]), &[algorithm]);
            assert_eq!(
                short.err().unwrap().to_string(),
                format!("secret has {} bytes, expected at least {length}", length - 1)
            );
            assert!(HmacKey::new(&Secret::new(vec![7; length]), &[algorithm]).is_ok());
        }
    }

    #[test]
    fn a_secret_serves_no_public_key_algorithm() {
        let refused = HmacKey::new(&Secret::new(vec![7; 64]), &[Algorithm::Rs256]).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "a secret cannot serve RS256, expected HS256, HS384 or HS512"
        );
    }
}
