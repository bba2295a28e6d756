//! What an isolate keeps between requests: the parsed policy, imported keys, memories of stores.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use wasm_bindgen::{JsCast as _, JsValue};
use worker::{Context, Env, js_sys};

use super::{
    clock, counter_object,
    jwks::RemoteKeySets,
    kv::{self, Kv, Remembered},
    proxy::Target,
    web_crypto::ImportedKeys,
};
use crate::{
    api_key::KeyId,
    error::Error,
    guard::{Backend, Failures, Identity},
    jws::HostCheck,
    keys::KeySet,
    policy::{CacheSecs, LimitStore, Policy, Records, Secrets},
    rate::{Limit, Verdict},
    secret::Secret,
    store::{CounterGroup, CounterStore, StoreError, bounded::BoundedMap, memory::MemoryCounters},
    time::UnixMillis,
};

/// The variable that holds the policy.
const POLICY: &str = "POLICY";

/// How often the last use of a key is written down, for each isolate and key. KV takes one write a
/// second for each key, and nobody needs it finer.
const NOTE_USE_EVERY_MILLIS: u64 = 5 * 60 * 1000;

/// Keys whose last use this isolate remembers to have noted.
const MAX_NOTED: usize = 10_000;

thread_local! {
    /// Set by the first request. The platform starts a new isolate when variables or secrets change.
    static GATE: RefCell<Option<Result<Rc<Gate>, Error>>> = const { RefCell::new(None) };
}

/// The state of an isolate.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) policy: Policy,
    /// Where admitted requests go.
    pub(super) target: Target,
    failures: MemoryCounters,
    counters: MemoryCounters,
    imported: ImportedKeys,
    remote: RemoteKeySets,
    remembered: Remembered,
    noted: RefCell<BoundedMap<KeyId, ()>>,
}

impl Gate {
    /// The gate of this isolate. The policy is read with the first request, once; a fault is logged then
    /// and answered from then on.
    pub(super) fn of(env: &Env) -> Result<Rc<Self>, Error> {
        GATE.with_borrow_mut(|gate| {
            gate.get_or_insert_with(|| {
                Self::read(env).map(Rc::new).inspect_err(|fault| {
                    worker::console_error!(
                        "{}",
                        serde_json::json!({
                            "event": "config_error",
                            "detail": fault.to_string(),
                        })
                    );
                })
            })
            .clone()
        })
    }

    fn read(env: &Env) -> Result<Self, Error> {
        let policy = Policy::from_json(&policy_json(env)?, &EnvSecrets(env))?;
        check_bindings(&policy, env)?;
        Ok(Self {
            target: Target::of(&policy, env),
            policy,
            failures: MemoryCounters::default(),
            counters: MemoryCounters::default(),
            imported: ImportedKeys::default(),
            remote: RemoteKeySets::default(),
            remembered: Remembered::default(),
            noted: RefCell::new(BoundedMap::new(MAX_NOTED)),
        })
    }

    /// The limit on failed authentication.
    pub(super) fn failures(&self) -> Failures<'_> {
        Failures::new(&self.policy, &self.failures)
    }

    /// KV, seen through this isolate's memory.
    pub(super) fn kv<'a>(&'a self, env: &'a Env) -> Kv<'a> {
        let no_cache = CacheSecs(0);
        Kv {
            env,
            store: OnceCell::new(),
            remembered: &self.remembered,
            entries_cache: self.policy.revocation.map_or(no_cache, |policy| policy.cache_secs),
            records_cache: self.policy.api_keys.as_ref().map_or(no_cache, |keys| keys.cache_secs),
        }
    }

    /// Notes the use of an API key after the answer, at most every few minutes.
    pub(super) fn note_use(&self, identity: &Identity, env: &Env, context: &Context) {
        let Some(id) = identity.api_key_id() else { return };
        let kept = self.policy.api_keys.as_ref().is_some_and(|keys| keys.records != Records::None);
        let now = clock::now();
        let mut noted = self.noted.borrow_mut();
        if !kept || noted.get(id, now).is_some() {
            return;
        }
        let Ok(store) = env.kv(kv::BINDING) else { return };
        noted.insert(*id, (), now.saturating_add(NOTE_USE_EVERY_MILLIS), now);
        context.wait_until(kv::note_used(store, *id, now.to_unix_time()));
    }
}

