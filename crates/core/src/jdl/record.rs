//! A record as it was written, before anybody asks what its values mean.

use std::{collections::HashMap, sync::Arc};

use super::error::Position;

/// A value as written: still quoted, still in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Anything but a record, without blanks around it; never empty.
    Text(String),
    /// `[ … ]`.
    Record(Vec<Entry>),
}

/// One `key = value;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Value,
}

/// How many keys are looked through one by one: most records have fewer than a table would pay off for.
const FEW: usize = 32;

/// A map that remembers in which order its keys came first.
#[derive(Debug, Clone)]
pub(super) struct OrderedMap<V> {
    entries: Vec<(Arc<str>, V)>,
    /// Where the keys are, once there are more than a few.
    index: HashMap<Arc<str>, usize>,
}

impl<V> Default for OrderedMap<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashMap::new() }
    }
}

impl<V> OrderedMap<V> {
    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= FEW {
            self.entries.iter().position(|(known, _)| **known == *key)
        } else {
            self.index.get(key).copied()
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.position(key).map(|i| &self.entries[i].1)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.position(key).map(|i| &mut self.entries[i].1)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets the value of `key`; a key that is there already keeps its place.
    pub(super) fn set(&mut self, key: &str, value: V) {
        if let Some(existing) = self.get_mut(key) {
            *existing = value;
            return;
        }
        self.entries.push((Arc::from(key), value));
        if self.entries.len() > FEW {
            let unknown = self.index.len()..self.entries.len();
            self.index.extend(unknown.map(|i| (Arc::clone(&self.entries[i].0), i)));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_places_however_many_there_are() {
        let mut map = OrderedMap::default();
        for round in 0..3 {
            for i in 0..3 * FEW {
                map.set(&format!("key {i}"), (round, i));
                assert_eq!(map.get(&format!("key {i}")), Some(&(round, i)));
            }
        }
        assert!(!map.contains("key"));
        let values: Vec<_> = map.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, (0..3 * FEW).map(|i| (2, i)).collect::<Vec<_>>());
    }
}
