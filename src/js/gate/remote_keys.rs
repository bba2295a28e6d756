//! The keys that issuers publish, as far as an isolate knows them. When and how long is
//! [`crate::keys::remote`]'s to say, the host fetches them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    error::Error,
    keys::{
        KeySet,
        remote::{Plan, RemoteKeySet},
    },
    time::UnixMillis,
};

/// The key sets of an isolate, by URI: as many as the policy names.
///
/// Only data is shared between requests. A fetch belongs to the request that started it: on Workers
/// another request could not wait for it.
#[derive(Debug, Default)]
pub(super) struct RemoteKeySets {
    sets: RefCell<BTreeMap<String, RemoteKeySet>>,
}

/// What an issuer answered.
#[derive(Debug)]
pub(super) enum Fetched {
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
}

impl RemoteKeySets {
    /// The keys for a token of this issuer with that `kid`. `fetch` gets the URI and the `ETag` of the
    /// last answer; why it failed goes to the event log. If old keys take the place of fresh ones, that
    /// is told to `note`.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if there are none, not even old ones.
    pub(super) async fn keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
        fetch: impl AsyncFnOnce(&str, Option<&str>) -> Result<Fetched, String>,
        note: impl FnOnce(&Error),
    ) -> Result<Rc<KeySet>, Error> {
        let unavailable =
            |problem: String| Error::KeysUnavailable { issuer: issuer.to_owned(), problem };
        let plan = self.with(uri, |set| set.plan(key_id, now));
        let (etag, instead) = match plan {
            Plan::Use(keys) => return Ok(keys),
            Plan::Unavailable => {
                return Err(unavailable("could not be fetched a moment ago".into()));
            }
            Plan::Fetch { etag, instead } => (etag, instead),
        };
        let fetched = fetch(uri, etag.as_deref()).await;
        let problem = match fetched.and_then(|fetched| self.learn(uri, fetched, now)) {
            Ok(keys) => return Ok(keys),
            Err(problem) => problem,
        };
        self.with(uri, |set| set.failed(now));
        let error = unavailable(problem);
        match instead {
            Some(keys) => {
                note(&error);
                Ok(keys)
            }
            None => Err(error),
        }
    }

    fn learn(&self, uri: &str, fetched: Fetched, now: UnixMillis) -> Result<Rc<KeySet>, String> {
        match fetched {
            Fetched::Keys { jwks, etag, cache_control } => {
                let keys = KeySet::from_published_jwks(&jwks).map_err(|fault| fault.to_string())?;
                Ok(self.with(uri, |set| set.fetched(keys, etag, cache_control.as_deref(), now)))
            }
            Fetched::NotModified { cache_control } => self
                .with(uri, |set| set.not_modified(cache_control.as_deref(), now))
                .ok_or_else(|| "304 without any keys to keep".to_owned()),
        }
    }

    fn with<T>(&self, uri: &str, step: impl FnOnce(&mut RemoteKeySet) -> T) -> T {
        step(self.sets.borrow_mut().entry(uri.to_owned()).or_default())
    }
}
