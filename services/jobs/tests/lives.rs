//! Whole lives of a job: all that its owner, its pilots and an administrator can do to it in a few steps, in any order.
//!
//! What is decided is decided by `logic/`; around it is the smallest model of what the store does with a decision.
//! The shortest life that breaks a rule is printed.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::{
    JobId,
    JobStatus::{
        self, Checking, Deleted, Done, Failed, Killed, Received, Rescheduled, Running, Scouting, Staging,
        Submitting, Waiting,
    },
};
use diracx_jobs::logic::{
    commands::{self, CommandKey, KILL, StoredCommand},
    heartbeat,
    reschedule::{Decision, LastRun, decide},
    transitions::{self, CurrentStatus, Plan, StatusRecord, StoredStatus},
};

/// How often the VO lets jobs be rescheduled.
const LIMIT: i64 = 1;

#[derive(Debug, Clone)]
enum Step {
    /// A second passes.
    Tick,
    /// Somebody reports statuses, each this many seconds from now.
    Report(Vec<(i64, JobStatus)>, bool),
    /// A pilot says that the job is alive; the answer arrives or not.
    Beat { acknowledges: bool, arrives: bool },
    /// A pilot acknowledges the command of this index, which it got at some time.
    Acknowledge(usize),
    /// The job is sent back to the beginning.
    Reschedule { reset: bool },
    /// DIRAC puts the job into a task queue, before or after it says that the job waits.
    Queue,
}

/// Where DIRAC may be about to put a job into a task queue.
const BEFORE_MATCHING: [JobStatus; 6] = [Submitting, Received, Checking, Scouting, Staging, Waiting];

/// A Kill, as it is kept and as it really is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kill {
    at: DateTime<Utc>,
    waits: bool,
    /// Which run it meant.
    run: usize,
    /// Whether a pilot has got it.
    seen: bool,
    /// Whether it was acknowledged, or given to somebody who cannot.
    settled: bool,
}

/// A job: its rows, and which run it really is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    now: DateTime<Utc>,
    status: JobStatus,
    has_started: bool,
    has_ended: bool,
    counter: i64,
    /// The time of each status's newest record.
    newest: BTreeMap<Option<&'static str>, DateTime<Utc>>,
    kills: Vec<Kill>,
    run: usize,
    /// Whether it stands in a task queue.
    queued: bool,
}

impl Job {
    fn new(status: JobStatus) -> Self {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("an instant");
        Self {
            now,
            status,
            has_started: false,
            has_ended: false,
            counter: 0,
            newest: [(Some(status.as_str()), now)].into(),
            kills: Vec::new(),
            run: 0,
            queued: false,
        }
    }

    fn current(&self) -> CurrentStatus {
        CurrentStatus {
            status: StoredStatus::Known(self.status),
            has_started: self.has_started,
            has_ended: self.has_ended,
            last_record: self.newest.values().max().copied(),
        }
    }

    fn commands(&self) -> Vec<StoredCommand> {
        let command = |kill: &Kill| StoredCommand {
            key: CommandKey { job: JobId(1), reception_time: kill.at, arguments: String::new() },
            name: KILL.to_owned(),
            waits: kill.waits,
        };
        self.kills.iter().map(command).collect()
    }

