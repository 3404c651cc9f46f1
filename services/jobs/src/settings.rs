//! The settings of the `diracx-jobs` process.

mod sandbox;

use std::sync::Arc;

use diracx_client::ServerAddress;
use diracx_db::DbUrl;
use diracx_server::settings::{
    ComponentArgs, Environment, Problems, Resolve, Secret, ServerArgs, ServerSettings, TelemetryArgs,
    TelemetrySettings, TrustArgs, TrustSettings,
};

use diracx_server::token::Keyring;

pub use self::sandbox::{SandboxArgs, SandboxSettings, StoreKind};
use crate::{
    error::Result,
    store::{self, JobDatabases, JobStore},
};

/// Serves jobs: submission, search, status.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-jobs", version)]
pub struct Args {
    /// What is particular to jobs.
    #[command(flatten)]
    pub jobs: JobsArgs,
    /// Where the config service is.
    #[arg(
        long,
        env = "DIRACX_CONFIG_SERVICE_URL",
        default_value = "http://127.0.0.1:50052",
        value_name = "URL"
    )]
    pub config_service_url: String,
    /// Where the auth service is: it publishes the keys with which tokens are verified, and gives this service its own.
    #[arg(
        long,
        env = "DIRACX_AUTH_SERVICE_URL",
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    pub auth_service_url: String,
    /// Whether this installation has pilots.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_ENABLED", default_value = "true", value_name = "BOOL")]
    pub pilots_enabled: String,
    /// Where the pilots service is, which knows which jobs a pilot ran.
    #[arg(
        long,
        env = "DIRACX_PILOTS_SERVICE_URL",
        default_value = "http://127.0.0.1:50054",
        value_name = "URL"
    )]
    pub pilots_service_url: String,
    /// Where to listen.
    #[command(flatten)]
    pub server: ServerArgs,
    /// What to log.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Whose tokens to believe.
    #[command(flatten)]
    pub token: TrustArgs,
    /// Who this is.
    #[command(flatten)]
    pub component: ComponentArgs,
}

/// What is particular to jobs.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Jobs")]
pub struct JobsArgs {
    /// JobDB: mysql+aiomysql://user:password@host:3306/JobDB or sqlite+aiosqlite:///path. Required.
    #[arg(long, env = "DIRACX_DB_URL_JOBDB", hide_env_values = true, value_name = "URL")]
    pub job_db: Option<Secret>,
    /// JobLoggingDB, of the same kind. Required.
    #[arg(long, env = "DIRACX_DB_URL_JOBLOGGINGDB", hide_env_values = true, value_name = "URL")]
    pub job_logging_db: Option<Secret>,
    /// TaskQueueDB, of the same kind. Required.
    #[arg(long, env = "DIRACX_DB_URL_TASKQUEUEDB", hide_env_values = true, value_name = "URL")]
    pub task_queue_db: Option<Secret>,
    /// SandboxMetadataDB, of the same kind. Required.
    #[arg(long, env = "DIRACX_DB_URL_SANDBOXMETADATADB", hide_env_values = true, value_name = "URL")]
    pub sandbox_metadata_db: Option<Secret>,
    /// Connections to each MySQL database, at the most.
    #[arg(long, env = "DIRACX_DB_CONNECTIONS", default_value = "16", value_name = "COUNT")]
    pub db_connections: String,
    /// Create tables that are missing before serving; those that are there are adopted as they are.
    #[arg(long, env = "DIRACX_DB_MIGRATE", default_value = "false", value_name = "BOOL")]
    pub db_migrate: String,
    /// Jobs that one submission may make, at the most.
    #[arg(
        long,
        env = "DIRACX_SERVICE_JOBS_MAX_JOBS_PER_SUBMISSION",
        default_value = "20",
        value_name = "COUNT"
    )]
    pub max_jobs_per_submission: String,
    /// Whether users with the property GenericPilot, whom pilots of DIRAC act as, may manage every job of their VO: nobody
    /// can tell which of the pilots calls. Leave it off where all pilots have tokens of their own.
    #[arg(
        long,
        env = "DIRACX_SERVICE_JOBS_GENERIC_PILOTS_MANAGE_VO_JOBS",
        default_value = "false",
        value_name = "BOOL"
    )]
    pub generic_pilots_manage_vo_jobs: String,
    /// Where sandboxes are kept.
    #[command(flatten)]
    pub sandboxes: SandboxArgs,
}

