//! The stores of counters that the Worker has, with what an isolate knows of those that are elsewhere.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use worker::{Context, Env};

use super::{
    clock, kv::counters as kv_counters, objects::counter as counter_object,
    rate_limit_binding::Bindings,
};
use edgegate::{
    error::StoreError,
    limit::{
        Charge, CounterGroup, Limit, Verdict,
        advisory::AdvisoryCounters,
        held_leases::{LeaseStep, Leases},
        lease::Borrow,
    },
    store::{CounterStore, limit_stores::CountersByStore, memory::MemoryCounters},
    time::UnixMillis,
};

/// What an isolate counts itself, and what it knows of other counters. It outlives a change of the policy.
#[derive(Debug, Default)]
pub(super) struct LocalCounters {
    memory: MemoryCounters,
    leases: Leases,
    /// Made with the first request that needs it: outside requests there is no randomness.
    advisory: OnceCell<Rc<AdvisoryCounters>>,
}

/// The counters of one request.
pub(super) type Counters<'a> =
    CountersByStore<&'a MemoryCounters, KvCounters<'a>, ExactCounters<'a>, Bindings<'a>>;

pub(super) fn of_request<'a>(
    local: &'a LocalCounters,
    env: &'a Env,
    context: &'a Context,
) -> Counters<'a> {
    let leases = &local.leases;
    CountersByStore::in_memory(&local.memory)
        .with_kv(KvCounters { local, env, context })
        .with_exact(ExactCounters { leases, env, taken: RefCell::new(Vec::new()) })
        .with_bindings(Bindings(env))
}

/// Exact counters: from what this isolate holds, or by asking the object.
///
/// Clocks are read here, not when the request came: it may have waited since, and a lease ends.
#[derive(Debug)]
pub(super) struct ExactCounters<'a> {
    leases: &'a Leases,
    env: &'a Env,
    /// When exact counters counted what this request took, by their own clocks.
    taken: RefCell<Vec<Taken>>,
}

#[derive(Debug)]
struct Taken {
    group: CounterGroup,
    /// Names are unique in a policy, so the first tells the limits apart.
    first: String,
    at: UnixMillis,
}

impl CounterStore for ExactCounters<'_> {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let Charge { group, limits, cost, .. } = charge;
        let asked_at = clock::now();
        let taken = match self.leases.begin(group, limits, cost, asked_at) {
            LeaseStep::Decided(taken) => taken,
            LeaseStep::Ask(ask) => {
                let answer = counter_object::take(self.env, group, limits, ask).await;
                self.leases.finish(group, limits, &ask, (asked_at, clock::now()), answer)?
            }
        };
        if let (Some(at), Some(first)) = (taken.at, limits.first()) {
            let first = first.name().to_owned();
            self.taken.borrow_mut().push(Taken { group: *group, first, at });
        }
        Ok(taken.verdicts)
    }

    fn refusal_unasked(&self, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        let Charge { group, limits, cost, .. } = charge;
        self.leases.known_refusal(group, limits, cost, clock::now())
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        let Charge { group, limits, cost, .. } = charge;
        let first = limits.first().map(Limit::name);
        let at = self.taken.borrow().iter().rev().find_map(|taken| {
            (taken.group == *group && Some(taken.first.as_str()) == first).then_some(taken.at)
        });
        let Some(at) = at else { return Ok(()) };
        match self.leases.refund(group, limits, cost, at, clock::now()) {
            Some(unspent) => counter_object::give_back(self.env, group, limits, unspent).await,
            None => Ok(()),
        }
    }
}

/// Advisory counters in KV. Their reads and writes are done after the answer.
#[derive(Debug)]
pub(super) struct KvCounters<'a> {
    local: &'a LocalCounters,
    env: &'a Env,
    context: &'a Context,
}

impl KvCounters<'_> {
    fn advisory(&self) -> Result<&Rc<AdvisoryCounters>, StoreError> {
        if let Some(advisory) = self.local.advisory.get() {
            return Ok(advisory);
        }
        let name = kv_counters::isolate_name()?;
        Ok(self.local.advisory.get_or_init(|| Rc::new(AdvisoryCounters::new(name))))
    }
}

impl CounterStore for KvCounters<'_> {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        let Charge { group, limits, cost, now } = charge;
        let advisory = self.advisory()?;
        let verdicts = advisory.take(group, limits, cost, now);
        kv_counters::work(advisory, group, limits, self.env, self.context);
        verdicts
    }

    fn refusal_unasked(&self, charge: Charge<'_>) -> Option<Vec<Verdict>> {
        let Charge { group, limits, cost, now } = charge;
        let advisory = self.advisory().ok()?;
        let refusal = advisory.refusal(group, limits, cost, now)?;
        // What others count has to be read though nothing is taken.
        kv_counters::work(advisory, group, limits, self.env, self.context);
        Some(refusal)
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        let Charge { group, limits, cost, now } = charge;
        self.advisory()?.refund(group, limits, cost, now);
        Ok(())
    }
}

/// Whether a counter object answers; it is one of its own, and holds nothing.
pub(super) async fn answer(env: &Env) -> Result<(), StoreError> {
    let group = CounterGroup::new(&["health"]);
    counter_object::take(env, &group, &[], Borrow::only(0)).await.map(|_| ())
}