    /// All that can happen next, besides what may be reported.
    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Tick, Step::Reschedule { reset: false }, Step::Reschedule { reset: true }];
        for (acknowledges, arrives) in [(true, true), (true, false), (false, true)] {
            steps.push(Step::Beat { acknowledges, arrives });
        }
        if !self.queued && BEFORE_MATCHING.contains(&self.status) {
            steps.push(Step::Queue);
        }
        steps.extend((0..self.kills.len()).filter(|kill| self.kills[*kill].seen).map(Step::Acknowledge));
        steps
    }

    /// What comes of a step, or the rule that it breaks.
    fn after(&self, step: &Step) -> Result<Self, String> {
        let mut job = self.clone();
        match step {
            Step::Tick => job.now += TimeDelta::seconds(1),
            Step::Report(statuses, force) => {
                let record = |(offset, status): &(i64, JobStatus)| StatusRecord {
                    time: self.now + TimeDelta::seconds(*offset),
                    status: Some(*status),
                    minor_status: None,
                    application_status: None,
                    source: "Test".to_owned(),
                };
                let records: Vec<_> = statuses.iter().map(record).collect();
                job.report(records, *force)?;
                let back = self.status == Failed && statuses.iter().any(|(_, status)| *status == Rescheduled);
                rule(
                    *force || back || !self.status.is_final() || job.status.is_final(),
                    "the end is the end",
                )?;
                rule(
                    *force || self.status != Deleted || job.status == Deleted,
                    "a deleted job stays deleted",
                )?;
            }
            Step::Beat { acknowledges, arrives } => {
                if let Some(record) = heartbeat::report(&StoredStatus::Known(self.status), self.now) {
                    job.report(vec![record], false)?;
                }
                rule(
                    !self.status.is_final() || job.status == self.status,
                    "a heartbeat wakes no job that ended",
                )?;
                for command in commands::deliver(job.commands(), *acknowledges) {
                    let given = job.kills.iter_mut().find(|kill| kill.at == command.key.reception_time);
                    let given = given.ok_or("a command that nobody gave")?;
                    rule(given.run == job.run, "no Kill reaches a run that it did not mean")?;
                    given.seen |= arrives;
                    if !acknowledges {
                        (given.waits, given.settled) = (false, true);
                    }
                }
            }
            Step::Acknowledge(which) => {
                let name = self.commands()[*which].key.id();
                let key = CommandKey::read(JobId(1), &name).ok_or("a name that leads nowhere")?;
                job.kills[*which].settled = true;
                for kill in job.kills.iter_mut().filter(|kill| kill.at == key.reception_time) {
                    kill.waits = false;
                }
            }
            Step::Reschedule { reset } => job.reschedule(*reset)?,
            Step::Queue => job.queued = true,
        }
        job.keeps_the_rules(self)?;
        Ok(job)
    }

    fn report(&mut self, records: Vec<StatusRecord>, force: bool) -> Result<(), String> {
        let mut told: Vec<_> = records.iter().map(|record| record.time).collect();
        told.sort();
        let plan = transitions::plan(&self.current(), records, force, self.now);
        let kept: Vec<_> = plan.records.iter().map(|record| record.time).collect();
        rule(kept == told, "every report is recorded once")?;
        self.take(&plan)
    }

    /// Does what was decided, as the store does.
    fn take(&mut self, plan: &Plan) -> Result<(), String> {
        match plan.change.status {
            Some(StoredStatus::Known(status)) => self.status = status,
            Some(StoredStatus::Foreign(_)) => return Err("a job has a status of the table".to_owned()),
            None => {}
        }
        let (starts, ends) = (plan.change.start_exec_time.is_some(), plan.change.end_exec_time.is_some());
        rule(!(starts && self.has_started || ends && self.has_ended), "it starts once and ends once")?;
        self.has_started |= starts;
        self.has_ended |= ends;
        self.queued &= !plan.leaves_queue;
        for record in &plan.records {
            self.newest.insert(record.status.map(JobStatus::as_str), record.time);
        }
        if plan.kill {
            if let Some(at) = commands::date_of_kill(&self.commands(), self.now) {
                self.kills.push(Kill { at, waits: true, run: self.run, seen: false, settled: false });
            }
            rule(
                self.kills.iter().any(|kill| kill.waits && kill.run == self.run),
                "its pilot is told to stop",
            )?;
        }
        Ok(())
    }

    fn reschedule(&mut self, reset: bool) -> Result<(), String> {
        let last = LastRun {
            current: self.current(),
            minor_status: String::new(),
            verified: true,
            counter: self.counter,
        };
        let before = self.status;
        match decide(&last, LIMIT, true, reset, self.now) {
            Decision::Again { counter, plan } => {
                (self.counter, self.run) = (counter, self.run + 1);
                self.kills.iter_mut().for_each(|kill| kill.waits = false);
                self.take(&plan)?;
                rule(self.status == Received && !self.queued, "it begins again, before any queue")
            }
            Decision::No(_, plan) => {
                plan.map_or(Ok(()), |plan| self.take(&plan))?;
                let expected = if before.is_final() { before } else { Failed };
                rule(self.status == expected, "it ends once it was rescheduled too often")
            }
        }
    }

    /// What holds whatever happened.
    fn keeps_the_rules(&self, before: &Self) -> Result<(), String> {
        let open = |kill: &Kill| kill.run == self.run && !kill.settled;
        rule(
            self.kills.iter().all(|kill| kill.waits == open(kill)),
            "a Kill waits until it has arrived or its run is over",
        )?;
        let waiting = self.kills.iter().filter(|kill| kill.waits).count();
        let given = [true, false].map(|acknowledges| commands::deliver(self.commands(), acknowledges).len());
        rule(given == [waiting, waiting], "whoever asks gets every Kill that waits")?;
        let dates: HashSet<_> = self.kills.iter().map(|kill| kill.at).collect();
        rule(dates.len() == self.kills.len(), "no two commands have one name")?;
        let stops = |status| matches!(status, Killed | Deleted);
        rule(!stops(self.status) || stops(before.status) || waiting > 0, "who stops a job tells its pilot")?;
        rule(!(self.queued && self.status.is_final()), "who has ended waits in no queue")?;
        let moved = before.status == Waiting && self.status != Waiting;
        rule(!(self.queued && moved), "who waits no more leaves the queue")?;
        let newer = self.newest.len() >= before.newest.len();
        rule(
            newer && (0..=LIMIT).contains(&self.counter),
            "records stay, and the counter is within the limit",
        )
    }
}

