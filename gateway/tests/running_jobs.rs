//! Heartbeats and rescheduling on REST: what the service is asked, and what DiracX's clients read of its answer.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use bytes::Bytes;
use common::{Behind, Running, ok, script};
use diracx_core::{Explanation, Reason};
use diracx_proto::{
    jobs::v1::{
        Heartbeat, HeartbeatOutcome, JobCommand, JobCommandKind, JobStatus, JobStatusChange,
        RescheduleJobsRequest, RescheduleJobsResponse, RescheduleOutcome, RescheduledJob,
        SendHeartbeatsRequest, SendHeartbeatsResponse, reschedule_outcome::Result as Outcome,
    },
    status::of_item,
};
use diracx_server::status::from_explanation;
use http::HeaderMap;
use prost::Message;
use prost_types::Timestamp;
use serde_json::json;
use tonic::Status;

const HEARTBEAT: &str = "/api/jobs/heartbeat";
const RESCHEDULE: &str = "/api/jobs/reschedule";

/// A gateway in front of a jobs service with these answers.
async fn before(
    answer: impl Fn(&str, &HeaderMap, Bytes) -> Result<Vec<u8>, Status> + Send + Sync + 'static,
) -> Running {
    Behind { jobs: script(answer), ..Behind::default() }.start().await
}

fn not_found(job: i64) -> Status {
    from_explanation(&Explanation::not_found(Reason::JobNotFound), &format!("Job {job} not found"))
}

fn forbidden() -> Status {
    from_explanation(&Explanation::permission_denied(Reason::Forbidden), "Forbidden")
}

fn heard(job_id: i64) -> HeartbeatOutcome {
    HeartbeatOutcome { job_id, error: None }
}

fn unheard(job_id: i64) -> HeartbeatOutcome {
    HeartbeatOutcome { job_id, error: Some(of_item(&not_found(job_id))) }
}

fn command(job_id: i64, kind: JobCommandKind, arguments: &str) -> JobCommand {
    let arguments = arguments.to_owned();
    JobCommand { job_id, kind: kind.into(), arguments, ..JobCommand::default() }
}

#[tokio::test]
async fn a_heartbeat_brings_the_kills_and_has_them_count_as_arrived() {
    let gateway = before(|path, _, message| {
        assert_eq!(path, "/diracx.jobs.v1.JobsService/SendHeartbeats");
        let request = SendHeartbeatsRequest::decode(message).expect("a request");
        assert!(request.auto_acknowledge, "clients of REST cannot acknowledge");
        let figures = Heartbeat {
            job_id: 7,
            load_average: Some(1.5),
            memory_used: Some(2.0),
            vsize: Some(3.0),
            available_disk_space: Some(4.0),
            cpu_consumed: Some(5.0),
            wall_clock_time: Some(6.0),
            standard_output: Some("a\nb".into()),
        };
        assert_eq!(request.heartbeats, [figures, Heartbeat { job_id: 99, ..Heartbeat::default() }]);
        let commands = vec![
            command(7, JobCommandKind::Unspecified, "Peek"),
            command(7, JobCommandKind::Kill, ""),
            command(7, JobCommandKind::Kill, "\"now\""),
        ];
        ok(&SendHeartbeatsResponse { outcomes: vec![heard(7), unheard(99)], commands })
    })
    .await;
    let body = json!({
        "7": {
            "LoadAverage": 1.5, "MemoryUsed": 2, "Vsize": 3, "AvailableDiskSpace": "4", "CPUConsumed": 5.0,
            "WallClockTime": 6, "StandardOutput": "a\nb",
        },
        "99": {},
    });
    let answer = gateway.json("PATCH", HEARTBEAT, &gateway.alice(), &body).await;
    let expected = json!([
        { "job_id": 7, "command": "Kill", "arguments": "" },
        { "job_id": 7, "command": "Kill", "arguments": "\"now\"" },
    ]);
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn a_heartbeat_of_jobs_that_are_all_unknown_is_not_found() {
    let gateway = before(|_, _, message| {
        let asked = SendHeartbeatsRequest::decode(message).expect("a request").heartbeats;
        let outcome =
            |beat: Heartbeat| if beat.job_id < 90 { heard(beat.job_id) } else { unheard(beat.job_id) };
        let outcomes = asked.into_iter().map(outcome).collect();
        ok(&SendHeartbeatsResponse { outcomes, commands: Vec::new() })
    })
    .await;
    for (body, status, expected) in [
        (json!({ "98": {}, "99": {} }), 404, json!({ "detail": "Job 98 not found" })),
        (json!({ "98": {}, "7": {}, "99": {} }), 200, json!([])),
        (json!({}), 200, json!([])),
    ] {
        let answer = gateway.json("PATCH", HEARTBEAT, &gateway.alice(), &body).await;
        assert_eq!((answer.status, answer.json()), (status, expected), "{body}");
        let reason = (status == 404).then_some("JOB_NOT_FOUND");
        assert_eq!(answer.header("diracx-error-reason"), reason, "{body}");
    }
}

#[tokio::test]
async fn a_heartbeat_needs_a_token_a_body_and_the_right_to_the_job() {
    let gateway = before(|_, _, _| Err(forbidden())).await;
    let missing = gateway.json("PATCH", HEARTBEAT, "", &json!(5)).await;
    assert_eq!((missing.status, missing.header("www-authenticate")), (401, Some("Bearer")));
    let bad = gateway.json("PATCH", HEARTBEAT, &gateway.alice(), &json!({ "7": { "Colour": 1 } })).await;
    assert_eq!((bad.status, &bad.json()["detail"][0]["loc"]), (422, &json!(["body", "7", "Colour"])));
    let refused = gateway.json("PATCH", HEARTBEAT, &gateway.alice(), &json!({ "7": {} })).await;
    assert_eq!((refused.status, refused.json()), (403, json!({ "detail": "Forbidden" })));
    let wrong = gateway.json("POST", HEARTBEAT, &gateway.alice(), &json!({})).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("PATCH")));
}

