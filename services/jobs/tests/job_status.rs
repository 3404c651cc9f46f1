//! `docs/reference/job-status.md` is written from the status machine, and is out of date when it changes.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use diracx_core::JobStatus;
use diracx_jobs::logic::transitions::{Effect, MACHINE, has};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/job-status.md");

/// Statuses that nearly everything leads to: in the table, but not in the picture.
const AROUND: [JobStatus; 3] = [JobStatus::Failed, JobStatus::Killed, JobStatus::Deleted];

const INTRODUCTION: &str = "\
# The status of a job

Written by `cargo xtask docs` from the table in `services/jobs/src/logic/transitions.rs`, which is what the jobs service
goes by.

A report (`SetJobStatuses`, `PATCH /api/jobs/status`) asks for a status. If the table allows it, the job goes there;
if not, the job stays where it is, and the report is recorded with `(SM)` behind its source. Reports older than the last
record are recorded and change no status. With `force`, a report is obeyed whatever the table says.

Rescheduling (`RescheduleJobs`, `POST /api/jobs/reschedule`) takes a job from any status to Received and drops the
commands that wait for it. A job that was rescheduled too often becomes Failed instead, unless it has ended already.
";

const BEHIND: &str = "\
## What goes with a status

- **starts**, **ends**: the first report of it is the job's `StartExecTime` or `EndExecTime`. Times are taken from what
  is reported, also if the job does not go there or the report is old; once known they stay, also when the job is
  rescheduled.
- **in a task queue**: the job stands in one, and leaves it when it goes on.
- **leaves its task queue**: also if it stands in one without waiting.
- **kills**: whoever runs the job is told to stop, with every heartbeat until the command is acknowledged. Each report
  that finds or puts a job there tells again, unless the command still waits.
- **runs at a heartbeat**: a heartbeat (`SendHeartbeats`, `PATCH /api/jobs/heartbeat`) reports Running. Elsewhere it
  sets nothing but `HeartBeatTime`.
- **runs at any news**: a report counts as if the job had been Running.
";

fn words(effect: Effect) -> &'static str {
    match effect {
        Effect::Starts => "starts",
        Effect::Ends => "ends",
        Effect::Queued => "in a task queue",
        Effect::LeavesQueue => "leaves its task queue",
        Effect::Kills => "kills",
        Effect::RunsOnHeartbeat => "runs at a heartbeat",
        Effect::RunsOnNews => "runs at any news",
    }
}

fn diagram() -> String {
    let mut text = String::from(
        "stateDiagram-v2\n    [*] --> Received: submitted\n    [*] --> Submitting: of parameters\n",
    );
    for row in &MACHINE {
        for next in row.next.iter().filter(|next| !AROUND.contains(next)) {
            let heartbeat = *next == JobStatus::Running && has(row.status, Effect::RunsOnHeartbeat);
            let label = if heartbeat { ": heartbeat" } else { "" };
            writeln!(text, "    {} --> {next}{label}", row.status).unwrap();
        }
        if !AROUND.contains(&row.status) && row.next.iter().all(|next| AROUND.contains(next)) {
            writeln!(text, "    {} --> [*]", row.status).unwrap();
        }
    }
    text
}

fn table() -> String {
    let mut text = String::from("| status | may become | effects |\n|---|---|---|\n");
    for row in &MACHINE {
        let next: Vec<_> = row.next.iter().map(ToString::to_string).collect();
        let next = if next.is_empty() { "nothing: it is the end".to_owned() } else { next.join(", ") };
        let effects: Vec<_> = row.effects.iter().map(|effect| words(*effect)).collect();
        writeln!(text, "| {} | {next} | {} |", row.status, effects.join(", ")).unwrap();
    }
    text
}

fn document() -> String {
    let ways = |status: JobStatus| {
        let from: Vec<_> = MACHINE
            .iter()
            .filter(|row| row.next.contains(&status))
            .map(|row| row.status.to_string())
            .collect();
        format!("- to {status} from {}", from.join(", "))
    };
    let around = AROUND.map(ways).join("\n");
    let (diagram, table) = (diagram(), table());
    format!(
        "{INTRODUCTION}\n```mermaid\n{diagram}```\n\nNot in the picture:\n\n{around}\n\n{table}\n{BEHIND}"
    )
}

#[test]
fn the_document_says_what_the_machine_does() {
    if std::env::var_os("DIRACX_WRITE_DOCS").is_some() {
        std::fs::write(PATH, document()).expect("the document can be written");
        return;
    }
    let stored = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        stored == document(),
        "docs/reference/job-status.md is out of date; `cargo xtask docs` writes it anew"
    );
}
