//! What a gate has counted, and what it keeps of what all have counted.

use core::fmt::Write as _;
use std::cell::{Cell, RefCell};

use super::sessions;
use edgegate::error::StoreError;
use edgegate::watch::state::WatchState;
use edgegate::watch::tally::Tally;

/// What a gate has counted, and what it keeps.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) tally: RefCell<Tally>,
    /// `None`: another gate keeps, or the rows have to be read.
    pub(super) kept: RefCell<Option<Kept>>,
    /// The name under which this gate takes the lease. `None`: nothing is shared.
    pub(super) holder: Option<String>,
    is_busy: Cell<bool>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) state: WatchState,
    /// Of the rows, as the store numbers them.
    pub(super) version: u64,
    /// What the row `told` says, and what it is to say.
    pub(super) told: (String, String),
}

impl Watching {
    /// # Errors
    /// The host gives no random bytes.
    pub(super) fn new(is_shared: bool) -> Result<Self, StoreError> {
        let (mut isolate, mut name) = ([0; 8], [0; 16]);
        sessions::random(&mut isolate)?;
        sessions::random(&mut name)?;
        let holder = name.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self {
            tally: RefCell::new(Tally::new(u64::from_le_bytes(isolate))),
            kept: RefCell::new((!is_shared).then(Kept::default)),
            holder: is_shared.then_some(holder),
            is_busy: Cell::new(false),
        })
    }

    /// `None` if somebody works on what is kept already.
    pub(super) fn begin(&self) -> Option<Busy<'_>> {
        (!self.is_busy.replace(true)).then_some(Busy(&self.is_busy))
    }
}

pub(super) struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
