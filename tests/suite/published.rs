//! The keys that issuers publish, fetched for many requests at once by an edge whose requests cannot wait for each other.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;

use edgegate::error::{Code, Error};
use edgegate::jose::discovery::{Discovery, Location};
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
            let keys = sets.keys(self, ISSUER, Location::Known(URI), Some("one"), now).await;
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
        let mut asked =
            core::pin::pin!(sets.keys(&edge, ISSUER, Location::Known(&uri), Some("one"), now));
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

// ---- discovery ----

const DOCUMENT: &str = "https://issuer.test/.well-known/openid-configuration";
const OAUTH_DOCUMENT: &str = "https://issuer.test/.well-known/oauth-authorization-server";
const DAY: u64 = 24 * 60 * 60 * 1000;

/// An issuer that says itself where its keys are: the answers by URI, each a text or a status.
#[derive(Default)]
struct Site {
    now: Cell<u64>,
    pages: BTreeMap<String, Result<String, u16>>,
    /// How long each answer takes.
    takes: u64,
    asked: RefCell<Vec<(String, Option<String>)>>,
}

impl Site {
    fn new() -> Self {
        let site = Self { now: Cell::new(1_000_000), ..Self::default() };
        site.with(DOCUMENT, Ok(&document(URI))).with(URI, Ok(JWKS))
    }

    fn with(mut self, uri: &str, page: Result<&str, u16>) -> Self {
        self.put(uri, page);
        self
    }

    fn put(&mut self, uri: &str, page: Result<&str, u16>) {
        self.pages.insert(uri.to_owned(), page.map(str::to_owned));
    }

    /// What is asked of the issuer for one token, and how that ends.
    fn ask(&self, sets: &PublishedKeySets, kid: &str) -> (Result<(), Error>, Vec<String>) {
        let discovery = Discovery::of(ISSUER, false).unwrap();
        let at = Location::Discovered(&discovery);
        let now = Issuers::now(self);
        let mut asking = core::pin::pin!(sets.keys(self, ISSUER, at, Some(kid), now));
        let ended = loop {
            match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ended) => break ended.map(drop),
                Poll::Pending => self.now.set(self.now.get() + 5),
            }
        };
        (ended, self.asked.take().into_iter().map(|(uri, _)| uri).collect())
    }

    fn pass(&self, millis: u64) {
        self.now.set(self.now.get() + millis);
    }
}

fn document(jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{jwks_uri}"}}"#)
}

fn unavailable(problem: &str) -> Result<(), Error> {
    Err(Error::KeysUnavailable { issuer: ISSUER.to_owned(), problem: problem.to_owned() })
}

impl Issuers for Site {
    type Cache = NoStore;

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.now.get())
    }

    async fn pause(&self, millis: u64) {
        let until = self.now.get() + millis;
        poll_fn(|_| if self.now.get() < until { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
        self.asked.borrow_mut().push((uri.to_owned(), etag.map(str::to_owned)));
        self.pause(self.takes).await;
        match self.pages.get(uri).cloned().unwrap_or(Err(404)) {
            Ok(jwks) => {
                let etag = Some(format!("of {uri}"));
                Ok(Fetched::Keys { jwks, etag, cache_control: Some("max-age=600".to_owned()) })
            }
            Err(status @ (404 | 410)) => Ok(Fetched::Missing { status }),
            Err(status) => Err(format!("status {status}, expected 200")),
        }
    }

    fn cache(&self) -> Option<SealedKeys<'_, NoStore>> {
        None
    }

    fn write_later(&self, _write: LateWrite) {}

    fn note_stale(&self, _fault: &Error) {}
}

#[test]
fn the_issuer_says_where_its_keys_are_and_is_asked_once() {
    let (site, sets) = (Site::new(), PublishedKeySets::default());
    assert_eq!(site.ask(&sets, "one"), (Ok(()), vec![DOCUMENT.to_owned(), URI.to_owned()]));
    assert_eq!(site.ask(&sets, "one"), (Ok(()), vec![]));
    // The keys are renewed where they are, by their ETag.
    site.pass(601_000);
    site.ask(&sets, "one").0.unwrap();
    site.pass(601_000);
    assert_eq!(site.ask(&sets, "one"), (Ok(()), vec![URI.to_owned()]));
}

#[test]
fn an_etag_is_sent_only_to_where_it_is_from() {
    let (mut site, sets) = (Site::new(), PublishedKeySets::default());
    site.ask(&sets, "one").0.unwrap();
    site.put(DOCUMENT, Ok(&document("https://issuer.test/new")));
    site.put("https://issuer.test/new", Ok(JWKS));
    site.put(URI, Err(410));
    site.pass(601_000);
    let discovery = Discovery::of(ISSUER, false).unwrap();
    let at = Location::Discovered(&discovery);
    let mut asking = core::pin::pin!(sets.keys(&site, ISSUER, at, None, Issuers::now(&site)));
    let polled = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(_))));
    assert_eq!(
        site.asked.take(),
        [
            (URI.to_owned(), Some(format!("of {URI}"))),
            (DOCUMENT.to_owned(), None),
            ("https://issuer.test/new".to_owned(), None),
        ]
    );
}

