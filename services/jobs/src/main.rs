//! The process that serves jobs: settings → telemetry → databases → serve → drain.

use std::{future::ready, process::ExitCode, sync::Arc};

use anyhow::Context;
use diracx_client::{AnyChannel, ConfigFollower};
use diracx_core::{Clock, SystemClock};
use diracx_jobs::{
    Deps,
    logic::watch::Feed,
    settings::{Args, Settings},
};
use diracx_proto::{FILE_DESCRIPTOR_SET, config::v1::config_service_client::ConfigServiceClient};
use diracx_server::{
    Readiness, Stack, TokenMinter, settings::parse_settings, shutdown_signal, telemetry, token::IssuedToken,
};

/// The name of this component in its tokens.
const COMPONENT: &str = "jobs";

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
    let auth = settings.auth_service.connect(None)?;
    let config = diracx_client::config(settings.config_service.connect(None)?);
    let verifier =
        settings.token.verifier(Arc::new(diracx_client::published_keys(auth.clone())), clock.clone());
    let config = follow(config, auth, &settings, &clock)?;
    let store = settings.jobs.open_store().await?;
    let deps = Deps {
        feed: Feed::start(store.clone(), clock.clone()),
        store,
        config,
        bytes: settings.jobs.sandboxes.open(clock.clone()).await?,
        sandboxes: Arc::new(settings.jobs.sandboxes),
        clock: clock.clone(),
        most_jobs_at_once: settings.jobs.most_jobs_at_once,
        runners: Arc::new(diracx_jobs::runners::NoRunners),
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

/// Follows the configuration with a token that we sign ourselves if we have the key store, or else with one that the
/// auth service gives us.
fn follow(
    config: ConfigServiceClient<AnyChannel>,
    auth: AnyChannel,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<ConfigFollower> {
    let Settings { token: trust, component_key, .. } = settings;
    match (&trust.keys, component_key) {
        (_, Some(key)) => {
            let show = Arc::new(diracx_client::issue_component_token(auth, COMPONENT));
            let token = IssuedToken::new(COMPONENT, &trust.issuer, key.clone(), show, clock.clone());
            Ok(ConfigFollower::start(config, move || {
                let token = token.clone();
                async move { token.get().await }
            }))
        }
        (Some(keys), None) => {
            let minter = TokenMinter::new(keys.clone(), &trust.issuer, &trust.algorithms, clock.clone())?;
            let token = minter.component(COMPONENT);
            Ok(ConfigFollower::start(config, move || ready(token.get())))
        }
        (None, None) => anyhow::bail!("there is neither a key store nor a key of this component"),
    }
}
