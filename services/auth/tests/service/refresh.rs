//! Sessions that go on, and sessions that end.

use diracx_core::{Clock, Reason};
use diracx_proto::auth::v1 as pb;
use diracx_server::token::new_token_id;
use diracx_testkit::on_both_backends;
use serde_json::json;
use tonic::{Code, Status};

use crate::world::{World, expect, refresh_with};

const REUSED: &str = "Revoked refresh token reused: potential attack detected. You must authenticate again";

#[track_caller]
fn expect_reused<T>(result: Result<T, Status>) {
    expect(result, Code::Unauthenticated, Reason::RefreshTokenReused, REUSED);
}

async fn revoke(world: &World, token: &str) -> Result<(), Status> {
    let request = pb::RevokeTokenRequest { token: token.to_owned(), ..Default::default() };
    world.auth.clone().revoke_token(request).await.map(drop)
}

on_both_backends! {
    async fn a_session_goes_on_but_never_longer_than_it_should(place: TestDatabase) {
        let world = World::on(place).await;
        let first = world.log_in("sub-alice").await;
        let end = world.refresh_claims(&first.refresh_token).await.exp;
        assert_eq!(end, (world.clock.now() + chrono::Duration::minutes(60)).timestamp());

        world.clock.advance(chrono::Duration::minutes(30));
        let second = world.refresh(&first.refresh_token).await.unwrap();
        let claims = world.refresh_claims(&second.refresh_token).await;
        assert_eq!(claims.exp, end);
        assert_ne!(claims.jti, world.refresh_claims(&first.refresh_token).await.jti);
        assert_eq!(world.whoami(&second.access_token).await.unwrap().preferred_username, "alice");

        world.clock.advance(chrono::Duration::minutes(31));
        let late = world.refresh(&second.refresh_token).await;
        let sentence = "expired_token: The token is expired";
        expect(late, Code::Unauthenticated, Reason::TokenExpired, sentence);
    }

    async fn a_token_used_twice_closes_all_sessions_of_the_user_and_of_nobody_else(place: TestDatabase) {
        let world = World::on(place).await;
        let stolen = world.log_in("sub-alice").await.refresh_token;
        let other_session = world.log_in("sub-alice").await.refresh_token;
        let bob = world.log_in("sub-bob").await.refresh_token;

        let successor = world.refresh(&stolen).await.unwrap().refresh_token;
        expect_reused(world.refresh(&stolen).await);
        expect_reused(world.refresh(&successor).await);
        expect_reused(world.refresh(&other_session).await);
        world.refresh(&bob).await.unwrap();
    }

    async fn of_two_refreshes_at_the_same_instant_at_most_one_succeeds_and_the_session_ends(
        place: TestDatabase
    ) {
        let world = World::on(place).await;
        let replica = world.restarted().await;
        for round in 0..20 {
            let token = world.log_in("sub-alice").await.refresh_token;
            // at one process, and at two
            let at = if round % 2 == 0 { &world.auth } else { &replica };
            let (one, other) = tokio::join!(world.refresh(&token), refresh_with(at, &token));
            let (good, bad): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
            assert_eq!((good.len(), bad.len()), (1, 1));
            for refused in bad {
                expect_reused(refused);
            }
            for tokens in good {
                expect_reused(world.refresh(&tokens.unwrap().refresh_token).await);
            }
        }
    }

    async fn a_token_that_was_given_back_is_of_no_use(place: TestDatabase) {
        let world = World::on(place).await;
        let token = world.log_in("sub-alice").await.refresh_token;
        revoke(&world, &token).await.unwrap();
        revoke(&world, &token).await.expect("giving it back again is fine");
        expect_reused(world.refresh(&token).await);
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_refused() {
    let world = World::on_sqlite().await;
    let tokens = world.log_in("sub-alice").await;
    let exp = world.clock.now().timestamp() + 600;
    let jti = new_token_id(world.clock.now());
    let unknown = json!({"jti": jti, "exp": exp, "dirac_policies": {}, "legacy_exchange": false});
    let unknown = world.issuer.minter().mint_json(&unknown).unwrap();
    let sentence = format!("Token {jti} not found");
    expect(world.refresh(&unknown).await, Code::InvalidArgument, Reason::InvalidGrant, &sentence);

    let component = world.issuer.component("jobs").get().unwrap();
    let tampered = tokens.refresh_token.replace('.', ".e");
    let huge = "a".repeat(1 << 20);
    for token in [&*tokens.access_token, &*component, &tampered, "", "garbage", "a.b.c", &huge] {
        let status = world.refresh(token).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token:.60} {status}");
    }
    let garbage = world.refresh("garbage").await;
    let sentence = "decode_error: Invalid JSON Web Signature";
    expect(garbage, Code::Unauthenticated, Reason::TokenInvalid, sentence);
    world.refresh(&tokens.refresh_token).await.expect("none of that touched the session");
}

#[tokio::test]
async fn who_loses_the_right_loses_the_session_but_not_for_a_passing_mistake() {
    let world = World::on_sqlite().await;
    let token = world.log_in("sub-bob").await.refresh_token;
    let removed = world.reconfigured(|vo| vo["Groups"]["lhcb_user"]["Users"] = json!(["sub-alice"]));
    let sentence = "User is not a member of the requested group (bob, lhcb_user)";
    let refused = refresh_with(&removed, &token).await;
    expect(refused, Code::PermissionDenied, Reason::InvalidScope, sentence);
    let suspended = world.reconfigured(|vo| vo["Users"]["sub-bob"]["Suspended"] = json!(["lhcb"]));
    let sentence = "User bob is suspended in VO lhcb";
    expect(refresh_with(&suspended, &token).await, Code::PermissionDenied, Reason::Forbidden, sentence);
    world.refresh(&token).await.expect("a refusal does not use the token up");
}

#[tokio::test]
async fn what_the_configuration_knows_no_more_ends_at_the_next_refresh() {
    let world = World::on_sqlite().await;
    let token = world.log_in("sub-bob").await.refresh_token;
    let no_vo = world.with_registry(|registry| {
        let vo = registry["lhcb"].take();
        *registry = json!({"other": vo});
    });
    let sentence = "VO lhcb is not known to this installation";
    let refused = refresh_with(&no_vo, &token).await;
    expect(refused, Code::InvalidArgument, Reason::UnknownVo, sentence);

    let no_user = world.reconfigured(|vo| {
        vo["Users"].as_object_mut().unwrap().remove("sub-bob");
        vo["Groups"]["lhcb_user"]["Users"] = json!(["sub-alice"]);
    });
    let sentence = "User sub-bob is not registered in VO lhcb";
    expect(refresh_with(&no_user, &token).await, Code::PermissionDenied, Reason::Forbidden, sentence);

    let no_group = world.reconfigured(|vo| {
        vo["DefaultGroup"] = json!("lhcb_prod");
        vo["Groups"].as_object_mut().unwrap().remove("lhcb_user");
    });
    let sentence = "lhcb_user not in lhcb groups";
    expect(refresh_with(&no_group, &token).await, Code::InvalidArgument, Reason::InvalidScope, sentence);

    let fewer = world.reconfigured(|vo| vo["Groups"]["lhcb_user"]["Properties"] = json!([]));
    let tokens = refresh_with(&fewer, &token).await.unwrap();
    assert_eq!(world.whoami(&tokens.access_token).await.unwrap().properties, [] as [&str; 0]);
}

#[tokio::test]
async fn a_token_of_a_dirac_server_is_used_many_times_until_it_is_revoked() {
    let world = World::on_sqlite().await;
    let tokens = world.log_in("sub-alice").await;
    let mut claims = world.refresh_claims(&tokens.refresh_token).await;
    claims.legacy_exchange = true;
    let legacy = world.issuer.minter().mint(&claims).unwrap();
    for _ in 0..2 {
        assert_eq!(world.refresh(&legacy).await.unwrap().refresh_token, legacy);
    }
    let other = world.log_in("sub-alice").await.refresh_token;
    revoke(&world, &legacy).await.unwrap();
    let sentence = "The refresh token was revoked";
    expect(world.refresh(&legacy).await, Code::Unauthenticated, Reason::InvalidGrant, sentence);
    world.refresh(&other).await.expect("that says nothing about other sessions");
}

#[tokio::test]
async fn giving_back_nothing_of_value_is_fine() {
    let world = World::on_sqlite().await;
    let tokens = world.log_in("sub-alice").await;
    for token in ["", "garbage", &tokens.access_token] {
        revoke(&world, token).await.unwrap();
    }
    world.clock.advance(chrono::Duration::hours(2));
    revoke(&world, &tokens.refresh_token).await.unwrap();
}

#[tokio::test]
async fn access_tokens_cannot_be_revoked_nor_anything_by_another_client() {
    let world = World::on_sqlite().await;
    let token = world.log_in("sub-alice").await.refresh_token;
    let request = |hint: &str, client: &str| pb::RevokeTokenRequest {
        token: token.clone(),
        token_type_hint: hint.to_owned(),
        client_id: Some(client.to_owned()),
    };
    let access = world.auth.clone().revoke_token(request("access_token", "other")).await;
    expect(access, Code::InvalidArgument, Reason::InvalidField, "unsupported_token_type");
    let other = world.auth.clone().revoke_token(request("refresh_token", "other")).await;
    expect(other, Code::Unauthenticated, Reason::InvalidClient, "Unrecognised client_id");
    world.refresh(&token).await.unwrap();
}
