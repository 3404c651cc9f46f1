//! The changes of jobs as they happen, whatever happens to the connection.

use std::{future::Future, time::Duration};

use diracx_client::{
    AnyChannel, Refusal, Unreachable,
    proto::jobs::v1::{
        WatchJobsRequest, WatchJobsResponse, jobs_service_client::JobsServiceClient as JobsClient,
    },
};
use diracx_core::Reason;
use tonic::{Code, Request, Status, Streaming};

use crate::{failure::Failure, output::tell};

/// How long the server may take to begin, and to give a sign of life: it promises one every 30 s.
const BEGINNING: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);
/// How long a stream may last.
const LIFETIME: Duration = Duration::from_hours(12);
/// How soon to try again after a break, doubled each time.
const SOONEST: Duration = Duration::from_millis(200);
const LATEST: Duration = Duration::from_secs(10);

/// A stream of changes that is taken up again when it breaks.
pub(crate) struct Changes {
    client: JobsClient<AnyChannel>,
    request: WatchJobsRequest,
    stream: Option<Streaming<WatchJobsResponse>>,
    /// Whether the server has ever answered: only then it is worth to try again.
    begun: bool,
    failures: u32,
}

impl Changes {
    pub(crate) fn new(channel: AnyChannel, request: WatchJobsRequest) -> Self {
        Self { client: diracx_client::jobs(channel), request, stream: None, begun: false, failures: 0 }
    }

    /// What comes next; none when the server has told all there is.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchJobsResponse>, Failure> {
        loop {
            match self.attempt().await {
                Ok(message) => {
                    if self.failures > 1 {
                        tell("The server is back.");
                    }
                    self.begun = true;
                    self.failures = 0;
                    if let Some(message) = &message {
                        self.request.resume_token.clone_from(&message.resume_token);
                    }
                    return Ok(message);
                }
                Err(status) if self.begun && may_pass(&status) => {
                    self.stream = None;
                    self.failures += 1;
                    if self.failures == 2 {
                        tell(&format!("The server is away ({}); waiting for it.", status.message()));
                    }
                    tokio::time::sleep(pause(self.failures, &status)).await;
                }
                Err(status) => return Err(status.into()),
            }
        }
    }

    async fn attempt(&mut self) -> Result<Option<WatchJobsResponse>, Status> {
        if let Some(stream) = &mut self.stream {
            return within(SILENCE, stream.message()).await;
        }
        let mut request = Request::new(self.request.clone());
        request.set_timeout(LIFETIME);
        let answer = within(BEGINNING, self.client.watch_jobs(request)).await?;
        let stream = self.stream.insert(answer.into_inner());
        within(SILENCE, stream.message()).await
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded("the server is silent");
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(late()))
}

/// Whether the same may work a while later: the server restarts, the network blinks, the token has just expired.
fn may_pass(status: &Status) -> bool {
    let refusal = Refusal::of(status);
    match status.code() {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted => true,
        Code::Unauthenticated => refusal.is(Reason::TokenExpired),
        // A connection that breaks in the middle has no words of a server of ours.
        Code::Unknown | Code::Internal => refusal.reason.is_empty() || Unreachable::of(status).is_some(),
        _ => false,
    }
}

/// How long to wait before the next attempt.
fn pause(failures: u32, status: &Status) -> Duration {
    let growing = SOONEST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LATEST);
    let advised = Refusal::of(status).retry_after.unwrap_or_default().min(LATEST);
    // Many clients of one server do not come back at the same moment.
    let spread = u32::from(uuid::Uuid::new_v4().as_bytes()[0]) + 128;
    growing.max(advised) * spread / 256
}

/// Does `work` until somebody presses Ctrl-C.
pub(crate) async fn until_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(Failure::Interrupted),
            Err(error) => Err(Failure::Other(format!("cannot wait for Ctrl-C: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_of_the_connection_pass_and_refusals_do_not() {
        for passes in
            [Code::Unavailable, Code::Unknown, Code::Internal, Code::ResourceExhausted, Code::Cancelled]
        {
            assert!(may_pass(&Status::new(passes, "x")), "{passes:?}");
        }
        for stays in
            [Code::PermissionDenied, Code::InvalidArgument, Code::Unauthenticated, Code::Unimplemented]
        {
            assert!(!may_pass(&Status::new(stays, "x")), "{stays:?}");
        }
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let status = Status::unavailable("x");
        assert!(pause(1, &status) <= Duration::from_millis(300));
        assert!(pause(30, &status) <= LATEST * 3 / 2 && pause(30, &status) >= LATEST / 2);
    }
}
