//! Who may do what with which jobs. Permits can be made here only.
//!
//! | | submit | search, count | read | manage |
//! |---|---|---|---|---|
//! | `NormalUser` | yes | own, or the VO's | own | own |
//! | `JobAdministrator` | no | all | all | all |
//! | `GenericPilot` | no | no | its VO's | its VO's |
//! | a component of the system | no | all | all | all |
//!
//! Which components may call an rpc at all stands in its declaration. Ownership is by preferred
//! user name and VO, whatever the group. To somebody who may not see a job, one that does not exist looks
//! the same as one of somebody else.

use std::{collections::BTreeSet, sync::Arc};

use diracx_core::{JobId, config::Config};
use diracx_server::{Identity, UserIdentity};

use crate::{
    error::{Error, Result},
    store::JobStore,
};

const NORMAL_USER: &str = "NormalUser";
const JOB_ADMINISTRATOR: &str = "JobAdministrator";
const GENERIC_PILOT: &str = "GenericPilot";

/// This user may submit jobs.
#[derive(Debug)]
pub struct SubmitJobs(Arc<UserIdentity>);

impl SubmitJobs {
    /// Whose jobs they will be.
    pub fn user(&self) -> &UserIdentity {
        &self.0
    }
}

/// These jobs may be read.
#[derive(Debug)]
pub struct ReadJobs(Vec<JobId>);

impl ReadJobs {
    /// Which.
    pub fn into_jobs(self) -> Vec<JobId> {
        self.0
    }
}

/// These jobs may be changed.
#[derive(Debug)]
pub struct ManageJobs(Vec<JobId>);

impl ManageJobs {
    /// Which.
    pub fn into_jobs(self) -> Vec<JobId> {
        self.0
    }
}

/// Which jobs a search may find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobScope {
    /// Those of one user.
    Owned {
        /// The preferred user name.
        owner: String,
        /// The VO.
        vo: String,
    },
    /// Those of a VO.
    Vo(String),
    /// All.
    All,
}

/// Whether this identity may submit.
pub fn submit(identity: &Identity) -> Result<SubmitJobs> {
    match identity.as_user() {
        Some(user) if user.has_property(NORMAL_USER) => Ok(SubmitJobs(Arc::clone(user))),
        _ => Err(Error::Forbidden),
    }
}

/// What this identity may find.
pub fn query(identity: &Identity, config: &Config) -> Result<JobScope> {
    let Some(user) = identity.as_user() else { return Ok(JobScope::All) };
    if user.has_property(JOB_ADMINISTRATOR) {
        return Ok(JobScope::All);
    }
    if !user.has_property(NORMAL_USER) {
        return Err(Error::Forbidden);
    }
    let operations = config.operations(&user.vo).ok_or_else(|| Error::UnknownVo(user.vo.clone()))?;
    let vo = user.vo.clone();
    Ok(if operations.services.job_monitoring.global_jobs_info {
        JobScope::Vo(vo)
    } else {
        JobScope::Owned { owner: user.preferred_username.clone(), vo }
    })
}

/// Whether this identity may read these jobs.
pub async fn read(store: &dyn JobStore, identity: &Identity, jobs: Vec<JobId>) -> Result<ReadJobs> {
    check(store, identity, &jobs).await.map(|()| ReadJobs(jobs))
}

/// Whether this identity may change these jobs.
pub async fn manage(store: &dyn JobStore, identity: &Identity, jobs: Vec<JobId>) -> Result<ManageJobs> {
    check(store, identity, &jobs).await.map(|()| ManageJobs(jobs))
}

async fn check(store: &dyn JobStore, identity: &Identity, jobs: &[JobId]) -> Result<()> {
    let Some(user) = identity.as_user() else { return Ok(()) };
    if user.has_property(JOB_ADMINISTRATOR) {
        return Ok(());
    }
    let distinct: BTreeSet<JobId> = jobs.iter().copied().collect();
    let owned = store.ownerships(crate::deadline(), distinct.iter().copied().collect()).await?;
    let allowed = if user.has_property(GENERIC_PILOT) {
        owned.values().all(|job| job.vo == user.vo)
    } else {
        user.has_property(NORMAL_USER)
            && !distinct.is_empty()
            && owned.len() == distinct.len()
            && owned.values().all(|job| job.owner == user.preferred_username && job.vo == user.vo)
    };
    if allowed { Ok(()) } else { Err(Error::Forbidden) }
}
