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
use diracx_db::DbError;
use diracx_server::UserIdentity;
use sha2::{Digest, Sha256};

use crate::{
    Deps,
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

/// Makes jobs of descriptions: all of them, or none.
pub async fn submit(
    deps: &Deps,
    permit: SubmitJobs,
    jdls: Vec<String>,
    request_id: Option<String>,
) -> Result<Submitted> {
    let user = permit.user();
    let whose = ownership(user);
    let context = context(&*deps.config.current()?, &whose, deps.most_jobs_at_once)?;
    let jobs = jdl::expand(&jdls, &context)?;
    let call = request_id.map(|id| Call { key: key(user, &[&id]), digest: None });
    let made = deps.store.submit(crate::deadline(), submission(deps, whose, jobs, call)).await?;
    Ok(made.submitted)
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
    let user = permit.user();
    let whose = ownership(user);
    let context = context(&*deps.config.current()?, &whose, MOST_JOBS_IN_BATCH)?;
    let key = key(user, &[&batch.request_id, "batch", &batch.position.to_string()]);
    let digest = hash(&batch.jdls);
    // Thousands of descriptions are work for longer than others should wait for this thread.
    let expanded = tokio::task::spawn_blocking(move || jdl::expand(&batch.jdls, &context)).await;
    let jobs = expanded.map_err(|_| DbError::Panicked)??;
    let call = Call { key, digest: Some(digest) };
    deps.store.submit(crate::deadline(), submission(deps, whose, jobs, Some(call))).await
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
    })
}

/// The key of a call: the same text of two people means two calls.
fn key(user: &UserIdentity, parts: &[&str]) -> String {
    hash([user.sub.as_str(), &user.dirac_group].iter().chain(parts))
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
