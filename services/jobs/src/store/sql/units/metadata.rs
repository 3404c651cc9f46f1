//! Attributes and parameters of jobs are set and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::JobId;
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, job, job_event, job_parameter};
use crate::{
    error::Result,
    logic::metadata::MetadataPatch,
    store::{
        metadata::{MetadataStore, Parameters},
        schema::JOB_DB,
    },
};

#[async_trait]
impl MetadataStore for Store {
    async fn patch_metadata(
        &self,
        deadline: Deadline,
        patches: Vec<MetadataPatch>,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<JobId>> {
        let patches = Arc::new(patches);
        self.databases
            .write(deadline, move |tx| {
                let patches = Arc::clone(&patches);
                async move { patch(tx, &patches, now).await }.boxed()
            })
            .await
    }

    async fn parameters(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<JobId, Parameters>> {
        let asked = Arc::new((jobs, names));
        self.databases
            .read(deadline, move |tx| {
                let asked = Arc::clone(&asked);
                async move {
                    let (jobs, names) = &*asked;
                    let conn = tx.on(JOB_DB).await?;
                    let known: Vec<JobId> = job::ownerships(conn, jobs).await?.into_keys().collect();
                    let mut found = job_parameter::get(conn, &known, names).await?;
                    Ok(known.into_iter().map(|job| (job, found.remove(&job).unwrap_or_default())).collect())
                }
                .boxed()
            })
            .await
    }
}

async fn patch(tx: &mut Tx, patches: &[MetadataPatch], now: DateTime<Utc>) -> Result<BTreeSet<JobId>> {
    let asked: Vec<JobId> = patches.iter().map(|patch| patch.job).collect();
    let conn = tx.on(JOB_DB).await?;
    let existing: BTreeSet<JobId> = job::lock_statuses(conn, &asked).await?.into_keys().collect();
    let patches: Vec<&MetadataPatch> = patches.iter().filter(|patch| existing.contains(&patch.job)).collect();
    let columns: Vec<_> = patches.iter().map(|patch| (patch.job, patch.columns(now))).collect();
    job::set_attributes(conn, &columns).await?;
    let told: Vec<JobId> =
        patches.iter().filter(|patch| patch.changes_status()).map(|patch| patch.job).collect();
    job_event::changed(conn, &told, now).await?;
    let values: Vec<_> = patches
        .iter()
        .flat_map(|patch| {
            patch.parameters.iter().map(|(name, value)| (patch.job, name.as_str(), value.clone()))
        })
        .collect();
    job_parameter::set(conn, &values, now).await?;
    Ok(existing)
}
