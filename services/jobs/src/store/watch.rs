//! What is kept for those who watch jobs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{
    JobId,
    search::{Cell, Table},
};
use diracx_db::{DbError, DbResult, Deadline, search::Plan};
use tokio::sync::watch;

use crate::error::Result;

/// Where a job is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobState {
    /// The status, one of ours or somebody else's word.
    pub status: String,
    /// The minor status.
    pub minor_status: String,
    /// The application status.
    pub application_status: String,
    /// How often the job was rescheduled.
    pub reschedule_counter: i64,
    /// Whether the job is removed; the rest tells its last state.
    pub removed: bool,
}

/// A job and where it is since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The number in the feed; 0 for what was read from the jobs themselves.
    pub number: i64,
    /// The job.
    pub job: JobId,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Where it is.
    pub state: JobState,
    /// The user.
    pub owner: String,
    /// The user's group.
    pub owner_group: String,
    /// The VO.
    pub vo: String,
    /// The group of jobs that it belongs to.
    pub job_group: String,
    /// Its name.
    pub job_name: String,
}

/// Where the feed begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedEnds {
    /// The lowest number that is kept; none if there are no events at all.
    pub first: Option<i64>,
    /// The highest number that is visible, or 0.
    pub last: i64,
    /// By how much the numbers count: more than 1 on a cluster of servers.
    pub step: i64,
}

/// Jobs and the events that had led to them, seen in one moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// The jobs.
    pub jobs: Vec<JobEvent>,
    /// Numbers of events and their jobs.
    pub events: Vec<(i64, JobId)>,
}

/// How jobs are watched.
#[async_trait]
pub trait WatchStore: Send + Sync {
    /// Changes whenever this process has committed something.
    fn commits(&self) -> watch::Receiver<u64>;

    /// Where the feed begins and ends.
    async fn feed_ends(&self, deadline: Deadline) -> Result<FeedEnds>;

    /// The events that a search of [`JOB_EVENTS`](super::schema::JOB_EVENTS) finds, in the order of their numbers.
    async fn events(&self, deadline: Deadline, search: Plan) -> Result<Vec<JobEvent>>;

    /// Number and time of the events that a search finds. With `uncommitted` also of those that may be undone yet.
    async fn event_numbers(
        &self,
        deadline: Deadline,
        search: Plan,
        uncommitted: bool,
    ) -> Result<Vec<(i64, DateTime<Utc>)>>;

    /// The jobs that a search of [`JOBS`](super::schema::JOBS) finds, together with the events that another one of
    /// [`JOB_EVENTS`](super::schema::JOB_EVENTS) finds in the same moment.
    async fn moment(&self, deadline: Deadline, jobs: Plan, events: Plan) -> Result<Moment>;

    /// Removes the events up to this number.
    async fn forget_events(&self, deadline: Deadline, up_to: i64) -> Result<()>;
}

/// The rows of a search of events or of jobs.
pub(super) fn events(table: Table, time: &'static str) -> Vec<JobEvent> {
    let Table { columns, rows, .. } = table;
    let place = |name: &str| columns.iter().position(|column| column == name);
    let number = place("Seq");
    let removed = place("Removed");
    let [job, since, status, minor_status, application_status, counter] =
        ["JobID", time, "Status", "MinorStatus", "ApplicationStatus", "RescheduleCounter"].map(place);
    let [owner, owner_group, vo, job_group, job_name] =
        ["Owner", "OwnerGroup", "VO", "JobGroup", "JobName"].map(place);
    let event = |mut row: Vec<Cell>| {
        let int = |row: &[Cell], at: Option<usize>| match at.and_then(|at| row.get(at)) {
            Some(Cell::Int(number)) => *number,
            _ => 0,
        };
        let mut text = |at: Option<usize>| match at.and_then(|at| row.get_mut(at)) {
            Some(Cell::Text(text)) => std::mem::take(text),
            _ => String::new(),
        };
        JobEvent {
            owner: text(owner),
            owner_group: text(owner_group),
            vo: text(vo),
            job_group: text(job_group),
            job_name: text(job_name),
            state: JobState {
                status: text(status),
                minor_status: text(minor_status),
                application_status: text(application_status),
                reschedule_counter: int(&row, counter),
                removed: int(&row, removed) != 0,
            },
            number: int(&row, number),
            job: JobId(int(&row, job)),
            since: match since.and_then(|at| row.get(at)) {
                Some(Cell::Time(time)) => time.and_utc(),
                // A job that nobody has touched yet, or that other software made without a time.
                _ => DateTime::UNIX_EPOCH,
            },
        }
    };
    rows.into_iter().map(event).collect()
}

/// The rows of a search of `Seq` and another column.
pub(super) fn numbered(table: Table) -> DbResult<Vec<(i64, Cell)>> {
    let makes_no_sense = |row: &[Cell]| DbError::Inconsistency {
        table: "JobEvents",
        column: "Seq",
        row: format!("{row:?}"),
        problem: "a number and another value should be here".to_owned(),
    };
    table
        .rows
        .into_iter()
        .map(|mut row| match (row.first(), row.len()) {
            (Some(Cell::Int(number)), 2) => Ok((*number, row.swap_remove(1))),
            _ => Err(makes_no_sense(&row)),
        })
        .collect()
}
