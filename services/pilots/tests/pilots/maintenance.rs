//! What the system does by itself.

use chrono::TimeDelta;
use diracx_core::{JobStatus, PilotStatus};
use diracx_testkit::on_both_backends;
use tonic::Code;

use crate::{
    harness::{Pilots, pilot, to},
    sql::{count, execute},
};

on_both_backends! {
    async fn pilots_without_a_sign_of_life_are_given_up(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["silent", "lost", "ended", "heard"]).await.unwrap();
        pilots.becomes("lost", PilotStatus::Unknown).await;
        pilots.becomes("ended", PilotStatus::Done).await;
        let old = "INSERT INTO PilotAgents (PilotStamp, VO, Status) VALUES ('timeless', 'alpha', 'Scheduled');";
        execute(&pilots.database, old).await;
        pilots.later(TimeDelta::days(2));
        assert_eq!(pilots.declare_stalled(0).await, (vec!["timeless".to_owned()], true));
        pilots.patch("service_admin", vec![to("heard", PilotStatus::Running)], |_| ()).await.unwrap();
        pilots.later(TimeDelta::days(2));
        assert_eq!(pilots.declare_stalled(0).await, (vec!["silent".to_owned(), "lost".to_owned()], true));
        assert_eq!(
            pilots.look("silent", &["Status", "StatusReason"]).await,
            ["Deleted", "No sign of life since 2026-11-24 10:00:00"],
        );
        assert_eq!(pilots.look("heard", &["Status"]).await, ["Running"]);
        assert_eq!(pilots.look("ended", &["Status"]).await, ["Done"]);
        assert_eq!(pilots.declare_stalled(0).await, (vec![], true));
    }

    async fn a_pilot_lives_as_long_as_its_job_does_and_no_longer(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let (alive, _silent) = (pilots.job_running_on("a").await, pilots.job_running_on("b").await);
        pilots.later(TimeDelta::days(2));
        pilots.job_becomes(alive, JobStatus::Running).await;
        pilots.later(TimeDelta::days(2));
        // One at a time: those that live must not be looked at again and again.
        assert_eq!(pilots.declare_stalled(1).await, (vec![], false));
        assert_eq!(pilots.declare_stalled(1).await, (vec!["b".to_owned()], false));
        assert_eq!(pilots.declare_stalled(1).await, (vec![], true));
        assert!(pilots.look("a", &["LastUpdateTime"]).await[0].starts_with("2026-11-25"), "as its job");
        pilots.later(TimeDelta::days(2));
        assert_eq!(pilots.declare_stalled(0).await, (vec!["a".to_owned()], true));
    }

    async fn a_job_that_went_on_keeps_nobody_alive(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["old"]).await.unwrap();
        let job = pilots.job_running_on("old").await;
        pilots.later(TimeDelta::days(4));
        pilots.register("service_admin", "alpha", &["new"]).await.unwrap();
        pilots.assign("new", &[job]).await.unwrap();
        pilots.job_becomes(job, JobStatus::Running).await;
        assert_eq!(pilots.declare_stalled(0).await, (vec!["old".to_owned()], true));
    }

    async fn pilots_that_ended_long_ago_are_forgotten(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["done", "aborted", "deleted", "running"]).await.unwrap();
        for (stamp, status) in [
            ("done", PilotStatus::Done),
            ("aborted", PilotStatus::Aborted),
            ("deleted", PilotStatus::Deleted),
            ("running", PilotStatus::Running),
        ] {
            pilots.becomes(stamp, status).await;
        }
        pilots.later(TimeDelta::days(6));
        assert_eq!(pilots.clean(0).await, (0, true));
        pilots.later(TimeDelta::days(2));
        assert_eq!(pilots.clean(0).await, (1, true));
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["done", "deleted", "running"]);
        pilots.later(TimeDelta::days(23));
        assert_eq!(pilots.clean(1).await, (1, false));
        assert_eq!(pilots.clean(1).await, (1, false));
        assert_eq!(pilots.clean(1).await, (0, true));
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["running"]);
        assert_eq!(count(&pilots.database, "PilotStamps", "1 = 1").await, 1);
    }

    async fn a_call_is_forgotten_after_a_day(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let call = diracx_proto::pilots::v1::RegisterPilotsRequest {
            pilots: vec![pilot("a", "alpha")],
            request_id: "once".into(),
            secret_lifetime: None,
        };
        pilots.register_call("service_admin", call).await.unwrap();
        pilots.later(TimeDelta::hours(23));
        pilots.clean(0).await;
        assert_eq!(count(&pilots.database, "PilotRequests", "1 = 1").await, 1);
        pilots.later(TimeDelta::hours(2));
        pilots.clean(0).await;
        assert_eq!(count(&pilots.database, "PilotRequests", "1 = 1").await, 0);
    }

    async fn only_the_system_does_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for who in ["alice", "service_admin", "pilot", "component jobs"] {
            let request = pilots.request(who, diracx_proto::pilots::v1::CleanPilotsRequest { batch_size: 0 });
            let error = pilots.client.clone().clean_pilots(request).await.unwrap_err();
            assert_eq!(error.code(), Code::PermissionDenied, "{who}");
        }
    }
}
