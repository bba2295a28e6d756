//! The gate's own sessions over the host: its store keeps the subjects, it signs, and it gives random bytes.
//!
//! No process is there to make up for one that died: revocations are written before the row goes ([`Sessions::has_alarm`]).

use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::backend::{Gate, HostSwap};
use super::task::{HostJobs, Job, Outcome as Done};
use edgegate::base64url;
use edgegate::error::{Error, StoreError};
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::session::notices;
use edgegate::guard::{Event, Request, SessionMemory, SessionNote, Sessions as SessionsOfHost};
use edgegate::jose::{dpop::ReplayKey, keys::KeySet, sign::Signing};
use edgegate::session::ObjectName;
use edgegate::session::csrf::Provenance;
use edgegate::session::key_ring::{KeyRing, RingKey};
use edgegate::session::record::{Device, Notice};
use edgegate::session::step::{Confirm, Outcome, Step, Which};
use edgegate::store::ReplayStore as _;
use edgegate::store::replays::SharedReplays;
use edgegate::store::sessions::{Patience, SessionStore, SharedSessions};
use edgegate::time::UnixMillis;

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Fills the bytes at an address with random ones. 0 if the host has none.
    #[wasm_bindgen(js_name = randomBytes)]
    safe fn random_bytes(address: usize, length: usize) -> u32;
}

/// The store of subjects.
const SESSIONS: &str = "sessions";

/// How much may be left to be done once answers are out. What finds no room is done by a later request.
const MAX_LATE: usize = 1000;

/// Something to be done once the answer is out.
#[derive(Debug)]
pub(super) enum Late {
    /// A token was seen in use.
    Confirm(ObjectName, Confirm),
    /// A session was ended.
    Deliver(ObjectName, Vec<Notice>),
}

/// The sessions of one check.
#[derive(Debug)]
pub(super) struct GateSessions<'a> {
    pub(super) gate: &'a Gate,
    pub(super) jobs: &'a HostJobs,
}

impl<'a> GateSessions<'a> {
    fn swap(&self) -> HostSwap<'a> {
        HostSwap { jobs: self.jobs, store: SESSIONS }
    }

    fn ring(&self) -> Result<&'a KeyRing, Error> {
        let own = self.gate.policy.sessions.as_ref();
        let ring = own.and_then(|own| own.keys.as_ref());
        ring.ok_or_else(|| unavailable("the policy has no keys for sessions"))
    }

    async fn sign_at_host(
        &self,
        key: &RingKey,
        alg: &str,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let message = core::str::from_utf8(message).map_err(|_| unavailable("not text"))?;
        let kid = key.kid();
        let ask = || self.jobs.ask::<Option<String>>(Job::Sign { kid, alg, message });
        let mut signature = ask().await.map_err(|problem| unavailable(&problem))?;
        if signature.is_none() {
            let jwk = key.private_jwk().map_or(&[][..], |jwk| jwk.expose_secret());
            let jwk = core::str::from_utf8(jwk).map_err(|_| unavailable("not text"))?;
            let taken = self.jobs.ask::<()>(Job::TakeSigner { kid, alg, jwk }).await;
            taken.map_err(|problem| unavailable(&problem))?;
            signature = ask().await.map_err(|problem| unavailable(&problem))?;
        }
        let signature = signature.as_deref().and_then(base64url::decode);
        signature.ok_or_else(|| unavailable("the host has not signed"))
    }
}

fn unavailable(problem: &str) -> Error {
    Error::KeysUnavailable { issuer: SESSIONS.to_owned(), problem: problem.to_owned() }
}

impl SessionStore for GateSessions<'_> {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        _patience: Patience,
    ) -> Result<Outcome, StoreError> {
        let shared = SharedSessions::with_paces(self.swap(), Rc::clone(&self.gate.paces));
        shared.apply_at(object, step, self.jobs.now()).await
    }
}

impl SessionsOfHost for GateSessions<'_> {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        &self.gate.memory.sessions
    }

    fn has_alarm(&self) -> bool {
        false
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        match random_bytes(bytes.as_mut_ptr().addr(), bytes.len()) {
            1 => Ok(()),
            _ => Err(StoreError::new("the host gives no random bytes")),
        }
    }

    async fn first_use(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        SharedReplays::new(self.swap()).is_first(key, until, now).await
    }

    async fn verifying_keys(&self, _: Option<&str>, _: UnixMillis) -> Result<Rc<KeySet>, Error> {
        Ok(self.ring()?.verifying())
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        let key = self.ring()?.signing_key(now.to_unix_time())?;
        match key.sign(claims, typ)? {
            Signing::Done(token) => Ok(token),
            Signing::NeedsHost(unsigned) => {
                let alg = unsigned.algorithm().as_str();
                let signature = self.sign_at_host(key, alg, unsigned.message()).await?;
                unsigned.finish(&signature)
            }
        }
    }
}

