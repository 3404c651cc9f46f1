//! Pilots are stopped and forgotten.

use chrono::TimeDelta;
use diracx_client::later;
use diracx_core::{JobStatus, PilotStatus};
use diracx_testkit::on_both_backends;
use tonic::Code;

use crate::{
    harness::{Pilots, reason},
    sql::{count, execute},
};

on_both_backends! {
    async fn a_stopped_pilot_is_aborted_and_the_job_it_runs_is_killed(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let (running, done) = (pilots.job_running_on("a").await, pilots.job_running_on("a").await);
        pilots.job_becomes(done, JobStatus::Done).await;
        let others = pilots.job_running_on("b").await;
        let outcomes = pilots.kill("service_admin", &["a", "nobody"], "").await.unwrap();
        assert_eq!(outcomes, [None, Some("Pilot with stamp 'nobody' does not exist".to_owned())]);
        assert_eq!(pilots.look("a", &["Status", "StatusReason"]).await, ["Aborted", "Killed by sven"]);
        assert_eq!(pilots.job_status(running).await, "Killed");
        assert_eq!(pilots.job_status(done).await, "Done");
        assert_eq!(pilots.job_status(others).await, "Running");
        assert_eq!(pilots.look("b", &["Status"]).await, ["Submitted"]);
    }

    async fn a_job_that_went_on_to_another_pilot_goes_on(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["old", "new"]).await.unwrap();
        let job = pilots.job_running_on("old").await;
        pilots.later(TimeDelta::minutes(1));
        pilots.assign("new", &[job]).await.unwrap();
        pilots.kill("service_admin", &["old"], "").await.unwrap();
        assert_eq!(pilots.job_status(job).await, "Running");
    }

    async fn a_job_of_another_vo_goes_on_whatever_the_table_says(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "beta", &["b"]).await.unwrap();
        let job_of_alpha = pilots.job_running_on("b").await;
        pilots.kill("service_admin", &["b"], "").await.unwrap();
        assert_eq!(pilots.job_status(job_of_alpha).await, "Running");
    }

    async fn what_has_ended_stays_as_it_is_and_succeeds(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        pilots.becomes("a", PilotStatus::Done).await;
        assert_eq!(pilots.kill("component tasks", &["a"], "why").await.unwrap(), [None]);
        assert_eq!(pilots.look("a", &["Status", "StatusReason"]).await, ["Done", "Unknown"]);
    }

    async fn without_the_jobs_service_nothing_is_marked(db: TestDatabase) {
        let mut pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        pilots.job_running_on("a").await;
        pilots.jobs_are_away(later().0);
        let error = pilots.kill("service_admin", &["a"], "").await.unwrap_err();
        assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "SERVICE_UNAVAILABLE"));
        assert_eq!(pilots.look("a", &["Status"]).await, ["Submitted"]);
    }

    async fn who_may_stop_and_forget(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        for who in ["alice", "pilot", "admin"] {
            assert_eq!(pilots.kill(who, &["a"], "").await.unwrap_err().code(), Code::PermissionDenied, "{who}");
            assert_eq!(pilots.delete(who, &["a"], false).await.unwrap_err().code(), Code::PermissionDenied, "{who}");
        }
        let forced = pilots.delete("component tasks", &["a"], true).await.unwrap_err();
        assert_eq!(forced.code(), Code::PermissionDenied);
    }

    async fn what_has_ended_is_forgotten_with_all_that_belongs_to_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        pilots.assign("a", &[1, 2]).await.unwrap();
        pilots.assign("b", &[1]).await.unwrap();
        let output = "INSERT INTO PilotOutput (PilotID, StdOutput, StdError) SELECT PilotID, 'o', 'e' FROM PilotAgents;";
        execute(&pilots.database, output).await;
        pilots.becomes("a", PilotStatus::Failed).await;
        let kept = Some("Pilot 'b' has not ended: it is Submitted".to_owned());
        assert_eq!(pilots.delete("service_admin", &["a", "b", "gone"], false).await.unwrap(), [None, kept, None]);
        for table in ["PilotAgents", "PilotStamps", "JobToPilotMapping", "PilotOutput"] {
            assert_eq!(count(&pilots.database, table, "1 = 1").await, 1, "{table}");
        }
        assert_eq!(pilots.register("service_admin", "beta", &["a"]).await.unwrap(), [None], "the stamp is free");
        assert_eq!(pilots.delete("service_admin", &["b"], true).await.unwrap(), [None]);
        assert_eq!(pilots.finds("service_admin", vec![]).await.unwrap(), ["a"]);
    }

    async fn all_pilots_with_a_stamp_are_forgotten(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let insert = "INSERT INTO PilotAgents (PilotStamp, VO, Status) VALUES ('twice', 'alpha', 'Done'), ('twice', 'alpha', 'Failed');";
        execute(&pilots.database, insert).await;
        assert_eq!(pilots.delete("component tasks", &["twice"], false).await.unwrap(), [None]);
        assert_eq!(pilots.finds("service_admin", vec![]).await.unwrap(), [""; 0]);
    }
}
