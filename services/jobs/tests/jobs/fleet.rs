//! A pilots service that knows what a test told it, and nothing else.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use diracx_client::{AnyChannel, Caller, in_process};
use diracx_proto::pilots::v1::{
    GetJobPilotsRequest, GetJobPilotsResponse, GetPilotJobsRequest, GetPilotJobsResponse, JobPilot,
    JobPilots, PilotJob, PilotJobs,
    pilots_service_server::{PilotsService, PilotsServiceServer},
};
use tonic::{Request, Response, Status};

type Known = BTreeMap<i64, Vec<JobPilot>>;

#[derive(Clone, Default)]
pub(crate) struct Fleet {
    /// The pilots of jobs, the newest last; nothing while the service is away.
    jobs: Arc<Mutex<Option<Known>>>,
}

impl Fleet {
    /// From now on this pilot runs the job.
    pub(crate) fn gives(&self, job: i64, vo: &str, stamp: &str) {
        let pilot = JobPilot {
            pilot_stamp: stamp.to_owned(),
            vo: vo.to_owned(),
            start_time: None,
            ended: false,
            barred_time: None,
        };
        self.jobs.lock().unwrap().get_or_insert_default().entry(job).or_default().push(pilot);
    }

    pub(crate) fn goes_away(&self) {
        *self.jobs.lock().unwrap() = None;
    }

    /// For calls with the token of the component.
    pub(crate) fn channel(&self) -> AnyChannel {
        let token = || async { Ok(Some("of the component jobs".into())) };
        Caller::default().token(token).on(in_process(PilotsServiceServer::new(self.clone())))
    }
}

#[tonic::async_trait]
impl PilotsService for Fleet {
    async fn get_job_pilots(
        &self,
        request: Request<GetJobPilotsRequest>,
    ) -> Result<Response<GetJobPilotsResponse>, Status> {
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer of the component jobs");
        let known = self.jobs.lock().unwrap();
        let known = known.as_ref().ok_or_else(|| Status::unavailable("the pilots service is away"))?;
        let of = |job_id: i64| known.get(&job_id).map(|pilots| JobPilots { job_id, pilots: pilots.clone() });
        let jobs = request.into_inner().job_ids.into_iter().filter_map(of).collect();
        Ok(Response::new(GetJobPilotsResponse { jobs }))
    }

    async fn get_pilot_jobs(
        &self,
        request: Request<GetPilotJobsRequest>,
    ) -> Result<Response<GetPilotJobsResponse>, Status> {
        let known = self.jobs.lock().unwrap();
        let known = known.as_ref().ok_or_else(|| Status::unavailable("the pilots service is away"))?;
        let of = |pilot_stamp: String| {
            let ran = |pilots: &[JobPilot]| pilots.iter().any(|pilot| pilot.pilot_stamp == pilot_stamp);
            let jobs = known.iter().filter(|(_, pilots)| ran(pilots));
            let jobs = jobs.map(|(job_id, _)| PilotJob { job_id: *job_id, start_time: None }).collect();
            PilotJobs { pilot_stamp, jobs }
        };
        let pilots = request.into_inner().pilot_stamps.into_iter().map(of).collect();
        Ok(Response::new(GetPilotJobsResponse { pilots }))
    }
}
