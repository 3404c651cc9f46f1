//! Pilots are looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp, search::Table};
use diracx_db::{
    Deadline,
    search::{Plan, Rows},
};
use futures::FutureExt;

use super::{Store, access_bar, link, pilot, search, stamp, summary};
use crate::{
    error::Result,
    store::{
        query::{KnownPilot, QueryStore},
        schema::PILOT_AGENTS_DB,
    },
};

#[async_trait]
impl QueryStore for Store {
    async fn search(&self, deadline: Deadline, plan: Plan) -> Result<Rows> {
        let plan = Arc::new(plan);
        self.0
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move { Ok(search(tx.on(PILOT_AGENTS_DB).await?, &plan).await?) }.boxed()
            })
            .await
    }

    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table> {
        let plan = Arc::new(plan);
        self.0
            .read(deadline, move |tx| {
                let plan = Arc::clone(&plan);
                async move { Ok(summary(tx.on(PILOT_AGENTS_DB).await?, &plan).await?) }.boxed()
            })
            .await
    }

    async fn pilots(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
    ) -> Result<BTreeMap<PilotStamp, KnownPilot>> {
        let stamps = Arc::new(stamps);
        self.0
            .read(deadline, move |tx| {
                let stamps = Arc::clone(&stamps);
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    let stamps: BTreeSet<&PilotStamp> = stamps.iter().collect();
                    let ids: Vec<i64> = stamp::find(conn, &stamps).await?.into_values().collect();
                    let known = pilot::known(conn, &ids).await?;
                    Ok(known.into_iter().map(|pilot| (pilot.stamp.clone(), pilot)).collect())
                }
                .boxed()
            })
            .await
    }

    async fn pilots_by_id(&self, deadline: Deadline, ids: Vec<i64>) -> Result<BTreeMap<i64, KnownPilot>> {
        let ids = Arc::new(ids);
        self.0
            .read(deadline, move |tx| {
                let ids = Arc::clone(&ids);
                async move {
                    let known = pilot::known(tx.on(PILOT_AGENTS_DB).await?, &ids).await?;
                    Ok(known.into_iter().map(|pilot| (pilot.id, pilot)).collect())
                }
                .boxed()
            })
            .await
    }

    async fn access_bars(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
    ) -> Result<BTreeMap<PilotStamp, DateTime<Utc>>> {
        let stamps = Arc::new(stamps);
        self.0
            .read(deadline, move |tx| {
                let stamps = Arc::clone(&stamps);
                async move {
                    let stamps: BTreeSet<&PilotStamp> = stamps.iter().collect();
                    Ok(access_bar::of(tx.on(PILOT_AGENTS_DB).await?, &stamps).await?)
                }
                .boxed()
            })
            .await
    }

    async fn silent_since(
        &self,
        deadline: Deadline,
        since: DateTime<Utc>,
        count: usize,
    ) -> Result<Vec<KnownPilot>> {
        self.0
            .read(deadline, move |tx| {
                async move { Ok(pilot::silent(tx.on(PILOT_AGENTS_DB).await?, since, count).await?) }.boxed()
            })
            .await
    }

    async fn pilots_of(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Vec<i64>> {
        let jobs = Arc::new(jobs);
        self.0
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(link::pilots_of(tx.on(PILOT_AGENTS_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }
}
