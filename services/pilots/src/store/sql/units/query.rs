//! Pilots are looked at.

use std::sync::Arc;

use async_trait::async_trait;
use diracx_core::{JobId, search::Table};
use diracx_db::{
    Deadline,
    search::{Plan, Rows},
};
use futures::FutureExt;

use super::{Store, link, search, summary};
use crate::{
    error::Result,
    store::{query::QueryStore, schema::PILOT_AGENTS_DB},
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
