//! Jobs move.

use diesel_async::SimpleAsyncConnection as _;
use diracx_core::JobStatus::{Checking, Done, Failed, Killed, Matched, Running, Waiting};
use diracx_proto::jobs::v1::{self as pb, job_history_outcome, job_status_outcome};
use diracx_testkit::{TestDatabase, on_both_backends};
use futures::future::join_all;

use crate::{
    harness::{HELLO, Jobs, reason, record, rows, update},
    sql::{cells, connection, waits_for_lock},
};

async fn history(jobs: &Jobs, who: &str, job: i64) -> Vec<[String; 4]> {
    let outcome = jobs.histories(who, &[job]).await.unwrap().remove(0);
    let Some(job_history_outcome::Result::History(history)) = outcome.result else { panic!("no history") };
    history
        .records
        .into_iter()
        .map(|record| [record.status, record.minor_status, record.application_status, record.source])
        .collect()
}

on_both_backends! {
    async fn a_job_lives_from_submission_to_done_and_its_history_tells(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        for (second, status) in [(1, Waiting), (2, Matched), (3, Running)] {
            let reached = jobs.set_status("alice", job, jobs.later(second), status).await.unwrap();
            assert_eq!(reached, Some(status.into()));
        }
        let mut end = record(jobs.later(4), Some(Done));
        end.minor_status = Some("Execution Complete".into());
        end.source = "JobWrapper".into();
        let outcome = jobs.set_statuses("alice", vec![update(job, vec![end])]).await.unwrap().remove(0);
        let Some(job_status_outcome::Result::Change(change)) = outcome.result else { panic!("refused") };
        assert_eq!(change.status(), pb::JobStatus::Done);
        assert_eq!(change.end_exec_time, Some(diracx_proto::time::timestamp(jobs.later(4))));
        assert_eq!(change.heart_beat_time, change.end_exec_time);
        assert_eq!(change.start_exec_time, None, "known since it ran");

        let columns = ["Status", "MinorStatus", "StartExecTime", "EndExecTime"];
        let found = jobs.search("alice", |request| request.read_mask = columns.map(str::to_owned).to_vec()).await.unwrap();
        let row = rows(found).remove(0);
        assert_eq!(row[2..], ["Done", "Execution Complete"]);
        assert!(row[0].starts_with("2026-11-23 10:00:03") && row[1].starts_with("2026-11-23 10:00:04"), "{row:?}");
        let expected = [
            ["Received", "Job accepted", "Unknown", "JobManager"],
            ["Waiting", "Job accepted", "Unknown", "Test"],
            ["Matched", "Job accepted", "Unknown", "Test"],
            ["Running", "Job accepted", "Unknown", "Test"],
            ["Done", "Execution Complete", "Unknown", "JobWrapper"],
        ];
        assert_eq!(history(&jobs, "alice", job).await, expected.map(|record| record.map(str::to_owned)));
        let with_history = jobs.search("alice", |request| request.read_mask = vec!["LoggingInfo".into()]).await.unwrap();
        assert_eq!(with_history.histories[0].records.len(), 5);
    }

    async fn what_the_machine_refuses_is_told_and_recorded(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        assert_eq!(jobs.set_status("alice", job, jobs.later(1), Done).await.unwrap(), Some(pb::JobStatus::Received));
        assert_eq!(history(&jobs, "alice", job).await[1][3], "Test(SM)");
    }

    async fn one_unknown_job_does_not_spoil_the_others_of_an_administrator(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let both = |at| vec![update(999_999, vec![record(at, Some(Checking))]), update(job, vec![record(at, Some(Checking))])];
        let outcomes = jobs.set_statuses("carol", both(jobs.later(1))).await.unwrap();
        assert!(matches!(&outcomes[0].result, Some(job_status_outcome::Result::Error(error)) if error.message == "Job 999999 not found"));
        assert!(matches!(&outcomes[1].result, Some(job_status_outcome::Result::Change(_))));
        // To its owner the unknown job looks like somebody else's.
        assert_eq!(reason(jobs.set_statuses("alice", both(jobs.later(2))).await), "FORBIDDEN");
    }

    async fn jobs_are_moved_by_those_who_may(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        for who in ["bob", "dave", "no_properties"] {
            assert_eq!(reason(jobs.set_status(who, job, jobs.later(1), Checking).await), "FORBIDDEN", "{who}");
        }
        for (second, who, status) in [(1, "petra", Checking), (2, "carol", Waiting), (3, "alice", Matched)] {
            assert_eq!(jobs.set_status(who, job, jobs.later(second), status).await.unwrap(), Some(status.into()), "{who}");
        }
        let elsewhere = jobs.submit("dave", &[HELLO]).await.unwrap()[0];
        assert_eq!(reason(jobs.set_status("petra", elsewhere, jobs.later(1), Checking).await), "FORBIDDEN", "another VO's");
        assert_eq!(reason(jobs.set_statuses("alice", vec![]).await), "FORBIDDEN");
    }

    async fn malformed_updates_are_refused_with_the_path_of_the_field(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let check = async |updates: Vec<pb::JobStatusUpdates>, expected: &str| {
            assert_eq!(jobs.set_statuses("alice", updates).await.unwrap_err().message(), expected);
        };
        let good = || record(jobs.later(1), Some(Checking));
        check(vec![update(job, vec![])], "updates[0].records: is empty").await;
        check(
            vec![update(job, vec![good()]), update(job, vec![good()])],
            &format!("updates[1].job_id: {job} is there twice"),
        )
        .await;
        let timeless = pb::StatusRecord { time: None, ..good() };
        check(vec![update(job, vec![good(), timeless])], "updates[0].records[1].time: is required").await;
        let tomorrow = record(jobs.later(25 * 3600), Some(Checking));
        check(vec![update(job, vec![tomorrow])], "updates[0].records[0].time: is more than a day ahead").await;
        let long_ago = |second| record(chrono::DateTime::from_timestamp(second, 0).unwrap(), Some(Checking));
        check(vec![update(job, vec![good(), long_ago(315_532_799)])], "updates[0].records[1].time: is before 1980").await;
        assert_eq!(jobs.history_length("alice", job).await, 1, "nothing was recorded");
        jobs.set_statuses("alice", vec![update(job, vec![long_ago(315_532_800)])]).await.unwrap();
        assert_eq!(history(&jobs, "alice", job).await[0][0], "Checking", "the oldest record is the first");
    }

    async fn texts_that_are_too_long_are_cut_and_odd_ones_survive(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut long = record(jobs.later(1), None);
        long.minor_status = Some("m".repeat(1000));
        long.application_status = Some("'; DROP TABLE Jobs; -- \\ \" %".into());
        long.source = "s".repeat(1000);
        jobs.set_statuses("alice", vec![update(job, vec![long])]).await.unwrap();
        let last = history(&jobs, "alice", job).await.remove(1);
        assert_eq!(last[1], "m".repeat(128));
        assert_eq!(last[2], "'; DROP TABLE Jobs; -- \\ \" %");
        assert_eq!(last[3].len(), 28);
    }

    async fn a_bulk_in_both_orders_at_once_neither_deadlocks_nor_loses_a_record(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 10]).await.unwrap();
        let round = |n: i64| {
            let mut order = ids.clone();
            if n % 2 == 1 {
                order.reverse();
            }
            let updates = order.into_iter().map(|id| update(id, vec![record(jobs.later(n), None)])).collect();
            jobs.set_statuses("alice", updates)
        };
        for result in join_all((1..=24).map(round)).await {
            result.unwrap();
        }
        for id in &ids {
            assert_eq!(history(&jobs, "alice", *id).await.len(), 25);
        }
    }

    async fn a_killed_jobs_pilot_is_told_so(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        assert_eq!(jobs.set_status("alice", job, jobs.later(1), Killed).await.unwrap(), Some(pb::JobStatus::Killed));
        assert_eq!(crate::harness::commands(&jobs.databases, job).await, ["Kill"]);
        // Killed is the end, and asking again tells the pilot nothing new within the same second.
        assert_eq!(jobs.set_status("alice", job, jobs.later(2), Failed).await.unwrap(), Some(pb::JobStatus::Killed));
        assert_eq!(crate::harness::commands(&jobs.databases, job).await, ["Kill"]);
    }
}

/// DIRAC and DiracX lock nothing before they number a record of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_else_writes_at_the_same_time_costs_nobody_an_update_on_mariadb() {
    let jobs = Jobs::start(TestDatabase::mariadb()).await;
    let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
    let logging = &jobs.databases.job_logging_db;
    let mut dirac = connection(logging).await;
    let theirs = format!(
        "BEGIN; INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime,
         StatusTimeOrder, StatusSource) VALUES ({job}, 2, 'idem', 'theirs', 'idem', '2026-11-23 10:00:00', 525427200.5, 'DIRAC')"
    );
    dirac.batch_execute(&theirs).await.unwrap();
    let (ours, ()) = tokio::join!(jobs.set_status("alice", job, jobs.later(1), Checking), async {
        waits_for_lock(logging, "LoggingInfo").await;
        dirac.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(ours.unwrap(), Some(pb::JobStatus::Checking));
    let records = "SELECT CONCAT(SeqNum, ' ', StatusSource) AS cell FROM LoggingInfo ORDER BY SeqNum";
    assert_eq!(cells(logging, records).await, ["1 JobManager", "2 DIRAC", "3 Test"]);
}
