//! `GET /auth/health`: is the gate set up, and do its stores answer. Needs no credential.

use std::cell::RefCell;

use serde::Serialize;
use web_sys::Response;
use worker::Env;

use crate::{
    clock, counters,
    gate::Gate,
    isolate::{self, IsolateGate, State, StoredPolicy},
    kv,
    objects::{counter, ledger_stub::Ledger},
    reply, revocations,
};
use edgegate::{store::SnapshotState, time::UnixMillis};

/// How long the last report is given again. Anybody may ask, and each new report costs two operations.
const REPEAT_MILLIS: u64 = 5_000;

thread_local! {
    /// The last report of this isolate, and when it was made.
    static LAST: RefCell<Option<(UnixMillis, Report)>> = const { RefCell::new(None) };
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
    /// Everything that the policy uses answers.
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
}

#[derive(Debug, Clone, Serialize)]
struct Bindings {
    kv: Binding,
    counters: Binding,
    /// Where the policy keeps revocations there.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Binding>,
}

/// The health of the gate: always 200, the body says how it is.
pub(crate) async fn answer(gate: &IsolateGate, env: &Env) -> worker::Result<Response> {
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
                },
                policy: isolate::stored_policy(),
                snapshot: None,
            },
        );
    };
    let now = clock::now();
    let recent = LAST.with_borrow(|last| {
        last.as_ref()
            .filter(|(at, _)| now.millis_since(*at) < REPEAT_MILLIS)
            .map(|(_, report)| report.clone())
    });
    let report = match recent {
        Some(report) => report,
        None => {
            let report = report(gate, env).await;
            LAST.set(Some((now, report.clone())));
            report
        }
    };
    reply::json(200, &report)
}

async fn report(gate: &Gate, env: &Env) -> Report {
    let kv = match (env.kv(kv::BINDING).is_ok(), gate.policy.needs_kv()) {
        (false, _) => Binding::Missing,
        (true, false) => Binding::Unused,
        (true, true) => answers(gate.kv(env).answers().await.is_ok()),
    };
    let bound = env.durable_object(counter::BINDING).is_ok();
    let counters = match (bound, gate.policy.needs_durable_objects()) {
        (false, _) => Binding::Missing,
        (true, false) => Binding::Unused,
        (true, true) => answers(counters::answer(env).await.is_ok()),
    };
    let ledger = if gate.policy.needs_ledger() {
        Some(answers(Ledger { env }.answers().await.is_ok()))
    } else {
        None
    };
    let policy = isolate::stored_policy();
    let snapshots = gate.memory.snapshots.borrow();
    let failing = [kv, counters].contains(&Binding::Failing)
        || ledger == Some(Binding::Failing)
        || snapshots.problem().is_some()
        || policy.is_some_and(|policy| policy.state != State::Current);
    Report {
        status: if failing { Status::Degraded } else { Status::Ok },
        version: env!("CARGO_PKG_VERSION"),
        bindings: Bindings { kv, counters, ledger },
        policy,
        snapshot: revocations::state(&snapshots, clock::now()),
    }
}

const fn answers(it_does: bool) -> Binding {
    if it_does { Binding::Ok } else { Binding::Failing }
}
