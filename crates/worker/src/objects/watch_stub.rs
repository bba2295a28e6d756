//! How the rest of the Worker asks the object that watches.

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{
    error::StoreError,
    watch::{
        audit::Act,
        delta::{Acknowledged, Delta},
    },
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

/// Adds an entry to the audit; its number.
///
/// # Errors
/// It did not answer in time, or not at all. It may have been added.
pub(crate) async fn append(env: &Env, act: &Act) -> Result<u64, StoreError> {
    let text = serde_json::to_string(act).unwrap_or_default();
    let seq = ask(env, format!("act\n{text}")).await?;
    seq.parse().map_err(|_| StoreError::new("watch object: expected the number of an entry"))
}

/// A page of the audit, as JSON: what comes after this entry.
///
/// # Errors
/// As [`report`].
pub(crate) async fn audit(env: &Env, after: u64, limit: u64) -> Result<String, StoreError> {
    ask(env, format!("audit\n{after} {limit}")).await
}

async fn ask(env: &Env, question: String) -> Result<String, StoreError> {
    let answer = async { durable_call::ask(env, BINDING, NAME, &question).await?.text().await };
    match deadline::within(deadline::STORE, answer).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(fault)) => Err(StoreError::new(format!("watch object: {fault}"))),
        None => Err(StoreError::new("watch object: no answer in time")),
    }
}
