//! Bodies of REST requests, on their whole way through the gateway.

use std::sync::OnceLock;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use diracx_client::AnyChannel;
use diracx_gateway::{Backend, Backends, Gateway, GatewaySettings};
use diracx_server::{Readiness, telemetry::Metrics, version_gate::VersionGate};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tonic::Status;
use tower::{ServiceExt as _, service_fn};

use super::tokens::{Signer, claims, header};

/// A body of a search and of a summary.
pub fn search(data: &[u8]) {
    send("POST", &["/api/jobs/search", "/api/jobs/summary"], data);
}

/// A body of status updates.
pub fn status(data: &[u8]) {
    send("PATCH", &["/api/jobs/status", "/api/jobs/status?force=yes"], data);
}

/// A body of heartbeats.
pub fn heartbeat(data: &[u8]) {
    send("PATCH", &["/api/jobs/heartbeat"], data);
}

/// A body of attributes and parameters.
pub fn metadata(data: &[u8]) {
    send("PATCH", &["/api/jobs/metadata"], data);
}

/// Sends a body: it is turned away with the reasons, or reaches the jobs service, which is not there.
fn send(method: &str, paths: &[&str], data: &[u8]) {
    static PLACE: OnceLock<(Runtime, Router, String)> = OnceLock::new();
    let (runtime, router, token) = PLACE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let router = runtime.block_on(async { gateway() });
        (runtime, router, Signer::get().sign(&header(), claims().to_string().as_bytes()))
    });
    for path in paths {
        let request = Request::builder()
            .method(method)
            .uri(*path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(data.to_vec()))
            .expect("a request");
        let (status, body) = runtime.block_on(async {
            let answer = router.clone().oneshot(request).await.expect("an answer");
            let (head, body) = answer.into_parts();
            (head.status, to_bytes(body, usize::MAX).await.expect("a body"))
        });
        let about = format!("{path}: {status} {}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body).expect(&about);
        assert!(!body["detail"].is_null(), "{about}");
        let expected = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::NOT_IMPLEMENTED,
        ];
        assert!(expected.contains(&status), "{about}");
    }
}

fn gateway() -> Router {
    let nobody = || {
        let channel = AnyChannel::new(service_fn(async |_: Request<tonic::body::Body>| {
            Ok(Status::unimplemented("nobody is here").into_http())
        }));
        Backend::in_process(channel, Readiness::default())
    };
    let gateway = Gateway {
        backends: Backends {
            auth: nobody(),
            config: nobody(),
            jobs: nobody(),
            pilots: Some(nobody()),
            rss: Some(nobody()),
        },
        verifier: Signer::get().verifier.clone(),
        gate: VersionGate::new("0.0.1a1".parse().expect("a version")),
        settings: GatewaySettings::default(),
        metrics: Metrics::default(),
        extra: Router::new(),
    };
    gateway.into_router().expect("a router")
}
