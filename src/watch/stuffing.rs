//! Finds who tries many credentials that are somebody else's.
//!
//! Behind the address of a company or of a mobile operator people mistype as well, but far more of them are let in. So a place (a network,
//! or an operator of networks) is found from which many different names or credentials failed within an hour, and few callers were let
//! in. A guesser with one name is none of them: that is what the rule `failures` and the limit on failed authentication are for. How
//! often it is wrong is measured over models of traffic: docs/watch.md.
//!
//! Who tried or was let in is listed nowhere. A place has 64 bits for each, and everybody sets one of them, by a MAC: how many there were
//! is told by how many bits are set (linear counting: Whang, Vander-Zanden, Taylor, 1990). The same one sets the same bit, at whatever
//! isolate.

use std::collections::HashMap;

use serde::Serialize;

use crate::{json::object::object, time::UnixMillis};

/// So many bits are about 30 different credentials.
const MANY: u32 = 24;

/// The bits of a place.
const BITS: u32 = 64;

/// At a place where a quarter as many are let in as fail, people mistype.
const ADMITTED_OF_FAILED: u32 = 4;

/// Half of an hour: what is looked at is this time and the one before.
const HALF_MILLIS: u64 = 1_800_000;

/// How many places are known. Each takes about 150 bytes.
const MAX_PLACES: usize = 20_000;

object! {
    /// Who came from a place, as bits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct Crowd, ignored {
        /// Names and credentials that failed.
        pub failed: u64 = 0,
        /// Callers who were let in.
        pub admitted: u64 = 0,
    }
}

impl Crowd {
    /// One whose name or credential failed.
    #[must_use]
    pub const fn of_failed(hash: u64) -> Self {
        Self { failed: bit(hash), admitted: 0 }
    }

    /// One who was let in.
    #[must_use]
    pub const fn of_admitted(hash: u64) -> Self {
        Self { failed: 0, admitted: bit(hash) }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { failed: self.failed | other.failed, admitted: self.admitted | other.admitted }
    }

    /// Compares how many there were, not their bits: of these nobody has more than 64, and 17 callers of one's own would hide any number that fails.
    fn is_stuffing(self) -> bool {
        let (failed, admitted) = (estimated(self.failed), estimated(self.admitted));
        self.failed.count_ones() >= MANY && admitted.saturating_mul(ADMITTED_OF_FAILED) <= failed
    }
}

/// How many there were, in hundredths, by how many bits they have set: so many it takes on the average until that many are set. More than 303 are
/// not told from 303.
fn estimated(bits: u64) -> u32 {
    let free = (0..bits.count_ones()).filter_map(|set| BITS.checked_sub(set));
    // While so many are free, one in 64/free sets another.
    free.filter_map(|free| BITS.saturating_mul(100).checked_div(free)).sum()
}

const fn bit(hash: u64) -> u64 {
    1 << (hash >> 58)
}

#[derive(Debug, Default)]
struct Place {
    half: u64,
    now: Crowd,
    before: Crowd,
    found_at: Option<UnixMillis>,
}

/// What is known of places. It is in memory only: after a restart the hour begins anew.
#[derive(Debug, Default)]
pub struct Stuffing {
    places: HashMap<String, Place>,
}

impl Stuffing {
    /// Adds who came from a place. Whether it has just been found: once an hour.
    pub fn add(&mut self, place: &str, crowd: Crowd, now: UnixMillis) -> bool {
        let half = now.as_millis().checked_div(HALF_MILLIS).unwrap_or_default();
        if !self.places.contains_key(place) && !self.has_room(half) {
            return false;
        }
        let known = self.places.entry(place.to_owned()).or_default();
        if half > known.half {
            let is_next = known.half.saturating_add(1) == half;
            known.before = if is_next { known.now } else { Crowd::default() };
            known.now = Crowd::default();
            known.half = half;
        }
        known.now = known.now.and(crowd);
        let was_told = |at: UnixMillis| now.millis_since(at) < HALF_MILLIS.saturating_mul(2);
        let is_found =
            known.now.and(known.before).is_stuffing() && !known.found_at.is_some_and(was_told);
        if is_found {
            known.found_at = Some(now);
        }
        is_found
    }

    /// When there are too many, those go that are over, and if that is not enough, those where nothing failed.
    fn has_room(&mut self, half: u64) -> bool {
        if self.places.len() < MAX_PLACES {
            return true;
        }
        self.places.retain(|_, place| place.half.saturating_add(1) >= half);
        if self.places.len() >= MAX_PLACES {
            self.places.retain(|_, place| place.now.and(place.before).failed != 0);
        }
        self.places.len() < MAX_PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + secs * 1000)
    }

    /// Spread over all bits, as a MAC is.
    const fn hash(number: u64) -> u64 {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn found(failed: u64, admitted: u64, over_secs: u64) -> usize {
        let mut stuffing = Stuffing::default();
        for one in 0..admitted {
            assert!(!stuffing.add("AS1", Crowd::of_admitted(hash(one)), at(0)));
        }
        let each = |one: &u64| {
            let secs = one * over_secs / failed;
            stuffing.add("AS1", Crowd::of_failed(hash(one + 100_000)), at(secs))
        };
        (0..failed).filter(each).count()
    }

    #[test]
    fn many_names_from_one_place_are_found_once_and_one_name_is_not() {
        assert_eq!(found(60, 0, 600), 1);
        assert_eq!(found(20, 0, 600), 0);
        let mut stuffing = Stuffing::default();
        assert!(!(0..500).any(|secs| stuffing.add("AS1", Crowd::of_failed(hash(7)), at(secs))));
    }

    #[test]
    fn where_others_are_let_in_people_mistype() {
        assert_eq!(found(150, 1_000, 600), 0);
        // A few of those who are tried are right.
        assert_eq!(found(150, 3, 600), 1);
    }

    #[test]
    fn callers_of_ones_own_hide_nothing_unless_they_are_as_many_as_elsewhere() {
        for admitted in [17, 25, 40] {
            assert_eq!(found(1_000, admitted, 600), 1, "{admitted}");
        }
        // The network of a mobile operator.
        assert_eq!(found(300, 300, 600), 0);
        assert_eq!(found(3_000, 3_000, 600), 0);
    }

    #[test]
    fn how_many_there_were_is_told_by_their_bits() {
        assert_eq!((estimated(0), estimated(1)), (0, 100));
        assert_eq!(estimated((1 << 24) - 1) / 100, 29);
        assert_eq!(estimated(u64::MAX) / 100, 303);
        for many in [10_u64, 30, 60, 120, 200] {
            let bits = (0..many).fold(0, |bits, one| bits | bit(hash(one)));
            let told = u64::from(estimated(bits) / 100);
            assert!((many * 2 / 3..=many * 3 / 2).contains(&told), "{many}: {told}");
        }
    }

    #[test]
    fn what_is_an_hour_ago_does_not_count() {
        assert_eq!(found(60, 0, 86_400), 0);
        // It is told again after an hour.
        assert_eq!(found(2_000, 0, 7_200), 2);
    }

    #[test]
    fn memory_has_an_end() {
        let mut stuffing = Stuffing::default();
        for number in 0..MAX_PLACES + 10 {
            stuffing.add(&format!("AS{number}"), Crowd::of_failed(1), at(0));
        }
        assert_eq!(stuffing.places.len(), MAX_PLACES);
        stuffing.add("AS1", Crowd::of_failed(1), at(7_200));
        stuffing.add("new", Crowd::of_failed(1), at(7_200));
        assert_eq!(stuffing.places.len(), 2);
    }
}
