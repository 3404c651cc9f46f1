//! Credentials are listed, and taken away by secret, by pilot and by site.

use chrono::TimeDelta;
use diracx_proto::pilots::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::Status;

use crate::{
    credentials::{SVEN, refused, with_secret, with_token},
    harness::{Pilots, pilot, reason},
    sql::count,
};

impl Pilots {
    pub(crate) async fn list(&self, who: &str, vo: &str) -> Result<Vec<pb::PilotSecretInfo>, Status> {
        let request = pb::ListPilotSecretsRequest { vo: vo.to_owned(), ..Default::default() };
        Ok(self.client.clone().list_pilot_secrets(self.request(who, request)).await?.into_inner().secrets)
    }

    /// Takes away; how many secrets and refresh tokens that were.
    async fn revokes(
        &self,
        who: &str,
        change: impl FnOnce(&mut pb::RevokePilotCredentialsRequest),
    ) -> Result<(i64, i64), Status> {
        let mut request = pb::RevokePilotCredentialsRequest::default();
        change(&mut request);
        let answer =
            self.client.clone().revoke_pilot_credentials(self.request(who, request)).await?.into_inner();
        Ok((answer.revoked_secrets, answer.revoked_refresh_tokens))
    }

    async fn registers_at(&self, stamp: &str, vo: &str, site: &str) {
        let pilots = vec![pb::PilotRegistration { grid_site: site.to_owned(), ..pilot(stamp, vo) }];
        let request = pb::RegisterPilotsRequest { pilots, ..Default::default() };
        assert_eq!(self.register_call(SVEN, request).await.unwrap(), [None]);
    }

    async fn works(&self, stamp: &str, secret: &str) -> String {
        self.token(with_secret(stamp, secret)).await.unwrap().refresh_token
    }
}

