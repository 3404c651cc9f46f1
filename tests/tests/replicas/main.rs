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

use diracx_proto::jobs::v1::{RemoveJobsRequest, jobs_service_client::JobsServiceClient};
use diracx_tests::mesh::{Form, Mesh, Store};
use tonic::{Request, transport::Endpoint};

use crate::{
    checker::{Job, check},
    client::{Client, Jobs, Told},
};

const CLIENTS: usize = 64;
/// How many requests each client makes.
const REQUESTS: usize = 16;
/// Jobs that everybody changes.
const SHARED: usize = 24;
/// Jobs that everybody sends back to the beginning.
const RESTLESS: usize = 6;
/// Jobs that everybody removes.
const DOOMED: usize = 8;
/// How often that may be done in their VO.
const MOST_RESCHEDULINGS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_and_64_clients_lose_nothing_on_mariadb() {
    let mut mesh = Mesh::start(Form::Standalone, Store::MariaDb).await.expect("a mesh");
    let replica = mesh.replica().await.expect("a replica");
    let bases = [mesh.base.clone(), replica];
    let mut told = Told::default();
    while told.jobs.len() < SHARED + RESTLESS + DOOMED {
        Client::new(CLIENTS, &bases[0], &mesh.tokens["normal_user"], &Jobs::default())
            .submit(20, &mut told)
            .await;
    }
    let mut first = told.jobs.iter().copied();
    let jobs = Jobs {
        shared: Arc::new(first.by_ref().take(SHARED).collect()),
        restless: Arc::new(first.by_ref().take(RESTLESS).collect()),
        doomed: Arc::new(first.take(DOOMED).collect()),
    };
    let restless = Arc::clone(&jobs.restless);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = {
                let token = &mesh.tokens["normal_user"];
                Client::new(number, &bases[number % 2], token, &jobs)
            };
            tokio::spawn(client.work(REQUESTS))
        })
        .collect();
    for client in clients {
        told.add(client.await.expect("a client that does not panic"));
    }
    remove(&mesh, &jobs.doomed).await;
    told.jobs.retain(|job| !jobs.doomed.contains(job));
    assert!(told.calls.len() > 4, "too few calls were repeated");
    told.jobs.extend(told.calls.values().flatten());
    let Told { refusals, jobs: told_jobs, updates, .. } = &told;
    assert!(
        refusals.is_empty(),
        "{} refusals, such as {:#?}",
        refusals.len(),
        &refusals[..refusals.len().min(3)]
    );

    let doomed = jobs.doomed;
    let jobs = read(&mesh).await;
    assert_eq!(
        &jobs.keys().copied().collect::<BTreeSet<_>>(),
        told_jobs,
        "the jobs are those that clients know of"
    );
    let of_others = |id: &i64| !restless.contains(id);
    let mut problems: Vec<_> = jobs
        .iter()
        .filter(|(id, _)| of_others(id))
        .flat_map(|(id, job)| check(*id, job, updates.get(id)))
        .collect();
    problems.extend(what_was_set_and_is_not(&mesh, &told).await);
    problems.extend(what_is_left(&mesh, &doomed).await);
    problems.extend(what_did_not_begin_anew(&mesh, &told, &restless).await);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    let records: usize = jobs.values().map(|job| job.records.len()).sum();
    println!("{} jobs, {records} records", jobs.len());
    let moved = jobs.values().filter(|job| job.row.status != "Received").count();
    assert!(
        moved * 2 > SHARED && records > jobs.len() + CLIENTS * 10,
        "too little happened: {moved} moved, {records} records"
    );
}

/// An administrator removes jobs, those that are gone already as well.
async fn remove(mesh: &Mesh, jobs: &[i64]) {
    let channel = Endpoint::from_shared(mesh.base.clone()).expect("a URI").connect_lazy();
    let mut request = Request::new(RemoveJobsRequest { job_ids: jobs.to_vec() });
    let token = format!("Bearer {}", mesh.tokens["admin"]);
    request.metadata_mut().insert("authorization", token.parse().expect("a token"));
    JobsServiceClient::new(channel).remove_jobs(request).await.expect("a removal");
}

