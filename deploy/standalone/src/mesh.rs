//! Wires the services to each other: every call between them goes through the same layers as over TCP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use diracx_auth::AuthDb;
use diracx_client::{AnyChannel, Caller, ConfigFollower, in_process};
use diracx_core::{Clock, SystemClock};
use diracx_gateway::{Backend, Backends, Gateway};
use diracx_pilots::store::PilotStore;
use diracx_server::{
    AccessTable, ComponentToken, Readiness, Stack, TokenMinter, limits::Limits, telemetry::Metrics,
    token::OwnToken,
};

use crate::{
    dev_idp::{DevIdp, People},
    settings::Settings,
};

/// For how long the configuration is awaited before anything is served. After that, health tells that it is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// The name of the tasks in their tokens.
const TASKS: &str = "tasks";
/// The name of the jobs service in its tokens.
const JOBS: &str = "jobs";

/// The whole mesh, not yet on a port.
pub(crate) struct Mesh {
    /// Everything that is served.
    pub(crate) router: Router,
    /// The jobs service, for the executor.
    pub(crate) jobs: AnyChannel,
    /// The auth service, called by the tasks.
    pub(crate) auth_for_tasks: AnyChannel,
    /// Signs the tokens of components.
    pub(crate) minter: TokenMinter,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether each service can do its work.
    pub(crate) readiness: Vec<Readiness>,
    /// Where calls are counted.
    pub(crate) metrics: Metrics,
}

impl Mesh {
    /// Opens the databases and the configuration, and connects the services.
    /// `dev_idp` is the issuer of the development identity provider, if there is to be one.
    pub(crate) async fn new(
        settings: &Settings,
        dev_idp: Option<String>,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let minter = settings.token.minter(clock.clone())?;
        let keeper = settings.source.follow(clock.clone(), Limits::default().max_response_bytes)?;
        let ((), auth_db, job_store, pilot_store, rss_store) = tokio::try_join!(
            async {
                if tokio::time::timeout(PATIENCE, keeper.first_look()).await.is_err() {
                    let seconds = PATIENCE.as_secs();
                    tracing::warn!("no configuration after {seconds} s; serving begins, and it is awaited");
                }
                anyhow::Ok(())
            },
            async { open_auth(settings).await.context("AuthDB") },
            async { settings.jobs.open_store().await.context("the databases of jobs") },
            async { open_pilots(settings).await.context("PilotAgentsDB") },
            async {
                if !settings.gateway.rss_enabled {
                    return Ok(None);
                }
                settings.rss.open_store().await.context("ResourceStatusDB").map(Some)
            },
        )?;
        let wiring = Wiring {
            settings,
            minter: &minter,
            verifier: settings.token.verifier(clock.clone()),
            metrics: &metrics,
        };

        let config_ready = Readiness::default();
        diracx_config::observe(&keeper, config_ready.clone(), &metrics, clock.clone());
        let config_stack = wiring.stack(diracx_config::access()?);
        let config = in_process(diracx_config::service(keeper.clone(), &config_stack));

        let auth_ready = Readiness::default();
        let follower = wiring.follow(&config, diracx_auth::COMPONENT);
        let auth_deps = diracx_auth::Deps::new(
            auth_db,
            follower.clone(),
            clock.clone(),
            settings.auth.clone(),
            settings.token.clone(),
        )?;
        diracx_auth::observe(&auth_deps, auth_ready.clone());
        let auth = in_process(diracx_auth::service(auth_deps, &wiring.stack(diracx_auth::access()?)));
        let auth_for_tasks = wiring.called_by(TASKS, auth.clone());

        let (jobs_later, jobs_are_there) = diracx_client::later();
        let pilots = pilot_store
            .zip(settings.pilots.credentials.clone())
            .map(|(store, credentials)| {
                let deps = diracx_pilots::Deps {
                    store,
                    config: follower.clone(),
                    jobs: wiring.called_by(diracx_pilots::COMPONENT, jobs_later),
                    auth: wiring.called_by(diracx_pilots::COMPONENT, auth.clone()),
                    clock: clock.clone(),
                    lives: settings.pilots.lives,
                    credentials,
                };
                let ready = Readiness::default();
                diracx_pilots::observe(&deps, ready.clone());
                let service = diracx_pilots::service(deps, &wiring.stack(diracx_pilots::access()?));
                anyhow::Ok((in_process(service), ready))
            })
            .transpose()?;

        let jobs_ready = Readiness::default();
        let jobs_deps = diracx_jobs::Deps {
            feed: diracx_jobs::logic::watch::Feed::start(job_store.clone(), clock.clone()),
            store: job_store,
            config: follower.clone(),
            bytes: settings.jobs.sandboxes.open(clock.clone()).await?,
            sandboxes: Arc::new(settings.jobs.sandboxes.clone()),
            clock: clock.clone(),
            most_jobs_at_once: settings.jobs.most_jobs_at_once,
            pilots: pilots.as_ref().map(|(channel, _)| wiring.called_by(JOBS, channel.clone())),
            generic_pilots_manage_vo_jobs: settings.jobs.generic_pilots_manage_vo_jobs,
        };
        diracx_jobs::observe(&jobs_deps, jobs_ready.clone());
        let jobs = in_process(diracx_jobs::service(jobs_deps, &wiring.stack(diracx_jobs::access()?)));
        jobs_are_there.connect(jobs.clone());

        let rss_ready = Readiness::default();
        let rss = match rss_store {
            Some(store) => {
                let deps = diracx_rss::Deps::new(store, clock.clone());
                diracx_rss::observe(&deps, rss_ready.clone(), &metrics);
                Some(in_process(diracx_rss::service(deps, &wiring.stack(diracx_rss::access()?))))
            }
            None => None,
        };

        let extra = match dev_idp {
            Some(issuer) => {
                DevIdp::new(issuer.clone(), People::new(follower, issuer), clock.clone())?.router()
            }
            None => Router::new(),
        };
        let gateway = Gateway {
            backends: Backends {
                auth: Backend::in_process(auth, auth_ready.clone()),
                config: Backend::in_process(config, config_ready.clone()),
                jobs: Backend::in_process(jobs.clone(), jobs_ready.clone()),
                pilots: pilots
                    .as_ref()
                    .map(|(channel, ready)| Backend::in_process(channel.clone(), ready.clone())),
                rss: rss.map(|rss| Backend::in_process(rss, rss_ready.clone())),
            },
            verifier: wiring.verifier.clone(),
            gate: settings.gate.clone(),
            settings: settings.gateway.clone(),
            metrics: metrics.clone(),
            extra,
        };
        let router = gateway.into_router()?;
        let mut readiness = vec![auth_ready, config_ready, jobs_ready];
        readiness.extend(pilots.map(|(_, ready)| ready));
        readiness.push(rss_ready);
        Ok(Self { router, jobs, auth_for_tasks, minter, clock, readiness, metrics })
    }

