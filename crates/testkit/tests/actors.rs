//! The actors are who they say, and the bad tokens are bad.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use chrono::Duration;
use diracx_testkit::{BadToken, MockClock, TestIssuer};

#[tokio::test]
async fn actors_are_known_by_name_and_by_role() {
    let clock = MockClock::default();
    let issuer = TestIssuer::new(Arc::new(clock.clone())).unwrap();
    let verifier = issuer.verifier();
    for (name, role, user, vo, property) in [
        ("alice", "normal_user", "alice", "alpha", "NormalUser"),
        ("bob", "other_user", "bob", "alpha", "NormalUser"),
        ("carol", "admin", "carol", "alpha", "JobAdministrator"),
        ("petra", "pilot", "petra", "alpha", "GenericPilot"),
        ("sven", "service_admin", "sven", "alpha", "ServiceAdministrator"),
        ("proxima", "token_manager", "proxima", "alpha", "ProxyManagement"),
        ("dave", "other_vo_user", "dave", "beta", "NormalUser"),
        ("prod_user", "prod_user", "alice", "alpha", "ProductionManagement"),
    ] {
        for name in [name, role] {
            let actor = issuer.actor(name).unwrap();
            let identity = verifier.authenticate(Some(actor.bearer().as_bytes())).await.unwrap();
            let found = identity.as_user().unwrap();
            assert_eq!((found.preferred_username.as_str(), found.vo.as_str()), (user, vo), "{name}");
            assert!(found.has_property(property), "{name}");
        }
    }
    assert!(issuer.actor("nobody").is_err());
    assert!(issuer.actor("no_properties").unwrap().claims.dirac_properties.is_empty());

    let alice = issuer.actor("alice").unwrap();
    clock.advance(Duration::hours(1));
    assert!(verifier.verify(alice.token.expose()).await.is_err(), "tokens end as the clock moves");
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let issuer = TestIssuer::new(Arc::new(MockClock::default())).unwrap();
    for kind in BadToken::ALL {
        let token = issuer.bad_token(kind).unwrap();
        let error = issuer.verifier().verify(&token).await.unwrap_err();
        assert_eq!(error.to_string(), "Invalid JWT", "{kind:?}");
        let same = TestIssuer::with_keys(issuer.keystore_document(), Arc::new(MockClock::default()));
        assert!(same.unwrap().verifier().verify(&token).await.is_err(), "{kind:?}");
    }
}
