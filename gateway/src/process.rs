//! The gateway as a process of its own: its settings, and the way from them to a listening port.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use axum::Router;
use diracx_client::ServerAddress;
use diracx_core::{Clock, SystemClock, Version};
use diracx_server::{
    TokenVerifier,
    settings::{Environment, Problems, Resolve, TelemetryArgs, TelemetrySettings},
    telemetry::Metrics,
    token::{Algorithm, DEFAULT_ALGORITHMS, JwksSource},
    version_gate::{DEFAULT_MINIMUM, VersionGate},
};
use tokio::net::TcpListener;

use crate::{Backend, Backends, Gateway, GatewayArgs, GatewaySettings, Tls, serve};

/// The public address of a DiracX installation: REST, gRPC-Web and gRPC in front of its services.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-gateway", version)]
pub struct Args {
    /// Address and port to listen on.
    #[arg(long, env = "DIRACX_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: String,
    /// Address and port of `GET /metrics`, for Prometheus; none unless given.
    #[arg(long, env = "DIRACX_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// Where the auth service is.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_AUTH_URL",
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    pub auth_url: String,
    /// Where the config service is.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_CONFIG_URL",
        default_value = "http://127.0.0.1:50052",
        value_name = "URL"
    )]
    pub config_url: String,
    /// Where the jobs service is.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_JOBS_URL",
        default_value = "http://127.0.0.1:50053",
        value_name = "URL"
    )]
    pub jobs_url: String,
    /// Whether this installation has pilots.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_ENABLED", default_value = "true", value_name = "BOOL")]
    pub pilots_enabled: String,
    /// Where the pilots service is.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_PILOTS_URL",
        default_value = "http://127.0.0.1:50054",
        value_name = "URL"
    )]
    pub pilots_url: String,
    /// Where the resource status service is.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_RSS_URL",
        default_value = "http://127.0.0.1:50055",
        value_name = "URL"
    )]
    pub rss_url: String,
    /// PEM file (or a directory of them) with the certificates that the services are verified with; the
    /// system's unless given.
    #[arg(long, env = "DIRACX_GATEWAY_CA", value_name = "PATH")]
    pub ca: Option<PathBuf>,
    /// PEM file with the certificate chain of the public address. Without one it is plain HTTP.
    #[arg(long, env = "DIRACX_GATEWAY_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key that belongs to the certificate.
    #[arg(long, env = "DIRACX_GATEWAY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The issuer that tokens name, compared letter by letter. Required.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_TOKEN_ISSUER", value_name = "URL")]
    pub token_issuer: Option<String>,
    /// The signature algorithms that are allowed, as a JSON list of Ed25519, RS256, ES256.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS",
        default_value = r#"["RS256","Ed25519"]"#,
        value_name = "JSON"
    )]
    pub token_allowed_algorithms: String,
    /// The oldest client version that is served (PEP 440).
    #[arg(long, env = "DIRACX_MIN_CLIENT_VERSION", default_value = DEFAULT_MINIMUM, value_name = "VERSION")]
    pub min_client_version: String,
    /// How long requests under way may take to finish when the process is asked to end, in seconds.
    #[arg(long, env = "DIRACX_DRAIN_SECONDS", default_value = "25", value_name = "SECONDS")]
    pub drain_seconds: String,
    /// Towards callers.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// See [`Args`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the numbers can be read.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the auth service is.
    pub auth: ServerAddress,
    /// Where the config service is.
    pub config: ServerAddress,
    /// Where the jobs service is.
    pub jobs: ServerAddress,
    /// Where the pilots service is, if there is one.
    pub pilots: Option<ServerAddress>,
    /// Where the resource status service is.
    pub rss: ServerAddress,
    /// How services are verified.
    pub ca: Option<PathBuf>,
    /// The certificate and key of the public address.
    pub tls: Option<Tls>,
    /// The issuer of tokens.
    pub issuer: String,
    /// The allowed signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Which clients are served.
    pub gate: VersionGate,
    /// Towards callers.
    pub gateway: GatewaySettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        const ALGORITHMS: &str = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS";
        let listen = problems.parse("DIRACX_LISTEN", &self.listen);
        let metrics_listen = problems.parse_optional("DIRACX_METRICS_LISTEN", self.metrics_listen.as_deref());
        let auth = problems.parse("DIRACX_GATEWAY_AUTH_URL", &self.auth_url);
        let config = problems.parse("DIRACX_GATEWAY_CONFIG_URL", &self.config_url);
        let jobs = problems.parse("DIRACX_GATEWAY_JOBS_URL", &self.jobs_url);
        let has_pilots = problems.boolean("DIRACX_SERVICE_PILOTS_ENABLED", &self.pilots_enabled);
        let pilots = problems.parse("DIRACX_GATEWAY_PILOTS_URL", &self.pilots_url);
        let rss = problems.parse("DIRACX_GATEWAY_RSS_URL", &self.rss_url);
        let tls = tls(problems, self.tls_certificate, self.tls_key);
        let issuer = self.token_issuer.filter(|issuer| !issuer.is_empty());
        let issuer = problems.required("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", issuer);
        let names: Option<Vec<String>> = problems.json(ALGORITHMS, &self.token_allowed_algorithms);
        let algorithms = names.map_or_else(
            || Some(DEFAULT_ALGORITHMS.to_vec()),
            |names| names.iter().map(|name| problems.parse(ALGORITHMS, name)).collect(),
        );
        let minimum: Option<Version> = problems.parse("DIRACX_MIN_CLIENT_VERSION", &self.min_client_version);
        let drain = problems.seconds("DIRACX_DRAIN_SECONDS", &self.drain_seconds);
        let gateway = self.gateway.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        Some(Settings {
            listen: listen?,
            metrics_listen: metrics_listen?,
            auth: auth?,
            config: config?,
            jobs: jobs?,
            pilots: pilots.filter(|_| has_pilots == Some(true)),
            rss: rss?,
            ca: self.ca,
            tls: tls?,
            issuer: issuer?,
            algorithms: algorithms?,
            gate: VersionGate::new(minimum?),
            gateway: GatewaySettings { drain: drain?, ..gateway? },
            telemetry: telemetry?,
        })
    }
}

