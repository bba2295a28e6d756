//! Any bytes as the rows of a subject, as a step and as its outcome: what is read is written again as it was, and any step may be
//! taken of it.
#![no_main]

use edgegate::session::key_ring::RingRecord;
use edgegate::session::state::{Paces, SubjectState};
use edgegate::session::step::{Outcome, Step};
use edgegate::time::UnixMillis;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(outcome) = Outcome::from_text(text) {
        assert_eq!(Outcome::from_text(&outcome.to_text()), Ok(outcome));
    }
    if let Ok(ring) = RingRecord::from_text(text) {
        assert_eq!(RingRecord::from_text(&ring.to_text()), Ok(ring));
    }
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let state = SubjectState::from_text(first);
    let mut state =
        state.or_else(|_| SubjectState::from_rows([("session/x", first)])).unwrap_or_default();
    let Ok(step) = Step::from_text(second) else { return };
    assert_eq!(Step::from_text(&step.to_text()).as_ref(), Ok(&step));
    let mut paces = Paces::default();
    for millis in [0, 1_700_000_000_000, u64::MAX] {
        let outcome = state.apply(&step, &mut paces, UnixMillis::from_millis(millis));
        assert_eq!(Outcome::from_text(&outcome.to_text()), Ok(outcome));
        let stored = state.to_text().unwrap();
        let again = SubjectState::from_text(&stored).unwrap();
        assert_eq!(again.to_text().unwrap(), stored);
    }
});
