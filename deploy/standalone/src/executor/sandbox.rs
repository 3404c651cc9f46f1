//! The sandboxes of a job: fetched before it starts, made of what it leaves.

use std::time::Duration;

use diracx_api::{Limits, SandboxError, Sandboxes, Transfer, TransferError, Which};
use diracx_client::{AnyChannel, Caller};
use diracx_core::{JobId, jdl::Payload};
use diracx_server::ComponentToken;
use tonic::Status;

use super::scratch::Scratch;

/// How long to wait before something is tried again: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(32);

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
        let assigned = patiently(|| self.0.of_job(job, Which::Input)).await?;
        for name in named {
            let short = name.split_once('|').map_or(name.as_str(), |(_, short)| short);
            if !assigned.iter().any(|pfn| pfn == short) {
                return Err(format!("there is no sandbox {name} of the owner of the job"));
            }
            let silent = std::sync::Arc::new(|_| ());
            patiently(|| self.0.fetch(name, scratch.path(), Limits::default(), silent.clone())).await?;
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
        let pfn = patiently(|| self.0.upload(files.clone(), Some(job), silent)).await?;
        patiently(|| self.0.assign(job, &pfn, Which::Output)).await
    }
}

/// Tries again for about a minute what the store or the service cannot do now, in growing intervals.
async fn patiently<T, F: Future<Output = Result<T, SandboxError>>>(
    mut what: impl FnMut() -> F,
) -> Result<T, String> {
    let mut pause = FIRST_PAUSE;
    loop {
        match what().await {
            Err(error) if error.is_passing() && pause <= LAST_PAUSE => {
                tracing::warn!("trying again in {} ms: {error}", pause.as_millis());
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done.map_err(|error| error.to_string()),
        }
    }
}

/// A file or directory, and no link to somebody else's.
fn is_own(file: &std::path::Path) -> bool {
    file.symlink_metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn tried(errors: Vec<SandboxError>) -> (Result<u8, String>, Duration) {
        let mut errors = errors.into_iter();
        let begun = Instant::now();
        let done = patiently(|| std::future::ready(errors.next().map_or(Ok(7), Err))).await;
        (done, begun.elapsed())
    }

    fn refused(status: u16) -> SandboxError {
        TransferError::Refused { status, text: "no".to_owned() }.into()
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_for_a_minute_and_the_rest_is_not() {
        let unavailable = || SandboxError::from(Status::unavailable("away"));
        assert_eq!(tried(vec![]).await, (Ok(7), Duration::ZERO));
        assert_eq!(tried(vec![refused(503), unavailable()]).await, (Ok(7), Duration::from_millis(1_500)));
        let (given_up, after) = tried((0..100).map(|_| refused(503)).collect()).await;
        assert_eq!(given_up, Err("the store of sandboxes answers 503: no".to_owned()));
        assert_eq!(after, Duration::from_millis(63_500));
        for lasting in [refused(403), Status::not_found("nothing").into()] {
            let (failed, after) = tried(vec![lasting]).await;
            assert!(failed.is_err() && after.is_zero(), "{failed:?}");
        }
    }
}
