//! The program under measurement, and people who are logged in to it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use diracx_tests::{browser, http};
use serde_json::Value;

/// How long the server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where both servers say whether they are ready.
pub(crate) const READY: &str = "/api/health/ready";

/// The client that logs in.
pub(crate) const CLIENT: &str = "myDIRACClientID";

/// A standalone that runs, until this value goes.
pub(crate) struct Server {
    child: Child,
    /// Its host and port.
    pub(crate) address: String,
}

impl Server {
    /// Starts the program and waits until it is ready.
    pub(crate) async fn start(program: &Path, data: &Path, environment: &[(String, String)]) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = std::fs::File::create(data.with_extension("log"))?;
        let child = Command::new(program)
            .arg("--data-dir")
            .arg(data)
            .args(["--listen", &address])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { child, address };
        let base = server.url();
        wait_until_ready(&mut server.child, &base, PATIENCE)
            .await
            .context("the standalone does not start")?;
        Ok(server)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its number.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the program says at its address that it is ready.
pub(crate) async fn wait_until_ready(program: &mut Child, base: &str, patience: Duration) -> Result<()> {
    let url = format!("{base}{READY}");
    let deadline = Instant::now() + patience;
    while !http::send("GET", &url, &[], None).await.is_ok_and(|answer| answer.status == 200) {
        if let Some(status) = program.try_wait()? {
            bail!("it ended with {status}");
        }
        ensure!(Instant::now() < deadline, "it is not ready after {} s", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port")?.local_addr()?.port())
}

/// Somebody's tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    /// For requests.
    pub(crate) access: String,
    /// For other tokens.
    pub(crate) refresh: String,
}

/// Logs somebody in by device flow at the development identity provider.
pub(crate) async fn log_in(base: &str, user: &str, group: &str) -> Result<Tokens> {
    let scope = format!("vo:dev group:{group}");
    let query = http::form([("client_id", CLIENT), ("scope", &scope)]);
    let begun = post(&format!("{base}/api/auth/device?{query}"), None).await?;
    let field = |name: &str| {
        begun[name].as_str().map(str::to_owned).with_context(|| format!("no {name} to log in with"))
    };
    let page = browser::visit(&field("verification_uri_complete")?, &format!("login_hint={user}")).await?;
    ensure!(page.status == 200, "logging in as {user} ended with {}: {}", page.status, page.text);
    let device_code = field("device_code")?;
    let form = http::form([
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", &device_code),
        ("client_id", CLIENT),
    ]);
    let tokens = post(&format!("{base}/api/auth/token"), Some(form)).await?;
    let token = |name: &str| tokens[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    Ok(Tokens { access: token("access_token")?, refresh: token("refresh_token")? })
}

async fn post(url: &str, form: Option<String>) -> Result<Value> {
    let headers = form.iter().map(|_| ("content-type".to_owned(), FORM.to_owned())).collect::<Vec<_>>();
    let answer = http::send("POST", url, &headers, form.map(String::into_bytes)).await?;
    ensure!(answer.status == 200, "{url} answered {}: {}", answer.status, answer.text);
    answer.json().context("no JSON")
}

/// The type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
