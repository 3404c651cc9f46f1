//! The sandboxes of a job: fetched before it starts, made of what it leaves.

use diracx_api::{Limits, Sandboxes, Transfer, TransferError, Which};
use diracx_client::{AnyChannel, Caller};
use diracx_core::{JobId, jdl::Payload};
use diracx_server::ComponentToken;
use tonic::Status;

use super::scratch::Scratch;

/// Sandboxes as the executor sees them: on behalf of the owners of its jobs. Cheap to clone.
#[derive(Clone)]
pub(super) struct JobFiles(Sandboxes);

impl JobFiles {
    /// By the service on `channel` of the DiracX at `base`.
    pub(super) fn new(channel: AnyChannel, token: ComponentToken, base: &str) -> Result<Self, TransferError> {
        let token = move || {
            let token = token.get().map(Some).map_err(|error| Status::unauthenticated(error.to_string()));
            std::future::ready(token)
        };
        Ok(Self(Sandboxes::new(Caller::default().token(token).on(channel), Transfer::new(base, None)?)))
    }

    /// Puts what the job reads into its directory. The executor may fetch anybody's sandboxes, so it fetches only
    /// those that are assigned to the job: they belong to its owner.
    pub(super) async fn fetch(&self, job: JobId, payload: &Payload, scratch: &Scratch) -> Result<(), String> {
        let named: Vec<&String> =
            payload.input_sandbox.iter().filter(|name| name.starts_with("SB:")).collect();
        if named.is_empty() {
            return Ok(());
        }
        let assigned = self.0.of_job(job, Which::Input).await.map_err(|error| error.to_string())?;
        for name in named {
            let short = name.split_once('|').map_or(name.as_str(), |(_, short)| short);
            if !assigned.iter().any(|pfn| pfn == short) {
                return Err(format!("there is no sandbox {name} of the owner of the job"));
            }
            let silent = std::sync::Arc::new(|_| ());
            self.0
                .fetch(name, scratch.path(), Limits::default(), silent)
                .await
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Keeps what the job wrote of the files that it names. Those that it did not write are passed over.
    pub(super) async fn keep(&self, job: JobId, payload: &Payload, scratch: &Scratch) -> Result<(), String> {
        let files = payload.output_sandbox.iter().filter_map(|name| scratch.file(name));
        let files: Vec<_> = files.filter(|file| is_own(file)).collect();
        if files.is_empty() {
            return Ok(());
        }
        let silent = |_| -> diracx_api::Progress { std::sync::Arc::new(|_| ()) };
        let pfn = self.0.upload(files, Some(job), silent).await.map_err(|error| error.to_string())?;
        self.0.assign(job, &pfn, Which::Output).await.map_err(|error| error.to_string())
    }
}

/// A file or directory, and no link to somebody else's.
fn is_own(file: &std::path::Path) -> bool {
    file.symlink_metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
}
