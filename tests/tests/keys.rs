//! One service has the private keys of the installation; the others live on what it publishes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use diracx_tests::{
    http::{Answer, send},
    mesh::{Form, Mesh, Process, Store, program},
    tokens::identities,
};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::process::Command;

/// How long until everybody has noticed a new key; debug builds on a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often keys are rotated one after the other: faster than anybody would.
const ROTATIONS: usize = 5;

/// The jobs are there.
const CREATED: u16 = 201;

#[tokio::test(flavor = "multi_thread")]
async fn services_without_the_key_store_serve_through_rotations_and_while_the_auth_service_is_away() {
    let mut mesh = Mesh::start(Form::Processes, Store::Sqlite).await.expect("a mesh");
    let before = exchange(&mesh).await;
    assert_eq!(submit(&mesh, &before).await.status, CREATED, "{}", mesh.complaints());

    let kid = rotate(&mesh).await;
    let after = signed_with(&mesh, &kid).await;
    // a token of an unknown key makes everybody ask for the keys, and nobody is turned away meanwhile
    assert_eq!(submit(&mesh, &after).await.status, CREATED, "{}", mesh.complaints());
    assert_eq!(submit(&mesh, &before).await.status, CREATED, "tokens of the key of before stay good");

    auth(&mut mesh).terminate().await.unwrap();
    assert_eq!(submit(&mesh, &after).await.status, CREATED);
    // nobody has verified this one yet
    assert_eq!(submit(&mesh, &mesh.tokens["prod_user"]).await.status, CREATED);
    assert_eq!(submit(&mesh, &mesh.tokens["unknown_kid"]).await.status, 401);

    auth(&mut mesh).start_again().await.unwrap();
    let kid = rotate(&mesh).await;
    let newest = signed_with(&mesh, &kid).await;
    assert_eq!(submit(&mesh, &newest).await.status, CREATED, "{}", mesh.complaints());

    for _ in 0..ROTATIONS {
        let kid = rotate(&mesh).await;
        let fresh = signed_with(&mesh, &kid).await;
        let submissions = (0..4).map(|_| submit(&mesh, &fresh));
        for answer in join_all(submissions).await {
            assert_eq!(answer.status, CREATED, "{}", mesh.complaints());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_service_says_what_it_needs_to_prove_who_it_is() {
    let mut jobs = Command::new(program("diracx-jobs").unwrap());
    let issuer = ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", "http://issuer.invalid/");
    let output = jobs.env_clear().envs([issuer]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(
        said.contains("DIRACX_COMPONENT_KEY: is required without DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE"),
        "{said}"
    );
}

fn auth(mesh: &mut Mesh) -> &mut Process {
    mesh.processes.iter_mut().find(|process| process.name == "diracx-auth").expect("an auth service")
}

async fn submit(mesh: &Mesh, token: &str) -> Answer {
    let jdl = json!(["Executable = \"/bin/echo\";"]).to_string();
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {token}")),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    send("POST", &format!("{}/api/jobs/jdl", mesh.base), &headers, Some(jdl.into_bytes())).await.unwrap()
}

/// A token that the auth service signs now, asked for as a DIRAC server does.
async fn exchange(mesh: &Mesh) -> String {
    let identities = identities().unwrap();
    let settings = identities["server_settings"].as_object().unwrap();
    let (_, key) = settings.iter().find(|(name, _)| name.contains("API key (raw")).expect("a key");
    let key = format!("Bearer diracx:legacy:{}", key.as_str().unwrap());
    let path = "/api/auth/legacy-exchange?preferred_username=alice&scope=vo:alpha";
    let headers = [("Authorization".to_owned(), key)];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = send("GET", &format!("{}{path}", mesh.base), &headers, None).await.unwrap();
        if answer.status == 200 {
            return answer.json().unwrap()["access_token"].as_str().unwrap().to_owned();
        }
        // an auth service that has just started has no configuration yet
        assert!(answer.status == 503 && Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Makes a new key; tells its id.
async fn rotate(mesh: &Mesh) -> String {
    let mut chore = Command::new(program("diracx-auth").unwrap());
    let done =
        chore.args(["rotate-key", "--keystore"]).arg(mesh.scratch("keystore.json")).output().await.unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    said.split_whitespace().next().expect("the id of a key").to_owned()
}

/// A token of this key, as soon as the auth service signs with it.
async fn signed_with(mesh: &Mesh, kid: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let token = exchange(mesh).await;
        let header = B64.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        if header["kid"] == kid {
            return token;
        }
        assert!(Instant::now() < deadline, "the auth service signs with {header}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
