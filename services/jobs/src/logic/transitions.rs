//! The status machine of a job, as one pure function from what is stored and what was reported
//! to what is to be written.

use std::fmt;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diracx_core::{JobId, JobStatus};

use JobStatus::{
    Checking, Completed, Completing, Deleted, Done, Failed, Killed, Matched, Received, Rescheduled, Running,
    Scouting, Staging, Stalled, Submitting, Waiting,
};

/// Where a job may go from a status. Anything else leaves it where it is.
///
/// `Deleted` is the end: DiracX lists nothing for it either, but then lets it go anywhere.
pub fn allowed(from: JobStatus) -> &'static [JobStatus] {
    match from {
        Submitting => &[Received, Checking, Deleted, Killed],
        Received => &[Scouting, Checking, Staging, Waiting, Failed, Deleted, Killed],
        Checking => &[Scouting, Staging, Waiting, Rescheduled, Failed, Deleted, Killed],
        Scouting => &[Checking, Failed, Stalled, Killed],
        Staging => &[Checking, Waiting, Failed, Killed],
        Waiting => &[Matched, Rescheduled, Deleted, Killed],
        Matched => &[Running, Failed, Rescheduled, Killed],
        Rescheduled => &[Waiting, Received, Deleted, Failed, Killed],
        Running => &[Stalled, Done, Failed, Rescheduled, Completing, Killed, Received],
        Stalled => &[Running, Failed, Killed],
        Completing => &[Done, Failed, Completed, Stalled, Killed],
        Completed => &[Done, Failed],
        Done => &[Deleted],
        Failed => &[Rescheduled, Deleted],
        Killed => &[Deleted],
        Deleted => &[],
    }
}

/// Where a job is after somebody asked for a status: there if the machine allows it, else where it was.
pub fn step(from: JobStatus, asked: JobStatus) -> JobStatus {
    if allowed(from).contains(&asked) { asked } else { from }
}

/// A status as the database has it. Rows of other software may hold words that we do not know;
/// they stay, and anything may follow them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredStatus {
    /// One of ours.
    Known(JobStatus),
    /// Somebody else's word.
    Foreign(String),
}

impl StoredStatus {
    /// Reads the column.
    pub fn read(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Foreign(text.to_owned()), Self::Known)
    }

    fn step(&self, asked: JobStatus) -> Self {
        match self {
            Self::Known(from) => Self::Known(step(*from, asked)),
            Self::Foreign(_) => Self::Known(asked),
        }
    }
}

impl fmt::Display for StoredStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(status) => status.fmt(f),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}

/// What the database says of a job before the updates.
#[derive(Debug, Clone)]
pub struct CurrentStatus {
    /// The column `Status`.
    pub status: StoredStatus,
    /// Whether the payload's start is known.
    pub has_started: bool,
    /// Whether the payload's end is known.
    pub has_ended: bool,
    /// The time of the last record, to the millisecond; none if nothing was recorded yet.
    pub last_record: Option<DateTime<Utc>>,
}

/// Something that happened to a job, as reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRecord {
    /// When, by the reporter's clock.
    pub time: DateTime<Utc>,
    /// The status, if it is news.
    pub status: Option<JobStatus>,
    /// The minor status, if it is news.
    pub minor_status: Option<String>,
    /// The application status, if it is news.
    pub application_status: Option<String>,
    /// Who reported it.
    pub source: String,
}

/// The columns to write; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusChange {
    /// `Status`; with it `LastUpdateTime` is set.
    pub status: Option<StoredStatus>,
    /// `MinorStatus`.
    pub minor_status: Option<String>,
    /// `ApplicationStatus`.
    pub application_status: Option<String>,
    /// `HeartBeatTime`.
    pub heart_beat_time: Option<DateTime<Utc>>,
    /// `StartExecTime`.
    pub start_exec_time: Option<DateTime<Utc>>,
    /// `EndExecTime`.
    pub end_exec_time: Option<DateTime<Utc>>,
    /// `LastUpdateTime`.
    pub last_update_time: Option<DateTime<Utc>>,
}

