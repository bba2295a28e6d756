//! Counts by name, of which there are never more than the bounds of [`super::series`]: what is too many is counted together, so that the
//! sum is always exact.

use std::collections::BTreeMap;

use super::series::{Kind, of_others};

/// Counts by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds to a name.
    pub fn add(&mut self, name: &str, n: u64) {
        if let Some(count) = self.0.get_mut(name) {
            *count = count.saturating_add(n);
            return;
        }
        let is_full = match Kind::of(name) {
            // Cheap as long as there is room for all kinds together.
            Some((kind, _)) if self.0.len() >= kind.bound() => self.of_kind(kind) >= kind.bound(),
            Some(_) => false,
            None => true,
        };
        let name = if is_full { of_others(name) } else { name.to_owned() };
        let count = self.0.entry(name).or_default();
        *count = count.saturating_add(n);
    }

    /// Adds all of others.
    pub fn add_all(&mut self, others: &Self) {
        for (name, n) in others.iter() {
            self.add(name, n);
        }
    }

    fn of_kind(&self, kind: Kind) -> usize {
        self.iter().filter(|(name, _)| Kind::of(name).is_some_and(|(own, _)| own == kind)).count()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, n)| (name.as_str(), *n))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        self.0
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
