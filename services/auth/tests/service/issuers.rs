//! Identity providers that call themselves otherwise, and answers that come from elsewhere.

use diracx_core::Reason;
use diracx_proto::auth::v1 as pb;
use serde_json::json;
use tonic::{Code, Status};

use crate::{
    idp::{Mode, Visit},
    world::{CALLBACK, SCOPE, World, expect},
};

async fn answer(world: &World, visit: &Visit, issuer: &str) -> Result<(), Status> {
    let request = pb::FinishDeviceLoginRequest {
        code: visit.code.clone(),
        state: visit.state.clone(),
        callback_url: CALLBACK.to_owned(),
        issuer: issuer.to_owned(),
        ..Default::default()
    };
    world.auth.clone().finish_device_login(request).await.map(drop)
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let base = world.idp.base.clone();
    for issuer in
        ["https://elsewhere.invalid", "", &format!("{base}/realm"), &base.replace("http:", "https:")]
    {
        world.idp.announce(json!({ "issuer": issuer }));
        let begun = world.visit(&login.user_code, "sub-alice", Mode::Good).await;
        let sentence = "Failed to retrieve IAM server metadata: it names another issuer";
        expect(begun, Code::Unavailable, Reason::IdentityProviderFailed, sentence);
    }
    world.idp.announce(json!({}));
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    world.finish(&visit).await.expect("a document that was refused is not kept");
}

#[tokio::test]
async fn a_discovery_document_with_addresses_that_are_none_is_the_providers_fault() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let base = world.idp.base.clone();
    for member in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for address in
            ["", "/relative", "javascript:alert(1)", &format!("{base}/a\r\nSet-Cookie: a=b"), "http://"]
        {
            world.idp.announce(json!({ member: address }));
            let begun = world.visit(&login.user_code, "sub-alice", Mode::Good).await.map(drop);
            let sentence = "Failed to retrieve IAM server metadata";
            expect(begun, Code::Unavailable, Reason::IdentityProviderFailed, sentence);
        }
    }
    world.idp.announce(json!({}));
    world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused_and_the_login_goes_on() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    let mixed_up = answer(&world, &visit, "https://elsewhere.invalid").await;
    let sentence = "Invalid answer of the identity provider: it is from another issuer";
    expect(mixed_up, Code::Unauthenticated, Reason::InvalidGrant, sentence);
    answer(&world, &visit, &world.idp.base).await.unwrap();
    world.poll(&login.device_code).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_announces_to_say_who_it_is_must_say_it_even_when_it_refuses() {
    let world = World::on_sqlite().await;
    world.idp.announce(json!({ "authorization_response_iss_parameter_supported": true }));
    let login = world.begin(SCOPE).await.unwrap();
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    let sentence = "Invalid answer of the identity provider: it does not say who it is";
    expect(answer(&world, &visit, "").await, Code::Unauthenticated, Reason::InvalidGrant, sentence);
    let denied = pb::FinishDeviceLoginRequest {
        state: visit.state.clone(),
        callback_url: CALLBACK.to_owned(),
        error: "access_denied".to_owned(),
        ..Default::default()
    };
    let denied = world.auth.clone().finish_device_login(denied).await;
    expect(denied, Code::Unauthenticated, Reason::InvalidGrant, sentence);
    answer(&world, &visit, &world.idp.base).await.expect("the login was not ended by a stranger");
}
