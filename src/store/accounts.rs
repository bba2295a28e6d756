//! Accounts in a store that compares and swaps. Each shard is one text there, and [`ShardState`] says what a step does with it.
//!
//! A step that guesses takes two swaps, since a hash takes time and whoever computes it may die:
//!
//! 1. The rows with the guess reserved, and until when somebody computes. From then on the guess counts, whatever happens.
//! 2. After the hash: the rows with what came of it. Others have waited until then. If they have waited too long, this swap fails, nobody is
//!    told whether the guess was right, and it still counts.
//!
//! So no more hashes are compared than guesses are stored, by any number of processes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    StoreError,
    shared::{SwapStore, Turn},
};
use crate::{
    account::{
        hash::SALT_BYTES,
        shard::{ShardState, Terms},
        step::{LoginOutcome, LoginStep, Shard},
    },
    session::state::RowChange,
    time::UnixMillis,
};

/// Where the shards lie.
const PREFIX: &str = "account/v1/";

/// The version of the stored form. Rows have one of their own.
const VERSION: u8 = 1;

/// How often a step is tried again because another process was faster, or is computing: some seconds, with the waits of the store between.
const MAX_ATTEMPTS: u32 = 256;

/// How long the others wait for who computes: as many hashes as there are at once may come first in its process, each of some tens of
/// milliseconds. A process that has died keeps the accounts of a shard from logging in for so long.
const COMPUTING_MILLIS: u64 = 10_000;

/// How long a shard with accounts is kept that nothing changes.
const KEPT_MILLIS: u64 = 10 * 365 * 86_400 * 1000;

/// How long one without: longer than any guess counts.
const PASSING_MILLIS: u64 = 2 * 86_400 * 1000;

/// What the process has that takes a step.
pub trait Process {
    /// Its time.
    fn now(&self) -> UnixMillis;

    /// Waits until a hash may be computed: others are to be served between two of them.
    async fn turn_to_hash(&self);
}

/// Accounts in such a store. The clock is that of the process that takes the step: several processes have to have theirs set.
#[derive(Debug)]
pub struct SharedAccounts<S> {
    store: S,
}

impl<S: SwapStore> SharedAccounts<S> {
    /// The accounts in `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// Takes a step of a shard.
    ///
    /// # Errors
    /// The store did not answer, or is damaged, or too many processes change the same shard. The step may have been taken, and then its
    /// guess counts.
    pub async fn apply(
        &self,
        shard: Shard,
        step: &LoginStep,
        (terms, salt): (Terms<'_>, [u8; SALT_BYTES]),
        process: &impl Process,
    ) -> Result<LoginOutcome, StoreError> {
        let mut turn = Turn::new(&self.store, format!("{PREFIX}{shard}"));
        for _ in 0..MAX_ATTEMPTS {
            let found = turn.load().await?;
            let taking = Taking { step, terms, salt, now: process.now() };
            let rows = Rows::read(found.as_deref())?;
            if rows.computing_until.is_some_and(|until| taking.now < until) {
                continue;
            }
            let next = match taking.begin(&rows)? {
                Begun::Unchanged(outcome) => return Ok(outcome),
                Begun::Taken(next) => next,
                Begun::Reserved { text, until } => {
                    if !turn.swap(found.as_deref(), &text, until).await? {
                        continue;
                    }
                    process.turn_to_hash().await;
                    let Taken { outcome, text: next, until } = taking.finish(&rows)?;
                    return match turn.swap(Some(&text), &next, until).await? {
                        true => Ok(outcome),
                        false => Err(StoreError::own_bound("a hash has taken too long")),
                    };
                }
            };
            if turn.swap(found.as_deref(), &next.text, next.until).await? {
                return Ok(next.outcome);
            }
        }
        Err(StoreError::own_bound("too many processes change the same accounts at once"))
    }
}

/// A step of the rows that were found, at one time. It runs twice where it guesses: up to the reservation, and then from the same rows to its
/// end. Both runs reserve the same.
#[derive(Clone, Copy)]
struct Taking<'a> {
    step: &'a LoginStep,
    terms: Terms<'a>,
    salt: [u8; SALT_BYTES],
    now: UnixMillis,
}

