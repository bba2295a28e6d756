//! Accounts in a store that compares and swaps. Each shard is one text there, and [`ShardState`] says what a step does with it.
//!
//! A step that guesses takes two swaps, since a hash takes time and whoever computes it may die:
//!
//! 1. The rows with the guess reserved, and until when somebody computes. From then on the guess counts, whatever happens.
//! 2. After the hash: the rows with what came of it. Others have waited until then. If they have waited too long, this swap fails, nobody is
//!    told whether the guess was right, and it still counts.
//!
//! So no more hashes are compared than guesses are stored, by any number of processes.
//!
//! Mails wait in the rows. Nothing wakes a store: whoever takes a step of rows in which some wait is told so, and hands them over. One process
//! at a time takes a mail out, and it is due again if nothing is heard of that process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    StoreError,
    shared::{SwapStore, Turn},
};
use crate::{
    account::{
        attempts::Bound,
        hash::SALT_BYTES,
        mail::{MailId, MailKind},
        mailbox::WaitingMail,
        shard::{ShardState, Terms},
        step::{LoginOutcome, LoginStep, Shard},
    },
    session::state::RowChange,
    time::UnixMillis,
    watch::state::Delivery,
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

/// How long whoever has taken mails out may send them: all at once, and a webhook may take a third of it.
const SENDING_MILLIS: u64 = 30_000;

/// How many are taken out at once, as the Worker sends them.
const MAILS_AT_ONCE: usize = 6;

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

    /// Hears that mails wait in a shard, when the next one is due, and whether the step that was taken has left one, be it to nobody.
    fn mails_wait(&self, shard: Shard, at: UnixMillis, is_new: bool);
}

/// What became of a mail that was taken out.
pub type SentMail = (MailId, Delivery);

/// What comes of [`SharedAccounts::exchange_mails`].
#[derive(Debug, Default)]
pub struct ExchangedMails {
    /// Those that are to be sent.
    pub taken: Vec<(MailId, WaitingMail)>,
    /// What those were about that are given up.
    pub lost: Vec<MailKind>,
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
                Begun::Taken(next) => next,
                Begun::Reserved { text, until } => {
                    if !turn.swap(found.as_deref(), &text, until).await? {
                        continue;
                    }
                    process.turn_to_hash().await;
                    let next = taking.finish(&rows)?;
                    return match turn.swap(Some(&text), &next.text, next.until).await? {
                        true => Ok(next.told(shard, process)),
                        false => Err(StoreError::own_bound("a hash has taken too long")),
                    };
                }
            };
            if !next.is_changed || turn.swap(found.as_deref(), &next.text, next.until).await? {
                return Ok(next.told(shard, process));
            }
        }
        Err(contended())
    }

    /// Notes what became of mails of a shard that were taken out, and takes out the next ones that are due: whoever gets them sends them at
    /// once, and comes back with what came of each.
    ///
    /// # Errors
    /// As [`SharedAccounts::apply`].
    pub async fn exchange_mails(
        &self,
        shard: Shard,
        sent: &[SentMail],
        terms: Terms<'_>,
        process: &impl Process,
    ) -> Result<ExchangedMails, StoreError> {
        let mut turn = Turn::new(&self.store, format!("{PREFIX}{shard}"));
        for _ in 0..MAX_ATTEMPTS {
            let found = turn.load().await?;
            let now = process.now();
            let rows = Rows::read(found.as_deref())?;
            if rows.computing_until.is_some_and(|until| now < until) {
                continue;
            }
            let mut state = rows.state()?;
            let mut mails = ExchangedMails::default();
            for (id, delivery) in sent {
                let kind = state.kind_of_mail(id);
                if state.sent_mail(id, *delivery, now) {
                    mails.lost.extend(kind);
                }
            }
            let until = now.saturating_add(SENDING_MILLIS);
            mails.taken = state.take_due_mails(MAILS_AT_ONCE, (now, until));
            let next = stored(state, rows, (mails, terms.bound), now)?;
            if !next.is_changed || turn.swap(found.as_deref(), &next.text, next.until).await? {
                return Ok(next.told(shard, process));
            }
        }
        Err(contended())
    }
}

fn contended() -> StoreError {
    StoreError::own_bound("too many processes change the same accounts at once")
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
    /// To its end.
    Taken(Taken<LoginOutcome>),
    /// A guess is to be stored before its hash is computed.
    Reserved { text: String, until: UnixMillis },
}

/// What a step has left.
struct Taken<T> {
    outcome: T,
    /// Whether there is something to store.
    is_changed: bool,
    text: String,
    until: UnixMillis,
    /// When the next mail is due, and whether the step has left one.
    mails: Option<(UnixMillis, bool)>,
}

impl<T> Taken<T> {
    /// The outcome, once it is stored.
    fn told(self, shard: Shard, process: &impl Process) -> T {
        if let Some((at, is_new)) = self.mails {
            process.mails_wait(shard, at, is_new);
        }
        self.outcome
    }
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
            let until = kept_until(&mut state, self.terms.bound, self.now);
            return Ok(Begun::Reserved { text, until });
        }
        stored(state, rows.clone(), (outcome?, self.terms.bound), self.now).map(Begun::Taken)
    }

    fn finish(self, rows: &Rows) -> Result<Taken<LoginOutcome>, StoreError> {
        let mut state = rows.state()?;
        let outcome = self.run(&mut state, &mut |_| Ok(()))?;
        let next = stored(state, rows.clone(), (outcome, self.terms.bound), self.now)?;
        // The reservation is a change.
        if next.is_changed { Ok(next) } else { Err(not_ours()) }
    }

    fn run(
        self,
        state: &mut ShardState,
        keep: &mut dyn FnMut(&mut ShardState) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        state.apply(self.step.clone(), self.terms, (self.salt, self.now), keep)
    }
}

/// What is stored of a state that was made of `rows`. Rows of which nothing has to be kept go with it, since nobody else comes to take them
/// out.
fn stored<T>(
    mut state: ShardState,
    rows: Rows,
    (outcome, bound): (T, Bound),
    now: UnixMillis,
) -> Result<Taken<T>, StoreError> {
    let mails = state.mails_wake_at().map(|at| (at, state.has_new_mail(now)));
    let changes = state.take_changes()?;
    if changes.is_empty() {
        return Ok(Taken { outcome, is_changed: false, text: String::new(), until: now, mails });
    }
    state.forget_over(bound, now);
    let text = rows.with(changes)?.with(state.take_changes()?)?.to_text()?;
    let until = kept_until(&mut state, bound, now);
    Ok(Taken { outcome, is_changed: true, text, until, mails })
}

/// Until when the store has to keep the rows, which are not used any more here.
fn kept_until(state: &mut ShardState, bound: Bound, now: UnixMillis) -> UnixMillis {
    let later = now.saturating_add(PASSING_MILLIS);
    state.forget_over(bound, later);
    state.forget_late_mails(later);
    if state.is_empty() { later } else { now.saturating_add(KEPT_MILLIS) }
}

/// The rows of a shard as they are stored, by the names that [`ShardState`] gives them.
#[derive(Clone, Default, Serialize, Deserialize)]
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
