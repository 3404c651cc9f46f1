//! What administrators find out afterwards, and what nobody finds in a log.

use diracx_proto::auth::v1 as pb;
use diracx_testkit::KeptLog;

use crate::world::{SCOPE, World};

#[tokio::test]
async fn who_came_and_who_was_refused_is_written_down_and_no_secret_is() {
    let (log, _here) = KeptLog::start();
    let world = World::on_sqlite().await;

    let login = world.begin(SCOPE).await.unwrap();
    world.poll(&login.device_code).await.unwrap_err();
    assert_eq!(log.audited(), [] as [&str; 0], "somebody who waits is not refused");
    let first = world.log_in("sub-alice").await;
    let second = world.refresh(&first.refresh_token).await.unwrap();
    world.refresh(&first.refresh_token).await.unwrap_err();
    world.poll("guessed").await.unwrap_err();
    let jti = world.refresh_claims(&second.refresh_token).await.jti.to_string();
    let request = pb::RevokeRefreshTokenRequest { jti: jti.clone() };
    let request = World::with_token(request, &second.access_token);
    world.auth.clone().revoke_refresh_token(request).await.unwrap();
    world.log_in("sub-bob").await;
    assert_eq!(log.audited(), ["login", "refresh", "reuse", "refusal", "refusal", "revocation", "login"]);

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
