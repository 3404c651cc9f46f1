//! What is to be written when statuses are set, removed, begun or ended: a pure function of what is kept.
//!
//! A [`Book`] is opened on what is kept, changed, and closed; what has to be written is what it then tells. DIRAC's
//! rules hold: times are whole seconds, a check always moves the time of the last check, and the time of effect moves
//! when the status does. A change of the reason moves it as well, since DiracX's clients go by it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::model::{
    ElementType, Kept, Kind, Planned, Prior, Return, RowKey, SYSTEM, StatusType, Stored, Value, never,
};

/// A newest status further ahead than this is somebody's mistake, and not followed. It bounds how many changes within a
/// second get a time each: more than anybody makes.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// The statuses of an element that a change is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The type of the element.
    pub element_type: ElementType,
    /// The element.
    pub name: String,
    /// What can be done with it.
    pub status_types: Vec<StatusType>,
    /// The VO, or [`ALL`](crate::model::ALL).
    pub vo: String,
}

impl Target {
    /// The keys of the rows.
    pub fn keys(&self) -> impl Iterator<Item = RowKey> + '_ {
        self.status_types.iter().map(|status_type| RowKey {
            kind: self.element_type.kind(),
            name: self.name.clone(),
            status_type: status_type.as_str().to_owned(),
            vo: self.vo.clone(),
        })
    }
}

/// A status to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Of what.
    pub target: Target,
    /// Whether it may be used.
    pub value: Value,
    /// Why.
    pub reason: String,
    /// From when on; now, unless given.
    pub effective: Option<DateTime<Utc>>,
    /// From when on it is drained for it.
    pub drain_from: Option<DateTime<Utc>>,
    /// Until when; for good, unless given.
    pub expiration: Option<DateTime<Utc>>,
    /// Who sets it.
    pub owner: String,
}

/// A key with all that is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: RowKey,
    /// The status, if there is one yet.
    pub stored: Option<Stored>,
    /// What is planned for it.
    pub planned: Option<Planned>,
}

/// Why a status cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is known with another spelling, which MySQL would take for the same.
    SpeltOtherwise {
        /// The name, or VO, as it was given.
        name: String,
        /// As it is known.
        known: String,
    },
    /// Something of another type has this name.
    TypeTaken {
        /// The name.
        name: String,
        /// The type of what has it.
        by: String,
    },
    /// Somebody keeps the status as it is.
    Held {
        /// The name.
        name: String,
        /// Who.
        by: String,
    },
}

/// What is to be written. A key without a value is to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Statuses.
    pub statuses: BTreeMap<RowKey, Option<Stored>>,
    /// Plans.
    pub plans: BTreeMap<RowKey, Option<Planned>>,
    /// What is to be done when statuses expire.
    pub returns: BTreeMap<RowKey, Option<Return>>,
    /// Records of what was set, in order.
    pub log: Vec<Stored>,
    /// Records of what was set and changed something, in order.
    pub history: Vec<Stored>,
}

/// What is kept, and how it is changed.
#[derive(Debug)]
pub struct Book {
    statuses: BTreeMap<RowKey, Stored>,
    plans: BTreeMap<RowKey, Planned>,
    returns: BTreeMap<RowKey, Return>,
    spellings: Spellings,
    now: DateTime<Utc>,
    changes: Changes,
}

impl Book {
    /// Opens a book on what is kept.
    pub fn open(kept: Kept, now: DateTime<Utc>) -> Self {
        let Kept { statuses, plans, returns } = kept;
        let mut spellings = Spellings::default();
        let planned = plans.iter().map(|plan| &plan.key);
        let expiring = returns.iter().map(|row| &row.key);
        statuses
            .iter()
            .map(|row| &row.key)
            .chain(planned)
            .chain(expiring)
            .for_each(|key| spellings.note(key));
        Self {
            spellings,
            statuses: statuses.into_iter().map(|row| (row.key.clone(), row)).collect(),
            plans: plans.into_iter().map(|plan| (plan.key.clone(), plan)).collect(),
            returns: returns.into_iter().map(|row| (row.key.clone(), row)).collect(),
            now: now.trunc_subsecs(0),
            changes: Changes::default(),
        }
    }

    /// What is to be written.
    pub fn close(self) -> Changes {
        self.changes
    }

    /// The time, in whole seconds.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// What is planned, the earliest first.
    pub fn plans(&self) -> Vec<Planned> {
        let mut plans: Vec<_> = self.plans.values().cloned().collect();
        plans.sort_by_key(|plan| plan.effective);
        plans
    }

    /// What expires, the earliest first.
    pub fn returns(&self) -> Vec<Return> {
        let mut returns: Vec<_> = self.returns.values().cloned().collect();
        returns.sort_by_key(|row| row.expiration);
        returns
    }

