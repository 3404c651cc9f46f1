//! Moving jobs through the status machine.

use std::collections::BTreeMap;

use diracx_core::JobId;

use super::transitions::{StatusChange, StatusUpdates};
use crate::{
    Deps,
    error::{Error, Result},
    policy::ManageJobs,
};

/// Applies the updates; one outcome for each job, in the order of the updates.
pub async fn apply(
    deps: &Deps,
    permit: ManageJobs,
    updates: StatusUpdates,
) -> Result<Vec<(JobId, Result<StatusChange>)>> {
    let jobs: Vec<JobId> = permit.into_jobs();
    debug_assert_eq!(jobs.len(), updates.jobs.len());
    let mut changes: BTreeMap<JobId, StatusChange> =
        deps.store.set_statuses(crate::deadline(), updates, deps.config.current()?, deps.clock.now()).await?;
    Ok(jobs.into_iter().map(|job| (job, changes.remove(&job).ok_or(Error::JobNotFound(job)))).collect())
}
