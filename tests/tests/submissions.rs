//! A submission that is repeated under its name makes nothing twice, whatever the installation allows by then; and one
//! small message does not make many large jobs.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use diracx_proto::jobs::v1::{StreamSubmitJobsRequest, jobs_service_client::JobsServiceClient};
use diracx_tests::{
    mesh::{Form, Mesh, Process, Store},
    on_every_mesh,
};
use serde_json::Value;
use tonic::{Code, Request, transport::Channel};

/// How many jobs one call may make.
const LIMIT: &str = "DIRACX_SERVICE_JOBS_MAX_JOBS_PER_SUBMISSION";

on_every_mesh! {
    async fn dirac_jobs_submit_goes_on_with_a_submission_whatever_is_allowed_by_now(mesh: Mesh) {
        let series = file(&mesh, "series.jdl", "Executable = \"x\"; Parameters = 30;");
        let one = file(&mesh, "one.jdl", "Executable = \"x\";");
        let large = file(&mesh, "large.jdl", &format!("Executable = \"x\"; Arguments = \"{}\";", "y".repeat(700_000)));
        let submissions: [(&str, &[&str]); 3] = [
            ("as-a-stream", &[&series]),
            ("in-batches", &["--count", "2", &large]),
            ("as-a-call", &["--count", "10", &one]),
        ];
        let mut made = Vec::new();
        for (name, arguments) in submissions {
            if name == "in-batches" {
                // It is too much for a call, and for one batch of a stream.
                restart(&mut mesh, "1").await;
            }
            if name == "as-a-call" {
                restart(&mut mesh, "20").await;
            }
            made.push(submit(&mesh, name, arguments).await);
        }
        assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [30, 2, 10]);
        for limit in ["1", "1000"] {
            restart(&mut mesh, limit).await;
            for ((name, arguments), made) in submissions.iter().zip(&made) {
                assert_eq!(submit(&mesh, name, arguments).await, *made, "{name} with {limit} at once");
            }
        }
        let found = mesh.request("normal_user", "POST", "/api/jobs/search?per_page=1000", Some("{}".to_owned())).await;
        let all = found.expect("an answer").json().expect("rows");
        assert_eq!(all.as_array().map(Vec::len), Some(42));
    }
}

fn file(mesh: &Mesh, name: &str, text: &str) -> String {
    let path = mesh.scratch(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

async fn restart(mesh: &mut Mesh, limit: &str) {
    mesh.kill().await.expect("something to kill");
    mesh.set(LIMIT, limit);
    mesh.boot().await.expect("a mesh that comes back");
}

/// The numbers of the jobs that `dirac jobs submit` tells.
async fn submit(mesh: &Mesh, name: &str, arguments: &[&str]) -> Vec<i64> {
    let dirac = mesh.dirac_of("normal_user").expect("alice");
    let command = [&["--output", "json", "jobs", "submit", "--request-id", name], arguments].concat();
    let jobs = dirac.run(&command).await.expect("dirac").json().expect("jobs");
    jobs.as_array()
        .into_iter()
        .flatten()
        .map(|job| job["JobID"].as_i64().expect("a number"))
        .collect::<Vec<_>>()
}

/// How much memory a process may need for one submission.
const MOST_BYTES: u64 = 400 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_small_message_does_not_fill_the_memory() {
    let mut mesh = Mesh::start(Form::Processes, Store::Sqlite).await.expect("a mesh");
    let channel = Channel::from_shared(mesh.base.clone()).expect("a URI").connect().await.expect("a server");
    let mut client = JobsServiceClient::new(channel);
    let options: String = (0..2_000).map(|i| format!("a{i}=%n;")).collect();
    for jdl in [
        format!("Executable = \"x\"; Parameters = 10000; Arguments = \"{}\";", "y".repeat(1_000_000)),
        format!("Executable = \"x\"; Parameters = 10000; Arguments = \"%n {}\";", "y".repeat(100_000)),
        format!("Executable = \"x\"; Parameters = 10000; {options}"),
    ] {
        let message = StreamSubmitJobsRequest { request_id: "s-1".to_owned(), jdls: vec![jdl] };
        let mut request = Request::new(futures::stream::iter([message]));
        let bearer = format!("Bearer {}", mesh.tokens["normal_user"]);
        request.metadata_mut().insert("authorization", bearer.parse().expect("a token"));
        request.set_timeout(Duration::from_mins(3));
        let refused = client.stream_submit_jobs(request).await.expect_err("too much");
        // A machine that is busy with other things may give a batch up before it has seen that it is too much.
        assert!(matches!(refused.code(), Code::InvalidArgument | Code::DeadlineExceeded), "{refused}");
    }
    mesh.processes.iter_mut().try_for_each(Process::must_live).expect("living processes");
    for process in &mesh.processes {
        let peak = process.peak_bytes().expect("a living process");
        assert!(peak < MOST_BYTES, "{} had {} MiB", process.name, peak >> 20);
    }
    let found = mesh.request("normal_user", "POST", "/api/jobs/search", Some("{}".to_owned())).await;
    assert_eq!(found.expect("an answer").json(), Some(Value::Array(Vec::new())));
}
