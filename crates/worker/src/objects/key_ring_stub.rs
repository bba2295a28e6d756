//! How the rest of the Worker asks the object of the key ring.

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{error::StoreError, session::key_ring::RingRecord};

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
