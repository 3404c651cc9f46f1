//! What became of each job of a command that changes several.

use diracx_client::proto::jobs::v1 as pb;
use diracx_core::{
    JobId, JobStatus,
    search::{Cell, Table},
};

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

/// How many jobs go into one call.
const BATCH: usize = 1_000;

/// What became of a job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) job: JobId,
    /// Where it is now, if that is known.
    pub(crate) status: Option<JobStatus>,
    /// What was done with it in a word, or why it was not.
    pub(crate) result: Result<&'static str, String>,
}

/// A status of an answer; none if there is none that we know.
pub(crate) fn status(change: &pb::JobStatusChange) -> Option<JobStatus> {
    pb::JobStatus::try_from(change.status?).ok()?.try_into().ok()
}

/// Changes the jobs, a batch in each call, and shows what became of them. What a failing call leaves undone is not
/// shown; what was done before is.
pub(crate) async fn of_all(
    global: &Global,
    ids: &[JobId],
    mut change: impl AsyncFnMut(&[JobId]) -> Result<Vec<Outcome>, Failure>,
) -> Result<(), Failure> {
    let mut outcomes = Vec::with_capacity(ids.len());
    let mut failure = None;
    for batch in ids.chunks(BATCH) {
        match change(batch).await {
            Ok(more) => outcomes.extend(more),
            Err(why) => {
                failure = Some(why);
                break;
            }
        }
    }
    if !outcomes.is_empty() {
        show(global, &outcomes)?;
    }
    match failure {
        Some(failure) => Err(failure),
        None if outcomes.iter().any(|outcome| outcome.result.is_err()) => Err(Failure::Incomplete),
        None => Ok(()),
    }
}

fn show(global: &Global, outcomes: &[Outcome]) -> Result<(), Failure> {
    let row = |outcome: &Outcome| {
        let status = outcome.status.map_or(Cell::Null, |status| Cell::Text(status.as_str().to_owned()));
        let word = outcome.result.as_ref().map_or("failed", |word| word);
        vec![Cell::Int(outcome.job.get()), status, Cell::Text(word.to_owned())]
    };
    let columns = ["JobID", "Status", "Outcome"].map(str::to_owned).to_vec();
    let shown = Table { columns, rows: outcomes.iter().map(row).collect(), total: 0 };
    if global.format() == Format::Json {
        print_json(&table::json(&shown))?;
    } else {
        print(&table::draw(&shown, table::terminal_width()))?;
    }
    for Outcome { job, result, .. } in outcomes {
        if let Err(why) = result {
            tell(&format!("error: job {job}: {why}"));
        }
    }
    Ok(())
}
