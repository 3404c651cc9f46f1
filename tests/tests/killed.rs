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
