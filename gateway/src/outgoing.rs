//! What every call to a service carries besides its message: the deadline and the trace.

use std::time::Duration;

use diracx_server::{Deadline, telemetry::inject};
use http::HeaderMap;
use tonic::{Extensions, Request, metadata::MetadataMap};

/// How long a service may take when the request has no deadline of its own.
const DEFAULT: Duration = Duration::from_secs(30);

/// A call to a service, within the deadline and the trace of the request at hand.
pub(crate) fn outgoing<T>(message: T) -> Request<T> {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    let mut request = Request::from_parts(MetadataMap::from_headers(headers), Extensions::new(), message);
    if Deadline::current().is_none() {
        request.set_timeout(DEFAULT);
    }
    request
}
