//! `/api/jobs/…`: submitting, searching, counting.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
    routing::{patch, post},
};
use diracx_proto::jobs::v1::{
    JobStatus, SearchJobsRequest, SubmitJobsRequest, SubmittedJob, SummariseJobsRequest,
};
use http::{HeaderMap, StatusCode};

use super::{
    jobs_heartbeat::add_heartbeat,
    jobs_metadata::patch_metadata,
    jobs_reschedule::reschedule_jobs,
    jobs_status::set_job_statuses,
    searches::{Extent, paged, search_request, summary_request},
};
use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{
        json_bytes,
        table::{write_rows, write_summary, write_value},
        time::write_optional,
    },
    routing::Table,
    validation::{Problems, body, scalar},
};

pub(super) fn routes(table: Table) -> Table {
    table
        .at("/api/jobs/jdl", "POST", post(submit_jdl_jobs))
        .at("/api/jobs/search", "POST", post(search))
        .at("/api/jobs/summary", "POST", post(summary))
        .at("/api/jobs/status", "PATCH", patch(set_job_statuses))
        .at("/api/jobs/heartbeat", "PATCH", patch(add_heartbeat))
        .at("/api/jobs/reschedule", "POST", post(reschedule_jobs))
        .at("/api/jobs/metadata", "PATCH", patch(patch_metadata))
}

async fn submit_jdl_jobs(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let jdls = body::required(&mut problems, value.as_ref(), |problems, loc, value| {
        scalar::list(problems, loc, value, scalar::string)
    });
    let jdls = problems.none_or(jdls)?;
    let request = caller.request(SubmitJobsRequest { jdls, request_id: String::new() });
    let jobs = context.jobs().submit_jobs(request).await?.into_inner().jobs;
    Ok(json_bytes(StatusCode::CREATED, submitted(&jobs).into()))
}

fn submitted(jobs: &[SubmittedJob]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + jobs.len() * 112);
    out.push(b'[');
    for (i, job) in jobs.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",{\"JobID\":" } else { b"{\"JobID\":" });
        write_value(&mut out, &job.job_id);
        out.extend_from_slice(b",\"Status\":");
        write_value(&mut out, status_name(job.status));
        out.extend_from_slice(b",\"MinorStatus\":");
        write_value(&mut out, job.minor_status.as_str());
        out.extend_from_slice(b",\"TimeStamp\":");
        write_optional(&mut out, job.submission_time.as_ref());
        out.push(b'}');
    }
    out.push(b']');
    out
}

/// The name of a status; `Unknown` for a number that a newer service may send.
pub(super) fn status_name(number: i32) -> &'static str {
    let status = JobStatus::try_from(number).ok();
    status
        .and_then(|status| diracx_core::JobStatus::try_from(status).ok())
        .map_or("Unknown", |status| status.as_str())
}

async fn search(
    State(context): State<Context>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (search, skip) = search_request(&context, query, &headers, body).await?;
    let request = SearchJobsRequest { include_total: true, ..search.into() };
    let found = context.jobs().search_jobs(caller.request(request)).await?.into_inner();
    let table = found.table.unwrap_or_default();
    let extent = Extent::new("jobs", skip, table.rows.len(), found.total_size);
    Ok(paged(write_rows(&table, &found.histories), extent))
}

async fn summary(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked = summary_request(&context, &headers, body).await?;
    let request = SummariseJobsRequest { grouping: asked.grouping, search: Some(asked.filters.into()) };
    let counted = context.jobs().summarise_jobs(caller.request(request)).await?.into_inner();
    Ok(json_bytes(StatusCode::OK, write_summary(&counted.table.unwrap_or_default()).into()))
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    #[test]
    fn submitted_jobs_are_listed_in_diracx_words() {
        let job = SubmittedJob {
            job_id: 24,
            status: JobStatus::Received.into(),
            minor_status: "Job accepted".into(),
            submission_time: Some(Timestamp { seconds: 1_795_380_677, nanos: 106_783_000 }),
        };
        assert_eq!(
            String::from_utf8(submitted(&[job])).unwrap(),
            concat!(
                r#"[{"JobID":24,"Status":"Received","MinorStatus":"Job accepted","#,
                r#""TimeStamp":"2026-11-22T20:51:17.106783Z"}]"#
            )
        );
        assert_eq!(submitted(&[]), b"[]");
    }
}
