//! The process that serves pilots: settings → telemetry → database → serve → drain.

use std::{process::ExitCode, sync::Arc};

use diracx_client::{Caller, ConfigFollower};
use diracx_core::{Clock, SystemClock};
use diracx_pilots::{
    COMPONENT, Deps,
    settings::{self, Args, Settings},
};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{Readiness, Stack, run_process, shutdown_signal, telemetry::Metrics, token::OwnToken};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run_process::<Args, _, _>(|settings| &settings.telemetry, run)
}

async fn run(settings: Settings, metrics: Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let auth = settings.auth_service.connect(None)?;
    let published = Arc::new(diracx_client::published_keys(auth.clone()));
    let verifier = settings.token.verifier(published, clock.clone());
    let show = Arc::new(diracx_client::issue_component_token(auth.clone(), COMPONENT));
    let token = OwnToken::new(COMPONENT, &settings.token, settings.component_key, show, clock.clone())?;
    let config = diracx_client::config(settings.config_service.connect(None)?);
    let follower = ConfigFollower::start(config, {
        let token = token.clone();
        move || token.clone().get()
    });
    let caller = Caller::default().token(move || token.clone().of_a_call());
    let deps = Deps {
        store: settings::open_store(&settings.database, settings.connections, settings.migrate).await?,
        config: follower,
        jobs: caller.clone().on(settings.jobs_service.connect(None)?),
        auth: caller.on(auth),
        clock,
        lives: settings.lives,
        credentials: settings.credentials,
    };
    let readiness = Readiness::default();
    diracx_pilots::observe(&deps, readiness.clone());
    let stack = Stack {
        access: Arc::new(diracx_pilots::access()?),
        verifier,
        gate: settings.server.gate,
        limits: settings.server.limits,
        metrics,
    };
    let service = diracx_pilots::service(deps, &stack);
    let bound = settings.server.serve.bind().await?;
    tracing::info!("the pilots service listens on {}", bound.address());
    bound.serve(service, &stack, FILE_DESCRIPTOR_SET, readiness, shutdown_signal()).await?;
    Ok(())
}
