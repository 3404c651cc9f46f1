//! An identity provider that is down, slow or lies: the person reads what is wrong, and it is never our fault.

use std::time::{Duration, Instant};

use crate::scene::Scene;
use diracx_tests::person::{Page, Person};
use serde_json::{Value, json};

/// Longer than anybody waits in front of a browser; the provider would take a minute.
const PATIENCE: Duration = Duration::from_secs(20);

async fn log_in(scene: &Scene) -> Page {
    let login = scene.begin().await;
    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    alice.log_in(&page, "alice", None).await.unwrap()
}

/// With the fault the login ends with this page, and the program waits; without it everything is well again.
async fn check(scene: &mut Scene, fault: Value, status: u16, title: &str, detail: &str) {
    let login = scene.begin().await;
    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    scene.provider.misbehave(fault.clone()).await.unwrap();
    let begun = Instant::now();
    let page = alice.log_in(&page, "alice", None).await.unwrap();
    assert!(begun.elapsed() < PATIENCE, "{fault} took {:?}", begun.elapsed());
    page.says(status, title);
    page.says(status, detail);
    scene.provider.misbehave(json!({ "kind": "none" })).await.unwrap();
    let polled = scene.poll(&login).await;
    assert_eq!(polled.json().unwrap(), json!({ "error": "authorization_pending" }), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_prove_nothing_log_nobody_in() {
    let Some(mut scene) = Scene::start(&[]).await else { return };
    let title = "The login could not be confirmed";
    for (kind, detail) in [
        ("another audience", "it is for another audience"),
        ("expired token", "it has expired"),
        ("unknown key", "its signature is not the provider"),
        ("unsigned token", "Invalid ID token"),
    ] {
        check(&mut scene, json!({ "kind": kind }), 401, title, detail).await;
    }
    log_in(&scene).await.says(200, "You are logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_breaks_in_the_middle_of_a_login_is_named() {
    let Some(mut scene) = Scene::start(&[]).await else { return };
    let title = "The login service does not answer";
    for at in ["/token", "/jwks"] {
        for fault in
            [json!({ "kind": "broken", "at": at }), json!({ "kind": "slow", "at": at, "seconds": 60 })]
        {
            check(&mut scene, fault, 502, title, "Failed to contact IAM server").await;
        }
    }
    log_in(&scene).await.says(200, "You are logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_discovered_is_named_until_it_can() {
    const DISCOVERY: &str = "/.well-known/openid-configuration";
    let Some(mut scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let mut alice = Person::default();
    for fault in [
        json!({ "kind": "broken", "at": DISCOVERY }),
        json!({ "kind": "slow", "at": DISCOVERY, "seconds": 60 }),
        json!({ "kind": "no document" }),
    ] {
        scene.provider.misbehave(fault.clone()).await.unwrap();
        let begun = Instant::now();
        let page = alice.open(&login.address).await.unwrap();
        assert!(begun.elapsed() < PATIENCE, "{fault} took {:?}", begun.elapsed());
        page.says(502, "The login service does not answer");
        page.says(502, "Failed to retrieve IAM server metadata");
        let page = alice.open(&scene.authorize("s")).await.unwrap();
        page.says(502, "Failed to retrieve IAM server metadata");
    }
    scene.provider.down().await.unwrap();
    alice.open(&login.address).await.unwrap().says(502, "The login service does not answer");
    scene.provider.up().await.unwrap();
    let page = alice.open(&login.address).await.unwrap();
    alice.log_in(&page, "alice", None).await.unwrap().says(200, "You are logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_goes_away_in_the_middle_of_a_login_is_named() {
    let Some(mut scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    let callback = format!("{}/api/auth/device/complete", scene.mesh.base);
    let stopped = alice.log_in(&page, "alice", Some(&callback)).await.unwrap();
    scene.provider.down().await.unwrap();
    alice.open(&stopped.url).await.unwrap().says(502, "The login service does not answer");
    assert!(scene.poll(&login).await.text.contains("authorization_pending"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_calls_itself_otherwise_is_not_believed() {
    let Some(mut scene) = Scene::start(&[]).await else { return };
    scene.provider.misbehave(json!({ "kind": "another issuer" })).await.unwrap();
    let login = scene.begin().await;
    let page = Person::default().open(&login.address).await.unwrap();
    page.says(502, "The login service does not answer");
    page.says(502, "it names another issuer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_change_its_keys_at_any_time() {
    let Some(mut scene) = Scene::start(&[]).await else { return };
    log_in(&scene).await.says(200, "You are logged in");
    scene.provider.misbehave(json!({ "kind": "new keys" })).await.unwrap();
    log_in(&scene).await.says(200, "You are logged in");
}
