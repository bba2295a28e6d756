//! Applying the limits of a route: all of them, or none.

use core::net::IpAddr;
use std::borrow::Cow;

use super::{Identity, backend::unavailable, decision::StepOutcome, request::address};
use crate::{
    api_key::record::KeyRecord,
    error::{Error, StoreError},
    known_digests::Digests,
    limit::{Charge, CounterGroup, Limit, Verdict},
    policy::{CountBy, Exempt, LimitPolicy, LimitStore, OnError, Policy, Route},
    store::limit_stores::LimitStores,
    time::UnixMillis,
};

/// What a limit said, for the `RateLimit` fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReport {
    /// The limit's name in the policy.
    pub name: String,
    /// The allowance in one window.
    pub requests: u32,
    /// The length of the window that is open: months differ.
    pub window_secs: u32,
    /// What is left and when more comes; `None` where the store tells only yes or no.
    pub verdict: Option<Verdict>,
}

/// Whom the limits concern.
pub(super) struct Subject<'a> {
    pub(super) identity: &'a Identity,
    pub(super) client_ip: Option<IpAddr>,
    /// The record of the API key, whose `limits` replace the policy's.
    pub(super) overrides: Option<KeyRecord>,
    /// Whether only limits by address count. A preflight is nobody's: it must not use up what a limit by `route` alone
    /// gives to all, and has no `caller`.
    pub(super) by_address_only: bool,
    /// Most callers come again.
    pub(super) digests: Digests<'a>,
}

/// Limits of one request that are taken in one step.
struct Batch<'a> {
    store: &'a LimitStore,
    on_error: OnError,
    group: CounterGroup,
    limits: Vec<Limit>,
}

impl Batch<'_> {
    fn charge(&self, route: &Route, now: UnixMillis) -> Charge<'_> {
        Charge::new(&self.group, &self.limits, route.cost, now)
    }
}

