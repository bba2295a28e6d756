//! What accounts ask of the host: a store of their own, Unicode's forms, and time behind the answer.

use wasm_bindgen::prelude::wasm_bindgen;

use super::backend::Gate;
use super::late::{Late, LateStep, do_later};
use super::sessions;
use super::stores::HostSwap;
use super::task::{HostJobs, Job};
use edgegate::account::hash::SALT_BYTES;
use edgegate::account::step::{LoginOutcome, LoginStep, Shard};
use edgegate::error::StoreError;
use edgegate::guard::accounts::{AccountMemory, Accounts};
use edgegate::secret::Secret;
use edgegate::store::accounts::{Process, SharedAccounts};
use edgegate::store::key_ring::RingCrypto as _;
use edgegate::time::UnixMillis;

#[wasm_bindgen(raw_module = "../lib/engine.js")]
unsafe extern "C" {
    /// Writes the text at an address in Unicode's form NFKC to another one, where there is this much room. Returns its length; 0 if the host
    /// cannot.
    #[wasm_bindgen(js_name = normalize)]
    safe fn normalize(address: usize, length: usize, to: usize, room: usize) -> usize;
}

/// The store of accounts.
pub(super) const ACCOUNTS: &str = "accounts";

/// How much longer a text in UTF-8 can be in form NFKC (<https://www.unicode.org/faq/normalization.html#12>).
const EXPANSION: usize = 11;

/// The accounts of one request.
#[derive(Debug)]
pub(super) struct GateAccounts<'a> {
    pub(super) gate: &'a Gate,
    pub(super) jobs: &'a HostJobs,
}

impl Process for GateAccounts<'_> {
    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn turn_to_hash(&self) {
        // If the host cannot wait, it is computed at once.
        drop(self.jobs.ask::<()>(Job::TurnToHash).await);
    }

    fn mails_wait(&self, shard: Shard, at: UnixMillis) {
        self.gate.mails.note(shard, at, self.jobs);
    }
}

impl Accounts for GateAccounts<'_> {
    fn memory(&self) -> &AccountMemory {
        &self.gate.memory.accounts
    }

    async fn apply(&self, shard: Shard, step: LoginStep) -> Result<LoginOutcome, StoreError> {
        let own = self.gate.policy.accounts.as_ref();
        let own = own.ok_or_else(|| StoreError::new("the policy has no accounts"))?;
        let mut salt = [0; SALT_BYTES];
        sessions::random(&mut salt)?;
        let store = SharedAccounts::new(HostSwap { jobs: self.jobs, store: ACCOUNTS });
        store.apply(shard, &step, (own.terms(), salt), self).await
    }

    fn apply_later(&self, shard: Shard, step: LoginStep) {
        let late = Late::Account(LateStep { shard, step });
        do_later(&self.gate.late, self.jobs, [late]);
    }

    async fn seal(
        &self,
        key: &Secret,
        plain: &Secret,
        beside: &[u8],
    ) -> Result<String, StoreError> {
        self.gate.sessions(self.jobs).seal(key, plain, beside).await
    }

    fn normalized(&self, text: String) -> String {
        // ASCII has one form.
        if text.is_ascii() {
            return text;
        }
        let mut bytes = vec![0; text.len().saturating_mul(EXPANSION)];
        let to = bytes.as_mut_ptr().addr();
        let length = normalize(text.as_ptr().addr(), text.len(), to, bytes.len());
        bytes.truncate(length);
        match String::from_utf8(bytes) {
            Ok(normal) if !normal.is_empty() => normal,
            _ => text,
        }
    }
}