/// The certificate, if there is one; the outer option is whether all is well.
#[expect(clippy::option_option, reason = "good, and there or not")]
fn tls(problems: &mut Problems, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<Option<Tls>> {
    let given = |path: &PathBuf| !path.as_os_str().is_empty();
    match (certificate.filter(given), key.filter(given)) {
        (None, None) => Some(None),
        (Some(certificate), Some(key)) => {
            problems.check("DIRACX_GATEWAY_TLS_CERTIFICATE", Tls::from_files(&certificate, &key)).map(Some)
        }
        (Some(_), None) => {
            problems.note("DIRACX_GATEWAY_TLS_KEY", "is required with a certificate");
            None
        }
        (None, Some(_)) => {
            problems.note("DIRACX_GATEWAY_TLS_CERTIFICATE", "is required with a key");
            None
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

impl Settings {
    /// Listens and serves until `shutdown`, counting in `metrics`.
    pub async fn run(self, metrics: Metrics, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ca = self.ca.as_deref();
        let auth = self.auth.connect(ca)?;
        let published = Arc::new(diracx_client::published_keys(auth.clone()));
        let keys = JwksSource::new(published, clock.clone());
        let rss = if self.gateway.rss_enabled {
            Some(Backend::remote(self.rss.connect(ca)?).with_streams(self.rss.connect(ca)?))
        } else {
            None
        };
        let gateway = Gateway {
            backends: Backends {
                auth: Backend::remote(auth),
                config: Backend::remote(self.config.connect(ca)?).with_streams(self.config.connect(ca)?),
                jobs: Backend::remote(self.jobs.connect(ca)?).with_streams(self.jobs.connect(ca)?),
                pilots: self
                    .pilots
                    .map(|pilots| Ok::<_, anyhow::Error>(Backend::remote(pilots.connect(ca)?)))
                    .transpose()?,
                rss,
            },
            verifier: TokenVerifier::new(self.issuer, self.algorithms, keys, clock),
            gate: self.gate,
            settings: self.gateway.clone(),
            metrics: metrics.clone(),
            extra: Router::new(),
        };
        let router = gateway.into_router()?;
        let listener = bind(self.listen).await?;
        if let Some(address) = self.metrics_listen {
            let (listener, router) = (bind(address).await?, metrics.router());
            diracx_server::spawn(async move { axum::serve(listener, router).await });
        }
        tracing::info!("the gateway listens on {}", listener.local_addr()?);
        serve(listener, router, &self.gateway, self.tls, shutdown).await?;
        Ok(())
    }
}
