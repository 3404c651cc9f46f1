//! What every call to a service carries besides its message: the deadline and the trace.

use std::time::Duration;

use diracx_server::{deadline::Deadline, telemetry::TraceContext};
use tonic::{Request, metadata::MetadataValue};

/// How long a service may take when the request has no deadline of its own.
const DEFAULT: Duration = Duration::from_secs(30);

/// A call to a service.
pub(crate) fn outgoing<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Deadline::time_left().unwrap_or(DEFAULT));
    let trace = TraceContext::current().map(|context| context.to_traceparent());
    if let Some(trace) = trace.and_then(|text| MetadataValue::try_from(text).ok()) {
        request.metadata_mut().insert("traceparent", trace);
    }
    request
}
