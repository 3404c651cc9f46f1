//! Chromium without a screen, driven through `chromedriver` by the `WebDriver` protocol.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{http::send, mesh::free_port};

/// How long the browser may take to start, or a page to show what it should.
const PATIENCE: Duration = Duration::from_secs(30);

/// What keeps the browser from asking around.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The name that the protocol gives to references of elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser window; it closes when this value goes.
pub struct Browser {
    session: String,
    _driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens one, with a profile of its own.
    ///
    /// # Errors
    /// If Chromium does not start.
    pub async fn start(chromedriver: &Path) -> Result<Self> {
        let profile = TempDir::new()?;
        let port = free_port()?;
        let mut command = Command::new(chromedriver);
        command.arg(format!("--port={port}")).env("TMPDIR", profile.path()).env("HOME", profile.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let driver = command.spawn().context("chromedriver does not start")?;
        let base = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + PATIENCE;
        while !send("GET", &format!("{base}/status"), &[], None)
            .await
            .is_ok_and(|answer| answer.status == 200)
        {
            ensure!(Instant::now() < deadline, "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": flags },
        } } });
        let opened = ask("POST", &format!("{base}/session"), Some(&wanted)).await?;
        let id = opened["sessionId"].as_str().context("no session")?;
        Ok(Self { session: format!("{base}/session/{id}"), _driver: driver, _profile: profile })
    }

    /// Types an address.
    ///
    /// # Errors
    /// If the page cannot be loaded.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.ask("POST", "url", Some(&json!({ "url": url }))).await.map(drop)
    }

    /// Goes back to the page before, as the arrow does.
    ///
    /// # Errors
    /// If there is none.
    pub async fn back(&self) -> Result<()> {
        self.ask("POST", "back", Some(&json!({}))).await.map(drop)
    }

    /// The address of the page.
    ///
    /// # Errors
    /// If the browser has gone.
    pub async fn address(&self) -> Result<String> {
        Ok(self.ask("GET", "url", None).await?.as_str().unwrap_or_default().to_owned())
    }

    /// What a person can read on the page.
    ///
    /// # Errors
    /// If there is no page.
    pub async fn text(&self) -> Result<String> {
        let body = self.find("body").await?;
        let text = self.ask("GET", &format!("element/{body}/text"), None).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page says this.
    ///
    /// # Errors
    /// If it does not; with what it says instead.
    pub async fn wait_for(&self, text: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Between two pages there is no body to read.
            let seen = self.text().await.unwrap_or_default();
            if seen.contains(text) {
                return Ok(seen);
            }
            if Instant::now() > deadline {
                bail!("{} does not say {text:?} but: {seen}", self.address().await?);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks what a CSS selector names.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn click(&self, selector: &str) -> Result<()> {
        let element = self.find(selector).await?;
        self.ask("POST", &format!("element/{element}/click"), Some(&json!({}))).await.map(drop)
    }

    /// Types into the field that a CSS selector names.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn fill_in(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector).await?;
        self.ask("POST", &format!("element/{element}/value"), Some(&json!({ "text": text }))).await.map(drop)
    }

    async fn find(&self, selector: &str) -> Result<String> {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.ask("POST", "element", Some(&by)).await?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("no {selector}"))?.to_owned())
    }

    async fn ask(&self, method: &str, what: &str, body: Option<&Value>) -> Result<Value> {
        ask(method, &format!("{}/{what}", self.session), body).await
    }
}

impl Drop for Browser {
    /// Chromium survives its driver, so it is told to go before that one is killed.
    fn drop(&mut self) {
        let (host, path) = self.session.trim_start_matches("http://").split_once('/').unwrap_or_default();
        if let Ok(mut stream) = std::net::TcpStream::connect(host) {
            let request = format!("DELETE /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 512]);
        }
    }
}

async fn ask(method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
    let kind = [("Content-Type".to_owned(), "application/json".to_owned())];
    let answer = send(method, url, &kind, body.map(|body| body.to_string().into_bytes())).await?;
    let value = answer.json().with_context(|| format!("not JSON: {}", answer.text))?["value"].clone();
    ensure!(answer.status == 200, "the browser refuses {method} {url}: {}", value["message"]);
    Ok(value)
}
