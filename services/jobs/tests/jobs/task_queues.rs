//! Task queues: who leaves them, and what becomes of them.

use std::fmt::Write as _;

use diracx_core::JobStatus::{self, Deleted, Killed, Received, Rescheduled};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::{TestDatabase, on_both_backends};

use crate::{
    harness::{HELLO, Jobs, reason, record, update},
    sql::{cells, count, execute},
};

/// The tables as DIRAC makes them: other keys and types, and nothing is deleted with a queue.
const OF_DIRAC: &str = "
    DROP TABLE IF EXISTS tq_TQToSites; DROP TABLE IF EXISTS tq_TQToTags; DROP TABLE IF EXISTS tq_Jobs;
    DROP TABLE IF EXISTS tq_TQToGridCEs; DROP TABLE IF EXISTS tq_TQToBannedSites;
    DROP TABLE IF EXISTS tq_TQToPlatforms; DROP TABLE IF EXISTS tq_TQToJobTypes; DROP TABLE IF EXISTS tq_TaskQueues;
    CREATE TABLE tq_TaskQueues (TQId INT(11) UNSIGNED NOT NULL AUTO_INCREMENT, Owner VARCHAR(255) NOT NULL,
        OwnerGroup VARCHAR(32) NOT NULL, VO VARCHAR(32) NOT NULL, CPUTime BIGINT(20) UNSIGNED NOT NULL,
        Priority FLOAT NOT NULL, Enabled TINYINT(1) NOT NULL DEFAULT 0, PRIMARY KEY (TQId)) ENGINE = InnoDB;
    CREATE TABLE tq_Jobs (TQId INT(11) UNSIGNED NOT NULL, JobId INT(11) UNSIGNED NOT NULL,
        Priority INT UNSIGNED NOT NULL, RealPriority FLOAT NOT NULL, PRIMARY KEY (JobId),
        FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT) ENGINE = InnoDB;";

async fn make_tables_of_dirac(jobs: &Jobs) {
    let mut sql = OF_DIRAC.to_owned();
    for field in ["Sites", "GridCEs", "BannedSites", "Platforms", "JobTypes", "Tags"] {
        let _ = write!(
            sql,
            "CREATE TABLE tq_TQTo{field} (TQId INT(11) UNSIGNED NOT NULL, Value VARCHAR(64) NOT NULL,
             PRIMARY KEY (TQId, Value), FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT)
             ENGINE = InnoDB;"
        );
    }
    execute(&jobs.databases.task_queue_db, &sql).await;
}

/// A queue of somebody in a group with these jobs, each as urgent as said; `enabled` is DIRAC's counter.
pub(crate) async fn queue(jobs: &Jobs, id: i64, whose: [&str; 3], enabled: i64, waiting: &[(i64, f64)]) {
    let [owner, group, vo] = whose;
    let mut sql = format!(
        "INSERT INTO tq_TaskQueues (TQId, Owner, OwnerGroup, VO, CPUTime, Priority, Enabled)
         VALUES ({id}, '{owner}', '{group}', '{vo}', 360, 1, {enabled});"
    );
    for table in ["Sites", "GridCEs", "BannedSites", "Platforms", "JobTypes", "Tags"] {
        let _ = write!(sql, "INSERT INTO tq_TQTo{table} (TQId, Value) VALUES ({id}, 'of {id}');");
    }
    for (job, urgency) in waiting {
        let _ = write!(
            sql,
            "INSERT INTO tq_Jobs (TQId, JobId, Priority, RealPriority) VALUES ({id}, {job}, 1, {urgency});"
        );
    }
    execute(&jobs.databases.task_queue_db, &sql).await;
}

/// The queues with their priorities, to the thousandth.
async fn priorities(jobs: &Jobs) -> Vec<(i64, f64)> {
    let sql = "SELECT CAST(TQId AS CHAR(20)) AS cell FROM tq_TaskQueues ORDER BY TQId";
    let ids = cells(&jobs.databases.task_queue_db, sql).await;
    let sql = "SELECT CAST(ROUND(Priority * 1000) AS CHAR(40)) AS cell FROM tq_TaskQueues ORDER BY TQId";
    let priorities = cells(&jobs.databases.task_queue_db, sql).await;
    let number = |text: &String| text.parse::<f64>().unwrap();
    ids.iter()
        .zip(&priorities)
        .map(|(id, priority)| (id.parse().unwrap(), number(priority) / 1000.0))
        .collect()
}

