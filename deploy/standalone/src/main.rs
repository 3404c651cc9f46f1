//! The process: settings → telemetry → mesh → serve → drain.

use std::{io::Write, process::ExitCode};

use diracx_server::{
    settings::{EXIT_USAGE, warn_of_settings_without_effect},
    shutdown_signal,
    telemetry::{self, Metrics},
};
use diracx_standalone::{Given, Standalone, StartError};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Settings(failure)) => failure.report(),
        Err(StartError::DataDir(error)) => {
            eprintln!("--data-dir: {error}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(StartError::Other(error)) => {
            eprintln!("diracx-standalone: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), StartError> {
    let given = Given::of_process()?;
    // First, because it also answers --help and --version.
    given.check()?;
    let settings = given.telemetry()?;
    let metrics = Metrics::default();
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from)?;
    let _inside = runtime.enter();
    let guard = telemetry::init(&settings.log, &settings.otel, &metrics).map_err(anyhow::Error::from)?;
    warn_of_settings_without_effect(&given.environment);
    let result = runtime.block_on(run(&given, metrics));
    guard.shutdown();
    result
}

async fn run(given: &Given, metrics: Metrics) -> Result<(), StartError> {
    let running = Standalone::start(given, metrics).await?;
    // A closed pipe is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "{}", running.greeting());
    running.run(shutdown_signal()).await?;
    Ok(())
}