/// How far the first run has come.
enum Begun {
    /// There is nothing to store.
    Unchanged(LoginOutcome),
    /// To its end.
    Taken(Taken),
    /// A guess is to be stored before its hash is computed.
    Reserved { text: String, until: UnixMillis },
}

/// What a step has left.
struct Taken {
    outcome: LoginOutcome,
    text: String,
    until: UnixMillis,
}

impl Taking<'_> {
    fn begin(self, rows: &Rows) -> Result<Begun, StoreError> {
        let mut state = rows.state()?;
        let mut reserved = None;
        let outcome = self.run(&mut state, &mut |state| {
            reserved = Some(state.take_changes()?);
            // It goes no further before that is stored.
            Err(StoreError::new("a guess is reserved"))
        });
        if let Some(changes) = reserved {
            let computing_until = Some(self.now.saturating_add(COMPUTING_MILLIS));
            let text = Rows { computing_until, ..rows.with(changes)? }.to_text()?;
            return Ok(Begun::Reserved { text, until: self.kept_until(&mut state) });
        }
        let outcome = outcome?;
        let changes = state.take_changes()?;
        if changes.is_empty() {
            return Ok(Begun::Unchanged(outcome));
        }
        self.taken(state, rows.with(changes)?, outcome).map(Begun::Taken)
    }

    fn finish(self, rows: &Rows) -> Result<Taken, StoreError> {
        let mut state = rows.state()?;
        let outcome = self.run(&mut state, &mut |_| Ok(()))?;
        let next = rows.with(state.take_changes()?)?;
        self.taken(state, next, outcome)
    }

    fn run(
        self,
        state: &mut ShardState,
        keep: &mut dyn FnMut(&mut ShardState) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        state.apply(self.step.clone(), self.terms, (self.salt, self.now), keep)
    }

    /// What is stored. Rows of which nothing has to be kept go with it, since nobody else comes to take them out.
    fn taken(
        self,
        mut state: ShardState,
        next: Rows,
        outcome: LoginOutcome,
    ) -> Result<Taken, StoreError> {
        state.forget_over(self.terms.bound, self.now);
        let text = next.with(state.take_changes()?)?.to_text()?;
        Ok(Taken { outcome, text, until: self.kept_until(&mut state) })
    }

    /// Until when the store has to keep the rows, which are not used any more here.
    fn kept_until(self, state: &mut ShardState) -> UnixMillis {
        let later = self.now.saturating_add(PASSING_MILLIS);
        state.forget_over(self.terms.bound, later);
        if state.is_empty() { later } else { self.now.saturating_add(KEPT_MILLIS) }
    }
}

/// The rows of a shard as they are stored, by the names that [`ShardState`] gives them.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    v: u8,
    /// Somebody computes a hash, and stores what comes of it before this time. Until then nobody else changes the rows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    computing_until: Option<UnixMillis>,
    rows: BTreeMap<String, Box<RawValue>>,
}

impl Rows {
    fn read(text: Option<&str>) -> Result<Self, StoreError> {
        let Some(text) = text else { return Ok(Self { v: VERSION, ..Self::default() }) };
        let rows: Self = serde_json::from_str(text).map_err(|_| not_ours())?;
        if rows.v == VERSION { Ok(rows) } else { Err(not_ours()) }
    }

    fn state(&self) -> Result<ShardState, StoreError> {
        ShardState::from_rows(self.rows.iter().map(|(name, value)| (name.as_str(), value.get())))
    }

    /// These, with what has changed, and nobody who computes.
    fn with(&self, changes: Vec<RowChange>) -> Result<Self, StoreError> {
        let mut rows = self.rows.clone();
        for RowChange { name, value } in changes {
            match value {
                Some(value) => {
                    rows.insert(name, RawValue::from_string(value).map_err(|_| not_ours())?);
                }
                None => drop(rows.remove(&name)),
            }
        }
        Ok(Self { v: VERSION, computing_until: None, rows })
    }

    fn to_text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|_| not_ours())
    }
}

fn not_ours() -> StoreError {
    StoreError::new("a shard of accounts has a form that the gate does not write")
}
