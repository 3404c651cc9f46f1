//! Attributes and parameters of jobs.

use diracx_proto::jobs::v1::{self as pb, job_parameter::Value, job_parameters_outcome::Result as Outcome};
use diracx_testkit::{TestDatabase, on_both_backends};
use futures::future::join_all;

use crate::{
    harness::{HELLO, Jobs, commands, reason, rows},
    sql::{cells, count, execute},
    task_queues::{ALICE, queue},
};

fn parameter(name: &str, value: Value) -> pb::JobParameter {
    pb::JobParameter { name: name.into(), value: Some(value) }
}

fn parameters(job_id: i64, parameters: Vec<pb::JobParameter>) -> pb::JobMetadataPatch {
    pb::JobMetadataPatch { job_id, attributes: None, parameters }
}

fn attributes(job_id: i64, set: impl FnOnce(&mut pb::JobAttributes)) -> pb::JobMetadataPatch {
    let mut attributes = pb::JobAttributes::default();
    set(&mut attributes);
    pb::JobMetadataPatch { job_id, attributes: Some(attributes), parameters: vec![] }
}

/// What a job has under the names, all names if there are none; none if there is no such job.
async fn read(jobs: &Jobs, who: &str, job: i64, names: &[&str]) -> Option<Vec<pb::JobParameter>> {
    let outcome = jobs.parameters(who, &[job], names).await.unwrap().remove(0);
    assert_eq!(outcome.job_id, job);
    match outcome.result.unwrap() {
        Outcome::Parameters(found) => Some(found.parameters),
        Outcome::Error(error) => {
            assert_eq!(error.message, format!("Job {job} not found"));
            None
        }
    }
}

async fn columns(jobs: &Jobs, job: i64, columns: &[&str]) -> Vec<String> {
    let found = jobs
        .search("carol", |request| {
            request.read_mask = columns.iter().map(|name| (*name).to_owned()).collect();
            let only = diracx_core::search::Filter::equals("JobID", job.to_string());
            request.search = Some(vec![only].into());
        })
        .await
        .unwrap();
    rows(found).remove(0)
}

