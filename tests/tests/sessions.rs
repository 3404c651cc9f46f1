//! Sessions at processes that are killed, and at two of them at once: no session becomes two, and none is lost.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use diracx_tests::{
    http::{Answer, form, send},
    mesh::{Form, Mesh, Store},
    on_every_mesh,
};
use futures::future::join_all;
use serde_json::Value;
use tokio::sync::Semaphore;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CLIENT: &str = "myDIRACClientID";

/// How many people are logged in, each in one session.
const SESSIONS: usize = 4;
/// How many answers are awaited before each kill; odd numbers, so that it comes at ever different moments.
const KILL_AFTER: [u32; 5] = [1, 3, 7, 11, 19];
/// How many use one token at the same instant.
const THIEVES: usize = 16;
/// How soon after a start everything old is gone; debug builds on a busy machine are slow.
const CLEANING_PATIENCE: Duration = Duration::from_secs(30);
/// How often that is done.
const ROUNDS: usize = 5;

on_every_mesh! {
    async fn a_kill_during_refreshes_leaves_each_session_with_one_token(mesh: Mesh) {
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            sessions.push(log_in(&mesh, &scope(number)).await.expect("a session"));
        }
        for answers in KILL_AFTER {
            sessions = refresh_and_kill(&mut mesh, sessions, answers).await;
            check(&mesh, &sessions).await;
            mesh.boot().await.expect("a mesh that comes back");
            // whoever lost an answer logs in anew, as people do
            for (number, session) in sessions.iter_mut().enumerate() {
                if !is_live(&mesh, session).await {
                    give_back_what_is_left(&mesh, number).await;
                    *session = log_in(&mesh, &scope(number)).await.expect("another session");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_used_at_two_replicas_at_once_is_good_for_one_of_them_and_then_for_nobody_on_mariadb() {
    let mut mesh = Mesh::start(Form::Standalone, Store::MariaDb).await.expect("a mesh");
    let bases = [mesh.base.clone(), mesh.replica().await.expect("a replica")];
    for round in 0..ROUNDS {
        let token = log_in(&mesh, "vo:alpha").await.expect("a session");
        let other_session = log_in(&mesh, "vo:alpha").await.expect("a session");
        let tries = (0..THIEVES).map(|thief| refresh(&bases[thief % 2], &token));
        let answers: Vec<Answer> =
            join_all(tries).await.into_iter().map(|answer| answer.expect("an answer")).collect();
        let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert!(good.len() <= 1, "round {round}: {} got tokens for one token", good.len());
        for answer in refused {
            assert_eq!(answer.status, 401, "{answer:?}");
            assert!(answer.text.contains("potential attack detected"), "{answer:?}");
        }
        let live = live(&mesh).await;
        assert!(live.is_empty(), "round {round}: it was used twice, and these live on: {live:?}");
        assert_eq!(refresh(&bases[1], &other_session).await.expect("an answer").status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standalone_forgets_old_logins_and_tokens_by_itself() {
    let mut mesh = Mesh::start(Form::Standalone, Store::Sqlite).await.expect("a mesh");
    let young = log_in(&mesh, "vo:alpha").await.expect("a session");
    let old = "INSERT INTO DeviceFlows VALUES ('BCDFGHJK', 'DONE', '2020-01-01 00:00:00', 'c', 'vo:alpha', 'd', NULL);
        INSERT INTO RefreshTokens VALUES ('0194becea00070008000000000000001', 'CREATED', 'vo:alpha', 'alpha:old');";
    mesh.database.execute("AuthDB", old).await.expect("rows");
    mesh.kill().await.expect("it lived");
    mesh.boot().await.expect("it comes back");
    let count = "SELECT (SELECT COUNT(*) FROM DeviceFlows) + (SELECT COUNT(*) FROM RefreshTokens) AS number";
    let deadline = Instant::now() + CLEANING_PATIENCE;
    while mesh.database.numbers("AuthDB", count).await.expect("a count") != [2] {
        assert!(Instant::now() < deadline, "old rows are still there: {}", mesh.complaints());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(refresh(&mesh.base, &young).await.expect("an answer").status, 200);
}

/// Always the same scope, written so that it tells the session: its tokens are known by it in the database.
fn scope(session: usize) -> String {
    format!("vo:alpha{}", " group:alpha_user".repeat(session + 1))
}

/// Refreshes each session from a side of its own, again and again, until the mesh is killed; returns the last token that
/// each was given.
async fn refresh_and_kill(mesh: &mut Mesh, sessions: Vec<String>, answers: u32) -> Vec<String> {
    let counter = Arc::new(Semaphore::new(0));
    let mut people = Vec::new();
    for mut token in sessions {
        let (counter, base) = (Arc::clone(&counter), mesh.base.clone());
        people.push(tokio::spawn(async move {
            while let Ok(answer) = refresh(&base, &token).await {
                if answer.status >= 500 {
                    break; // a part of the mesh has gone before the gateway
                }
                token = refresh_token(&answer).expect("a token that was used once is exchanged");
                counter.add_permits(1);
            }
            token
        }));
    }
    let enough = tokio::time::timeout(Duration::from_mins(1), counter.acquire_many(answers)).await;
    drop(enough.expect("refreshes are not answered").expect("a counter"));
    mesh.kill().await.expect("something to kill");
    let mut last = Vec::new();
    for person in people {
        last.push(person.await.expect("a person who does not panic"));
    }
    last
}

/// Each session has one token that can be used: the last one that was given out, or its successor, whose answer was lost.
async fn check(mesh: &Mesh, sessions: &[String]) {
    let live = live(mesh).await;
    for (number, last) in sessions.iter().enumerate() {
        let of_session: Vec<_> = live.iter().filter(|(_, of)| **of == scope(number)).collect();
        assert_eq!(of_session.len(), 1, "session {number} lives on in {of_session:?}");
        let (jti, _) = of_session[0];
        // ids begin with the milliseconds of their making
        let (made, given) = (&jti[..12], &jti_of(last)[..12]);
        assert!(made >= given, "session {number} is back at {jti}, and {} was given out", jti_of(last));
    }
}

/// The tokens in the database that can be used, with their scopes.
async fn live(mesh: &Mesh) -> BTreeMap<String, String> {
    let query = "SELECT CONCAT_WS('|', JTI, Scope) AS text FROM RefreshTokens WHERE Status = 'CREATED'";
    let rows = mesh.database.texts("AuthDB", query).await.expect("tokens");
    let pair = |row: String| row.split_once('|').map(|(jti, scope)| (jti.to_owned(), scope.to_owned()));
    rows.into_iter().map(|row| pair(row).expect("two columns")).collect()
}

async fn is_live(mesh: &Mesh, token: &str) -> bool {
    live(mesh).await.contains_key(&jti_of(token))
}

/// Somebody revokes what nobody holds any more, so that the next look finds the new session only.
async fn give_back_what_is_left(mesh: &Mesh, session: usize) {
    for (jti, _) in live(mesh).await.into_iter().filter(|(_, of)| *of == scope(session)) {
        let path = format!("/api/auth/refresh-tokens/{jti}");
        let answer = mesh.request("token_manager", "DELETE", &path, None).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Alice logs in on a device; the provider of the recordings approves at once.
async fn log_in(mesh: &Mesh, scope: &str) -> Result<String> {
    let base = &mesh.base;
    let query = form([("client_id", CLIENT), ("scope", scope)]);
    let begun = send("POST", &format!("{base}/api/auth/device?{query}"), &[], None).await?;
    let begun = begun.json().context("no JSON")?;
    let mut url = begun["verification_uri_complete"].as_str().context("no address")?.to_owned();
    for _ in 0..3 {
        let answer = send("GET", &url, &[], None).await?;
        url = answer.header("location").with_context(|| format!("{url} leads nowhere: {answer:?}"))?;
    }
    let device_code = begun["device_code"].as_str().context("no code")?;
    let grant = [("grant_type", DEVICE_CODE), ("device_code", device_code), ("client_id", CLIENT)];
    refresh_token(&ask_for_tokens(base, &grant).await?)
}

async fn refresh(base: &str, token: &str) -> Result<Answer> {
    ask_for_tokens(base, &[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", CLIENT)])
        .await
}

async fn ask_for_tokens(base: &str, grant: &[(&str, &str)]) -> Result<Answer> {
    let kind = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let body = form(grant.iter().copied()).into_bytes();
    send("POST", &format!("{base}/api/auth/token"), &kind, Some(body)).await
}

fn refresh_token(answer: &Answer) -> Result<String> {
    ensure!(answer.status == 200, "{answer:?}");
    let tokens = answer.json().context("no JSON")?;
    Ok(tokens["refresh_token"].as_str().context("no refresh token")?.to_owned())
}

/// The id of a token, as the database has it.
fn jti_of(token: &str) -> String {
    let payload = B64.decode(token.split('.').nth(1).expect("a JWT")).expect("base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("claims");
    claims["jti"].as_str().expect("an id").replace('-', "")
}
