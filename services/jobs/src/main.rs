//! The process that serves jobs: settings → telemetry → databases → serve → drain.

use std::{process::ExitCode, sync::Arc};

use diracx_client::{Caller, ConfigFollower};
use diracx_core::{Clock, SystemClock};
use diracx_jobs::{
    Deps,
    logic::watch::Feed,
    settings::{Args, Settings},
};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{Readiness, Stack, run_process, shutdown_signal, telemetry::Metrics, token::OwnToken};

/// The name of this component in its tokens.
const COMPONENT: &str = "jobs";

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run_process::<Args, _, _>(|settings| &settings.telemetry, run)
}

async fn run(settings: Settings, metrics: Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let auth = settings.auth_service.connect(None)?;
    let verifier =
        settings.token.verifier(Arc::new(diracx_client::published_keys(auth.clone())), clock.clone());
    let show = Arc::new(diracx_client::issue_component_token(auth, COMPONENT));
    let token = OwnToken::new(COMPONENT, &settings.token, settings.component_key, show, clock.clone())?;
    let config = ConfigFollower::start(diracx_client::config(settings.config_service.connect(None)?), {
        let token = token.clone();
        move || token.clone().get()
    });
    let caller = Caller::default().token(move || token.clone().of_a_call());
    let pilots = settings.pilots_service.map(|pilots| pilots.connect(None)).transpose()?;
    let store = settings.jobs.open_store().await?;
    let deps = Deps {
        feed: Feed::start(store.clone(), clock.clone()),
        store,
        config,
        pilots: pilots.map(|pilots| caller.on(pilots)),
        bytes: settings.jobs.sandboxes.open(clock.clone()).await?,
        sandboxes: Arc::new(settings.jobs.sandboxes),
        clock: clock.clone(),
        most_jobs_at_once: settings.jobs.most_jobs_at_once,
        generic_pilots_manage_vo_jobs: settings.jobs.generic_pilots_manage_vo_jobs,
    };
    let readiness = Readiness::default();
    diracx_jobs::observe(&deps, readiness.clone());
    let stack = Stack {
        access: Arc::new(diracx_jobs::access()?),
        verifier,
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
