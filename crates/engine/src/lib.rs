//! The engine behind the npm package: functions of numbers, called by `pkg/lib/engine.js` alone.
//!
//! Text passes through two places in the instance's memory ([`exchange`]), so a call costs no
//! allocation and no conversion that is not needed. Signatures of RSA and ECDSA are the host's to check
//! ([`host`]): it answers at once (`node:crypto`), or says that it will (WebCrypto) and the call is resumed
//! or made again when it has. With the feature `pure` no host is asked.
//!
//! Nothing here throws. What does throw is a trap; the shell then takes a fresh instance.
#![allow(rustdoc::private_intra_doc_links, reason = "nobody but this crate reads them")]

mod api_keys;
mod dpop;
mod exchange;
mod fields;
#[cfg(feature = "gate")]
pub mod gate;
mod handles;
#[cfg(not(feature = "pure"))]
mod host;
mod key;
mod options;
mod protocol;
#[cfg(feature = "pure")]
mod pure_host;
#[cfg(feature = "pure")]
use pure_host as host;
mod verify;

use wasm_bindgen::prelude::wasm_bindgen;

use self::exchange::{Status, millis};
use edgegate::guard;
use edgegate::jose::claims::Claims;

/// Makes room for `length` bytes and returns the address at which the next call expects its text.
#[wasm_bindgen]
#[must_use]
pub fn input(length: usize) -> usize {
    exchange::input(length)
}

/// The address of the numbers that the last call has left: see [`exchange::Slot`].
#[wasm_bindgen]
#[must_use]
pub fn output() -> usize {
    exchange::output()
}

/// Takes a verifier's options, `length` bytes of JSON, and leaves its handle in `HANDLE`.
#[wasm_bindgen(js_name = createVerifier)]
pub fn create_verifier(length: usize, max_token_length: usize) -> u32 {
    exchange::run(|| {
        let verifier =
            exchange::with_secret_text(length, |text| options::verifier(text, max_token_length))?;
        exchange::leave_handle(verify::VERIFIERS.with_borrow_mut(|all| all.add(verifier)));
        Ok(Status::Done)
    })
}

/// Forgets a verifier and its keys.
#[wasm_bindgen(js_name = freeVerifier)]
pub fn free_verifier(handle: usize) {
    verify::VERIFIERS.with_borrow_mut(|all| all.remove(handle));
}

/// Verifies the token of `length` bytes at `now_millis` since 1970.
///
/// `DONE`: the payload is the text, the key's name, issuer and times are in their slots. `PENDING`: the
/// host was asked and has not answered; when it has, call [`resume`] with what is in `VALID_FROM`, or this
/// again if that is 0. `KEYS_NEEDED`: the issuer's keys are to be fetched; its index is in `ISSUER`, the
/// `ETag` is the text, and `HAS_KEYS` says whether there are older keys to go on with meanwhile. `KEYS_UNDER_WAY`: enough
/// calls of this are fetching them; to be called again, at the time it is then, after a moment.
#[wasm_bindgen]
pub fn verify(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |token| verify::verify(handle, token, millis(now_millis)))?
    })
}

/// Goes on with a token whose signature holds by the host's verdict.
///
/// As [`verify()`], or `GONE`: the token is not kept any more, since keys have come or too many others wait. It
/// has to be verified anew.
#[wasm_bindgen]
pub fn resume(handle: usize, ticket: u32) -> u32 {
    exchange::run(|| verify::resume(handle, ticket))
}

/// The token in an `Authorization` of `length` bytes, for a verifier that stands in the place of a gate.
///
/// `DONE`: the token is the text.
#[wasm_bindgen(js_name = bearerToken)]
pub fn bearer_token(length: usize) -> u32 {
    exchange::run(|| {
        let token = exchange::with_text(length, |authorization| {
            guard::bearer_token(authorization).map(str::to_owned)
        })??;
        exchange::leave_text(token);
        Ok(Status::Done)
    })
}

/// The scopes of a token of `length` bytes that [`verify()`] has taken: the text, with spaces between them.
#[wasm_bindgen(js_name = scopesOf)]
pub fn scopes_of(handle: usize, length: usize) -> u32 {
    exchange::run(|| exchange::with_text(length, |token| verify::scopes_of(handle, token))?)
}

