//! `dirac jobs kill`.

use std::collections::HashMap;

use clap::Args;
use diracx_client::proto::jobs::v1::SearchJobsRequest;
use diracx_core::{JobId, JobStatus, search::Cell};

use super::jobs_status::search;
use crate::{
    arguments::Global,
    failure::Failure,
    job_numbers,
    outcomes::{self, Outcome},
    status_report::report,
    table,
};

const MINOR_STATUS: &str = "Marked for termination";
const HAD_ENDED: &str = "had ended";

/// Stop jobs
///
/// Whoever runs a job is told with its next heartbeat. Jobs that have ended already are left as they are. Exits with 1
/// if one of the others could not be stopped.
#[derive(Debug, Args)]
pub(crate) struct KillArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Stops the jobs that have not ended.
pub(crate) async fn run(global: &Global, arguments: KillArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut jobs = diracx_client::jobs(global.connect()?);
    outcomes::of_all(global, &ids, async |batch| {
        // A report changes the minor status even of a job that stays where it is, so those that have ended get none.
        let page_size = i32::try_from(batch.len()).unwrap_or(i32::MAX);
        let request = SearchJobsRequest { page_size, ..search(batch).into() };
        let ended = ended(&table::of_answer(jobs.search_jobs(request).await?.into_inner().table, None)?);
        let running: Vec<JobId> = batch.iter().filter(|id| !ended.contains_key(id)).copied().collect();
        let killed = match running.as_slice() {
            [] => Vec::new(),
            running => report(&mut jobs, running, JobStatus::Killed, Some(MINOR_STATUS), judge).await?,
        };
        let mut killed: HashMap<JobId, Outcome> =
            killed.into_iter().map(|outcome| (outcome.job, outcome)).collect();
        let outcome = |job: &JobId| match ended.get(job) {
            Some(status) => Some(Outcome { job: *job, status: Some(*status), result: Ok(HAD_ENDED) }),
            None => killed.remove(job),
        };
        Ok(batch.iter().filter_map(outcome).collect())
    })
    .await
}

/// The jobs of a table that have ended.
fn ended(found: &diracx_core::search::Table) -> HashMap<JobId, JobStatus> {
    let column = |name: &str| found.columns.iter().position(|column| column == name);
    let (Some(id), Some(status)) = (column("JobID"), column("Status")) else { return HashMap::new() };
    let job = |row: &Vec<Cell>| match (row.get(id), row.get(status)) {
        (Some(Cell::Int(id)), Some(Cell::Text(status))) => status
            .parse()
            .ok()
            .filter(|status: &JobStatus| status.is_final())
            .map(|status| (JobId(*id), status)),
        _ => None,
    };
    found.rows.iter().filter_map(job).collect()
}

fn judge(_: JobId, status: JobStatus) -> Result<&'static str, String> {
    match status {
        JobStatus::Killed => Ok("killed"),
        status if status.is_final() => Ok(HAD_ENDED),
        status => Err(format!("it is still {status}")),
    }
}
