//! Who may do what with which jobs. Permits can be made here only.
//!
//! | | submit | search, count | read | manage | give away, remove | keep books | maintain |
//! |---|---|---|---|---|---|---|---|
//! | `NormalUser` | yes | own, or the VO's | own | own | no, own | no | no |
//! | `JobAdministrator` | no | all | all | all | all | all | no |
//! | a pilot | no | no | those it runs | those it runs | no | no | no |
//! | `GenericPilot` | no | no | its VO's, if set | its VO's, if set | no, its VO's | no | no |
//! | a component of the system | no | all | all | all | no, all | all | yes |
//!
//! To keep books is to set what the system notes about a job by itself: how often it was rescheduled, whether it is
//! verified, whether it is accounted for.
//!
//! Sandboxes belong to a person in a group of a VO:
//!
//! | | announce | download | assign | clean |
//! |---|---|---|---|---|
//! | `NormalUser` | own | own, with a token of the same group | the job owner's, to own jobs | no |
//! | `JobAdministrator` | no | all | all | no |
//! | a pilot | for a job that it runs | those of a job that it runs | the job owner's | no |
//! | `GenericPilot` | for a job of its VO, if set | no | the job owner's | no |
//! | a component of the system | for a job | all | the job owner's | yes |
//!
//! A pilot with a token of its own runs the jobs that were last given to it, as the pilots service knows. A
//! `GenericPilot` is a user whom DIRAC's pilots act as: nobody can tell which pilot it is, so it may do nothing,
//! unless the settings say that it may manage every job of its VO.
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
use diracx_server::{Identity, PilotIdentity, UserIdentity};

