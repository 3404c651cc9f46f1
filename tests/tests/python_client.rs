//! DiracX's own clients, as their users installed them: nothing of them is changed, and everything works.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use diracx_tests::{browser, mesh::Laptop, tokens::data, tools};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

/// How long one command may take; Python is slow to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn diracx_0_4_0_logs_in_and_works() {
    logs_in_and_works("0.4.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diracx_0_7_0_logs_in_and_works() {
    logs_in_and_works("0.7.0").await;
}

/// An installed client, and whoever uses it.
struct Client {
    environment: PathBuf,
    server: String,
    home: TempDir,
}

async fn logs_in_and_works(version: &str) {
    let Some(environment) = tools::diracx_client(version) else { return };
    let laptop = Laptop::start(&[]).await.expect("a laptop");
    let client = Client { environment, server: laptop.base.clone(), home: TempDir::new().unwrap() };
    client.log_in().await;
    client.commands().await;
    client.interface().await;
    client.refresh().await;
    client.log_out().await;
}

impl Client {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.environment.join("bin").join(program));
        command.env_clear().env("HOME", self.home.path()).env("DIRACX_URL", &self.server);
        command.env("PYTHONUNBUFFERED", "1").stdin(Stdio::null()).kill_on_drop(true);
        for kept in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command
    }

    fn credentials(&self) -> PathBuf {
        self.home.path().join(".cache/diracx/credentials.json")
    }

    /// `dirac login`: a person opens the address that it shows, while it asks again and again.
    async fn log_in(&self) {
        let mut command = self.command("dirac");
        let mut login = command
            .args(["login", "dev"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dirac");
        let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
        let mut seen = String::new();
        let address = loop {
            let line =
                tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says nothing").unwrap();
            let Some(line) = line else {
                let mut complaints = String::new();
                login.stderr.take().unwrap().read_to_string(&mut complaints).await.unwrap();
                panic!("dirac login named no address: {seen}{complaints}");
            };
            if let Some(address) = line.strip_prefix("Now go to: ") {
                break address.to_owned();
            }
            seen += &line;
        };
        let shown = browser::visit(&address, "login_hint=alice").await.expect("a page");
        assert_eq!(shown.status, 200, "{}", shown.text);
        let end = tokio::time::timeout(PATIENCE, login.wait_with_output()).await;
        let output = end.expect("it does not end").unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(self.credentials().is_file(), "no login is kept");
    }

    /// Runs a command of DiracX's command line to its end; what it printed.
    async fn dirac(&self, arguments: &[&str]) -> String {
        self.output(self.command("dirac").args(arguments)).await
    }

    async fn output(&self, command: &mut Command) -> String {
        let output =
            tokio::time::timeout(PATIENCE, command.output()).await.expect("it does not end").unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// DiracX's command line.
    async fn commands(&self) {
        let who: Value = serde_json::from_str(&self.dirac(&["whoami"]).await).expect("JSON");
        assert_eq!((&who["preferred_username"], &who["vo"]), (&json!("alice"), &json!("dev")), "{who}");
        let file = self.home.path().join("hello.jdl");
        std::fs::write(&file, r#"Executable = "/bin/echo"; JobName = "of the command line";"#).unwrap();
        let submitted = self.dirac(&["jobs", "submit", path(&file), path(&file)]).await;
        assert!(submitted.starts_with("Inserted 2 jobs with ids: 1,2"), "{submitted}");
        let found = self.dirac(&["jobs", "search", "--condition", "JobName eq of the command line"]).await;
        let found: Value = serde_json::from_str(&found).expect("JSON");
        assert_eq!(
            (found[0]["JobID"].as_i64(), found[1]["Status"].as_str()),
            (Some(1), Some("Received")),
            "{found}"
        );
        let none: Value =
            serde_json::from_str(&self.dirac(&["jobs", "search", "--condition", "JobID eq 999"]).await)
                .expect("JSON");
        assert_eq!(none, json!([]));
        let config: Value = serde_json::from_str(&self.dirac(&["config", "dump"]).await).expect("JSON");
        assert!(config["Registry"]["dev"]["Users"].is_object(), "{config}");
    }

    /// DiracX's Python interface.
    async fn interface(&self) {
        let work = self.home.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let script = data("python/client.py");
        let seen = self.output(self.command("python").arg(&script).arg(&work)).await;
        let seen: Value = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"));
        assert_eq!(seen["whoami"]["preferred_username"], "alice", "{seen}");
        assert_eq!(seen["config"], json!(["dev"]));
        assert_eq!(seen["submitted"], 3);
        assert_eq!(seen["first range"], "jobs 0-1/3");
        assert_eq!(seen["second range"], "jobs 2-2/3");
        assert_eq!(seen["found"], json!([0, 1, 2]));
        assert_eq!(seen["statuses"], json!(["Received", "Received", "Received"]));
        assert_eq!(seen["changed"], json!([0]));
        assert_eq!(seen["killed"], json!([{"Status": "Killed", "MinorStatus": "by hand"}]));
        assert_eq!(seen["summary"], json!([["Killed", 1], ["Received", 2]]));
        assert_eq!(seen["sandbox"], "hello from python\n");
        assert_eq!(seen["the same sandbox"], true);
        assert_eq!(seen["output sandbox"], json!([true]), "{seen}");
        assert_eq!(seen["rescheduled"], json!([1]));
        assert_eq!(seen["sites"], json!({}));
    }

    /// The client renews a token that is about to end, and keeps what it got.
    async fn refresh(&self) {
        let read = || -> Value {
            serde_json::from_str(&std::fs::read_to_string(self.credentials()).unwrap()).unwrap()
        };
        let mut before = read();
        before["expires_on"] = json!(0);
        std::fs::write(self.credentials(), before.to_string()).unwrap();
        self.dirac(&["whoami"]).await;
        let after = read();
        assert_ne!(before["refresh_token"], after["refresh_token"], "the token was not renewed");
        self.dirac(&["whoami"]).await;
    }

    /// `dirac logout`: the login is gone, here and on the server.
    async fn log_out(&self) {
        let kept: Value =
            serde_json::from_str(&std::fs::read_to_string(self.credentials()).unwrap()).unwrap();
        self.dirac(&["logout"]).await;
        assert!(!self.credentials().exists(), "the login is still there");
        let refresh = kept["refresh_token"].as_str().expect("a refresh token");
        let form = diracx_tests::http::form([
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", "myDIRACClientID"),
        ]);
        let kind = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        let url = format!("{}/api/auth/token", self.server);
        let answer = diracx_tests::http::send("POST", &url, &kind, Some(form.into_bytes())).await.unwrap();
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
