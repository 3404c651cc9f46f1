//! Sending jobs back to the beginning.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use diracx_core::{JobId, JobStatus, config::Config, jdl};

use super::{
    submission,
    transitions::{self, CurrentStatus, Plan, StatusChange, StatusRecord, StoredStatus},
};
use crate::{
    Deps,
    error::{Error, Result},
    policy::{ManageJobs, ResetCounters},
    store::{NewRun, Ownership, Rescheduling, RunDescription, StoredDescription},
};

/// The minor status of a job that is back at the beginning.
const RESCHEDULED: &str = "Job Rescheduled";
/// The minor status of a job that is not sent back any more.
const TOO_OFTEN: &str = "Maximum of reschedulings reached";

/// A job before it is rescheduled, locked.
#[derive(Debug, Clone)]
pub struct LastRun {
    /// Where it is.
    pub current: CurrentStatus,
    /// The column `MinorStatus`.
    pub minor_status: String,
    /// The column `VerifiedFlag`.
    pub verified: bool,
    /// How often it was rescheduled already.
    pub counter: i64,
}

/// A job that is back at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescheduled {
    /// What it will be executed with.
    pub description: RunDescription,
    /// When it was rescheduled.
    pub at: DateTime<Utc>,
    /// How often by now.
    pub counter: i64,
    /// Its status columns.
    pub change: StatusChange,
}

/// Why a job is not rescheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// DIRAC has not verified it.
    NotVerified(StoredStatus, String),
    /// It was rescheduled as often as its VO allows.
    TooOften(i64),
    /// Its description cannot be used any more.
    NotDescribed,
}

/// What becomes of a job that is to be rescheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes back to the beginning.
    Again {
        /// How often by now.
        counter: i64,
        /// From wherever it is.
        plan: Plan,
    },
    /// It stays, or ends.
    No(Refused, Option<Plan>),
}

/// Decides what becomes of a job: back to the beginning from wherever it is, or, if that was done as often as its VO
/// allows, Failed, unless it has ended already.
///
/// # Source
/// DIRAC `JobDB.rescheduleJob`; DiracX `logic/jobs/status.py`, `reschedule_jobs`, which obeys the status machine, so that
/// jobs that have ended stay where they are.
pub fn decide(job: &LastRun, limit: i64, described: bool, reset: bool, now: DateTime<Utc>) -> Decision {
    if !job.verified {
        let why = Refused::NotVerified(job.current.status.clone(), job.minor_status.clone());
        return Decision::No(why, None);
    }
    let counter = if reset { 0 } else { job.counter.saturating_add(1) };
    if counter > limit {
        let ended = matches!(job.current.status, StoredStatus::Known(status) if status.is_final());
        let plan = (!ended).then(|| take(job, JobStatus::Failed, TOO_OFTEN, now));
        return Decision::No(Refused::TooOften(limit), plan);
    }
    if !described {
        return Decision::No(Refused::NotDescribed, None);
    }
    Decision::Again { counter, plan: take(job, JobStatus::Received, RESCHEDULED, now) }
}

fn take(job: &LastRun, status: JobStatus, minor_status: &str, now: DateTime<Utc>) -> Plan {
    let record = StatusRecord {
        time: now,
        status: Some(status),
        minor_status: Some(minor_status.to_owned()),
        application_status: Some("Unknown".to_owned()),
        source: "Unknown".to_owned(),
    };
    transitions::take(&job.current, record, now)
}

/// Sends jobs back to the beginning; one outcome for each, in the order of the call.
pub async fn reschedule(
    deps: &Deps,
    permit: ManageJobs,
    reset: Option<ResetCounters>,
) -> Result<Vec<(JobId, Result<Rescheduled>)>> {
    let jobs = permit.into_jobs();
    let kept = deps.store.descriptions(crate::deadline(), jobs.clone()).await?;
    let config = deps.config.current()?;
    let mut runs = Vec::with_capacity(kept.len());
    let mut problems: BTreeMap<JobId, Error> = BTreeMap::new();
    let mut contexts = Contexts { config: &config, known: BTreeMap::new() };
    for (done, (job, kept)) in kept.iter().enumerate() {
        // Others have their turn now and then: descriptions may be long.
        if done % 64 == 63 {
            tokio::task::yield_now().await;
        }
        match contexts.run(*job, kept) {
            Ok((run, problem)) => {
                problems.extend(problem.map(|problem| (*job, problem)));
                runs.push(run);
            }
            Err(problem) => drop(problems.insert(*job, problem)),
        }
    }
    let rescheduling = Rescheduling { runs, reset: reset.is_some(), at: deps.clock.now() };
    let mut outcomes = deps.store.reschedule(crate::deadline(), rescheduling, Arc::clone(&config)).await?;
    let mut outcome = |job: JobId| match outcomes.remove(&job) {
        Some(Ok(rescheduled)) => Ok(rescheduled),
        Some(Err(Refused::NotVerified(status, minor_status))) => {
            Err(Error::NotVerified { job, status: status.to_string(), minor_status })
        }
        Some(Err(Refused::TooOften(limit))) => Err(Error::RescheduledTooOften { job, limit }),
        Some(Err(Refused::NotDescribed)) | None => {
            Err(problems.remove(&job).unwrap_or(Error::JobNotFound(job)))
        }
    };
    Ok(jobs.into_iter().map(|job| (job, outcome(job))).collect())
}

