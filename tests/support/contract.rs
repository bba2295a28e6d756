//! What every store has to do, whatever is behind it. Each function takes a way to make an empty one.
//!
//! A store that sees its own writes late (KV) is given to these behind something that waits; a store
//! that takes the time from elsewhere ignores the `now` it is given, and all of these tests hold for it
//! too, save where a function says that it moves the clock.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use edgegate::api_key::KeyId;
use edgegate::api_key::record::KeyRecord;
use edgegate::jose::dpop::ReplayKey;
use edgegate::limit::{Charge, Limit, LimitAlgorithm, Verdict};
use edgegate::revocation::{DenyKey, Entry, NewRevocation};
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{
    limit::CounterGroup,
    store::{CounterStore, KeyRecordStore, Page, ReplayStore, RevocationStore},
};
use futures_util::future::join_all;

const NOW_SECS: i64 = 1_700_000_000;
const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

// ---- revocations ----

fn entry(jti: &str, reason: &str) -> (DenyKey, Entry) {
    let body = format!(r#"{{"iss": "i", "jti": "{jti}", "reason": "{reason}"}}"#);
    match NewRevocation::parse(body.as_bytes()).unwrap() {
        NewRevocation::Entry(request) => {
            let entry = request.entry(UnixTime::from_secs(NOW_SECS)).unwrap();
            (entry.deny_key(), entry)
        }
        NewRevocation::Token(_) => panic!("a token"),
    }
}

fn entries(count: usize) -> Vec<(DenyKey, Entry)> {
    (0..count).map(|index| entry(&format!("token-{index}"), "")).collect()
}

async fn put_all(store: &impl RevocationStore, all: &[(DenyKey, Entry)]) {
    for (key, entry) in all {
        store.put(key, entry, NOW).await.unwrap();
    }
}

/// Entries are found under their keys, in the order of the keys, and a later one replaces an earlier one.
pub async fn revocations_are_found_and_replaced(store: &impl RevocationStore) {
    let [(a, first), (b, other), (c, _)] = entries(3).try_into().unwrap();
    assert_eq!(store.entries(&[a, b]).await.unwrap(), [None, None]);
    assert_eq!(store.entries(&[]).await.unwrap(), []);
    store.put(&a, &first, NOW).await.unwrap();
    store.put(&b, &other, NOW).await.unwrap();
    let (one, two) = (Some(first), Some(other));
    assert_eq!(store.entries(&[a, b]).await.unwrap(), [one.clone(), two.clone()]);
    assert_eq!(
        store.entries(&[b, c, a, b]).await.unwrap(),
        [two.clone(), None, one, two.clone()],
        "in the order asked, each as often as asked"
    );
    let (_, replacement) = entry("token-0", "another reason");
    store.put(&a, &replacement, NOW).await.unwrap();
    assert_eq!(store.entries(&[a, b]).await.unwrap(), [Some(replacement), two]);
    assert_eq!(all_revocations(store, 10).await.len(), 2, "replaced, not added");
}

/// What is removed is gone, from reads and lists; removing what is not there is no error.
pub async fn revocations_are_removed_idempotently(store: &impl RevocationStore) {
    let all = entries(3);
    put_all(store, &all).await;
    let [a, b, c] = [all[0].0, all[1].0, all[2].0];
    for _ in 0..2 {
        store.remove(&b).await.unwrap();
        let found = store.entries(&[a, b, c]).await.unwrap();
        let there: Vec<bool> = found.iter().map(Option::is_some).collect();
        assert_eq!(there, [true, false, true]);
        assert_eq!(all_revocations(store, 2).await.len(), 2);
    }
    store.remove(&entry("never", "").0).await.unwrap();
    store.put(&b, &all[1].1, NOW).await.unwrap();
    assert!(store.entries(&[b]).await.unwrap()[0].is_some(), "and may come back");
}

/// All pages together hold every entry once, whatever the size of a page.
pub async fn revocations_are_listed_once_each<S: RevocationStore>(fresh: impl Fn() -> S) {
    for count in [0, 1, 2, 3, 7] {
        let store = fresh();
        let all = entries(count);
        put_all(&store, &all).await;
        let expected: BTreeMap<DenyKey, Entry> = all.into_iter().collect();
        for limit in 1..=8 {
            let found = all_revocations(&store, limit).await;
            assert_eq!(found.len(), count, "pages of {limit}: none twice");
            let found: BTreeMap<DenyKey, Entry> = found.into_iter().collect();
            assert_eq!(found, expected, "pages of {limit}: none lost");
        }
    }
}

/// A listing goes on where it was, though what it has told of is removed and more is added meanwhile.
pub async fn a_listing_survives_changes<S: RevocationStore>(fresh: impl Fn() -> S) {
    for limit in 1..=4 {
        let store = fresh();
        let all = entries(9);
        put_all(&store, &all).await;
        let mut seen = Vec::new();
        let mut cursor = None;
        for turn in 0.. {
            assert!(turn < 100, "a listing without an end");
            let page = store.list(cursor.as_deref(), limit).await.unwrap();
            for (key, _) in &page.items {
                seen.push(*key);
                store.remove(key).await.unwrap();
            }
            if turn < 3 {
                let (key, added) = entry(&format!("added-{turn}"), "");
                store.put(&key, &added, NOW).await.unwrap();
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        for (key, _) in &all {
            assert_eq!(seen.iter().filter(|one| *one == key).count(), 1, "pages of {limit}");
        }
    }
}

async fn all_revocations(store: &impl RevocationStore, limit: usize) -> Vec<(DenyKey, Entry)> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.list(cursor.as_deref(), limit).await.unwrap();
        cursor = take_page(page, &mut all, limit);
        if cursor.is_none() {
            return all;
        }
    }
}

fn take_page<T>(page: Page<T>, all: &mut Vec<T>, limit: usize) -> Option<String> {
    assert!(page.items.len() <= limit, "{} items in a page of {limit}", page.items.len());
    all.extend(page.items);
    assert!(all.len() < 1000, "a listing without an end");
    page.cursor
}

// ---- records of API keys ----

fn record(index: u8, owner: &str) -> KeyRecord {
    let id = KeyId::from_bytes([index; 16]);
    let json = format!(
        r#"{{"v": 1, "id": "{id}", "name": "n", "owner": "{owner}", "scopes": ["a", "b"],
            "limits": {{"per-caller": 5}}, "created_at": {NOW_SECS}, "expires_at": {}}}"#,
        NOW_SECS + 3600
    );
    KeyRecord::parse(id, json.as_bytes()).unwrap()
}