on_both_backends! {
    async fn a_secret_is_taken_away_with_everything_that_was_got_for_it(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1", "stamp2"]).await.unwrap();
        let leaked = pilots.secret(|request| request.max_uses = Some(0)).await;
        let other = pilots.secret(|request| request.max_uses = Some(0)).await;
        let first = pilots.works("stamp1", &leaked.secret).await;
        let second = pilots.works("stamp2", &other.secret).await;
        let revoke = async || pilots.revokes(SVEN, |request| request.secret_ids = vec![leaked.secret_id.clone()]).await;
        assert_eq!(revoke().await.unwrap(), (1, 1));
        assert_eq!(revoke().await.unwrap(), (0, 0), "again is harmless");
        refused(pilots.token(with_secret("stamp2", &leaked.secret)).await);
        refused(pilots.token(with_token("stamp1", &first)).await);
        pilots.token(with_token("stamp2", &second)).await.unwrap();
        pilots.works("stamp1", &other.secret).await;
    }

    async fn a_used_secret_takes_its_tokens_along_when_it_is_revoked(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let id = pilots.list(SVEN, "").await.unwrap()[0].secret_id.clone();
        let token = pilots.works("stamp1", &secret).await;
        assert_eq!(pilots.revokes(SVEN, |request| request.secret_ids = vec![id]).await.unwrap(), (0, 1));
        refused(pilots.token(with_token("stamp1", &token)).await);
    }

    async fn a_pilot_loses_everything_and_needs_a_newer_secret(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let own = pilots.registers_with_secret("stamp1").await;
        pilots.register(SVEN, "alpha", &["stamp2"]).await.unwrap();
        let shared = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        let token = pilots.works("stamp1", &shared).await;
        let other = pilots.works("stamp2", &shared).await;
        let taken = pilots.revokes(SVEN, |request| request.pilot_stamps = vec!["stamp1".to_owned()]).await;
        assert_eq!(taken.unwrap(), (1, 1), "its own secret, and its token");
        for request in [with_secret("stamp1", &own), with_secret("stamp1", &shared), with_token("stamp1", &token)] {
            refused(pilots.token(request).await);
        }
        pilots.token(with_token("stamp2", &other)).await.unwrap();
        pilots.works("stamp2", &shared).await;
        pilots.later(TimeDelta::seconds(1));
        let newer = pilots.secret(|request| request.max_uses = None).await.secret;
        pilots.works("stamp1", &newer).await;
    }

    async fn a_site_loses_what_is_bound_to_it_and_what_was_used_there(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for (stamp, vo, site) in [("bad1", "alpha", "Bad"), ("bad2", "alpha", "Bad"), ("good", "alpha", "Good"), ("other", "beta", "Bad")] {
            pilots.registers_at(stamp, vo, site).await;
        }
        let shared = |vo: &'static str| pilots.secret(move |request| {
            vo.clone_into(&mut request.vo);
            request.max_uses = Some(0);
        });
        let (used, unused, betas) = (shared("alpha").await.secret, shared("alpha").await.secret, shared("beta").await.secret);
        let bound = pilots.secret(|request| {
            request.constraints = Some(pb::SecretConstraints { grid_sites: vec!["Bad".to_owned()], ..Default::default() });
        });
        let bound = bound.await.secret;
        let there = pilots.works("bad1", &used).await;
        let elsewhere = pilots.works("good", &unused).await;
        let in_beta = pilots.works("other", &betas).await;
        let taken = pilots.revokes(SVEN, |request| {
            "alpha".clone_into(&mut request.vo);
            request.grid_sites = vec!["Bad".to_owned()];
        });
        assert_eq!(taken.await.unwrap(), (2, 1), "the bound one and the used one, and one token");
        for request in [
            with_secret("bad2", &bound),
            with_secret("bad2", &unused),
            with_secret("good", &used),
            with_token("bad1", &there),
        ] {
            refused(pilots.token(request).await);
        }
        pilots.token(with_token("good", &elsewhere)).await.unwrap();
        pilots.token(with_token("other", &in_beta)).await.expect("another VO's");
    }

    async fn a_computing_element_loses_what_is_bound_to_it_and_what_was_used_there(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for (stamp, element) in [("bad", "ce1"), ("good", "ce2")] {
            let there = pb::PilotRegistration { destination_site: element.to_owned(), ..pilot(stamp, "alpha") };
            let request = pb::RegisterPilotsRequest { pilots: vec![there], ..Default::default() };
            assert_eq!(pilots.register_call(SVEN, request).await.unwrap(), [None]);
        }
        let bound = pilots.secret(|request| {
            request.constraints = Some(pb::SecretConstraints { destination_sites: vec!["ce1".to_owned()], ..Default::default() });
        });
        let (bound, shared) = (bound.await.secret, pilots.secret(|request| request.max_uses = Some(0)).await.secret);
        let other = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        let (there, elsewhere) = (pilots.works("bad", &shared).await, pilots.works("good", &other).await);
        let taken = pilots.revokes(SVEN, |request| request.destination_sites = vec!["ce1".to_owned()]).await;
        assert_eq!(taken.unwrap(), (2, 1), "the bound one and the used one, and one token");
        for request in [with_secret("bad", &bound), with_secret("good", &shared), with_token("bad", &there)] {
            refused(pilots.token(request).await);
        }
        pilots.token(with_token("good", &elsewhere)).await.unwrap();
    }

    async fn a_vo_bounds_what_is_taken_away(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let id = pilots.list(SVEN, "alpha").await.unwrap()[0].secret_id.clone();
        assert!(pilots.list(SVEN, "beta").await.unwrap().is_empty());
        let of_beta = pilots.revokes("component tasks", |request| {
            "beta".clone_into(&mut request.vo);
            request.secret_ids = vec![id];
            request.pilot_stamps = vec!["stamp1".to_owned()];
        });
        assert_eq!(of_beta.await.unwrap(), (0, 0));
        pilots.works("stamp1", &secret).await;
    }

    async fn secrets_are_listed_page_by_page_without_themselves(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let made = pilots.secrets(SVEN, |request| {
            request.count = 5;
            request.max_uses = Some(7);
            request.lifetime = Some(diracx_proto::time::seconds(600));
            request.constraints = Some(pb::SecretConstraints { pilot_stamps: vec!["stamp1".to_owned()], ..Default::default() });
        });
        let made: Vec<String> = made.await.unwrap().into_iter().map(|secret| secret.secret_id).collect();
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListPilotSecretsRequest { vo: String::new(), page_size: 2, page_token };
            let page = pilots.client.clone().list_pilot_secrets(pilots.request(SVEN, request)).await.unwrap().into_inner();
            assert!(page.secrets.len() <= 2);
            listed.extend(page.secrets);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let mut ids: Vec<String> = listed.iter().map(|secret| secret.secret_id.clone()).collect();
        assert!(ids.is_sorted());
        ids.sort();
        let mut made = made;
        made.sort();
        assert_eq!(ids, made);
        let one = &listed[0];
        assert_eq!((one.vo.as_str(), one.remaining_uses, one.created_by.as_str()), ("alpha", Some(7), "sven"));
        assert_eq!(one.constraints.as_ref().unwrap().pilot_stamps, ["stamp1"]);
        let span = one.expiration_time.unwrap().seconds - one.creation_time.unwrap().seconds;
        assert_eq!(span, 600);
        pilots.later(TimeDelta::seconds(600));
        assert!(pilots.list(SVEN, "").await.unwrap().is_empty(), "expired");
    }

    async fn only_administrators_and_tasks_look_after_credentials(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        for who in ["normal_user", "admin", "pilot", "no_properties", "pilot:alpha:stamp1", "component jobs"] {
            let stamps = |request: &mut pb::RevokePilotCredentialsRequest| request.pilot_stamps = vec!["stamp1".to_owned()];
            for refusal in [
                pilots.secrets(who, |_| ()).await.map(drop),
                pilots.list(who, "").await.map(drop),
                pilots.revokes(who, stamps).await.map(drop),
            ] {
                assert_eq!(reason(&refusal.unwrap_err()), "FORBIDDEN", "{who}");
            }
        }
        pilots.secrets("component tasks", |_| ()).await.unwrap();
        let nothing = pilots.revokes(SVEN, |_| ()).await;
        assert_eq!(reason(&nothing.unwrap_err()), "INVALID_FIELD");
    }

    async fn expired_credentials_are_forgotten(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let secret = pilots.registers_with_secret("stamp1").await;
        let lasting = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        pilots.works("stamp1", &secret).await;
        pilots.revokes(SVEN, |request| request.pilot_stamps = vec!["nobody".to_owned()]).await.unwrap();
        let clean = async || pilots.deps.store.clean_credentials(diracx_db::Deadline::NONE, pilots.now(), 100).await.unwrap();
        pilots.later(TimeDelta::hours(2));
        assert_eq!(clean().await, 0, "the token of the expired secret is good");
        pilots.later(TimeDelta::hours(23));
        assert_eq!(clean().await, 2, "the token and its secret");
        assert_eq!(count(&pilots.database, "PilotBars", "1 = 1").await, 1, "an older secret is left");
        pilots.later(TimeDelta::days(7));
        assert_eq!(clean().await, 1);
        for table in ["PilotSecrets", "PilotSecretBindings", "PilotRefreshTokens", "PilotBars"] {
            assert_eq!(count(&pilots.database, table, "1 = 1").await, 0, "{table}");
        }
        refused(pilots.token(with_secret("stamp1", &lasting)).await);
    }

    async fn a_pilot_changes_itself_and_nobody_else(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1", "stamp2"]).await.unwrap();
        let patch = |stamp: &str| pb::PilotMetadataPatch {
            pilot_stamp: stamp.to_owned(),
            status_reason: Some("said by itself".to_owned()),
            ..Default::default()
        };
        let send = async |who: &str, patches: Vec<pb::PilotMetadataPatch>| -> Result<bool, Status> {
            let request = pb::PatchPilotMetadataRequest { patches, ..Default::default() };
            let mut client = pilots.changed(|deps| deps.credentials.generic_pilots = who == "pilot");
            let answer = client.patch_pilot_metadata(pilots.request(who, request)).await?.into_inner();
            Ok(answer.outcomes.iter().all(|outcome| outcome.error.is_none()))
        };
        assert!(send("pilot:alpha:stamp1", vec![patch("stamp1")]).await.unwrap());
        assert_eq!(pilots.look("stamp1", &["StatusReason"]).await[0], "said by itself");
        let moved = pb::PilotMetadataPatch { grid_site: Some("Good".to_owned()), ..patch("stamp1") };
        for (who, patches) in [
            ("pilot:alpha:stamp1", vec![patch("stamp2")]),
            ("pilot:alpha:stamp1", vec![patch("stamp1"), patch("stamp2")]),
            ("pilot:alpha:stamp1", vec![moved]),
            ("pilot:alpha:stamp1", vec![pb::PilotMetadataPatch { destination_site: Some("ce".to_owned()), ..patch("stamp1") }]),
            ("pilot:alpha:stamp1", vec![pb::PilotMetadataPatch { queue: Some("long".to_owned()), ..patch("stamp1") }]),
            ("pilot:alpha:stamp1", vec![pb::PilotMetadataPatch { grid_type: Some("VAC".to_owned()), ..patch("stamp1") }]),
            ("normal_user", vec![patch("stamp1")]),
        ] {
            assert_eq!(reason(&send(who, patches).await.unwrap_err()), "FORBIDDEN", "{who}");
        }
        assert!(!send("pilot:beta:stamp1", vec![patch("stamp1")]).await.unwrap(), "it does not see that pilot");
        // petra, a user whom pilots of DIRAC act as: only if the settings agree
        assert!(send("pilot", vec![patch("stamp2")]).await.unwrap());
        let request = pb::PatchPilotMetadataRequest { patches: vec![patch("stamp2")], ..Default::default() };
        let mut strict = pilots.changed(|deps| deps.credentials.generic_pilots = false);
        let by_petra = strict.patch_pilot_metadata(pilots.request("pilot", request)).await;
        assert_eq!(reason(&by_petra.unwrap_err()), "FORBIDDEN");
    }

    async fn a_pilot_that_is_stopped_or_forgotten_has_nothing_any_more(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        let shared = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        let own = pilots.registers_with_secret("stamp1").await;
        let token = pilots.works("stamp1", &shared).await;
        let kill = pb::KillPilotsRequest { pilot_stamps: vec!["stamp1".to_owned()], reason: String::new() };
        pilots.client.clone().kill_pilots(pilots.request(SVEN, kill)).await.unwrap();
        for request in [with_secret("stamp1", &own), with_secret("stamp1", &shared), with_token("stamp1", &token)] {
            refused(pilots.token(request).await);
        }
        let delete = pb::DeletePilotsRequest { pilot_stamps: vec!["stamp1".to_owned()], force: false };
        pilots.client.clone().delete_pilots(pilots.request(SVEN, delete)).await.unwrap();
        // another pilot gets the stamp, and nothing that the first one had
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        for request in [with_secret("stamp1", &own), with_secret("stamp1", &shared), with_token("stamp1", &token)] {
            refused(pilots.token(request).await);
        }
        assert_eq!(count(&pilots.database, "PilotRefreshTokens", "1 = 1").await, 0);
    }

    async fn an_access_token_of_a_pilot_that_is_stopped_or_forgotten_is_good_for_nothing(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stopped", "forgotten", "leaked", "robbed", "free"]).await.unwrap();
        let secret = pilots.secret(|request| request.max_uses = Some(0)).await;
        let shared = pilots.secret(|request| request.max_uses = Some(0)).await.secret;
        pilots.works("leaked", &secret.secret).await;
        let robbed = pilots.token(with_secret("robbed", &shared)).await.unwrap();
        let stamps = ["stopped", "forgotten", "leaked", "robbed", "free"];
        let before = stamps.map(|stamp| pilots.token_of(stamp));
        for token in &before {
            assert_eq!(pilots.can(token).await, [true, true], "{token:?}");
        }
        pilots.kill(SVEN, &["stopped"], "").await.unwrap();
        pilots.delete(SVEN, &["forgotten"], true).await.unwrap();
        pilots.revokes(SVEN, |request| request.secret_ids = vec![secret.secret_id]).await.unwrap();
        let gone_on = pilots.token(with_token("robbed", &robbed.refresh_token)).await.unwrap();
        pilots.token(with_token("robbed", &gone_on.refresh_token)).await.unwrap();
        refused(pilots.token(with_token("robbed", &robbed.refresh_token)).await);
        for token in &before[..4] {
            assert_eq!(pilots.can(token).await, [false, false], "{token:?}");
        }
        assert_eq!(pilots.can(&before[4]).await, [true, true], "it is not concerned");
        // who has the stamp after it is somebody else
        assert_eq!(pilots.register(SVEN, "alpha", &["forgotten"]).await.unwrap(), [None]);
        assert_eq!(pilots.can(&before[1]).await, [false, false]);
        pilots.later(TimeDelta::milliseconds(2));
        assert_eq!(pilots.can(&pilots.token_of("forgotten")).await, [true, true]);
        pilots.later(TimeDelta::days(8));
        pilots.deps.store.clean_credentials(diracx_db::Deadline::NONE, pilots.now(), 100).await.unwrap();
        assert_eq!(count(&pilots.database, "PilotAccessBars", "1 = 1").await, 0, "no token is that old");
    }

    async fn the_jobs_service_learns_who_has_ended_and_whose_tokens_count_no_more(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        pilots.assign("stamp1", &[1]).await.unwrap();
        let runner = async || {
            let request = pilots.request("component jobs", pb::GetJobPilotsRequest { job_ids: vec![1] });
            let found = pilots.client.clone().get_job_pilots(request).await.unwrap().into_inner();
            (found.jobs[0].pilots[0].ended, found.jobs[0].pilots[0].barred_time)
        };
        assert_eq!(runner().await, (false, None));
        let barred = Some(diracx_proto::time::timestamp(pilots.now()));
        pilots.revokes(SVEN, |request| request.pilot_stamps = vec!["stamp1".to_owned()]).await.unwrap();
        assert_eq!(runner().await, (false, barred));
        pilots.becomes("stamp1", diracx_core::PilotStatus::Done).await;
        assert_eq!(runner().await, (true, barred));
    }
}

