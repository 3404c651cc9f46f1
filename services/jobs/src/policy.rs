//! Who may do what with which jobs. Permits can be made here only.
//!
//! | | submit | search, count | read | manage | give away | maintain |
//! |---|---|---|---|---|---|---|
//! | `NormalUser` | yes | own, or the VO's | own | own | no | no |
//! | `JobAdministrator` | no | all | all | all | all | no |
//! | `GenericPilot` | no | no | its VO's | its VO's | no | no |
//! | a component of the system | no | all | all | all | no | yes |
//!
//! Sandboxes belong to a person in a group of a VO:
//!
//! | | announce | download | assign | clean |
//! |---|---|---|---|---|
//! | `NormalUser` | own | own, with a token of the same group | the job owner's, to own jobs | no |
//! | `JobAdministrator` | no | all | all | no |
//! | `GenericPilot` | for a job of its VO | no | the job owner's | no |
//! | a component of the system | for a job | all | the job owner's | yes |
//!
//! Which components may call an rpc at all stands in its declaration. Ownership is by preferred
//! user name and VO, whatever the group. To somebody who may not see a job, one that does not exist looks
//! the same as one of somebody else.

use std::{collections::BTreeSet, sync::Arc};

use diracx_core::{
    JobId,
    config::Config,
    sandbox::{Pfn, SandboxOwner},
};
use diracx_proto::Invalid;
use diracx_server::{Identity, UserIdentity};

use crate::{
    error::{Error, Result},
    store::{JobStore, sandbox::KnownSandbox},
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

/// The reschedulings of jobs may be counted from zero again.
#[derive(Debug)]
pub struct ResetCounters(());

/// A sandbox of this owner may be announced.
#[derive(Debug)]
pub struct AnnounceSandbox(SandboxOwner);

impl AnnounceSandbox {
    /// Whose it will be.
    pub fn into_owner(self) -> SandboxOwner {
        self.0
    }
}

/// This sandbox may be downloaded.
#[derive(Debug)]
pub struct DownloadSandbox(Pfn);

impl DownloadSandbox {
    /// Which.
    pub fn pfn(&self) -> &Pfn {
        &self.0
    }
}

/// Sandboxes may be assigned to these jobs.
#[derive(Debug)]
pub struct AssignSandboxes {
    anybodys: bool,
    _jobs: ManageJobs,
}

impl AssignSandboxes {
    /// Whether the sandboxes may be anybody's; else they must belong to the owners of the jobs.
    pub fn anybodys(&self) -> bool {
        self.anybodys
    }
}

/// Sandboxes that nobody needs may be removed.
#[derive(Debug)]
pub struct CleanSandboxes(());

/// The workload management may be put in order.
#[derive(Debug)]
pub struct Maintain(());

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

/// Whether this identity may give jobs to somebody else.
pub fn give_away(identity: &Identity) -> Result<()> {
    let administers = identity.as_user().is_some_and(|user| user.has_property(JOB_ADMINISTRATOR));
    if administers { Ok(()) } else { Err(Error::Forbidden) }
}

/// Whether this identity may have reschedulings counted from zero again: administrators.
pub fn reset_counters(identity: &Identity) -> Result<ResetCounters> {
    match identity.as_user() {
        Some(user) if user.has_property(JOB_ADMINISTRATOR) => Ok(ResetCounters(())),
        _ => Err(Error::Forbidden),
    }
}

/// Whether this identity may announce a sandbox; with a job for the owner of that job, else for itself.
pub async fn announce_sandbox(
    store: &dyn JobStore,
    identity: &Identity,
    job: Option<JobId>,
) -> Result<AnnounceSandbox> {
    let user = identity.as_user();
    if user.is_some_and(|user| !user.has_property(NORMAL_USER) && !user.has_property(GENERIC_PILOT)) {
        return Err(Error::Forbidden);
    }
    let Some(job) = job else {
        let Some(user) = user else {
            return Err(Invalid::field("job_id", "is required of components").into());
        };
        if !user.has_property(NORMAL_USER) {
            return Err(Error::Forbidden);
        }
        return Ok(AnnounceSandbox(owner_of(user)));
    };
    check(store, identity, &[job]).await?;
    let owned =
        store.ownerships(crate::deadline(), vec![job]).await?.remove(&job).ok_or(Error::JobNotFound(job))?;
    Ok(AnnounceSandbox(SandboxOwner { vo: owned.vo, group: owned.owner_group, user: owned.owner }))
}

fn owner_of(user: &UserIdentity) -> SandboxOwner {
    SandboxOwner {
        vo: user.vo.clone(),
        group: user.dirac_group.clone(),
        user: user.preferred_username.clone(),
    }
}

/// Whether this identity may download the sandbox, of which the tables know this. That they know nothing is told to
/// administrators only.
pub fn download_sandbox(
    identity: &Identity,
    bucket: &str,
    pfn: Pfn,
    known: Option<&KnownSandbox>,
    unknown: impl FnOnce(&Pfn) -> Error,
) -> Result<DownloadSandbox> {
    if let Some(user) = identity.as_user().filter(|user| !user.has_property(JOB_ADMINISTRATOR)) {
        if !user.has_property(NORMAL_USER) {
            return Err(Error::Forbidden);
        }
        let own = owner_of(user);
        let prefix = own.prefix(bucket);
        if !pfn.as_str().starts_with(&prefix) {
            return Err(Error::NotYourPfn { prefix });
        }
        if !known.and_then(|known| known.owner.as_ref()).is_some_and(|owner| is_same(owner, &own)) {
            return Err(Error::NotSandboxOwner { user: own.user });
        }
    }
    if known.is_none() {
        return Err(unknown(&pfn));
    }
    Ok(DownloadSandbox(pfn))
}

/// As MySQL compares, whose unique key has room for one spelling only; the exact one is in the PFN.
fn is_same(stored: &SandboxOwner, own: &SandboxOwner) -> bool {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    same(&stored.vo, &own.vo) && same(&stored.group, &own.group) && same(&stored.user, &own.user)
}

/// Whether this identity may assign sandboxes to these jobs.
pub async fn assign_sandboxes(
    store: &dyn JobStore,
    identity: &Identity,
    jobs: Vec<JobId>,
) -> Result<AssignSandboxes> {
    let anybodys = identity.as_user().is_some_and(|user| user.has_property(JOB_ADMINISTRATOR));
    Ok(AssignSandboxes { anybodys, _jobs: manage(store, identity, jobs).await? })
}

/// Whether this identity may clean: only a part of the system, and the guard knows which.
pub fn clean_sandboxes(identity: &Identity) -> Result<CleanSandboxes> {
    identity.as_component().map(|_| CleanSandboxes(())).ok_or(Error::Forbidden)
}

/// Whether this identity may put things in order: only a part of the system, and the guard knows which.
pub fn maintain(identity: &Identity) -> Result<Maintain> {
    identity.as_component().map(|_| Maintain(())).ok_or(Error::Forbidden)
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
