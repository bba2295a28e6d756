//! What all isolates have counted, and what administration did: one Durable Object, the only writer. The rules are
//! [`edgegate::watch`]'s; here are the rows, the alarm that looks when nothing comes, and the requests by which others are told.

use core::time::Duration;
use std::cell::RefCell;

use futures_util::future::join_all;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{alarm::Alarm, audit::Audit, rows::Rows};
use crate::{
    clock,
    delivery::{delivered, post},
    fault::report,
    gate::Gate,
    host, isolate,
};
use edgegate::{
    guard::Event,
    policy::{self, Log, SinkTarget, WatchPolicy},
    time::UnixMillis,
    watch::{
        audit::Act,
        delta::Delta,
        event::{EventV1, Kind},
        outbox::Waiting,
        report::{metrics, report as report_of},
        state::{Delivery, Orders, WatchState},
    },
};

/// How long after a fault the alarm works again.
const AFTER_FAULT: Duration = Duration::from_secs(60);

/// How many times in one alarm each sink is told: what is left waits for the next one.
const ROUNDS: usize = 20;

/// Where the state is stored.
const ROWS: Rows = Rows("watch");

/// All that watches.
///
/// Each step is one transaction without waiting. An answer leaves only once what was written is safe (the platform's output gate), so
/// what is acknowledged is never lost. Rows that cannot be read make the object answer nothing.
#[durable_object(alarm)]
pub struct WatchObject {
    state: State,
    env: Env,
    /// `None`: to be read.
    watched: RefCell<Option<WatchState>>,
    audit: Audit,
    alarm: Alarm,
}

impl DurableObject for WatchObject {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            watched: RefCell::default(),
            audit: Audit::default(),
            alarm: Alarm::default(),
        }
    }

    /// The body is a question, by its first line.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let text = request.text().await?;
        let gate = isolate::gate_of_object(&self.env).await.map_err(message)?;
        let watch = watch_of(&gate)?;
        let (question, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let now = clock::now();
        self.note_policy(&gate, now);
        match question {
            "delta" => {
                let delta = Delta::from_text(rest).map_err(message)?;
                let orders = orders(watch);
                let answer =
                    self.step(watch, |state| state.apply(&delta, orders, now).map_err(message))?;
                self.schedule(watch).await?;
                Response::ok(answer.to_text())
            }
            "report" => {
                let window: u64 = rest.parse().map_err(|_| "expected seconds")?;
                let told = self.step(watch, |state| {
                    state.look(orders(watch), now);
                    Ok(report_of(state, &watch.rules, window, now))
                })?;
                self.schedule(watch).await?;
                Response::ok(serde_json::to_string(&told)?)
            }
            "metrics" => {
                let told = self.step(watch, |state| Ok(metrics(state, &watch.rules)))?;
                Response::ok(told)
            }
            "act" => {
                let act = Act::from_text(rest).map_err(message)?;
                let seq = self.audit.step(&self.state, |chain| chain.append(&act, now))?;
                self.tell_checkpoint(&gate, now)?;
                self.schedule(watch).await?;
                Response::ok(seq.to_string())
            }
            "audit" => {
                let (after, limit) = rest.split_once(' ').ok_or("expected two numbers")?;
                let number = |text: &str| text.parse::<u64>().map_err(|_| "expected a number");
                Response::ok(Audit::page(&self.state, number(after)?, number(limit)?)?)
            }
            _ => Err("there is no such question".into()),
        }
    }

    /// A fault is no end of it: alerts have no other clock. It fails only where no next alarm can be set.
    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(fault) = self.work().await {
            report(&format!("watch: {fault}"));
            self.alarm.again(&self.state, AFTER_FAULT).await?;
        }
        Response::empty()
    }
}

impl WatchObject {
    async fn work(&self) -> Result<()> {
        let gate = isolate::gate_of_object(&self.env).await.map_err(message)?;
        // A policy that does not watch any more needs no clock.
        let Some(watch) = gate.policy.watch.as_ref() else { return Ok(()) };
        let now = clock::now();
        self.note_policy(&gate, now);
        self.step(watch, |state| {
            state.look(orders(watch), now);
            Ok(())
        })?;
        // What is wrong with the audit holds up no alert.
        if let Err(fault) = self.tell_checkpoint(&gate, now) {
            report(&format!("audit: {fault}"));
        }
        self.deliver(watch).await?;
        self.schedule(watch).await
    }

