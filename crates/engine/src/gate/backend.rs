//! What a gate keeps between checks, and the guard's backend, which asks the host.

use std::{cell::RefCell, rc::Rc};

use serde::Deserialize;

use super::late::Late;
use super::logins::GateLogins;
use super::mail_waits::MailWaits;
use super::sessions::GateSessions;
use super::stores::{HostStore, HostSwap};
use super::task::{HostJobs, Job};
use super::watching::Watching;
use crate::host::{self, Verdict as SignatureVerdict};
use edgegate::error::Error;
use edgegate::guard::{
    Event, Host, Identity, IsolateMemory, Sparing, SparingSessions, StoreBackend,
};
use edgegate::jose::jws::HostCheck;
use edgegate::policy::{CacheSecs, Policy};
use edgegate::store::key_ring::RingMemory;
use edgegate::store::keyed::{Keyed, LateWrite, Remembered};
use edgegate::store::limit_stores::{CountersByStore, NoStore};
use edgegate::store::memory::MemoryCounters;
use edgegate::store::published::{Fetched, Issuers, SealedKeys};
use edgegate::store::replays::{Placed, SharedReplays};
use edgegate::store::sessions::SharedPaces;
use edgegate::store::shared::SharedCounters;
use edgegate::time::UnixMillis;

/// The store of issuers' keys.
const JWKS: &str = "jwks";

/// The store of exact counters, and of used proofs.
const COUNTERS: &str = "counters";

/// The state of a gate. It is lost with the instance.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) policy: Policy,
    /// Whether there is a store for the keys of issuers.
    shares_keys: bool,
    pub(super) memory: IsolateMemory,
    counters: MemoryCounters,
    entries: Remembered,
    records: Remembered,
    /// The key ring of sessions.
    ring: RingMemory,
    /// The paces of subjects.
    pub(super) paces: Rc<SharedPaces>,
    /// What is left to be done once answers are out.
    pub(super) late: RefCell<Vec<Late>>,
    /// Where mails wait to be handed over.
    pub(super) mails: MailWaits,
    /// `None`: the policy does not watch, or nobody is served.
    pub(super) watching: Option<Watching>,
}

impl Gate {
    pub(super) fn new(policy: Policy, shares_keys: bool, watching: Option<Watching>) -> Self {
        Self {
            policy,
            shares_keys,
            memory: IsolateMemory::default(),
            counters: MemoryCounters::default(),
            entries: Remembered::default(),
            records: Remembered::default(),
            ring: RingMemory::default(),
            paces: Rc::default(),
            late: RefCell::default(),
            mails: MailWaits::default(),
            watching,
        }
    }

    /// Notes the use of an API key after the answer, at most every few minutes.
    pub(super) fn note_use(&self, identity: &Identity, jobs: &HostJobs) {
        if let Some(write) = self.memory.note_use(&self.policy, identity, jobs.now()) {
            jobs.write_later("keys", "last use not noted", &write);
        }
    }

    /// The gate's own sessions, for one check.
    pub(super) fn sessions<'a>(&'a self, jobs: &'a HostJobs) -> GateSessions<'a> {
        let own = self.policy.sessions.as_ref();
        GateSessions {
            own,
            memory: &self.memory.sessions,
            ring: &self.ring,
            paces: &self.paces,
            late: &self.late,
            jobs,
        }
    }

    /// What logins ask of the host, for one request.
    pub(super) fn logins<'a>(&'a self, jobs: &'a HostJobs) -> GateLogins<'a> {
        GateLogins { memory: &self.memory.logins, crypto: self.sessions(jobs), jobs }
    }

