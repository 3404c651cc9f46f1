//! Looking after refresh tokens.

use diracx_core::Reason;
use diracx_proto::auth::v1::{self as pb, RefreshTokenStatus};
use diracx_testkit::on_both_backends;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{World, expect};

async fn list(
    world: &World,
    token: &str,
    page_size: i32,
    page_token: &str,
) -> Result<pb::ListRefreshTokensResponse, Status> {
    let request = pb::ListRefreshTokensRequest { page_size, page_token: page_token.to_owned() };
    Ok(world.auth.clone().list_refresh_tokens(World::with_token(request, token)).await?.into_inner())
}

async fn revoke(world: &World, token: &str, jti: &str) -> Result<(), Status> {
    let request = pb::RevokeRefreshTokenRequest { jti: jti.to_owned() };
    world.auth.clone().revoke_refresh_token(World::with_token(request, token)).await.map(drop)
}

/// The access token of somebody with the property to look after all tokens.
fn manager(world: &World) -> String {
    let mut claims = world.issuer.claims("alice").unwrap();
    claims.dirac_properties = vec!["ProxyManagement".to_owned()];
    world.issuer.minter().mint(&claims).unwrap()
}

on_both_backends! {
    async fn people_see_their_own_tokens_and_a_manager_all_of_them(place: TestDatabase) {
        let world = World::on(place).await;
        let alice = world.log_in("sub-alice").await;
        world.clock.advance(chrono::Duration::seconds(1));
        let again = world.refresh(&alice.refresh_token).await.unwrap();
        let bob = world.log_in("sub-bob").await;

        let own = list(&world, &again.access_token, 0, "").await.unwrap().refresh_tokens;
        let [token] = &own[..] else { panic!("one is revoked, one is bob's: {own:?}") };
        let jti = world.refresh_claims(&again.refresh_token).await.jti;
        assert_eq!((token.jti.as_str(), token.status()), (jti.to_string().as_str(), RefreshTokenStatus::Created));
        assert_eq!((token.sub.as_str(), token.scope.as_str()), ("lhcb:sub-alice", "vo:lhcb group:lhcb_user"));
        let made = diracx_core::Clock::now(&world.clock).timestamp();
        assert_eq!(token.creation_time.unwrap().seconds, made);

        let all = list(&world, &manager(&world), 0, "").await.unwrap().refresh_tokens;
        let statuses: Vec<_> = all.iter().map(|token| (token.sub.as_str(), token.status())).collect();
        assert_eq!(statuses[0], ("lhcb:sub-alice", RefreshTokenStatus::Revoked), "oldest first");
        assert_eq!(all.len(), 3);
        assert_eq!(list(&world, &bob.access_token, 0, "").await.unwrap().refresh_tokens.len(), 1);
    }

    async fn pages_fit_together(place: TestDatabase) {
        let world = World::on(place).await;
        for _ in 0..5 {
            world.log_in("sub-bob").await;
        }
        let manager = manager(&world);
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = list(&world, &manager, 2, &next).await.unwrap();
            assert!(page.refresh_tokens.len() <= 2);
            seen.extend(page.refresh_tokens.into_iter().map(|token| token.jti));
            next = page.next_page_token;
            if next.is_empty() {
                break;
            }
        }
        let all = list(&world, &manager, 0, "").await.unwrap().refresh_tokens;
        assert_eq!(seen, all.into_iter().map(|token| token.jti).collect::<Vec<_>>());
        assert_eq!(seen.len(), 5);
    }

    async fn ones_own_token_can_be_revoked_by_its_id_and_others_only_by_a_manager(place: TestDatabase) {
        let world = World::on(place).await;
        let alice = world.log_in("sub-alice").await;
        let bob = world.log_in("sub-bob").await;
        let jti = world.refresh_claims(&alice.refresh_token).await.jti;

        let sentence = "Cannot revoke a refresh token owned by someone else";
        let foreign = revoke(&world, &bob.access_token, &jti.to_string()).await;
        expect(foreign, Code::PermissionDenied, Reason::Forbidden, sentence);
        revoke(&world, &alice.access_token, &jti.simple().to_string().to_uppercase()).await.unwrap();
        revoke(&world, &alice.access_token, &jti.to_string()).await.expect("once more is fine");
        assert_eq!(world.refresh(&alice.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);

        let jti = world.refresh_claims(&bob.refresh_token).await.jti;
        revoke(&world, &manager(&world), &jti.to_string()).await.unwrap();
        assert_eq!(world.refresh(&bob.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn what_is_no_token_cannot_be_revoked() {
    let world = World::on_sqlite().await;
    let alice = world.log_in("sub-alice").await.access_token;
    let unknown = Uuid::from_u128(7).to_string();
    let sentence = format!("Token {unknown} not found");
    expect(revoke(&world, &alice, &unknown).await, Code::NotFound, Reason::InvalidGrant, &sentence);
    for text in ["", "x", "0190", &"0".repeat(10_000)] {
        let sentence = "badly formed hexadecimal UUID string";
        expect(revoke(&world, &alice, text).await, Code::InvalidArgument, Reason::InvalidField, sentence);
    }
    for (size, page) in [(-1, ""), (0, "x")] {
        assert_eq!(list(&world, &alice, size, page).await.unwrap_err().code(), Code::InvalidArgument);
    }
}
