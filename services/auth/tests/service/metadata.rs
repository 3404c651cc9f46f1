//! What the world may know, and what only the caller may.

use diracx_core::Reason;
use diracx_proto::auth::v1 as pb;
use diracx_testkit::BadToken;
use tonic::{Code, Request};

use crate::world::{World, expect};

#[tokio::test]
async fn the_keys_are_published_without_their_private_parts() {
    let world = World::on_sqlite().await;
    let keys = world.auth.clone().get_jwks(pb::GetJwksRequest {}).await.unwrap().into_inner().keys;
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].kty.as_str(), keys[0].alg.as_str()), ("OKP", "Ed25519"));
    assert_eq!(keys[0].crv.as_deref(), Some("Ed25519"));
    assert!(keys[0].x.is_some() && keys[0].key_ops.contains(&"sign".to_owned()));
    let private: serde_json::Value = serde_json::from_str(world.issuer.keystore_document()).unwrap();
    let secret = private["keys"][0]["d"].as_str().unwrap();
    assert!(!format!("{keys:?}").contains(secret));
}

#[tokio::test]
async fn the_discovery_tells_scopes_in_the_order_of_the_configuration() {
    let world = World::on_sqlite().await;
    let metadata = world.auth.clone().get_server_metadata(pb::GetServerMetadataRequest {}).await;
    let metadata = metadata.unwrap().into_inner();
    assert_eq!(metadata.issuer, world.issuer.settings().issuer);
    assert_eq!(metadata.scopes_supported[..3], ["vo:lhcb", "group:lhcb_user", "group:lhcb_prod"]);
    assert_eq!(metadata.scopes_supported.len(), 3 + 23);
    assert_eq!(metadata.token_endpoint_auth_signing_alg_values_supported, ["RS256", "Ed25519"]);
    assert_eq!(metadata.client_id, "myDIRACClientID");
}

#[tokio::test]
async fn people_can_choose_their_vo_and_group_before_they_log_in() {
    let world = World::on_sqlite().await;
    let request = pb::GetInstallationMetadataRequest {};
    let metadata = world.auth.clone().get_installation_metadata(request).await.unwrap().into_inner();
    let [vo] = &metadata.virtual_organizations[..] else { panic!("there is one VO") };
    assert_eq!((vo.name.as_str(), vo.default_group.as_str()), ("lhcb", "lhcb_user"));
    assert_eq!(vo.groups[1].properties, ["NormalUser", "ProductionManagement"]);
    assert_eq!(vo.support.as_ref().unwrap().message, "Please contact system administrator");
}

#[tokio::test]
async fn the_security_contact_never_expires_before_it_is_read() {
    let world = World::on_sqlite().await;
    world.clock.advance(chrono::Duration::days(1000));
    let contact = world.auth.clone().get_security_contact(pb::GetSecurityContactRequest {}).await;
    let document = contact.unwrap().into_inner().document;
    assert!(document.starts_with("Contact: ") && document.contains("Expires: 2029-04-"), "{document}");
}

#[tokio::test]
async fn who_am_i_needs_a_good_token_of_a_user() {
    let world = World::on_sqlite().await;
    let nobody = world.auth.clone().get_user_info(pb::GetUserInfoRequest {}).await;
    expect(nobody, Code::Unauthenticated, Reason::TokenMissing, "Authorization header is missing");
    for kind in BadToken::ALL {
        let token = world.issuer.bad_token(kind).unwrap();
        let status = world.whoami(&token).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "Invalid JWT"), "{kind:?}");
    }
    let component = world.issuer.component("jobs").get().unwrap();
    assert_eq!(world.whoami(&component).await.unwrap_err().code(), Code::PermissionDenied);
    let refresh = world.log_in("sub-alice").await.refresh_token;
    assert_eq!(world.whoami(&refresh).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_client_too_old_is_refused_before_anything_else() {
    let world = World::on_sqlite().await;
    let mut request = Request::new(pb::GetJwksRequest {});
    request.metadata_mut().insert("diracx-client-version", "0.0.0".parse().unwrap());
    let sentence = "Client version 0.0.0 is not compatible with the server. Upgrade to a version >= 0.0.1a1.";
    let old = world.auth.clone().get_jwks(request).await;
    expect(old, Code::FailedPrecondition, Reason::ClientVersionUnsupported, sentence);
}
