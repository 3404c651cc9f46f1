//! Sandboxes, from files to jobs and back.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use diracx_client::{
    AnyChannel,
    proto::{
        jobs::v1::{
            self as pb, job_sandboxes_outcome::Result as Outcome,
            sandboxes_service_client::SandboxesServiceClient,
        },
        status::of_call,
    },
};
use diracx_core::{
    JobId,
    sandbox::{InvalidPfn, Pfn},
};
use tonic::Status;

use crate::{
    archive::{self, ArchiveError, Limits, Packed, Unpacked},
    transfer::{Progress, Transfer, TransferError},
};

/// Why a sandbox is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The server refuses, or cannot be reached.
    #[error("{}", .0.message())]
    Status(#[from] Status),
    /// The bytes.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The files.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The name.
    #[error("{0} {InvalidPfn}")]
    Name(String),
    /// Our own work was cut short.
    #[error("cannot go on: {0}")]
    Interrupted(String),
}

impl SandboxError {
    /// Whether it may be gone when the same is tried again.
    pub fn is_passing(&self) -> bool {
        use tonic::Code::{DeadlineExceeded, ResourceExhausted, Unavailable, Unknown};
        match self {
            Self::Status(status) => {
                matches!(status.code(), DeadlineExceeded | ResourceExhausted | Unavailable | Unknown)
            }
            Self::Transfer(error) => error.is_passing(),
            Self::Archive(_) | Self::Name(_) | Self::Interrupted(_) => false,
        }
    }
}

/// What a sandbox is to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The job reads it.
    Input,
    /// The job wrote it.
    Output,
}

/// The service and its store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandboxes {
    service: SandboxesServiceClient<AnyChannel>,
    transfer: Transfer,
}

impl Sandboxes {
    /// The service behind `channel`, whose calls carry their token.
    pub fn new(channel: AnyChannel, transfer: Transfer) -> Self {
        Self { service: diracx_client::sandboxes(channel), transfer }
    }

    /// Packs files and uploads them, unless the store has them; with a job for the owner of that job. Gives the PFN.
    ///
    /// # Errors
    /// They cannot be packed or uploaded.
    pub async fn upload(
        &self,
        files: Vec<PathBuf>,
        job: Option<JobId>,
        progress: impl FnOnce(u64) -> Progress,
    ) -> Result<String, SandboxError> {
        let packed = apart(move || Ok(archive::pack(&files)?)).await?;
        let request = pb::InitiateSandboxUploadRequest {
            checksum_algorithm: pb::ChecksumAlgorithm::Sha256.into(),
            checksum: packed.sha256.clone(),
            size_bytes: i64::try_from(packed.size).unwrap_or(i64::MAX),
            format: pb::SandboxFormat::TarZst.into(),
            job_id: job.map(JobId::get),
        };
        let answer = self.service.clone().initiate_sandbox_upload(request).await?.into_inner();
        if let Some(upload) = answer.upload {
            let progress = progress(packed.size);
            let bytes = apart(move || read(packed)).await?;
            self.transfer.upload(&upload, bytes.into(), progress).await?;
        }
        Ok(answer.pfn)
    }

    /// Fetches a sandbox and unpacks it into a directory.
    ///
    /// # Errors
    /// It cannot be fetched, or not be unpacked without harm.
    pub async fn fetch(
        &self,
        pfn: &str,
        directory: &Path,
        limits: Limits,
        progress: Progress,
    ) -> Result<Unpacked, SandboxError> {
        let sha256 = checksum(pfn).ok_or_else(|| SandboxError::Name(pfn.to_owned()))?;
        let request = pb::GetSandboxRequest { pfn: pfn.to_owned(), job_id: None };
        let answer = self.service.clone().get_sandbox(request).await?.into_inner();
        let mut file = self.transfer.download(&answer.url, &sha256, progress).await?;
        let directory = directory.to_owned();
        apart(move || Ok(archive::unpack(file.as_file_mut(), &directory, limits)?)).await
    }

    /// The sandboxes of a job, oldest first.
    ///
    /// # Errors
    /// The job is none, or somebody else's.
    pub async fn of_job(&self, job: JobId, which: Which) -> Result<Vec<String>, SandboxError> {
        let request = pb::ListJobSandboxesRequest { job_ids: vec![job.get()], r#type: wire(which).into() };
        let answer = self.service.clone().list_job_sandboxes(request).await?.into_inner();
        match answer.outcomes.into_iter().next().and_then(|outcome| outcome.result) {
            Some(Outcome::Sandboxes(found)) => Ok(match which {
                Which::Input => found.input_pfns,
                Which::Output => found.output_pfns,
            }),
            Some(Outcome::Error(error)) => Err(of_call(&error).into()),
            None => Ok(Vec::new()),
        }
    }

    /// Assigns a sandbox to a job. That it is assigned already is fine.
    ///
    /// # Errors
    /// It belongs to somebody else than the job.
    pub async fn assign(&self, job: JobId, pfn: &str, which: Which) -> Result<(), SandboxError> {
        let assignment =
            pb::SandboxAssignment { job_id: job.get(), pfn: pfn.to_owned(), r#type: wire(which).into() };
        let request = pb::AssignSandboxesRequest { assignments: vec![assignment] };
        let answer = self.service.clone().assign_sandboxes(request).await?.into_inner();
        let error = answer.outcomes.into_iter().next().and_then(|outcome| outcome.error);
        match error.map(|error| of_call(&error)) {
            Some(status) if status.code() != tonic::Code::AlreadyExists => Err(status.into()),
            _ => Ok(()),
        }
    }
}

fn wire(which: Which) -> pb::SandboxType {
    match which {
        Which::Input => pb::SandboxType::Input,
        Which::Output => pb::SandboxType::Output,
    }
}

/// The checksum in the name of a sandbox.
fn checksum(pfn: &str) -> Option<String> {
    let pfn: Pfn = pfn.parse().ok()?;
    let (_, rest) = pfn.key().rsplit_once(':')?;
    Some(rest.split('.').next()?.to_owned())
}

/// At most as large as a sandbox, which is small enough to be held.
fn read(mut packed: Packed) -> Result<Vec<u8>, SandboxError> {
    use std::io::Seek as _;
    let mut bytes = Vec::with_capacity(usize::try_from(packed.size).unwrap_or_default());
    let file = packed.file.as_file_mut();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.map_err(|error| SandboxError::Archive(ArchiveError::Temporary(error)))?;
    Ok(bytes)
}

/// Work that keeps a processor or a disk busy does not keep the others waiting.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| SandboxError::Interrupted(error.to_string()))?
}
