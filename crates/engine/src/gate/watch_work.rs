//! The watch of a gate: what it has counted, and the keeping of what all have counted ([`edgegate::watch`]).
//!
//! A check only adds to the tally. The shell comes back after a while, and what has come together is handed over: to the state in this
//! process, or to a queue in a store that all gates share. One of them at a time *keeps*: it has the lease, adds what is in the queue, looks at
//! the rules and tells the sinks. The store changes rows and takes from the queue what is in them in one step, and only if nobody else has
//! changed the rows since they were read. So each delta is added once, whichever gate ends whenever.

use futures_util::future::join_all;

use super::backend::Gate;
use super::task::{HostJobs, Job};
use super::watching::{Kept, Watching};
use edgegate::error::{Error, StoreError};
use edgegate::guard::watched::{self, Origin};
use edgegate::guard::{AccountEvent, AskedBy, Decision, Event, Request};
use edgegate::policy::{SinkTarget, WatchPolicy};
use edgegate::session::state::RowChange;
use edgegate::watch::delta::{Acknowledged, Delta};
use edgegate::watch::outbox::Waiting;
use edgegate::watch::report::{metrics, report};
use edgegate::watch::state::{Delivery, Orders, WatchState};
use edgegate::watch::tally::{FLUSH_MILLIS, Tally};

/// How long a gate that says nothing keeps: three of its turns. A sink may take a third of it.
const LEASE_MILLIS: u64 = FLUSH_MILLIS * 3;

/// How long a sink may take.
const SINK_MILLIS: u64 = 10_000;

/// How many deltas are added in one step: with all that callers can put into them these are 20 MB.
const BATCH: usize = 50;

/// How many deltas may wait in the queue. A gate that finds it full keeps its own, and counts on.
const MAX_QUEUED: usize = 2_000;

/// How many of them are read by a gate that does not keep: what is beyond is told once it is added, within seconds.
const MAX_READ: usize = 500;

/// The most deltas that are handed over at once: the one that was not acknowledged, and the one that came together meanwhile.
const MAX_SENT: usize = 2;

/// How many times in one turn each sink is told: what is left waits for the next one.
const ROUNDS: usize = 20;

/// The row of what gates are to be told. It is none of the state.
const TOLD: &str = "told";

/// Takes note of a decision.
#[inline(never)]
pub(super) fn note(gate: &Gate, request: &Request<'_>, decision: &Decision, jobs: &HostJobs) {
    let (Some(watch), Some(watching)) = (&gate.policy.watch, &gate.watching) else { return };
    let now = jobs.now();
    let mut tally = watching.tally.borrow_mut();
    // The host knows no country and no network operator.
    let is_failure =
        watched::note(&mut tally, watch, (request, decision), now, |_| Origin::default());
    plan(&mut tally, is_failure, jobs);
}

/// Takes note of what an administrator was refused.
pub(super) fn note_administration(
    gate: &Gate,
    who: (&Request<'_>, &str),
    done: (u16, Option<&Error>),
    jobs: &HostJobs,
) {
    let Some(watching) = &gate.watching else { return };
    let mut tally = watching.tally.borrow_mut();
    if tally.has_room_for_administration() {
        let event = watched::administered(&mut tally, who, done, jobs.now());
        tally.push(event);
    }
    plan(&mut tally, false, jobs);
}

/// Tells the log and the watch what has become of accounts.
#[inline(never)]
pub(super) fn note_accounts(
    gate: &Gate,
    (request, by): (&Request<'_>, AskedBy<'_>),
    done: &[AccountEvent],
    jobs: &HostJobs,
) {
    let (policy, now) = (&gate.policy, jobs.now());
    let issuer = policy.sessions.as_ref().map(|own| own.issuer.as_str());
    for one in done {
        if let Some(event) = Event::of_account(policy.log, request, by, one, now) {
            jobs.tell(&Job::Note { event });
        }
        let (Some(watch), Some(watching)) = (&policy.watch, &gate.watching) else { continue };
        let mut tally = watching.tally.borrow_mut();
        let of_policy = (watch, issuer);
        watched::note_account(&mut tally, of_policy, (request, by), one, now, Origin::default);
        plan(&mut tally, false, jobs);
    }
}

fn plan(tally: &mut Tally, is_failure: bool, jobs: &HostJobs) {
    if let Some(millis) = tally.plan(is_failure, jobs.now()) {
        jobs.tell(&Job::HandOver { millis });
    }
}

/// What is read of the watch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// JSON.
    Report { window_secs: u64 },
    /// As Prometheus reads it.
    Metrics,
}

