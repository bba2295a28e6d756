//! How often may be guessed: exactly so often in a window, also when a thousand guess at once.
//!
//! A guess is reserved before its hash is computed, in one step of whoever keeps the row. A right one gives its own reservation back, and
//! nothing else: a thief who logs in to an account of his own between guesses at another's gains nothing by it. The window slides: each
//! reservation counts until it is as old as the window, so there is no moment at which twice as many are let through.

use serde::{Deserialize, Serialize};

use crate::time::UnixMillis;

/// How many guesses, and in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// So many.
    pub attempts: u8,
    /// In so many milliseconds.
    pub window_millis: u64,
}

/// As the guide has it: 5 in 15 minutes.
pub const DEFAULT_BOUND: Bound = Bound { attempts: 5, window_millis: 15 * 60 * 1000 };

/// A guess that may be made. It is given back if it was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a right guess gives it back"]
pub struct Reservation(u32);

/// The guesses of one name, one address or one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// The number of the next reservation.
    next: u32,
    /// Reservations with the time of each, the oldest first.
    taken: Vec<(u32, UnixMillis)>,
}

impl Attempts {
    /// None was made.
    #[must_use]
    pub const fn none() -> Self {
        Self { next: 0, taken: Vec::new() }
    }

    /// Whether none is kept.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.taken.is_empty()
    }

    /// Reserves a guess.
    ///
    /// # Errors
    /// When the next may be made: the bound is reached.
    pub fn reserve(&mut self, bound: Bound, now: UnixMillis) -> Result<Reservation, UnixMillis> {
        self.forget(bound, now);
        let full = self.taken.len() >= usize::from(bound.attempts);
        // The one that has to be over before there is room: with a bound that was lowered meanwhile it is not the oldest.
        let over = self.taken.len().saturating_sub(usize::from(bound.attempts));
        if full && let Some((_, at)) = self.taken.get(over) {
            return Err(at.saturating_add(bound.window_millis));
        }
        if full {
            return Err(now.saturating_add(bound.window_millis));
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        // A clock that was put back must not make a reservation look older than those before it.
        let at = self.taken.last().map_or(now, |(_, last)| now.max(*last));
        self.taken.push((number, at));
        Ok(Reservation(number))
    }

    /// Gives a reservation back. One that is over already is not there any more.
    pub fn give_back(&mut self, reservation: Reservation) {
        self.taken.retain(|(number, _)| *number != reservation.0);
    }

    /// Whether nothing of it counts any more, so that the row may go.
    #[must_use]
    pub fn is_over(&self, bound: Bound, now: UnixMillis) -> bool {
        self.taken.iter().all(|(_, at)| now.millis_since(*at) >= bound.window_millis)
    }

    /// How many count now.
    #[must_use]
    pub fn counted(&self, bound: Bound, now: UnixMillis) -> usize {
        let counts = |at: &UnixMillis| now.millis_since(*at) < bound.window_millis;
        self.taken.iter().filter(|(_, at)| counts(at)).count()
    }

    fn forget(&mut self, bound: Bound, now: UnixMillis) {
        self.taken.retain(|(_, at)| now.millis_since(*at) < bound.window_millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(START + millis)
    }

    #[test]
    fn five_in_a_window_that_slides() {
        let mut attempts = Attempts::default();
        for minute in 0..5 {
            assert!(attempts.reserve(DEFAULT_BOUND, at(minute * 60_000)).is_ok());
        }
        assert_eq!(attempts.reserve(DEFAULT_BOUND, at(300_000)), Err(at(900_000)));
        assert_eq!(attempts.reserve(DEFAULT_BOUND, at(899_999)), Err(at(900_000)));
        assert!(attempts.reserve(DEFAULT_BOUND, at(900_000)).is_ok());
        assert_eq!(attempts.reserve(DEFAULT_BOUND, at(900_001)), Err(at(960_000)));
    }

    #[test]
    fn of_a_thousand_at_once_five_are_let_through() {
        let mut attempts = Attempts::default();
        let through = (0..1000).filter(|_| attempts.reserve(DEFAULT_BOUND, at(0)).is_ok()).count();
        assert_eq!(through, 5);
    }

    #[test]
    fn a_right_guess_gives_back_its_own_alone() {
        let mut attempts = Attempts::default();
        let mut wrong = || attempts.reserve(DEFAULT_BOUND, at(0)).unwrap();
        let (_, _, _, _) = (wrong(), wrong(), wrong(), wrong());
        for second in 1..100 {
            let right = attempts.reserve(DEFAULT_BOUND, at(second * 1000)).unwrap();
            attempts.give_back(right);
            attempts.give_back(right);
        }
        let _ = attempts.reserve(DEFAULT_BOUND, at(100_000)).unwrap();
        assert!(attempts.reserve(DEFAULT_BOUND, at(100_000)).is_err());
        assert_eq!(attempts.counted(DEFAULT_BOUND, at(100_000)), 5);
    }

    #[test]
    fn a_clock_put_back_lets_nobody_guess_more() {
        let mut attempts = Attempts::default();
        for _ in 0..5 {
            let _ = attempts.reserve(DEFAULT_BOUND, at(600_000)).unwrap();
        }
        assert!(attempts.reserve(DEFAULT_BOUND, at(0)).is_err());
        assert!(!attempts.is_over(DEFAULT_BOUND, at(0)));
    }

    #[test]
    fn a_lowered_bound_counts_what_was_taken_before() {
        let mut attempts = Attempts::default();
        for minute in 0..5 {
            let _ = attempts.reserve(DEFAULT_BOUND, at(minute * 60_000)).unwrap();
        }
        let lower = Bound { attempts: 2, ..DEFAULT_BOUND };
        assert_eq!(attempts.reserve(lower, at(300_000)), Err(at(900_000 + 3 * 60_000)));
        let none = Bound { attempts: 0, ..DEFAULT_BOUND };
        assert!(Attempts::default().reserve(none, at(0)).is_err());
    }

    #[test]
    fn what_is_over_may_go() {
        let mut attempts = Attempts::default();
        assert!(attempts.is_over(DEFAULT_BOUND, at(0)));
        let _ = attempts.reserve(DEFAULT_BOUND, at(0)).unwrap();
        assert!(!attempts.is_over(DEFAULT_BOUND, at(899_999)));
        assert!(attempts.is_over(DEFAULT_BOUND, at(900_000)));
    }
}