/// What the configuration says of the jobs of somebody, read once for all of them.
struct Contexts<'c> {
    config: &'c Config,
    known: BTreeMap<Ownership, jdl::SubmissionContext>,
}

impl Contexts<'_> {
    /// What a job's next run would be, and what is wrong with its description if that cannot be said.
    fn run(&mut self, job: JobId, kept: &StoredDescription) -> Result<(NewRun, Option<Error>)> {
        let whose = &kept.ownership;
        let operations = self.config.operations(&whose.vo);
        let operations = operations.ok_or_else(|| Error::UnknownVo(whose.vo.clone()))?;
        if !self.known.contains_key(whose) {
            let context = submission::context(self.config, whose, 1)?;
            self.known.insert(whose.clone(), context);
        }
        let renewed = jdl::renew(&kept.original_jdl, &self.known[whose])
            .and_then(|description| description.finish(job));
        let (description, problem) = match renewed {
            Ok(renewed) => {
                let description = RunDescription {
                    jdl: renewed.jdl,
                    site: renewed.attributes.site.unwrap_or_else(|| "ANY".to_owned()),
                    user_priority: renewed.attributes.user_priority,
                };
                (Some(description), None)
            }
            Err(problem) => (None, Some(Error::Jdl(problem))),
        };
        let limit = operations.services.job_scheduling.max_rescheduling;
        Ok((NewRun { job, limit, description }, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn job(status: JobStatus, counter: i64) -> LastRun {
        LastRun {
            current: CurrentStatus {
                status: StoredStatus::Known(status),
                has_started: true,
                has_ended: false,
                last_record: Some(at(10)),
            },
            minor_status: "m".into(),
            verified: true,
            counter,
        }
    }

    fn reached(decision: &Decision) -> Option<&StoredStatus> {
        match decision {
            Decision::Again { plan, .. } | Decision::No(_, Some(plan)) => plan.change.status.as_ref(),
            Decision::No(_, None) => None,
        }
    }

    #[test]
    fn a_job_goes_back_from_anywhere_even_when_its_last_record_is_ahead() {
        for status in JobStatus::ALL {
            for now in [at(20), at(5)] {
                let decision = decide(&job(*status, 0), 3, true, false, now);
                assert!(matches!(decision, Decision::Again { counter: 1, .. }));
                assert_eq!(reached(&decision), Some(&StoredStatus::Known(JobStatus::Received)), "{status}");
            }
        }
    }

    #[test]
    fn a_job_that_was_sent_back_too_often_fails_unless_it_has_ended() {
        for status in JobStatus::ALL {
            let decision = decide(&job(*status, 3), 3, true, false, at(20));
            assert!(matches!(decision, Decision::No(Refused::TooOften(3), _)));
            let expected = (!status.is_final()).then_some(StoredStatus::Known(JobStatus::Failed));
            assert_eq!(reached(&decision), expected.as_ref(), "{status}");
        }
        assert!(matches!(
            decide(&job(JobStatus::Failed, 3), 3, true, true, at(20)),
            Decision::Again { counter: 0, .. }
        ));
    }

    #[test]
    fn what_cannot_run_again_stays_as_it_is() {
        let unverified = LastRun { verified: false, ..job(JobStatus::Running, 9) };
        assert!(matches!(
            decide(&unverified, 3, true, false, at(20)),
            Decision::No(Refused::NotVerified(..), None)
        ));
        let undescribed = decide(&job(JobStatus::Running, 0), 3, false, false, at(20));
        assert_eq!(undescribed, Decision::No(Refused::NotDescribed, None));
    }
}