/// What comes of the updates of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The columns to write.
    pub change: StatusChange,
    /// What to record, one for each update, with `(SM)` behind the source where the machine said no.
    pub records: Vec<StatusRecord>,
    /// Whether the job's pilot is to be told to stop.
    pub kill: bool,
}

/// To the millisecond, as records keep their time.
pub fn to_millis(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_round(TimeDelta::milliseconds(1)).unwrap_or(time)
}

/// Decides what the updates of one job lead to.
///
/// Updates may come late and in any order. Those older than the last record are recorded and
/// change no status; start and end times are taken from them all the same, and so are signs of life.
///
/// # Source
/// DiracX `logic/jobs/status.py`, `set_job_statuses`; DIRAC `JobStatusUtility.getNewStatus`.
pub fn plan(
    current: &CurrentStatus,
    mut updates: Vec<StatusRecord>,
    force: bool,
    now: DateTime<Utc>,
) -> Plan {
    updates.sort_by_key(|update| update.time);
    let mut change = StatusChange::default();
    exec_times(current, &updates, &mut change);

    let last = current.last_record.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let is_news = |update: &StatusRecord| to_millis(update.time) >= last;
    if updates.last().is_some_and(is_news) {
        let mut at = match &current.status {
            StoredStatus::Known(Stalled) => StoredStatus::Known(Running),
            other => other.clone(),
        };
        for update in updates.iter_mut().filter(|update| is_news(update)) {
            if let Some(asked) = update.status {
                let reached = if force { StoredStatus::Known(asked) } else { at.step(asked) };
                if reached != StoredStatus::Known(asked) {
                    if let StoredStatus::Known(stays) = reached {
                        update.status = Some(stays);
                    }
                    update.source.push_str("(SM)");
                }
                at = reached;
            }
            change.minor_status = update.minor_status.clone().or(change.minor_status);
            change.application_status = update.application_status.clone().or(change.application_status);
        }
        change.status = Some(at);
        change.last_update_time = Some(now);
    }
    change.heart_beat_time = updates
        .iter()
        .filter(|update| update.source.starts_with("Job") || update.source == "Heartbeat")
        .map(|update| update.time)
        .next_back();
    let kill = matches!(change.status, Some(StoredStatus::Known(Deleted | Killed)));
    Plan { change, records: updates, kill }
}

/// The first start and the first end that the updates tell of, by what they asked for and not by
/// what the machine made of it.
fn exec_times(current: &CurrentStatus, updates: &[StatusRecord], change: &mut StatusChange) {
    let mut said = None;
    for update in updates {
        said = update.status.or(said);
        match said {
            Some(Running) if !current.has_started && change.start_exec_time.is_none() => {
                change.start_exec_time = Some(update.time);
            }
            Some(Done | Completed | Failed | Killed)
                if !current.has_ended && change.end_exec_time.is_none() =>
            {
                change.end_exec_time = Some(update.time);
            }
            _ => {}
        }
    }
}

