//! Checks requests the way DiracX's clients know it: everything that is wrong, at once, each with its place.
//!
//! A request is read into a [`serde_json::Value`] and taken apart by small functions, one per type. They
//! convert as leniently as pydantic does (`"5"` is a whole number, `"yes"` is a flag), collect every
//! [`Problem`] with its [`Loc`], and the answer is a 422 in FastAPI's shape.

pub(crate) mod body;
pub(crate) mod datetime;
pub(crate) mod form;
pub(crate) mod heartbeat;
pub(crate) mod json;
pub(crate) mod loc;
pub(crate) mod metadata;
pub(crate) mod pilot;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod reschedule;
pub(crate) mod sandbox;
pub(crate) mod scalar;
pub(crate) mod search;
pub(crate) mod status;

pub(crate) use loc::Loc;
pub(crate) use problem::Problems;

/// Keeps the last value of every key, at the place of its first.
fn last_of_each<K: Eq + std::hash::Hash + Copy, V>(pairs: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut places = std::collections::HashMap::with_capacity(pairs.len());
    let mut kept: Vec<(K, V)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match places.entry(key) {
            std::collections::hash_map::Entry::Occupied(place) => {
                let at: usize = *place.get();
                kept[at].1 = value;
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests;