/// The work of the watch beside checks.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    watch: &'a WatchPolicy,
    watching: &'a Watching,
    jobs: &'a HostJobs,
}

impl<'a> Work<'a> {
    /// `None` where the policy does not watch.
    pub(super) fn of(gate: &'a Gate, jobs: &'a HostJobs) -> Option<Self> {
        let (watch, watching) = (gate.policy.watch.as_ref()?, gate.watching.as_ref()?);
        Some(Self { watch, watching, jobs })
    }

    /// Hands over what has come together, and keeps if it is this gate's turn. Returns after how many milliseconds it has to be called
    /// again, if at all.
    pub(super) async fn turn(self) -> Option<u64> {
        self.hand_over().await;
        if let Some(_busy) = self.watching.begin()
            && let Err(fault) = self.keep().await
        {
            self.failed(&fault).await;
        }
        self.wakes_in()
    }

    /// The same for the last time, and gives the lease back.
    pub(super) async fn close(self) {
        self.turn().await;
        if let Some(_busy) = self.watching.begin() {
            self.step_down().await;
        }
    }

    /// Gives the lease back, and forgets what was read: after a fault nobody knows what is stored.
    async fn step_down(self) {
        if let Some(holder) = &self.watching.holder {
            self.watching.kept.take();
            // If that fails, the lease ends by itself.
            drop(self.jobs.ask::<()>(Job::WatchRelease { holder }).await);
        }
    }