/// Records are found by their id, whole, and the last write wins.
pub async fn records_are_found_and_replaced(store: &impl KeyRecordStore) {
    let (a, b) = (record(1, "acme"), record(2, "acme"));
    assert_eq!(store.record(&a.id).await.unwrap(), None);
    store.put(&a, NOW).await.unwrap();
    store.put(&b, NOW).await.unwrap();
    assert_eq!(store.record(&a.id).await.unwrap().as_ref(), Some(&a));
    let disabled = KeyRecord { disabled: true, owner: "other".to_owned(), ..a.clone() };
    store.put(&disabled, NOW).await.unwrap();
    assert_eq!(store.record(&a.id).await.unwrap().as_ref(), Some(&disabled));
    assert_eq!(store.record(&b.id).await.unwrap().as_ref(), Some(&b));
    assert_eq!(all_records(store, None, 10).await.len(), 2, "replaced, not added");
    let of_acme = all_records(store, Some("acme"), 10).await;
    assert_eq!(of_acme, [b], "and listed under its new owner only");
}

/// All pages together hold every record once, of all owners or of exactly the one asked for.
pub async fn records_are_listed_once_each(store: &impl KeyRecordStore) {
    for limit in 1..=3 {
        assert_eq!(all_records(store, None, limit).await, []);
        assert_eq!(all_records(store, Some("acme"), limit).await, []);
    }
    let owners = ["acme", "acme-2", "ACME", "ac", "acme", "x", "acme", "x", "acme"];
    let all: Vec<KeyRecord> =
        owners.iter().zip(1..).map(|(owner, index)| record(index, owner)).collect();
    for record in &all {
        store.put(record, NOW).await.unwrap();
    }
    for limit in 1..=10 {
        for owner in [None, Some("acme"), Some("acme-2"), Some("x"), Some("nobody"), Some("")] {
            let mut found = all_records(store, owner, limit).await;
            found.sort_by_key(|record| record.id);
            let expected: Vec<KeyRecord> = all
                .iter()
                .filter(|record| owner.is_none_or(|owner| record.owner == owner))
                .cloned()
                .collect();
            assert_eq!(found, expected, "{owner:?} in pages of {limit}");
        }
    }
}

async fn all_records(
    store: &impl KeyRecordStore,
    owner: Option<&str>,
    limit: usize,
) -> Vec<KeyRecord> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.list(owner, cursor.as_deref(), limit).await.unwrap();
        cursor = take_page(page, &mut all, limit);
        if cursor.is_none() {
            return all;
        }
    }
}

// ---- counters ----

/// A window of an hour: the tests of stores with a clock of their own do not outlast it.
fn limit(name: &str, requests: u32) -> Limit {
    Limit::new(name, requests, 3600, LimitAlgorithm::SlidingWindow).unwrap()
}

fn remaining(verdicts: &[Verdict]) -> Vec<u32> {
    verdicts.iter().map(|verdict| verdict.remaining).collect()
}

