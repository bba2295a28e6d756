//! The keys that issuers publish, fetched for many requests at once by an edge whose requests cannot wait for each other.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use edgegate::error::Code;
use edgegate::store::keyed::{KeyValue, LateWrite};
use edgegate::store::published::{Fetched, Issuers, PublishedKeySets, SealedKeys};
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{error::StoreError, store::Page};

const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const ISSUER: &str = "https://issuer.test/";
const URI: &str = "https://issuer.test/jwks";
/// How long an edge waits for an issuer.
const DEADLINE: u64 = 5_000;

/// An issuer that answers after so long, in a time that the test moves.
struct Edge {
    now: Cell<u64>,
    takes: u64,
    answers: bool,
    /// How long the answer is, in bytes.
    length: usize,
    fetches: Cell<usize>,
}

impl Edge {
    fn new(takes: u64, answers: bool) -> Self {
        Self {
            now: Cell::new(1_000_000),
            takes,
            answers,
            length: JWKS.len(),
            fetches: Cell::new(0),
        }
    }

    async fn later(&self, millis: u64) {
        let at = self.now.get() + millis;
        poll_fn(|_| if self.now.get() < at { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// Runs requests that come at once, and says how each ended and when.
    fn run(&self, sets: &PublishedKeySets, count: usize) -> Vec<(Result<(), Code>, u64)> {
        let began = self.now.get();
        let one = || async {
            let now = UnixMillis::from_millis(began);
            let keys = sets.keys(self, ISSUER, URI, Some("one"), now).await;
            (keys.map(drop).map_err(|error| error.code()), self.now.get() - began)
        };
        let mut requests: Vec<Pin<Box<dyn Future<Output = _> + '_>>> = Vec::new();
        for _ in 0..count {
            requests.push(Box::pin(one()));
        }
        let mut done = Vec::new();
        while !requests.is_empty() {
            requests.retain_mut(|request| {
                let polled = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                let Poll::Ready(ended) = polled else { return true };
                done.push(ended);
                false
            });
            self.now.set(self.now.get() + 5);
        }
        done
    }
}

impl Issuers for Edge {
    type Cache = NoStore;

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.now.get())
    }

    async fn pause(&self, millis: u64) {
        self.later(millis).await;
    }

    async fn fetch(&self, _uri: &str, _etag: Option<&str>) -> Result<Fetched, String> {
        self.fetches.set(self.fetches.get() + 1);
        self.later(self.takes.min(DEADLINE)).await;
        match self.answers {
            true => Ok(Fetched::Keys {
                jwks: format!("{JWKS:length$}", length = self.length),
                etag: None,
                cache_control: None,
            }),
            false => Err("no answer in time".to_owned()),
        }
    }

    fn cache(&self) -> Option<SealedKeys<'_, NoStore>> {
        None
    }

    fn write_later(&self, _write: LateWrite) {}

    fn note_stale(&self, _fault: &edgegate::error::Error) {}
}

struct NoStore;

impl KeyValue for NoStore {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(0)
    }

    async fn read(&self, _names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        panic!("there is no store")
    }

    async fn write(&self, _: &str, _: &str, _: Option<UnixTime>) -> Result<(), StoreError> {
        panic!("there is no store")
    }

    async fn delete(&self, _name: &str) -> Result<(), StoreError> {
        panic!("there is no store")
    }

    async fn names(&self, _: &str, _: Option<&str>, _: usize) -> Result<Page<String>, StoreError> {
        panic!("there is no store")
    }
}

#[test]
fn a_crowd_that_comes_before_the_keys_costs_few_fetches_and_all_are_served() {
    let (edge, sets) = (Edge::new(400, true), PublishedKeySets::default());
    for (ended, millis) in edge.run(&sets, 200) {
        assert_eq!(ended, Ok(()));
        assert!(millis < 500, "{millis}");
    }
    assert_eq!(edge.fetches.get(), 3);
}

#[test]
fn forged_tokens_against_a_silent_issuer_cost_few_fetches() {
    let (edge, sets) = (Edge::new(60_000, false), PublishedKeySets::default());
    let ended = edge.run(&sets, 200);
    assert!(ended.iter().all(|(result, _)| *result == Err(Code::KeysUnavailable)));
    assert_eq!(edge.fetches.get(), 3);
    assert_eq!(ended.iter().filter(|(_, millis)| *millis > 1_100).count(), 3, "nobody else waits");
    // It has failed just now, whenever it began.
    let ended = edge.run(&sets, 200);
    assert!(ended.iter().all(|(result, _)| *result == Err(Code::KeysUnavailable)));
    assert_eq!(edge.fetches.get(), 3, "a failure is remembered though no keys are known");
}

#[test]
fn an_issuer_that_fails_at_once_is_asked_again_after_the_cool_down_only() {
    let (edge, sets) = (Edge::new(5, false), PublishedKeySets::default());
    let began = edge.now.get();
    while edge.now.get() < began + 20_000 {
        edge.run(&sets, 10);
    }
    assert!(edge.fetches.get() <= 3 * 11, "{} fetches in 20 s", edge.fetches.get());
}

#[test]
fn key_sets_take_no_more_memory_than_they_may() {
    let (mut edge, sets) = (Edge::new(0, true), PublishedKeySets::default());
    edge.length = 64_000;
    let ask = |index: usize| {
        edge.now.set(edge.now.get() + 1);
        let before = edge.fetches.get();
        let (uri, now) = (format!("{URI}/{index}"), edge.now());
        let mut asked = core::pin::pin!(sets.keys(&edge, ISSUER, &uri, Some("one"), now));
        let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(_))));
        edge.fetches.get() - before
    };
    // 8 MiB hold 131 of them.
    for index in 0..200 {
        assert_eq!(ask(index), 1);
    }
    assert_eq!(ask(199), 0);
    assert_eq!(ask(70), 0);
    assert_eq!(ask(68), 1, "what was fetched first is forgotten first");
}
