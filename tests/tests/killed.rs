//! SIGKILL in the middle of bulk submissions: what was acknowledged is there, and no job is there in part.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use diracx_tests::{
    http::send,
    mesh::{Database, Mesh},
    on_every_mesh,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// How many submissions run at once.
const WRITERS: usize = 4;
/// How many jobs are in one submission: the most that one call takes by default.
const BULK: usize = 20;
/// How many answers are awaited before each kill; odd numbers, so that it comes at ever different moments.
const KILL_AFTER: [u32; 5] = [1, 3, 7, 11, 19];

on_every_mesh! {
    async fn a_kill_during_bulk_submissions_loses_no_acknowledged_job_and_leaves_no_half_job(mesh: Mesh) {
        let mut acknowledged = BTreeSet::new();
        for answers in KILL_AFTER {
            let round = submit_and_kill(&mut mesh, answers).await;
            assert!(round.len() >= answers as usize * BULK, "too few acknowledged: {}", round.len());
            acknowledged.extend(round);
            check(&mesh.database, &acknowledged).await;
            mesh.boot().await.expect("a mesh that comes back");
        }
        let last = *acknowledged.last().expect("jobs");
        let answer = submit(&mesh.base, &mesh.tokens["normal_user"]).await.expect("a submission afterwards");
        assert!(answer.iter().all(|job| *job > last), "numbers are used twice: {answer:?} after {last}");
    }
}

on_every_mesh! {
    async fn a_kill_during_status_updates_loses_no_acknowledged_update_and_leaves_none_half(mesh: Mesh) {
        let jobs = submit(&mesh.base, &mesh.tokens["normal_user"]).await.expect("jobs");
        let mut acknowledged = vec![0; WRITERS];
        for answers in KILL_AFTER {
            update_and_kill(&mut mesh, &jobs[..WRITERS], &mut acknowledged, answers).await;
            check_updates(&mesh.database, &jobs[..WRITERS], &acknowledged).await;
            mesh.boot().await.expect("a mesh that comes back");
        }
    }
}

/// Updates jobs, each from a side of its own and with rising numbers, until the mesh is killed; `acknowledged` has for
/// each the last number that was.
async fn update_and_kill(mesh: &mut Mesh, jobs: &[i64], acknowledged: &mut [i64], answers: u32) {
    let counter = Arc::new(Semaphore::new(0));
    // One more than was ever sent: the last one of a job may have been done without an answer.
    let from = acknowledged.iter().max().map_or(1, |last| last + 2);
    let mut writers = Vec::new();
    for (job, before) in jobs.iter().copied().zip(acknowledged.iter().copied()) {
        let (counter, base) = (Arc::clone(&counter), mesh.base.clone());
        let token = mesh.tokens["normal_user"].clone();
        writers.push(tokio::spawn(async move {
            let mut last = before;
            for number in from.. {
                if update(&base, &token, job, number).await.is_err() {
                    break;
                }
                last = number;
                counter.add_permits(1);
            }
            last
        }));
    }
    let enough = tokio::time::timeout(Duration::from_mins(1), counter.acquire_many(answers)).await;
    drop(enough.expect("updates are not answered").expect("a counter"));
    mesh.kill().await.expect("something to kill");
    for (last, writer) in acknowledged.iter_mut().zip(writers) {
        *last = writer.await.expect("a writer that does not panic");
    }
}

async fn update(base: &str, token: &str, job: i64, number: i64) -> anyhow::Result<()> {
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {token}")),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    let now = diracx_core::Clock::now(&diracx_core::SystemClock).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let body = json!({ job.to_string(): { now: {"MinorStatus": number.to_string(), "Source": "Test"} } });
    let answer =
        send("PATCH", &format!("{base}/api/jobs/status"), &headers, Some(body.to_string().into_bytes()))
            .await?;
    anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text);
    Ok(())
}

