//! The units of work; compiled once per backend.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{
    JobId,
    search::{Cell, Table},
};
use diracx_db::{DbResult, Deadline, search::Plan};
use futures::FutureExt;

use super::{Databases, Tx, job, job_command, job_logging, search, submission_request, summary};
use crate::{
    error::Result,
    logic::transitions::{self, CurrentStatus, StatusChange, StatusUpdates},
    store::{
        Found, HistoryRecord, JobStore, Ownership, StoredDescription, Submission, Submitted,
        schema::{JOB_DB, JOB_LOGGING_DB},
    },
};

/// The store on this backend.
pub(in crate::store) struct Store(pub(in crate::store) Databases);

#[async_trait]
impl JobStore for Store {
    async fn submit(&self, deadline: Deadline, submission: Submission) -> Result<Submitted> {
        let prepared = Arc::new(job::Prepared::new(submission));
        self.0
            .write(deadline, move |tx| {
                let prepared = Arc::clone(&prepared);
                async move { submit(tx, &prepared).await }.boxed()
            })
            .await
    }

    async fn search(&self, deadline: Deadline, plan: Plan, history: bool) -> Result<Found> {
        let plan = Arc::new(plan);
        self.0
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move {
                    let table = search(tx.on(JOB_DB).await?, &plan).await?;
                    let histories = if history {
                        job_logging::histories(tx.on(JOB_LOGGING_DB).await?, &ids(&table)).await?
                    } else {
                        BTreeMap::new()
                    };
                    Ok(Found { table, histories })
                }
                .boxed()
            })
            .await
    }

    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table> {
        let plan = Arc::new(plan);
        self.0
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move { Ok(summary(tx.on(JOB_DB).await?, &plan).await?) }.boxed()
            })
            .await
    }

    async fn ownerships(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, Ownership>> {
        let jobs = Arc::new(jobs);
        self.0
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(job::ownerships(tx.on(JOB_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }

    async fn descriptions(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, StoredDescription>> {
        let jobs = Arc::new(jobs);
        self.0
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(job::descriptions(tx.on(JOB_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }

    async fn histories(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>> {
        let jobs = Arc::new(jobs);
        self.0
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(job_logging::histories(tx.on(JOB_LOGGING_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }

    async fn set_statuses(
        &self,
        deadline: Deadline,
        updates: StatusUpdates,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<JobId, StatusChange>> {
        let updates = Arc::new(updates);
        self.0
            .write(deadline, move |tx| {
                let updates = Arc::clone(&updates);
                async move { set_statuses(tx, &updates, now).await }.boxed()
            })
            .await
    }

    async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        self.0.ping(deadline).await
    }
}

async fn submit(tx: &mut Tx, prepared: &job::Prepared) -> Result<Submitted> {
    if let Some(key) = &prepared.submission.request_key
        && let Some(earlier) = submission_request::find(tx.on(JOB_DB).await?, key).await?
    {
        return Ok(earlier);
    }
    let submitted = job::insert(tx.on(JOB_DB).await?, prepared).await?;
    job_logging::insert_first(tx.on(JOB_LOGGING_DB).await?, &submitted).await?;
    if let Some(key) = &prepared.submission.request_key {
        submission_request::remember(tx.on(JOB_DB).await?, key, &submitted).await?;
    }
    Ok(submitted)
}

async fn set_statuses(
    tx: &mut Tx,
    updates: &StatusUpdates,
    now: DateTime<Utc>,
) -> Result<BTreeMap<JobId, StatusChange>> {
    let asked: Vec<JobId> = updates.jobs.iter().map(|(id, _)| *id).collect();
    let rows = job::lock_statuses(tx.on(JOB_DB).await?, &asked).await?;
    let known: Vec<JobId> = rows.keys().copied().collect();
    let marks = job_logging::last_records(tx.on(JOB_LOGGING_DB).await?, &known).await?;

    let plans: Vec<(JobId, transitions::Plan)> = updates
        .jobs
        .iter()
        .filter_map(|(id, records)| {
            let row = rows.get(id)?;
            let current = CurrentStatus {
                status: row.status.clone(),
                has_started: row.has_started,
                has_ended: row.has_ended,
                last_record: marks.get(id).and_then(|mark| mark.last),
            };
            Some((*id, transitions::plan(&current, records.clone(), updates.force, now)))
        })
        .collect();

    job::update_statuses(tx.on(JOB_DB).await?, &plans).await?;
    let killed: Vec<JobId> = plans.iter().filter(|(_, plan)| plan.kill).map(|(id, _)| *id).collect();
    job_command::kill(tx.on(JOB_DB).await?, &killed, now).await?;
    job_logging::append(tx.on(JOB_LOGGING_DB).await?, &plans, &marks).await?;
    Ok(plans.into_iter().map(|(id, plan)| (id, plan.change)).collect())
}

/// The jobs of a table whose first column is `JobID`.
fn ids(table: &Table) -> Vec<JobId> {
    table
        .rows
        .iter()
        .filter_map(|row| match row.first() {
            Some(Cell::Int(id)) => Some(JobId(*id)),
            _ => None,
        })
        .collect()
}
