//! The contract of stores (`tests/support/contract.rs`), over those in memory.

use std::cell::RefCell;

use crate::contract;
use crate::counters;
use crate::gate::{self, NOW, Stores, entry, later, record_of, run};
use crate::texts::Texts;
use edgegate::api_key::KeyId;
use edgegate::jose::dpop::ReplayKey;
use edgegate::limit::{self, Cell, Charge, Limit, LimitAlgorithm, Verdict, lease};
use edgegate::policy::{CacheSecs, LimitStore};
use edgegate::revocation::DenyKey;
use edgegate::store::keyed::{Keyed, Remembered};
use edgegate::store::memory::{MemoryCounters, MemoryKeyRecords, MemoryReplays, MemoryRevocations};
use edgegate::store::replays::{SharedReplays, by_counting};
use edgegate::store::shared::SharedCounters;
use edgegate::time::UnixMillis;
use edgegate::{
    error::StoreError,
    limit::CounterGroup,
    store::{
        CounterStore, KeyRecordStore, ReplayStore, RevocationStore,
        limit_stores::{BoundCounters, CountersByStore, LimitStores, NoStore},
    },
};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn revocations_are_found_and_replaced() {
    run(contract::revocations_are_found_and_replaced(&MemoryRevocations::default()));
}

#[test]
fn revocations_are_removed_idempotently() {
    run(contract::revocations_are_removed_idempotently(&MemoryRevocations::default()));
}

#[test]
fn revocations_are_listed_once_each() {
    run(contract::revocations_are_listed_once_each(MemoryRevocations::default));
}

#[test]
fn a_listing_survives_changes() {
    run(contract::a_listing_survives_changes(MemoryRevocations::default));
}

#[test]
fn records_are_found_and_replaced() {
    run(contract::records_are_found_and_replaced(&MemoryKeyRecords::default()));
}

#[test]
fn records_are_listed_once_each() {
    run(contract::records_are_listed_once_each(&MemoryKeyRecords::default()));
}

#[test]
fn proofs_are_used_once() {
    run(contract::proofs_are_used_once(&MemoryReplays::default()));
}

#[test]
fn proofs_are_used_once_at_once() {
    run(contract::proofs_are_used_once_at_once(&MemoryReplays::default()));
}

#[test]
fn proofs_are_remembered_to_their_end() {
    run(contract::proofs_are_remembered_to_their_end(&MemoryReplays::default()));
}

#[test]
fn proofs_in_a_store_that_swaps_are_used_once() {
    let texts = Texts::default();
    run(contract::proofs_are_used_once(&SharedReplays::new(&texts)));
    run(contract::proofs_are_used_once_at_once(&SharedReplays::new(&texts)));
    let values = texts.values.borrow();
    assert_eq!(values.len(), 2 + 5);
    assert!(values.iter().all(|(name, value)| name.starts_with("dpop/v1/") && value == "1"));
}

/// An exact counter as a store of proofs. What is taken from is asked with the clock of the counter.
#[derive(Default)]
struct Counted(MemoryCounters);

impl ReplayStore for Counted {
    async fn is_first(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let take = async |group: &CounterGroup, limits: &[Limit]| {
            gate::a_moment().await;
            self.0.take(Charge::new(group, limits, 1, now)).await
        };
        by_counting(key, until, now, take).await
    }
}

#[test]
fn counted_proofs_are_used_once() {
    run(contract::proofs_are_used_once(&Counted::default()));
    run(contract::proofs_are_used_once_at_once(&Counted::default()));
}

