//! The contract of stores (`tests/support/contract.rs`) over stores that live in another process, which
//! speaks the protocol of `createGate`'s jobs as lines of JSON: `tests/node/store-contract.test.mjs`
//! runs it over those of the npm package.
//!
//! `store_contract <case>` ends well if the case holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub
)]

#[path = "contract.rs"]
mod contract;

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use edgegate::policy::CacheSecs;
use edgegate::store::keyed::{KeyValue, Keyed, Remembered};
use edgegate::store::shared::{SharedCounters, SwapStore};
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{error::StoreError, store::Page};
use serde_json::{Value, json};

/// The other end of the line.
#[derive(Default)]
struct Host {
    next: Cell<u64>,
    answers: RefCell<BTreeMap<u64, Value>>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
    stores: Cell<u32>,
}

impl Host {
    fn tell(&self, name: &str, members: Value) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", json!([{"id": id, "job": {name: members}}])).unwrap();
        out.flush().unwrap();
        id
    }

    async fn ask(&self, name: &str, members: Value) -> Result<Value, StoreError> {
        let id = self.tell(name, members);
        let answer = poll_fn(|context| match self.answers.borrow_mut().remove(&id) {
            Some(answer) => Poll::Ready(answer),
            None => {
                self.waiting.borrow_mut().insert(id, context.waker().clone());
                Poll::Pending
            }
        })
        .await;
        match answer["problem"].as_str() {
            Some(problem) => Err(StoreError::new(problem)),
            None => Ok(answer["value"].clone()),
        }
    }

    /// Polls, and reads an answer when nothing goes on without one.
    fn run(&self, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        let mut lines = std::io::stdin().lock().lines();
        while work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            let line = lines.next().expect("the host hung up").unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            let id = answer["id"].as_u64().unwrap();
            self.answers.borrow_mut().insert(id, answer);
            if let Some(waker) = self.waiting.borrow_mut().remove(&id) {
                waker.wake();
            }
        }
    }

    /// A store that nobody has used.
    fn fresh(&self) -> Keyed<'_, Store<'_>> {
        self.stores.set(self.stores.get() + 1);
        let store = Store { host: self, name: format!("store-{}", self.stores.get()) };
        let remembered = Box::leak(Box::new(Remembered::default()));
        Keyed::new(store, remembered, CacheSecs(0), CacheSecs(0))
    }
}

/// The time of the suite. What the host keeps ends by its own clock, long after the suite.
const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

struct Store<'a> {
    host: &'a Host,
    name: String,
}

impl KeyValue for Store<'_> {
    fn now(&self) -> UnixMillis {
        NOW
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let found = self.host.ask("get", json!({"store": self.name, "names": names})).await?;
        Ok(serde_json::from_value(found).unwrap())
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let ttl = expires_at.map(|at| at.secs_since(NOW.to_unix_time()).max(1));
        let mut job = json!({"store": self.name, "name": name, "value": value});
        if let Some(ttl) = ttl {
            job["ttlSecs"] = json!(ttl);
        }
        self.host.ask("put", job).await.map(drop)
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.host.ask("delete", json!({"store": self.name, "name": name})).await.map(drop)
    }

    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let mut job = json!({"store": self.name, "prefix": prefix, "limit": limit});
        if let Some(cursor) = cursor {
            job["cursor"] = json!(cursor);
        }
        let page = self.host.ask("list", job).await?;
        Ok(Page {
            items: serde_json::from_value(page["keys"].clone()).unwrap(),
            cursor: page["cursor"].as_str().map(str::to_owned),
        })
    }
}

struct Swap<'a>(&'a Host);

impl SwapStore for Swap<'_> {
    async fn load(&self, name: &str) -> Result<Option<String>, StoreError> {
        let found = self.0.ask("load", json!({"name": name})).await?;
        Ok(found.as_str().map(str::to_owned))
    }

    async fn swap(
        &self,
        name: &str,
        expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        let ttl = until.millis_since(NOW).div_ceil(1000).max(1);
        let job = json!({"name": name, "expected": expected, "next": next, "ttlSecs": ttl});
        Ok(self.0.ask("swap", job).await?.as_bool().unwrap())
    }

    fn release(&self, name: &str) {
        self.0.tell("release", json!({"name": name}));
    }
}

fn main() {
    let case = std::env::args().nth(1).unwrap_or_default();
    let host = Host::default();
    let counters = SharedCounters::new(Swap(&host));
    host.run(async {
        match case.as_str() {
            "revocations-are-found-and-replaced" => {
                contract::revocations_are_found_and_replaced(&host.fresh()).await;
            }
            "revocations-are-removed-idempotently" => {
                contract::revocations_are_removed_idempotently(&host.fresh()).await;
            }
            "revocations-are-listed-once-each" => {
                contract::revocations_are_listed_once_each(|| host.fresh()).await;
            }
            "a-listing-survives-changes" => {
                contract::a_listing_survives_changes(|| host.fresh()).await;
            }
            "records-are-found-and-replaced" => {
                contract::records_are_found_and_replaced(&host.fresh()).await;
            }
            "records-are-listed-once-each" => {
                contract::records_are_listed_once_each(&host.fresh()).await;
            }
            "counters-are-kept-by-group-and-name" => {
                contract::counters_are_kept_by_group_and_name(&counters).await;
            }
            "counters-take-all-or-nothing" => {
                contract::counters_take_all_or_nothing(&counters).await;
            }
            "counters-are-refunded" => contract::counters_are_refunded(&counters).await,
            "counters-admit-exactly-the-limit-at-once" => {
                contract::counters_admit_exactly_the_limit_at_once(&counters).await;
            }
            "counters-follow-the-clock" => {
                contract::counters_follow_the_clock(&counters).await;
            }
            other => panic!("no such case: {other:?}"),
        }
    });
}
