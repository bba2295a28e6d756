//! The keys that issuers publish: from memory, from a store that isolates share, or from the issuer. When and
//! how long they are used is decided in [`crate::jose::keys::remote`]. The edge fetches them.

use std::{cell::RefCell, rc::Rc};

use sha2::{Digest as _, Sha256};

use super::keyed::{KeyValue, LateWrite};
use crate::{
    base64url,
    error::Error,
    jose::{
        discovery::{Discovery, Found, Location, Next, Reply, Step},
        keys::{
            KeySet,
            remote::{MAX_FRESH_SECS, MAX_STALE_SECS, Plan, RemoteKeySet, WAIT_MILLIS},
            sealed::{PublishedKeys, Seal},
        },
    },
    sorted::SortedList,
    time::UnixMillis,
};

const PREFIX: &str = "jwks/v1/";

/// Keys of an issuer are of no use after this, if nobody has asked for the issuer since.
const LIVES_SECS: u64 = MAX_FRESH_SECS + MAX_STALE_SECS;

/// Several requests may find no keys and fetch them; of what they bring one is written. KV takes one write a
/// second for each name.
const WRITE_EVERY_MILLIS: u64 = 1000;

/// How often a request looks whether the keys are there that others fetch, and how often at most.
const LOOK_MILLIS: u64 = 25;
const MAX_LOOKS: u64 = WAIT_MILLIS / LOOK_MILLIS;

/// What an issuer answered.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// The keys, with the `ETag` and `Cache-Control` of the answer.
    Keys {
        /// A JWK set.
        jwks: String,
        /// For `If-None-Match`.
        etag: Option<String>,
        /// How long to believe them.
        cache_control: Option<String>,
    },
    /// They are as they were (304).
    NotModified {
        /// How long to believe them.
        cache_control: Option<String>,
    },
    /// Nothing is there (404 or 410).
    Missing {
        /// Which of the two.
        status: u16,
    },
}

/// What an edge does for the keys of issuers, for one request.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Issuers {
    /// Where isolates leave keys to each other.
    type Cache: KeyValue;

    /// The time, which goes on while something is waited for.
    fn now(&self) -> UnixMillis;

    /// Waits so long.
    async fn pause(&self, millis: u64);

    /// Asks the issuer, with the `ETag` of its last answer: for its keys, or for the document that says where
    /// they are, which is then in place of the keys. It is given up after some seconds, redirects are not followed, and no more than [`crate::jose::keys::MAX_JWKS_LENGTH`] bytes are read.
    ///
    /// # Errors
    /// Why there are none, for the event log.
    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String>;

    /// The store and the seal, where the policy has the one and the edge the other.
    fn cache(&self) -> Option<SealedKeys<'_, Self::Cache>>;

    /// Writes to that store after the answer to the request.
    fn write_later(&self, write: LateWrite);

    /// Takes note that old keys take the place of fresh ones.
    fn note_stale(&self, fault: &Error);
}

/// The keys of issuers in a store, where one isolate finds what another has fetched.
#[derive(Debug)]
pub struct SealedKeys<'a, S> {
    store: S,
    seal: &'a Seal,
}

impl<'a, S: KeyValue> SealedKeys<'a, S> {
    /// The keys in `store` under this seal.
    pub const fn new(store: S, seal: &'a Seal) -> Self {
        Self { store, seal }
    }

    /// The keys that an isolate left there. Whatever is wrong with them, or with the store, they are not
    /// there: the issuer is asked then.
    async fn read(&self, uri: &str) -> Option<(KeySet, PublishedKeys)> {
        let value = self.store.read(&[name(uri)]).await.ok()?.into_iter().next()??;
        let found = self.seal.open(uri, &value)?;
        Some((KeySet::from_published_jwks(&found.jwks).ok()?, found))
    }

    fn write(&self, uri: &str, keys: &PublishedKeys) -> Option<LateWrite> {
        let value = self.seal.close(uri, keys)?;
        let expires_at = keys.fetched_at.saturating_add(LIVES_SECS);
        Some(LateWrite { name: name(uri), value, expires_at })
    }
}

fn name(uri: &str) -> String {
    format!("{PREFIX}{}", base64url::encode(&Sha256::digest(uri.as_bytes())))
}

