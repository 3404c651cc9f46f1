//! Sandboxes as a client of the REST interface sees them, in a directory and in S3.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod directory;
mod s3;
mod s3_server;

use std::time::{Duration, Instant};

use diracx_tests::{
    http::{Answer, send},
    mesh::Mesh,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How long something may take that has to happen by itself.
const PATIENCE: Duration = Duration::from_secs(45);

fn description(bytes: &[u8]) -> String {
    let checksum = format!("{:x}", Sha256::digest(bytes));
    json!({"checksum_algorithm": "sha256", "checksum": checksum, "size": bytes.len(), "format": "tar.zst"})
        .to_string()
}

/// What the server answers to somebody who has these bytes.
async fn announcing(mesh: &Mesh, bytes: &[u8]) -> Answer {
    mesh.request("normal_user", "POST", "/api/jobs/sandbox", Some(description(bytes))).await.unwrap()
}

async fn announce(mesh: &Mesh, bytes: &[u8]) -> Value {
    let answer = announcing(mesh, bytes).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().unwrap()
}

/// Where an announced sandbox can be uploaded.
fn url_of(announced: &Value) -> &str {
    announced["url"].as_str().expect("the bytes are wanted")
}

/// The URL to download it.
async fn located(mesh: &Mesh, announced: &Value) -> String {
    let pfn = announced["pfn"].as_str().unwrap().replace('|', "%7C");
    let path = format!("/api/jobs/sandbox?pfn={pfn}");
    let answer = mesh.request("normal_user", "GET", &path, None).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().unwrap()["url"].as_str().unwrap().to_owned()
}

/// The form as DiracX's client sends it.
fn form(fields: &Value, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields.as_object().unwrap() {
        let value = value.as_str().unwrap();
        body.extend(
            format!("--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    body.extend(
        b"--BOUNDARY\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
          Content-Type: application/octet-stream\r\n\r\n",
    );
    body.extend(bytes);
    body.extend(b"\r\n--BOUNDARY--\r\n");
    body
}

fn multipart() -> [(String, String); 1] {
    [("Content-Type".to_owned(), "multipart/form-data; boundary=BOUNDARY".to_owned())]
}

async fn post(url: &str, body: Vec<u8>) -> Answer {
    send("POST", url, &multipart(), Some(body)).await.unwrap()
}

/// Asks again and again until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
