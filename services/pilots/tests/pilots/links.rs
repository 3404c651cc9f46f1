//! Jobs belong to pilots.

use chrono::TimeDelta;
use diracx_testkit::on_both_backends;
use tonic::Code;

use crate::{
    harness::{Pilots, reason},
    sql::{count, execute},
};

on_both_backends! {
    async fn jobs_and_pilots_are_told_both_ways(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b", "idle"]).await.unwrap();
        pilots.assign("a", &[12, 11, 11]).await.unwrap();
        pilots.later(TimeDelta::minutes(1));
        pilots.assign("b", &[11]).await.unwrap();
        let jobs = pilots.jobs_of("alice", &["b", "idle", "nobody", "a", "b"]).await.unwrap();
        assert_eq!(jobs, [("b".to_owned(), vec![11]), ("a".to_owned(), vec![11, 12])]);
        let of = pilots.pilots_of("alice", &[11, 99, 12]).await.unwrap();
        assert_eq!(of, [(11, vec!["a".to_owned(), "b".to_owned()]), (12, vec!["a".to_owned()])]);
    }

    async fn noting_it_again_is_harmless_even_at_once(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        // DIRAC's own table has no key that would keep doubles out.
        if let diracx_db::DbUrl::MySql(_) = pilots.database {
            execute(&pilots.database, "ALTER TABLE JobToPilotMapping DROP PRIMARY KEY;").await;
        }
        let calls = (0..6).map(|_| pilots.assign("a", &[1, 2, 3]));
        for outcome in futures::future::join_all(calls).await {
            outcome.unwrap();
        }
        assert_eq!(count(&pilots.database, "JobToPilotMapping", "1 = 1").await, 3);
    }

    async fn a_job_that_comes_back_belongs_to_the_pilot_that_took_it_last(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let last = async |job| pilots.pilots_of("component jobs", &[job]).await.unwrap()[0].1.last().unwrap().clone();
        // all within one second, and the row of the first pilot has the smaller number
        for (stamp, other) in [("a", 7), ("b", 8), ("a", 9), ("a", 7), ("b", 8)] {
            pilots.assign(stamp, &[1, other]).await.unwrap();
            assert_eq!(last(1).await, stamp);
        }
        pilots.assign("a", &[1]).await.unwrap();
        let starts = async || {
            let request = pilots.request("alice", diracx_proto::pilots::v1::GetJobPilotsRequest { job_ids: vec![1] });
            let found = pilots.client.clone().get_job_pilots(request).await.unwrap().into_inner();
            found.jobs[0].pilots.iter().map(|pilot| (pilot.pilot_stamp.clone(), pilot.start_time)).collect::<Vec<_>>()
        };
        let before = starts().await;
        pilots.later(TimeDelta::hours(1));
        pilots.assign("a", &[1]).await.unwrap();
        assert_eq!(starts().await, before, "what is repeated changes nothing");
        assert_eq!(count(&pilots.database, "JobToPilotMapping", "JobID = 1").await, 2, "one row for each pilot");
    }

    async fn a_match_is_a_sign_of_life(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        pilots.later(TimeDelta::days(1));
        pilots.assign("a", &[1]).await.unwrap();
        assert!(pilots.look("a", &["LastUpdateTime"]).await[0].starts_with("2026-11-24"), "a day later");
    }

    async fn doubles_of_dirac_are_told_once_with_their_last_start(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        if let diracx_db::DbUrl::MySql(_) = pilots.database {
            execute(&pilots.database, "ALTER TABLE JobToPilotMapping DROP PRIMARY KEY;
                INSERT INTO JobToPilotMapping VALUES (1, 7, '2026-01-02'), (1, 7, '2026-01-01');").await;
        } else {
            execute(&pilots.database, "INSERT INTO JobToPilotMapping VALUES (1, 7, '2026-01-01 00:00:00.000000');").await;
        }
        assert_eq!(pilots.jobs_of("alice", &["a"]).await.unwrap(), [("a".to_owned(), vec![7])]);
        if let diracx_db::DbUrl::MySql(_) = pilots.database {
            pilots.register("service_admin", "alpha", &["b"]).await.unwrap();
            execute(&pilots.database, "INSERT INTO JobToPilotMapping VALUES (2, 7, '2026-01-01 12:00:00');").await;
            assert_eq!(pilots.pilots_of("alice", &[7]).await.unwrap(), [(7, vec!["b".to_owned(), "a".to_owned()])]);
        }
    }

    async fn pilots_of_other_vos_are_not_told_and_not_given_jobs_by_people(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "beta", &["b"]).await.unwrap();
        pilots.assign("b", &[1]).await.unwrap();
        assert_eq!(pilots.jobs_of("alice", &["b"]).await.unwrap(), []);
        assert_eq!(pilots.pilots_of("alice", &[1]).await.unwrap(), []);
        assert_eq!(pilots.jobs_of("other_vo_user", &["b"]).await.unwrap(), [("b".to_owned(), vec![1])]);
        assert_eq!(pilots.jobs_of("component jobs", &["b"]).await.unwrap(), [("b".to_owned(), vec![1])]);
        assert_eq!(pilots.jobs_of("pilot", &["b"]).await.unwrap_err().code(), Code::PermissionDenied);
    }

    async fn nobody_runs_jobs_who_is_not_known(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let error = pilots.assign("nobody", &[1]).await.unwrap_err();
        assert_eq!((error.code(), reason(&error).as_str()), (Code::NotFound, "PILOT_NOT_FOUND"));
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        for number in [0, -1, i64::MAX] {
            let error = pilots.assign("a", &[1, number]).await.unwrap_err();
            assert_eq!(error.message(), "job_ids[1]: is not the number of a job");
        }
    }
}