/// The `ETag` of keys that another isolate left: where it found them may not be where this one does.
fn own_etag(at: Location<'_>, keys: &PublishedKeys) -> Option<String> {
    matches!(at, Location::Known(_) | Location::OfLogins(_)).then(|| keys.etag.clone()).flatten()
}

/// What the key sets of an isolate take at most, as text: those of 128 issuers of 64 KiB, or thousands of usual ones. A
/// policy may name more, and one before it may have named others.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The key sets of an isolate, by URI: those that policies have named.
///
/// Only data is shared between requests. A fetch belongs to the request that started it: on Workers
/// another request could not wait for it.
#[derive(Debug, Default)]
pub struct PublishedKeySets {
    sets: RefCell<SortedList<String, Published>>,
}

#[derive(Debug, Clone, Default)]
struct Published {
    set: RemoteKeySet,
    /// Where the issuer says that they are, if it is asked.
    found: Option<Found>,
    /// Bytes of the keys that are known, as text.
    bytes: usize,
}

impl PublishedKeySets {
    /// What is known now, for who is to leave no trace in it.
    pub(crate) fn to_read(&self) -> Self {
        Self { sets: self.sets.clone() }
    }

    /// The keys for a token of this issuer with that `kid`: from memory, from what other isolates left in
    /// the store, or from the issuer.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if there are none, not even old ones.
    pub async fn keys(
        &self,
        edge: &impl Issuers,
        issuer: &str,
        at: Location<'_>,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        let uri = &*at.name();
        let cool_down_secs = at.cool_down_secs();
        let unavailable =
            |problem: String| Error::KeysUnavailable { issuer: issuer.to_owned(), problem };
        let mut began = now;
        let mut plan = self.with(uri, |set| set.plan_after(cool_down_secs, key_id, began));
        // Only data is shared between requests, so what another one fetches is looked for.
        let mut looks = 0_u64;
        while matches!(plan, Plan::Wait) && looks < MAX_LOOKS {
            looks = looks.saturating_add(1);
            edge.pause(LOOK_MILLIS).await;
            began = edge.now();
            plan = self.with(uri, |set| set.plan_after(cool_down_secs, key_id, began));
        }
        let cache = if matches!(plan, Plan::Fetch { .. }) { edge.cache() } else { None };
        let mut cached = None;
        if let (Plan::Fetch { etag, .. }, Some(cache)) = (&mut plan, &cache) {
            match cache.read(uri).await {
                Some((keys, found)) => {
                    plan = self.with(uri, |set| {
                        let fetched_at = UnixMillis::from_unix_time(found.fetched_at);
                        let (etag, cache_control) =
                            (own_etag(at, &found), found.cache_control.as_deref());
                        set.cached(keys, etag, cache_control, fetched_at, now);
                        set.plan_with_cached(cool_down_secs, key_id, now)
                    });
                    self.weigh(uri, found.jwks.len());
                    cached = Some(found);
                }
                // An answer of 304 would leave nothing to put there.
                None => *etag = None,
            }
        }
        let (etag, instead) = match plan {
            Plan::Use(keys) => return Ok(keys),
            Plan::Wait => return Err(unavailable("are being fetched".into())),
            Plan::Unavailable => {
                return Err(unavailable("could not be fetched a moment ago".into()));
            }
            Plan::Fetch { etag, instead } => (etag, instead),
        };
        let fetched = match at {
            Location::Known(uri) | Location::OfLogins(uri) => {
                edge.fetch(uri, etag.as_deref()).await.map(|fetched| (fetched, None))
            }
            Location::Discovered(discovery) => {
                self.discover(edge, discovery, uri, etag.as_deref(), began).await
            }
        };
        let fetched = fetched.and_then(|(fetched, found)| {
            let learnt = self.learn(uri, fetched, cached, now)?;
            // With the keys only: their ETag is of that place.
            self.found(uri, found);
            Ok(learnt)
        });
        let problem = match fetched {
            Ok(Learnt { keys, news }) => {
                let write = cache.zip(news).and_then(|(cache, news)| cache.write(uri, &news));
                if let Some(write) = write {
                    edge.write_later(write);
                }
                return Ok(keys);
            }
            Err(problem) => problem,
        };
        self.with(uri, |set| set.failed(edge.now()));
        let error = unavailable(problem);
        match instead {
            Some(keys) => {
                edge.note_stale(&error);
                Ok(keys)
            }
            None => {
                // Where there were no keys, they may have been sought in the wrong place.
                self.found(uri, None);
                Err(error)
            }
        }
    }

