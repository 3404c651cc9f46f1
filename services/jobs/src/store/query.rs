//! What is told of jobs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, search::Table};
use diracx_db::{
    Deadline,
    search::{Plan, Rows},
};

use crate::error::Result;

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ownership {
    /// The preferred user name.
    pub owner: String,
    /// The group.
    pub owner_group: String,
    /// The VO.
    pub vo: String,
}

/// The description of a job, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDescription {
    /// As submitted.
    pub original_jdl: String,
    /// As executed.
    pub jdl: String,
    /// Whose it is.
    pub ownership: Ownership,
}

impl StoredDescription {
    /// How many bytes its texts have.
    pub fn bytes(&self) -> usize {
        self.original_jdl.len() + self.jdl.len()
    }
}

/// One record of a job's history, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRecord {
    /// The status from then on.
    pub status: String,
    /// The minor status from then on.
    pub minor_status: String,
    /// The application status from then on.
    pub application_status: String,
    /// When.
    pub time: DateTime<Utc>,
    /// Who reported it.
    pub source: String,
}

impl HistoryRecord {
    /// How many bytes it has in an answer, about.
    pub fn bytes(&self) -> usize {
        let texts = [&self.status, &self.minor_status, &self.application_status, &self.source];
        texts.into_iter().map(String::len).sum::<usize>() + 32
    }
}

/// Rows of a search, and for each its history if that was asked for.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The rows.
    pub rows: Rows,
    /// By job.
    pub histories: BTreeMap<JobId, Vec<HistoryRecord>>,
}

/// How jobs are looked at.
#[async_trait]
pub trait QueryStore: Send + Sync {
    /// The rows of a search. With `history`, its first column is `JobID`.
    async fn search(&self, deadline: Deadline, plan: Plan, history: bool) -> Result<Found>;

    /// The groups of a summary.
    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table>;

    /// Whose the jobs are; those that do not exist are absent.
    async fn ownerships(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, Ownership>>;

    /// The descriptions of the jobs; those that do not exist are absent. Too much text for one answer is refused.
    async fn descriptions(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, StoredDescription>>;

    /// The histories of the jobs; those without any are absent. Too much for one answer is refused.
    async fn histories(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>>;
}
