//! What the jobs service is asked about the jobs of pilots. It is called as the component that this is, and calls back
//! for none of this.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diracx_core::{
    JobId, JobStatus,
    search::{Cell, Filter, Page, ScalarOperator, Search, SearchValue, VectorOperator},
};
use diracx_proto::{
    jobs::v1::{JobStatusUpdates, SearchJobsRequest, SetJobStatusesRequest, StatusRecord},
    time::timestamp,
};

use crate::{
    Deps,
    error::{Error, Result},
};

/// How many jobs one call names: rows of a page at the most.
const JOBS: usize = 10_000;
/// The statuses of jobs that a pilot has.
const WITH_PILOT: [JobStatus; 5] =
    [JobStatus::Matched, JobStatus::Running, JobStatus::Stalled, JobStatus::Completing, JobStatus::Completed];

/// Who says so in the records of jobs.
const SOURCE: &str = "PilotManager";
/// What they say, as for every job that somebody stops.
const MINOR_STATUS: &str = "Marked for termination";

/// Kills those of the jobs that are still with a pilot and belong to its VO.
pub async fn kill(deps: &Deps, jobs: &BTreeMap<JobId, String>) -> Result<()> {
    let ids: Vec<JobId> = jobs.keys().copied().collect();
    let with_pilot = Filter::Vector {
        parameter: "Status".to_owned(),
        operator: VectorOperator::In,
        values: WITH_PILOT.map(|status| SearchValue::Text(status.to_string())).to_vec(),
    };
    let found = search(deps, &ids, with_pilot, "VO").await?;
    let own: Vec<JobId> = found
        .into_iter()
        .filter(|(job, vo)| matches!(vo, Cell::Text(vo) if jobs.get(job) == Some(vo)))
        .map(|(job, _)| job)
        .collect();
    let now = timestamp(deps.clock.now());
    for jobs in own.chunks(JOBS) {
        let record = StatusRecord {
            time: Some(now),
            status: Some(diracx_proto::jobs::v1::JobStatus::from(JobStatus::Killed).into()),
            minor_status: Some(MINOR_STATUS.to_owned()),
            application_status: None,
            source: SOURCE.to_owned(),
        };
        let update = |job: &JobId| JobStatusUpdates { job_id: job.get(), records: vec![record.clone()] };
        let request = SetJobStatusesRequest { updates: jobs.iter().map(update).collect(), force: false };
        // A job that is gone by now needs no killing.
        diracx_client::jobs(deps.jobs.clone()).set_job_statuses(request).await.map_err(away)?;
    }
    tracing::info!(job.count = own.len(), "killed {} jobs of pilots that are stopped", own.len());
    Ok(())
}

/// When those of the jobs were last heard of that were heard of since `moment`.
pub async fn heard_of_since(
    deps: &Deps,
    jobs: &[JobId],
    moment: DateTime<Utc>,
) -> Result<BTreeMap<JobId, DateTime<Utc>>> {
    let mut heard: BTreeMap<JobId, DateTime<Utc>> = BTreeMap::new();
    for column in ["LastUpdateTime", "HeartBeatTime"] {
        let since = Filter::Scalar {
            parameter: column.to_owned(),
            operator: ScalarOperator::Gt,
            value: SearchValue::Text(moment.format("%Y-%m-%dT%H:%M:%S").to_string()),
        };
        for (job, time) in search(deps, jobs, since, column).await? {
            if let Cell::Time(time) = time {
                let at = heard.entry(job).or_insert(moment);
                *at = time.and_utc().max(*at);
            }
        }
    }
    Ok(heard)
}

/// Those of the jobs that fit a filter, each with a column.
async fn search(deps: &Deps, jobs: &[JobId], filter: Filter, column: &str) -> Result<Vec<(JobId, Cell)>> {
    let mut found = Vec::new();
    for jobs in jobs.chunks(JOBS) {
        let among = Filter::Vector {
            parameter: "JobID".to_owned(),
            operator: VectorOperator::In,
            values: jobs.iter().map(|job| SearchValue::Int(job.get())).collect(),
        };
        let request = SearchJobsRequest::from(Search {
            parameters: vec!["JobID".to_owned(), column.to_owned()],
            filters: vec![among, filter.clone()],
            page: Some(Page { skip: 0, limit: JOBS as u64 }),
            ..Search::default()
        });
        let answer = diracx_client::jobs(deps.jobs.clone()).search_jobs(request).await.map_err(away)?;
        let table = answer.into_inner().table.unwrap_or_default().into_domain(None)?;
        found.extend(table.rows.into_iter().filter_map(|row| match <[Cell; 2]>::try_from(row) {
            Ok([Cell::Int(job), cell]) => Some((JobId(job), cell)),
            _ => None,
        }));
    }
    Ok(found)
}

fn away(status: tonic::Status) -> Error {
    Error::Jobs(Box::new(status))
}
