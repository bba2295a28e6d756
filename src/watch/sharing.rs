//! Finds credentials that are used at several places by turns.
//!
//! Who moves leaves a place and does not come back soon; a phone between a wireless network and a mobile one comes back now and then.
//! Two who share a credential come back all the time. So what counts are returns to a place that was left: six within ten minutes. How
//! often that is wrong is measured over models of traffic: docs/watch.md.
//!
//! Isolates hand over by turns, so one may tell of an earlier moment than another did before. Sightings are put in the order of their
//! time: what is told late is no return, and none is missed for it.

use std::collections::HashMap;

use super::fingerprint::fingerprint;
use crate::time::UnixMillis;

/// So many returns within [`WITHIN_MILLIS`] are two callers.
const RETURNS: usize = 6;

/// Within this time.
const WITHIN_MILLIS: u64 = 600_000;

/// How many credentials are known. Each takes about 150 bytes.
const MAX_CREDENTIALS: usize = 50_000;

/// How many sightings of one are known. Of a stay there are two at most, its first and its last: so these are 12 stays at least.
const MAX_SIGHTINGS: usize = 24;

/// A credential that was not seen for this time is forgotten.
const FORGET_MILLIS: u64 = 3_600_000;

/// How many are told of at a time.
pub const MAX_WATCHED: usize = 500;

#[derive(Debug, Default)]
struct Seen {
    /// When, and at which place, in the order of time.
    sightings: Vec<(UnixMillis, u64)>,
    has_moved: bool,
    found_at: Option<UnixMillis>,
}

/// What is known of credentials. It is in memory only: after a restart first sights come again within the hour.
#[derive(Debug, Default)]
pub struct Sharing {
    seen: HashMap<String, Seen>,
    /// Those that were at several places, the newest last.
    watched: Vec<String>,
}

impl Sharing {
    /// Takes note of a sighting at `at`, which an isolate may tell later. Whether the credential has just been found to be shared: once in the time that it takes to find it.
    pub fn sight(&mut self, who: &str, place: &str, at: UnixMillis) -> bool {
        if !self.seen.contains_key(who) {
            self.make_room(at);
        }
        let seen = self.seen.entry(who.to_owned()).or_default();
        seen.add(at, fingerprint(place));
        if seen.has_two_places() && !seen.has_moved {
            seen.has_moved = true;
            if self.watched.len() >= MAX_WATCHED {
                self.watched.remove(0);
            }
            self.watched.push(who.to_owned());
        }
        let last = seen.last();
        let is_known = seen.found_at.is_some_and(|at| last.millis_since(at) < WITHIN_MILLIS);
        let is_found = !is_known && seen.returns() >= RETURNS;
        if is_found {
            seen.found_at = Some(last);
        }
        is_found
    }

    /// Those of whom each further sighting has to be known: they were at several places.
    pub fn watched(&mut self, now: UnixMillis) -> Vec<String> {
        let is_recent = |seen: &Seen| now.millis_since(seen.last()) < FORGET_MILLIS;
        self.watched.retain(|who| self.seen.get(who).is_some_and(is_recent));
        self.watched.clone()
    }

    /// When there are too many, those go that were not seen for an hour, and if that is not enough, those at one place.
    fn make_room(&mut self, now: UnixMillis) {
        if self.seen.len() < MAX_CREDENTIALS {
            return;
        }
        self.seen.retain(|_, seen| now.millis_since(seen.last()) < FORGET_MILLIS);
        if self.seen.len() >= MAX_CREDENTIALS {
            self.seen.retain(|_, seen| seen.has_moved);
        }
        if self.seen.len() >= MAX_CREDENTIALS {
            self.seen.clear();
        }
    }
}

impl Seen {
    fn add(&mut self, at: UnixMillis, place: u64) {
        let index = self.sightings.partition_point(|(earlier, _)| *earlier <= at);
        self.sightings.insert(index, (at, place));
        let last = self.last();
        self.sightings.retain(|(at, _)| last.millis_since(*at) < WITHIN_MILLIS);
        self.drop_within_stays();
        if self.sightings.len() > MAX_SIGHTINGS {
            self.sightings.remove(0);
        }
    }

    /// A stay is known by its first and last sighting.
    fn drop_within_stays(&mut self) {
        let within = self
            .sightings
            .windows(3)
            .position(|three| matches!(three, [(_, a), (_, b), (_, c)] if a == b && b == c));
        if let Some(index) = within {
            self.sightings.remove(index.saturating_add(1));
        }
    }

