//! What the pilots service is asked: which jobs pilots ran. It is called as the component that this is, and calls back
//! for none of this.

use diracx_core::{
    JobId, PilotStamp,
    search::{Filter, Search, SearchValue, VectorOperator},
};
use diracx_db::search::{MOST_VALUES, take_pseudo};
use diracx_proto::pilots::v1::GetPilotJobsRequest;

use crate::{
    Deps,
    error::{Error, Result},
};

/// Besides the columns: the jobs that these pilots ran.
const PILOT_STAMP: &str = "PilotStamp";
const JOB_ID: &str = "JobID";

/// How many pilots one call names at the most.
const PILOTS: usize = 10_000;

/// Replaces what is no column by the jobs that it stands for. Whose they are does not matter here: the search is
/// restricted afterwards.
pub async fn resolve(deps: &Deps, mut search: Search) -> Result<Search> {
    let Some(values) = take_pseudo(&mut search.filters, PILOT_STAMP, JOB_ID)? else { return Ok(search) };
    let stamps = values.into_iter().map(|value| match value {
        SearchValue::Text(text) => text,
        SearchValue::Int(number) => number.to_string(),
    });
    // A text that cannot be a stamp is nobody's.
    let stamps: Vec<String> = stamps.filter(|text| text.parse::<PilotStamp>().is_ok()).collect();
    let jobs = jobs_of(deps, &stamps).await?;
    if jobs.len() > MOST_VALUES {
        return Err(Error::TooManyPilotJobs { count: jobs.len() });
    }
    search.filters.push(Filter::Vector {
        parameter: JOB_ID.to_owned(),
        operator: VectorOperator::In,
        values: jobs.into_iter().map(|job| SearchValue::Int(job.get())).collect(),
    });
    Ok(search)
}

/// The jobs that pilots ran, each once.
async fn jobs_of(deps: &Deps, stamps: &[String]) -> Result<Vec<JobId>> {
    let channel = deps.pilots.as_ref().ok_or(Error::NoPilots)?;
    let mut pilots = diracx_client::pilots(channel.clone());
    let mut jobs = Vec::new();
    for stamps in stamps.chunks(PILOTS) {
        let request = GetPilotJobsRequest { pilot_stamps: stamps.to_vec() };
        let answer =
            pilots.get_pilot_jobs(request).await.map_err(|status| Error::Pilots(Box::new(status)))?;
        let found = answer.into_inner().pilots;
        jobs.extend(found.iter().flat_map(|pilot| &pilot.jobs).map(|job| JobId(job.job_id)));
    }
    jobs.sort_unstable();
    jobs.dedup();
    Ok(jobs)
}
