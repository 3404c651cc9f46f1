//! `dirac jobs delete`.

use clap::Args;
use diracx_core::{JobId, JobStatus};

use crate::{arguments::Global, failure::Failure, job_numbers, outcomes, status_report::report};

/// Delete jobs that have ended or have not begun
///
/// Their records are removed later. Exits with 1 if one of them could not be deleted.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Marks the jobs as deleted. The minor status stays: the report would change it where the job cannot be deleted.
pub(crate) async fn run(global: &Global, arguments: DeleteArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut jobs = diracx_client::jobs(global.connect()?);
    outcomes::of_all(global, &ids, async |batch| {
        report(&mut jobs, batch, JobStatus::Deleted, None, judge).await
    })
    .await
}

fn judge(job: JobId, status: JobStatus) -> Result<&'static str, String> {
    match status {
        JobStatus::Deleted => Ok("deleted"),
        status if status.is_final() => Err(format!("it is {status} and cannot be deleted yet")),
        status => Err(format!("it is {status}. Stop it first with: dirac jobs kill {job}")),
    }
}
