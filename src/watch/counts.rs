//! Counts by name, of which there are never more than the bounds of [`super::series`]: what is too many is counted together, so that the
//! sum is always exact.

use std::collections::{BTreeMap, btree_map::Entry};

use super::series::{Kind, Room, Series, WHOLE_SERIES, of_others};

/// Counts by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    names: BTreeMap<String, u64>,
    /// How many names there are of each kind: to count them for each new one would cost more the more there are.
    of_kind: [usize; Kind::ALL.len()],
    room: Room,
}

impl Counts {
    /// None yet.
    #[must_use]
    pub fn of(room: Room) -> Self {
        Self { room, ..Self::default() }
    }

    /// The same as a slot of a minute or an hour keeps it. Sums by code, and by whether there was a credential, stay exact.
    #[must_use]
    pub fn for_long(&self) -> Self {
        let mut kept = Self::of(Room::LongSlot);
        let fits = self.of_kind(Kind::Decision) <= WHOLE_SERIES;
        for (name, n) in self.iter() {
            match Series::of(name).filter(|_| !fits) {
                Some(series) => kept.add(&series.brief().name(), n),
                None => kept.add(name, n),
            }
        }
        kept
    }

    /// Adds to a name.
    pub fn add(&mut self, name: &str, n: u64) {
        if let Some(count) = self.names.get_mut(name) {
            *count = count.saturating_add(n);
            return;
        }
        let (kind, is_full) = match Kind::of(name) {
            Some((kind, _)) => (kind, self.of_kind(kind) >= kind.bound(self.room)),
            None => (Kind::Finding, true),
        };
        let name = if is_full { of_others(name) } else { name.to_owned() };
        match self.names.entry(name) {
            Entry::Occupied(mut known) => {
                let count = known.get_mut();
                *count = count.saturating_add(n);
            }
            Entry::Vacant(new) => {
                new.insert(n);
                if let Some(of_kind) = self.of_kind.get_mut(kind as usize) {
                    *of_kind = of_kind.saturating_add(1);
                }
            }
        }
    }

    /// Adds all of others.
    pub fn add_all(&mut self, others: &Self) {
        for (name, n) in others.iter() {
            self.add(name, n);
        }
    }

    fn of_kind(&self, kind: Kind) -> usize {
        self.of_kind.get(kind as usize).copied().unwrap_or_default()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(name, n)| (name.as_str(), *n))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many decisions were counted.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        let decisions = self.iter().filter(|(name, _)| name.starts_with("d\t"));
        decisions.fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    /// As they are stored and sent.
    #[must_use]
    pub fn into_inner(self) -> BTreeMap<String, u64> {
        self.names
    }
}

/// What is too many of one kind, or is of no kind, is counted together here too: a stored text is no way around the bounds.
impl From<BTreeMap<String, u64>> for Counts {
    fn from(counts: BTreeMap<String, u64>) -> Self {
        let mut bounded = Self::default();
        counts.iter().for_each(|(name, n)| bounded.add(name, *n));
        bounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::series::{MAX_NETWORKS, MAX_SERIES, Series};

    #[test]
    fn names_have_an_end_and_the_sum_is_exact() {
        let mut counts = Counts::default();
        for at in 0..3_000 {
            let route = format!("/{at}");
            counts.add(&Series { route: &route, ..Series::default() }.name(), 2);
            counts.add(&Kind::Network.name(&route), 1);
        }
        assert_eq!(counts.decisions(), 6_000);
        assert_eq!(counts.of_kind(Kind::Decision), MAX_SERIES + 1);
        assert_eq!(counts.of_kind(Kind::Network), MAX_NETWORKS + 1);
        let networks: u64 =
            counts.iter().filter(|(name, _)| name.starts_with("n\t")).map(|(_, n)| n).sum();
        assert_eq!(networks, 3_000);
    }

    #[test]
    fn a_text_is_no_way_around_the_bounds() {
        let raw: BTreeMap<String, u64> = (0..2_000).map(|at| (format!("odd {at}"), 1)).collect();
        let counts = Counts::from(raw);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("x\t*", 2_000)]);
    }
}