/// Takes an answer of the issuer: JSON `{jwks?, etag?, cacheControl?}`, without `jwks` for 304.
#[wasm_bindgen(js_name = keysFetched)]
pub fn keys_fetched(handle: usize, issuer: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |answer| {
            verify::keys_fetched(handle, issuer, answer, millis(now_millis))
        })?
    })
}

/// Takes note that the keys could not be fetched; the text says why, and comes back as an error.
#[wasm_bindgen(js_name = keysFailed)]
pub fn keys_failed(handle: usize, issuer: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |problem| {
            verify::keys_failed(handle, issuer, problem, millis(now_millis))
        })?
    })
}

/// Takes keys for [`verify_jws`], `length` bytes of JSON, and leaves a handle.
#[wasm_bindgen(js_name = createKeys)]
pub fn create_keys(length: usize) -> u32 {
    exchange::run(|| {
        let keys = exchange::with_secret_text(length, options::keys)?;
        exchange::leave_handle(verify::KEYS.with_borrow_mut(|all| all.add(keys)));
        Ok(Status::Done)
    })
}

/// Forgets such keys.
#[wasm_bindgen(js_name = freeKeys)]
pub fn free_keys(handle: usize) {
    verify::KEYS.with_borrow_mut(|all| all.remove(handle));
}

/// Verifies a compact JWS of any payload: [`verify()`] without claims, issuers and time.
#[wasm_bindgen(js_name = verifyJws)]
pub fn verify_jws(handle: usize, length: usize) -> u32 {
    exchange::run(|| exchange::with_text(length, |token| verify::verify_jws(handle, token))?)
}

/// Verifies a proof of possession: lines of the key's thumbprint, the method, the URL, the access token, the proof, and
/// any nonces that are taken. Bit `n` of `algorithms` permits the `n`th of all algorithms.
///
/// `DONE`: the text is the key under which to remember it, `VALID_UNTIL` the time until when; `VALID_FROM` the time until
/// when a store keeps it that others share, whose clocks may be behind. `PENDING` as with [`verify()`].
#[wasm_bindgen(js_name = verifyProof)]
pub fn verify_proof(length: usize, now_millis: f64, max_age: u32, algorithms: u32) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |text| {
            dpop::verify(text, millis(now_millis), max_age, algorithms)
        })?
    })
}

/// Checks claims that are to be signed, as those of a token that is verified.
#[wasm_bindgen(js_name = checkClaims)]
pub fn check_claims(length: usize) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |claims| Claims::parse(claims.as_bytes()))??;
        Ok(Status::Done)
    })
}

/// Checks one key and leaves `{kid?, thumbprint?, algorithms, symmetric, jwk}` as text.
#[wasm_bindgen(js_name = describeKey)]
pub fn describe_key(length: usize) -> u32 {
    exchange::run(|| {
        exchange::leave_text(exchange::with_secret_text(length, key::describe)?);
        Ok(Status::Done)
    })
}

/// Takes the options of API keys and leaves a handle.
#[wasm_bindgen(js_name = createApiKeys)]
pub fn create_api_keys(length: usize) -> u32 {
    exchange::run(|| {
        let keys = exchange::with_secret_text(length, api_keys::create)?;
        exchange::leave_handle(api_keys::ALL.with_borrow_mut(|all| all.add(keys)));
        Ok(Status::Done)
    })
}

/// Forgets them.
#[wasm_bindgen(js_name = freeApiKeys)]
pub fn free_api_keys(handle: usize) {
    api_keys::ALL.with_borrow_mut(|all| all.remove(handle));
}

/// Mints: JSON `{prefix?, id, expiresAt?}` with 16 random bytes as hexadecimal digits in `id`.
#[wasm_bindgen(js_name = mintApiKey)]
pub fn mint_api_key(handle: usize, length: usize) -> u32 {
    exchange::run(|| exchange::with_text(length, |request| api_keys::mint(handle, request))?)
}

/// Verifies an API key: the text is its id, the rest is in slots.
#[wasm_bindgen(js_name = verifyApiKey)]
pub fn verify_api_key(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |key| api_keys::verify(handle, key, millis(now_millis)))?
    })
}
