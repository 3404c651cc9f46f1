//! How long `dirac` takes, from its start to its end.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use diracx_tests::browser;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    report::{millis, number},
    statistics::percentile,
};

/// How often each command is run.
const RUNS: usize = 60;

/// Prints how long `dirac --version` takes, and `dirac jobs search` against the server at `base`.
pub(crate) async fn measure(programs: &Path, base: &str, directory: &Path) -> Result<()> {
    let dirac = |arguments: &[&str]| {
        let mut command = Command::new(programs.join("dirac"));
        command.args(arguments).env("DIRACX_URL", base).stdin(Stdio::null());
        command.env("DIRACX_CREDENTIALS_PATH", directory.join("credentials.json"));
        command
    };
    log_in(dirac(&["login", "dev"])).await?;
    println!("\n| command | median ms | p95 ms | target ms | |\n|---|---|---|---|---|");
    row("dirac --version", || dirac(&["--version"]), 10.0)?;
    row("dirac jobs search", || dirac(&["jobs", "search"]), 60.0)?;
    Ok(())
}

fn row(name: &str, command: impl Fn() -> Command, target: f64) -> Result<()> {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(&mut command())).collect::<Result<_>>()?;
    times.sort_unstable();
    let median = millis(percentile(&times, 50));
    let verdict = if median < target { "met" } else { "missed" };
    println!(
        "| {name} | {} | {} | < {target} | {verdict} |",
        number(median),
        number(millis(percentile(&times, 95)))
    );
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    let begin = Instant::now();
    let output = command.output().context("cannot start dirac")?;
    let time = begin.elapsed();
    ensure!(output.status.success(), "dirac failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(time)
}

/// Logs in, and says who it is where the identity provider asks.
async fn log_in(command: Command) -> Result<()> {
    let mut command = tokio::process::Command::from(command);
    let mut login = command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(login.stderr.take().context("no standard error")?).lines();
    let mut seen = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(url) = line.split_whitespace().find(|word| word.contains("user_code=")) {
            browser::visit(url, "login_hint=alice").await?;
        }
        seen += &line;
    }
    ensure!(login.wait().await?.success(), "dirac login failed: {seen}");
    Ok(())
}
