//! The calls of the executor: the same rpcs that a pilot uses, as the component `local-executor`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_client::AnyChannel;
use diracx_core::{Clock, JobId, JobStatus};
use diracx_proto::{
    common::v1::{
        Cell, Filter, SearchSpec, SearchValue, SortSpec, VectorCondition, VectorOperator, cell, filter,
        search_value,
    },
    jobs::v1::{
        self as pb, GetJobDescriptionsRequest, JobStatusUpdates, SearchJobsRequest, SetJobStatusesRequest,
        StatusRecord, job_description_outcome, job_status_outcome, jobs_service_client::JobsServiceClient,
    },
    time::timestamp,
};
use diracx_server::{ComponentToken, token::KeyStoreError};
use tonic::{Request, Status};

/// The name under which this executor calls; the contract lists what it may do.
pub const COMPONENT: &str = "local-executor";

/// Who reports, in the job logging. It starts with `Job`, so that it counts as a sign of life.
const SOURCE: &str = "JobLocalExecutor";

/// How many descriptions to ask for at once: one may have megabytes.
const DESCRIPTIONS: usize = 16;

/// What goes wrong with a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The service refuses, or cannot be reached.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
    /// Our token cannot be signed.
    #[error("no token")]
    Token(#[from] KeyStoreError),
    /// The answer is not what the contract says.
    #[error("the jobs service answered nonsense: {0}")]
    Nonsense(&'static str),
}

/// The jobs service, as the executor sees it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Api {
    client: JobsServiceClient<AnyChannel>,
    token: ComponentToken,
    clock: Arc<dyn Clock>,
}

/// One thing to tell about a job.
#[derive(Debug, Clone)]
pub(super) struct News {
    /// The status it came to.
    pub(super) status: JobStatus,
    /// The minor status.
    pub(super) minor: &'static str,
    /// The application status; absent means no news of it.
    pub(super) application: Option<String>,
}

impl News {
    /// News without an application status.
    pub(super) fn new(status: JobStatus, minor: &'static str) -> Self {
        Self { status, minor, application: None }
    }

    /// News of how the program did.
    pub(super) fn with(status: JobStatus, minor: &'static str, application: impl Into<String>) -> Self {
        Self { status, minor, application: Some(application.into()) }
    }

    fn record(&self, time: DateTime<Utc>) -> StatusRecord {
        StatusRecord {
            time: Some(timestamp(time)),
            status: Some(pb::JobStatus::from(self.status).into()),
            minor_status: Some(self.minor.to_owned()),
            application_status: self.application.clone(),
            source: SOURCE.to_owned(),
        }
    }
}

impl Api {
    /// The executor's view of the jobs service.
    pub(super) fn new(channel: AnyChannel, token: ComponentToken, clock: Arc<dyn Clock>) -> Self {
        Self { client: diracx_client::jobs(channel), token, clock }
    }

    /// The oldest jobs that nobody has looked at yet: Received, or Submitting. The latter are those of a
    /// parametric description, which DiracX leaves to DIRAC to confirm; made at once, they need no confirmation.
    pub(super) async fn untaken(&self, most: usize) -> Result<Vec<(JobId, JobStatus)>, CallError> {
        let values = [JobStatus::Received, JobStatus::Submitting].map(JobStatus::as_str);
        let values = values.map(|status| search_value::Value::StringValue(status.to_owned()));
        self.with_statuses(one_of("Status", values), most).await
    }

