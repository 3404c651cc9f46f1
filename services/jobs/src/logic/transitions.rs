//! The status machine of a job: a table, and one pure function from what is stored and what was reported
//! to what is to be written.

use std::fmt;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diracx_core::{JobId, JobStatus};

use Effect::{Ends, Kills, LeavesQueue, Queued, RunsOnHeartbeat, RunsOnNews, Starts};
use JobStatus::{
    Checking, Completed, Completing, Deleted, Done, Failed, Killed, Matched, Received, Rescheduled, Running,
    Scouting, Staging, Stalled, Submitting, Waiting,
};

/// What a status means for a job beyond its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The first report of it is when the payload started.
    Starts,
    /// The first report of it is when the payload ended.
    Ends,
    /// The job stands in a task queue, and leaves it with this status.
    Queued,
    /// The job leaves its task queue, if it stands in one all the same.
    LeavesQueue,
    /// Whoever runs the job is told to stop, at every report.
    Kills,
    /// A heartbeat makes the job Running.
    RunsOnHeartbeat,
    /// Any news make the job Running, unless they say otherwise.
    RunsOnNews,
}

/// A row of the status machine.
#[derive(Debug)]
pub struct Row {
    /// A job in this status,
    pub status: JobStatus,
    /// may go to these. Anything else leaves it where it is.
    pub next: &'static [JobStatus],
    /// And this goes with being there.
    pub effects: &'static [Effect],
}

/// The status machine, in the order of a job's life. `docs/reference/job-status.md` is written from it.
///
/// Two things are stronger than it: `force`, and rescheduling, which takes a job from anywhere to Received.
/// `Deleted` is the end: DiracX lists nothing for it either, but then lets it go anywhere.
///
/// # Source
/// DIRACCommon `JobStatus.py`; the effects: DiracX `logic/jobs/status.py`.
#[rustfmt::skip]
pub static MACHINE: [Row; 16] = [
    Row { status: Submitting,  next: &[Received, Checking, Deleted, Killed],                                    effects: &[] },
    Row { status: Received,    next: &[Scouting, Checking, Staging, Waiting, Failed, Deleted, Killed],          effects: &[LeavesQueue] },
    Row { status: Checking,    next: &[Scouting, Staging, Waiting, Rescheduled, Failed, Deleted, Killed],       effects: &[] },
    Row { status: Scouting,    next: &[Checking, Failed, Stalled, Killed],                                      effects: &[] },
    Row { status: Staging,     next: &[Checking, Waiting, Failed, Killed],                                      effects: &[] },
    Row { status: Waiting,     next: &[Matched, Rescheduled, Deleted, Killed],                                  effects: &[Queued] },
    Row { status: Matched,     next: &[Running, Failed, Rescheduled, Killed],                                   effects: &[RunsOnHeartbeat] },
    Row { status: Rescheduled, next: &[Waiting, Received, Deleted, Failed, Killed],                             effects: &[LeavesQueue] },
    Row { status: Running,     next: &[Stalled, Done, Failed, Rescheduled, Completing, Killed, Received],       effects: &[Starts] },
    Row { status: Stalled,     next: &[Running, Failed, Killed],                                                effects: &[RunsOnHeartbeat, RunsOnNews] },
    Row { status: Completing,  next: &[Done, Failed, Completed, Stalled, Killed],                               effects: &[] },
    Row { status: Completed,   next: &[Done, Failed],                                                           effects: &[Ends, LeavesQueue] },
    Row { status: Done,        next: &[Deleted],                                                                effects: &[Ends, LeavesQueue] },
    Row { status: Failed,      next: &[Rescheduled, Deleted],                                                   effects: &[Ends, LeavesQueue] },
    Row { status: Killed,      next: &[Deleted],                                                                effects: &[Ends, Kills, LeavesQueue] },
    Row { status: Deleted,     next: &[],                                                                       effects: &[Kills, LeavesQueue] },
];

/// The row of a status.
pub fn row(status: JobStatus) -> &'static Row {
    &MACHINE[status as usize]
}

/// Whether something goes with a status.
pub fn has(status: JobStatus, effect: Effect) -> bool {
    row(status).effects.contains(&effect)
}

/// Where a job may go from a status.
pub fn allowed(from: JobStatus) -> &'static [JobStatus] {
    row(from).next
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

    /// Whether something goes with the status; nothing does with one that we do not know.
    pub fn has(&self, effect: Effect) -> bool {
        matches!(self, Self::Known(status) if has(*status, effect))
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
    /// Whether the job leaves the task queue it stands in: it is not waiting any more.
    pub leaves_queue: bool,
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
        let mut at = if current.status.has(RunsOnNews) {
            StoredStatus::Known(Running)
        } else {
            current.status.clone()
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
    let is = |effect| change.status.as_ref().is_some_and(|status| status.has(effect));
    let kill = is(Kills);
    let moved_on = change.status.is_some() && current.status.has(Queued) && !is(Queued);
    let leaves_queue = is(LeavesQueue) || moved_on;
    Plan { change, records: updates, kill, leaves_queue }
}

/// Decides what comes of a status that somebody sets rather than reports: the job is there now, whatever the machine
/// says. The record is no older than the last one, or it would be one of the past.
pub fn take(current: &CurrentStatus, record: StatusRecord, now: DateTime<Utc>) -> Plan {
    let time = current.last_record.map_or(now, |last| last.max(now));
    plan(current, vec![StatusRecord { time, ..record }], true, now)
}

/// The first start and the first end that the updates tell of, by what they asked for and not by
/// what the machine made of it.
fn exec_times(current: &CurrentStatus, updates: &[StatusRecord], change: &mut StatusChange) {
    let mut said = None;
    for update in updates {
        said = update.status.or(said);
        let said_that = |effect| said.is_some_and(|status| has(status, effect));
        if said_that(Starts) && !current.has_started && change.start_exec_time.is_none() {
            change.start_exec_time = Some(update.time);
        } else if said_that(Ends) && !current.has_ended && change.end_exec_time.is_none() {
            change.end_exec_time = Some(update.time);
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
#[path = "transitions_tests.rs"]
mod tests;
