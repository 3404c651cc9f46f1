//! Programs that really run.

use std::time::Instant;

use super::*;
use crate::executor::scratch::ScratchSpace;

fn payload(executable: &str, arguments: &str) -> Payload {
    Payload {
        executable: executable.to_owned(),
        arguments: arguments.to_owned(),
        std_output: Some("std.out".to_owned()),
        std_error: Some("std.err".to_owned()),
        input_sandbox: Vec::new(),
        output_sandbox: Vec::new(),
    }
}

/// Runs a payload after `prepare` saw its directory.
async fn outcome_in(payload: &Payload, prepare: impl FnOnce(&Path)) -> Outcome {
    let root = tempfile::tempdir().unwrap();
    let scratch = ScratchSpace::open(root.path()).unwrap().create(JobId(1)).unwrap();
    prepare(scratch.path());
    let (_stop, stopped) = watch::channel(false);
    run(JobId(1), payload, &scratch, stopped).await
}

#[track_caller]
fn check(outcome: &Outcome, code: Option<i32>, summary: &str) {
    assert_eq!(*outcome, Outcome::Exited { code, summary: summary.to_owned() });
}

async fn outcome(executable: &str, arguments: &str) -> Outcome {
    outcome_in(&payload(executable, arguments), |_| {}).await
}

#[tokio::test]
async fn code_and_last_line_are_reported() {
    check(&outcome("/bin/echo", "hello 'big  world'").await, Some(0), "Exited 0: hello big  world");
    check(&outcome("echo", "found in the path").await, Some(0), "Exited 0: found in the path");
    check(&outcome("true", "").await, Some(0), "Exited 0");
    check(&outcome("sh", "-c 'echo out; echo bad >&2; exit 3'").await, Some(3), "Exited 3: bad");
    check(&outcome("sh", "-c 'echo only out; exit 4'").await, Some(4), "Exited 4: only out");
    check(&outcome("sh", "-c 'printf \"a\\033[1mb\\n\\n\\n\"'").await, Some(0), "Exited 0: a [1mb");
    check(&outcome("sh", "-c 'kill -9 $$'").await, None, "Ended by signal 9");
}

#[tokio::test]
async fn a_program_in_the_directory_of_the_job_comes_first() {
    use std::os::unix::fs::PermissionsExt;
    let prepare = |directory: &Path| {
        let path = directory.join("echo");
        fs::write(&path, "#!/bin/sh\nprintf 'mine in %s, job %s\\n' \"${PWD##*/}\" \"$JOBID\"\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    check(&outcome_in(&payload("echo", "x"), prepare).await, Some(0), "Exited 0: mine in 1, job 1");
}

#[tokio::test]
async fn the_environment_holds_nothing_of_ours() {
    // Set for every test process by cargo, as passwords are for a server.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    check(&outcome("sh", "-c 'echo \"[$CARGO_MANIFEST_DIR]\"'").await, Some(0), "Exited 0: []");
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    async fn problem(payload: &Payload) -> String {
        match outcome_in(payload, |_| {}).await {
            Outcome::Failed(problem) => problem,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(problem(&payload("/no/such", "")).await, "Executable /no/such not found");
    assert_eq!(problem(&payload("no-such-program", "")).await, "Executable no-such-program not found");
    assert_eq!(problem(&payload("echo", "'open")).await, "the Arguments have a quote that is not closed");
    let outside = Payload { std_output: Some("../x".to_owned()), ..payload("echo", "") };
    assert_eq!(problem(&outside).await, "../x is no file name for the output of a job");
    let wants_input = Payload { input_sandbox: vec!["data.txt".to_owned()], ..payload("echo", "") };
    assert_eq!(
        problem(&wants_input).await,
        "The job wants data.txt, which was not uploaded when it was submitted"
    );
}

#[tokio::test]
async fn both_outputs_may_be_one_file() {
    let both = Payload {
        std_error: Some("std.out".to_owned()),
        ..payload("sh", "-c 'echo one; echo two >&2; exit 1'")
    };
    check(&outcome_in(&both, |_| {}).await, Some(1), "Exited 1: two");
}

#[tokio::test]
async fn a_job_that_is_told_to_stop_goes_with_all_its_children() {
    let root = tempfile::tempdir().unwrap();
    let scratch = ScratchSpace::open(root.path()).unwrap().create(JobId(1)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let job = payload("sh", "-c 'sleep 300 & echo $! > child; sleep 300'");
    let child_file = scratch.path().join("child");
    let started = Instant::now();
    let stopping = async {
        let child = loop {
            match fs::read_to_string(&child_file) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        stop.send_replace(true);
        child
    };
    let (outcome, child) = tokio::join!(run(JobId(1), &job, &scratch, stopped), stopping);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(started.elapsed() < GRACE, "it ended when asked, without being forced");
    while is_running(&child) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_that_does_not_listen_is_ended_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let scratch = ScratchSpace::open(root.path()).unwrap().create(JobId(1)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let job = payload("sh", "-c 'trap \"\" TERM; echo > ready; while :; do sleep 1; done'");
    let ready = scratch.path().join("ready");
    let stopping = async {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send_replace(true);
    };
    let (outcome, ()) = tokio::join!(run(JobId(1), &job, &scratch, stopped), stopping);
    assert_eq!(outcome, Outcome::Stopped);
}

/// Whether the process is there and not just waiting to be reaped by its parent.
fn is_running(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
