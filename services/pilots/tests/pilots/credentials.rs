//! Pilots get their tokens for secrets, and go on with refresh tokens.

use chrono::TimeDelta;
use diracx_client::later;
use diracx_proto::pilots::v1::{
    self as pb, get_pilot_token_request::Grant, pilots_service_client::PilotsServiceClient,
    register_pilot_outcome::Result as Outcome,
};
use diracx_testkit::on_both_backends;
use tonic::{Code, Request, Status};

use crate::{
    harness::{Pilots, pilot, reason},
    sql::{cells, count, execute},
};

pub(crate) const SVEN: &str = "service_admin";

pub(crate) fn with_secret(stamp: &str, secret: &str) -> pb::GetPilotTokenRequest {
    let grant = pb::PilotSecretGrant { secret: secret.to_owned(), registration: None };
    pb::GetPilotTokenRequest { pilot_stamp: stamp.to_owned(), grant: Some(Grant::Secret(grant)) }
}

pub(crate) fn with_token(stamp: &str, refresh_token: &str) -> pb::GetPilotTokenRequest {
    let grant = pb::PilotRefreshGrant { refresh_token: refresh_token.to_owned() };
    pb::GetPilotTokenRequest { pilot_stamp: stamp.to_owned(), grant: Some(Grant::RefreshToken(grant)) }
}

impl Pilots {
    pub(crate) async fn token(
        &self,
        request: pb::GetPilotTokenRequest,
    ) -> Result<pb::GetPilotTokenResponse, Status> {
        Ok(self.client.clone().get_pilot_token(request).await?.into_inner())
    }

    pub(crate) async fn secrets(
        &self,
        who: &str,
        change: impl FnOnce(&mut pb::CreatePilotSecretsRequest),
    ) -> Result<Vec<pb::PilotSecret>, Status> {
        let mut request = pb::CreatePilotSecretsRequest { vo: "alpha".to_owned(), ..Default::default() };
        change(&mut request);
        Ok(self.client.clone().create_pilot_secrets(self.request(who, request)).await?.into_inner().secrets)
    }

    pub(crate) async fn secret(
        &self,
        change: impl FnOnce(&mut pb::CreatePilotSecretsRequest),
    ) -> pb::PilotSecret {
        self.secrets(SVEN, change).await.unwrap().remove(0)
    }

    /// Registers a pilot of VO alpha with a secret.
    pub(crate) async fn registers_with_secret(&self, stamp: &str) -> String {
        let request = pb::RegisterPilotsRequest {
            pilots: vec![pilot(stamp, "alpha")],
            secret_lifetime: Some(diracx_proto::time::seconds(3600)),
            ..Default::default()
        };
        self.told(request).await.remove(0).expect("a secret").secret
    }

    /// Registers pilots, and tells their secrets.
    async fn told(&self, request: pb::RegisterPilotsRequest) -> Vec<Option<pb::PilotSecret>> {
        let answer = self.client.clone().register_pilots(self.request(SVEN, request)).await.unwrap();
        let secret = |outcome: pb::RegisterPilotOutcome| match outcome.result.unwrap() {
            Outcome::Pilot(pilot) => pilot.secret,
            Outcome::Error(_) => None,
        };
        answer.into_inner().outcomes.into_iter().map(secret).collect()
    }

    async fn info(&self, token: &str) -> Result<pb::GetPilotInfoResponse, Status> {
        let mut request = Request::new(pb::GetPilotInfoRequest {});
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(self.client.clone().get_pilot_info(request).await?.into_inner())
    }
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>) {
    let status = result.expect_err("this should have been refused");
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert_eq!(reason(&status), "INVALID_GRANT");
    assert_eq!(status.message(), "The secret or refresh token is not good for this pilot");
}

