//! `cargo xtask bench-start`: how long the standalone takes from nothing to its first healthy answer.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    children::{Running, Scratch, free_port},
    generated_docs::binaries,
    http,
    shell::{cargo, run as run_program},
};

/// Beyond this a start counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a process sits idle before its memory is read: its first configuration poll is over.
const IDLE: Duration = Duration::from_secs(6);

/// What `cargo xtask bench-start` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many cold starts to measure
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Fail when the median of the first starts is above this many milliseconds
    #[arg(long)]
    limit_ms: Option<u64>,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Builds, measures, prints.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.program {
        Some(program) => program.canonicalize().with_context(|| format!("{}", program.display()))?,
        None => build()?,
    };
    let median = measure(&program, arguments.runs)?;
    match arguments.limit_ms {
        Some(limit) if median > Duration::from_millis(limit) => {
            bail!("the median first start took {} ms, more than {limit} ms", median.as_millis())
        }
        _ => Ok(()),
    }
}

/// Starts the program so often, prints what that took, and returns the median of the first starts.
pub(crate) fn measure(program: &Path, runs: u32) -> Result<Duration> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        // Fresh: keys, configuration and databases are made. Again: they are there.
        let scratch = Scratch::new("diracx-bench-")?;
        first.push(start(program, &scratch)?.0);
        again.push(start(program, &scratch)?.0);
    }
    let scratch = Scratch::new("diracx-bench-")?;
    let (_, mut idle) = start(program, &scratch)?;
    std::thread::sleep(IDLE);
    let memory = resident_kib(idle.child().id())?;
    drop(idle);

    println!("cold start to the first 200 of /api/health/ready, {runs} runs each");
    println!("| what | min ms | median ms | p95 ms |\n|---|---|---|---|");
    let median = row("first start, empty directory", &mut first);
    row("start on an existing directory", &mut again);
    println!("idle memory (resident): {:.1} MB", f64::from(memory) / 1024.0);
    Ok(median)
}

fn build() -> Result<PathBuf> {
    run_program(cargo().args(["build", "--release", "--workspace", "--bin=diracx-standalone"]))?;
    Ok(binaries().with_file_name("release").join("diracx-standalone"))
}

/// Starts the standalone and waits for its first healthy answer.
fn start(program: &Path, scratch: &Scratch) -> Result<(Duration, Running)> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let health = format!("http://{address}/api/health/ready");
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(scratch.path().join("data")).args(["--listen", &address]);
    let begin = Instant::now();
    let mut standalone = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    while !http::get(&health).is_ok_and(|answer| answer.status == 200) {
        if let Some(status) = standalone.ended()? {
            bail!("the standalone ended with {status}");
        }
        if begin.elapsed() > PATIENCE {
            bail!("the standalone does not become healthy");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((begin.elapsed(), standalone))
}

/// Prints a row of the table and returns its median.
fn row(name: &str, times: &mut [Duration]) -> Duration {
    times.sort();
    let median = quantile(times, 50);
    let shown = [quantile(times, 0), median, quantile(times, 95)]
        .map(|time| format!("{:.1}", time.as_secs_f64() * 1e3));
    println!("| {name} | {} |", shown.join(" | "));
    median
}

/// The value below which this many percent of the sorted values are.
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
}

fn resident_kib(process: u32) -> Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("no /proc here")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).context("VmRSS is not a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_sorted_times() {
        let times: Vec<_> = (1..=21).map(Duration::from_millis).collect();
        let of = |percent| quantile(&times, percent).as_millis();
        assert_eq!((of(0), of(50), of(95)), (1, 11, 20));
    }
}
