//! Pilots become known, each stamp once.

use diracx_core::search::Filter;
use diracx_proto::pilots::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::Code;

use crate::{
    harness::{Pilots, Wrong, pilot, reason},
    sql::execute,
};

fn exists(stamp: &str) -> String {
    format!("Pilot with stamp '{stamp}' already exists")
}

on_both_backends! {
    async fn a_pilot_is_known_with_what_was_said_and_the_defaults(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let outcomes = pilots.register("service_admin", "alpha", &["one", "two"]).await.unwrap();
        assert_eq!(outcomes, [None, None]);
        let columns = ["PilotJobReference", "GridSite", "DestinationSite", "GridType", "Status", "AccountingSent"];
        assert_eq!(
            pilots.look("two", &columns).await,
            ["two", "NotAssigned", "Unknown", "DIRAC", "Submitted", "false"],
        );
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["one", "two"]);
        assert_eq!(pilots.finds("other_vo_user", vec![]).await.unwrap(), [""; 0]);
    }

    async fn a_stamp_is_taken_in_every_vo_and_the_others_of_the_call_are_not(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "beta", &["one"]).await.unwrap();
        let outcomes = pilots.register("service_admin", "alpha", &["one", "two"]).await.unwrap();
        assert_eq!(outcomes, [Some(exists("one")), None]);
    }

    async fn of_many_who_want_a_stamp_at_once_one_gets_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let stamps: Vec<String> = (0..20).map(|i| format!("s{i}")).collect();
        let call = async |turn: usize| {
            let mut stamps: Vec<&str> = stamps.iter().map(String::as_str).collect();
            stamps.rotate_left(turn);
            pilots.register("service_admin", "alpha", &stamps).await.unwrap()
        };
        let all = futures::future::join_all((0..8).map(call)).await;
        let registered = all.iter().flatten().filter(|outcome| outcome.is_none()).count();
        assert_eq!(registered, stamps.len());
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap().len(), stamps.len());
    }

    async fn a_pilot_that_dirac_registered_keeps_its_stamp_until_dirac_forgets_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let insert = "INSERT INTO PilotAgents (PilotJobReference, PilotStamp, VO) VALUES ('r', 'legacy', 'beta');";
        execute(&pilots.database, insert).await;
        let again = pilots.register("service_admin", "alpha", &["legacy"]).await.unwrap();
        assert_eq!(again, [Some(exists("legacy"))]);
        execute(&pilots.database, "DELETE FROM PilotAgents WHERE PilotStamp = 'legacy';").await;
        assert_eq!(pilots.register("service_admin", "alpha", &["legacy"]).await.unwrap(), [None]);
    }

    async fn stamps_that_differ_in_case_are_two(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let outcomes = pilots.register("service_admin", "alpha", &["abc", "ABC", "abc "]).await.unwrap();
        assert_eq!(outcomes, [None, None, None]);
        assert_eq!(pilots.register("service_admin", "alpha", &["ABC"]).await.unwrap(), [Some(exists("ABC"))]);
    }

    async fn a_repeated_call_gets_the_first_answer_and_another_one_is_refused(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register("service_admin", "beta", &["two"]).await.unwrap();
        let call = |stamps: &[&str]| pb::RegisterPilotsRequest {
            pilots: stamps.iter().map(|stamp| pilot(stamp, "alpha")).collect(),
            request_id: "once".into(),
            secret_lifetime: None,
        };
        let first = pilots.register_call("service_admin", call(&["one", "two"])).await.unwrap();
        assert_eq!(first, [None, Some(exists("two"))]);
        let again = pilots.register_call("service_admin", call(&["one", "two"])).await.unwrap();
        assert_eq!(again, first);
        let other = pilots.register_call("service_admin", call(&["three"])).await.unwrap_err();
        assert_eq!((other.code(), reason(&other).as_str()), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
        let somebody_elses = pilots.register_call("component tasks", call(&["three"])).await.unwrap();
        assert_eq!(somebody_elses, [None]);
        assert_eq!(pilots.finds("service_admin", vec![]).await.unwrap(), ["two", "one", "three"]);
    }

    async fn the_same_call_at_once_registers_once_and_both_are_told_so(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let call = || pb::RegisterPilotsRequest {
            pilots: vec![pilot("one", "alpha")],
            request_id: "once".into(),
            secret_lifetime: None,
        };
        let calls = (0..6).map(|_| pilots.register_call("service_admin", call()));
        for outcome in futures::future::join_all(calls).await {
            assert_eq!(outcome.unwrap(), [None]);
        }
    }

    async fn who_may_register_whom(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let refused = pilots.register("alice", "alpha", &["a"]).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "Insufficient permissions to manage pilots."));
        assert_eq!(pilots.register("pilot", "alpha", &["a"]).await.unwrap(), [None]);
        let several = pilots.register("pilot", "alpha", &["b", "c"]).await.unwrap_err();
        assert_eq!(several.message(), "Insufficient permissions to modify more than one pilot.");
        let elsewhere = pilots.register("pilot", "beta", &["b"]).await.unwrap();
        assert_eq!(elsewhere, [Some("Pilots can only be registered for your own VO.".to_owned())]);
        let nowhere = pilots.register("service_admin", "gamma", &["b"]).await.unwrap();
        assert_eq!(nowhere, [Some("VO 'gamma' is not registered in this installation.".to_owned())]);
        assert_eq!(pilots.finds("service_admin", vec![Filter::equals("PilotStamp", "b")]).await.unwrap(), [""; 0]);
    }

    async fn what_does_not_fit_is_named(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let wrong: Wrong<pb::RegisterPilotsRequest> = vec![
            (|r| r.pilots[0].pilot_stamp = "x".repeat(33), "pilots[0].pilot_stamp"),
            (|r| r.pilots[0].pilot_stamp = String::new(), "pilots[0].pilot_stamp"),
            (|r| r.pilots.push(pilot("a", "alpha")), "pilots[1].pilot_stamp"),
            (|r| r.pilots[0].vo = String::new(), "pilots[0].vo"),
            (|r| r.pilots[0].grid_type = "x".repeat(33), "pilots[0].grid_type"),
            (|r| r.pilots[0].grid_site = "x".repeat(129), "pilots[0].grid_site"),
            (|r| r.pilots[0].destination_site = "x".repeat(129), "pilots[0].destination_site"),
            (|r| r.pilots[0].pilot_reference = "x".repeat(256), "pilots[0].pilot_reference"),
            (|r| r.pilots[0].status = 99, "pilots[0].status"),
            (|r| r.request_id = "x".repeat(65), "request_id"),
            (|r| r.secret_lifetime = Some(prost_types::Duration::default()), "secret_lifetime"),
        ];
        for (change, field) in wrong {
            let mut request =
                pb::RegisterPilotsRequest { pilots: vec![pilot("a", "alpha")], ..Default::default() };
            change(&mut request);
            let error = pilots.register_call("service_admin", request).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{field}");
            assert!(error.message().starts_with(&format!("{field}: ")), "{field}: {}", error.message());
        }
    }
}
