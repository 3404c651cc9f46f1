//! Bytes in S3: they never come through the system, which signs for them, asks for them and removes them.

use std::time::{Duration, Instant};

use diracx_proto::jobs::v1::{
    CleanSandboxesRequest, CleanSandboxesResponse, sandboxes_service_client::SandboxesServiceClient,
};
use diracx_tests::{
    http::send,
    mesh::{Database, Form, Mesh, Store},
    tokens::{identities, now},
};
use serde_json::{Value, json};
use tonic::{Request, transport::Channel};

use crate::{
    announce, announcing, form, located, post,
    s3_server::{BUCKET, S3Server, SECRET},
    until, url_of,
};

/// How long an answer may take when S3 is away.
const PATIENCE: Duration = Duration::from_secs(15);

async fn start(form: Form, store: Store, s3: &S3Server) -> Mesh {
    Mesh::start_on(form, Database::create(store), &s3.settings(SECRET, true)).await.unwrap()
}

/// Lets nobody have asked for any sandbox for a long time, and cleans those that no job has.
async fn clean(mesh: &Mesh) -> CleanSandboxesResponse {
    let aged = "UPDATE sb_SandBoxes SET LastAccessTime = '2020-01-01 00:00:00'";
    mesh.database.execute("SandboxMetadataDB", aged).await.unwrap();
    let token = mesh.key.sign(&json!({
        "jti": "01890000-0000-7000-8000-000000000002", "exp": now() + 3600, "sub": "component:tasks",
        "iss": identities().unwrap()["issuer"], "dirac_component": "tasks",
    }));
    let request = CleanSandboxesRequest { batch_size: 10, page_token: "unassigned:0".to_owned() };
    let mut request = Request::new(request);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let channel = Channel::from_shared(mesh.base.clone()).unwrap().connect().await.unwrap();
    SandboxesServiceClient::new(channel).clean_sandboxes(request).await.unwrap().into_inner()
}

/// Expects that the second announcement of some bytes is refused in time, for S3 is away and nobody else knows whether
/// they are there already. What was never announced is not there.
async fn is_away(mesh: &Mesh, bytes: &[u8]) {
    let begun = Instant::now();
    announce(mesh, bytes).await;
    let answer = announcing(mesh, bytes).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
}

fn with(fields: &Value, name: &str, value: &str) -> Value {
    let mut changed = fields.clone();
    changed[name] = json!(value);
    changed
}

async fn a_sandbox_lives_and_goes(form_of_mesh: Form, store: Store) {
    let s3 = S3Server::start().await;
    let mesh = start(form_of_mesh, store, &s3).await;
    assert!(s3.bucket().is_dir(), "it is made at the start");

    let bytes = b"the bytes of a sandbox";
    let announced = announce(&mesh, bytes).await;
    let (url, fields) = (url_of(&announced), &announced["fields"]);
    assert_eq!(url, format!("http://{}/{BUCKET}", s3.way.address));
    let signature = fields["x-amz-signature"].as_str().unwrap();
    let forged = format!("{}{}", &signature[1..], &signature[..1]);
    let refused = [
        ("a forged signature", 403, form(&with(fields, "x-amz-signature", &forged), bytes)),
        // 403 at Amazon.
        ("another key", 400, form(&with(fields, "key", "alice/other"), bytes)),
        ("more bytes", 400, form(fields, b"the bytes of a sandbox!")),
        ("fewer bytes", 400, form(fields, b"the bytes of a sandbo")),
    ];
    for (why, status, body) in refused {
        let answer = post(url, body).await;
        assert_eq!(answer.status, status, "{why}: {}", answer.text);
    }
    assert!(announce(&mesh, bytes).await["url"].is_string(), "it never came");
    // S3 keeps nothing of these. This server refuses them as well, but only after it has put them in their place.
    let other = post(url, form(fields, b"the bytes of a sandbax")).await;
    assert_eq!(other.status, 400, "{}", other.text);
    let uploaded = post(url, form(fields, bytes)).await;
    assert_eq!(uploaded.status, 204, "{}", uploaded.text);
    assert_eq!(announce(&mesh, bytes).await, json!({"pfn": announced["pfn"], "url": null, "fields": {}}));

    let url = located(&mesh, &announced).await;
    let fetched = send("GET", &url, &[], None).await.unwrap();
    assert_eq!((fetched.status, fetched.text.as_bytes()), (200, bytes.as_slice()));
    let unsigned = url.split('?').next().unwrap();
    for forged in [unsigned, &url.replace("X-Amz-Expires=300", "X-Amz-Expires=301")] {
        assert_ne!(forged, url);
        assert_eq!(send("GET", forged, &[], None).await.unwrap().status, 403, "{forged}");
    }

    let cleaned = clean(&mesh).await;
    assert_eq!((cleaned.removed, cleaned.removed_bytes, cleaned.failed), (1, 22, 0));
    assert_eq!(send("GET", &url, &[], None).await.unwrap().status, 404);
    assert!(announce(&mesh, bytes).await["url"].is_string(), "it is gone, and may come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_lives_and_goes_on_sqlite() {
    a_sandbox_lives_and_goes(Form::Standalone, Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_lives_and_goes_on_mariadb() {
    a_sandbox_lives_and_goes(Form::Processes, Store::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_s3_while_it_is_away_is_told_so_and_all_is_well_afterwards() {
    let s3 = S3Server::start().await;
    s3.way.cut();
    let mesh = start(Form::Processes, Store::Sqlite, &s3).await;
    is_away(&mesh, b"early bytes").await;
    s3.way.mend();
    until("the bucket is made", async || s3.bucket().is_dir()).await;
    let announced = announce(&mesh, b"the bytes").await;
    assert_eq!(post(url_of(&announced), form(&announced["fields"], b"the bytes")).await.status, 204);

    s3.way.cut();
    is_away(&mesh, b"other bytes").await;
    // To sign, nobody needs to ask S3.
    let url = located(&mesh, &announced).await;
    let cleaned = clean(&mesh).await;
    assert_eq!((cleaned.removed, cleaned.failed), (0, 3), "all stay for the next time");

    s3.way.mend();
    assert_eq!(send("GET", &url, &[], None).await.unwrap().status, 200);
    let cleaned = clean(&mesh).await;
    assert_eq!((cleaned.removed, cleaned.failed), (3, 0));
    assert_eq!(send("GET", &url, &[], None).await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_s3_does_not_know_or_without_a_bucket_does_not_start() {
    let s3 = S3Server::start().await;
    let cases = [
        (s3.settings("another secret", true), "are the keys in DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS right?"),
        (s3.settings(SECRET, false), "the bucket sandboxes-of-tests does not exist; make it"),
    ];
    for (settings, why) in cases {
        let started = Mesh::start_on(Form::Standalone, Database::create(Store::Sqlite), &settings).await;
        let error = started.err().expect("an obstacle").to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("another secret"), "{error}");
    }
    assert!(!s3.bucket().exists());
}
