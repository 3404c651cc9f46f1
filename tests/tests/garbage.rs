//! Garbage on every port: a clear error, no panic, no growth, and life goes on.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use diracx_tests::{
    http::send,
    mesh::{Mesh, Process},
    on_both_forms,
    tokens::random,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How much a process may grow from a flood of garbage: buffers and caches fill once.
const GROWTH_BYTES: u64 = 96 << 20;
/// How often the garbage comes.
const ROUNDS: usize = 40;

on_both_forms! {
    async fn random_bytes_are_turned_away_on_every_port(mesh: Mesh) {
        let addresses: Vec<_> = mesh.processes.iter().map(|process| process.address.clone()).collect();
        for address in &addresses {
            for _ in 0..ROUNDS {
                let noise: [u8; 4096] = random().expect("noise");
                throw(address, &noise).await;
                // An HTTP/2 preface with noise behind it gets further than noise alone.
                throw(address, &[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &noise].concat()).await;
                throw(address, &[&b"GET /api/jobs/search HTTP/1.1\r\n"[..], &noise].concat()).await;
            }
        }
        must_be_well(&mut mesh).await;
    }

    async fn half_requests_hold_nothing_up(mesh: Mesh) {
        let front = mesh.processes.last().expect("a front").address.clone();
        let mut left_open = Vec::new();
        for part in ["P", "POST /api/jobs/jdl HTTP/1.1\r\nHo", "POST /api/jobs/jdl HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n[\"x"] {
            for _ in 0..ROUNDS {
                let mut stream = TcpStream::connect(&front).await.expect("a listener");
                stream.write_all(part.as_bytes()).await.expect("a listener that reads");
                left_open.push(stream);
            }
        }
        must_be_well(&mut mesh).await;
        drop(left_open);
        must_be_well(&mut mesh).await;
    }

    async fn a_body_without_end_is_refused_before_it_is_stored(mesh: Mesh) {
        warm_up(&mesh).await;
        let before = memory(&mesh);
        let front = mesh.processes.last().expect("a front").address.clone();
        for (who, announced) in [("normal_user", true), ("normal_user", false), ("", true)] {
            let answer = pour(&mesh, &front, who, announced).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(status.starts_with('4'), "a flood as {who:?} was answered: {answer}");
        }
        must_not_have_grown(&mesh, &before);
        must_be_well(&mut mesh).await;
    }

    async fn bodies_that_make_no_sense_get_a_clear_error(mesh: Mesh) {
        warm_up(&mesh).await;
        let before = memory(&mesh);
        let deep = ["[", "{\"a\":", "[{\"search\":"].map(|open| open.repeat(50_000));
        let strange = [ "nonsense", "{", "[1e999]", "{\"search\": {\"parameter\": 1}}", "\"\\ud800\"", "[null, [], {}]", "\u{0}"];
        for _ in 0..ROUNDS / 8 {
            for path in ["/api/jobs/jdl", "/api/jobs/search", "/api/jobs/summary", "/api/auth/token"] {
                for body in strange.iter().copied().chain(deep.iter().map(String::as_str)) {
                    let answer = mesh.request("normal_user", "POST", path, Some(body.to_owned())).await;
                    let answer = answer.expect("an answer");
                    let about = format!("{path} with {:?}: {} {}", &body[..body.len().min(30)], answer.status, answer.text);
                    assert!((400..500).contains(&answer.status) || path.ends_with("jdl") && answer.status == 201, "{about}");
                    let explained = answer.json().is_some_and(|json| json["detail"] != serde_json::Value::Null || json["error"].is_string());
                    assert!(explained, "no explanation: {about}");
                }
            }
        }
        must_not_have_grown(&mesh, &before);
        must_be_well(&mut mesh).await;
    }

    async fn a_body_that_says_it_is_something_else_is_refused(mesh: Mesh) {
        let authorization = ("Authorization".to_owned(), format!("Bearer {}", mesh.tokens["normal_user"]));
        for kind in ["text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=x", "application/json; charset=utf-7", "nonsense", "application/grpc", "application/grpc-web+proto"] {
            let headers = [authorization.clone(), ("Content-Type".to_owned(), kind.to_owned())];
            let url = format!("{}/api/jobs/search", mesh.base);
            let answer = send("POST", &url, &headers, Some(b"<xml/>".to_vec())).await.expect("an answer");
            // Whoever speaks gRPC is answered in gRPC, whose refusals have HTTP status 200.
            let refused = answer.header("grpc-status").is_some_and(|code| code != "0");
            assert!(refused || (400..500).contains(&answer.status), "{kind}: {} {}", answer.status, answer.text);
        }
        must_be_well(&mut mesh).await;
    }

    async fn unknown_paths_and_methods_are_named_as_such(mesh: Mesh) {
        for (method, path, status) in [
            ("GET", "/api/nothing/here", 404),
            ("BREW", "/api/config/", 405),
            ("DELETE", "/api/jobs/search", 405),
            ("GET", "/api/jobs/search", 405),
            ("GET", "/%ff%fe/../..", 404),
            ("POST", "//", 404),
        ] {
            let answer = mesh.request("normal_user", method, path, None).await.expect("an answer");
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        }
        must_be_well(&mut mesh).await;
    }

    async fn unknown_rpcs_and_broken_messages_are_refused_in_grpc_s_own_words(mesh: Mesh) {
        for (path, body, expected) in [
            ("/diracx.jobs.v1.JobsService/Nothing", vec![0, 0, 0, 0, 0], "grpc-status: 12"),
            ("/diracx.nothing.v1.NoService/Nothing", vec![0, 0, 0, 0, 0], "grpc-status: 12"),
            ("/diracx.jobs.v1.JobsService/SearchJobs", vec![0, 0, 0, 0, 3, 255, 255, 255], "grpc-status: "),
            ("/diracx.jobs.v1.JobsService/SearchJobs", vec![0, 255, 255, 255, 255, 1], "grpc-status: "),
            ("/diracx.jobs.v1.JobsService/SearchJobs", vec![7, 0, 0, 0, 0], "grpc-status: "),
        ] {
            let headers = [
                ("Authorization".to_owned(), format!("Bearer {}", mesh.tokens["normal_user"])),
                ("Content-Type".to_owned(), "application/grpc-web+proto".to_owned()),
            ];
            let answer = send("POST", &format!("{}{path}", mesh.base), &headers, Some(body)).await.expect("an answer");
            // A refusal comes as header, or as trailer in the body.
            let header = answer.header("grpc-status").map(|code| format!("grpc-status: {code}")).unwrap_or_default();
            let said = format!("{header}\n{}", answer.text).replace("grpc-status:", "grpc-status: ").replace("  ", " ");
            assert!(said.contains(expected), "{path}: {} {said}", answer.status);
            assert!(!said.contains("grpc-status: 0"), "{path} was accepted");
        }
        must_be_well(&mut mesh).await;
    }
}

