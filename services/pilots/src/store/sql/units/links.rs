//! Jobs belong to pilots.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, link, pilot, stamp};
use crate::{
    error::{Error, Result},
    policy::PilotScope,
    store::{
        link::{Link, LinkStore},
        schema::PILOT_AGENTS_DB,
    },
};

#[async_trait]
impl LinkStore for Store {
    async fn assign_jobs(
        &self,
        deadline: Deadline,
        pilot: PilotStamp,
        jobs: Vec<JobId>,
        scope: PilotScope,
        start: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let given = Arc::new((pilot, jobs, scope));
        self.0
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let (stamp, jobs, scope) = &*given;
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    let found = stamp::find(conn, &BTreeSet::from([stamp])).await?;
                    let ids: Vec<i64> = found.into_values().collect();
                    // Whoever links jobs to this pilot, too, waits here: DIRAC's table has no key that would.
                    let known = pilot::lock(conn, &ids).await?;
                    let pilot = known.into_iter().find(|pilot| scope.has(&pilot.vo));
                    let pilot = pilot.ok_or_else(|| Error::PilotNotFound(stamp.clone()))?;
                    link::insert(conn, pilot.id, jobs, start, now).await?;
                    Ok(pilot::touch(conn, [(pilot.id, now)].into_iter()).await?)
                }
                .boxed()
            })
            .await
    }

    async fn links_of_pilots(&self, deadline: Deadline, pilots: Vec<i64>) -> Result<Vec<Link>> {
        let pilots = Arc::new(pilots);
        self.0
            .read(deadline, move |tx| {
                let pilots = Arc::clone(&pilots);
                async move { Ok(link::of_pilots(tx.on(PILOT_AGENTS_DB).await?, &pilots).await?) }.boxed()
            })
            .await
    }

    async fn links_of_jobs(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Vec<Link>> {
        let jobs = Arc::new(jobs);
        self.0
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(link::of_jobs(tx.on(PILOT_AGENTS_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }
}
