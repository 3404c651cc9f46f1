//! The settings of the `diracx-config` process.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use diracx_client::{MAX_ANSWER_BYTES, ServerAddress};
use diracx_core::Clock;
use diracx_cs::{ConfigSource, FetchSettings, SourceError, SourceUrl};
use diracx_server::settings::{
    Environment, Problems, Resolve, Secret, ServerArgs, ServerSettings, TelemetryArgs, TelemetrySettings,
    TrustArgs, TrustSettings,
};

use crate::{
    keeper::{ConfigKeeper, Refresh},
    kept::Kept,
};

/// Serves the DIRAC configuration from a git repository or a file.
#[derive(Debug, clap::Parser)]
#[command(name = "diracx-config", version)]
pub struct Args {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: SourceArgs,
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

/// Where the configuration comes from.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct SourceArgs {
    /// The source: git+file:///path, git+https://host/path or git+ssh://git@host/path (all with ?revision=,
    /// default master), or a YAML file as file:///path/default.yml or as a plain path. Required.
    #[arg(long, env = "DIRACX_CONFIG_BACKEND_URL", hide_env_values = true, value_name = "URL")]
    pub config_backend_url: Option<Secret>,
    /// How often to look for a newer configuration, in seconds.
    #[arg(long, env = "DIRACX_CONFIG_REFRESH_SECONDS", default_value = "5", value_name = "SECONDS")]
    pub config_refresh_seconds: String,
    /// After how many seconds a configuration that the source does not confirm counts as stale. It is still
    /// served; the log and the metric diracx_config_stale tell.
    #[arg(long, env = "DIRACX_CONFIG_STALE_SECONDS", default_value = "3600", value_name = "SECONDS")]
    pub config_stale_seconds: String,
    /// How long a fetch from a remote repository may take, in seconds.
    #[arg(long, env = "DIRACX_CONFIG_FETCH_SECONDS", default_value = "60", value_name = "SECONDS")]
    pub config_fetch_seconds: String,
    /// A directory in which the last good configuration is kept. A process that starts while the source is away
    /// serves what is there, until the source answers. Without one it has nothing to serve.
    #[arg(long, env = "DIRACX_CONFIG_CACHE_DIRECTORY", value_name = "DIRECTORY")]
    pub config_cache_directory: Option<PathBuf>,
    /// How git+ssh starts ssh; with BatchMode and timeouts unless given. Keys and known hosts are those of
    /// ssh itself (HOME, SSH_AUTH_SOCK).
    #[arg(long, env = "GIT_SSH_COMMAND", value_name = "COMMAND")]
    pub config_ssh_command: Option<String>,
}

/// See [`SourceArgs`].
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The source, perhaps with a password in it.
    pub url: Secret,
    /// How often to look, and how long to go without an answer.
    pub refresh: Refresh,
    /// How to ask a remote repository.
    pub fetch: FetchSettings,
    /// Where to keep the last good configuration.
    pub cache: Option<PathBuf>,
}

/// Why the source cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It is wrong, or not there.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Nothing can be kept where the settings say.
    #[error("DIRACX_CONFIG_CACHE_DIRECTORY: {} cannot be used: {reason}", directory.display())]
    Cache {
        /// The directory.
        directory: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl SourceSettings {
    /// Begins to follow the source; messages of at most so many bytes can be sent. Must be called within a runtime.
    pub fn follow(&self, clock: Arc<dyn Clock>, most_bytes: usize) -> Result<ConfigKeeper, FollowError> {
        let refresh = Refresh { most_bytes, ..self.refresh };
        let source = || ConfigSource::open_with(self.url.expose(), self.fetch.clone());
        let Some(directory) = &self.cache else { return Ok(ConfigKeeper::begin(source()?, clock, refresh)) };
        let unusable = |reason| FollowError::Cache { directory: directory.clone(), reason };
        let away = ConfigSource::expect(self.url.expose(), self.fetch.clone())?;
        let kept = Kept::open(directory, away.url()).map_err(unusable)?;
        // A source that is not there is a mistake in the settings, unless it was there before.
        let source = if kept.path().exists() { away } else { source()? };
        Ok(ConfigKeeper::begin_keeping(source, clock, refresh, kept))
    }
}

/// See [`Args`].
#[derive(Debug)]
pub struct Settings {
    /// Where the configuration comes from.
    pub source: SourceSettings,
    /// Where the auth service is.
    pub auth_service: ServerAddress,
    /// Where to listen.
    pub server: ServerSettings,
    /// What to log.
    pub telemetry: TelemetrySettings,
    /// Whose tokens to believe.
    pub token: TrustSettings,
}

impl Resolve for SourceArgs {
    type Settings = SourceSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<SourceSettings> {
        const URL: &str = "DIRACX_CONFIG_BACKEND_URL";
        let given = self.config_backend_url.filter(|url| !url.expose().trim().is_empty());
        let url = problems.required(URL, given).filter(|url| {
            // The URL is not repeated: it may hold a password.
            url.expose().parse::<SourceUrl>().map_err(|error| problems.note(URL, error)).is_ok()
        });
        let every = problems.seconds("DIRACX_CONFIG_REFRESH_SECONDS", &self.config_refresh_seconds);
        let every = every.map(|every| every.max(Duration::from_millis(100)));
        let stale_after = problems.seconds("DIRACX_CONFIG_STALE_SECONDS", &self.config_stale_seconds);
        let timeout = problems.seconds("DIRACX_CONFIG_FETCH_SECONDS", &self.config_fetch_seconds);
        let ssh_command = self.config_ssh_command.filter(|command| !command.trim().is_empty());
        Some(SourceSettings {
            url: url?,
            refresh: Refresh { every: every?, stale_after: stale_after?, most_bytes: MAX_ANSWER_BYTES },
            fetch: FetchSettings { timeout: timeout?, ssh_command, ..FetchSettings::default() },
            cache: self.config_cache_directory.filter(|directory| !directory.as_os_str().is_empty()),
        })
    }
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        let source = self.source.resolve(environment, problems);
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        let auth_service = problems.parse("DIRACX_AUTH_SERVICE_URL", &self.auth_service_url);
        Some(Settings {
            source: source?,
            auth_service: auth_service?,
            server: server?,
            telemetry: telemetry?,
            token: token?,
        })
    }
}
