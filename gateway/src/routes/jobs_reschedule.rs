//! `POST /api/jobs/reschedule`: jobs go back to the beginning.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
};
use diracx_proto::{
    jobs::v1::{
        RescheduleJobsRequest, RescheduleOutcome, RescheduledJob, reschedule_outcome::Result as Outcome,
    },
    status::of_call,
};
use http::{HeaderMap, StatusCode};

use super::jobs_status::{member, write_change, write_error};
use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{json_bytes, table::write_value, time::write_optional},
    validation::{Problems, body, query::Pairs, reschedule::reschedule_body, scalar},
};

pub(super) async fn reschedule_jobs(
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
    let reset = query.or(&mut problems, "reset_jobs", false, scalar::boolean);
    let jobs = reschedule_body(&mut problems, value.as_ref());
    let (reset_counters, jobs) = problems.none_or(reset.zip(jobs))?;
    let job_ids = jobs.into_iter().map(diracx_core::JobId::get).collect();
    let request = caller.request(RescheduleJobsRequest { job_ids, reset_counters });
    let outcomes = context.jobs().reschedule_jobs(request).await?.into_inner().outcomes;
    Ok(answer(&outcomes))
}

/// DiracX tells the outcomes apart into two objects. When no job was rescheduled it is an error.
fn answer(outcomes: &[RescheduleOutcome]) -> Response {
    let mut success = Vec::new();
    let mut failed = Vec::new();
    for outcome in outcomes {
        match &outcome.result {
            Some(Outcome::Job(job)) => {
                member(&mut success, outcome.job_id);
                write_job(&mut success, job);
            }
            Some(Outcome::Error(error)) => {
                member(&mut failed, outcome.job_id);
                write_error(&mut failed, &of_call(error));
            }
            None => {}
        }
    }
    let parts: [&[u8]; 5] = [b"{\"failed\":{", &failed, b"},\"success\":{", &success, b"}}"];
    let answer = parts.concat();
    if success.is_empty() {
        let parts: [&[u8]; 3] = [b"{\"detail\":", &answer, b"}"];
        json_bytes(StatusCode::BAD_REQUEST, parts.concat().into())
    } else {
        json_bytes(StatusCode::OK, answer.into())
    }
}

/// `InputData` is DiracX's name for the description.
fn write_job(out: &mut Vec<u8>, job: &RescheduledJob) {
    out.extend_from_slice(b"{\"InputData\":");
    write_value(out, job.jdl.as_str());
    out.extend_from_slice(b",\"Site\":");
    write_value(out, job.site.as_str());
    out.extend_from_slice(b",\"UserPriority\":");
    write_value(out, &job.user_priority);
    out.extend_from_slice(b",\"RescheduleTime\":");
    write_optional(out, job.reschedule_time.as_ref());
    out.extend_from_slice(b",\"RescheduleCounter\":");
    write_value(out, &job.reschedule_counter);
    out.push(b',');
    write_change(out, &job.change.clone().unwrap_or_default());
    out.push(b'}');
}
