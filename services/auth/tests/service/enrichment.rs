//! Access policies of an extension put claims into tokens, and services find them there.

use std::sync::Arc;

use diracx_auth::{
    TokenPolicies, TokenPolicy,
    enrichment::{Enrichment, MAX_CLAIMS_BYTES, Occasion},
};
use diracx_server::{Identity, identity::UserIdentity};
use diracx_testkit::on_both_backends;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tonic::Code;

use crate::{
    legacy::{ask, exchange},
    world::{SCOPE, World, refresh_with},
};

/// What the example puts into access tokens.
#[derive(Debug, Deserialize, PartialEq)]
struct Share {
    user: String,
    group: String,
    scope: String,
    members: usize,
    refreshes: u64,
}

/// Tells who shares a group, and counts how often the session went on.
struct Shares;

impl TokenPolicy for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn enrich(&self, occasion: &Occasion<'_>) -> Enrichment {
        let user = occasion.access;
        let group = occasion.config.group(&user.vo, &user.dirac_group).unwrap();
        let before = occasion.carried.and_then(|carried| carried["refreshes"].as_u64());
        let refreshes = before.map_or(0, |count| count + 1);
        let members =
            ["sub-alice", "sub-bob", "sub-mallory"].iter().filter(|sub| group.has_member(sub)).count();
        Enrichment {
            access: object(json!({
                "user": user.preferred_username, "group": user.dirac_group, "scope": occasion.scope,
                "members": members, "refreshes": refreshes,
            })),
            refresh: object(json!({ "refreshes": refreshes })),
        }
    }
}

/// Says always the same.
struct Says(&'static str, Value);

impl TokenPolicy for Says {
    fn name(&self) -> &'static str {
        self.0
    }

    fn enrich(&self, _: &Occasion<'_>) -> Enrichment {
        Enrichment { access: object(self.1.clone()), refresh: Map::new() }
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn user_of(world: &World, access_token: &str) -> Arc<UserIdentity> {
    let identity = world.issuer.verifier().verify(access_token).await.unwrap();
    let Identity::User(user) = &*identity else { panic!("no user") };
    user.clone()
}

fn share(refreshes: u64) -> Share {
    let (user, group, scope) = ("alice".into(), "lhcb_user".into(), SCOPE.into());
    Share { user, group, scope, members: 3, refreshes }
}

on_both_backends! {
    async fn what_a_policy_says_is_in_the_tokens_of_the_login_and_of_every_refresh(place: TestDatabase) {
        let policies = TokenPolicies::default().with(Shares).with(Says("silent", json!({})));
        let world = World::on(place).await.with_policies(policies);
        let mut tokens = world.log_in("sub-alice").await;
        for refreshes in 0..3 {
            let user = user_of(&world, &tokens.access_token).await;
            assert_eq!(user.policy::<Share>("shares").unwrap(), Some(share(refreshes)));
            assert_eq!(user.policies.as_object().unwrap().len(), 1, "who says nothing leaves no trace");
            let kept = world.refresh_claims(&tokens.refresh_token).await.dirac_policies;
            assert_eq!(Value::Object(kept), json!({"shares": {"refreshes": refreshes}}));
            tokens = world.refresh(&tokens.refresh_token).await.unwrap();
        }
        let told = world.whoami(&tokens.access_token).await.unwrap().policies;
        let told: Value = serde_json::from_str(&told["shares"]).unwrap();
        assert_eq!((&told["user"], &told["refreshes"]), (&json!("alice"), &json!(3)));
    }

    async fn a_policy_that_says_too_much_costs_nobody_the_session(place: TestDatabase) {
        let world = World::on(place).await;
        let deep = (0..200).fold(json!({}), |inside, _| json!({ "in": inside }));
        for said in [json!({"text": "x".repeat(MAX_CLAIMS_BYTES)}), deep] {
            let session = world.log_in("sub-alice").await;
            let broken = world.client_with_policies(TokenPolicies::default().with(Says("verbose", said)));
            let refused = refresh_with(&broken, &session.refresh_token).await.unwrap_err();
            assert_eq!(refused.code(), Code::Internal);
            world.refresh(&session.refresh_token).await.expect("nothing was used up");
        }
    }
}

#[tokio::test]
async fn without_an_extension_nothing_is_said() {
    let world = World::on_sqlite().await;
    let tokens = world.log_in("sub-alice").await;
    assert_eq!(user_of(&world, &tokens.access_token).await.policies, json!({}));
    assert!(world.refresh_claims(&tokens.refresh_token).await.dirac_policies.is_empty());
}

#[tokio::test]
async fn the_last_policy_of_a_name_counts_and_one_that_is_gone_is_forgotten() {
    let policies = TokenPolicies::default()
        .with(Says("wms", json!({"by": "dirac"})))
        .with(Says("wms", json!({"by": "us"})));
    let world = World::on_sqlite().await.with_policies(policies);
    let tokens = world.log_in("sub-alice").await;
    assert_eq!(user_of(&world, &tokens.access_token).await.policies, json!({"wms": {"by": "us"}}));

    let plain = world.client_with_policies(TokenPolicies::default());
    let next = refresh_with(&plain, &tokens.refresh_token).await.unwrap();
    assert_eq!(user_of(&world, &next.access_token).await.policies, json!({}));
}

#[tokio::test]
async fn a_claim_of_another_form_is_an_error_and_no_absence() {
    let policies = TokenPolicies::default().with(Says("shares", json!({"user": 1})));
    let world = World::on_sqlite().await.with_policies(policies);
    let user = user_of(&world, &world.log_in("sub-alice").await.access_token).await;
    assert!(user.policy::<Share>("shares").is_err());
    assert_eq!(user.policy::<Share>("others").unwrap(), None);
}

#[tokio::test]
async fn a_dirac_server_keeps_its_refresh_token_and_gets_what_policies_say_now() {
    let world = World::on_sqlite().await.with_policies(TokenPolicies::default().with(Shares));
    let first = exchange(&world, ask("alice", SCOPE)).await.unwrap();
    for _ in 0..2 {
        let next = world.refresh(&first.refresh_token).await.unwrap();
        assert_eq!(next.refresh_token, first.refresh_token);
        let user = user_of(&world, &next.access_token).await;
        assert_eq!(user.policy::<Share>("shares").unwrap().unwrap().refreshes, 1);
    }
}
