//! The rpcs of `JobsService`: decode, authorise, act, encode.

mod heartbeat;
mod maintenance;
mod metadata;
mod query;
mod removal;
mod reschedule;
mod sandbox;
mod sandbox_bytes;
mod search_stream;
mod status;
mod submission;
mod submission_stream;
mod token;
mod watch;

pub use self::sandbox::SandboxesService;
use diracx_core::{JobId, search::Table};
use diracx_proto::{
    Invalid,
    jobs::v1::{self as pb, jobs_service_server::JobsService},
};
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

use crate::Deps;

/// How many jobs one call may name.
const MOST_JOBS: usize = 10_000;

/// Serves jobs from a store. Rpcs that are not here answer UNIMPLEMENTED, the generated default.
pub struct Service {
    pub(crate) deps: Deps,
}

#[tonic::async_trait]
impl JobsService for Service {
    async fn submit_jobs(
        &self,
        request: Request<pb::SubmitJobsRequest>,
    ) -> Result<Response<pb::SubmitJobsResponse>, Status> {
        submission::submit_jobs(&self.deps, request).await
    }

    async fn stream_submit_jobs(
        &self,
        request: Request<Streaming<pb::StreamSubmitJobsRequest>>,
    ) -> Result<Response<pb::StreamSubmitJobsResponse>, Status> {
        submission_stream::stream_submit_jobs(&self.deps, request).await
    }

    async fn search_jobs(
        &self,
        request: Request<pb::SearchJobsRequest>,
    ) -> Result<Response<pb::SearchJobsResponse>, Status> {
        query::search_jobs(&self.deps, request).await
    }

    async fn stream_search_jobs(
        &self,
        request: Request<pb::StreamSearchJobsRequest>,
    ) -> Result<Response<BoxStream<pb::StreamSearchJobsResponse>>, Status> {
        search_stream::stream_search_jobs(&self.deps, request).await
    }

    async fn summarise_jobs(
        &self,
        request: Request<pb::SummariseJobsRequest>,
    ) -> Result<Response<pb::SummariseJobsResponse>, Status> {
        query::summarise_jobs(&self.deps, request).await
    }

    async fn get_job_descriptions(
        &self,
        request: Request<pb::GetJobDescriptionsRequest>,
    ) -> Result<Response<pb::GetJobDescriptionsResponse>, Status> {
        query::get_job_descriptions(&self.deps, request).await
    }

    async fn get_job_histories(
        &self,
        request: Request<pb::GetJobHistoriesRequest>,
    ) -> Result<Response<pb::GetJobHistoriesResponse>, Status> {
        query::get_job_histories(&self.deps, request).await
    }

    async fn get_job_parameters(
        &self,
        request: Request<pb::GetJobParametersRequest>,
    ) -> Result<Response<pb::GetJobParametersResponse>, Status> {
        metadata::get_job_parameters(&self.deps, request).await
    }

    async fn watch_jobs(
        &self,
        request: Request<pb::WatchJobsRequest>,
    ) -> Result<Response<watch::WatchJobsStream>, Status> {
        watch::watch_jobs(&self.deps, request).await
    }

    async fn set_job_statuses(
        &self,
        request: Request<pb::SetJobStatusesRequest>,
    ) -> Result<Response<pb::SetJobStatusesResponse>, Status> {
        status::set_job_statuses(&self.deps, request).await
    }

    async fn patch_job_metadata(
        &self,
        request: Request<pb::PatchJobMetadataRequest>,
    ) -> Result<Response<pb::PatchJobMetadataResponse>, Status> {
        metadata::patch_job_metadata(&self.deps, request).await
    }

    async fn reschedule_jobs(
        &self,
        request: Request<pb::RescheduleJobsRequest>,
    ) -> Result<Response<pb::RescheduleJobsResponse>, Status> {
        reschedule::reschedule_jobs(&self.deps, request).await
    }

    async fn send_heartbeats(
        &self,
        request: Request<pb::SendHeartbeatsRequest>,
    ) -> Result<Response<pb::SendHeartbeatsResponse>, Status> {
        heartbeat::send_heartbeats(&self.deps, request).await
    }

    async fn acknowledge_commands(
        &self,
        request: Request<pb::AcknowledgeCommandsRequest>,
    ) -> Result<Response<pb::AcknowledgeCommandsResponse>, Status> {
        heartbeat::acknowledge_commands(&self.deps, request).await
    }

    async fn remove_jobs(
        &self,
        request: Request<pb::RemoveJobsRequest>,
    ) -> Result<Response<pb::RemoveJobsResponse>, Status> {
        removal::remove_jobs(&self.deps, request).await
    }

    async fn maintain_task_queues(
        &self,
        request: Request<pb::MaintainTaskQueuesRequest>,
    ) -> Result<Response<pb::MaintainTaskQueuesResponse>, Status> {
        maintenance::maintain_task_queues(&self.deps, request).await
    }
}

/// The jobs that a request names.
fn job_ids(field: &str, ids: &[i64]) -> Result<Vec<JobId>, Invalid> {
    if ids.len() > MOST_JOBS {
        return Err(Invalid::field(field, format!("names {} jobs, {MOST_JOBS} is the limit", ids.len())));
    }
    Ok(ids.iter().copied().map(JobId).collect())
}

/// The first column of a table is `JobID` whenever its rows are jobs with their histories.
fn number(table: &Table, row: usize) -> Option<JobId> {
    match table.rows.get(row)?.first()? {
        diracx_core::search::Cell::Int(id) => Some(JobId(*id)),
        _ => None,
    }
}
