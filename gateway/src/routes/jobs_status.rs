//! `PATCH /api/jobs/status`: moving jobs through the status machine.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
};
use diracx_core::{JobId, Reason};
use diracx_proto::{
    jobs::v1::{
        JobStatusChange, JobStatusOutcome, JobStatusUpdates, SetJobStatusesRequest, StatusRecord,
        job_status_outcome::Result as Outcome,
    },
    status::of_call,
    time::timestamp,
};
use diracx_server::StatusInfo;
use http::{HeaderMap, StatusCode};
use tonic::Status;

use super::jobs::status_name;
use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{json_bytes, table::write_value, time::write_optional},
    validation::{
        Problems, body,
        datetime::When,
        query::Pairs,
        scalar,
        status::{JobUpdates, StatusUpdate, status_body},
    },
};

pub(super) async fn set_job_statuses(
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
    let force = query.or(&mut problems, "force", false, scalar::boolean);
    let jobs = body::required(&mut problems, value.as_ref(), status_body);
    let (force, jobs) = problems.none_or(force.zip(jobs))?;
    let updates = jobs.into_iter().map(updates).collect::<Result<_, _>>()?;
    let request = caller.request(SetJobStatusesRequest { updates, force });
    let outcomes = context.jobs().set_job_statuses(request).await?.into_inner().outcomes;
    answer(&outcomes)
}

fn updates((job, records): JobUpdates) -> Result<JobStatusUpdates, Refusal> {
    let records =
        records.into_iter().map(|(when, update)| record(job, when, update)).collect::<Result<_, _>>()?;
    Ok(JobStatusUpdates { job_id: job.get(), records })
}

fn record(job: JobId, when: When, update: StatusUpdate) -> Result<StatusRecord, Refusal> {
    let time = match when {
        When::Instant(time) => timestamp(time),
        When::Naive(time) => {
            return Err(Refusal::bad_request(format!(
                "Timestamp {time} is not timezone aware for job {job}"
            )));
        }
    };
    Ok(StatusRecord {
        time: Some(time),
        status: update.status.map(|status| diracx_proto::jobs::v1::JobStatus::from(status).into()),
        minor_status: update.minor_status,
        application_status: update.application_status,
        source: update.source,
    })
}

/// DiracX tells the outcomes apart into two objects. When no job was changed it is an error: of access if
/// that was the reason everywhere, else because nothing was found.
fn answer(outcomes: &[JobStatusOutcome]) -> Result<Response, Refusal> {
    let mut success = Vec::new();
    let mut failed = Vec::new();
    let mut forbidden = 0;
    for outcome in outcomes {
        match &outcome.result {
            Some(Outcome::Change(change)) => {
                member(&mut success, outcome.job_id);
                success.push(b'{');
                write_change(&mut success, change);
                success.push(b'}');
            }
            Some(Outcome::Error(error)) => {
                let status = of_call(error);
                forbidden += usize::from(StatusInfo::of(&status).is(Reason::Forbidden));
                member(&mut failed, outcome.job_id);
                write_error(&mut failed, &status);
            }
            None => {}
        }
    }
    if !outcomes.is_empty() && forbidden == outcomes.len() {
        return Err(Refusal::forbidden());
    }
    let found = !success.is_empty();
    let parts: [&[u8]; 5] = [b"{\"success\":{", &success, b"},\"failed\":{", &failed, b"}}"];
    let answer = parts.concat();
    if found {
        Ok(json_bytes(StatusCode::OK, answer.into()))
    } else {
        let parts: [&[u8]; 3] = [b"{\"detail\":", &answer, b"}"];
        Ok(json_bytes(StatusCode::NOT_FOUND, parts.concat().into()))
    }
}

/// `"24":`, after a comma if it is not the first.
pub(super) fn member(out: &mut Vec<u8>, job: i64) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.push(b'"');
    write_value(out, &job);
    out.extend_from_slice(b"\":");
}

/// The members of an object: every column is named; those that were not touched are null.
pub(super) fn write_change(out: &mut Vec<u8>, change: &JobStatusChange) {
    out.extend_from_slice(b"\"Status\":");
    write_value(out, &change.status.map(status_name));
    out.extend_from_slice(b",\"MinorStatus\":");
    write_value(out, &change.minor_status);
    out.extend_from_slice(b",\"ApplicationStatus\":");
    write_value(out, &change.application_status);
    for (name, time) in [
        (&b",\"HeartBeatTime\":"[..], &change.heart_beat_time),
        (b",\"StartExecTime\":", &change.start_exec_time),
        (b",\"EndExecTime\":", &change.end_exec_time),
        (b",\"LastUpdateTime\":", &change.last_update_time),
    ] {
        out.extend_from_slice(name);
        write_optional(out, time.as_ref());
    }
}

/// What went wrong with a job: `{"detail": …}`, in DiracX's words.
pub(super) fn write_error(out: &mut Vec<u8>, status: &Status) {
    out.extend_from_slice(b"{\"detail\":");
    let detail = if StatusInfo::of(status).is(Reason::JobNotFound) { "Not found" } else { status.message() };
    write_value(out, detail);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use diracx_core::Explanation;
    use diracx_proto::{jobs::v1::JobStatus, status::of_item};
    use diracx_server::status::from_explanation;
    use http_body_util::BodyExt;
    use prost_types::Timestamp;

    use super::*;

    fn changed(job_id: i64) -> JobStatusOutcome {
        let change = JobStatusChange {
            status: Some(JobStatus::Checking.into()),
            minor_status: Some("JobPath".into()),
            last_update_time: Some(Timestamp { seconds: 0, nanos: 0 }),
            ..JobStatusChange::default()
        };
        JobStatusOutcome { job_id, result: Some(Outcome::Change(change)) }
    }

    fn failed(job_id: i64, explanation: &Explanation, sentence: &str) -> JobStatusOutcome {
        let status = from_explanation(explanation, sentence);
        JobStatusOutcome { job_id, result: Some(Outcome::Error(of_item(&status))) }
    }

    async fn check(outcomes: &[JobStatusOutcome], status: u16, body: &str) {
        use axum::response::IntoResponse;
        let response = answer(outcomes).into_response();
        assert_eq!(response.status(), status);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8(bytes.to_vec()).unwrap(), body);
    }

    #[tokio::test]
    async fn outcomes_are_told_apart() {
        let unknown = failed(99, &Explanation::not_found(Reason::JobNotFound), "Job 99 not found");
        let change = concat!(
            r#"{"Status":"Checking","MinorStatus":"JobPath","ApplicationStatus":null,"HeartBeatTime":null,"#,
            r#""StartExecTime":null,"EndExecTime":null,"LastUpdateTime":"1970-01-01T00:00:00Z"}"#
        );
        check(
            &[changed(24), unknown.clone(), changed(25)],
            200,
            &format!(
                r#"{{"success":{{"24":{change},"25":{change}}},"failed":{{"99":{{"detail":"Not found"}}}}}}"#
            ),
        )
        .await;
        check(&[unknown], 404, r#"{"detail":{"success":{},"failed":{"99":{"detail":"Not found"}}}}"#).await;
        check(&[], 404, r#"{"detail":{"success":{},"failed":{}}}"#).await;
    }

    #[tokio::test]
    async fn when_nothing_was_permitted_the_call_is_forbidden() {
        let other = |job| failed(job, &Explanation::permission_denied(Reason::Forbidden), "Forbidden");
        check(&[other(1), other(2)], 403, r#"{"detail":"Forbidden"}"#).await;
    }
}
