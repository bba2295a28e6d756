//! What a subject has, by its names, in their order.
//!
//! A subject has some dozens of anything. So this is a list in order: what a tree needs to stay balanced is more code than all
//! steps together.

/// Values by name; each name once.
#[derive(Debug, Clone)]
pub(super) struct Rows<K, V>(Vec<(K, V)>);

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Rows<K, V> {
    fn find(&self, name: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(name))
    }

    pub(super) fn get(&self, name: &K) -> Option<&V> {
        let at = self.find(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &K) -> Option<&mut V> {
        let at = self.find(name).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Sets a value; one that was there goes.
    pub(super) fn insert(&mut self, name: K, value: V) {
        self.remove(&name);
        if let Err(at) = self.find(&name) {
            self.0.insert(at, (name, value));
        }
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, name: &K) -> Option<V> {
        let at = self.find(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Takes out what does not fit.
    pub(super) fn retain(&mut self, fits: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| fits(value));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (K, V)> {
        self.0.into_iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(name, _)| name)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_comes_once_and_in_order() {
        let mut rows = Rows::default();
        for (name, value) in [(3, "c"), (1, "a"), (2, "b"), (3, "d")] {
            rows.insert(name, value);
        }
        assert_eq!(rows.names().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(rows.get(&3), Some(&"d"));
        assert_eq!(rows.remove(&2), Some("b"));
        assert_eq!(rows.remove(&2), None);
        rows.retain(|value| *value != "a");
        assert_eq!(rows.values().copied().collect::<Vec<_>>(), ["d"]);
        assert_eq!(rows.len(), 1);
    }
}
