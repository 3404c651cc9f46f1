//! What a status update takes: for each job, for each instant, what to set.

use diracx_core::{JobId, JobStatus};
use serde_json::Value;

use super::{
    Loc, Problems,
    datetime::{When, datetime},
    scalar,
};

/// The states a client may ask for, in the order in which DiracX lists them. `Scouting` is not among them:
/// only legacy DIRAC writes it.
const STATUSES: [JobStatus; 15] = [
    JobStatus::Submitting,
    JobStatus::Received,
    JobStatus::Checking,
    JobStatus::Staging,
    JobStatus::Waiting,
    JobStatus::Matched,
    JobStatus::Running,
    JobStatus::Stalled,
    JobStatus::Completing,
    JobStatus::Done,
    JobStatus::Completed,
    JobStatus::Failed,
    JobStatus::Deleted,
    JobStatus::Killed,
    JobStatus::Rescheduled,
];

/// What to set at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusUpdate {
    pub(crate) status: Option<JobStatus>,
    pub(crate) minor_status: Option<String>,
    pub(crate) application_status: Option<String>,
    pub(crate) source: String,
}

/// What to set for one job, in the order of the request.
pub(crate) type JobUpdates = (JobId, Vec<(When, StatusUpdate)>);

/// Reads the body of a status update. Of several spellings of one job or one instant the last counts.
pub(crate) fn status_body(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Vec<JobUpdates>> {
    let members = scalar::dict(problems, loc, value)?;
    let mut jobs: Vec<JobUpdates> = Vec::with_capacity(members.len());
    for (key, value) in members {
        let loc = loc.field(key);
        let job = scalar::int(problems, &loc.field("[key]"), &Value::String(key.clone()));
        let updates = job_updates(problems, &loc, value);
        if let (Some(job), Some(updates)) = (job, updates) {
            jobs.push((JobId(job), updates));
        }
    }
    Some(super::last_of_each(jobs))
}

fn job_updates(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Vec<(When, StatusUpdate)>> {
    let members = scalar::dict(problems, loc, value)?;
    let mut updates = Vec::with_capacity(members.len());
    for (key, value) in members {
        let loc = loc.field(key);
        let when = datetime(problems, &loc.field("[key]"), key);
        let update = update(problems, &loc, value);
        if let (Some(when), Some(update)) = (when, update) {
            updates.push((when, update));
        }
    }
    Some(super::last_of_each(updates))
}

/// Read in the order of DiracX's model, which is the order of its complaints.
fn update(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<StatusUpdate> {
    let members = scalar::model(problems, loc, value)?;
    let status = match members.get("Status") {
        None | Some(Value::Null) => Some(None),
        Some(value) => {
            scalar::choice(problems, &loc.field("Status"), &STATUSES.map(JobStatus::as_str), value)
                .map(|found| Some(STATUSES[found]))
        }
    };
    let minor_status = optional_text(problems, loc, members.get("MinorStatus"), "MinorStatus");
    let application_status =
        optional_text(problems, loc, members.get("ApplicationStatus"), "ApplicationStatus");
    let source = match members.get("Source") {
        None => Some("Unknown".to_owned()),
        Some(value) => scalar::string(problems, &loc.field("Source"), value),
    };
    Some(StatusUpdate {
        status: status?,
        minor_status: minor_status?,
        application_status: application_status?,
        source: source?,
    })
}

/// A text, or nothing; the outer option is whether it is good.
#[expect(clippy::option_option, reason = "good, and there or not")]
pub(super) fn optional_text(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: Option<&Value>,
    name: &str,
) -> Option<Option<String>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(value) => scalar::string(problems, &loc.field(name), value).map(Some),
    }
}
