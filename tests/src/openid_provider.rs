//! A real OpenID provider, with a login page, a page that asks for consent, and faults on demand.
//!
//! It is `oidc-provider` from npm, in a process of its own; `provider/server.mjs` is what it runs.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::mesh::free_port;

/// How long Node.js may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where people log in.
pub struct OpenIdProvider {
    /// Its address, which is its issuer too.
    pub base: String,
    settings: Value,
    modules: PathBuf,
    running: Option<Running>,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl OpenIdProvider {
    /// Starts one whose clients are the VOs of the mesh at this address. Its accounts are `alice` and `bob`, whose
    /// passwords are their names, and `mallory`, whom no VO knows.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start(modules: &Path, mesh: &str) -> Result<Self> {
        let port = free_port()?;
        let callbacks = ["device", "authorize"].map(|flow| format!("{mesh}/api/auth/{flow}/complete"));
        let account = |name: &str, last: u32| {
            let sub = format!("11111111-aaaa-4aaa-8aaa-{last:012}");
            json!({ "sub": sub, "password": name })
        };
        let settings = json!({
            "port": port,
            "clients": [
                { "id": "alpha-client", "redirects": callbacks },
                { "id": "beta-client", "redirects": callbacks },
            ],
            "accounts": { "alice": account("alice", 1), "bob": account("bob", 2), "mallory": account("mallory", 666) },
        });
        let base = format!("http://127.0.0.1:{port}");
        let mut provider = Self { base, settings, modules: modules.to_owned(), running: None };
        provider.up().await?;
        Ok(provider)
    }

    /// Starts it, at the address it had.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn up(&mut self) -> Result<()> {
        let mut command = Command::new("node");
        // Text given on the command line finds the modules of the working directory.
        command.args(["--input-type=module", "--eval", include_str!("../provider/server.mjs")]);
        command.current_dir(&self.modules).env("PROVIDER", self.settings.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("node is not here")?;
        let orders = child.stdin.take().context("a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let mut running = Running { child, orders, answers };
        running.expect("ready").await?;
        self.running = Some(running);
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn down(&mut self) -> Result<()> {
        let mut running = self.running.take().context("it does not run")?;
        Ok(running.child.kill().await?)
    }

    /// From now on it is at fault in this way; the ways are in `provider/server.mjs`.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn misbehave(&mut self, fault: Value) -> Result<()> {
        let running = self.running.as_mut().context("it does not run")?;
        running.orders.write_all(format!("{fault}\n").as_bytes()).await?;
        running.expect("done").await
    }
}

impl Running {
    async fn expect(&mut self, answer: &str) -> Result<()> {
        let line = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        let line = line.context("the OpenID provider does not answer")??;
        ensure!(line.as_deref() == Some(answer), "the OpenID provider said {line:?} instead of {answer}");
        Ok(())
    }
}
