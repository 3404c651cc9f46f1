//! What is kept of rescheduled jobs.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use crate::{
    error::Result,
    logic::reschedule::{Refused, Rescheduled},
};

/// What a job is executed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDescription {
    /// The description.
    pub jdl: String,
    /// Where: `ANY`, one site, or `Multiple`.
    pub site: String,
    /// How soon.
    pub user_priority: i32,
}

/// A run that a job may get.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Which job.
    pub job: JobId,
    /// How often its VO lets it be rescheduled.
    pub limit: i64,
    /// With what; none if its description cannot be used any more.
    pub description: Option<RunDescription>,
}

/// Jobs to be sent back to the beginning.
#[derive(Debug, Clone)]
pub struct Rescheduling {
    /// Each job once.
    pub runs: Vec<NewRun>,
    /// Whether to count from zero again.
    pub reset: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// How jobs begin again.
#[async_trait]
pub trait RescheduleStore: Send + Sync {
    /// Decides over each job by what its row says and does what was decided; jobs that do not exist are absent.
    async fn reschedule(
        &self,
        deadline: Deadline,
        rescheduling: Rescheduling,
        config: Arc<Config>,
    ) -> Result<BTreeMap<JobId, Result<Rescheduled, Refused>>>;
}
