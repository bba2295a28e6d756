//! A map that forgets: every entry has a time after which it is gone, and there are never more than a
//! fixed number, nor, where entries differ in size, more than so many bytes.
//!
//! What callers can fill has to have an end. When the map is full, what has expired goes first, then
//! the eighth that would expire soonest: one linear sweep pays for that many insertions.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use crate::time::UnixMillis;

/// A bounded map of expiring entries.
#[derive(Debug, Clone)]
pub struct BoundedMap<K, V> {
    entries: HashMap<K, (V, UnixMillis)>,
    capacity: usize,
    max_bytes: usize,
    /// How many bytes a value takes, about; 0 for all where they do not differ.
    weigh: fn(&V) -> usize,
    /// What the values take together.
    bytes: usize,
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    /// An empty map for at most `capacity` entries (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::weighing(capacity, usize::MAX, |_| 0)
    }

    /// The same of values that take at most `max_bytes` together. One that alone takes more is not kept. A value that is
    /// changed in place must not become another size.
    #[must_use]
    pub fn weighing(capacity: usize, max_bytes: usize, weigh: fn(&V) -> usize) -> Self {
        let (entries, bytes) = (HashMap::new(), 0);
        Self { entries, capacity: capacity.max(1), max_bytes, weigh, bytes }
    }

    /// The value of a key, unless it has expired.
    pub fn get<Q>(&self, key: &Q, now: UnixMillis) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key).filter(|(_, until)| now < *until).map(|(value, _)| value)
    }

    /// The value of a key, though it may have expired: it is there until room is needed.
    pub fn get_stale<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// The value of a key, to be changed in place, unless it has expired.
    pub fn get_mut<Q>(&mut self, key: &Q, now: UnixMillis) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get_mut(key).filter(|(_, until)| now < *until).map(|(value, _)| value)
    }

    /// Sets a value that is gone from `until` on.
    pub fn insert(&mut self, key: K, value: V, until: UnixMillis, now: UnixMillis) {
        let weight = (self.weigh)(&value);
        // What takes the place of one of its size needs no room: the key is looked for once.
        if let Some(place) = self.entries.get_mut(&key)
            && (self.weigh)(&place.0) == weight
        {
            *place = (value, until);
            return;
        }
        self.remove(&key);
        if weight > self.max_bytes {
            return;
        }
        if self.is_full(weight) {
            self.make_room(weight, now);
        }
        self.bytes = self.bytes.saturating_add(weight);
        self.entries.insert(key, (value, until));
    }

    /// Lets a value live until `until` at least.
    pub fn prolong<Q>(&mut self, key: &Q, until: UnixMillis)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((_, end)) = self.entries.get_mut(key) {
            *end = until.max(*end);
        }
    }

    /// Forgets a key.
    pub fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_entry(key);
    }

    /// Takes a value out, unless it has expired.
    pub fn take<Q>(&mut self, key: &Q, now: UnixMillis) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_entry(key).filter(|(_, until)| now < *until).map(|(value, _)| value)
    }

    fn remove_entry<Q>(&mut self, key: &Q) -> Option<(V, UnixMillis)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let removed = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub((self.weigh)(&removed.0));
        Some(removed)
    }

    /// Entries held, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The live entries, in no meaningful order.
    pub fn iter(&self, now: UnixMillis) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .iter()
            .filter(move |(_, (_, until))| now < *until)
            .map(|(key, (value, _))| (key, value))
    }

    /// Forgets what has expired.
    pub fn forget_expired(&mut self, now: UnixMillis) {
        self.entries.retain(|_, (_, until)| now < *until);
        self.weigh_again();
    }

    fn is_full(&self, weight: usize) -> bool {
        self.entries.len() >= self.capacity || self.bytes.saturating_add(weight) > self.max_bytes
    }

    fn make_room(&mut self, weight: usize, now: UnixMillis) {
        self.forget_expired(now);
        while self.is_full(weight) && !self.entries.is_empty() {
            self.drop_soonest();
            self.weigh_again();
        }
    }

    fn weigh_again(&mut self) {
        self.bytes = self.entries.values().map(|(value, _)| (self.weigh)(value)).sum();
    }

    fn drop_soonest(&mut self) {
        // Numbers alone are sorted: one sort for the maps of all types.
        let mut ends: Vec<u64> =
            self.entries.values().map(|(_, until)| until.as_millis()).collect();
        ends.sort_unstable();
        let superfluous = (ends.len() / 8).max(1);
        let Some(&last) = ends.get(superfluous.saturating_sub(1)) else {
            self.entries.clear();
            return;
        };
        let sooner = ends.partition_point(|end| *end < last);
        let mut with_the_last = superfluous.saturating_sub(sooner);
        self.entries.retain(|_, (_, until)| {
            let goes = until.as_millis() < last
                || (until.as_millis() == last && with_the_last > 0 && {
                    with_the_last = with_the_last.saturating_sub(1);
                    true
                });
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(millis)
    }

    #[test]
    fn an_entry_is_gone_at_its_time() {
        let mut map = BoundedMap::new(4);
        map.insert("a", 1, at(10), at(0));
        assert_eq!(map.get("a", at(9)), Some(&1));
        assert_eq!(map.get("a", at(10)), None);
    }

    #[test]
    fn a_full_map_drops_what_expired_then_what_expires_soonest() {
        let mut map = BoundedMap::new(2);
        map.insert("expired", 1, at(1), at(0));
        map.insert("late", 2, at(100), at(0));
        map.insert("soon", 3, at(50), at(5));
        assert_eq!(map.get("late", at(5)), Some(&2));
        map.insert("new", 4, at(60), at(5));
        assert_eq!(map.get("soon", at(5)), None);
        assert_eq!(map.get("late", at(5)), Some(&2));
        assert_eq!(map.get("new", at(5)), Some(&4));
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let mut map = BoundedMap::new(64);
        for key in 0..10_000_u64 {
            map.insert(key, (), at(1_000_000), at(key));
            assert!(map.len() <= 64);
        }
    }

    #[test]
    fn an_expired_entry_is_neither_changed_nor_taken() {
        let mut map = BoundedMap::new(4);
        map.insert("a", 1, at(10), at(0));
        *map.get_mut("a", at(9)).unwrap() = 2;
        assert_eq!(map.get_mut("a", at(10)), None);
        assert_eq!(map.get("a", at(9)), Some(&2));
        assert_eq!(map.take("a", at(9)), Some(2));
        assert_eq!(map.get("a", at(9)), None);
        map.insert("a", 1, at(10), at(0));
        assert_eq!(map.take("a", at(10)), None);
        assert!(map.is_empty());
    }

    #[test]
    fn replacing_needs_no_room() {
        let mut map = BoundedMap::new(1);
        map.insert("a", 1, at(10), at(0));
        map.insert("a", 2, at(20), at(0));
        assert_eq!(map.get("a", at(15)), Some(&2));
    }

    #[test]
    fn values_take_no_more_bytes_than_they_may() {
        let mut map = BoundedMap::weighing(1_000, 100, String::len);
        for key in 0..1_000_u64 {
            map.insert(key, "x".repeat(30), at(1_000_000 + key), at(0));
            assert!(map.len() <= 3 && map.bytes <= 100);
        }
        assert!(map.get(&999, at(0)).is_some(), "what comes last is kept");
        map.insert(1, "x".repeat(101), at(1_000_000), at(0));
        assert_eq!(map.get(&1, at(0)), None, "too large to be kept at all");
        map.insert(999, "y".repeat(100), at(2_000_000), at(0));
        assert_eq!((map.len(), map.bytes), (1, 100));
        map.insert(999, "z".repeat(40), at(2_000_000), at(0));
        assert_eq!((map.len(), map.bytes), (1, 40), "what is replaced takes nothing any more");
        map.insert(2, "w".repeat(60), at(1), at(0));
        map.insert(3, "v".repeat(60), at(2_000_000), at(5));
        assert_eq!(map.len(), 2, "what has expired goes first");
        assert!(map.take(&3, at(5)).is_some());
        map.remove(&999);
        assert_eq!((map.len(), map.bytes), (0, 0));
    }
}
