//! Whether the services behind the gateway can do their work: asked for at most once a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diracx_client::AnyChannel;
use diracx_server::Readiness;
use tokio::sync::Mutex;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(1);
/// How long a service may take to tell. A probe of Kubernetes waits five seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// A service behind the gateway.
#[derive(Clone)]
pub struct Backend {
    channel: AnyChannel,
    streams: Option<AnyChannel>,
    readiness: Option<Readiness>,
}

impl Backend {
    /// A service somewhere else. Whether it is ready is asked with `grpc.health.v1`.
    pub fn remote(channel: AnyChannel) -> Self {
        Self { channel, streams: None, readiness: None }
    }

    /// A service in this process, which knows itself whether it is ready.
    pub fn in_process(channel: AnyChannel, readiness: Readiness) -> Self {
        Self { channel, streams: None, readiness: Some(readiness) }
    }

    /// The same service, reached on another connection by streams that last: they do not take the places of calls.
    #[must_use]
    pub fn with_streams(self, channel: AnyChannel) -> Self {
        Self { streams: Some(channel), ..self }
    }

    /// The way to the service for streams that last.
    pub(crate) fn streams(&self) -> AnyChannel {
        self.streams.as_ref().unwrap_or(&self.channel).clone()
    }

    /// The way to the service.
    pub(crate) fn channel(&self) -> AnyChannel {
        self.channel.clone()
    }

    async fn ask(&self) -> bool {
        if let Some(readiness) = &self.readiness {
            return readiness.is_ready();
        }
        let mut client = HealthClient::new(self.channel.clone());
        let asked = client.check(HealthCheckRequest { service: String::new() });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer.into_inner().status() == ServingStatus::Serving,
            Ok(Err(status)) => {
                tracing::debug!(error = %status, "a service does not tell whether it is ready");
                false
            }
            Err(_) => false,
        }
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("in_process", &self.readiness.is_some()).finish()
    }
}

/// Remembers for a second what a service said. Clones share what they remember.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    backend: Backend,
    last: Arc<Mutex<Heard>>,
}

/// What was heard of a service.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    last: Option<(Instant, bool)>,
    /// When it was last ready.
    ready: Option<Instant>,
}

impl Pulse {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, last: Arc::default() }
    }

    /// Whether the service is ready. However many ask at once, the service is asked once.
    pub(crate) async fn is_ready(&self) -> bool {
        self.was_ready_within(Duration::ZERO).await
    }

    /// Whether the service is ready, or was so lately.
    pub(crate) async fn was_ready_within(&self, span: Duration) -> bool {
        let mut heard = self.last.lock().await;
        let ready = match heard.last {
            Some((at, ready)) if at.elapsed() < FRESH => ready,
            _ => {
                let ready = self.backend.ask().await;
                let now = Instant::now();
                heard.last = Some((now, ready));
                if ready {
                    heard.ready = Some(now);
                }
                ready
            }
        };
        ready || heard.ready.is_some_and(|at| at.elapsed() < span)
    }
}
