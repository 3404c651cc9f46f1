//! The statuses as they are kept, a page at a time: from memory, like everything that is read often.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Entry;
use crate::{
    model::{ALL, ElementType, Kept, Kind, StatusType, Value},
    policy::ListScope,
};

/// Where an entry stands among all: by type, name, status type and VO.
pub type Place = (Option<ElementType>, String, Option<StatusType>, String, String);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only of this type.
    pub element_type: Option<ElementType>,
    /// Only of these elements; of all, if there are none.
    pub names: BTreeSet<String>,
    /// Only with one of these values; with any, if there are none.
    pub statuses: Vec<Value>,
    /// Only what comes behind this.
    pub after: Option<Place>,
}

/// A page, and where it ends if it is not the last one.
pub fn page(kept: &Kept, scope: &ListScope, wanted: &Wanted, size: usize) -> (Vec<Entry>, Option<Place>) {
    let mut entries: BTreeMap<Place, Entry> = BTreeMap::new();
    for row in &kept.statuses {
        let entry = Entry { key: row.key.clone(), stored: Some(row.clone()), planned: None };
        entries.insert(place(&entry), entry);
    }
    for plan in &kept.plans {
        let entry = Entry { key: plan.key.clone(), stored: None, planned: Some(plan.clone()) };
        entries.entry(place(&entry)).or_insert(entry).planned = Some(plan.clone());
    }
    let after = wanted.after.as_ref();
    let mut fitting = entries
        .into_iter()
        .filter(|(place, entry)| after.is_none_or(|after| place > after) && fits(entry, scope, wanted));
    let page: Vec<_> = fitting.by_ref().take(size).collect();
    let more = fitting.next().is_some();
    let end = page.last().map(|(place, _)| place.clone()).filter(|_| more);
    (page.into_iter().map(|(_, entry)| entry).collect(), end)
}

/// The type of an entry, as DIRAC writes it.
pub fn element_type(entry: &Entry) -> &str {
    let stored = entry.stored.as_ref().map(|row| row.element_type.as_str()).filter(|name| !name.is_empty());
    let planned = entry.planned.as_ref().map(|plan| plan.element_type.as_str());
    match stored.or(planned) {
        // the table says it, if nothing else does
        None if entry.key.kind == Kind::Site => ElementType::Site.as_str(),
        known => known.unwrap_or_default(),
    }
}

fn place(entry: &Entry) -> Place {
    let key = &entry.key;
    let status_type = &key.status_type;
    (
        element_type(entry).parse().ok(),
        key.name.clone(),
        status_type.parse().ok(),
        status_type.clone(),
        key.vo.clone(),
    )
}

fn fits(entry: &Entry, scope: &ListScope, wanted: &Wanted) -> bool {
    let vo = if entry.key.vo.is_empty() { ALL } else { &entry.key.vo };
    let seen = match scope {
        ListScope::All => true,
        ListScope::Vo(own) => vo == ALL || vo == own,
    };
    let of_type = wanted.element_type.is_none_or(|wanted| element_type(entry) == wanted.as_str());
    let named = wanted.names.is_empty() || wanted.names.contains(&entry.key.name);
    let status = entry.stored.as_ref().map(|row| row.status.as_str());
    let with_status =
        wanted.statuses.is_empty() || wanted.statuses.iter().any(|value| status == Some(value.as_str()));
    seen && of_type && named && with_status
}
