//! Sets up logging and exporting, once per process.

use std::{io::IsTerminal, str::FromStr};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::FilterFn, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::{
    metrics::Metrics,
    otel_logs::OtelLogs,
    otlp::{Exporters, OtelError, OtelSettings},
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("must be auto, text or json, not {other:?}")),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Directives such as `info,diracx_jobs=debug`.
    pub filter: String,
    /// How the lines look.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// Keeps the exporters. Dropping it (or [`TelemetryGuard::shutdown`]) sends what is left, for a
/// few seconds at most.
#[derive(Debug, Default)]
#[must_use = "exporting ends when this is dropped"]
pub struct TelemetryGuard {
    exporters: Option<Exporters>,
}

impl TelemetryGuard {
    /// Sends what is left. Blocks for a few seconds at most.
    pub fn shutdown(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(exporters) = self.exporters.take() {
            exporters.shutdown();
        }
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Sets up logging, and exporting if asked for. Call it once, inside the tokio runtime.
pub fn init(log: &LogSettings, otel: &OtelSettings, metrics: &Metrics) -> Result<TelemetryGuard, OtelError> {
    let exporters = otel.enabled.then(|| Exporters::start(otel, metrics)).transpose()?;
    let json = match log.format {
        LogFormat::Text => false,
        LogFormat::Json => true,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true);
        Box::new(layer.with_span_list(false).with_writer(std::io::stderr).with_filter(filter(log)))
    } else {
        let layer = tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal());
        Box::new(layer.with_writer(std::io::stderr).with_filter(filter(log)))
    };
    let traces = exporters.as_ref().map(|exporters| {
        tracing_opentelemetry::layer().with_tracer(exporters.tracer()).with_filter(FilterFn::new(is_ours))
    });
    let logs = exporters
        .as_ref()
        .map(|exporters| OtelLogs::new(exporters.logger()).with_filter(FilterFn::new(is_ours)));
    // fails if the process (a test) has a subscriber already, which then stays
    let _ = tracing_subscriber::registry().with(lines).with(traces).with(logs).try_init();
    log_panics();
    Ok(TelemetryGuard { exporters })
}

fn filter(log: &LogSettings) -> EnvFilter {
    // directives that make no sense are left out, and said so on stderr
    EnvFilter::builder().parse_lossy(&log.filter)
}

/// What the exporters themselves say must not be exported, or it would go round for ever.
fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    let foreign = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry", "rustls"];
    let target = metadata.target();
    let crate_name = target.split("::").next().unwrap_or(target);
    *metadata.level() <= tracing::Level::INFO
        && !foreign
            .iter()
            .any(|name| crate_name == *name || (*name == "opentelemetry" && crate_name.starts_with(name)))
}

/// A panic is a line in the log like any other error, with its place.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("panic without text");
        let backtrace = std::backtrace::Backtrace::capture().to_string();
        tracing::error!(place, backtrace, "panic: {text}");
    }));
}