#[test]
fn counted_proofs_are_remembered_beyond_their_life_whenever_they_come() {
    let (store, key) = (Counted::default(), ReplayKey::new(&["a"]));
    let first = |until: u64, now: u64| run(store.is_first(&key, later(until), later(now)));
    // From 30 s ahead of its time to a minute after it, in milliseconds; and 30 s for the clocks.
    let life = 91_000;
    assert_eq!(first(life, 0), Ok(true));
    for now in [0, 1, 45_000, life - 1] {
        assert_eq!(first(life, now), Ok(false), "{now}");
    }
    // By a gate whose clock is behind.
    assert_eq!(first(life + 30_000, life + 29_999), Ok(false));
    assert_eq!(first(2 * life + 30_000, life + 30_000), Ok(true));
    let longer = Err(StoreError::new("a proof would have to be remembered longer than it can be"));
    assert_eq!(run(store.is_first(&ReplayKey::new(&["b"]), later(life + 1), later(0))), longer);
}

#[test]
fn a_counter_that_fails_admits_no_proof() {
    let ask = |answer: Result<Vec<Verdict>, StoreError>| {
        let take = async |_: &CounterGroup, _: &[Limit]| answer;
        run(by_counting(&ReplayKey::new(&["a"]), later(1), NOW, take))
    };
    let fault = StoreError::new("it failed");
    assert_eq!(ask(Err(fault.clone())), Err(fault));
    assert_eq!(ask(Ok(Vec::new())), Err(StoreError::new("expected one verdict")));
}

#[test]
fn full_of_proofs_it_fails_rather_than_forgets() {
    let store = MemoryReplays::new(3);
    // Each by another key.
    let first = |name: &str, until: u64, now: u64| {
        let key = ReplayKey::new(&[&format!("{}A", name.repeat(42)), name]);
        run(store.is_first(&key, later(until), later(now)))
    };
    for (name, until) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        assert_eq!(first(name, until, 0), Ok(true));
    }
    let full = Err(StoreError::new("no room for more proofs of possession"));
    assert_eq!(first("d", 4_000, 999), full);
    assert_eq!(first("a", 1_000, 999), Ok(false), "what it has it knows");
    // It is not searched through for every request.
    assert_eq!(first("d", 4_000, 1_249), Ok(true), "the end of the first one makes room");
    assert_eq!(first("e", 4_000, 1_999), full);
    assert_eq!(first("b", 9_000, 2_000), Ok(true), "and so does its own");
    assert_eq!(first("e", 4_000, 3_000), Ok(true));
    assert_eq!(first("d", 4_000, 3_999), Ok(false));
}

#[test]
fn one_key_cannot_fill_the_memory_of_proofs_for_all() {
    let store = MemoryReplays::new(640);
    let first = |thumbprint: &str, jti: usize, now: u64| {
        let key = ReplayKey::new(&[&format!("{}A", thumbprint.repeat(42)), &jti.to_string()]);
        run(store.is_first(&key, later(60_000), later(now)))
    };
    let taken = (0..10_000).filter(|jti| first("A", *jti, 0).is_ok()).count();
    assert_eq!(taken, 320, "half of it");
    for (index, other) in ["B", "C", "D", "E", "F"].into_iter().enumerate() {
        let taken = (0..1_000).filter(|jti| first(other, *jti, 0).is_ok()).count();
        assert_eq!(taken, 20, "a share of the rest: {other}");
        assert!(first("A", 20_000 + index, 0).is_err());
    }
    assert_eq!(first("A", 0, 0), Ok(false), "nothing was forgotten");
    assert_eq!(first("A", 1, 60_000), Ok(true));
    assert_eq!(first("A", 2, 60_000), Ok(true));
    assert_eq!(first("A", 10_001, 60_000), Ok(true), "what is too old makes room");
}

#[test]
fn counters_are_kept_by_group_and_name() {
    run(contract::counters_are_kept_by_group_and_name(&MemoryCounters::default()));
}

#[test]
fn counters_take_all_or_nothing() {
    run(contract::counters_take_all_or_nothing(&MemoryCounters::default()));
}

#[test]
fn counters_are_refunded() {
    run(contract::counters_are_refunded(&MemoryCounters::default()));
}