/// The jobs of a call, and what happened to each.
#[derive(Debug, Clone)]
pub struct StatusUpdates {
    /// Each job once, in the order of the call.
    pub jobs: Vec<(JobId, Vec<StatusRecord>)>,
    /// Whether to overrule the machine.
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + i64::from(second), 0).unwrap()
    }

    fn current(status: JobStatus) -> CurrentStatus {
        CurrentStatus {
            status: StoredStatus::Known(status),
            has_started: false,
            has_ended: false,
            last_record: Some(at(10)),
        }
    }

    fn update(second: u32, status: Option<JobStatus>) -> StatusRecord {
        StatusRecord {
            time: at(second),
            status,
            minor_status: None,
            application_status: None,
            source: "Test".into(),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a change has")]
    fn known(status: JobStatus) -> Option<StoredStatus> {
        Some(StoredStatus::Known(status))
    }

    #[test]
    fn what_the_machine_refuses_is_recorded_and_changes_nothing() {
        let plan = plan(&current(Checking), vec![update(20, Some(Done))], false, at(21));
        assert_eq!(plan.change.status, known(Checking));
        assert_eq!(plan.records[0].status, Some(Checking));
        assert_eq!(plan.records[0].source, "Test(SM)");
        // As DiracX has it: the end is taken from what was asked for.
        assert_eq!(plan.change.end_exec_time, Some(at(20)));
    }

    #[test]
    fn a_life_in_one_call_is_walked_step_by_step() {
        let updates = vec![
            update(23, Some(Running)),
            update(21, Some(Waiting)),
            update(24, Some(Done)),
            update(22, Some(Matched)),
        ];
        let plan = plan(&current(Checking), updates, false, at(30));
        assert_eq!(plan.change.status, known(Done));
        assert_eq!(plan.change.start_exec_time, Some(at(23)));
        assert_eq!(plan.change.end_exec_time, Some(at(24)));
        assert_eq!(plan.change.last_update_time, Some(at(30)));
        assert!(plan.records.iter().all(|record| record.source == "Test"));
    }

    #[test]
    fn news_from_the_past_are_recorded_only() {
        let plan = plan(&current(Done), vec![update(5, Some(Running))], false, at(30));
        assert_eq!(plan.change.status, None);
        assert_eq!(plan.change.last_update_time, None);
        assert_eq!(plan.change.start_exec_time, Some(at(5)));
        assert_eq!(plan.records.len(), 1);
    }

    #[test]
    fn a_stalled_job_that_gives_a_sign_runs() {
        let mut sign = update(20, None);
        sign.source = "JobWrapper".into();
        let plan = plan(&current(Stalled), vec![sign], false, at(21));
        assert_eq!(plan.change.status, known(Running));
        assert_eq!(plan.change.heart_beat_time, Some(at(20)));
    }

    #[test]
    fn killing_tells_the_pilot_and_force_overrules_the_machine() {
        assert!(plan(&current(Running), vec![update(20, Some(Killed))], false, at(21)).kill);
        assert!(!plan(&current(Done), vec![update(20, Some(Killed))], false, at(21)).kill);
        let forced = plan(&current(Done), vec![update(20, Some(Killed)), update(21, None)], true, at(22));
        assert!(forced.kill);
        assert_eq!(forced.change.status, known(Killed));
    }

    #[test]
    fn a_foreign_status_can_be_left() {
        let foreign = CurrentStatus { status: StoredStatus::Foreign("Limbo".into()), ..current(Done) };
        assert_eq!(
            plan(&foreign, vec![update(20, Some(Failed))], false, at(21)).change.status,
            known(Failed)
        );
        assert_eq!(
            plan(&foreign, vec![update(20, None)], false, at(21)).change.status,
            Some(StoredStatus::Foreign("Limbo".into()))
        );
    }

    fn any_status() -> impl Strategy<Value = JobStatus> {
        prop::sample::select(JobStatus::ALL)
    }

    proptest! {
        #[test]
        fn without_force_a_job_walks_along_the_table_only(
            from in any_status(),
            asked in prop::collection::vec((0u32..40, prop::option::of(any_status())), 1..8),
        ) {
            let updates = asked.iter().map(|(second, status)| update(*second, *status)).collect();
            let plan = plan(&current(from), updates, false, at(50));
            let mut here = if from == Stalled { Running } else { from };
            for record in plan.records.iter().filter(|record| record.time >= at(10)) {
                if let Some(next) = record.status {
                    prop_assert!(next == here || allowed(here).contains(&next), "{here} to {next}");
                    here = next;
                }
            }
            if let Some(status) = plan.change.status {
                prop_assert_eq!(status, StoredStatus::Known(here));
            }
            prop_assert_eq!(plan.records.len(), asked.len());
        }

        #[test]
        fn the_end_is_the_end(asked in prop::collection::vec((11u32..40, any_status()), 1..8)) {
            let updates = asked.iter().map(|(second, status)| update(*second, Some(*status))).collect();
            let plan = plan(&current(Deleted), updates, false, at(50));
            prop_assert_eq!(plan.change.status, known(Deleted));
        }
    }
}
