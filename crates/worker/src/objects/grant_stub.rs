//! The object of an owner's grants, as others ask it.

use core::time::Duration;

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{
    error::StoreError,
    grant::{
        seal::Owner,
        step::{GrantOutcome, GrantStep},
    },
    guard::grants::PATIENCE_MILLIS,
    session::ObjectName,
};

/// The Durable Object namespace of grants.
pub(crate) const BINDING: &str = "EDGEGATE_GRANTS";

/// Has the object of an owner take a step. A token that is wanted may have to be refreshed first.
///
/// # Errors
/// It did not answer in time, or not at all. The step may have been taken.
pub(crate) async fn apply(
    env: &Env,
    owner: Owner<'_>,
    step: &GrantStep,
) -> Result<GrantOutcome, StoreError> {
    let limit = match step {
        GrantStep::Use(_) => deadline::STORE.saturating_add(Duration::from_millis(PATIENCE_MILLIS)),
        _ => deadline::STORE,
    };
    ask(env, &owner.object(), &write(owner.subject, step), limit).await
}

/// The same of a step that wants no token, so that nobody has to be named.
///
/// # Errors
/// As [`apply`].
pub(crate) async fn of_object(
    env: &Env,
    object: &ObjectName,
    step: &GrantStep,
) -> Result<GrantOutcome, StoreError> {
    ask(env, object, &write("", step), deadline::STORE).await
}

async fn ask(
    env: &Env,
    object: &ObjectName,
    question: &str,
    limit: Duration,
) -> Result<GrantOutcome, StoreError> {
    let answer = async {
        durable_call::ask(env, BINDING, &object.to_string(), question).await?.text().await
    };
    match deadline::within(limit, answer).await {
        Some(Ok(answer)) => GrantOutcome::from_text(&answer),
        Some(Err(fault)) => Err(StoreError::new(format!("grant object: {fault}"))),
        None => Err(StoreError::new("grant object: no answer in time")),
    }
}

/// The subject as JSON, which has no line break, and the step below.
fn write(subject: &str, step: &GrantStep) -> String {
    format!("{}\n{}", serde_json::Value::from(subject), step.to_text())
}

/// Reads what [`apply`] sends: the subject, and the step.
///
/// # Errors
/// It is not ours.
pub(super) fn read(question: &str) -> Result<(String, GrantStep), StoreError> {
    let (subject, step) = question.split_once('\n').unwrap_or_default();
    let subject = serde_json::from_str(subject)
        .map_err(|_| StoreError::new("a step of grants names no owner"))?;
    Ok((subject, GrantStep::from_text(step)?))
}
