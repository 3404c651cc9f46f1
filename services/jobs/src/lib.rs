#![doc = include_str!("../README.md")]

pub mod compression;
mod deps;
pub mod error;
pub mod logic;
mod observe;
pub mod policy;
pub mod service;
pub mod settings;
pub mod store;

pub use deps::Deps;
pub use error::{Error, Result};
pub use observe::observe;

use diracx_db::Deadline;
use diracx_proto::{FILE_DESCRIPTOR_SET, jobs::v1::jobs_service_server::JobsServiceServer};
use diracx_server::{AccessTable, RpcService, Stack, access::AccessError, with_message_limits};
use tonic::service::Routes;

/// Who may call what, as the contract declares it.
pub fn access() -> Result<AccessTable, AccessError> {
    AccessTable::from_descriptor_set(FILE_DESCRIPTOR_SET, &["diracx.jobs.v1.JobsService"])
}

/// `JobsService` with every layer around it, for a port or for clients in the same process.
pub fn service(deps: Deps, stack: &Stack) -> RpcService {
    let server = with_message_limits!(JobsServiceServer::new(service::Service { deps }), stack.limits);
    stack.layered(Routes::new(server))
}

/// When the caller of the current rpc stops waiting.
fn deadline() -> Deadline {
    diracx_server::Deadline::current_instant().into()
}