fn rule(holds: bool, says: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(says.to_owned()) }
}

/// Tries all lives of so many steps, the shortest first; returns how many states of a job were seen.
fn live(from: JobStatus, reports: &[Step], most: usize) -> usize {
    let mut lives: Vec<(Job, Option<(usize, Step)>)> = vec![(Job::new(from), None)];
    let mut seen: HashSet<Job> = [Job::new(from)].into();
    let mut queue: VecDeque<(usize, usize)> = [(0, 0)].into();
    while let Some((index, depth)) = queue.pop_front() {
        let job = lives[index].0.clone();
        for step in job.steps().iter().chain(reports) {
            match job.after(step) {
                Ok(next) if depth + 1 < most && !seen.contains(&next) => {
                    seen.insert(next.clone());
                    queue.push_back((lives.len(), depth + 1));
                    lives.push((next, Some((index, step.clone()))));
                }
                Ok(_) => {}
                Err(broken) => {
                    let path = std::iter::successors(Some(index), |index| Some(lives[*index].1.as_ref()?.0));
                    let steps = path.filter_map(|index| lives[index].1.as_ref());
                    let mut life: Vec<String> = steps.map(|(_, step)| format!("{step:?}")).collect();
                    life.reverse();
                    life.push(format!("{step:?}"));
                    panic!("{broken}, but not in this life of a {from} job: {}", life.join(", "));
                }
            }
        }
    }
    seen.len()
}

#[test]
fn no_life_of_a_few_steps_breaks_the_rules_wherever_it_begins() {
    let at = |status| [-1, 0, 1].map(|offset| Step::Report(vec![(offset, status)], false));
    let mut reports: Vec<Step> = JobStatus::ALL.iter().copied().flat_map(at).collect();
    reports.push(Step::Report(vec![(0, Done), (-1, Running)], false));
    reports.push(Step::Report(vec![(0, Killed), (-1, Failed), (1, Running)], false));
    reports.extend([Running, Killed].map(|status| Step::Report(vec![(0, status)], true)));
    let states: usize = JobStatus::ALL.iter().map(|status| live(*status, &reports, 3)).sum();
    assert!(states > 5_000, "only {states} states were seen");
}

#[test]
fn no_long_life_of_kills_and_new_runs_breaks_the_rules() {
    let report = |status, force| Step::Report(vec![(0, status)], force);
    let reports = [report(Killed, false), report(Running, true)];
    let states = live(Running, &reports, 8);
    assert!(states > 5_000, "only {states} states were seen");
}
