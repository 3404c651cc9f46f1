#![doc = include_str!("../README.md")]

mod cleaning;
pub mod data_dir;
pub mod dev_config;
pub mod dev_idp;
pub mod executor;
mod greeting;
mod mesh;
pub mod settings;

use std::net::SocketAddr;

use anyhow::Context;
use diracx_core::{Clock, SystemClock};
use diracx_server::{
    settings::{Failure, Problems},
    telemetry::Metrics,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use greeting::Greeting;
pub use settings::Given;

use crate::{
    data_dir::{DataDir, DataDirError},
    executor::LocalExecutor,
    mesh::Mesh,
    settings::{Place, Settings},
};

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be used.
    #[error("{}", problems(.0))]
    Settings(Failure),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Something else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn problems(failure: &Failure) -> String {
    match failure {
        Failure::CommandLine(error) => error.to_string(),
        Failure::Problems(problems) => problems.to_string(),
    }
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Settings(failure)
    }
}

/// Starts the whole mesh in this process.
#[derive(Debug)]
pub struct Standalone;

/// A mesh that runs, until it is told to stop.
#[derive(Debug)]
pub struct RunningStandalone {
    address: SocketAddr,
    greeting: Greeting,
    stop: watch::Sender<bool>,
    executor: Option<JoinHandle<()>>,
    server: JoinHandle<std::io::Result<()>>,
    _data: DataDir,
}

impl Standalone {
    /// Starts with these arguments and this environment; returns when requests are answered.
    ///
    /// # Errors
    /// If anything that is needed cannot be had. Then nothing runs.
    pub async fn start(given: &Given, metrics: Metrics) -> Result<RunningStandalone, StartError> {
        let place = given.place()?;
        refuse_strangers(&place)?;
        let data = DataDir::open(&place.data_dir)?;
        // Where we are must be known before the configuration is; a fixed port is taken later, when all is well.
        let early = if place.listen.port() == 0 { Some(bind(place.listen).await?) } else { None };
        let address = match &early {
            Some(listener) => listener.local_addr().context("no address")?,
            None => place.listen,
        };
        let base = format!("http://{address}");
        let (settings, dev_idp) = settings_at(given, &place, &data, &base)?;
        let mesh = Mesh::new(&settings, dev_idp.clone(), metrics).await?;
        if let Some(address) = settings.metrics_listen {
            mesh::serve_metrics(address, &mesh.metrics).await?;
        }
        let executor = executor(&place, &data, &mesh, &base)?;
        let listener = match early {
            Some(listener) => listener,
            None => bind(address).await?,
        };
        let (stop, stopped) = watch::channel(false);
        let executor = executor.map(|executor| diracx_server::spawn(executor.run(told(stopped.clone()))));
        diracx_server::spawn(cleaning::run(mesh.auth_for_tasks.clone(), told(stopped.clone())));
        let greeting = Greeting::new(&base, &place, data.path(), dev_idp.is_some());
        let server = diracx_server::spawn(serve(listener, mesh, settings, stopped));
        Ok(RunningStandalone { address, greeting, stop, executor, server, _data: data })
    }
}

impl RunningStandalone {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is, for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to tell the person who started it.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Runs until `shutdown` is ready, then finishes what is under way.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            // Serving does not end by itself.
            ended = &mut self.server => return Ok(ended??),
            () = shutdown => {}
        }
        self.stop().await
    }

    /// Finishes what is under way, and ends.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        if let Some(executor) = self.executor {
            executor.await.context("the local executor")?;
        }
        Ok(self.server.await??)
    }
}

/// The development identity provider lets anybody in, so it may not be where others can reach it.
fn refuse_strangers(place: &Place) -> Result<(), Failure> {
    let reachable = !place.listen.ip().is_loopback();
    if !(reachable && place.own_configuration && data_dir::would_use_dev_idp(&place.data_dir)) {
        return Ok(());
    }
    let mut problems = Problems::default();
    problems.note(
        "--listen",
        format_args!(
            "the development identity provider lets anybody in, so it is refused on {}; listen on 127.0.0.1, or \
             set DIRACX_CONFIG_BACKEND_URL to a configuration with an identity provider of yours",
            place.listen
        ),
    );
    Err(Failure::Problems(problems))
}

/// The settings, completed by the data directory; and the development identity provider, if there is one.
fn settings_at(
    given: &Given,
    place: &Place,
    data: &DataDir,
    base: &str,
) -> Result<(Settings, Option<String>), StartError> {
    let issuer = format!("{base}{}", dev_idp::PATH);
    let mut defaults = vec![
        ("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", data.keystore(SystemClock.now())?),
        ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", base.to_owned()),
        ("DIRACX_SERVICE_AUTH_STATE_KEY", data.state_key()?),
        ("DIRACX_SERVICE_PILOTS_SECRET_PEPPER", data.pilot_pepper()?),
        ("DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS", redirects(base)),
        ("DIRACX_DB_MIGRATE", "true".to_owned()),
    ];
    // A file for each service: SQLite lets one at a time write to a file, and each service has a writer.
    defaults.extend([
        ("DIRACX_DB_URL_AUTHDB", data.database_url("auth")),
        ("DIRACX_DB_URL_JOBDB", data.database_url("jobs")),
        ("DIRACX_DB_URL_JOBLOGGINGDB", data.database_url("jobs")),
        ("DIRACX_DB_URL_TASKQUEUEDB", data.database_url("jobs")),
        ("DIRACX_DB_URL_SANDBOXMETADATADB", data.database_url("jobs")),
        ("DIRACX_DB_URL_PILOTAGENTSDB", data.database_url("pilots")),
        ("DIRACX_DB_URL_RESOURCESTATUSDB", data.database_url("rss")),
        ("DIRACX_SANDBOX_STORE_DIRECTORY", data.sandboxes().display().to_string()),
    ]);
    let mut dev_idp = None;
    if place.own_configuration {
        let configuration = data.configuration(&issuer)?;
        defaults.push(("DIRACX_CONFIG_BACKEND_URL", configuration.source));
        dev_idp = Some(issuer).filter(|_| configuration.uses_dev_idp);
    }
    Ok((given.complete(defaults)?, dev_idp))
}

fn redirects(base: &str) -> String {
    serde_json::json!([
        format!("{base}/api/docs/oauth2-redirect"),
        format!("{base}/#authentication-callback")
    ])
    .to_string()
}

fn executor(place: &Place, data: &DataDir, mesh: &Mesh, base: &str) -> anyhow::Result<Option<LocalExecutor>> {
    if !place.local_executor {
        return Ok(None);
    }
    let token = mesh.component(executor::COMPONENT);
    let executor = LocalExecutor::new(mesh.jobs.clone(), token, mesh.clock.clone(), base, &data.executor());
    Ok(Some(executor.context("no place for the local executor")?))
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

async fn serve(
    listener: TcpListener,
    mesh: Mesh,
    settings: Settings,
    stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let Mesh { router, readiness, .. } = mesh;
    let shutdown = async move {
        told(stopped).await;
        readiness.iter().for_each(diracx_server::Readiness::drain);
    };
    diracx_gateway::serve(listener, router, &settings.gateway, None, shutdown).await
}

/// Ready when we are told to stop, or when nobody is there any more to tell us.
async fn told(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