    /// Tells the sinks what is due, each one event after the other.
    async fn deliver(&self, watch: &WatchPolicy) -> Result<()> {
        for _ in 0..ROUNDS {
            let due = self.step(watch, |state| Ok(state.due(clock::now())))?;
            if due.is_empty() {
                break;
            }
            let told =
                join_all(due.iter().map(|(_, waiting)| tell(&self.env, watch, waiting))).await;
            self.step(watch, |state| {
                for ((number, _), delivery) in due.iter().zip(told) {
                    state.delivered(*number, delivery, clock::now());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Counting goes on without an entry.
    fn note_policy(&self, gate: &Gate, now: UnixMillis) {
        let Some(digest) = &gate.digest else { return };
        if let Err(fault) = self.audit.step(&self.state, |chain| chain.see_policy(digest, now)) {
            report(&format!("audit: {fault}"));
        }
    }

    /// Tells outside how far the audit is, if it is time, and lets go what is too old.
    fn tell_checkpoint(&self, gate: &Gate, now: UnixMillis) -> Result<()> {
        let watch = watch_of(gate)?;
        if watch.audit == policy::Audit::Off {
            return Ok(());
        }
        let made = self.audit.step(&self.state, |chain| chain.checkpoint(&watch.seal, now))?;
        let Some(checkpoint) = made else { return Ok(()) };
        self.step(watch, |state| {
            state.tell_checkpoint(&checkpoint, &watch.webhooks, now);
            Ok(())
        })?;
        if gate.policy.log != Log::None {
            worker::console_log!("{}", Event::Checkpoint(checkpoint).line());
        }
        self.audit.sweep(&self.state, watch.audit_days, now)
    }

    fn note_alerts(&self, alerts: &[EventV1], now: UnixMillis) {
        let noted = self.audit.step(&self.state, |chain| {
            for event in alerts {
                let rule = event.rule.as_deref().unwrap_or_default();
                let act = Act::alert(event.event == Kind::Firing, rule, event.group.as_deref());
                chain.append(&act, now);
            }
        });
        if let Err(fault) = noted {
            report(&format!("audit: {fault}"));
        }
    }

    /// Runs without waiting for anything. What has changed is stored; after a fault it is read again.
    fn step<T>(
        &self,
        watch: &WatchPolicy,
        step: impl FnOnce(&mut WatchState) -> Result<T>,
    ) -> Result<T> {
        let (mut step, mut done) = (Some(step), None);
        self.step_by(watch, &mut |state| done = step.take().map(|step| step(state)))?;
        done.unwrap_or_else(|| Err("the step was not taken".into()))
    }

    /// What is the same for all steps, so that it is compiled once.
    fn step_by(&self, watch: &WatchPolicy, step: &mut dyn FnMut(&mut WatchState)) -> Result<()> {
        let mut held = self.watched.borrow_mut();
        let mut state = match held.take() {
            Some(state) => state,
            None => self.load()?,
        };
        step(&mut state);
        let alerts = state.take_alerted();
        ROWS.save(&self.state, &state.take_changes())?;
        *held = Some(state);
        if !alerts.is_empty() && watch.audit != policy::Audit::Off {
            self.note_alerts(&alerts, clock::now());
        }
        Ok(())
    }

    fn load(&self) -> Result<WatchState> {
        let mut state = WatchState::default();
        ROWS.each(&self.state, &mut |name, value| state.read_row(name, value).map_err(message))?;
        Ok(state)
    }

    /// Sets the alarm for what is due next, if it is not set for that or earlier.
    async fn schedule(&self, watch: &WatchPolicy) -> Result<()> {
        let now = clock::now();
        let due =
            self.watched.borrow().as_ref().and_then(|state| state.wakes_at(orders(watch), now));
        let due = due.into_iter().chain(self.audit.wakes_at()).min();
        let Some(at) = due else { return Ok(()) };
        self.alarm.recall(&self.state).await?;
        // One that is set for what is past went off, or is about to.
        match self.alarm.time() {
            Some(set) if set <= at && set > now => Ok(()),
            _ => self.alarm.set(&self.state, at.max(soon(now)), now).await,
        }
    }
}

/// Never at once: an alarm that finds the same due again must not go round without an end.
fn soon(now: UnixMillis) -> UnixMillis {
    now.saturating_add(50)
}

fn watch_of(gate: &Gate) -> Result<&WatchPolicy> {
    gate.policy.watch.as_ref().ok_or_else(|| "the policy does not watch".into())
}

fn orders(watch: &WatchPolicy) -> Orders<'_> {
    Orders { rules: &watch.rules, sinks: &watch.sink_names }
}

/// Tells a sink of an event.
async fn tell(env: &Env, watch: &WatchPolicy, waiting: &Waiting) -> Delivery {
    let Some(sink) = watch.sink(&waiting.sink) else { return Delivery::Refused };
    let now = clock::now().to_unix_time();
    let message = sink.form.message(&waiting.event, sink.secret.as_ref(), now);
    let sent = async {
        match &sink.target {
            SinkTarget::Url(url) => post(url, &message.fields, &message.body).await,
            // What a queue has taken, it has.
            SinkTarget::Queue(name) => {
                host::send_to_queue(env, name, &message.body).await.map(|()| 202)
            }
        }
    };
    let name = &waiting.sink;
    delivered(sent, || format!("watch: the sink {name} has not taken an event")).await
}

fn message(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}
