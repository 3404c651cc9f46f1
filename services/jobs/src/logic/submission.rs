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
    error::{Error, Result},
    policy::SubmitJobs,
    store::{Submission, Submitted},
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
    let context = context(&*deps.config.current()?, user, deps.most_jobs_at_once)?;
    let jobs = jdl::expand(&jdls, &context)?;
    let submission = Submission {
        owner: user.preferred_username.clone(),
        owner_group: user.dirac_group.clone(),
        vo: user.vo.clone(),
        jobs: Arc::from(jobs),
        at: deps.clock.now(),
        request_key: request_id.map(|id| request_key(user, &id)),
    };
    deps.store.submit(crate::deadline(), submission).await
}

/// What the configuration says about the submissions of this user.
fn context(config: &Config, user: &UserIdentity, max_jobs: usize) -> Result<SubmissionContext> {
    let operations = config.operations(&user.vo).ok_or_else(|| Error::UnknownVo(user.vo.clone()))?;
    let described = &operations.job_description;
    let os_compatibility: BTreeMap<String, BTreeSet<String>> = config
        .os_compatibility()
        .platforms()
        .map(|(platform, compatible)| (platform.to_owned(), compatible.clone()))
        .collect();
    Ok(SubmissionContext {
        owner: user.preferred_username.clone(),
        owner_group: user.dirac_group.clone(),
        vo: user.vo.clone(),
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
fn request_key(user: &UserIdentity, request_id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&user.sub, &user.dirac_group, request_id] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