/// Takes what a decision leaves to be done: tells the log at once, the rest once the answer is out.
pub(super) fn work_off(gate: &Gate, jobs: &HostJobs, note: &SessionNote) {
    if note.is_done() {
        return;
    }
    for event in &note.events {
        let event = Event::fault(event.told()).at(jobs.now());
        jobs.tell(&Job::Note { event });
    }
    let confirm = note.confirm.map(|(object, seen)| Late::Confirm(object, seen));
    let deliver = note.notices.clone().map(|(object, notices)| Late::Deliver(object, notices));
    let mut late = gate.late.borrow_mut();
    let before = late.len();
    late.extend(confirm.into_iter().chain(deliver));
    late.truncate(MAX_LATE);
    if late.len() > before {
        jobs.tell(&Job::WorkOff);
    }
}

/// Does what answers have left.
///
/// # Errors
/// None: what fails is done by a later request.
pub(super) async fn do_late(gate: Rc<Gate>, jobs: Rc<HostJobs>) -> Result<Done, Error> {
    let all = core::mem::take(&mut *gate.late.borrow_mut());
    let sessions = GateSessions { gate: &gate, jobs: &jobs };
    for one in all {
        match one {
            Late::Confirm(object, seen) => {
                let step = Step::Confirm(seen);
                if let Ok(outcome) = sessions.apply(&object, &step, Patience::Usual).await {
                    gate.memory.sessions.note_told(&seen, &outcome, jobs.now());
                }
            }
            Late::Deliver(object, notices) => {
                let Some(own) = &gate.policy.sessions else { continue };
                let backend = gate.backend(&jobs);
                drop(notices::deliver(own, &backend, (object, notices), jobs.now()).await);
            }
        }
    }
    Ok(Done { text: "null".to_owned(), claims: None })
}

/// What `gate.sessions` asks for. `body` is the body that the Worker's endpoint takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Sessions {
    Open { body: Box<RawValue>, agent: Option<String>, network: Option<String> },
    List { subject: String },
    End { subject: String, id: String },
    EndOthers { subject: String, id: String },
    EndAll { subject: String },
    Narrow { id: String, body: Box<RawValue> },
    Disable { body: Box<RawValue> },
    Enable { body: Box<RawValue> },
    Forget { subject: String },
}

pub(super) async fn administer(
    gate: Rc<Gate>,
    asked: Sessions,
    jobs: Rc<HostJobs>,
) -> Result<Done, Error> {
    let policy = &gate.policy;
    if policy.sessions.is_none() {
        let problem = "the policy has none, so there is nothing to administer";
        return Err(Error::config(SESSIONS, problem));
    }
    let request = of_nobody();
    let backend = gate.backend(&jobs);
    let endpoints = Endpoints::new(policy, &backend, &request, jobs.now())?;
    let answer = match asked {
        Sessions::Open { body, agent, network } => {
            let device = Device { agent, country: None, network };
            endpoints.open(body.get().as_bytes(), device).await?
        }
        Sessions::List { subject } => endpoints.list_of(&subject).await?,
        Sessions::End { subject, id } => endpoints.end_for(&subject, Which::One, &id).await?,
        Sessions::EndOthers { subject, id } => {
            endpoints.end_for(&subject, Which::Others, &id).await?
        }
        Sessions::EndAll { subject } => endpoints.end_all_of(&subject).await?,
        Sessions::Narrow { id, body } => endpoints.narrow(&id, body.get().as_bytes()).await?,
        Sessions::Disable { body } => endpoints.disable(body.get().as_bytes()).await?,
        Sessions::Enable { body } => endpoints.enable(body.get().as_bytes()).await?,
        Sessions::Forget { subject } => endpoints.forget(&subject).await?,
    };
    let Answer { body, note, .. } = answer;
    work_off(&gate, &jobs, &note);
    let text = if body.is_empty() { "null".to_owned() } else { body };
    Ok(Done { text, claims: None })
}

/// An application asks, not a caller.
const fn of_nobody() -> Request<'static> {
    Request {
        method: "POST",
        path: "/",
        authorization: None,
        dpop: None,
        url: None,
        api_key: None,
        cookie: None,
        credential_headers: &[],
        client_ip: None,
        preflight: None,
        provenance: Provenance { method: "POST", fetch_site: None, origin: None, upgrades: false },
    }
}
