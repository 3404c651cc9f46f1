//! Puts a service on a port: with health, reflection and numbers beside it, until it is told to stop.
//!
//! Stopping is a drain: health says not serving, new connections are refused, calls under way are
//! finished, and after a bounded time the process ends in any case.

use std::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};

use tokio::sync::watch;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::ServingStatus;
use tower::ServiceExt;

use crate::{Readiness, Stack, stack::RpcService, status};

/// Where and how to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// The address of the service; port 0 picks one.
    pub listen: SocketAddr,
    /// The address of `GET /metrics`, if wanted.
    pub metrics_listen: Option<SocketAddr>,
    /// How long calls under way may take to finish at shutdown.
    pub drain: Duration,
    /// Calls at the same time on one connection.
    pub max_streams: u32,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            metrics_listen: None,
            drain: Duration::from_secs(25),
            max_streams: 256,
        }
    }
}

/// A connection that does not answer a ping is closed: its client is gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// All headers of a request together; a token has less than 2 KiB.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// The name under which health answers "serving" as long as the process lives, whatever happens around
/// it. All other names follow [`Readiness`].
pub const LIVENESS: &str = "liveness";

/// Why serving ends badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The descriptor set cannot be offered by reflection.
    #[error("the descriptor set cannot be read")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("serving failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Ports that are taken, before anything is served on them.
#[derive(Debug)]
pub struct Bound {
    settings: ServeSettings,
    incoming: TcpIncoming,
    address: SocketAddr,
    metrics: Option<(tokio::net::TcpListener, SocketAddr)>,
}

impl ServeSettings {
    /// Takes the ports.
    pub async fn bind(&self) -> Result<Bound, ServeError> {
        let failed = |address| move |source| ServeError::Bind { address, source };
        // set on the listener's side here, because the builder's option does not reach own listeners:
        // without it every answer to a busy client waits for an acknowledgement
        let incoming = TcpIncoming::bind(self.listen).map_err(failed(self.listen))?.with_nodelay(Some(true));
        let address = incoming.local_addr().map_err(failed(self.listen))?;
        let metrics = match self.metrics_listen {
            None => None,
            Some(wanted) => {
                let listener = tokio::net::TcpListener::bind(wanted).await.map_err(failed(wanted))?;
                let address = listener.local_addr().map_err(failed(wanted))?;
                Some((listener, address))
            }
        };
        Ok(Bound { settings: self.clone(), incoming, address, metrics })
    }
}

impl Bound {
    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the numbers can be read.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` is ready and calls under way are finished, or the time for that is over.
    /// `service` is what [`Stack::layered`] made.
    pub async fn serve(
        self,
        service: RpcService,
        stack: &Stack,
        descriptor_set: &'static [u8],
        readiness: Readiness,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let metrics = self.metrics.map(|(listener, _)| {
            let router = stack.metrics.router();
            crate::spawn(async move { axum::serve(listener, router).await })
        });
        let (health, health_server) = tonic_health::server::health_reporter();
        let services = stack.access.services().to_vec();
        let reporting = crate::spawn(report_health(health, services, readiness.clone()));
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptor_set)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let routes = into_routes(service)
            .add_service(health_server)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        let (draining, mut drain_started) = watch::channel(false);
        let drained = async move {
            shutdown.await;
            tracing::info!("draining: finishing the calls under way");
            readiness.drain();
            // nobody listens only if serving has ended already
            let _ = draining.send(true);
        };
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(self.settings.max_streams)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
            .add_routes(routes)
            .serve_with_incoming_shutdown(self.incoming, drained);
        let out_of_time = async {
            // an error means that serving has ended
            if drain_started.wait_for(|started| *started).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.settings.drain).await;
        };
        let result = tokio::select! {
            result = serving => result.map_err(ServeError::from),
            () = out_of_time => {
                tracing::warn!("calls under way did not finish in time, ending without them");
                Ok(())
            }
        };
        reporting.abort();
        if let Some(metrics) = metrics {
            metrics.abort();
        }
        result
    }
}

/// A layered service as routes, so that health and reflection can stand beside it.
fn into_routes(service: RpcService) -> Routes {
    let service = tower::service_fn(move |request: axum::extract::Request| {
        let service = service.clone();
        async move {
            let answer = service.oneshot(request.map(tonic::body::Body::new)).await;
            Ok::<_, Infallible>(match answer {
                Ok(response) => response.map(axum::body::Body::new),
                Err(error) => status::internal(&error.to_string()).into_http(),
            })
        }
    });
    Routes::from(axum::Router::new().fallback_service(service))
}

async fn report_health(
    health: tonic_health::server::HealthReporter,
    services: Vec<String>,
    readiness: Readiness,
) {
    let mut changes = readiness.subscribe();
    health.set_service_status(LIVENESS, ServingStatus::Serving).await;
    loop {
        let ready = changes.borrow_and_update().is_ready();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status("", status).await;
        for service in &services {
            health.set_service_status(service, status).await;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Ready when the process is asked to end: SIGTERM, or ctrl-c at a terminal.
pub async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => tracing::info!("interrupted"),
        () = terminate => tracing::info!("asked to end"),
    }
}
