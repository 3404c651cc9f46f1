//! Submitting jobs.

use diracx_proto::{Invalid, jobs::v1 as pb, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use crate::{
    Deps,
    logic::submission::{self, initial_status},
    policy,
};

/// How long a `request_id` may be, in characters.
const LONGEST_REQUEST_ID: usize = 64;

pub(super) async fn submit_jobs(
    deps: &Deps,
    request: Request<pb::SubmitJobsRequest>,
) -> Result<Response<pb::SubmitJobsResponse>, Status> {
    let identity = identity(&request)?;
    let permit = policy::submit(&identity).map_err(to_status)?;
    let pb::SubmitJobsRequest { jdls, request_id } = request.into_inner();
    let request_id = checked_request_id(request_id).map_err(to_status)?;
    let submitted = submission::submit(deps, permit, jdls, request_id).await.map_err(to_status)?;

    tracing::info!(job.count = submitted.ids.len(), "accepted {} jobs", submitted.ids.len());
    let (status, minor_status) = initial_status(submitted.parametric);
    let jobs = submitted
        .ids
        .iter()
        .map(|id| pb::SubmittedJob {
            job_id: id.get(),
            status: pb::JobStatus::from(status).into(),
            minor_status: minor_status.to_owned(),
            submission_time: Some(time::timestamp(submitted.at)),
        })
        .collect();
    Ok(Response::new(pb::SubmitJobsResponse { jobs }))
}

/// The identity of a call, if it has one.
pub(super) fn checked_request_id(request_id: String) -> Result<Option<String>, Invalid> {
    if request_id.chars().count() > LONGEST_REQUEST_ID {
        let problem = format!("has more than {LONGEST_REQUEST_ID} characters");
        return Err(Invalid::field("request_id", problem));
    }
    Ok((!request_id.is_empty()).then_some(request_id))
}