#[test]
fn counters_admit_exactly_the_limit_at_once() {
    run(contract::counters_admit_exactly_the_limit_at_once(&MemoryCounters::default()));
}

#[test]
fn counters_follow_the_clock() {
    run(contract::counters_follow_the_clock(&MemoryCounters::default()));
}

/// An exact counter elsewhere, asked through leases. Limits without terms are as exact as ever, also with
/// refusals from memory.
#[test]
fn the_contract_holds_through_leases() {
    let fresh = counters::ThroughLeases::<counters::Cells>::default;
    run(contract::counters_are_kept_by_group_and_name(&fresh()));
    run(contract::counters_take_all_or_nothing(&fresh()));
    run(contract::counters_are_refunded(&fresh()));
    run(contract::counters_admit_exactly_the_limit_at_once(&fresh()));
    run(contract::counters_follow_the_clock(&fresh()));
    let lending = fresh();
    run(contract::counters_that_lend_admit_exactly_the_limit_in_the_end(&lending));
    assert!(lending.asked.get() < 50, "of 70 requests, {} asked", lending.asked.get());
}

/// Isolates over a key-value store that shows every write at once: then components add up exactly. What comes of
/// a store that is late is in `advisory_counters.rs`.
#[test]
fn the_contract_holds_over_components_that_are_seen_at_once() {
    for isolates in [1, 3] {
        let fresh = || counters::OverKv::new(isolates);
        run(contract::counters_are_kept_by_group_and_name(&fresh()));
        run(contract::counters_take_all_or_nothing(&fresh()));
        run(contract::counters_admit_exactly_the_limit_at_once(&fresh()));
        let added_up = &contract::ALGORITHMS[..2];
        run(contract::counters_of_these_follow_the_clock(&fresh(), added_up));
    }
    // A refund goes to the isolate that took.
    run(contract::counters_are_refunded(&counters::OverKv::new(1)));
}

/// The stores of the guard's tests wait in every call, so that calls really interleave there.
#[test]
fn the_contract_holds_where_calls_interleave() {
    let stores = Stores::default();
    run(contract::counters_admit_exactly_the_limit_at_once(&Exact(&stores)));
    run(contract::counters_are_refunded(&Exact(&stores)));
    run(contract::revocations_are_found_and_replaced(&stores));
}

/// One of those stores: the exact one.
struct Exact<'a>(&'a Stores);

impl CounterStore for Exact<'_> {
    async fn take(&self, charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        self.0.take(&LimitStore::DurableObject, charge).await
    }

    async fn refund(&self, charge: Charge<'_>) -> Result<(), StoreError> {
        self.0.refund(&LimitStore::DurableObject, charge).await
    }
}

#[test]
fn looking_takes_nothing() {
    let (counters, group) = (MemoryCounters::default(), CounterGroup::new(&["g"]));
    let limit = Limit::new("a", 2, 60, LimitAlgorithm::SlidingWindow).unwrap();
    for _ in 0..9 {
        assert_eq!(counters.peek_now(&group, &limit, 1, NOW).remaining, 2);
    }
    let verdicts = counters.take_now(Charge::new(&group, std::slice::from_ref(&limit), 2, NOW));
    assert_eq!(verdicts[0].remaining, 0);
    let seen = counters.peek_now(&group, &limit, 1, NOW);
    assert_eq!((seen.admitted, seen.remaining), (false, 0));
}

