//! The sessions of a subject: one Durable Object for each, the only writer. The rules are [`edgegate::session`]'s; here are the
//! rows, and the alarm that makes known what has ended until it is known.

use core::time::Duration;
use std::cell::{Cell, RefCell};

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{
    alarm::Alarm,
    rows::{Rows, lent},
};
use crate::{clock, fault::report, isolate};
use edgegate::{
    guard::session::notices::entry_of,
    session::{
        record::Notice,
        state::{Paces, SubjectState},
        step::{Acknowledge, Outcome, Step},
    },
    time::UnixMillis,
};

/// How long the object leaves it to the isolate to make known what has ended. Its own tries follow, each after twice the time.
const RETRY_MILLIS: u64 = 10_000;

/// How far ahead the alarm is set at least, to take out what is over.
const SWEEP_MILLIS: u64 = 60_000;

/// The most that this is doubled: 10, 20, … 640 seconds.
const MAX_DOUBLINGS: u32 = 6;

/// Where the state is stored.
const ROWS: Rows = Rows("subject");

/// All of a subject.
///
/// Each step is one transaction without waiting, so none comes between the reading and the writing of another. An answer leaves
/// only once what was written is safe (the platform's output gate). Rows that cannot be read make the object answer nothing: that is a
/// fault of the store, and nobody is logged out by it.
#[durable_object(alarm)]
pub struct SessionObject {
    state: State,
    env: Env,
    /// `None`: to be read.
    subject: RefCell<Option<SubjectState>>,
    paces: RefCell<Paces>,
    alarm: Alarm,
    /// How often in a row what has ended could not be made known.
    failures: Cell<u32>,
}

impl DurableObject for SessionObject {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            subject: RefCell::default(),
            paces: RefCell::default(),
            alarm: Alarm::default(),
            failures: Cell::new(0),
        }
    }

    /// The body is a step, the answer its outcome.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let step = Step::from_text(&request.text().await?).map_err(text)?;
        let outcome = self.step(&step)?;
        self.schedule().await?;
        Response::ok(outcome.to_text())
    }

    /// A fault is no end of it: what has ended is still to be made known. It fails only where no next alarm can be set.
    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        let worked = self.work().await;
        if let Err(fault) = &worked {
            self.failures.set(self.failures.get().saturating_add(1));
            report(&format!("sessions: {fault}"));
        }
        let scheduled = self.schedule().await;
        if let Err(fault) = &scheduled {
            report(&format!("sessions: {fault}"));
        }
        // Where the state could not be read or stored, nothing says what is due.
        if worked.is_err() || scheduled.is_err() {
            self.alarm.again(&self.state, Duration::from_millis(self.retry_millis())).await?;
        }
        Response::empty()
    }
}

impl SessionObject {
    /// Runs without waiting for anything.
    fn step(&self, step: &Step) -> Result<Outcome> {
        let mut held = self.subject.borrow_mut();
        // What is stored is read again after a fault.
        let mut subject = match held.take() {
            Some(subject) => subject,
            None => self.load()?,
        };
        let outcome = subject.apply(step, &mut self.paces.borrow_mut(), clock::now());
        ROWS.save(&self.state, &subject.take_changes().map_err(text)?)?;
        *held = Some(subject);
        Ok(outcome)
    }

    fn load(&self) -> Result<SubjectState> {
        SubjectState::from_rows(lent(&ROWS.load(&self.state)?)).map_err(text)
    }

    /// What an alarm does: takes out what is over, makes known what has ended, and forgets a subject of whom nothing is left.
    async fn work(&self) -> Result<()> {
        let notices = self.step(&Step::Sweep)?.notices;
        if !notices.is_empty() {
            // Of what is over nobody has to know any more, whatever the policy has become.
            let now = clock::now().to_unix_time();
            let live: Vec<Notice> =
                notices.iter().filter(|notice| now < notice.until).cloned().collect();
            if !live.is_empty() {
                self.make_known(&live).await?;
            }
            self.step(&Step::Acknowledge(Acknowledge { notices }))?;
        }
        self.failures.set(0);
        let now = clock::now().to_unix_time();
        if self.subject.borrow().as_ref().is_some_and(|subject| subject.is_empty(now)) {
            self.subject.replace(None);
            self.state.storage().delete_all().await?;
        }
        Ok(())
    }

    async fn make_known(&self, notices: &[Notice]) -> Result<()> {
        let gate = isolate::gate_of_object(&self.env).await.map_err(text)?;
        let own = gate.policy.sessions.as_ref().ok_or("the policy has no sessions")?;
        let entries = notices.iter().filter_map(|notice| entry_of(own, notice)).collect();
        gate.revoke_all(&self.env, entries).await.map_err(text)
    }

    /// Sets the alarm for what is due next, if it is not set for that or earlier. A refresh moves nothing of it.
    async fn schedule(&self) -> Result<()> {
        self.alarm.recall(&self.state).await?;
        let now = clock::now();
        let Some(at) = self.due_at(now) else { return Ok(()) };
        match self.alarm.time() {
            Some(set) if set <= at => Ok(()),
            _ => self.alarm.set(&self.state, at, now).await,
        }
    }

    fn due_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        let subject = self.subject.borrow();
        let subject = subject.as_ref()?;
        if subject.notices().is_empty() {
            // Nothing waits for it, and it must never be due again at once.
            let earliest = now.saturating_add(SWEEP_MILLIS);
            return subject.wakes_at().map(|at| UnixMillis::from_unix_time(at).max(earliest));
        }
        Some(now.saturating_add(self.retry_millis()))
    }

    fn retry_millis(&self) -> u64 {
        RETRY_MILLIS << self.failures.get().min(MAX_DOUBLINGS)
    }
}

fn text(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}
