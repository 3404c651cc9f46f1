//! The settings of the `diracx-pilots` process.

mod credentials;

pub use credentials::{CredentialArgs, CredentialSettings};

use std::sync::Arc;

use chrono::TimeDelta;
use diracx_client::ServerAddress;
use diracx_db::DbUrl;
use diracx_server::{
    settings::{
        ComponentArgs, Environment, Problems, Resolve, Secret, ServerArgs, ServerSettings, TelemetryArgs,
        TelemetrySettings, TrustArgs, TrustSettings,
    },
    token::Keyring,
};

use crate::{
    error::Result,
    store::{self, PilotStore},
};

const DATABASE: &str = "DIRACX_DB_URL_PILOTAGENTSDB";
const ENABLED: &str = "DIRACX_SERVICE_PILOTS_ENABLED";

/// Serves pilots: which there are, where they are, what they run.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-pilots", version)]
pub struct Args {
    /// What is particular to pilots.
    #[command(flatten)]
    pub pilots: PilotsArgs,
    /// Connections to a MySQL database, at the most.
    #[arg(long, env = "DIRACX_DB_CONNECTIONS", default_value = "16", value_name = "COUNT")]
    pub db_connections: String,
    /// Create tables that are missing before serving; those that are there are adopted as they are.
    #[arg(long, env = "DIRACX_DB_MIGRATE", default_value = "false", value_name = "BOOL")]
    pub db_migrate: String,
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
    /// Where the jobs service is, which knows how the jobs of a pilot are, and ends them.
    #[arg(
        long,
        env = "DIRACX_JOBS_SERVICE_URL",
        default_value = "http://127.0.0.1:50053",
        value_name = "URL"
    )]
    pub jobs_service_url: String,
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

/// What is particular to pilots.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Pilots")]
pub struct PilotsArgs {
    /// Whether this installation has pilots.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_ENABLED", default_value = "true", value_name = "BOOL")]
    pub pilots_enabled: String,
    /// PilotAgentsDB: mysql+aiomysql://user:password@host:3306/PilotAgentsDB or sqlite+aiosqlite:///path. Required,
    /// unless there are no pilots.
    #[arg(long, env = "DIRACX_DB_URL_PILOTAGENTSDB", hide_env_values = true, value_name = "URL")]
    pub pilot_agents_db: Option<Secret>,
    /// A pilot is given up that has given no sign of life for so long, nor have its jobs, in days.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_STALLED_AFTER_DAYS", default_value = "3", value_name = "DAYS")]
    pub pilots_stalled_after_days: String,
    /// How long pilots are remembered that have ended, in days.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_RETENTION_DAYS", default_value = "30", value_name = "DAYS")]
    pub pilots_retention_days: String,
    /// How long pilots are remembered that were aborted, in days.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_ABORTED_RETENTION_DAYS",
        default_value = "7",
        value_name = "DAYS"
    )]
    pub pilots_aborted_retention_days: String,
    /// Their credentials and logs.
    #[command(flatten)]
    pub credentials: CredentialArgs,
}

/// How long pilots live without a sign of life, and are remembered when they have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Given up without a sign of life for so long.
    pub stalled_after: TimeDelta,
    /// Forgotten so long after their end.
    pub retention: TimeDelta,
    /// The same for those that were aborted.
    pub aborted_retention: TimeDelta,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            stalled_after: TimeDelta::days(3),
            retention: TimeDelta::days(30),
            aborted_retention: TimeDelta::days(7),
        }
    }
}

/// See [`PilotsArgs`].
#[derive(Debug, Clone)]
pub struct PilotsSettings {
    /// The database; none if this installation has no pilots.
    pub database: Option<DbUrl>,
    /// How long pilots live and are remembered.
    pub lives: Lives,
    /// Their credentials and logs; none if this installation has no pilots.
    pub credentials: Option<CredentialSettings>,
}

