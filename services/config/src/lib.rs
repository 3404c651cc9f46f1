#![doc = include_str!("../README.md")]

pub mod keeper;
mod kept;
mod observe;
mod service;
pub mod settings;
mod watching;

use diracx_proto::{FILE_DESCRIPTOR_SET, config::v1::config_service_server::ConfigServiceServer};
use diracx_server::{AccessTable, RpcService, Stack, access::AccessError, with_message_limits};
use tonic::service::Routes;

pub use diracx_cs::{ConfigSource, FetchSettings, Revision, SourceError, SourceUrl, yaml};
pub use keeper::{ConfigKeeper, Failure, Loaded, Refresh, Snapshot};
pub use observe::observe;
pub use service::Service;

/// The full name of the gRPC service.
pub const SERVICE_NAME: &str = diracx_proto::config::v1::config_service_server::SERVICE_NAME;

/// Who may call what, as the contract declares it.
pub fn access() -> Result<AccessTable, AccessError> {
    AccessTable::from_descriptor_set(FILE_DESCRIPTOR_SET, &[SERVICE_NAME])
}

/// The service over a keeper, with every layer around it: to be served, or called in process.
pub fn service(keeper: ConfigKeeper, stack: &Stack) -> RpcService {
    let server = with_message_limits!(ConfigServiceServer::new(Service::new(keeper)), stack.limits);
    stack.layered(Routes::new(server))
}
