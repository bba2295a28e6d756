//! The gate's own sessions, for one request: who keeps the subjects, the key ring as this isolate knows it, and what is left to be
//! done behind an answer.

use core::{future::Future, time::Duration};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use worker::{Context, Delay, Env};

use super::{
    background, clock, deadline, fault,
    gate::Gate,
    objects::{key_ring as key_ring_object, session as session_object},
    replays::CountedReplays,
    revocations, web_crypto,
};
use edgegate::{
    error::{Error, StoreError},
    guard::{SessionMemory, SessionNote, Sessions, session::notices::entry_of},
    http::reply::Fields,
    jose::{dpop::ReplayKey, keys::KeySet, sign::Signing},
    policy::SessionPolicy,
    session::{
        ObjectName,
        key_ring::{ASK_AGAIN_SECS, KeyRing, RING_CACHE_SECS},
        record::Notice,
        step::{Acknowledge, Confirm, Outcome, Step},
    },
    store::sessions::{Patience, SessionStore},
    time::UnixMillis,
};

/// The pause between two looks whether another request has read the ring.
const LOOK: Duration = Duration::from_millis(20);

/// The most such looks: as long as a store is waited for.
const MAX_LOOKS: u32 = 100;

/// For how long a ring that could not be read is not asked for again.
const PAUSE_MILLIS: u64 = 1000;

/// How long it may take to read the ring: a little longer than a store is waited for.
const LOST_MILLIS: u64 = 3000;

/// What an isolate remembers of sessions.
#[derive(Debug, Default)]
pub(super) struct LocalSessions {
    pub(super) known: SessionMemory,
    ring: RefCell<Option<Held>>,
    /// When the ring was last asked for.
    asked_at: Cell<Option<UnixMillis>>,
    /// Whether an answer to that is still to come.
    is_asking: Cell<bool>,
}

#[derive(Debug, Clone)]
struct Held {
    ring: Rc<KeyRing>,
    read_at: UnixMillis,
}

impl LocalSessions {
    /// The ring, if it was read in the last so many seconds.
    fn ring(&self, secs: u64, now: UnixMillis) -> Option<Rc<KeyRing>> {
        let held = self.ring.borrow();
        let held = held.as_ref()?;
        let is_fresh = now.millis_since(held.read_at) < secs.saturating_mul(1000);
        is_fresh.then(|| Rc::clone(&held.ring))
    }

    fn any_ring(&self) -> Option<Rc<KeyRing>> {
        self.ring.borrow().as_ref().map(|held| Rc::clone(&held.ring))
    }

    /// Whether an answer is still to come. One that takes longer than it can was lost with its request.
    fn is_asking(&self, now: UnixMillis) -> bool {
        self.is_asking.get() && self.asked_within(LOST_MILLIS, now)
    }

    fn asked_within(&self, millis: u64, now: UnixMillis) -> bool {
        self.asked_at.get().is_some_and(|at| now.millis_since(at) < millis)
    }
}

/// The sessions of a gate.
#[derive(Debug)]
pub(super) struct GateSessions<'a> {
    pub(super) gate: &'a Rc<Gate>,
    pub(super) env: &'a Env,
    pub(super) context: &'a Context,
}

impl SessionStore for GateSessions<'_> {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError> {
        let limit = match patience {
            Patience::Usual => deadline::STORE,
            Patience::Millis(millis) => Duration::from_millis(millis.into()),
        };
        session_object::apply(self.env, object, step, limit).await
    }
}

