//! Decisions of an isolate are alike: a few series come again and again. They are counted here without their names, which are made when
//! the counts are handed over.

use super::{counts::Counts, series::Series};

/// How many series are known so: one after the other is compared.
const MAX_RECENT: usize = 32;

/// Counts of the series that come again.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Counted>);

#[derive(Debug)]
struct Counted {
    parts: [String; 6],
    n: u64,
}

impl Recent {
    /// Counts one of this series. `false`: there is no room for a further series.
    pub(super) fn count(&mut self, series: &Series<'_>) -> bool {
        let parts = series.parts();
        let is_same = |known: &&mut Counted| known.parts.iter().zip(parts).rev().all(same);
        if let Some(known) = self.0.iter_mut().find(is_same) {
            known.n = known.n.saturating_add(1);
            return true;
        }
        let has_room = self.0.len() < MAX_RECENT;
        if has_room {
            self.0.push(Counted { parts: parts.map(str::to_owned), n: 1 });
        }
        has_room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|known| known.n == 0)
    }

    /// Adds what was counted to the others, and begins anew. A series that did not come since the last time makes room.
    pub(super) fn hand_over(&mut self, counts: &mut Counts) {
        self.0.retain(|known| known.n > 0);
        for known in &mut self.0 {
            let series = Series::of_parts(known.parts.each_ref().map(String::as_str));
            counts.add(&series.name(), core::mem::take(&mut known.n));
        }
    }
}

fn same((known, part): (&String, &str)) -> bool {
    known == part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_names_however_many_series_there_are() {
        let (mut recent, mut counts, mut expected) =
            (Recent::default(), Counts::default(), Counts::default());
        let routes: Vec<String> = (0..MAX_RECENT + 8).map(|at| format!("/{at}")).collect();
        for turn in 0..3_u64 {
            for route in &routes {
                for carrier in ["", "bearer"] {
                    let series = Series { route, carrier, issuer: "a\tb", ..Series::default() };
                    expected.add(&series.name(), 1);
                    if !recent.count(&series) {
                        counts.add(&series.name(), 1);
                    }
                }
            }
            assert!(!recent.is_empty());
            recent.hand_over(&mut counts);
            assert!(recent.is_empty(), "{turn}");
            assert_eq!(counts, expected);
        }
    }

    #[test]
    fn a_series_that_does_not_come_makes_room() {
        let (mut recent, mut counts) = (Recent::default(), Counts::default());
        let of = |at: usize| format!("/{at}");
        for at in 0..MAX_RECENT {
            assert!(recent.count(&Series { route: &of(at), ..Series::default() }));
        }
        let new = Series { route: "/new", ..Series::default() };
        assert!(!recent.count(&new));
        recent.hand_over(&mut counts);
        recent.hand_over(&mut counts);
        assert!(recent.count(&new));
        assert_eq!(counts.decisions(), u64::try_from(MAX_RECENT).unwrap());
    }
}
