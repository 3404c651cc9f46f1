//! The rpcs of `SandboxesService`: decode, authorise, act, encode.

use diracx_core::{JobId, sandbox::Pfn};
use diracx_proto::{
    Invalid,
    jobs::v1::{self as pb, sandboxes_service_server::SandboxesService as Rpcs},
    status::of_item,
};
use diracx_server::{identity, to_status};
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::{MOST_JOBS, job_ids, sandbox_bytes};
use crate::{
    Deps,
    error::{Error, Result},
    logic::{
        sandbox::{self, Announcement},
        sandbox_cleaning::{Cursor, clean},
    },
    policy,
    store::sandbox::{Assignment, JobSandboxes, SandboxType},
};

/// Serves sandboxes.
pub struct SandboxesService {
    pub(crate) deps: Deps,
}

#[tonic::async_trait]
impl Rpcs for SandboxesService {
    async fn initiate_sandbox_upload(
        &self,
        request: Request<pb::InitiateSandboxUploadRequest>,
    ) -> Result<Response<pb::InitiateSandboxUploadResponse>, Status> {
        let identity = identity(&request)?;
        let request = request.into_inner();
        let job = request.job_id.map(JobId);
        let permit = policy::announce_sandbox(&self.deps, &identity, job).await.map_err(to_status)?;
        let announcement = announcement(&request).map_err(to_status)?;
        let (pfn, form) = sandbox::announce(&self.deps, permit, announcement).await.map_err(to_status)?;
        let settings = &self.deps.sandboxes;
        let upload = form.map(|form| pb::SandboxUpload {
            url: form.url,
            fields: form.fields.into_iter().map(|(name, value)| pb::FormField { name, value }).collect(),
            expires_in: Some(validity(&self.deps)),
        });
        let pfn = pfn.with_storage_element(&settings.storage_element);
        Ok(Response::new(pb::InitiateSandboxUploadResponse { pfn, upload }))
    }

    async fn get_sandbox(
        &self,
        request: Request<pb::GetSandboxRequest>,
    ) -> Result<Response<pb::GetSandboxResponse>, Status> {
        let identity = identity(&request)?;
        let pb::GetSandboxRequest { pfn, job_id } = request.into_inner();
        let pfn = read_pfn("pfn", &pfn).map_err(to_status)?;
        let settings = &self.deps.sandboxes;
        let element = settings.storage_element.as_str();
        let known = self.deps.store.sandbox(crate::deadline(), element, &pfn).await.map_err(to_status)?;
        let known = known.filter(|known| !known.going);
        let unknown =
            |pfn: &Pfn| Error::SandboxNotFound { pfn: pfn.clone(), storage_element: element.to_owned() };
        let (deps, job) = (&self.deps, job_id.map(JobId));
        let permit = policy::download_sandbox(deps, &identity, job, pfn, known.as_ref(), unknown)
            .await
            .map_err(to_status)?;
        let url = sandbox::locate(&self.deps, permit).await.map_err(to_status)?;
        Ok(Response::new(pb::GetSandboxResponse { url, expires_in: Some(validity(&self.deps)) }))
    }

    async fn list_job_sandboxes(
        &self,
        request: Request<pb::ListJobSandboxesRequest>,
    ) -> Result<Response<pb::ListJobSandboxesResponse>, Status> {
        let identity = identity(&request)?;
        let request = request.into_inner();
        let only = match request.r#type {
            0 => None,
            number => Some(sandbox_type("type", number).map_err(to_status)?),
        };
        let jobs = job_ids("job_ids", &request.job_ids).map_err(to_status)?;
        let permit = policy::read(&self.deps, &identity, jobs).await.map_err(to_status)?;
        let found = sandbox::list(&self.deps, permit).await.map_err(to_status)?;
        let outcomes = found.into_iter().map(|(job, found)| listed(job, found, only)).collect();
        Ok(Response::new(pb::ListJobSandboxesResponse { outcomes }))
    }

    async fn assign_sandboxes(
        &self,
        request: Request<pb::AssignSandboxesRequest>,
    ) -> Result<Response<pb::AssignSandboxesResponse>, Status> {
        let identity = identity(&request)?;
        let assignments = assignments(request.into_inner()).map_err(to_status)?;
        let jobs = assignments.iter().map(|assignment| assignment.job).collect();
        let permit = policy::assign_sandboxes(&self.deps, &identity, jobs).await.map_err(to_status)?;
        let outcomes = sandbox::assign(&self.deps, permit, assignments).await.map_err(to_status)?;
        let outcomes = outcomes
            .into_iter()
            .map(|(job, outcome)| pb::AssignSandboxOutcome {
                job_id: job.get(),
                error: outcome.err().map(|error| of_item(&to_status(error))),
            })
            .collect();
        Ok(Response::new(pb::AssignSandboxesResponse { outcomes }))
    }

    async fn unassign_sandboxes(
        &self,
        request: Request<pb::UnassignSandboxesRequest>,
    ) -> Result<Response<pb::UnassignSandboxesResponse>, Status> {
        let identity = identity(&request)?;
        let jobs = job_ids("job_ids", &request.into_inner().job_ids).map_err(to_status)?;
        let permit = policy::manage(&self.deps, &identity, jobs).await.map_err(to_status)?;
        let jobs = sandbox::unassign(&self.deps, permit).await.map_err(to_status)?;
        let outcomes = jobs
            .into_iter()
            .map(|job| pb::UnassignSandboxesOutcome { job_id: job.get(), error: None })
            .collect();
        Ok(Response::new(pb::UnassignSandboxesResponse { outcomes }))
    }

    async fn clean_sandboxes(
        &self,
        request: Request<pb::CleanSandboxesRequest>,
    ) -> Result<Response<pb::CleanSandboxesResponse>, Status> {
        let permit = policy::clean_sandboxes(&*identity(&request)?).map_err(to_status)?;
        let pb::CleanSandboxesRequest { batch_size, page_token } = request.into_inner();
        let from = Cursor::read(&page_token).map_err(to_status)?;
        let cleaned = clean(&self.deps, permit, batch_size, from).await.map_err(to_status)?;
        if cleaned.removed + cleaned.failed > 0 {
            tracing::info!(
                removed = cleaned.removed,
                failed = cleaned.failed,
                "removed sandboxes that nobody needs"
            );
        }
        Ok(Response::new(pb::CleanSandboxesResponse {
            removed: cleaned.removed,
            removed_bytes: cleaned.removed_bytes,
            failed: cleaned.failed,
            done: cleaned.next.is_none(),
            next_page_token: cleaned.next.unwrap_or_default(),
        }))
    }

    async fn upload_sandbox(
        &self,
        request: Request<Streaming<pb::UploadSandboxRequest>>,
    ) -> Result<Response<pb::UploadSandboxResponse>, Status> {
        sandbox_bytes::upload(&self.deps, request.into_inner()).await
    }

    async fn download_sandbox(
        &self,
        request: Request<pb::DownloadSandboxRequest>,
    ) -> Result<Response<BoxStream<'static, Result<pb::DownloadSandboxResponse, Status>>>, Status> {
        sandbox_bytes::download(&self.deps, request.into_inner()).await
    }
}

