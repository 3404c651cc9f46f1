//! Sending jobs back to the beginning.

use std::collections::BTreeSet;

use diracx_proto::{Invalid, jobs::v1 as pb, status::of_item, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{job_ids, status};
use crate::{
    Deps,
    logic::reschedule::{Rescheduled, reschedule},
    policy,
};

pub(super) async fn reschedule_jobs(
    deps: &Deps,
    request: Request<pb::RescheduleJobsRequest>,
) -> Result<Response<pb::RescheduleJobsResponse>, Status> {
    let identity = identity(&request)?;
    let pb::RescheduleJobsRequest { job_ids: asked, reset_counters } = request.into_inner();
    let jobs = job_ids("job_ids", &asked).map_err(to_status)?;
    let mut seen = BTreeSet::new();
    if let Some((i, job)) = jobs.iter().enumerate().find(|(_, job)| !seen.insert(**job)) {
        return Err(to_status(Invalid::field(format!("job_ids[{i}]"), format!("{job} is there twice"))));
    }
    let permit = policy::manage(deps, &identity, jobs).await.map_err(to_status)?;
    let reset = reset_counters.then(|| policy::reset_counters(&identity)).transpose().map_err(to_status)?;
    let outcomes = reschedule(deps, permit, reset).await.map_err(to_status)?;

    let again = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    tracing::info!(job.count = again, "rescheduled {again} of {} jobs", outcomes.len());
    let outcome = |(job, outcome): (diracx_core::JobId, _)| pb::RescheduleOutcome {
        job_id: job.get(),
        result: Some(match outcome {
            Ok(rescheduled) => pb::reschedule_outcome::Result::Job(encode(rescheduled)),
            Err(error) => pb::reschedule_outcome::Result::Error(of_item(&to_status(error))),
        }),
    };
    Ok(Response::new(pb::RescheduleJobsResponse { outcomes: outcomes.into_iter().map(outcome).collect() }))
}

fn encode(job: Rescheduled) -> pb::RescheduledJob {
    pb::RescheduledJob {
        jdl: job.description.jdl,
        site: job.description.site,
        user_priority: job.description.user_priority,
        reschedule_time: Some(time::timestamp(job.at)),
        reschedule_counter: i32::try_from(job.counter).unwrap_or(i32::MAX),
        change: Some(status::encode(job.change)),
    }
}
