//! Chance, time and places.

use std::{cmp::Reverse, collections::BinaryHeap};

use edgegate::time::UnixMillis;

/// When each simulation begins, in milliseconds since 1970: a moment at which no window begins.
const START: u64 = 1_700_000_001_234;

/// `SplitMix64` (Steele, Lea, Flood 2014). Written out, so that a seed means the same for ever.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, evenly.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        // The bias of a remainder is below 2^-32 for the small numbers here.
        self.next() % end
    }

    /// From `from` to `to`, both included.
    pub(crate) const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Happens this often in a million.
    pub(crate) const fn happens(&mut self, in_a_million: u64) -> bool {
        self.below(1_000_000) < in_a_million
    }
}

/// True time, which nobody in the simulation knows: milliseconds since its beginning.
pub(crate) type Time = u64;

/// A clock that is wrong by a fixed time and runs at the right rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    ahead_millis: i64,
}

/// Clocks are wrong by at most this. In a data centre they differ by milliseconds; this finds code that relies on that.
pub(crate) const MAX_SKEW_MILLIS: i64 = 5_000;

impl Clock {
    pub(crate) fn random(chance: &mut Chance) -> Self {
        let ahead = chance.below(2 * MAX_SKEW_MILLIS.unsigned_abs() + 1);
        Self { ahead_millis: i64::try_from(ahead).expect("small") - MAX_SKEW_MILLIS }
    }

    /// What it shows.
    pub(crate) fn at(self, time: Time) -> UnixMillis {
        UnixMillis::from_millis((START + time).saturating_add_signed(self.ahead_millis))
    }
}

/// Places of the network: the first is where the Durable Objects are.
pub(crate) const LOCATIONS: usize = 5;

/// One way between an isolate and a Durable Object, in milliseconds: near, across a continent, across an ocean; and now and
/// then much longer.
pub(crate) const fn travel(location: usize, chance: &mut Chance) -> Time {
    let usual = chance.between(1, 4) + 18 * location as u64;
    if chance.happens(5_000) { usual + chance.between(200, 3_000) } else { usual }
}

/// Future events in the order of time. Events of the same time come in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    events: BinaryHeap<Reverse<Planned<E>>>,
    planned: u64,
}

#[derive(Debug)]
struct Planned<E> {
    time: Time,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(crate) const fn new() -> Self {
        Self { events: BinaryHeap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, time: Time, event: E) {
        self.planned += 1;
        self.events.push(Reverse(Planned { time, order: self.planned, event }));
    }

    pub(crate) fn next(&mut self) -> Option<(Time, E)> {
        self.events.pop().map(|Reverse(planned)| (planned.time, planned.event))
    }
}

impl<E> Ord for Planned<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.order).cmp(&(other.time, other.order))
    }
}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<E> Eq for Planned<E> {}

/// Returns the value that this part of a sorted list does not exceed: 0.5 gives the median.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut chance = Chance::new(1_234_567);
        // From the reference implementation.
        assert_eq!(chance.next(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn what_is_planned_comes_in_its_order() {
        let mut agenda = Agenda::new();
        for (time, event) in [(5, 'b'), (1, 'a'), (5, 'c')] {
            agenda.plan(time, event);
        }
        let order: Vec<char> =
            std::iter::from_fn(|| agenda.next()).map(|(_, event)| event).collect();
        assert_eq!(order, ['a', 'b', 'c']);
    }
}
