//! Removing jobs.

use diracx_proto::jobs::v1 as pb;
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::job_ids;
use crate::{Deps, logic::removal, policy};

pub(super) async fn remove_jobs(
    deps: &Deps,
    request: Request<pb::RemoveJobsRequest>,
) -> Result<Response<pb::RemoveJobsResponse>, Status> {
    let identity = identity(&request)?;
    let jobs = job_ids("job_ids", &request.into_inner().job_ids).map_err(to_status)?;
    let permit = policy::manage(deps, &identity, jobs).await.map_err(to_status)?;
    let removed = removal::remove(deps, permit).await.map_err(to_status)?;
    let outcomes =
        removed.into_iter().map(|job| pb::RemoveJobOutcome { job_id: job.get(), error: None }).collect();
    Ok(Response::new(pb::RemoveJobsResponse { outcomes }))
}
