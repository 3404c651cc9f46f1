//! gRPC and gRPC-Web: every call goes to the service that its path names, as it is.
//!
//! Nothing is decoded on the way, so that streams in both directions, deadlines, trailers and messages of
//! newer versions pass through. Who may call what is the business of the service.

mod health;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use diracx_client::AnyChannel;
use diracx_core::{Explanation, Reason};
use diracx_proto::{
    auth::v1::auth_service_server,
    config::v1::config_service_server,
    jobs::v1::{jobs_service_server, sandboxes_service_server},
    pilots::v1::pilots_service_server,
    rss::v1::resource_status_service_server,
};
use diracx_server::{status::from_explanation, telemetry::inject};
use futures::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri, Version,
    header::{CONTENT_TYPE, TE},
};
use tonic::{body::Body, service::Routes};
use tower::{Service, ServiceExt};

use crate::{context::Backends, health::Backend};

/// The health and reflection of the gateway itself, by the start of their paths.
const OWN: [&str; 2] = ["grpc.health.", "grpc.reflection."];
/// Rpcs whose streams last as long as their callers like.
const LASTING: [&str; 3] = [
    "/diracx.config.v1.ConfigService/WatchConfig",
    "/diracx.jobs.v1.JobsService/WatchJobs",
    "/diracx.rss.v1.ResourceStatusService/WatchResourceStatuses",
];
/// Headers about one connection, which is not the next one.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "host",
];
/// When to come back to a service that cannot be reached.
const RETRY: Duration = Duration::from_secs(2);

/// How a request wants to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// As an HTTP request of DiracX's interface.
    Rest,
    /// As gRPC, with trailers.
    Grpc,
    /// As gRPC for browsers, with trailers in the body.
    GrpcWeb,
}

impl Protocol {
    /// Told by the content type; only gRPC's own begin like that.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if method != Method::POST {
            Self::Rest
        } else if content_type.starts_with(b"application/grpc-web") {
            Self::GrpcWeb
        } else if content_type.starts_with(b"application/grpc") {
            Self::Grpc
        } else {
            Self::Rest
        }
    }
}

/// Why the gRPC side cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// The descriptors cannot be offered by reflection.
    #[error("the descriptor set cannot be read")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Hands calls on to the service that they name.
#[derive(Clone)]
pub(crate) struct GrpcRouter {
    services: Arc<HashMap<&'static str, Backend>>,
    own: Routes,
}

impl GrpcRouter {
    pub(crate) fn new(backends: &Backends) -> Result<Self, GrpcError> {
        let mut services = HashMap::from([
            (auth_service_server::SERVICE_NAME, backends.auth.clone()),
            (config_service_server::SERVICE_NAME, backends.config.clone()),
            (jobs_service_server::SERVICE_NAME, backends.jobs.clone()),
            (sandboxes_service_server::SERVICE_NAME, backends.jobs.clone()),
        ]);
        let pilots = backends.pilots.clone();
        services.extend(pilots.map(|pilots| (pilots_service_server::SERVICE_NAME, pilots)));
        services.extend(backends.rss.clone().map(|rss| (resource_status_service_server::SERVICE_NAME, rss)));
        let services = Arc::new(services);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(diracx_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let own = Routes::new(health::server(&services))
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .prepare();
        Ok(Self { services, own })
    }

    async fn route(self, mut request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if OWN.iter().any(|own| path.get(1..).is_some_and(|path| path.starts_with(own))) {
            let Ok(response) = self.own.oneshot(request).await;
            return response;
        }
        let service = path.split('/').nth(1).unwrap_or_default();
        let Some(backend) = self.services.get(service) else {
            return unknown_service(service);
        };
        let channel = if LASTING.contains(&path) { backend.streams() } else { backend.channel() };
        prepare(&mut request);
        forward(channel, request).await
    }
}

async fn forward(channel: AnyChannel, request: Request<Body>) -> Response<Body> {
    match channel.oneshot(request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "a service cannot be reached");
            let explanation = Explanation::unavailable(Reason::ServiceUnavailable).retry_after(RETRY);
            from_explanation(&explanation, "this part of the system cannot be reached, try again later")
                .into_http()
        }
    }
}

fn unknown_service(service: &str) -> Response<Body> {
    let explanation = Explanation::unimplemented(Reason::Unimplemented).with("service", service);
    from_explanation(&explanation, &format!("there is no service {service:?} here")).into_http()
}

/// Takes off what belongs to the caller's connection, and puts on our trace and what remains of our deadline.
fn prepare(request: &mut Request<Body>) {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
    request.extensions_mut().clear();
    let headers = request.headers_mut();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.insert(TE, HeaderValue::from_static("trailers"));
    inject(headers);
}

impl Service<Request<Body>> for GrpcRouter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let router = self.clone();
        Box::pin(async move { Ok(router.route(request).await) })
    }
}
