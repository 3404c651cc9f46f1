//! Starting the program: what it makes, what it refuses, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diracx-standalone"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("DIRACX_")) {
            command.env_remove(name);
        }
    }
    command.arg("--data-dir").arg(data).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a start says that must fail.
#[track_caller]
fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A program that listens, killed at the end.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.split_whitespace().find(|word| word.starts_with("http://"));
        let address = url.unwrap_or_else(|| panic!("no address in {first:?}")).replace("http://", "");
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_start_needs_nothing_and_the_second_finds_everything() {
    let data = TempDir::new().unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let running = Running::start(&mut program(data.path()));
        assert!(running.get("/api/health/live").starts_with("HTTP/1.1 200"));
        let discovery = running.get("/dev-idp/.well-known/openid-configuration");
        assert!(discovery.contains(&format!("http://{}/dev-idp/token", running.address)), "{discovery}");
        let published = running.get("/.well-known/jwks.json");
        keys.push(published.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].contains("Ed25519"), "{}", keys[0]);
    let files: Vec<_> = fs::read_dir(data.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    for name in ["keystore.json", "state.key", "config", "auth.db", "jobs.db"] {
        assert!(files.iter().any(|file| file == name), "{name} is missing in {files:?}");
    }
}

#[test]
fn a_variable_that_is_empty_is_one_that_is_not_set() {
    let data = TempDir::new().unwrap();
    let running = Running::start(
        program(data.path())
            .env("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", "")
            .env("DIRACX_CONFIG_BACKEND_URL", "")
            .env("DIRACX_DB_URL_JOBDB", ""),
    );
    assert!(running.get("/api/health/live").starts_with("HTTP/1.1 200"));
}

#[test]
fn with_a_configuration_of_ones_own_there_is_no_development_provider() {
    let data = TempDir::new().unwrap();
    let own = data.path().join("own.yml");
    fs::write(&own, "{DIRAC: {}, Registry: {}}").unwrap();
    let running = Running::start(program(&data.path().join("data")).env("DIRACX_CONFIG_BACKEND_URL", &own));
    assert!(running.get("/api/health/live").starts_with("HTTP/1.1 200"));
    assert!(running.get("/dev-idp/jwks").starts_with("HTTP/1.1 404"));
    assert!(!data.path().join("data/config").exists());
}

#[test]
fn where_others_can_reach_it_the_development_provider_is_refused_and_nothing_is_made() {
    let data = TempDir::new().unwrap();
    let path = data.path().join("data");
    let (code, message) = refusal(program(&path).args(["--listen", "0.0.0.0:0"]));
    assert_eq!(code, Some(64));
    assert!(message.contains("DIRACX_CONFIG_BACKEND_URL"), "{message}");
    let (code, message) = refusal(program(&path).args(["--listen", "0.0.0.0:0", "--local-executor"]));
    assert_eq!(code, Some(64));
    assert!(message.contains("--local-executor"), "{message}");
    assert!(!path.exists());
}

#[test]
fn all_problems_are_told_at_once_and_no_password_with_them() {
    let data = TempDir::new().unwrap();
    let (code, message) = refusal(
        program(data.path())
            .env("DIRACX_CONFIG_BACKEND_URL", "git+ftp://user:hidden@host/cs")
            .env("DIRACX_SERVICE_AUTH_STATE_KEY", "hidden")
            .env("DIRACX_DB_URL_JOBDB", "oracle://user:hidden@host/db")
            .env("DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS", "not JSON")
            .env("DIRACX_OTEL_ENABLED", "maybe")
            .args(["--listen", "nowhere"]),
    );
    assert_eq!(code, Some(64));
    for name in
        ["--listen", "OTEL_ENABLED", "CONFIG_BACKEND_URL", "STATE_KEY", "DB_URL_JOBDB", "ALLOWED_REDIRECTS"]
    {
        assert!(message.contains(name), "{name} is missing in {message}");
    }
    assert!(!message.contains("hidden"), "{message}");
}

#[test]
fn a_data_directory_belongs_to_one_process() {
    let data = TempDir::new().unwrap();
    let _running = Running::start(&mut program(data.path()));
    let (code, message) = refusal(program(data.path()).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(64));
    assert!(message.contains("in use by another diracx-standalone"), "{message}");
}
