//! Attributes and parameters of jobs, set past the status machine.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diracx_core::JobId;

use super::parameters::ParameterValue;
use crate::{
    Deps,
    error::{Error, Result},
    policy::{ManageJobs, ReadJobs},
    store::Parameters,
};

/// A column of `Jobs` that a patch may set.
pub type Attribute = &'static str;

/// The columns that a patch may set.
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
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "UserPriority",
    "RescheduleCounter",
    "VerifiedFlag",
    "AccountedFlag",
];

/// Whose a job is: the columns that only administrators may set.
pub const OWNERSHIP: &[Attribute] = &["Owner", "OwnerGroup", "VO"];

/// What those who watch jobs are told of.
const WATCHED: &[Attribute] = &["Status", "MinorStatus", "ApplicationStatus", "RescheduleCounter"];

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
    /// Columns, of [`ATTRIBUTES`].
    pub attributes: BTreeMap<Attribute, AttributeValue>,
    /// Parameters, each name once.
    pub parameters: Vec<(String, ParameterValue)>,
}

impl MetadataPatch {
    /// Whether it changes whose the job is.
    pub fn changes_ownership(&self) -> bool {
        OWNERSHIP.iter().any(|column| self.attributes.contains_key(column))
    }

    /// Whether it changes what those who watch the job are told of.
    pub fn changes_status(&self) -> bool {
        WATCHED.iter().any(|column| self.attributes.contains_key(column))
    }

    /// The columns to write: a new status is an update, now.
    pub fn columns(&self, now: DateTime<Utc>) -> BTreeMap<Attribute, AttributeValue> {
        let mut columns = self.attributes.clone();
        if columns.contains_key("Status") {
            columns.insert("LastUpdateTime", AttributeValue::Time(now));
        }
        columns
    }
}

/// Applies patches; one outcome for each job, in their order.
pub async fn patch(
    deps: &Deps,
    permit: ManageJobs,
    patches: Vec<MetadataPatch>,
) -> Result<Vec<(JobId, Result<()>)>> {
    let jobs = permit.into_jobs();
    debug_assert!(patches.iter().map(|patch| patch.job).eq(jobs.iter().copied()));
    let existing = deps.store.patch_metadata(crate::deadline(), patches, deps.clock.now()).await?;
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

    fn patch(attributes: &[(Attribute, AttributeValue)]) -> MetadataPatch {
        MetadataPatch { job: JobId(1), attributes: attributes.iter().cloned().collect(), parameters: vec![] }
    }

    #[test]
    fn a_new_status_is_an_update_whatever_time_was_given() {
        let (then, now) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(9, 0).unwrap());
        let text = AttributeValue::Text("Done".into());
        let both = [("LastUpdateTime", AttributeValue::Time(then)), ("Status", text)];
        assert_eq!(patch(&both).columns(now)["LastUpdateTime"], AttributeValue::Time(now));
        assert_eq!(patch(&both[..1]).columns(now)["LastUpdateTime"], AttributeValue::Time(then));
        assert!(
            !patch(&[("Site", AttributeValue::Text("X".into()))]).columns(now).contains_key("LastUpdateTime")
        );
    }

    #[test]
    fn an_owner_a_group_or_a_vo_is_ownership() {
        for column in ["Owner", "OwnerGroup", "VO"] {
            assert!(patch(&[(column, AttributeValue::Text("x".into()))]).changes_ownership(), "{column}");
        }
        assert!(!patch(&[("Site", AttributeValue::Text("x".into()))]).changes_ownership());
    }
}