fn too_often(job: i64) -> Outcome {
    let why = Explanation::failed_precondition(Reason::RescheduledTooOften);
    Outcome::Error(of_item(&from_explanation(&why, &format!("Job {job} was rescheduled too often"))))
}

fn again(second: i64) -> Outcome {
    let time = Some(Timestamp { seconds: second, nanos: 0 });
    let change = JobStatusChange {
        status: Some(JobStatus::Received.into()),
        minor_status: Some("Job Rescheduled".into()),
        application_status: Some("Unknown".into()),
        last_update_time: time,
        ..JobStatusChange::default()
    };
    Outcome::Job(RescheduledJob {
        jdl: "[ Executable = \"a\" ]".into(),
        site: "ANY".into(),
        user_priority: 3,
        reschedule_time: time,
        reschedule_counter: 2,
        change: Some(change),
    })
}

/// A gateway before a service that reschedules the jobs below 90.
async fn rescheduling() -> Running {
    before(|path, _, message| {
        assert_eq!(path, "/diracx.jobs.v1.JobsService/RescheduleJobs");
        let request = RescheduleJobsRequest::decode(message).expect("a request");
        if request.reset_counters {
            return Err(forbidden());
        }
        let result = |job| match job {
            ..90 => again(0),
            90..99 => too_often(job),
            _ => Outcome::Error(of_item(&not_found(job))),
        };
        let outcome = |job_id| RescheduleOutcome { job_id, result: Some(result(job_id)) };
        ok(&RescheduleJobsResponse { outcomes: request.job_ids.into_iter().map(outcome).collect() })
    })
    .await
}

#[tokio::test]
async fn each_job_that_is_rescheduled_or_not_is_told_apart() {
    let gateway = rescheduling().await;
    let body = json!({ "job_ids": [7, 91, "8", 99, 7] });
    let answer = gateway.json("POST", RESCHEDULE, &gateway.alice(), &body).await;
    let job = json!({
        "InputData": "[ Executable = \"a\" ]", "Site": "ANY", "UserPriority": 3,
        "RescheduleTime": "1970-01-01T00:00:00Z", "RescheduleCounter": 2, "Status": "Received",
        "MinorStatus": "Job Rescheduled", "ApplicationStatus": "Unknown", "HeartBeatTime": null,
        "StartExecTime": null, "EndExecTime": null, "LastUpdateTime": "1970-01-01T00:00:00Z",
    });
    let failed = json!({
        "91": { "detail": "Job 91 was rescheduled too often" },
        "99": { "detail": "Not found" },
    });
    let expected = json!({ "failed": failed, "success": { "7": job, "8": job } });
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn when_no_job_is_rescheduled_the_call_failed_and_says_why_for_each() {
    let gateway = rescheduling().await;
    let answer = gateway.json("POST", RESCHEDULE, &gateway.alice(), &json!({ "job_ids": [99, 91] })).await;
    let failed = json!({
        "91": { "detail": "Job 91 was rescheduled too often" },
        "99": { "detail": "Not found" },
    });
    let expected = json!({ "detail": { "failed": failed, "success": {} } });
    assert_eq!((answer.status, answer.json()), (400, expected));
}

#[tokio::test]
async fn whoever_may_not_count_from_zero_again_is_refused() {
    let gateway = rescheduling().await;
    let body = json!({ "job_ids": [7] });
    for (query, status) in [("", 200), ("?reset_jobs=false", 200), ("?reset_jobs=true", 403)] {
        let answer = gateway.json("POST", &format!("{RESCHEDULE}{query}"), &gateway.alice(), &body).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    let refused = gateway.json("POST", &format!("{RESCHEDULE}?reset_jobs=1"), &gateway.alice(), &body).await;
    assert_eq!((refused.status, refused.json()), (403, json!({ "detail": "Forbidden" })));
    let unclear =
        gateway.json("POST", &format!("{RESCHEDULE}?reset_jobs=maybe"), &gateway.alice(), &body).await;
    assert_eq!((unclear.status, &unclear.json()["detail"][0]["loc"]), (422, &json!(["query", "reset_jobs"])));
    let missing = gateway.json("POST", RESCHEDULE, "", &body).await;
    assert_eq!((missing.status, missing.header("www-authenticate")), (401, Some("Bearer")));
}
