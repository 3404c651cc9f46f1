//! Where the status of a job changes, and nowhere else: what follows from a change follows here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};

use super::{
    Tx,
    job::{self, StatusRow},
    job_command, job_event,
    job_logging::{self, Mark},
    task_queue,
};
use crate::{
    error::Result,
    logic::transitions::{self, CurrentStatus, StatusUpdates},
    store::schema::{JOB_DB, JOB_LOGGING_DB, TASK_QUEUE_DB},
};

/// What the locked rows of some jobs say.
pub(super) struct Found {
    /// By job; those that do not exist are absent.
    pub(super) jobs: BTreeMap<JobId, StatusRow>,
    marks: BTreeMap<JobId, Mark>,
}

/// What is to become of some jobs, decided from what was found.
pub(super) struct Changes {
    /// By job; those that do not exist are absent.
    pub(super) plans: Vec<(JobId, transitions::Plan)>,
    marks: BTreeMap<JobId, Mark>,
}

/// Locks the jobs and reads what decides over their status.
pub(super) async fn find(tx: &mut Tx, asked: &[JobId]) -> Result<Found> {
    let jobs = job::lock_statuses(tx.on(JOB_DB).await?, asked).await?;
    let known: Vec<JobId> = jobs.keys().copied().collect();
    let marks = job_logging::last_records(tx.on(JOB_LOGGING_DB).await?, &known).await?;
    Ok(Found { jobs, marks })
}

impl Found {
    /// What a decision is made from; none if there is no such job.
    pub(super) fn current(&self, id: JobId) -> Option<CurrentStatus> {
        self.jobs.get(&id).map(|row| CurrentStatus {
            status: row.status.clone(),
            has_started: row.has_started,
            has_ended: row.has_ended,
            last_record: self.marks.get(&id).and_then(|mark| mark.last),
        })
    }

    /// The changes that were decided.
    pub(super) fn changed(self, plans: Vec<(JobId, transitions::Plan)>) -> Changes {
        Changes { plans, marks: self.marks }
    }
}

/// Locks the jobs and decides what the updates lead to.
pub(super) async fn plan(tx: &mut Tx, updates: &StatusUpdates, now: DateTime<Utc>) -> Result<Changes> {
    let asked: Vec<JobId> = updates.jobs.iter().map(|(id, _)| *id).collect();
    let found = find(tx, &asked).await?;
    let plan = |(id, records): &(JobId, Vec<_>)| {
        Some((*id, transitions::plan(&found.current(*id)?, records.clone(), updates.force, now)))
    };
    let plans = updates.jobs.iter().filter_map(plan).collect();
    Ok(found.changed(plans))
}

/// Writes the changes with all that follows from them: the pilots of killed jobs and those who watch are told, jobs
/// that are not to be matched any more leave their task queues, and everything is recorded.
pub(super) async fn write(tx: &mut Tx, changes: &Changes, config: &Config, now: DateTime<Utc>) -> Result<()> {
    let plans = &changes.plans;
    job::update_statuses(tx.on(JOB_DB).await?, plans).await?;
    let killed: Vec<JobId> = plans.iter().filter(|(_, plan)| plan.kill).map(|(id, _)| *id).collect();
    job_command::kill(tx.on(JOB_DB).await?, &killed, now).await?;
    let moved: Vec<JobId> =
        plans.iter().filter(|(_, plan)| plan.change.status.is_some()).map(|(id, _)| *id).collect();
    job_event::changed(tx.on(JOB_DB).await?, &moved, now).await?;
    let leaving: Vec<JobId> = plans.iter().filter(|(_, plan)| plan.leaves_queue).map(|(id, _)| *id).collect();
    // A database that is asked for takes part in the transaction, and costs a commit.
    if !leaving.is_empty() {
        task_queue::leave(tx.on(TASK_QUEUE_DB).await?, &leaving, config).await?;
    }
    job_logging::append(tx.on(JOB_LOGGING_DB).await?, plans, &changes.marks).await?;
    Ok(())
}
