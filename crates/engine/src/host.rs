//! The host's cryptography: `node:crypto` or WebCrypto, through two functions that `pkg/lib/engine.js` passes in. It decides
//! about RSA and ECDSA. Some hosts also decide about Ed25519.

use wasm_bindgen::prelude::wasm_bindgen;

use super::protocol::HostAnswer;
use edgegate::error::Error;
use edgegate::jose::keys::{Key, PublicKey};
use edgegate::jose::{algorithm::Algorithm, jws::HostCheck};

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Whether the signature holds: a [`HostAnswer`]. The first argument is the algorithm's place in [`Algorithm::ALL`],
    /// the others are addresses and lengths. `name` is the key's thumbprint.
    #[wasm_bindgen(js_name = verify)]
    safe fn verify_signature(
        algorithm: usize,
        name: usize,
        name_length: usize,
        message: usize,
        message_length: usize,
        signature: usize,
        signature_length: usize,
    ) -> u32;

    /// Gives the host a public key as a JWK, with a name. 0 if the host refuses it.
    #[wasm_bindgen(js_name = importKey)]
    safe fn import_key(name: usize, name_length: usize, jwk: usize, jwk_length: usize) -> u32;
}

const BAD: u32 = HostAnswer::Bad as u32;
const HOLDS: u32 = HostAnswer::Holds as u32;
const PENDING: u32 = HostAnswer::Pending as u32;
const UNKNOWN_KEY: u32 = HostAnswer::UnknownKey as u32;

/// The host's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Bad,
    /// The host will answer later.
    Pending,
}

/// Asks about a signature. If the host does not have the key, it gets the key first. If the host does not support Ed25519,
/// such a signature is decided here.
///
/// # Errors
/// [`Error::KeysUnavailable`] if the host refuses the key, for instance a point that is not on its curve.
pub(super) fn ask(check: &HostCheck<'_>, issuer: &str) -> Result<Verdict, Error> {
    let refused = || Error::KeysUnavailable {
        issuer: issuer.to_owned(),
        problem: "the host refuses the key".to_owned(),
    };
    let answer = match ask_once(check) {
        UNKNOWN_KEY if import(check.thumbprint(), &check.key().to_jwk_text()) => ask_once(check),
        answer => answer,
    };
    match answer {
        HOLDS => Ok(Verdict::Holds),
        BAD => Ok(Verdict::Bad),
        PENDING => Ok(Verdict::Pending),
        // `RefusesKey`, or the host still does not know the key.
        _ => match check.decide_here() {
            Some(true) => Ok(Verdict::Holds),
            Some(false) => Ok(Verdict::Bad),
            None => Err(refused()),
        },
    }
}

/// Gives the host a fixed key, so that a key that the host refuses is refused when it is loaded.
///
/// # Errors
/// [`Error::RefusedKey`].
pub(super) fn accept(key: &Key) -> Result<(), Error> {
    let (Some(public), Some(name)) = (key.public(), key.thumbprint()) else {
        return Ok(());
    };
    // If the host does not support Ed25519, it is decided here.
    if matches!(public, PublicKey::Ed25519(_)) || import(name, &public.to_jwk_text()) {
        return Ok(());
    }
    Err(Error::RefusedKey { problem: "the host refuses the key".to_owned() })
}

fn ask_once(check: &HostCheck<'_>) -> u32 {
    let algorithm = check.algorithm();
    let place = Algorithm::ALL.iter().position(|one| *one == algorithm).unwrap_or_default();
    let (name, message, signature) = (check.thumbprint(), check.message(), check.signature());
    verify_signature(
        place,
        name.as_ptr().addr(),
        name.len(),
        message.as_ptr().addr(),
        message.len(),
        signature.as_ptr().addr(),
        signature.len(),
    )
}

fn import(name: &str, jwk: &str) -> bool {
    import_key(name.as_ptr().addr(), name.len(), jwk.as_ptr().addr(), jwk.len()) == 1
}
