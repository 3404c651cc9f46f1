//! Two replicas on one MariaDB, and 64 clients who get into each other's way: nobody is refused, and no update is lost.
//!
//! What the jobs should be afterwards follows from their records, by `checker.rs`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod checker;
mod client;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use diracx_tests::mesh::{Form, Mesh, Store};

use crate::{
    checker::{Job, check},
    client::{Client, Told},
};

const CLIENTS: usize = 64;
/// How many requests each client makes.
const REQUESTS: usize = 16;
/// Jobs that everybody changes.
const SHARED: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_and_64_clients_lose_nothing() {
    let mut mesh = Mesh::start(Form::Standalone, Store::MariaDb).await.expect("a mesh");
    let replica = mesh.replica().await.expect("a replica");
    let bases = [mesh.base.clone(), replica];
    let mut told = Told::default();
    while told.jobs.len() < SHARED {
        Client::new(CLIENTS, &bases[0], &mesh.tokens["normal_user"], &Arc::default())
            .submit(20, &mut told)
            .await;
    }
    let shared: Arc<Vec<i64>> = Arc::new(told.jobs.iter().copied().take(SHARED).collect());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(number, &bases[number % 2], &mesh.tokens["normal_user"], &shared);
            tokio::spawn(client.work(REQUESTS))
        })
        .collect();
    for client in clients {
        told.add(client.await.expect("a client that does not panic"));
    }
    let Told { refusals, jobs: told_jobs, updates } = &told;
    assert!(
        refusals.is_empty(),
        "{} refusals, such as {:#?}",
        refusals.len(),
        &refusals[..refusals.len().min(3)]
    );

    let jobs = read(&mesh).await;
    assert_eq!(
        &jobs.keys().copied().collect::<BTreeSet<_>>(),
        told_jobs,
        "the jobs are those that clients know of"
    );
    let problems: Vec<_> = jobs.iter().flat_map(|(id, job)| check(*id, job, updates.get(id))).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    let records: usize = jobs.values().map(|job| job.records.len()).sum();
    println!("{} jobs, {records} records", jobs.len());
    let moved = jobs.values().filter(|job| job.row.status != "Received").count();
    assert!(
        moved * 2 > SHARED && records > jobs.len() + CLIENTS * 10,
        "too little happened: {moved} moved, {records} records"
    );
}

/// The jobs as the database has them, with their records.
async fn read(mesh: &Mesh) -> BTreeMap<i64, Job> {
    let rows = mesh
        .database
        .texts(
            "JobDB",
            "SELECT CONCAT_WS('|', JobID, Status, MinorStatus, ApplicationStatus, IFNULL(HeartBeatTime, '-'), \
             (SELECT COUNT(*) FROM JobCommands WHERE JobCommands.JobID = Jobs.JobID)) AS text FROM Jobs",
        )
        .await
        .expect("jobs");
    let mut jobs: BTreeMap<i64, Job> = rows.iter().map(|row| Job::read(row)).collect();
    let records = mesh
        .database
        .texts(
            "JobLoggingDB",
            "SELECT CONCAT_WS('|', JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTimeOrder, StatusTime, \
             StatusSource) AS text FROM LoggingInfo ORDER BY JobID, SeqNum",
        )
        .await
        .expect("records");
    for record in records {
        let (id, rest) = record.split_once('|').expect("a record");
        let job = jobs.get_mut(&id.parse().expect("a number")).expect("records of jobs that are there");
        job.add_record(rest);
    }
    jobs
}
