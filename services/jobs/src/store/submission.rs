//! What is kept of submissions.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, jdl::JobDescription};
use diracx_db::Deadline;

use crate::error::Result;

/// Jobs to be made.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose they are.
    pub owner: String,
    /// Under which group.
    pub owner_group: String,
    /// In which VO.
    pub vo: String,
    /// The storage element of the sandboxes that they name.
    pub storage_element: String,
    /// What they do; checked, and lacking only their numbers.
    pub jobs: Arc<[JobDescription]>,
    /// When they were accepted.
    pub at: DateTime<Utc>,
    /// Identifies the call for a repetition.
    pub call: Option<Call>,
}

/// What a repetition of a call is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls, and what they call it; 64 characters.
    pub key: String,
    /// A hash of what the call brings: a repetition has to bring the same.
    pub digest: String,
}

/// Jobs that were made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Submitted {
    /// In the order of the submission.
    pub ids: Vec<JobId>,
    /// Whether they came of parameters.
    pub parametric: bool,
    /// When they were accepted.
    pub at: DateTime<Utc>,
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The jobs.
    pub submitted: Submitted,
    /// An earlier call had made them.
    pub repeated: bool,
}

/// How jobs come into being.
#[async_trait]
pub trait SubmissionStore: Send + Sync {
    /// What a call made when it was made before; it is refused if it brought something else then.
    async fn submitted(&self, deadline: Deadline, call: Call) -> Result<Option<Submitted>>;

    /// Makes jobs: all of them, or none. Sandboxes of their owner that they name are assigned to them as input. A
    /// repetition of a call gets what the first one made, and is refused if it brings something else.
    async fn submit(&self, deadline: Deadline, submission: Submission) -> Result<Made>;
}
