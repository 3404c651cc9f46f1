//! `cargo xtask bench`: the whole table of docs/performance.md.
//!
//! The measuring itself is done by `diracx-bench`, which is built with what it measures: this program must stay
//! quick to build.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{
    bench_start,
    databases::{Databases, MYSQL_URL},
    generated_docs::binaries,
    report::Ended,
    shell::{cargo, root, run as run_program},
};

/// What is measured here, and not by `diracx-bench`.
const START: &str = "start";
/// How often the standalone is started.
const STARTS: u32 = 10;

/// What `cargo xtask bench` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measure only what has one of these in its name, such as `submit`, `start`, `tokens`, `commands`
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// On which databases
    #[arg(long, value_enum, default_value_t = Backend::Both)]
    backend: Backend,
    /// How long each request is repeated
    #[arg(long, default_value = "3", value_name = "SECONDS")]
    seconds: f64,
    /// How many jobs there are beforehand
    #[arg(long, default_value = "100000", value_name = "COUNT")]
    jobs: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Backend {
    Sqlite,
    Mariadb,
    Both,
}

/// Builds, measures, prints. Did every request succeed?
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    run_program(cargo().args([
        "build",
        "--release",
        "--workspace",
        "--bin=diracx-standalone",
        "--bin=dirac",
        "--bin=diracx-bench",
    ]))?;
    let programs = binaries().with_file_name("release");
    if arguments.only.is_empty() || arguments.only.iter().any(|only| START.contains(only.as_str())) {
        bench_start::measure(&programs.join("diracx-standalone"), STARTS)?;
    }
    if arguments.only.iter().any(|only| only == START) && arguments.only.len() == 1 {
        return Ok(true);
    }
    let mut bench = Command::new(programs.join("diracx-bench"));
    bench.current_dir(root()).arg("--programs").arg(&programs);
    bench.args(["--seconds", &arguments.seconds.to_string(), "--jobs", &arguments.jobs.to_string()]);
    for only in &arguments.only {
        bench.args(["--only", only]);
    }
    let mut databases = Databases::default();
    let backends = match arguments.backend {
        Backend::Sqlite => "sqlite",
        backend => match databases.mariadb()? {
            Ended::Skipped(why) => {
                println!("  not on MariaDB: {why}");
                "sqlite"
            }
            Ended::Passed if backend == Backend::Mariadb => "mariadb",
            Ended::Passed => "sqlite,mariadb",
        },
    };
    if let Some((_, url)) = databases.environment.iter().find(|(name, _)| *name == MYSQL_URL) {
        bench.env(MYSQL_URL, url);
    }
    let status = bench.args(["--backend", backends]).status().context("cannot start diracx-bench")?;
    Ok(status.success())
}
