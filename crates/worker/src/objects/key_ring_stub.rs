//! The key ring as others ask it, and how they open its keys.

use worker::Env;

use super::durable_call;
use crate::{deadline, web_crypto};
use edgegate::{
    error::StoreError,
    policy::SessionPolicy,
    secret::Secret,
    session::key_ring::{RingRecord, StoredKey, associated_data},
};

/// The Durable Object namespace of the key ring.
pub(crate) const BINDING: &str = "EDGEGATE_KEYS";

/// There is one ring for a gate.
const NAME: &str = "ring";

/// Asks the object for the ring, for tokens that live so long.
///
/// # Errors
/// It does not answer, or cannot open the ring.
pub(crate) async fn read(env: &Env, access_secs: u32) -> Result<RingRecord, StoreError> {
    let answer = async {
        durable_call::ask(env, BINDING, NAME, &access_secs.to_string()).await?.text().await
    };
    match deadline::within(deadline::STORE, answer).await {
        Some(Ok(answer)) => RingRecord::from_text(&answer),
        Some(Err(fault)) => Err(StoreError::new(format!("key ring: {fault}"))),
        None => Err(StoreError::new("key ring: no answer in time")),
    }
}

/// The private JWK of a stored key.
///
/// # Errors
/// Its secret is not in the policy any more, or is another.
pub(crate) async fn open(own: &SessionPolicy, stored: &StoredKey) -> Result<Secret, StoreError> {
    let StoredKey { kid, sealed, sealed_by, .. } = stored;
    let fault = |why: &str| {
        StoreError::new(format!("a key of the ring is sealed by secret {sealed_by}, {why}"))
    };
    let key = own.secrets.key_ring(*sealed_by).ok_or_else(|| fault("which is gone"))?;
    let opened = web_crypto::open(key, sealed, &associated_data(kid, *sealed_by)).await;
    opened.map_err(|_| fault("and does not open"))
}
