//! Jobs are looked at.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use diracx_core::{
    JobId,
    search::{Cell, Table},
};
use diracx_db::{Deadline, search::Plan};
use futures::FutureExt;

use super::{Store, job, job_logging, search, summary};
use crate::{
    error::Result,
    store::{
        query::{Found, HistoryRecord, Ownership, QueryStore, StoredDescription},
        schema::{JOB_DB, JOB_LOGGING_DB},
    },
};

#[async_trait]
impl QueryStore for Store {
    async fn search(&self, deadline: Deadline, plan: Plan, history: bool) -> Result<Found> {
        let plan = Arc::new(plan);
        self.databases
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move {
                    let rows = search(tx.on(JOB_DB).await?, &plan).await?;
                    let histories = if history {
                        job_logging::histories(tx.on(JOB_LOGGING_DB).await?, &ids(&rows.table)).await?
                    } else {
                        BTreeMap::new()
                    };
                    Ok(Found { rows, histories })
                }
                .boxed()
            })
            .await
    }

    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table> {
        let plan = Arc::new(plan);
        self.databases
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move { Ok(summary(tx.on(JOB_DB).await?, &plan).await?) }.boxed()
            })
            .await
    }

    async fn ownerships(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, Ownership>> {
        self.joint.ownerships(deadline, jobs).await
    }

    async fn descriptions(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, StoredDescription>> {
        let jobs = Arc::new(jobs);
        self.databases
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { job::descriptions(tx.on(JOB_DB).await?, &jobs).await }.boxed()
            })
            .await
    }

    async fn histories(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>> {
        let jobs = Arc::new(jobs);
        self.databases
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { job_logging::histories(tx.on(JOB_LOGGING_DB).await?, &jobs).await }.boxed()
            })
            .await
    }
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
