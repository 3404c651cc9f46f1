//! Pilots change.

use chrono::TimeDelta;
use diracx_core::PilotStatus;
use diracx_proto::pilots::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::Code;

use crate::{
    harness::{Pilots, Wrong, reason, to},
    sql::execute,
};

fn missing(stamp: &str) -> String {
    format!("Pilot with stamp '{stamp}' does not exist")
}

fn nothing(stamp: &str) -> pb::PilotMetadataPatch {
    pb::PilotMetadataPatch { pilot_stamp: stamp.into(), ..Default::default() }
}

on_both_backends! {
    async fn what_a_patch_does_not_mention_stays(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let all = pb::PilotMetadataPatch {
            pilot_stamp: "a".into(),
            status: Some(pb::PilotStatus::Running.into()),
            status_reason: Some("r".into()),
            benchmark: Some(11.25),
            destination_site: Some("d".into()),
            queue: Some("q".into()),
            grid_site: Some("g".into()),
            grid_type: Some("t".into()),
            accounting_sent: Some(true),
            current_job_id: Some(12),
        };
        let some = pb::PilotMetadataPatch { queue: Some("long".into()), ..nothing("b") };
        assert_eq!(pilots.patch("service_admin", vec![all, some], |_| ()).await.unwrap(), [None, None]);
        let columns = ["CurrentJobID", "DestinationSite", "Queue", "GridSite", "GridType", "BenchMark", "Status",
            "StatusReason", "AccountingSent"];
        assert_eq!(
            pilots.look("a", &columns).await,
            ["12", "d", "q", "g", "t", "11.25", "Running", "r", "true"],
        );
        assert_eq!(
            pilots.look("b", &columns).await,
            ["0", "NotAssigned", "long", "Unknown", "DIRAC", "0", "Submitted", "Unknown", "false"],
        );
    }

    async fn only_what_changes_was_heard_of(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let before = pilots.look("b", &["LastUpdateTime"]).await;
        pilots.later(TimeDelta::minutes(5));
        pilots.patch("service_admin", vec![to("a", PilotStatus::Waiting), nothing("b")], |_| ()).await.unwrap();
        assert_ne!(pilots.look("a", &["LastUpdateTime"]).await, before);
        assert_eq!(pilots.look("b", &["LastUpdateTime"]).await, before);
    }

    async fn what_has_ended_stays_so_unless_forced(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        let change = || vec![to("a", PilotStatus::Done), to("b", PilotStatus::Running)];
        assert_eq!(pilots.patch("service_admin", change(), |_| ()).await.unwrap(), [None, None]);
        let back = || vec![to("a", PilotStatus::Running), to("b", PilotStatus::Done)];
        let refused = Some("Pilot 'a' cannot go from Done to Running".to_owned());
        let of_a_pilot = pilots.patch("pilot", vec![to("a", PilotStatus::Running)], |_| ()).await.unwrap();
        assert_eq!(of_a_pilot.first(), Some(&refused));
        assert_eq!(pilots.patch("service_admin", back(), |_| ()).await.unwrap(), [refused, None]);
        let forced = pilots.patch("service_admin", back(), |request| request.force = true).await.unwrap();
        assert_eq!(forced, [None, None]);
        assert_eq!(pilots.look("a", &["Status"]).await, ["Running"]);
        let again = pilots.patch("service_admin", back(), |_| ()).await.unwrap();
        assert_eq!(again, [None, None], "repeating is harmless");
    }

    async fn all_or_none_changes_nothing_if_one_fails(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        let both = || vec![to("a", PilotStatus::Done), to("nobody", PilotStatus::Done)];
        let each = pilots.patch("service_admin", vec![to("nobody", PilotStatus::Done)], |_| ()).await.unwrap();
        assert_eq!(each, [Some(missing("nobody"))]);
        let error = pilots.patch("service_admin", both(), |request| request.all_or_none = true).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::NotFound, "At least one pilot does not exist."));
        assert_eq!(pilots.look("a", &["Status"]).await, ["Submitted"]);

        pilots.register("service_admin", "alpha", &["ended"]).await.unwrap();
        pilots.becomes("ended", PilotStatus::Done).await;
        let both = vec![to("a", PilotStatus::Done), to("ended", PilotStatus::Running)];
        let error = pilots.patch("service_admin", both, |request| request.all_or_none = true).await.unwrap_err();
        assert_eq!((error.code(), reason(&error).as_str()), (Code::FailedPrecondition, "ILLEGAL_TRANSITION"));
        assert_eq!(pilots.look("a", &["Status"]).await, ["Submitted"]);
    }

    async fn a_pilot_changes_one_of_its_vo_and_sees_no_other(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a", "b"]).await.unwrap();
        pilots.register("service_admin", "beta", &["elsewhere"]).await.unwrap();
        let running = |stamp| to(stamp, PilotStatus::Running);
        assert_eq!(pilots.patch("pilot", vec![running("a")], |_| ()).await.unwrap(), [None]);
        let elsewhere = pilots.patch("pilot", vec![running("elsewhere")], |_| ()).await.unwrap();
        assert_eq!(elsewhere, [Some(missing("elsewhere"))]);
        let nowhere = pilots.patch("pilot", vec![running("nobody")], |_| ()).await.unwrap();
        assert_eq!(nowhere, [Some(missing("nobody"))]);
        for (who, patches, force, sentence) in [
            ("pilot", vec![running("a"), running("b")], false, "Insufficient permissions to modify more than one pilot."),
            ("pilot", vec![running("a")], true, "Insufficient permissions to overrule the life of a pilot."),
            ("alice", vec![running("a")], false, "Insufficient permissions to manage pilots."),
            ("admin", vec![], false, "Insufficient permissions to manage pilots."),
        ] {
            let error = pilots.patch(who, patches, |request| request.force = force).await.unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::PermissionDenied, sentence), "{who}");
        }
    }

    async fn of_several_pilots_with_one_stamp_the_newest_changes(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let insert = "INSERT INTO PilotAgents (PilotID, PilotStamp, VO, Status) VALUES (1, 'twice', 'alpha', 'Done');
            INSERT INTO PilotAgents (PilotID, PilotStamp, VO, Status) VALUES (2, 'twice', 'alpha', 'Scheduled');";
        execute(&pilots.database, insert).await;
        let outcomes = pilots.patch("pilot", vec![to("twice", PilotStatus::Running)], |_| ()).await.unwrap();
        assert_eq!(outcomes, [None]);
        let found = pilots.search("service_admin", |request| request.read_mask = vec!["Status".into()]).await.unwrap();
        assert_eq!(crate::harness::rows(found), [["Done"], ["Running"]]);
    }

    async fn what_does_not_fit_is_named(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "alpha", &["a"]).await.unwrap();
        let wrong: Wrong<pb::PilotMetadataPatch> = vec![
            (|p| p.status = Some(99), "status"),
            (|p| p.status = Some(0), "status"),
            (|p| p.status_reason = Some("x".repeat(256)), "status_reason"),
            (|p| p.benchmark = Some(f64::NAN), "benchmark"),
            (|p| p.destination_site = Some("x".repeat(129)), "destination_site"),
            (|p| p.queue = Some("x".repeat(129)), "queue"),
            (|p| p.grid_site = Some("x".repeat(129)), "grid_site"),
            (|p| p.grid_type = Some("x".repeat(33)), "grid_type"),
            (|p| p.current_job_id = Some(i64::MAX), "current_job_id"),
        ];
        for (change, field) in wrong {
            let mut patch = nothing("a");
            change(&mut patch);
            let error = pilots.patch("service_admin", vec![patch], |_| ()).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{field}");
            assert!(error.message().starts_with(&format!("patches[0].{field}: ")), "{}", error.message());
        }
        let twice = pilots.patch("service_admin", vec![nothing("a"), nothing("a")], |_| ()).await.unwrap_err();
        assert_eq!(twice.message(), "patches[1].pilot_stamp: a is there twice");
    }
}
