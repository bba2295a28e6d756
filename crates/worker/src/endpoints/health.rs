//! `GET /auth/health`: is the gate set up, and do its stores answer. Needs no credential.

use core::future::Future;
use std::{cell::RefCell, rc::Rc};

use futures_util::future::join5;
use serde::Serialize;
use web_sys::Response;
use worker::{Context, Env};

use crate::{
    background, clock, counters,
    gate::Gate,
    isolate::{self, IsolateGate, State, StoredPolicy},
    kv,
    objects::{counter, key_ring_stub, ledger_stub::Ledger, session_stub},
    reply, revocations,
};
use edgegate::{
    error::StoreError,
    policy::{Policy, SessionPolicy},
    store::SnapshotState,
    time::UnixMillis,
};

/// How long the last report is given again. Anybody may ask, and each new report costs three operations.
const REPEAT_MILLIS: u64 = 5_000;
/// How long a report may be under way before it counts as lost: a little more than the deadline of a store.
const LOST_MILLIS: u64 = 3_000;

thread_local! {
    /// What this isolate has reported.
    static REPORTS: RefCell<Reports> =
        const { RefCell::new(Reports { last: None, under_way_since: None }) };
}

/// The reports of an isolate. One at a time is made: however many ask at once, the stores are asked once.
#[derive(Debug)]
struct Reports {
    /// The last one, and when it was begun.
    last: Option<(UnixMillis, Report)>,
    under_way_since: Option<UnixMillis>,
}

/// What a request gets.
enum Turn {
    /// This report.
    Take(Report),
    /// One without the stores: the first is under way.
    Unasked,
    /// A new one, which it is to make.
    Make,
}

impl Reports {
    fn turn(&mut self, now: UnixMillis) -> Turn {
        let within = |at: UnixMillis, millis| now.millis_since(at) < millis;
        let recent = self.last.as_ref().is_some_and(|(begun, _)| within(*begun, REPEAT_MILLIS));
        let under_way = self.under_way_since.is_some_and(|since| within(since, LOST_MILLIS));
        match &self.last {
            Some((_, report)) if recent || under_way => Turn::Take(report.clone()),
            None if under_way => Turn::Unasked,
            _ => {
                self.under_way_since = Some(now);
                Turn::Make
            }
        }
    }

    fn made(&mut self, report: Report, begun: UnixMillis) {
        self.last = Some((begun, report));
        self.under_way_since = None;
    }
}

