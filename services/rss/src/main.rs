//! The process that serves resource statuses: settings → telemetry → database → serve → drain.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use diracx_core::{Clock, SystemClock};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_rss::{
    Deps,
    settings::{Args, Settings},
};
use diracx_server::{Readiness, Stack, run_process, shutdown_signal, telemetry::Metrics};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run_process::<Args, _, _>(|settings| &settings.telemetry, run)
}

async fn run(settings: Settings, metrics: Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let auth = settings.auth_service.connect(None)?;
    let verifier = settings.token.verifier(Arc::new(diracx_client::published_keys(auth)), clock.clone());
    let store = settings.rss.open_store().await.context("ResourceStatusDB")?;
    let deps = Deps::new(store, clock);
    let readiness = Readiness::default();
    diracx_rss::observe(&deps, readiness.clone(), &metrics);
    let stack = Stack {
        access: Arc::new(diracx_rss::access()?),
        verifier,
        gate: settings.server.gate,
        limits: settings.server.limits,
        metrics,
    };
    let service = diracx_rss::service(deps, &stack);
    let bound = settings.server.serve.bind().await?;
    tracing::info!("the resource status service listens on {}", bound.address());
    bound.serve(service, &stack, FILE_DESCRIPTOR_SET, readiness, shutdown_signal()).await?;
    Ok(())
}