fn validity(deps: &Deps) -> prost_types::Duration {
    let seconds = i64::try_from(deps.sandboxes.url_validity.as_secs()).unwrap_or(i64::MAX);
    diracx_proto::time::seconds(seconds)
}

fn announcement(request: &pb::InitiateSandboxUploadRequest) -> Result<Announcement, Invalid> {
    if request.checksum_algorithm() != pb::ChecksumAlgorithm::Sha256 {
        return Err(Invalid::field("checksum_algorithm", "must be CHECKSUM_ALGORITHM_SHA256"));
    }
    let sha256 = crate::bytes::unhex(&request.checksum).and_then(|bytes| bytes.try_into().ok());
    let sha256 = sha256.ok_or_else(|| Invalid::field("checksum", "must be 64 hexadecimal digits"))?;
    if request.size_bytes < 1 {
        return Err(Invalid::field("size_bytes", "must be at least 1"));
    }
    let format = match request.format() {
        pb::SandboxFormat::TarBz2 => "tar.bz2",
        pb::SandboxFormat::TarZst => "tar.zst",
        pb::SandboxFormat::Unspecified => return Err(Invalid::field("format", "is none that we know")),
    };
    Ok(Announcement { sha256, size: request.size_bytes, format })
}

fn read_pfn(field: &str, text: &str) -> Result<Pfn, Invalid> {
    text.parse()
        .map_err(|invalid: diracx_core::sandbox::InvalidPfn| Invalid::field(field, invalid.to_string()))
}

fn sandbox_type(field: &str, number: i32) -> Result<SandboxType, Invalid> {
    match pb::SandboxType::try_from(number) {
        Ok(pb::SandboxType::Input) => Ok(SandboxType::Input),
        Ok(pb::SandboxType::Output) => Ok(SandboxType::Output),
        _ => Err(Invalid::field(field, "is no type of sandbox")),
    }
}

fn assignments(request: pb::AssignSandboxesRequest) -> Result<Vec<Assignment>, Invalid> {
    let count = request.assignments.len();
    if count > MOST_JOBS {
        return Err(Invalid::field("assignments", format!("are {count}, {MOST_JOBS} is the limit")));
    }
    let read = |(i, asked): (usize, pb::SandboxAssignment)| {
        Ok(Assignment {
            job: JobId(asked.job_id),
            pfn: read_pfn(&format!("assignments[{i}].pfn"), &asked.pfn)?,
            kind: sandbox_type(&format!("assignments[{i}].type"), asked.r#type)?,
        })
    };
    request.assignments.into_iter().enumerate().map(read).collect()
}

fn listed(job: JobId, found: Result<JobSandboxes>, only: Option<SandboxType>) -> pb::JobSandboxesOutcome {
    use pb::job_sandboxes_outcome::Result as Outcome;
    let wanted = |kind| only.is_none_or(|only| only == kind);
    let result = match found {
        Ok(mut found) => {
            if !wanted(SandboxType::Input) {
                found.input.clear();
            }
            if !wanted(SandboxType::Output) {
                found.output.clear();
            }
            Outcome::Sandboxes(pb::JobSandboxes { input_pfns: found.input, output_pfns: found.output })
        }
        Err(error) => Outcome::Error(of_item(&to_status(error))),
    };
    pb::JobSandboxesOutcome { job_id: job.get(), result: Some(result) }
}
