//! What an isolate has counted, and has not handed over yet.

use core::cell::RefCell;

use super::clock;
use edgegate::watch::tally::Tally;

/// The tally of this isolate. It is made by the first request: there is no randomness before.
#[derive(Debug, Default)]
pub(crate) struct LocalTally(RefCell<Option<Tally>>);

impl LocalTally {
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut Tally) -> T) -> T {
        step(self.0.borrow_mut().get_or_insert_with(|| Tally::new(random())))
    }
}

/// Another one for each isolate: two with the same would be taken for one.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_be_bytes(bytes),
        // The time is better than nothing.
        Err(_) => clock::now().as_millis(),
    }
}
