//! What accounts ask of the platform: the objects that keep them, and Unicode's forms.

use core::ops::Range;
use std::rc::Rc;

use futures_util::future::join_all;
use worker::{Context, Env, js_sys::JsString};

use super::{
    background, deadline, fault::report, gate::Gate, kv, memory::Memory, objects::login_stub,
    web_crypto::RuntimeCrypto,
};
use edgegate::{
    account::step::{LoginOutcome, LoginStep, Shard},
    error::{Error, StoreError},
    guard::accounts::{AccountMemory, Accounts},
    secret::Secret,
    store::key_ring::RingCrypto as _,
};

/// The key of the list that nobody's new password may be on (STORAGE.md).
const PASSWORD_LIST: &str = "passwords/v1";
/// How old the list may be.
const LIST_CACHE_SECS: u64 = 3600;

/// How many objects one request makes. On the platform's free plan a request may ask 50, and those of the audit and of the watch are among
/// them.
const PREPARED_AT_ONCE: usize = 40;

/// How many it asks at once: a request may have six connections (the platform's limit).
const AT_ONCE: usize = 6;

/// The accounts of a gate.
#[derive(Debug)]
pub(super) struct GateAccounts<'a> {
    memory: &'a Rc<Memory>,
    /// By which secrets objects are asked.
    marks: String,
    env: &'a Env,
    context: &'a Context,
}

impl<'a> GateAccounts<'a> {
    /// Those of a gate.
    ///
    /// # Errors
    /// [`Error::NotFound`]: the policy has none.
    pub(super) fn new(gate: &'a Gate, env: &'a Env, context: &'a Context) -> Result<Self, Error> {
        let accounts = gate.policy.accounts.as_ref().ok_or(Error::NotFound)?;
        Ok(Self { memory: &gate.memory, marks: accounts.secrets.marks(), env, context })
    }
}

impl Accounts for GateAccounts<'_> {
    fn memory(&self) -> &AccountMemory {
        &self.memory.guard.accounts
    }

    async fn apply(&self, shard: Shard, step: LoginStep) -> Result<LoginOutcome, StoreError> {
        login_stub::apply((self.env, &self.marks), shard, &step).await
    }

    fn apply_later(&self, shard: Shard, step: LoginStep) {
        let (env, marks) = (self.env.clone(), self.marks.clone());
        background::run(self.context, async move {
            if let Err(fault) = login_stub::apply((&env, &marks), shard, &step).await {
                report(&format!("accounts: {fault}"));
            }
        });
    }

    /// By objects that answer: from then on they have something stored, without which they would be new once more.
    async fn prepare(&self, shards: Range<u16>) -> Result<u16, StoreError> {
        let by = (self.env, self.marks.as_str());
        let shards = Vec::from_iter(shards.take(PREPARED_AT_ONCE));
        for some in shards.chunks(AT_ONCE) {
            let asked = some.iter().map(|number| async move {
                login_stub::apply(by, Shard::Names(*number), &LoginStep::Prepare).await
            });
            for outcome in join_all(asked).await {
                outcome?;
            }
        }
        Ok(u16::try_from(shards.len()).unwrap_or_default())
    }

    async fn seal(
        &self,
        key: &Secret,
        plain: &Secret,
        beside: &[u8],
    ) -> Result<String, StoreError> {
        RuntimeCrypto.seal(key, plain, beside).await
    }

    fn normalized(&self, text: String) -> String {
        // ASCII has one form.
        if text.is_ascii() { text } else { JsString::from(text).normalize("NFKC").into() }
    }

    async fn password_list(&self) -> Result<Vec<u8>, StoreError> {
        let reading = kv::read_bytes(self.env, PASSWORD_LIST, LIST_CACHE_SECS);
        let list = deadline::within(deadline::LONG, reading).await;
        let list = list.ok_or_else(|| StoreError::new("KV did not answer in time"))??;
        list.ok_or_else(|| StoreError::new(format!("KV has no {PASSWORD_LIST}")))
    }
}
