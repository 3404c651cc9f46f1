//! The settings of the process: DiracX's, each with a default in the data directory.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use diracx_auth::settings::{AuthArgs, AuthSettings};
use diracx_config::settings::{SourceArgs, SourceSettings};
use diracx_core::{Clock, SystemClock, Version};
use diracx_db::DbUrl;
use diracx_gateway::{GatewayArgs, GatewaySettings};
use diracx_jobs::settings::{JobsArgs, JobsSettings};
use diracx_pilots::settings::{PilotsArgs, PilotsSettings};
use diracx_rss::settings::{RssArgs, RssSettings};
use diracx_server::{
    settings::{
        Environment, Failure, Problems, Resolve, Secret, TelemetryArgs, TelemetrySettings, TokenArgs,
        TokenSettings, parse_settings_from,
    },
    token::{KeyKind, rotate_key},
    version_gate::{DEFAULT_MINIMUM, VersionGate},
};

/// All of DiracX in one process, with nothing to install.
///
/// The first start makes keys, a configuration with a few users, a database and a development identity
/// provider in the data directory. Each of them gives way to what DiracX's environment variables name.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-standalone", version, mut_args(made_by_the_first_start))]
pub struct Args {
    /// Directory for keys, configuration, database and scratch space; made if it is missing. Required.
    #[arg(long, env = "DIRACX_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port for REST, gRPC-Web and gRPC. Port 0 picks one.
    #[arg(long, env = "DIRACX_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: String,
    /// Run the jobs on this machine, as the user of this process. Only on a loopback address.
    #[arg(
        long,
        env = "DIRACX_LOCAL_EXECUTOR",
        default_value = "false",
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub local_executor: String,
    /// Address and port of `GET /metrics`, for Prometheus; none unless given.
    #[arg(long, env = "DIRACX_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// `AuthDB`; the database of the data directory unless given.
    #[arg(long, env = "DIRACX_DB_URL_AUTHDB", hide_env_values = true, value_name = "URL")]
    pub auth_db: Option<Secret>,
    /// The oldest client version that is served (PEP 440).
    #[arg(long, env = "DIRACX_MIN_CLIENT_VERSION", default_value = DEFAULT_MINIMUM, value_name = "VERSION")]
    pub min_client_version: String,
    /// How long requests under way may take to finish when the process is asked to end, in seconds.
    #[arg(long, env = "DIRACX_DRAIN_SECONDS", default_value = "25", value_name = "SECONDS")]
    pub drain_seconds: String,
    /// The configuration.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Logins.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// Keys.
    #[command(flatten)]
    pub token: TokenArgs,
    /// Jobs.
    #[command(flatten)]
    pub jobs: JobsArgs,
    /// Pilots.
    #[command(flatten)]
    pub pilots: PilotsArgs,
    /// Resource statuses.
    #[command(flatten)]
    pub rss: RssArgs,
    /// Callers.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// What other processes require has a default here; its help says so.
fn made_by_the_first_start(argument: clap::Arg) -> clap::Arg {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let Some((help, _)) = help.rsplit_once(" Required").filter(|(_, rest)| !rest.contains("with")) else {
        return argument;
    };
    let default = match argument.get_id().as_str() {
        "data_dir" => return argument,
        "token_issuer" => "the address of --listen",
        _ => "in --data-dir",
    };
    let help = format!("{} [default: {default}]", help.trim_end_matches('.'));
    argument.help(help)
}

/// What has to be known before anything else: where to listen, and where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether to run jobs.
    pub local_executor: bool,
    /// Whether the configuration is the one in the data directory.
    pub own_configuration: bool,
}

/// See [`Args`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where `GET /metrics` is, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Where `AuthDB` is.
    pub auth_db: DbUrl,
    /// Which clients are served.
    pub gate: VersionGate,
    /// The configuration.
    pub source: SourceSettings,
    /// Logins.
    pub auth: AuthSettings,
    /// Keys.
    pub token: TokenSettings,
    /// Jobs.
    pub jobs: JobsSettings,
    /// Pilots.
    pub pilots: PilotsSettings,
    /// Resource statuses.
    pub rss: RssSettings,
    /// Callers.
    pub gateway: GatewaySettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
}

/// The arguments and the environment, as they came.
#[derive(Debug, Clone)]
pub struct Given {
    /// The command line, with the program's name.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
}

#[derive(clap::Parser)]
#[command(name = "diracx-standalone", version)]
struct First {
    #[command(flatten)]
    args: Args,
}

#[derive(clap::Parser)]
#[command(name = "diracx-standalone", version)]
struct Logs {
    #[command(flatten)]
    args: Args,
}

impl Given {
    /// Those of this process.
    pub fn of_process() -> Result<Self, Failure> {
        let (environment, dotenv) = Environment::load();
        if dotenv.is_empty() {
            return Ok(Self { arguments: std::env::args_os().collect(), environment });
        }
        let mut problems = Problems::default();
        for (name, problem) in dotenv {
            problems.note(&name, problem);
        }
        Err(Failure::Problems(problems))
    }

    /// Where everything is.
    pub fn place(&self) -> Result<Place, Failure> {
        parse_settings_from::<First>(self.arguments.clone(), &self.environment, Vec::new())
    }

