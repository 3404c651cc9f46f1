//! Removing jobs with all that belongs to them.

use diracx_core::JobId;

use crate::{Deps, error::Result, policy::ManageJobs};

/// How many jobs are removed in one transaction: nobody should wait long behind it.
const AT_ONCE: usize = 500;

/// Removes the jobs. Those that are gone already are no error, so a call that broke off is simply repeated.
pub async fn remove(deps: &Deps, permit: ManageJobs) -> Result<Vec<JobId>> {
    let jobs = permit.into_jobs();
    let config = deps.config.current()?;
    for some in jobs.chunks(AT_ONCE) {
        let now = deps.clock.now();
        deps.store.remove_jobs(crate::deadline(), some.to_vec(), config.clone(), now).await?;
    }
    tracing::info!(job.count = jobs.len(), "removed {} jobs", jobs.len());
    Ok(jobs)
}
