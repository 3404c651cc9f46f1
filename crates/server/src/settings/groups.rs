//! The groups of settings that several processes share.

use std::net::SocketAddr;

use diracx_core::Version;

use super::{Environment, Problems, Resolve, Secret};
use crate::{
    limits::Limits,
    serve::ServeSettings,
    telemetry::{LogSettings, OtelSettings},
    version_gate::{DEFAULT_MINIMUM, VersionGate},
};

/// Where a service listens, whom it serves, and how much it takes on.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Address and port of the gRPC service.
    #[arg(long, env = "DIRACX_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDRESS")]
    pub listen: String,
    /// Address and port of `GET /metrics`, for Prometheus; none unless given.
    #[arg(long, env = "DIRACX_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// How many calls are worked on at the same time; more are turned away.
    #[arg(long, env = "DIRACX_MAX_CONCURRENT_CALLS", default_value = "1024", value_name = "COUNT")]
    pub max_concurrent_calls: String,
    /// Largest request message, in bytes.
    #[arg(long, env = "DIRACX_MAX_REQUEST_BYTES", default_value = "16777216", value_name = "BYTES")]
    pub max_request_bytes: String,
    /// Largest answer message, in bytes.
    #[arg(long, env = "DIRACX_MAX_RESPONSE_BYTES", default_value = "67108864", value_name = "BYTES")]
    pub max_response_bytes: String,
    /// How long a call may take whose caller says nothing, in seconds.
    #[arg(long, env = "DIRACX_DEFAULT_DEADLINE_SECONDS", default_value = "30", value_name = "SECONDS")]
    pub default_deadline_seconds: String,
    /// How long any call may take that does not stream, in seconds.
    #[arg(long, env = "DIRACX_MAX_DEADLINE_SECONDS", default_value = "120", value_name = "SECONDS")]
    pub max_deadline_seconds: String,
    /// How long calls under way may take to finish when the process is asked to end, in seconds.
    #[arg(long, env = "DIRACX_DRAIN_SECONDS", default_value = "25", value_name = "SECONDS")]
    pub drain_seconds: String,
    /// The oldest client version that is served (PEP 440).
    #[arg(long, env = "DIRACX_MIN_CLIENT_VERSION", default_value = DEFAULT_MINIMUM, value_name = "VERSION")]
    pub min_client_version: String,
}

/// See [`ServerArgs`].
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen.
    pub serve: ServeSettings,
    /// How much to take on.
    pub limits: Limits,
    /// Which clients to serve.
    pub gate: VersionGate,
}

impl Resolve for ServerArgs {
    type Settings = ServerSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<ServerSettings> {
        let listen = address(problems, "DIRACX_LISTEN", &self.listen);
        let metrics_listen = match self.metrics_listen.as_deref() {
            None | Some("") => Some(None),
            Some(raw) => address(problems, "DIRACX_METRICS_LISTEN", raw).map(Some),
        };
        let concurrency = positive(problems, "DIRACX_MAX_CONCURRENT_CALLS", &self.max_concurrent_calls);
        let max_request_bytes = positive(problems, "DIRACX_MAX_REQUEST_BYTES", &self.max_request_bytes);
        let max_response_bytes = positive(problems, "DIRACX_MAX_RESPONSE_BYTES", &self.max_response_bytes);
        let default_deadline =
            problems.seconds("DIRACX_DEFAULT_DEADLINE_SECONDS", &self.default_deadline_seconds);
        let max_deadline = problems.seconds("DIRACX_MAX_DEADLINE_SECONDS", &self.max_deadline_seconds);
        let drain = problems.seconds("DIRACX_DRAIN_SECONDS", &self.drain_seconds);
        let minimum: Option<Version> = problems.parse("DIRACX_MIN_CLIENT_VERSION", &self.min_client_version);
        let serve = ServeSettings {
            listen: listen?,
            metrics_listen: metrics_listen?,
            drain: drain?,
            ..ServeSettings::default()
        };
        let limits = Limits {
            concurrency: concurrency?,
            max_request_bytes: max_request_bytes?,
            max_response_bytes: max_response_bytes?,
            default_deadline: default_deadline?,
            max_deadline: max_deadline?,
        };
        Some(ServerSettings { serve, limits, gate: VersionGate::new(minimum?) })
    }
}

