//! Who watches jobs misses nothing: not when every process is killed, and not in a browser.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use diracx_core::{Clock as _, SystemClock};
use diracx_proto::jobs::v1::{JobStatus, WatchJobsRequest, jobs_service_client::JobsServiceClient};
use diracx_tests::{mesh::Mesh, on_both_forms, on_every_mesh};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tonic::Request;
use tonic_web::GrpcWebClientLayer;
use tower::ServiceBuilder;

on_every_mesh! {
    async fn dirac_jobs_wait_outlives_the_death_of_every_process(mesh: Mesh) {
        let jobs = submit(&mesh, 3).await;
        let ids = jobs.iter().map(i64::to_string).collect::<Vec<_>>();
        let mut arguments = vec!["jobs", "wait", "--timeout", "50s"];
        arguments.extend(ids.iter().map(String::as_str));
        let mut waiting = mesh.dirac_of("normal_user").expect("alice").begin(&arguments).expect("dirac");
        waiting.until(|line| line.contains("Waiting for 3 of 3 jobs").then_some(())).await.expect("it waits");

        end(&mesh, jobs[0]).await;
        mesh.kill().await.expect("something to kill");
        waiting.until(|line| line.contains("The server is away").then_some(())).await.expect("it notices");
        mesh.boot().await.expect("a mesh that comes back");
        // Ended before its stream is taken up again, perhaps, or after: it learns of it either way.
        end(&mesh, jobs[1]).await;
        waiting.until(|line| line.contains("The server is back").then_some(())).await.expect("it comes back");
        end(&mesh, jobs[2]).await;

        let run = waiting.end().await.expect("an end");
        let rows = run.json().expect("rows");
        let shown: Vec<_> = rows.as_array().into_iter().flatten().map(|row| (row["JobID"].as_i64(), row["Status"].clone())).collect();
        let expected: Vec<_> = jobs.iter().map(|job| (Some(*job), json!("Done"))).collect();
        assert_eq!(shown, expected, "{run:?}");
    }
}

on_both_forms! {
    async fn a_browser_sees_changes_while_its_stream_is_open(mesh: Mesh) {
        let jobs = submit(&mesh, 1).await;
        let http = Client::builder(TokioExecutor::new()).build_http();
        let web = ServiceBuilder::new().layer(GrpcWebClientLayer::new()).service(http);
        let mut client = JobsServiceClient::with_origin(web, mesh.base.parse().expect("a URI"));
        let mut request = Request::new(WatchJobsRequest { job_ids: jobs.clone(), until_final: true, ..Default::default() });
        let bearer = format!("Bearer {}", mesh.tokens["normal_user"]);
        request.metadata_mut().insert("authorization", bearer.parse().expect("a token"));
        let mut stream = client.watch_jobs(request).await.expect("a stream").into_inner();

        let first = stream.message().await.expect("a message").expect("the present");
        assert_eq!(first.events[0].status(), JobStatus::Received, "{first:?}");
        end(&mesh, jobs[0]).await;
        let mut last = JobStatus::Received;
        while let Some(message) = stream.message().await.expect("a message") {
            last = message.events.last().map_or(last, diracx_proto::jobs::v1::JobEvent::status);
        }
        assert_eq!(last, JobStatus::Done, "the stream ends with the job");
    }
}

async fn submit(mesh: &Mesh, count: usize) -> Vec<i64> {
    let jdls = json!(vec!["Executable = \"/bin/true\";"; count]);
    let answer = ask(mesh, "normal_user", "POST", "/api/jobs/jdl", &jdls).await;
    answer.as_array().into_iter().flatten().filter_map(|job| job["JobID"].as_i64()).collect()
}

/// A job ends well, whatever it did before.
async fn end(mesh: &Mesh, job: i64) {
    let now = SystemClock.now().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let body = json!({ job.to_string(): { now: {"Status": "Done", "Source": "Test"} } });
    ask(mesh, "admin", "PATCH", "/api/jobs/status?force=true", &body).await;
}

async fn ask(mesh: &Mesh, who: &str, method: &str, path: &str, body: &Value) -> Value {
    let answer = mesh.request(who, method, path, Some(body.to_string())).await.expect("an answer");
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
    answer.json().expect("JSON")
}
