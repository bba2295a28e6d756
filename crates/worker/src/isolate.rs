//! The policy in force in this isolate, from the variable or from KV.
//!
//! One in KV is read again every so often, after the answer to a request. A new one is taken only if all of
//! it is valid; otherwise the last good one stays in force, the log says why, and health says so.

use std::{cell::RefCell, rc::Rc};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{Context, Env, js_sys};

use super::{background, clock, deadline, gate::Gate, kv, memory::Memory};
use edgegate::{
    cold_path::cold,
    error::Error,
    guard::Event,
    policy::{MAX_POLICY_LENGTH, PolicySource, Reloading, Turn},
    session::SessionId,
    time::{UnixMillis, UnixTime},
};

/// The variable that holds the policy, or says where it is.
const POLICY: &str = "POLICY";

/// The policy's key in KV.
const STORED: &str = "policy/v1";

/// How old an answer of KV may be, in seconds: the least that KV takes.
const KV_CACHE_SECS: u64 = 30;

/// The gate of an isolate, or why there is none.
pub(super) type IsolateGate = Result<Rc<Gate>, Error>;

thread_local! {
    /// Set while the isolate starts, or by the first request. The platform starts a new isolate when variables or secrets change.
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

/// The state of an isolate between requests.
struct Isolate {
    memory: Rc<Memory>,
    gate: IsolateGate,
    /// Only where the policy is in KV.
    stored: Option<Stored>,
}

/// A policy in KV.
struct Stored {
    reloading: Reloading,
    /// The last text that was read. It is not judged again until it changes.
    judged: Option<Judged>,
    state: State,
    /// When the policy in force was taken.
    since: Option<UnixTime>,
}

/// A text that was read, and the judgement of it. Secrets and bindings do not change in an isolate's life, so the
/// judgement would be the same again.
struct Judged {
    /// SHA-256 of the text; `None`: there was none.
    digest: Option<[u8; 32]>,
    state: State,
}

/// The newest policy in KV, for health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It is in force.
    Current,
    /// It is faulty, and an older one in force, if any.
    Rejected,
    /// It cannot be read.
    Unreachable,
}

/// The policy in KV, as health reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct StoredPolicy {
    pub(super) state: State,
    /// When the one in force was taken, in seconds since 1970.
    since: Option<UnixTime>,
}

/// The gate of this isolate.
///
/// # Errors
/// [`Error::Config`] if there is no valid policy, [`Error::StoreUnavailable`] if there is none yet because
/// KV does not answer.
pub(super) async fn gate(env: &Env, context: &Context) -> IsolateGate {
    match turn(env) {
        Turn::Use => {}
        Turn::Load => cold(reload(env)).await,
        Turn::UseAndReload => {
            let env = env.clone();
            background::run(context, async move { reload(&env).await });
        }
    }
    with(env, |isolate| isolate.gate.clone())
}

/// The gate of this isolate for a Durable Object, which has no request behind whose answer the policy could be read again.
///
/// # Errors
/// As [`gate`].
pub(super) async fn gate_of_object(env: &Env) -> IsolateGate {
    match turn(env) {
        Turn::Use => {}
        Turn::Load | Turn::UseAndReload => reload(env).await,
    }
    with(env, |isolate| isolate.gate.clone())
}

/// Whether this isolate knows that a session has ended.
pub(super) fn has_ended(session: SessionId, now: UnixMillis) -> bool {
    ISOLATE.with_borrow(|isolate| {
        let memory = isolate.as_ref().map(|isolate| &isolate.memory);
        memory.is_some_and(|memory| memory.sessions.known.has_ended(session, now))
    })
}

/// The state of the policy in KV; `None` if the policy is in the variable.
pub(super) fn stored_policy() -> Option<StoredPolicy> {
    ISOLATE.with_borrow(|isolate| {
        let stored = isolate.as_ref()?.stored.as_ref()?;
        Some(StoredPolicy { state: stored.state, since: stored.since })
    })
}

/// Reads the policy while the isolate starts, so that its first request need not wait for that. A faulty one is left to the
/// first request: what is logged before there is one, nobody sees.
pub(super) fn prepare(env: &Env) {
    let isolate = Isolate::new(env);
    if isolate.fault().is_none() {
        ISOLATE.with_borrow_mut(|known| {
            known.get_or_insert(isolate);
        });
    }
}

fn turn(env: &Env) -> Turn {
    with(env, |isolate| {
        let in_force = isolate.gate.is_ok();
        let reloading = isolate.stored.as_mut().map(|stored| &mut stored.reloading);
        reloading.map_or(Turn::Use, |reloading| reloading.turn(in_force, clock::now()))
    })
}

fn with<T>(env: &Env, step: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| step(isolate.get_or_insert_with(|| at_first_request(env))))
}

