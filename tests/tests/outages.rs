//! Some databases are away: what needs them says so, what does not need them works, and all is well afterwards.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use diracx_tests::{
    as_it_is::AsItIs,
    http::Answer,
    mesh::{Database, Form, Mesh, Store},
    proxy::Proxy,
};
use serde_json::json;
use tonic::{Request, codegen::Bytes, transport::Channel};

/// How long an answer may take when a database is away.
const PATIENCE: Duration = Duration::from_secs(15);

const JDL: &str = r#"["Executable = \"/bin/true\";"]"#;
const WITH_HISTORY: &str = r#"{"parameters": ["JobID", "LoggingInfo"]}"#;

/// A mesh whose databases are behind proxies.
struct Cuttable {
    mesh: Mesh,
    proxies: BTreeMap<String, Proxy>,
}

impl Cuttable {
    async fn start() -> Self {
        let database = Database::create(Store::MariaDb);
        let (mut proxies, mut settings) = (BTreeMap::new(), Vec::new());
        for (name, url) in database.environment().await {
            let server = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a server");
            let proxy = Proxy::start(server).await.expect("a proxy");
            settings.push((name.clone(), url.replace(server, &proxy.address.to_string())));
            proxies.insert(name.trim_start_matches("DIRACX_DB_URL_").to_owned(), proxy);
        }
        let mesh = Mesh::start_on(Form::Processes, database, &settings).await.expect("a mesh");
        let cuttable = Self { mesh, proxies };
        cuttable.expect(201, "POST", "/api/jobs/jdl", JDL).await;
        // A job that was just received leaves its task queue at every report; this one is past that.
        let checking = Cuttable::update().replace("MinorStatus", "Status").replace("\"x\"", "\"Checking\"");
        cuttable.expect(200, "PATCH", "/api/jobs/status", &checking).await;
        cuttable
    }

    async fn expect(&self, status: u16, method: &str, path: &str, body: &str) -> Answer {
        let begun = Instant::now();
        let body = (!body.is_empty()).then(|| body.to_owned());
        let answer = self.mesh.request("normal_user", method, path, body).await.expect("an answer");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(begun.elapsed() < PATIENCE, "{method} {path} took {:?}", begun.elapsed());
        answer
    }

    /// Expects that a request is refused for want of a database, with its name and when to come back.
    async fn is_away(&self, database: &str, method: &str, path: &str, body: &str) {
        let answer = self.expect(503, method, path, body).await;
        assert_eq!(answer.json().expect("JSON")["detail"], format!("Cannot connect to {database}"));
        assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
    }

    /// Waits until the jobs service tells orchestrators that it is ready, or that it is not.
    async fn readiness(&self, ready: bool) {
        /// What `grpc.health.v1` says, encoded.
        const SERVING: &[u8] = &[8, 1];
        let jobs =
            self.mesh.processes.iter().find(|process| process.name == "diracx-jobs").expect("a jobs service");
        let channel = Channel::from_shared(format!("http://{}", jobs.address)).expect("a URI");
        let mut health = tonic::client::Grpc::new(channel.connect().await.expect("a server"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            health.ready().await.expect("a server");
            let path = "/grpc.health.v1.Health/Check".parse().expect("a path");
            let answer = health.unary(Request::new(Bytes::new()), path, AsItIs).await.expect("health");
            if (answer.into_inner() == SERVING) == ready {
                return;
            }
            assert!(Instant::now() < deadline, "ready should be {ready}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn jobs(&self) -> usize {
        let answer = self.expect(200, "POST", "/api/jobs/search", "{}").await;
        answer.json().and_then(|rows| rows.as_array().map(Vec::len)).expect("rows")
    }

    fn update() -> String {
        let now =
            diracx_core::Clock::now(&diracx_core::SystemClock).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        json!({ "1": { now: {"MinorStatus": "x"} } }).to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_submitted_and_found_without_task_queues_and_sandboxes_on_mariadb() {
    let cuttable = Cuttable::start().await;
    for name in ["TASKQUEUEDB", "SANDBOXMETADATADB"] {
        cuttable.proxies[name].cut();
        cuttable.readiness(false).await;
        let before = cuttable.jobs().await;
        cuttable.expect(201, "POST", "/api/jobs/jdl", JDL).await;
        cuttable.expect(200, "POST", "/api/jobs/search", WITH_HISTORY).await;
        cuttable.expect(200, "POST", "/api/jobs/summary", r#"{"grouping": ["Status"]}"#).await;
        cuttable.expect(200, "PATCH", "/api/jobs/status", &Cuttable::update()).await;
        cuttable.expect(200, "GET", "/api/health/live", "").await;
        assert_eq!(cuttable.jobs().await, before + 1);
        if name == "TASKQUEUEDB" {
            // Who is killed leaves his queue: that has to wait.
            let kill = Cuttable::update().replace("MinorStatus", "Status").replace("\"x\"", "\"Killed\"");
            cuttable.is_away("TaskQueueDB", "PATCH", "/api/jobs/status", &kill).await;
        }
        cuttable.proxies[name].mend();
        cuttable.readiness(true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_history_a_job_neither_comes_into_being_nor_moves_on_mariadb() {
    let cuttable = Cuttable::start().await;
    cuttable.proxies["JOBLOGGINGDB"].cut();
    cuttable.readiness(false).await;
    let before = cuttable.jobs().await;
    cuttable.is_away("JobLoggingDB", "POST", "/api/jobs/jdl", JDL).await;
    cuttable.is_away("JobLoggingDB", "PATCH", "/api/jobs/status", &Cuttable::update()).await;
    cuttable.is_away("JobLoggingDB", "POST", "/api/jobs/search", WITH_HISTORY).await;
    assert_eq!(cuttable.jobs().await, before);
    cuttable.proxies["JOBLOGGINGDB"].mend();
    cuttable.readiness(true).await;
    cuttable.expect(201, "POST", "/api/jobs/jdl", JDL).await;
    cuttable.expect(200, "PATCH", "/api/jobs/status", &Cuttable::update()).await;
    cuttable.expect(200, "POST", "/api/jobs/search", WITH_HISTORY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_jobs_the_service_says_so_and_recovers_on_mariadb() {
    let cuttable = Cuttable::start().await;
    cuttable.proxies["JOBDB"].cut();
    cuttable.readiness(false).await;
    for (method, path, body) in [
        ("POST", "/api/jobs/jdl", JDL),
        ("PATCH", "/api/jobs/status", &Cuttable::update()),
        ("POST", "/api/jobs/search", "{}"),
        ("POST", "/api/jobs/summary", r#"{"grouping": ["Status"]}"#),
    ] {
        cuttable.is_away("JobDB", method, path, body).await;
    }
    cuttable.expect(200, "GET", "/api/health/live", "").await;
    cuttable.expect(200, "GET", "/api/auth/userinfo", "").await;
    cuttable.proxies["JOBDB"].mend();
    cuttable.readiness(true).await;
    assert_eq!(cuttable.jobs().await, 1);
    cuttable.expect(201, "POST", "/api/jobs/jdl", JDL).await;
}
