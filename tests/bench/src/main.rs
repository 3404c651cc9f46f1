#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "this program talks to a person")]

mod bench;
mod commands;
mod diracx;
mod direct;
mod http;
mod load;
mod place;
mod processes;
mod record;
mod replay;
mod report;
mod requests;
mod seed;
mod server;
mod stand_in;
mod statement;
mod statistics;
mod tokens;
mod uvicorn;
mod workers;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use diracx_core::{Clock as _, SystemClock};

use crate::{
    bench::{Bench, Known},
    load::CONNECTIONS,
    place::{Backend, Place},
    record::Recorder,
    requests::{MEASURES, Measure},
    server::Server,
    uvicorn::Uvicorn,
};

/// Measures the release programs and prints a table.
#[derive(Debug, Parser)]
#[command(name = "diracx-bench", version)]
struct Arguments {
    /// Measure only what has one of these in its name; `tokens` and `commands` are names too
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// On which databases
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,mariadb")]
    backend: Vec<Backend>,
    /// How long each request is repeated
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many jobs there are beforehand
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(100..))]
    jobs: i64,
    /// The directory of the programs
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    programs: PathBuf,
    /// A MariaDB server whose user may make schemas
    #[arg(
        long,
        env = "DIRACX_TEST_MYSQL_URL",
        hide_env_values = true,
        default_value = "mysql://root@127.0.0.1:3306"
    )]
    mysql: String,
    /// Do without the bare SQL
    #[arg(long)]
    no_sql: bool,
    /// The virtual environment of DiracX's server, which is measured beside ours on MariaDB
    #[arg(long, value_name = "DIR")]
    beside_diracx: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }

    /// In their order: DiracX's figures on MariaDB are wanted for the table of SQLite too.
    fn backends(&self) -> Vec<Backend> {
        let mut backends = self.backend.clone();
        if self.beside_diracx.is_some() {
            backends.sort_by_key(|backend| *backend != Backend::Mariadb);
        }
        backends
    }

    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 600.0))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&arguments)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("error: {failed} of the requests failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything; returns how many kinds of requests failed.
async fn run(arguments: &Arguments) -> Result<usize> {
    let directory = tempfile::Builder::new().prefix("diracx-bench-").tempdir()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "{cores} cores for client, server and database · {CONNECTIONS} connections, {} s each · {} jobs stored",
        arguments.length().as_secs_f64(),
        arguments.jobs
    );
    println!("{}", diracx::legend(arguments.beside_diracx.is_some()));
    let mut failed = 0;
    let mut known = Known::new();
    for backend in arguments.backends() {
        let place = Place::make(backend, directory.path(), &arguments.mysql).await?;
        let measured = tokio::select! {
            measured = measure(arguments, &place, directory.path(), &mut known) => measured,
            () = interruption() => Err(anyhow!("interrupted")),
        };
        place.remove().await?;
        failed += measured.with_context(|| format!("on {}", backend.name()))?;
    }
    if arguments.wants("tokens") {
        tokens::measure().await?;
    }
    Ok(failed)
}

/// When somebody wants us to stop. Then servers and schemas are still to be removed.
async fn interruption() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupted => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(interrupted.await),
    }
}

/// Measures on one kind of database.
async fn measure(arguments: &Arguments, place: &Place, directory: &Path, known: &mut Known) -> Result<usize> {
    let measures: Vec<&Measure> = MEASURES.iter().filter(|measure| arguments.wants(measure.name)).collect();
    let commands = arguments.wants("commands") && place.backend == Backend::Sqlite;
    if measures.is_empty() && !commands {
        return Ok(0);
    }
    let recorder = Recorder::start(place, arguments.jobs).await?;
    let begin = Instant::now();
    seed::fill(place, arguments.jobs, SystemClock.now()).await?;
    println!("\n## {} (filled in {:.1} s)\n", place.backend.name(), begin.elapsed().as_secs_f64());
    let mut recordings = Vec::new();
    for measure in &measures {
        let wanted = measure.ask.uses_databases() && !arguments.no_sql;
        let recording = if wanted { Some(recorder.record(measure.ask).await?) } else { None };
        recordings.push(recording);
    }
    recorder.stop().await?;

    let program = arguments.programs.join("diracx-standalone");
    let server = Server::start(&program, place.data(), &place.environment()).await?;
    let diracx = match &arguments.beside_diracx {
        Some(environment) if place.backend == Backend::Mariadb => {
            Some(Uvicorn::start(environment, place, &server.url()).await?)
        }
        _ => None,
    };
    let bench = Bench::new(arguments, place, server, diracx).await?;
    let mut failed = 0;
    if !measures.is_empty() {
        println!("{}", report::HEAD);
    }
    for (measure, recording) in measures.iter().zip(&recordings) {
        failed += usize::from(!bench.row(measure, recording.as_ref(), known).await?);
    }
    if commands {
        let scene = commands::Scene {
            programs: &arguments.programs,
            base: bench.server.url(),
            tokens: &bench.user.tokens,
            stored: arguments.jobs,
            directory,
        };
        scene.measure()?;
    }
    Ok(failed)
}
