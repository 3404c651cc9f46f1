//! What becomes of submitted descriptions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use diracx_core::{
    JobStatus,
    config::Config,
    jdl::{self, JobDescriptionLimits, SubmissionContext},
};
use diracx_server::UserIdentity;
use sha2::{Digest, Sha256};

use crate::{
    Deps,
    aside::aside,
    error::{Error, Result},
    policy::SubmitJobs,
    store::{Call, Made, Ownership, Submission, Submitted},
};

/// Where a new job begins: those made of parameters wait for a confirmation.
pub fn initial_status(parametric: bool) -> (JobStatus, &'static str) {
    if parametric {
        (JobStatus::Submitting, "Bulk transaction confirmation")
    } else {
        (JobStatus::Received, "Job accepted")
    }
}

/// Makes jobs of descriptions: all of them, or none. One that is repeated must be what it was.
pub async fn submit(
    deps: &Deps,
    permit: SubmitJobs,
    jdls: Vec<String>,
    request_id: Option<String>,
) -> Result<Submitted> {
    let name = request_id.map(|request_id| (request_id, 0));
    Ok(make(deps, permit.user(), jdls, name, deps.most_jobs_at_once).await?.submitted)
}

/// A part of a submission of any length.
#[derive(Debug)]
pub struct Batch {
    /// The identity of the whole submission.
    pub request_id: String,
    /// Which part, from 0.
    pub position: usize,
    /// The descriptions.
    pub jdls: Vec<String>,
}

/// How many jobs a batch may make: they are made in one transaction.
const MOST_JOBS_IN_BATCH: usize = 10_000;

/// Makes jobs of the descriptions of a batch: all of them, or none. One that is repeated must be what it was.
pub async fn submit_batch(deps: &Deps, permit: &SubmitJobs, batch: Batch) -> Result<Made> {
    let name = (batch.request_id, batch.position);
    make(deps, permit.user(), batch.jdls, Some(name), MOST_JOBS_IN_BATCH).await
}

/// Makes jobs, unless a call of that name has made them: then neither the configuration nor a limit of today matters.
async fn make(
    deps: &Deps,
    user: &UserIdentity,
    jdls: Vec<String>,
    name: Option<(String, usize)>,
    max_jobs: usize,
) -> Result<Made> {
    // Even an empty description takes time.
    let length: usize = jdls.iter().map(|jdl| jdl.len() + 16).sum();
    let jdls = Arc::new(jdls);
    let mut call = None;
    if let Some((request_id, position)) = name {
        let jdls = Arc::clone(&jdls);
        let digest = aside(length, move |_| hash(jdls.iter())).await?;
        let known = Call { key: key(user, &request_id, position), digest };
        if let Some(submitted) = deps.store.submitted(crate::deadline(), known.clone()).await? {
            return Ok(Made { submitted, repeated: true });
        }
        call = Some(known);
    }
    let whose = ownership(user);
    let context = context(&*deps.config.current()?, &whose, max_jobs)?;
    // Each description may stand for as many jobs as are allowed.
    let work = length.saturating_mul(max_jobs);
    let jobs = aside(work, move |wanted| jdl::expand_while(&jdls, &context, wanted)).await??;
    deps.store.submit(crate::deadline(), submission(deps, whose, jobs, call)).await
}

fn ownership(user: &UserIdentity) -> Ownership {
    Ownership {
        owner: user.preferred_username.clone(),
        owner_group: user.dirac_group.clone(),
        vo: user.vo.clone(),
    }
}

fn submission(
    deps: &Deps,
    whose: Ownership,
    jobs: Vec<jdl::JobDescription>,
    call: Option<Call>,
) -> Submission {
    Submission {
        owner: whose.owner,
        owner_group: whose.owner_group,
        vo: whose.vo,
        storage_element: deps.sandboxes.storage_element.clone(),
        jobs: Arc::from(jobs),
        at: deps.clock.now(),
        call,
    }
}

/// What the configuration says about the jobs of this user.
pub(super) fn context(config: &Config, whose: &Ownership, max_jobs: usize) -> Result<SubmissionContext> {
    let operations = config.operations(&whose.vo).ok_or_else(|| Error::UnknownVo(whose.vo.clone()))?;
    let described = &operations.job_description;
    let os_compatibility: BTreeMap<String, BTreeSet<String>> = config
        .os_compatibility()
        .platforms()
        .map(|(platform, compatible)| (platform.to_owned(), compatible.clone()))
        .collect();
    Ok(SubmissionContext {
        owner: whose.owner.clone(),
        owner_group: whose.owner_group.clone(),
        vo: whose.vo.clone(),
        job_description: JobDescriptionLimits {
            default_cpu_time: described.default_cpu_time,
            min_cpu_time: described.min_cpu_time,
            max_cpu_time: described.max_cpu_time,
            default_priority: described.default_priority,
            min_priority: described.min_priority,
            max_priority: described.max_priority,
            max_input_data: usize::try_from(described.max_input_data).unwrap_or(0),
            allowed_job_types: described.allowed_job_types.clone(),
        },
        input_data_module: operations.input_data_policy.input_data_module.clone(),
        software_dist_module: operations.software_dist_module.clone(),
        os_compatibility,
        max_jobs,
        max_bytes: jdl::MAX_BYTES_IN_ALL,
    })
}

/// The key of a call, or of a batch of a stream: the same name of two people means two calls. A call has the key of a
/// stream's first batch, so that whoever repeats one as the other makes nothing twice.
fn key(user: &UserIdentity, request_id: &str, position: usize) -> String {
    let position = position.to_string();
    let place: &[&str] = if position == "0" { &[] } else { &["batch", &position] };
    hash([user.sub.as_str(), &user.dirac_group, request_id].iter().chain(place))
}

/// A hash of texts, each with its length.
fn hash(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_ref().len().to_le_bytes());
        hash.update(part.as_ref());
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