    /// Sets a status, or plans it; all that the update is for, or nothing.
    pub fn set(&mut self, update: &Update) -> Result<Vec<Entry>, Refusal> {
        let Target { element_type, name, .. } = &update.target;
        for key in update.target.keys() {
            self.spellings.check(&key)?;
            self.may_set(&key, element_type.as_str(), &update.owner).map_err(|why| why.of(name))?;
        }
        update.target.keys().for_each(|key| self.spellings.note(&key));
        let expiration = update.expiration.map_or_else(never, |time| time.trunc_subsecs(0).min(never()));
        let effective = update.effective.map(|time| time.trunc_subsecs(0)).filter(|time| *time > self.now);
        for key in update.target.keys() {
            let planned = Planned {
                key: key.clone(),
                element_type: element_type.as_str().to_owned(),
                status: update.value.as_str().to_owned(),
                reason: update.reason.clone(),
                effective: effective.unwrap_or(self.now),
                drain_from: update.drain_from.map(|time| time.trunc_subsecs(0)),
                expiration,
                owner: update.owner.clone(),
            };
            if effective.is_some() {
                self.plan(planned);
            } else {
                self.begin(planned);
            }
        }
        Ok(update.target.keys().map(|key| self.entry(key)).collect())
    }

    /// Forgets the statuses, with what is planned for them; all of the target, or nothing.
    pub fn remove(&mut self, target: &Target) -> Result<(), Refusal> {
        for key in self.keys_of_type(target)? {
            self.forget(&key);
            self.unplan(&key);
        }
        Ok(())
    }

    /// Forgets what is planned, and leaves what holds; tells what was planned. The system does not cancel what a person
    /// has planned.
    pub fn cancel(&mut self, target: &Target, owner: &str) -> Result<Vec<Entry>, Refusal> {
        let keys = self.keys_of_type(target)?;
        let planned: Vec<Planned> = keys.iter().filter_map(|key| self.plans.get(key)).cloned().collect();
        if let Some(held) = planned.iter().find(|plan| owner == SYSTEM && plan.owner != SYSTEM) {
            return Err(Refusal::Held { name: held.key.name.clone(), by: held.owner.clone() });
        }
        let entries = planned.iter().map(|plan| self.entry(plan.key.clone())).collect();
        for plan in &planned {
            self.unplan(&plan.key);
        }
        Ok(entries)
    }

