//! The jobs of the server: 1 to 10 are done, 11 to 20 run.

use std::collections::BTreeSet;

use diracx_client::proto::{
    common::v1::filter::Condition,
    jobs::v1::{
        self as pb, SearchJobsRequest, SearchJobsResponse, StreamSearchJobsRequest, StreamSearchJobsResponse,
        StreamSubmitJobsRequest, StreamSubmitJobsResponse, SubmitJobsRequest, SubmitJobsResponse,
        SubmittedBatch, SubmittedJob, SummariseJobsRequest, SummariseJobsResponse,
        job_status_outcome::Result as Outcome, jobs_service_server::JobsService,
    },
};
use diracx_core::{
    JobStatus,
    search::{Cell, SearchValue, Table},
};
use tonic::{Request, Response, Status, codegen::BoxStream};

use super::{Server, checked};

const NOW: i64 = 1_800_000_000;

#[tonic::async_trait]
impl JobsService for Server {
    async fn submit_jobs(
        &self,
        request: Request<SubmitJobsRequest>,
    ) -> Result<Response<SubmitJobsResponse>, Status> {
        let request = checked(request)?;
        assert!(!request.request_id.is_empty());
        let jobs = (1..).zip(&request.jdls).map(|(job_id, _)| SubmittedJob {
            job_id,
            status: pb::JobStatus::Received.into(),
            minor_status: "Job accepted".to_owned(),
            submission_time: Some(prost_types_timestamp()),
        });
        let jobs = jobs.collect();
        *self.submitted.lock().unwrap() = request.jdls;
        Ok(Response::new(SubmitJobsResponse { jobs }))
    }

    /// Breaks once, in the middle of the first call.
    async fn stream_submit_jobs(
        &self,
        request: Request<tonic::Streaming<StreamSubmitJobsRequest>>,
    ) -> Result<Response<StreamSubmitJobsResponse>, Status> {
        let mut messages = checked(request)?;
        let (mut names, mut batches, mut next) = (BTreeSet::new(), Vec::new(), 1);
        while let Some(message) = messages.message().await? {
            names.insert(message.request_id);
            let end = next + i64::try_from(message.jdls.len()).unwrap();
            batches.push(SubmittedBatch { job_ids: (next..end).collect(), ..Default::default() });
            next = end;
        }
        let mut calls = self.streams.lock().unwrap();
        calls.push(names.into_iter().collect::<Vec<_>>().join(","));
        if calls.len() == 1 {
            return Err(Status::unavailable("the server restarts"));
        }
        Ok(Response::new(StreamSubmitJobsResponse { batches }))
    }

    /// Has the jobs 1 to 5, two in each message, and breaks after the first.
    async fn stream_search_jobs(
        &self,
        request: Request<StreamSearchJobsRequest>,
    ) -> Result<Response<BoxStream<StreamSearchJobsResponse>>, Status> {
        let request = checked(request)?;
        let begin: i64 = request.resume_token.parse().unwrap_or(0);
        let message = |first: i64| {
            let last = (first + 1).min(5);
            let rows = (first..=last).map(|id| vec![Cell::Int(id)]).collect();
            let table = Table { columns: vec!["JobID".to_owned()], rows, total: 0 };
            Ok(StreamSearchJobsResponse {
                table: Some(table.into()),
                resume_token: last.to_string(),
                ..Default::default()
            })
        };
        let mut messages: Vec<_> = (begin + 1..=5).step_by(2).map(message).collect();
        if begin == 0 {
            messages.truncate(1);
            messages.push(Err(Status::unavailable("the server restarts")));
        }
        Ok(Response::new(Box::pin(futures::stream::iter(messages))))
    }