/// In DIRAC's own table numbers are unsigned, and a foreign key must be, too.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_find_their_place_beside_the_tables_of_dirac_on_mariadb() {
    let db = TestDatabase::mariadb();
    let of_dirac = "
        CREATE TABLE JobJDLs (JobID INT(11) UNSIGNED NOT NULL AUTO_INCREMENT, JDL MEDIUMTEXT NOT NULL,
            JobRequirements TEXT NOT NULL, OriginalJDL MEDIUMTEXT NOT NULL, PRIMARY KEY (JobID))
            ENGINE = InnoDB DEFAULT CHARSET = latin1;
        CREATE TABLE Jobs (JobID INT(11) UNSIGNED NOT NULL, JobType VARCHAR(32) NOT NULL DEFAULT 'user',
            JobGroup VARCHAR(32) NOT NULL DEFAULT '00000000', Site VARCHAR(100) NOT NULL DEFAULT 'ANY',
            JobName VARCHAR(128) NOT NULL DEFAULT 'Unknown', Owner VARCHAR(64) NOT NULL DEFAULT 'Unknown',
            OwnerGroup VARCHAR(128) NOT NULL DEFAULT 'Unknown', VO VARCHAR(32) NOT NULL DEFAULT 'Unknown',
            SubmissionTime DATETIME, RescheduleTime DATETIME, LastUpdateTime DATETIME, StartExecTime DATETIME,
            HeartBeatTime DATETIME, EndExecTime DATETIME, Status VARCHAR(32) NOT NULL DEFAULT 'Received',
            MinorStatus VARCHAR(128) NOT NULL DEFAULT 'Unknown', ApplicationStatus VARCHAR(255) DEFAULT 'Unknown',
            UserPriority INT NOT NULL DEFAULT 0, RescheduleCounter INT NOT NULL DEFAULT 0,
            VerifiedFlag ENUM('True', 'False') NOT NULL DEFAULT 'False',
            AccountedFlag ENUM('True', 'False', 'Failed') NOT NULL DEFAULT 'False', PRIMARY KEY (JobID),
            FOREIGN KEY (JobID) REFERENCES JobJDLs (JobID)) ENGINE = InnoDB DEFAULT CHARSET = latin1;
        CREATE TABLE JobParameters (JobID INT(11) UNSIGNED NOT NULL, Name VARCHAR(100) NOT NULL, Value TEXT NOT NULL,
            PRIMARY KEY (JobID, Name), FOREIGN KEY (JobID) REFERENCES Jobs (JobID))
            ENGINE = InnoDB DEFAULT CHARSET = latin1;
        CREATE TABLE InputData (JobID INT(11) UNSIGNED NOT NULL, LFN VARCHAR(255), Status VARCHAR(32),
            PRIMARY KEY (JobID, LFN)) ENGINE = InnoDB;
        CREATE TABLE OptimizerParameters (JobID INT(11) UNSIGNED NOT NULL) ENGINE = InnoDB;
        CREATE TABLE AtticJobParameters (JobID INT(11) UNSIGNED NOT NULL) ENGINE = InnoDB;
        CREATE TABLE HeartBeatLoggingInfo (JobID INT(11) UNSIGNED NOT NULL) ENGINE = InnoDB;
        CREATE TABLE JobCommands (JobID INT(11) UNSIGNED NOT NULL) ENGINE = InnoDB;";
    execute(&db.url("JobDB").await, of_dirac).await;
    let jobs = Jobs::start(db).await;
    let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
    execute(
        &jobs.databases.job_db,
        &format!("INSERT INTO JobParameters VALUES ({job}, 'HostName', 'wn\u{e9}')"),
    )
    .await;
    let emoji = parameter("Mood", Value::StringValue("\u{1F600}".into()));
    assert_eq!(jobs.patch("alice", vec![parameters(job, vec![emoji.clone()])]).await.unwrap(), [None]);
    let theirs = parameter("HostName", Value::StringValue("wn\u{e9}".into()));
    assert_eq!(read(&jobs, "alice", job, &[]).await.unwrap(), [theirs, emoji]);
    assert_eq!(jobs.remove("alice", &[job]).await.unwrap(), [None]);
}

