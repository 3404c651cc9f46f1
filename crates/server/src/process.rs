//! The `main` that all processes have: settings → telemetry → their own work → the exit code.

use std::{fmt::Display, process::ExitCode};

use clap::Parser;

use crate::{
    settings::{
        Environment, Resolve, TelemetrySettings, parse_settings_from, warn_of_settings_without_effect,
    },
    status::chain,
    telemetry::{self, Metrics},
};

/// Reads the settings `A` of this process, starts telemetry and a runtime, and does `run` to its end.
///
/// `telemetry` says which part of the settings is that of telemetry. Settings that cannot be used are
/// all named on stderr, with exit code 64; an error of `run` is shown there as `{:#}`, with exit code 1.
pub fn run_process<A, R, E>(
    telemetry: impl FnOnce(&A::Settings) -> &TelemetrySettings,
    run: impl FnOnce(A::Settings, Metrics) -> R,
) -> ExitCode
where
    A: Parser + Resolve,
    R: Future<Output = Result<(), E>>,
    E: Display,
{
    let (environment, problems) = Environment::load();
    let settings = match parse_settings_from::<A>(std::env::args_os(), &environment, problems) {
        Ok(settings) => settings,
        Err(failure) => return failure.report(),
    };
    let logs = telemetry(&settings).clone();
    let ended = with_telemetry(&logs, |metrics| {
        warn_of_settings_without_effect(&environment);
        run(settings, metrics)
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", A::command().get_name());
            ExitCode::FAILURE
        }
    }
}

fn with_telemetry<R, E>(settings: &TelemetrySettings, run: impl FnOnce(Metrics) -> R) -> Result<(), String>
where
    R: Future<Output = Result<(), E>>,
    E: Display,
{
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    // exporters start tasks
    let inside = runtime.enter();
    let metrics = Metrics::default();
    let guard = telemetry::init(&settings.log, &settings.otel, &metrics).map_err(|error| chain(&error))?;
    let ended = runtime.block_on(run(metrics));
    guard.shutdown();
    drop(inside);
    // Work on threads that blocks, such as a look at a repository that does not answer, is not waited for.
    runtime.shutdown_background();
    ended.map_err(|error| format!("{error:#}"))
}