/// Sends bytes and waits for the other side to answer or hang up; either is right, silence is not.
async fn throw(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    // The other side may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "{address} is silent about {} bytes of garbage", bytes.len());
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.starts_with("HTTP/1.1 5") && !answer.starts_with("HTTP/1.1 2"), "{answer}");
}

/// Sends 200 MiB of body, or as much as is taken, and returns the head of the answer.
async fn pour(mesh: &Mesh, address: &str, who: &str, announced: bool) -> String {
    const SIZE: usize = 200 << 20;
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    let length =
        if announced { format!("Content-Length: {SIZE}") } else { "Transfer-Encoding: chunked".to_owned() };
    let token =
        mesh.tokens.get(who).map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /api/jobs/jdl HTTP/1.1\r\nHost: x\r\n{token}Content-Type: application/json\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("a listener that reads");
    let (mut from, mut to) = stream.into_split();
    let writer = tokio::spawn(async move {
        let block = vec![b' '; 1 << 16];
        for _ in 0..SIZE / block.len() {
            let sent = async {
                if !announced {
                    to.write_all(b"10000\r\n").await?;
                }
                to.write_all(&block).await?;
                if announced { Ok(()) } else { to.write_all(b"\r\n").await }
            };
            // It was told to stop.
            if sent.await.is_err() {
                return;
            }
        }
    });
    let mut answer = [0; 512];
    let read = tokio::time::timeout(Duration::from_secs(40), from.read(&mut answer)).await;
    writer.abort();
    let length = read.expect("a flood that is answered").unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Lets buffers, caches and pools fill, so that what grows later grew from garbage.
async fn warm_up(mesh: &Mesh) {
    for _ in 0..20 {
        let answer = mesh.request("normal_user", "POST", "/api/jobs/search", Some("{}".to_owned())).await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
}

fn memory(mesh: &Mesh) -> Vec<u64> {
    mesh.processes.iter().map(|process| process.resident_bytes().expect("a living process")).collect()
}

fn must_not_have_grown(mesh: &Mesh, before: &[u64]) {
    for (process, before) in mesh.processes.iter().zip(before) {
        let now = process.resident_bytes().expect("a living process");
        let grown = now.saturating_sub(*before);
        assert!(
            grown < GROWTH_BYTES,
            "{} grew by {} MiB, from {} MiB",
            process.name,
            grown >> 20,
            before >> 20
        );
    }
}

async fn must_be_well(mesh: &mut Mesh) {
    mesh.processes.iter_mut().try_for_each(Process::must_live).expect("living processes");
    let answer = mesh.request("normal_user", "GET", "/api/auth/userinfo", None).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let complaints = mesh.complaints();
    let panic = complaints.lines().find(|line| line.contains("panicked"));
    assert!(panic.is_none(), "{panic:?}");
}
