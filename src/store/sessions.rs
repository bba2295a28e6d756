//! Who keeps the subjects of sessions: one writer for each, which takes a step and stores what has changed before it answers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{StoreError, shared::SwapStore};
use crate::{
    bounded::BoundedMap,
    session::{
        ObjectName,
        state::{Paces, SubjectState},
        step::{Outcome, Step},
    },
    time::UnixMillis,
};

/// How long a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As long as the edge gives a store.
    Usual,
    /// So many milliseconds: what waits can go on without.
    Millis(u32),
}

/// The subjects of sessions.
pub trait SessionStore {
    /// Takes a step of a subject: in one step, by one writer, at that writer's time. What has changed is stored when this answers.
    ///
    /// # Errors
    /// The store did not answer, or is damaged. That is no log-out, and is never told as one. The step may have been taken: all of
    /// them can be repeated, but for [`Step::Open`], which then leaves a session that nobody has tokens of.
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError>;
}

impl<S: SessionStore> SessionStore for &S {
    async fn apply(
        &self,
        object: &ObjectName,
        step: &Step,
        patience: Patience,
    ) -> Result<Outcome, StoreError> {
        (**self).apply(object, step, patience).await
    }
}

/// Subjects in the memory of a process: the reference, and what a single process without a store has. All are logged out by a restart.
#[derive(Debug, Default)]
pub struct MemorySessions {
    subjects: RefCell<BTreeMap<ObjectName, (SubjectState, Paces)>>,
}

/// The most subjects that a process keeps. Nobody who is logged in is forgotten to make room: beyond it none is added.
const MAX_SUBJECTS: usize = 100_000;

impl MemorySessions {
    /// Takes a step at this time.
    ///
    /// # Errors
    /// There are too many subjects.
    pub fn apply_now(
        &self,
        object: &ObjectName,
        step: &Step,
        now: UnixMillis,
    ) -> Result<Outcome, StoreError> {
        let mut subjects = self.subjects.borrow_mut();
        if !subjects.contains_key(object) && subjects.len() >= MAX_SUBJECTS {
            let time = now.to_unix_time();
            subjects.retain(|_, (state, paces)| {
                state.apply(&Step::Sweep, paces, now);
                !state.is_empty(time) || !paces.is_idle(now)
            });
            if subjects.len() >= MAX_SUBJECTS {
                return Err(StoreError::own_bound("there are too many sessions in this process"));
            }
        }
        let (state, paces) = subjects.entry(*object).or_default();
        let outcome = state.apply(step, paces, now);
        if state.is_empty(now.to_unix_time()) && paces.is_idle(now) {
            subjects.remove(object);
        }
        Ok(outcome)
    }
}

/// Where subjects lie in a store that compares and swaps.
const PREFIX: &str = "session/v1/";

/// How often a step is tried again because another process was faster.
const MAX_ATTEMPTS: u32 = 64;

/// How long a subject without anything to end is kept, in milliseconds: one that is disabled, for instance. It is written again when asked about.
const KEPT_MILLIS: u64 = 10 * 365 * 86_400 * 1000;

/// Subjects in such a store. The clock is that of the process that takes the step: several processes have to have theirs set.
#[derive(Debug)]
pub struct SharedSessions<S> {
    store: S,
    paces: Rc<SharedPaces>,
}

/// The paces of subjects as a process knows them. They outlive the [`SharedSessions`] of one request.
#[derive(Debug)]
pub struct SharedPaces(RefCell<BoundedMap<ObjectName, Paces>>);

impl Default for SharedPaces {
    fn default() -> Self {
        Self(RefCell::new(BoundedMap::new(MAX_PACES)))
    }
}

/// Subjects whose pace a process remembers.
const MAX_PACES: usize = 10_000;

/// After so long every bucket is full again.
const PACES_MILLIS: u64 = 600_000;

impl<S: SwapStore> SharedSessions<S> {
    /// The subjects in `store`.
    pub fn new(store: S) -> Self {
        Self::with_paces(store, Rc::default())
    }

    /// The subjects in `store`, with what the process knows of their paces.
    pub const fn with_paces(store: S, paces: Rc<SharedPaces>) -> Self {
        Self { store, paces }
    }

    /// Loads, steps and swaps until it is done. A step that changes nothing writes nothing.
    ///
    /// A caller that no longer waits may drop the future. The step may have been taken then, as with a store that does not answer.
    ///
    /// # Errors
    /// The store's, and a subject that too many processes change at once.
    pub async fn apply_at(
        &self,
        object: &ObjectName,
        step: &Step,
        now: UnixMillis,
    ) -> Result<Outcome, StoreError> {
        let mut turn = Turn::new(self, object, now);
        for _ in 0..MAX_ATTEMPTS {
            let found = self.store.load(&turn.name).await?;
            let mut state = found
                .as_deref()
                .map_or_else(|| Ok(SubjectState::default()), SubjectState::from_text)?;
            let outcome = turn.step(&mut state, step);
            if !state.has_changed() {
                return Ok(outcome);
            }
            let next = state.to_text()?;
            let until = kept_until(&state, now);
            if self.store.swap(&turn.name, found.as_deref(), &next, until).await? {
                turn.is_swapped = true;
                return Ok(outcome);
            }
        }
        Err(StoreError::own_bound("too many processes change the same subject at once"))
    }
}

fn kept_until(state: &SubjectState, now: UnixMillis) -> UnixMillis {
    let until = state.wakes_at().map_or(0, |at| UnixMillis::from_unix_time(at).as_millis());
    if state.notices().is_empty() && until > now.as_millis() && !state.is_disabled() {
        return UnixMillis::from_millis(until).saturating_add(60_000);
    }
    // An empty one is written too, and soon gone: nothing else may be put back in its place meanwhile.
    now.saturating_add(if state.is_empty(now.to_unix_time()) { 60_000 } else { KEPT_MILLIS })
}

/// The turn of a step. Other steps of this process for the same subject wait for its end. When it is dropped, it puts the paces back and lets
/// the next one begin.
struct Turn<'s, S: SwapStore> {
    sessions: &'s SharedSessions<S>,
    object: &'s ObjectName,
    name: String,
    now: UnixMillis,
    /// `None`: not yet taken.
    paces: Option<Paces>,
    /// Whether the swap has ended the turn.
    is_swapped: bool,
}

impl<'s, S: SwapStore> Turn<'s, S> {
    fn new(sessions: &'s SharedSessions<S>, object: &'s ObjectName, now: UnixMillis) -> Self {
        let name = format!("{PREFIX}{object}");
        Self { sessions, object, name, now, paces: None, is_swapped: false }
    }

    /// Nobody else has the paces meanwhile. Only the first try takes of them.
    fn step(&mut self, state: &mut SubjectState, step: &Step) -> Outcome {
        if self.paces.is_some() {
            return state.apply(step, &mut Paces::default(), self.now);
        }
        let known = self.sessions.paces.0.borrow_mut().take(self.object, self.now);
        state.apply(step, self.paces.insert(known.unwrap_or_default()), self.now)
    }
}

impl<S: SwapStore> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        if let Some(paces) = self.paces.take() {
            let until = self.now.saturating_add(PACES_MILLIS);
            self.sessions.paces.0.borrow_mut().insert(*self.object, paces, until, self.now);
        }
        if !self.is_swapped {
            self.sessions.store.release(&self.name);
        }
    }
}
