#![doc = include_str!("../README.md")]

mod aside;
pub mod bytes;
pub mod compression;
mod deps;
pub mod error;
pub mod logic;
mod observe;
pub mod policy;
pub mod runners;
pub mod service;
pub mod settings;
pub mod store;

pub use deps::Deps;
pub use error::{Error, Result};
pub use observe::observe;

use diracx_db::Deadline;
use diracx_proto::{
    FILE_DESCRIPTOR_SET,
    jobs::v1::{jobs_service_server::JobsServiceServer, sandboxes_service_server::SandboxesServiceServer},
};
use diracx_server::{AccessTable, RpcService, Stack, access::AccessError, with_message_limits};
use tonic::service::Routes;

/// What is served.
const SERVICES: [&str; 2] = ["diracx.jobs.v1.JobsService", "diracx.jobs.v1.SandboxesService"];

/// Who may call what, as the contract declares it.
pub fn access() -> Result<AccessTable, AccessError> {
    AccessTable::from_descriptor_set(FILE_DESCRIPTOR_SET, &SERVICES)
}

/// `JobsService` and `SandboxesService` with every layer around them, for a port or for clients in the same process.
pub fn service(deps: Deps, stack: &Stack) -> RpcService {
    let jobs = service::Service { deps: deps.clone() };
    let jobs = with_message_limits!(JobsServiceServer::new(jobs), stack.limits);
    let sandboxes = service::SandboxesService { deps };
    let sandboxes = with_message_limits!(SandboxesServiceServer::new(sandboxes), stack.limits);
    stack.layered(Routes::new(jobs).add_service(sandboxes))
}

/// When the caller of the current rpc stops waiting.
fn deadline() -> Deadline {
    diracx_server::Deadline::current_instant().into()
}
