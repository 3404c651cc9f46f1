//! What a VO may use, from the rows of all VOs.
//!
//! The statuses for all VOs, overlaid by those of the VO, element by element. Which rows count, how they are read and
//! what the revision looks like is DiracX's; draining is ours.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat, Timelike, Utc};

use crate::model::{ElementType, Kept, Planned, StatusType, Stored, Value};

/// Whether something may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Yes; with what one should know.
    Allowed(Option<String>),
    /// No, and why.
    Forbidden(String),
}

impl Availability {
    /// Reads a row as DiracX does.
    pub fn of(status: &str, reason: &str) -> Self {
        let why = if reason.is_empty() { status } else { reason };
        match status.parse() {
            Ok(Value::Active) => Self::Allowed(None),
            Ok(Value::Degraded) => Self::Allowed(Some(why.to_owned())),
            Ok(Value::Probing | Value::Banned | Value::Error | Value::Unknown) => {
                Self::Forbidden(why.to_owned())
            }
            Err(()) => Self::Forbidden(format!("Unknown status: {status}")),
        }
    }
}

/// Since when an element is drained, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Draining {
    /// Since when.
    pub from: DateTime<Utc>,
    /// When it will not be usable any more.
    pub until: DateTime<Utc>,
}

/// An element, and for what it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// In the order of [`ElementType::status_types`].
    pub availability: Vec<Availability>,
    /// Whether it is being drained.
    pub draining: Option<Draining>,
}

/// What a VO may use, of one type, sorted by name.
pub type Elements = Arc<[Element]>;

/// What everybody may use, of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The newest status that the endpoint shows; none if there is no status.
    pub modified: Option<DateTime<Utc>>,
    revision: String,
    for_all: Elements,
    for_vo: HashMap<String, (Elements, Option<u32>)>,
    draining_for_all: Option<u32>,
}

impl View {
    /// What `kept` says about elements of this type at `now`.
    pub fn new(element_type: ElementType, kept: &Kept, now: DateTime<Utc>) -> Self {
        let shown: Vec<&Stored> = kept.statuses.iter().filter(|row| is_shown(element_type, row)).collect();
        let modified = shown.iter().map(|row| row.effective).max();
        let revision = match modified {
            Some(modified) => format!("{}-{}", iso(modified), shown.len()),
            None => "empty-0".to_owned(),
        };
        let drained = drained(element_type, &kept.plans, now);
        let mut rows: BTreeMap<Option<&str>, BTreeMap<&str, Rows<'_>>> = BTreeMap::new();
        for row in shown {
            let element = rows.entry(row.vo()).or_default().entry(&row.key.name).or_default();
            element.insert(&row.key.status_type, row);
        }
        let of_vo = |vo: Option<&str>| -> BTreeMap<String, Vec<Availability>> {
            let elements = rows.get(&vo).into_iter().flatten();
            elements
                .filter_map(|(name, rows)| {
                    Some(((*name).to_owned(), complete(element_type, vo, name, rows)?))
                })
                .collect()
        };
        let finish = |vo: Option<&str>, all: &BTreeMap<String, Vec<Availability>>| {
            let element = |(name, availability): (&String, &Vec<Availability>)| Element {
                name: name.clone(),
                availability: availability.clone(),
                draining: draining(&drained, name, vo),
            };
            let elements: Elements = all.iter().map(element).collect();
            let digest = digest(&elements);
            (elements, digest)
        };
        let all = of_vo(None);
        let vos = rows.keys().copied().flatten().chain(drained.keys().filter_map(|(_, vo)| *vo));
        let overlaid = |vo: &str| {
            let mut elements = all.clone();
            elements.extend(of_vo(Some(vo)));
            (vo.to_owned(), finish(Some(vo), &elements))
        };
        let for_vo = vos.collect::<std::collections::BTreeSet<_>>().into_iter().map(overlaid).collect();
        let (for_all, draining_for_all) = finish(None, &all);
        Self { modified, revision, for_all, for_vo, draining_for_all }
    }

    /// What this VO may use; without one, what holds for all VOs.
    pub fn elements(&self, vo: &str) -> &Elements {
        self.for_vo.get(vo).map_or(&self.for_all, |(elements, _)| elements)
    }

    /// Identifies the answer for this VO. DiracX's, and something behind it while anything is being drained.
    pub fn revision(&self, vo: &str) -> String {
        let draining = self.for_vo.get(vo).map_or(self.draining_for_all, |(_, draining)| *draining);
        let vo = if vo.is_empty() { crate::model::ALL } else { vo };
        match draining {
            Some(digest) => format!("{}-{vo}-draining-{digest:08x}", self.revision),
            None => format!("{}-{vo}", self.revision),
        }
    }
}

type Rows<'r> = BTreeMap<&'r str, &'r Stored>;
/// Who is drained, by element and VO.
type Drained<'r> = BTreeMap<(&'r str, Option<&'r str>), Draining>;

/// Whether DiracX's endpoint of this type shows the row.
fn is_shown(element_type: ElementType, row: &Stored) -> bool {
    // sites have a table of their own, and DiracX looks at nothing else
    row.key.kind == element_type.kind()
        && (element_type == ElementType::Site || row.element_type == element_type.as_str())
        && element_type.status_types().iter().any(|status_type| status_type.as_str() == row.key.status_type)
}

/// The availabilities of an element, if it has a row for each: without one, nobody knows what may be done with it.
fn complete(
    element_type: ElementType,
    vo: Option<&str>,
    name: &str,
    rows: &Rows<'_>,
) -> Option<Vec<Availability>> {
    let of = |status_type: &StatusType| rows.get(status_type.as_str());
    let found: Option<Vec<_>> = element_type.status_types().iter().map(of).collect();
    if found.is_none() {
        let vo = vo.unwrap_or(crate::model::ALL);
        tracing::warn!(vo, "storage element {name} is left out: it has not a status for each access");
    }
    Some(found?.into_iter().map(|row| Availability::of(&row.status, &row.reason)).collect())
}

fn drained(element_type: ElementType, plans: &[Planned], now: DateTime<Utc>) -> Drained<'_> {
    let mut drained = Drained::new();
    for plan in plans.iter().filter(|plan| plan.element_type == element_type.as_str()) {
        if let Some(from) = plan.drain_from.filter(|from| *from <= now) {
            let vo = Some(plan.key.vo.as_str()).filter(|vo| *vo != crate::model::ALL);
            let draining = Draining { from, until: plan.effective };
            let known = drained.entry((&plan.key.name, vo)).or_insert(draining);
            // of the accesses of a storage element, the first to go counts
            if plan.effective < known.until {
                *known = draining;
            }
        }
    }
    drained
}

/// A plan for the VO counts instead of one for all.
fn draining(drained: &Drained<'_>, name: &str, vo: Option<&str>) -> Option<Draining> {
    let own = vo.and_then(|vo| drained.get(&(name, Some(vo))));
    own.or_else(|| drained.get(&(name, None))).copied()
}

/// The same on every replica; none if nothing is drained.
fn digest(elements: &[Element]) -> Option<u32> {
    let mut hasher = DefaultHasher::new();
    let mut any = false;
    for element in elements {
        if let Some(draining) = element.draining {
            any = true;
            (&element.name, draining).hash(&mut hasher);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "half of a digest is a digest")]
    any.then(|| hasher.finish() as u32)
}

/// `2024-05-01T11:30:00+00:00`, as Python writes it: microseconds only if there are any.
fn iso(time: DateTime<Utc>) -> String {
    let form = if time.nanosecond() / 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.to_rfc3339_opts(form, false)
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
