//! A real repository of the configuration that vanishes, breaks, is pushed over; and a config service that is away: work
//! goes on, administrators are told, and all is well afterwards without anybody's help.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use diracx_tests::{
    as_it_is::AsItIs,
    http::{Answer, send},
    mesh::{Database, Form, Mesh, Process, Store, free_port},
};
use serde_json::Value;
use tempfile::TempDir;
use tonic::{Request, codegen::Bytes, transport::Channel};

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_mins(1);

const JDL: &str = r#"["Executable = \"/bin/true\";"]"#;

/// A mesh that looks at its repository often.
struct Scene {
    mesh: Mesh,
    repository: PathBuf,
}

impl Scene {
    async fn start(form: Form, settings: &[(&str, String)]) -> Self {
        let mut all = vec![("DIRACX_CONFIG_REFRESH_SECONDS".to_owned(), "0.2".to_owned())];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mesh = Mesh::start_on(form, Database::create(Store::Sqlite), &all).await.expect("a mesh");
        let repository = mesh.scratch("configuration");
        let scene = Self { mesh, repository };
        scene.works().await;
        scene
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .arg("-C")
            .arg(&self.repository)
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn document(&self) -> PathBuf {
        self.repository.join("default.yml")
    }

    fn commit(&self, document: &str) -> String {
        fs::write(self.document(), document).unwrap();
        self.git(&["commit", "--quiet", "--all", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A commit that gives the VO another help desk, which both the configuration and the auth service tell of.
    fn commit_message(&self, message: &str) -> String {
        let text = self.git(&["show", "HEAD:default.yml"]);
        let line = text.lines().find(|line| line.trim_start().starts_with("Message:")).expect("a help desk");
        let indent = &line[..line.len() - line.trim_start().len()];
        self.commit(&(text.replacen(line, &format!("{indent}Message: {message}"), 1) + "\n"))
    }

    async fn expect(&self, status: u16, method: &str, path: &str, body: &str) -> Answer {
        let begun = Instant::now();
        let body = (!body.is_empty()).then(|| body.to_owned());
        let answer = self.mesh.request("normal_user", method, path, body).await.expect("an answer");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(begun.elapsed() < Duration::from_secs(15), "{method} {path} took {:?}", begun.elapsed());
        answer
    }

    /// Jobs are submitted and found, people are known, the configuration is served, and nobody is restarted.
    async fn works(&self) {
        self.expect(201, "POST", "/api/jobs/jdl", JDL).await;
        self.expect(200, "POST", "/api/jobs/search", "{}").await;
        self.expect(200, "GET", "/api/auth/userinfo", "").await;
        self.expect(200, "GET", "/api/config/", "").await;
        self.expect(200, "GET", "/api/health/ready", "").await;
        self.expect(200, "GET", "/api/health/live", "").await;
    }

    /// What `dirac config status` tells, once it is as expected.
    async fn status(&self, expected: impl Fn(&Value) -> bool) -> Value {
        let dirac = self.mesh.dirac_of("normal_user").unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let run = dirac.run(&["--output", "json", "config", "status"]).await.unwrap();
            if let Ok(status) = run.json()
                && expected(&status)
            {
                return status;
            }
            assert!(Instant::now() < deadline, "{run:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the status tells this problem, while everything goes on with the revision.
    async fn goes_on(&self, revision: &str, problem: &str) {
        let told = |status: &Value| status["last_error"].as_str().is_some_and(|told| told.contains(problem));
        let status = self.status(told).await;
        assert_eq!(status["revision"], revision, "{status}");
        assert!(status["checked"].is_string() && status["last_error_time"].is_string(), "{status}");
        self.works().await;
        let dirac = self.mesh.dirac_of("normal_user").unwrap();
        let table = dirac.run(&["--output", "table", "config", "status"]).await.unwrap().stdout;
        assert!(table.contains("Problem since") && table.contains("Confirmed"), "{table}");
    }

    /// Waits until everybody has this revision, whose help desk says `message`.
    async fn recovers(&self, revision: &str, message: &str) {
        let status = self.status(|status| status["revision"] == revision).await;
        assert_eq!(
            (&status["last_error"], &status["stale"]),
            (&Value::Null, &Value::Bool(false)),
            "{status}"
        );
        let deadline = Instant::now() + PATIENCE;
        for path in ["/api/config/", "/.well-known/dirac-metadata"] {
            while !self.expect(200, "GET", path, "").await.text.contains(message) {
                assert!(Instant::now() < deadline, "{path} does not tell of {message}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self.works().await;
    }

    fn service(&mut self, name: &str) -> &mut Process {
        self.mesh.processes.iter_mut().find(|process| process.name == name).expect("a process")
    }
}

async fn goes_on_through_everything(form: Form) {
    let scene = Scene::start(form, &[]).await;
    let good = scene.git(&["rev-parse", "HEAD"]);

    scene.commit("Registry: [\n");
    scene.goes_on(&good, "default.yml of commit").await;

    let hidden = scene.repository.with_extension("hidden");
    fs::rename(&scene.repository, &hidden).unwrap();
    scene.goes_on(&good, "is not a git repository").await;
    fs::rename(&hidden, &scene.repository).unwrap();

    scene.git(&["reset", "--quiet", "--hard", &good]);
    scene.git(&["commit", "--quiet", "--amend", "-m", "another history"]);
    let forced = scene.commit_message("Ask after the forced push");
    scene.recovers(&forced, "Ask after the forced push").await;

    scene.git(&["branch", "--quiet", "-M", "master", "main"]);
    scene.goes_on(&forced, "revision master of the configuration does not exist").await;
    scene.git(&["branch", "--quiet", "-M", "main", "master"]);
    let last = scene.commit_message("Ask at the end");
    scene.recovers(&last, "Ask at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_breaks_vanishes_or_is_pushed_over_stops_nobody_in_one_process() {
    goes_on_through_everything(Form::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_breaks_vanishes_or_is_pushed_over_stops_nobody_in_many_processes() {
    goes_on_through_everything(Form::Processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_config_service_is_away_work_goes_on_and_what_it_kept_is_served_first() {
    let directory = TempDir::new().unwrap();
    let cache = directory.path().join("cache").display().to_string();
    let mut scene = Scene::start(Form::Processes, &[("DIRACX_CONFIG_CACHE_DIRECTORY", cache)]).await;
    let first = scene.commit_message("Ask the first");
    scene.recovers(&first, "Ask the first").await;

    scene.service("diracx-config").kill().await.unwrap();
    scene.works().await;
    let served = scene.expect(200, "GET", "/api/config/", "").await;
    assert_eq!(served.header("etag").as_deref(), Some(first.as_str()));
    scene.works().await;

    // It comes back, and its repository does not.
    let hidden = scene.repository.with_extension("hidden");
    fs::rename(&scene.repository, &hidden).unwrap();
    scene.service("diracx-config").start_again().await.unwrap();
    let status = scene.status(|status| status["kept"] == true).await;
    assert_eq!(status["revision"], first.as_str(), "{status}");
    assert!(status["last_error"].as_str().is_some_and(|told| told.contains("not a git repository")));
    scene.works().await;

    fs::rename(&hidden, &scene.repository).unwrap();
    let second = scene.commit_message("Ask the second");
    scene.recovers(&second, "Ask the second").await;
    assert_eq!(scene.status(|_| true).await["kept"], false);
}

/// What `grpc.health.v1` says of the process at this address, or nothing if it does not answer.
async fn is_serving(address: &str) -> Option<bool> {
    /// Encoded.
    const SERVING: &[u8] = &[8, 1];
    let channel = Channel::from_shared(format!("http://{address}")).ok()?.connect().await.ok()?;
    let mut health = tonic::client::Grpc::new(channel);
    health.ready().await.ok()?;
    let path = "/grpc.health.v1.Health/Check".parse().ok()?;
    let answer = health.unary(Request::new(Bytes::new()), path, AsItIs).await.ok()?;
    Some(answer.into_inner() == SERVING)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_does_not_answer_keeps_no_process_from_its_port() {
    let directory = TempDir::new().unwrap();
    let block = directory.path().join("block");
    fs::write(&block, "").unwrap();
    let ssh = directory.path().join("ssh");
    let script = format!("#!/bin/sh\nwhile [ -e {} ]; do sleep 0.05; done\nexit 1\n", block.display());
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let environment = [
        ("DIRACX_CONFIG_BACKEND_URL", "git+ssh://git@host/configuration"),
        ("DIRACX_CONFIG_REFRESH_SECONDS", "0.2"),
        ("GIT_SSH_COMMAND", &ssh.display().to_string()),
        ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", "https://diracx.test.invalid"),
    ];
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let begun = Instant::now();
    let mut process = Process::start("diracx-config", &address, &[], &environment, directory.path()).unwrap();
    process.wait_until_listening().await.unwrap();
    assert_eq!(is_serving(&address).await, Some(false), "it lives, and has nothing to serve");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());

    let begun = Instant::now();
    let ended = process.terminate().await.unwrap();
    assert!(ended.success(), "{ended}: {}", process.log());
    assert!(begun.elapsed() < Duration::from_secs(15), "it waits for nobody: {:?}", begun.elapsed());
    assert!(send("GET", &format!("http://{address}/"), &[], None).await.is_err());
}
