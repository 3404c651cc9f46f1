//! Whatever breaks, who watches is told everything that happens, in its order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use diracx_core::{
    JobStatus::{self, Checking, Killed, Waiting},
    search::Filter,
};
use diracx_db::DbUrl;
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use futures::future::join_all;
use proptest::{
    prelude::any,
    test_runner::{Config, FileFailurePersistence, TestRunner},
};

use crate::{
    harness::{Jobs, record, update},
    watch::{Seen, of},
};

/// How many lives are tried.
const CASES: u32 = 6;
/// How many jobs they are of.
const JOBS: usize = 6;
/// How many write about them at once, and how often.
const WRITERS: u64 = 4;
const WRITES: usize = 16;

on_both_backends! {
    async fn whatever_breaks_every_change_is_seen_in_its_order(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        // On MariaDB there are two replicas, and everybody uses both.
        let other = match &jobs.databases.job_db {
            DbUrl::MySql(_) => jobs.replica().await,
            DbUrl::Sqlite(_) => jobs.clone(),
        };
        let replicas = [jobs, other];
        let handle = tokio::runtime::Handle::current();
        let config = Config {
            cases: CASES,
            max_shrink_iters: 0,
            failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("proptest-regressions"))),
            source_file: Some(file!()),
            ..Config::default()
        };
        let run = || TestRunner::new(config).run(&(any::<u64>(), any::<bool>()), |(seed, named)| {
            handle.block_on(every_change_is_seen(&replicas, seed, named));
            Ok(())
        });
        tokio::task::block_in_place(run).unwrap();
    }
}

/// Numbers as if by chance, the same for a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

/// Several write about the same jobs at once, on two replicas; somebody watches, on connections that break again and
/// again. In the end each job is killed or removed.
async fn every_change_is_seen(replicas: &[Jobs; 2], seed: u64, named: bool) {
    let group = format!("{seed:020}");
    let jdl = format!("Executable = \"x\"; JobGroup = \"{group}\";");
    let ids = replicas[0].submit("alice", &[jdl.as_str(); JOBS]).await.unwrap();
    let ask = if named {
        pb::WatchJobsRequest { until_final: true, ..of(&ids) }
    } else {
        let search = Some(vec![Filter::equals("JobGroup", group)].into());
        pb::WatchJobsRequest { search, ..Default::default() }
    };
    let mut stream = Seen::begin(&replicas[0], "alice", ask.clone()).await.unwrap().stream;
    let first = stream.message().await.unwrap().unwrap();
    let removed: BTreeSet<i64> = ids.iter().copied().filter(|id| (seed >> (id % 32)) & 1 == 0).collect();
    let writing = async {
        join_all((0..WRITERS).map(|writer| write(replicas, &ids, seed, writer))).await;
        // What a removed job was is known until then.
        let mut truth: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (id, replica) in ids.iter().zip(replicas.iter().cycle()) {
            if removed.contains(id) {
                truth.insert(*id, history(replica, *id).await);
                truth.get_mut(id).unwrap().push("removed".to_owned());
                assert_eq!(replica.remove("alice", &[*id]).await.unwrap(), [None]);
            } else {
                kill(replica, *id).await;
                truth.insert(*id, history(replica, *id).await);
            }
        }
        truth
    };
    let watching = async {
        let mut chance = Chance(seed);
        let mut connections = vec![states(&first)];
        let mut resume_token = first.resume_token;
        let mut ended = BTreeSet::new();
        while ended.len() < ids.len() {
            for _ in 0..=chance.below(6) {
                let Some(message) = stream.message().await.unwrap() else { return connections };
                let told = states(&message);
                let is_end = |state: &str| state == "removed" || state.contains("the end");
                ended.extend(told.iter().filter(|(_, state)| is_end(state)).map(|(job, _)| *job));
                connections.last_mut().unwrap().extend(told);
                resume_token = message.resume_token;
                if ended.len() == ids.len() {
                    return connections;
                }
            }
            let ask = pb::WatchJobsRequest { resume_token: resume_token.clone(), ..ask.clone() };
            stream = Seen::begin(chance.one_of(replicas), "alice", ask).await.unwrap().stream;
            connections.push(Vec::new());
        }
        connections
    };
    let both = futures::future::join(writing, watching);
    let (truth, connections) = tokio::time::timeout(Duration::from_mins(2), both).await.expect("an end");

    for (id, truth) in &truth {
        let place = |state: &String| {
            let place = truth.iter().position(|known| known == state);
            place.unwrap_or_else(|| panic!("{state:?} of job {id} never was: {truth:?}"))
        };
        let mut seen = BTreeSet::new();
        for connection in &connections {
            let places: Vec<_> =
                connection.iter().filter(|(job, _)| job == id).map(|(_, state)| place(state)).collect();
            assert!(places.windows(2).all(|two| two[0] < two[1]), "job {id}: {places:?} of {truth:?}");
            seen.extend(places);
        }
        assert!(seen.iter().copied().eq(0..truth.len()), "job {id}: only {seen:?} of {truth:?}");
    }
    assert!(connections.len() > 1, "hardly anything broke");
}