    /// The token of a component.
    pub(crate) fn component(&self, name: &str) -> ComponentToken {
        self.minter.component(name)
    }
}

/// What all services are wired with.
struct Wiring<'a> {
    settings: &'a Settings,
    minter: &'a TokenMinter,
    verifier: diracx_server::TokenVerifier,
    metrics: &'a Metrics,
}

impl Wiring<'_> {
    fn stack(&self, access: AccessTable) -> Stack {
        Stack {
            access: Arc::new(access),
            verifier: self.verifier.clone(),
            gate: self.settings.gate.clone(),
            limits: Limits::default(),
            metrics: self.metrics.clone(),
        }
    }

    /// A channel whose calls carry the token of this component.
    fn called_by(&self, component: &str, channel: AnyChannel) -> AnyChannel {
        let token = OwnToken::from(self.minter.component(component));
        Caller::default().token(move || token.clone().of_a_call()).on(channel)
    }

    fn follow(&self, config: &AnyChannel, component: &str) -> ConfigFollower {
        let token = self.minter.component(component);
        ConfigFollower::start(diracx_client::config(config.clone()), move || std::future::ready(token.get()))
    }
}

/// The database of logins, with its tables if they are to be made.
async fn open_auth(settings: &Settings) -> anyhow::Result<AuthDb> {
    if settings.jobs.migrate {
        AuthDb::migrate(&settings.auth_db).await?;
    }
    Ok(AuthDb::open(&settings.auth_db, settings.jobs.databases.connections).await?)
}

/// The pilots' database, unless the installation has none.
async fn open_pilots(settings: &Settings) -> anyhow::Result<Option<Arc<dyn PilotStore>>> {
    let Some(database) = &settings.pilots.database else { return Ok(None) };
    let jobs = &settings.jobs;
    let store =
        diracx_pilots::settings::open_store(database, jobs.databases.connections, jobs.migrate).await?;
    Ok(Some(store))
}

/// `GET /metrics` on a port of its own.
pub(crate) async fn serve_metrics(address: SocketAddr, metrics: &Metrics) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for metrics"))?;
    let router = metrics.router();
    diracx_server::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!("metrics are no longer served: {error}");
        }
    });
    Ok(())
}
