//! The process of the gateway: settings → telemetry → channels → serve → drain.

use std::process::ExitCode;

use anyhow::Context;
use diracx_gateway::process::Args;
use diracx_server::{
    settings::parse_settings,
    shutdown_signal,
    telemetry::{self, Metrics},
};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let settings = match parse_settings::<Args>() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let metrics = Metrics::default();
    let result = tokio::runtime::Runtime::new().context("no runtime").and_then(|runtime| {
        let _inside = runtime.enter();
        let guard = telemetry::init(&settings.telemetry.log, &settings.telemetry.otel, &metrics)?;
        let result = runtime.block_on(settings.run(metrics, shutdown_signal()));
        guard.shutdown();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("diracx-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}
