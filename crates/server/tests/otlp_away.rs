//! A collector that takes connections and never answers. Alone in its program, because it sets up the
//! logging of the whole process.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use diracx_server::telemetry::{self, LogSettings, OtelSettings};

mod common;
use common::lollies::Mesh;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_costs_requests_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = silent.local_addr().unwrap().to_string();
    let mesh = Mesh::start();
    let otel = OtelSettings { enabled: true, endpoint, ..OtelSettings::default() };
    let log = LogSettings { filter: "off".to_owned(), ..LogSettings::default() };
    let guard = telemetry::init(&log, &otel, &mesh.stack.metrics).unwrap();

    // more calls than any queue holds; one export alone may take five seconds
    let started = Instant::now();
    for _ in 0..5_000 {
        mesh.call("Open", &[]).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

    let started = Instant::now();
    tokio::task::spawn_blocking(|| guard.shutdown()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
