//! A shard of accounts, or of guesses of addresses: the only writer of its rows, and the only place where a password is compared. The rules
//! are [`edgegate::account`]'s; here are the rows, and the alarm that sends mails.

use core::time::Duration;
use std::cell::RefCell;

use futures_util::future::join_all;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{
    alarm::Alarm,
    rows::{Rows, lent},
};
use crate::{clock, fault::report, isolate, mail};
use edgegate::{
    account::{
        hash::SALT_BYTES,
        shard::{ShardState, Terms},
        step::{LoginOutcome, LoginStep},
    },
    error::StoreError,
    policy::AccountPolicy,
};

/// How long after a fault the alarm works again where the rows do not say it: they cannot be read.
const AFTER_FAULT: Duration = Duration::from_secs(3_600);

/// How many mails are sent at once: a request may have six connections (the platform's limit).
const AT_ONCE: usize = 6;

/// Where the rows are stored.
const ROWS: Rows = Rows("logins");

/// A shard.
///
/// A step waits for nothing, so none comes between the reading and the writing of another, and of a thousand guesses at one name each finds
/// what the one before has left. An answer leaves only once what was written is safe (the platform's output gate). Rows that cannot be read
/// make the object answer nothing.
#[durable_object(alarm)]
pub struct LoginObject {
    state: State,
    env: Env,
    /// `None`: to be read.
    rows: RefCell<Option<ShardState>>,
    alarm: Alarm,
}

impl DurableObject for LoginObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, rows: RefCell::default(), alarm: Alarm::default() }
    }

    /// The body is a line that says by which secrets, and a step; the answer its outcome.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.text().await?;
        let (marks, step) = body.split_once('\n').ok_or("a step has no secrets")?;
        let step = LoginStep::from_text(step).map_err(text)?;
        let gate = isolate::gate_of_object(&self.env).await.map_err(text)?;
        let accounts = gate.policy.accounts.as_ref().ok_or("the policy has no accounts")?;
        // What is hashed and sealed by one would be of no use by the other.
        if let Some(id) = accounts.secrets.other_secret(marks) {
            return Err(format!(
                "accounts.secrets: the script of the gate has another secret of id {id}"
            )
            .into());
        }
        let outcome = match step {
            LoginStep::Prepare => self.prepare()?,
            step => {
                let outcome = self.step(step, accounts.terms())?;
                self.schedule(accounts.terms()).await?;
                outcome
            }
        };
        Response::ok(outcome.to_text())
    }

    /// A fault is no end of it: nobody asks about names of which nothing has to be kept. It fails only where no next alarm can be set.
    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(fault) = self.work().await {
            report(&format!("logins: {fault}"));
            let wait = self.on_rows(|rows| rows.wait_after_fault(clock::now()));
            self.alarm.again(&self.state, wait.unwrap_or(AFTER_FAULT)).await?;
        }
        Response::empty()
    }
}

impl LoginObject {
    /// Runs without waiting for anything.
    fn step(&self, step: LoginStep, terms: Terms<'_>) -> Result<LoginOutcome> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| "the runtime gives no random bytes")?;
        let mut held = self.rows.borrow_mut();
        // What is stored is read again after a fault.
        let mut rows = match held.take() {
            Some(rows) => rows,
            None => self.load()?,
        };
        let mut keep = |rows: &mut ShardState| {
            self.store(rows).map_err(|fault| StoreError::new(fault.to_string()))
        };
        let outcome = rows.apply(step, terms, (salt, clock::now()), &mut keep).map_err(text)?;
        self.store(&mut rows)?;
        *held = Some(rows);
        Ok(outcome)
    }

    /// Makes the table: the platform forgets an object that has stored nothing. Rows are not read.
    fn prepare(&self) -> Result<LoginOutcome> {
        ROWS.create(&self.state)?;
        Ok(LoginOutcome::Done)
    }

    fn load(&self) -> Result<ShardState> {
        ShardState::from_rows(lent(&ROWS.load(&self.state)?)).map_err(text)
    }

    fn store(&self, rows: &mut ShardState) -> Result<()> {
        ROWS.save(&self.state, &rows.take_changes().map_err(text)?)
    }

    /// Sets the alarm for mails, and for the rows that pass, if it is not set for that or earlier.
    async fn schedule(&self, terms: Terms<'_>) -> Result<()> {
        let now = clock::now();
        let at = self.rows.borrow().as_ref().and_then(|rows| rows.wakes_at(terms.bound, now));
        let Some(at) = at else { return Ok(()) };
        self.alarm.recall(&self.state).await?;
        match self.alarm.time() {
            // One that is set for what is past went off, or is about to.
            Some(set) if set <= at && set > now => Ok(()),
            _ => self.alarm.set(&self.state, at, now).await,
        }
    }

    async fn work(&self) -> Result<()> {
        let gate = isolate::gate_of_object(&self.env).await.map_err(text)?;
        let accounts = gate.policy.accounts.as_ref().ok_or("the policy has no accounts")?;
        self.send_mails(accounts).await?;
        self.forget(accounts).await
    }

    /// Sends what waits, behind whatever has asked for it. What is sent while this fails is sent again, by the same name.
    async fn send_mails(&self, accounts: &AccountPolicy) -> Result<()> {
        let due = self.on_rows(|rows| rows.due_mails(clock::now()))?;
        for some in due.chunks(AT_ONCE) {
            let sent =
                join_all(some.iter().map(|(id, waiting)| {
                    mail::send(&self.env, accounts, (id, waiting), clock::now())
                }));
            let sent = sent.await;
            self.on_rows(|rows| {
                for ((id, waiting), delivery) in some.iter().zip(sent) {
                    if rows.sent_mail(id, delivery, clock::now()) {
                        let kind = waiting.kind.map_or("", |kind| kind.as_str());
                        report(&format!("accounts: the mail {kind} is given up"));
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Does something with the rows, and stores what has changed. Runs without waiting for anything.
    fn on_rows<T>(&self, step: impl FnOnce(&mut ShardState) -> T) -> Result<T> {
        let mut held = self.rows.borrow_mut();
        let mut rows = match held.take() {
            Some(rows) => rows,
            None => self.load()?,
        };
        let done = step(&mut rows);
        self.store(&mut rows)?;
        *held = Some(rows);
        Ok(done)
    }

    /// Takes out the rows of which nothing has to be kept. An object without rows stays: one that is made anew at the next guess would say by
    /// its time that no account is in it. There are [`edgegate::account::row::SHARDS`] of names, and as many of addresses.
    async fn forget(&self, accounts: &AccountPolicy) -> Result<()> {
        self.on_rows(|rows| rows.forget_over(accounts.bound, clock::now()))?;
        self.schedule(accounts.terms()).await
    }
}

fn text(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}
