//! What is kept of the jobs of pilots.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp};
use diracx_db::Deadline;

use crate::{error::Result, policy::PilotScope};

/// A pilot ran or runs a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The number of the pilot.
    pub pilot: i64,
    /// The job.
    pub job: JobId,
    /// When the pilot took it, if that was noted.
    pub start: Option<DateTime<Utc>>,
}

impl Link {
    /// Whether the pilot of the other link has the job, of these two: the one that took it last.
    pub fn is_before(&self, other: &Self) -> bool {
        (self.start, self.pilot) < (other.start, other.pilot)
    }
}

/// How jobs belong to pilots.
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Notes that a pilot within the scope runs jobs, since `start` or from now on; it has been heard of `now`. What is
    /// noted already stays, unless another pilot had the job since.
    async fn assign_jobs(
        &self,
        deadline: Deadline,
        pilot: PilotStamp,
        jobs: Vec<JobId>,
        scope: PilotScope,
        start: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// The links of these pilots, each once, in no order.
    async fn links_of_pilots(&self, deadline: Deadline, pilots: Vec<i64>) -> Result<Vec<Link>>;

    /// The links of these jobs, each once, in no order.
    async fn links_of_jobs(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Vec<Link>>;
}
