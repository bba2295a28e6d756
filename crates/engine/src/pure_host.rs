//! RSA and ECDSA by `signature::pure`, in place of [`super::host`]: no host is asked.

use edgegate::error::Error;
use edgegate::jose::jws::HostCheck;
use edgegate::jose::keys::Key;
use edgegate::jose::signature::pure;

/// What a host would answer. Nobody has to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Bad,
    Pending,
}

/// Decides about a signature.
///
/// # Errors
/// [`Error::KeysUnavailable`] if the key's point is not on its curve.
pub(super) fn ask(check: &HostCheck<'_>, issuer: &str) -> Result<Verdict, Error> {
    match pure::holds(check) {
        Ok(true) => Ok(Verdict::Holds),
        Ok(false) => Ok(Verdict::Bad),
        Err(fault) => {
            Err(Error::KeysUnavailable { issuer: issuer.to_owned(), problem: fault.to_string() })
        }
    }
}

/// Checks a fixed key, so that a point that is not on its curve is refused when the key is loaded.
///
/// # Errors
/// [`Error::RefusedKey`].
pub(super) fn accept(key: &Key) -> Result<(), Error> {
    key.public().map_or(Ok(()), pure::accept)
}