/// See [`JobsArgs`].
#[derive(Debug, Clone)]
pub struct JobsSettings {
    /// The databases.
    pub databases: JobDatabases,
    /// Whether to create missing tables.
    pub migrate: bool,
    /// Jobs that one submission may make.
    pub most_jobs_at_once: usize,
    /// Whether users with `GenericPilot` may manage every job of their VO.
    pub generic_pilots_manage_vo_jobs: bool,
    /// Where sandboxes are kept.
    pub sandboxes: SandboxSettings,
}

impl JobsSettings {
    /// Opens the databases, after creating missing tables if that is wanted.
    pub async fn open_store(&self) -> Result<Arc<dyn JobStore>> {
        if self.migrate {
            store::migrate(&self.databases).await?;
        }
        store::open(&self.databases).await
    }
}

/// See [`Args`].
#[derive(Debug)]
pub struct Settings {
    /// What is particular to jobs.
    pub jobs: JobsSettings,
    /// Where the config service is.
    pub config_service: ServerAddress,
    /// Where the auth service is.
    pub auth_service: ServerAddress,
    /// Where the pilots service is, if there is one.
    pub pilots_service: Option<ServerAddress>,
    /// Where to listen.
    pub server: ServerSettings,
    /// What to log.
    pub telemetry: TelemetrySettings,
    /// Whose tokens to believe.
    pub token: TrustSettings,
    /// With which key this service proves who it is; not needed with the key store.
    pub component_key: Option<Keyring>,
}

impl Resolve for JobsArgs {
    type Settings = JobsSettings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<JobsSettings> {
        let sandboxes = self.sandboxes.resolve(environment, problems);
        let job_db = url(problems, "DIRACX_DB_URL_JOBDB", self.job_db);
        let job_logging_db = url(problems, "DIRACX_DB_URL_JOBLOGGINGDB", self.job_logging_db);
        let task_queue_db = url(problems, "DIRACX_DB_URL_TASKQUEUEDB", self.task_queue_db);
        let sandbox_metadata_db = url(problems, "DIRACX_DB_URL_SANDBOXMETADATADB", self.sandbox_metadata_db);
        let connections = problems.parse("DIRACX_DB_CONNECTIONS", &self.db_connections);
        let migrate = problems.boolean("DIRACX_DB_MIGRATE", &self.db_migrate);
        let most_jobs_at_once =
            problems.parse("DIRACX_SERVICE_JOBS_MAX_JOBS_PER_SUBMISSION", &self.max_jobs_per_submission);
        let generic_pilots_manage_vo_jobs = problems.boolean(
            "DIRACX_SERVICE_JOBS_GENERIC_PILOTS_MANAGE_VO_JOBS",
            &self.generic_pilots_manage_vo_jobs,
        );
        let databases = JobDatabases {
            job_db: job_db?,
            job_logging_db: job_logging_db?,
            task_queue_db: task_queue_db?,
            sandbox_metadata_db: sandbox_metadata_db?,
            connections: connections?,
        };
        problems.check("DIRACX_DB_URL_JOBDB", databases.urls())?;
        Some(JobsSettings {
            databases,
            migrate: migrate?,
            most_jobs_at_once: most_jobs_at_once?,
            generic_pilots_manage_vo_jobs: generic_pilots_manage_vo_jobs?,
            sandboxes: sandboxes?,
        })
    }
}

fn url(problems: &mut Problems, name: &str, given: Option<Secret>) -> Option<DbUrl> {
    let given = given.filter(|url| !url.expose().trim().is_empty());
    let url = problems.required(name, given)?;
    problems.check(name, url.expose().trim().parse())
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        let jobs = self.jobs.resolve(environment, problems);
        let config_service = problems.parse("DIRACX_CONFIG_SERVICE_URL", &self.config_service_url);
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        let component_key = self.component.resolve(token.as_ref(), problems);
        let auth_service = problems.parse("DIRACX_AUTH_SERVICE_URL", &self.auth_service_url);
        let has_pilots = problems.boolean("DIRACX_SERVICE_PILOTS_ENABLED", &self.pilots_enabled);
        let pilots_service = problems.parse("DIRACX_PILOTS_SERVICE_URL", &self.pilots_service_url);
        let has_pilots = has_pilots?;
        Some(Settings {
            jobs: jobs?,
            pilots_service: Some(pilots_service?).filter(|_| has_pilots),
            config_service: config_service?,
            server: server?,
            telemetry: telemetry?,
            token: token?,
            auth_service: auth_service?,
            component_key: component_key?,
        })
    }
}
