//! `cargo xtask bench`: the whole table of docs/performance.md.
//!
//! The measuring itself is done by `diracx-bench`, which is built with what it measures: this program must stay
//! quick to build.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail, ensure};

use crate::{
    bench_start,
    children::Running,
    databases::{Databases, MYSQL_URL},
    generated_docs::binaries,
    report::Ended,
    shell::{cargo, root, run as run_program},
    tools::{Tool, python_environment},
};

/// What is measured here, and not by `diracx-bench`.
const START: &str = "start";
/// How often the standalone is started.
const STARTS: u32 = 10;
/// DiracX's server: the name of its lock file and of its virtual environment.
const DIRACX: &str = "diracx-server-0.4.0";

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
    /// Start DiracX's own server on the same MariaDB databases, and compare with it instead of with figures of
    /// another machine. Needs Python
    #[arg(long)]
    beside_diracx: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Backend {
    Sqlite,
    Mariadb,
    Both,
}

/// Builds, measures, prints. Did every request succeed?
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    // First, because it is what may be missing.
    let diracx = if arguments.beside_diracx { Some(diracx(arguments.backend)?) } else { None };
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
            Ended::Skipped(why) if diracx.is_some() => bail!("DiracX is measured on MariaDB: {why}"),
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
    if let Some(environment) = &diracx {
        bench.arg("--beside-diracx").arg(environment);
    }
    // It is told when we are to stop, because it has servers of its own to stop.
    let mut bench = Running::start(bench.args(["--backend", backends]))?;
    loop {
        if let Some(status) = bench.wait(Duration::from_mins(1))? {
            return Ok(status.success());
        }
    }
}

/// Where DiracX's server is installed; it is now, unless it was before.
fn diracx(backend: Backend) -> Result<PathBuf> {
    ensure!(backend != Backend::Sqlite, "DiracX is measured on MariaDB: `--backend mariadb` or `both`");
    match python_environment(DIRACX)? {
        Tool::At(place) => Ok(place),
        Tool::Missing(how) => {
            bail!("{how}\nwithout --beside-diracx the table compares with figures of another machine")
        }
    }
}
