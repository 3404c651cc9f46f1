//! Which jobs a stream tells of.

use std::collections::{BTreeSet, HashSet};

use diracx_core::{
    JobId,
    search::{Filter, ScalarOperator, SearchValue, VectorOperator},
};
use diracx_proto::Invalid;

use super::super::query::restrict;
use crate::{policy::JobScope, store::JobEvent};

/// Columns that do not change in the life of a job, by which one may watch.
const WATCHED: [&str; 6] = ["JobID", "JobGroup", "JobName", "Owner", "OwnerGroup", "VO"];

/// The jobs that a stream tells of: those named or those that fit, and of these what the caller may see.
#[derive(Debug, Clone)]
pub struct Selection {
    scope: JobScope,
    filters: Vec<Filter>,
    /// In order; none if the jobs are not named.
    jobs: Option<Vec<JobId>>,
    named: HashSet<JobId>,
}

impl Selection {
    /// # Errors
    /// For a filter that a stream cannot apply.
    pub fn new(scope: JobScope, jobs: Vec<JobId>, filters: Vec<Filter>) -> Result<Self, Invalid> {
        if !jobs.is_empty() && !filters.is_empty() {
            return Err(Invalid::field("search", "cannot be given together with job_ids"));
        }
        for filter in &filters {
            check(filter).map_err(|problem| Invalid::search("search", problem))?;
        }
        let named: HashSet<JobId> = jobs.iter().copied().collect();
        let jobs: BTreeSet<JobId> = jobs.into_iter().collect();
        let jobs = (!jobs.is_empty()).then(|| jobs.into_iter().collect());
        Ok(Self { scope, filters, jobs, named })
    }

    /// The jobs, if they are named; in order.
    pub(super) fn jobs(&self) -> Option<&[JobId]> {
        self.jobs.as_deref()
    }

    /// Conditions for a search that finds no less than the selection; of events as well as of jobs.
    pub(super) fn conditions(&self) -> Vec<Filter> {
        let mut filters = self.filters.clone();
        restrict(&self.scope, &mut filters);
        filters.extend(self.jobs.as_deref().map(among));
        filters
    }

    /// Whether this is told. Texts are compared as they are written, also where the database is less exact.
    pub(super) fn has(&self, event: &JobEvent) -> bool {
        let visible = match &self.scope {
            JobScope::All => true,
            JobScope::Vo(vo) => event.vo == *vo,
            JobScope::Owned { owner, vo } => event.owner == *owner && event.vo == *vo,
        };
        visible
            && (self.jobs.is_none() || self.named.contains(&event.job))
            && self.filters.iter().all(|filter| holds(filter, event))
    }
}

/// `JobID` is one of these.
pub(super) fn among(jobs: &[JobId]) -> Filter {
    let values = jobs.iter().map(|job| SearchValue::Int(job.get())).collect();
    Filter::Vector { parameter: "JobID".to_owned(), operator: VectorOperator::In, values }
}

fn check(filter: &Filter) -> Result<(), String> {
    let column = filter.parameter();
    if !WATCHED.contains(&column) {
        return Err(format!("jobs cannot be watched by {column}, only by {}", WATCHED.join(", ")));
    }
    let number = column == "JobID";
    match filter {
        Filter::Scalar { operator: ScalarOperator::Gt | ScalarOperator::Lt, value, .. } => {
            if !number {
                return Err(format!("jobs cannot be watched by the order of {column}"));
            }
            int(value).map(drop)
        }
        Filter::Scalar { operator: ScalarOperator::Eq | ScalarOperator::Neq, value, .. } if number => {
            int(value).map(drop)
        }
        Filter::Vector { values, .. } if number => values.iter().try_for_each(|value| int(value).map(drop)),
        Filter::Scalar { operator: ScalarOperator::Eq | ScalarOperator::Neq, .. } | Filter::Vector { .. } => {
            Ok(())
        }
        Filter::Scalar { operator, .. } => {
            Err(format!("operator '{}' is not for watching; use eq, neq, in or not in", operator.as_str()))
        }
    }
}

/// A number, also as text, as searches take it.
fn int(value: &SearchValue) -> Result<i64, String> {
    match value {
        SearchValue::Int(number) => Ok(*number),
        SearchValue::Text(text) => text.trim().parse().map_err(|_| format!("{text:?} is no job number")),
    }
}