/// Takes the route's cost from all of its limits. If one refuses, what the others took is given back.
///
/// Batches are asked one after the other: one that is known to refuse, then the nearest, bindings last, since a binding
/// cannot give back. Between the taking and the giving back a concurrent request may find less than there is; it never
/// finds more.
pub(super) async fn take(
    policy: &Policy,
    route: &Route,
    subject: &Subject<'_>,
    counters: &impl LimitStores,
    now: UnixMillis,
) -> StepOutcome {
    let mut batches = batches(policy, route, subject);
    known_refusal_first(&mut batches, route, counters, now);
    let mut step = StepOutcome::default();
    let mut taken: Vec<(&Batch<'_>, Vec<Verdict>)> = Vec::new();
    for batch in &batches {
        let result = counters
            .take(batch.store, batch.charge(route, now))
            .await
            .and_then(|verdicts| answered_in_full(verdicts, &batch.limits));
        match result {
            Ok(verdicts) => match refusal(&batch.limits, &verdicts) {
                Some(refused) => {
                    step.verdict = Err(refused);
                    step.limits.extend(reports(batch, &verdicts, now));
                }
                None => taken.push((batch, verdicts)),
            },
            Err(fault) => match (batch.on_error.after(&fault), unavailable("counters", &fault)) {
                (OnError::Allow, fault) => step.faults.push(fault),
                (OnError::Deny, fault) => step.verdict = Err(fault),
            },
        }
        if step.verdict.is_err() {
            break;
        }
    }
    for (batch, mut verdicts) in taken {
        if step.verdict.is_err() {
            let given_back = counters.refund(batch.store, batch.charge(route, now)).await;
            match given_back {
                Ok(()) => verdicts.iter_mut().for_each(|verdict| give_back(verdict, route.cost)),
                Err(fault) => step.faults.push(unavailable("counters", &fault)),
            }
        }
        step.limits.extend(reports(batch, &verdicts, now));
    }
    in_order_of_the_route(&mut step.limits, policy, route);
    step
}

/// A batch that is known to refuse comes first, so that nothing has to be given back. Those in memory come first anyway.
fn known_refusal_first(
    batches: &mut [Batch<'_>],
    route: &Route,
    counters: &impl LimitStores,
    now: UnixMillis,
) {
    let refuses = |batch: &Batch<'_>| {
        batch.store.rules().turn > LimitStore::Memory.rules().turn
            && counters.refusal_unasked(batch.store, batch.charge(route, now)).is_some()
    };
    // Of the first one nothing need be known, it is asked first anyway; one that refuses is enough.
    if let Some(earlier) = batches.iter().skip(1).position(refuses)
        && let Some(front) = batches.get_mut(..earlier.saturating_add(2))
    {
        front.rotate_right(1);
    }
}

/// Refuses by a limit of the route that is known to refuse, before anything is asked that is shared. Nothing is taken.
///
/// # Errors
/// [`Error::RateLimited`].
pub(super) fn refuse_unasked(
    policy: &Policy,
    route: &Route,
    subject: &Subject<'_>,
    counters: &impl LimitStores,
    now: UnixMillis,
) -> StepOutcome {
    for batch in &batches(policy, route, subject) {
        let known = counters.refusal_unasked(batch.store, batch.charge(route, now));
        if let Some(verdicts) = known
            && let Some(refusal) = refusal(&batch.limits, &verdicts)
        {
            let mut limits: Vec<LimitReport> = reports(batch, &verdicts, now);
            in_order_of_the_route(&mut limits, policy, route);
            return StepOutcome { verdict: Err(refusal), limits, ..StepOutcome::default() };
        }
    }
    StepOutcome::default()
}

/// Each limit has one report. What the route does not name stays in front.
fn in_order_of_the_route(reports: &mut Vec<LimitReport>, policy: &Policy, route: &Route) {
    let mut ordered = Vec::with_capacity(reports.len());
    for known in policy.limits_of(route) {
        if let Some(at) = reports.iter().position(|report| report.name == known.limit.name()) {
            ordered.push(reports.swap_remove(at));
        }
    }
    reports.append(&mut ordered);
}

/// A store that answers for fewer limits than it was asked about has not said that the others admit.
fn answered_in_full(verdicts: Vec<Verdict>, limits: &[Limit]) -> Result<Vec<Verdict>, StoreError> {
    if verdicts.len() == limits.len() {
        return Ok(verdicts);
    }
    let problem = format!("{} verdicts, expected {}", verdicts.len(), limits.len());
    Err(StoreError::new(problem))
}

/// What the verdict says once its cost was given back. When all is free again may come sooner than it
/// says.
fn give_back(verdict: &mut Verdict, cost: u32) {
    verdict.remaining = verdict.remaining.saturating_add(cost).min(verdict.limit);
}

/// The refusal of the limit that has to be waited for longest, if any refused.
pub(super) fn refusal(limits: &[Limit], verdicts: &[Verdict]) -> Option<Error> {
    limits
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| !verdict.admitted)
        .max_by_key(|(_, verdict)| verdict.retry_after_secs)
        .map(|(limit, verdict)| Error::RateLimited {
            limit: limit.name().to_owned(),
            retry_after_secs: verdict.retry_after_secs,
        })
}

fn batches<'a>(policy: &'a Policy, route: &'a Route, subject: &Subject<'_>) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = Vec::new();
    for known in policy.limits_of(route) {
        if is_exempt(&known.exempt, subject) {
            continue;
        }
        let Some(group) = group(known, route, subject) else { continue };
        let limit = with_override(known, subject.overrides.as_ref());
        let same = batches.iter_mut().find(|batch| {
            batch.store == &known.store
                && batch.on_error == known.on_error
                && batch.group == group
                && !known.store.rules().says_only_yes_or_no
        });
        match same {
            Some(batch) => batch.limits.push(limit),
            None => {
                let turn = known.store.rules().turn;
                let place = batches.partition_point(|batch| batch.store.rules().turn <= turn);
                let (store, on_error) = (&known.store, known.on_error);
                batches.insert(place, Batch { store, on_error, group, limits: vec![limit] });
            }
        }
    }
    batches
}

