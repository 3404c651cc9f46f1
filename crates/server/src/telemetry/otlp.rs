//! Exporting traces, metrics and logs over OTLP/gRPC.
//!
//! The exporters work on threads of their own behind bounded queues: when the collector is away or
//! slow, what does not fit is dropped, and no request waits for it.

use std::time::Duration;

use opentelemetry::{KeyValue, logs::LoggerProvider, metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    logs::{SdkLogger, SdkLoggerProvider},
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{SdkTracer, SdkTracerProvider},
};
use tonic::{
    metadata::{MetadataKey, MetadataMap, MetadataValue},
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::metrics::Metrics;

/// How long an export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last one may take, when the process ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// How often metrics are sent, as in DiracX.
const METRICS_INTERVAL: Duration = Duration::from_secs(3);
/// Where collectors listen.
const DEFAULT_ENDPOINT: &str = "localhost:4317";

/// `DIRACX_OTEL_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtelSettings {
    /// Whether anything is exported.
    pub enabled: bool,
    /// `service.name` of the resource.
    pub application_name: String,
    /// The collector: `host:port` or a URL; empty means `localhost:4317`.
    pub endpoint: String,
    /// Whether to talk without TLS to an endpoint that is no URL.
    pub insecure: bool,
    /// Headers for the collector, such as a key.
    pub headers: Vec<(String, String)>,
}

impl Default for OtelSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            application_name: "diracx".to_owned(),
            endpoint: String::new(),
            insecure: true,
            headers: Vec::new(),
        }
    }
}

/// Why exporting cannot start. A collector that is away is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum OtelError {
    /// The endpoint is no address.
    #[error("the collector's address {0:?} cannot be used")]
    Endpoint(String, #[source] tonic::transport::Error),
    /// A header's name or value is no header.
    #[error("the header {0:?} for the collector cannot be used")]
    Header(String),
    /// An exporter cannot be made.
    #[error("the exporter cannot be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// The exporters that run.
#[derive(Debug)]
pub(super) struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
}

impl Exporters {
    /// Starts exporting. Must run inside the tokio runtime, which carries the connection.
    pub(super) fn start(settings: &OtelSettings, metrics: &Metrics) -> Result<Self, OtelError> {
        let channel = settings.channel()?;
        let metadata = settings.metadata()?;
        let host = std::env::var("HOSTNAME")
            .or_else(|_| std::fs::read_to_string("/etc/hostname"))
            .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned());
        let resource = Resource::builder()
            .with_service_name(settings.application_name.clone())
            .with_attribute(KeyValue::new("service.instance.id", host))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let spans = SpanExporter::builder()
            .with_tonic()
            .with_channel(channel.clone())
            .with_metadata(metadata.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let numbers = MetricExporter::builder()
            .with_tonic()
            .with_channel(channel.clone())
            .with_metadata(metadata.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let lines = LogExporter::builder()
            .with_tonic()
            .with_channel(channel)
            .with_metadata(metadata)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let reader = PeriodicReader::builder(numbers).with_interval(METRICS_INTERVAL).build();
        let exporters = Self {
            traces: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(spans)
                .build(),
            metrics: SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(reader).build(),
            logs: SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(lines).build(),
        };
        let meter = exporters.metrics.meter("diracx");
        let durations = meter.f64_histogram("rpc.server.duration").with_unit("s");
        metrics.export_to(durations.with_description("How long calls took.").build());
        Ok(exporters)
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.traces.tracer("diracx")
    }

    pub(super) fn logger(&self) -> SdkLogger {
        self.logs.logger("diracx")
    }

    /// Sends what is left, all three at once; what cannot be sent in that time is lost.
    pub(super) fn shutdown(self) {
        std::thread::scope(|threads| {
            threads.spawn(|| self.traces.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            threads.spawn(|| self.metrics.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            threads.spawn(|| self.logs.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        });
    }
}

impl OtelSettings {
    fn channel(&self) -> Result<Channel, OtelError> {
        let endpoint = if self.endpoint.is_empty() { DEFAULT_ENDPOINT } else { &self.endpoint };
        let url = match endpoint.split_once("://") {
            Some(_) => endpoint.to_owned(),
            None if self.insecure => format!("http://{endpoint}"),
            None => format!("https://{endpoint}"),
        };
        let wrong = |error| OtelError::Endpoint(endpoint.to_owned(), error);
        let mut target = Endpoint::from_shared(url.clone())
            .map_err(wrong)?
            .connect_timeout(EXPORT_TIMEOUT)
            .timeout(EXPORT_TIMEOUT);
        if url.starts_with("https://") {
            target = target.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(wrong)?;
        }
        Ok(target.connect_lazy())
    }

    fn metadata(&self) -> Result<MetadataMap, OtelError> {
        let mut metadata = MetadataMap::new();
        for (name, value) in &self.headers {
            let wrong = || OtelError::Header(name.clone());
            let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_| wrong())?;
            metadata.insert(key, MetadataValue::try_from(value).map_err(|_| wrong())?);
        }
        Ok(metadata)
    }
}