/// What a process tells about itself, and to whom.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// What is logged, such as `info,diracx_jobs=debug`. RUST_LOG counts if this is not given.
    #[arg(long = "log", env = "DIRACX_LOG", value_name = "DIRECTIVES")]
    pub log: Option<String>,
    /// How log lines look: text, json, or auto (text on a terminal, else json).
    #[arg(long, env = "DIRACX_LOG_FORMAT", default_value = "auto", value_name = "FORMAT")]
    pub log_format: String,
    /// Whether traces, metrics and logs go to a collector of OpenTelemetry.
    #[arg(
        long,
        env = "DIRACX_OTEL_ENABLED",
        default_value = "false",
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub otel_enabled: String,
    /// The name under which the collector files what this process sends.
    #[arg(long, env = "DIRACX_OTEL_APPLICATION_NAME", default_value = "diracx", value_name = "NAME")]
    pub otel_application_name: String,
    /// The collector's gRPC address; localhost:4317 unless given.
    #[arg(long, env = "DIRACX_OTEL_GRPC_ENDPOINT", default_value = "", value_name = "ADDRESS")]
    pub otel_grpc_endpoint: String,
    /// Whether to talk to the collector without TLS.
    #[arg(
        long,
        env = "DIRACX_OTEL_GRPC_INSECURE",
        default_value = "true",
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub otel_grpc_insecure: String,
    /// Headers for the collector, as a JSON object.
    #[arg(long, env = "DIRACX_OTEL_HEADERS", hide_env_values = true, value_name = "JSON")]
    pub otel_headers: Option<Secret>,
}

/// See [`TelemetryArgs`].
#[derive(Debug, Clone, Default)]
pub struct TelemetrySettings {
    /// What is logged.
    pub log: LogSettings,
    /// What is exported.
    pub otel: OtelSettings,
}

impl Resolve for TelemetryArgs {
    type Settings = TelemetrySettings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<TelemetrySettings> {
        let filter = self.log.as_deref().or_else(|| environment.get("RUST_LOG")).unwrap_or("info").to_owned();
        let format = problems.parse("DIRACX_LOG_FORMAT", &self.log_format);
        let enabled = problems.boolean("DIRACX_OTEL_ENABLED", &self.otel_enabled);
        let insecure = problems.boolean("DIRACX_OTEL_GRPC_INSECURE", &self.otel_grpc_insecure);
        let headers = match self.otel_headers.as_ref().map(Secret::expose) {
            None | Some("" | "null") => Some(std::collections::BTreeMap::<String, String>::new()),
            Some(raw) => problems.json("DIRACX_OTEL_HEADERS", raw),
        };
        Some(TelemetrySettings {
            log: LogSettings { filter, format: format? },
            otel: OtelSettings {
                enabled: enabled?,
                application_name: self.otel_application_name,
                endpoint: self.otel_grpc_endpoint,
                insecure: insecure?,
                headers: headers?.into_iter().collect(),
            },
        })
    }
}

fn address(problems: &mut Problems, name: &str, raw: &str) -> Option<SocketAddr> {
    let parsed = raw.trim().parse().ok();
    if parsed.is_none() {
        problems.note(name, format_args!("must be address:port, such as 127.0.0.1:8000, not {raw:?}"));
    }
    parsed
}

fn positive(problems: &mut Problems, name: &str, raw: &str) -> Option<usize> {
    let number: usize = problems.parse(name, raw)?;
    if number == 0 {
        problems.note(name, "must be more than 0");
    }
    (number > 0).then_some(number)
}