    /// The keys of a target, but for those that something of another type has.
    fn keys_of_type(&self, target: &Target) -> Result<Vec<RowKey>, Refusal> {
        let mut keys = Vec::new();
        for key in target.keys() {
            self.spellings.check(&key)?;
            if self.type_of(&key).is_none_or(|known| known == target.element_type.as_str()) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Makes a planned status the one that holds. What it is to be afterwards is what it is now; what is to follow a
    /// status that expires itself follows the new one.
    pub fn begin(&mut self, plan: Planned) {
        let key = plan.key.clone();
        let known = self.statuses.get(&key);
        if plan.expiration < never() {
            let prior = match self.returns.get(&key).filter(|row| known.is_some_and(|known| row.is_of(known)))
            {
                Some(row) => row.prior.clone(),
                None => known.map(Prior::from),
            };
            let row =
                Return { key: key.clone(), expiration: plan.expiration, status: plan.status.clone(), prior };
            self.returns.insert(key.clone(), row.clone());
            self.changes.returns.insert(key.clone(), Some(row));
        } else {
            self.unreturn(&key);
        }
        self.write(Stored {
            key,
            element_type: plan.element_type,
            status: plan.status,
            reason: plan.reason,
            effective: self.now,
            expiration: plan.expiration,
            last_check: self.now,
            owner: plan.owner,
        });
    }

    /// Makes the element what it was before, if the status that expires is still there.
    pub fn end(&mut self, row: &Return) -> bool {
        self.unreturn(&row.key);
        let Some(known) = self.statuses.get(&row.key).filter(|known| row.is_of(known)).cloned() else {
            return false;
        };
        match &row.prior {
            None => self.forget(&row.key),
            Some(prior) => {
                // whoever held it before does so no longer if that time is over, too
                let held = prior.expiration > self.now;
                self.write(Stored {
                    status: prior.status.clone(),
                    reason: prior.reason.clone(),
                    effective: self.now,
                    expiration: if held { prior.expiration } else { never() },
                    last_check: self.now,
                    owner: if held { prior.owner.clone() } else { SYSTEM.to_owned() },
                    ..known
                });
            }
        }
        true
    }

    /// Removes a plan.
    pub fn unplan(&mut self, key: &RowKey) {
        if self.plans.remove(key).is_some() {
            self.changes.plans.insert(key.clone(), None);
        }
    }

    /// Whether a plan can begin: nothing of another type has taken the name meanwhile.
    pub fn has_room_for(&self, plan: &Planned) -> bool {
        self.statuses.get(&plan.key).is_none_or(|known| fits(&known.element_type, &plan.element_type))
    }

    fn plan(&mut self, planned: Planned) {
        self.plans.insert(planned.key.clone(), planned.clone());
        self.changes.plans.insert(planned.key.clone(), Some(planned));
    }

    fn unreturn(&mut self, key: &RowKey) {
        if self.returns.remove(key).is_some() {
            self.changes.returns.insert(key.clone(), None);
        }
    }

    fn forget(&mut self, key: &RowKey) {
        if self.statuses.remove(key).is_some() {
            self.changes.statuses.insert(key.clone(), None);
        }
        self.unreturn(key);
    }

    /// Writes a row, with its records.
    fn write(&mut self, row: Stored) {
        let known = self.statuses.get(&row.key);
        let effective = match known.filter(|known| known.says_the_same_as(&row)) {
            Some(known) => known.effective,
            None => self.moment(row.key.kind),
        };
        let changed = known.is_none_or(|known| !known.says_the_same_as(&row) || known.owner != row.owner);
        let row = Stored { effective, ..row };
        self.changes.log.push(row.clone());
        if changed {
            self.changes.history.push(row.clone());
        }
        self.statuses.insert(row.key.clone(), row.clone());
        self.changes.statuses.insert(row.key.clone(), Some(row));
    }

    /// When a change takes effect: now, but after everything that was read. The revision that clients compare is the
    /// newest of these times, and two changes within a second must not have the same.
    fn moment(&self, kind: Kind) -> DateTime<Utc> {
        let written = |key: &RowKey| self.changes.statuses.contains_key(key);
        let read = self.statuses.values().filter(|row| row.key.kind == kind && !written(&row.key));
        let newest = read.map(|row| row.effective.trunc_subsecs(0)).max();
        match newest {
            Some(newest) if newest >= self.now && newest - self.now < AHEAD => newest + TimeDelta::seconds(1),
            _ => self.now,
        }
    }

    fn entry(&self, key: RowKey) -> Entry {
        let (stored, planned) = (self.statuses.get(&key).cloned(), self.plans.get(&key).cloned());
        Entry { key, stored, planned }
    }

    fn type_of(&self, key: &RowKey) -> Option<&str> {
        let stored = self.statuses.get(key).map(|row| row.element_type.as_str());
        stored
            .or_else(|| self.plans.get(key).map(|plan| plan.element_type.as_str()))
            .filter(|known| !known.is_empty())
    }

    fn may_set(&self, key: &RowKey, element_type: &str, owner: &str) -> Result<(), Why> {
        if let Some(known) = self.type_of(key).filter(|known| !fits(known, element_type)) {
            return Err(Why::TypeTaken(known.to_owned()));
        }
        match self.statuses.get(key) {
            Some(known) if owner == SYSTEM && known.owner != SYSTEM && known.expiration > self.now => {
                Err(Why::Held(known.owner.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// How elements and VOs are spelt.
///
/// DIRAC's tables on MySQL take texts for equal that differ in case, and keep the spelling of whoever came first: a ban
/// of `lcg.one.ch` would be written into the row of `LCG.One.ch`, behind the back of every rule. Nobody means a second
/// site by another spelling, so that is refused on every database.
#[derive(Debug, Default)]
struct Spellings {
    /// Names by what they are to MySQL.
    names: BTreeMap<(Kind, String), BTreeSet<String>>,
    /// VOs by what the whole key is to MySQL.
    vos: BTreeMap<RowKey, BTreeSet<String>>,
}

impl Spellings {
    fn note(&mut self, key: &RowKey) {
        self.names.entry((key.kind, fold(&key.name))).or_default().insert(key.name.clone());
        self.vos.entry(folded(key)).or_default().insert(key.vo.clone());
    }

    fn check(&self, key: &RowKey) -> Result<(), Refusal> {
        let refuse = |given: &String, known: Option<&BTreeSet<String>>| match known {
            Some(known) if !known.contains(given) => Err(Refusal::SpeltOtherwise {
                name: given.clone(),
                known: known.first().cloned().unwrap_or_default(),
            }),
            _ => Ok(()),
        };
        refuse(&key.name, self.names.get(&(key.kind, fold(&key.name))))?;
        refuse(&key.vo, self.vos.get(&folded(key)))
    }
}

/// What a text is to MySQL: case and spaces behind it do not count.
fn fold(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

fn folded(key: &RowKey) -> RowKey {
    RowKey { kind: key.kind, name: fold(&key.name), status_type: fold(&key.status_type), vo: fold(&key.vo) }
}

/// DIRAC's key has no type: a computing element and a file transfer server cannot have one name.
fn fits(known: &str, wanted: &str) -> bool {
    known.is_empty() || known == wanted
}

enum Why {
    TypeTaken(String),
    Held(String),
}

impl Why {
    fn of(self, name: &str) -> Refusal {
        let name = name.to_owned();
        match self {
            Self::TypeTaken(by) => Refusal::TypeTaken { name, by },
            Self::Held(by) => Refusal::Held { name, by },
        }
    }
}

impl Return {
    /// Whether `row` is still the status that expires.
    fn is_of(&self, row: &Stored) -> bool {
        row.status == self.status && row.expiration == self.expiration
    }
}

impl From<&Stored> for Prior {
    fn from(row: &Stored) -> Self {
        Self {
            status: row.status.clone(),
            reason: row.reason.clone(),
            expiration: row.expiration,
            owner: row.owner.clone(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
