//! The settings of the `diracx-rss` process.

use std::sync::Arc;

use diracx_client::ServerAddress;
use diracx_db::DbUrl;
use diracx_server::settings::{
    Environment, Problems, Resolve, Secret, ServerArgs, ServerSettings, TelemetryArgs, TelemetrySettings,
    TrustArgs, TrustSettings,
};

use crate::{
    error::Result,
    store::{self, StatusStore},
};

/// Tells which sites, computing elements, storage elements and file transfer servers may be used.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-rss", version)]
pub struct Args {
    /// What is particular to resource statuses.
    #[command(flatten)]
    pub rss: RssArgs,
    /// Whether there are resource statuses. The same for all processes; without them this one has nothing to serve.
    #[arg(long, env = "DIRACX_SERVICE_RSS_ENABLED", default_value = "true", value_name = "BOOL")]
    pub rss_enabled: String,
    /// Connections to a MySQL database, at the most.
    #[arg(long, env = "DIRACX_DB_CONNECTIONS", default_value = "4", value_name = "COUNT")]
    pub db_connections: String,
    /// Create tables that are missing before serving; those that are there are adopted as they are.
    #[arg(long, env = "DIRACX_DB_MIGRATE", default_value = "false", value_name = "BOOL")]
    pub db_migrate: String,
    /// Where the auth service is: it publishes the keys with which tokens are verified.
    #[arg(
        long,
        env = "DIRACX_AUTH_SERVICE_URL",
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    pub auth_service_url: String,
    /// Where to listen.
    #[command(flatten)]
    pub server: ServerArgs,
    /// What to log.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Whose tokens to believe.
    #[command(flatten)]
    pub token: TrustArgs,
}

/// What is particular to resource statuses.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Resource statuses")]
pub struct RssArgs {
    /// ResourceStatusDB: mysql+aiomysql://user:password@host:3306/ResourceStatusDB or sqlite+aiosqlite:///path.
    /// Required.
    #[arg(long, env = "DIRACX_DB_URL_RESOURCESTATUSDB", hide_env_values = true, value_name = "URL")]
    pub resource_status_db: Option<Secret>,
}

/// What the service needs to know of its database.
#[derive(Debug, Clone)]
pub struct RssSettings {
    /// Where it is.
    pub db_url: DbUrl,
    /// Connections to it, on MySQL.
    pub connections: u32,
    /// Whether to create missing tables.
    pub migrate: bool,
}

impl RssSettings {
    /// Opens the database, with its tables if they are to be made.
    pub async fn open_store(&self) -> Result<Arc<dyn StatusStore>> {
        if self.migrate {
            store::migrate(&self.db_url).await?;
        }
        store::open(&self.db_url, self.connections).await
    }
}

impl Resolve for RssArgs {
    type Settings = DbUrl;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<DbUrl> {
        const DB_URL: &str = "DIRACX_DB_URL_RESOURCESTATUSDB";
        let given = self.resource_status_db.filter(|url| !url.expose().trim().is_empty());
        let url = problems.required(DB_URL, given)?;
        // not with Problems::parse, which repeats the value: it may hold a password
        problems.check(DB_URL, url.expose().trim().parse())
    }
}

/// See [`Args`].
#[derive(Debug)]
pub struct Settings {
    /// The database.
    pub rss: RssSettings,
    /// Where the auth service is.
    pub auth_service: ServerAddress,
    /// Where to listen.
    pub server: ServerSettings,
    /// What to log.
    pub telemetry: TelemetrySettings,
    /// Whose tokens to believe.
    pub token: TrustSettings,
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        const ENABLED: &str = "DIRACX_SERVICE_RSS_ENABLED";
        if problems.boolean(ENABLED, &self.rss_enabled) == Some(false) {
            problems.note(ENABLED, "is false, and this process serves nothing but resource statuses");
        }
        let db_url = self.rss.resolve(environment, problems);
        let connections = problems.parse("DIRACX_DB_CONNECTIONS", &self.db_connections);
        let migrate = problems.boolean("DIRACX_DB_MIGRATE", &self.db_migrate);
        let auth_service = problems.parse("DIRACX_AUTH_SERVICE_URL", &self.auth_service_url);
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        Some(Settings {
            rss: RssSettings { db_url: db_url?, connections: connections?, migrate: migrate? },
            auth_service: auth_service?,
            server: server?,
            telemetry: telemetry?,
            token: token?,
        })
    }
}
