//! A key-value store like Workers KV: the last write wins, each place sees it late, each key takes one write a second, and now and then an
//! operation fails.

use std::collections::BTreeMap;

use crate::world::{Chance, LOCATIONS, Time};

/// This many in a million operations fail.
const FAILS: u64 = 5_000;
/// A write is seen elsewhere after up to a minute, and one in fifty later.
const SEEN_MILLIS: u64 = 60_000;
const SEEN_LATE_MILLIS: u64 = 120_000;
const LATE: u64 = 20_000;
/// The time between two writes of a key.
const WRITE_EVERY_MILLIS: Time = 1_000;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    keys: BTreeMap<String, Key>,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) too_many_writes: u64,
}

#[derive(Debug, Default)]
struct Key {
    /// In the order of writing.
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    written_at: Time,
    /// `None`: it was removed.
    value: Option<Vec<u8>>,
    expires_at: Time,
    seen_from: [Time; LOCATIONS],
}

/// It did not answer, or refused (429).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

impl Kv {
    pub(crate) fn put(
        &mut self,
        name: &str,
        value: Option<Vec<u8>>,
        ttl_secs: Option<u64>,
        from: usize,
        time: Time,
        chance: &mut Chance,
    ) -> Result<(), Failed> {
        self.writes += 1;
        let key = self.keys.entry(name.to_owned()).or_default();
        if key.versions.last().is_some_and(|last| time < last.written_at + WRITE_EVERY_MILLIS) {
            self.too_many_writes += 1;
            return Err(Failed);
        }
        if chance.happens(FAILS) {
            return Err(Failed);
        }
        let mut seen_from = [0; LOCATIONS];
        for (place, seen) in seen_from.iter_mut().enumerate() {
            let delay = match (place == from, chance.happens(LATE)) {
                (true, _) => 0,
                (false, false) => chance.below(SEEN_MILLIS),
                (false, true) => chance.between(SEEN_MILLIS, SEEN_LATE_MILLIS),
            };
            *seen = time + delay;
        }
        key.versions.push(Version {
            written_at: time,
            value,
            expires_at: ttl_secs.map_or(Time::MAX, |secs| time + secs * 1000),
            seen_from,
        });
        // Versions that every place has passed are not needed any more.
        let all_see =
            key.versions.iter().rposition(|one| one.seen_from.iter().all(|at| *at <= time));
        key.versions.drain(..all_see.unwrap_or(0));
        Ok(())
    }

    /// Returns what a place sees under a name: the latest version that has reached it.
    pub(crate) fn get(
        &mut self,
        name: &str,
        at: usize,
        time: Time,
        chance: &mut Chance,
    ) -> Result<Option<Vec<u8>>, Failed> {
        self.reads += 1;
        if chance.happens(FAILS) {
            return Err(Failed);
        }
        Ok(self.keys.get(name).and_then(|key| key.seen(at, time)))
    }

    /// The names below a prefix that a place sees, with their values.
    pub(crate) fn list(
        &mut self,
        prefix: &str,
        at: usize,
        time: Time,
        chance: &mut Chance,
    ) -> Result<Vec<(String, String)>, Failed> {
        self.reads += 1;
        if chance.happens(FAILS) {
            return Err(Failed);
        }
        let below =
            self.keys.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        let values = below.filter_map(|(name, key)| {
            Some((name.clone(), String::from_utf8(key.seen(at, time)?).ok()?))
        });
        Ok(values.collect())
    }
}

impl Key {
    fn seen(&self, at: usize, time: Time) -> Option<Vec<u8>> {
        let seen = self.versions.iter().rev().find(|one| one.seen_from[at] <= time)?;
        if seen.expires_at <= time { None } else { seen.value.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_seen_at_once_where_it_was_made_and_late_elsewhere() {
        let mut chance = Chance::new(7);
        let mut kv = Kv::default();
        while kv.put("a", Some(b"1".to_vec()), None, 0, 10_000, &mut chance).is_err() {}
        assert_eq!(kv.keys["a"].seen(0, 10_000), Some(b"1".to_vec()));
        assert_eq!(kv.keys["a"].seen(1, 10_000), None);
        assert_eq!(kv.keys["a"].seen(1, 10_000 + SEEN_LATE_MILLIS), Some(b"1".to_vec()));
    }

    #[test]
    fn a_second_write_within_a_second_is_refused() {
        let mut chance = Chance::new(7);
        let mut kv = Kv::default();
        while kv.put("a", None, None, 0, 10_000, &mut chance).is_err() {}
        assert_eq!(kv.put("a", None, None, 0, 10_999, &mut chance), Err(Failed));
        assert_eq!(kv.too_many_writes, 1);
    }
}