    fn last(&self) -> UnixMillis {
        self.sightings.last().map_or_else(UnixMillis::default, |(at, _)| *at)
    }

    fn has_two_places(&self) -> bool {
        let first = self.sightings.first().map(|(_, place)| place);
        self.sightings.iter().any(|(_, place)| Some(place) != first)
    }

    /// How often it came to a place where it had been before.
    fn returns(&self) -> usize {
        let is_return = |index: usize, place: u64| {
            let mut before = self.sightings.iter().take(index).map(|(_, place)| *place);
            before.next_back() != Some(place) && before.any(|earlier| earlier == place)
        };
        let returns = self.sightings.iter().enumerate();
        returns.filter(|(index, (_, place))| is_return(*index, *place)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + secs * 1000)
    }

    fn found(sightings: &[(u64, &str)]) -> Vec<u64> {
        let mut sharing = Sharing::default();
        let found = sightings.iter().filter(|(secs, place)| sharing.sight("c", place, at(*secs)));
        found.map(|(secs, _)| *secs).collect()
    }

    #[test]
    fn six_returns_in_ten_minutes_are_two_callers() {
        let turns: Vec<(u64, &str)> =
            (0..20).map(|at| (at * 30, if at % 2 == 0 { "AS1" } else { "AS2" })).collect();
        // There, there, and six times back. It is told again after ten minutes.
        assert_eq!(found(&turns), [210]);
    }

    #[test]
    fn who_moves_or_flaps_is_one() {
        let moving: Vec<String> = (0..50).map(|at| format!("AS{at}")).collect();
        let moving: Vec<(u64, &str)> =
            moving.iter().zip(0..).map(|(place, at)| (at * 60, place.as_str())).collect();
        assert!(found(&moving).is_empty());
        let flapping: Vec<(u64, &str)> =
            (0..50).map(|at| (at * 180, if at % 2 == 0 { "AS1" } else { "AS2" })).collect();
        assert!(found(&flapping).is_empty());
        let staying: Vec<(u64, &str)> = (0..50).map(|at| (at * 5, "AS1")).collect();
        assert!(found(&staying).is_empty());
    }

    /// Isolates hand over by turns: one says where the caller is, another where it was before.
    #[test]
    fn what_is_told_late_is_no_return() {
        let mut told = Vec::new();
        for turn in 0..30_u64 {
            let (here, there) = if turn % 2 == 0 { ("AS1", "AS2") } else { ("AS2", "AS1") };
            told.extend([(turn * 180, here), ((turn * 180).saturating_sub(5), there)]);
            told.extend([(turn * 180 + 3, here), ((turn * 180).saturating_sub(2), there)]);
        }
        assert!(found(&told).is_empty());
    }

    /// The same of two who share: each change of place is told late by one isolate, and none is missed.
    #[test]
    fn returns_that_are_told_late_count() {
        let turns: Vec<(u64, &str)> =
            (0..8).map(|at| (at * 30, if at % 2 == 0 { "AS1" } else { "AS2" })).collect();
        let mut late = turns.clone();
        late.chunks_mut(2).for_each(<[(u64, &str)]>::reverse);
        assert_eq!(found(&late).len(), 1);
        // However much it is used at one place, it is found.
        let mut busy: Vec<(u64, &str)> = (0..2_100).map(|at| (at / 10, "AS1")).collect();
        busy.extend((0..8).map(|at| (at * 28, "AS2")));
        busy.sort_unstable();
        assert_eq!(found(&busy).len(), 1);
    }

    #[test]
    fn only_who_was_at_several_places_is_watched() {
        let mut sharing = Sharing::default();
        sharing.sight("stays", "AS1", at(0));
        sharing.sight("moves", "AS1", at(0));
        sharing.sight("moves", "AS2", at(5));
        assert_eq!(sharing.watched(at(6)), ["moves"]);
        assert!(sharing.watched(at(10_000)).is_empty());
    }

    #[test]
    fn memory_has_an_end() {
        let mut sharing = Sharing::default();
        for number in 0..MAX_CREDENTIALS + 10 {
            sharing.sight(&format!("c{number}"), "AS1", at(0));
        }
        assert!(sharing.seen.len() <= MAX_CREDENTIALS);
    }
}
