//! A map as a list in the order of its keys.
//!
//! `BTreeMap` is compiled for each type of key and value: five kilobytes of the Worker. To put one into a list moves those behind it, which costs
//! less than that is worth where there are some hundreds.

use core::borrow::Borrow;

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct SortedList<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedList<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> SortedList<K, V> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Where this key is, or would be.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The value of a key.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The same, to change it.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Puts a value in, in place of the one that the key had.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    *known = (key, value);
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Takes one out.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Keeps those that are to stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| stays(key, value));
    }

    /// All, in the order of their keys.
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, (K, V)> {
        self.0.iter()
    }

    /// The same, to change them.
    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, (K, V)> {
        self.0.iter_mut()
    }

    /// All, given away.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (K, V)> {
        self.0.into_iter()
    }

    /// The keys, in their order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Takes all out.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The values, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The first.
    pub(crate) fn first(&self) -> Option<&(K, V)> {
        self.0.first()
    }

    /// The last.
    pub(crate) fn last(&self) -> Option<&(K, V)> {
        self.0.last()
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V: Default> SortedList<K, V> {
    /// Changes the value of a key, which it has by default.
    pub(crate) fn change<T>(&mut self, key: K, step: impl FnOnce(&mut V) -> T) -> T {
        let at = self.filled_place(key);
        let mut other = None;
        // There is one at that place.
        let known = self.0.get_mut(at).map(|(_, value)| value);
        step(known.unwrap_or_else(|| other.get_or_insert_default()))
    }

    fn filled_place(&mut self, key: K) -> usize {
        self.place(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        })
    }
}

impl<K, V> IntoIterator for SortedList<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_name_comes_once_and_in_order() {
        let mut rows = SortedList::default();
        for (name, value) in [(3, "c"), (1, "a"), (2, "b"), (3, "d")] {
            rows.insert(name, value);
        }
        assert_eq!(rows.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(rows.get(&3), Some(&"d"));
        assert_eq!(rows.remove(&2), Some("b"));
        assert_eq!(rows.remove(&2), None);
        rows.retain(|_, value| *value != "a");
        assert_eq!(rows.values().copied().collect::<Vec<_>>(), ["d"]);
        assert_eq!(rows.len(), 1);
        rows.clear();
        assert!(rows.is_empty());
    }

    #[test]
    fn it_is_what_a_tree_is() {
        let mut list: SortedList<String, u32> = SortedList::new();
        let mut tree: BTreeMap<String, u32> = BTreeMap::new();
        // Keys that come again, in no order.
        for step in 0..400_u32 {
            let key = (step.wrapping_mul(2_654_435_761) % 61).to_string();
            match step % 4 {
                0 | 1 => {
                    list.insert(key.clone(), step);
                    tree.insert(key.clone(), step);
                }
                2 => {
                    list.change(key.clone(), |value| *value += 1);
                    *tree.entry(key.clone()).or_default() += 1;
                }
                _ => assert_eq!(list.remove(&key), tree.remove(&key)),
            }
            assert_eq!(list.get(&key), tree.get(&key));
            assert_eq!(list.get_mut(&key), tree.get_mut(&key));
            assert!(list.iter().map(|(key, value)| (key, value)).eq(tree.iter()));
            assert_eq!((list.len(), list.is_empty()), (tree.len(), tree.is_empty()));
        }
        let first = tree.first_key_value().map(|(key, value)| (key.clone(), *value));
        let last = tree.last_key_value().map(|(key, value)| (key.clone(), *value));
        assert_eq!((list.first().cloned(), list.last().cloned()), (first, last));
        list.retain(|_, value| value % 2 == 0);
        tree.retain(|_, value| *value % 2 == 0);
        assert!(list.values().eq(tree.values()));
        assert!(list.into_iter().eq(tree));
    }
}