    /// Whether all of it can be used. Nothing is written yet: what the data directory will have stands in
    /// for what is not given, so that one start shows every problem.
    ///
    /// # Errors
    /// All problems; and what `--help` and `--version` say.
    pub fn check(&self) -> Result<(), Failure> {
        let keystore = rotate_key(None, KeyKind::Ed25519, SystemClock.now()).unwrap_or_default();
        let stand_ins = [
            ("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", keystore),
            ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", "http://127.0.0.1:8000".to_owned()),
            ("DIRACX_SERVICE_AUTH_STATE_KEY", BASE64_URL_SAFE.encode([0; 32])),
            ("DIRACX_SERVICE_PILOTS_SECRET_PEPPER", BASE64_URL_SAFE.encode([0; 32])),
            ("DIRACX_DB_URL_AUTHDB", "sqlite:///auth.db".to_owned()),
            ("DIRACX_DB_URL_JOBDB", "sqlite:///jobs.db".to_owned()),
            ("DIRACX_DB_URL_JOBLOGGINGDB", "sqlite:///jobs.db".to_owned()),
            ("DIRACX_DB_URL_TASKQUEUEDB", "sqlite:///jobs.db".to_owned()),
            ("DIRACX_DB_URL_SANDBOXMETADATADB", "sqlite:///jobs.db".to_owned()),
            ("DIRACX_DB_URL_PILOTAGENTSDB", "sqlite:///pilots.db".to_owned()),
            ("DIRACX_DB_URL_RESOURCESTATUSDB", "sqlite:///rss.db".to_owned()),
            ("DIRACX_SANDBOX_STORE_DIRECTORY", "/sandboxes".to_owned()),
            ("DIRACX_CONFIG_BACKEND_URL", "/default.yml".to_owned()),
        ];
        let mut problems = Problems::default();
        for failure in [self.place().err(), self.complete(stand_ins.to_vec()).err()].into_iter().flatten() {
            match failure {
                Failure::Problems(found) => problems.absorb(found),
                other @ Failure::CommandLine(_) => return Err(other),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::Problems(problems)) }
    }

    /// How to log, which is wanted before the rest is known.
    pub fn telemetry(&self) -> Result<TelemetrySettings, Failure> {
        parse_settings_from::<Logs>(self.arguments.clone(), &self.environment, Vec::new())
    }

    /// Everything, with these values for variables that are not set (or empty).
    pub fn complete(&self, defaults: Vec<(&'static str, String)>) -> Result<Settings, Failure> {
        let missing = |name: &str| self.environment.get(name).is_none_or(|value| value.trim().is_empty());
        let given = self.environment.with_prefix("").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let added = defaults.into_iter().filter(|(name, _)| missing(name));
        let all: std::collections::BTreeMap<String, String> =
            given.chain(added.map(|(name, value)| (name.to_owned(), value))).collect();
        let (environment, _) = Environment::from_variables(all);
        parse_settings_from::<Args>(self.arguments.clone(), &environment, Vec::new())
    }
}

impl Resolve for First {
    type Settings = Place;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<Place> {
        let data_dir =
            problems.required("--data-dir", self.args.data_dir.filter(|dir| !dir.as_os_str().is_empty()));
        let listen = address(problems, "--listen", &self.args.listen);
        let local_executor = problems.boolean("--local-executor", &self.args.local_executor);
        let given = |url: &Secret| !url.expose().trim().is_empty();
        let own_configuration = !self.args.source.config_backend_url.as_ref().is_some_and(given);
        if let (Some(listen), Some(true)) = (listen, local_executor)
            && !listen.ip().is_loopback()
        {
            problems.note(
                "--local-executor",
                format_args!(
                    "runs jobs of others as you, so it is refused on {listen}; listen on 127.0.0.1 or leave it out"
                ),
            );
        }
        Some(Place {
            data_dir: data_dir?,
            listen: listen?,
            local_executor: local_executor?,
            own_configuration,
        })
    }
}

impl Resolve for Logs {
    type Settings = TelemetrySettings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<TelemetrySettings> {
        self.args.telemetry.resolve(environment, problems)
    }
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        const AUTH_DB: &str = "DIRACX_DB_URL_AUTHDB";
        let metrics_listen = match self.metrics_listen.as_deref() {
            None | Some("") => Some(None),
            Some(raw) => address(problems, "DIRACX_METRICS_LISTEN", raw).map(Some),
        };
        let auth_db = problems.required(AUTH_DB, self.auth_db);
        // The URL is not repeated: it may hold a password.
        let auth_db = auth_db.and_then(|url| problems.check(AUTH_DB, url.expose().trim().parse()));
        let minimum: Option<Version> = problems.parse("DIRACX_MIN_CLIENT_VERSION", &self.min_client_version);
        let drain: Option<Duration> = problems.seconds("DIRACX_DRAIN_SECONDS", &self.drain_seconds);
        let source = self.source.resolve(environment, problems);
        let auth = self.auth.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        let jobs = self.jobs.resolve(environment, problems);
        let pilots = self.pilots.resolve(environment, problems);
        let rss = self.rss.resolve(environment, problems);
        let gateway = self.gateway.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let jobs = jobs?;
        let rss =
            RssSettings { db_url: rss?, connections: jobs.databases.connections, migrate: jobs.migrate };
        Some(Settings {
            metrics_listen: metrics_listen?,
            auth_db: auth_db?,
            gate: VersionGate::new(minimum?),
            source: source?,
            auth: auth?,
            token: token?,
            jobs,
            pilots: pilots?,
            rss,
            gateway: GatewaySettings { drain: drain?, ..gateway? },
            telemetry: telemetry?,
        })
    }
}

/// An address and port; `localhost` is the IPv4 loopback address.
fn address(problems: &mut Problems, name: &str, raw: &str) -> Option<SocketAddr> {
    let raw = raw.trim();
    let numeric = match raw.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => raw.to_owned(),
    };
    let parsed = numeric.parse().ok();
    if parsed.is_none() {
        problems.note(name, format_args!("must be address:port, such as 127.0.0.1:8000, not {raw:?}"));
    }
    parsed
}
