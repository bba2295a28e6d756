//! What an isolate remembers of sessions.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use edgegate::{guard::SessionMemory, session::key_ring::KeyRing, time::UnixMillis};

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
    pub(super) fn ring(&self, secs: u64, now: UnixMillis) -> Option<Rc<KeyRing>> {
        let held = self.ring.borrow();
        let held = held.as_ref()?;
        let is_fresh = now.millis_since(held.read_at) < secs.saturating_mul(1000);
        is_fresh.then(|| Rc::clone(&held.ring))
    }

    /// The ring, however old.
    pub(super) fn any_ring(&self) -> Option<Rc<KeyRing>> {
        self.ring.borrow().as_ref().map(|held| Rc::clone(&held.ring))
    }

    /// Whether an answer is still to come. One that takes longer than it can was lost with its request.
    pub(super) fn is_asking(&self, now: UnixMillis) -> bool {
        self.is_asking.get() && self.asked_within(LOST_MILLIS, now)
    }

    /// Whether it was asked for in the last so many milliseconds.
    pub(super) fn asked_within(&self, millis: u64, now: UnixMillis) -> bool {
        self.asked_at.get().is_some_and(|at| now.millis_since(at) < millis)
    }

    /// The ring is asked for.
    pub(super) fn begin(&self, now: UnixMillis) {
        self.asked_at.set(Some(now));
        self.is_asking.set(true);
    }

    /// The answer to the question of that time has come, or none will.
    pub(super) fn end(&self, ring: Option<Rc<KeyRing>>, asked_at: UnixMillis) {
        self.is_asking.set(false);
        if let Some(ring) = ring {
            *self.ring.borrow_mut() = Some(Held { ring, read_at: asked_at });
        }
    }
}