impl Sessions for GateSessions<'_> {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn memory(&self) -> &SessionMemory {
        &self.local().known
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        getrandom::fill(bytes).map_err(|_| StoreError::new("the runtime gives no random bytes"))
    }

    async fn first_use(
        &self,
        key: &ReplayKey,
        until: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        CountedReplays(self.env).is_first_assertion(key, until, now).await
    }

    async fn verifying_keys(
        &self,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error> {
        if let Some(ring) = &self.own()?.keys {
            return Ok(ring.verifying());
        }
        // An older one than is signed by still verifies, where no newer one is to be had.
        let known = match self.ring(now).await {
            Ok(ring) => ring,
            Err(fault) => self.local().any_ring().ok_or(fault)?,
        };
        let is_unknown = kid.is_some_and(|kid| !known.verifying().answers_to(kid));
        if is_unknown && !self.local().asked_within(ASK_AGAIN_SECS.saturating_mul(1000), now) {
            let newer = self.ask(now).await;
            return Ok(newer.unwrap_or(known).verifying());
        }
        Ok(known.verifying())
    }

    async fn sign(&self, claims: &str, typ: &str, now: UnixMillis) -> Result<String, Error> {
        let own = self.own()?;
        match &own.keys {
            Some(ring) => self.sign_by(ring, (claims, typ), now).await,
            None => self.sign_by(&*self.ring(now).await?, (claims, typ), now).await,
        }
    }
}

impl GateSessions<'_> {
    fn own(&self) -> Result<&SessionPolicy, Error> {
        self.gate.policy.sessions.as_ref().ok_or_else(|| unavailable("the policy has no sessions"))
    }

    fn local(&self) -> &LocalSessions {
        &self.gate.memory.sessions
    }

    async fn sign_by(
        &self,
        ring: &KeyRing,
        (claims, typ): (&str, &str),
        now: UnixMillis,
    ) -> Result<String, Error> {
        let key = ring.signing_key(now.to_unix_time())?;
        match key.sign(claims, typ)? {
            Signing::Done(token) => Ok(token),
            Signing::NeedsHost(unsigned) => {
                let keys = &self.gate.memory.imported;
                let signed = keys.sign(key, unsigned.algorithm(), unsigned.message()).await;
                let signed = signed.map_err(|fault| unavailable(&web_crypto::describe(&fault)))?;
                unsigned.finish(&signed)
            }
        }
    }

    /// The keys that anybody may have (RFC 7517 §5).
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    pub(super) async fn jwks(&self, now: UnixMillis) -> Result<String, Error> {
        match &self.own()?.keys {
            Some(ring) => Ok(ring.jwks()),
            None => Ok(self.ring(now).await?.jwks()),
        }
    }

    /// The managed ring, fresh enough to sign by. It is read anew behind an answer once half its time is over.
    async fn ring(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        let local = self.local();
        if let Some(ring) = local.ring(RING_CACHE_SECS, now) {
            let is_old = local.ring(RING_CACHE_SECS.div_euclid(2), now).is_none();
            if is_old && !local.is_asking(now) && !local.asked_within(PAUSE_MILLIS, now) {
                drop(self.begin(now));
            }
            return Ok(ring);
        }
        self.ask(now).await
    }

    /// Asks the object, or waits for another request of this isolate that does.
    async fn ask(&self, now: UnixMillis) -> Result<Rc<KeyRing>, Error> {
        let local = self.local();
        if !local.is_asking(now) {
            if local.asked_within(PAUSE_MILLIS, now) && local.ring(RING_CACHE_SECS, now).is_none() {
                return Err(unavailable("the key ring did not answer a moment ago"));
            }
            return self.begin(now).await;
        }
        for _ in 0..MAX_LOOKS {
            Delay::from(LOOK).await;
            if !local.is_asking(clock::now()) {
                break;
            }
        }
        let read = local.ring(RING_CACHE_SECS, clock::now());
        read.ok_or_else(|| unavailable("the key ring does not answer"))
    }

    /// Begins to read it, which goes on whether or not it is waited for: others may.
    fn begin(&self, now: UnixMillis) -> impl Future<Output = Result<Rc<KeyRing>, Error>> {
        let (gate, env) = (Rc::clone(self.gate), self.env.clone());
        self.local().asked_at.set(Some(now));
        self.local().is_asking.set(true);
        background::outlive(self.context, async move {
            let read = read_ring(&gate, &env).await;
            let local = &gate.memory.sessions;
            local.is_asking.set(false);
            match read {
                Ok(ring) => {
                    let ring = Rc::new(ring);
                    let held = Held { ring: Rc::clone(&ring), read_at: now };
                    *local.ring.borrow_mut() = Some(held);
                    Ok(ring)
                }
                Err(error) => {
                    fault::report(&error.to_string());
                    Err(error)
                }
            }
        })
    }
}

