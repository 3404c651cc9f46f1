//! The jobs of pilots, and the pilots of jobs.

use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_proto::{Invalid, pilots::v1 as pb, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{bounded, job_ids};
use crate::{
    Deps,
    logic::links::{self, Runner},
    policy,
};

pub(super) async fn assign_jobs_to_pilot(
    deps: &Deps,
    request: Request<pb::AssignJobsToPilotRequest>,
) -> Result<Response<pb::AssignJobsToPilotResponse>, Status> {
    let permit = policy::manage(&*identity(&request)?).map_err(to_status)?;
    let request = request.into_inner();
    let jobs = job_ids(&request.job_ids).map_err(to_status)?;
    let numbers = 1..=i64::from(u32::MAX);
    if let Some(i) = jobs.iter().position(|job| !numbers.contains(&job.get())) {
        return Err(to_status(Invalid::field(format!("job_ids[{i}]"), "is not the number of a job")));
    }
    let start = request.start_time.as_ref().map(|time| time::datetime("start_time", time));
    let start: Option<DateTime<Utc>> = start.transpose().map_err(to_status)?;
    let pilot = PilotStamp::said(request.pilot_stamp);
    links::assign(deps, permit, pilot, jobs, start).await.map_err(to_status)?;
    Ok(Response::new(pb::AssignJobsToPilotResponse {}))
}

pub(super) async fn get_pilot_jobs(
    deps: &Deps,
    request: Request<pb::GetPilotJobsRequest>,
) -> Result<Response<pb::GetPilotJobsResponse>, Status> {
    let scope = policy::query(&*identity(&request)?).map_err(to_status)?;
    let stamps = request.into_inner().pilot_stamps;
    bounded("pilot_stamps", stamps.len()).map_err(to_status)?;
    let stamps = stamps.into_iter().map(PilotStamp::said).collect();
    let found = links::jobs_of(deps, &scope, stamps).await.map_err(to_status)?;
    let pilots = found
        .into_iter()
        .map(|(stamp, jobs)| pb::PilotJobs {
            pilot_stamp: stamp.to_string(),
            jobs: jobs
                .into_iter()
                .map(|link| pb::PilotJob {
                    job_id: link.job.get(),
                    start_time: link.start.map(time::timestamp),
                })
                .collect(),
        })
        .collect();
    Ok(Response::new(pb::GetPilotJobsResponse { pilots }))
}

pub(super) async fn get_job_pilots(
    deps: &Deps,
    request: Request<pb::GetJobPilotsRequest>,
) -> Result<Response<pb::GetJobPilotsResponse>, Status> {
    let scope = policy::query(&*identity(&request)?).map_err(to_status)?;
    let jobs = job_ids(&request.into_inner().job_ids).map_err(to_status)?;
    let found = links::pilots_of(deps, &scope, jobs).await.map_err(to_status)?;
    let jobs = found
        .into_iter()
        .map(|(job, pilots)| pb::JobPilots {
            job_id: job.get(),
            pilots: pilots
                .into_iter()
                .map(|Runner { link, pilot, barred }| pb::JobPilot {
                    pilot_stamp: pilot.stamp.to_string(),
                    ended: pilot.status.is_final(),
                    vo: pilot.vo,
                    start_time: link.start.map(time::timestamp),
                    barred_time: barred.map(time::timestamp),
                })
                .collect(),
        })
        .collect();
    Ok(Response::new(pb::GetJobPilotsResponse { jobs }))
}
