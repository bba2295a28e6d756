//! Finds credentials that are used at several places by turns.
//!
//! Who moves leaves a place and does not come back soon; a phone between a wireless network and a mobile one comes back now and then.
//! Two who share a credential come back all the time. So what counts are returns to a place that was left: six within ten minutes. How
//! often that is wrong is measured over models of traffic: docs/watch.md.

use std::collections::HashMap;

use crate::time::UnixMillis;

/// So many returns within [`WITHIN_MILLIS`] are two callers.
const RETURNS: usize = 6;

/// Within this time.
const WITHIN_MILLIS: u64 = 600_000;

/// How many credentials are known. Each takes about 100 bytes.
const MAX_CREDENTIALS: usize = 50_000;

/// How many places of one are known.
const MAX_PLACES: usize = 8;

/// A credential that was not seen for this time is forgotten.
const FORGET_MILLIS: u64 = 3_600_000;

/// How many are told of at a time.
pub const MAX_WATCHED: usize = 500;

#[derive(Debug)]
struct Seen {
    /// Places, the current one last.
    places: Vec<u64>,
    returns: Vec<UnixMillis>,
    last: UnixMillis,
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
    /// Takes note of a sighting at `now`, which an isolate may tell later. Whether the credential has just been found to be shared: once in the time that it takes to find it.
    pub fn sight(&mut self, who: &str, place: &str, now: UnixMillis) -> bool {
        let place = fingerprint(place);
        let Some(seen) = self.seen.get_mut(who) else {
            self.make_room(now);
            let seen = Seen { places: vec![place], returns: Vec::new(), last: now, found_at: None };
            self.seen.insert(who.to_owned(), seen);
            return false;
        };
        // What an isolate tells later than another is not where the caller went next.
        if now < seen.last {
            return false;
        }
        seen.last = now;
        if seen.places.last() == Some(&place) {
            return false;
        }
        let was_here = seen.places.iter().position(|known| *known == place);
        if let Some(at) = was_here {
            seen.places.remove(at);
        } else if seen.places.len() >= MAX_PLACES {
            seen.places.remove(0);
        }
        seen.places.push(place);
        if was_here.is_none() {
            if seen.places.len() == 2 {
                if self.watched.len() >= MAX_WATCHED {
                    self.watched.remove(0);
                }
                self.watched.push(who.to_owned());
            }
            return false;
        }
        seen.returns.retain(|at| now.millis_since(*at) < WITHIN_MILLIS);
        if seen.returns.len() >= RETURNS {
            seen.returns.remove(0);
        }
        seen.returns.push(now);
        let is_known = seen.found_at.is_some_and(|at| now.millis_since(at) < WITHIN_MILLIS);
        let is_found = seen.returns.len() >= RETURNS && !is_known;
        if is_found {
            seen.found_at = Some(now);
        }
        is_found
    }

    /// Those of whom each further sighting has to be known: they were at several places.
    pub fn watched(&mut self, now: UnixMillis) -> Vec<String> {
        let is_recent = |seen: &Seen| now.millis_since(seen.last) < FORGET_MILLIS;
        self.watched.retain(|who| self.seen.get(who).is_some_and(is_recent));
        self.watched.clone()
    }

    /// When there are too many, those go that were not seen for an hour, and if that is not enough, those at one place.
    fn make_room(&mut self, now: UnixMillis) {
        if self.seen.len() < MAX_CREDENTIALS {
            return;
        }
        self.seen.retain(|_, seen| now.millis_since(seen.last) < FORGET_MILLIS);
        if self.seen.len() >= MAX_CREDENTIALS {
            self.seen.retain(|_, seen| seen.places.len() > 1);
        }
        if self.seen.len() >= MAX_CREDENTIALS {
            self.seen.clear();
        }
    }
}

/// FNV-1a. Places of one credential are told apart, nothing else: two that are the same hide a return, and no more.
fn fingerprint(place: &str) -> u64 {
    place.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
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
