//! Attributes and parameters of jobs are set and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, changes, job, job_event, job_parameter, task_queue};
use crate::{
    error::Result,
    logic::metadata::MetadataPatch,
    store::{
        metadata::{MetadataStore, Parameters},
        schema::{JOB_DB, TASK_QUEUE_DB},
    },
};

#[async_trait]
impl MetadataStore for Store {
    async fn patch_metadata(
        &self,
        deadline: Deadline,
        patches: Vec<MetadataPatch>,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<JobId>> {
        let work = Arc::new((patches, config));
        self.databases
            .write(deadline, move |tx| {
                let work = Arc::clone(&work);
                async move { patch(tx, &work.0, &work.1, now).await }.boxed()
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

async fn patch(
    tx: &mut Tx,
    patches: &[MetadataPatch],
    config: &Config,
    now: DateTime<Utc>,
) -> Result<BTreeSet<JobId>> {
    let asked: Vec<JobId> = patches.iter().map(|patch| patch.job).collect();
    let conn = tx.on(JOB_DB).await?;
    let existing: BTreeSet<JobId> = job::lock_statuses(conn, &asked).await?.into_keys().collect();
    let patches: Vec<&MetadataPatch> = patches.iter().filter(|patch| existing.contains(&patch.job)).collect();
    let of = |which: &dyn Fn(&MetadataPatch) -> bool| -> Vec<JobId> {
        patches.iter().filter(|patch| which(patch)).map(|patch| patch.job).collect()
    };
    let columns: Vec<_> = patches.iter().map(|patch| (patch.job, &patch.attributes)).collect();
    job::set_attributes(conn, &columns).await?;
    let values: Vec<_> = patches
        .iter()
        .flat_map(|patch| {
            patch.parameters.iter().map(|(name, value)| (patch.job, name.as_str(), value.clone()))
        })
        .collect();
    job_parameter::set(conn, &values, now).await?;
    let told = of(&|patch| patch.status.is_none() && patch.changes_watched());
    job_event::changed(conn, &told, now).await?;
    let given_away = of(&MetadataPatch::changes_ownership);
    if !given_away.is_empty() {
        // The queue is the old owner's: whoever is matched in it runs with the old owner's rights.
        task_queue::leave(tx.on(TASK_QUEUE_DB).await?, &given_away, config).await?;
    }
    let moved = of(&|patch| patch.status.is_some());
    if !moved.is_empty() {
        let found = changes::find(tx, &moved).await?;
        let plan = |patch: &&MetadataPatch| Some((patch.job, patch.plan(&found.current(patch.job)?, now)?));
        let plans = patches.iter().filter_map(plan).collect();
        changes::write(tx, &found.changed(plans), config, now).await?;
    }
    Ok(existing)
}