fn admitted(verdicts: &[Verdict]) -> Vec<bool> {
    verdicts.iter().map(|verdict| verdict.admitted).collect()
}

fn charge<'a>(group: &'a CounterGroup, limits: &'a [Limit], cost: u32) -> Charge<'a> {
    Charge::new(group, limits, cost, NOW)
}

/// Counts are kept by group and name; verdicts come in the order of the limits.
pub async fn counters_are_kept_by_group_and_name(counters: &impl CounterStore) {
    let (one, two) = (CounterGroup::new(&["one"]), CounterGroup::new(&["two"]));
    let (a, b) = (limit("a", 9), limit("b", 5));
    let both = [a.clone(), b.clone()];
    let turned = [b.clone(), a.clone()];
    let take = |group, limits: Vec<Limit>| async move {
        let verdicts = counters.take(charge(&group, &limits, 1)).await.unwrap();
        assert_eq!(verdicts.len(), limits.len());
        for (verdict, limit) in verdicts.iter().zip(&limits) {
            assert_eq!(verdict.limit, limit.requests(), "in the order of the limits");
        }
        remaining(&verdicts)
    };
    assert_eq!(take(one, both.to_vec()).await, [8, 4]);
    assert_eq!(take(one, turned.to_vec()).await, [3, 7]);
    assert_eq!(take(one, vec![a]).await, [6]);
    assert_eq!(take(one, vec![b]).await, [2]);
    assert_eq!(take(one, vec![]).await, [0; 0]);
    assert_eq!(take(two, both.to_vec()).await, [8, 4], "another group, other counts");
    assert_eq!(take(one, both.to_vec()).await, [5, 1]);
}

/// If one limit refuses, none is taken from, however often.
pub async fn counters_take_all_or_nothing(counters: &impl CounterStore) {
    let group = CounterGroup::new(&["all-or-nothing"]);
    let limits = [limit("a", 9), limit("b", 2), limit("c", 9)];
    let take = |limits: Vec<Limit>, cost| async move {
        counters.take(charge(&group, &limits, cost)).await.unwrap()
    };
    assert_eq!(remaining(&take(limits.to_vec(), 2).await), [7, 0, 7]);
    for _ in 0..5 {
        let verdicts = take(limits.to_vec(), 1).await;
        assert_eq!(admitted(&verdicts), [true, false, true], "each says what it alone decides");
        assert_eq!(remaining(&verdicts), [7, 0, 7]);
        assert!(verdicts[1].retry_after_secs > 0);
        assert_eq!((verdicts[0].retry_after_secs, verdicts[2].retry_after_secs), (0, 0));
    }
    let others = vec![limits[0].clone(), limits[2].clone()];
    assert_eq!(remaining(&take(others.clone(), 7).await), [0, 0]);
    let verdicts = take(others, 0).await;
    assert_eq!(admitted(&verdicts), [true, true], "a cost of 0 takes nothing");
}

/// A refund undoes a take; a refund of what was not taken gives nothing.
pub async fn counters_are_refunded(counters: &impl CounterStore) {
    let group = CounterGroup::new(&["refund"]);
    let limits = [limit("a", 5), limit("b", 3)];
    counters.refund(charge(&group, &limits, 2)).await.unwrap();
    let first = counters.take(charge(&group, &limits, 1)).await.unwrap();
    assert_eq!(remaining(&first), [4, 2], "a refund gives no more than there was");
    counters.take(charge(&group, &limits, 2)).await.unwrap();
    counters.refund(charge(&group, &limits, 2)).await.unwrap();
    let again = counters.take(charge(&group, &limits, 2)).await.unwrap();
    assert_eq!(remaining(&again), [2, 0]);
    counters.refund(charge(&group, &limits[1..], 2)).await.unwrap();
    let last = counters.take(charge(&group, &limits, 2)).await.unwrap();
    assert_eq!(remaining(&last), [0, 0], "only the limits that are named");
    let other = CounterGroup::new(&["other"]);
    counters.refund(charge(&other, &limits, 3)).await.unwrap();
    let refused = counters.take(charge(&group, &limits, 1)).await.unwrap();
    assert_eq!(admitted(&refused), [false, false], "only the group that is named");
}

/// Of many takes at once exactly as many are admitted as the limit allows.
pub async fn counters_admit_exactly_the_limit_at_once(counters: &impl CounterStore) {
    let group = CounterGroup::new(&["at-once"]);
    let limits = [limit("a", 20), limit("b", 13)];
    let takes = (0..50).map(|_| counters.take(charge(&group, &limits, 1)));
    let verdicts = join_all(takes).await;
    let passed =
        verdicts.iter().filter(|one| one.as_ref().unwrap().iter().all(|it| it.admitted)).count();
    assert_eq!(passed, 13);
    let left = counters.take(charge(&group, &limits[..1], 0)).await.unwrap();
    assert_eq!(remaining(&left), [7]);
}

