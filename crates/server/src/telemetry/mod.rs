//! What the process tells about itself: logs, traces, metrics.
//!
//! Logs go to stderr, as text for a person at a terminal and as JSON otherwise. Traces, metrics and
//! logs also go to an OpenTelemetry collector if `DIRACX_OTEL_ENABLED` says so; one that is away costs
//! requests nothing, because exporters have their own threads and bounded queues. Numbers can be read
//! at `GET /metrics` in Prometheus' text format.

mod metrics;
mod otel_logs;
mod otlp;
mod propagate;
mod rpc;
mod subscriber;
mod trace_context;

pub use metrics::{Metrics, Series};
pub use otlp::{OtelError, OtelSettings};
pub use propagate::{Propagate, PropagateLayer, inject};
pub use rpc::{RpcTelemetry, RpcTelemetryLayer};
pub use subscriber::{LogFormat, LogSettings, TelemetryGuard, init};
pub use trace_context::{TRACEPARENT, TraceContext};
