//! The host's cryptography: `node:crypto` or WebCrypto, by two functions that `pkg/lib/engine.js` puts in. It decides about
//! RSA and ECDSA, and may take Ed25519.

use wasm_bindgen::prelude::wasm_bindgen;

use super::protocol::HostAnswer;
use edgegate::error::Error;
use edgegate::jose::keys::{Key, PublicKey};
use edgegate::jose::{algorithm::Algorithm, jws::HostCheck};

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Whether the signature holds: a [`HostAnswer`]. All but the algorithm's place in
    /// [`Algorithm::ALL`] are addresses and lengths; `name` is the key's thumbprint.
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

    /// Takes a public key as a JWK under a name. 0 if the host refuses it.
    #[wasm_bindgen(js_name = importKey)]
    safe fn import_key(name: usize, name_length: usize, jwk: usize, jwk_length: usize) -> u32;
}

const BAD: u32 = HostAnswer::Bad as u32;
const HOLDS: u32 = HostAnswer::Holds as u32;
const PENDING: u32 = HostAnswer::Pending as u32;
const UNKNOWN_KEY: u32 = HostAnswer::UnknownKey as u32;

/// What the host says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Bad,
    /// It will say later.
    Pending,
}

/// Asks about a signature; the key is handed over first if the host does not have it. An Ed25519 signature that the host
/// does not take is decided here.
///
/// # Errors
/// [`Error::KeysUnavailable`] if the host refuses the key, such as a point off its curve.
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
        // `RefusesKey`, or the key is unknown even now.
        _ => match check.decide_here() {
            Some(true) => Ok(Verdict::Holds),
            Some(false) => Ok(Verdict::Bad),
            None => Err(refused()),
        },
    }
}

/// Hands a fixed key over, so that one the host refuses is refused when it is loaded.
///
/// # Errors
/// [`Error::RefusedKey`].
pub(super) fn accept(key: &Key) -> Result<(), Error> {
    let (Some(public), Some(name)) = (key.public(), key.thumbprint()) else {
        return Ok(());
    };
    // What the host does not take of Ed25519 is decided here.
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