/// The same where part of the limit is lent. Relaxed is one thing: what an isolate holds and another one would need is
/// found only once somebody comes to the isolate that holds it. So it is exact in the end, not at each moment; and
/// never more.
pub async fn counters_that_lend_admit_exactly_the_limit_in_the_end(counters: &impl CounterStore) {
    let group = CounterGroup::new(&["lent"]);
    let terms = serde_json::from_str(r#"{"requests": 5, "secs": 10}"#).unwrap();
    let lent = |name, requests| limit(name, requests).with_lease(terms).unwrap();
    let limits = [lent("a", 40), lent("b", 33)];
    let one = || counters.take(charge(&group, &limits, 1));
    let verdicts = join_all((0..20).map(|_| one())).await;
    let mut passed = verdicts.into_iter().filter(|one| all_admit(one.as_ref().unwrap())).count();
    assert_eq!(passed, 20, "there is room for all of them");
    for _ in 0..50 {
        passed += usize::from(all_admit(&one().await.unwrap()));
    }
    assert_eq!(passed, 33);
    let left = counters.take(charge(&group, &limits[..1], 0)).await.unwrap();
    assert_eq!(remaining(&left), [7]);
}

fn all_admit(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.admitted)
}

/// All algorithms. What counts in components has no bucket: debts cannot be added up.
pub const ALGORITHMS: [LimitAlgorithm; 3] = [
    LimitAlgorithm::FixedWindow,
    LimitAlgorithm::SlidingWindow,
    LimitAlgorithm::TokenBucket { burst: 2 },
];

/// What was taken comes back with the time, and only then. For stores that take `now` from the caller.
pub async fn counters_follow_the_clock(counters: &impl CounterStore) {
    counters_of_these_follow_the_clock(counters, &ALGORITHMS).await;
}

/// The same for some of the algorithms.
pub async fn counters_of_these_follow_the_clock(
    counters: &impl CounterStore,
    algorithms: &[LimitAlgorithm],
) {
    for algorithm in algorithms {
        let name = algorithm.as_str();
        let group = CounterGroup::new(&["clock"]);
        let limits = [Limit::new(name, 2, 60, *algorithm).unwrap()];
        let take = async |now| counters.take(Charge::new(&group, &limits, 2, now)).await.unwrap();
        assert_eq!(admitted(&take(NOW).await), [true], "{name}");
        let refused = take(NOW).await;
        assert_eq!(admitted(&refused), [false], "{name}");
        let wait = u64::from(refused[0].retry_after_secs) * 1000;
        assert_eq!(admitted(&take(NOW.saturating_add(wait - 1000)).await), [false], "{name}");
        assert_eq!(admitted(&take(NOW.saturating_add(wait)).await), [true], "{name}");
    }
}

// ---- proofs of possession ----

fn proof_key(jti: &str) -> ReplayKey {
    ReplayKey::new(&["a thumbprint", jti, "https://api.example.com/"])
}

/// A proof is the first of its key once, and those of other keys do not matter.
pub async fn proofs_are_used_once(store: &impl ReplayStore) {
    let (a, b) = (proof_key("a"), proof_key("b"));
    let until = NOW.saturating_add(60_000);
    assert!(store.is_first(&a, until, NOW).await.unwrap());
    for _ in 0..3 {
        assert!(!store.is_first(&a, until, NOW).await.unwrap());
    }
    assert!(store.is_first(&b, until, NOW).await.unwrap());
    assert!(!store.is_first(&b, until, NOW).await.unwrap());
    assert!(
        !store.is_first(&a, until.saturating_add(60_000), NOW).await.unwrap(),
        "whatever its end is now"
    );
}

/// Of many who ask at once, one is told yes.
pub async fn proofs_are_used_once_at_once(store: &impl ReplayStore) {
    for turn in 0..5 {
        let key = proof_key(&format!("at once {turn}"));
        let asked = (0..20).map(|_| store.is_first(&key, NOW.saturating_add(60_000), NOW));
        let answers = join_all(asked).await;
        assert_eq!(answers.into_iter().filter(|one| *one.as_ref().unwrap()).count(), 1);
    }
}

/// A proof is remembered to its end, and only then forgotten. For stores that take `now` from the caller.
pub async fn proofs_are_remembered_to_their_end(store: &impl ReplayStore) {
    let (key, until) = (proof_key("a"), NOW.saturating_add(60_000));
    assert!(store.is_first(&key, until, NOW).await.unwrap());
    assert!(!store.is_first(&key, until, NOW.saturating_add(59_999)).await.unwrap());
    assert!(store.is_first(&key, until.saturating_add(60_000), until).await.unwrap());
    assert!(!store.is_first(&key, until, until).await.unwrap());
}
