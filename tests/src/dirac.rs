//! The `dirac` program, as a person or a script runs it.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::{browser, mesh::program};

/// How long one command may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// `dirac`, with one server and one credentials file.
#[derive(Debug, Clone)]
pub struct Dirac {
    /// The environment it is run with, besides what it needs from the system.
    pub environment: Vec<(String, String)>,
}

/// How a run of `dirac` ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command that has not ended yet.
pub struct Running {
    child: Child,
    stdout: ChildStdout,
    lines: Lines<BufReader<ChildStderr>>,
    seen: String,
}

impl Running {
    /// Reads what it says to people until `find` finds something in a line.
    ///
    /// # Errors
    /// If it says nothing for a minute, or ends without.
    pub async fn until<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let Some(line) = line.context("it says nothing")?? else { bail!("it only said: {}", self.seen) };
            if let Some(found) = find(&line) {
                return Ok(found);
            }
            self.seen += &line;
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end within a minute.
    pub async fn end(mut self) -> Result<Run> {
        let mut stdout = String::new();
        let said = async {
            while let Some(line) = self.lines.next_line().await? {
                self.seen += &line;
            }
            anyhow::Ok(())
        };
        let all = async {
            tokio::try_join!(said, async { Ok(self.stdout.read_to_string(&mut stdout).await?) })?;
            anyhow::Ok(self.child.wait().await?.code().unwrap_or(-1))
        };
        let code = tokio::time::timeout(PATIENCE, all).await.context("dirac does not end")??;
        Ok(Run { code, stdout, stderr: self.seen })
    }
}

/// A `dirac login` that waits for somebody to log in.
pub struct Login {
    /// The address to open.
    pub address: String,
    running: Running,
}

impl Login {
    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end within a minute.
    pub async fn end(self) -> Result<Run> {
        self.running.end().await
    }
}

impl Run {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// If it failed, or printed something else.
    pub fn json(&self) -> Result<Value> {
        ensure!(self.code == 0, "dirac failed: {self:?}");
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self:?}"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Dirac {
    /// For a server, with the credentials in this file.
    pub fn new(server: &str, credentials: PathBuf) -> Self {
        let credentials = credentials.display().to_string();
        let environment = [("DIRACX_URL", server.to_owned()), ("DIRACX_CREDENTIALS_PATH", credentials)];
        Self { environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec() }
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// If the program is not there, or does not end within a minute.
    pub async fn run(&self, arguments: &[&str]) -> Result<Run> {
        let ended = tokio::time::timeout(PATIENCE, self.command(arguments)?.output()).await;
        let output = ended.with_context(|| format!("dirac {} does not end", arguments.join(" ")))??;
        Ok(output.into())
    }

    /// Logs in; `introduce` is what tells the identity provider who does.
    ///
    /// # Errors
    /// If the log-in does not succeed.
    pub async fn log_in(&self, arguments: &[&str], introduce: &str) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.approve(arguments, introduce))
            .await
            .context("the log-in takes too long")?
    }

    async fn approve(&self, arguments: &[&str], introduce: &str) -> Result<()> {
        let login = self.begin_login(arguments).await?;
        let answer = browser::visit(&login.address, introduce).await?;
        ensure!(answer.status == 200, "the browser ended at {}: {}", answer.status, answer.text);
        let run = login.end().await?;
        ensure!(run.code == 0, "dirac login failed: {run:?}");
        Ok(())
    }

    /// Begins to log in, up to the address that a person is to open.
    ///
    /// # Errors
    /// If it names none.
    pub async fn begin_login(&self, arguments: &[&str]) -> Result<Login> {
        let mut running = self.begin(&[&["login"], arguments].concat())?;
        let is_address = |word: &&str| word.starts_with("http") && word.contains("user_code=");
        let find = |line: &str| line.split_whitespace().find(is_address).map(str::to_owned);
        let address = running.until(find).await.context("dirac login named no address")?;
        Ok(Login { address, running })
    }

    /// Begins a command.
    ///
    /// # Errors
    /// If the program is not there.
    pub fn begin(&self, arguments: &[&str]) -> Result<Running> {
        // With JSON on standard output, what is for people goes to standard error.
        let mut command = self.command(&[&["--output", "json"], arguments].concat())?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        let lines = BufReader::new(child.stderr.take().context("a pipe")?).lines();
        Ok(Running { child, stdout, lines, seen: String::new() })
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program("dirac")?);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).env_clear();
        for kept in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}
