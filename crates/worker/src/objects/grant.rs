//! The grants of an owner: one Durable Object for each, the only writer, and the only one that asks a provider for fresh tokens. The rules
//! are [`edgegate::grant`]'s; here are the rows.

use core::time::Duration;
use std::{cell::RefCell, rc::Rc};

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{
    alarm::Alarm,
    grant_stub,
    rows::{Rows, lent},
};
use crate::{clock, fault::report, gate::Gate, grants::GateGrants, isolate};
use edgegate::{
    error::StoreError,
    grant::{
        seal::Owner,
        state::OwnerGrants,
        step::{GrantOutcome, GrantStep, UseGrant},
    },
    guard::grants::Grants,
    session::ObjectName,
    store::grants::GrantStore,
    time::UnixMillis,
};

/// How long after a fault the alarm works again. What is left meanwhile is a row without a token: there is no hurry.
const AFTER_FAULT: Duration = Duration::from_secs(3_600);

/// Where the state is stored.
const ROWS: Rows = Rows("grants");

/// All of an owner.
///
/// Each step is one transaction without waiting, so none comes between the reading and the writing of another. An answer leaves only once
/// what was written is safe (the platform's output gate), and so does a question to a provider. Rows that cannot be read make the object
/// answer nothing.
#[durable_object(alarm)]
pub struct GrantObject {
    state: State,
    env: Env,
    /// `None`: to be read.
    grants: RefCell<Option<OwnerGrants>>,
    alarm: Alarm,
}

impl DurableObject for GrantObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, grants: RefCell::default(), alarm: Alarm::default() }
    }

    /// The body names the owner and has a step, the answer is its outcome.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (subject, step) = grant_stub::read(&request.text().await?).map_err(text)?;
        let outcome = match &step {
            GrantStep::Use(wanted) => {
                let gate = isolate::gate_of_object(&self.env).await.map_err(text)?;
                self.usable(&gate, &subject, wanted).await?
            }
            step => self.step(step)?,
        };
        if matches!(step, GrantStep::End(_)) {
            self.schedule().await?;
        }
        Response::ok(outcome.to_text())
    }

    /// A fault is no end of it: nobody asks an owner who has gone. It fails only where no next alarm can be set.
    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(fault) = self.forget().await {
            report(&format!("grants: {fault}"));
            self.alarm.again(&self.state, AFTER_FAULT).await?;
        }
        Response::empty()
    }
}

impl GrantObject {
    async fn usable(
        &self,
        gate: &Rc<Gate>,
        subject: &str,
        UseGrant { provider, account, .. }: &UseGrant,
    ) -> Result<GrantOutcome> {
        let own = gate.policy.sessions.as_ref().ok_or("the policy has no sessions")?;
        let host = GateGrants { gate, env: &self.env };
        let owner = Owner { issuer: &own.issuer, subject };
        let grants = Grants { store: self, host: &host, secrets: &own.secrets, owner };
        grants.usable(provider, account.as_deref()).await.map_err(text)
    }

    /// Runs without waiting for anything.
    fn step(&self, step: &GrantStep) -> Result<GrantOutcome> {
        let mut held = self.grants.borrow_mut();
        // What is stored is read again after a fault.
        let mut grants = match held.take() {
            Some(grants) => grants,
            None => self.load()?,
        };
        let outcome = grants.apply(step, clock::now().to_unix_time());
        ROWS.save(&self.state, &grants.take_changes().map_err(text)?)?;
        *held = Some(grants);
        Ok(outcome)
    }

    fn load(&self) -> Result<OwnerGrants> {
        OwnerGrants::from_rows(lent(&ROWS.load(&self.state)?)).map_err(text)
    }

    /// Sets the alarm for when nothing counts any more of an owner without grants.
    async fn schedule(&self) -> Result<()> {
        let at = self.grants.borrow().as_ref().and_then(OwnerGrants::over_at);
        let Some(at) = at else { return Ok(()) };
        self.alarm.set(&self.state, UnixMillis::from_unix_time(at), clock::now()).await
    }

    /// An owner of whom nothing is left is nobody.
    async fn forget(&self) -> Result<()> {
        let grants = match self.grants.take() {
            Some(grants) => grants,
            None => self.load()?,
        };
        if grants.is_over(clock::now().to_unix_time()) {
            return self.state.storage().delete_all().await;
        }
        self.grants.replace(Some(grants));
        self.schedule().await
    }
}

impl GrantStore for GrantObject {
    async fn apply(
        &self,
        _: &ObjectName,
        step: &GrantStep,
        _: UnixMillis,
    ) -> core::result::Result<GrantOutcome, StoreError> {
        self.step(step).map_err(|fault| StoreError::new(fault.to_string()))
    }
}

fn text(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}
