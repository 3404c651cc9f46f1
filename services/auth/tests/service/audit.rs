//! What administrators find out afterwards, and what nobody finds in a log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use diracx_proto::auth::v1 as pb;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{SCOPE, World};

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

    /// The kinds of the events, in their order.
    fn events(&self) -> Vec<String> {
        let text = self.text();
        let audit = text.lines().filter(|line| line.contains("diracx_audit"));
        let kind = |line: &str| line.split_once("audit=\"")?.1.split('"').next().map(str::to_owned);
        audit.filter_map(kind).collect()
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
    let world = World::on_sqlite().await;

    let login = world.begin(SCOPE).await.unwrap();
    world.poll(&login.device_code).await.unwrap_err();
    assert_eq!(log.events(), [] as [&str; 0], "somebody who waits is not refused");
    let first = world.log_in("sub-alice").await;
    let second = world.refresh(&first.refresh_token).await.unwrap();
    world.refresh(&first.refresh_token).await.unwrap_err();
    world.poll("guessed").await.unwrap_err();
    let jti = world.refresh_claims(&second.refresh_token).await.jti.to_string();
    let request = pb::RevokeRefreshTokenRequest { jti: jti.clone() };
    let request = World::with_token(request, &second.access_token);
    world.auth.clone().revoke_refresh_token(request).await.unwrap();
    world.log_in("sub-bob").await;
    assert_eq!(log.events(), ["login", "refresh", "reuse", "refusal", "refusal", "revocation", "login"]);

    let text = log.text();
    assert!(text.contains("lhcb:sub-alice") && text.contains(&jti), "{text}");
    for secret in [
        &first.access_token,
        &first.refresh_token,
        &second.access_token,
        &second.refresh_token,
        &login.device_code,
        &login.user_code,
    ] {
        assert!(!text.contains(secret.as_str()), "{secret} is in the log");
    }
}
