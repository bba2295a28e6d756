//! The gate of an isolate: a policy, and what is remembered between requests.

use std::{cell::OnceCell, rc::Rc, time::Duration};

use sha2::{Digest as _, Sha256};
use worker::{Context, Delay, Env};

use super::{
    background, clock,
    counters::{self, Counters},
    fetch_jwks, host,
    kv::{self, Kv, Namespace},
    memory::Memory,
    objects::{
        counter as counter_object, grant_stub, key_ring_stub, ledger as ledger_object,
        ledger_stub::Ledger, login_stub, session_stub, watch_stub,
    },
    replays::CountedReplays,
    request::{HeaderNames, RequestParts},
    revocations::{self, Revocations},
    sessions::GateSessions,
};
use edgegate::{
    base64url,
    client_address::ClientAddress,
    error::{Error, StoreError},
    guard::{
        Event, Host, Identity, IsolateMemory, OnlyRead, Sparing, SparingSessions, StoreBackend,
    },
    jose::jws::HostCheck,
    policy::{Address, Audit, Binding, CacheSecs, Need, Policy, Secrets, Upstream},
    revocation::Entry,
    secret::Secret,
    store::{
        keyed::LateWrite,
        published::{Fetched, Issuers, SealedKeys},
        replays::Placed,
    },
    time::UnixMillis,
};

/// The service binding that takes the place of `upstream`.
const SERVICE: &str = "UPSTREAM";

/// The gate as one policy has it.
#[derive(Debug)]
pub(super) struct Gate {
    /// What goes on behind answers keeps it too.
    pub(super) policy: Rc<Policy>,
    /// Where admitted requests go whose route does not say.
    pub(super) upstream: Option<Upstream>,
    pub(super) names: HeaderNames,
    /// SHA-256 of the policy's text, in base64url, where there is an audit to note it.
    pub(super) digest: Option<String>,
    pub(super) memory: Rc<Memory>,
    /// The gate of the policy that may come, once it was read; `None`: it is faulty, or not there.
    candidate: OnceCell<Option<Rc<Self>>>,
}

impl Gate {
    /// The gate with the policy of this JSON.
    ///
    /// # Errors
    /// [`Error::Config`] if the policy is faulty or something it needs is not bound.
    pub(super) fn new(text: &str, env: &Env, memory: &Rc<Memory>) -> Result<Self, Error> {
        let policy = Policy::from_json(text, &EnvSecrets(env))?;
        check_bindings(&policy, env)?;
        let upstream = default_upstream(&policy, env);
        let names = HeaderNames::of(&policy);
        let is_audited = policy.watch.as_ref().is_some_and(|watch| watch.audit != Audit::Off);
        let digest = is_audited.then(|| base64url::encode(&Sha256::digest(text)));
        let (policy, memory) = (Rc::new(policy), Rc::clone(memory));
        Ok(Self { upstream, names, digest, policy, memory, candidate: OnceCell::new() })
    }

    /// Tells the log, once in a while, that addresses cannot be read.
    pub(super) fn note_address(&self, parts: &RequestParts<'_>) {
        let (address, named) = parts.address();
        if address == ClientAddress::Unreadable
            && let Some(fault) = self.memory.guard.address_fault(address, named, clock::now())
        {
            super::fault::report(&fault);
        }
    }

    /// KV, seen through this isolate's memory.
    pub(super) fn kv<'a>(&'a self, env: &'a Env) -> Kv<'a> {
        let no_cache = CacheSecs(0);
        Kv::new(
            Namespace::new(env),
            &self.memory.remembered,
            self.policy.revocation.map_or(no_cache, |policy| policy.cache_secs),
            self.policy.api_keys.as_ref().map_or(no_cache, |keys| keys.cache_secs),
        )
    }

