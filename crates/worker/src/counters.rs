//! Counters by the store that a limit names, with what an isolate knows of those that are elsewhere.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use worker::{Context, Env};

use super::{clock, counter_object, kv_counters, rate_limit_binding};
use edgegate::{
    error::StoreError,
    limit::{
        CounterGroup, Limit, Verdict,
        advisory::AdvisoryCounters,
        held_leases::{Leases, Step},
        lease::Borrow,
    },
    policy::LimitStore,
    store::{CounterStore, memory::MemoryCounters},
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
#[derive(Debug)]
pub(super) struct Counters<'a> {
    local: &'a LocalCounters,
    env: &'a Env,
    context: &'a Context,
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

impl<'a> Counters<'a> {
    pub(super) const fn new(local: &'a LocalCounters, env: &'a Env, context: &'a Context) -> Self {
        Self { local, env, context, taken: RefCell::new(Vec::new()) }
    }

    /// Exact counters: from what this isolate holds, or by asking the object.
    ///
    /// The clock is read here, not when the request came: it may have waited since, and a lease ends.
    async fn take_exact(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
    ) -> Result<Vec<Verdict>, StoreError> {
        let leases = &self.local.leases;
        let asked_at = clock::now();
        let taken = match leases.begin(group, limits, cost, asked_at) {
            Step::Decided(taken) => taken,
            Step::Ask(ask) => {
                let answer = counter_object::take(self.env, group, limits, ask).await;
                leases.finish(group, limits, &ask, (asked_at, clock::now()), answer)?
            }
        };
        if let (Some(at), Some(first)) = (taken.at, limits.first()) {
            let first = first.name().to_owned();
            self.taken.borrow_mut().push(Taken { group: *group, first, at });
        }
        Ok(taken.verdicts)
    }

    async fn refund_exact(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
    ) -> Result<(), StoreError> {
        let first = limits.first().map(Limit::name);
        let at = self.taken.borrow().iter().rev().find_map(|taken| {
            (taken.group == *group && Some(taken.first.as_str()) == first).then_some(taken.at)
        });
        let Some(at) = at else { return Ok(()) };
        match self.local.leases.refund(group, limits, cost, at, clock::now()) {
            Some(unspent) => counter_object::give_back(self.env, group, limits, unspent).await,
            None => Ok(()),
        }
    }

    fn advisory(&self) -> Result<&Rc<AdvisoryCounters>, StoreError> {
        if let Some(advisory) = self.local.advisory.get() {
            return Ok(advisory);
        }
        let name = kv_counters::isolate_name()?;
        Ok(self.local.advisory.get_or_init(|| Rc::new(AdvisoryCounters::new(name))))
    }
}

impl CounterStore for Counters<'_> {
    async fn take(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        match store {
            LimitStore::Memory => self.local.memory.take(store, group, limits, cost, now).await,
            LimitStore::Kv => {
                let advisory = self.advisory()?;
                let verdicts = advisory.take(group, limits, cost, now);
                kv_counters::work(advisory, group, limits, self.env, self.context);
                verdicts
            }
            LimitStore::DurableObject => self.take_exact(group, limits, cost).await,
            LimitStore::Binding(name) => {
                rate_limit_binding::take(self.env, name, group, limits).await
            }
        }
    }

    fn refusal_unasked(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Option<Vec<Verdict>> {
        match store {
            LimitStore::Memory => self.local.memory.refusal_now(group, limits, cost, now),
            LimitStore::Kv => {
                let advisory = self.advisory().ok()?;
                let refusal = advisory.refusal(group, limits, cost, now)?;
                // What others count has to be read though nothing is taken.
                kv_counters::work(advisory, group, limits, self.env, self.context);
                Some(refusal)
            }
            LimitStore::DurableObject => {
                self.local.leases.known_refusal(group, limits, cost, clock::now())
            }
            // It counts whoever asks.
            LimitStore::Binding(_) => None,
        }
    }

    async fn refund(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        match store {
            LimitStore::Memory => self.local.memory.refund(store, group, limits, cost, now).await,
            LimitStore::Kv => {
                self.advisory()?.refund(group, limits, cost, now);
                Ok(())
            }
            LimitStore::DurableObject => self.refund_exact(group, limits, cost).await,
            // A binding cannot give back, which is why it is asked last.
            LimitStore::Binding(_) => Ok(()),
        }
    }
}

/// Whether a counter object answers; it is one of its own, and holds nothing.
pub(super) async fn answer(env: &Env) -> Result<(), StoreError> {
    let group = CounterGroup::new(&["health"]);
    counter_object::take(env, &group, &[], Borrow::only(0)).await.map(|_| ())
}