on_both_backends! {
    async fn parameters_come_back_as_they_were_sent(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let time = prost_types::Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 };
        let sent = vec![
            parameter("Free", Value::JsonValue("{\"a\" : [1, 2.50, null]}".into())),
            parameter("HostName", Value::StringValue("wn \u{1F600} \0 \\ ' \"".into())),
            parameter("Load", Value::DoubleValue(0.1 + 0.2)),
            parameter("Memory(MB)", Value::IntValue(i64::MIN)),
            parameter("Tiny", Value::DoubleValue(5e-324)),
            parameter("Well", Value::BoolValue(true)),
            parameter("Whole", Value::DoubleValue(3.0)),
            parameter("timestamp", Value::TimeValue(time)),
        ];
        assert_eq!(jobs.patch("alice", vec![parameters(job, sent.clone())]).await.unwrap(), [None]);
        assert_eq!(read(&jobs, "alice", job, &[]).await.unwrap(), sent);
        assert_eq!(read(&jobs, "alice", job, &["Well", "Unknown"]).await.unwrap(), [sent[5].clone()]);
        assert_eq!(read(&jobs, "alice", job, &["well"]).await.unwrap(), []);

        let again = parameter("HostName", Value::IntValue(5));
        jobs.patch("alice", vec![parameters(job, vec![again.clone()])]).await.unwrap();
        assert_eq!(read(&jobs, "alice", job, &["HostName"]).await.unwrap(), [again]);
        assert_eq!(read(&jobs, "alice", job, &[]).await.unwrap().len(), sent.len());
    }

    async fn a_parameter_that_dirac_wrote_shows_until_we_have_one(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let theirs = format!(
            "INSERT INTO JobParameters (JobID, Name, Value) VALUES ({job}, 'CEQueue', 'long'), ({job}, 'HostName', 'wn1')"
        );
        execute(&jobs.databases.job_db, &theirs).await;
        let text = |name, text: &str| parameter(name, Value::StringValue(text.into()));
        assert_eq!(read(&jobs, "alice", job, &[]).await.unwrap(), [text("CEQueue", "long"), text("HostName", "wn1")]);
        jobs.patch("alice", vec![parameters(job, vec![text("HostName", "wn2")])]).await.unwrap();
        assert_eq!(read(&jobs, "alice", job, &[]).await.unwrap(), [text("CEQueue", "long"), text("HostName", "wn2")]);
        assert_eq!(read(&jobs, "alice", job, &["CEQueue"]).await.unwrap(), [text("CEQueue", "long")]);
    }

    async fn attributes_are_set_and_what_is_not_mentioned_stays(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO, HELLO]).await.unwrap();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let first = attributes(ids[0], |to| {
            to.job_type = Some("Special".into());
            to.site = Some("LCG.Three.uk".into());
            to.user_priority = Some(8);
            to.verified_flag = Some(false);
            to.accounted_flag = Some(pb::AccountedFlag::Failed.into());
            to.start_exec_time = at(1_700_000_000);
        });
        let second = attributes(ids[1], |to| to.application_status = Some("thinking".into()));
        assert_eq!(jobs.patch("carol", vec![first, second]).await.unwrap(), [None, None]);
        let names = ["JobType", "Site", "StartExecTime", "ApplicationStatus", "UserPriority", "VerifiedFlag", "AccountedFlag"];
        let expected = ["Special", "LCG.Three.uk", "2023-11-14 22:13:20", "Unknown", "8", "false", "Failed"];
        assert_eq!(columns(&jobs, ids[0], &names).await, expected);
        assert_eq!(columns(&jobs, ids[1], &names).await, ["user", "ANY", "-", "thinking", "1", "true", "false"]);
    }

    async fn a_status_that_is_set_past_the_machine_has_all_that_follows_from_it(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
        queue(&jobs, 1, ALICE, 1, &[(ids[0], 1.0), (ids[1], 1.0)]).await;
        jobs.clock.advance(chrono::Duration::seconds(60));
        let set = |job, status: &str| attributes(job, |to| {
            to.status = Some(status.into());
            to.minor_status = Some("by hand".into());
            to.last_update_time = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
        });
        // From Received the machine leads neither to Done nor on to Killed.
        for status in ["Done", "Killed"] {
            assert_eq!(jobs.patch("alice", vec![set(ids[0], status)]).await.unwrap(), [None]);
        }
        let found = columns(&jobs, ids[0], &["Status", "MinorStatus", "LastUpdateTime", "EndExecTime"]).await;
        assert!(found[0].starts_with("2026-11-23 10:01:00") && found[1].starts_with("2026-11-23 10:01:00"), "{found:?}");
        assert_eq!(found[2..], ["Killed", "by hand"]);
        let records = format!("SELECT CONCAT(Status, ' ', MinorStatus, ' ', StatusSource) AS cell FROM LoggingInfo WHERE JobID = {} ORDER BY SeqNum", ids[0]);
        let recorded = cells(&jobs.databases.job_logging_db, &records).await;
        assert_eq!(recorded[1..], ["Done by hand Metadata", "Killed by hand Metadata"]);
        assert_eq!(commands(&jobs.databases, ids[0]).await, ["Kill"]);
        assert_eq!(count(&jobs.databases.task_queue_db, "tq_Jobs", "TQId = 1").await, 1, "the other one waits");
        let events = format!("SELECT CONCAT(Status, ' ', MinorStatus) AS cell FROM JobEvents WHERE JobID = {} ORDER BY Seq", ids[0]);
        let told = cells(&jobs.databases.job_db, &events).await;
        assert_eq!(told[1..], ["Done by hand", "Killed by hand"]);
        jobs.patch("alice", vec![attributes(ids[0], |to| to.site = Some("S".into()))]).await.unwrap();
        assert_eq!(cells(&jobs.databases.job_db, &events).await.len(), 3, "where a job runs is no news");
        jobs.patch("alice", vec![attributes(ids[0], |to| to.application_status = Some("a".into()))]).await.unwrap();
        assert_eq!(cells(&jobs.databases.job_db, &events).await.len(), 4);
        assert_eq!(jobs.history_length("alice", ids[0]).await, 3, "without a status nothing is recorded");
    }

    async fn an_unknown_job_is_told_and_spoils_nothing(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let one = |job| {
            let mut patch = parameters(job, vec![parameter("a", Value::IntValue(1))]);
            patch.attributes = Some(pb::JobAttributes { site: Some("S".into()), ..Default::default() });
            patch
        };
        let outcomes = jobs.patch("carol", vec![one(999_999), one(job)]).await.unwrap();
        assert_eq!(outcomes, [Some("Job 999999 not found".to_owned()), None]);
        assert_eq!(read(&jobs, "carol", job, &[]).await.unwrap().len(), 1);
        assert_eq!(read(&jobs, "carol", 999_999, &[]).await, None);
        assert_eq!(reason(jobs.patch("alice", vec![one(999_999)]).await), "FORBIDDEN");
    }

    async fn only_administrators_give_jobs_away(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let set: [fn(&mut pb::JobAttributes); 3] = [
            |to| to.owner = Some("bob".into()),
            |to| to.owner_group = Some("other".into()),
            |to| to.vo = Some("beta".into()),
        ];
        for set in set {
            for who in ["alice", "petra"] {
                assert_eq!(reason(jobs.patch(who, vec![attributes(job, set)]).await), "FORBIDDEN", "{who}");
            }
        }
        assert_eq!(columns(&jobs, job, &["Owner", "VO"]).await, ["alice", "alpha"]);
        assert_eq!(jobs.patch("carol", vec![attributes(job, set[0])]).await.unwrap(), [None]);
        assert_eq!(columns(&jobs, job, &["Owner", "VO"]).await, ["bob", "alpha"]);
    }

    async fn a_job_that_is_given_away_leaves_the_queue_of_its_old_owner(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        queue(&jobs, 1, ALICE, 1, &[(ids[0], 1.0), (ids[1], 1.0)]).await;
        queue(&jobs, 2, ALICE, 1, &[(ids[2], 1.0)]).await;
        let mut patches = vec![attributes(ids[0], |to| to.owner = Some("bob".into())), attributes(ids[1], |to| to.site = Some("S".into()))];
        patches.push(attributes(ids[2], |to| to.vo = Some("beta".into())));
        assert_eq!(jobs.patch("carol", patches).await.unwrap(), [None, None, None]);
        let waiting = cells(&jobs.databases.task_queue_db, "SELECT CAST(JobId AS CHAR(20)) AS cell FROM tq_Jobs").await;
        assert_eq!(waiting, [ids[1].to_string()]);
        assert_eq!(count(&jobs.databases.task_queue_db, "tq_TaskQueues", "1 = 1").await, 1, "an empty queue goes");
    }

    async fn the_books_are_kept_by_administrators_and_the_system(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let set: [fn(&mut pb::JobAttributes); 3] = [
            |to| to.reschedule_counter = Some(2),
            |to| to.verified_flag = Some(false),
            |to| to.accounted_flag = Some(pb::AccountedFlag::True.into()),
        ];
        let names = ["RescheduleCounter", "VerifiedFlag", "AccountedFlag"];
        for set in set {
            for who in ["alice", "petra"] {
                assert_eq!(reason(jobs.patch(who, vec![attributes(job, set)]).await), "FORBIDDEN", "{who}");
            }
            let request = pb::PatchJobMetadataRequest { patches: vec![attributes(job, set)] };
            jobs.client.clone().patch_job_metadata(jobs.component_request("local-executor", request)).await.unwrap();
        }
        assert_eq!(columns(&jobs, job, &names).await, ["2", "false", "true"]);
        let back = attributes(job, |to| {
            to.reschedule_counter = Some(0);
            to.verified_flag = Some(true);
        });
        assert_eq!(jobs.patch("carol", vec![back]).await.unwrap(), [None]);
        assert_eq!(columns(&jobs, job, &names).await, ["0", "true", "true"]);
        let theft = pb::PatchJobMetadataRequest { patches: vec![attributes(job, |to| to.owner = Some("bob".into()))] };
        let refused = jobs.client.clone().patch_job_metadata(jobs.component_request("local-executor", theft)).await;
        assert_eq!(reason(refused), "FORBIDDEN");
    }

    async fn metadata_is_changed_and_read_by_those_who_may(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let patch = || vec![parameters(job, vec![parameter("a", Value::IntValue(1))])];
        for who in ["bob", "dave", "no_properties"] {
            assert_eq!(reason(jobs.patch(who, patch()).await), "FORBIDDEN", "{who}");
            assert_eq!(reason(jobs.parameters(who, &[job], &[]).await), "FORBIDDEN", "{who}");
        }
        for who in ["alice", "petra", "carol"] {
            assert_eq!(jobs.patch(who, patch()).await.unwrap(), [None], "{who}");
            assert_eq!(read(&jobs, who, job, &[]).await.unwrap().len(), 1, "{who}");
        }
    }

    async fn what_does_not_fit_is_refused_with_its_path_and_nothing_is_written(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let check = async |patches: Vec<pb::JobMetadataPatch>, expected: &str| {
            let status = jobs.patch("carol", patches).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, expected));
        };
        let good = || parameter("a", Value::IntValue(1));
        let bad = |bad: pb::JobParameter| vec![parameters(job, vec![good(), bad])];
        check(vec![parameters(job, vec![good()]), parameters(job, vec![])], &format!("patches[1].job_id: {job} is there twice")).await;
        check(bad(good()), "patches[0].parameters[1].name: \"a\" is there twice").await;
        check(bad(parameter("JobID", Value::IntValue(1))), "patches[0].parameters[1].name: is JobID, which is no parameter").await;
        check(bad(parameter("", Value::IntValue(1))), "patches[0].parameters[1].name: is empty").await;
        check(bad(parameter(&"ä".repeat(256), Value::IntValue(1))), "patches[0].parameters[1].name: has more than 255 characters").await;
        check(bad(pb::JobParameter { name: "b".into(), value: None }), "patches[0].parameters[1].value: is required").await;
        check(bad(parameter("b", Value::DoubleValue(f64::NAN))), "patches[0].parameters[1].double_value: is not finite").await;
        check(bad(parameter("b", Value::StringValue("x".repeat(65_537)))), "patches[0].parameters[1].string_value: has 65537 bytes, 65536 is the limit").await;
        check(bad(parameter("b", Value::JsonValue("{".into()))), "patches[0].parameters[1].json_value: is not JSON: EOF while parsing an object at line 1 column 1").await;
        check(vec![attributes(job, |to| to.site = Some("ä".repeat(101)))], "patches[0].attributes.site: has more than 100 characters").await;
        check(vec![attributes(job, |to| to.job_type = Some("x".repeat(33)))], "patches[0].attributes.job_type: has more than 32 characters").await;
        check(vec![attributes(job, |to| to.status = Some("Limbo".into()))], "patches[0].attributes.status: \"Limbo\" is no status of a job").await;
        check(vec![attributes(job, |to| to.accounted_flag = Some(9))], "patches[0].attributes.accounted_flag: 9 is none of the flags that there are").await;
        assert_eq!(read(&jobs, "carol", job, &[]).await.unwrap(), []);
        let most = parameter(&"ä".repeat(255), Value::StringValue("x".repeat(65_536)));
        jobs.patch("carol", vec![parameters(job, vec![most.clone()])]).await.unwrap();
        assert_eq!(read(&jobs, "carol", job, &[]).await.unwrap(), [most]);
    }

    async fn patches_in_both_orders_at_once_neither_deadlock_nor_get_lost(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 10]).await.unwrap();
        let round = |n: i64| {
            let mut order = ids.clone();
            if n % 2 == 1 {
                order.reverse();
            }
            let name = format!("round {n}");
            let of_job = |id| parameters(id, vec![parameter("last", Value::IntValue(n)), parameter(&name, Value::IntValue(n))]);
            let patches = order.into_iter().map(of_job).collect();
            jobs.patch("alice", patches)
        };
        for result in join_all((1..=24).map(round)).await {
            assert_eq!(result.unwrap(), vec![None; 10]);
        }
        for id in ids {
            assert_eq!(read(&jobs, "alice", id, &[]).await.unwrap().len(), 25);
        }
    }
}
