//! RSA, ECDSA and Ed25519 signatures, checked by the runtime's WebCrypto.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use serde::Serialize as _;
use serde_json::Value;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{CryptoKey, SubtleCrypto};
use worker::{js_sys, wasm_bindgen_futures::JsFuture};

use edgegate::{
    error::Error,
    jose::{algorithm::Algorithm, jws::HostCheck, web_crypto},
};

/// Imported keys of this isolate, by RFC 7638 thumbprint and algorithm.
///
/// The keys of the policy and of its issuers bound their number. If key rotation ever fills the map, it is emptied.
#[derive(Debug, Default)]
pub(super) struct ImportedKeys {
    keys: RefCell<HashMap<(String, Algorithm), CryptoKey>>,
    /// Set once the runtime has refused Ed25519: a compatibility flag or date can leave it out.
    lacks_ed25519: Cell<bool>,
}

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

fn subtle() -> SubtleCrypto {
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let crypto = js_sys::Reflect::get(&global, &"crypto".into()).unwrap_or(JsValue::UNDEFINED);
    crypto.unchecked_into::<web_sys::Crypto>().subtle()
}

fn object(value: &Value) -> Result<js_sys::Object, JsValue> {
    Ok(value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?.unchecked_into())
}

/// The message of a JavaScript error. WebCrypto's name the parameter at fault, never key material.
pub(super) fn describe(fault: &JsValue) -> String {
    fault
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{fault:?}"), |error| String::from(error.message()))
}