use crate::{
    Deps,
    error::{Error, Result},
    logic::metadata::MetadataPatch,
    runners,
    store::sandbox::KnownSandbox,
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

/// These patches may be applied.
#[derive(Debug)]
pub struct PatchJobs(Vec<MetadataPatch>);

impl PatchJobs {
    /// Which.
    pub fn into_patches(self) -> Vec<MetadataPatch> {
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
    let user = match identity {
        Identity::User(user) => user,
        Identity::Pilot(_) => return Err(Error::Forbidden),
        Identity::Component(_) => return Ok(JobScope::All),
    };
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
pub async fn read(deps: &Deps, identity: &Identity, jobs: Vec<JobId>) -> Result<ReadJobs> {
    check(deps, identity, &jobs).await.map(|()| ReadJobs(jobs))
}

/// Whether this identity may change these jobs.
pub async fn manage(deps: &Deps, identity: &Identity, jobs: Vec<JobId>) -> Result<ManageJobs> {
    check(deps, identity, &jobs).await.map(|()| ManageJobs(jobs))
}

/// Whether this identity may apply these patches: change the jobs, give them to somebody else if a patch does, and
/// keep books if a patch does.
pub async fn patch(deps: &Deps, identity: &Identity, patches: Vec<MetadataPatch>) -> Result<PatchJobs> {
    let administers = identity.as_user().is_some_and(|user| user.has_property(JOB_ADMINISTRATOR));
    let keeps_books = administers || identity.as_component().is_some();
    if !administers && patches.iter().any(MetadataPatch::changes_ownership)
        || !keeps_books && patches.iter().any(MetadataPatch::changes_bookkeeping)
    {
        return Err(Error::Forbidden);
    }
    let jobs: Vec<JobId> = patches.iter().map(|patch| patch.job).collect();
    check(deps, identity, &jobs).await.map(|()| PatchJobs(patches))
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
    deps: &Deps,
    identity: &Identity,
    job: Option<JobId>,
) -> Result<AnnounceSandbox> {
    if let Identity::User(user) = identity {
        let is_pilot = deps.generic_pilots_manage_vo_jobs && user.has_property(GENERIC_PILOT);
        let allowed = user.has_property(NORMAL_USER) || (is_pilot && job.is_some());
        if !allowed {
            return Err(Error::Forbidden);
        }
    }
    let Some(job) = job else {
        return match identity {
            Identity::User(user) => Ok(AnnounceSandbox(owner_of(user))),
            Identity::Pilot(_) => Err(Invalid::field("job_id", "is required of pilots").into()),
            Identity::Component(_) => Err(Invalid::field("job_id", "is required of components").into()),
        };
    };
    check(deps, identity, &[job]).await?;
    let owned = deps.store.ownerships(crate::deadline(), vec![job]).await?;
    let owned = owned.into_values().next().ok_or(Error::JobNotFound(job))?;
    Ok(AnnounceSandbox(SandboxOwner { vo: owned.vo, group: owned.owner_group, user: owned.owner }))
}

fn owner_of(user: &UserIdentity) -> SandboxOwner {
    SandboxOwner {
        vo: user.vo.clone(),
        group: user.dirac_group.clone(),
        user: user.preferred_username.clone(),
    }
}

/// Whether this identity may download the sandbox, of which the tables know this. A pilot names the job that it
/// runs and that has the sandbox; for others the job is not looked at. That nothing is known of the sandbox is told to
/// administrators and components only.
pub async fn download_sandbox(
    deps: &Deps,
    identity: &Identity,
    job: Option<JobId>,
    pfn: Pfn,
    known: Option<&KnownSandbox>,
    unknown: impl FnOnce(&Pfn) -> Error,
) -> Result<DownloadSandbox> {
    match identity {
        Identity::User(user) if user.has_property(JOB_ADMINISTRATOR) => {}
        Identity::User(user) => owns(user, &deps.sandboxes.bucket, &pfn, known)?,
        Identity::Pilot(_) => {
            let job = job.ok_or_else(|| Invalid::field("job_id", "is required of pilots"))?;
            check(deps, identity, &[job]).await?;
            let assigned = deps.store.sandboxes_of(crate::deadline(), vec![job]).await?;
            let has = |pfns: &[String]| pfns.iter().any(|assigned| assigned == pfn.as_str());
            if !assigned.values().any(|sandboxes| has(&sandboxes.input) || has(&sandboxes.output)) {
                return Err(Error::Forbidden);
            }
        }
        Identity::Component(_) => {}
    }
    if known.is_none() {
        return Err(unknown(&pfn));
    }
    Ok(DownloadSandbox(pfn))
}

fn owns(user: &UserIdentity, bucket: &str, pfn: &Pfn, known: Option<&KnownSandbox>) -> Result<()> {
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
    Ok(())
}

/// As MySQL compares, whose unique key has room for one spelling only; the exact one is in the PFN.
fn is_same(stored: &SandboxOwner, own: &SandboxOwner) -> bool {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    same(&stored.vo, &own.vo) && same(&stored.group, &own.group) && same(&stored.user, &own.user)
}

/// Whether this identity may assign sandboxes to these jobs.
pub async fn assign_sandboxes(deps: &Deps, identity: &Identity, jobs: Vec<JobId>) -> Result<AssignSandboxes> {
    let anybodys = identity.as_user().is_some_and(|user| user.has_property(JOB_ADMINISTRATOR));
    Ok(AssignSandboxes { anybodys, _jobs: manage(deps, identity, jobs).await? })
}

/// Whether this identity may clean: only a part of the system, and the guard knows which.
pub fn clean_sandboxes(identity: &Identity) -> Result<CleanSandboxes> {
    identity.as_component().map(|_| CleanSandboxes(())).ok_or(Error::Forbidden)
}

/// Whether this identity may put things in order: only a part of the system, and the guard knows which.
pub fn maintain(identity: &Identity) -> Result<Maintain> {
    identity.as_component().map(|_| Maintain(())).ok_or(Error::Forbidden)
}

async fn check(deps: &Deps, identity: &Identity, jobs: &[JobId]) -> Result<()> {
    let distinct: BTreeSet<JobId> = jobs.iter().copied().collect();
    let user = match identity {
        Identity::Component(_) => return Ok(()),
        Identity::User(user) if user.has_property(JOB_ADMINISTRATOR) => return Ok(()),
        Identity::Pilot(pilot) => return runs(deps, pilot, &distinct).await,
        Identity::User(user) => user,
    };
    let is_pilot = deps.generic_pilots_manage_vo_jobs && user.has_property(GENERIC_PILOT);
    if !is_pilot && !user.has_property(NORMAL_USER) {
        return Err(Error::Forbidden);
    }
    let owned = deps.store.ownerships(crate::deadline(), distinct.iter().copied().collect()).await?;
    let allowed = if is_pilot {
        owned.values().all(|job| job.vo == user.vo)
    } else {
        !distinct.is_empty()
            && owned.len() == distinct.len()
            && owned.values().all(|job| job.owner == user.preferred_username && job.vo == user.vo)
    };
    if allowed { Ok(()) } else { Err(Error::Forbidden) }
}

/// Whether the pilot runs all of these jobs, and there are some.
async fn runs(deps: &Deps, pilot: &PilotIdentity, jobs: &BTreeSet<JobId>) -> Result<()> {
    if jobs.is_empty() {
        return Err(Error::Forbidden);
    }
    let owned = deps.store.ownerships(crate::deadline(), jobs.iter().copied().collect()).await?;
    if owned.len() != jobs.len() || owned.values().any(|job| job.vo != pilot.vo) {
        return Err(Error::Forbidden);
    }
    let runners = runners::of(deps.pilots.as_ref(), jobs).await?;
    let is_own = |job| runners.get(job).is_some_and(|found| found.is(pilot));
    if jobs.iter().all(is_own) { Ok(()) } else { Err(Error::Forbidden) }
}
