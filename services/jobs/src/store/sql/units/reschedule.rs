//! Jobs begin again.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, changes, job_command, next_run};
use crate::{
    error::Result,
    logic::{
        reschedule::{Decision, LastRun, Refused, Rescheduled, decide},
        transitions::Plan,
    },
    store::{
        reschedule::{NewRun, RescheduleStore, Rescheduling},
        schema::JOB_DB,
    },
};

type Outcomes = BTreeMap<JobId, Result<Rescheduled, Refused>>;

#[async_trait]
impl RescheduleStore for Store {
    async fn reschedule(
        &self,
        deadline: Deadline,
        rescheduling: Rescheduling,
        config: Arc<Config>,
    ) -> Result<Outcomes> {
        let rescheduling = Arc::new((rescheduling, config));
        self.databases
            .write(deadline, move |tx| {
                let rescheduling = Arc::clone(&rescheduling);
                async move { reschedule(tx, &rescheduling.0, &rescheduling.1).await }.boxed()
            })
            .await
    }
}

async fn reschedule(tx: &mut Tx, rescheduling: &Rescheduling, config: &Config) -> Result<Outcomes> {
    let Rescheduling { runs, reset, at } = rescheduling;
    let asked: Vec<JobId> = runs.iter().map(|run| run.job).collect();
    let found = changes::find(tx, &asked).await?;
    let mut plans: Vec<(JobId, Plan)> = Vec::new();
    let mut outcomes = Outcomes::new();
    for NewRun { job, limit, description } in runs {
        let (Some(row), Some(current)) = (found.jobs.get(job), found.current(*job)) else { continue };
        let last = LastRun {
            current,
            minor_status: row.minor_status.clone(),
            verified: row.verified,
            counter: row.reschedule_counter,
        };
        let (outcome, plan) = match (decide(&last, *limit, description.is_some(), *reset, *at), description) {
            (Decision::Again { counter, plan }, Some(description)) => {
                let change = plan.change.clone();
                (Ok(Rescheduled { description: description.clone(), at: *at, counter, change }), Some(plan))
            }
            (Decision::Again { .. }, None) => (Err(Refused::NotDescribed), None),
            (Decision::No(why, plan), _) => (Err(why), plan),
        };
        outcomes.insert(*job, outcome);
        plans.extend(plan.map(|plan| (*job, plan)));
    }
    let again: Vec<(JobId, &Rescheduled)> =
        outcomes.iter().filter_map(|(job, outcome)| Some((*job, outcome.as_ref().ok()?))).collect();
    let ids: Vec<JobId> = again.iter().map(|(job, _)| *job).collect();
    let conn = tx.on(JOB_DB).await?;
    next_run::begin(conn, &again).await?;
    job_command::drop_waiting(conn, &ids).await?;
    changes::write(tx, &found.changed(plans), config, *at).await?;
    Ok(outcomes)
}
