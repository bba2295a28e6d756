//! How the rest of the Worker asks the object that watches.

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{
    error::StoreError,
    watch::delta::{Acknowledged, Delta},
};

/// The Durable Object namespace of the watch.
pub(crate) const BINDING: &str = "EDGEGATE_WATCH";

/// There is one for a gate.
const NAME: &str = "watch";

/// Hands a delta over.
///
/// # Errors
/// It did not answer in time, or not at all. It may have been added.
pub(crate) async fn add(env: &Env, delta: &Delta) -> Result<Acknowledged, StoreError> {
    Acknowledged::from_text(&ask(env, format!("delta\n{}", delta.to_text())).await?)
}

/// The report of a window, as JSON.
///
/// # Errors
/// It did not answer in time, or not at all.
pub(crate) async fn report(env: &Env, window_secs: u64) -> Result<String, StoreError> {
    ask(env, format!("report\n{window_secs}")).await
}

/// Everything that was counted, as Prometheus reads it.
///
/// # Errors
/// As [`report`].
pub(crate) async fn metrics(env: &Env) -> Result<String, StoreError> {
    ask(env, "metrics".to_owned()).await
}

async fn ask(env: &Env, question: String) -> Result<String, StoreError> {
    let answer = async { durable_call::ask(env, BINDING, NAME, &question).await?.text().await };
    match deadline::within(deadline::STORE, answer).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(fault)) => Err(StoreError::new(format!("watch object: {fault}"))),
        None => Err(StoreError::new("watch object: no answer in time")),
    }
}
