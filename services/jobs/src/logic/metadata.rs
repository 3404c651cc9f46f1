//! Attributes and parameters of jobs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diracx_core::{JobId, JobStatus};

use super::{
    parameters::ParameterValue,
    transitions::{self, CurrentStatus, Plan, StatusRecord},
};
use crate::{
    Deps,
    error::{Error, Result},
    policy::{PatchJobs, ReadJobs},
    store::Parameters,
};

/// A column of `Jobs` that a patch may set.
pub type Attribute = &'static str;

/// The columns that a patch may set, besides the status.
pub const ATTRIBUTES: &[Attribute] = &[
    "JobType",
    "JobGroup",
    "Site",
    "JobName",
    "Owner",
    "OwnerGroup",
    "VO",
    "SubmissionTime",
    "RescheduleTime",
    "LastUpdateTime",
    "StartExecTime",
    "HeartBeatTime",
    "EndExecTime",
    "MinorStatus",
    "ApplicationStatus",
    "UserPriority",
    "RescheduleCounter",
    "VerifiedFlag",
    "AccountedFlag",
];

/// Whose a job is.
const OWNERSHIP: &[Attribute] = &["Owner", "OwnerGroup", "VO"];

/// What the system notes about a job: limits hold by them, and commands are meant for a run by its counter.
const BOOKKEEPING: &[Attribute] = &["RescheduleCounter", "VerifiedFlag", "AccountedFlag"];

/// What those who watch jobs are told of.
const WATCHED: &[Attribute] = &["MinorStatus", "ApplicationStatus", "RescheduleCounter"];

/// Who sets a status by a patch, in the record of it.
const SOURCE: &str = "Metadata";

/// The value of an attribute. Flags are DIRAC's words for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text.
    Text(String),
    /// A number.
    Int(i32),
    /// An instant.
    Time(DateTime<Utc>),
}

/// What to set of one job. What is not mentioned stays.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataPatch {
    /// The job.
    pub job: JobId,
    /// Where the job is from now on, whatever the status machine says.
    pub status: Option<JobStatus>,
    /// Columns, of [`ATTRIBUTES`].
    pub attributes: BTreeMap<Attribute, AttributeValue>,
    /// Parameters, each name once.
    pub parameters: Vec<(String, ParameterValue)>,
}

impl MetadataPatch {
    /// Whether it changes whose the job is.
    pub fn changes_ownership(&self) -> bool {
        self.sets_any(OWNERSHIP)
    }

    /// Whether it changes what the system notes about the job.
    pub fn changes_bookkeeping(&self) -> bool {
        self.sets_any(BOOKKEEPING)
    }

    /// Whether it changes columns that those who watch the job are told of. A new status is told of by itself.
    pub fn changes_watched(&self) -> bool {
        self.sets_any(WATCHED)
    }

    /// What comes of the status that it sets, if it sets one, for a job that has its other columns already.
    pub fn plan(&self, current: &CurrentStatus, now: DateTime<Utc>) -> Option<Plan> {
        let text = |column| match self.attributes.get(column) {
            Some(AttributeValue::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let record = StatusRecord {
            time: now,
            status: Some(self.status?),
            minor_status: text("MinorStatus"),
            application_status: text("ApplicationStatus"),
            source: SOURCE.to_owned(),
        };
        Some(transitions::take(current, record, now))
    }

    fn sets_any(&self, columns: &[Attribute]) -> bool {
        columns.iter().any(|column| self.attributes.contains_key(column))
    }
}

/// Applies patches; one outcome for each job, in their order.
pub async fn patch(deps: &Deps, permit: PatchJobs) -> Result<Vec<(JobId, Result<()>)>> {
    let patches = permit.into_patches();
    let jobs: Vec<JobId> = patches.iter().map(|patch| patch.job).collect();
    let (config, now) = (deps.config.current()?, deps.clock.now());
    let existing = deps.store.patch_metadata(crate::deadline(), patches, config, now).await?;
    let outcome = |job| if existing.contains(&job) { Ok(()) } else { Err(Error::JobNotFound(job)) };
    Ok(jobs.into_iter().map(|job| (job, outcome(job))).collect())
}

/// The parameters of jobs with these names, all if there are none; one outcome for each job, in their order.
pub async fn parameters(
    deps: &Deps,
    permit: ReadJobs,
    names: BTreeSet<String>,
) -> Result<Vec<(JobId, Result<Parameters>)>> {
    let jobs = permit.into_jobs();
    let found = deps.store.parameters(crate::deadline(), jobs.clone(), names).await?;
    let outcome = |job| found.get(&job).cloned().ok_or(Error::JobNotFound(job));
    Ok(jobs.into_iter().map(|job| (job, outcome(job))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::transitions::StoredStatus;

    fn patch(status: Option<JobStatus>, attributes: &[(Attribute, &str)]) -> MetadataPatch {
        let text = |(column, text): &(Attribute, &str)| (*column, AttributeValue::Text((*text).to_owned()));
        let attributes = attributes.iter().map(text).collect();
        MetadataPatch { job: JobId(1), status, attributes, parameters: vec![] }
    }

    #[test]
    fn a_status_is_set_from_everywhere_even_when_the_last_record_is_ahead() {
        let now = DateTime::from_timestamp(9, 0).unwrap();
        let ahead = DateTime::from_timestamp(99, 0).unwrap();
        let done = patch(Some(JobStatus::Done), &[("MinorStatus", "m"), ("Site", "S")]);
        for from in JobStatus::ALL {
            let current = CurrentStatus {
                status: StoredStatus::Known(*from),
                has_started: false,
                has_ended: false,
                last_record: Some(ahead),
            };
            let plan = done.plan(&current, now).unwrap();
            assert_eq!(plan.change.status, Some(StoredStatus::Known(JobStatus::Done)), "{from}");
            assert_eq!(plan.change.last_update_time, Some(now));
            let record = &plan.records[0];
            assert_eq!((record.time, record.minor_status.as_deref()), (ahead, Some("m")));
            assert_eq!(patch(None, &[("MinorStatus", "m")]).plan(&current, now), None);
        }
    }

    #[test]
    fn columns_are_of_the_owner_of_the_system_or_of_neither() {
        for column in ATTRIBUTES {
            let patch = patch(None, &[(column, "x")]);
            let expected = match *column {
                "Owner" | "OwnerGroup" | "VO" => (true, false),
                "RescheduleCounter" | "VerifiedFlag" | "AccountedFlag" => (false, true),
                _ => (false, false),
            };
            assert_eq!((patch.changes_ownership(), patch.changes_bookkeeping()), expected, "{column}");
        }
    }
}
