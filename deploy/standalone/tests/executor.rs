//! The local executor, from a submission over the network to the last status.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, sync::Arc, time::Duration};

use diracx_client::{AnyChannel, Caller, ServerAddress};
use diracx_core::{Clock, JobStatus, SystemClock};
use diracx_proto::{
    common::v1::{
        Filter, ScalarCondition, ScalarOperator, SearchSpec, SearchValue, cell, filter, search_value,
    },
    jobs::v1::{
        self as pb, JobStatusUpdates, SearchJobsRequest, SetJobStatusesRequest, StatusRecord,
        SubmitJobsRequest, jobs_service_client::JobsServiceClient,
    },
    time::timestamp,
};
use diracx_server::{
    KeyStore, TokenMinter,
    settings::Environment,
    telemetry::Metrics,
    token::{AccessClaims, DEFAULT_ALGORITHMS, new_token_id},
};
use diracx_standalone::{Given, RunningStandalone, Standalone};
use tempfile::TempDir;

async fn start(data: &Path) -> RunningStandalone {
    let arguments = [
        "diracx-standalone",
        "--listen",
        "127.0.0.1:0",
        "--local-executor",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let environment = Environment::from_variables([]).0;
    let given = Given { arguments: arguments.map(Into::into).to_vec(), environment };
    Standalone::start(&given, Metrics::default()).await.unwrap()
}

/// Alice's view of the jobs service.
struct Alice(JobsServiceClient<AnyChannel>);

impl Alice {
    fn of(running: &RunningStandalone, data: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = Arc::new(KeyStore::read(&data.join("keystore.json")).unwrap());
        let now = clock.now();
        let minter = TokenMinter::new(keys, &running.url(), &DEFAULT_ALGORITHMS, clock).unwrap();
        let claims = AccessClaims {
            jti: new_token_id(now),
            exp: now.timestamp() + 600,
            dirac_policies: serde_json::Map::new(),
            sub: "dev:alice".to_owned(),
            vo: "dev".to_owned(),
            iss: running.url(),
            dirac_properties: vec!["NormalUser".to_owned()],
            preferred_username: "alice".to_owned(),
            dirac_group: "user".to_owned(),
        };
        let token: Arc<str> = minter.mint(&claims).unwrap().into();
        let channel = running.url().parse::<ServerAddress>().unwrap().connect(None).unwrap();
        let caller = Caller::default().token(move || {
            let token = token.clone();
            async { Ok(Some(token)) }
        });
        Self(diracx_client::jobs(caller.on(channel)))
    }

    async fn submit(&mut self, jdls: &[&str]) -> Vec<i64> {
        let jdls = jdls.iter().map(|&jdl| jdl.to_owned()).collect();
        let request = SubmitJobsRequest { jdls, ..SubmitJobsRequest::default() };
        let answer = self.0.submit_jobs(request).await.unwrap().into_inner();
        answer.jobs.iter().map(|job| job.job_id).collect()
    }

    /// Status and application status.
    async fn state(&mut self, job: i64) -> (JobStatus, String) {
        let value = SearchValue { value: Some(search_value::Value::IntValue(job)) };
        let condition = ScalarCondition { operator: ScalarOperator::Eq.into(), value: Some(value) };
        let filter =
            Filter { parameter: "JobID".to_owned(), condition: Some(filter::Condition::Scalar(condition)) };
        let request = SearchJobsRequest {
            search: Some(SearchSpec { filters: vec![filter] }),
            read_mask: vec!["Status".to_owned(), "ApplicationStatus".to_owned()],
            ..SearchJobsRequest::default()
        };
        let table = self.0.search_jobs(request).await.unwrap().into_inner().table.unwrap();
        let texts: Vec<String> = table.rows[0]
            .cells
            .iter()
            .map(|cell| match &cell.kind {
                Some(cell::Kind::StringValue(text)) => text.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        (texts[0].parse().unwrap(), texts[1].clone())
    }

    async fn until(&mut self, job: i64, wanted: impl Fn(JobStatus) -> bool) -> (JobStatus, String) {
        let waited = async {
            loop {
                let state = self.state(job).await;
                if wanted(state.0) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap()
    }

    async fn kill(&mut self, job: i64) {
        let record = StatusRecord {
            time: Some(timestamp(SystemClock.now())),
            status: Some(pb::JobStatus::Killed.into()),
            source: "alice".to_owned(),
            ..StatusRecord::default()
        };
        let updates = vec![JobStatusUpdates { job_id: job, records: vec![record] }];
        self.0.set_job_statuses(SetJobStatusesRequest { updates, force: false }).await.unwrap();
    }
}

/// A job that notes its process in a file and then lasts.
fn lasting(note: &Path) -> String {
    format!("Executable = \"/bin/sh\"; Arguments = \"-c 'echo $$ > {}; sleep 300; true'\";", note.display())
}

async fn process_noted_in(note: &Path) -> String {
    loop {
        match std::fs::read_to_string(note) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn is_gone(process: &str) {
    let running = || {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    let waited = async {
        while running() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_really_run_and_their_last_words_are_kept() {
    let data = TempDir::new().unwrap();
    let running = start(data.path()).await;
    let mut alice = Alice::of(&running, data.path());
    let jobs = alice
        .submit(&[
            "Executable = \"/bin/echo\"; Arguments = \"hello\"; StdOutput = \"std.out\";",
            "Executable = \"/bin/sh\"; Arguments = \"-c 'echo broken >&2; exit 7'\";",
            "Executable = \"no-such-program\";",
        ])
        .await;
    let expected = [
        (JobStatus::Done, "Exited 0: hello"),
        (JobStatus::Failed, "Exited 7: broken"),
        (JobStatus::Failed, "Executable no-such-program not found"),
    ];
    for (job, (status, application)) in jobs.into_iter().zip(expected) {
        assert_eq!(alice.until(job, JobStatus::is_final).await, (status, application.to_owned()));
    }
    running.stop().await.unwrap();
    let left = std::fs::read_dir(data.path().join("executor")).unwrap().count();
    assert_eq!(left, 0, "scratch directories are removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_jobs_of_a_parametric_description_run() {
    let data = TempDir::new().unwrap();
    let running = start(data.path()).await;
    let mut alice = Alice::of(&running, data.path());
    let jdl = "Executable = \"/bin/echo\"; Arguments = \"%s\"; Parameters = {\"one\", \"two\", \"three\"};";
    let jobs = alice.submit(&[jdl]).await;
    assert_eq!(jobs.len(), 3);
    for (job, word) in jobs.into_iter().zip(["one", "two", "three"]) {
        let ended = alice.until(job, JobStatus::is_final).await;
        assert_eq!(ended, (JobStatus::Done, format!("Exited 0: {word}")));
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_a_job_ends_its_processes_and_it_stays_killed() {
    let data = TempDir::new().unwrap();
    let running = start(data.path()).await;
    let mut alice = Alice::of(&running, data.path());
    let note = data.path().join("note");
    let job = alice.submit(&[&lasting(&note)]).await[0];
    let process = process_noted_in(&note).await;
    alice.until(job, |status| status == JobStatus::Running).await;
    alice.kill(job).await;
    is_gone(&process).await;
    running.stop().await.unwrap();

    let running = start(data.path()).await;
    assert_eq!(Alice::of(&running, data.path()).state(job).await.0, JobStatus::Killed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_when_the_process_ends_is_failed_and_says_so() {
    let data = TempDir::new().unwrap();
    let running = start(data.path()).await;
    let mut alice = Alice::of(&running, data.path());
    let note = data.path().join("note");
    let job = alice.submit(&[&lasting(&note)]).await[0];
    let process = process_noted_in(&note).await;
    alice.until(job, |status| status == JobStatus::Running).await;
    running.stop().await.unwrap();
    is_gone(&process).await;

    let running = start(data.path()).await;
    let (status, application) = Alice::of(&running, data.path()).state(job).await;
    assert_eq!(status, JobStatus::Failed);
    assert!(application.starts_with("Interrupted: "), "{application}");
}
