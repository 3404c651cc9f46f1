//! The process that serves jobs: settings → telemetry → databases → serve → drain.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use diracx_client::ConfigFollower;
use diracx_core::{Clock, SystemClock};
use diracx_jobs::{
    Deps,
    settings::{Args, Settings},
    store,
};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{Readiness, Stack, settings::parse_settings, shutdown_signal, telemetry};

fn main() -> ExitCode {
    let settings = match parse_settings::<Args>() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let metrics = telemetry::Metrics::default();
    let result = tokio::runtime::Runtime::new().context("no runtime").and_then(|runtime| {
        let _inside = runtime.enter();
        let guard = telemetry::init(&settings.telemetry.log, &settings.telemetry.otel, &metrics)?;
        let result = runtime.block_on(run(settings, metrics));
        guard.shutdown();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("diracx-jobs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings, metrics: telemetry::Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if settings.jobs.migrate {
        store::migrate(&settings.jobs.databases).await.context("cannot bring the tables up to date")?;
    }
    let token = settings.token.minter(clock.clone())?.component("jobs");
    let config = diracx_client::config(settings.config_service.connect(None)?);
    let deps = Deps {
        store: store::open(&settings.jobs.databases).await?,
        config: ConfigFollower::start(config, move || token.get()),
        clock: clock.clone(),
        most_jobs_at_once: settings.jobs.most_jobs_at_once,
    };
    let readiness = Readiness::default();
    diracx_jobs::observe(&deps, readiness.clone());
    let stack = Stack {
        access: Arc::new(diracx_jobs::access()?),
        verifier: settings.token.verifier(clock),
        gate: settings.server.gate,
        limits: settings.server.limits,
        metrics,
    };
    let service = diracx_jobs::service(deps, &stack);
    let bound = settings.server.serve.bind().await?;
    tracing::info!("the jobs service listens on {}", bound.address());
    bound.serve(service, &stack, FILE_DESCRIPTOR_SET, readiness, shutdown_signal()).await?;
    Ok(())
}
