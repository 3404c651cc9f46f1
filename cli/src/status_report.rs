//! Asking for a status, for several jobs at once.

use diracx_client::{AnyChannel, proto::jobs::v1 as pb, proto::time::timestamp};
use diracx_core::{Clock as _, JobId, JobStatus, SystemClock};
use pb::{job_status_outcome::Result as Answer, jobs_service_client::JobsServiceClient};

use crate::{
    failure::Failure,
    outcomes::{self, Outcome},
};

/// Reports that the jobs are in a status, as of now by the clock of this machine. `judge` says what it means where
/// they are then; none if the server has later news of the job than this report.
pub(crate) async fn report(
    jobs: &mut JobsServiceClient<AnyChannel>,
    ids: &[JobId],
    status: JobStatus,
    minor_status: Option<&str>,
    judge: impl Fn(JobId, JobStatus) -> Result<&'static str, String>,
) -> Result<Vec<Outcome>, Failure> {
    let record = pb::StatusRecord {
        time: Some(timestamp(SystemClock.now())),
        status: Some(pb::JobStatus::from(status).into()),
        minor_status: minor_status.map(str::to_owned),
        application_status: None,
        source: "dirac".to_owned(),
    };
    let update = |id: &JobId| pb::JobStatusUpdates { job_id: id.get(), records: vec![record.clone()] };
    let updates = ids.iter().map(update).collect();
    let answer = jobs.set_job_statuses(pb::SetJobStatusesRequest { updates, force: false }).await?;
    let outcome = |outcome: pb::JobStatusOutcome| {
        let job = JobId(outcome.job_id);
        let (status, result) = match outcome.result {
            Some(Answer::Change(change)) => {
                let status = outcomes::status(&change);
                (status, status.map_or_else(|| Err(OLD.to_owned()), |status| judge(job, status)))
            }
            Some(Answer::Error(error)) => (None, Err(error.message)),
            None => (None, Err("the server does not say what became of it".to_owned())),
        };
        Outcome { job, status, result }
    };
    Ok(answer.into_inner().outcomes.into_iter().map(outcome).collect())
}

/// When a report changed nothing.
const OLD: &str = "there are later news of it; is the clock of this machine late?";
