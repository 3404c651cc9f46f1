//! `dirac jobs watch`.

use clap::Args;
use diracx_client::proto::jobs::v1::{JobEvent, WatchJobsRequest};
use diracx_core::search::Filter;
use serde_json::{Value, json};

use super::jobs_wait::status;
use crate::{
    arguments::Global,
    changes::{Changes, until_interrupted},
    condition,
    failure::Failure,
    job_numbers,
    output::{Format, print},
    table::printable,
    times,
};

const CONDITION: &str = r"What must hold: 'NAME OPERATOR VALUE'; may be repeated, and then all must.

Names are JobID, JobGroup, JobName, Owner, OwnerGroup and VO, which do not change in the life of a job.
Operators are eq and neq; in and not in with a JSON list; for JobID also gt and lt.";

/// Print what happens to jobs, as it happens
///
/// Begins with the present state if the jobs are named; without jobs and conditions it prints the changes of all jobs
/// that you may see. When the server was away, it goes on where it stopped. Ctrl-C ends it, with exit code 130.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(value_name = "ID", conflicts_with = "conditions")]
    ids: Vec<String>,

    /// What must hold: "NAME OPERATOR VALUE"; may be repeated, and then all must
    #[arg(long = "condition", value_name = "CONDITION", value_parser = condition::condition, long_help = CONDITION)]
    conditions: Vec<Filter>,

    /// End when all the jobs have ended
    #[arg(long, requires = "ids")]
    until_final: bool,
}

/// Prints a line for each change.
pub(crate) async fn run(global: &Global, arguments: WatchArguments) -> Result<(), Failure> {
    let ids = if arguments.ids.is_empty() { Vec::new() } else { job_numbers::of(&arguments.ids)? };
    let named = !ids.is_empty();
    let request = WatchJobsRequest {
        job_ids: ids.iter().map(|id| id.get()).collect(),
        search: (!arguments.conditions.is_empty()).then(|| arguments.conditions.into()),
        until_final: arguments.until_final,
        ..Default::default()
    };
    let mut changes = Changes::new(global.connect()?, request);
    let format = global.format();
    let printing = async {
        // Of all jobs the present state is too much; but after a break that lasted too long it is the only news.
        let mut wanted = named;
        while let Some(message) = changes.next().await? {
            if message.snapshot && !wanted {
                continue;
            }
            wanted = true;
            for event in &message.events {
                print(&line(event, message.snapshot, format))?;
            }
        }
        Ok(())
    };
    until_interrupted(printing).await
}

fn line(event: &JobEvent, snapshot: bool, format: Format) -> String {
    let time = event.change_time.as_ref().and_then(|time| times::from_wire(time.seconds, time.nanos));
    match format {
        Format::Json => {
            let object: Value = json!({
                "JobID": event.job_id,
                "Status": status(event),
                "MinorStatus": event.minor_status,
                "ApplicationStatus": event.application_status,
                "Time": time.map(times::written),
                "RescheduleCounter": event.reschedule_counter,
                "Removed": event.removed,
                "Snapshot": snapshot,
            });
            object.to_string()
        }
        Format::Table => {
            let removed = if event.removed { "removed" } else { "" };
            let texts = [event.minor_status.as_str(), event.application_status.as_str(), removed];
            let texts: Vec<String> = texts
                .into_iter()
                .filter(|text| !text.is_empty() && *text != "Unknown")
                .map(|text| printable(text).replace('\n', " "))
                .collect();
            let time = time.map(times::readable).unwrap_or_default();
            let line = format!("{time:19}  {:>10}  {:12}  {}", event.job_id, status(event), texts.join("; "));
            line.trim_end().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use diracx_client::proto::jobs::v1::JobStatus;

    use super::*;

    #[test]
    fn a_change_is_a_line_that_commands_no_terminal() {
        let event = JobEvent {
            job_id: 7,
            status: JobStatus::Running.into(),
            minor_status: "a\u{1b}[2J\nb".into(),
            application_status: "Unknown".into(),
            change_time: Some(prost_types::Timestamp { seconds: 1_577_836_800, nanos: 0 }),
            ..Default::default()
        };
        let people = line(&event, false, Format::Table);
        assert_eq!(people, "2020-01-01 00:00:00           7  Running       a\u{fffd}[2J b");
        let script: Value = serde_json::from_str(&line(&event, true, Format::Json)).unwrap();
        assert_eq!(script["Status"], "Running");
        assert_eq!(script["Time"], "2020-01-01T00:00:00Z");
        assert_eq!(script["Snapshot"], true);
        assert!(!line(&event, true, Format::Json).contains('\n'));
    }
}
