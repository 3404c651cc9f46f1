//! Jobs come into being.

use std::sync::Arc;

use async_trait::async_trait;
use diracx_db::Deadline;
use futures::FutureExt;

use diracx_core::sandbox::SandboxOwner;

use super::{Store, Tx, dialect, job, job_event, job_logging, sandbox, sandboxes, submission_request};
use crate::{
    aside::aside,
    error::Result,
    logic::sandbox::named_inputs,
    store::{
        schema::{JOB_DB, JOB_LOGGING_DB, SANDBOX_METADATA_DB},
        submission::{Call, Made, Submission, SubmissionStore, Submitted},
    },
};

#[async_trait]
impl SubmissionStore for Store {
    async fn submitted(&self, deadline: Deadline, call: Call) -> Result<Option<Submitted>> {
        let call = Arc::new(call);
        self.databases
            .read(deadline, move |tx| {
                let call = Arc::clone(&call);
                async move { submission_request::find(tx.on(JOB_DB).await?, &call).await }.boxed()
            })
            .await
    }

    async fn submit(&self, deadline: Deadline, submission: Submission) -> Result<Made> {
        let bytes = submission.jobs.iter().map(|job| job.original_jdl.len()).sum();
        let prepared = Arc::new(aside(bytes, move |_| job::Prepared::new(submission)).await?);
        self.databases
            .write(deadline, move |tx| {
                let prepared = Arc::clone(&prepared);
                async move { submit(tx, &prepared).await }.boxed()
            })
            .await
    }
}

async fn submit(tx: &mut Tx, prepared: &job::Prepared) -> Result<Made> {
    if let Some(call) = &prepared.submission.call
        && let Some(submitted) = submission_request::find(tx.on(JOB_DB).await?, call).await?
    {
        return Ok(Made { submitted, repeated: true });
    }
    let submitted = job::insert(tx.on(JOB_DB).await?, prepared).await?;
    job_event::changed(tx.on(JOB_DB).await?, &submitted.ids, submitted.at).await?;
    assign_inputs(tx, &prepared.submission, &submitted).await?;
    job_logging::insert_first(tx.on(JOB_LOGGING_DB).await?, &submitted).await?;
    if let Some(call) = &prepared.submission.call {
        submission_request::remember(tx.on(JOB_DB).await?, call, &submitted).await?;
    }
    Ok(Made { submitted, repeated: false })
}

/// Assigns the sandboxes that descriptions name, if there are any. SandboxMetadataDB is committed before JobDB: a crash
/// in between leaves assignments of jobs that do not exist. Where the numbers of these jobs are given again, their next
/// owners must not get the sandboxes; elsewhere a sandbox is kept for longer, which harms nobody. What is named but
/// unknown, or somebody else's, is passed over; the job will miss it when it starts.
async fn assign_inputs(tx: &mut Tx, submission: &Submission, submitted: &Submitted) -> Result<()> {
    if dialect::NUMBERS_COME_AGAIN {
        sandboxes::unmap(tx.on(SANDBOX_METADATA_DB).await?, &submitted.ids).await?;
    }
    let owner = SandboxOwner {
        vo: submission.vo.clone(),
        group: submission.owner_group.clone(),
        user: submission.owner.clone(),
    };
    let named = submitted.ids.iter().zip(submission.jobs.iter());
    let inputs: Vec<_> =
        named.flat_map(|(id, job)| named_inputs(*id, &job.input_sandbox(), &owner)).collect();
    if !inputs.is_empty() {
        sandbox::assign(tx, &submission.storage_element, &inputs).await?;
    }
    Ok(())
}
