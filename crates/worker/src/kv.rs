//! Workers KV: revocation entries and the records of API keys, as [`edgegate::store::keyed`] names them.

pub(crate) mod counters;

use core::time::Duration;
use std::cell::OnceCell;

use worker::{
    Context, Delay, Env,
    kv::{KvError, KvStore},
};

use super::{background, clock, deadline, fault};
use edgegate::{
    error::StoreError,
    store::{
        Page,
        keyed::{KeyValue, Keyed, LateWrite},
    },
    time::{UnixMillis, UnixTime},
};

/// The KV namespace of the gate.
pub(super) const BINDING: &str = "EDGEGATE_KV";

/// KV reads that many keys in one operation, at most.
pub(super) const MAX_BULK: usize = 100;

/// How long a write waits each time KV answers 429: together longer than the second that KV asks for.
const WRITE_PAUSES_MILLIS: [u64; 3] = [250, 500, 1_000];

/// Revocation entries and key records in KV.
pub(super) type Kv<'a> = Keyed<'a, Namespace<'a>>;

/// The namespace as a store of texts.
#[derive(Debug)]
pub(super) struct Namespace<'a> {
    env: &'a Env,
    /// The binding, looked up when it is first needed: most requests are answered from memory.
    store: OnceCell<KvStore>,
    /// Nothing is asked: only what is remembered is there.
    is_spared: bool,
}

impl<'a> Namespace<'a> {
    pub(super) const fn new(env: &'a Env) -> Self {
        Self { env, store: OnceCell::new(), is_spared: false }
    }

    /// One that is not asked.
    pub(super) const fn spared(env: &'a Env) -> Self {
        Self { env, store: OnceCell::new(), is_spared: true }
    }

    fn store(&self) -> Result<&KvStore, StoreError> {
        if self.is_spared {
            return Err(StoreError::new("is not asked"));
        }
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store =
            self.env.kv(BINDING).map_err(|_| StoreError::new("there is no KV namespace"))?;
        Ok(self.store.get_or_init(|| store))
    }
}

impl KeyValue for Namespace<'_> {
    fn now(&self) -> UnixMillis {
        clock::now()
    }

    /// In one operation for each [`MAX_BULK`].
    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut values = Vec::with_capacity(names.len());
        for names in names.chunks(MAX_BULK) {
            let found = bounded(self.store()?.get_bulk(names).text()).await?;
            values.extend(names.iter().map(|name| found.get(name).cloned().flatten()));
        }
        Ok(values)
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let mut put = self.store()?.put(name, value).map_err(|fault| failed(&fault))?;
        if let Some(secs) = expires_at.and_then(expiration) {
            put = put.expiration(secs);
        }
        patiently(async || put.clone().execute().await).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let store = self.store()?;
        patiently(async || store.delete(name).await).await
    }

    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut list = self.store()?.list().prefix(prefix.to_owned()).limit(limit);
        if let Some(cursor) = cursor {
            list = list.cursor(cursor.to_owned());
        }
        let found = bounded(list.execute()).await?;
        let cursor = found.cursor.filter(|cursor| !found.list_complete && !cursor.is_empty());
        Ok(Page { items: found.keys.into_iter().map(|key| key.name).collect(), cursor })
    }
}

/// Writes after the answer to a request. If that fails, the log says `what`. There is no second try after a 429: another
/// isolate has just written the same.
pub(super) fn write_later(env: &Env, context: &Context, write: LateWrite, what: &'static str) {
    let LateWrite { name, value, expires_at } = write;
    let Ok(mut put) = env.kv(BINDING).and_then(|store| Ok(store.put(&name, value)?)) else {
        return;
    };
    if let Some(secs) = expiration(expires_at) {
        put = put.expiration(secs);
    }
    background::run(context, async move {
        if let Err(problem) = bounded(put.execute()).await {
            fault::report(&format!("{what}: {problem}"));
        }
    });
}

/// When KV has to forget a value. KV takes 32 bits, which end in January 2038: a value that has to be kept longer is kept
/// for ever. Each value says itself until when it counts.
fn expiration(at: UnixTime) -> Option<u64> {
    i32::try_from(at.as_secs()).ok().and_then(|secs| u64::try_from(secs).ok())
}

/// A value as bytes, as old as KV may have it at this location.
pub(super) async fn read_bytes(
    env: &Env,
    name: &str,
    cache_secs: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let store = env.kv(BINDING).map_err(|_| StoreError::new("there is no KV namespace"))?;
    let get = store.get(name).cache_ttl(cache_secs).bytes();
    get.await.map_err(|fault| failed(&fault))
}

/// Writes, and again after a pause if KV says that this key was written a moment ago (429): it takes
/// one write a second for each key.
async fn patiently(write: impl AsyncFn() -> Result<(), KvError>) -> Result<(), StoreError> {
    let mut pauses = WRITE_PAUSES_MILLIS.into_iter();
    loop {
        let done = bounded(write()).await;
        let asks_for_time = done.as_ref().is_err_and(|fault| fault.to_string().contains(" 429 "));
        match pauses.next() {
            Some(pause) if asks_for_time => Delay::from(Duration::from_millis(pause)).await,
            _ => return done,
        }
    }
}

/// Waits for KV for [`deadline::STORE`] at most.
pub(super) async fn bounded<T>(
    operation: impl Future<Output = Result<T, KvError>>,
) -> Result<T, StoreError> {
    match deadline::within(deadline::STORE, operation).await {
        Some(result) => result.map_err(|fault| failed(&fault)),
        None => Err(StoreError::new("KV did not answer in time")),
    }
}

fn failed(fault: &KvError) -> StoreError {
    StoreError::new(format!("KV: {fault}"))
}
