//! Jobs are removed.

use std::fmt::Write as _;

use diracx_proto::jobs::v1::{self as pb, job_parameter::Value};
use diracx_testkit::{TestDatabase, on_both_backends};

use crate::{
    harness::{HELLO, Jobs, reason},
    sql::{cells, count, execute},
};

const OF_JOB_DB: [&str; 9] = [
    "JobJDLs",
    "Jobs",
    "InputData",
    "JobParameters",
    "JobParameterValues",
    "OptimizerParameters",
    "AtticJobParameters",
    "HeartBeatLoggingInfo",
    "JobCommands",
];

const WITH_INPUT: &str = r#"Executable = "x"; InputData = "LFN:/f1";"#;

/// A job that has something in every table.
async fn rich_job(jobs: &Jobs) -> i64 {
    let job = jobs.submit("alice", &[WITH_INPUT]).await.unwrap()[0];
    let parameter = pb::JobParameter { name: "a".into(), value: Some(Value::IntValue(1)) };
    let patch = pb::JobMetadataPatch { job_id: job, attributes: None, parameters: vec![parameter] };
    jobs.patch("alice", vec![patch]).await.unwrap();
    let sql = format!(
        "INSERT INTO JobParameters (JobID, Name, Value) VALUES ({job}, 'a', 'b');
         INSERT INTO OptimizerParameters (JobID, Name, Value) VALUES ({job}, 'a', 'b');
         INSERT INTO AtticJobParameters (JobID, Name, Value, RescheduleCycle) VALUES ({job}, 'a', 'b', 1);
         INSERT INTO HeartBeatLoggingInfo (JobID, Name, Value, HeartBeatTime)
            VALUES ({job}, 'a', 'b', '2026-11-23 10:00:00');
         INSERT INTO JobCommands (JobID, Command, Arguments, ReceptionTime)
            VALUES ({job}, 'Kill', '', '2026-11-23 10:00:00');"
    );
    execute(&jobs.databases.job_db, &sql).await;
    let sql = format!(
        "INSERT INTO tq_TaskQueues (TQId, Owner, OwnerGroup, VO, CPUTime, Priority, Enabled)
            VALUES ({job}, 'alice', 'user', 'alpha', 360, 1, 1);
         INSERT INTO tq_Jobs (TQId, JobId, Priority, RealPriority) VALUES ({job}, {job}, 1, 1);"
    );
    execute(&jobs.databases.task_queue_db, &sql).await;
    let sql =
        format!("INSERT INTO sb_EntityMapping (SBId, EntityId, Type) VALUES (1, 'Job:{job}', 'Input');");
    execute(&jobs.databases.sandbox_metadata_db, &sql).await;
    job
}

/// In how many tables something of a job is.
async fn traces(jobs: &Jobs, job: i64) -> u32 {
    let of = &jobs.databases;
    let mut found = 0;
    for table in OF_JOB_DB {
        found += count(&of.job_db, table, &format!("JobID = {job}")).await.min(1);
    }
    found += count(&of.job_logging_db, "LoggingInfo", &format!("JobID = {job}")).await.min(1);
    found += count(&of.task_queue_db, "tq_Jobs", &format!("JobId = {job}")).await.min(1);
    found += count(&of.task_queue_db, "tq_TaskQueues", &format!("TQId = {job}")).await.min(1);
    found
        + count(&of.sandbox_metadata_db, "sb_EntityMapping", &format!("EntityId = 'Job:{job}'")).await.min(1)
}

const EVERYWHERE: u32 = 13;

