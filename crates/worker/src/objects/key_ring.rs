//! The keys that the gate signs by: one Durable Object, which makes them and seals them. When one is due is
//! [`edgegate::session::key_ring`]'s to say.

use core::time::Duration;
use std::cell::{Cell, RefCell};

use wasm_bindgen::JsValue;
use worker::{
    Delay, DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object,
};

use super::key_ring_stub;
use crate::{clock, gate::Gate, isolate, web_crypto};
use edgegate::{
    base64url,
    jose::algorithm::Algorithm,
    policy::SessionPolicy,
    secret::Secret,
    session::key_ring::{RingKey, RingPlan, RingRecord, StoredKey, associated_data},
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
        let algorithm = own.algorithm;
        let private = match algorithm.is_symmetric() {
            true => new_secret()?,
            false => web_crypto::generate(algorithm).await.map_err(described)?,
        };
        let key = RingKey::from_private_jwk(&private, algorithm, None).map_err(text)?;
        let kid = key.kid().to_owned();
        let (sealed, sealed_by) = seal(own, &kid, &private).await?;
        let now = clock::now().to_unix_time();
        let alg = algorithm.as_str().to_owned();
        let key = StoredKey { kid, alg, sealed, sealed_by, published_at: now, active_from };
        self.change(|record| Ok(record.add(key, (algorithm, now))))
    }

    async fn reseal(&self, own: &SessionPolicy, kid: &str) -> Result<()> {
        let stored = self.change(|record| {
            let key = record.keys.iter().find(|key| key.kid == kid);
            key.cloned().ok_or_else(|| "there is no such key".into())
        })?;
        let private = key_ring_stub::open(own, &stored).await.map_err(text)?;
        let (sealed, sealed_by) = seal(own, kid, &private).await?;
        self.change(|record| Ok(record.reseal(kid, &sealed, sealed_by))).map(drop)
    }

    /// A step without waiting. What has changed is stored.
    fn change<T>(&self, step: impl FnOnce(&mut RingRecord) -> Result<T>) -> Result<T> {
        let mut held = self.record.borrow_mut();
        let old = match held.take() {
            Some(record) => record,
            None => self.load()?,
        };
        let mut record = old.clone();
        let done = step(&mut record);
        // Without a key it is none that could be read again.
        if done.is_ok() && record != old && !record.keys.is_empty() {
            let sql = self.state.storage().sql();
            sql.exec(
                "INSERT INTO ring (id, record) VALUES (1, ?) \
                 ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                vec![record.to_text().into()],
            )?;
        }
        *held = Some(if done.is_ok() { record } else { old });
        done
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

/// A secret for HS256, under a random name: a hash of it would help whoever guesses.
fn new_secret() -> Result<Secret> {
    let mut bytes = [0; 48];
    getrandom::fill(&mut bytes).map_err(|_| "the runtime gives no random bytes")?;
    let (secret, kid) = bytes.split_at(32);
    let (secret, kid) = (base64url::encode(secret), base64url::encode(kid));
    let alg = Algorithm::Hs256;
    let jwk = format!(r#"{{"kty":"oct","alg":"{alg}","kid":"{kid}","k":"{secret}"}}"#);
    Ok(Secret::new(jwk.into_bytes()))
}

async fn seal(own: &SessionPolicy, kid: &str, private: &Secret) -> Result<(String, u8)> {
    let id = own.secrets.newest_id();
    let key = own.secrets.key_ring(id).ok_or("there is no secret")?;
    let sealed = web_crypto::seal(key, private, &associated_data(kid, id)).await;
    sealed.map(|sealed| (sealed, id)).map_err(described)
}

fn text(fault: impl core::fmt::Display) -> worker::Error {
    worker::Error::RustError(fault.to_string())
}

fn described(fault: JsValue) -> worker::Error {
    worker::Error::RustError(web_crypto::describe(&fault))
}