#[inline(never)]
fn at_first_request(env: &Env) -> Isolate {
    let isolate = Isolate::new(env);
    if let Some(fault) = isolate.fault() {
        log(fault, false);
    }
    isolate
}

impl Isolate {
    fn new(env: &Env) -> Self {
        let memory = Rc::default();
        let read = policy_variable(env, POLICY).and_then(|text| {
            Ok(match PolicySource::of(&text)? {
                PolicySource::Inline => (Gate::new(&text, env, &memory).map(Rc::new), None),
                PolicySource::Kv { reload_secs } => {
                    let stored = Stored {
                        reloading: Reloading::every(reload_secs),
                        judged: None,
                        state: State::Unreachable,
                        since: None,
                    };
                    (Err(unreachable("has not been read yet")), Some(stored))
                }
            })
        });
        let (gate, stored) = read.unwrap_or_else(|fault| (Err(fault), None));
        Self { memory, gate, stored }
    }

    /// What is wrong with the variable.
    fn fault(&self) -> Option<&Error> {
        self.gate.as_ref().err().filter(|_| self.stored.is_none())
    }

    /// Takes the policy's text from KV; `None`: KV has none.
    fn take(&mut self, text: Option<String>, env: &Env) {
        let Some(stored) = &mut self.stored else { return };
        let digest = text.as_ref().map(|text| Sha256::digest(text.as_bytes()).into());
        if let Some(judged) = stored.judged.as_ref().filter(|judged| judged.digest == digest) {
            stored.state = judged.state;
            return;
        }
        let gate = match text {
            Some(text) if text.len() > MAX_POLICY_LENGTH => {
                Err(stored_fault("is longer than 4 MiB"))
            }
            Some(text) => Gate::new(&text, env, &self.memory),
            None => Err(stored_fault("there is no such key in EDGEGATE_KV")),
        };
        match gate {
            Ok(gate) => {
                self.gate = Ok(Rc::new(gate));
                stored.state = State::Current;
                stored.since = Some(clock::now().to_unix_time());
            }
            Err(fault) => {
                log(&fault, self.gate.is_ok());
                stored.state = State::Rejected;
                if self.gate.is_err() {
                    self.gate = Err(fault);
                }
            }
        }
        stored.judged = Some(Judged { digest, state: stored.state });
    }

    /// Takes note that KV could not be read.
    fn miss(&mut self, fault: &Error) {
        log(fault, self.gate.is_ok());
        let Some(stored) = &mut self.stored else { return };
        stored.state = State::Unreachable;
        if stored.judged.is_none() {
            self.gate = Err(fault.clone());
        }
    }
}

/// Reads the policy from KV and takes it if it is good.
async fn reload(env: &Env) {
    let read = read(env).await;
    with(env, |isolate| {
        match read {
            Ok(text) => isolate.take(text, env),
            Err(fault) => isolate.miss(&fault),
        }
        if let Some(stored) = &mut isolate.stored {
            stored.reloading.ended(clock::now());
        }
    });
}

async fn read(env: &Env) -> Result<Option<String>, Error> {
    let store = env.kv(kv::BINDING).map_err(|_| Error::Config {
        path: kv::BINDING.to_owned(),
        problem: "the policy is to be read from this KV namespace binding".to_owned(),
    })?;
    let text = store.get(STORED).cache_ttl(KV_CACHE_SECS).text();
    match deadline::within(deadline::STORE, text).await {
        Some(Ok(text)) => Ok(text),
        Some(Err(fault)) => Err(unreachable(&format!("KV: {fault}"))),
        None => Err(unreachable("KV did not answer in time")),
    }
}

fn unreachable(problem: &str) -> Error {
    Error::StoreUnavailable { store: "policy", problem: problem.to_owned() }
}

fn stored_fault(problem: &str) -> Error {
    Error::Config { path: STORED.to_owned(), problem: problem.to_owned() }
}

/// Says what is wrong; `kept`: whether an older policy stays in force.
fn log(fault: &Error, kept: bool) {
    worker::console_error!("{}", Event::policy_not_taken(fault, kept).line());
}

/// The variable as JSON: an object in `wrangler.toml`, or a string with JSON.
pub(super) fn policy_variable(env: &Env, name: &str) -> Result<String, Error> {
    let problem = |problem: String| Error::Config { path: String::new(), problem };
    let value = js_sys::Reflect::get(env, &name.into()).unwrap_or(JsValue::UNDEFINED);
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    if !value.is_object() {
        return Err(problem(format!("there is no variable {name}")));
    }
    let unreadable = || problem(format!("{name} cannot be read"));
    let text = js_sys::JSON::stringify(&value).map_err(|_| unreadable())?;
    text.dyn_into::<js_sys::JsString>().map(String::from).map_err(|_| unreadable())
}
