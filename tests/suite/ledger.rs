//! The ledger and its snapshots, together: what is revoked is published, and readers learn of it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::contract;
use edgegate::revocation::{
    DenyKey, Entry, NewRevocation,
    ledger::{BASE_MAX_AGE_MILLIS, HEAD_EVERY_MILLIS, HEARTBEAT_MILLIS, Ledger, REBASE_AT, Task},
    snapshot::{Freshness, HEAD_NAME, Head, Holder, Lookup, MAX_DELTA, Snapshot},
};
use edgegate::store::memory_ledger::MemoryLedger;
use edgegate::time::UnixMillis;
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
const RULES: Freshness = Freshness { max_staleness_secs: 120, refresh_secs: 10 };

fn later(millis: u64) -> UnixMillis {
    NOW.saturating_add(millis)
}

fn entry(body: &str, now: UnixMillis) -> Entry {
    match NewRevocation::parse(body.as_bytes()).unwrap() {
        NewRevocation::Entry(request) => request.entry(now.to_unix_time()).unwrap(),
        NewRevocation::Token(_) => panic!("a token"),
    }
}

fn token(index: u64, now: UnixMillis) -> Entry {
    entry(&format!(r#"{{"iss": "i", "jti": "{index}"}}"#), now)
}

fn key(index: u64) -> DenyKey {
    DenyKey::of_token("i", &index.to_string())
}

/// KV as a map, and one reader of it.
struct World {
    ledger: MemoryLedger,
    kv: BTreeMap<String, Vec<u8>>,
    reader: Holder,
    heads: Vec<(UnixMillis, Head)>,
    bases: u32,
}

impl World {
    fn new() -> Self {
        let ledger = MemoryLedger::new(NOW);
        ledger.publish();
        let (kv, reader, heads) = (BTreeMap::new(), Holder::default(), Vec::new());
        Self { ledger, kv, reader, heads, bases: 0 }
    }

    /// Does all that is due; `works` says of each write whether it succeeds.
    fn run(&mut self, now: UnixMillis, mut works: impl FnMut() -> bool) {
        for turn in 0.. {
            assert!(turn < 1000, "work without an end");
            let Some(publication) = self.ledger.next_publication(now).unwrap() else { break };
            let succeeded = works();
            if succeeded {
                for (name, bytes) in &publication.puts {
                    let before = self.kv.insert(name.clone(), bytes.clone());
                    if name == HEAD_NAME {
                        self.heads.push((now, Head::parse(bytes, now).unwrap()));
                    } else {
                        assert!(before.is_none(), "{name} is written twice");
                        self.bases += 1;
                    }
                }
            }
            self.ledger.written(publication, succeeded, now);
        }
    }

    fn load(&mut self, now: UnixMillis) {
        let loaded = self.read(now);
        self.reader.begin(now);
        self.reader.end(loaded, RULES, now);
    }

    fn read(&self, now: UnixMillis) -> Result<Rc<Snapshot>, String> {
        let head = self.kv.get(HEAD_NAME).ok_or("no head")?;
        let head = Head::parse(head, now).map_err(|fault| fault.to_string())?;
        if let Some(next) = self.reader.snapshot().and_then(|held| held.with_head(&head)) {
            return Ok(Rc::new(next));
        }
        let mut shards = Vec::new();
        for (index, reference) in head.base.iter().flat_map(|base| base.shards.iter()).enumerate() {
            let base = head.base.as_ref().unwrap();
            let bytes = self.kv.get(&base.shard_name(index)).ok_or("no shard")?.clone();
            let shard = reference.read(bytes, base.layout).map_err(|fault| fault.to_string())?;
            shards.push(Rc::new(shard));
        }
        Snapshot::new(head, shards).map(Rc::new).map_err(|fault| fault.to_string())
    }

    /// What the reader decides, asking the ledger where it has to. The second: whether it asked.
    fn is_revoked(&mut self, key: &DenyKey, now: UnixMillis) -> (bool, bool) {
        match self.reader.look_up(key, now) {
            Lookup::Known(entry) => (entry.is_some(), false),
            Lookup::Ask => {
                let (mark, entry) = (self.reader.mark(), self.ledger.entry(key));
                self.reader.remember(*key, entry.clone(), mark, 10, now);
                (entry.is_some(), true)
            }
        }
    }
}

#[test]
fn the_ledger_obeys_the_contract_of_stores() {
    let fresh = || MemoryLedger::new(NOW);
    run(contract::revocations_are_found_and_replaced(&fresh()));
    run(contract::revocations_are_removed_idempotently(&fresh()));
    run(contract::revocations_are_listed_once_each(fresh));
    run(contract::a_listing_survives_changes(fresh));
}

/// None of these futures waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Box::pin(future).as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn nothing_is_published_until_somebody_wants_it() {
    let ledger = MemoryLedger::new(NOW);
    ledger.revoke(token(1, NOW), NOW.to_unix_time()).unwrap();
    assert!(ledger.next_publication(later(100_000)).unwrap().is_none());
    assert!(ledger.publish());
    assert!(!ledger.publish());
    assert!(ledger.next_publication(NOW).unwrap().is_some());
}

#[test]
fn the_head_is_written_at_once_then_at_most_once_a_second_and_at_least_every_twenty() {
    let mut world = World::new();
    for millis in (0..90_000).step_by(50) {
        if (20_000..40_000).contains(&millis) {
            world.ledger.revoke(token(millis, NOW), later(millis).to_unix_time()).unwrap();
        }
        world.run(later(millis), || true);
    }
    let times: Vec<u64> = world.heads.iter().map(|(at, _)| at.millis_since(NOW)).collect();
    assert_eq!(times[0], 0, "the first, empty one");
    for pair in times.windows(2) {
        let pause = pair[1] - pair[0];
        assert!((HEAD_EVERY_MILLIS..=HEARTBEAT_MILLIS).contains(&pause), "{times:?}");
        let busy = (20_000..40_000).contains(&pair[0]);
        assert_eq!(pause == HEAD_EVERY_MILLIS, busy, "{times:?}");
    }
    let generations: Vec<u64> = world.heads.iter().map(|(_, head)| head.generation).collect();
    assert!(generations.is_sorted());
    let last = &world.heads[world.heads.len() - 2..];
    assert_eq!(last[0].1.generation, last[1].1.generation, "a heartbeat says nothing new");
    assert!(last[0].1.published_at < last[1].1.published_at);
}

#[test]
fn a_revocation_is_in_the_next_head_and_denies_with_one_question() {
    let mut world = World::new();
    world.run(NOW, || true);
    world.load(NOW);
    assert_eq!(world.is_revoked(&key(1), NOW), (false, false));
    world.ledger.revoke(token(1, NOW), NOW.to_unix_time()).unwrap();
    assert_eq!(world.is_revoked(&key(1), NOW), (false, false), "not known yet");
    world.run(later(1000), || true);
    world.load(later(1000));
    assert_eq!(world.is_revoked(&key(1), later(1000)), (true, true));
    assert_eq!(world.is_revoked(&key(1), later(1001)), (true, false), "remembered");
    assert_eq!(world.is_revoked(&key(2), later(1001)), (false, false));
    world.ledger.undo(&key(1));
    world.run(later(20_000), || true);
    world.load(later(20_000));
    assert_eq!(world.is_revoked(&key(1), later(20_000)), (false, false), "undone, off the list");
}

#[test]
fn asking_twice_changes_nothing_the_second_time() {
    let ledger = MemoryLedger::new(NOW);
    let body = r#"{"iss": "i", "sub": "s", "before": 1700000000, "expires_in_secs": 1000}"#;
    let first = ledger.revoke(entry(body, NOW), NOW.to_unix_time()).unwrap();
    let state = ledger.ledger();
    let shorter = body.replace("1000}", "900}");
    let again = ledger.revoke(entry(&shorter, later(5000)), later(5000).to_unix_time()).unwrap();
    assert_eq!((&again, ledger.ledger()), (&first, state));
    let over = later(1_000_000);
    let anew = ledger.revoke(entry(body, over), over.to_unix_time()).unwrap();
    assert_eq!(anew.created_at(), over.to_unix_time(), "what is over does not count");
    assert_eq!(ledger.ledger().entries(), 1);
}

#[test]
fn many_revocations_make_a_filter_and_few_make_none() {
    let mut world = World::new();
    for index in 0..REBASE_AT {
        world.ledger.revoke(token(index, NOW), NOW.to_unix_time()).unwrap();
    }
    world.run(NOW, || true);
    assert_eq!(world.bases, 0, "the head lists them all");
    world.ledger.revoke(token(REBASE_AT, NOW), NOW.to_unix_time()).unwrap();
    world.run(later(1000), || true);
    assert_eq!(world.bases, 1);
    world.run(later(2000), || true);
    let (_, head) = world.heads.last().unwrap();
    assert!(head.base.is_some() && head.delta.is_empty());
    world.load(later(2000));
    for index in 0..=REBASE_AT {
        assert!(world.is_revoked(&key(index), later(2000)).0);
    }
    // Nearly all are undone: the filter is worn, and what is left fits into the head.
    for index in 0..=REBASE_AT {
        if index % 100 > 0 {
            assert!(world.ledger.undo(&key(index)));
        }
    }
    world.run(later(3000), || true);
    world.run(later(4000), || true);
    let (_, head) = world.heads.last().unwrap();
    assert_eq!((&head.base, head.delta.len()), (&None, 82));
    assert_eq!(world.bases, 1);
}

#[test]
fn more_than_the_head_can_list_waits_for_the_filter_and_no_longer() {
    let mut world = World::new();
    for index in 0..=MAX_DELTA as u64 {
        world.ledger.revoke(token(index, NOW), NOW.to_unix_time()).unwrap();
    }
    world.run(NOW, || true);
    world.load(NOW);
    assert!(world.is_revoked(&key(MAX_DELTA as u64), NOW).0);
    assert_eq!(world.bases, 1);
}

#[test]
fn a_filter_is_made_anew_before_it_vanishes() {
    let mut world = World::new();
    for index in 0..=REBASE_AT {
        world.ledger.revoke(token(index, NOW), NOW.to_unix_time()).unwrap();
    }
    world.run(NOW, || true);
    assert_eq!(world.bases, 1);
    world.run(later(BASE_MAX_AGE_MILLIS - 1), || true);
    assert_eq!(world.bases, 1);
    world.run(later(BASE_MAX_AGE_MILLIS), || true);
    assert_eq!(world.bases, 2);
}

#[test]
fn what_is_over_is_swept_and_what_is_left_stays() {
    let ledger = MemoryLedger::new(NOW);
    let short = entry(r#"{"iss": "i", "jti": "short", "expires_in_secs": 60}"#, NOW);
    ledger.revoke(short.clone(), NOW.to_unix_time()).unwrap();
    ledger.revoke(token(1, NOW), NOW.to_unix_time()).unwrap();
    assert_eq!(ledger.wake_at(NOW), Some(later(600_000)), "not for each that ends");
    ledger.sweep(later(59_000));
    assert!(ledger.entry(&short.deny_key()).is_some());
    ledger.sweep(later(60_000));
    assert!(ledger.entry(&short.deny_key()).is_none());
    assert_eq!(ledger.ledger().entries(), 1);
}

#[test]
fn a_write_that_fails_is_tried_again_more_and_more_seldom_and_never_given_up() {
    let mut world = World::new();
    let tries = Cell::new(0);
    let mut times = Vec::new();
    for secs in 0..200 {
        let before = tries.get();
        world.run(later(secs * 1000), || {
            tries.set(tries.get() + 1);
            false
        });
        if tries.get() > before {
            times.push(secs);
        }
    }
    assert_eq!(&times[..6], [0, 2, 6, 14, 30, 60]);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 30), "{times:?}");
    assert!(world.ledger.ledger().is_failing());
    world.run(later(300_000), || true);
    assert_eq!(world.heads.len(), 1);
    assert!(!world.ledger.ledger().is_failing());
}

