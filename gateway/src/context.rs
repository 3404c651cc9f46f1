//! What every handler works with: the services behind the gateway, who may call, and how much.

use std::{ops::Deref, sync::Arc};

use diracx_client::AnyChannel;
use diracx_proto::{
    auth::v1::auth_service_client::AuthServiceClient, config::v1::config_service_client::ConfigServiceClient,
    jobs::v1::jobs_service_client::JobsServiceClient,
};
use diracx_server::token::TokenVerifier;

use crate::{
    health::Health,
    routes::config::ConfigCache,
    settings::GatewaySettings,
    validation::body::Limits,
};

/// The largest answer of a service: a page of 10,000 rows, or a large configuration, with room to spare.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The channels to the services behind the gateway.
#[derive(Clone)]
pub struct Channels {
    /// To the auth service.
    pub auth: AnyChannel,
    /// To the config service.
    pub config: AnyChannel,
    /// To the jobs service.
    pub jobs: AnyChannel,
}

/// Shared by all handlers.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

pub(crate) struct Inner {
    channels: Channels,
    pub(crate) verifier: TokenVerifier,
    pub(crate) settings: GatewaySettings,
    pub(crate) config_cache: ConfigCache,
    pub(crate) health: Health,
}

impl Context {
    pub(crate) fn new(channels: Channels, verifier: TokenVerifier, settings: GatewaySettings) -> Self {
        let health = Health::new(&channels);
        Self(Arc::new(Inner { channels, verifier, settings, config_cache: ConfigCache::default(), health }))
    }

    /// How much of a body is read.
    pub(crate) fn body_limits(&self) -> Limits {
        Limits { bytes: self.settings.max_body_bytes, time: self.settings.body_timeout() }
    }

    pub(crate) fn auth(&self) -> AuthServiceClient<AnyChannel> {
        AuthServiceClient::new(self.channels.auth.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    pub(crate) fn config(&self) -> ConfigServiceClient<AnyChannel> {
        ConfigServiceClient::new(self.channels.config.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    pub(crate) fn jobs(&self) -> JobsServiceClient<AnyChannel> {
        JobsServiceClient::new(self.channels.jobs.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