async fn write(replicas: &[Jobs; 2], ids: &[i64], seed: u64, writer: u64) {
    let mut chance = Chance(seed ^ (writer + 1));
    let mut reschedulings = 0;
    for n in 0..WRITES {
        let jobs = chance.one_of(replicas);
        let word = format!("{writer}-{n}");
        match chance.below(10) {
            // No job goes back more often than the VO allows, or it would fail twice in one run.
            0 if writer == 0 && reschedulings < 3 => {
                reschedulings += 1;
                jobs.again(*chance.one_of(ids)).await.unwrap();
            }
            0 | 1 => {
                let status = chance.one_of(&[Checking, Waiting]).as_str().to_owned();
                let attributes = pb::JobAttributes {
                    status: Some(status),
                    application_status: Some(word),
                    ..Default::default()
                };
                let job_id = *chance.one_of(ids);
                let patch = pb::JobMetadataPatch { job_id, attributes: Some(attributes), parameters: vec![] };
                assert_eq!(jobs.patch("alice", vec![patch]).await.unwrap(), [None]);
            }
            _ => {
                let mut left = ids.to_vec();
                let count = chance.below(ids.len()) + 1;
                let some: Vec<i64> = (0..count).map(|_| left.swap_remove(chance.below(left.len()))).collect();
                let news = |id: &i64| {
                    let mut change = record(jobs.later(1), None);
                    change.application_status = Some(word.clone());
                    update(*id, vec![change])
                };
                jobs.set_statuses("alice", some.iter().map(news).collect()).await.unwrap();
            }
        }
    }
}

async fn kill(jobs: &Jobs, id: i64) {
    let mut end = record(jobs.later(2), Some(Killed));
    end.application_status = Some("the end".to_owned());
    let request = pb::SetJobStatusesRequest { updates: vec![update(id, vec![end])], force: true };
    jobs.client.clone().set_job_statuses(jobs.request("alice", request)).await.unwrap();
}

fn states(message: &pb::WatchJobsResponse) -> Vec<(i64, String)> {
    let state = |event: &pb::JobEvent| {
        if event.removed {
            return (event.job_id, "removed".to_owned());
        }
        let status = JobStatus::try_from(event.status()).unwrap();
        (event.job_id, format!("{status} {} {}", event.application_status, event.reschedule_counter))
    };
    message.events.iter().map(state).collect()
}

/// All states that a job was in, as its records have it; those of a run are numbered by it.
async fn history(jobs: &Jobs, id: i64) -> Vec<String> {
    let outcome = jobs.histories("alice", &[id]).await.unwrap().remove(0);
    let Some(pb::job_history_outcome::Result::History(history)) = outcome.result else {
        panic!("no history")
    };
    let mut run = 0;
    let mut state = |record: &pb::JobLoggingRecord| {
        run +=
            usize::from(record.minor_status == "Job Rescheduled" && record.application_status == "Unknown");
        format!("{} {} {run}", record.status, record.application_status)
    };
    history.records.iter().map(&mut state).collect()
}
