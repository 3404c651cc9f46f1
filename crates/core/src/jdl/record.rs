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

/// A map that remembers in which order its keys came first.
#[derive(Debug, Clone)]
pub(super) struct OrderedMap<V> {
    entries: Vec<(Arc<str>, V)>,
    index: HashMap<Arc<str>, usize>,
}

impl<V> Default for OrderedMap<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashMap::new() }
    }
}

impl<V> OrderedMap<V> {
    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.index.get(key).map(|i| &self.entries[*i].1)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.index.get(key).map(|i| &mut self.entries[*i].1)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// Sets the value of `key`; a key that is there already keeps its place.
    pub(super) fn set(&mut self, key: &str, value: V) {
        if let Some(existing) = self.get_mut(key) {
            *existing = value;
        } else {
            let key = Arc::<str>::from(key);
            self.index.insert(Arc::clone(&key), self.entries.len());
            self.entries.push((key, value));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }
}