#[test]
fn a_new_place_is_believed_with_its_keys_only() {
    let (mut site, sets) = (Site::new(), PublishedKeySets::default());
    site.ask(&sets, "one").0.unwrap();
    site.put(DOCUMENT, Ok(&document("https://issuer.test/new")));
    site.put("https://issuer.test/new", Ok("{}"));
    site.put(URI, Err(404));
    let new = [URI, DOCUMENT, "https://issuer.test/new"].map(str::to_owned).to_vec();
    for _ in 0..2 {
        site.pass(601_000);
        assert_eq!(site.ask(&sets, "one"), (Ok(()), new.clone()), "by the keys there are");
    }
}

#[test]
fn the_document_is_read_again_after_a_day() {
    let (site, sets) = (Site::new(), PublishedKeySets::default());
    site.ask(&sets, "one").0.unwrap();
    site.pass(DAY - 1000);
    assert_eq!(site.ask(&sets, "one"), (Ok(()), vec![URI.to_owned()]));
    site.pass(601_000);
    assert_eq!(site.ask(&sets, "one"), (Ok(()), vec![DOCUMENT.to_owned(), URI.to_owned()]));
}

#[test]
fn the_document_of_rfc_8414_is_asked_for_where_the_other_is_not_there_and_only_then() {
    let oauth = |page| Site::new().with(DOCUMENT, page).with(OAUTH_DOCUMENT, Ok(&document(URI)));
    let asked = |site: Site| site.ask(&PublishedKeySets::default(), "one");
    let three = [DOCUMENT, OAUTH_DOCUMENT, URI].map(str::to_owned).to_vec();
    assert_eq!(asked(oauth(Err(404))), (Ok(()), three));
    for status in [410, 500] {
        let problem = format!("not found: status {status}, expected 200");
        assert_eq!(asked(oauth(Err(status))), (unavailable(&problem), vec![DOCUMENT.to_owned()]));
    }
    let another = r#"{"issuer":"https://other.test/","jwks_uri":"https://issuer.test/jwks"}"#;
    let problem = "the document is about another issuer";
    assert_eq!(asked(oauth(Ok(another))), (unavailable(problem), vec![DOCUMENT.to_owned()]));
}

#[test]
fn unknown_kids_cost_no_more_documents_than_key_sets() {
    let (mut site, sets) = (Site::new(), PublishedKeySets::default());
    site.ask(&sets, "one").0.unwrap();
    site.put(URI, Err(404));
    let mut asked = Vec::new();
    for _ in 0..600 {
        site.pass(100);
        let (ended, more) = site.ask(&sets, "two");
        assert_eq!(ended, Ok(()), "the keys there are serve on");
        asked.extend(more);
    }
    // Twice in a minute: the set, the document, the set that it names.
    assert!(asked.len() <= 2 * 3, "{asked:?}");
}

#[test]
fn keys_that_were_never_there_are_sought_anew() {
    let (mut site, sets) = (Site::new().with(URI, Ok("{}")), PublishedKeySets::default());
    assert!(site.ask(&sets, "one").0.is_err());
    assert_eq!(site.ask(&sets, "one").1, [""; 0], "not at once");
    site.put(DOCUMENT, Ok(&document("https://issuer.test/new")));
    site.put("https://issuer.test/new", Ok(JWKS));
    site.pass(2_001);
    assert_eq!(site.ask(&sets, "one").0, Ok(()));
}

#[test]
fn slow_documents_let_no_more_fetches_begin() {
    let site = Site { takes: 4_900, ..Site::new().with(DOCUMENT, Err(404)) };
    let site = site.with(OAUTH_DOCUMENT, Ok(&document(URI)));
    let sets = PublishedKeySets::default();
    let discovery = Discovery::of(ISSUER, false).unwrap();
    let mut asking: Vec<Pin<Box<dyn Future<Output = _> + '_>>> = Vec::new();
    // Every tenth of a second somebody comes, for as long as three answers take.
    for step in 0..147 {
        if step > 0 {
            site.pass(100);
        }
        let (site, sets, at) = (&site, &sets, Location::Discovered(&discovery));
        asking.push(Box::pin(async move {
            sets.keys(site, ISSUER, at, Some("one"), Issuers::now(site)).await.is_ok()
        }));
        asking.retain_mut(|one| {
            one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
        });
    }
    let asked = site.asked.take();
    for uri in [DOCUMENT, OAUTH_DOCUMENT, URI] {
        let times = asked.iter().filter(|(one, _)| one == uri).count();
        assert!((1..=3).contains(&times), "{uri}: {times}");
    }
}
