//! Those with the most.

use core::cmp::Reverse;

/// How much one has: those that stand out come before those that do not, then the larger number counts.
pub(super) type Weight = (bool, u64);

/// Those with the most, at most so many; of equals the first.
pub(super) fn largest<T>(items: Vec<T>, most: usize, weight: impl Fn(&T) -> Weight) -> Vec<T> {
    let mut order: Vec<Place> = items.iter().map(|item| Reverse(weight(item))).zip(0..).collect();
    sort(&mut order);
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let taken = order.into_iter().take(most);
    taken.filter_map(|(_, at)| items.get_mut(at).and_then(Option::take)).collect()
}

/// A weight, and where the item is that has it.
type Place = (Reverse<Weight>, usize);

/// Places alone are sorted: one sort for the items of all types.
#[inline(never)]
fn sort(order: &mut [Place]) {
    order.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equals_in_their_order() {
        let items = vec![("a", 1), ("b", 3), ("c", 3), ("d", 2), ("e", 0)];
        let weight = |(name, n): &(&str, u64)| (*name == "e", *n);
        let names =
            |most| largest(items.clone(), most, weight).into_iter().map(|(name, _)| name).collect();
        let (four, all): (Vec<&str>, Vec<&str>) = (names(4), names(9));
        assert_eq!(four, ["e", "b", "c", "d"]);
        assert_eq!(all, ["e", "b", "c", "d", "a"]);
    }
}