    /// Revocations, as the policy looks them up.
    pub(super) fn revocations<'a>(&'a self, env: &'a Env, context: &'a Context) -> Revocations<'a> {
        let policy = self.policy.revocation;
        let is_spared = false;
        Revocations { kv: self.kv(env), env, context, memory: &self.memory, policy, is_spared }
    }

    /// Notes the use of an API key after the answer, at most every few minutes.
    pub(super) fn note_use(&self, identity: &Identity, env: &Env, context: &Context) {
        if identity.api_key_id().is_some()
            && let Some(write) = self.memory.guard.note_use(&self.policy, identity, clock::now())
        {
            kv::write_later(env, context, write, "last use not noted");
        }
    }

    /// The gate's own sessions, for one request.
    pub(super) fn sessions<'a>(&'a self, env: &'a Env, context: &'a Context) -> GateSessions<'a> {
        GateSessions { policy: &self.policy, memory: &self.memory, env, context }
    }

    /// Writes entries, never weaker than before, where this gate keeps revocations: all, or the store says that it does not answer.
    /// The same again does no harm.
    pub(super) async fn revoke_all(
        &self,
        env: &Env,
        entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        let ledger = self.policy.needs_ledger().then_some(Ledger { env });
        revocations::write_all(&self.kv(env), ledger, &self.memory, entries, clock::now()).await
    }

    /// The gate of the policy that may come. It has a memory of its own.
    pub(super) fn candidate(&self, read: impl FnOnce() -> Option<Self>) -> Option<&Rc<Self>> {
        self.candidate.get_or_init(|| read().map(Rc::new)).as_ref()
    }

    /// The stores of one request as this gate has them, the candidate of the gate in force: nothing is asked but what `real` remembers,
    /// and nothing is left in that. `memory` is [`IsolateMemory::beside`](edgegate::guard::IsolateMemory::beside) that of `real`.
    pub(super) fn backend_beside<'a>(
        self: &'a Rc<Self>,
        (real, memory): (&'a Rc<Self>, &'a IsolateMemory),
        env: &'a Env,
        context: &'a Context,
    ) -> OnlyRead<RequestBackend<'a>> {
        let kv = || {
            let secs = |secs: Option<CacheSecs>| secs.unwrap_or(CacheSecs(0));
            let (revocation, keys) = (real.policy.revocation, real.policy.api_keys.as_ref());
            let secs = (
                secs(revocation.map(|policy| policy.cache_secs)),
                secs(keys.map(|keys| keys.cache_secs)),
            );
            Kv::new(Namespace::spared(env), &real.memory.remembered, secs.0, secs.1)
        };
        let revocations = Revocations {
            kv: kv(),
            env,
            context,
            memory: &real.memory,
            policy: self.policy.revocation,
            is_spared: true,
        };
        let backend = StoreBackend {
            memory,
            host: WorkerHost { gate: self, env, context, is_spared: true },
            keys: kv(),
            revocations,
            counters: Sparing::new(counters::of_request(&real.memory.counters, env, context)),
            replays: Sparing::new(memory.replays(&self.policy, CountedReplays(env))),
            sessions: SparingSessions::new(real.sessions(env, context)),
            attempts: None,
        };
        backend.only_read()
    }

    /// The stores and the crypto of one request.
    pub(super) fn backend<'a>(
        self: &'a Rc<Self>,
        env: &'a Env,
        context: &'a Context,
    ) -> RequestBackend<'a> {
        let memory = &self.memory;
        StoreBackend {
            memory: &memory.guard,
            host: WorkerHost { gate: self, env, context, is_spared: false },
            keys: self.kv(env),
            revocations: self.revocations(env, context),
            counters: Sparing::new(counters::of_request(&memory.counters, env, context)),
            replays: Sparing::new(memory.guard.replays(&self.policy, CountedReplays(env))),
            sessions: SparingSessions::new(self.sessions(env, context)),
            attempts: None,
        }
    }
}

/// Where admitted requests go whose route does not say: to the policy's `upstream`, or else the service binding, or else nowhere.
/// Then the gate answers with the identity.
fn default_upstream(policy: &Policy, env: &Env) -> Option<Upstream> {
    let bound = || env.service(SERVICE).is_ok();
    policy
        .upstream
        .clone()
        .or_else(|| bound().then(|| Upstream::at(Address::Service(SERVICE.to_owned()))))
}

