//! Outgoing calls take the trace and what remains of the deadline with them.

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue};
use tower::{Layer, Service};

use super::trace_context::{TRACEPARENT, TraceContext};
use crate::deadline::{Deadline, GRPC_TIMEOUT};

/// Puts `traceparent` and `grpc-timeout` of the current call into the headers of an outgoing one.
/// A timeout that is there already stays if it is shorter.
pub fn inject(headers: &mut HeaderMap<HeaderValue>) {
    if let Some(context) = TraceContext::current() {
        headers.insert(TRACEPARENT, context.to_header());
    }
    if let Some(deadline) = Deadline::current() {
        let sooner = crate::deadline::requested_timeout(headers)
            .is_some_and(|requested| requested <= deadline.remaining());
        if !sooner {
            headers.insert(GRPC_TIMEOUT, deadline.to_grpc_timeout());
        }
    }
}

/// Wraps a channel so that its calls go through [`inject`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PropagateLayer;

impl<S> Layer<S> for PropagateLayer {
    type Service = Propagate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Propagate { inner }
    }
}

/// See [`PropagateLayer`].
#[derive(Debug, Clone)]
pub struct Propagate<S> {
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Propagate<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> S::Future {
        inject(request.headers_mut());
        self.inner.call(request)
    }
}
