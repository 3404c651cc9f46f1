//! What administrators find out afterwards, and what nobody finds in a log.

use std::sync::Arc;

use diracx_auth::ComponentKeys;
use diracx_proto::auth::v1 as pb;
use diracx_server::token::KeyKind;
use diracx_testkit::KeptLog;

use crate::{
    authorization,
    component::{self, Component},
    idp::{EMAIL, Mode},
    legacy,
    world::{SCOPE, World},
};

/// Nothing of this is in the log.
#[track_caller]
fn must_not_hold(log: &KeptLog, secrets: &[impl AsRef<str>]) {
    let text = log.text();
    for secret in secrets.iter().map(AsRef::as_ref) {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {}", line.unwrap_or_default());
    }
}

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
    assert!(text.contains("token.count=1"), "alice had one session when she was robbed: {text}");
    must_not_hold(
        &log,
        &[
            &first.access_token,
            &first.refresh_token,
            &second.access_token,
            &second.refresh_token,
            &login.device_code,
            &login.user_code,
        ],
    );
    must_not_hold(&log, &world.idp.secrets());
}

#[tokio::test]
async fn no_secret_of_any_login_is_in_the_log() {
    let (log, _here) = KeptLog::start();
    let world = World::on_sqlite().await;
    let mut secrets = vec![EMAIL.to_owned(), authorization::VERIFIER.to_owned()];

    let visit = authorization::visit(&world, Mode::Good).await;
    let back = authorization::finish(&world, &visit).await.unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    authorization::finish(&world, &visit).await.unwrap_err();
    let tokens = authorization::redeem(&world, &code).await.unwrap();
    authorization::redeem(&world, &code).await.unwrap_err();
    secrets.extend([visit.code, visit.state, code, tokens.access_token, tokens.refresh_token]);

    let key = legacy::KEY.rsplit(':').next().unwrap().to_owned();
    let tokens = legacy::exchange(&world, legacy::ask("alice", "vo:lhcb")).await.unwrap();
    let wrong = "Bearer diracx:legacy:d3JvbmdrZXl3cm9uZ2tleQ==";
    let ask =
        pb::ExchangeLegacyTokenRequest { authorization: wrong.into(), ..legacy::ask("alice", "vo:lhcb") };
    legacy::exchange(&world, ask).await.unwrap_err();
    secrets.extend([key, "d3JvbmdrZXl3cm9uZ2tleQ".to_owned(), tokens.access_token, tokens.refresh_token]);

    let tasks = Component::new(&world, KeyKind::Ed25519);
    let keys = serde_json::json!({ "tasks": tasks.keys.public_jwks() }).to_string();
    let keys = Arc::new(ComponentKeys::parse(&keys).unwrap());
    let auth = world.with_settings(|settings| settings.component_keys = keys);
    let good = tasks.says(&component::claims(&world, "tasks"));
    let bad = tasks.says(&component::claims(&world, "jobs"));
    let issued = component::ask(&auth, "tasks", good.clone()).await.unwrap();
    component::ask(&auth, "jobs", bad.clone()).await.unwrap_err();
    secrets.extend([good, bad, issued.access_token]);

    let login = world.begin(SCOPE).await.unwrap();
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    world.finish(&visit).await.unwrap();
    secrets.extend([visit.code, visit.state, login.user_code, login.device_code]);
    secrets.extend(world.idp.secrets());
    must_not_hold(&log, &secrets);
}

#[tokio::test]
async fn who_may_not_do_something_is_written_down_with_what_it_was() {
    let (log, _here) = KeptLog::start();
    let world = World::on_sqlite().await;
    let alice = world.log_in("sub-alice").await;
    let bob = world.log_in("sub-bob").await;
    let jti = world.refresh_claims(&alice.refresh_token).await.jti.to_string();
    let request = World::with_token(pb::RevokeRefreshTokenRequest { jti }, &bob.access_token);
    world.auth.clone().revoke_refresh_token(request).await.unwrap_err();
    let jobs = world.issuer.component("jobs").get().unwrap();
    let request = World::with_token(pb::CleanExpiredFlowsRequest::default(), &jobs);
    world.auth.clone().clean_expired_flows(request).await.unwrap_err();
    world.whoami("garbage").await.unwrap_err();
    assert_eq!(
        log.audited(),
        ["login", "login", "refusal", "refusal"],
        "a bad token is none of ours to write down"
    );

    let text = log.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("audit=\"refusal\"")).collect();
    for part in ["RevokeRefreshToken", "lhcb:sub-bob", "user=bob", "group=lhcb_user", "vo=lhcb"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(lines[1].contains("CleanExpiredFlows") && lines[1].contains("component=jobs"), "{}", lines[1]);
    must_not_hold(&log, &[bob.access_token, jobs.to_string()]);
}
