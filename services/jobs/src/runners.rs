//! Which pilot runs a job, as the pilots service knows it.
//!
//! It is asked every time: a job may change hands at any moment, and an answer from a cache would let the pilot that
//! lost it go on. Of several pilots the newest counts, since a job that was rescheduled is no more the first one's. The
//! answer also says whether the pilot has ended, and which of its tokens count no more: a token of a pilot that was
//! stopped is good for nothing, however long it says that it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use diracx_client::AnyChannel;
use diracx_core::{Explain, Explanation, JobId, Reason};
use diracx_proto::{
    Invalid,
    pilots::v1::{GetJobPilotsRequest, JobPilots},
    time,
};
use diracx_server::{Deadline, PilotIdentity};
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
    /// Whether it has ended.
    pub ended: bool,
    /// Up to when tokens were issued that do not count.
    pub barred: Option<DateTime<Utc>>,
}

impl Runner {
    /// Whether it is this pilot, and may still act.
    pub fn is(&self, pilot: &PilotIdentity) -> bool {
        let same = self.stamp == pilot.stamp && self.vo == pilot.vo;
        same && !self.ended && self.barred.is_none_or(|barred| pilot.issued() > barred)
    }
}

/// The pilot that runs each of these jobs, as the pilots service knows; jobs that no pilot ever had are absent. In an
/// installation without pilots those are all.
pub(crate) async fn of(
    pilots: Option<&AnyChannel>,
    jobs: &BTreeSet<JobId>,
) -> Result<BTreeMap<JobId, Runner>, Unanswered> {
    let mut found = BTreeMap::new();
    let Some(pilots) = pilots else { return Ok(found) };
    let client = diracx_client::pilots(pilots.clone());
    let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
    for ids in ids.chunks(MOST) {
        let mut request = Request::new(GetJobPilotsRequest { job_ids: ids.to_vec() });
        if Deadline::current().is_none() {
            request.set_timeout(PATIENCE);
        }
        let answer = client.clone().get_job_pilots(request).await.map_err(Unanswered)?;
        for job in answer.into_inner().jobs {
            found.extend(newest(job).map_err(|invalid| Unanswered(diracx_server::to_status(invalid)))?);
        }
    }
    Ok(found)
}

fn newest(JobPilots { job_id, mut pilots }: JobPilots) -> Result<Option<(JobId, Runner)>, Invalid> {
    let Some(last) = pilots.pop() else { return Ok(None) };
    let barred = last.barred_time.as_ref().map(|at| time::datetime("barred_time", at)).transpose()?;
    let runner = Runner { stamp: last.pilot_stamp, vo: last.vo, ended: last.ended, barred };
    Ok(Some((JobId(job_id), runner)))
}
