#![doc = include_str!("../README.md")]

pub mod caller;
pub mod channel;
mod component;
pub mod config_follower;
pub mod credentials;
mod guarded;
pub mod jwks;
pub mod later;
pub mod refusal;
pub mod session;

pub use caller::Caller;
pub use channel::{AnyChannel, BoxError, ServerAddress, Unreachable, in_process};
pub use component::issue_component_token;
pub use config_follower::{ConfigFollower, NotReady};
pub use credentials::{Credentials, CredentialsFile};
pub use jwks::published_keys;
pub use later::{Later, later};
pub use refusal::Refusal;
pub use session::Session;

/// The messages of the contract, for programs that know the services only through this crate.
pub use diracx_proto as proto;

use diracx_proto::{
    auth::v1::auth_service_client::AuthServiceClient,
    config::v1::config_service_client::ConfigServiceClient,
    jobs::v1::{jobs_service_client::JobsServiceClient, sandboxes_service_client::SandboxesServiceClient},
    pilots::v1::pilots_service_client::PilotsServiceClient,
    rss::v1::resource_status_service_client::ResourceStatusServiceClient,
};

/// The version that every call carries.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The metadata that carries it.
pub const VERSION_METADATA: &str = "diracx-client-version";

/// The client id that DIRAC's own programs log in with.
pub const CLIENT_ID: &str = "myDIRACClientID";

/// How large an answer may be, in bytes. A page of ten thousand jobs is some ten million.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A client of the auth service.
pub fn auth(channel: AnyChannel) -> AuthServiceClient<AnyChannel> {
    AuthServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client of the config service.
pub fn config(channel: AnyChannel) -> ConfigServiceClient<AnyChannel> {
    ConfigServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client of the jobs service.
pub fn jobs(channel: AnyChannel) -> JobsServiceClient<AnyChannel> {
    JobsServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client of the pilots service.
pub fn pilots(channel: AnyChannel) -> PilotsServiceClient<AnyChannel> {
    PilotsServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client of the service for sandboxes, which is part of the jobs service.
pub fn sandboxes(channel: AnyChannel) -> SandboxesServiceClient<AnyChannel> {
    SandboxesServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client of the resource status service.
pub fn rss(channel: AnyChannel) -> ResourceStatusServiceClient<AnyChannel> {
    ResourceStatusServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}