    /// Asks for the keys where the issuer has said that they are, or asks it first.
    async fn discover(
        &self,
        edge: &impl Issuers,
        discovery: &Discovery,
        name: &str,
        etag: Option<&str>,
        mut began: UnixMillis,
    ) -> Result<(Fetched, Option<Found>), String> {
        let mut goes_on = || {
            let now = edge.now();
            self.with(name, |set| set.goes_on(began, now));
            began = now;
        };
        let known = self.sets.borrow().get(name).and_then(|known| known.found.clone());
        let (mut step, mut uri) =
            discovery.first(known.as_ref().and_then(|found| found.uri(edge.now())));
        loop {
            // An ETag is that of one place, and what a document names may be another.
            let fetched = edge.fetch(&uri, etag.filter(|_| step == Step::Known)).await;
            match discovery.next(step, reply(&fetched))? {
                Next::Ask(next_step, next_uri) => (step, uri) = (next_step, next_uri),
                Next::IsOfKeys if step == Step::Known => return Ok((fetched?, known)),
                Next::IsOfKeys => return Ok((fetched?, Some(Found::new(uri, edge.now())))),
            }
            goes_on();
        }
    }

    fn found(&self, name: &str, found: Option<Found>) {
        self.sets.borrow_mut().change(name.to_owned(), |known| known.found = found);
    }

    fn learn(
        &self,
        uri: &str,
        fetched: Fetched,
        cached: Option<PublishedKeys>,
        now: UnixMillis,
    ) -> Result<Learnt, String> {
        let known_since = self.with(uri, |set| set.fetched_at());
        let fetched_at = now.to_unix_time();
        let (keys, news) = match fetched {
            Fetched::Keys { jwks, etag, cache_control } => {
                let keys = KeySet::from_published_jwks(&jwks).map_err(|fault| fault.to_string())?;
                let keys = self.with(uri, |set| {
                    set.fetched(keys, etag.clone(), cache_control.as_deref(), now)
                });
                self.weigh(uri, jwks.len());
                (keys, Some(PublishedKeys { jwks, etag, cache_control, fetched_at }))
            }
            Fetched::NotModified { cache_control } => {
                let keys = self
                    .with(uri, |set| set.not_modified(cache_control.as_deref(), now))
                    .ok_or("304 without any keys to keep")?;
                let renew = |cached| PublishedKeys { fetched_at, cache_control, ..cached };
                (keys, cached.map(renew))
            }
            Fetched::Missing { status } => return Err(format!("status {status}, expected 200")),
        };
        let another_wrote = |at| now.millis_since(at) < WRITE_EVERY_MILLIS;
        let news = news.filter(|_| !known_since.is_some_and(another_wrote));
        Ok(Learnt { keys, news })
    }

    fn with<T>(&self, uri: &str, step: impl FnOnce(&mut RemoteKeySet) -> T) -> T {
        self.sets.borrow_mut().change(uri.to_owned(), |known| step(&mut known.set))
    }

    /// Keys of so many bytes are known now. If all take too much, those that were fetched first are forgotten; what is
    /// known of failures stays.
    fn weigh(&self, uri: &str, bytes: usize) {
        let mut sets = self.sets.borrow_mut();
        if let Some(known) = sets.get_mut(uri) {
            known.bytes = bytes;
        }
        while sets.values().map(|known| known.bytes).sum::<usize>() > MAX_BYTES {
            let others = sets.iter_mut().filter(|(name, known)| name != uri && known.bytes > 0);
            let Some((_, oldest)) = others.min_by_key(|(_, known)| known.set.fetched_at()) else {
                return;
            };
            oldest.set.forget();
            oldest.bytes = 0;
        }
    }
}

fn reply(fetched: &Result<Fetched, String>) -> Reply<'_> {
    match fetched {
        Ok(Fetched::Keys { jwks, .. }) => Reply::Text(jwks),
        Ok(Fetched::NotModified { .. }) => Reply::NotModified,
        Ok(Fetched::Missing { status }) => Reply::Missing(*status),
        Err(problem) => Reply::Failed(problem),
    }
}

struct Learnt {
    keys: Rc<KeySet>,
    /// What other isolates do not know yet.
    news: Option<PublishedKeys>,
}
