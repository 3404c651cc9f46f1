//! No input makes a 5xx, a hang or a crash: every REST operation that DiracX describes and every rpc of the contract,
//! with everything that can be wrong with each of its fields.
//!
//! What is tried follows from the descriptions alone, so a route or an rpc is tried from the day it is served.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod messages;
mod rest;
mod rpcs;
mod wrong;

use diracx_tests::mesh::{Form, Mesh, Process, Store};
use serde_json::json;

/// What DiracX serves and we do not, yet.
const NOT_SERVED: &[&str] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn no_rest_request_makes_the_server_fail() {
    let mut mesh = started(Form::Standalone, Store::Sqlite).await;
    let not_served = rest::try_everything(&mut mesh, 1).await;
    assert_eq!(not_served, NOT_SERVED, "what is served now belongs out of NOT_SERVED, here in main.rs");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rest_request_makes_the_server_fail_on_mariadb() {
    rest::try_everything(&mut started(Form::Processes, Store::MariaDb).await, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rpc_makes_the_server_fail() {
    rpcs::try_everything(&mut started(Form::Standalone, Store::Sqlite).await, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rpc_makes_the_server_fail_on_mariadb() {
    rpcs::try_everything(&mut started(Form::Processes, Store::MariaDb).await, 15).await;
}

/// A mesh in which the user has the jobs 1 to 5.
async fn started(form: Form, store: Store) -> Mesh {
    let mesh = Mesh::start(form, store).await.expect("a mesh");
    let jobs = json!(vec!["Executable = \"/bin/true\";"; 5]).to_string();
    let answer = mesh.request("normal_user", "POST", "/api/jobs/jdl", Some(jobs)).await.expect("an answer");
    assert_eq!(answer.json().expect("jobs")[0]["JobID"], 1, "{}", answer.text);
    mesh
}

/// All processes live, and serve.
async fn must_be_well(mesh: &mut Mesh) {
    mesh.processes.iter_mut().try_for_each(Process::must_live).expect("living processes");
    for (method, path, body) in [
        ("GET", "/api/health/ready", None),
        ("GET", "/api/auth/userinfo", None),
        ("POST", "/api/jobs/search", Some("{}".to_owned())),
    ] {
        let answer = mesh.request("normal_user", method, path, body).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
    }
    let complaints = mesh.complaints();
    let panic = complaints.lines().find(|line| line.contains("panicked"));
    assert!(panic.is_none(), "{panic:?}");
}
