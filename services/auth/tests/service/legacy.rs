//! Tokens for DIRAC servers, on their word.

use diracx_core::Reason;
use diracx_proto::auth::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::{Code, Status};

use crate::world::{World, expect, refresh_with};

pub(crate) const KEY: &str = "Bearer diracx:legacy:a2V5IG9mIGEgRElSQUMgc2VydmVy";

pub(crate) fn ask(user: &str, scope: &str) -> pb::ExchangeLegacyTokenRequest {
    pb::ExchangeLegacyTokenRequest {
        authorization: KEY.to_owned(),
        preferred_username: user.to_owned(),
        scope: scope.to_owned(),
        refresh_token_lifetime: None,
    }
}

pub(crate) async fn exchange(
    world: &World,
    ask: pb::ExchangeLegacyTokenRequest,
) -> Result<pb::ExchangeLegacyTokenResponse, Status> {
    Ok(world.auth.clone().exchange_legacy_token(ask).await?.into_inner())
}

on_both_backends! {
    async fn a_dirac_server_gets_tokens_for_its_user_and_uses_them_many_times(place: TestDatabase) {
        let world = World::on(place).await;
        let tokens = exchange(&world, ask("alice", "vo:lhcb group:lhcb_prod")).await.unwrap();
        let alice = world.whoami(&tokens.access_token).await.unwrap();
        assert_eq!((alice.preferred_username.as_str(), alice.dirac_group.as_str()), ("alice", "lhcb_prod"));
        assert!(world.refresh_claims(&tokens.refresh_token).await.legacy_exchange);
        for _ in 0..3 {
            assert_eq!(world.refresh(&tokens.refresh_token).await.unwrap().refresh_token, tokens.refresh_token);
        }
    }

    async fn jobs_go_on_with_the_token_of_their_dirac_server_when_another_one_of_the_user_is_used_twice(
        place: TestDatabase
    ) {
        let world = World::on(place).await;
        let of_jobs = exchange(&world, ask("alice", "vo:lhcb")).await.unwrap().refresh_token;
        let replica = world.restarted().await;
        let used_later = world.log_in("sub-alice").await.refresh_token;
        world.refresh(&used_later).await.unwrap();
        let at_once = world.log_in("sub-alice").await.refresh_token;
        let both = tokio::join!(world.refresh(&at_once), refresh_with(&replica, &at_once));
        assert!(both.0.is_err() || both.1.is_err());
        world.refresh(&used_later).await.unwrap_err();
        world.refresh(&of_jobs).await.expect("it was used by nobody else");

        let jti = world.refresh_claims(&of_jobs).await.jti.to_string();
        let own = world.log_in("sub-alice").await.access_token;
        let request = World::with_token(pb::RevokeRefreshTokenRequest { jti }, &own);
        world.auth.clone().revoke_refresh_token(request).await.unwrap();
        world.refresh(&of_jobs).await.expect_err("revoked means revoked");
    }
}

#[tokio::test]
async fn the_server_says_how_long_within_reason() {
    let world = World::on_sqlite().await;
    let now = diracx_core::Clock::now(&world.clock).timestamp();
    let lifetime = |seconds| {
        let refresh_token_lifetime = Some(prost_types::Duration { seconds, nanos: 0 });
        pb::ExchangeLegacyTokenRequest { refresh_token_lifetime, ..ask("bob", "vo:lhcb") }
    };
    for (seconds, expected) in [(0, 0), (60, 60), (86_400, 86_400)] {
        let tokens = exchange(&world, lifetime(seconds)).await.unwrap();
        assert_eq!(world.refresh_claims(&tokens.refresh_token).await.exp - now, expected);
    }
    let tokens = exchange(&world, ask("bob", "vo:lhcb")).await.unwrap();
    assert_eq!(world.refresh_claims(&tokens.refresh_token).await.exp - now, 3600);
    let ended = exchange(&world, lifetime(-60)).await.unwrap();
    assert_eq!(world.refresh(&ended.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
    for seconds in [i64::MAX, i64::MIN] {
        let status = exchange(&world, lifetime(seconds)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{seconds}");
    }
}

#[tokio::test]
async fn a_server_without_the_key_gets_nothing_and_learns_nothing() {
    let world = World::on_sqlite().await;
    let with = |authorization: &str, ask| pb::ExchangeLegacyTokenRequest {
        authorization: authorization.to_owned(),
        ..ask
    };
    for header in
        ["", "Bearer x", "Bearer diracx:legacy:", "Bearer diracx:legacy:?", "bearer diracx:legacy:AAAA"]
    {
        let refused = exchange(&world, with(header, ask("alice", "vo:lhcb"))).await;
        let sentence = "Invalid authorization header";
        expect(refused, Code::Unauthenticated, Reason::AuthorizationHeaderInvalid, sentence);
    }
    // the key is looked at before anything that it asks for
    let refused = exchange(&world, with("Bearer diracx:legacy:AAAA", ask("nobody", "nonsense"))).await;
    expect(refused, Code::Unauthenticated, Reason::InvalidClient, "Invalid credentials");
    for (user, scope) in
        [("alice", "nonsense"), ("alice", "vo:nope"), ("alice", "vo:lhcb group:x"), ("eve", "vo:lhcb")]
    {
        let refused = exchange(&world, ask(user, scope)).await;
        expect(refused, Code::InvalidArgument, Reason::InvalidScope, "Invalid scope or preferred_username");
    }
    let sentence = "User is not a member of the requested group (bob, lhcb_prod)";
    let refused = exchange(&world, ask("bob", "vo:lhcb group:lhcb_prod")).await;
    expect(refused, Code::PermissionDenied, Reason::InvalidScope, sentence);
    let suspended = exchange(&world, ask("mallory", "vo:lhcb")).await;
    expect(suspended, Code::PermissionDenied, Reason::Forbidden, "User mallory is suspended in VO lhcb");
}

#[tokio::test]
async fn nobody_gets_in_where_it_is_not_switched_on() {
    let world = World::on_sqlite().await;
    let off = world.with_settings(|settings| settings.legacy_exchange_key = None);
    let refused = off.clone().exchange_legacy_token(ask("alice", "vo:lhcb")).await;
    let sentence = "Legacy exchange is not enabled";
    expect(refused, Code::Unavailable, Reason::LegacyExchangeDisabled, sentence);
}
