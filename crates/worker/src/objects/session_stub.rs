//! The object of a subject, as others ask it.

use core::time::Duration;

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{
    error::StoreError,
    session::{
        ObjectName,
        step::{Outcome, Step},
    },
};

/// The Durable Object namespace of sessions.
pub(crate) const BINDING: &str = "EDGEGATE_SESSIONS";

/// Has the object of a subject take a step.
///
/// # Errors
/// It did not answer in time, or not at all. The step may have been taken.
pub(crate) async fn apply(
    env: &Env,
    object: &ObjectName,
    step: &Step,
    limit: Duration,
) -> Result<Outcome, StoreError> {
    let answer = async {
        durable_call::ask(env, BINDING, &object.to_string(), &step.to_text()).await?.text().await
    };
    match deadline::within(limit, answer).await {
        Some(Ok(answer)) => Outcome::from_text(&answer),
        Some(Err(fault)) => Err(StoreError::new(format!("session object: {fault}"))),
        None => Err(StoreError::new("session object: no answer in time")),
    }
}

/// Whether objects answer: one that is nobody's, and holds nothing.
///
/// # Errors
/// As [`apply`].
pub(crate) async fn answers(env: &Env) -> Result<(), StoreError> {
    let nobody = ObjectName::hash("edgegate-health-v1", &[]);
    apply(env, &nobody, &Step::List, deadline::STORE).await.map(drop)
}