#[test]
fn a_counter_is_forgotten_only_when_it_says_nothing_any_more() {
    let counters = MemoryCounters::default();
    let limit = [Limit::new("a", 1, 60, LimitAlgorithm::FixedWindow).unwrap()];
    let group = |index: u32| CounterGroup::new(&["g", &index.to_string()]);
    counters.take_now(Charge::new(&group(0), &limit, 1, NOW));
    // As many as are kept, all of them younger.
    let long = [Limit::new("a", 1, 3600, LimitAlgorithm::FixedWindow).unwrap()];
    for index in 1..20_000 {
        counters.take_now(Charge::new(&group(index), &long, 1, NOW));
    }
    assert!(!counters.take_now(Charge::new(&group(0), &limit, 1, NOW))[0].admitted);
    // Once its window is over it makes room for another, which costs nobody anything.
    counters.take_now(Charge::new(&group(20_000), &long, 1, later(60_000)));
    for index in 1..=20_000 {
        assert!(
            !counters.take_now(Charge::new(&group(index), &long, 1, later(60_000)))[0].admitted,
            "{index}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The store adds nothing to the pure steps but memory.
    #[test]
    fn counters_answer_as_the_pure_steps(
        calls in proptest::collection::vec(
            (0_usize..3, 0_u32..4, 0_u64..40_000, any::<bool>()), 1..60),
    ) {
        let limits = [
            Limit::new("a", 5, 60, LimitAlgorithm::SlidingWindow).unwrap(),
            Limit::new("b", 9, 20, LimitAlgorithm::FixedWindow).unwrap(),
            Limit::new("c", 6, 30, LimitAlgorithm::TokenBucket { burst: 4 }).unwrap(),
        ];
        let (counters, group) = (MemoryCounters::default(), CounterGroup::new(&["g"]));
        let mut cells: [Option<Cell>; 3] = [None, None, None];
        let mut now = NOW;
        for (first, cost, gap, give_back) in calls {
            now = now.saturating_add(gap);
            let asked = &limits[first..];
            let charge = Charge::new(&group, asked, cost, now);
            let mut meters: Vec<_> = asked.iter().zip(cells[first..].iter().cloned()).collect();
            let expected = limit::step_all(&mut meters, cost, now);
            let found = run(counters.take(charge)).unwrap();
            prop_assert_eq!(&found, &expected);
            let admitted = found.iter().all(|verdict| verdict.admitted);
            for (cell, (limit, next)) in cells[first..].iter_mut().zip(meters) {
                *cell = next.map(|next| {
                    if give_back && admitted { limit::refund(&next, limit, cost, now) } else { next }
                });
            }
            if give_back && admitted {
                run(counters.refund(charge)).unwrap();
            }
        }
    }
}

#[test]
fn entries_past_their_end_make_room_with_the_next_write() {
    let store = MemoryRevocations::default();
    let short = entry(&json!({"iss": "i", "jti": "short", "expires_in_secs": 60}));
    let long = entry(&json!({"iss": "i", "jti": "long", "expires_in_secs": 120}));
    let good = entry(&json!({"key_id": "01010101010101010101010101010101"}));
    for entry in [&short, &long, &good] {
        run(store.put(&entry.deny_key(), entry, NOW)).unwrap();
    }
    let other = entry(&json!({"iss": "i", "jti": "other"}));
    run(store.put(&other.deny_key(), &other, later(59_999))).unwrap();
    assert_eq!(run(store.list(None, 9)).unwrap().items.len(), 4);
    run(store.put(&other.deny_key(), &other, later(60_000))).unwrap();
    let keys = [&short, &long, &good, &other].map(|entry| entry.deny_key());
    let found = run(store.entries(&keys)).unwrap();
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(there, [false, true, true, true]);
}

/// Entries and records over a store of texts, remembered for no time, or for as long as may be: an
/// isolate that writes sees what it wrote.
#[test]
fn entries_and_records_over_texts() {
    for cache in [CacheSecs(0), CacheSecs(3600)] {
        let fresh = || {
            let texts: &Texts = Box::leak(Box::default());
            Keyed::new(texts, Box::leak(Box::<Remembered>::default()), cache, cache)
        };
        run(contract::revocations_are_found_and_replaced(&fresh()));
        run(contract::revocations_are_removed_idempotently(&fresh()));
        run(contract::revocations_are_listed_once_each(fresh));
        run(contract::a_listing_survives_changes(fresh));
        run(contract::records_are_found_and_replaced(&fresh()));
        run(contract::records_are_listed_once_each(&fresh()));
    }
}

/// What is remembered of a key when it is asked about may have to make room for what is read of the others.
#[test]
fn a_revocation_holds_while_the_memory_of_an_isolate_overflows() {
    const MOST_REMEMBERED: usize = 20_000;
    let texts = Texts::default();
    let remembered = Remembered::default();
    let store = Keyed::new(&texts, &remembered, CacheSecs(3600), CacheSecs(0));
    let revoked = entry(&json!({"iss": "i", "sub": "alice"}));
    run(RevocationStore::put(&store, &revoked.deny_key(), &revoked, NOW)).unwrap();
    let other = entry(&json!({"iss": "i", "sub": "other"}));
    for count in 1..MOST_REMEMBERED {
        let key = DenyKey::of_token("i", &count.to_string());
        run(RevocationStore::put(&store, &key, &other, later(1))).unwrap();
    }
    let asked = [revoked.deny_key(), DenyKey::of_token("i", "new")];
    assert_eq!(run(store.entries(&asked)).unwrap(), [Some(revoked), None]);
}

#[test]
fn a_key_that_was_found_is_remembered_longer_than_it_is_believed() {
    let (texts, remembered) = (Texts::default(), Remembered::default());
    let id = KeyId::from_bytes([7; 16]);
    let fields = json!({});
    let fill = Keyed::new(&texts, &remembered, CacheSecs(0), CacheSecs(0));
    assert!(!fill.remembers(&id));
    assert_eq!(run(fill.record(&id)).unwrap(), None);
    assert!(!fill.remembers(&id), "a miss that is not believed any more is a guess");
    run(KeyRecordStore::put(&fill, &record_of(id, &fields), NOW)).unwrap();
    assert!(fill.remembers(&id), "whoever has it is not guessing");
    let other = KeyId::from_bytes([8; 16]);
    let believing = Keyed::new(&texts, &remembered, CacheSecs(0), CacheSecs(10));
    assert_eq!(run(believing.record(&other)).unwrap(), None);
    assert!(believing.remembers(&other), "answered from memory");
}

#[test]
fn counters_that_compare_and_swap() {
    let texts = [(); 5].map(|()| Texts::default());
    let counters = texts.each_ref().map(SharedCounters::new);
    run(contract::counters_are_kept_by_group_and_name(&counters[0]));
    run(contract::counters_take_all_or_nothing(&counters[1]));
    run(contract::counters_are_refunded(&counters[2]));
    run(contract::counters_admit_exactly_the_limit_at_once(&counters[3]));
    run(contract::counters_follow_the_clock(&counters[4]));
    assert!(texts[3].lost.get() > 0, "they raced");
}

#[test]
fn counters_that_lend_nothing_admit_a_whole_burst_of_a_limit_with_a_lease() {
    let (texts, group) = (Texts::default(), CounterGroup::new(&["g"]));
    let counters = SharedCounters::new(&texts);
    let terms = lease::Terms { requests: 5, secs: 1 };
    let bucket = Limit::new("a", 200, 20, LimitAlgorithm::TokenBucket { burst: 50 }).unwrap();
    let limit = [bucket.with_lease(terms).unwrap()];
    let take = |now| run(counters.take(Charge::new(&group, &limit, 1, now))).unwrap().remove(0);
    let admitted = |now| (0..70).filter(|_| take(now).admitted).count();
    assert_eq!(take(NOW).limit, 50);
    assert_eq!(admitted(NOW), 49);
    assert_eq!(admitted(later(1_000)), 10);
    run(counters.refund(Charge::new(&group, &limit, 3, later(1_000)))).unwrap();
    assert_eq!(admitted(later(1_000)), 3);
}

#[test]
fn cells_that_cannot_be_read_are_a_fault_and_stay_as_they_are() {
    let (texts, group) = (Texts::default(), CounterGroup::new(&["g"]));
    let counters = SharedCounters::new(&texts);
    let limit = [Limit::new("a", 5, 60, LimitAlgorithm::FixedWindow).unwrap()];
    let take = |now| run(counters.take(Charge::new(&group, &limit, 1, now)));
    assert_eq!(take(NOW).unwrap()[0].remaining, 4);
    let name = format!("count/v1/{group}");
    let written = texts.values.borrow()[&name].clone();
    assert_eq!(
        written,
        r#"{"v":1,"cells":{"a":{"cell":{"f":{"s":1699999980000,"n":1}},"until":1700000040000}}}"#
    );
    for (damaged, problem) in [
        ("[]", "cells are not ours: expected an object, found a list"),
        (r#"{"v":1}"#, "cells are not ours: is required"),
        (r#"{"v":2,"cells":{}}"#, "cells are of a later version"),
    ] {
        texts.values.borrow_mut().insert(name.clone(), damaged.to_owned());
        assert_eq!(take(NOW).unwrap_err(), StoreError::new(problem));
        assert_eq!(texts.values.borrow()[&name], damaged);
    }
    texts.values.borrow_mut().insert(name, written);
    assert_eq!(take(later(39_999)).unwrap()[0].remaining, 3);
    assert_eq!(take(later(40_000)).unwrap()[0].remaining, 4, "another window");
}

// ---- the dispatcher ----

/// A store that writes down what it is asked.
struct AskedStore<'a>(&'static str, &'a RefCell<Vec<String>>);

impl AskedStore<'_> {
    fn note(&self, what: &str) {
        self.1.borrow_mut().push(format!("{what} {}", self.0));
    }
}

impl CounterStore for AskedStore<'_> {
    async fn take(&self, _charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        self.note("take");
        Ok(Vec::new())
    }

    fn refusal_unasked(&self, _charge: Charge<'_>) -> Option<Vec<Verdict>> {
        self.note("know");
        None
    }

    async fn refund(&self, _charge: Charge<'_>) -> Result<(), StoreError> {
        self.note("refund");
        Ok(())
    }
}

impl BoundCounters for AskedStore<'_> {
    async fn take(&self, binding: &str, _charge: Charge<'_>) -> Result<Vec<Verdict>, StoreError> {
        self.note(&format!("take {binding} of"));
        Ok(Vec::new())
    }
}

#[test]
fn each_limit_is_counted_in_the_store_that_it_names() {
    let asked = RefCell::default();
    let stores = CountersByStore::in_memory(AskedStore("memory", &asked))
        .with_kv(AskedStore("kv", &asked))
        .with_exact(AskedStore("exact", &asked))
        .with_bindings(AskedStore("bindings", &asked));
    let binding = LimitStore::Binding("LIMITER".to_owned());
    let group = CounterGroup::new(&["g"]);
    let charge = Charge::new(&group, &[], 1, NOW);
    for (store, expected) in [
        (LimitStore::Memory, vec!["take memory", "know memory", "refund memory"]),
        (LimitStore::Kv, vec!["take kv", "know kv", "refund kv"]),
        (LimitStore::DurableObject, vec!["take exact", "know exact", "refund exact"]),
        (binding, vec!["take LIMITER of bindings"]),
    ] {
        run(async {
            stores.take(&store, charge).await.unwrap();
            let _ = stores.refusal_unasked(&store, charge);
            stores.refund(&store, charge).await.unwrap();
        });
        assert_eq!(asked.take(), expected);
    }
}

#[test]
fn a_store_that_is_not_there_admits_nobody() {
    let group = CounterGroup::new(&["g"]);
    let taken = run(CounterStore::take(&NoStore, Charge::new(&group, &[], 1, NOW)));
    assert_eq!(taken.unwrap_err().to_string(), "there is no such store");
}
