//! What administrators find out afterwards, and what nobody finds in a log.

use diracx_proto::pilots::v1 as pb;
use diracx_testkit::{KeptLog, TestDatabase};

use crate::{
    credentials::{SVEN, with_secret, with_token},
    harness::Pilots,
};

#[tokio::test]
async fn who_came_and_who_was_refused_is_written_down_and_no_secret_is() {
    let (log, _here) = KeptLog::start();
    let pilots = Pilots::start(TestDatabase::sqlite()).await;

    let secret = pilots.registers_with_secret("stamp1").await;
    pilots.token(with_secret("stamp1", "guessed by somebody")).await.unwrap_err();
    let first = pilots.token(with_secret("stamp1", &secret)).await.unwrap();
    let second = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
    // the answer got lost, and then somebody tries it who should not have it
    let repeated = pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap();
    pilots.later(chrono::TimeDelta::minutes(2));
    pilots.token(with_token("stamp1", &first.refresh_token)).await.unwrap_err();
    let request =
        pb::RevokePilotCredentialsRequest { pilot_stamps: vec!["stamp1".to_owned()], ..Default::default() };
    pilots.client.clone().revoke_pilot_credentials(pilots.request(SVEN, request)).await.unwrap();

    let expected = [
        "pilot secrets",
        "refusal",
        "pilot login",
        "pilot refresh",
        "pilot refresh",
        "reuse",
        "refusal",
        "revocation",
    ];
    // the auth service, which runs beside, notes the tokens that it signs
    let kinds: Vec<_> = log.audited().into_iter().filter(|kind| kind != "pilot token").collect();
    assert_eq!(kinds, expected);
    let text = log.text();
    assert!(
        text.contains("repeated=false") && text.contains("repeated=true"),
        "what was repeated can be found"
    );
    assert!(text.contains("unknown secret"), "why is told here");
    for hidden in [
        secret.as_str(),
        "guessed by somebody",
        &first.access_token,
        &first.refresh_token,
        &second.refresh_token,
        &repeated.refresh_token,
    ] {
        assert!(!text.contains(hidden), "{hidden}");
    }
}
