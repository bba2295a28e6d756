//! The runtime's WebCrypto: signatures by RSA, ECDSA and Ed25519, and what the gate's own keys need.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use serde_json::Value;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{CryptoKey, SubtleCrypto};
use worker::{js_sys, wasm_bindgen_futures::JsFuture};

use edgegate::{
    base64url,
    error::{Error, StoreError},
    jose::{algorithm::Algorithm, jws::HostCheck, web_crypto},
    secret::Secret,
    session::key_ring::RingKey,
    store::key_ring::RingCrypto,
};

/// Imported keys of this isolate, by RFC 7638 thumbprint and algorithm.
///
/// The keys of the policy and of its issuers bound their number; passkeys come and go. If these or key rotation fill the map, it is emptied.
#[derive(Debug, Default)]
pub(super) struct ImportedKeys {
    keys: RefCell<HashMap<(String, Algorithm), CryptoKey>>,
    /// Private keys of the gate's own ring, by `kid`.
    signing: RefCell<HashMap<String, CryptoKey>>,
    /// Set once the runtime has refused Ed25519: a compatibility flag or date can leave it out.
    lacks_ed25519: Cell<bool>,
}

/// As many as a ring may have, and as many that it had before.
const MAX_SIGNING_KEYS: usize = 32;

/// Ten issuers with as many keys as a key set may have.
const MAX_IMPORTED_KEYS: usize = 1000;

impl ImportedKeys {
    /// Whether the runtime has Ed25519, as far as is known.
    pub(super) const fn takes_ed25519(&self) -> bool {
        !self.lacks_ed25519.get()
    }

    /// Whether the signature verifies. If the runtime does not take Ed25519, it is checked in wasm.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if the runtime refuses the key (a point off its curve, say) or fails.
    pub(super) async fn signature_holds(
        &self,
        issuer: &str,
        check: &HostCheck<'_>,
    ) -> Result<bool, Error> {
        match self.runtime_says(issuer, check).await {
            Ok(holds) => Ok(holds),
            Err(fault) => {
                let Some(holds) = check.decide_here() else { return Err(fault) };
                self.lacks_ed25519.set(true);
                let detail = format!("Ed25519 is checked in wasm from now on: {fault}");
                super::fault::report(&detail);
                Ok(holds)
            }
        }
    }

