//! `dirac jobs reschedule`.

use clap::Args;
use diracx_client::proto::jobs::v1::{
    RescheduleJobsRequest, RescheduleOutcome, reschedule_outcome::Result as Answer,
};
use diracx_core::JobId;

use crate::{
    arguments::Global,
    failure::Failure,
    job_numbers,
    outcomes::{self, Outcome},
};

/// Send jobs back to the beginning
///
/// A job that was sent back as often as its VO allows becomes Failed. Exits with 1 if one of them could not be
/// rescheduled.
#[derive(Debug, Args)]
pub(crate) struct RescheduleArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,

    /// Count from zero again how often they were rescheduled; only for administrators
    #[arg(long)]
    reset: bool,
}

/// Reschedules the jobs.
pub(crate) async fn run(global: &Global, arguments: RescheduleArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut jobs = diracx_client::jobs(global.connect()?);
    outcomes::of_all(global, &ids, async |batch| {
        let job_ids = batch.iter().map(|id| id.get()).collect();
        let request = RescheduleJobsRequest { job_ids, reset_counters: arguments.reset };
        let answer = jobs.reschedule_jobs(request).await?.into_inner();
        Ok(answer.outcomes.into_iter().map(outcome).collect())
    })
    .await
}

fn outcome(outcome: RescheduleOutcome) -> Outcome {
    let (status, result) = match outcome.result {
        Some(Answer::Job(job)) => (job.change.as_ref().and_then(outcomes::status), Ok("rescheduled")),
        Some(Answer::Error(error)) => (None, Err(error.message)),
        None => (None, Err("the server does not say what became of it".to_owned())),
    };
    Outcome { job: JobId(outcome.job_id), status, result }
}