/// Opens the database, after creating missing tables if that is wanted.
pub async fn open_store(database: &DbUrl, connections: u32, migrate: bool) -> Result<Arc<dyn PilotStore>> {
    if migrate {
        store::migrate(database).await?;
    }
    store::open(database, connections).await
}

/// See [`Args`].
#[derive(Debug)]
pub struct Settings {
    /// The database.
    pub database: DbUrl,
    /// How long pilots live and are remembered.
    pub lives: Lives,
    /// Their credentials and logs.
    pub credentials: CredentialSettings,
    /// Connections to a MySQL database.
    pub connections: u32,
    /// Whether to create missing tables.
    pub migrate: bool,
    /// Where the config service is.
    pub config_service: ServerAddress,
    /// Where the auth service is.
    pub auth_service: ServerAddress,
    /// Where the jobs service is.
    pub jobs_service: ServerAddress,
    /// Where to listen.
    pub server: ServerSettings,
    /// What to log.
    pub telemetry: TelemetrySettings,
    /// Whose tokens to believe.
    pub token: TrustSettings,
    /// With which key this service proves who it is; not needed with the key store.
    pub component_key: Option<Keyring>,
}

impl Resolve for PilotsArgs {
    type Settings = PilotsSettings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<PilotsSettings> {
        let enabled = problems.boolean(ENABLED, &self.pilots_enabled);
        let given = self.pilot_agents_db.filter(|url| !url.expose().trim().is_empty());
        let database = match enabled {
            Some(false) => Some(None),
            _ => problems
                .required(DATABASE, given)
                .and_then(|url| problems.check(DATABASE, url.expose().trim().parse()))
                .map(Some),
        };
        // without pilots nothing of theirs has to be right
        let has_pilots = enabled != Some(false);
        let credentials = if has_pilots { self.credentials.resolve(environment, problems) } else { None };
        let stalled_after =
            days(problems, "DIRACX_SERVICE_PILOTS_STALLED_AFTER_DAYS", &self.pilots_stalled_after_days);
        let retention = days(problems, "DIRACX_SERVICE_PILOTS_RETENTION_DAYS", &self.pilots_retention_days);
        let aborted_retention = days(
            problems,
            "DIRACX_SERVICE_PILOTS_ABORTED_RETENTION_DAYS",
            &self.pilots_aborted_retention_days,
        );
        enabled?;
        let lives = Lives {
            stalled_after: stalled_after?,
            retention: retention?,
            aborted_retention: aborted_retention?,
        };
        Some(PilotsSettings { database: database?, lives, credentials })
    }
}

/// A number of days, at least one and not more than a century.
fn days(problems: &mut Problems, name: &str, raw: &str) -> Option<TimeDelta> {
    let number: i64 = problems.parse(name, raw)?;
    if !(1..=36_525).contains(&number) {
        problems.note(name, "must be from 1 to 36525");
        return None;
    }
    Some(TimeDelta::days(number))
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        let pilots = self.pilots.resolve(environment, problems);
        let connections = problems.parse("DIRACX_DB_CONNECTIONS", &self.db_connections);
        let migrate = problems.boolean("DIRACX_DB_MIGRATE", &self.db_migrate);
        let config_service = problems.parse("DIRACX_CONFIG_SERVICE_URL", &self.config_service_url);
        let auth_service = problems.parse("DIRACX_AUTH_SERVICE_URL", &self.auth_service_url);
        let jobs_service = problems.parse("DIRACX_JOBS_SERVICE_URL", &self.jobs_service_url);
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        let component_key = self.component.resolve(token.as_ref(), problems);
        let PilotsSettings { database, lives, credentials } = pilots?;
        if database.is_none() {
            problems.note(ENABLED, "is false, and this process serves nothing but pilots");
        }
        Some(Settings {
            database: database?,
            lives,
            credentials: credentials?,
            connections: connections?,
            migrate: migrate?,
            config_service: config_service?,
            auth_service: auth_service?,
            jobs_service: jobs_service?,
            server: server?,
            telemetry: telemetry?,
            token: token?,
            component_key: component_key?,
        })
    }
}