#[test]
fn the_state_is_read_as_it_was_written_and_nothing_else_is() {
    let mut world = World::new();
    for index in 0..=REBASE_AT {
        world.ledger.revoke(token(index, NOW), NOW.to_unix_time()).unwrap();
    }
    world.run(NOW, || true);
    world.run(later(1000), || true);
    world.run(later(2000), || true);
    let bytes = world.ledger.ledger().encode();
    let read = Ledger::parse(&bytes).unwrap();
    assert_eq!(read.encode(), bytes);
    assert_eq!(read.task(later(2000)), Task::Nothing);
    assert_eq!(read.task(later(3000 + HEARTBEAT_MILLIS)), Task::WriteHead);
    for end in 0..bytes.len() {
        assert!(Ledger::parse(&bytes[..end]).is_none());
    }
    assert!(Ledger::parse(&[bytes, vec![0]].concat()).is_none());
}

#[derive(Debug, Clone)]
enum Action {
    Revoke(u64),
    Undo(u64),
    Pass(u64),
    Publish(bool),
    Load,
    Sweep,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (0_u64..30).prop_map(Action::Revoke),
        2 => (0_u64..30).prop_map(Action::Undo),
        4 => (1_u64..70_000).prop_map(Action::Pass),
        4 => any::<bool>().prop_map(Action::Publish),
        2 => Just(Action::Load),
        1 => Just(Action::Sweep),
    ];
    proptest::collection::vec(action, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever fails in between: nobody who is not revoked is denied for longer than an answer is remembered, and
    /// whoever was revoked when the reader's head was written is denied.
    #[test]
    fn readers_agree_with_the_ledger_as_of_their_head(actions in actions()) {
        let mut world = World::new();
        let mut now = NOW;
        // Of each key, when it was last revoked, and whether it still is.
        let mut revoked: BTreeMap<u64, UnixMillis> = BTreeMap::new();
        let mut undone: BTreeMap<u64, UnixMillis> = BTreeMap::new();
        for action in actions {
            match action {
                Action::Revoke(index) => {
                    world.ledger.revoke(token(index, now), now.to_unix_time()).unwrap();
                    revoked.entry(index).or_insert(now);
                    undone.remove(&index);
                }
                Action::Undo(index) => {
                    prop_assert_eq!(world.ledger.undo(&key(index)), revoked.contains_key(&index));
                    if revoked.remove(&index).is_some() {
                        undone.insert(index, now);
                    }
                }
                Action::Pass(millis) => now = now.saturating_add(millis),
                Action::Publish(works) => world.run(now, || works),
                Action::Load => world.load(now),
                Action::Sweep => world.ledger.sweep(now),
            }
            prop_assert_eq!(world.ledger.ledger().entries(), revoked.len() as u64);
            let Some(as_of) = world.reader.snapshot().map(|held| held.head().published_at) else {
                continue;
            };
            for index in 0..30 {
                let (denied, _) = world.is_revoked(&key(index), now);
                match (revoked.get(&index), undone.get(&index)) {
                    // At the very moment of the head it may be in it or not.
                    (Some(at), _) if *at < as_of => prop_assert!(denied, "{index} passes"),
                    (None, Some(at)) if now.millis_since(*at) >= 10_000 => prop_assert!(!denied),
                    (None, None) => prop_assert!(!denied, "{index} never was revoked"),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn names_of_shards_are_never_used_twice() {
    let mut world = World::new();
    let mut names = BTreeSet::new();
    for round in 0..4 {
        for index in 0..=REBASE_AT {
            let index = round * 100_000 + index;
            world.ledger.revoke(token(index, NOW), NOW.to_unix_time()).unwrap();
        }
        // A filter whose writing failed half-way is made under another name.
        world.run(later(round * 60_000), || round % 2 == 0);
        world.run(later(round * 60_000 + 40_000), || true);
        names.extend(world.kv.keys().cloned());
    }
    assert!(names.len() > 3, "{names:?}");
}
