//! The process that serves the configuration: settings → telemetry → keeper → serve → drain.

use std::{process::ExitCode, sync::Arc};

use diracx_config::settings::{Args, Settings};
use diracx_core::{Clock, SystemClock};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{Readiness, Stack, run_process, shutdown_signal, telemetry::Metrics};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run_process::<Args, _, _>(|settings| &settings.telemetry, run)
}

async fn run(settings: Settings, metrics: Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // The configuration comes when it comes: whether it is there is what health tells.
    let keeper = settings.source.follow(clock.clone(), settings.server.limits.max_response_bytes)?;
    let published = Arc::new(diracx_client::published_keys(settings.auth_service.connect(None)?));
    let readiness = Readiness::default();
    diracx_config::observe(&keeper, readiness.clone(), &metrics, clock.clone());
    let stack = Stack {
        access: Arc::new(diracx_config::access()?),
        verifier: settings.token.verifier(published, clock),
        gate: settings.server.gate,
        limits: settings.server.limits,
        metrics,
    };
    let service = diracx_config::service(keeper, &stack);
    let bound = settings.server.serve.bind().await?;
    tracing::info!("the config service listens on {}", bound.address());
    bound.serve(service, &stack, FILE_DESCRIPTOR_SET, readiness, shutdown_signal()).await?;
    Ok(())
}
