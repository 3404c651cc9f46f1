//! Which pilot runs a job, as the pilots service knows it.
//!
//! It is asked every time: a job may change hands at any moment, and an answer from a cache would let the pilot that
//! lost it go on. Of several pilots the newest counts, since a job that was rescheduled is no more the first one's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use diracx_client::AnyChannel;
use diracx_core::{Explain, Explanation, JobId, Reason};
use diracx_proto::pilots::v1::{GetJobPilotsRequest, JobPilots, pilots_service_client::PilotsServiceClient};
use diracx_server::Deadline;
use tonic::{Request, Status};

/// How many jobs one call names.
const MOST: usize = 10_000;
/// How long an answer may take when the call at hand has no deadline of its own.
const PATIENCE: Duration = Duration::from_secs(10);
/// When to try again.
const RETRY: Duration = Duration::from_secs(2);

/// The pilots service gives no answer.
#[derive(Debug, thiserror::Error)]
#[error("the pilots service cannot say who runs the job, try again later")]
pub struct Unanswered(#[source] Status);

impl Explain for Unanswered {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ServiceUnavailable).retry_after(RETRY)
    }
}

/// A pilot that runs a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its stamp.
    pub stamp: String,
    /// Its VO.
    pub vo: String,
}

/// Who knows which pilots run jobs.
#[async_trait]
pub trait Runners: Send + Sync {
    /// The pilot that runs each of these jobs; jobs that no pilot ever had are absent.
    async fn of(&self, jobs: &BTreeSet<JobId>) -> Result<BTreeMap<JobId, Runner>, Unanswered>;
}

/// An installation without pilots of its own: no pilot runs any job.
#[derive(Debug, Clone, Copy)]
pub struct NoRunners;

#[async_trait]
impl Runners for NoRunners {
    async fn of(&self, _: &BTreeSet<JobId>) -> Result<BTreeMap<JobId, Runner>, Unanswered> {
        Ok(BTreeMap::new())
    }
}

/// The pilots service, over a channel whose calls carry the token of this component.
#[async_trait]
impl Runners for PilotsServiceClient<AnyChannel> {
    async fn of(&self, jobs: &BTreeSet<JobId>) -> Result<BTreeMap<JobId, Runner>, Unanswered> {
        let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
        let mut found = BTreeMap::new();
        for ids in ids.chunks(MOST) {
            let mut request = Request::new(GetJobPilotsRequest { job_ids: ids.to_vec() });
            if Deadline::current().is_none() {
                request.set_timeout(PATIENCE);
            }
            let answer = self.clone().get_job_pilots(request).await.map_err(Unanswered)?;
            found.extend(answer.into_inner().jobs.into_iter().filter_map(newest));
        }
        Ok(found)
    }
}

fn newest(JobPilots { job_id, mut pilots }: JobPilots) -> Option<(JobId, Runner)> {
    let last = pilots.pop()?;
    Some((JobId(job_id), Runner { stamp: last.pilot_stamp, vo: last.vo }))
}