async fn a_job_goes(jobs: Jobs) {
    let (one, other) = (rich_job(&jobs).await, rich_job(&jobs).await);
    assert_eq!(traces(&jobs, one).await, EVERYWHERE);
    // Twice in a call, and again when it is gone.
    for ids in [vec![one, one], vec![one]] {
        assert_eq!(jobs.remove("carol", &ids).await.unwrap(), vec![None; ids.len()]);
        assert_eq!(traces(&jobs, one).await, 0);
    }
    assert_eq!(traces(&jobs, other).await, EVERYWHERE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_from_the_tables_of_dirac_which_do_not_cascade_on_mariadb() {
    let jobs = Jobs::start(TestDatabase::mariadb()).await;
    let mut sql = String::new();
    for (table, key, parent) in [
        ("Jobs", "jobs_jdl", "JobJDLs"),
        ("InputData", "input_data_job", "Jobs"),
        ("JobParameters", "job_parameters_job", "Jobs"),
        ("OptimizerParameters", "optimizer_parameters_job", "Jobs"),
        ("AtticJobParameters", "attic_job_parameters_job", "Jobs"),
        ("HeartBeatLoggingInfo", "heart_beat_job", "Jobs"),
        ("JobCommands", "job_commands_job", "Jobs"),
    ] {
        let _ = write!(
            sql,
            "ALTER TABLE {table} DROP FOREIGN KEY {key};
             ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY (JobID) REFERENCES {parent} (JobID);"
        );
    }
    execute(&jobs.databases.job_db, &sql).await;
    a_job_goes(jobs).await;
}

on_both_backends! {
    async fn a_job_goes_with_all_that_belongs_to_it(db: TestDatabase) {
        a_job_goes(Jobs::start(db).await).await;
    }

    async fn what_a_crash_left_behind_goes_too(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = rich_job(&jobs).await;
        let sql = format!("DELETE FROM JobParameters WHERE JobID = {job}; DELETE FROM InputData WHERE JobID = {job}");
        execute(&jobs.databases.job_db, &sql).await;
        execute(&jobs.databases.task_queue_db, &format!("DELETE FROM tq_Jobs WHERE JobId = {job}")).await;
        assert_eq!(jobs.remove("carol", &[job, 999_999]).await.unwrap(), [None, None]);
        // The queue was empty before; the next maintenance finds it.
        assert_eq!(traces(&jobs, job).await, 1);
        let done = jobs.maintain(0, "").await.unwrap();
        assert_eq!((done.removed_queues, done.done), (1, true));
        assert_eq!(traces(&jobs, job).await, 0);
    }

    async fn who_watches_is_told_the_last_state(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        jobs.remove("alice", &[job]).await.unwrap();
        let events = format!("SELECT Status AS cell FROM JobEvents WHERE JobID = {job} ORDER BY Seq");
        assert_eq!(cells(&jobs.databases.job_db, &events).await, ["Received", "Received"]);
        assert_eq!(count(&jobs.databases.job_db, "JobEvents", &format!("JobID = {job} AND Removed = 1")).await, 1);
    }

    async fn jobs_are_removed_by_those_who_may(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        for who in ["bob", "dave", "no_properties"] {
            assert_eq!(reason(jobs.remove(who, &ids[..1]).await), "FORBIDDEN", "{who}");
        }
        for (who, id) in ["alice", "petra", "carol"].into_iter().zip(&ids) {
            assert_eq!(jobs.remove(who, &[*id]).await.unwrap(), [None], "{who}");
        }
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap(), Vec::<i64>::new());
    }

    async fn a_job_is_removed_while_others_report_on_it(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 20]).await.unwrap();
        let report = |n: i64| {
            let (jobs, ids) = (&jobs, &ids);
            async move {
                let record = |_| vec![crate::harness::record(jobs.later(n), None)];
                let updates = ids.iter().map(|id| crate::harness::update(*id, record(id))).collect();
                jobs.set_statuses("carol", updates).await.unwrap();
            }
        };
        let (_, removed) = tokio::join!(
            futures::future::join_all((1..10).map(report)),
            jobs.remove("carol", &ids)
        );
        assert_eq!(removed.unwrap(), vec![None; 20]);
        for table in ["Jobs", "JobJDLs"] {
            assert_eq!(count(&jobs.databases.job_db, table, "1 = 1").await, 0, "{table}");
        }
        assert_eq!(count(&jobs.databases.job_logging_db, "LoggingInfo", "1 = 1").await, 0);
    }
}