async fn read_ring(gate: &Gate, env: &Env) -> Result<KeyRing, Error> {
    let own = gate.policy.sessions.as_ref().ok_or_else(|| unavailable("there are no sessions"))?;
    let problem = |fault: StoreError| unavailable(&fault.to_string());
    let record = key_ring_object::read(env, own.terms.access_secs).await.map_err(problem)?;
    let mut opened = Vec::with_capacity(record.keys.len());
    for stored in &record.keys {
        opened.push(key_ring_object::open(own, stored).await.map_err(problem)?);
    }
    let mut opened = opened.into_iter();
    KeyRing::from_record(&record, |_| opened.next().ok_or_else(|| unavailable("a key is missing")))
}

fn unavailable(problem: &str) -> Error {
    Error::KeysUnavailable { issuer: "sessions".to_owned(), problem: problem.to_owned() }
}

/// Does what a decision leaves to be done behind the answer: tells the log and the object, and makes known what has ended.
#[inline(never)]
pub(super) fn work_off(gate: &Rc<Gate>, (env, context): (&Env, &Context), note: &SessionNote) {
    note.events.iter().for_each(|event| fault::report(event.told()));
    if let Some((object, seen)) = note.confirm {
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move { confirm(&gate, &env, object, seen).await });
    }
    if let Some((object, notices)) = note.notices.clone() {
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move { deliver(&gate, &env, object, notices).await });
    }
}

async fn confirm(gate: &Gate, env: &Env, object: ObjectName, seen: Confirm) {
    // What is not told is told by a later request.
    let told = session_object::apply(env, &object, &Step::Confirm(seen), deadline::STORE).await;
    if let Ok(outcome) = told {
        gate.memory.sessions.known.note_told(&seen, &outcome, clock::now());
    }
}

/// If it fails, the object does it.
async fn deliver(gate: &Gate, env: &Env, object: ObjectName, notices: Vec<Notice>) {
    let Some(own) = &gate.policy.sessions else { return };
    let entries = notices.iter().filter_map(|notice| entry_of(own, notice)).collect();
    if revocations::write_all(gate, env, entries, clock::now()).await.is_ok() {
        let step = Step::Acknowledge(Acknowledge { notices });
        drop(session_object::apply(env, &object, &step, deadline::STORE).await);
    }
}

/// The fields of an answer that begins now: both cookies, where the note has them.
pub(super) fn cookie_fields(note: &SessionNote, gate: &Gate) -> Fields {
    set_cookies(note.set_cookies(&gate.memory.sessions.known, clock::now()))
}

/// Each of these cookies in a field of its own, for proxies that pass one `Set-Cookie` of forward-auth on.
pub(super) fn numbered(fields: &Fields) -> Fields {
    let cookies = fields.iter().filter(|(name, _)| *name == "Set-Cookie");
    let names = ["X-Auth-Set-Cookie-1", "X-Auth-Set-Cookie-2"].into_iter();
    names.zip(cookies).map(|(name, (_, value))| (name, value.clone())).collect()
}

/// The fields that set these cookies, or take them out. Nobody stores the answer.
pub(super) fn set_cookies(values: &[String]) -> Fields {
    let cookies = values.iter().map(|value| ("Set-Cookie", value.clone()));
    let not_stored =
        (!values.is_empty()).then(|| ("Cache-Control", "private, no-store".to_owned()));
    cookies.chain(not_stored).collect()
}