async fn rows(jobs: &Jobs, table: &str, condition: &str) -> u32 {
    count(&jobs.databases.task_queue_db, table, condition).await
}

pub(crate) const ALICE: [&str; 3] = ["alice", "user", "alpha"];
const BOB: [&str; 3] = ["bob", "user", "alpha"];

/// A killed job leaves its queue, the empty queue goes with all that belongs to it, and what is left shares anew.
async fn killed_jobs_leave(jobs: &Jobs) {
    let ids = jobs.submit("alice", &[HELLO; 4]).await.unwrap();
    queue(jobs, 1, ALICE, 1, &[(ids[0], 1.0), (ids[1], 1.0)]).await;
    queue(jobs, 2, ALICE, 1, &[(ids[2], 1.0)]).await;
    queue(jobs, 3, ALICE, 1, &[(ids[3], 3.0)]).await;
    queue(jobs, 4, BOB, 1, &[(1_000_001, 1.0)]).await;
    // A group of the same name in another VO has a share of its own.
    queue(jobs, 5, ["alice", "user", "beta"], 1, &[(1_000_002, 1.0)]).await;
    queue(jobs, 6, ["alice", "gone", "alpha"], 1, &[(1_000_003, 1.0)]).await;

    jobs.set_status("alice", ids[0], jobs.later(1), Killed).await.unwrap();
    assert_eq!(rows(jobs, "tq_Jobs", "TQId = 1").await, 1);
    assert!(
        priorities(jobs).await.iter().all(|(_, priority)| (*priority - 1.0).abs() < f64::EPSILON),
        "no queue went"
    );

    let both = [ids[1], ids[2]].map(|id| update(id, vec![record(jobs.later(2), Some(Killed))]));
    jobs.set_statuses("alice", both.to_vec()).await.unwrap();
    assert_eq!(priorities(jobs).await, [(3, 500.0), (4, 500.0), (5, 1.0), (6, 1.0)]);
    for table in ["Sites", "GridCEs", "BannedSites", "Platforms", "JobTypes", "Tags"] {
        assert_eq!(rows(jobs, &format!("tq_TQTo{table}"), "TQId < 3").await, 0, "{table}");
        assert_eq!(rows(jobs, &format!("tq_TQTo{table}"), "TQId >= 3").await, 4, "{table}");
    }

    // The owner is gone from the queues: who is left has the share alone.
    jobs.set_status("alice", ids[3], jobs.later(3), Deleted).await.unwrap();
    assert_eq!(priorities(jobs).await, [(4, 1000.0), (5, 1.0), (6, 1.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_jobs_leave_the_queues_of_dirac_on_mariadb() {
    let jobs = Jobs::start(TestDatabase::mariadb()).await;
    make_tables_of_dirac(&jobs).await;
    killed_jobs_leave(&jobs).await;
    // What was written is what would be, though the column holds half the digits.
    queue(&jobs, 10, BOB, 1, &[(1_000_010, 2.0)]).await;
    assert_eq!(jobs.maintain(0, "").await.unwrap().changed_queues, 3);
    assert_eq!(jobs.maintain(0, "").await.unwrap().changed_queues, 0);
}

on_both_backends! {
    async fn killed_jobs_leave_their_queues(db: TestDatabase) {
        killed_jobs_leave(&Jobs::start(db).await).await;
    }

    async fn a_queue_into_which_somebody_is_about_to_put_a_job_stays(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
        queue(&jobs, 1, ALICE, 0, &[(ids[0], 1.0)]).await;
        queue(&jobs, 2, ALICE, -1, &[(ids[1], 1.0)]).await;
        let both = [ids[0], ids[1]].map(|id| update(id, vec![record(jobs.later(1), Some(Killed))]));
        jobs.set_statuses("alice", both.to_vec()).await.unwrap();
        assert_eq!(rows(&jobs, "tq_Jobs", "1 = 1").await, 0);
        assert_eq!(priorities(&jobs).await, [(1, 1.0), (2, 1.0)]);
    }

    async fn jobs_that_begin_anew_leave_and_others_stay(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
        queue(&jobs, 1, ALICE, 1, &[(ids[0], 1.0), (ids[1], 1.0), (1_000_001, 1.0)]).await;
        jobs.set_status("alice", ids[0], jobs.later(1), diracx_core::JobStatus::Waiting).await.unwrap();
        assert_eq!(rows(&jobs, "tq_Jobs", "1 = 1").await, 3);
        jobs.set_status("alice", ids[0], jobs.later(2), Rescheduled).await.unwrap();
        assert_eq!(rows(&jobs, "tq_Jobs", &format!("JobId = {}", ids[0])).await, 0);
        // The machine refuses, so the job is Received as it was, which is a place before any queue.
        jobs.set_status("alice", ids[1], jobs.later(1), Received).await.unwrap();
        assert_eq!(rows(&jobs, "tq_Jobs", "1 = 1").await, 1);
    }

    async fn every_end_of_a_job_is_the_end_of_its_waiting(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ends: Vec<_> = JobStatus::ALL.iter().copied().filter(|status| status.is_final()).collect();
        let ids = jobs.submit("alice", &vec![HELLO; ends.len()]).await.unwrap();
        // They were put into the queue before they were said to wait.
        queue(&jobs, 1, ALICE, 1, &ids.iter().map(|id| (*id, 1.0)).collect::<Vec<_>>()).await;
        let updates = ids.iter().zip(ends).map(|(id, end)| update(*id, vec![record(jobs.later(1), Some(end))])).collect();
        let request = pb::SetJobStatusesRequest { updates, force: true };
        jobs.client.clone().set_job_statuses(jobs.request("alice", request)).await.unwrap();
        assert_eq!(rows(&jobs, "tq_Jobs", "1 = 1").await, 0);
        assert_eq!(priorities(&jobs).await, []);
    }

    async fn many_killed_at_once_leave_no_empty_queue_and_no_share_unspent(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 16]).await.unwrap();
        for (queue_id, ids) in (1..).zip(ids.chunks(2)) {
            queue(&jobs, queue_id, ALICE, 1, &[(ids[0], 1.0), (ids[1], 1.0)]).await;
        }
        queue(&jobs, 100, ALICE, 1, &[(1_000_001, 2.0)]).await;
        let kill = |id| {
            let jobs = &jobs;
            async move { jobs.set_status("alice", id, jobs.later(1), Killed).await.unwrap() }
        };
        futures::future::join_all(ids.iter().map(|id| kill(*id))).await;
        assert_eq!(priorities(&jobs).await, [(100, 1000.0)]);
        assert_eq!(rows(&jobs, "tq_Jobs", "1 = 1").await, 1);
    }

    async fn maintenance_goes_through_all_queues_page_by_page(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        for id in 1..=3 {
            queue(&jobs, id, ALICE, 1, &[(id, 1.0)]).await;
        }
        queue(&jobs, 4, ALICE, 1, &[]).await;
        queue(&jobs, 5, ALICE, 0, &[]).await;
        queue(&jobs, 6, BOB, 1, &[(6, 7.0)]).await;
        queue(&jobs, 7, ["alice", "team", "alpha"], 1, &[(7, 1.0)]).await;
        queue(&jobs, 8, ["bob", "team", "alpha"], 1, &[(8, 3.0)]).await;
        queue(&jobs, 9, ["alice", "gone", "alpha"], 1, &[(9, 3.0)]).await;
        let (mut pages, mut changed, mut removed, mut token) = (0, 0, 0, String::new());
        loop {
            let page = jobs.maintain(2, &token).await.unwrap();
            pages += 1;
            changed += page.changed_queues;
            removed += page.removed_queues;
            token = page.next_page_token;
            if page.done {
                break;
            }
        }
        assert_eq!((pages, changed, removed, token.as_str()), (5, 6, 1, ""));
        let of_alice = 166.667;
        let expected = [(1, of_alice), (2, of_alice), (3, of_alice), (5, 1.0), (6, 500.0), (7, 250.0), (8, 750.0), (9, 1.0)];
        assert_eq!(priorities(&jobs).await, expected);
        let again = jobs.maintain(0, "").await.unwrap();
        assert_eq!((again.changed_queues, again.removed_queues, again.done), (0, 0, true));
    }

    async fn maintenance_is_the_systems_own_work(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        assert_eq!(reason(jobs.maintain(-1, "").await), "INVALID_FIELD");
        assert_eq!(reason(jobs.maintain(0, "x").await), "INVALID_FIELD");
        let request = diracx_proto::jobs::v1::MaintainTaskQueuesRequest::default();
        for who in ["alice", "carol", "petra"] {
            let answer = jobs.client.clone().maintain_task_queues(jobs.request(who, request.clone())).await;
            assert_eq!(reason(answer), "FORBIDDEN", "{who}");
        }
    }
}
