//! What every request passes before anything else: CORS, the client's version, and which protocol it speaks.
//!
//! The order is DiracX's: a client that is too old learns that even on a path that does not exist, and a web
//! page can read that answer.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use diracx_server::{
    Deadline,
    deadline::DeadlinePassed,
    limits::Overloaded,
    telemetry::TraceContext,
    version_gate::{CLIENT_VERSION, VersionGate},
};
use futures::FutureExt;
use http::{HeaderValue, StatusCode};
use tokio::sync::Semaphore;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};
use tracing::Instrument;

use crate::{
    attempts::Attempts,
    cors::{Asking, Cors},
    counted::Counted,
    error::Refusal,
    grpc::{GrpcRouter, Protocol},
    render::internal_error,
    routes::sandbox_store::is_transfer,
    settings::GatewaySettings,
};

/// How long bytes of a sandbox may be on their way. Whoever sends them too slowly is sent away long before.
const LONGEST_TRANSFER: Duration = Duration::from_secs(2 * 3600);

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    attempts: Attempts,
    cors: Cors,
    gate: VersionGate,
    counted: Counted,
    rest: Router,
    places: Semaphore,
    settings: GatewaySettings,
    grpc: GrpcRouter,
}

impl Edge {
    pub(crate) fn new(
        gate: VersionGate,
        settings: &GatewaySettings,
        counted: Counted,
        rest: Router,
        grpc: GrpcRouter,
    ) -> Self {
        Self(Arc::new(Inner {
            attempts: Attempts::new(settings.trusted_proxies.clone()),
            cors: Cors::new(settings.cors_origins.iter().cloned()),
            gate,
            counted,
            rest,
            places: Semaphore::new(settings.max_concurrent_requests.min(Semaphore::MAX_PERMITS)),
            settings: settings.clone(),
            grpc,
        }))
    }

    /// One router for all protocols.
    pub(crate) fn into_router(self) -> Router {
        Router::new().fallback(enter).with_state(self)
    }
}

async fn enter(State(Edge(edge)): State<Edge>, request: Request) -> Response {
    if let Some(answer) = edge.cors.preflight(request.method(), request.headers()) {
        return answer;
    }
    let asking = Asking::of(request.headers());
    let protocol = Protocol::of(request.method(), request.headers());
    let mut response = match edge.attempts.begin(&request) {
        Err(too_many) => too_many.answer(protocol, request.headers()),
        Ok(attempt) => {
            let response = match protocol {
                Protocol::Rest => edge.rest(request).await,
                Protocol::Grpc => edge.grpc(request).await,
                Protocol::GrpcWeb => edge.grpc_web(request).await,
            };
            if let Some(attempt) = attempt {
                attempt.ended(&response);
            }
            response
        }
    };
    // What goes wrong by our fault tells web pages nothing, as in DiracX; and native gRPC is for no web page.
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR && protocol != Protocol::Grpc {
        edge.cors.decorate(&asking, response.headers_mut());
    }
    response
}

impl Inner {
    /// A REST request, in a span and a trace of its own.
    async fn rest(&self, request: Request) -> Response {
        let span = tracing::info_span!(
            "http",
            otel.kind = "server",
            method = %request.method(),
            path = request.uri().path(),
            trace_id = tracing::field::Empty
        );
        let context = TraceContext::of_span(&span, TraceContext::from_headers(request.headers()));
        span.record("trace_id", tracing::field::display(context.trace_id()));
        let work = async {
            let series = self.counted.series(request.method(), request.uri().path());
            let started = Instant::now();
            let response = self.guarded(request).await;
            let took = started.elapsed();
            self.counted.answered(&series, response.status(), took);
            let duration_ms = took.as_secs_f64() * 1e3;
            let status = response.status().as_u16();
            if response.status().is_server_error() {
                tracing::warn!(duration_ms, status, "request failed");
            } else {
                tracing::debug!(duration_ms, status, "request answered");
            }
            response
        };
        context.scope(work.instrument(span)).await
    }

    /// Version, then a place to work in, then a bounded time; a panic is one bad answer.
    async fn guarded(&self, request: Request) -> Response {
        let version = request.headers().get(CLIENT_VERSION).map(HeaderValue::as_bytes);
        if let Err(error) = self.gate.check(version) {
            return Refusal::explained(error).into_response();
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Refusal::explained(Overloaded).into_response();
        };
        let transfer = is_transfer(request.uri().path());
        let work = AssertUnwindSafe(self.rest.clone().oneshot(request)).catch_unwind();
        let longest = if transfer { LONGEST_TRANSFER } else { self.settings.request_timeout };
        match Deadline::after(longest).enforce(work).await {
            Some(Ok(Ok(response))) => response,
            Some(Err(_)) => {
                tracing::error!("a handler panicked");
                internal_error()
            }
            None => Refusal::explained(DeadlinePassed).into_response(),
        }
    }

    async fn grpc(&self, request: Request) -> Response {
        let Ok(response) = self.grpc.clone().oneshot(request.map(tonic::body::Body::new)).await;
        response.map(axum::body::Body::new)
    }

    async fn grpc_web(&self, request: Request) -> Response {
        let service = GrpcWebLayer::new().layer(self.grpc.clone());
        let Ok(response) = service.oneshot(request.map(tonic::body::Body::new)).await;
        response.map(axum::body::Body::new)
    }
}
