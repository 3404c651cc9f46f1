//! Log lines for the collector of OpenTelemetry.

use std::fmt::Debug;

use opentelemetry::{
    Key,
    logs::{AnyValue, LogRecord, Logger, Severity},
};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::trace_context::TraceContext;

/// Sends events to a logger of OpenTelemetry, with the trace they happened in.
pub(super) struct OtelLogs {
    logger: SdkLogger,
}

impl OtelLogs {
    pub(super) fn new(logger: SdkLogger) -> Self {
        Self { logger }
    }
}

impl<S: Subscriber> Layer<S> for OtelLogs {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut record = self.logger.create_log_record();
        let level = event.metadata().level();
        record.set_target(event.metadata().target());
        record.set_severity_text(level.as_str());
        record.set_severity_number(match *level {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        });
        if let Some(context) = TraceContext::current() {
            let context = context.to_otel();
            record.set_trace_context(context.trace_id(), context.span_id(), Some(context.trace_flags()));
        }
        event.record(&mut Fields(&mut record));
        self.logger.emit(record);
    }
}

/// Copies the fields of an event; the one called `message` becomes the body.
struct Fields<'a, R>(&'a mut R);

impl<R: LogRecord> Fields<'_, R> {
    fn set(&mut self, field: &Field, value: AnyValue) {
        if field.name() == "message" {
            self.0.set_body(value);
        } else {
            self.0.add_attribute(Key::from_static_str(field.name()), value);
        }
    }
}

impl<R: LogRecord> Visit for Fields<'_, R> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, AnyValue::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, AnyValue::from(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, AnyValue::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, AnyValue::from(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, AnyValue::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, AnyValue::from(value));
    }
}