/// The stores and the crypto of one request.
#[derive(Debug)]
pub(super) struct RequestBackend<'a> {
    gate: &'a Gate,
    kv: Kv<'a>,
    counters: Counters<'a>,
}

impl<'a> RequestBackend<'a> {
    pub(super) fn new(gate: &'a Gate, env: &'a Env) -> Self {
        Self { gate, kv: gate.kv(env), counters: Counters { memory: &gate.counters, env } }
    }
}

impl<'a> Backend for RequestBackend<'a> {
    type Keys = Kv<'a>;
    type Revocations = Kv<'a>;
    type Counters = Counters<'a>;

    fn keys(&self) -> &Self::Keys {
        &self.kv
    }

    fn revocations(&self) -> &Self::Revocations {
        &self.kv
    }

    fn counters(&self) -> &Self::Counters {
        &self.counters
    }

    fn failures(&self) -> &MemoryCounters {
        &self.gate.failures
    }

    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error> {
        self.gate.imported.signature_holds(issuer, check).await
    }

    async fn remote_keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        self.gate.remote.keys(issuer, uri, key_id, now).await
    }
}

/// Counters by the store that a limit names.
#[derive(Debug)]
pub(super) struct Counters<'a> {
    memory: &'a MemoryCounters,
    env: &'a Env,
}

impl CounterStore for Counters<'_> {
    async fn take(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<Vec<Verdict>, StoreError> {
        match store {
            LimitStore::Memory => self.memory.take(store, group, limits, cost, now).await,
            LimitStore::DurableObject => counter_object::take(self.env, group, limits, cost).await,
            LimitStore::Binding(name) => {
                super::rate_limit_binding::take(self.env, name, group, limits).await
            }
        }
    }

    async fn refund(
        &self,
        store: &LimitStore,
        group: &CounterGroup,
        limits: &[Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        match store {
            LimitStore::Memory => self.memory.refund(store, group, limits, cost, now).await,
            LimitStore::DurableObject => {
                counter_object::refund(self.env, group, limits, cost).await
            }
            // A binding cannot give back, which is why it is asked last.
            LimitStore::Binding(_) => Ok(()),
        }
    }
}

struct EnvSecrets<'a>(&'a Env);

impl Secrets for EnvSecrets<'_> {
    fn secret(&self, name: &str) -> Option<Secret> {
        let value = self.0.secret(name).ok()?.to_string();
        Some(Secret::new(value.into_bytes()))
    }
}

/// The policy as JSON: an object in `wrangler.toml`, or a string with JSON.
fn policy_json(env: &Env) -> Result<String, Error> {
    let problem =
        |problem: &str| Error::Config { path: String::new(), problem: problem.to_owned() };
    let value = js_sys::Reflect::get(env, &POLICY.into()).unwrap_or(JsValue::UNDEFINED);
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    if !value.is_object() {
        return Err(problem("there is no variable POLICY"));
    }
    let text = js_sys::JSON::stringify(&value).map_err(|_| problem("POLICY cannot be read"))?;
    text.dyn_into::<js_sys::JsString>()
        .map(String::from)
        .map_err(|_| problem("POLICY cannot be read"))
}

/// What the policy uses has to be bound.
fn check_bindings(policy: &Policy, env: &Env) -> Result<(), Error> {
    let missing = |name: &str, what: &str| Error::Config {
        path: name.to_owned(),
        problem: format!("the policy needs this {what} binding"),
    };
    if policy.needs_kv() && env.kv(kv::BINDING).is_err() {
        return Err(missing(kv::BINDING, "KV namespace"));
    }
    if policy.needs_durable_objects() && env.durable_object(counter_object::BINDING).is_err() {
        return Err(missing(counter_object::BINDING, "Durable Object"));
    }
    for name in policy.rate_limit_bindings() {
        if env.rate_limiter(name).is_err() {
            return Err(missing(name, "rate-limiting"));
        }
    }
    Ok(())
}
