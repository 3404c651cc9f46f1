//! `/api/jobs/…`: submitting, searching, counting.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
    routing::{patch, post},
};
use diracx_core::search::{Page, Search};
use diracx_proto::jobs::v1::{
    JobStatus, SearchJobsRequest, SubmitJobsRequest, SubmittedJob, SummariseJobsRequest,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_RANGE};

use super::{
    jobs_heartbeat::add_heartbeat, jobs_metadata::patch_metadata, jobs_reschedule::reschedule_jobs,
    jobs_status::set_job_statuses,
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
    validation::{
        Problems, body,
        query::Pairs,
        scalar,
        search::{SearchBody, search_body, summary_body},
    },
};

/// Rows on a page at the most.
const MAX_PER_PAGE: i64 = 10_000;
/// Rows on a page unless the caller says.
const PER_PAGE: i64 = 100;

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
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let mut problems = Problems::default();
    let page = query.or(&mut problems, "page", 1, |problems, loc, value| {
        scalar::int_between(problems, loc, value, 1, i64::MAX)
    });
    let per_page = query.or(&mut problems, "per_page", PER_PAGE, |problems, loc, value| {
        scalar::int_between(problems, loc, value, 1, MAX_PER_PAGE)
    });
    let asked = match &value {
        None => Some(SearchBody::default()),
        Some(value) => search_body(&mut problems, &crate::validation::Loc::BODY, value),
    };
    let (asked, (page, per_page)) = problems.none_or(asked.zip(page.zip(per_page)))?;
    let skip = (page - 1).saturating_mul(per_page);
    let search = Search {
        parameters: asked.parameters,
        filters: asked.filters,
        sort: asked.sort,
        distinct: asked.distinct,
        page: Some(Page { skip: skip.unsigned_abs(), limit: per_page.unsigned_abs() }),
    };
    let request = SearchJobsRequest { include_total: true, ..search.into() };
    let found = context.jobs().search_jobs(caller.request(request)).await?.into_inner();
    let table = found.table.unwrap_or_default();
    let rows = i64::try_from(table.rows.len()).unwrap_or(i64::MAX);
    let total = found.total_size.unwrap_or_else(|| skip.saturating_add(rows));
    Ok(paged(write_rows(&table, &found.histories), Extent { unit: "jobs", skip, rows, total }))
}

/// Which part of all rows an answer holds.
#[derive(Debug, Clone, Copy)]
struct Extent {
    unit: &'static str,
    skip: i64,
    rows: i64,
    total: i64,
}

impl Extent {
    /// Status and `Content-Range`: all rows, some of them, or a page behind the last one.
    fn judge(self) -> (StatusCode, Option<String>) {
        let Self { unit, skip, rows, total } = self;
        if rows == 0 && total > 0 {
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("{unit} */{total}")))
        } else if rows < total {
            let last = skip.saturating_add(rows - 1);
            (StatusCode::PARTIAL_CONTENT, Some(format!("{unit} {skip}-{last}/{total}")))
        } else {
            (StatusCode::OK, None)
        }
    }
}

fn paged(rows: Vec<u8>, extent: Extent) -> Response {
    let (status, range) = extent.judge();
    let mut response = json_bytes(status, rows.into());
    if let Some(range) = range.and_then(|range| HeaderValue::try_from(range).ok()) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

async fn summary(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let asked = body::required(&mut problems, value.as_ref(), summary_body);
    let asked = problems.none_or(asked)?;
    let request = SummariseJobsRequest { grouping: asked.grouping, search: Some(asked.filters.into()) };
    let counted = context.jobs().summarise_jobs(caller.request(request)).await?.into_inner();
    Ok(json_bytes(StatusCode::OK, write_summary(&counted.table.unwrap_or_default()).into()))
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    fn check(skip: i64, rows: i64, total: i64, status: u16, range: Option<&str>) {
        let (found, header) = Extent { unit: "jobs", skip, rows, total }.judge();
        assert_eq!((found.as_u16(), header.as_deref()), (status, range));
    }

    #[test]
    fn pages_say_which_part_they_are() {
        check(0, 2, 5, 206, Some("jobs 0-1/5"));
        check(2, 2, 24, 206, Some("jobs 2-3/24"));
        check(4, 1, 5, 206, Some("jobs 4-4/5"));
        check(6, 0, 5, 416, Some("jobs */5"));
        check(0, 5, 5, 200, None);
        check(0, 0, 0, 200, None);
        check(i64::MAX, 0, 5, 416, Some("jobs */5"));
    }

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