fn holds(filter: &Filter, event: &JobEvent) -> bool {
    let text = match filter.parameter() {
        "JobGroup" => &event.job_group,
        "JobName" => &event.job_name,
        "Owner" => &event.owner,
        "OwnerGroup" => &event.owner_group,
        "VO" => &event.vo,
        _ => return holds_of_number(filter, event.job.get()),
    };
    let is = |value: &SearchValue| match value {
        SearchValue::Text(value) => value == text,
        SearchValue::Int(value) => value.to_string() == *text,
    };
    match filter {
        Filter::Scalar { operator, value, .. } => is(value) == (*operator == ScalarOperator::Eq),
        Filter::Vector { operator, values, .. } => values.iter().any(is) == (*operator == VectorOperator::In),
    }
}

fn holds_of_number(filter: &Filter, number: i64) -> bool {
    let is = |value: &SearchValue| int(value) == Ok(number);
    match filter {
        Filter::Scalar { operator, value, .. } => match operator {
            ScalarOperator::Gt => int(value).is_ok_and(|value| number > value),
            ScalarOperator::Lt => int(value).is_ok_and(|value| number < value),
            ScalarOperator::Neq => !is(value),
            _ => is(value),
        },
        Filter::Vector { operator, values, .. } => values.iter().any(is) == (*operator == VectorOperator::In),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::store::watch::JobState;

    fn event(job: i64, owner: &str, vo: &str, name: &str) -> JobEvent {
        JobEvent {
            number: 1,
            job: JobId(job),
            since: DateTime::UNIX_EPOCH,
            state: JobState {
                status: "Done".into(),
                minor_status: String::new(),
                application_status: String::new(),
                reschedule_counter: 0,
                removed: false,
            },
            owner: owner.into(),
            owner_group: "user".into(),
            vo: vo.into(),
            job_group: "1".into(),
            job_name: name.into(),
        }
    }

    fn scalar(parameter: &str, operator: ScalarOperator, value: &str) -> Filter {
        Filter::Scalar { parameter: parameter.into(), operator, value: SearchValue::Text(value.into()) }
    }

    #[test]
    fn the_scope_decides_before_anything_else() {
        let owned = JobScope::Owned { owner: "alice".into(), vo: "alpha".into() };
        let check = |scope: &JobScope, expected: [bool; 3]| {
            let selection = Selection::new(scope.clone(), vec![], vec![]).unwrap();
            let seen = [("alice", "alpha"), ("bob", "alpha"), ("alice", "beta")]
                .map(|(owner, vo)| selection.has(&event(1, owner, vo, "n")));
            assert_eq!(seen, expected, "{scope:?}");
        };
        check(&owned, [true, false, false]);
        check(&JobScope::Vo("alpha".into()), [true, true, false]);
        check(&JobScope::All, [true, true, true]);
        let named = Selection::new(owned, vec![JobId(2), JobId(1)], vec![]).unwrap();
        assert!(named.has(&event(1, "alice", "alpha", "n")) && !named.has(&event(1, "bob", "alpha", "n")));
        assert!(!named.has(&event(3, "alice", "alpha", "n")));
        assert_eq!(named.jobs(), Some([JobId(1), JobId(2)].as_slice()));
    }

    #[test]
    fn filters_are_applied_as_they_read() {
        let check = |filter: Filter, expected: bool| {
            let selection = Selection::new(JobScope::All, vec![], vec![filter.clone()]).unwrap();
            assert_eq!(selection.has(&event(7, "alice", "alpha", "fit")), expected, "{filter:?}");
        };
        check(scalar("JobName", ScalarOperator::Eq, "fit"), true);
        check(scalar("JobName", ScalarOperator::Eq, "Fit"), false);
        check(scalar("JobName", ScalarOperator::Neq, "fit"), false);
        check(scalar("JobID", ScalarOperator::Gt, "6"), true);
        check(scalar("JobID", ScalarOperator::Lt, "7"), false);
        check(scalar("JobID", ScalarOperator::Neq, "7"), false);
        let list = |operator| Filter::Vector {
            parameter: "JobGroup".into(),
            operator,
            values: vec![SearchValue::Int(1), SearchValue::Text("x".into())],
        };
        check(list(VectorOperator::In), true);
        check(list(VectorOperator::NotIn), false);
    }

    #[test]
    fn what_cannot_be_watched_by_is_refused() {
        let check = |filter: Filter, words: &str| {
            let error = Selection::new(JobScope::All, vec![], vec![filter]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check(scalar("Status", ScalarOperator::Eq, "Done"), "cannot be watched by Status");
        check(scalar("JobName", ScalarOperator::Like, "a%"), "operator 'like'");
        check(scalar("JobName", ScalarOperator::Gt, "a"), "the order of JobName");
        check(scalar("JobID", ScalarOperator::Eq, "a"), "no job number");
        let both = Selection::new(JobScope::All, vec![JobId(1)], vec![Filter::equals("VO", "alpha")]);
        assert!(both.unwrap_err().to_string().contains("together"));
    }
}
