//! What every handler works with: the services behind the gateway, who may call, and how much.

use std::{ops::Deref, sync::Arc};

use axum::body::Body;
use diracx_client::AnyChannel;
use diracx_proto::{
    auth::v1::auth_service_client::AuthServiceClient,
    config::v1::config_service_client::ConfigServiceClient,
    jobs::v1::{jobs_service_client::JobsServiceClient, sandboxes_service_client::SandboxesServiceClient},
    pilots::v1::pilots_service_client::PilotsServiceClient,
    rss::v1::resource_status_service_client::ResourceStatusServiceClient,
};
use diracx_server::TokenVerifier;
use http::StatusCode;

use crate::{
    error::Refusal,
    health::{Backend, Pulse},
    routes::config::ConfigCache,
    settings::GatewaySettings,
    validation::body::{self, Limits, Received, Room},
};

/// How many of the largest bodies there is room for at a time.
const LARGE_BODIES: usize = 8;

/// The services behind the gateway.
#[derive(Debug, Clone)]
pub struct Backends {
    /// Logins and tokens.
    pub auth: Backend,
    /// The configuration.
    pub config: Backend,
    /// Jobs and their sandboxes.
    pub jobs: Backend,
    /// Pilots; none if the installation has none.
    pub pilots: Option<Backend>,
    /// Resource statuses, unless the installation has none.
    pub rss: Option<Backend>,
}

/// Shared by all handlers.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

pub(crate) struct Inner {
    backends: Backends,
    pub(crate) verifier: TokenVerifier,
    settings: GatewaySettings,
    room: Room,
    pub(crate) config_cache: ConfigCache,
    pub(crate) auth_pulse: Pulse,
    pub(crate) config_pulse: Pulse,
}

impl Context {
    pub(crate) fn new(backends: Backends, verifier: TokenVerifier, settings: GatewaySettings) -> Self {
        let auth_pulse = Pulse::new(backends.auth.clone());
        let config_pulse = Pulse::new(backends.config.clone());
        let config_cache = ConfigCache::default();
        let room = Room::new(settings.max_body_bytes.saturating_mul(LARGE_BODIES));
        Self(Arc::new(Inner { backends, verifier, settings, room, config_cache, auth_pulse, config_pulse }))
    }

    /// Reads the body of a caller with a good token.
    pub(crate) async fn read(&self, body: Body) -> Result<Received, Refusal> {
        body::read(body, self.body_limits(), &self.room).await
    }

    /// Reads the body of a caller whom nobody knows yet.
    pub(crate) async fn read_small(&self, body: Body) -> Result<Received, Refusal> {
        body::read(body, self.body_limits().small(), &self.room).await
    }

    fn body_limits(&self) -> Limits {
        Limits { bytes: self.settings.max_body_bytes, time: self.settings.body_timeout }
    }

    pub(crate) fn auth(&self) -> AuthServiceClient<AnyChannel> {
        diracx_client::auth(self.backends.auth.channel())
    }

    pub(crate) fn config(&self) -> ConfigServiceClient<AnyChannel> {
        diracx_client::config(self.backends.config.channel())
    }

    pub(crate) fn jobs(&self) -> JobsServiceClient<AnyChannel> {
        diracx_client::jobs(self.backends.jobs.channel())
    }

    /// Those that need it are served only if it is there.
    pub(crate) fn pilots(&self) -> Result<PilotsServiceClient<AnyChannel>, Refusal> {
        let pilots = self.backends.pilots.as_ref();
        let pilots = pilots.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Not Found"))?;
        Ok(diracx_client::pilots(pilots.channel()))
    }

    pub(crate) fn sandboxes(&self) -> SandboxesServiceClient<AnyChannel> {
        diracx_client::sandboxes(self.backends.jobs.channel())
    }

    /// None where there are no routes that ask.
    pub(crate) fn rss(&self) -> Option<ResourceStatusServiceClient<AnyChannel>> {
        self.backends.rss.as_ref().map(|rss| diracx_client::rss(rss.channel()))
    }
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
