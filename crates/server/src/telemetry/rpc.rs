//! A span per rpc, its number, and its line in the log.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use tonic::Code;
use tower::{Layer, Service};
use tracing::Instrument;

use super::{
    metrics::{InFlight, Metrics, Series},
    trace_context::{TRACEPARENT, TraceContext},
};
use crate::{RpcRequest, RpcResponse, access::AccessTable};

/// Traces, counts and logs rpcs.
#[derive(Debug, Clone)]
pub struct RpcTelemetryLayer {
    metrics: Metrics,
    known: Arc<HashMap<String, Arc<Rpc>>>,
    unknown: Arc<Rpc>,
}

#[derive(Debug)]
struct Rpc {
    /// As in `jobs.set_job_statuses`.
    name: String,
    series: Arc<Series>,
}

impl RpcTelemetryLayer {
    /// A layer for the rpcs of this table; all others share one name, because callers choose theirs.
    pub fn new(metrics: Metrics, table: Arc<AccessTable>) -> Self {
        let rpc = |path: &str| {
            let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
            Arc::new(Rpc { name: span_name(service, method), series: metrics.series(service, method) })
        };
        let known = table.rules().map(|rule| (rule.path.clone(), rpc(&rule.path))).collect();
        let unknown = rpc("/unknown/unknown");
        Self { known: Arc::new(known), unknown, metrics }
    }
}

impl<S> Layer<S> for RpcTelemetryLayer {
    type Service = RpcTelemetry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RpcTelemetry { layer: self.clone(), inner }
    }
}

/// See [`RpcTelemetryLayer`].
#[derive(Debug, Clone)]
pub struct RpcTelemetry<S> {
    layer: RpcTelemetryLayer,
    inner: S,
}

impl<S> Service<RpcRequest> for RpcTelemetry<S>
where
    S: Service<RpcRequest, Response = RpcResponse, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = RpcResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<RpcResponse, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RpcRequest) -> Self::Future {
        let rpc = self.layer.known.get(request.uri().path()).unwrap_or(&self.layer.unknown).clone();
        let running = Running::start(&self.layer.metrics, &rpc);
        let span = tracing::info_span!(
            "rpc",
            otel.name = rpc.name,
            otel.kind = "server",
            rpc = rpc.name,
            trace_id = tracing::field::Empty
        );
        let context = TraceContext::of_span(&span, TraceContext::from_headers(request.headers()));
        span.record("trace_id", tracing::field::display(context.trace_id()));
        // the clone stays, the one that is ready goes
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let work = async move {
            let Ok(mut response) = inner.call(request).await;
            let code = code(&response);
            running.end(code);
            if code != Code::Ok {
                response.headers_mut().insert(TRACEPARENT, context.to_header());
            }
            Ok(response)
        };
        Box::pin(context.scope(work.instrument(span)))
    }
}

/// A call that is being worked on. If it is dropped before its end, its caller has hung up.
struct Running {
    metrics: Metrics,
    rpc: Arc<Rpc>,
    started: Instant,
    ended: bool,
    _in_flight: InFlight,
}

impl Running {
    fn start(metrics: &Metrics, rpc: &Arc<Rpc>) -> Self {
        Self {
            metrics: metrics.clone(),
            rpc: rpc.clone(),
            started: Instant::now(),
            ended: false,
            _in_flight: metrics.in_flight(),
        }
    }

    fn end(mut self, code: Code) {
        self.ended = true;
        self.note(code);
    }

    fn note(&self, code: Code) {
        let took = self.started.elapsed();
        self.metrics.observe(&self.rpc.series, code, took);
        log(&self.rpc.name, code, took);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.note(Code::Cancelled);
        }
    }
}

/// The code that an answer starts with. One that fails in the middle of a stream counts as good.
fn code(response: &RpcResponse) -> Code {
    response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

fn log(rpc: &str, code: Code, took: Duration) {
    let duration_ms = took.as_secs_f64() * 1e3;
    match code {
        Code::Ok => tracing::debug!(duration_ms, "{rpc} answered"),
        Code::Cancelled => tracing::debug!(duration_ms, "{rpc} not answered, the caller hung up"),
        Code::Internal | Code::Unknown | Code::DataLoss => {
            tracing::error!(duration_ms, code = ?code, "{rpc} failed");
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
            tracing::warn!(duration_ms, code = ?code, "{rpc} could not be served");
        }
        refused => tracing::info!(duration_ms, code = ?refused, "{rpc} refused"),
    }
}

/// `diracx.jobs.v1.JobsService` and `SetJobStatuses` make `jobs.set_job_statuses`.
fn span_name(service: &str, method: &str) -> String {
    let mut parts = service.split('.');
    let package = match (parts.next(), parts.next()) {
        (Some("diracx"), Some(package)) => package,
        (Some(first), _) => first,
        _ => "unknown",
    };
    let mut name = format!("{package}.");
    for (position, letter) in method.char_indices() {
        if letter.is_ascii_uppercase() && position > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_named_after_router_and_rpc() {
        assert_eq!(span_name("diracx.jobs.v1.JobsService", "SetJobStatuses"), "jobs.set_job_statuses");
        assert_eq!(span_name("gubbins.v1.Lollygag", "Do"), "gubbins.do");
    }
}