    /// Knows the jobs 1 to 20 and the conditions `JobID in`.
    async fn search_jobs(
        &self,
        request: Request<SearchJobsRequest>,
    ) -> Result<Response<SearchJobsResponse>, Status> {
        let request = checked(request)?;
        let mut ids: Vec<i64> = (1..=20).collect();
        for filter in request.search.unwrap_or_default().filters {
            if let Some(Condition::Vector(vector)) = filter.condition {
                let wanted: Vec<SearchValue> =
                    vector.values.into_iter().map(|value| value.try_into().unwrap()).collect();
                ids.retain(|id| wanted.contains(&SearchValue::Int(*id)));
            }
        }
        let total_size = i64::try_from(ids.len()).ok();
        let skip = usize::try_from(request.skip).unwrap();
        let page = ids.into_iter().skip(skip).take(usize::try_from(request.page_size).unwrap());
        let rows =
            page.map(|id| vec![Cell::Int(id), Cell::Text(status_of(id).as_str().to_owned())]).collect();
        let table = Table { columns: vec!["JobID".to_owned(), "Status".to_owned()], rows, total: 0 };
        Ok(Response::new(SearchJobsResponse { table: Some(table.into()), total_size, ..Default::default() }))
    }

    async fn summarise_jobs(
        &self,
        request: Request<SummariseJobsRequest>,
    ) -> Result<Response<SummariseJobsResponse>, Status> {
        assert_eq!(checked(request)?.grouping, ["Status"]);
        let rows = vec![vec![Cell::Text("Done".to_owned()), Cell::Int(20)]];
        let table = Table { columns: vec!["Status".to_owned(), "count".to_owned()], rows, total: 0 };
        Ok(Response::new(SummariseJobsResponse { table: Some(table.into()) }))
    }

    /// Stops what runs and deletes what is done. It has later news of the job 20.
    async fn set_job_statuses(
        &self,
        request: Request<pb::SetJobStatusesRequest>,
    ) -> Result<Response<pb::SetJobStatusesResponse>, Status> {
        let request = checked(request)?;
        assert!(!request.force);
        *self.reported.lock().unwrap() = request.updates.iter().map(|update| update.job_id).collect();
        let outcome = |update: pb::JobStatusUpdates| {
            let id = update.job_id;
            let [record] = update.records.as_slice() else { panic!("one record: {update:?}") };
            assert!(record.time.is_some());
            let reached = match (status_of(id), record.status()) {
                (JobStatus::Running, pb::JobStatus::Killed) => JobStatus::Killed,
                (JobStatus::Done, pb::JobStatus::Deleted) => JobStatus::Deleted,
                (stays, _) => stays,
            };
            let change = pb::JobStatusChange {
                status: (id != 20).then(|| pb::JobStatus::from(reached).into()),
                minor_status: record.minor_status.clone(),
                ..Default::default()
            };
            let result = if id > 20 { Outcome::Error(unknown(id)) } else { Outcome::Change(change) };
            pb::JobStatusOutcome { job_id: id, result: Some(result) }
        };
        let outcomes = request.updates.into_iter().map(outcome).collect();
        Ok(Response::new(pb::SetJobStatusesResponse { outcomes }))
    }

    /// Does not send the job 13 back again, unless it is counted from zero.
    async fn reschedule_jobs(
        &self,
        request: Request<pb::RescheduleJobsRequest>,
    ) -> Result<Response<pb::RescheduleJobsResponse>, Status> {
        use pb::reschedule_outcome::Result as Outcome;
        let request = checked(request)?;
        let too_often =
            || tonic_types::Status { code: 9, message: "too often".to_owned(), details: Vec::new() };
        let outcome = |job_id| {
            let change =
                pb::JobStatusChange { status: Some(pb::JobStatus::Received.into()), ..Default::default() };
            let again = pb::RescheduledJob { change: Some(change), ..Default::default() };
            let result = match job_id {
                13 if !request.reset_counters => Outcome::Error(too_often()),
                ..=20 => Outcome::Job(again),
                _ => Outcome::Error(unknown(job_id)),
            };
            pb::RescheduleOutcome { job_id, result: Some(result) }
        };
        let outcomes = request.job_ids.iter().copied().map(outcome).collect();
        Ok(Response::new(pb::RescheduleJobsResponse { outcomes }))
    }
}

fn status_of(id: i64) -> JobStatus {
    if id > 10 { JobStatus::Running } else { JobStatus::Done }
}

fn unknown(job: i64) -> tonic_types::Status {
    tonic_types::Status { code: 5, message: format!("Job {job} not found"), details: Vec::new() }
}

fn prost_types_timestamp() -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: NOW, nanos: 0 }
}
