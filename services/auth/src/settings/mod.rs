//! The settings of the auth service, under DiracX's names.

mod logins;
mod retention;
mod values;

pub use logins::{AuthArgs, AuthSettings};
pub use retention::RetentionArgs;

use diracx_client::ServerAddress;
use diracx_db::DbUrl;
use diracx_server::settings::{
    Environment, Problems, Resolve, Secret, ServerArgs, ServerSettings, TelemetryArgs, TelemetrySettings,
    TokenArgs, TokenSettings,
};

/// Issues DIRAC's tokens after the identity provider of a VO has said who somebody is.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-auth", version)]
pub struct Args {
    /// The rules of logins.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// `AuthDB`: `sqlite+aiosqlite:///path` or `mysql+aiomysql://user:password@host:3306/schema`. Required.
    #[arg(long, env = "DIRACX_DB_URL_AUTHDB", hide_env_values = true, value_name = "URL")]
    pub db_url_authdb: Option<Secret>,
    /// How many connections to a MySQL server are kept at the most.
    #[arg(long, env = "DIRACX_DB_CONNECTIONS", default_value = "8", value_name = "COUNT")]
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
    /// Where to listen.
    #[command(flatten)]
    pub server: ServerArgs,
    /// What to log.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// The keys.
    #[command(flatten)]
    pub token: TokenArgs,
}

/// See [`Args`].
#[derive(Debug)]
pub struct Settings {
    /// The rules of logins.
    pub auth: AuthSettings,
    /// The database.
    pub db_url: DbUrl,
    /// Connections to it, on MySQL.
    pub db_connections: u32,
    /// Whether to create missing tables.
    pub db_migrate: bool,
    /// Where the config service is.
    pub config_service: ServerAddress,
    /// Where to listen.
    pub server: ServerSettings,
    /// What to log.
    pub telemetry: TelemetrySettings,
    /// The keys.
    pub token: TokenSettings,
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        const DB_URL: &str = "DIRACX_DB_URL_AUTHDB";
        let auth = self.auth.resolve(environment, problems);
        let db_url = self.db_url_authdb.filter(|url| !url.expose().trim().is_empty());
        let db_url = problems.required(DB_URL, db_url);
        // not with Problems::parse, which repeats the value: it may hold a password
        let db_url = db_url.and_then(|url| problems.check(DB_URL, url.expose().trim().parse()));
        let db_connections = problems.parse("DIRACX_DB_CONNECTIONS", &self.db_connections);
        let db_migrate = problems.boolean("DIRACX_DB_MIGRATE", &self.db_migrate);
        let config_service = problems.parse("DIRACX_CONFIG_SERVICE_URL", &self.config_service_url);
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        Some(Settings {
            auth: auth?,
            db_url: db_url?,
            db_connections: db_connections?,
            db_migrate: db_migrate?,
            config_service: config_service?,
            server: server?,
            telemetry: telemetry?,
            token: token?,
        })
    }
}
