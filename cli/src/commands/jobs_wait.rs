//! `dirac jobs wait`.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use diracx_client::{
    AnyChannel,
    proto::jobs::v1::{JobEvent, JobStatus, WatchJobsRequest},
};
use diracx_core::{
    JobId,
    search::{Cell, Table},
};

use crate::{
    arguments::Global,
    changes::{Changes, until_interrupted},
    failure::Failure,
    job_numbers,
    output::{Format, print, print_json, tell},
    table,
};

/// How many jobs one stream watches at the most.
const BATCH: usize = 10_000;

/// Wait until jobs have ended, and show how
///
/// Exits with 0 if all of them are Done; with 5 if some Failed, were Killed, Deleted or removed, or stay Completed; with
/// 6 if the time is over first; with 1 if one of them does not exist, or is not yours to see. Keeps waiting while the
/// server is away.
#[derive(Debug, Args)]
pub(crate) struct WaitArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,

    /// How long to wait at most, such as 90s, 10m or 2h [default: as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = span)]
    timeout: Option<Duration>,
}

/// Waits, and shows the jobs in the order they were asked for.
pub(crate) async fn run(global: &Global, arguments: WaitArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut last = HashMap::new();
    let waiting = async {
        let channel = global.connect()?;
        for batch in ids.chunks(BATCH) {
            wait(channel.clone(), batch, &mut last).await?;
        }
        Ok(())
    };
    let waiting = until_interrupted(waiting);
    let in_time = match arguments.timeout {
        Some(timeout) => tokio::time::timeout(timeout, waiting).await.ok().transpose()?.is_some(),
        None => waiting.await.map(|()| true)?,
    };
    show(global, &ids, &last)?;
    judge(&ids, &last, in_time)
}

/// Notes the last state of each job until all of them are final.
async fn wait(
    channel: AnyChannel,
    ids: &[JobId],
    last: &mut HashMap<JobId, JobEvent>,
) -> Result<(), Failure> {
    let job_ids = ids.iter().map(|id| id.get()).collect();
    let request = WatchJobsRequest { job_ids, until_final: true, ..Default::default() };
    let mut changes = Changes::new(channel, request);
    let mut told = false;
    while let Some(message) = changes.next().await? {
        for event in message.events {
            let known = last.entry(JobId(event.job_id)).or_default();
            if event.removed && event.status() == JobStatus::Unspecified && known.job_id != 0 {
                // gone since; what it was stays
                known.removed = true;
            } else {
                *known = event;
            }
        }
        let waiting = ids.iter().filter(|id| last.get(id).is_some_and(|event| !is_final(event))).count();
        if waiting > 0 && !told {
            tell(&format!("Waiting for {waiting} of {} jobs", ids.len()));
            told = true;
        }
    }
    Ok(())
}

fn is_final(event: &JobEvent) -> bool {
    event.removed
        || diracx_core::JobStatus::try_from(event.status()).is_ok_and(diracx_core::JobStatus::is_final)
}

fn is_there(event: &JobEvent) -> bool {
    !(event.removed && event.status() == JobStatus::Unspecified)
}

fn show(global: &Global, ids: &[JobId], last: &HashMap<JobId, JobEvent>) -> Result<(), Failure> {
    let columns = ["JobID", "Status", "MinorStatus", "ApplicationStatus"].map(str::to_owned).to_vec();
    let row = |event: &JobEvent| {
        vec![
            Cell::Int(event.job_id),
            Cell::Text(status(event)),
            Cell::Text(event.minor_status.clone()),
            Cell::Text(event.application_status.clone()),
        ]
    };
    let rows: Vec<_> =
        ids.iter().filter_map(|id| last.get(id)).filter(|event| is_there(event)).map(row).collect();
    let total = rows.len() as u64;
    let found = Table { columns, rows, total };
    if global.format() == Format::Json {
        print_json(&table::json(&found))
    } else if found.rows.is_empty() {
        Ok(())
    } else {
        print(&table::draw(&found, table::terminal_width()))
    }
}

/// The status in DIRAC's word.
pub(crate) fn status(event: &JobEvent) -> String {
    diracx_core::JobStatus::try_from(event.status())
        .map_or_else(|_| "Unknown".to_owned(), |status| status.to_string())
}

fn judge(ids: &[JobId], last: &HashMap<JobId, JobEvent>, in_time: bool) -> Result<(), Failure> {
    let missing: Vec<&JobId> =
        ids.iter().filter(|id| last.get(id).is_some_and(|event| !is_there(event))).collect();
    for id in &missing {
        tell(&format!("error: job {id} is not there, or not yours to see"));
    }
    let is_done = |event: &JobEvent| event.status() == JobStatus::Done && !event.removed;
    let ended = ids.iter().filter(|id| last.get(id).is_some_and(is_final)).count();
    if !missing.is_empty() {
        Err(Failure::Incomplete)
    } else if !in_time && ended < ids.len() {
        Err(Failure::NotEnded(format!(
            "the time is over, and {} of {} jobs have not ended",
            ids.len() - ended,
            ids.len()
        )))
    } else if ids.iter().all(|id| last.get(id).is_some_and(is_done)) {
        Ok(())
    } else {
        Err(Failure::NotDone)
    }
}

/// `90s`, `10m`, `2h`, `1d`; a bare number means seconds.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write a time such as 90s, 10m or 2h".to_owned()),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    // A timer reaches no further; nobody waits longer than a century.
    let seconds = seconds.filter(|seconds| *seconds <= 100 * 365 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| "write a time such as 90s, 10m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("0", 0)]
        {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "m", "1.5h", "-1", "1w", "99999999999999999999", "9999999999999d", "1 h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_exit_code_tells_how_the_jobs_have_ended() {
        let event = |status: JobStatus, removed| JobEvent {
            job_id: 1,
            status: status.into(),
            removed,
            ..Default::default()
        };
        let check = |event: Option<JobEvent>, in_time, expected: &str| {
            let last = event.into_iter().map(|event| (JobId(1), event)).collect();
            let judged = format!("{:?}", judge(&[JobId(1)], &last, in_time));
            assert!(judged.starts_with(expected), "{judged}");
        };
        check(Some(event(JobStatus::Done, false)), true, "Ok");
        for bad in [JobStatus::Failed, JobStatus::Killed, JobStatus::Deleted, JobStatus::Completed] {
            check(Some(event(bad, false)), true, "Err(NotDone");
        }
        check(Some(event(JobStatus::Done, true)), true, "Err(NotDone");
        check(Some(event(JobStatus::Unspecified, true)), true, "Err(Incomplete");
        check(Some(event(JobStatus::Running, false)), false, "Err(NotEnded");
        check(None, false, "Err(NotEnded");
        check(Some(event(JobStatus::Done, false)), false, "Ok");
    }
}
