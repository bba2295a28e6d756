//! What accounts ask of the host: a store of their own, Unicode's forms, and time behind the answer.

use serde::Deserialize;
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

    /// Copies the bytes that the host has by this number to an address. 0 if it has none, or not as many.
    #[wasm_bindgen(js_name = takeBytes)]
    safe fn take_bytes(number: u32, address: usize, length: usize) -> u32;
}

/// How long reading the list of passwords may take.
const LIST_MILLIS: u64 = 10_000;

/// The longest list: one of as many passwords as there may be.
const MAX_LIST: usize = 32 << 20;

/// The store of accounts.
pub(super) const ACCOUNTS: &str = "accounts";

/// How much longer a text in UTF-8 can be in form NFKC (<https://www.unicode.org/faq/normalization.html#12>).
const EXPANSION: usize = 11;

/// Bytes that the host has for [`take_bytes`].
#[derive(Deserialize)]
struct Given {
    number: u32,
    length: usize,
}

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

    fn mails_wait(&self, shard: Shard, at: UnixMillis, is_new: bool) {
        self.gate.mails.note(shard, (at, is_new), self.jobs);
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

    async fn password_list(&self) -> Result<Vec<u8>, StoreError> {
        let job = Job::ReadPasswords { millis: LIST_MILLIS };
        let given: Option<Given> = self.jobs.ask(job).await.map_err(StoreError::new)?;
        let Some(Given { number, length }) = given else {
            return Err(StoreError::new("the host has no list of passwords"));
        };
        if length > MAX_LIST {
            return Err(StoreError::new(format!("a list of more than {MAX_LIST} bytes")));
        }
        let mut bytes = vec![0; length];
        match take_bytes(number, bytes.as_mut_ptr().addr(), bytes.len()) {
            1 => Ok(bytes),
            _ => Err(StoreError::new("the host does not give its list")),
        }
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
