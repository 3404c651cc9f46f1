//! What a person does with `dirac`: log in, submit, wait, look.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use diracx_tests::{
    dirac::Dirac,
    mesh::{Laptop, program},
    on_both_forms,
};
use serde_json::Value;

/// How long a small job may take from its submission to its end.
const JOB_PATIENCE: Duration = Duration::from_mins(1);

/// The exit codes that `dirac --help` promises.
const SUCCESS: i32 = 0;
const REFUSED: i32 = 1;
const USAGE: i32 = 2;
const NOT_LOGGED_IN: i32 = 3;
const UNREACHABLE: i32 = 4;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_logs_in_submits_and_sees_the_job_done() {
    let laptop = Laptop::start(&["--local-executor"]).await.expect("a laptop");
    let alice = laptop.dirac("alice");
    alice.log_in(&["dev"], "login_hint=alice").await.expect("a log-in");

    let job = submit(&alice, &format!("{EXAMPLES}/hello.jdl")).await;
    let row = wait_until_final(&alice, job).await;

    assert_eq!(row["Status"], "Done", "{row}\n{}", laptop.standalone.log());
    assert_eq!(row["Owner"], "alice", "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_program_fails_is_failed_and_says_why() {
    let laptop = Laptop::start(&["--local-executor"]).await.expect("a laptop");
    let alice = laptop.dirac("alice");
    alice.log_in(&["dev"], "login_hint=alice").await.expect("a log-in");

    let job = submit(&alice, &format!("{EXAMPLES}/fails.jdl")).await;
    let row = wait_until_final(&alice, job).await;

    assert_eq!(row["Status"], "Failed", "{row}\n{}", laptop.standalone.log());
    let told = format!("{} {}", row["MinorStatus"], row["ApplicationStatus"]);
    assert!(
        told.contains('2') && told.to_lowercase().contains("no such file"),
        "neither exit code nor output: {row}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_executed_unless_asked_for() {
    let laptop = Laptop::start(&[]).await.expect("a laptop");
    let alice = laptop.dirac("alice");
    alice.log_in(&["dev"], "login_hint=alice").await.expect("a log-in");
    let job = submit(&alice, &format!("{EXAMPLES}/hello.jdl")).await;
    // Where jobs are executed they are taken within a second; there is nothing else to wait for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(search(&alice, job).await["Status"], "Received");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standalone_refuses_to_execute_jobs_of_strangers() {
    let directory = tempfile::TempDir::new().unwrap();
    let data = directory.path().join("data").display().to_string();
    let mut command = tokio::process::Command::new(program("diracx-standalone").unwrap());
    command.args(["--data-dir", &data, "--listen", "0.0.0.0:0", "--local-executor"]).kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = ended.expect("it started all the same").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("--local-executor") && said.contains("listen on 127.0.0.1"), "{said}");
}

on_both_forms! {
    async fn somebody_of_a_real_identity_provider_logs_in_works_and_logs_out(mesh: Mesh) {
        let alice = mesh.dirac();
        alice.log_in(&["alpha"], "sub=11111111-aaaa-4aaa-8aaa-000000000001").await.expect("a log-in");
        let who = alice.run(&["--output", "json", "whoami"]).await.unwrap().json().expect("somebody");
        assert_eq!((&who["preferred_username"], &who["dirac_group"]), (&"alice".into(), &"alpha_user".into()), "{who}");
        let job = submit(&alice, &format!("{EXAMPLES}/hello.jdl")).await;
        assert_eq!(search(&alice, job).await["Owner"], "alice");
        let config = alice.run(&["--output", "json", "config", "dump"]).await.unwrap().json().expect("a configuration");
        assert!(config["Registry"]["beta"].is_object(), "{config}");
        assert_eq!(alice.run(&["logout"]).await.unwrap().code, 0);
        assert_ne!(alice.run(&["whoami"]).await.unwrap().code, 0);
    }
}

#[tokio::test]
async fn exit_codes_tell_scripts_what_went_wrong() {
    let nowhere = Dirac::new("http://127.0.0.1:1", "/nowhere/credentials.json".into());
    for (arguments, code) in [
        (&["--version"][..], SUCCESS),
        (&["--help"], SUCCESS),
        (&["jobs", "search", "--no-such-option"], USAGE),
        (&["jobs", "search", "--condition", "nonsense"], USAGE),
        (&["no-such-command"], USAGE),
        (&["whoami"], UNREACHABLE),
        (&["jobs", "search"], UNREACHABLE),
        (&["login", "dev"], UNREACHABLE),
    ] {
        expect_code(&nowhere, arguments, code).await;
    }
}

on_both_forms! {
    async fn exit_codes_tell_refusals_from_outages(mesh: Mesh) {
        let alice = mesh.dirac();
        for arguments in [&["whoami"][..], &["jobs", "search"], &["config", "dump"]] {
            expect_code(&alice, arguments, NOT_LOGGED_IN).await;
        }
        alice.log_in(&["alpha"], "sub=11111111-aaaa-4aaa-8aaa-000000000001").await.expect("a log-in");
        let senseless = mesh.scratch("senseless.jdl");
        std::fs::write(&senseless, "[[[").unwrap();
        let senseless = senseless.display().to_string();
        expect_code(&alice, &["jobs", "submit", &senseless], REFUSED).await;
        expect_code(&alice, &["jobs", "search", "--parameter", "NoSuchColumn"], REFUSED).await;
        expect_code(&alice, &["login", "no-such-vo"], USAGE).await;
        mesh.kill().await.unwrap();
        expect_code(&alice, &["whoami"], UNREACHABLE).await;
    }
}

async fn expect_code(dirac: &Dirac, arguments: &[&str], code: i32) {
    let run = dirac.run(arguments).await.unwrap();
    assert_eq!(run.code, code, "dirac {arguments:?}: {run:?}");
    let complains = !run.stderr.trim().is_empty();
    assert_eq!(complains, code != SUCCESS, "dirac {arguments:?} explains failures and nothing else: {run:?}");
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}

async fn submit(dirac: &Dirac, file: &str) -> i64 {
    let run = dirac.run(&["--output", "json", "jobs", "submit", file]).await.unwrap();
    let jobs = run.json().expect("job numbers");
    jobs[0]["JobID"].as_i64().unwrap_or_else(|| panic!("no job number in {jobs}"))
}

async fn search(dirac: &Dirac, job: i64) -> Value {
    let condition = format!("JobID eq {job}");
    let run = dirac.run(&["--output", "json", "jobs", "search", "--condition", &condition]).await.unwrap();
    run.json().expect("rows")[0].clone()
}

async fn wait_until_final(dirac: &Dirac, job: i64) -> Value {
    let wait = async {
        loop {
            let row = search(dirac, job).await;
            if matches!(row["Status"].as_str(), Some("Done" | "Failed" | "Killed")) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(JOB_PATIENCE, wait).await.expect("a job that ends")
}
