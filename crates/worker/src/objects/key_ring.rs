//! The keys that the gate signs by: one Durable Object, which makes them and seals them. When one is due is
//! [`edgegate::session::key_ring`]'s to say.

use core::time::Duration;
use std::cell::{Cell, RefCell};

use worker::{
    Delay, DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object,
};

use crate::{clock, gate::Gate, isolate, web_crypto::RuntimeCrypto};
use edgegate::{
    policy::SessionPolicy,
    session::key_ring::{RingPlan, RingRecord},
    store::key_ring,
    time::{UnixMillis, UnixTime},
};

/// What is due is done before an answer: a key is made or waited for, and each key of a full ring is sealed anew.
const MAX_STEPS: usize = 100;

/// The pause between two looks whether another request has made the key.
const LOOK: Duration = Duration::from_millis(20);

/// How long it may take to make one, before it counts as lost with its request.
const LOST_MILLIS: u64 = 5000;

/// The ring. It leaves this object sealed only.
///
/// A ring that cannot be read or opened is a fault: nothing is answered, and it is never made anew, since that would refuse
/// every token there is.
#[durable_object(fetch)]
pub struct KeyRingObject {
    state: State,
    env: Env,
    /// `None`: to be read.
    record: RefCell<Option<RingRecord>>,
    /// Since when a request has been making a key: RSA keys are dear, and one is enough.
    making_since: Cell<Option<UnixMillis>>,
}

impl DurableObject for KeyRingObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, record: RefCell::default(), making_since: Cell::new(None) }
    }

    /// The body says for how many seconds tokens are going to live, the answer is the record.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let access_secs: u32 = request.text().await?.parse().map_err(|_| "expected seconds")?;
        let gate = isolate::gate_of_object(&self.env).await.map_err(text)?;
        let own = own(&gate)?;
        for _ in 0..MAX_STEPS {
            let plan = self.plan(own, access_secs)?;
            match plan {
                RingPlan::Keep => break,
                RingPlan::Create { .. } if self.is_making() => Delay::from(LOOK).await,
                RingPlan::Create { active_from } => {
                    self.making_since.set(Some(clock::now()));
                    let created = self.create(own, active_from).await;
                    self.making_since.set(None);
                    // A full ring takes no more.
                    if !created? {
                        break;
                    }
                }
                RingPlan::Reseal { kid } => self.reseal(own, &kid).await?,
            }
        }
        Response::ok(self.change(|record| Ok(record.to_text()))?)
    }
}

impl KeyRingObject {
    fn is_making(&self) -> bool {
        let since = self.making_since.get();
        since.is_some_and(|since| clock::now().millis_since(since) < LOST_MILLIS)
    }

    fn plan(&self, own: &SessionPolicy, access_secs: u32) -> Result<RingPlan> {
        let now = clock::now().to_unix_time();
        self.change(|record| {
            record.note_life(access_secs);
            record.drop_ended(now);
            Ok(record.plan(own.algorithm, own.secrets.newest_id(), now))
        })
    }

    /// Makes a key; whether the ring took it. That takes a while: the first of several that are made at once counts.
    async fn create(&self, own: &SessionPolicy, active_from: UnixTime) -> Result<bool> {
        let now = || clock::now().to_unix_time();
        let key = key_ring::new_key(&RuntimeCrypto, own, active_from, now).await.map_err(text)?;
        self.change(|record| Ok(record.add(key, (own.algorithm, now()))))
    }

    async fn reseal(&self, own: &SessionPolicy, kid: &str) -> Result<()> {
        let stored = self.change(|record| {
            let key = record.keys.iter().find(|key| key.kid == kid);
            key.cloned().ok_or_else(|| "there is no such key".into())
        })?;
        let sealed = key_ring::sealed_anew(&RuntimeCrypto, own, &stored).await;
        let (sealed, sealed_by) = sealed.map_err(text)?;
        self.change(|record| Ok(record.reseal(kid, &sealed, sealed_by))).map(drop)
    }

    /// A step without waiting. What has changed is stored.
    fn change<T>(&self, step: impl FnOnce(&mut RingRecord) -> Result<T>) -> Result<T> {
        let (mut step, mut done) = (Some(step), None);
        self.change_by(&mut |record| {
            done = step.take().map(|step| step(record));
            matches!(done, Some(Ok(_)))
        })?;
        done.unwrap_or_else(|| Err("the step was not taken".into()))
    }

    /// What is the same for all steps, so that it is compiled once. A step says whether it is done.
    fn change_by(&self, step: &mut dyn FnMut(&mut RingRecord) -> bool) -> Result<()> {
        let mut held = self.record.borrow_mut();
        let old = match held.take() {
            Some(record) => record,
            None => self.load()?,
        };
        let mut record = old.clone();
        let is_done = step(&mut record);
        // Without a key it is none that could be read again.
        if is_done && record != old && !record.keys.is_empty() {
            let sql = self.state.storage().sql();
            sql.exec(
                "INSERT INTO ring (id, record) VALUES (1, ?) \
                 ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                vec![record.to_text().into()],
            )?;
        }
        *held = Some(if is_done { record } else { old });
        Ok(())
    }

    fn load(&self) -> Result<RingRecord> {
        let sql = self.state.storage().sql();
        sql.exec(
            "CREATE TABLE IF NOT EXISTS ring \
             (id INTEGER PRIMARY KEY CHECK (id = 1), record TEXT NOT NULL)",
            None,
        )?;
        match sql.exec("SELECT record FROM ring", None)?.raw().next().transpose()?.as_deref() {
            None => Ok(RingRecord::default()),
            Some([SqlStorageValue::String(record)]) => RingRecord::from_text(record).map_err(text),
            Some(_) => Err("the key ring has a form that the gate does not write".into()),
        }
    }
}

fn own(gate: &Gate) -> Result<&SessionPolicy> {
    gate.policy.sessions.as_ref().ok_or_else(|| "the policy has no sessions".into())
}

fn text(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}