    /// What is told of everything that was handed over, this gate's own included.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(super) async fn read(self, what: Reading) -> Result<String, Error> {
        self.hand_over().await;
        let told = match self.watching.begin() {
            Some(_busy) => self.read_kept(what).await,
            None => self.read_beside(what).await,
        };
        let unavailable = |fault: StoreError| Error::StoreUnavailable {
            store: "watch",
            problem: fault.to_string(),
        };
        told.map_err(unavailable)
    }

    async fn read_kept(self, what: Reading) -> Result<String, StoreError> {
        match self.fold().await {
            Ok(true) => self.with(|kept| self.told(&kept.state, what)),
            Ok(false) => self.read_beside(what).await,
            Err(fault) => {
                self.step_down().await;
                Err(fault)
            }
        }
    }

    /// Reads what another gate keeps, without taking its place. The queue comes first: what is added meanwhile is in the rows then, and
    /// is added once.
    async fn read_beside(self, what: Reading) -> Result<String, StoreError> {
        if self.watching.holder.is_none() {
            return self.with(|kept| self.told(&kept.state, what));
        }
        let queued: Vec<String> = self.jobs.ask_store(Job::WatchPeek { count: MAX_READ }).await?;
        let mut state = self.stored().await?.state;
        self.add(&mut state, &queued);
        Ok(self.told(&state, what))
    }

    fn told(self, state: &WatchState, what: Reading) -> String {
        let rules = &self.watch.rules;
        match what {
            Reading::Report { window_secs } => {
                let report = report(state, rules, window_secs, self.jobs.now());
                serde_json::to_string(&report).unwrap_or_default()
            }
            Reading::Metrics => metrics(state, rules),
        }
    }

    async fn hand_over(self) {
        for _ in 0..MAX_SENT {
            let Some(delta) = self.watching.tally.borrow_mut().take(self.jobs.now()) else {
                return;
            };
            let sent = self.send(&delta).await;
            let mut tally = self.watching.tally.borrow_mut();
            match sent {
                Ok(answer) => tally.acknowledged(answer, self.jobs.now()),
                Err(fault) => {
                    tally.missed(self.jobs.now());
                    self.note(&format!("counts not handed over, later again: {fault}"));
                    return;
                }
            }
        }
    }

    async fn send(self, delta: &Delta) -> Result<Acknowledged, StoreError> {
        if self.watching.holder.is_none() {
            let now = self.jobs.now();
            return self.with(|kept| kept.state.apply(delta, self.orders(), now))?;
        }
        let text = delta.to_text();
        let job = Job::WatchPush { text: &text, most: MAX_QUEUED };
        // `null`: it is full. An empty text: nobody has said anything yet.
        let told: Option<String> = self.jobs.ask_store(job).await?;
        let told = told.ok_or_else(|| StoreError::own_bound("the queue of the watch is full"))?;
        let told = if told.is_empty() {
            Acknowledged { next_millis: FLUSH_MILLIS, ..Acknowledged::default() }
        } else {
            Acknowledged::from_text(&told)?
        };
        Ok(Acknowledged { seq: delta.seq, ..told })
    }

    async fn keep(self) -> Result<(), StoreError> {
        if self.fold().await? {
            self.deliver().await?;
        }
        Ok(())
    }

    /// Adds what is in the queue, and looks at the rules. Whether this gate keeps.
    async fn fold(self) -> Result<bool, StoreError> {
        let Some(holder) = &self.watching.holder else {
            let now = self.jobs.now();
            self.with(|kept| kept.state.look(self.orders(), now))?;
            self.commit(0).await?;
            return Ok(true);
        };
        let lease = Job::WatchLease { holder, millis: LEASE_MILLIS };
        let Some(version) = self.jobs.ask_store::<Option<u64>>(lease).await? else {
            self.watching.kept.take();
            return Ok(false);
        };
        let is_known = self.with(|kept| kept.version == version).unwrap_or(false);
        if !is_known {
            let kept = Kept { version, ..self.stored().await? };
            self.watching.kept.replace(Some(kept));
        }
        loop {
            let queued: Vec<String> = self.jobs.ask_store(Job::WatchPeek { count: BATCH }).await?;
            let is_last = queued.len() < BATCH;
            let added = self.with(|kept| {
                let added = self.add(&mut kept.state, &queued);
                if let Some(told) = added.1 {
                    kept.told.1 = told;
                }
                added.0
            })?;
            if is_last || added < queued.len() {
                let now = self.jobs.now();
                self.with(|kept| kept.state.look(self.orders(), now))?;
                self.commit(added).await?;
                return Ok(true);
            }
            self.commit(added).await?;
        }
    }

    /// The rows, as they are stored.
    async fn stored(self) -> Result<Kept, StoreError> {
        let rows: Vec<(String, String)> = self.jobs.ask_store(Job::WatchRows {}).await?;
        let mut kept = Kept::default();
        for (name, value) in &rows {
            if name == TOLD {
                kept.told = (value.clone(), value.clone());
            } else {
                kept.state.read_row(name, value)?;
            }
        }
        Ok(kept)
    }

    /// Adds deltas in their order. Returns how many were added, and what gates are to be told then.
    fn add(self, state: &mut WatchState, queued: &[String]) -> (usize, Option<String>) {
        let now = self.jobs.now();
        let (mut added, mut told) = (0_usize, None);
        state.hold_isolates(true);
        for text in queued {
            match Delta::from_text(text) {
                Ok(delta) => match state.apply(&delta, self.orders(), now) {
                    Ok(answer) => told = Some(Acknowledged { seq: 0, ..answer }.to_text()),
                    // There is no room for it now: it stays in the queue.
                    Err(fault) => {
                        self.note(&fault.to_string());
                        break;
                    }
                },
                // It will not get better by waiting.
                Err(fault) => self.note(&fault.to_string()),
            }
            added = added.saturating_add(1);
        }
        state.hold_isolates(false);
        (added, told)
    }

    /// Stores what has changed. `taken` is how many deltas of the queue are in it.
    async fn commit(self, taken: usize) -> Result<(), StoreError> {
        let (version, rows) = self.with(|kept| {
            // The package keeps no audit.
            drop(kept.state.take_alerted());
            let changes = kept.state.take_changes();
            let mut rows: Vec<(String, Option<String>)> = Vec::new();
            // Of what has changed several times only the last counts.
            for RowChange { name, value } in changes.into_iter().rev() {
                if !rows.iter().any(|(known, _)| *known == name) {
                    rows.push((name, value));
                }
            }
            if kept.told.0 != kept.told.1 {
                kept.told.0.clone_from(&kept.told.1);
                rows.push((TOLD.to_owned(), Some(kept.told.1.clone())));
            }
            (kept.version, rows)
        })?;
        let Some(holder) = &self.watching.holder else { return Ok(()) };
        if taken == 0 && rows.is_empty() {
            return Ok(());
        }
        let job = Job::WatchCommit { holder, millis: LEASE_MILLIS, version, taken, rows: &rows };
        let version: Option<u64> = self.jobs.ask_store(job).await?;
        let version = version.ok_or_else(|| StoreError::new("another gate keeps the watch now"))?;
        self.with(|kept| kept.version = version)
    }

    /// Tells the sinks what is due, each one event after the other.
    async fn deliver(self) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let now = self.jobs.now();
            let due = self.with(|kept| kept.state.due(now))?;
            self.commit(0).await?;
            if due.is_empty() {
                break;
            }
            let told = join_all(due.iter().map(|(_, waiting)| self.tell(waiting))).await;
            let now = self.jobs.now();
            self.with(|kept| {
                for ((number, _), delivery) in due.iter().zip(told) {
                    kept.state.delivered(*number, delivery, now);
                }
            })?;
            self.commit(0).await?;
        }
        Ok(())
    }

    /// Tells a sink of an event.
    async fn tell(self, waiting: &Waiting) -> Delivery {
        let Waiting { sink: name, event, .. } = waiting;
        let Some(sink) = self.watch.sink(name) else {
            let job = Job::TellFunction { sink: name, event };
            // `null`: there is no such function, so that it never will be told.
            let taken = self.jobs.ask::<Option<bool>>(job).await;
            return match taken {
                Ok(Some(true)) => Delivery::Taken,
                Ok(None) => Delivery::Refused,
                Ok(Some(false)) | Err(_) => self.untold(name, "it failed", Delivery::Failed),
            };
        };
        // A policy with one is refused: no gate here has queues.
        let SinkTarget::Url(url) = &sink.target else { return Delivery::Refused };
        let message =
            sink.form.message(event, sink.secret.as_ref(), self.jobs.now().to_unix_time());
        let url = String::from_utf8_lossy(url.expose_secret());
        let (headers, body) = (&message.fields, message.body.as_str());
        let job = Job::TellSink { url: &url, headers, body, millis: SINK_MILLIS };
        let status = self.jobs.ask::<Option<u16>>(job).await.ok().flatten();
        match (Delivery::of(status), status) {
            (Delivery::Taken, _) => Delivery::Taken,
            // Not the fault itself: it may name the URL, which may be a secret.
            (delivery, Some(status)) => self.untold(name, &format!("status {status}"), delivery),
            (delivery, None) => self.untold(name, "no answer", delivery),
        }
    }

    fn untold(self, sink: &str, problem: &str, delivery: Delivery) -> Delivery {
        self.note(&format!("the sink {sink} has not taken an event: {problem}"));
        delivery
    }

    /// Another gate may be able to keep where this one is not: it may know rows that this one does not.
    async fn failed(self, fault: &StoreError) {
        self.note(&fault.to_string());
        self.step_down().await;
    }

    fn note(self, problem: &str) {
        let event = Event::fault(format!("watch: {problem}")).at(self.jobs.now());
        self.jobs.tell(&Job::Note { event });
    }

    fn orders(self) -> Orders<'a> {
        Orders { rules: &self.watch.rules, sinks: &self.watch.sink_names }
    }

    fn with<T>(self, work: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        let mut kept = self.watching.kept.borrow_mut();
        let kept = kept.as_mut().ok_or_else(|| StoreError::new("the rows are not read"))?;
        Ok(work(kept))
    }

    fn wakes_in(self) -> Option<u64> {
        let now = self.jobs.now();
        let at = self.with(|kept| kept.state.wakes_at(self.orders(), now)).ok().flatten();
        let wait = at.map(|at| at.millis_since(now).max(SOON_MILLIS));
        // Where it is shared, whoever keeps may have ended.
        let own = self.watching.holder.as_ref().map(|_| FLUSH_MILLIS);
        [wait, own].into_iter().flatten().min()
    }
}

/// Never at once: what finds the same due again must not go round without an end.
const SOON_MILLIS: u64 = 50;
