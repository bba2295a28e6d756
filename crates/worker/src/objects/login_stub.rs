//! The objects of logins, as others ask them.

use core::time::Duration;

use worker::Env;

use super::durable_call;
use crate::deadline;
use edgegate::{
    account::step::{LoginOutcome, LoginStep, Shard},
    error::StoreError,
};

/// The Durable Object namespace of accounts, and of guesses at their passwords.
pub(crate) const BINDING: &str = "EDGEGATE_LOGINS";

/// How long a request waits: five hashes of a name, one after the other, each of some tens of milliseconds, and those of a login beside it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the object of a shard take a step. `marks` are of the secrets ([`edgegate::account::secrets::AccountSecrets::marks`]): the object may
/// be in a script that has secrets of its own.
///
/// # Errors
/// It did not answer in time, or not at all. The step may have been taken.
pub(crate) async fn apply(
    (env, marks): (&Env, &str),
    shard: Shard,
    step: &LoginStep,
) -> Result<LoginOutcome, StoreError> {
    let name = shard.to_string();
    let question = format!("{marks}\n{}", step.to_text());
    let answer = async { durable_call::ask(env, BINDING, &name, &question).await?.text().await };
    match deadline::within(PATIENCE, answer).await {
        Some(Ok(answer)) => LoginOutcome::from_text(&answer),
        Some(Err(fault)) => Err(StoreError::new(format!("login object: {fault}"))),
        None => Err(StoreError::new("login object: no answer in time")),
    }
}