    /// The stores and the crypto of one check.
    pub(super) fn backend<'a>(&'a self, jobs: &'a HostJobs) -> HostBackend<'a> {
        let store = |name| HostStore { name, jobs };
        let no_cache = CacheSecs(0);
        let entries_cache = self.policy.revocation.map_or(no_cache, |policy| policy.cache_secs);
        let records_cache = self.policy.api_keys.as_ref().map_or(no_cache, |keys| keys.cache_secs);
        StoreBackend {
            memory: &self.memory,
            host: GateHost { gate: self, jobs },
            keys: Keyed::new(store("keys"), &self.records, no_cache, records_cache),
            revocations: Keyed::new(store("revocation"), &self.entries, entries_cache, no_cache),
            counters: Sparing::new(
                CountersByStore::in_memory(&self.counters)
                    .with_exact(SharedCounters::new(HostSwap { jobs, store: COUNTERS })),
            ),
            replays: Sparing::new(
                self.memory
                    .replays(&self.policy, SharedReplays::new(HostSwap { jobs, store: COUNTERS })),
            ),
            sessions: SparingSessions::new(self.sessions(jobs)),
            attempts: None,
        }
    }
}

/// The stores and the crypto of one check.
pub(super) type HostBackend<'a> = StoreBackend<
    'a,
    GateHost<'a>,
    Keyed<'a, HostStore<'a>>,
    Keyed<'a, HostStore<'a>>,
    CountersByStore<&'a MemoryCounters, NoStore, SharedCounters<HostSwap<'a>>>,
    Placed<'a, SharedReplays<HostSwap<'a>>>,
    GateSessions<'a>,
>;

/// The host's crypto, and its way to issuers of keys.
#[derive(Debug)]
pub(super) struct GateHost<'a> {
    gate: &'a Gate,
    jobs: &'a HostJobs,
}

impl Host for GateHost<'_> {
    fn takes_ed25519(&self) -> bool {
        true
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        match host::ask(check, issuer)? {
            SignatureVerdict::Holds => Ok(true),
            SignatureVerdict::Bad => Ok(false),
            SignatureVerdict::Pending => {
                let verdict = self.jobs.ask::<Option<bool>>(Job::Signature).await;
                let verdict = verdict.and_then(|verdict| {
                    verdict.ok_or_else(|| "the host refuses the key".to_owned())
                });
                verdict.or_else(|problem| {
                    check.decide_here().ok_or_else(|| Error::KeysUnavailable {
                        issuer: issuer.to_owned(),
                        problem,
                    })
                })
            }
        }
    }
}

impl<'a> Issuers for GateHost<'a> {
    type Cache = HostStore<'a>;

    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn pause(&self, millis: u64) {
        // If the host cannot wait, it is asked again at once.
        drop(self.jobs.ask::<()>(Job::Pause { millis }).await);
    }

    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
        let answer: Published = self.jobs.ask(Job::FetchKeys { uri, etag }).await?;
        Ok(answer.into())
    }

    fn cache(&self) -> Option<SealedKeys<'_, HostStore<'a>>> {
        let seal = self.gate.policy.jwks_cache.as_ref().filter(|_| self.gate.shares_keys)?;
        Some(SealedKeys::new(HostStore { name: JWKS, jobs: self.jobs }, seal))
    }

    fn write_later(&self, write: LateWrite) {
        self.jobs.write_later(JWKS, "keys not cached", &write);
    }

    fn note_stale(&self, fault: &Error) {
        let event = Event::stale_keys(fault).at(self.jobs.now());
        self.jobs.tell(&Job::Note { event });
    }
}

/// The answer of an issuer. `missing`: it has no keys there (404 or 410). Otherwise, without `jwks`: nothing has changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    missing: Option<u16>,
    jwks: Option<String>,
    etag: Option<String>,
    cache_control: Option<String>,
}

impl From<Published> for Fetched {
    fn from(Published { missing, jwks, etag, cache_control }: Published) -> Self {
        match (missing, jwks) {
            (Some(status), _) => Self::Missing { status },
            (None, Some(jwks)) => Self::Keys { jwks, etag, cache_control },
            (None, None) => Self::NotModified { cache_control },
        }
    }
}
