//! What the gateway is told at start: by its arguments, its environment, or the process that it is part of.

use std::time::Duration;

use diracx_server::settings::{Environment, Problems, Resolve};
use http::HeaderValue;

use crate::{
    cors::DEFAULT_ORIGINS,
    proxies::{DEFAULT_PROXIES, TrustedProxies},
};

/// How the gateway treats its callers.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Gateway")]
pub struct GatewayArgs {
    /// Web pages that may read answers, by origin, separated by commas.
    #[arg(long, env = "DIRACX_GATEWAY_CORS_ORIGINS", default_value = DEFAULT_ORIGINS, value_name = "ORIGINS")]
    pub cors_origins: String,
    /// Largest body of a REST request, in bytes.
    #[arg(long, env = "DIRACX_GATEWAY_MAX_BODY_BYTES", default_value = "8388608", value_name = "BYTES")]
    pub max_body_bytes: String,
    /// How long the body of a REST request may take to arrive, in seconds.
    #[arg(long, env = "DIRACX_GATEWAY_BODY_TIMEOUT_SECONDS", default_value = "30", value_name = "SECONDS")]
    pub body_timeout_seconds: String,
    /// How long a REST request may take as a whole, in seconds.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_REQUEST_TIMEOUT_SECONDS",
        default_value = "60",
        value_name = "SECONDS"
    )]
    pub request_timeout_seconds: String,
    /// How many REST requests are worked on at the same time; more are turned away.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_MAX_CONCURRENT_REQUESTS",
        default_value = "1024",
        value_name = "COUNT"
    )]
    pub max_concurrent_requests: String,
    /// How many connections there are at the same time; more wait until one ends.
    #[arg(long, env = "DIRACX_GATEWAY_MAX_CONNECTIONS", default_value = "10000", value_name = "COUNT")]
    pub max_connections: String,
    /// The networks of the proxies in front of the gateway, separated by commas; empty if there is none. What these
    /// tell with X-Forwarded-For is believed, and tells whose logins are counted; give the addresses of your proxies
    /// if they are public, or if clients are in these networks too.
    #[arg(
        long,
        env = "DIRACX_GATEWAY_TRUSTED_PROXIES",
        default_value = DEFAULT_PROXIES,
        value_name = "NETWORKS"
    )]
    pub trusted_proxies: String,
    /// Whether there are resource statuses: /api/rss, and the service behind it.
    #[arg(long, env = "DIRACX_SERVICE_RSS_ENABLED", default_value = "true", value_name = "BOOL")]
    pub rss_enabled: String,
}

/// See [`GatewayArgs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Web pages that may read answers, by origin.
    pub cors_origins: Vec<HeaderValue>,
    /// The largest body of a REST request, in bytes.
    pub max_body_bytes: usize,
    /// How long the body of a REST request may take to arrive.
    pub body_timeout: Duration,
    /// How long a REST request may take as a whole.
    pub request_timeout: Duration,
    /// REST requests that are worked on at the same time.
    pub max_concurrent_requests: usize,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Which proxies are believed when they tell for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// Whether there are resource statuses.
    pub rss_enabled: bool,
    /// How long requests under way may take to finish when the process is asked to end.
    pub drain: Duration,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            cors_origins: DEFAULT_ORIGINS.split(',').map(HeaderValue::from_static).collect(),
            max_body_bytes: 8 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            max_concurrent_requests: 1024,
            max_connections: 10_000,
            trusted_proxies: TrustedProxies::default(),
            rss_enabled: true,
            drain: Duration::from_secs(25),
        }
    }
}

impl Resolve for GatewayArgs {
    type Settings = GatewaySettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<GatewaySettings> {
        let cors_origins = origins(problems, &self.cors_origins);
        let max_body_bytes = count(problems, "DIRACX_GATEWAY_MAX_BODY_BYTES", &self.max_body_bytes);
        let body_timeout =
            problems.seconds("DIRACX_GATEWAY_BODY_TIMEOUT_SECONDS", &self.body_timeout_seconds);
        let request_timeout =
            problems.seconds("DIRACX_GATEWAY_REQUEST_TIMEOUT_SECONDS", &self.request_timeout_seconds);
        let requests =
            count(problems, "DIRACX_GATEWAY_MAX_CONCURRENT_REQUESTS", &self.max_concurrent_requests);
        let connections = count(problems, "DIRACX_GATEWAY_MAX_CONNECTIONS", &self.max_connections);
        let trusted_proxies = problems.parse("DIRACX_GATEWAY_TRUSTED_PROXIES", &self.trusted_proxies);
        let rss_enabled = problems.boolean("DIRACX_SERVICE_RSS_ENABLED", &self.rss_enabled);
        Some(GatewaySettings {
            cors_origins: cors_origins?,
            max_body_bytes: max_body_bytes?,
            body_timeout: body_timeout?,
            request_timeout: request_timeout?,
            max_concurrent_requests: requests?,
            max_connections: connections?,
            trusted_proxies: trusted_proxies?,
            rss_enabled: rss_enabled?,
            drain: GatewaySettings::default().drain,
        })
    }
}

fn origins(problems: &mut Problems, raw: &str) -> Option<Vec<HeaderValue>> {
    let texts = raw.split(',').map(str::trim).filter(|text| !text.is_empty());
    let parsed: Result<Vec<HeaderValue>, String> = texts.map(origin).collect();
    parsed.map_err(|problem| problems.note("DIRACX_GATEWAY_CORS_ORIGINS", problem)).ok()
}

/// Scheme, host and port as browsers send them: without a path, not even a slash.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match HeaderValue::from_str(text) {
        Ok(value) if host.is_some_and(|host| !host.is_empty() && !host.contains('/')) => Ok(value),
        _ => Err(format!("must be origins such as https://diracx.example.org, not {text:?}")),
    }
}

fn count(problems: &mut Problems, name: &str, raw: &str) -> Option<usize> {
    let number: usize = problems.parse(name, raw)?;
    if number == 0 {
        problems.note(name, "must be more than 0");
    }
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Process {
        #[command(flatten)]
        gateway: GatewayArgs,
    }

    fn resolve(arguments: &[&str]) -> (Option<GatewaySettings>, Vec<String>) {
        let arguments = ["gateway"].iter().chain(arguments);
        let parsed = Process::try_parse_from(arguments).unwrap().gateway;
        let mut problems = Problems::default();
        let settings = parsed.resolve(&Environment::default(), &mut problems);
        (settings, problems.all().to_vec())
    }

    #[test]
    fn the_defaults_of_the_command_line_are_those_of_the_struct() {
        assert_eq!(resolve(&[]), (Some(GatewaySettings::default()), Vec::new()));
    }

    #[test]
    fn every_problem_is_told() {
        let (settings, problems) = resolve(&[
            "--cors-origins=https://ok.example,https://bad.example/",
            "--max-body-bytes=0",
            "--body-timeout-seconds=-1",
            "--trusted-proxies=10.0.0.0/8,10.0.0.0/33",
        ]);
        assert_eq!((settings, problems.len()), (None, 4), "{problems:?}");
    }
}