on_both_backends! {
    async fn a_pilot_gets_its_token_for_its_secret_once_and_goes_on(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        assert_eq!(first.expires_in.unwrap().seconds, 20 * 60);
        assert_eq!(first.refresh_expires_in.unwrap().seconds, 24 * 3600);
        let info = pilots.info(&first.access_token).await.unwrap();
        assert_eq!((info.pilot_stamp.as_str(), info.vo.as_str(), info.sub.as_str()), ("stamp1", "alpha", "alpha:stamp1"));
        refused(pilots.token(with_secret("stamp1", &secret)).await);

        pilots.later(TimeDelta::hours(23));
        let second = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
        pilots.later(TimeDelta::hours(23));
        let third = pilots.token(with_token("stamp1", &second.refresh_token)).await.unwrap();
        pilots.info(&third.access_token).await.unwrap();
        pilots.later(TimeDelta::hours(25));
        refused(pilots.token(with_token("stamp1", &third.refresh_token)).await);
    }

    async fn of_two_exchanges_of_one_secret_at_the_same_instant_one_wins(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for round in 0..10 {
            let stamp = format!("stamp{round}");
            let secret = pilots.registers_with_secret(&stamp).await;
            let tries: Vec<_> = (0..4)
                .map(|_| {
                    let (mut client, request) = (pilots.client.clone(), with_secret(&stamp, &secret));
                    tokio::spawn(async move { client.get_pilot_token(request).await })
                })
                .collect();
            let mut won = 0;
            for attempt in tries {
                match attempt.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(status) => refused::<()>(Err(status)),
                }
            }
            assert_eq!(won, 1, "round {round}");
        }
    }

    async fn a_secret_is_good_as_often_as_it_says_however_many_come_at_once(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let stamps: Vec<String> = (0..8).map(|i| format!("stamp{i}")).collect();
        let known: Vec<&str> = stamps.iter().map(String::as_str).collect();
        pilots.register(SVEN, "alpha", &known).await.unwrap();
        let secret = pilots.secret(|request| request.max_uses = Some(5)).await.secret;
        let tries: Vec<_> = stamps
            .iter()
            .map(|stamp| {
                let (mut client, request) = (pilots.client.clone(), with_secret(stamp, &secret));
                tokio::spawn(async move { client.get_pilot_token(request).await.is_ok() })
            })
            .collect();
        let mut won = 0;
        for attempt in tries {
            won += i32::from(attempt.await.unwrap());
        }
        assert_eq!(won, 5);
        assert!(pilots.list(SVEN, "").await.unwrap().is_empty(), "it cannot be used any more");
    }

    async fn every_refusal_looks_alike(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let ours = pilots.registers_with_secret("stamp1").await;
        let theirs = pilots.registers_with_secret("stamp2").await;
        pilots.register(SVEN, "beta", &["stranger"]).await.unwrap();
        let open = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        for request in [
            with_secret("stamp1", "guessed"),
            with_secret("nobody", &ours),
            with_secret("stamp1", &theirs),
            with_secret("Stamp1", &ours),
            with_secret("stranger", &open),
            with_secret("nobody", &open),
            with_token("stamp1", "guessed"),
            with_token("stamp1", &ours),
        ] {
            refused(pilots.token(request).await);
        }
        pilots.token(with_secret("stamp1", &ours)).await.expect("nothing of this has used it up");
        pilots.later(TimeDelta::hours(1));
        refused(pilots.token(with_secret("stamp2", &theirs)).await);
    }

    async fn a_secret_is_for_those_whom_it_names(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let at = |stamp: &str, site: &str, element: &str| pb::PilotRegistration {
            grid_site: site.to_owned(),
            destination_site: element.to_owned(),
            ..pilot(stamp, "alpha")
        };
        let registrations = vec![at("cern1", "LCG.CERN.ch", "ce1"), at("cern2", "LCG.CERN.ch", "ce2"), at("lyon", "LCG.Lyon.fr", "ce1")];
        let request = pb::RegisterPilotsRequest { pilots: registrations, ..Default::default() };
        pilots.register_call(SVEN, request).await.unwrap();
        let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let none = pb::SecretConstraints::default;
        for (constraints, admitted) in [
            (none(), vec!["cern1", "cern2", "lyon"]),
            (pb::SecretConstraints { pilot_stamps: only(&["lyon", "cern2"]), ..none() }, vec!["cern2", "lyon"]),
            (pb::SecretConstraints { grid_sites: only(&["LCG.CERN.ch"]), ..none() }, vec!["cern1", "cern2"]),
            (pb::SecretConstraints { destination_sites: only(&["ce1"]), ..none() }, vec!["cern1", "lyon"]),
            (
                pb::SecretConstraints { grid_sites: only(&["LCG.CERN.ch"]), destination_sites: only(&["ce1"]), ..none() },
                vec!["cern1"],
            ),
        ] {
            let secret = pilots.secret(|request| {
                request.max_uses = Some(3);
                request.constraints = Some(constraints.clone());
            });
            let secret = secret.await.secret;
            for stamp in ["cern1", "cern2", "lyon"] {
                let answer = pilots.token(with_secret(stamp, &secret)).await;
                assert_eq!(answer.is_ok(), admitted.contains(&stamp), "{stamp} {constraints:?}");
            }
        }
    }

    async fn a_pilot_that_nobody_registered_makes_itself_known_for_a_secret_without_a_limit(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let itself = |stamp: &str, secret: &str| {
            let registration = pb::PilotSelfRegistration {
                grid_site: "VAC.Manchester.uk".to_owned(),
                destination_site: "vac1".to_owned(),
                ..Default::default()
            };
            let grant = pb::PilotSecretGrant { secret: secret.to_owned(), registration: Some(registration) };
            pb::GetPilotTokenRequest { pilot_stamp: stamp.to_owned(), grant: Some(Grant::Secret(grant)) }
        };
        let limited = pilots.secret(|request| request.max_uses = Some(9)).await.secret;
        refused(pilots.token(itself("vac1", &limited)).await);
        let constraints = pb::SecretConstraints { grid_sites: vec!["VAC.Manchester.uk".to_owned()], ..Default::default() };
        let open = pilots.secret(|request| {
            request.max_uses = Some(0);
            request.constraints = Some(constraints);
        });
        let open = open.await.secret;
        refused(pilots.token(with_secret("vac1", &open)).await);
        pilots.token(itself("vac1", &open)).await.unwrap();
        let columns = ["VO", "GridSite", "DestinationSite", "Status", "PilotJobReference"];
        assert_eq!(pilots.look("vac1", &columns).await, ["vac1", "vac1", "VAC.Manchester.uk", "alpha", "Running"]);
        // it is known now, and the secret goes on for it and for others
        pilots.token(with_secret("vac1", &open)).await.unwrap();
        let both = ["vac2", "vac2"].map(|stamp| {
            let (mut client, request) = (pilots.client.clone(), itself(stamp, &open));
            tokio::spawn(async move { client.get_pilot_token(request).await })
        });
        for attempt in both {
            attempt.await.unwrap().unwrap();
        }
        assert_eq!(pilots.finds(SVEN, vec![]).await.unwrap(), ["vac1", "vac2"]);
    }

    async fn a_refresh_token_that_is_used_twice_takes_everything_with_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let other = pilots.registers_with_secret("stamp2").await;
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        let bystander = pilots.token(with_secret("stamp2", &other)).await.unwrap();
        refused(pilots.token(with_token("stamp2", &first.refresh_token)).await);
        let second = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
        pilots.later(TimeDelta::minutes(2));
        refused(pilots.token(with_token("stamp1", &first.refresh_token)).await);
        refused(pilots.token(with_token("stamp1", &second.refresh_token)).await);
        pilots.token(with_token("stamp2", &bystander.refresh_token)).await.unwrap();
    }

    async fn of_refreshes_at_the_same_instant_each_is_answered_and_one_token_lives_on(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for round in 0..10 {
            let stamp = format!("stamp{round}");
            let secret = pilots.registers_with_secret(&stamp).await;
            let first = pilots.token(with_secret(&stamp, &secret)).await.unwrap();
            let at_once = async |shown: [&String; 2]| {
                let tries = shown.map(|token| {
                    let (mut client, request) = (pilots.client.clone(), with_token(&stamp, token));
                    tokio::spawn(async move { client.get_pilot_token(request).await })
                });
                let mut got = Vec::new();
                for attempt in tries {
                    got.extend(attempt.await.unwrap().map(|answer| answer.into_inner().refresh_token));
                }
                got
            };
            let both = at_once([&first.refresh_token; 2]).await;
            assert_eq!(both.len(), 2, "round {round}");
            let lives = at_once([&both[0], &both[1]]).await;
            assert!(lives.len() <= 1, "round {round}: both go on");
            let left = format!("PilotStamp = '{stamp}' AND State = 'FRESH'");
            assert_eq!(count(&pilots.database, "PilotRefreshTokens", &left).await, 0, "two were there, so all is taken away");
            for token in lives {
                refused(pilots.token(with_token(&stamp, &token)).await);
            }
        }
    }

    async fn a_pilot_that_lost_the_answer_asks_again_and_goes_on(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        let lost = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
        pilots.later(TimeDelta::seconds(59));
        let second = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
        pilots.later(TimeDelta::hours(1));
        let third = pilots.token(with_token("stamp1", &second.refresh_token)).await.unwrap();
        assert_eq!(count(&pilots.database, "PilotRefreshTokens", "State = 'FRESH'").await, 1, "one is left");
        // whoever has the other answer is found out
        refused(pilots.token(with_token("stamp1", &lost.refresh_token)).await);
        refused(pilots.token(with_token("stamp1", &third.refresh_token)).await);
    }

    async fn nobody_asks_again_when_somebody_has_gone_on_or_after_a_minute(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for (stamp, waits, goes_on) in [("gone", 1, true), ("late", 61, false)] {
            let secret = pilots.registers_with_secret(stamp).await;
            let first = pilots.token(with_secret(stamp, &secret)).await.unwrap();
            let mut last = pilots.token(with_token(stamp, &first.refresh_token)).await.unwrap();
            if goes_on {
                last = pilots.token(with_token(stamp, &last.refresh_token)).await.unwrap();
            }
            pilots.later(TimeDelta::seconds(waits));
            refused(pilots.token(with_token(stamp, &first.refresh_token)).await);
            refused(pilots.token(with_token(stamp, &last.refresh_token)).await);
        }
    }

    async fn a_pilot_that_has_ended_gets_nothing(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let unused = pilots.registers_with_secret("stamp2").await;
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        execute(&pilots.database, "UPDATE PilotAgents SET Status = 'Done'").await;
        refused(pilots.token(with_token("stamp1", &first.refresh_token)).await);
        refused(pilots.token(with_secret("stamp2", &unused)).await);
    }

    async fn nothing_is_used_up_while_the_auth_service_is_away(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let mut alone: PilotsServiceClient<_> = pilots.changed(|deps| deps.auth = later().0);
        let away = alone.get_pilot_token(with_secret("stamp1", &secret)).await.unwrap_err();
        assert_eq!((away.code(), reason(&away).as_str()), (Code::Unavailable, "SERVICE_UNAVAILABLE"));
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        let away = alone.get_pilot_token(with_token("stamp1", &first.refresh_token)).await.unwrap_err();
        assert_eq!(away.code(), Code::Unavailable);
        pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
    }

    async fn pilots_are_registered_with_secrets_by_those_who_may_and_told_once(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let request = |call: &str| pb::RegisterPilotsRequest {
            pilots: vec![pilot("stamp1", "alpha"), pilot("stamp2", "beta"), pilot("taken", "alpha")],
            request_id: call.to_owned(),
            secret_lifetime: Some(diracx_proto::time::seconds(60)),
        };
        pilots.register(SVEN, "alpha", &["taken"]).await.unwrap();
        let told = pilots.told(request("call")).await;
        assert_eq!(told.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(pilots.told(request("call")).await.into_iter().flatten().count(), 0);
        assert_eq!(pilots.list(SVEN, "").await.unwrap().len(), 2, "no secret of a pilot that others have");
        pilots.token(with_secret("stamp2", &told[1].as_ref().unwrap().secret)).await.unwrap();
        let by_petra = pb::RegisterPilotsRequest { pilots: vec![pilot("petras", "alpha")], ..request("") };
        assert_eq!(reason(&pilots.register_call("pilot", by_petra).await.unwrap_err()), "FORBIDDEN");
        let too_long = pb::RegisterPilotsRequest { secret_lifetime: Some(diracx_proto::time::seconds(1 << 40)), ..request("") };
        assert_eq!(reason(&pilots.register_call(SVEN, too_long).await.unwrap_err()), "INVALID_FIELD");
    }

    async fn the_database_holds_no_secret_and_its_writer_cannot_make_one(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
        for (table, column) in [("PilotSecrets", "HashedSecret"), ("PilotRefreshTokens", "HashedToken")] {
            for hash in cells(&pilots.database, &format!("SELECT {column} AS cell FROM {table}")).await {
                assert!(hash.len() == 64 && !hash.contains(&secret) && !hash.contains(&first.refresh_token));
                let plain = |text: &str| -> String {
                    use sha2::Digest;
                    format!("{:x}", sha2::Sha256::digest(text))
                };
                assert!(hash != plain(&secret) && hash != plain(&first.refresh_token), "no plain hash");
            }
        }
        let mut elsewhere = pilots.changed(|deps| {
            deps.credentials.pepper = "another pepper ".repeat(3).parse().unwrap();
        });
        refused(elsewhere.get_pilot_token(with_token("stamp1", &first.refresh_token)).await);
    }

    async fn with_a_new_pepper_the_one_of_before_still_counts_if_it_is_given(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let unused = pilots.registers_with_secret("stamp1").await;
        let secret = pilots.registers_with_secret("stamp2").await;
        let first = pilots.token(with_secret("stamp2", &secret)).await.unwrap();
        let mut changed = pilots.changed(|deps| {
            let old = std::mem::replace(&mut deps.credentials.pepper, "another pepper ".repeat(3).parse().unwrap());
            deps.credentials.previous_pepper = Some(old);
        });
        changed.get_pilot_token(with_secret("stamp1", &unused)).await.unwrap();
        let second = changed.get_pilot_token(with_token("stamp2", &first.refresh_token)).await.unwrap().into_inner();
        // what is given from now on does without the old one
        let mut later = pilots.changed(|deps| deps.credentials.pepper = "another pepper ".repeat(3).parse().unwrap());
        later.get_pilot_token(with_token("stamp2", &second.refresh_token)).await.unwrap();
        let reused = changed.get_pilot_token(with_token("stamp2", &first.refresh_token)).await;
        refused(reused);
    }

    async fn requests_that_make_no_sense_are_told_what_is_wrong(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let long = "x".repeat(513);
        for (request, complaint) in [
            (with_secret("", "secret"), "pilot_stamp: must have 1 to 32 characters"),
            (with_secret("stamp1", ""), "secret: is required"),
            (with_secret("stamp1", &long), "secret: is longer than any that this service gave"),
            (with_token("stamp1", ""), "refresh_token: is required"),
            (pb::GetPilotTokenRequest { pilot_stamp: "stamp1".to_owned(), grant: None }, "grant: is required"),
        ] {
            let status = pilots.token(request).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, complaint));
        }
        type Change = fn(&mut pb::CreatePilotSecretsRequest);
        let changes: [Change; 8] = [
            |request| request.count = -1,
            |request| request.count = 10_001,
            |request| "nowhere".clone_into(&mut request.vo),
            |request| request.max_uses = Some(-1),
            |request| request.lifetime = Some(diracx_proto::time::seconds(0)),
            |request| request.lifetime = Some(diracx_proto::time::seconds(i64::MAX)),
            |request| request.constraints = Some(pb::SecretConstraints { grid_sites: vec![String::new()], ..Default::default() }),
            |request| {
                request.count = 10_000;
                request.constraints = Some(pb::SecretConstraints { grid_sites: vec!["a".to_owned(), "b".to_owned()], ..Default::default() });
            },
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let status = pilots.secrets(SVEN, change).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{i}: {status:?}");
        }
        let info = pilots.client.clone().get_pilot_info(pilots.request("normal_user", pb::GetPilotInfoRequest {})).await;
        let status = info.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "NOT_A_PILOT"));
    }
}
