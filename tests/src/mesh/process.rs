//! One process of the system under test.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::process::{Child, Command};

use super::binaries::program;
use crate::http::send;

/// How long a process may take until it is ready; debug builds on a busy machine are slow.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How long it may take to end after SIGTERM.
const END_PATIENCE: Duration = Duration::from_secs(30);

/// A running program, killed when this value goes.
pub struct Process {
    /// The name of the program.
    pub name: String,
    /// The address it listens on.
    pub address: String,
    child: Child,
    command: Command,
    log: PathBuf,
}

impl Process {
    /// Starts a program of ours that listens on `address`, with nothing but this environment.
    ///
    /// # Errors
    /// If it is not there and does not build.
    pub fn start(
        name: &str,
        address: &str,
        arguments: &[&str],
        environment: &[(String, String)],
        logs: &Path,
    ) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(program(name)?);
        command.args(["--listen", address]).args(arguments).env_clear().envs(environment.iter().cloned());
        for kept in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), address: address.to_owned(), child, command, log })
    }

    /// Starts it again after it has ended, as it was.
    ///
    /// # Errors
    /// If it does not listen again.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = self.command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        self.wait_until_listening().await
    }

    /// Waits until `url` answers 200.
    ///
    /// # Errors
    /// If the process ends or takes too long; its log is in the message.
    pub async fn wait_until_ready(&mut self, url: &str) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        while !send("GET", url, &[], None).await.is_ok_and(|answer| answer.status == 200) {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                bail!("{} is not ready ({ended:?}); it said:\n{}", self.name, self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until something listens on its address.
    ///
    /// # Errors
    /// If the process ends or takes too long; its log is in the message.
    pub async fn wait_until_listening(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        while tokio::net::TcpStream::connect(&self.address).await.is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                bail!("{} does not listen ({ended:?}); it said:\n{}", self.name, self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// If the process was not there any more.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM; returns how it ended.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn terminate(&mut self) -> Result<std::process::ExitStatus> {
        let id = self.id()?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        let ended = tokio::time::timeout(END_PATIENCE, self.child.wait()).await;
        Ok(ended.with_context(|| format!("{} ignores SIGTERM", self.name))??)
    }

    /// Its number.
    ///
    /// # Errors
    /// If it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended; it said:\n{}", self.name, self.log()))
    }

    /// Does it live?
    ///
    /// # Errors
    /// If it does not; its log is in the message.
    pub fn must_live(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}; it said:\n{}", self.name, self.log()),
        }
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// If it has ended, or this is not Linux.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory in bytes that it ever had.
    ///
    /// # Errors
    /// If it has ended, or this is not Linux.
    pub fn peak_bytes(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: u64 = line.and_then(|line| line.split_whitespace().next()).context("no number")?.parse()?;
        Ok(kib * 1024)
    }

    /// Everything it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
