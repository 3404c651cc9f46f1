//! The process that lets people and machines in: settings → telemetry → dependencies → serve → drain.

use std::{future::ready, process::ExitCode, sync::Arc};

use anyhow::Context;
use diracx_auth::{
    AuthDb, COMPONENT, Deps,
    chores::Chore,
    settings::{Args, Settings},
};
use diracx_client::ConfigFollower;
use diracx_core::{Clock, SystemClock};
use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{Readiness, Stack, run_process, shutdown_signal, telemetry::Metrics};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(chore) = Chore::asked_for(std::env::args_os()) {
        return do_chore(chore);
    }
    run_process::<Args, _, _>(|settings| &settings.telemetry, run)
}

#[expect(clippy::print_stdout, reason = "whoever does a chore wants to read that it is done")]
fn do_chore(chore: Result<Chore, clap::Error>) -> ExitCode {
    match chore.map(Chore::run) {
        Ok(Ok(done)) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            eprintln!("diracx-auth: {error}");
            ExitCode::FAILURE
        }
        Err(error) => error.exit(),
    }
}

async fn run(settings: Settings, metrics: Metrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if settings.db_migrate {
        AuthDb::migrate(&settings.db_url).await.context("AuthDB")?;
    }
    let db = AuthDb::open(&settings.db_url, settings.db_connections).await.context("AuthDB")?;
    let token = settings.token.minter(clock.clone())?.component(COMPONENT);
    let config_service = settings.config_service.connect(None)?;
    let config = ConfigFollower::start(diracx_client::config(config_service), move || ready(token.get()));
    let deps = Deps::new(db, config, clock, settings.auth, settings.token)?;
    let readiness = Readiness::default();
    diracx_auth::observe(&deps, readiness.clone());
    let stack = Stack {
        access: Arc::new(diracx_auth::access()?),
        verifier: deps.verifier.clone(),
        gate: settings.server.gate,
        limits: settings.server.limits,
        metrics,
    };
    let service = diracx_auth::service(deps, &stack);
    let bound = settings.server.serve.bind().await?;
    tracing::info!("the auth service listens on {}", bound.address());
    bound.serve(service, &stack, FILE_DESCRIPTOR_SET, readiness, shutdown_signal()).await?;
    Ok(())
}
