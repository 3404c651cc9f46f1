//! Jobs are forgotten.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::RunQueryDsl;
use diracx_core::{JobId, config::Config};
use diracx_db::{Bind, DbResult, Deadline, statement::BulkDelete};
use futures::FutureExt;

use super::{Store, Tx, job, job_event, sandboxes, task_queue};
use crate::{
    error::Result,
    store::{
        removal::RemovalStore,
        schema::{JOB_DB, JOB_LOGGING_DB, SANDBOX_METADATA_DB, TASK_QUEUE_DB},
    },
};

/// What JobDB has of jobs, children first: DIRAC's own tables have no `ON DELETE CASCADE`.
const TABLES: &[&str] = &[
    "JobCommands",
    "HeartBeatLoggingInfo",
    "AtticJobParameters",
    "OptimizerParameters",
    "JobParameters",
    "JobParameterValues",
    "InputData",
    "Jobs",
    "JobJDLs",
];

#[async_trait]
impl RemovalStore for Store {
    async fn remove_jobs(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let work = Arc::new((jobs, config));
        self.databases
            .write(deadline, move |tx| {
                let work = Arc::clone(&work);
                async move { remove(tx, &work.0, &work.1, now).await }.boxed()
            })
            .await
    }
}

/// The databases are committed in the order sandboxes, queues, records, jobs. After a crash in between a job may be
/// there without some of what belongs to it, and is removed by the next call; what belongs to a job is never there
/// without the job, or nobody would find it again. A status update that is under way is waited for.
async fn remove(tx: &mut Tx, jobs: &[JobId], config: &Config, now: DateTime<Utc>) -> Result<()> {
    let conn = tx.on(JOB_DB).await?;
    job::lock_statuses(conn, jobs).await?;
    job_event::removed(conn, jobs, now).await?;
    sandboxes::unmap(tx.on(SANDBOX_METADATA_DB).await?, jobs).await?;
    task_queue::leave(tx.on(TASK_QUEUE_DB).await?, jobs, config).await?;
    let ids: Vec<Bind> = jobs.iter().map(|job| Bind::Int(job.get())).collect();
    delete(tx.on(JOB_LOGGING_DB).await?, &["LoggingInfo"], &ids).await?;
    delete(tx.on(JOB_DB).await?, TABLES, &ids).await?;
    Ok(())
}

async fn delete(conn: &mut super::super::Conn, tables: &[&'static str], ids: &[Bind]) -> DbResult<()> {
    for values in ids.chunks(1_000) {
        for table in tables {
            BulkDelete { table, column: "JobID", values }.execute(conn).await?;
        }
    }
    Ok(())
}