/// The stores and the crypto of one request.
pub(super) type RequestBackend<'a> = StoreBackend<
    'a,
    WorkerHost<'a>,
    Kv<'a>,
    Revocations<'a>,
    Counters<'a>,
    Placed<'a, CountedReplays<'a>>,
    GateSessions<'a>,
>;

/// The platform's crypto, and its way to issuers of keys.
#[derive(Debug)]
pub(super) struct WorkerHost<'a> {
    gate: &'a Gate,
    env: &'a Env,
    context: &'a Context,
    /// No issuer is asked, and no store for its keys.
    is_spared: bool,
}

impl Host for WorkerHost<'_> {
    fn takes_ed25519(&self) -> bool {
        self.gate.memory.imported.takes_ed25519()
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.gate.memory.imported.signature_holds(issuer, check).await
    }
}

impl<'a> Issuers for WorkerHost<'a> {
    type Cache = Namespace<'a>;

    fn now(&self) -> UnixMillis {
        clock::now()
    }

    async fn pause(&self, millis: u64) {
        Delay::from(Duration::from_millis(millis)).await;
    }

    async fn fetch(&self, uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
        if self.is_spared {
            return Err("is not asked".to_owned());
        }
        let (uri, etag) = (uri.to_owned(), etag.map(str::to_owned));
        let fetch = async move { fetch_jwks::fetch(&uri, etag.as_deref()).await };
        background::outlive(self.context, fetch).await
    }

    fn cache(&self) -> Option<SealedKeys<'_, Namespace<'a>>> {
        if self.is_spared {
            return None;
        }
        let seal = self.gate.policy.jwks_cache.as_ref()?;
        Some(SealedKeys::new(Namespace::new(self.env), seal))
    }

    fn write_later(&self, write: LateWrite) {
        kv::write_later(self.env, self.context, write, "keys not cached");
    }

    fn note_stale(&self, fault: &Error) {
        super::fault::warn(&Event::stale_keys(fault));
    }
}

struct EnvSecrets<'a>(&'a Env);

impl Secrets for EnvSecrets<'_> {
    fn secret(&self, name: &str) -> Option<Secret> {
        let value = self.0.secret(name).ok()?.to_string();
        Some(Secret::new(value.into_bytes()))
    }
}

/// What the policy uses has to be bound.
#[inline(never)]
fn check_bindings(policy: &Policy, env: &Env) -> Result<(), Error> {
    policy.needs().into_iter().try_for_each(|need| check_binding(need, env))
}

fn check_binding(need: Need<'_>, env: &Env) -> Result<(), Error> {
    let object = |name| (name, "Durable Object", env.durable_object(name).is_ok());
    let (name, what, is_bound) = match need.binding {
        Binding::Kv => (kv::BINDING, "KV namespace", env.kv(kv::BINDING).is_ok()),
        Binding::Counters => object(counter_object::BINDING),
        Binding::Ledger => object(ledger_object::BINDING),
        Binding::Sessions => object(session_stub::BINDING),
        Binding::Grants => object(grant_stub::BINDING),
        Binding::KeyRing => object(key_ring_stub::BINDING),
        Binding::Logins => object(login_stub::BINDING),
        Binding::Watch => object(watch_stub::BINDING),
        Binding::Service(name) => (name, "service", env.service(name).is_ok()),
        Binding::RateLimiter(name) => (name, "rate-limiting", env.rate_limiter(name).is_ok()),
        Binding::Queue(name) => (name, "Queue", host::has_queue(env, name)),
        Binding::Function => {
            let path = need.path.unwrap_or_default();
            return Err(Error::config(path, "the npm package alone has functions"));
        }
    };
    let (path, problem) = match need.path {
        _ if is_bound => return Ok(()),
        None => (name.to_owned(), format!("the policy needs this {what} binding")),
        Some(path) if what == "service" => {
            (path, format!("there is no service binding named {name}"))
        }
        Some(path) => (path, format!("expected the {what} binding {name}")),
    };
    Err(Error::Config { path, problem })
}
