//! Fetching the keys that issuers publish. When and how long is [`crate::keys::remote`]'s to say.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use wasm_bindgen::JsCast as _;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};
use worker::{js_sys, wasm_bindgen_futures::JsFuture};

use super::{body, deadline, facts::header, jwks_cache::JwksCache};
use crate::{
    error::Error,
    keys::{
        KeySet, MAX_JWKS_LENGTH,
        remote::{Plan, RemoteKeySet},
        sealed::PublishedKeys,
    },
    time::UnixMillis,
};

/// The key sets of this isolate, by URI: as many as the policy names.
///
/// Only data is shared between requests. A fetch belongs to the request that started it: on Workers
/// another request could not wait for it.
#[derive(Debug, Default)]
pub(super) struct RemoteKeySets {
    sets: RefCell<BTreeMap<String, RemoteKeySet>>,
}

enum Fetched {
    Keys { keys: KeySet, jwks: String, etag: Option<String>, cache_control: Option<String> },
    NotModified { cache_control: Option<String> },
}

impl RemoteKeySets {
    /// The keys for a token of this issuer with that `kid`: from memory, from what other isolates left
    /// in KV, or from the issuer.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if there are none, not even old ones.
    pub(super) async fn keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        cache: Option<JwksCache<'_>>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        let unavailable =
            |problem: String| Error::KeysUnavailable { issuer: issuer.to_owned(), problem };
        let mut plan = self.with(uri, |set| set.plan(key_id, now));
        let mut cached = None;
        if let (Plan::Fetch { etag, .. }, Some(cache)) = (&mut plan, cache) {
            match cache.read(uri).await {
                Some((keys, found)) => {
                    plan = self.with(uri, |set| {
                        let fetched_at = UnixMillis::from_unix_time(found.fetched_at);
                        let (etag, cache_control) =
                            (found.etag.clone(), found.cache_control.as_deref());
                        set.cached(keys, etag, cache_control, fetched_at, now);
                        set.plan_with_cached(key_id, now)
                    });
                    cached = Some(found);
                }
                // An answer of 304 would leave nothing to put there.
                None => *etag = None,
            }
        }
        let (etag, instead) = match plan {
            Plan::Use(keys) => return Ok(keys),
            Plan::Unavailable => {
                return Err(unavailable("could not be fetched a moment ago".into()));
            }
            Plan::Fetch { etag, instead } => (etag, instead),
        };
        let fetched = deadline::within(deadline::JWKS, fetch(uri, etag.as_deref())).await;
        let problem = match fetched {
            Some(Ok(Fetched::Keys { keys, jwks, etag, cache_control })) => {
                if let Some(cache) = cache {
                    let fetched_at = now.to_unix_time();
                    let (etag, cache_control) = (etag.clone(), cache_control.clone());
                    cache.write(uri, &PublishedKeys { jwks, etag, cache_control, fetched_at });
                }
                return Ok(
                    self.with(uri, |set| set.fetched(keys, etag, cache_control.as_deref(), now))
                );
            }
            Some(Ok(Fetched::NotModified { cache_control })) => {
                if let (Some(cache), Some(cached)) = (cache, cached) {
                    let (fetched_at, cache_control) = (now.to_unix_time(), cache_control.clone());
                    cache.write(uri, &PublishedKeys { fetched_at, cache_control, ..cached });
                }
                match self.with(uri, |set| set.not_modified(cache_control.as_deref(), now)) {
                    Some(keys) => return Ok(keys),
                    None => "304 without any keys to keep".to_owned(),
                }
            }
            Some(Err(problem)) => problem,
            None => "no answer in time".to_owned(),
        };
        self.with(uri, |set| set.failed(now));
        let error = unavailable(problem);
        match instead {
            Some(keys) => {
                worker::console_warn!(
                    "{}",
                    serde_json::json!({"event": "fault", "detail": error.to_string(), "stale_keys": true})
                );
                Ok(keys)
            }
            None => Err(error),
        }
    }

    fn with<T>(&self, uri: &str, step: impl FnOnce(&mut RemoteKeySet) -> T) -> T {
        step(self.sets.borrow_mut().entry(uri.to_owned()).or_default())
    }
}

async fn fetch(uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
    let runtime = |fault: worker::Error| fault.to_string();
    let response = request(uri, etag).await.map_err(runtime)?;
    let headers = response.headers();
    let cache_control = header(&headers, "Cache-Control");
    match response.status() {
        200 => {}
        304 => return Ok(Fetched::NotModified { cache_control }),
        // A redirect could lead anywhere; the policy names the place.
        status => return Err(format!("status {status}, expected 200")),
    }
    let stream = response.body().ok_or("no body")?;
    let body = body::read_at_most(&stream, MAX_JWKS_LENGTH)
        .await
        .map_err(runtime)?
        .ok_or_else(|| format!("more than {MAX_JWKS_LENGTH} bytes"))?;
    let text = core::str::from_utf8(&body).map_err(|_| "not UTF-8")?;
    let keys = KeySet::from_published_jwks(text).map_err(|fault| fault.to_string())?;
    let etag = header(&headers, "ETag");
    Ok(Fetched::Keys { keys, jwks: text.to_owned(), etag, cache_control })
}

async fn request(uri: &str, etag: Option<&str>) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Accept", "application/jwk-set+json, application/json")?;
    if let Some(etag) = etag {
        headers.set("If-None-Match", etag)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    let request = Request::new_with_str_and_init(uri, &init)?;
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(JsFuture::from(global.fetch_with_request(&request)).await?.dyn_into()?)
}