fn is_exempt(exempt: &Exempt, subject: &Subject<'_>) -> bool {
    let identity = subject.identity;
    let by_name = match identity {
        Identity::Anonymous => false,
        Identity::Token(_) => identity
            .issuer()
            .zip(identity.subject())
            .is_some_and(|(issuer, subject)| exempt.covers_subject(issuer, subject)),
        Identity::ApiKey(_) => identity
            .api_key_id()
            .zip(identity.api_key_family())
            .is_some_and(|(id, family)| exempt.covers_api_key(id, family)),
    };
    by_name || exempt.covers_address(subject.client_ip)
}

/// A caller is told by three, and more than one `by` is rare.
const USUAL_PARTS: usize = 4;

/// What a limit counts together for this request; `None` if it does not concern it.
fn group(known: &LimitPolicy, route: &Route, subject: &Subject<'_>) -> Option<CounterGroup> {
    if subject.by_address_only && !CountBy::is_address(&known.by) {
        return None;
    }
    let identity = subject.identity;
    let mut parts: Vec<Cow<'_, str>> = Vec::with_capacity(USUAL_PARTS);
    for by in &known.by {
        match by {
            CountBy::Caller => parts.extend(caller(identity, subject.client_ip)),
            CountBy::Subject => match identity {
                Identity::Token(_) => {
                    let (issuer, name) = (identity.issuer()?, identity.subject()?);
                    parts.extend(["subject".into(), issuer.into(), name.into()]);
                }
                Identity::Anonymous | Identity::ApiKey(_) => return None,
            },
            CountBy::ApiKey => {
                parts.extend(["api-key".into(), identity.api_key_family()?.to_string().into()]);
            }
            CountBy::Ip => parts.extend(["ip".into(), address(subject.client_ip).into()]),
            CountBy::Issuer => parts.extend(["issuer".into(), identity.issuer()?.into()]),
            CountBy::Route => parts.extend(["route".into(), route.path().into()]),
        }
    }
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    Some(CounterGroup::by(&parts, subject.digests))
}

/// A token without a subject is told apart by the client it was issued to; those that name neither count together
/// for their issuer. By address one token would have an allowance in each network it is used from.
fn caller(identity: &Identity, client_ip: Option<IpAddr>) -> Vec<Cow<'_, str>> {
    match identity {
        Identity::ApiKey(_) => {
            let family = identity.api_key_family().map(ToString::to_string).unwrap_or_default();
            vec!["api-key".into(), family.into()]
        }
        Identity::Token(token) => {
            let issuer = identity.issuer().unwrap_or_default();
            match (identity.subject(), token.client()) {
                (Some(name), _) => vec!["subject".into(), issuer.into(), name.into()],
                (None, Some(client)) => vec!["client".into(), issuer.into(), client.into()],
                (None, None) => vec!["issuer".into(), issuer.into()],
            }
        }
        Identity::Anonymous => vec!["ip".into(), address(client_ip).into()],
    }
}

/// The limit as the record of the key has it. What others are counted by too is the policy's alone to say, whatever a
/// record that was made under another policy holds.
fn with_override(known: &LimitPolicy, record: Option<&KeyRecord>) -> Limit {
    let limit = &known.limit;
    record
        .filter(|_| known.counts_each_key_alone())
        .and_then(|record| record.limits.get(limit.name()))
        .and_then(|requests| limit.with_requests(*requests).ok())
        .unwrap_or_else(|| limit.clone())
}

fn reports(batch: &Batch<'_>, verdicts: &[Verdict], now: UnixMillis) -> Vec<LimitReport> {
    let yes_or_no = batch.store.rules().says_only_yes_or_no;
    batch
        .limits
        .iter()
        .zip(verdicts)
        .map(|(limit, verdict)| LimitReport {
            name: limit.name().to_owned(),
            requests: limit.requests(),
            window_secs: limit.window_secs_at(now),
            verdict: (!yes_or_no).then_some(*verdict),
        })
        .collect()
}