/// What was acknowledged is recorded, once and in order, and the row of the job shows it or what came later: the last
/// record, or the one before, as records are committed first.
async fn check_updates(database: &Database, jobs: &[i64], acknowledged: &[i64]) {
    for (job, acknowledged) in jobs.iter().zip(acknowledged).filter(|(_, acknowledged)| **acknowledged > 0) {
        let row = format!("SELECT MinorStatus AS text FROM Jobs WHERE JobID = {job}");
        let records = format!(
            "SELECT MinorStatus AS text FROM LoggingInfo WHERE JobID = {job} AND SeqNum > 1 ORDER BY SeqNum"
        );
        let shown: i64 = database.texts("JobDB", &row).await.expect("a row")[0].parse().expect("a number");
        let recorded: Vec<i64> = database
            .texts("JobLoggingDB", &records)
            .await
            .expect("records")
            .iter()
            .map(|number| number.parse().expect("a number"))
            .collect();
        let about = format!(
            "job {job}: {acknowledged} was acknowledged, {shown} is shown, recorded are {recorded:?}"
        );
        assert!(recorded.is_sorted_by(|one, next| one < next), "not once and in order, {about}");
        assert!(recorded.contains(acknowledged) && shown >= *acknowledged, "lost, {about}");
        assert!(recorded.iter().rev().take(2).any(|number| *number == shown), "not the last one, {about}");
    }
}

/// Submits from several sides until the mesh is killed; returns what was acknowledged.
async fn submit_and_kill(mesh: &mut Mesh, answers: u32) -> BTreeSet<i64> {
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let counter = Arc::new(Semaphore::new(0));
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let (acknowledged, counter) = (Arc::clone(&acknowledged), Arc::clone(&counter));
        let (base, token) = (mesh.base.clone(), mesh.tokens["normal_user"].clone());
        writers.push(tokio::spawn(async move {
            while let Ok(jobs) = submit(&base, &token).await {
                acknowledged.lock().unwrap().extend(jobs);
                counter.add_permits(1);
            }
        }));
    }
    let enough = tokio::time::timeout(Duration::from_mins(1), counter.acquire_many(answers)).await;
    drop(enough.expect("submissions are not answered").expect("a counter"));
    mesh.kill().await.expect("something to kill");
    for writer in writers {
        writer.await.expect("a writer that does not panic");
    }
    let acknowledged = acknowledged.lock().unwrap();
    acknowledged.clone()
}

async fn submit(base: &str, token: &str) -> anyhow::Result<Vec<i64>> {
    let jdls: Vec<_> =
        (0..BULK).map(|n| json!(format!("Executable = \"/bin/true\"; JobName = \"n{n}\";"))).collect();
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {token}")),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    let body = Value::Array(jdls).to_string().into_bytes();
    let answer = send("POST", &format!("{base}/api/jobs/jdl"), &headers, Some(body)).await?;
    anyhow::ensure!(answer.status == 201, "{}: {}", answer.status, answer.text);
    let jobs = answer.json().unwrap_or_default();
    let ids: Vec<i64> =
        jobs.as_array().into_iter().flatten().filter_map(|job| job["JobID"].as_i64()).collect();
    anyhow::ensure!(ids.len() == BULK, "{} jobs for {BULK} descriptions", ids.len());
    Ok(ids)
}

/// Looks into the databases behind the back of the dead processes.
async fn check(database: &Database, acknowledged: &BTreeSet<i64>) {
    let ids = async |name: &str, table: &str| -> BTreeSet<i64> {
        let query = format!("SELECT DISTINCT JobID AS number FROM {table}");
        database.numbers(name, &query).await.expect("a readable database").into_iter().collect()
    };
    let jobs = ids("JobDB", "Jobs").await;
    let descriptions = ids("JobDB", "JobJDLs").await;
    let logged = ids("JobLoggingDB", "LoggingInfo").await;
    let lost: Vec<_> = acknowledged.difference(&jobs).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let half: Vec<_> = jobs.symmetric_difference(&descriptions).collect();
    assert!(half.is_empty(), "only one of job and description: {half:?}");
    let silent: Vec<_> = jobs.difference(&logged).collect();
    assert!(silent.is_empty(), "jobs without a record of their submission: {silent:?}");
}
