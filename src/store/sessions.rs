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
    /// # Errors
    /// The store's, and a subject that too many processes change at once.
    pub async fn apply_at(
        &self,
        object: &ObjectName,
        step: &Step,
        now: UnixMillis,
    ) -> Result<Outcome, StoreError> {
        let name = format!("{PREFIX}{object}");
        let mut paces = None;
        for _ in 0..MAX_ATTEMPTS {
            let found = self.store.load(&name).await?;
            let read = found
                .as_deref()
                .map_or_else(|| Ok(SubjectState::default()), SubjectState::from_text);
            let mut state = match read {
                Ok(state) => state,
                Err(fault) => {
                    self.store.release(&name);
                    return Err(fault);
                }
            };
            // Others of this process wait at `load`, so nobody else has them meanwhile. Only the first try takes of them.
            let again = paces.is_some();
            let known: &mut Paces = paces.get_or_insert_with(|| {
                self.paces.0.borrow_mut().take(object, now).unwrap_or_default()
            });
            let mut unpaced = Paces::default();
            let outcome = state.apply(step, if again { &mut unpaced } else { known }, now);
            if !state.has_changed() {
                self.put_paces(object, &mut paces, now);
                self.store.release(&name);
                return Ok(outcome);
            }
            let next = state.to_text()?;
            let until = state.wakes_at().map_or(0, |at| UnixMillis::from_unix_time(at).as_millis());
            // An empty one is written too, and soon gone: nothing else may be put back in its place meanwhile.
            let kept = if state.is_empty(now.to_unix_time()) { 60_000 } else { KEPT_MILLIS };
            let until =
                if state.notices().is_empty() && until > now.as_millis() && !state.is_disabled() {
                    UnixMillis::from_millis(until).saturating_add(60_000)
                } else {
                    now.saturating_add(kept)
                };
            if self.store.swap(&name, found.as_deref(), &next, until).await? {
                self.put_paces(object, &mut paces, now);
                return Ok(outcome);
            }
        }
        self.put_paces(object, &mut paces, now);
        self.store.release(&name);
        Err(StoreError::own_bound("too many processes change the same subject at once"))
    }

    fn put_paces(&self, object: &ObjectName, paces: &mut Option<Paces>, now: UnixMillis) {
        let Some(paces) = paces.take() else { return };
        let until = now.saturating_add(PACES_MILLIS);
        self.paces.0.borrow_mut().insert(*object, paces, until, now);
    }
}