    /// The statuses of these jobs; a job that is gone is left out.
    pub(super) async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<(JobId, JobStatus)>, CallError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let values = jobs.iter().map(|job| search_value::Value::IntValue(job.get()));
        self.with_statuses(one_of("JobID", values), jobs.len()).await
    }

    async fn with_statuses(&self, filter: Filter, most: usize) -> Result<Vec<(JobId, JobStatus)>, CallError> {
        let job = |row: &Vec<Cell>| match row.iter().map(|cell| cell.kind.as_ref()).collect::<Vec<_>>()[..] {
            [Some(cell::Kind::IntValue(job)), Some(cell::Kind::StringValue(status))] => {
                let status = status.parse().map_err(|_| CallError::Nonsense("an unknown status"))?;
                Ok((JobId(*job), status))
            }
            _ => Err(CallError::Nonsense("a job without number and status")),
        };
        self.search(filter, &["JobID", "Status"], most).await?.iter().map(job).collect()
    }

    /// The JDLs of these jobs, as they are to be executed; or why there is none.
    pub(super) async fn descriptions(
        &self,
        jobs: &[JobId],
    ) -> Result<Vec<Result<String, String>>, CallError> {
        let mut descriptions = Vec::with_capacity(jobs.len());
        for jobs in jobs.chunks(DESCRIPTIONS) {
            let request = GetJobDescriptionsRequest { job_ids: jobs.iter().map(|job| job.get()).collect() };
            let answer = self.client.clone().get_job_descriptions(self.signed(request)?).await?.into_inner();
            if answer.outcomes.len() != jobs.len() {
                return Err(CallError::Nonsense("not one outcome per job"));
            }
            descriptions.extend(answer.outcomes.into_iter().map(|outcome| match outcome.result {
                Some(job_description_outcome::Result::Description(found)) => Ok(found.jdl),
                Some(job_description_outcome::Result::Error(error)) => Err(error.message),
                None => Err("no description".to_owned()),
            }));
        }
        Ok(descriptions)
    }

    /// Tells the same about several jobs; returns those whose status is now the last one told.
    pub(super) async fn tell(&self, jobs: &[JobId], news: &[News]) -> Result<Vec<JobId>, CallError> {
        let Some(last) = news.last().filter(|_| !jobs.is_empty()) else { return Ok(Vec::new()) };
        // A record is known by its time: each of them gets its own.
        let now = self.clock.now();
        let records: Vec<_> =
            (0..).zip(news).map(|(i, news)| news.record(now + TimeDelta::microseconds(i))).collect();
        let update = |job: &JobId| JobStatusUpdates { job_id: job.get(), records: records.clone() };
        let request = SetJobStatusesRequest { updates: jobs.iter().map(update).collect(), force: false };
        let answer = self.client.clone().set_job_statuses(self.signed(request)?).await?.into_inner();
        let wanted = i32::from(pb::JobStatus::from(last.status));
        let came_there = |outcome: &pb::JobStatusOutcome| match &outcome.result {
            Some(job_status_outcome::Result::Change(change)) => change.status == Some(wanted),
            _ => false,
        };
        Ok(answer.outcomes.iter().filter(|outcome| came_there(outcome)).map(|o| JobId(o.job_id)).collect())
    }

    async fn search(
        &self,
        filter: Filter,
        columns: &[&str],
        most: usize,
    ) -> Result<Vec<Vec<Cell>>, CallError> {
        let request = SearchJobsRequest {
            search: Some(SearchSpec { filters: vec![filter] }),
            sort: vec![SortSpec { parameter: "JobID".to_owned(), direction: 0 }],
            read_mask: columns.iter().map(|&column| column.to_owned()).collect(),
            page_size: i32::try_from(most).unwrap_or(i32::MAX),
            ..SearchJobsRequest::default()
        };
        let answer = self.client.clone().search_jobs(self.signed(request)?).await?.into_inner();
        let rows = answer.table.map(|table| table.rows).unwrap_or_default();
        Ok(rows.into_iter().map(|row| row.cells).collect())
    }

    fn signed<T>(&self, message: T) -> Result<Request<T>, CallError> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token.get()?);
        let value = bearer.parse().map_err(|_| CallError::Nonsense("a token that is no header"))?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

fn one_of(parameter: &str, values: impl IntoIterator<Item = search_value::Value>) -> Filter {
    let values = values.into_iter().map(|value| SearchValue { value: Some(value) }).collect();
    let condition = VectorCondition { operator: VectorOperator::In.into(), values };
    Filter { parameter: parameter.to_owned(), condition: Some(filter::Condition::Vector(condition)) }
}
