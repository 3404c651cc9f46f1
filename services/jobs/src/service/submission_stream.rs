//! Submitting any number of jobs.

use std::{pin::pin, time::Duration};

use diracx_proto::{Invalid, jobs::v1 as pb, time};
use diracx_server::{Deadline, deadline::DeadlinePassed, identity, to_status};
use futures::StreamExt;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::submission::checked_request_id;
use crate::{
    Deps,
    error::Error,
    logic::submission::{self, Batch, initial_status},
    policy,
};

/// How large a message may be, in bytes.
const LARGEST_MESSAGE: usize = 4 << 20;
/// How many jobs one call may make: its answer has the numbers of all of them.
const MOST_JOBS: usize = 5_000_000;
/// How long a client may take for its next message.
const SILENCE: Duration = Duration::from_secs(120);
/// How long the jobs of one batch may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn stream_submit_jobs(
    deps: &Deps,
    request: Request<Streaming<pb::StreamSubmitJobsRequest>>,
) -> Result<Response<pb::StreamSubmitJobsResponse>, Status> {
    let identity = identity(&request)?;
    let permit = policy::submit(&identity).map_err(to_status)?;
    let mut messages = pin!(request.into_inner());
    let mut request_id = None;
    let mut batches = Vec::new();
    let mut jobs = 0;
    while let Some(message) = next(&mut messages).await? {
        let position = batches.len();
        let at_position = |error: Error| to_status(Error::InBatch { position, error: Box::new(error) });
        if message.encoded_len() > LARGEST_MESSAGE {
            let problem =
                format!("is larger than {} MiB with the others of its message", LARGEST_MESSAGE >> 20);
            return Err(at_position(Invalid::field("jdls", problem).into()));
        }
        let request_id = match &request_id {
            Some(known) => Clone::clone(known),
            None => request_id.insert(required(message.request_id).map_err(to_status)?).clone(),
        };
        let batch = Batch { request_id, position, jdls: message.jdls };
        let made = Deadline::after(PATIENCE).enforce(submission::submit_batch(deps, &permit, batch)).await;
        let made = made.ok_or_else(|| to_status(DeadlinePassed))?.map_err(at_position)?;
        jobs += made.submitted.ids.len();
        if jobs > MOST_JOBS {
            return Err(at_position(Error::StreamTooLong { limit: MOST_JOBS }));
        }
        let (status, minor_status) = initial_status(made.submitted.parametric);
        batches.push(pb::SubmittedBatch {
            job_ids: made.submitted.ids.iter().map(|id| id.get()).collect(),
            status: pb::JobStatus::from(status).into(),
            minor_status: minor_status.to_owned(),
            submission_time: Some(time::timestamp(made.submitted.at)),
            repeated_batch: made.repeated,
        });
    }
    if batches.is_empty() {
        return Err(to_status(Invalid::field(
            "jdls",
            "are required: the stream ended before its first message",
        )));
    }
    tracing::info!(job.count = jobs, batch.count = batches.len(), "accepted {jobs} jobs of a stream");
    Ok(Response::new(pb::StreamSubmitJobsResponse { batches }))
}

/// The next message, unless the client is silent for too long: a call takes one of the places of those that are
/// worked on.
async fn next<T>(messages: &mut std::pin::Pin<&mut Streaming<T>>) -> Result<Option<T>, Status> {
    let message = Deadline::after(SILENCE).enforce(messages.next()).await;
    message.ok_or_else(|| to_status(DeadlinePassed))?.transpose()
}

fn required(request_id: String) -> Result<String, Invalid> {
    checked_request_id(request_id)?.ok_or_else(|| Invalid::field("request_id", "is required"))
}