/// What there still is of jobs that are gone, and sandboxes that are kept for no job or not kept for one.
async fn what_is_left(mesh: &Mesh, gone: &[i64]) -> Vec<String> {
    let ids = gone.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let mut problems = Vec::new();
    let tables = [("JobDB", "JobJDLs"), ("JobDB", "JobCommands"), ("JobDB", "JobParameterValues")];
    for (database, table) in tables.into_iter().chain([("JobLoggingDB", "LoggingInfo")]) {
        let query = format!("SELECT CONCAT('{table} ', JobID) AS text FROM {table} WHERE JobID IN ({ids})");
        problems.extend(mesh.database.texts(database, &query).await.expect("rows"));
    }
    let entities = gone.iter().map(|job| format!("'Job:{job}'")).collect::<Vec<_>>().join(", ");
    let mapped = format!(
        "SELECT CONCAT('sandbox of ', EntityId) AS text FROM sb_EntityMapping WHERE EntityId IN ({entities})"
    );
    let wrong = "SELECT CONCAT('sandbox ', SBId, ' says of being assigned: ', Assigned) AS text FROM sb_SandBoxes \
                 WHERE Assigned <> EXISTS (SELECT 1 FROM sb_EntityMapping WHERE sb_EntityMapping.SBId = sb_SandBoxes.SBId)";
    for query in [mapped.as_str(), wrong] {
        problems.extend(mesh.database.texts("SandboxMetadataDB", query).await.expect("sandboxes"));
    }
    problems
}

/// Parameters and sites that clients were told to be kept, against those that are.
async fn what_was_set_and_is_not(mesh: &Mesh, told: &Told) -> Vec<String> {
    let pairs = "SELECT CONCAT_WS('|', JobID, Name, Value) AS text FROM JobParameterValues";
    let kept: BTreeSet<_> =
        mesh.database.texts("JobDB", pairs).await.expect("parameters").into_iter().collect();
    let set: BTreeSet<_> = told
        .parameters
        .iter()
        .flat_map(|(job, names)| names.iter().map(move |name| format!("{job}|{name}|\"{name}\"")))
        .collect();
    assert!(set.len() > CLIENTS, "too little was set: {}", set.len());
    let mut problems: Vec<_> =
        kept.symmetric_difference(&set).map(|pair| format!("parameter {pair}")).collect();
    let sites = "SELECT CONCAT_WS('|', JobID, Site) AS text FROM Jobs WHERE Site <> 'ANY'";
    for line in mesh.database.texts("JobDB", sites).await.expect("sites") {
        let (job, site) = line.split_once('|').expect("a site");
        let given = told.sites.get(&job.parse().expect("a number"));
        if !given.is_some_and(|given| given.contains(site)) {
            problems.push(format!("job {job} is at {site}, and nobody said so"));
        }
    }
    problems
}

/// Each job began anew as often as clients were told, and failed if somebody was told that it was too often.
async fn what_did_not_begin_anew(mesh: &Mesh, told: &Told, restless: &[i64]) -> Vec<String> {
    let ids = restless.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let query = format!(
        "SELECT CONCAT_WS('|', JobID, RescheduleCounter, Status, HeartBeatTime IS NOT NULL) AS text FROM Jobs \
         WHERE JobID IN ({ids})"
    );
    let rows: BTreeSet<_> = mesh.database.texts("JobDB", &query).await.expect("jobs").into_iter().collect();
    let expected: BTreeSet<_> = restless
        .iter()
        .map(|job| {
            let [again, too_often] = told.reschedulings.get(job).copied().unwrap_or_default();
            let status = if too_often > 0 { "Failed" } else { "Received" };
            assert!(
                too_often == 0 || again == MOST_RESCHEDULINGS,
                "job {job}: {again} times, {too_often} refused"
            );
            format!("{job}|{again}|{status}|{}", u8::from(told.alive.contains(job)))
        })
        .collect();
    rows.symmetric_difference(&expected).map(|line| format!("restless job {line}")).collect()
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
