//! The tokens of pilots: made for the pilots service, and good for nothing that is a person's.

use diracx_core::Reason;
use diracx_proto::auth::v1 as pb;
use diracx_server::Identity;
use tonic::{Code, Request};

use crate::world::{World, expect};

fn ask(world: &World, component: &str, vo: &str, stamp: &str) -> Request<pb::IssuePilotTokenRequest> {
    let message = pb::IssuePilotTokenRequest { vo: vo.to_owned(), pilot_stamp: stamp.to_owned() };
    World::with_token(message, &world.issuer.component(component).get().unwrap())
}

#[tokio::test]
async fn the_pilots_service_gets_tokens_that_name_a_pilot_and_no_user() {
    let world = World::on_sqlite().await;
    let mut auth = world.auth.clone();
    let issued = auth.issue_pilot_token(ask(&world, "pilots", "lhcb", "stamp1")).await.unwrap().into_inner();
    assert_eq!(issued.expires_in.unwrap().seconds, 20 * 60, "as long as those of users");

    let identity = world.issuer.verifier().verify(&issued.access_token).await.unwrap();
    let Identity::Pilot(pilot) = &*identity else { panic!("no pilot") };
    assert_eq!((pilot.vo.as_str(), pilot.stamp.as_str()), ("lhcb", "stamp1"));

    assert_eq!(world.whoami(&issued.access_token).await.unwrap_err().code(), Code::PermissionDenied);
    let list = World::with_token(pb::ListRefreshTokensRequest::default(), &issued.access_token);
    assert_eq!(auth.list_refresh_tokens(list).await.unwrap_err().code(), Code::PermissionDenied);
    let another = pb::IssuePilotTokenRequest { vo: "lhcb".to_owned(), pilot_stamp: "stamp2".to_owned() };
    let another = auth.issue_pilot_token(World::with_token(another, &issued.access_token)).await;
    assert_eq!(another.unwrap_err().code(), Code::PermissionDenied, "a pilot makes no pilots");
}

#[tokio::test]
async fn nobody_else_gets_tokens_of_pilots() {
    let world = World::on_sqlite().await;
    let mut auth = world.auth.clone();
    for component in ["jobs", "tasks", "gateway"] {
        let refused = auth.issue_pilot_token(ask(&world, component, "lhcb", "stamp1")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{component}");
    }
    for person in ["alice", "carol", "petra", "sven"] {
        let message = pb::IssuePilotTokenRequest { vo: "lhcb".to_owned(), pilot_stamp: "stamp1".to_owned() };
        let request = world.issuer.actor(person).unwrap().request(message).unwrap();
        assert_eq!(
            auth.issue_pilot_token(request).await.unwrap_err().code(),
            Code::PermissionDenied,
            "{person}"
        );
    }
}

#[tokio::test]
async fn a_pilot_needs_a_vo_that_there_is_and_a_stamp_that_fits() {
    let world = World::on_sqlite().await;
    let mut auth = world.auth.clone();
    let too_long = "s".repeat(33);
    for (vo, stamp, complaint) in [
        ("atlas", "stamp1", "vo: is not in the configuration"),
        ("", "stamp1", "vo: is not in the configuration"),
        ("lhcb", "", "pilot_stamp: must have 1 to 32 characters"),
        ("lhcb", too_long.as_str(), "pilot_stamp: must have 1 to 32 characters"),
    ] {
        let refused = auth.issue_pilot_token(ask(&world, "pilots", vo, stamp)).await;
        expect(refused, Code::InvalidArgument, Reason::InvalidField, complaint);
    }
}
