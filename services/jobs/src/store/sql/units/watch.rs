//! Jobs are watched.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::AsyncConnection;
use diracx_core::{
    JobId,
    search::{Cell, Table},
};
use diracx_db::{DbError, Deadline, search::Plan};
use futures::FutureExt;
use tokio::sync::watch;

use super::{Store, dialect, job_event, search};
use crate::{
    error::Result,
    store::{
        schema::JOB_DB,
        watch::{self as rows, FeedEnds, JobEvent, Moment, WatchStore},
    },
};

#[async_trait]
impl WatchStore for Store {
    fn commits(&self) -> watch::Receiver<u64> {
        self.databases.commits()
    }

    async fn feed_ends(&self, deadline: Deadline) -> Result<FeedEnds> {
        self.databases
            .read(deadline, |tx| async { Ok(job_event::ends(tx.on(JOB_DB).await?).await?) }.boxed())
            .await
    }

    async fn events(&self, deadline: Deadline, plan: Plan) -> Result<Vec<JobEvent>> {
        let plan = Arc::new(plan);
        let found: Table = self
            .databases
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move { Ok::<_, DbError>(search(tx.on(JOB_DB).await?, &plan).await?.table) }.boxed()
            })
            .await?;
        Ok(rows::events(found, "EventTime"))
    }

    async fn event_numbers(
        &self,
        deadline: Deadline,
        plan: Plan,
        uncommitted: bool,
    ) -> Result<Vec<(i64, DateTime<Utc>)>> {
        let plan = Arc::new(plan);
        let found = self
            .databases
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move {
                    let conn = tx.on(JOB_DB).await?;
                    if uncommitted {
                        dialect::see_uncommitted(conn).await?;
                    }
                    rows::numbered(search(conn, &plan).await?.table)
                }
                .boxed()
            })
            .await?;
        let time = |cell| match cell {
            Cell::Time(time) => time.and_utc(),
            _ => DateTime::UNIX_EPOCH,
        };
        Ok(found.into_iter().map(|(number, cell)| (number, time(cell))).collect())
    }

    async fn moment(&self, deadline: Deadline, jobs: Plan, events: Plan) -> Result<Moment> {
        let plans = Arc::new((jobs, events));
        let (jobs, events) = self
            .databases
            .read(deadline, move |tx| {
                let plans = Arc::clone(&plans);
                async move {
                    let conn = tx.on(JOB_DB).await?;
                    dialect::see_one_moment(conn).await?;
                    conn.transaction(async |conn| {
                        let jobs = search(conn, &plans.0).await?.table;
                        Ok::<_, DbError>((jobs, search(conn, &plans.1).await?.table))
                    })
                    .await
                }
                .boxed()
            })
            .await?;
        let job = |cell| match cell {
            Cell::Int(job) => JobId(job),
            _ => JobId(0),
        };
        let events = rows::numbered(events)?.into_iter().map(|(number, cell)| (number, job(cell))).collect();
        Ok(Moment { jobs: rows::events(jobs, "LastUpdateTime"), events })
    }

    async fn forget_events(&self, deadline: Deadline, up_to: i64) -> Result<()> {
        self.databases
            .write(deadline, move |tx| {
                async move { Ok(job_event::forget(tx.on(JOB_DB).await?, up_to).await?) }.boxed()
            })
            .await
    }
}
