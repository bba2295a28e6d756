//! The host's stores, as the guard asks them: each question is a job.

use serde::Deserialize;

use super::task::{HostJobs, Job};
use edgegate::store::keyed::KeyValue;
use edgegate::store::shared::SwapStore;
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{error::StoreError, store::Page};

/// One of the host's stores.
#[derive(Debug)]
pub(super) struct HostStore<'a> {
    pub(super) name: &'static str,
    pub(super) jobs: &'a HostJobs,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<String>,
    cursor: Option<String>,
}

impl KeyValue for HostStore<'_> {
    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.jobs.ask_store(Job::Get { store: self.name, names }).await
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let now = self.jobs.now().to_unix_time();
        let ttl_secs = expires_at.map(|at| at.secs_since(now).max(1));
        let job = Job::Put { store: self.name, name, value, ttl_secs };
        self.jobs.ask_store::<()>(job).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.jobs.ask_store::<()>(Job::Delete { store: self.name, name }).await
    }

    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let job = Job::List { store: self.name, prefix, cursor, limit };
        let Listed { keys, cursor } = self.jobs.ask_store(job).await?;
        Ok(Page { items: keys, cursor })
    }
}

/// A store of the host's that compares and swaps.
#[derive(Debug)]
pub(super) struct HostSwap<'a> {
    pub(super) jobs: &'a HostJobs,
    pub(super) store: &'static str,
}

impl SwapStore for HostSwap<'_> {
    async fn load(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.jobs.ask_store(Job::Load { store: self.store, name }).await
    }

    async fn swap(
        &self,
        name: &str,
        expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        // It is rounded up: it does no harm to keep it a little longer.
        let ttl_secs = until.millis_since(self.jobs.now()).div_ceil(1000).max(1);
        self.jobs.ask_store(Job::Swap { store: self.store, name, expected, next, ttl_secs }).await
    }

    fn release(&self, name: &str) {
        self.jobs.tell(&Job::Release { name });
    }
}