    /// The signature of a key of the gate's own ring; for ECDSA `r ‖ s`.
    ///
    /// # Errors
    /// The runtime refuses the key, or fails.
    pub(super) async fn sign(
        &self,
        key: &RingKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, JsValue> {
        let parameters = object(&web_crypto::parameters(algorithm))?;
        let known = self.signing.borrow().get(key.kid()).cloned();
        let crypto_key = match known {
            Some(known) => known,
            None => {
                let private = key.private_jwk().ok_or("the key signs without the runtime")?;
                let imported = import_private(private, &parameters).await?;
                let mut signing = self.signing.borrow_mut();
                if signing.len() >= MAX_SIGNING_KEYS {
                    signing.clear();
                }
                signing.insert(key.kid().to_owned(), imported.clone());
                imported
            }
        };
        let message = js_sys::Uint8Array::from(message);
        let signed =
            subtle().sign_with_object_and_js_u8_array(&parameters, &crypto_key, &message)?;
        Ok(js_sys::Uint8Array::new(&JsFuture::from(signed).await?).to_vec())
    }

    async fn runtime_says(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        let unavailable = |fault: JsValue| Error::KeysUnavailable {
            issuer: issuer.to_owned(),
            problem: format!("the runtime refuses the key: {}", describe(&fault)),
        };
        if check.algorithm().is_symmetric() {
            // Checked in wasm, at once.
            return Err(Error::AlgorithmUnavailable);
        }
        let parameters = web_crypto::parameters(check.algorithm());
        let subtle = subtle();
        let key = self.import(&subtle, check, &parameters).await.map_err(unavailable)?;
        let verdict = subtle
            .verify_with_object_and_js_u8_array_and_js_u8_array(
                &object(&parameters).map_err(unavailable)?,
                &key,
                &js_sys::Uint8Array::from(check.signature()),
                &js_sys::Uint8Array::from(check.message()),
            )
            .map_err(unavailable)?;
        let verdict = JsFuture::from(verdict).await.map_err(unavailable)?;
        Ok(verdict.as_bool() == Some(true))
    }

    async fn import(
        &self,
        subtle: &SubtleCrypto,
        check: &HostCheck<'_>,
        parameters: &Value,
    ) -> Result<CryptoKey, JsValue> {
        let name = (check.thumbprint().to_owned(), check.algorithm());
        if let Some(key) = self.keys.borrow().get(&name) {
            return Ok(key.clone());
        }
        let promise = subtle.import_key_with_object(
            "jwk",
            &object(&check.key().to_jwk(check.algorithm()))?,
            &object(parameters)?,
            false,
            &js_sys::Array::of1(&"verify".into()),
        )?;
        let key: CryptoKey = JsFuture::from(promise).await?.dyn_into()?;
        let mut keys = self.keys.borrow_mut();
        if keys.len() >= MAX_IMPORTED_KEYS {
            keys.clear();
        }
        keys.insert(name, key.clone());
        Ok(key)
    }
}

/// A signature by ES256, `r ‖ s`, by a private key that is PKCS#8 in DER.
///
/// # Errors
/// The runtime does not take the key.
pub(super) async fn sign_es256(key: &Secret, message: &[u8]) -> Result<Vec<u8>, StoreError> {
    sign_by_pkcs8(Algorithm::Es256, key, message).await.map_err(described)
}

async fn sign_by_pkcs8(
    algorithm: Algorithm,
    key: &Secret,
    message: &[u8],
) -> Result<Vec<u8>, JsValue> {
    let parameters = object(&web_crypto::parameters(algorithm))?;
    let der = js_sys::Uint8Array::from(key.expose_secret());
    let uses = js_sys::Array::of1(&"sign".into());
    let key = subtle().import_key_with_object("pkcs8", &der, &parameters, false, &uses)?;
    let key: CryptoKey = JsFuture::from(key).await?.dyn_into()?;
    let message = js_sys::Uint8Array::from(message);
    let signed = subtle().sign_with_object_and_js_u8_array(&parameters, &key, &message)?;
    Ok(js_sys::Uint8Array::new(&JsFuture::from(signed).await?).to_vec())
}

async fn import_private(jwk: &Secret, parameters: &js_sys::Object) -> Result<CryptoKey, JsValue> {
    let text = core::str::from_utf8(jwk.expose_secret()).unwrap_or_default();
    let jwk: js_sys::Object = js_sys::JSON::parse(text)?.dyn_into()?;
    let uses = js_sys::Array::of1(&"sign".into());
    let promise = subtle().import_key_with_object("jwk", &jwk, parameters, false, &uses)?;
    JsFuture::from(promise).await?.dyn_into()
}

/// The runtime's crypto for the key ring.
#[derive(Debug)]
pub(super) struct RuntimeCrypto;

impl RingCrypto for RuntimeCrypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        getrandom::fill(bytes).map_err(|_| StoreError::new("the runtime gives no random bytes"))
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<Secret, StoreError> {
        generate(algorithm).await.map_err(described)
    }

    async fn seal(
        &self,
        key: &Secret,
        plain: &Secret,
        beside: &[u8],
    ) -> Result<String, StoreError> {
        seal(key, plain, beside).await.map_err(described)
    }

    async fn open(&self, key: &Secret, sealed: &str, beside: &[u8]) -> Result<Secret, StoreError> {
        open(key, sealed, beside).await.map_err(described)
    }
}

fn described(fault: JsValue) -> StoreError {
    StoreError::new(describe(&fault))
}

