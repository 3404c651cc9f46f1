//! What callers ask of single jobs at the same time, done together: each pilot reports of its own job, and all
//! of them report at once. Compiled once per backend.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::{DbError, Deadline, Together};
use futures::FutureExt;

use super::{
    job,
    units::{heartbeat::hear, status::update},
    watched::Watched,
};
use crate::{
    error::{Error, Result},
    logic::transitions::{StatusChange, StatusUpdates},
    store::{Heard, Heartbeats, Ownership, schema::JOB_DB},
};

/// Who asks for more jobs goes alone: others should not wait for that.
const FEW_JOBS: usize = 100;

/// A call that updates statuses.
pub(super) struct StatusCall {
    pub(super) updates: StatusUpdates,
    pub(super) config: Arc<Config>,
    pub(super) now: DateTime<Utc>,
}

/// A call with heartbeats.
pub(super) struct HeartbeatCall {
    pub(super) heartbeats: Heartbeats,
    pub(super) config: Arc<Config>,
}

type Statuses = BTreeMap<JobId, StatusChange>;
type Ownerships = BTreeMap<JobId, Ownership>;

/// What is done together.
pub(super) struct Joint {
    databases: Watched,
    ownerships: Together<Arc<[JobId]>, Ownerships, Error>,
    statuses: Together<Arc<StatusCall>, Statuses, Error>,
    heartbeats: Together<Arc<HeartbeatCall>, Heard, Error>,
}

impl Joint {
    pub(super) fn new(databases: &Watched) -> Self {
        let [first, second, third] = [(); 3].map(|()| databases.clone());
        Self {
            databases: databases.clone(),
            ownerships: Together::new(move |calls, deadline| {
                let databases = first.clone();
                async move { ownerships(&databases, deadline, calls).await }.boxed()
            }),
            statuses: Together::new(move |calls, deadline| {
                let databases = second.clone();
                async move { set_statuses(&databases, deadline, calls).await }.boxed()
            }),
            heartbeats: Together::new(move |calls, deadline| {
                let databases = third.clone();
                async move { hear_all(&databases, deadline, calls).await }.boxed()
            }),
        }
    }

    pub(super) async fn ownerships(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Ownerships> {
        if jobs.len() <= FEW_JOBS {
            return self.ownerships.call(deadline, jobs.into()).await;
        }
        only(ownerships(&self.databases, deadline, vec![jobs.into()]).await?)
    }

    pub(super) async fn set_statuses(&self, deadline: Deadline, call: StatusCall) -> Result<Statuses> {
        let call = Arc::new(call);
        if call.updates.jobs.len() <= FEW_JOBS {
            return self.statuses.call(deadline, call).await;
        }
        only(set_statuses(&self.databases, deadline, vec![call]).await?)
    }

    pub(super) async fn hear(&self, deadline: Deadline, call: HeartbeatCall) -> Result<Heard> {
        let call = Arc::new(call);
        if call.heartbeats.beats.len() <= FEW_JOBS {
            return self.heartbeats.call(deadline, call).await;
        }
        only(hear_all(&self.databases, deadline, vec![call]).await?)
    }
}

/// The answer to a call that goes alone.
fn only<A>(mut answers: Vec<A>) -> Result<A> {
    Ok(answers.pop().ok_or(DbError::Panicked)?)
}

/// Calls can be done together if no job is in two of them: what one changes, the other would have to see.
fn apart(jobs: impl IntoIterator<Item = JobId>) -> Result<()> {
    let mut seen = BTreeSet::new();
    match jobs.into_iter().find(|job| !seen.insert(*job)) {
        None => Ok(()),
        Some(job) => Err(DbError::Refused(format!("two calls about job {job}")).into()),
    }
}

async fn ownerships(
    databases: &Watched,
    deadline: Deadline,
    calls: Vec<Arc<[JobId]>>,
) -> Result<Vec<Ownerships>> {
    let jobs: BTreeSet<JobId> = calls.iter().flat_map(|jobs| jobs.iter().copied()).collect();
    let jobs: Arc<[JobId]> = jobs.into_iter().collect();
    let unit = databases.read(deadline, move |tx| {
        let jobs = Arc::clone(&jobs);
        async move { job::ownerships(tx.on(JOB_DB).await?, &jobs).await }.boxed()
    });
    let found = unit.await?;
    let of = |jobs: &[JobId]| jobs.iter().filter_map(|job| Some((*job, found.get(job)?.clone()))).collect();
    Ok(calls.iter().map(|jobs| of(jobs)).collect())
}

async fn set_statuses(
    databases: &Watched,
    deadline: Deadline,
    calls: Vec<Arc<StatusCall>>,
) -> Result<Vec<Statuses>> {
    apart(calls.iter().flat_map(|call| call.updates.jobs.iter().map(|(job, _)| *job)))?;
    let calls = Arc::new(calls);
    let asked = Arc::clone(&calls);
    let unit = databases.write(deadline, move |tx| {
        let calls = Arc::clone(&asked);
        async move { update(tx, &calls).await }.boxed()
    });
    let mut changes: Statuses = unit.await?;
    let mut of = |call: &StatusCall| {
        let jobs = call.updates.jobs.iter().map(|(job, _)| *job);
        jobs.filter_map(|job| changes.remove_entry(&job)).collect()
    };
    Ok(calls.iter().map(|call| of(call)).collect())
}

async fn hear_all(
    databases: &Watched,
    deadline: Deadline,
    calls: Vec<Arc<HeartbeatCall>>,
) -> Result<Vec<Heard>> {
    apart(calls.iter().flat_map(|call| call.heartbeats.beats.iter().map(|beat| beat.job)))?;
    let calls = Arc::new(calls);
    let asked = Arc::clone(&calls);
    let unit = databases.write(deadline, move |tx| {
        let calls = Arc::clone(&asked);
        async move { hear(tx, &calls).await }.boxed()
    });
    let heard: Heard = unit.await?;
    let of = |call: &HeartbeatCall| {
        let jobs: BTreeSet<JobId> = call.heartbeats.beats.iter().map(|beat| beat.job).collect();
        Heard {
            commands: heard
                .commands
                .iter()
                .filter(|given| jobs.contains(&given.command.key.job))
                .cloned()
                .collect(),
            jobs: jobs.into_iter().filter(|job| heard.jobs.contains(job)).collect(),
        }
    };
    Ok(calls.iter().map(|call| of(call)).collect())
}
