//! What is kept of sandboxes: names, owners and assignments. Their bytes are in [`crate::bytes`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{
    JobId,
    sandbox::{Pfn, SandboxOwner},
};
use diracx_db::Deadline;

use crate::error::Result;

/// What a sandbox is to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxType {
    /// The job reads it.
    Input,
    /// The job wrote it.
    Output,
}

impl SandboxType {
    /// As DIRAC's tables have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::Output => "Output",
        }
    }

    /// From DIRAC's tables.
    pub fn read(text: &str) -> Option<Self> {
        [Self::Input, Self::Output].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

/// A sandbox as the tables know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSandbox {
    /// Whose it is; nothing if the owner's row is gone.
    pub owner: Option<SandboxOwner>,
    /// Whether a job has, or had, it.
    pub assigned: bool,
    /// Whether it is being removed: its bytes are gone, or about to go.
    pub going: bool,
}

/// A sandbox to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSandbox {
    /// Whose it is.
    pub owner: SandboxOwner,
    /// What it is called.
    pub pfn: Pfn,
    /// Its size, packed, in bytes.
    pub size: i64,
}

/// A sandbox for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The job.
    pub job: JobId,
    /// The sandbox.
    pub pfn: Pfn,
    /// What it is to the job.
    pub kind: SandboxType,
}

/// Why an assignment is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAssigned {
    /// There is no such sandbox.
    Unknown,
    /// It belongs to somebody else than the job.
    Foreign,
    /// It is assigned already.
    Already,
}

/// Whose sandboxes may be assigned to a job: those of this name and VO; or anybody's.
pub type MayHave = Option<(String, String)>;

/// The sandboxes of a job, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobSandboxes {
    /// What the job reads.
    pub input: Vec<String>,
    /// What the job wrote.
    pub output: Vec<String>,
}

/// Why a sandbox is not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unneeded {
    /// It was assigned, and no job has it any more.
    Orphaned,
    /// Nobody ever assigned it.
    Unassigned,
}

/// Which sandboxes to take.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The storage element.
    pub storage_element: String,
    /// The bucket.
    pub bucket: String,
    /// Of which kind.
    pub kind: Unneeded,
    /// Behind which row.
    pub after: i64,
    /// Last used before this.
    pub before: DateTime<Utc>,
    /// How many at the most.
    pub limit: i64,
}

/// Sandboxes that are marked as being removed.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// Row, key and size of each.
    pub rows: Vec<(i64, Pfn, i64)>,
    /// The last row that was looked at; nothing if there was none.
    pub last: Option<i64>,
    /// Whether there may be more behind it.
    pub more: bool,
}

/// How sandboxes are registered, found, assigned and forgotten.
#[async_trait]
pub trait SandboxStore: Send + Sync {
    /// The sandbox of this name.
    async fn sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        pfn: &Pfn,
    ) -> Result<Option<KnownSandbox>>;

    /// Makes sure that the sandbox and its owner are known, and that it was used just now. Harmless if they were,
    /// or if somebody else does the same.
    async fn register_sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        sandbox: NewSandbox,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Notes that the sandbox was used just now.
    async fn touch_sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        pfn: &Pfn,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// The sandboxes of jobs; jobs without any are absent.
    async fn sandboxes_of(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, JobSandboxes>>;

    /// Assigns sandboxes, each with who its owner may be; the outcomes are in the same order.
    async fn assign_sandboxes(
        &self,
        deadline: Deadline,
        storage_element: &str,
        assignments: Vec<(Assignment, MayHave)>,
    ) -> Result<Vec<Result<(), NotAssigned>>>;

    /// Ends all assignments of jobs.
    async fn unassign_sandboxes(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<()>;

    /// Marks sandboxes that nobody needs as being removed.
    async fn claim_unneeded(&self, deadline: Deadline, claim: Claim) -> Result<Claimed>;

    /// Which of these are still marked as being removed: nobody has come to need them.
    async fn still_unneeded(&self, deadline: Deadline, rows: Vec<i64>) -> Result<BTreeSet<i64>>;

    /// Forgets sandboxes that are marked as being removed, unless somebody has come to need them after all.
    async fn forget_sandboxes(&self, deadline: Deadline, rows: Vec<i64>) -> Result<usize>;
}