/// A new private key, as a JWK.
///
/// # Errors
/// The runtime does not make such keys.
async fn generate(algorithm: Algorithm) -> Result<Secret, JsValue> {
    let parameters = object(&web_crypto::parameters(algorithm))?;
    if algorithm == Algorithm::Rs256 {
        // 65537 (RFC 8017 §3.1 has no other that everybody takes).
        let exponent = js_sys::Uint8Array::from(&[1, 0, 1][..]);
        js_sys::Reflect::set(&parameters, &"modulusLength".into(), &2048.into())?;
        js_sys::Reflect::set(&parameters, &"publicExponent".into(), &exponent)?;
    }
    let uses = js_sys::Array::of2(&"sign".into(), &"verify".into());
    let pair = subtle().generate_key_with_object(&parameters, true, &uses)?;
    let pair = JsFuture::from(pair).await?;
    let private: CryptoKey = js_sys::Reflect::get(&pair, &"privateKey".into())?.dyn_into()?;
    let jwk = JsFuture::from(subtle().export_key("jwk", &private)?).await?;
    let text = String::from(js_sys::JSON::stringify(&jwk)?);
    Ok(Secret::new(text.into_bytes()))
}

/// The length of a nonce of AES-GCM (NIST SP 800-38D §8.2.2: random ones serve 2^32 times).
const NONCE_BYTES: usize = 12;

/// Seals by AES-256-GCM: base64url of a random nonce and the ciphertext.
///
/// # Errors
/// The runtime fails.
async fn seal(key: &Secret, plain: &Secret, beside: &[u8]) -> Result<String, JsValue> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| "the runtime gives no random bytes")?;
    let key = import_aes(key, "encrypt").await?;
    let plain = js_sys::Uint8Array::from(plain.expose_secret());
    let parameters = aes_gcm(&nonce, beside)?;
    let sealed = subtle().encrypt_with_object_and_js_u8_array(&parameters, &key, &plain)?;
    let sealed = js_sys::Uint8Array::new(&JsFuture::from(sealed).await?).to_vec();
    Ok(base64url::encode(&[nonce.as_slice(), &sealed].concat()))
}

/// Opens what [`seal`] has sealed.
///
/// # Errors
/// It was sealed by another key, or is damaged.
async fn open(key: &Secret, sealed: &str, beside: &[u8]) -> Result<Secret, JsValue> {
    let bytes = base64url::decode(sealed).ok_or("is not base64url")?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or("is too short")?;
    let key = import_aes(key, "decrypt").await?;
    let sealed = js_sys::Uint8Array::from(sealed);
    let parameters = aes_gcm(nonce, beside)?;
    let plain = subtle().decrypt_with_object_and_js_u8_array(&parameters, &key, &sealed)?;
    Ok(Secret::new(js_sys::Uint8Array::new(&JsFuture::from(plain).await?).to_vec()))
}

async fn import_aes(key: &Secret, usage: &str) -> Result<CryptoKey, JsValue> {
    let raw = js_sys::Uint8Array::from(key.expose_secret());
    let uses = js_sys::Array::of1(&usage.into());
    let promise = subtle().import_key_with_str("raw", &raw, "AES-GCM", false, &uses)?;
    JsFuture::from(promise).await?.dyn_into()
}

fn aes_gcm(nonce: &[u8], beside: &[u8]) -> Result<js_sys::Object, JsValue> {
    let parameters = js_sys::Object::new();
    let set = |name: &str, value: &JsValue| js_sys::Reflect::set(&parameters, &name.into(), value);
    set("name", &"AES-GCM".into())?;
    set("iv", &js_sys::Uint8Array::from(nonce))?;
    set("additionalData", &js_sys::Uint8Array::from(beside))?;
    Ok(parameters)
}

fn subtle() -> SubtleCrypto {
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let crypto = js_sys::Reflect::get(&global, &"crypto".into()).unwrap_or(JsValue::UNDEFINED);
    crypto.unchecked_into::<web_sys::Crypto>().subtle()
}

fn object(value: &Value) -> Result<js_sys::Object, JsValue> {
    js_sys::JSON::parse(&value.to_string())?.dyn_into()
}

/// The message of a JavaScript error. WebCrypto's name the parameter at fault, never key material.
pub(super) fn describe(fault: &JsValue) -> String {
    fault
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{fault:?}"), |error| String::from(error.message()))
}
