//! What administrators find out afterwards, and what nobody finds in a log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use diracx_proto::pilots::v1 as pb;
use diracx_testkit::TestDatabase;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    credentials::{SVEN, with_secret, with_token},
    harness::Pilots,
};

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The kinds of the events of the pilots service, in their order.
    fn events(&self) -> Vec<String> {
        let text = self.text();
        let audit =
            text.lines().filter(|line| line.contains("diracx_audit") && !line.contains("\"pilot token\" vo"));
        let kind = |line: &str| line.split_once("audit=\"")?.1.split('"').next().map(str::to_owned);
        audit.filter_map(kind).filter(|kind| kind != "pilot token").collect()
    }
}

#[tokio::test]
async fn who_came_and_who_was_refused_is_written_down_and_no_secret_is() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
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
    assert_eq!(log.events(), expected);
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