#[derive(Debug, Clone, Serialize)]
struct Report {
    status: Status,
    version: &'static str,
    bindings: Bindings,
    /// Where the policy is in KV.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<StoredPolicy>,
    /// The snapshot of revocations that this isolate holds, if it holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Nothing that the policy uses is known not to answer.
    Ok,
    /// A store does not answer, the newest policy in KV is refused and an older one in force, or the
    /// snapshot of revocations could not be renewed.
    Degraded,
    /// The policy is refused; the log says why.
    Misconfigured,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Binding {
    /// It answers.
    Ok,
    /// It is there and does not answer.
    Failing,
    /// It is not bound.
    Missing,
    /// It is bound, and the policy does not use it.
    Unused,
    /// It is being asked for the first time, for another request.
    Unasked,
}

#[derive(Debug, Clone, Serialize)]
struct Bindings {
    kv: Binding,
    counters: Binding,
    /// Where the policy keeps revocations there.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Binding>,
    /// Where the policy has sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Binding>,
    /// Where the gate makes the keys of its sessions itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Binding>,
}

/// The health of the gate: always 200, the body says how it is.
pub(crate) async fn answer(
    gate: &IsolateGate,
    env: &Env,
    context: &Context,
) -> worker::Result<Response> {
    let Ok(gate) = gate else {
        let bound = |there: bool| if there { Binding::Unused } else { Binding::Missing };
        return reply::json(
            200,
            &Report {
                status: Status::Misconfigured,
                version: env!("CARGO_PKG_VERSION"),
                bindings: Bindings {
                    kv: bound(env.kv(kv::BINDING).is_ok()),
                    counters: bound(env.durable_object(counter::BINDING).is_ok()),
                    ledger: None,
                    sessions: None,
                    keys: None,
                },
                policy: isolate::stored_policy(),
                snapshot: None,
            },
        );
    };
    let now = clock::now();
    let turn = REPORTS.with_borrow_mut(|reports| reports.turn(now));
    let report = match turn {
        Turn::Take(report) => report,
        Turn::Unasked => report(gate, bindings(gate, env)),
        // For those who come meanwhile too, so it does not end with this request.
        Turn::Make => background::outlive(context, make(Rc::clone(gate), env.clone(), now)).await,
    };
    reply::json(200, &report)
}

async fn make(gate: Rc<Gate>, env: Env, begun: UnixMillis) -> Report {
    let report = report(&gate, ask(&gate, &env).await);
    REPORTS.with_borrow_mut(|reports| reports.made(report.clone(), begun));
    report
}

/// The bindings, none of them asked.
fn bindings(gate: &Gate, env: &Env) -> Bindings {
    let state = |bound: bool, used: bool| match (bound, used) {
        (false, _) => Binding::Missing,
        (true, false) => Binding::Unused,
        (true, true) => Binding::Unasked,
    };
    let policy = &gate.policy;
    Bindings {
        kv: state(env.kv(kv::BINDING).is_ok(), policy.needs_kv()),
        counters: state(
            env.durable_object(counter::BINDING).is_ok(),
            policy.needs_durable_objects(),
        ),
        ledger: policy.needs_ledger().then_some(Binding::Unasked),
        sessions: policy.sessions.as_ref().map(|_| Binding::Unasked),
        keys: managed(policy).map(|_| Binding::Unasked),
    }
}

/// The sessions of a policy whose keys the gate makes itself.
fn managed(policy: &Policy) -> Option<&SessionPolicy> {
    policy.sessions.as_ref().filter(|own| own.keys.is_none())
}

/// The bindings, those that are used asked all at once.
async fn ask(gate: &Gate, env: &Env) -> Bindings {
    let Bindings { kv, counters, ledger, sessions, keys } = bindings(gate, env);
    let store = gate.kv(env);
    let access_secs = managed(&gate.policy).map_or(0, |own| own.terms.access_secs);
    let (kv, counters, ledger, sessions, keys) = join5(
        asked(kv, store.answers()),
        asked(counters, counters::answer(env)),
        asked_if(ledger, Ledger { env }.answers()),
        asked_if(sessions, session_stub::answers(env)),
        asked_if(keys, async { key_ring_stub::read(env, access_secs).await.map(drop) }),
    )
    .await;
    Bindings { kv, counters, ledger, sessions, keys }
}

async fn asked_if(
    binding: Option<Binding>,
    answers: impl Future<Output = Result<(), StoreError>>,
) -> Option<Binding> {
    match binding {
        Some(binding) => Some(asked(binding, answers).await),
        None => None,
    }
}

async fn asked(binding: Binding, answers: impl Future<Output = Result<(), StoreError>>) -> Binding {
    match binding {
        Binding::Unasked if answers.await.is_ok() => Binding::Ok,
        Binding::Unasked => Binding::Failing,
        known => known,
    }
}

fn report(gate: &Gate, bindings: Bindings) -> Report {
    let policy = isolate::stored_policy();
    let snapshots = gate.memory.snapshots.borrow();
    let failing = [bindings.kv, bindings.counters].contains(&Binding::Failing)
        || [bindings.ledger, bindings.sessions, bindings.keys].contains(&Some(Binding::Failing))
        || snapshots.problem().is_some()
        || policy.is_some_and(|policy| policy.state != State::Current);
    Report {
        status: if failing { Status::Degraded } else { Status::Ok },
        version: env!("CARGO_PKG_VERSION"),
        bindings,
        policy,
        snapshot: revocations::state(&snapshots, clock::now()),
    }
}