impl Pilots {
    /// Whether a pilot with this token may write its log, and change itself.
    async fn can(&self, token: &(String, String)) -> [bool; 2] {
        let (stamp, token) = token;
        let line = pb::AppendPilotLogRequest { pilot_stamp: stamp.clone(), first_line: 0, lines: vec![] };
        let line = self.client.clone().append_pilot_log(with(token, futures::stream::iter(vec![line]))).await;
        let patch =
            pb::PilotMetadataPatch { pilot_stamp: stamp.clone(), benchmark: Some(1.0), ..Default::default() };
        let request = pb::PatchPilotMetadataRequest { patches: vec![patch], ..Default::default() };
        let patched = self.client.clone().patch_pilot_metadata(with(token, request)).await;
        for refusal in [line.as_ref().err(), patched.as_ref().err()].into_iter().flatten() {
            assert_eq!(
                (reason(refusal).as_str(), refusal.message()),
                ("FORBIDDEN", "The credentials of this pilot were taken away.")
            );
        }
        [line.is_ok(), patched.is_ok()]
    }

    /// A stamp of VO alpha with a token of now.
    fn token_of(&self, stamp: &str) -> (String, String) {
        let request = self.request(&format!("pilot:alpha:{stamp}"), ());
        let header = request.metadata().get("authorization").unwrap().to_str().unwrap();
        (stamp.to_owned(), header.to_owned())
    }
}

fn with<T>(header: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", header.parse().unwrap());
    request
}
