//! The engine behind the npm package: functions of numbers, called by `pkg/lib/engine.js` alone.
//!
//! Text passes through two places in the instance's memory ([`exchange`]), so a call needs few allocations and
//! conversions. The host checks signatures of RSA and ECDSA ([`host`]). It answers at once (`node:crypto`), or
//! later (WebCrypto): then the call is resumed, or made again. With the feature `pure` no host is asked.
//!
//! Nothing here throws but a trap. After a trap the shell takes a new instance.
//!
//! The *shell* is the JavaScript around the engine, the *host* is the runtime: Node, a browser, a Worker.
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
use edgegate::jose::{claims::Claims, sign};

/// Makes room for `length` bytes and returns the address at which the next call expects its text.
#[wasm_bindgen]
#[must_use]
pub fn input(length: usize) -> usize {
    exchange::input(length)
}

/// The address of the numbers that the last call has left ([`exchange::Slot`]).
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
/// `DONE`: the text is the payload; the key's name, the issuer and the times are in their slots.
/// `PENDING`: the host was asked and has not answered. When it has, call [`resume`] with what is in `VALID_FROM`, or this
/// function again if that is 0.
/// `KEYS_NEEDED`: the shell has to fetch the issuer's keys. The issuer's index is in `ISSUER`, the text is the `ETag`, and
/// `HAS_KEYS` says whether there are older keys to use in the meantime.
/// `KEYS_UNDER_WAY`: enough other calls are fetching them. Call this again after a moment, with the time of then.
#[wasm_bindgen]
pub fn verify(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |token| verify::verify(handle, token, millis(now_millis)))?
    })
}

/// Goes on with a token after the host has said that its signature holds.
///
/// Returns what [`verify()`] does, or `GONE`: the token is no longer kept, since new keys have come or too many other
/// tokens wait. Verify it again.
#[wasm_bindgen]
pub fn resume(handle: usize, ticket: u32) -> u32 {
    exchange::run(|| verify::resume(handle, ticket))
}

/// Reads the token of an `Authorization` header of `length` bytes, for a verifier that is used in place of a gate.
///
/// `DONE`: the text is the token.
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

/// Reads the scopes of a token of `length` bytes that [`verify()`] has accepted. The text has spaces between them.
#[wasm_bindgen(js_name = scopesOf)]
pub fn scopes_of(handle: usize, length: usize) -> u32 {
    exchange::run(|| exchange::with_text(length, |token| verify::scopes_of(handle, token))?)
}

/// Where to ask for the keys of an issuer with `discovery`: JSON `{uri?, readAt?}` at first, with the key set that was found before
/// and when; then `{step, began, text? | problem, status?}` with what the last question has brought, and when the fetch began or last went on.
///
/// `KEYS_NEEDED`: the text is what to ask for, `ISSUER` its step, 0 for that key set. `DONE`: the last answer is that of the
/// keys.
#[wasm_bindgen(js_name = nextPlace)]
pub fn next_place(handle: usize, issuer: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |asked| {
            verify::next_place(handle, issuer, asked, millis(now_millis))
        })?
    })
}

/// Takes the answer of an issuer: JSON `{jwks?, etag?, cacheControl?}`, without `jwks` for 304.
#[wasm_bindgen(js_name = keysFetched)]
pub fn keys_fetched(handle: usize, issuer: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |answer| {
            verify::keys_fetched(handle, issuer, answer, millis(now_millis))
        })?
    })
}

/// Takes note that the keys could not be fetched. The text says why, and is returned as an error.
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

/// Forgets keys for [`verify_jws`].
#[wasm_bindgen(js_name = freeKeys)]
pub fn free_keys(handle: usize) {
    verify::KEYS.with_borrow_mut(|all| all.remove(handle));
}

/// Verifies a compact JWS with any payload, as [`verify()`] does, but without claims, issuers and time.
#[wasm_bindgen(js_name = verifyJws)]
pub fn verify_jws(handle: usize, length: usize) -> u32 {
    exchange::run(|| exchange::with_text(length, |token| verify::verify_jws(handle, token))?)
}

/// Verifies a proof of possession. The text has a line each for the key's thumbprint, the method, the URL, the access token
/// and the proof, and one for each nonce that is accepted. Bit `n` of `algorithms` permits algorithm number `n`.
///
/// `DONE`: the text is the key under which the proof is remembered, `VALID_UNTIL` says until when. A store that other
/// processes share keeps it until `VALID_FROM`, since their clocks may be behind. `PENDING`: as with [`verify()`].
#[wasm_bindgen(js_name = verifyProof)]
pub fn verify_proof(length: usize, now_millis: f64, max_age: u32, algorithms: u32) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |text| {
            dpop::verify(text, millis(now_millis), max_age, algorithms)
        })?
    })
}

/// Checks claims before they are signed, with the rules for claims of a token.
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

/// The private key in PEM of `length` bytes: the text is its PKCS#8, bytes that the shell wipes when it has them.
#[wasm_bindgen(js_name = pkcs8OfPem)]
pub fn pkcs8_of_pem(length: usize) -> u32 {
    exchange::run(|| {
        let der = exchange::with_secret_text(length, sign::pkcs8_of_pem)?;
        exchange::leave_text(der.expose_secret());
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

/// Verifies an API key. The text is its id, the rest is in slots.
#[wasm_bindgen(js_name = verifyApiKey)]
pub fn verify_api_key(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        exchange::with_text(length, |key| api_keys::verify(handle, key, millis(now_millis)))?
    })
}
